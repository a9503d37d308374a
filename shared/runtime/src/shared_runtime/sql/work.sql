-- Who works on what, for a while: no facts, kept in no log and rebuilt from none.
CREATE SCHEMA work;

-- `decisions`: how many the case had when it was leased; one more, and the lease is over.
CREATE TABLE work.lease (
    list text NOT NULL,
    case_id text NOT NULL,
    holder text NOT NULL,
    decisions bigint NOT NULL,
    until timestamptz NOT NULL,
    PRIMARY KEY (list, case_id)
);
CREATE INDEX lease_by_holder ON work.lease (list, holder);

GRANT USAGE ON SCHEMA work TO aftersales_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON work.lease TO aftersales_app;
