"""The money of orders on whole services: what orders and disputes tell comes over Kafka, what
people do by HTTP, and the sandbox of a payment provider pays.
"""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from local_stack.people import Person, Provider, complete_order, now, until
from local_stack.services import Stack

MARK = uuid4().hex[:8]
SELLER_ID, BUYER_ID = f"S-{MARK}", f"B-{MARK}"
LINES = [{"line_id": "1", "quantity": 1}]
WHOLE = {"amount": 1000, "currency": "EUR"}
PAID = ["RefundSettled", "RefundIssued"]
SETTLED = ["DisputeOpened", "ProposalAccepted", "DisputeSettled", "RemedyOrdered"]


class Money:
    """The parties of these orders, the desk, and the bank."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.buyer = Person(stack, "BUYER", BUYER_ID, "returns")
        self.seller = Person(stack, "SELLER", SELLER_ID, "returns")
        self.agent = Person(stack, "AGENT", f"agent-{MARK}", "returns")
        self.auditor = Person(stack, "AUDITOR", "aud-1", "returns")
        self.bank = Person(stack, "SYSTEM", "bank", "returns")
        self.market = Person(stack, "SYSTEM", "market")

    def order(self, name: str) -> str:
        """One that is complete, with its ledger; the path of that."""
        complete_order(self.stack, order_of(name), SELLER_ID, BUYER_ID)
        return self.opened(name)

    def opened(self, name: str) -> str:
        at = ledger_of(name)
        until(lambda: self.auditor.look(at).is_success, f"the ledger of {name} is open")
        return at

    def cancel(self, name: str) -> None:
        """Paid, and sent by nobody."""
        told = {"at": f"{now(self.stack):%Y-%m-%dT%H:%M:%SZ}", "by": "SELLER", "reason": "GONE"}
        self.market.post(f"/v1/orders/{order_of(name)}/cancellation", told)

    def happens(self, at: str, *types: str) -> None:
        """These, and nothing else."""
        until(lambda: self.auditor.events(at) == [*types], f"{at}: {types}")

    def sums(self, at: str) -> dict[str, int]:
        told = self.buyer.get(at)["sums"]
        return {name: money["amount"] for name, money in told.items() if money and money["amount"]}

    def settle(self, name: str) -> str:
        """A dispute in which the seller gives the buyer his money back; its path."""
        buyer = Person(self.stack, "BUYER", BUYER_ID, "dispute")
        seller = Person(self.stack, "SELLER", SELLER_ID, "dispute")
        complaint = {
            "order_id": order_of(name),
            "reason": "DAMAGED",
            "lines": LINES,
            "outcome": "REFUND_FULL",
            "text": "It came in pieces.",
        }
        until(lambda: buyer.tries("/v1/disputes", complaint), "the order is known")
        at = f"/v1/disputes/{buyer.post('/v1/disputes', complaint)['dispute_id']}"
        (asked,) = seller.get(at)["proposals"]
        seller.post(f"{at}/proposals/{asked['proposal_id']}/acceptance", {})
        return at

    def dispute_is_over(self, at: str) -> Any:  # noqa: ANN401 - JSON
        auditor = Person(self.stack, "AUDITOR", "aud-1", "dispute")
        until(lambda: auditor.get(at)["stage"] == "CLOSED", f"{at} is over")
        assert auditor.events(at) == [*SETTLED, "DisputeClosed"]
        return auditor.get(at)["end"]


def order_of(name: str) -> str:
    return f"O-{MARK}-{name}"


def ledger_of(name: str) -> str:
    return f"/v1/orders/{order_of(name)}/refunds"


@pytest.fixture
def money(stack: Stack) -> Money:
    return Money(stack)


def test_a_dispute_orders_money_the_ledger_gives_it_and_the_dispute_is_over(money: Money) -> None:
    at = money.order("disputed")
    assert money.sums(at) == {"paid": 1000, "refundable": 1000}
    dispute = money.settle("disputed")
    assert money.dispute_is_over(dispute)["refunded"] == WHOLE
    money.happens(at, "RefundLedgerOpened", "RefundRequested", *PAID)
    assert money.sums(at) == {"paid": 1000, "settled": 1000, "borne_by_seller": 1000}
    (refund,) = money.buyer.get(at)["refunds"]
    assert (refund["source"], refund["total"], refund["state"]) == ("DISPUTE", WHOLE, "SETTLED")


def test_money_that_has_failed_goes_another_way_and_the_dispute_is_over(
    money: Money, provider: Provider
) -> None:
    provider.refuses(order_of("failed"))
    at = money.order("failed")
    dispute = money.settle("failed")
    money.happens(at, "RefundLedgerOpened", "RefundRequested", "RefundFailed")
    (refund,) = money.agent.get(at)["refunds"]
    failed = refund["refund_id"]
    cases = "/v1/refunds/cases?kind=FAILED&limit=100"
    until(
        lambda: failed in [each["refund"]["refund_id"] for each in money.agent.get(cases)["items"]],
        "it is a case for the desk",
    )
    provider.pays(order_of("failed"))
    way = {"way": "BANK_TRANSFER", "consented": True}
    shown = money.agent.judge(at, f"{failed}/reissue", way)
    assert [each["state"] for each in shown["refunds"]] == ["FAILED_FINAL", "REQUESTED"]
    assert money.dispute_is_over(dispute)["refunded"] == WHOLE
    money.happens(
        at,
        *("RefundLedgerOpened", "RefundRequested", "RefundFailed"),
        *("RefundRequested", *PAID),
    )


def test_an_order_that_is_cancelled_gives_its_money_back_but_for_what_the_bank_has(
    money: Money, stack: Stack
) -> None:
    at = paid_order(stack, money, "cancelled")
    back = {"outside_id": f"cb-{MARK}", "kind": "CHARGEBACK", "amount": WHOLE | {"amount": 400}}
    money.bank.post(f"{at}/outside", back)
    money.cancel("cancelled")
    until(lambda: money.sums(at).get("settled") == 600, "what the bank has left is given")
    money.bank.post(f"{at}/outside/cb-{MARK}/undoing", {})
    money.happens(
        at,
        *("RefundLedgerOpened", "OutsideRefundRecorded", "RefundRequested", *PAID),
        *("OutsideRefundUndone", "RefundRequested", *PAID),
    )
    assert money.sums(at) == {"paid": 1000, "settled": 1000, "borne_by_seller": 1000}


def paid_order(stack: Stack, money: Money, name: str) -> str:
    """One that is not complete, so that it can be cancelled; the path of its ledger."""
    at = f"{now(stack):%Y-%m-%dT%H:%M:%SZ}"
    line = {"line_id": "1", "sku": "lamp", "category": "home", "quantity": 1, "unit_price": WHOLE}
    order = {
        "order_id": order_of(name),
        "seller_id": SELLER_ID,
        "buyer_id": BUYER_ID,
        "marketplace_id": "market",
        "country": "FR",
        "currency": "EUR",
        "placed_at": at,
        "lines": [line],
        "shipping": WHOLE | {"amount": 0},
        "total": WHOLE,
        "total_ref": {"amount": 1100, "currency": "USD"},
        "withdrawal_right": True,
    }
    money.market.post("/v1/orders", order)
    assert money.auditor.look(ledger_of(name)).status_code == httpx.codes.NOT_FOUND
    money.market.post(f"/v1/orders/{order_of(name)}/payment", {"at": at, "payment_ref": "P"})
    return money.opened(name)


def test_finance_finds_the_money_of_all_orders(money: Money) -> None:
    at = money.order("given")
    body = {"goodwill": WHOLE | {"amount": 300}}
    money.seller.judge(at, "goodwill", body)

    def listed() -> list[str]:
        items = money.seller.get("/v1/refunds?state=SETTLED&limit=100")["items"]
        return [each["order_id"] for each in items]

    until(lambda: order_of("given") in listed(), "it is in the seller's list")
    lines = money.seller.look("/v1/refunds/export?format=ndjson").text.splitlines()
    assert len([line for line in lines if order_of("given") in line]) == 1
    days = money.seller.get("/v1/refunds/figures")["days"]
    assert sum(each["settled"]["amount"]["amount"] for each in days) >= 300


def test_a_worker_that_is_killed_between_any_two_steps_loses_nothing(
    money: Money, stack: Stack
) -> None:
    worker = stack.services["returns-worker"]
    worker.kill()
    complete_order(stack, order_of("killed"), SELLER_ID, BUYER_ID)
    dispute = money.settle("killed")
    worker.start()
    worker.wait_ready()
    at = money.opened("killed")
    until(lambda: len(money.auditor.events(at)) > 1, "money is asked for")
    worker.kill()
    worker.start()
    worker.wait_ready()
    assert money.dispute_is_over(dispute)["refunded"] == WHOLE
    money.happens(at, "RefundLedgerOpened", "RefundRequested", *PAID)
