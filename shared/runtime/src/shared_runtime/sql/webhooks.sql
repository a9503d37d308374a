-- Who is told by webhook of what has happened: no facts, kept in no log. What is sent is not kept
-- either: a delivery names an event, which is read for its reader when it is sent.
CREATE SCHEMA webhook;

-- `account`: whose it is, `seller:S-1` or `system:market`. `made_by`, `made_as`: the request that
-- made it. `secret`: which of its secrets signs; the one before signs too until `former_until`.
-- `since`: what was recorded before is not told. `answered_at`: when something was last taken.
CREATE TABLE webhook.endpoint (
    endpoint_id uuid PRIMARY KEY,
    account text NOT NULL,
    made_as bytea NOT NULL,
    url text NOT NULL,
    types text[] NOT NULL,
    seller_ids text[] NOT NULL,
    buyer_ids text[] NOT NULL,
    org_id text,
    seller_id text NOT NULL,
    secret integer NOT NULL DEFAULT 1,
    former_until timestamptz,
    rotated_by uuid,
    created_at timestamptz NOT NULL,
    since timestamptz NOT NULL,
    answered_at timestamptz,
    off_at timestamptz,
    off_because text,
    deleted_at timestamptz
);
CREATE INDEX endpoint_by_account ON webhook.endpoint (account) WHERE deleted_at IS NULL;
CREATE INDEX endpoint_of_machine ON webhook.endpoint (endpoint_id)
    WHERE deleted_at IS NULL AND account LIKE 'system:%';
CREATE INDEX endpoint_deleted ON webhook.endpoint (endpoint_id) WHERE deleted_at IS NOT NULL;

-- `stream_id`, `version`: the event; none of a ping. `due_at`: none when it has ended. `tries`: how
-- often somebody has set out, and `failures`: how often in vain since it was last asked for (by the
-- request `asked_by`, if it was sent again). `begun_at`: when somebody first set out since.
-- `leased_until`: until when it is somebody's who is on his way with it.
CREATE TABLE webhook.delivery (
    delivery_id uuid PRIMARY KEY,
    endpoint_id uuid NOT NULL REFERENCES webhook.endpoint,
    number bigint GENERATED ALWAYS AS IDENTITY,
    stream_id text,
    version integer,
    event_id uuid,
    type text NOT NULL,
    order_id text,
    state text NOT NULL DEFAULT 'WAITING',
    created_at timestamptz NOT NULL,
    due_at timestamptz,
    tries integer NOT NULL DEFAULT 0,
    failures integer NOT NULL DEFAULT 0,
    asked_by uuid,
    begun_at timestamptz,
    leased_until timestamptz
);
CREATE INDEX delivery_due ON webhook.delivery (endpoint_id, due_at, number)
    WHERE due_at IS NOT NULL;
CREATE INDEX delivery_of_endpoint ON webhook.delivery (endpoint_id, number);
CREATE INDEX delivery_by_age ON webhook.delivery (created_at);

CREATE TABLE webhook.attempt (
    delivery_id uuid NOT NULL REFERENCES webhook.delivery ON DELETE CASCADE,
    try integer NOT NULL,
    at timestamptz NOT NULL,
    outcome text NOT NULL,
    milliseconds integer NOT NULL,
    PRIMARY KEY (delivery_id, try)
);

GRANT USAGE ON SCHEMA webhook TO aftersales_app;
GRANT SELECT, INSERT, UPDATE, DELETE
    ON webhook.endpoint, webhook.delivery, webhook.attempt TO aftersales_app;
