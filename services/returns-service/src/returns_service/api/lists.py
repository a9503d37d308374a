"""The refunds of many orders: page by page, as a file, by the day, and those that need a person."""

from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from typing import Annotated, override

from fastapi import Depends, Query, Response
from fastapi.responses import StreamingResponse
from shared_casework.callers import STAFF, AStaffMember
from shared_casework.case_lists import case_reader
from shared_runtime.auth import Caller, require
from shared_runtime.decider import FieldError, InvalidValue, RoleNotAllowed
from shared_runtime.fields import Instant
from shared_runtime.pages import PageAsked
from shared_runtime.places import Places
from shared_runtime.problems import NotYetVisible, refusals
from shared_runtime.reading import ConsistencyToken, answer, position_of, wait_for
from shared_runtime.routers import Router
from shared_runtime.worklist import Counter, Wanted
from starlette.types import Receive, Scope, Send

from returns_service.api import query_answers
from returns_service.api.ledgers import Ledgers
from returns_service.domain.ledger_state import RefundStatus
from returns_service.projections import LISTED_REFUNDS
from returns_service.projections.refunds import RefundCaseKind
from returns_service.queries.cases import CASES, case_page
from returns_service.queries.export import Format, exported
from returns_service.queries.figures import figures_of
from returns_service.queries.refunds import RefundReader, WantedRefunds, refund_page

PERIOD_DEFAULT, PERIOD_MAX = timedelta(days=31), timedelta(days=366)
EXPORTS_MAX = 16
EXPORTS_EACH = 2
"""Files that are on their way at once in a process, and of one account's: of each there is a page
of a thousand in memory while its reader takes his time.
"""
MEDIA_TYPES = {"csv": "text/csv", "ndjson": "application/x-ndjson"}

type WhoCounts = Annotated[Caller, Depends(require(*STAFF, "SELLER"))]
type AskedState = Annotated[
    RefundStatus | None,
    Query(
        description="Only those that stand there. FAILED is tried again; FAILED_FINAL and BOUNCED "
        "need a person."
    ),
]
type AskedOverdue = Annotated[
    bool, Query(description="Only those that the buyer should have by now, most overdue first.")
]
type Kind = Annotated[RefundCaseKind | None, Query(description="Only those that need this.")]
type IsOverdue = Annotated[bool, Query(description="Only those that the buyer should have by now.")]
type Since = Annotated[
    Instant | None, Query(description="From then on; else 31 days before `until`.")
]
type Until = Annotated[Instant | None, Query(description="Before then; else before now.")]
type AskedFormat = Annotated[
    Format, Query(alias="format", description="CSV (RFC 4180), or JSON line by line.")
]


class Export(StreamingResponse):
    """A file that has a place among those that are on their way until it is read, or let go."""

    def __init__(
        self, content: AsyncGenerator[bytes], form: Format, places: Places, account: str
    ) -> None:
        name = f'attachment; filename="refunds.{form}"'
        headers = {"Content-Disposition": name}
        super().__init__(content, media_type=MEDIA_TYPES[form], headers=headers)
        self._places = places
        self._account = account

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._places.one(self._account):
            await super().__call__(scope, receive, send)


def refund_reader(caller: Caller) -> RefundReader:
    """Staff read of all sellers, but nothing of orders that they are a party of."""
    if caller.roles.isdisjoint(STAFF):
        return RefundReader(seller_id=caller.seller_id)
    return RefundReader(hidden_from=case_reader(caller).accounts)


def period(
    since: datetime | None, until: datetime | None, now: datetime
) -> tuple[datetime, datetime]:
    """Raises `InvalidValue`."""
    end = until or now
    begin = since or end - PERIOD_DEFAULT
    if not begin < end <= begin + PERIOD_MAX:
        bound = f"before until, by {PERIOD_MAX.days} days at most"
        raise InvalidValue(errors=[FieldError(field="since", bound=bound)])
    return begin, end


