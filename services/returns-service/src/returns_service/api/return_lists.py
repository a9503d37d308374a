"""Many returns: those of whoever asks, by time left; what waits for a warehouse; what needs the
desk; and how they have ended.
"""

from typing import Annotated

from fastapi import Depends, Query, Response
from shared_casework.callers import STAFF, APartyOfOrders, AskedSide, AStaffMember, asks_as
from shared_casework.case_lists import case_reader
from shared_runtime.auth import Caller, require
from shared_runtime.decider import FieldError, InvalidValue, RoleNotAllowed
from shared_runtime.fields import IdStr
from shared_runtime.pages import PageAsked
from shared_runtime.problems import NotYetVisible, refusals
from shared_runtime.reading import ConsistencyToken, answer, position_of, wait_for
from shared_runtime.routers import Router
from shared_runtime.worklist import Counter, Wanted

from returns_service.api import return_query_answers as answers
from returns_service.api.lists import Since, Until, WhoCounts, period, refund_reader
from returns_service.api.returns import Returns
from returns_service.domain.return_state import ReturnStatus
from returns_service.projections import LISTED_RETURNS
from returns_service.projections.returns import ReturnCaseKind, Waiting
from returns_service.queries.return_statistics import return_statistics
from returns_service.queries.returns import (
    CASES,
    ReturnCaseCounts,
    ReturnCasePage,
    ReturnPage,
    Sort,
    WaitingReturnPage,
    WantedReturns,
    case_view,
    listed_return_view,
    own_returns,
    waiting_returns,
    waiting_view,
)

type AskedSort = Annotated[
    Sort | None,
    Query(
        description="`due`: what is due soonest for you first, of the open ones, and for a seller "
        "of those that are over but for goods that he is to send back; else the newest. A seller "
        "is shown what is due, if he does not say."
    ),
]
type AskedOpen = Annotated[
    bool | None, Query(alias="open", description="Only those that are open, or not.")
]
type AskedStatus = Annotated[ReturnStatus | None, Query(description="Only those that stand there.")]
type AskedCase = Annotated[
    ReturnCaseKind | None, Query(alias="kind", description="Only those that need this.")
]
type IsOverdue = Annotated[bool, Query(description="Only those whose time is over.")]
type OfSeller = Annotated[
    IdStr | None, Query(description="For a warehouse: whose goods. A seller has his own.")
]
type AWarehouse = Annotated[Caller, Depends(require("SELLER", "SYSTEM"))]


def wanted_of(
    caller: Caller,
    side: AskedSide,
    sort: Sort | None,
    is_open: bool | None,
    status: ReturnStatus | None,
) -> WantedReturns:
    """Raises `RoleNotAllowed`, or `InvalidValue` where nothing of what is closed is due."""
    asking, account = asks_as(caller, side)
    closed = is_open is False or status == "CLOSED"
    if sort == "due" and closed:
        bound = "newest, where those that are closed are asked for"
        raise InvalidValue(errors=[FieldError(field="sort", bound=bound)])
    by_itself: Sort = "due" if asking == "SELLER" and not closed and is_open is None else "newest"
    return WantedReturns(
        side=asking, account=account, sort=sort or by_itself, status=status, is_open=is_open
    )


def whose(caller: Caller, seller_id: str | None) -> str:
    """Raises `InvalidValue` where a warehouse does not say."""
    if "SYSTEM" not in caller.roles:
        return caller.seller_id
    if seller_id is None:
        raise InvalidValue(errors=[FieldError(field="seller_id", bound="whose goods")])
    return seller_id


