-- The log of a service: dense, commit-ordered, hash-chained, append-only; and what reads it.
CREATE SCHEMA es;

CREATE TABLE es.head (
    topic text NOT NULL,
    partition integer NOT NULL,
    position bigint NOT NULL DEFAULT 0,
    chain_hash bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex'),
    recorded_at timestamptz NOT NULL DEFAULT '-infinity',
    -- Which history this is: a new one begins when a log goes on from a backup. Up to `epoch_from` it
    -- is the one before.
    epoch uuid NOT NULL DEFAULT uuidv7(),
    epoch_from bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 10);  -- one hot row a partition: its updates stay on its page

CREATE TABLE es.event (
    topic text NOT NULL,
    partition integer NOT NULL,
    position bigint NOT NULL,
    event_id uuid NOT NULL UNIQUE,
    stream_id text NOT NULL,
    stream_version integer NOT NULL,
    type text NOT NULL,
    recorded_at timestamptz NOT NULL,
    body bytea NOT NULL,
    leaf_hash bytea NOT NULL,
    chain_hash bytea NOT NULL,
    PRIMARY KEY (topic, partition, position),
    UNIQUE (stream_id, stream_version)
);
ALTER TABLE es.event ALTER COLUMN body SET STORAGE EXTERNAL;  -- stored as it was hashed, not compressed

CREATE FUNCTION es.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log is append-only: % on es.event is refused', TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON es.event
    FOR EACH ROW EXECUTE FUNCTION es.refuse_change();
CREATE TRIGGER only_by_append BEFORE INSERT ON es.event
    FOR EACH STATEMENT WHEN (current_setting('es.appending', true) IS DISTINCT FROM 'yes')
    EXECUTE FUNCTION es.refuse_change();
CREATE TRIGGER never_truncated BEFORE TRUNCATE ON es.event
    FOR EACH STATEMENT EXECUTE FUNCTION es.refuse_change();

-- The answer that a request was given, kept with its events so that a repeat gets the same one.
CREATE TABLE es.reply (
    request_id uuid PRIMARY KEY,
    fingerprint bytea NOT NULL,
    status integer NOT NULL,
    etag text,
    body bytea NOT NULL,
    token text,
    created_at timestamptz NOT NULL
);
CREATE INDEX reply_by_age ON es.reply (created_at);

-- A body with a later instant of recording written in its place.
CREATE FUNCTION es.stamped(p_body bytea, p_at timestamptz, p_offset integer, p_format text)
RETURNS bytea LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT overlay(p_body PLACING convert_to(to_char(p_at AT TIME ZONE 'UTC', p_format), 'UTF8')
                   FROM p_offset + 1)
$$;

