"""What returns have of an order, and what disputes, ledgers and measures tell of it."""

from shared_runtime.migrate import run_sql

revision = "0004_returns"
down_revision = "0003_ports"

MEASURE = """
    CREATE TABLE facts.{name} (
        measure_id text PRIMARY KEY,
        person text NOT NULL,
        starts_at timestamptz NOT NULL,
        ends_at timestamptz,
        lifted_at timestamptz,
        given_back boolean NOT NULL
    );
    CREATE INDEX {name}_by_person ON facts.{name} (person);
"""
FACTS = f"""
    -- Which pieces each return has, written in the transaction that records it.
    CREATE TABLE facts.goods_return (
        return_id text PRIMARY KEY,
        order_id text NOT NULL,
        buyer_id text NOT NULL,
        version integer NOT NULL,
        kind text NOT NULL,
        lane text,
        reason text NOT NULL,
        began_at timestamptz NOT NULL,
        confirm_by timestamptz,
        is_open boolean NOT NULL,
        asked jsonb NOT NULL,
        held jsonb NOT NULL,
        declined jsonb NOT NULL,
        kept jsonb NOT NULL,
        contested jsonb NOT NULL,
        unasked jsonb NOT NULL,
        sent jsonb NOT NULL,
        exposure_ref_minor bigint NOT NULL,
        advance_rejected_at timestamptz
    );
    CREATE INDEX goods_return_by_order ON facts.goods_return (order_id);
    -- Few returns say anything about how far a buyer is to be trusted.
    CREATE INDEX goods_return_of_trust ON facts.goods_return (buyer_id)
        WHERE exposure_ref_minor > 0 OR advance_rejected_at IS NOT NULL;

    CREATE TABLE facts.dispute (
        dispute_id text PRIMARY KEY,
        order_id text NOT NULL,
        units jsonb NOT NULL,
        is_open boolean NOT NULL,
        return_id text,
        remedied jsonb NOT NULL,
        kept jsonb NOT NULL,
        closed_at timestamptz
    );
    CREATE INDEX dispute_by_order ON facts.dispute (order_id);
    CREATE INDEX dispute_by_return ON facts.dispute (return_id) WHERE return_id IS NOT NULL;

    CREATE TABLE facts.ledger (
        order_id text PRIMARY KEY,
        money jsonb NOT NULL,
        answers jsonb NOT NULL
    );
    {MEASURE.format(name="manual_only")}
    {MEASURE.format(name="no_fast_lane")}

    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA facts TO aftersales_app;
"""


def upgrade() -> None:
    run_sql(FACTS)
