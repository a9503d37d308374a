"""Whatever can happen to a review, on whole services: by HTTP what people do, with it and in a
dispute about its order; by the log of returns-service and Kafka that the remedy was carried out.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
from local_stack import blocking
from local_stack.services import Stack
from msgspec import Struct
from msgspec.structs import replace
from shared_events.returns import (
    PaidUnit,
    RefundedUnit,
    RefundIssued,
    RefundLedgerOpened,
    RefundRequested,
)
from shared_events.samples import sample
from shared_runtime.clock import system_clock
from shared_runtime.log import PostgresLog
from shared_runtime.testing import facts

PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.1
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


def until(holds: Callable[[], bool], what: str) -> None:
    """Looks until it holds: other processes are at work, and nothing tells of them."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"not within {PATIENCE_SECONDS:.0f} s: {what}"
        time.sleep(LOOK_SECONDS)


class Person:
    """A client for a service."""

    def __init__(self, stack: Stack, role: str, sub: str, service: str = "review") -> None:
        self._base = stack.description.urls[service]
        self._who = {"Authorization": f"Bearer {stack.token(role, sub)}"}

    def look(self, path: str) -> httpx.Response:
        return httpx.get(f"{self._base}{path}", headers=self._who, timeout=30)

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        answered = self.look(path)
        assert answered.is_success, answered.text
        return answered.json()

    def post(self, path: str, body: dict[str, Any], **headers: str) -> Any:  # noqa: ANN401 - JSON
        sent = self._who | {"Idempotency-Key": str(uuid4())} | headers
        answered = httpx.post(f"{self._base}{path}", json=body, headers=sent, timeout=30)
        assert answered.status_code == 201, f"{path}: {answered.text}"
        return answered.json()

    def tries(self, path: str, body: dict[str, Any]) -> bool:
        """Whether it would be taken; nothing is recorded."""
        sent = self._who | {"Idempotency-Key": str(uuid4())}
        url = f"{self._base}{path}?validate_only=true"
        return httpx.post(url, json=body, headers=sent, timeout=30).is_success

    def judge(self, ref: str, path: str, body: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """On the version that he has just read."""
        version = self.look(f"/v1/reviews/{ref}").headers["ETag"]
        return self.post(f"/v1/reviews/{ref}/{path}", body, **{"If-Match": version})


def refunded(stack: Stack, remedy_id: str) -> None:
    """As returns-service will: in its log, from where its relay brings it to Kafka."""
    refund_id, units = f"F-{MARK}", [RefundedUnit(unit="1/1", amount_minor=1000)]
    paid = {"units": units, "shipping_minor": 0, "total_minor": 1000}
    told = {"refund_id": refund_id, "source": "DISPUTE", "source_id": remedy_id}
    events = (
        of_order(sample(RefundLedgerOpened), units=[PaidUnit(unit="1/1", paid_minor=1000)]),
        of_order(sample(RefundRequested), remedy_id=remedy_id, reissues=None, **told, **paid),
        of_order(sample(RefundIssued), remedy_id=remedy_id, **told, **paid),
    )

    async def record() -> None:
        db = await asyncpg.connect(stack.description.databases["returns"].app_url)
        log = PostgresLog(db, source="/returns-service", now=system_clock)
        await log.append(facts(f"refunds-{ORDER_ID}", *events, at=datetime.now(UTC)))
        await db.close()

    blocking.run(record())


def of_order[E: Struct](event: E, **told: Any) -> E:  # noqa: ANN401
    parties = {"order_id": ORDER_ID, "seller_id": SELLER_ID, "buyer_id": BUYER_ID}
    return replace(event, **parties, **told)


def place(stack: Stack) -> None:
    at = f"{datetime.now(UTC) - timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}"
    line = {"line_id": "1", "sku": "lamp", "category": "home", "quantity": 1, "unit_price": PRICE}
    order = {
        "order_id": ORDER_ID,
        "seller_id": SELLER_ID,
        "buyer_id": BUYER_ID,
        "marketplace_id": "market",
        "country": "FR",
        "currency": "EUR",
        "placed_at": at,
        "lines": [line],
        "shipping": {"amount": 0, "currency": "EUR"},
        "total": PRICE,
        "total_ref": {"amount": 1100, "currency": "USD"},
        "withdrawal_right": True,
    }
    feed = Person(stack, "SYSTEM", "market")
    feed.post("/v1/orders", order)
    feed.post(f"{ORDER}/payment", {"at": at, "payment_ref": "P"})
    feed.post(f"{ORDER}/shipment", {"at": at})
    feed.post(f"{ORDER}/completion", {"at": at})


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
    place(stack)
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
    first.judge(ref, "releases", {})
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
    at = f"/v1/disputes/{dispute['dispute_id']}"
    settled = answering.post(f"{at}/proposals/{asked['proposal_id']}/acceptance", {})
    refunded(stack, settled["remedy"]["remedy_id"])
    until(lambda: complaining.get(at)["stage"] == "CLOSED", "the remedy was carried out")
    assert complaining.get(at)["end"]["refunded"] == PRICE
    until(lambda: codes() == ["CORROBORATED"], "the dispute stands behind the review")
    until(lambda: of_buyer()["revision"] is not None, "who was made good may revise")
    seller.post(f"{mine}/revision-request", {})
    buyer.post(f"{mine}/revision", {"quality": 3, "logistics": 2, "service": 3, "text": "Mended."})
    seller.post(f"{mine}/reply", {"text": "We are sorry."})
    buyer.post(f"{mine}/follow-up", {"text": "It still works."})

    # The seller flags it and is not followed; who kept it is not asked once more.
    flag_id = seller.post(f"{everybodys}/flags", {"reason": "OFF_TOPIC"})["flag_id"]
    analyst.post(f"{everybodys}/holds", {"ground": "FAKE"})
    first.judge(ref, "keeps", {"flag_ids": [flag_id], "rule_ids": ["R-1"]})
    of_seller = seller.post(f"{everybodys}/appeals", {"text": "It is about the carrier."})
    second.judge(ref, f"appeals/{of_seller['appeal_id']}/decision", REASONS | {"outcome": "UPHELD"})

    # It is restricted after all; the author appeals, and is right.
    third = Person(stack, "MODERATOR", "mod-3")
    measures = {"ground": "PERSONAL_DATA", "measures": ["HIDE_REVIEW", "EXCLUDE_SCORE"]}
    third.judge(ref, "restrictions", REASONS | measures)
    assert of_buyer()["weight_milli"] == 0
    of_author = buyer.post(f"{everybodys}/appeals", {"text": "I name nobody."})
    senior.judge(
        ref, f"appeals/{of_author['appeal_id']}/decision", REASONS | {"outcome": "REVERSED"}
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