def return_lists(returns: Returns) -> Router:
    router = Router("/v1/returns", tags=["returns"])
    pool, now = returns.pool, returns.now
    projected = position_of(pool, LISTED_RETURNS)
    counter = Counter(CASES, pool, now)

    @router.get(
        "",
        summary="Your returns, and what is due in them",
        description="For BUYER and SELLER. A seller is shown those first of which his time runs "
        "out soonest, each with what happens by itself when it does. A Consistency-Token of "
        "`returns.events` waits for what it stands for.",
        responses=refusals(RoleNotAllowed, NotYetVisible) | answers.RETURNS,
    )
    async def list_returns(
        caller: APartyOfOrders,
        asked: PageAsked,
        *,
        side: AskedSide = None,
        sort: AskedSort = None,
        status: AskedStatus = None,
        is_open: AskedOpen = None,
    ) -> Response:
        wanted = wanted_of(caller, side, sort, is_open, status)
        start = asked.start(returns.cursors, f"returns {wanted}")
        await wait_for(asked.token, projected)
        rows, more = await own_returns(pool, wanted, start)
        items = [listed_return_view(row, wanted.side) for row in rows]
        return answer(ReturnPage(items=items, next_cursor=more))

    @router.get(
        "/waiting",
        summary="Goods that are to be received, or looked at",
        description="For SELLER, and for the warehouse that says whose goods. The most urgent "
        "first, with the parcels by which they come.",
        responses=refusals(RoleNotAllowed, NotYetVisible) | answers.WAITING,
    )
    async def list_waiting_returns(
        caller: AWarehouse,
        asked: PageAsked,
        *,
        what: Annotated[Waiting, Query(description="What is to be done.")] = "INSPECT",
        seller_id: OfSeller = None,
    ) -> Response:
        seller = whose(caller, seller_id)
        start = asked.start(returns.cursors, f"waiting returns {seller} {what}")
        await wait_for(asked.token, projected)
        rows, more = await waiting_returns(pool, seller, what, start)
        items = [waiting_view(row) for row in rows]
        return answer(WaitingReturnPage(items=items, next_cursor=more))

    @router.get(
        "/cases",
        summary="Returns that need the desk",
        description="For AGENT, SENIOR and AUDITOR, oldest first. REVIEW: the desk decides; "
        "ADVANCE: it confirms that nothing stands behind one; LABEL, KEPT: somebody is late. Of an "
        "order that you, your seller or somebody of your organisation is a party of there is none. "
        "`counts` are of all open cases, and may be ten seconds old.",
        responses=refusals(RoleNotAllowed, NotYetVisible) | answers.CASES,
    )
    async def list_return_cases(
        caller: AStaffMember,
        asked: PageAsked,
        *,
        kind: AskedCase = None,
        overdue: IsOverdue = False,
    ) -> Response:
        reader = case_reader(caller)
        wanted = Wanted(kind=kind, overdue=overdue, only=reader.only(CASES.table))
        start = asked.start(returns.cursors, f"return cases {reader} {kind} {overdue}")
        await wait_for(asked.token, projected)
        counts = await counter.counts()
        at = now()
        rows, more = await CASES.page(pool, start, wanted, hidden_from=reader.accounts, now=at)
        return answer(
            ReturnCasePage(
                items=[case_view(row, at) for row in rows],
                next_cursor=more,
                counts=ReturnCaseCounts(
                    cases=counts.cases,
                    review=counts.of_kind["REVIEW"],
                    advance=counts.of_kind["ADVANCE"],
                    label=counts.of_kind["LABEL"],
                    kept=counts.of_kind["KEPT"],
                    overdue=counts.overdue,
                ),
            )
        )

    @router.get(
        "/statistics",
        summary="How returns have ended",
        description="For AGENT, SENIOR and AUDITOR of all sellers, for SELLER his own: those that "
        "were closed in that time, by reason, end and currency. 366 days at most.",
        responses=refusals(RoleNotAllowed, NotYetVisible) | answers.STATISTICS,
    )
    async def get_return_statistics(
        caller: WhoCounts, token: ConsistencyToken, since: Since = None, until: Until = None
    ) -> Response:
        begin, end = period(since, until, now())
        await wait_for(token, projected)
        seller_id = None if not caller.roles.isdisjoint(STAFF) else refund_reader(caller).seller_id
        return answer(await return_statistics(pool, seller_id, begin, end))

    return router
