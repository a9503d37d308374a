"""An author's second thoughts in, a review that nobody sees or counts any more out."""

from msgspec import Struct
from shared_events.fields import Id
from shared_events.review import EvaluationEvent, ReviewWeighted, ReviewWithdrawn

from review_service.domain.evaluation_state import Revealed
from review_service.domain.known import Sender
from review_service.domain.subject import AUTHOR, PERSON, ReviewRule, Subject


class WithdrawReview(Struct, frozen=True, kw_only=True):
    """Nobody is to read it any more."""

    review_id: Id


def withdraw_review(subject: Subject, _: WithdrawReview, __: Sender) -> list[EvaluationEvent]:
    """Before the reveal the side is empty again; after it this is final. A case goes on."""
    before_reveal = not isinstance(subject.state, Revealed)
    return [ReviewWithdrawn(**subject.ids, before_reveal=before_reveal)]


def is_withdrawn(subject: Subject, _: object, __: Sender) -> bool:
    return subject.status == "WITHDRAWN"


WITHDRAW_REVIEW = ReviewRule(
    WithdrawReview,
    withdraw_review,
    roles=("BUYER", "SELLER"),
    party=AUTHOR,
    barred=PERSON,
    repeated=is_withdrawn,
    states=("SUBMITTED", "VISIBLE", "HELD"),
    events=(ReviewWithdrawn, ReviewWeighted),
    example=WithdrawReview(review_id="R-1"),
)
