"""The evaluation of an order, for its parties: what they write, and what both may read.

A party must not even learn *that* the other has written. So the version of an evaluation (its
ETag, If-Match) counts what the party may see, a dry run tells of the party's own review alone.
"""

from typing import Annotated
from uuid import uuid5

from fastapi import APIRouter, Depends, Response
from shared_runtime.auth import Caller, require
from shared_runtime.commands import AskedFor
from shared_runtime.decider import (
    AlreadySubmitted,
    EvidenceSealed,
    LimitReached,
    MeasureInForce,
    NotYetEligible,
    RoleNotAllowed,
    SubjectErased,
    TimeGoesBack,
    WindowClosed,
    WrongState,
)
from shared_runtime.fields import IdStr
from shared_runtime.history import STAFF_ROLES, event_page
from shared_runtime.problems import NotFound, NotYetVisible, command_refusals, refusals
from shared_runtime.reading import (
    PAGE_SIZE,
    ConsistencyToken,
    CursorText,
    Limit,
    PositionOf,
    wait_for,
)

from review_service.api import answers
from review_service.api.callers import PARTIES, existing, reader
from review_service.api.desk import Desk, Writing
from review_service.api.review_bodies import (
    AmendmentBody,
    FollowUpBody,
    ReplyBody,
    ReviewBody,
    ReviewContentBody,
    RevisionBody,
    RevisionRequestBody,
    WithdrawalBody,
)
from review_service.domain.commands import (
    AmendReview,
    AppendFollowUp,
    BuyerReview,
    Content,
    EditReply,
    PublishReply,
    RequestRevision,
    ReviseReview,
    SellerReview,
    SubmitReview,
    WithdrawReview,
)
from review_service.domain.streams import review_id_of
from review_service.evaluation_views import visible

type Author = Annotated[Caller, Depends(require(*PARTIES, "IMPORTER"))]
type ByBuyer = Annotated[Caller, Depends(require("BUYER", "IMPORTER"))]
type BySeller = Annotated[Caller, Depends(require("SELLER", "IMPORTER"))]
type Reader = Annotated[Caller, Depends(require(*PARTIES, *STAFF_ROLES))]

WRITING = (RoleNotAllowed, NotFound, WrongState, TimeGoesBack, SubjectErased)


