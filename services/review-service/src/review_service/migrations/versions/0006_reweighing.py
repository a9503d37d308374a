"""How far the reviews of a person have come that are all to be weighed again."""

from shared_runtime.migrate import run_sql

revision = "0006_reweighing"
down_revision = "0005_leases"

# A seller may have written a million reviews: more than a statement gets through.
REWEIGHING = """
    CREATE TABLE facts.reweighing (
        person text PRIMARY KEY,
        changed_at timestamptz NOT NULL,
        event_id uuid NOT NULL,
        order_id text NOT NULL DEFAULT '',
        side text NOT NULL DEFAULT '',
        review_id text NOT NULL DEFAULT ''
    );
    GRANT SELECT, INSERT, UPDATE, DELETE ON facts.reweighing TO aftersales_app;

    CREATE INDEX review_in_turn ON facts.review (author, order_id, side, review_id);
    DROP INDEX facts.review_by_author;
"""


def upgrade() -> None:
    run_sql(REWEIGHING)
