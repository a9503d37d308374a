"""The queue of moderation: which cases are wanted in, what their reader may know of them out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import asyncpg
from shared_events.review import Ground, Side
from shared_runtime.decider import Role
from shared_runtime.leases import Assignee, Lease, Leases
from shared_runtime.pages import PageStart
from shared_runtime.worklist import Counts, Wanted, WorkList

from review_service.projections import MODERATION_CASES
from review_service.projections.moderation import (
    CaseKind,
    ModerationCase,
    OpenAppeal,
    OpenFlag,
    OpenHold,
)
from review_service.refs import RefOf

KINDS: Sequence[CaseKind] = ("FLAG", "HOLD", "APPEAL")
CASES = WorkList(
    name="moderation",
    projection=MODERATION_CASES,
    table="moderation_case",
    row=ModerationCase,
    kinds=KINDS,
)
DECIDES: Mapping[Role, Sequence[CaseKind]] = {"MODERATOR": KINDS, "SENIOR": ("APPEAL",)}
"""What is decided by whom. Others read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseView:
    """Who has the case, and until when if it is not decided before."""

    moderator_id: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ModerationCaseView:
    """What is open about one side's review, named like the review. The queue knows no stars.

    `text` is what whoever flags or appeals has written: for those who may decide on the case, and
    null to others.
    """

    case_id: str
    order_id: str
    side: Side
    seller_id: str
    review_id: str
    opened_at: datetime
    due_at: datetime
    overdue: bool
    flags: list[OpenFlag]
    hold: OpenHold | None
    appeals: list[OpenAppeal]
    lease: LeaseView | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseCounts:
    """Of all open cases, some seconds ago at most. One case may have several open items."""

    cases: int
    flags: int
    holds: int
    appeals: int
    overdue: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModerationCasePage:
    items: list[ModerationCaseView]
    next_cursor: str | None
    counts: CaseCounts


def wanted_cases(
    kind: CaseKind | None = None,
    reason: Ground | None = None,
    seller_id: str | None = None,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    overdue: bool = False,
) -> Wanted:
    only = {
        "{} = ANY(reasons)": reason,
        "seller_id = {}": seller_id,
        "opened_at >= {}": since,
        "opened_at < {}": until,
    }
    known = {condition: value for condition, value in only.items() if value is not None}
    return Wanted(kind=kind, overdue=overdue, only=known)


async def case_page(
    pool: asyncpg.Pool,
    start: PageStart,
    wanted: Wanted,
    *,
    reader: Assignee,
    counts: Counts,
    now: datetime,
    ref_of: RefOf,
) -> ModerationCasePage:
    """Of orders that the reader is a party of there is no case: before the reveal, one tells that
    there is a review.
    """
    cases, more = await CASES.page(pool, start, wanted, hidden_from=reader.accounts, now=now)
    leases = await Leases(CASES, pool).of(cases, now)
    return ModerationCasePage(
        items=[case_view(case, leases.get(case.case_id), reader, now, ref_of) for case in cases],
        next_cursor=more,
        counts=CaseCounts(
            cases=counts.cases,
            flags=counts.of_kind["FLAG"],
            holds=counts.of_kind["HOLD"],
            appeals=counts.of_kind["APPEAL"],
            overdue=counts.overdue,
        ),
    )


def case_view(
    case: ModerationCase, lease: Lease | None, reader: Assignee, now: datetime, ref_of: RefOf
) -> ModerationCaseView:
    assert case.opened_at is not None
    assert case.due_at is not None
    flags, appeals = case.flags, case.appeals
    if not reader.may_decide(case):
        flags = [replace(flag, text=None) for flag in flags]
        appeals = [replace(appeal, text=None) for appeal in appeals]
    return ModerationCaseView(
        case_id=ref_of(case.order_id, case.side),
        order_id=case.order_id,
        side=case.side,
        seller_id=case.seller_id,
        review_id=case.review_id,
        opened_at=case.opened_at,
        due_at=case.due_at,
        overdue=case.due_at <= now,
        flags=flags,
        hold=case.hold,
        appeals=appeals,
        lease=LeaseView(moderator_id=lease.holder, until=lease.until) if lease else None,
    )