def lists_api(ledgers: Ledgers) -> Router:
    router = Router("/v1/refunds", tags=["finance"])
    pool, now = ledgers.pool, ledgers.now
    projected = position_of(pool, LISTED_REFUNDS)
    counter = Counter(CASES, pool, now)
    exports = Places(EXPORTS_MAX, EXPORTS_EACH, patience_seconds=0)

    @router.get(
        "",
        summary="Refunds of many orders",
        description="For AGENT, SENIOR and AUDITOR those of all sellers, for SELLER his own; the "
        "newest first. A Consistency-Token of `returns.events` waits for what it stands for.",
        responses=refusals(RoleNotAllowed, NotYetVisible) | query_answers.REFUNDS,
    )
    async def list_refunds(
        caller: WhoCounts,
        asked: PageAsked,
        *,
        state: AskedState = None,
        overdue: AskedOverdue = False,
    ) -> Response:
        reader = refund_reader(caller)
        start = asked.start(ledgers.cursors, f"refunds {reader} {state} {overdue}")
        await wait_for(asked.token, projected)
        at = now()
        wanted = WantedRefunds(reader=reader, state=state, overdue_at=at if overdue else None)
        return answer(await refund_page(pool, wanted, start, at))

    @router.get(
        "/cases",
        summary="Refunds that need a person",
        description="For AGENT, SENIOR and AUDITOR, oldest first. FAILED for good, BOUNCED, or "
        "LATE: without an answer for too long. Of an order that you, your seller or somebody of "
        "your organisation is a party of there is none. `counts` are of all open cases, whatever "
        "the filters, and may be ten seconds old. A Consistency-Token of `returns.events` waits "
        "for what it stands for.",
        responses=refusals(RoleNotAllowed, NotYetVisible) | query_answers.CASES,
    )
    async def list_refund_cases(
        caller: AStaffMember, asked: PageAsked, *, kind: Kind = None, overdue: IsOverdue = False
    ) -> Response:
        reader = case_reader(caller)
        wanted = Wanted(kind=kind, overdue=overdue, only=reader.only(CASES.table))
        start = asked.start(ledgers.cursors, f"refund cases {reader} {kind} {overdue}")
        await wait_for(asked.token, projected)
        counts = await counter.counts()
        page = await case_page(pool, start, wanted, reader=reader, counts=counts, now=now())
        return answer(page)

    @router.get(
        "/export",
        summary="The refunds of a period, as a file",
        description="For AGENT, SENIOR and AUDITOR those of all sellers, for SELLER his own: "
        "those asked for in that time, oldest first, each as it stands now. 366 days at most. "
        "Amounts are whole minor units. A Consistency-Token of `returns.events` waits for what "
        "it stands for.",
        response_class=StreamingResponse,
        responses=refusals(RoleNotAllowed, NotYetVisible) | query_answers.EXPORT,
    )
    async def export_refunds(
        caller: WhoCounts,
        token: ConsistencyToken,
        *,
        since: Since = None,
        until: Until = None,
        form: AskedFormat = "csv",
    ) -> Response:
        begin, end = period(since, until, now())
        await wait_for(token, projected)
        wanted = WantedRefunds(reader=refund_reader(caller), since=begin, until=end)
        account = wanted.reader.seller_id or caller.sub  # a seller's members have one
        return Export(exported(pool, wanted, form), form, exports, account)

    @router.get(
        "/figures",
        summary="What each day has moved",
        description="For AGENT, SENIOR and AUDITOR of all sellers, for SELLER his own: what was "
        "settled, failed for good, bounced, was given back by others or taken by them again, and "
        "was found to have been given twice, by the day (UTC) and the currency. 366 days at most. "
        "A Consistency-Token of `returns.events` waits for what it stands for.",
        responses=refusals(RoleNotAllowed, NotYetVisible) | query_answers.FIGURES,
    )
    async def get_refund_figures(
        caller: WhoCounts, token: ConsistencyToken, since: Since = None, until: Until = None
    ) -> Response:
        begin, end = period(since, until, now())
        await wait_for(token, projected)
        return answer(await figures_of(pool, refund_reader(caller), begin, end))

    return router
