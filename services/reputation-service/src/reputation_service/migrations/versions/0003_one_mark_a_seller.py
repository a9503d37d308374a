"""A seller who changed again before he was worked out anew is marked once."""

from shared_runtime.migrate import run_sql

revision = "0003_one_mark_a_seller"
down_revision = "0002_ranking"

# The first mark stays: who has waited longest comes first.
ONE_MARK = """
    LOCK TABLE ranking.changed IN EXCLUSIVE MODE;
    WITH first AS (SELECT seller_id, min(id) AS id FROM ranking.changed GROUP BY seller_id)
    DELETE FROM ranking.changed USING first
    WHERE changed.seller_id = first.seller_id AND changed.id > first.id;
    CREATE UNIQUE INDEX changed_seller ON ranking.changed (seller_id);
"""


def upgrade() -> None:
    run_sql(ONE_MARK)
