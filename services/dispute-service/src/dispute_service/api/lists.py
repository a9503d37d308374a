"""The disputes and the questions of whoever asks, page by page."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Query, Response
from shared_casework.callers import APartyOfOrders, AskedSide, asks_as
from shared_events.fields import Party
from shared_runtime.auth import Caller
from shared_runtime.decider import FieldError, InvalidValue, RoleNotAllowed
from shared_runtime.pages import PageAsked
from shared_runtime.problems import NotYetVisible, refusals
from shared_runtime.reading import answer, position_of, wait_for
from shared_runtime.routers import Router
from shared_runtime.rule import By

from dispute_service.api import query_answers
from dispute_service.api.matters import Matters
from dispute_service.domain.dispute_state import Dispute, Status
from dispute_service.domain.inquiry_state import InquiryStatus
from dispute_service.domain.readers import read_by
from dispute_service.domain.streams import dispute_stream
from dispute_service.facts import NOTHING, read_facts
from dispute_service.projections import LISTED_DISPUTES, LISTED_INQUIRIES
from dispute_service.projections.disputes import ListedDispute
from dispute_service.queries.disputes import OWN_DISPUTES, DisputePage, listed_dispute_view
from dispute_service.queries.inquiries import OWN_INQUIRIES, InquiryPage, listed_inquiry_view
from dispute_service.queries.own import Sort, Wanted
from dispute_service.views import TermsView, if_silent

type AskedSort = Annotated[
    Sort | None,
    Query(
        description="`due`: the open ones, what is due soonest first; else the newest first. A "
        "seller is shown what is due, if he does not say."
    ),
]
type AskedOpen = Annotated[
    bool | None, Query(alias="open", description="Only those that are open, or not.")
]
type AskedStage = Annotated[Status | None, Query(description="Only those that stand there.")]
type AskedState = Annotated[InquiryStatus | None, Query(description="Only those in this state.")]


def wanted_of(
    caller: Caller,
    side: Party | None,
    sort: Sort | None,
    is_open: bool | None,
    stage: str | None,
) -> Wanted:
    """Raises `RoleNotAllowed`, or `InvalidValue` where nothing of what is closed is due."""
    asking, account = asks_as(caller, side)
    closed = is_open is False or stage == "CLOSED"
    if sort == "due" and closed:
        bound = "newest: nothing is due in what is closed"
        raise InvalidValue(errors=[FieldError(field="sort", bound=bound)])
    by_itself: Sort = "due" if asking == "SELLER" and not closed and is_open is None else "newest"
    return Wanted(
        side=asking, account=account, sort=sort or by_itself, stage=stage, is_open=is_open
    )


def lists_api(matters: Matters) -> list[Router]:
    return [dispute_lists(matters), inquiry_lists(matters)]


def dispute_lists(matters: Matters) -> Router:
    router = Router("/v1/disputes", tags=["disputes"])
    projected = position_of(matters.pool, LISTED_DISPUTES)

    @router.get(
        "",
        summary="Your disputes, and what is due in them",
        description="For BUYER and SELLER. A seller is shown the open ones first of which the time "
        "runs out soonest, each with what happens by itself when it does: `deadline.then`, and "
        "`if_silent` where something would be granted. Nothing here tells of what the other party "
        "has done and not shown. A Consistency-Token of `dispute.events` waits for what it stands "
        "for.",
        responses=refusals(RoleNotAllowed, NotYetVisible) | query_answers.DISPUTES,
    )
    async def list_disputes(
        caller: APartyOfOrders,
        asked: PageAsked,
        *,
        side: AskedSide = None,
        sort: AskedSort = None,
        stage: AskedStage = None,
        is_open: AskedOpen = None,
    ) -> Response:
        wanted = wanted_of(caller, side, sort, is_open, stage)
        start = asked.start(matters.cursors, OWN_DISPUTES.name(wanted))
        await wait_for(asked.token, projected)
        rows, more = await OWN_DISPUTES.page(matters.pool, wanted, start)
        granted = await granted_in_silence(matters, caller, wanted.side, rows)
        now = matters.now()
        items = [
            listed_dispute_view(row, wanted.side, now, granted.get(row.dispute_id)) for row in rows
        ]
        return answer(DisputePage(items=items, next_cursor=more))

    return router


async def granted_in_silence(
    matters: Matters, caller: Caller, side: Party, rows: Sequence[ListedDispute]
) -> dict[str, TermsView]:
    """What a rule grants in each dispute whose seller has not acted, as the dispute itself tells.
    It depends on money that may have been given since, so it is in no row.
    """
    silent = [row for row in rows if row.is_silent]
    if not silent:
        return {}
    actor, now = caller.actor(side), matters.now()
    histories = await matters.log.read([dispute_stream(row.dispute_id) for row in silent])
    facts = await read_facts({row.order_id for row in silent}, matters.pool)
    granted: dict[str, TermsView] = {}
    for row in silent:
        history = histories[dispute_stream(row.dispute_id)]
        state = read_by(actor, [recorded.event for recorded in history]).state
        known = facts.get(row.order_id, NOTHING).known(now, matters.policies, side)
        if isinstance(state, Dispute) and not state.seller_acted:
            terms = if_silent(state, By(actor=actor, now=now, known=known))
            granted |= {row.dispute_id: terms} if terms else {}
    return granted


def inquiry_lists(matters: Matters) -> Router:
    router = Router("/v1/inquiries", tags=["inquiries"])
    projected = position_of(matters.pool, LISTED_INQUIRIES)

    @router.get(
        "",
        summary="Your questions, and what is due in them",
        description="For BUYER and SELLER. A seller is shown the open ones first that are to be "
        "answered soonest. A Consistency-Token of `dispute.events` waits for what it stands for.",
        responses=refusals(RoleNotAllowed, NotYetVisible) | query_answers.INQUIRIES,
    )
    async def list_inquiries(
        caller: APartyOfOrders,
        asked: PageAsked,
        *,
        side: AskedSide = None,
        sort: AskedSort = None,
        state: AskedState = None,
        is_open: AskedOpen = None,
    ) -> Response:
        wanted = wanted_of(caller, side, sort, is_open, state)
        start = asked.start(matters.cursors, OWN_INQUIRIES.name(wanted))
        await wait_for(asked.token, projected)
        rows, more = await OWN_INQUIRIES.page(matters.pool, wanted, start)
        return answer(
            InquiryPage(items=[listed_inquiry_view(row) for row in rows], next_cursor=more)
        )

    return router
