"""What has changed about a review in, its weight from then on out, if it is another one."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, Protocol

from shared_events.review import EvaluationEvent, ReviewWeighted, Side
from shared_runtime.decider import Actor, Role, WrongState

from review_service.domain.commands import OrderFacts, ReweighReview
from review_service.domain.content import stars_of
from review_service.domain.evaluation_state import Evaluation, Revealed, Sheet, evolve
from review_service.domain.guards import Shape, utc
from review_service.domain.policy import Policies, ReviewPolicy
from review_service.domain.subject import Subject, about
from review_service.domain.weight import (
    FOLLOWING,
    LIFTING,
    TABLE,
    Codes,
    Weight,
    told_codes,
    weigh,
)

STAFF: tuple[Role, ...] = ("MODERATOR", "SENIOR", "ANALYST")


class Weighing(Protocol):
    """A command that may change a weight."""

    @property
    def now(self) -> datetime: ...
    @property
    def actor(self) -> Actor: ...
    @property
    def facts(self) -> OrderFacts: ...


def first_weight(
    sheet: Sheet, side: Side, facts: OrderFacts, policy: ReviewPolicy, at: datetime
) -> ReviewWeighted:
    review = sheet.reviews[side]
    weight = weigh(review, told_codes(review, facts), facts, policy, at)
    return weighted(sheet, side, weight, counted_at=at, decided_by="RULE")


def with_weight(
    subject: Subject,
    events: Iterable[EvaluationEvent],
    command: Weighing,
    policies: Policies,
    codes: Codes | None = None,
) -> list[EvaluationEvent]:
    """The events, and the weight that they lead to if that is another one.

    Without `codes`, those that other streams have given stand.
    """
    told = [*events]
    state: Evaluation = subject.state
    for event in told:
        state = evolve(state, event)
    if not isinstance(state, Revealed):
        return told
    review = state.sheet.reviews[subject.side]
    last = review.weighted
    assert last
    policy = policies.of(state.sheet.policy_version)
    codes = review.codes & FOLLOWING if codes is None else codes
    now = utc(command.now)
    weight = weigh(review, codes, command.facts, policy, now)
    following = weighted(
        state.sheet,
        subject.side,
        weight,
        counted_at=last.counted_at,
        decided_by="HUMAN" if command.actor.acts_as in STAFF else "RULE",
    )
    return told if says_the_same(last, following) else [*told, following]


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
        **stars_of(review.content),
        weight_milli=weight.weight_milli,
        reasons=weight.reasons,
        excluded_dimensions=[] if review.carriage == "SELLER" else ["LOGISTICS"],
        counted_at=counted_at,
        decided_by=decided_by,
        calibration=review.screened.calibration if review.screened and suspect else None,
    )


def says_the_same(one: ReviewWeighted, other: ReviewWeighted) -> bool:
    """Whether both give the same stars the same weight for the same reasons."""
    return counted(one) == counted(other)


def counted(weighted: ReviewWeighted) -> tuple[object, ...]:
    return (
        (weighted.quality, weighted.logistics, weighted.service, weighted.rating),
        weighted.weight_milli,
        weighted.reasons,
        weighted.excluded_dimensions,
    )


def reweigh_review(
    state: Evaluation, command: ReweighReview, policies: Policies
) -> list[EvaluationEvent]:
    """Codes of other streams come and go; one that stands goes when it is told to."""
    shape = Shape()
    allowed = FOLLOWING | {"CAMPAIGN_UNPROVEN"}
    names = ", ".join(code for code in TABLE if code in allowed)
    shape.require(allowed.issuperset(command.add), "add", names)
    shape.require(allowed.issuperset(command.remove), "remove", names)
    subject = about(state, command, shape)
    if not isinstance(subject.state, Revealed):
        raise WrongState(state=subject.status)
    review = subject.review
    given = (review.codes & FOLLOWING) | told_codes(review, command.facts)
    given |= frozenset(command.add)
    # What lifts a suspicion does not go away.
    gone = frozenset(command.remove) - frozenset(LIFTING)
    return with_weight(subject, [], command, policies, given - gone)
