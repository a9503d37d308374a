"""Whose fault a late delivery was in, on whose account the star for it goes out."""

from shared_events.review import DimensionReattributed, EvaluationEvent

from review_service.domain.commands import ReattributeDimension
from review_service.domain.evaluation_state import Closed, Evaluation
from review_service.domain.guards import Shape, require_role
from review_service.domain.policy import Policies
from review_service.domain.revision import buyers_review
from review_service.domain.reweighing import with_weight
from review_service.domain.roles import ROLES


def reattribute_dimension(
    state: Evaluation, command: ReattributeDimension, policies: Policies
) -> list[EvaluationEvent]:
    """Away from the seller once, and back. What a cause has done it does not do again."""
    shape = Shape()
    shape.instant("now", command.now)
    shape.id("cause_id", command.cause_id)
    shape.check()
    require_role(command, ROLES[ReattributeDimension])
    subject = buyers_review(state)
    if subject is None or isinstance(state, Closed):
        return []
    review = subject.review
    on_sellers = review.carriage == "SELLER"
    seen = (command.cause_id, command.to) in review.carriages
    if seen or on_sellers == (command.to == "SELLER"):
        return []
    reattributed = DimensionReattributed(
        **subject.ids,
        dimension=command.dimension,
        from_=review.carriage,
        to=command.to,
        cause_id=command.cause_id,
    )
    return with_weight(subject, [reattributed], command, policies)
