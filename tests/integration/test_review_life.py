"""Whatever can happen to a review, on whole services: by HTTP what people do, with it and in a
dispute about its order; by the log of returns-service and Kafka that the remedy was carried out.
"""

from typing import Any
from uuid import uuid4

from local_stack.people import Person, complete_order, until
from local_stack.services import Stack

MARK = uuid4().hex[:8]
ORDER_ID, SELLER_ID, BUYER_ID = f"O-{MARK}", f"S-{MARK}", f"B-{MARK}"
ORDER = f"/v1/orders/{ORDER_ID}"
EVALUATION = f"{ORDER}/evaluation"
SCORE = f"/v1/sellers/{SELLER_ID}/score"
PRICE = {"amount": 1000, "currency": "EUR"}
STARS = {"quality": 1, "logistics": 2, "service": 1, "incentive": "NONE"}
REASONS = {"rule_ids": ["R-3"], "facts": "It says so.", "explanation": "It is against a rule."}
COMPLAINT: dict[str, Any] = {
    "order_id": ORDER_ID,
    "reason": "DAMAGED",
    "lines": [{"line_id": "1", "quantity": 1}],
    "outcome": "REFUND_FULL",
    "text": "It came in pieces.",
}
WHAT_HAPPENED = [
    "EvaluationOpened",
    "EvaluationPaused",
    "ReviewSubmitted",
    "ReviewHeld",
    "ReviewReleased",
    "ReviewSubmitted",
    "ReviewsRevealed",
    "ReviewWeighted",
    "ReviewWeighted",
    "ReviewScreened",
    "ReviewWeighted",
    "ReviewWeighted",
    "RevisionRequested",
    "ReviewRevised",
    "ReviewWeighted",
    "ReplyPublished",
    "FollowUpAppended",
    "ReviewFlagged",
    "ReviewHeld",
    "ReviewWeighted",
    "ReviewKept",
    "ReviewReleased",
    "ReviewWeighted",
    "ModerationAppealed",
    "ModerationAppealDecided",
    "StatementOfReasonsIssued",
    "ReviewRestricted",
    "ReviewWeighted",
    "StatementOfReasonsIssued",
    "ModerationAppealed",
    "ModerationAppealDecided",
    "ReviewRestored",
    "ReviewWeighted",
    "StatementOfReasonsIssued",
    "ReviewWithdrawn",
    "ReviewWeighted",
]


