"""Events in, rows out: the statements of reasons of this service, by their instants."""

from collections.abc import Sequence

import msgspec
from shared_events import reputation
from shared_events.common import StatementOfReasonsIssued
from shared_events.envelope import Recorded
from shared_runtime.delivery import Connection
from shared_runtime.projections import Projection
from shared_runtime.rows import columns

STATEMENTS_DDL = """
    CREATE TABLE statement (
        sor_id text PRIMARY KEY,
        recipient_role text NOT NULL,
        recipient_id text NOT NULL,
        issued_at timestamptz NOT NULL,
        told jsonb NOT NULL
    );
    CREATE INDEX statement_by_time ON statement (issued_at, sor_id);
"""
ADD = """
    INSERT INTO statement (sor_id, recipient_role, recipient_id, issued_at, told)
    SELECT sor_id, recipient_role, recipient_id, issued_at, told::jsonb
    FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[])
        AS issued (sor_id, recipient_role, recipient_id, issued_at, told)
    ON CONFLICT DO NOTHING
"""


async def statements(batch: Sequence[Recorded[StatementOfReasonsIssued]], db: Connection) -> None:
    rows = [
        (
            each.event.sor_id,
            each.event.recipient_role,
            each.event.recipient_id,
            each.time,
            msgspec.json.encode(each.event).decode(),
        )
        for each in batch
    ]
    await db.execute(ADD, *columns(rows, 5))


STATEMENTS = Projection(
    name="statements",
    version=1,
    topics=(reputation.TOPIC,),
    handles=(StatementOfReasonsIssued,),
    tables=("statement",),
    ddl=STATEMENTS_DDL,
    apply=statements,
)
