-- What is to be asked of companies outside: no facts, kept in no log. Each follows from an event.
CREATE SCHEMA ports;

-- `rank`: a task of a higher one is not replaced by one of a lower one. `tries`: how often somebody
-- has set out. `holder`: the worker that is on its way with it.
CREATE TABLE ports.errand (
    port text NOT NULL,
    key text NOT NULL,
    stream_id text NOT NULL,
    task text NOT NULL,
    rank int NOT NULL,
    cause uuid NOT NULL,
    due_at timestamptz NOT NULL,
    tries int NOT NULL,
    holder uuid,
    PRIMARY KEY (port, key)
);
CREATE INDEX errand_due ON ports.errand (port, due_at);

GRANT USAGE ON SCHEMA ports TO aftersales_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ports.errand TO aftersales_app;
