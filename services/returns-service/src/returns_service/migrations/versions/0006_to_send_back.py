"""Which pieces of returns were contested while their goods are still to be sent back."""

from shared_runtime.migrate import run_sql

revision = "0006_to_send_back"
down_revision = "0005_media"

# Rows are written whole with the next event of their return: those of before have none until then.
COLUMN = """
    ALTER TABLE facts.goods_return ADD COLUMN to_send_back jsonb NOT NULL DEFAULT '[]';
"""


def upgrade() -> None:
    run_sql(COLUMN)
