"""The table of sellers, which changes with the day, and how far the walks over them have come."""

from shared_runtime.migrate import run_sql

revision = "0002_ranking"
down_revision = "0001_log"

# Not a projection: scores fade from day to day without any event, so that no log says what is in
# here. A projection only notes whose buckets have changed.
RANKING = """
    CREATE SCHEMA ranking;

    CREATE TABLE ranking.seller (
        seller_id text COLLATE "C" PRIMARY KEY,
        score_micro bigint NOT NULL,
        public_level text NOT NULL,
        rated boolean NOT NULL,
        stars_micro bigint NOT NULL,
        recent_milli bigint NOT NULL,
        as_of timestamptz NOT NULL
    );
    CREATE INDEX seller_by_rank ON ranking.seller ((-score_micro), seller_id);

    -- Sellers whose buckets have changed, as often as they have: nobody waits for a mark.
    CREATE TABLE ranking.changed (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        seller_id text COLLATE "C" NOT NULL
    );

    -- A walk over all sellers in the order of their ids. `reached` is null when it is done.
    CREATE TABLE ranking.sweep (
        name text PRIMARY KEY,
        goal text NOT NULL,
        reached text COLLATE "C"
    );

    GRANT USAGE ON SCHEMA ranking TO aftersales_app;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ranking TO aftersales_app;
"""


def upgrade() -> None:
    run_sql(RANKING)
