-- Files that people have sent: what is known of each. Its bytes are in object storage, encrypted.
CREATE SCHEMA media;

CREATE TABLE media.file (
    media_id text PRIMARY KEY,
    owner text NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('REVIEW', 'EVIDENCE')),
    state text NOT NULL DEFAULT 'UPLOADED' CHECK (state IN ('UPLOADED', 'CLEAN', 'REJECTED')),
    reason text,
    content_type text NOT NULL,
    bytes integer NOT NULL,
    sha256 text NOT NULL,
    width integer,
    height integer,
    sealed_name bytea,
    object text NOT NULL UNIQUE,
    fingerprint bytea NOT NULL,  -- of the request that it came with
    answer bytea,                -- what that request was told; none while it is under way
    uploaded_at timestamptz NOT NULL,
    decided_at timestamptz,
    referenced_at timestamptz,   -- since then something says that it needs the file
    dropped_at timestamptz       -- since then nobody sees it, and its bytes are to be deleted
);
CREATE INDEX file_by_owner ON media.file (owner);
CREATE INDEX file_waiting ON media.file (uploaded_at) WHERE state = 'UPLOADED';
CREATE INDEX file_unreferenced ON media.file (uploaded_at) WHERE referenced_at IS NULL;
CREATE INDEX file_dropped ON media.file (dropped_at) WHERE dropped_at IS NOT NULL;

GRANT USAGE ON SCHEMA media TO aftersales_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON media.file TO aftersales_app;
