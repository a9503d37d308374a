"""Evaluations and reviews for whoever may read them, flags and appeals for those who sent them.

A party must not even learn *that* the other has written. So the version of an evaluation (its
ETag, If-Match) counts what the party may see, and a dry run tells of the party's own review alone.
"""

from typing import Annotated

from fastapi import Depends, Response
from shared_casework.callers import PARTIES, party
from shared_events.review import Side
from shared_runtime.auth import Caller, require
from shared_runtime.decider import NotFound, Role, RoleNotAllowed
from shared_runtime.fields import IdStr
from shared_runtime.history import STAFF_ROLES, event_page
from shared_runtime.problems import NotYetVisible, refusals
from shared_runtime.reading import (
    PAGE_SIZE,
    ConsistencyToken,
    CursorText,
    Limit,
    PositionOf,
    wait_for,
)
from shared_runtime.routers import Router

from review_service.api import answers
from review_service.api.callers import existing, reader
from review_service.api.evaluations import Evaluations
from review_service.api.places import before_him
from review_service.domain.appeals import APPEAL_MODERATION, is_from
from review_service.domain.flags import FLAG_REVIEW
from review_service.domain.readers import Reading, read_by
from review_service.domain.subject import flagger_of, sender_of
from review_service.views import appeal_of, flag_of, readable_history, subject_of

type Reader = Annotated[Caller, Depends(require(*PARTIES, *STAFF_ROLES))]
type Staff = Annotated[Caller, Depends(require(*STAFF_ROLES))]
type Flagger = Annotated[Caller, Depends(require(*FLAG_REVIEW.roles))]
type Appellant = Annotated[Caller, Depends(require(*APPEAL_MODERATION.roles))]


def evaluation_reads(evaluations: Evaluations, *, opened_up_to: PositionOf) -> Router:
    """`opened_up_to` says how far completed orders have had their evaluations opened."""
    router = Router("/v1/orders/{order_id}/evaluation", tags=["evaluations"])

    @router.get(
        "",
        summary="An evaluation, and what you can do about it now",
        description="For its parties, staff and AUDITOR. The other side's review is there when "
        "both are revealed, and to all others likewise. A Consistency-Token of the order's "
        "completion waits until the evaluation is open.",
        responses=refusals(RoleNotAllowed, NotFound, NotYetVisible) | answers.EVALUATION,
    )
    async def get_evaluation(order_id: IdStr, caller: Reader, token: ConsistencyToken) -> Response:
        await wait_for(token, opened_up_to)
        order, history = await evaluations.read(order_id)
        return await evaluations.shown_to(reader(caller, order), existing(order), history)

    @router.get(
        "/events",
        summary="What has happened to an evaluation",
        description="For its parties, staff and AUDITOR. Oldest first. Until the reveal, nothing "
        "tells of the review of another side.",
        responses=refusals(RoleNotAllowed, NotFound) | answers.EVENTS,
    )
    async def list_evaluation_events(
        order_id: IdStr, caller: Reader, limit: Limit = PAGE_SIZE, cursor: CursorText = None
    ) -> Response:
        order, history = await evaluations.read(order_id)
        reading = read_by(reader(caller, order), [recorded.event for recorded in history])
        known = readable_history(history, reading)
        of = f"events of evaluation {order_id}"
        return await evaluations.answer(event_page(known, of, limit, cursor, evaluations.cursors))

    return router


def review_reads(evaluations: Evaluations) -> Router:
    router = Router("/v1/reviews/{ref}", tags=["moderation"])

    async def read(ref: str, caller: Caller, roles: tuple[Role, ...]) -> tuple[Reading, Side]:
        """A review that somebody has flagged or appealed about, to see what came of it."""
        order, history, side = await evaluations.find(ref)
        actor = party(caller, order.parties) or caller.actor(*roles)
        return read_by(actor, [recorded.event for recorded in history]), side

    @router.get(
        "",
        summary="The evaluation that a review is of",
        description="For staff and AUDITOR: what there is to decide on, with its version as ETag. "
        "Before the reveal it is there for MODERATOR and ANALYST alone, and for SENIOR where there "
        "is an appeal; not for those of them who are a party or belong to one.",
        responses=refusals(RoleNotAllowed, NotFound) | answers.EVALUATION,
    )
    async def get_review(ref: IdStr, caller: Staff) -> Response:
        order, history, side = await evaluations.find(ref)
        actor = party(caller, order.parties) or caller.actor(*STAFF_ROLES)
        before_him(read_by(actor, [recorded.event for recorded in history]), side)
        return await evaluations.shown_to(actor, order, history)

    @router.get(
        "/flags/{flag_id}",
        summary="What has become of your report",
        description="For BUYER, SELLER, MODERATOR, ANALYST and SYSTEM, of their own.",
        responses=refusals(RoleNotAllowed, NotFound) | answers.FLAG,
    )
    async def get_flag(ref: IdStr, flag_id: IdStr, caller: Flagger) -> Response:
        reading, side = await read(ref, caller, FLAG_REVIEW.roles)
        subject = subject_of(reading, side)
        flag = subject.review.flags.get(flag_id) if subject else None
        if flag is None or flagger_of(flag.raised) != sender_of(reading.actor):
            raise NotFound
        return await evaluations.answer(flag_of(reading, side, flag_id, evaluations.refs.of))

    @router.get(
        "/appeals/{appeal_id}",
        summary="What has become of your appeal",
        description="For BUYER, SELLER, MODERATOR and ANALYST, of their own: with the reasons.",
        responses=refusals(RoleNotAllowed, NotFound) | answers.APPEAL,
    )
    async def get_appeal(ref: IdStr, appeal_id: IdStr, caller: Appellant) -> Response:
        reading, side = await read(ref, caller, APPEAL_MODERATION.roles)
        subject = subject_of(reading, side)
        appeal = subject.review.appeals.get(appeal_id) if subject else None
        if appeal is None or not is_from(appeal.lodged, sender_of(reading.actor)):
            raise NotFound
        return await evaluations.answer(appeal_of(reading, side, appeal_id))

    return router
