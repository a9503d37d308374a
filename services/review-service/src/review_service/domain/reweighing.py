"""What has changed about a review in, its weight from then on out, if it is another one."""

from datetime import datetime
from typing import Literal

from shared_casework.values import utc
from shared_events.common import StatementOfReasonsIssued
from shared_events.review import (
    DimensionReattributed,
    EvaluationEvent,
    ModerationAppealDecided,
    ReviewHeld,
    ReviewKept,
    ReviewReleased,
    ReviewRestored,
    ReviewRestricted,
    ReviewRevised,
    ReviewScreened,
    ReviewWeighted,
    ReviewWithdrawn,
    Side,
)
from shared_runtime.decider import Role

from review_service.domain.content import star_fields
from review_service.domain.evaluation_state import (
    Evaluation,
    Opened,
    Revealed,
    Sheet,
    Unopened,
    evolve,
)
from review_service.domain.known import Sender, facts_of, policy_of
from review_service.domain.policy import ReviewPolicy
from review_service.domain.weight import (
    FOLLOWING,
    Codes,
    Weight,
    WeightFacts,
    codes_elsewhere,
    weigh,
)

STAFF: tuple[Role, ...] = ("MODERATOR", "SENIOR", "ANALYST")
WEIGHING: frozenset[type[EvaluationEvent]] = frozenset(
    {
        ReviewRevised,
        ReviewWithdrawn,
        ReviewScreened,
        ReviewHeld,
        ReviewReleased,
        ReviewKept,
        ReviewRestricted,
        ReviewRestored,
        ModerationAppealDecided,
        DimensionReattributed,
    }
)
"""The events of a review after which it may weigh more or less."""


def first_weight(
    sheet: Sheet, side: Side, facts: WeightFacts, policy: ReviewPolicy, at: datetime
) -> ReviewWeighted:
    review = sheet.reviews[side]
    weight = weigh(review, codes_elsewhere(review, facts), facts, policy, at)
    return weighted(sheet, side, weight, counted_at=at, decided_by="RULE")


def weighed(
    state: Opened, side: Side, events: list[EvaluationEvent], by: Sender
) -> list[EvaluationEvent]:
    """The events, and the weight that they lead to if that is another one. What is told about a
    decision stays behind it.
    """
    if WEIGHING.isdisjoint(map(type, events)):
        return events
    after: Evaluation = state
    for event in events:
        after = evolve(after, event)
    assert not isinstance(after, Unopened)
    weights = reweighed(after, side, by)
    at = len(events) - isinstance(events[-1], StatementOfReasonsIssued)
    return [*events[:at], *weights, *events[at:]]


def reweighed(
    state: Opened, side: Side, by: Sender, codes: Codes | None = None
) -> list[ReviewWeighted]:
    """The weight of a revealed review, if it is not the one that it has. Without `codes`, those
    that other streams have given stand.
    """
    if not isinstance(state, Revealed):
        return []
    review = state.sheet.reviews[side]
    last = review.weighted
    assert last
    codes = review.codes & FOLLOWING if codes is None else codes
    weight = weigh(review, codes, facts_of(by), policy_of(state.sheet, by), utc(by.now))
    human = by.actor.acts_as in STAFF
    following = weighted(
        state.sheet,
        side,
        weight,
        counted_at=last.counted_at,
        decided_by="HUMAN" if human else "RULE",
    )
    return [] if counted(last) == counted(following) else [following]


def weighted(
    sheet: Sheet,
    side: Side,
    weight: Weight,
    *,
    counted_at: datetime,
    decided_by: Literal["RULE", "HUMAN"],
) -> ReviewWeighted:
    review = sheet.reviews[side]
    suspect = any(reason.code == "SUSPECT" for reason in weight.reasons)
    return ReviewWeighted(
        order_id=sheet.order_id,
        seller_id=sheet.seller_id,
        buyer_id=sheet.buyer_id,
        policy_version=sheet.policy_version,
        review_id=review.review_id,
        side=side,
        seq=review.weighted.seq + 1 if review.weighted else 1,
        **star_fields(review.content),
        weight_milli=weight.weight_milli,
        reasons=weight.reasons,
        excluded_dimensions=[] if review.carriage == "SELLER" else ["LOGISTICS"],
        counted_at=counted_at,
        decided_by=decided_by,
        calibration=review.screened.calibration if review.screened and suspect else None,
    )


def counted(weighted: ReviewWeighted) -> tuple[object, ...]:
    """The stars, what they count and why: all that makes one weight another one."""
    return (
        (weighted.quality, weighted.logistics, weighted.service, weighted.rating),
        weighted.weight_milli,
        weighted.reasons,
        weighted.excluded_dimensions,
    )
