"""What a detector found in, a fact about the review and perhaps another weight out."""

from typing import Annotated

from msgspec import Meta, Struct
from shared_casework.values import utc
from shared_events.fields import MINOR_MAX, Id
from shared_events.review import EvaluationEvent, ReviewScreened, ReviewWeighted, ScreeningTerm

from review_service.domain.evaluation_state import Revealed
from review_service.domain.known import Sender, policy_of
from review_service.domain.reweighing import reweighed
from review_service.domain.subject import ReviewRule, Subject

TERMS_MAX = 50
# Detectors come and go, so their terms are no list of ours; but names they are, and no free text.
TERM_NAME = r"^[A-Z][A-Z0-9_]{0,63}$"


class Term(Struct, frozen=True, kw_only=True):
    """One of the things that the detector looked at, and what it found."""

    name: Annotated[str, Meta(pattern=TERM_NAME, max_length=64)]
    value_milli: Annotated[int, Meta(ge=-MINOR_MAX, le=MINOR_MAX)]


class RecordScreening(Struct, frozen=True, kw_only=True):
    """A detector's result: how much of the weight is left, and what it looked at."""

    review_id: Id
    factor_milli: Annotated[int, Meta(ge=50, le=1000)]
    campaign: bool
    terms: Annotated[tuple[Term, ...], Meta(max_length=TERMS_MAX)]
    calibration: Id


class LiftCampaignWeight(Struct, frozen=True, kw_only=True):
    """The time to prove a campaign is over."""

    review_id: Id


def record_screening(subject: Subject, said: RecordScreening, by: Sender) -> list[EvaluationEvent]:
    """Until `review_screening_span` from the reveal; then it changes nothing. The first campaign
    that is seen has `review_campaign_max` to be proven.
    """
    policy = policy_of(subject.sheet, by)
    state = subject.state
    if isinstance(state, Revealed) and by.now >= state.revealed_at + policy.review_screening_span:
        return []
    first = said.campaign and subject.review.campaign_until is None
    return [
        ReviewScreened(
            **subject.ids,
            factor_milli=said.factor_milli,
            campaign=said.campaign,
            campaign_until=utc(by.now) + policy.review_campaign_max if first else None,
            terms=terms_of(said),
            calibration=said.calibration,
        )
    ]


def terms_of(said: RecordScreening) -> list[ScreeningTerm]:
    return [ScreeningTerm(name=term.name, value_milli=term.value_milli) for term in said.terms]


def is_screened_so(subject: Subject, said: RecordScreening, _: Sender) -> bool:
    last = subject.review.last_screening
    return last is not None and (
        (last.factor_milli, last.campaign, last.terms, last.calibration)
        == (said.factor_milli, said.campaign, terms_of(said), said.calibration)
    )


RECORD_SCREENING = ReviewRule(
    RecordScreening,
    record_screening,
    roles=("SYSTEM",),
    repeated=is_screened_so,
    states=("SUBMITTED", "VISIBLE", "HELD", "RESTRICTED"),
    events=(ReviewScreened, ReviewWeighted),
    example=RecordScreening(
        review_id="R-1",
        factor_milli=400,
        campaign=True,
        terms=(Term(name="BURST", value_milli=850),),
        calibration="burst-2026-01",
    ),
)


def lift_campaign_weight(
    subject: Subject, _: LiftCampaignWeight, by: Sender
) -> list[EvaluationEvent]:
    """A campaign that nobody has proven in time is held against the review no longer."""
    until = subject.review.campaign_until
    if until is None or by.now < until:
        return []
    return [*reweighed(subject.state, subject.side, by)]


LIFT_CAMPAIGN_WEIGHT = ReviewRule(
    LiftCampaignWeight,
    lift_campaign_weight,
    roles=("SYSTEM",),
    states=("VISIBLE", "HELD", "RESTRICTED"),
    lapses=True,
    events=(ReviewWeighted,),
    example=LiftCampaignWeight(review_id="R-1"),
)
