"""Returns and disputes on whole services: one becomes the other, decides it, or orders it, up to
what the seller's score makes of it.

Each story ends with all that has happened, and with the ledger of its order. All of them are lived
side by side.
"""

from typing import Any

import pytest
from local_stack.lives import Story, Until
from local_stack.people import Person
from local_stack.returning import DAY, ONE, RETURNS, Lives, Returning

BACK = (
    *("ReturnRequested", "ReturnAuthorized", "LabelIssued"),
    *("ReturnScanned", "ReturnScanned"),
)
REPLACED = ("ReplacementReserved", "ExchangeShipped", "ExchangeDelivered")
SETTLED = ("DisputeOpened", "ProposalAccepted", "DisputeSettled", "RemedyOrdered")
COMPLAINT = {
    "reason": "DAMAGED",
    "lines": ONE,
    "text": "It came in pieces.",
}
DECISION: dict[str, Any] = {
    "outcome": "RETURN_AND_REFUND",
    "lines": ONE,
    "liable": "SELLER",
    "seller_fault_pct": 100,
    "rule_ids": ["R-1"],
    "facts": "The seller has shown nothing.",
    "explanation": "What was sent had been broken before.",
}
IN_REVIEW = (
    *("DisputeOpened", "ProposalRejected", "DisputeEscalated"),
    *("EvidenceSubmitted", "EvidenceSubmitted", "EvidenceDisclosed"),
    *("RebuttalSubmitted", "RebuttalSubmitted", "AdjudicationStarted", "AdjudicatorAssigned"),
)


def complains(order: Returning, outcome: str = "RETURN_AND_REFUND") -> Story:
    body = COMPLAINT | {"order_id": order.order_id, "outcome": outcome}
    yield from order.tells(order.person("BUYER", "dispute"), "/v1/disputes", body)
    yield order.dispute_is("NEGOTIATING")


def remedied(order: Returning) -> Story:
    """A dispute has ordered a return, which is there."""

    def ordered() -> list[str]:
        return [each["return_id"] for each in order.buyer.get(RETURNS)["items"]]

    yield Until(lambda: len(ordered()) == 1, ordered)
    order.at = f"{RETURNS}/{ordered()[0]}"


def a_contested_inspection_becomes_a_dispute(order: Returning) -> Story:
    """In which the seller gives in: what he would not pay as a return he pays as a remedy."""
    yield from order.ordered()
    yield from order.asks(reason="DEFECTIVE")
    yield from order.come_back()
    order.rejected("USED")
    words = {"ground": "REJECTED", "units": ["1/1"], "text": "I have not used it."}
    order.buyer.post(f"{order.at}/contest", words)
    yield order.dispute_is("NEGOTIATING")
    order.seller_gives_in()
    yield order.dispute_is("CLOSED")
    yield from order.ends("CONTESTED", *BACK, "UnitsRejected", "ReturnContested", "ReturnClosed")
    order.gave(("DISPUTE", "SETTLED", {"1/1": 1000}), left={"1/1": 0})
    assert order.dispute_events() == [
        *("DisputeOpened", "EvidenceLodged", "EvidenceShared"),
        *("ProposalAccepted", "DisputeSettled", "RemedyOrdered", "DisputeClosed"),
    ]


def a_dispute_decides_over_an_open_return(order: Returning) -> Story:
    """The buyer has withdrawn meanwhile: that return carries out what the dispute has ordered."""
    yield from order.ordered()
    yield from complains(order)
    yield from order.declares_withdrawal(order.buyer)
    order.confirms_withdrawal(order.buyer)
    yield from order.labelled()
    yield 5 * DAY  # the seller does not answer
    yield order.until("RemedyAttached")
    yield from order.scanned("HANDED_OVER")
    yield from order.scanned("DELIVERED_BACK")
    order.accepted()
    yield order.dispute_is("CLOSED")
    yield from order.ends(
        "REFUNDED",
        *("WithdrawalDeclared", "WithdrawalConfirmed", "ReturnAuthorized", "LabelIssued"),
        *("RemedyAttached", "ReturnScanned", "ReturnScanned", "UnitsAccepted", "ReturnClosed"),
    )
    order.gave(("WITHDRAWAL", "SETTLED", {"1/1": 610}), left={"1/1": 390})
    assert order.dispute_events() == [
        *("DisputeOpened", "DefaultJudgementGiven", "RemedyOrdered", "StatementOfReasonsIssued"),
        "DisputeClosed",
    ]


