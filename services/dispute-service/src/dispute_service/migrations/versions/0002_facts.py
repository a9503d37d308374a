"""What dispute-service knows of other streams, and of its own by other keys than theirs."""

from shared_casework.party_orgs import PARTY_ORGS
from shared_runtime.migrate import run_sql

revision = "0002_facts"
down_revision = "0001_log"

# A row comes from one stream, so that no two workers ever write the same one; the order that it
# tells of is found by an index.
FACTS = f"""
    CREATE SCHEMA facts;

    CREATE TABLE facts.goods_return (
        return_id text PRIMARY KEY,
        order_id text NOT NULL,
        kind text NOT NULL,
        held jsonb NOT NULL,
        remedies jsonb NOT NULL,
        replacements jsonb NOT NULL
    );
    CREATE INDEX goods_return_by_order ON facts.goods_return (order_id);

    CREATE TABLE facts.money (
        order_id text PRIMARY KEY,
        currency text NOT NULL,
        units jsonb NOT NULL,
        shipping_minor bigint NOT NULL,
        total_minor bigint NOT NULL,
        given jsonb NOT NULL
    );

    CREATE TABLE facts.manual_only (
        measure_id text PRIMARY KEY,
        person text NOT NULL,
        starts_at timestamptz NOT NULL,
        ends_at timestamptz,
        lifted_at timestamptz,
        given_back boolean NOT NULL
    );
    CREATE INDEX manual_only_by_person ON facts.manual_only (person);

    CREATE TABLE facts.erased (
        person text PRIMARY KEY,
        erased_at timestamptz NOT NULL
    );

    -- What is opened and closed here, written in the transaction that records it.
    CREATE TABLE facts.dispute (
        dispute_id text PRIMARY KEY,
        order_id text NOT NULL,
        units text[] NOT NULL,
        standing text NOT NULL
    );
    CREATE INDEX dispute_by_order ON facts.dispute (order_id);

    CREATE TABLE facts.inquiry (
        inquiry_id text PRIMARY KEY,
        order_id text NOT NULL,
        is_open boolean NOT NULL
    );
    CREATE INDEX inquiry_by_order ON facts.inquiry (order_id);

    -- How far each remedy is that was ordered here.
    CREATE TABLE facts.remedy (
        remedy_id text PRIMARY KEY,
        dispute_id text NOT NULL,
        order_id text NOT NULL,
        execution jsonb NOT NULL
    );
    CREATE INDEX remedy_by_order ON facts.remedy (order_id);

    {PARTY_ORGS}
    -- Contests that no dispute has been opened for yet, by the stream that it will have.
    CREATE TABLE facts.waiting_contest (
        stream_id text PRIMARY KEY,
        order_id text NOT NULL,
        event_id uuid NOT NULL,
        told jsonb NOT NULL
    );
    CREATE INDEX waiting_contest_by_order ON facts.waiting_contest (order_id);

    GRANT USAGE ON SCHEMA facts TO aftersales_app;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA facts TO aftersales_app;
"""


def upgrade() -> None:
    run_sql(FACTS)
