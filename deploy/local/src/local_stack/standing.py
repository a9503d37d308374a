"""A seller on a running stack and everybody around his standing: buyers who ask, rate and complain,
and staff who look at what he does. One step of his story after the other, for tests and the demo.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from local_stack.people import Person, complete_order, now, until
from local_stack.services import Stack

DAY = timedelta(days=1)
PRICE_MINOR = 5000
LINES = [{"line_id": "1", "quantity": 1}]
STARS = {"quality": 5, "logistics": 5, "service": 5, "incentive": "NONE"}
AGAINST_THE_SELLER: dict[str, Any] = {
    "outcome": "REFUND_FULL",
    "lines": LINES,
    "liable": "SELLER",
    "seller_fault_pct": 100,
    "rule_ids": ["R-1"],
    "facts": "The seller has shown nothing.",
    "explanation": "What was sent is not what was ordered.",
}
FAKED: dict[str, Any] = {
    "points": 24,
    "rule_ids": ["P-3"],
    "facts": "Eleven of fourteen orders were paid from one account.",
    "explanation": "Orders were made up so that they could be rated.",
}
NOT_FAKED: dict[str, Any] = {
    "outcome": "REVERSED",
    "rule_ids": ["P-3"],
    "facts": "The account belongs to a company that buys for its people.",
    "explanation": "The orders were real, and so are the ratings.",
}


class Standing:
    """`move` moves the stack's clock ahead. A seller of his own, unless another one is named."""

    def __init__(
        self,
        stack: Stack,
        mark: str,
        move: Callable[[timedelta], object],
        seller_id: str | None = None,
    ) -> None:
        self.stack = stack
        self.mark = mark
        self.move = move
        self.seller_id = seller_id or f"S-{mark}"
        self.seller = self._seller("reputation")
        self.auditor = Person(stack, "AUDITOR", f"auditor-{mark}", "reputation")
        self.at = f"/v1/sellers/{self.seller_id}"
        self.case = ""

    def _seller(self, service: str) -> Person:
        return Person(self.stack, "SELLER", self.seller_id, service)

    def _staff(self, role: str, name: str, service: str = "reputation") -> Person:
        return Person(self.stack, role, f"{name}-{self.mark}", service)

    # --- What is shown of him

    def score(self) -> Any:  # noqa: ANN401 - JSON
        return self.seller.get(f"{self.at}/score")

    def points(self) -> Any:  # noqa: ANN401 - JSON
        return self.seller.get(f"{self.at}/points")

    def explained(self, dimension: str) -> Any:  # noqa: ANN401 - JSON
        return self.auditor.get(f"{self.at}/score/explain")["dimensions"][dimension]

    def observed(self, dimension: str) -> int:
        """How many events are in that part of the score; none of a seller who is not known yet."""
        found = self.auditor.look(f"{self.at}/score/explain")
        return found.json()["dimensions"][dimension]["events"] if found.is_success else 0

    def until_observed(self, dimension: str, events: int) -> None:
        what = f"{events} events in {dimension}"
        until(lambda: self.observed(dimension) == events, what)

    def until_balance(self, balance: int) -> None:
        until(lambda: self.points()["balance"] == balance, f"a balance of {balance}")

    # --- His story

    def is_rated(self, orders: int) -> None:
        """By so many buyers, with all stars; and evaluated twice, as a level needs. Then it is
        noon: no day ends while his story goes on, and nothing grows older.
        """
        for number in range(orders):
            buyer_id, order_id = f"B-{self.mark}-{number}", f"O-{self.mark}-{number}"
            complete_order(self.stack, order_id, self.seller_id, buyer_id, price_minor=PRICE_MINOR)
        for number in range(orders):
            self._rates(f"O-{self.mark}-{number}", f"B-{self.mark}-{number}")
        self.until_observed("quality", orders)
        at = now(self.stack)
        self.move(at.replace(hour=12, minute=0, second=0) + 15 * DAY - at)

    def _rates(self, order_id: str, buyer_id: str) -> None:
        evaluation = f"/v1/orders/{order_id}/evaluation"
        buyer = Person(self.stack, "BUYER", buyer_id)
        until(lambda: buyer.look(evaluation).is_success, "the evaluation is open")
        buyer.post(f"{evaluation}/reviews", STARS)
        self._seller("review").post(f"{evaluation}/reviews", {"rating": 5})

    def _sells(self, name: str) -> tuple[str, str]:
        """An order more, and its buyer."""
        order_id, buyer_id = f"O-{self.mark}-{name}", f"B-{self.mark}-{name}"
        complete_order(self.stack, order_id, self.seller_id, buyer_id, price_minor=PRICE_MINOR)
        return order_id, buyer_id

    def answers_late(self) -> str:
        """A question, after two days where one is allowed; its id."""
        order_id, buyer_id = self._sells("asked")
        buyer = Person(self.stack, "BUYER", buyer_id, "dispute")
        asked = {"order_id": order_id, "topic": "PRODUCT", "text": "Does it come with a charger?"}
        until(lambda: buyer.tries("/v1/inquiries", asked), "the order is known")
        inquiry_id: str = buyer.post("/v1/inquiries", asked)["inquiry_id"]
        at = f"/v1/inquiries/{inquiry_id}"
        before = self.observed("inquiries")
        self.move(2 * DAY)
        self._seller("dispute").post(f"{at}/answer", {"text": "It does."})
        buyer.post(f"{at}/closing", {})
        self.until_observed("inquiries", before + 1)
        return inquiry_id

    def loses_a_dispute(self) -> str:
        """He says no, shows nothing, and the platform decides; the id of the dispute."""
        order_id, buyer_id = self._sells("disputed")
        buyer, seller = Person(self.stack, "BUYER", buyer_id, "dispute"), self._seller("dispute")
        complaint = {
            "order_id": order_id,
            "reason": "DAMAGED",
            "lines": LINES,
            "outcome": "REFUND_FULL",
            "text": "It came in pieces.",
        }
        until(lambda: buyer.tries("/v1/disputes", complaint), "the order is known")
        dispute_id: str = buyer.post("/v1/disputes", complaint)["dispute_id"]
        at = f"/v1/disputes/{dispute_id}"
        (asked,) = seller.get(at)["proposals"]
        seller.post(f"{at}/proposals/{asked['proposal_id']}/rejection", {})
        self.move(3 * DAY)
        until(lambda: buyer.tries(f"{at}/escalation", {}), "the platform may be asked")
        buyer.post(f"{at}/escalation", {})
        self._staff("AGENT", "agent", "dispute").put("/v1/adjudication/duty", {})
        self._is_heard(at, buyer, seller)
        self._adjudicator_of(at).judge(at, "decision", AGAINST_THE_SELLER)
        for who in (buyer, seller):
            who.post(f"{at}/appeals/waiver", {})
        until(lambda: buyer.get(at)["stage"] == "CLOSED", "the buyer has his money")
        return dispute_id

    def _is_heard(self, at: str, buyer: Person, seller: Person) -> None:
        """Neither side has anything to show."""

        def reaches(stage: str) -> None:
            until(lambda: buyer.get(at)["stage"] == stage, f"the dispute is in {stage}")

        reaches("EVIDENCE")
        for who in (buyer, seller):
            who.post(f"{at}/evidence/submission", {"nothing": True})
        for who in (buyer, seller):
            who.post(f"{at}/rebuttal", {"text": "It is as I said."})
        reaches("REVIEW")

    def _adjudicator_of(self, at: str) -> Person:
        """Whoever of those on duty was drawn."""
        auditor = Person(self.stack, "AUDITOR", f"auditor-{self.mark}", "dispute")
        until(lambda: auditor.get(at)["adjudicator_id"] is not None, "an adjudicator is drawn")
        return Person(self.stack, "AGENT", auditor.get(at)["adjudicator_id"], "dispute")

    def is_fined(self) -> None:
        """For ratings that are taken for made up. What he says does not help."""
        suspicion = {
            "account_kind": "SELLER",
            "account_id": self.seller_id,
            "rule": "FAKE_TRANSACTION",
            "cause_key": f"ring-{self.mark}",
            "evidence_event_ids": ["01956f2e-7c00-7000-8000-00000000002a"],
            "detection": "ANALYST",
        }
        case = self._staff("ANALYST", "analyst").post("/v1/cases", suspicion)
        self.case = f"/v1/cases/{case['case_id']}"
        self.seller.post(f"{self.case}/statement", {"text": "They are customers."})
        self._staff("ANALYST", "another").judge(self.case, "confirmation", FAKED)

    def appeals(self) -> None:
        self.seller.post(f"{self.case}/appeals", {"text": "One company buys for its people."})

    def is_proved_right(self) -> None:
        """By somebody who has not decided before."""
        self._staff("SENIOR", "senior").judge(self.case, "appeals/decision", NOT_FAKED)
