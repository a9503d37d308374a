"""What review-service knows of other streams, and of its own by other keys than the order."""

from shared_runtime.migrate import run_sql

revision = "0002_facts"
down_revision = "0001_log"

# A row of a table of facts comes from one stream, so that no two workers ever write the same one;
# the orders that it tells of are found by an index.
FACTS = """
    CREATE SCHEMA facts;

    CREATE TABLE facts.dispute (
        dispute_id text PRIMARY KEY,
        order_id text NOT NULL,
        opened_at timestamptz NOT NULL,
        closed_at timestamptz,
        resolved_by_seller boolean NOT NULL,
        against_seller boolean NOT NULL,
        by_carrier boolean NOT NULL,
        buyer_abuse boolean NOT NULL
    );
    CREATE INDEX dispute_by_order ON facts.dispute (order_id);

    CREATE TABLE facts.goods_return (
        return_id text PRIMARY KEY,
        order_id text NOT NULL,
        corroborates boolean NOT NULL,
        made_good_at timestamptz
    );
    CREATE INDEX goods_return_by_order ON facts.goods_return (order_id);

    CREATE TABLE facts.refund (
        order_id text PRIMARY KEY,
        issued_at timestamptz NOT NULL
    );

    CREATE TABLE facts.delay (
        order_id text PRIMARY KEY,
        incident_id text NOT NULL,
        liable text NOT NULL
    );

    CREATE TABLE facts.right_lost (
        measure_id text PRIMARY KEY,
        person text NOT NULL,
        starts_at timestamptz NOT NULL,
        ends_at timestamptz,
        lifted_at timestamptz,
        given_back boolean NOT NULL
    );
    CREATE INDEX right_lost_by_person ON facts.right_lost (person);

    CREATE TABLE facts.accusation (
        case_id text PRIMARY KEY,
        standing text NOT NULL
    );
    CREATE TABLE facts.accused_review (
        review_id text NOT NULL,
        case_id text NOT NULL,
        PRIMARY KEY (review_id, case_id)
    );
    CREATE INDEX accused_review_by_case ON facts.accused_review (case_id);

    CREATE TABLE facts.erased (
        person text PRIMARY KEY,
        erased_at timestamptz NOT NULL
    );

    CREATE TABLE facts.review (
        order_id text NOT NULL,
        side text NOT NULL,
        review_id text NOT NULL,
        buyer_id text NOT NULL,
        seller_id text NOT NULL,
        author text NOT NULL,
        submitted_at timestamptz NOT NULL,
        -- As `review_digest` makes it: what is under the name that everybody is told.
        ref text NOT NULL GENERATED ALWAYS AS (md5(side || '/' || order_id)) STORED,
        PRIMARY KEY (order_id, side, review_id)
    );
    CREATE INDEX review_by_ref ON facts.review (ref);
    CREATE INDEX review_by_id ON facts.review (review_id);
    CREATE INDEX review_by_author ON facts.review (author);

    CREATE TABLE facts.flag (
        flag_id text PRIMARY KEY,
        flagger text NOT NULL,
        flagged_at timestamptz NOT NULL
    );
    CREATE INDEX flag_by_flagger ON facts.flag (flagger, flagged_at);

    CREATE TABLE facts.pair_review (
        order_id text PRIMARY KEY,
        buyer_id text NOT NULL,
        seller_id text NOT NULL,
        sign text NOT NULL,
        counted_at timestamptz NOT NULL,
        weight_milli integer NOT NULL,
        seq integer NOT NULL
    );
    CREATE INDEX pair_review_that_counts
        ON facts.pair_review (buyer_id, seller_id, sign, counted_at) WHERE weight_milli > 0;

    GRANT USAGE ON SCHEMA facts TO aftersales_app;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA facts TO aftersales_app;
"""


def upgrade() -> None:
    run_sql(FACTS)
