"""What may be asked for about an order that is complete: of whom, by whom, and what is recorded."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from msgspec import Struct

from local_stack.campaign.plan import What

ONE = [{"line_id": "1", "quantity": 1}]


class Asked(Struct, frozen=True, kw_only=True):
    """`path`: with names of what was answered before, which `names` finds in an answer. `after`:
    what must have been taken before. `records`: the event that it leads to, once.
    """

    service: str
    role: Literal["BUYER", "SELLER"]
    path: str
    body: Mapping[str, object]
    names_order: bool = False
    records: str
    after: What | None = None
    names: Callable[[Any], dict[str, str]] = lambda _: {}

    def told(self, order_id: str) -> dict[str, object]:
        return {**self.body, **({"order_id": order_id} if self.names_order else {})}


def _of_review(answer: Any) -> dict[str, str]:  # noqa: ANN401 - JSON
    (review,) = [each for each in answer["reviews"] if each["by"] == "BUYER"]
    return {name: review[name] for name in ("review_id", "ref")}


def _of_dispute(answer: Any) -> dict[str, str]:  # noqa: ANN401 - JSON
    (asked,) = answer["proposals"]
    return {"dispute_id": answer["dispute_id"], "proposal_id": asked["proposal_id"]}


def _of_return(answer: Any) -> dict[str, str]:  # noqa: ANN401 - JSON
    return {"return_id": answer["return_id"]}


REVIEWS = "/v1/orders/{order_id}/evaluation/reviews"
ASKED: Mapping[What, Asked] = {
    "buyers-review": Asked(
        service="review",
        role="BUYER",
        path=REVIEWS,
        body={"quality": 5, "logistics": 4, "service": 5, "incentive": "NONE"},
        records="ReviewSubmitted.v1",
        names=_of_review,
    ),
    "sellers-review": Asked(
        service="review",
        role="SELLER",
        path=REVIEWS,
        body={"rating": 5},
        records="ReviewSubmitted.v1",
        after="buyers-review",
    ),
    "reply": Asked(
        service="review",
        role="SELLER",
        path=f"{REVIEWS}/{{review_id}}/reply",
        body={"text": "Thank you."},
        records="ReplyPublished.v1",
        after="sellers-review",
    ),
    "flag": Asked(
        service="review",
        role="SELLER",
        path="/v1/reviews/{ref}/flags",
        body={"reason": "OFF_TOPIC"},
        records="ReviewFlagged.v1",
        after="reply",
    ),
    "dispute": Asked(
        service="dispute",
        role="BUYER",
        path="/v1/disputes",
        body={
            "reason": "DAMAGED",
            "lines": ONE,
            "outcome": "REFUND_FULL",
            "text": "It came in pieces.",
        },
        names_order=True,
        records="DisputeOpened.v1",
        names=_of_dispute,
    ),
    "acceptance": Asked(
        service="dispute",
        role="SELLER",
        path="/v1/disputes/{dispute_id}/proposals/{proposal_id}/acceptance",
        body={},
        records="ProposalAccepted.v1",
        after="dispute",
    ),
    "withdrawal": Asked(
        service="dispute",
        role="BUYER",
        path="/v1/disputes/{dispute_id}/withdrawal",
        body={},
        records="DisputeWithdrawn.v1",
        after="dispute",
    ),
    "return": Asked(
        service="returns",
        role="BUYER",
        path="/v1/returns",
        body={"kind": "RETURN", "lines": ONE, "reason": "CHANGE_OF_MIND", "wants": "REFUND"},
        names_order=True,
        records="ReturnRequested.v1",
        names=_of_return,
    ),
    "cancellation": Asked(
        service="returns",
        role="BUYER",
        path="/v1/returns/{return_id}/cancellation",
        body={},
        records="ReturnCancelled.v1",
        after="return",
    ),
}
LEADS_TO: Mapping[What, tuple[tuple[str, str], ...]] = {
    "sellers-review": (("review", "ReviewsRevealed.v1"),),
    "dispute": (("review", "EvaluationPaused.v1"),),
    "acceptance": (
        ("returns", "RefundIssued.v1"),
        ("dispute", "DisputeClosed.v1"),
        ("review", "EvaluationResumed.v1"),
    ),
    "withdrawal": (("dispute", "DisputeClosed.v1"),),
    "cancellation": (("returns", "ReturnClosed.v1"),),
}
"""What comes of it by and by, once for its order, in whichever service."""
