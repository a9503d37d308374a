"""Events in, rows out: the cases that analysts and seniors have to decide, and those of a person.

A case is open while it is to be confirmed or dismissed, and while an appeal of it is to be decided;
then its row says since when and by when, and who may not.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal, get_args

from msgspec import Struct
from msgspec.structs import replace
from shared_events import reputation
from shared_events.envelope import Recorded
from shared_events.fields import Party
from shared_events.reputation import (
    CaseDismissed,
    CaseOpened,
    StatementSubmitted,
    ViolationAppealDecided,
    ViolationAppealed,
    ViolationConfirmed,
    ViolationRule,
)
from shared_runtime.delivery import Connection
from shared_runtime.projections import Projection
from shared_runtime.rows import Rows
from shared_runtime.worklist import CASE_COLUMNS, Case, OpenItem, queue, summed_up

from reputation_service.domain.case_state import CaseStatus
from reputation_service.domain.streams import holder_id_of

type CaseKind = Literal["DECISION", "APPEAL"]

VIOLATION_CASES_DDL = f"""
    CREATE TABLE violation_case (
        {CASE_COLUMNS},
        account_kind text NOT NULL,
        account_id text NOT NULL,
        rule text NOT NULL,
        safety boolean NOT NULL,
        status text NOT NULL,
        points integer NOT NULL,
        spoken boolean NOT NULL,
        began_at timestamptz NOT NULL,
        decidable_at timestamptz NOT NULL,
        owed jsonb,
        deciders text[] NOT NULL
    );
    CREATE INDEX violation_case_of_account
        ON violation_case (account_kind, account_id, began_at, case_id);
    {queue("violation_case")}
"""


class Owed(Struct, frozen=True, kw_only=True):
    """What is to be decided: since when, and by when."""

    kind: CaseKind
    since: datetime
    due: datetime


class ViolationCase(Case, frozen=True, kw_only=True):
    """`decidable_at`: not before; at once when the accused has `spoken`. `deciders` decided it."""

    account_kind: Party
    account_id: str
    rule: ViolationRule
    safety: bool
    status: CaseStatus = "STATEMENT"
    points: int = 0
    spoken: bool = False
    began_at: datetime
    decidable_at: datetime
    owed: Owed | None = None
    deciders: list[str]


type CaseEvent = (
    CaseOpened
    | StatementSubmitted
    | ViolationConfirmed
    | CaseDismissed
    | ViolationAppealed
    | ViolationAppealDecided
)
ROWS = Rows(table="violation_case", key="case_id", row=ViolationCase)


async def violation_cases(batch: Sequence[Recorded[CaseEvent]], db: Connection) -> None:
    await ROWS.fold_recorded(batch, db, key_of=lambda event: event.case_id, evolve=evolve)


def evolve(before: ViolationCase | None, recorded: Recorded[CaseEvent]) -> ViolationCase | None:
    event = recorded.event
    if isinstance(event, CaseOpened):
        return summed_up(*with_items(opened(event, recorded.time)))
    if before is None:
        return None
    return summed_up(*with_items(changed(before, event, recorded.time)))


def opened(event: CaseOpened, at: datetime) -> ViolationCase:
    account_id = holder_id_of(event)
    return ViolationCase(
        case_id=event.case_id,
        kinds=[],
        parties=[account_id],
        barred=[account_id],
        account_kind=event.account_kind,
        account_id=account_id,
        rule=event.rule,
        safety=event.safety,
        began_at=at,
        decidable_at=event.statement_until,
        owed=Owed(kind="DECISION", since=at, due=event.decide_by),
        deciders=[],
    )


def changed(case: ViolationCase, event: CaseEvent, at: datetime) -> ViolationCase:
    match event:
        case StatementSubmitted():
            return replace(case, spoken=True, decidable_at=at)
        case ViolationConfirmed(points=points, decided_by=who):
            return replace(decided(case, "CONFIRMED"), points=points, deciders=[who])
        case CaseDismissed():
            return decided(case, "DISMISSED")
        case ViolationAppealed(decide_by=due):
            return replace(case, status="APPEALED", owed=Owed(kind="APPEAL", since=at, due=due))
        case ViolationAppealDecided(outcome=outcome, points=points):
            status: CaseStatus = "REVERSED" if outcome == "REVERSED" else "CONFIRMED"
            return replace(decided(case, status), points=points)
        case CaseOpened():
            return case


def decided(case: ViolationCase, status: CaseStatus) -> ViolationCase:
    return replace(case, status=status, owed=None, decisions=case.decisions + 1)


def with_items(case: ViolationCase) -> tuple[ViolationCase, list[OpenItem]]:
    return case, [*open_items(case)]


def open_items(case: ViolationCase) -> Iterator[OpenItem]:
    """Who has decided does not decide the appeal."""
    if owed := case.owed:
        yield OpenItem(kind=owed.kind, since=owed.since, due=owed.due, barred=case.deciders)


VIOLATION_CASES = Projection(
    name="violation_cases",
    version=1,
    topics=(reputation.TOPIC,),
    handles=get_args(CaseEvent.__value__),
    tables=("violation_case",),
    ddl=VIOLATION_CASES_DDL,
    apply=violation_cases,
)
