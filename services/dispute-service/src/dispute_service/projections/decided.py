"""Events in, rows out: what was decided by people, for figures and for decisions alike.

A row has no words and no parties. It begins with the dispute, and is one of the decided from its
first decision on; what an appeal made of that is told beside it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import get_args

from msgspec import Struct
from msgspec.structs import replace
from shared_events import dispute
from shared_events.dispute import (
    AdjudicationStarted,
    AppealResult,
    DisputeAppealDecided,
    DisputeAppealed,
    DisputeDecided,
    DisputeOpened,
    DisputeReason,
    InfoLapsed,
    InfoProvided,
    Liable,
    Outcome,
)
from shared_events.envelope import Recorded
from shared_runtime.delivery import Connection
from shared_runtime.projections import Projection
from shared_runtime.rows import Rows

DECIDED_DISPUTES_DDL = """
    CREATE TABLE decided_dispute (
        dispute_id text PRIMARY KEY,
        order_id text NOT NULL,
        reason text NOT NULL,
        line_ids text[] NOT NULL,
        ceiling_minor bigint NOT NULL,
        decide_by timestamptz,
        decided_at timestamptz,
        decided_by text,
        outcome text,
        amount_minor bigint,
        liable text,
        late boolean NOT NULL,
        appealed boolean NOT NULL,
        appeal_result text
    );
    CREATE INDEX decided_dispute_of_reason ON decided_dispute (reason, decided_at)
        WHERE decided_at IS NOT NULL;
    CREATE INDEX decided_dispute_by_time ON decided_dispute (decided_at)
        WHERE decided_at IS NOT NULL;
"""


class DecidedDispute(Struct, frozen=True, kw_only=True):
    """`ceiling_minor`: what could be given for the lines when it was opened. `outcome`,
    `amount_minor`, `liable`, `decided_by` are those of the first decision; `late`: it was taken
    after its time.
    """

    dispute_id: str
    order_id: str
    reason: DisputeReason
    line_ids: list[str]
    ceiling_minor: int
    decide_by: datetime | None = None
    decided_at: datetime | None = None
    decided_by: str | None = None
    outcome: Outcome | None = None
    amount_minor: int | None = None
    liable: Liable | None = None
    late: bool = False
    appealed: bool = False
    appeal_result: AppealResult | None = None


type DecidedEvent = (
    DisputeOpened
    | AdjudicationStarted
    | InfoProvided
    | InfoLapsed
    | DisputeDecided
    | DisputeAppealed
    | DisputeAppealDecided
)
ROWS = Rows(table="decided_dispute", key="dispute_id", row=DecidedDispute)


async def decided_disputes(batch: Sequence[Recorded[DecidedEvent]], db: Connection) -> None:
    await ROWS.fold_recorded(batch, db, key_of=lambda event: event.dispute_id, evolve=evolve)


def evolve(before: DecidedDispute | None, recorded: Recorded[DecidedEvent]) -> DecidedDispute:
    event = recorded.event
    if isinstance(event, DisputeOpened):
        return DecidedDispute(
            dispute_id=event.dispute_id,
            order_id=event.order_id,
            reason=event.reason,
            line_ids=[line.line_id for line in event.lines],
            ceiling_minor=event.ceiling_minor,
        )
    assert before is not None  # a stream begins with its opening, and comes in order
    match event:
        case AdjudicationStarted(decide_by=due):
            return replace(before, decide_by=due)
        case InfoProvided(decide_by=due) | InfoLapsed(decide_by=due):
            return before if before.decided_at else replace(before, decide_by=due)
        case DisputeDecided():
            return decided(before, event, recorded.time)
        case DisputeAppealed():
            return replace(before, appealed=True)
        case DisputeAppealDecided(result=result):
            return replace(before, appeal_result=result)


def decided(row: DecidedDispute, event: DisputeDecided, at: datetime) -> DecidedDispute:
    return replace(
        row,
        decided_at=at,
        decided_by=event.decided_by,
        outcome=event.outcome,
        amount_minor=event.amount_minor,
        liable=event.liable,
        late=row.decide_by is not None and at >= row.decide_by,
    )


DECIDED_DISPUTES = Projection(
    name="decided_disputes",
    version=1,
    topics=(dispute.TOPIC,),
    handles=get_args(DecidedEvent.__value__),
    tables=("decided_dispute",),
    ddl=DECIDED_DISPUTES_DDL,
    apply=decided_disputes,
)
