"""Two reviews that do not see each other: what the sides write in, what is revealed out."""

from datetime import datetime
from typing import Literal

from msgspec.structs import replace
from shared_events.review import (
    EvaluationClosed,
    EvaluationEvent,
    ReviewAmended,
    ReviewHeld,
    ReviewsRevealed,
    ReviewSubmitted,
    Side,
)
from shared_runtime.decider import (
    AlreadySubmitted,
    EvidenceSealed,
    FieldError,
    InvalidValue,
    MeasureInForce,
    NotYetEligible,
    WindowClosed,
    WrongState,
)

from review_service.domain.commands import (
    AmendReview,
    CloseEvaluation,
    OrderFacts,
    SubmitReview,
    VoidEvaluation,
)
from review_service.domain.content import check_content, same_content, side_of, told
from review_service.domain.evaluation_state import (
    Closed,
    Evaluation,
    Known,
    Open,
    Paused,
    Revealed,
    Running,
    Sheet,
    Unopened,
    evolve,
    ids,
)
from review_service.domain.guards import Shape, require_known, require_party, require_role, utc
from review_service.domain.policy import Policies, ReviewPolicy
from review_service.domain.reweighing import first_weight
from review_service.domain.roles import ROLES
from review_service.domain.subject import Subject

SIDES: tuple[Side, ...] = ("BUYER", "SELLER")
OTHER: dict[Side, Side] = {"BUYER": "SELLER", "SELLER": "BUYER"}


def submit_review(
    state: Evaluation, command: SubmitReview, policies: Policies
) -> list[EvaluationEvent]:
    shape = Shape()
    shape.id("review_id", command.review_id)
    side = authored(state, command, shape)
    if isinstance(state, Unopened):
        raise NotYetEligible
    other = state.sheet.reviews.get(OTHER[side])
    if other and other.review_id == command.review_id:
        bound = "not that of the other side's review"
        raise InvalidValue(errors=[FieldError(field="review_id", bound=bound)])
    if command.rating_right_lost and side == "BUYER":
        measure = command.rating_right_lost
        raise MeasureInForce(measure_id=measure.measure_id, until=measure.until)
    if own := state.sheet.reviews.get(side):
        same = same_content(own.submitted, command.content)
        if own.review_id == command.review_id and same:
            return []
        raise AlreadySubmitted(existing_id=own.review_id)
    running = taking_reviews(state, command.now)
    submitted = ReviewSubmitted(
        **ids(running.sheet),
        review_id=command.review_id,
        side=side,
        submitted_at=utc(command.now),
        **told(command.content),
    )
    events: list[EvaluationEvent] = [submitted, *held_still(running.sheet, submitted)]
    if not running.sheet.reviews:
        return events
    both: Evaluation = running
    for event in events:
        both = evolve(both, event)
    assert isinstance(both, Open | Paused)
    policy = policies.of(both.sheet.policy_version)
    return [*events, *reveal(both.sheet, "BOTH_IN", utc(command.now), command.facts, policy)]


def held_still(sheet: Sheet, submitted: ReviewSubmitted) -> list[ReviewHeld]:
    """A hold outlasts a withdrawal: else whoever writes the same once more has ended it."""
    before = sheet.withdrawn.get(submitted.side)
    if before is None or not isinstance(before.standing, ReviewHeld):
        return []
    if submitted.submitted_at >= before.standing.hold_until:
        return []
    return [replace(before.standing, review_id=submitted.review_id)]


def amend_review(state: Evaluation, command: AmendReview, _: Policies) -> list[EvaluationEvent]:
    side = authored(state, command, Shape())
    if isinstance(state, Unopened):
        raise WrongState(state="NONE")
    own = state.sheet.reviews.get(side)
    if own is None:
        may_submit = isinstance(state, Paused) or (
            isinstance(state, Open) and command.now < state.closes_at
        )
        raise WrongState(state="EMPTY", allowed_actions=["SubmitReview"] if may_submit else [])
    if same_content(own.content, command.content):
        return []
    if isinstance(state, Revealed):
        raise EvidenceSealed(sealed_at=state.revealed_at)
    Subject(state=state, side=side, review=own).require("SUBMITTED")
    sheet = taking_reviews(state, command.now).sheet
    return [
        ReviewAmended(
            **ids(sheet),
            review_id=own.review_id,
            side=side,
            version=own.version + 1,
            **told(command.content),
        )
    ]


