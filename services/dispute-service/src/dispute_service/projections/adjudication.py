"""Events in, rows out: what adjudicators have to decide, and remedies that are late.

A case is a dispute. It is open while a decision or the answer to an appeal is owed, and once its
remedy was told to be late; then its row says since when and by when, and who has it.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal, get_args

from msgspec import Struct
from msgspec.structs import replace
from shared_events import dispute
from shared_events.common import DecisionOverdue
from shared_events.dispute import (
    AdjudicationStarted,
    AdjudicatorAssigned,
    DisputeAppealDecided,
    DisputeAppealed,
    DisputeClosed,
    DisputeDecided,
    DisputeEscalated,
    DisputeOpened,
    DisputeReason,
    InfoLapsed,
    InfoProvided,
    InfoRequested,
    Level,
    ProposalMade,
    RemedyOrdered,
)
from shared_events.envelope import Recorded
from shared_runtime.delivery import Connection
from shared_runtime.projections import Projection
from shared_runtime.rows import Rows
from shared_runtime.worklist import CASE_COLUMNS, Case, OpenItem, queue, summed_up

type CaseKind = Literal["DECISION", "APPEAL", "EXECUTION"]

ADJUDICATION_CASES_DDL = f"""
    CREATE TABLE adjudication_case (
        {CASE_COLUMNS},
        order_id text NOT NULL,
        seller_id text NOT NULL,
        buyer_id text NOT NULL,
        reason text NOT NULL,
        currency text NOT NULL,
        held_minor bigint NOT NULL,
        owed jsonb,
        late jsonb,
        asked_until timestamptz,
        adjudicator_id text,
        adjudicator_level text,
        deciders text[] NOT NULL
    );
    CREATE INDEX adjudication_case_of_adjudicator
        ON adjudication_case (adjudicator_id, opened_at, case_id)
        WHERE opened_at IS NOT NULL AND adjudicator_id IS NOT NULL;
    {queue("adjudication_case")}
"""


class Owed(Struct, frozen=True, kw_only=True):
    """A decision, or a remedy: since when it is owed, and by when."""

    kind: CaseKind
    since: datetime
    due: datetime


class AdjudicationCase(Case, frozen=True, kw_only=True):
    """`owed`: the decision; while a question is open it is due at no time, and `asked_until` is
    when that lapses. `late`: the remedy. `deciders` decided before, about the return behind it too.
    """

    order_id: str
    seller_id: str
    buyer_id: str
    reason: DisputeReason
    currency: str
    held_minor: int
    owed: Owed | None = None
    late: Owed | None = None
    asked_until: datetime | None = None
    adjudicator_id: str | None = None
    adjudicator_level: Level | None = None
    deciders: list[str]


type CaseEvent = (
    DisputeOpened
    | ProposalMade
    | DisputeEscalated
    | AdjudicationStarted
    | AdjudicatorAssigned
    | InfoRequested
    | InfoProvided
    | InfoLapsed
    | DisputeDecided
    | DisputeAppealed
    | DisputeAppealDecided
    | DecisionOverdue
    | RemedyOrdered
    | DisputeClosed
)
ROWS = Rows(table="adjudication_case", key="case_id", row=AdjudicationCase)


async def adjudication_cases(batch: Sequence[Recorded[CaseEvent]], db: Connection) -> None:
    await ROWS.fold_recorded(batch, db, key_of=case_of, evolve=evolve)


def case_of(event: CaseEvent) -> str | None:
    """A case is named like the dispute. What is overdue may be of a matter of another kind."""
    return event.dispute_id


def evolve(
    before: AdjudicationCase | None, recorded: Recorded[CaseEvent]
) -> AdjudicationCase | None:
    event = recorded.event
    if isinstance(event, DisputeOpened):
        return opened(event)
    if before is None:
        return None
    after = evolve_known(before, event, recorded.time)
    return summed_up(after, [*open_items(after)])


def opened(event: DisputeOpened) -> AdjudicationCase:
    parties = [event.buyer_id, event.seller_id]
    return AdjudicationCase(
        case_id=event.dispute_id,
        kinds=[],
        parties=parties,
        barred=parties,
        order_id=event.order_id,
        seller_id=event.seller_id,
        buyer_id=event.buyer_id,
        reason=event.reason,
        currency=event.currency,
        held_minor=event.held_minor,
        deciders=event.barred_ids or [],
    )


def evolve_known(  # noqa: C901, PLR0911, PLR0912 - one arm for each event
    case: AdjudicationCase, event: CaseEvent, at: datetime
) -> AdjudicationCase:
    match event:
        case ProposalMade(held_minor=int(held)) | DisputeEscalated(held_minor=held):
            return replace(case, held_minor=held)
        case AdjudicationStarted(decide_by=due):
            return replace(case, owed=Owed(kind="DECISION", since=at, due=due))
        case AdjudicatorAssigned():
            return replace(case, adjudicator_id=event.adjudicator_id, adjudicator_level=event.level)
        case InfoRequested(info_due=until):
            return replace(case, asked_until=until)
        case InfoProvided(decide_by=due) | InfoLapsed(decide_by=due):
            return replace(case, owed=due_then(case, due), asked_until=None)
        case DisputeDecided(decided_by=who):
            return decided(replace(case, deciders=[*case.deciders, who]))
        case DisputeAppealed(decide_by=due) if case.owed:
            return replace(case, owed=due_then(case, due))
        case DisputeAppealed(decide_by=due):
            return replace(case, owed=Owed(kind="APPEAL", since=at, due=due))
        case DisputeAppealDecided():
            return decided(case)
        case DecisionOverdue(what="EXECUTION", due_at=due):
            return replace(case, late=Owed(kind="EXECUTION", since=at, due=due))
        case RemedyOrdered():
            return unowed(case)
        case DisputeClosed():
            return replace(unowed(case), late=None)
        case _:
            return case


def due_then(case: AdjudicationCase, due: datetime) -> Owed | None:
    return case.owed and replace(case.owed, due=due)


def decided(case: AdjudicationCase) -> AdjudicationCase:
    return replace(unowed(case), decisions=case.decisions + 1)


def unowed(case: AdjudicationCase) -> AdjudicationCase:
    """Nobody has to decide any more. With that an assignment ends: an appeal is somebody else's."""
    return replace(case, owed=None, asked_until=None, adjudicator_id=None, adjudicator_level=None)


def open_items(case: AdjudicationCase) -> Iterator[OpenItem]:
    """Who has decided before does not decide again."""
    if owed := case.owed:
        due = None if case.asked_until else owed.due
        yield OpenItem(kind=owed.kind, since=owed.since, due=due, barred=case.deciders)
    if late := case.late:
        yield OpenItem(kind=late.kind, since=late.since, due=late.due)


ADJUDICATION_CASES = Projection(
    name="adjudication_cases",
    version=1,
    topics=(dispute.TOPIC,),
    handles=get_args(CaseEvent.__value__),
    tables=("adjudication_case",),
    ddl=ADJUDICATION_CASES_DDL,
    apply=adjudication_cases,
)
