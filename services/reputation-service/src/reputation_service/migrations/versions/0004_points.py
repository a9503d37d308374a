"""What accounts and cases are decided on besides their streams; and the files of the accused."""

from shared_runtime.migrate import create_media, run_sql

revision = "0004_points"
down_revision = "0003_one_mark_a_seller"

# A person is an account with its kind: `buyer:B-1`.
FACTS = """
    CREATE SCHEMA facts;

    -- What is opened and decided here, written in the transaction that records it.
    CREATE TABLE facts.account (
        person text PRIMARY KEY,
        warned boolean NOT NULL,
        erased boolean NOT NULL,
        waits boolean NOT NULL
    );

    CREATE TABLE facts.violation_case (
        case_id text PRIMARY KEY,
        person text NOT NULL,
        rule text NOT NULL,
        cause_key text NOT NULL,
        safety boolean NOT NULL,
        status text NOT NULL,
        confirmed_at timestamptz,
        -- Of one cause there is one case, for ever.
        UNIQUE (person, rule, cause_key)
    );

    -- The organisations of whoever has acted for a person: none of them decides.
    CREATE TABLE facts.person_org (
        person text NOT NULL,
        org_id text NOT NULL,
        PRIMARY KEY (person, org_id)
    );

    -- What the other services tell.
    CREATE TABLE facts.sold (
        order_id text PRIMARY KEY,
        seller_id text NOT NULL,
        buyer_id text NOT NULL,
        placed_at timestamptz NOT NULL,
        completed_at timestamptz
    );
    CREATE INDEX sold_by_seller ON facts.sold (seller_id, completed_at);
    CREATE INDEX sold_by_buyer ON facts.sold (buyer_id, placed_at);

    CREATE TABLE facts.open_matter (
        matter text PRIMARY KEY,
        matter_id text NOT NULL,
        seller_id text NOT NULL,
        buyer_id text NOT NULL
    );
    CREATE INDEX open_matter_by_seller ON facts.open_matter (seller_id);
    CREATE INDEX open_matter_by_buyer ON facts.open_matter (buyer_id);

    CREATE TABLE facts.lost_claim (
        dispute_id text PRIMARY KEY,
        buyer_id text NOT NULL,
        closed_at timestamptz NOT NULL
    );
    CREATE INDEX lost_claim_by_buyer ON facts.lost_claim (buyer_id, closed_at);

    CREATE TABLE facts.hint (
        hint_id text PRIMARY KEY,
        account_kind text NOT NULL,
        account_id text NOT NULL,
        rule text NOT NULL,
        cause_key text NOT NULL,
        event_id text NOT NULL,
        noticed_at timestamptz NOT NULL
    );
    CREATE INDEX hint_by_time ON facts.hint (noticed_at, hint_id);

    GRANT USAGE ON SCHEMA facts TO aftersales_app;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA facts TO aftersales_app;
"""


def upgrade() -> None:
    run_sql(FACTS)
    create_media()
