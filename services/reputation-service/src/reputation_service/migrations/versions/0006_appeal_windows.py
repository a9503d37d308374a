"""Until when a confirmed violation may be appealed: so long an erasure waits for it."""

from shared_runtime.migrate import run_sql

revision = "0006_appeal_windows"
down_revision = "0005_levels_and_trials"

APPEAL_WINDOWS = "ALTER TABLE facts.violation_case ADD COLUMN appeal_until timestamptz"
# Of what was confirmed before: as its event says, unless it was appealed.
BACKFILL = """
    UPDATE facts.violation_case AS of_case
    SET appeal_until
        = (convert_from(body, 'UTF8')::jsonb #>> '{data,appeal_until}')::timestamptz
    FROM es.event AS confirmed
    WHERE status = 'CONFIRMED' AND stream_id = 'case-' || case_id
        AND type = 'ViolationConfirmed.v1'
        AND NOT EXISTS (
            SELECT FROM es.event AS appealed
            WHERE appealed.stream_id = confirmed.stream_id
                AND appealed.type = 'ViolationAppealed.v1'
        )
"""


def upgrade() -> None:
    run_sql(APPEAL_WINDOWS)
    run_sql(BACKFILL)
