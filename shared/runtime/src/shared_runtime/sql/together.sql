-- Appends as es.append does, with the answers of several requests: each of the events up to the one
-- that it names.
CREATE FUNCTION es.append_together(
    p_now timestamptz, p_topic text[], p_partition integer[], p_event_id uuid[], p_stream_id text[],
    p_stream_version integer[], p_type text[], p_body bytea[],
    p_time_offset integer, p_time_format text,
    p_request_id uuid[], p_fingerprint bytea[], p_status integer[], p_etag text[], p_reply bytea[],
    p_of uuid[], p_skew_max interval DEFAULT NULL,
    OUT positions bigint[], OUT recorded timestamptz[]
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    SELECT appended.positions, appended.recorded INTO positions, recorded
    FROM es.append(p_now, p_topic, p_partition, p_event_id, p_stream_id, p_stream_version, p_type,
                   p_body, p_time_offset, p_time_format, p_skew_max => p_skew_max) AS appended;
    INSERT INTO es.reply (request_id, fingerprint, status, etag, body, token, created_at)
    SELECT told.request_id, told.fingerprint, told.status, told.etag, told.body,
           p_topic[place.at] || '/' || p_partition[place.at] || ':' || positions[place.at], p_now
    FROM unnest(p_request_id, p_fingerprint, p_status, p_etag, p_reply, p_of)
         AS told (request_id, fingerprint, status, etag, body, event_id),
         LATERAL (SELECT array_position(p_event_id, told.event_id) AS at) AS place;
END $$;
REVOKE ALL ON FUNCTION es.append_together FROM PUBLIC;
GRANT EXECUTE ON FUNCTION es.append_together TO aftersales_app;
