"""Who decides a dispute now: he may read the file of the return that is contested."""

from shared_runtime.migrate import run_sql

revision = "0007_adjudicators"
down_revision = "0006_to_send_back"

COLUMN = """
    ALTER TABLE facts.dispute ADD COLUMN adjudicator_id text;
"""


def upgrade() -> None:
    run_sql(COLUMN)
