"""Who is there to decide, and since when he waits for a case: kept in no log."""

from shared_runtime.migrate import run_sql

revision = "0003_adjudicators"
down_revision = "0002_facts"

ADJUDICATORS = """
    CREATE SCHEMA work;
    CREATE TABLE work.adjudicator (
        adjudicator_id text PRIMARY KEY,
        level text NOT NULL,
        org_id text,
        seller_id text,
        on_duty_until timestamptz NOT NULL,
        drawn timestamptz NOT NULL DEFAULT '-infinity'
    );
    GRANT USAGE ON SCHEMA work TO aftersales_app;
    GRANT SELECT, INSERT, UPDATE, DELETE ON work.adjudicator TO aftersales_app;
"""


def upgrade() -> None:
    run_sql(ADJUDICATORS)
