"""The evaluation of an order: both sides write, and neither sees the other's before the reveal.

A party must not even learn *that* the other has written. So the version of an evaluation (its
ETag, If-Match, the numbers of its events) counts what the party may see, a dry run tells of the
party's own review alone, and an id that the other's review has is refused to nobody.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated
from uuid import uuid5

from fastapi import APIRouter, Depends, Response
from msgspec import structs
from shared_events.envelope import Recorded
from shared_events.review import EvaluationEvent, ReviewAmended, ReviewSubmitted, Side
from shared_runtime.auth import Caller, require
from shared_runtime.clock import Clock
from shared_runtime.commands import Asked, AskedFor, Commands
from shared_runtime.decider import (
    Actor,
    AlreadySubmitted,
    EvidenceSealed,
    FieldError,
    InvalidValue,
    NotYetEligible,
    RoleNotAllowed,
    TimeGoesBack,
    WindowClosed,
    WrongState,
)
from shared_runtime.fields import IdStr
from shared_runtime.log import Log, StaleVersion, read_stream
from shared_runtime.problems import NotFound, NotYetVisible, command_refusals, refusals
from shared_runtime.reading import (
    PAGE_SIZE,
    ConsistencyToken,
    Cursors,
    CursorText,
    Limit,
    PositionOf,
    answer,
    wait_for,
)

from review_service.api import answers
from review_service.api.bodies import AmendmentBody, ReviewBody, ReviewContentBody
from review_service.api.callers import PARTIES, STAFF, existing, party, reader, stated
from review_service.domain.commands import AmendReview, EvaluationCommand, SubmitReview
from review_service.domain.double_blind import OTHER
from review_service.domain.evaluation_state import Unopened
from review_service.domain.order import Order, Placed, facts_of, orders
from review_service.domain.policy import Policies
from review_service.domain.streams import evaluation_stream, order_stream
from review_service.queries import (
    Seen,
    SeenEvaluations,
    evaluation_view,
    event_page,
    seen_evaluations,
    visible,
)

type Author = Annotated[Caller, Depends(require(*PARTIES, "IMPORTER"))]
type Reader = Annotated[Caller, Depends(require(*PARTIES, *STAFF))]

WRITING = (
    RoleNotAllowed,
    NotFound,
    NotYetEligible,
    WindowClosed,
    WrongState,
    TimeGoesBack,
)


def evaluations_api(  # noqa: C901 - a function for each route
    log: Log,
    commands: Commands,
    policies: Policies,
    cursors: Cursors,
    now: Clock,
    *,
    opened_up_to: PositionOf,
) -> APIRouter:
    """`opened_up_to` says how far completed orders have had their evaluations opened."""
    router = APIRouter(prefix="/v1/orders/{order_id}/evaluation", tags=["evaluations"])
    placing = orders(policies)
    seeing = seen_evaluations(policies)

    async def author(
        order_id: str, caller: Caller, body: ReviewContentBody
    ) -> tuple[Placed, Actor]:
        """The order, and the side of it that the caller writes for. To others it is not there."""
        history = await read_stream(log, order_stream(order_id))
        order = existing(placing.fold(recorded.event for recorded in history))
        if body.on_behalf_of is not None:
            if "IMPORTER" not in caller.roles:
                raise _invalid("on_behalf_of", "an importer says it")
            return order, caller.actor("IMPORTER", on_behalf_of=body.on_behalf_of)
        if actor := party(caller, order):
            return order, actor
        if "IMPORTER" in caller.roles:
            raise _invalid("on_behalf_of", "required of an importer")
        raise NotFound

    async def write(
        asked: Asked,
        order_id: str,
        actor: Actor,
        command: EvaluationCommand,
        decider: SeenEvaluations,
        *,
        states_time: bool,
    ) -> Response:
        return await commands.run(
            # Which version was seen is compared by the decider: it knows what could be seen.
            replace(asked, expected=None),
            decider,
            command,
            stream=evaluation_stream(order_id),
            correlation=order_id,
            view=lambda seen: evaluation_view(order_id, seen, actor, now(), policies),
            status=201,
            states_time=states_time,
        )

    @router.post(
        "/reviews",
        summary="Write your review",
        description="For its BUYER and its SELLER, and for an IMPORTER on behalf of one of them. "
        "It is hidden until both have written or the window closes.",
        status_code=201,
        responses=command_refusals(*WRITING, AlreadySubmitted) | answers.EVALUATION_COMMAND,
    )
    async def submit(
        order_id: IdStr, body: ReviewBody, caller: Author, asked: AskedFor
    ) -> Response:
        order, actor = await author(order_id, caller, body)
        spare_id = str(uuid5(asked.id, "review"))
        command = SubmitReview(
            review_id=body.review_id or spare_id,
            content=body.content(),
            facts=facts_of(order),
            now=stated(body.at, now(), may_state=actor.role == "IMPORTER"),
            actor=actor,
        )
        decider = blind(seeing, side_of(actor), asked, spare_id=spare_id)
        return await write(
            asked, order_id, actor, command, decider, states_time=body.at is not None
        )

    @router.post(
        "/reviews/{review_id}/amendments",
        summary="Amend your review",
        description="For its author until the reveal, and for an IMPORTER on his behalf.",
        status_code=201,
        responses=command_refusals(*WRITING, EvidenceSealed) | answers.EVALUATION_COMMAND,
    )
    async def amend(
        order_id: IdStr, review_id: IdStr, body: AmendmentBody, caller: Author, asked: AskedFor
    ) -> Response:
        _, actor = await author(order_id, caller, body)
        command = AmendReview(
            content=body.content(),
            now=stated(body.at, now(), may_state=actor.role == "IMPORTER"),
            actor=actor,
        )
        decider = blind(seeing, side_of(actor), asked, own_id=review_id)
        return await write(
            asked, order_id, actor, command, decider, states_time=body.at is not None
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
        order, seen, _ = await read(order_id)
        actor = reader(caller, order)
        view = evaluation_view(order_id, seen, actor, now(), policies)
        return answer(view, version=seen.version_for(own_side(actor)))

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
        order, seen, history = await read(order_id)
        shown = visible(history, seen, own_side(reader(caller, order)))
        return answer(event_page(shown, f"events of evaluation {order_id}", limit, cursor, cursors))

    async def read(order_id: str) -> tuple[Order, Seen, list[Recorded[EvaluationEvent]]]:
        names = order_stream(order_id), evaluation_stream(order_id)
        of_order, of_evaluation = map((await log.read(names)).get, names, ([], []))
        return (
            placing.fold(recorded.event for recorded in of_order),
            seeing.fold(recorded.event for recorded in of_evaluation),
            of_evaluation,
        )

    return router


def blind(
    decider: SeenEvaluations,
    side: Side,
    asked: Asked,
    *,
    own_id: str | None = None,
    spare_id: str | None = None,
) -> SeenEvaluations:
    """Decides for a side without telling it of the other.

    `own_id` is the id of his review, if he names one. `spare_id` is taken instead of the id that
    he chose for a new one if the other side's has that: he may have guessed it, to see whether
    it is refused.
    """

    def decide(seen: Seen, command: EvaluationCommand) -> list[EvaluationEvent]:
        known = seen.version_for(side)
        if asked.expected is not None and asked.expected != known:
            raise StaleVersion(expected=asked.expected, actual=known)
        if own_id is not None and own_id != review_id_of(seen, side):
            raise NotFound
        chosen = command.review_id if isinstance(command, SubmitReview) else None
        if (
            isinstance(command, SubmitReview)
            and spare_id
            and chosen == review_id_of(seen, OTHER[side])
        ):
            command = replace(command, review_id=spare_id)
        events = decider.decide(seen, command)
        return rehearsed(events, chosen) if asked.validate_only else events

    return replace(decider, decide=decide)


def rehearsed(events: Iterable[EvaluationEvent], chosen: str | None) -> list[EvaluationEvent]:
    """What a dry run tells of: what its author would write, and nothing that comes of both."""
    written = [event for event in events if isinstance(event, ReviewSubmitted | ReviewAmended)]
    return [structs.replace(event, review_id=chosen) if chosen else event for event in written]


def review_id_of(seen: Seen, side: Side) -> str | None:
    if isinstance(seen.evaluation, Unopened):
        return None
    review = seen.evaluation.sheet.reviews.get(side)
    return review.review_id if review else None


def own_side(actor: Actor) -> Side | None:
    """The side that an actor sees the evaluation from; None for those who are no party."""
    return "BUYER" if actor.role == "BUYER" else "SELLER" if actor.role == "SELLER" else None


def side_of(author: Actor) -> Side:
    return "BUYER" if author.acts_as == "BUYER" else "SELLER"


def _invalid(field: str, bound: str) -> InvalidValue:
    return InvalidValue(errors=[FieldError(field=field, bound=bound)])
