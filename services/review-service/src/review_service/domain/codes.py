"""What other streams say of a review in, its weight with the codes that follow from it out."""

from collections.abc import Iterable
from typing import Annotated

from msgspec import Struct
from shared_events.fields import Holds, Id
from shared_events.review import EvaluationEvent, ReviewWeighted, WeightCode

from review_service.domain.known import Sender, facts_of
from review_service.domain.reweighing import reweighed
from review_service.domain.subject import ReviewRule, Subject
from review_service.domain.weight import FOLLOWING, LIFTING, TABLE, codes_elsewhere

GIVEN = FOLLOWING | frozenset[WeightCode]({"CAMPAIGN_UNPROVEN"})


def may_be_given(codes: Iterable[WeightCode]) -> bool:
    return GIVEN.issuperset(codes)


type CodeList = Annotated[
    tuple[WeightCode, ...], Holds(may_be_given, ", ".join(code for code in TABLE if code in GIVEN))
]


class ReweighReview(Struct, frozen=True, kw_only=True):
    """Codes that follow from other streams."""

    review_id: Id
    add: CodeList = ()
    remove: CodeList = ()


def reweigh_review(subject: Subject, said: ReweighReview, by: Sender) -> list[EvaluationEvent]:
    """One that stands goes when it is told to; but what lifts a suspicion does not go away."""
    review = subject.review
    given = (review.codes & FOLLOWING) | codes_elsewhere(review, facts_of(by))
    given |= frozenset(said.add)
    gone = frozenset(said.remove) - frozenset(LIFTING)
    return [*reweighed(subject.state, subject.side, by, given - gone)]


REWEIGH_REVIEW = ReviewRule(
    ReweighReview,
    reweigh_review,
    roles=("SYSTEM",),
    states=("VISIBLE", "HELD", "RESTRICTED", "WITHDRAWN"),
    lapses=True,
    events=(ReviewWeighted,),
    example=ReweighReview(review_id="R-1", add=("CORROBORATED",)),
)
