-- Since when an event is set aside: what was given up is forgotten one day.
ALTER TABLE es.parked_event ADD COLUMN set_aside_at timestamptz NOT NULL DEFAULT clock_timestamp();
CREATE INDEX parked_event_discarded
    ON es.parked_event (set_aside_at) WHERE state = 'DISCARDED';
