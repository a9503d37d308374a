"""An order, a dispute and an inquiry about it: what the page of the API shows."""

from datetime import UTC, datetime, timedelta

from shared_casework.money import LedgerFacts
from shared_casework.order_facts import OrderFacts
from shared_events.orders import OrderLine
from shared_runtime.decider import Actor, events_of
from shared_runtime.rule import By, Sent

from dispute_service.domain.inquiring import OPEN_INQUIRY
from dispute_service.domain.inquiry_rules import INQUIRIES
from dispute_service.domain.known import Known, UnitFacts
from dispute_service.domain.opening import OPEN_DISPUTE
from dispute_service.domain.policy import policies
from dispute_service.domain.readers import InquiryReading, Reading, inquiry_read_by, read_by
from dispute_service.domain.rules import DISPUTES

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
BUYER = Actor(role="BUYER", id="B-42")
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
    shipped_at=AT - timedelta(days=7),
    delivered_at=AT - timedelta(days=4),
    received_at=AT - timedelta(days=4),
    completed_at=AT - timedelta(days=1),
    completion_no=1,
)
KNOWN = Known(
    policies=policies(),
    order=ORDER,
    units=(UnitFacts(unit="1/1"), UnitFacts(unit="1/2")),
    ledger=LedgerFacts(
        units={"1/1": 2500, "1/2": 2500},
        left=frozenset({"1/1", "1/2"}),
        shipping_minor=499,
        order_minor=5499,
    ),
    inquiry_ids=frozenset({"I-11"}),
)
BY_BUYER = By(actor=BUYER, now=AT, known=KNOWN)


def dispute() -> Reading:
    """As its buyer reads it."""
    return read_by(BUYER, events_of(DISPUTES, [Sent(OPEN_DISPUTE.example, BY_BUYER)]))


def inquiry() -> InquiryReading:
    return inquiry_read_by(BUYER, events_of(INQUIRIES, [Sent(OPEN_INQUIRY.example, BY_BUYER)]))
