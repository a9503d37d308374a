"""Disputes on whole services: orders come over Kafka, deadlines by the stack's clock, money by the
ledgers of returns-service.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from local_stack.people import Person, Provider, complete_order, record, until
from local_stack.services import Stack
from msgspec import Struct
from msgspec.structs import replace
from shared_cli import clock
from shared_events.returns import (
    ClosedUnit,
    ReturnClosed,
    ReturnRequested,
)
from shared_events.samples import sample

MARK = uuid4().hex[:8]
SELLER_ID, BUYER_ID = f"S-{MARK}", f"B-{MARK}"
DAY = timedelta(days=1)
ESCALATION = 3 * DAY
"""After which the platform may be asked."""
LINES = [{"line_id": "1", "quantity": 1}]
WHOLE = {"amount": 1000, "currency": "EUR"}
FULL: dict[str, Any] = {
    "outcome": "REFUND_FULL",
    "lines": LINES,
    "liable": "SELLER",
    "seller_fault_pct": 100,
    "rule_ids": ["R-1"],
    "facts": "The seller has shown nothing.",
    "explanation": "What was sent is another thing.",
}
NOTHING: dict[str, Any] = FULL | {
    "outcome": "REJECTED",
    "lines": [],
    "liable": "BUYER",
    "seller_fault_pct": 0,
    "explanation": "What was sent is what was ordered.",
}
HALF: dict[str, Any] = FULL | {
    "outcome": "REFUND_PARTIAL",
    "amount": {"amount": 500, "currency": "EUR"},
    "seller_fault_pct": 50,
    "explanation": "The lamp was packed badly, and then dropped.",
}
SAID_NOTHING = {"text": None, "media": None, "media_sha256": None}
IN_EVIDENCE = ["DisputeOpened", "ProposalRejected", "DisputeEscalated"]
TO_REVIEW = [
    *IN_EVIDENCE,
    *("EvidenceSubmitted", "EvidenceSubmitted", "EvidenceDisclosed"),
    *("RebuttalSubmitted", "RebuttalSubmitted", "AdjudicationStarted"),
]
IN_REVIEW = [*TO_REVIEW, "AdjudicatorAssigned"]
DECIDED = [*IN_REVIEW, "DisputeDecided", "StatementOfReasonsIssued"]
SPLIT = [*DECIDED, "StatementOfReasonsIssued"]
"""Neither of them got all that he wanted: both are told why."""
FINAL = ["AppealWaived", "AppealWaived", "DisputeFinalized"]
SETTLED = ["ProposalAccepted", "DisputeSettled", "RemedyOrdered"]


class Parties:
    """The buyer and the seller of all these orders, and who reads everything."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.buyer = Person(stack, "BUYER", BUYER_ID, "dispute")
        self.seller = Person(stack, "SELLER", SELLER_ID, "dispute")
        self.auditor = Person(stack, "AUDITOR", "aud-1", "dispute")

    def opens(self, name: str) -> str:
        """A dispute about an order of its own; its path."""
        order_id = order_of(name)
        complete_order(self.stack, order_id, SELLER_ID, BUYER_ID)
        complaint = {
            "order_id": order_id,
            "reason": "DAMAGED",
            "lines": LINES,
            "outcome": "REFUND_FULL",
            "text": "It came in pieces.",
        }
        until(lambda: self.buyer.tries("/v1/disputes", complaint), "the order is known")
        return f"/v1/disputes/{self.buyer.post('/v1/disputes', complaint)['dispute_id']}"

    def answer(self, at: str, how: str) -> Any:  # noqa: ANN401 - JSON
        """The seller says yes or no to what the buyer asks for."""
        (asked,) = self.seller.get(at)["proposals"]
        return self.seller.post(f"{at}/proposals/{asked['proposal_id']}/{how}", {})

    def offer(self, at: str, buyer_minor: int, seller_minor: int) -> Any:  # noqa: ANN401 - JSON
        """Neither sees what the other one offers."""

        def money(amount: int) -> dict[str, Any]:
            return {"amount": {"amount": amount, "currency": "EUR"}}

        self.buyer.post(f"{at}/blind-offers", money(buyer_minor))
        return self.seller.post(f"{at}/blind-offers", money(seller_minor))

    def escalate(self, at: str) -> None:
        until(lambda: self.buyer.tries(f"{at}/escalation", {}), "the services see what time it is")
        self.buyer.post(f"{at}/escalation", {})

    def come_to_review(self, at: str) -> None:
        """With nothing to show."""
        self.reaches(at, "EVIDENCE")
        for who in (self.buyer, self.seller):
            who.post(f"{at}/evidence/submission", {"nothing": True})
        for who in (self.buyer, self.seller):
            who.post(f"{at}/rebuttal", {"text": "It is as I said."})
        self.reaches(at, "REVIEW")

    def is_drawn(self, at: str, level: str) -> None:
        until(lambda: self.auditor.get(at)["adjudicator_level"] == level, f"{level} is drawn")

    def reaches(self, at: str, stage: str) -> None:
        until(lambda: self.auditor.get(at)["stage"] == stage, f"{at} is {stage}")

    def waive(self, at: str) -> None:
        for who in (self.buyer, self.seller):
            who.post(f"{at}/appeals/waiver", {})

    def remedy_of(self, at: str) -> str:
        remedy_id: str = self.auditor.get(at)["remedy"]["remedy_id"]
        return remedy_id

    def time_goes_by(self, time: timedelta) -> None:
        clock.move(Path(self.stack.description.clock_file), time)