def a_dispute_orders_another_one_for_the_first(order: Returning) -> Story:
    """Its part is done when the other one is on its way."""
    yield from order.ordered()
    yield from complains(order, "EXCHANGE")
    order.seller_gives_in()
    yield from remedied(order)
    yield from order.come_back()
    order.accepted()
    yield from order.replaced("1/1.r1")
    yield order.dispute_is("CLOSED")
    yield from order.ends("EXCHANGED", *BACK, "UnitsAccepted", *REPLACED, "ReturnClosed")
    yield order.until_moved()
    order.gave(left={"1/1": 0, "1/1.r1": 1000})
    assert order.dispute_events() == [*SETTLED, "DisputeClosed"]


def a_dispute_orders_another_one_and_the_first_stays(order: Returning) -> Story:
    yield from order.ordered()
    yield from complains(order, "REPLACEMENT_NO_RETURN")
    order.seller_gives_in()
    yield from remedied(order)
    yield from order.replaced("1/1.r1")
    yield order.dispute_is("CLOSED")
    yield from order.ends(
        "REPLACED", "ReturnRequested", "ReturnAuthorized", *REPLACED, "ReturnClosed"
    )
    yield order.until_moved()
    order.gave(left={"1/1": 0, "1/1.r1": 1000})
    assert order.dispute_events() == [*SETTLED, "DisputeClosed"]


def from_a_decision_to_the_score(order: Returning) -> Story:
    """Decided by the desk, carried out as a return, paid, over, and in the seller's score."""
    buyer, seller = order.person("BUYER", "dispute"), order.person("SELLER", "dispute")
    auditor = order.person("AUDITOR", "dispute")
    yield from order.ordered()
    yield from complains(order)
    (asked,) = seller.get(order.dispute)["proposals"]
    seller.post(f"{order.dispute}/proposals/{asked['proposal_id']}/rejection", {})
    before = score(order)
    yield 3 * DAY
    yield from order.tells(buyer, f"{order.dispute}/escalation", {})
    yield order.dispute_is("EVIDENCE")
    for who in (buyer, seller):
        who.post(f"{order.dispute}/evidence/submission", {"nothing": True})
    for who in (buyer, seller):
        who.post(f"{order.dispute}/rebuttal", {"text": "It is as I said."})
    agent = order.person("AGENT", "dispute")
    agent.put("/v1/adjudication/duty", {})

    def drawn() -> str | None:
        adjudicator: str | None = auditor.get(order.dispute)["adjudicator_id"]
        return adjudicator

    yield Until(lambda: drawn() is not None, order.dispute_events)
    agent.delete("/v1/adjudication/duty")
    judge = Person(order.stack, "AGENT", drawn() or "", "dispute")
    judge.judge(order.dispute, "decision", DECISION)
    for who in (buyer, seller):
        who.post(f"{order.dispute}/appeals/waiver", {})

    yield from remedied(order)
    yield from order.come_back()
    order.accepted()
    yield order.dispute_is("CLOSED")
    yield from order.ends("REFUNDED", *BACK, "UnitsAccepted", "ReturnClosed")
    order.gave(("RETURN", "SETTLED", {"1/1": 1000}), left={"1/1": 0})
    assert auditor.get(order.dispute)["end"]["refunded"] == {"amount": 1000, "currency": "EUR"}
    assert order.dispute_events() == [
        *(*IN_REVIEW, "DisputeDecided", "StatementOfReasonsIssued", "AppealWaived"),
        *("AppealWaived", "DisputeFinalized", "RemedyOrdered", "DisputeClosed"),
    ]
    yield Until(lambda: score(order) < before, lambda: (before, score(order)))


def score(order: Returning) -> int:
    """Of the seller, in millionths."""
    found = order.person("AUDITOR", "reputation").get(f"/v1/sellers/{order.seller_id}/score")
    micro: int = found["score_micro"]
    return micro


STORIES = {
    tell.__name__: tell
    for tell in (
        a_contested_inspection_becomes_a_dispute,
        a_dispute_decides_over_an_open_return,
        a_dispute_orders_another_one_for_the_first,
        a_dispute_orders_another_one_and_the_first_stays,
        from_a_decision_to_the_score,
    )
}


@pytest.fixture(scope="module")
def lived(lives: Lives) -> dict[str, Exception]:
    return lives(STORIES)


@pytest.mark.parametrize("story", STORIES)
def test_a_return_and_a_dispute(lived: dict[str, Exception], story: str) -> None:
    if failure := lived.get(story):
        raise failure
