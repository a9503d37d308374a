"""What a detector found in, a fact about the review and perhaps another weight out."""

import re

from shared_events.review import EvaluationEvent, ReviewScreened
from shared_runtime.decider import WindowClosed, WrongState

from review_service.domain.commands import LiftCampaignWeight, RecordScreening
from review_service.domain.evaluation_state import Closed, Evaluation, Revealed
from review_service.domain.guards import MINOR_MAX, Shape, utc
from review_service.domain.policy import Policies
from review_service.domain.reweighing import with_weight
from review_service.domain.subject import about

FACTOR_MIN_MILLI = 50
FACTOR_MAX_MILLI = 1000
# Detectors come and go, so their terms are no list of ours; but names they are, and no free text.
TERM_NAME = re.compile(r"^[A-Z][A-Z0-9_]{0,63}$", re.ASCII)


def record_screening(
    state: Evaluation, command: RecordScreening, policies: Policies
) -> list[EvaluationEvent]:
    """The first campaign that is seen has until `campaign_until` to be proven."""
    subject = about(state, command, screening_shape(command))
    if subject.status == "WITHDRAWN" or isinstance(state, Closed):
        raise WrongState(state=subject.status)
    policy = policies.of(subject.sheet.policy_version)
    if isinstance(state, Revealed):
        closed_at = state.revealed_at + policy.review_screening_span
        if command.now >= closed_at:
            raise WindowClosed(closed_at=closed_at)
    review = subject.review
    first = command.campaign and review.campaign_until is None
    screened = ReviewScreened(
        **subject.ids,
        factor_milli=command.factor_milli,
        campaign=command.campaign,
        campaign_until=utc(command.now) + policy.review_campaign_max if first else None,
        terms=[*command.terms],
        calibration=command.calibration,
    )
    if review.last_screening and says_the_same(review.last_screening, screened):
        return []
    return with_weight(subject, [screened], command, policies)


def screening_shape(command: RecordScreening) -> Shape:
    shape = Shape()
    fits = FACTOR_MIN_MILLI <= command.factor_milli <= FACTOR_MAX_MILLI
    shape.require(fits, "factor_milli", f"{FACTOR_MIN_MILLI}..{FACTOR_MAX_MILLI}")
    shape.id("calibration", command.calibration)
    for number, term in enumerate(command.terms):
        fits = TERM_NAME.fullmatch(term.name) is not None
        shape.require(fits, f"terms[{number}].name", "1..64 capital letters, digits and _")
        fits = abs(term.value_milli) <= MINOR_MAX
        shape.require(fits, f"terms[{number}].value_milli", f"-{MINOR_MAX}..{MINOR_MAX}")
    return shape


def says_the_same(one: ReviewScreened, other: ReviewScreened) -> bool:
    return found(one) == found(other)


def found(screened: ReviewScreened) -> tuple[object, ...]:
    return screened.factor_milli, screened.campaign, screened.terms, screened.calibration


def lift_campaign_weight(
    state: Evaluation, command: LiftCampaignWeight, policies: Policies
) -> list[EvaluationEvent]:
    """A campaign that nobody has proven in time is held against the review no longer."""
    subject = about(state, command)
    until = subject.review.campaign_until
    if until is None or command.now < until or subject.status == "WITHDRAWN":
        return []
    return with_weight(subject, [], command, policies)
