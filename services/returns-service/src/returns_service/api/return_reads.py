"""Returns for whoever may read them: one at a time, and what has happened to it."""

from typing import Annotated

from fastapi import Depends, Query, Response
from shared_casework.callers import FEEDS, PARTIES, STAFF, AReader
from shared_casework.callers import reader as party_or_staff
from shared_casework.casework import reading_of
from shared_casework.parties import side_for
from shared_events.returns import AskedKind
from shared_runtime.auth import Caller, require
from shared_runtime.decider import InvalidValue, NotFound, RoleNotAllowed, TokenScope
from shared_runtime.fields import IdStr
from shared_runtime.pages import PageAsked
from shared_runtime.problems import NotYetVisible, refusals
from shared_runtime.reading import PAGE_SIZE, CursorText, Limit, answer, position_of, wait_for
from shared_runtime.routers import Router

from returns_service.api import return_answers as answers
from returns_service.api import return_query_answers as query_answers
from returns_service.api.reads import reader
from returns_service.api.returns import Returns
from returns_service.domain.eligibility import Asking
from returns_service.domain.return_readers import ReturnReading
from returns_service.domain.tables import AskedReason
from returns_service.projections import LISTED_RETURNS
from returns_service.queries.eligibility import eligibility_view
from returns_service.queries.return_file import return_file_view
from returns_service.queries.returns import ReturnPage, listed_return_view, returns_of_order

BY_LINK: tuple[TokenScope, ...] = ("withdrawal",)
"""Who withdraws without an account sees what he can withdraw from, and what has come of it."""

type ReturnReader = Annotated[Caller, Depends(require(*PARTIES, *STAFF, *FEEDS))]
type OneReturnReader = Annotated[Caller, Depends(require(*PARTIES, *STAFF, *FEEDS, scopes=BY_LINK))]
type EligibilityReader = Annotated[Caller, Depends(require(*PARTIES, *STAFF, scopes=BY_LINK))]

type WantedReason = Annotated[
    AskedReason | None,
    Query(alias="reason", description="Tell also how a request for this reason would be decided."),
]
type WantedKind = Annotated[
    AskedKind, Query(alias="kind", description="Of the request that `reason` is for.")
]
type WithProof = Annotated[
    bool, Query(description="With the photo, or the sizes, that the reason asks for.")
]


def order_reads(returns: Returns) -> Router:
    router = Router("/v1/orders/{order_id}", tags=["returns"])
    projected = position_of(returns.pool, LISTED_RETURNS)

    @router.get(
        "/returns",
        summary="The returns of an order",
        description="For its parties, AGENT, SENIOR, AUDITOR, SYSTEM and IMPORTER, the newest "
        "first. `deadline` is what is due next for you; to all but the parties, for the seller. A "
        "Consistency-Token of `returns.events` waits for what it stands for.",
        responses=refusals(RoleNotAllowed, NotFound, NotYetVisible) | query_answers.RETURNS,
    )
    async def list_order_returns(
        order_id: IdStr, caller: ReturnReader, asked: PageAsked
    ) -> Response:
        matter = await returns.to_begin(order_id, caller)
        actor = reader(caller, matter.parties)
        start = asked.start(returns.cursors, f"returns of order {order_id!r}")
        await wait_for(asked.token, projected)
        rows, more = await returns_of_order(returns.pool, order_id, start)
        side = side_for(actor, matter.parties) or "SELLER"
        items = [listed_return_view(row, side) for row in rows]
        return answer(ReturnPage(items=items, next_cursor=more))

    @router.get(
        "/return-eligibility",
        summary="What may be returned of an order, until when",
        description="For its parties, AGENT, SENIOR and AUDITOR. Also with a token of scope "
        "`withdrawal`. Piece by piece; for a reason also who would decide, in which lane, who pays "
        "for the label, and by which tests. That is not for the seller: it tells how far the buyer "
        "is trusted.",
        responses=refusals(RoleNotAllowed, NotFound, InvalidValue) | answers.ELIGIBILITY,
    )
    async def get_return_eligibility(
        order_id: IdStr,
        caller: EligibilityReader,
        *,
        reason: WantedReason = None,
        kind: WantedKind = "RETURN",
        proof: WithProof = True,
    ) -> Response:
        matter = await returns.to_begin(order_id, caller)
        actor = party_or_staff(caller, matter.parties)
        asking = Asking(kind=kind, reason=reason, proof=proof) if reason else None
        by = returns.by(actor, matter, returns.now())
        return answer(eligibility_view(asking, by, trusted=actor.role != "SELLER"))

    return router


def return_reads(returns: Returns) -> Router:
    router = Router("/v1/returns/{return_id}", tags=["returns"])

    @router.get(
        "",
        summary="A return, and what you can do about it now",
        description="For its parties, AGENT, SENIOR, AUDITOR, SYSTEM and IMPORTER; of a withdrawal "
        "also with a token of scope `withdrawal`. Piece by piece, with what is due when, and what "
        "happens by itself then.",
        responses=refusals(RoleNotAllowed, NotFound) | answers.RETURN,
    )
    async def get_return(return_id: IdStr, caller: OneReturnReader) -> Response:
        matter = await returns.find(return_id, caller)
        return await returns.shown_to(reader(caller, matter.parties), matter)

    @router.get(
        "/file",
        summary="The file of a return",
        description="For its parties, AGENT, SENIOR and AUDITOR. Every photo and file, with its "
        "digest, and the digest of them all, which a contest names. Of a return that is contested, "
        "of AGENT and SENIOR for the adjudicator who has the dispute alone, and while the desk has "
        "something to decide on the return itself.",
        responses=refusals(RoleNotAllowed, NotFound) | answers.RETURN_FILE,
    )
    async def get_return_file(return_id: IdStr, caller: AReader) -> Response:
        matter = await returns.find(return_id, caller)
        actor = party_or_staff(caller, matter.parties)
        reading = reading_of(actor, matter)
        assert isinstance(reading, ReturnReading)
        if not reading.has_file:
            raise RoleNotAllowed(allowed_roles=[])
        return await returns.answer(return_file_view(return_id, reading, matter.history))

    @router.get(
        "/events",
        summary="What has happened to a return",
        description="For its parties, AGENT, SENIOR, AUDITOR, SYSTEM and IMPORTER. Oldest first, "
        "as far as you may know of it.",
        responses=refusals(RoleNotAllowed, NotFound) | answers.RETURN_EVENTS,
    )
    async def list_return_events(
        return_id: IdStr,
        caller: ReturnReader,
        limit: Limit = PAGE_SIZE,
        cursor: CursorText = None,
    ) -> Response:
        matter = await returns.find(return_id, caller)
        return await returns.history_of(reader(caller, matter.parties), matter, limit, cursor)

    return router