def close(state: Evaluation, command: CloseEvaluation, policies: Policies) -> list[EvaluationEvent]:
    shape = Shape()
    shape.instant("now", command.now)
    shape.check()
    require_role(command, ["SYSTEM"])
    if not isinstance(state, Open) or command.now < state.closes_at:
        return []
    sheet = state.sheet
    if not sheet.reviews:
        closed = EvaluationClosed(**ids(sheet), reason="EXPIRED", closed_at=state.closes_at)
        return [closed]
    policy = policies.of(sheet.policy_version)
    # The instant it was due, not the one the timer came: a late timer moves no date.
    return reveal(sheet, "WINDOW_CLOSED", state.closes_at, command.facts, policy)


def void(state: Evaluation, command: VoidEvaluation, _: Policies) -> list[EvaluationEvent]:
    shape = Shape()
    shape.instant("now", command.now)
    shape.check()
    require_role(command, ["SYSTEM"])
    if not isinstance(state, Open | Paused):
        return []
    if isinstance(state, Open) and command.now >= state.closes_at:
        return []  # closing is due, and a late timer may not decide what is shown
    closed_at = utc(command.now)
    return [EvaluationClosed(**ids(state.sheet), reason="ORDER_CANCELLED", closed_at=closed_at)]


def authored(state: Evaluation, command: SubmitReview | AmendReview, shape: Shape) -> Side:
    """The side that the sender writes for, if the review is well-formed and he is that party."""
    shape.instant("now", command.now)
    content = command.content
    check_content(shape, content)
    role = command.actor.acts_as
    if role in ("BUYER", "SELLER"):
        bound = "quality, logistics, service" if role == "BUYER" else "rating"
        shape.require(side_of(content) == role, "review", f"a {role.lower()} gives {bound}")
    shape.check()
    require_role(command, ROLES[type(command)])
    if not isinstance(state, Unopened):
        sheet = state.sheet
        require_party(command.actor, buyer_id=sheet.buyer_id, seller_id=sheet.seller_id)
    require_known(command)
    return side_of(content)


def taking_reviews(state: Known, now: datetime) -> Running:
    """The evaluation, if it takes reviews at this instant; a pause has no end for them."""
    if now < state.sheet.completed_at:
        raise NotYetEligible(eligible_from=state.sheet.completed_at)
    match state:
        case Paused():
            return state
        case Open(closes_at=closes_at):
            if now >= closes_at:
                raise WindowClosed(closed_at=closes_at)
            return state
        case Revealed(revealed_at=revealed_at):
            raise WindowClosed(closed_at=revealed_at)
        case Closed(reason="EXPIRED", closed_at=closed_at):
            raise WindowClosed(closed_at=closed_at)
        case Closed():
            raise WrongState(state="CLOSED")


def reveal(
    sheet: Sheet,
    trigger: Literal["BOTH_IN", "WINDOW_CLOSED"],
    at: datetime,
    facts: OrderFacts,
    policy: ReviewPolicy,
) -> list[EvaluationEvent]:
    """Everything that was written becomes visible and begins to count, in one commit."""
    sides: list[Side] = [side for side in SIDES if side in sheet.reviews]
    revealed = ReviewsRevealed(
        **ids(sheet),
        trigger=trigger,
        revealed_at=at,
        review_ids=[sheet.reviews[side].review_id for side in sides],
        sides=sides,
    )
    return [revealed, *(first_weight(sheet, side, facts, policy, at) for side in sides)]
