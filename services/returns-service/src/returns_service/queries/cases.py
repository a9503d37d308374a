"""The desk's work list: refunds that need a person in, what their reader may know of them out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from shared_casework.case_lists import CaseReader
from shared_runtime.pages import PageStart
from shared_runtime.worklist import Counts, Wanted, WorkList

from returns_service.projections import LISTED_REFUNDS
from returns_service.projections.refunds import ListedRefund, RefundCaseKind
from returns_service.queries.refunds import ListedRefundView, listed_refund_view

KINDS: Sequence[RefundCaseKind] = ("FAILED", "BOUNCED", "LATE")
CASES = WorkList(
    name="refunds",
    projection=LISTED_REFUNDS,
    table="listed_refund",
    row=ListedRefund,
    kinds=KINDS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundCaseView:
    """A refund that needs a person: FAILED or BOUNCED is to be given once more, of one that is LATE
    the provider's desk is asked. `due_at`: by when the buyer is to have it.
    """

    kinds: list[str]
    opened_at: datetime
    due_at: datetime
    refund: ListedRefundView


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundCaseCounts:
    """Of all open cases, some seconds ago at most."""

    cases: int
    failed: int
    bounced: int
    late: int
    overdue: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundCasePage:
    items: list[RefundCaseView]
    next_cursor: str | None
    counts: RefundCaseCounts


async def case_page(
    pool: asyncpg.Pool,
    start: PageStart,
    wanted: Wanted,
    *,
    reader: CaseReader,
    counts: Counts,
    now: datetime,
) -> RefundCasePage:
    cases, more = await CASES.page(pool, start, wanted, hidden_from=reader.accounts, now=now)
    return RefundCasePage(
        items=[case_view(case, now) for case in cases],
        next_cursor=more,
        counts=RefundCaseCounts(
            cases=counts.cases,
            failed=counts.of_kind["FAILED"],
            bounced=counts.of_kind["BOUNCED"],
            late=counts.of_kind["LATE"],
            overdue=counts.overdue,
        ),
    )


def case_view(case: ListedRefund, now: datetime) -> RefundCaseView:
    assert case.opened_at is not None
    return RefundCaseView(
        kinds=case.kinds,
        opened_at=case.opened_at,
        due_at=case.overdue_at,
        refund=listed_refund_view(case, now),
    )