def evaluations_api(  # noqa: C901 - a function for each route
    desk: Desk, *, opened_up_to: PositionOf
) -> APIRouter:
    """`opened_up_to` says how far completed orders have had their evaluations opened."""
    router = APIRouter(prefix="/v1/orders/{order_id}/evaluation", tags=["evaluations"])

    @router.post(
        "/reviews",
        summary="Write your review",
        description="For the order's BUYER and SELLER, and for an IMPORTER on behalf of one of "
        "them. It is hidden until both have written or the window closes.",
        status_code=201,
        responses=command_refusals(
            *WRITING, NotYetEligible, WindowClosed, AlreadySubmitted, MeasureInForce
        )
        | answers.EVALUATION_COMMAND,
    )
    async def submit(
        order_id: IdStr, body: ReviewBody, caller: Author, asked: AskedFor
    ) -> Response:
        body.check()
        writing = await desk.party_writes(order_id, caller, body, body.media)
        command = SubmitReview(
            review_id=review_id_of(order_id, "SELLER" if body.rating is not None else "BUYER"),
            content=content_of(body, writing),
            facts=writing.facts,
            rating_right_lost=writing.limits.rating_right_lost,
            **writing.by_person,
        )
        return await desk.run(asked, writing, command, states_time=body.at is not None)

    @router.post(
        "/reviews/{review_id}/amendments",
        summary="Amend your review",
        description="For its author (BUYER or SELLER) until the reveal, and for an IMPORTER on his "
        "behalf.",
        status_code=201,
        responses=command_refusals(*WRITING, NotYetEligible, WindowClosed, EvidenceSealed)
        | answers.EVALUATION_COMMAND,
    )
    async def amend(
        order_id: IdStr, review_id: IdStr, body: AmendmentBody, caller: Author, asked: AskedFor
    ) -> Response:
        body.check()
        writing = await desk.party_writes(order_id, caller, body, body.media)
        command = AmendReview(content=content_of(body, writing), **writing.by_person)
        return await desk.run(
            asked,
            writing,
            command,
            review_id=review_id,
            own=True,
            states_time=body.at is not None,
        )

    @router.post(
        "/reviews/{review_id}/withdrawal",
        summary="Withdraw your review",
        description="For its author (BUYER or SELLER). Before the reveal you may write another "
        "one; after it, this is final.",
        status_code=201,
        responses=command_refusals(*WRITING) | answers.EVALUATION_COMMAND,
    )
    async def withdraw(
        order_id: IdStr, review_id: IdStr, body: WithdrawalBody, caller: Author, asked: AskedFor
    ) -> Response:
        writing = await desk.party_writes(order_id, caller, body)
        command = WithdrawReview(review_id=review_id, facts=writing.facts, **writing.by_person)
        return await desk.run(
            asked, writing, command, review_id=review_id, own=True, states_time=body.at is not None
        )

    @router.post(
        "/reviews/{review_id}/reply",
        summary="Reply to the other side's review",
        description="For the reviewed party (SELLER or BUYER), once, for some weeks from the "
        "reveal.",
        status_code=201,
        responses=command_refusals(*WRITING, WindowClosed, AlreadySubmitted)
        | answers.EVALUATION_COMMAND,
    )
    async def reply(
        order_id: IdStr, review_id: IdStr, body: ReplyBody, caller: Author, asked: AskedFor
    ) -> Response:
        writing = await desk.party_writes(order_id, caller, body)
        command = PublishReply(
            review_id=review_id,
            reply_id=str(uuid5(asked.id, "reply")),
            text=writing.key.unsealed(body.text),
            **writing.by_person,
        )
        return await desk.run(
            asked, writing, command, review_id=review_id, states_time=body.at is not None
        )

    @router.post(
        "/reviews/{review_id}/reply/edits",
        summary="Edit your reply",
        description="For its author (SELLER or BUYER), for two days from its publication.",
        status_code=201,
        responses=command_refusals(*WRITING, WindowClosed) | answers.EVALUATION_COMMAND,
    )
    async def edit_reply(
        order_id: IdStr, review_id: IdStr, body: ReplyBody, caller: Author, asked: AskedFor
    ) -> Response:
        writing = await desk.party_writes(order_id, caller, body)
        text = writing.key.unsealed(body.text)
        command = EditReply(review_id=review_id, text=text, **writing.by_person)
        return await desk.run(
            asked, writing, command, review_id=review_id, states_time=body.at is not None
        )

    @router.post(
        "/reviews/{review_id}/follow-up",
        summary="Add to your review after some time",
        description="For the BUYER, once, within half a year from the reveal. It has no stars.",
        status_code=201,
        responses=command_refusals(*WRITING, WindowClosed, AlreadySubmitted)
        | answers.EVALUATION_COMMAND,
    )
    async def follow_up(
        order_id: IdStr, review_id: IdStr, body: FollowUpBody, caller: ByBuyer, asked: AskedFor
    ) -> Response:
        writing = await desk.party_writes(order_id, caller, body, body.media)
        command = AppendFollowUp(
            review_id=review_id,
            followup_id=str(uuid5(asked.id, "follow-up")),
            text=writing.key.unsealed(body.text),
            media=writing.media,
            media_sha256=writing.media_sha256,
            **writing.by_person,
        )
        return await desk.run(
            asked, writing, command, review_id=review_id, own=True, states_time=body.at is not None
        )

    @router.post(
        "/reviews/{review_id}/revision-request",
        summary="Ask the buyer to revise the review",
        description="For the SELLER, once, after he has made the matter good. The words are the "
        "platform's.",
        status_code=201,
        responses=command_refusals(*WRITING, NotYetEligible, WindowClosed, LimitReached)
        | answers.EVALUATION_COMMAND,
    )
    async def request_revision(
        order_id: IdStr,
        review_id: IdStr,
        body: RevisionRequestBody,
        caller: BySeller,
        asked: AskedFor,
    ) -> Response:
        writing = await desk.party_writes(order_id, caller, body)
        command = RequestRevision(review_id=review_id, **writing.by_person)
        return await desk.run(
            asked, writing, command, review_id=review_id, states_time=body.at is not None
        )

    @router.post(
        "/reviews/{review_id}/revision",
        summary="Revise your review",
        description="For the BUYER, once, after the seller has made the matter good. What was "
        "written before stays readable.",
        status_code=201,
        responses=command_refusals(*WRITING, NotYetEligible, WindowClosed, LimitReached)
        | answers.EVALUATION_COMMAND,
    )
    async def revise(
        order_id: IdStr, review_id: IdStr, body: RevisionBody, caller: ByBuyer, asked: AskedFor
    ) -> Response:
        writing = await desk.party_writes(order_id, caller, body)
        command = ReviseReview(
            review_id=review_id,
            quality=body.quality,
            logistics=body.logistics,
            service=body.service,
            text=writing.sealed(body.text),
            facts=writing.facts,
            **writing.by_person,
        )
        return await desk.run(
            asked, writing, command, review_id=review_id, own=True, states_time=body.at is not None
        )

    @router.get(
        "",
        summary="An evaluation, and what you can do about it now",
        description="For its parties, staff and AUDITOR. The other side's review is there when "
        "both are revealed, and to all others likewise. A Consistency-Token of the order's "
        "completion waits until the evaluation is open.",
        responses=refusals(RoleNotAllowed, NotFound, NotYetVisible) | answers.EVALUATION,
    )
    async def evaluation(order_id: IdStr, caller: Reader, token: ConsistencyToken) -> Response:
        await wait_for(token, opened_up_to)
        order, seen, _ = await desk.read(order_id)
        return await desk.shown_to(reader(caller, order), existing(order), seen)

    @router.get(
        "/events",
        summary="What has happened to an evaluation",
        description="For its parties, staff and AUDITOR. Oldest first. Until the reveal, nothing "
        "tells of the review of another side.",
        responses=refusals(RoleNotAllowed, NotFound) | answers.EVENTS,
    )
    async def evaluation_events(
        order_id: IdStr, caller: Reader, limit: Limit = PAGE_SIZE, cursor: CursorText = None
    ) -> Response:
        order, seen, history = await desk.read(order_id)
        seen_by_reader = visible(history, seen, reader(caller, order))
        of = f"events of evaluation {order_id}"
        return await desk.answer(event_page(seen_by_reader, of, limit, cursor, desk.cursors))

    return router


def content_of(body: ReviewContentBody, writing: Writing) -> Content:
    """Either side's review, sealed with its author's key."""
    if body.rating is not None:
        return SellerReview(rating=body.rating, text=writing.sealed(body.text))
    return BuyerReview(
        quality=body.quality or 0,
        logistics=body.logistics or 0,
        service=body.service or 0,
        incentive=body.incentive or "NONE",
        text=writing.sealed(body.text),
        media=writing.media,
        media_sha256=writing.media_sha256,
    )
