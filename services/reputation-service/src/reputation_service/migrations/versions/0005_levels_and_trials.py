"""Both levels of a seller and when time changes them; the sandbox in which drafts are tried."""

from shared_runtime.migrate import run_sql

revision = "0005_levels_and_trials"
down_revision = "0004_points"

# The table is worked out anew: all sellers are, because `sweep` forgets how far it had come.
LEVELS = """
    TRUNCATE ranking.seller;
    DELETE FROM ranking.sweep WHERE name = 'ranking';
    ALTER TABLE ranking.seller
        ADD COLUMN real_level text NOT NULL,
        ADD COLUMN changes_at bigint;
    CREATE INDEX seller_by_change ON ranking.seller (changes_at) WHERE changes_at IS NOT NULL;
    CREATE INDEX seller_by_level_and_rank
        ON ranking.seller (public_level, (-score_micro), seller_id);
"""
# Nothing live is in here, and nothing live reads it.
TRIALS = """
    CREATE SCHEMA sandbox;

    -- How far a trial has come: over the sellers in the order of their ids. `reached` is null when
    -- all are worked out.
    CREATE TABLE sandbox.trial (
        trial_id text PRIMARY KEY,
        sellers integer NOT NULL,
        worked_out integer NOT NULL,
        reached text COLLATE "C"
    );

    -- A seller under the policy that holds and under the draft. Levels are the real ones.
    CREATE TABLE sandbox.impact (
        trial_id text NOT NULL REFERENCES sandbox.trial ON DELETE CASCADE,
        seller_id text COLLATE "C" NOT NULL,
        score_before_micro bigint NOT NULL,
        score_after_micro bigint NOT NULL,
        level_before text NOT NULL,
        level_after text NOT NULL,
        cap_before text NOT NULL,
        cap_after text NOT NULL,
        PRIMARY KEY (trial_id, seller_id)
    );
    CREATE INDEX impact_by_size ON sandbox.impact
        (trial_id, (-abs(score_after_micro - score_before_micro)), seller_id);

    GRANT USAGE ON SCHEMA sandbox TO aftersales_app;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA sandbox TO aftersales_app;
"""


def upgrade() -> None:
    run_sql(LEVELS)
    run_sql(TRIALS)
