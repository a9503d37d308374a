"""Whether a review helped its readers: kept in no log and rebuilt from none."""

from shared_runtime.migrate import run_sql

revision = "0008_votes"
down_revision = "0007_together"

# `lately`: when somebody has voted in the last hour. A voter who was erased keeps his row, so that
# no vote of his that was under way then is added to it.
VOTES = """
    CREATE SCHEMA votes;
    CREATE TABLE votes.voter (
        voter text PRIMARY KEY,
        lately timestamptz[] NOT NULL DEFAULT '{}',
        erased boolean NOT NULL DEFAULT false
    );
    CREATE TABLE votes.vote (
        order_id text,
        voter text,
        helpful boolean NOT NULL,
        voted_at timestamptz NOT NULL,
        PRIMARY KEY (order_id, voter)
    );
    CREATE INDEX vote_by_voter ON votes.vote (voter);
    CREATE TABLE votes.tally (
        order_id text PRIMARY KEY,
        helpful bigint NOT NULL,
        not_helpful bigint NOT NULL
    );
    GRANT USAGE ON SCHEMA votes TO aftersales_app;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA votes TO aftersales_app;
"""


def upgrade() -> None:
    run_sql(VOTES)
