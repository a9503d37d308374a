"""An order and its ledger: what the page of the API shows."""

from datetime import UTC, datetime, timedelta

from shared_casework.order_facts import OrderFacts
from shared_events.orders import OrderLine
from shared_runtime.decider import Actor, events_of
from shared_runtime.rule import By, Sent

from returns_service.domain.confirming import ConfirmRefund
from returns_service.domain.goodwill import GiveGoodwill
from returns_service.domain.known import Known
from returns_service.domain.ledger_readers import LedgerReading, ledger_read_by
from returns_service.domain.ledger_rules import LEDGERS
from returns_service.domain.opening import OpenLedger
from returns_service.domain.policy import policies

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
BUYER = Actor(role="BUYER", id="B-42")
SELLER = Actor(role="SELLER", id="clerk", org_id="S-17")
SYSTEM = Actor(role="SYSTEM", id="payments")
REFUND_ID = "5b7c1f0e-94b1-5d0e-8f0a-7d1c2a6e9b34"
ORDER = OrderFacts(
    order_id="O-1001",
    seller_id="S-17",
    buyer_id=BUYER.id,
    marketplace_id="example",
    country="DE",
    stage="COMPLETED",
    currency="EUR",
    lines=[
        OrderLine(
            line_id="1",
            sku="sku-1",
            category="shoes",
            quantity=2,
            unit_price_minor=2500,
            line_discount_minor=0,
        )
    ],
    order_discount_minor=0,
    shipping_minor=499,
    total_minor=5499,
    total_ref_minor=5957,
    withdrawal_right=True,
    withdrawal_informed=True,
    placed_at=AT - timedelta(days=9),
    paid_at=AT - timedelta(days=9),
)
KNOWN = Known(policies=policies(), order=ORDER)
GOODWILL = GiveGoodwill(refund_id=REFUND_ID, goodwill_minor=500, currency="EUR")
PAID = ConfirmRefund(refund_id=REFUND_ID, gateway_ref="gw-71")


def by(actor: Actor) -> By[Known]:
    return By(actor=actor, now=AT, known=KNOWN)


def ledger() -> LedgerReading:
    """As its seller reads it, who has given something back."""
    sent = [
        Sent(OpenLedger(), by(SYSTEM)),
        Sent(GOODWILL, by(SELLER)),
        Sent(PAID, by(SYSTEM)),
    ]
    return ledger_read_by(SELLER, events_of(LEDGERS, sent))
