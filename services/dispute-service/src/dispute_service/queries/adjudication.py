"""The adjudicators' work list: which cases are wanted in, what their reader may know of them out.

Whom a case was given to is recorded in the dispute, so there is nothing to take here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from shared_casework.case_lists import CaseReader
from shared_events.dispute import DisputeReason, Level
from shared_runtime.fields import Money
from shared_runtime.pages import PageStart
from shared_runtime.worklist import Counts, Wanted, WorkList

from dispute_service.projections import ADJUDICATION_CASES
from dispute_service.projections.adjudication import AdjudicationCase, CaseKind

KINDS: Sequence[CaseKind] = ("DECISION", "APPEAL", "EXECUTION")
CASES = WorkList(
    name="adjudication",
    projection=ADJUDICATION_CASES,
    table="adjudication_case",
    row=AdjudicationCase,
    kinds=KINDS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjudicationCaseView:
    """A dispute in which something is owed, named like the dispute.

    `due_at` is null while a party is asked something: then `asked_until` says until when.
    `adjudicator_id`: who has it; null while somebody is looked for, and of remedies.
    """

    case_id: str
    order_id: str
    seller_id: str
    buyer_id: str
    reason: DisputeReason
    held: Money
    kinds: list[str]
    opened_at: datetime
    due_at: datetime | None
    overdue: bool
    asked_until: datetime | None
    adjudicator_id: str | None
    adjudicator_level: Level | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjudicationCounts:
    """Of all open cases, some seconds ago at most."""

    cases: int
    decisions: int
    appeals: int
    executions: int
    overdue: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjudicationCasePage:
    items: list[AdjudicationCaseView]
    next_cursor: str | None
    counts: AdjudicationCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyView:
    """Until when cases are drawn for somebody, and as whom."""

    level: Level
    until: datetime


def wanted_cases(reader: CaseReader, *, mine: bool, kind: CaseKind | None, overdue: bool) -> Wanted:
    only = reader.only(CASES.table)
    if mine:
        only["adjudicator_id = {}"] = reader.id
    return Wanted(kind=kind, overdue=overdue, only=only)


async def case_page(
    pool: asyncpg.Pool,
    start: PageStart,
    wanted: Wanted,
    *,
    reader: CaseReader,
    counts: Counts,
    now: datetime,
) -> AdjudicationCasePage:
    cases, more = await CASES.page(pool, start, wanted, hidden_from=reader.accounts, now=now)
    return AdjudicationCasePage(
        items=[case_view(case, now) for case in cases],
        next_cursor=more,
        counts=AdjudicationCounts(
            cases=counts.cases,
            decisions=counts.of_kind["DECISION"],
            appeals=counts.of_kind["APPEAL"],
            executions=counts.of_kind["EXECUTION"],
            overdue=counts.overdue,
        ),
    )


def case_view(case: AdjudicationCase, now: datetime) -> AdjudicationCaseView:
    assert case.opened_at is not None
    return AdjudicationCaseView(
        case_id=case.case_id,
        order_id=case.order_id,
        seller_id=case.seller_id,
        buyer_id=case.buyer_id,
        reason=case.reason,
        held=Money(amount=case.held_minor, currency=case.currency),
        kinds=case.kinds,
        opened_at=case.opened_at,
        due_at=case.due_at,
        overdue=case.due_at is not None and case.due_at <= now,
        asked_until=case.asked_until,
        adjudicator_id=case.adjudicator_id,
        adjudicator_level=case.adjudicator_level,
    )