def test_a_review_goes_through_everything_that_can_happen_to_it(  # noqa: PLR0915 - one long life
    stack: Stack,
) -> None:
    buyer, seller = Person(stack, "BUYER", BUYER_ID), Person(stack, "SELLER", SELLER_ID)
    first, second = Person(stack, "MODERATOR", "mod-1"), Person(stack, "MODERATOR", "mod-2")
    senior, analyst = Person(stack, "SENIOR", "sen-1"), Person(stack, "ANALYST", "ana-1")
    auditor = Person(stack, "AUDITOR", "aud-1")
    complaining = Person(stack, "BUYER", BUYER_ID, "dispute")
    answering = Person(stack, "SELLER", SELLER_ID, "dispute")

    def of_buyer() -> dict[str, Any]:
        told = buyer.get(EVALUATION)["reviews"]
        return next(review for review in told if review["by"] == "BUYER")

    def codes() -> list[str]:
        return [reason["code"] for reason in of_buyer()["reasons"]]

    # A dispute stops the clock. Both write all the same; what is held then is nobody's to read.
    complete_order(stack, ORDER_ID, SELLER_ID, BUYER_ID)
    until(lambda: buyer.get(EVALUATION)["state"] == "OPEN", "the evaluation is open")
    until(lambda: complaining.tries("/v1/disputes", COMPLAINT), "dispute-service knows the order")
    dispute = complaining.post("/v1/disputes", COMPLAINT)
    until(lambda: buyer.get(EVALUATION)["state"] == "PAUSED", "the dispute has stopped the clock")
    written = buyer.post(f"{EVALUATION}/reviews", STARS | {"text": "It came in pieces."})
    review_id, ref = (written["reviews"][0][name] for name in ("review_id", "ref"))
    mine, everybodys = f"{EVALUATION}/reviews/{review_id}", f"/v1/reviews/{ref}"
    until(lambda: analyst.look(everybodys).is_success, "the review is known by its name")
    analyst.post(f"{everybodys}/holds", {"ground": "EXTORTION"})
    assert seller.get(EVALUATION)["reviews"] == []
    first.judge(everybodys, "releases", {})
    both = seller.post(f"{EVALUATION}/reviews", {"rating": 2})
    assert both["state"] == "REVEALED"

    # Suspected it is, until the dispute is settled: that stands behind it, and lets him revise.
    found: dict[str, Any] = {
        "factor_milli": 400,
        "campaign": False,
        "terms": [],
        "calibration": "c-1",
    }
    Person(stack, "SYSTEM", "detector").post(f"{everybodys}/screenings", found)
    assert codes() == ["SUSPECT"]
    (asked,) = dispute["proposals"]
    of_dispute = f"/v1/disputes/{dispute['dispute_id']}"
    answering.post(f"{of_dispute}/proposals/{asked['proposal_id']}/acceptance", {})
    until(lambda: complaining.get(of_dispute)["stage"] == "CLOSED", "the remedy was carried out")
    assert complaining.get(of_dispute)["end"]["refunded"] == PRICE
    until(lambda: codes() == ["CORROBORATED"], "the dispute stands behind the review")
    until(lambda: of_buyer()["revision"] is not None, "who was made good may revise")
    seller.post(f"{mine}/revision-request", {})
    buyer.post(f"{mine}/revision", {"quality": 3, "logistics": 2, "service": 3, "text": "Mended."})
    seller.post(f"{mine}/reply", {"text": "We are sorry."})
    buyer.post(f"{mine}/follow-up", {"text": "It still works."})

    # The seller flags it and is not followed; who kept it is not asked once more.
    flag_id = seller.post(f"{everybodys}/flags", {"reason": "OFF_TOPIC"})["flag_id"]
    analyst.post(f"{everybodys}/holds", {"ground": "FAKE"})
    first.judge(everybodys, "keeps", {"flag_ids": [flag_id], "rule_ids": ["R-1"]})
    of_seller = seller.post(f"{everybodys}/appeals", {"text": "It is about the carrier."})
    second.judge(
        everybodys, f"appeals/{of_seller['appeal_id']}/decision", REASONS | {"outcome": "UPHELD"}
    )

    # It is restricted after all; the author appeals, and is right.
    third = Person(stack, "MODERATOR", "mod-3")
    measures = {"ground": "PERSONAL_DATA", "measures": ["HIDE_REVIEW", "EXCLUDE_SCORE"]}
    third.judge(everybodys, "restrictions", REASONS | measures)
    assert of_buyer()["weight_milli"] == 0
    of_author = buyer.post(f"{everybodys}/appeals", {"text": "I name nobody."})
    senior.judge(
        everybodys, f"appeals/{of_author['appeal_id']}/decision", REASONS | {"outcome": "REVERSED"}
    )
    assert (of_buyer()["status"], codes()) == ("VISIBLE", ["CORROBORATED"])

    buyer.post(f"{mine}/withdrawal", {})
    assert codes() == ["WITHDRAWN", "CORROBORATED"]
    score = Person(stack, "AUDITOR", "aud-1", "reputation")
    until(
        lambda: dispute["dispute_id"] in score.look(f"{SCORE}/explain").text,
        "the score counts how the dispute ended",
    )
    happened = auditor.get(f"{EVALUATION}/events?limit=100")["items"]
    kinds = [each["type"].partition(".")[0] for each in happened]
    kinds.remove("RevisionGranted")  # by the end of the dispute, which may outrun the refund
    assert kinds == WHAT_HAPPENED
    until(
        lambda: not auditor.get(f"/v1/sellers/{SELLER_ID}/reviews")["items"],
        "nobody reads it any more",
    )
