"""What returns-service knows of other streams, and what was asked of its ledgers."""

from shared_casework.party_orgs import PARTY_ORGS
from shared_runtime.migrate import run_sql

revision = "0002_facts"
down_revision = "0001_log"

# A row comes from one stream, so that no two workers ever write the same one; the order that it
# tells of is found by an index.
FACTS = f"""
    CREATE SCHEMA facts;

    -- Orders that were placed and not paid yet: what their ledgers will be opened with.
    CREATE TABLE facts.order_to_pay (
        order_id text PRIMARY KEY,
        placed jsonb NOT NULL
    );

    CREATE TABLE facts.erased (
        person text PRIMARY KEY,
        erased_at timestamptz NOT NULL
    );
    {PARTY_ORGS}
    -- What machines have asked for, to ask it again when money of others was undone.
    CREATE TABLE facts.asked_refund (
        refund_id text PRIMARY KEY,
        order_id text NOT NULL,
        said jsonb NOT NULL
    );
    CREATE INDEX asked_refund_by_order ON facts.asked_refund (order_id);

    -- Remedies that disputes have ordered, and that are not on their way yet.
    CREATE TABLE facts.waiting_remedy (
        remedy_id text PRIMARY KEY,
        event_id uuid NOT NULL,
        ordered_at timestamptz NOT NULL,
        told jsonb NOT NULL
    );

    -- Versions of the policy that people have activated; `entries` of those no release brought.
    CREATE TABLE facts.policy_start (
        policy_version text NOT NULL,
        since timestamptz NOT NULL,
        entries text,
        PRIMARY KEY (policy_version, since)
    );

    GRANT USAGE ON SCHEMA facts TO aftersales_app;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA facts TO aftersales_app;
"""


def upgrade() -> None:
    run_sql(FACTS)
