"""A return of an order that has come: what the page of the API shows."""

from datetime import timedelta

from msgspec.structs import replace
from shared_casework.money import money_of
from shared_runtime.decider import events_of
from shared_runtime.rule import By, Sent

from returns_service.api.examples import AT, BUYER, ORDER
from returns_service.domain.known import Known, PieceFacts
from returns_service.domain.policy import policies
from returns_service.domain.return_readers import ReturnReading, return_read_by
from returns_service.domain.return_request import REQUEST_RETURN
from returns_service.domain.return_rules import RETURNS

__all__ = ["AT", "BUYER", "BY_BUYER", "asked"]

ARRIVED = replace(
    ORDER,
    shipped_at=AT - timedelta(days=7),
    delivered_at=AT - timedelta(days=4),
    received_at=AT - timedelta(days=4),
    completed_at=AT - timedelta(days=1),
    completion_no=1,
)
MONEY = money_of(ARRIVED)
KNOWN = Known(
    policies=policies(),
    order=ARRIVED,
    pieces=tuple(PieceFacts(unit=each.unit, paid_minor=each.paid_minor) for each in MONEY.units),
    ledger=MONEY.remaining,
)
BY_BUYER = By(actor=BUYER, now=AT, known=KNOWN)


def asked() -> ReturnReading:
    """As its buyer reads it."""
    return return_read_by(BUYER, events_of(RETURNS, [Sent(REQUEST_RETURN.example, BY_BUYER)]))