class Returns:
    """What returns-service tells of goods that come back, as long as no buyer sends them."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.agent = Person(stack, "AGENT", f"desk-{MARK}", "returns")

    def reissue(self, name: str, provider: Provider) -> None:
        """By another way, once the first one has failed."""
        at = f"/v1/orders/{order_of(name)}/refunds"

        def failed() -> list[str]:
            found = self.agent.look(at)
            refunds: list[dict[str, str]] = found.json()["refunds"] if found.is_success else []
            return [each["refund_id"] for each in refunds if each["state"] == "FAILED_FINAL"]

        until(lambda: bool(failed()), f"the refund of {name} has failed")
        provider.pays(order_of(name))
        (refund_id,) = failed()
        way = {"way": "BANK_TRANSFER", "consented": True}
        self.agent.judge(at, f"{refund_id}/reissue", way)

    def take_back(self, name: str, remedy_id: str) -> None:
        """The piece comes back, and all the money goes out for it."""
        return_id = f"R-{MARK}-{name}"
        whole = {"return_id": return_id, "remedy_id": remedy_id, "kind": "RETURN"}
        units = [ClosedUnit(unit="1/1", result="REFUNDED")]
        record(
            self.stack,
            "returns",
            f"return-{return_id}",
            told(ReturnRequested, name, **whole, **SAID_NOTHING, origin="DISPUTE", units=["1/1"]),
            told(
                ReturnClosed,
                name,
                **whole,
                resolution="REFUNDED",
                units=units,
                refunded_minor=1000,
            ),
        )


def order_of(name: str) -> str:
    return f"O-{MARK}-{name}"


def told(event: type[Struct], name: str, **of: Any) -> Struct:  # noqa: ANN401 - of any event
    parties = {"order_id": order_of(name), "seller_id": SELLER_ID, "buyer_id": BUYER_ID}
    return replace(sample(event), **parties, **of)


@pytest.fixture
def parties(stack: Stack) -> Parties:
    return Parties(stack)


@pytest.fixture
def returns(stack: Stack) -> Returns:
    return Returns(stack)


@pytest.fixture
def agent(stack: Stack) -> Person:
    return Person(stack, "AGENT", f"agent-{MARK}", "dispute")


@pytest.fixture
def senior(stack: Stack) -> Person:
    return Person(stack, "SENIOR", f"senior-{MARK}", "dispute")


def test_the_parties_end_disputes_themselves(
    parties: Parties, returns: Returns, provider: Provider
) -> None:
    names = ("answered", "reissued", "offers", "withdrawn")
    answered, reissued, offers, withdrawn = map(parties.opens, names)
    provider.refuses(order_of("reissued"))
    for at in (answered, reissued):
        assert parties.answer(at, "acceptance")["stage"] == "EXECUTING"
    met = parties.offer(offers, 600, 800)["remedy"]
    assert met["amount"] == {"amount": 700, "currency": "EUR"}  # in the middle
    parties.buyer.post(f"{withdrawn}/withdrawal", {})

    returns.reissue("reissued", provider)
    for at in (answered, reissued, offers):
        parties.reaches(at, "CLOSED")

    for at in (answered, reissued):
        assert parties.auditor.events(at) == ["DisputeOpened", *SETTLED, "DisputeClosed"]
    assert parties.auditor.get(reissued)["end"]["refunded"]["amount"] == 1000
    assert parties.auditor.events(offers) == [
        *("DisputeOpened", "BlindOfferMade", "BlindOfferMade"),
        *("DisputeSettled", "RemedyOrdered", "DisputeClosed"),
    ]
    assert parties.auditor.events(withdrawn) == [
        *("DisputeOpened", "DisputeWithdrawn", "DisputeClosed")
    ]


def test_time_ends_what_nobody_ends(parties: Parties, returns: Returns) -> None:
    silent, apart, undecided = map(parties.opens, ("silent", "apart", "undecided"))
    made = parties.offer(apart, 800, 600)
    assert (made["stage"], made["remedy"]) == ("NEGOTIATING", None)
    parties.answer(undecided, "rejection")

    # The silent seller is judged, and the platform takes the others over.
    parties.time_goes_by(7 * DAY)
    parties.reaches(silent, "EXECUTING")
    parties.come_to_review(undecided)
    returns.take_back("silent", parties.remedy_of(silent))
    parties.reaches(silent, "CLOSED")
    parties.reaches(apart, "EVIDENCE")
    parties.buyer.post(f"{apart}/withdrawal", {})

    # Nobody decides: the marketplace bears it.
    parties.time_goes_by(7 * DAY)
    until(lambda: parties.auditor.events(undecided)[-1] == "DecisionOverdue", "it is overdue")
    parties.time_goes_by(30 * DAY)
    parties.reaches(undecided, "EXECUTING")
    assert parties.auditor.get(undecided)["remedy"]["liable"] == "PLATFORM"
    returns.take_back("undecided", parties.remedy_of(undecided))
    parties.reaches(undecided, "CLOSED")

    assert parties.auditor.events(silent) == [
        *("DisputeOpened", "DefaultJudgementGiven", "RemedyOrdered", "StatementOfReasonsIssued"),
        "DisputeClosed",
    ]
    assert parties.auditor.events(apart) == [
        *("DisputeOpened", "BlindOfferMade", "BlindOfferMade", "DisputeEscalated"),
        *("DisputeWithdrawn", "DisputeClosed"),
    ]
    assert parties.auditor.events(undecided) == [
        *TO_REVIEW,
        *("DecisionOverdue", "PlatformDefaultGiven", "DisputeFinalized", "RemedyOrdered"),
        "DisputeClosed",
    ]


def test_people_decide_for_each_side_for_both_and_against_abuse(
    parties: Parties, agent: Person
) -> None:
    names = ("right", "wrong", "split", "abuse")
    right, wrong, split, abuse = map(parties.opens, names)
    for at in (right, wrong, split, abuse):
        parties.answer(at, "rejection")
    parties.time_goes_by(ESCALATION)
    for at in (right, wrong, split, abuse):
        parties.escalate(at)
    agent.put("/v1/adjudication/duty", {})
    for at in (right, wrong, split, abuse):
        parties.come_to_review(at)
        parties.is_drawn(at, "AGENT")
    agent.judge(right, "decision", FULL)
    agent.judge(wrong, "decision", NOTHING)
    agent.judge(split, "decision", HALF)
    agent.judge(abuse, "decision", NOTHING | {"buyer_abuse": True})
    for at in (right, wrong, split):
        parties.waive(at)
    parties.time_goes_by(7 * DAY)  # nobody appeals
    for at in (right, wrong, split, abuse):
        parties.reaches(at, "CLOSED")

    executed = [*FINAL, "RemedyOrdered", "DisputeClosed"]
    assert parties.auditor.events(right) == [*DECIDED, *executed]
    assert parties.auditor.events(split) == [*SPLIT, *executed]
    assert parties.auditor.events(wrong) == [*DECIDED, *FINAL, "DisputeClosed"]
    assert parties.auditor.events(abuse) == [*DECIDED, "DisputeFinalized", "DisputeClosed"]


def test_who_is_not_content_appeals_and_a_senior_decides_otherwise(
    parties: Parties, agent: Person, senior: Person
) -> None:
    at = parties.opens("appealed")
    parties.answer(at, "rejection")
    parties.time_goes_by(ESCALATION)
    parties.escalate(at)
    agent.put("/v1/adjudication/duty", {})
    senior.put("/v1/adjudication/duty", {})
    parties.come_to_review(at)
    parties.is_drawn(at, "AGENT")
    agent.judge(at, "decision", HALF)
    ground = {"ground": "MANIFEST_ERROR", "text": "The pictures are of another lamp."}
    parties.buyer.post(f"{at}/appeals", ground)
    parties.is_drawn(at, "SENIOR")
    parties.seller.post(f"{at}/appeals", ground)
    for appeal, who in zip(senior.get(at)["appeals"], (parties.seller, parties.buyer), strict=True):
        who.post(f"{at}/appeals/{appeal['appeal_id']}/answer", {"text": "They are not."})
    senior.judge(at, "appeals/decision", FULL | {"result": "REVERSED"})
    parties.reaches(at, "CLOSED")
    assert parties.auditor.events(at) == [
        *SPLIT,
        *("DisputeAppealed", "AdjudicatorAssigned", "DisputeAppealed"),
        *("AppealAnswered", "AppealAnswered"),
        *("DisputeAppealDecided", "DisputeFinalized", "RemedyOrdered"),
        *("StatementOfReasonsIssued", "DisputeClosed"),  # the buyer has got what he asked for
    ]
