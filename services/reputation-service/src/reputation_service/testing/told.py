"""What the other services tell of a buyer B-5 and a seller S-77: their events, for tests."""

from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from shared_events.dispute import DisputeClosed, DisputeOpened
from shared_events.orders import OrderCompleted, OrderPlaced
from shared_events.returns import (
    AdvanceUnrecovered,
    ExchangeUnreturned,
    ReturnClosed,
    ReturnRequested,
)
from shared_events.samples import sample

SELLER_ID = "S-77"
BUYER_ID = "B-5"


def of(kind: type[Struct], **changes: Any) -> Struct:  # noqa: ANN401 - of any field
    """An event of theirs. What is sealed in it, nobody can open."""
    return replace(sample(kind), seller_id=SELLER_ID, buyer_id=BUYER_ID, **changes)


def placed(order_id: str, now: datetime) -> Struct:
    return of(OrderPlaced, order_id=order_id, placed_at=now)


def completed(order_id: str, now: datetime) -> Struct:
    return of(OrderCompleted, order_id=order_id, completed_at=now, completion_no=1)


def dispute_opened(dispute_id: str, order_id: str = "O-1") -> Struct:
    return of(DisputeOpened, order_id=order_id, dispute_id=dispute_id)


def dispute_closed(dispute_id: str, now: datetime, **changes: Any) -> Struct:  # noqa: ANN401
    told: dict[str, Any] = {
        "how": "DECIDED",
        "reason": "DAMAGED",
        "liable": "NONE",
        "opened_at": now - timedelta(days=5),
        "closed_at": now,
    }
    return of(DisputeClosed, dispute_id=dispute_id, order_id="O-1", **(told | changes))


def by_default(dispute_id: str, now: datetime) -> Struct:
    """The seller said nothing."""
    return dispute_closed(dispute_id, now, how="DEFAULT", liable="SELLER")


def return_requested(return_id: str) -> Struct:
    return of(ReturnRequested, order_id="O-1", return_id=return_id)


def return_closed(return_id: str, now: datetime, *, timely: bool = True) -> Struct:
    return of(ReturnClosed, order_id="O-1", return_id=return_id, timely=timely, closed_at=now)


def unreturned(return_id: str) -> Struct:
    return of(ExchangeUnreturned, order_id="O-1", return_id=return_id)


def unrecovered(return_id: str, *, confirmed: bool) -> Struct:
    return of(AdvanceUnrecovered, order_id="O-1", return_id=return_id, confirmed=confirmed)
