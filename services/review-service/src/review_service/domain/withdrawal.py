"""An author's second thoughts in, a review that nobody sees or counts any more out."""

from shared_events.review import EvaluationEvent, ReviewWithdrawn

from review_service.domain.commands import WithdrawReview
from review_service.domain.evaluation_state import Evaluation, Revealed
from review_service.domain.guards import require_known
from review_service.domain.policy import Policies
from review_service.domain.reweighing import with_weight
from review_service.domain.subject import about, require_author


def withdraw_review(
    state: Evaluation, command: WithdrawReview, policies: Policies
) -> list[EvaluationEvent]:
    """Before the reveal the side is empty again; after it this is final. A case goes on."""
    subject = about(state, command)
    require_author(subject, command.actor)
    require_known(command)
    if subject.status == "WITHDRAWN":
        return []
    subject.require("SUBMITTED", "VISIBLE", "HELD")
    before_reveal = not isinstance(subject.state, Revealed)
    withdrawn = ReviewWithdrawn(**subject.ids, before_reveal=before_reveal)
    return with_weight(subject, [withdrawn], command, policies)
