"""Who works on which case of moderation, for a while: kept in no log and rebuilt from none."""

from shared_runtime.migrate import run_sql

revision = "0003_moderation"
down_revision = "0002_facts"

LEASES = """
    CREATE SCHEMA moderation;
    -- `decisions`: how many the case had when it was leased; one more, and the lease is over.
    CREATE TABLE moderation.lease (
        case_id text PRIMARY KEY,
        moderator_id text NOT NULL,
        decisions bigint NOT NULL,
        until timestamptz NOT NULL
    );
    CREATE INDEX lease_of_moderator ON moderation.lease (moderator_id);
    GRANT USAGE ON SCHEMA moderation TO aftersales_app;
    GRANT SELECT, INSERT, UPDATE, DELETE ON moderation.lease TO aftersales_app;
"""


def upgrade() -> None:
    run_sql(LEASES)
