"""What is to be asked of companies outside, and what came of comparing books with them."""

from shared_runtime.migrate import create_errands, run_sql

revision = "0003_ports"
down_revision = "0002_facts"

# `report`: absent until the day has been compared.
RECONCILED = """
    CREATE TABLE ports.reconciliation (
        day date PRIMARY KEY,
        asked_at timestamptz NOT NULL,
        compared_at timestamptz,
        report jsonb
    );
    CREATE INDEX reconciliation_to_do ON ports.reconciliation (day) WHERE compared_at IS NULL;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ports.reconciliation TO aftersales_app;
"""


def upgrade() -> None:
    create_errands()
    run_sql(RECONCILED)