-- Appends events and returns their positions and instants of recording, in the order given.
-- The heads are locked in ascending order of (topic, partition): two appends that share two of
-- them cannot deadlock. What holds a head waits for no client: this is a transaction's last call.
-- The instant of recording never falls within a partition, whatever the writers' clocks do: what
-- has been read up to an instant stays complete up to it. A clock that is ahead would date all that
-- follows: with `p_skew_max`, one that is further from the database's than that records nothing.
CREATE FUNCTION es.append(
    p_now timestamptz, p_topic text[], p_partition integer[], p_event_id uuid[], p_stream_id text[],
    p_stream_version integer[], p_type text[], p_body bytea[],
    p_time_offset integer, p_time_format text,
    p_request_id uuid DEFAULT NULL, p_fingerprint bytea DEFAULT NULL, p_status integer DEFAULT NULL,
    p_etag text DEFAULT NULL, p_reply bytea DEFAULT NULL, p_skew_max interval DEFAULT NULL,
    OUT positions bigint[], OUT recorded timestamptz[]
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    last integer := cardinality(p_body);
    item record;
    newest es.head;
    stamp timestamptz;
    body bytea;
    leaf bytea;
    leaves bytea[] := array_fill(NULL::bytea, ARRAY[last]);
    chains bytea[] := leaves;
BEGIN
    IF p_now NOT BETWEEN clock_timestamp() - p_skew_max AND clock_timestamp() + p_skew_max THEN
        RAISE EXCEPTION 'a writer''s clock says %', p_now USING ERRCODE = 'ES001';
    END IF;
    positions := array_fill(0::bigint, ARRAY[last]);
    recorded := array_fill(p_now, ARRAY[last]);
    FOR item IN
        SELECT event.*, ord::integer AS at,
               lead(ord) OVER (PARTITION BY topic, partition ORDER BY ord) IS NULL AS is_last
        FROM unnest(p_topic, p_partition, p_body)
             WITH ORDINALITY AS event (topic, partition, body, ord)
        ORDER BY topic, partition, ord
    LOOP
        IF newest.topic IS NULL THEN
            SELECT * INTO newest FROM es.head AS head
            WHERE head.topic = item.topic AND head.partition = item.partition FOR UPDATE;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'no log partition %/%', item.topic, item.partition;
            END IF;
            stamp := greatest(newest.recorded_at, p_now);
        END IF;
        body := item.body;
        IF stamp > p_now THEN
            body := es.stamped(body, stamp, p_time_offset, p_time_format);
            p_body[item.at] := body;
            recorded[item.at] := stamp;
        END IF;
        leaf := sha256('\x00'::bytea || body);
        newest.chain_hash := sha256(newest.chain_hash || leaf);
        newest.position := newest.position + 1;
        leaves[item.at] := leaf;
        chains[item.at] := newest.chain_hash;
        positions[item.at] := newest.position;
        IF item.is_last THEN
            UPDATE es.head AS head SET position = newest.position, chain_hash = newest.chain_hash,
                                       recorded_at = stamp
            WHERE head.topic = item.topic AND head.partition = item.partition;
            newest := NULL;
        END IF;
    END LOOP;
    -- As a setting of the function only a superuser could create it.
    PERFORM set_config('es.appending', 'yes', true);
    INSERT INTO es.event (topic, partition, position, event_id, stream_id, stream_version, type,
                          recorded_at, body, leaf_hash, chain_hash)
    SELECT * FROM unnest(p_topic, p_partition, positions, p_event_id, p_stream_id,
                         p_stream_version, p_type, recorded, p_body, leaves, chains);
    PERFORM set_config('es.appending', '', true);
    IF p_request_id IS NOT NULL THEN
        INSERT INTO es.reply (request_id, fingerprint, status, etag, body, token, created_at)
        VALUES (p_request_id, p_fingerprint, p_status, p_etag, p_reply,
                p_topic[last] || '/' || p_partition[last] || ':' || positions[last], p_now);
    END IF;
END $$;
REVOKE ALL ON FUNCTION es.append FROM PUBLIC;

-- The same for one event, which is what most commands come to: a third of the time.
CREATE FUNCTION es.append_one(
    p_now timestamptz, p_topic text, p_partition integer, p_event_id uuid, p_stream_id text,
    p_stream_version integer, p_type text, p_body bytea,
    p_time_offset integer, p_time_format text,
    p_request_id uuid DEFAULT NULL, p_fingerprint bytea DEFAULT NULL, p_status integer DEFAULT NULL,
    p_etag text DEFAULT NULL, p_reply bytea DEFAULT NULL, p_skew_max interval DEFAULT NULL,
    OUT place bigint, OUT recorded timestamptz
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    leaf bytea;
    chain bytea;
BEGIN
    IF p_now NOT BETWEEN clock_timestamp() - p_skew_max AND clock_timestamp() + p_skew_max THEN
        RAISE EXCEPTION 'a writer''s clock says %', p_now USING ERRCODE = 'ES001';
    END IF;
    -- One statement locks, counts and chains: two would lock the hot row twice.
    UPDATE es.head AS head
    SET position = head.position + 1,
        recorded_at = greatest(head.recorded_at, p_now),
        chain_hash = sha256(head.chain_hash || sha256('\x00'::bytea || CASE
            WHEN head.recorded_at > p_now
            THEN es.stamped(p_body, head.recorded_at, p_time_offset, p_time_format)
            ELSE p_body END))
    WHERE head.topic = p_topic AND head.partition = p_partition
    RETURNING head.position, head.recorded_at, head.chain_hash INTO place, recorded, chain;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no log partition %/%', p_topic, p_partition;
    END IF;
    IF recorded > p_now THEN
        p_body := es.stamped(p_body, recorded, p_time_offset, p_time_format);
    END IF;
    leaf := sha256('\x00'::bytea || p_body);
    PERFORM set_config('es.appending', 'yes', true);
    INSERT INTO es.event (topic, partition, position, event_id, stream_id, stream_version, type,
                          recorded_at, body, leaf_hash, chain_hash)
    VALUES (p_topic, p_partition, place, p_event_id, p_stream_id, p_stream_version, p_type,
            recorded, p_body, leaf, chain);
    PERFORM set_config('es.appending', '', true);
    IF p_request_id IS NOT NULL THEN
        INSERT INTO es.reply (request_id, fingerprint, status, etag, body, token, created_at)
        VALUES (p_request_id, p_fingerprint, p_status, p_etag, p_reply,
                p_topic || '/' || p_partition || ':' || place, p_now);
    END IF;
END $$;
REVOKE ALL ON FUNCTION es.append_one FROM PUBLIC;

-- How far each reader of a log (its own or another's, by Kafka) has come.
CREATE TABLE es.cursor (
    subscription text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    position bigint NOT NULL DEFAULT 0,
    chain_hash bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex'),
    epoch uuid,  -- of the newest history that was read; none in the own log
    lease_epoch bigint NOT NULL DEFAULT 0,  -- of whoever may move it: none in what Kafka shares out
    PRIMARY KEY (subscription, topic, partition)
) WITH (fillfactor = 10);

-- The workers of this service, and which groups of partitions of its own log each of them reads.
-- Another epoch begins when a group changes hands.
CREATE TABLE es.worker (
    id uuid PRIMARY KEY,
    number integer NOT NULL GENERATED ALWAYS AS IDENTITY,
    seen_at timestamptz NOT NULL
) WITH (fillfactor = 10);
CREATE TABLE es.lease (
    partition_group integer PRIMARY KEY,
    owner uuid,
    epoch bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);

-- Keys that a subscription has set aside, and the events of theirs that wait, by reference.
CREATE TABLE es.parked_key (
    subscription text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    key text NOT NULL,
    reason text NOT NULL,
    parked_at timestamptz NOT NULL,
    retry_asked_at timestamptz,
    tried_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (subscription, topic, partition, key)
);
CREATE TABLE es.parked_event (
    subscription text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    position bigint NOT NULL,
    key text NOT NULL,
    state text NOT NULL DEFAULT 'WAITING' CHECK (state IN ('WAITING', 'DISCARDED')),
    reason text,
    body bytea,  -- with its chain hash: of our own logs, whose topics may be kept for a while only
    chain_hash bytea,
    PRIMARY KEY (subscription, topic, partition, position)
);
CREATE INDEX parked_event_by_key
    ON es.parked_event (subscription, topic, partition, key, position) WHERE state = 'WAITING';

-- Deadlines that have been armed and not yet fired. One whose command fails is left alone until
-- `retry_at`, with what went wrong.
CREATE TABLE es.timer (
    stream_id text NOT NULL,
    name text NOT NULL,
    due_at timestamptz NOT NULL,
    armed_by uuid NOT NULL,
    retry_at timestamptz,
    fault text,
    faults integer NOT NULL DEFAULT 0,
    PRIMARY KEY (stream_id, name)
);
-- One that failed has its turn when it is tried again: until then it is in front of nobody.
CREATE INDEX timer_by_turn ON es.timer (coalesce(retry_at, due_at));
CREATE INDEX timer_that_failed ON es.timer (retry_at) WHERE retry_at IS NOT NULL;

-- Releases that do not know this migration cannot work here any more: the last one said holds.
CREATE TABLE es.oldest_release (migration text PRIMARY KEY);

-- Which schema holds the live tables of each projection.
CREATE TABLE es.projection (
    name text PRIMARY KEY,
    version integer NOT NULL,
    generation integer NOT NULL
);

GRANT USAGE ON SCHEMA es TO aftersales_app;
GRANT SELECT ON es.head, es.event, es.reply, es.oldest_release TO aftersales_app;
GRANT DELETE ON es.reply TO aftersales_app;
GRANT EXECUTE ON FUNCTION es.append, es.append_one TO aftersales_app;
GRANT SELECT, INSERT, UPDATE, DELETE
    ON es.cursor, es.worker, es.lease, es.parked_key, es.parked_event, es.timer, es.projection TO aftersales_app;
