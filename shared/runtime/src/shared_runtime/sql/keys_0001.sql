-- The keys of people: one each, wrapped by a key-encryption key that is in no database.
CREATE TABLE keys.person_key (
    key_id text PRIMARY KEY,
    person text NOT NULL UNIQUE,
    kek_id text,
    wrapped bytea,  -- absent: destroyed, and the row keeps a new one from being made
    created_at timestamptz NOT NULL DEFAULT now(),
    destroyed_at timestamptz,
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL) AND (wrapped IS NULL) = (kek_id IS NULL))
);
CREATE INDEX person_key_by_kek ON keys.person_key (kek_id, key_id) WHERE wrapped IS NOT NULL;

CREATE FUNCTION keys.refuse_revival() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the key % was destroyed', OLD.key_id USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER destroyed_for_ever BEFORE UPDATE OR DELETE ON keys.person_key
    FOR EACH ROW WHEN (OLD.wrapped IS NULL) EXECUTE FUNCTION keys.refuse_revival();

GRANT USAGE ON SCHEMA keys TO aftersales_app;
GRANT SELECT ON keys.migration TO aftersales_app;
GRANT SELECT, INSERT ON keys.person_key TO aftersales_app;
GRANT UPDATE (kek_id, wrapped, destroyed_at) ON keys.person_key TO aftersales_app;
