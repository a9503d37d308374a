"""Events in, rows out: which orders wait for whose review, and until when."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, get_args

from msgspec import Struct
from msgspec.structs import replace
from shared_events import review
from shared_events.envelope import Recorded
from shared_events.review import (
    EvaluationClosed,
    EvaluationOpened,
    EvaluationPaused,
    EvaluationResumed,
    ReviewsRevealed,
    ReviewSubmitted,
    ReviewWithdrawn,
    Side,
)
from shared_runtime.delivery import Connection
from shared_runtime.projections import Projection
from shared_runtime.rows import Rows

# Soonest first, page by page, for each party of those that it has not written about.
REVIEWABLE_ORDERS_DDL = """
    CREATE TABLE reviewable_orders (
        order_id text PRIMARY KEY,
        seller_id text NOT NULL,
        buyer_id text NOT NULL,
        state text NOT NULL,
        until timestamptz NOT NULL,
        completed_at timestamptz NOT NULL,
        buyer_wrote boolean NOT NULL,
        seller_wrote boolean NOT NULL
    );
    CREATE INDEX reviewable_orders_of_buyer ON reviewable_orders (buyer_id, until, order_id)
        WHERE NOT buyer_wrote;
    CREATE INDEX reviewable_orders_of_seller ON reviewable_orders (seller_id, until, order_id)
        WHERE NOT seller_wrote;
"""


class ReviewableOrder(Struct, frozen=True, kw_only=True):
    """`until` is when it closes; while the clock stands still, when that ends at the latest. An
    order whose evaluation is over has no row.
    """

    order_id: str
    seller_id: str
    buyer_id: str
    state: Literal["OPEN", "PAUSED"]
    until: datetime
    completed_at: datetime
    buyer_wrote: bool = False
    seller_wrote: bool = False


type ReviewableEvent = (
    EvaluationOpened
    | EvaluationPaused
    | EvaluationResumed
    | EvaluationClosed
    | ReviewSubmitted
    | ReviewWithdrawn
    | ReviewsRevealed
)
ROWS = Rows(table="reviewable_orders", key="order_id", row=ReviewableOrder)


async def reviewable_orders(batch: Sequence[Recorded[ReviewableEvent]], db: Connection) -> None:
    await ROWS.fold(batch, db, key_of=lambda event: event.order_id, evolve=evolve)


def evolve(before: ReviewableOrder | None, event: ReviewableEvent) -> ReviewableOrder | None:
    if isinstance(event, EvaluationOpened):
        return ReviewableOrder(
            order_id=event.order_id,
            seller_id=event.seller_id,
            buyer_id=event.buyer_id,
            state="OPEN",
            until=event.closes_at,
            completed_at=event.completed_at,
        )
    return None if before is None else evolve_known(before, event)


def evolve_known(order: ReviewableOrder, event: ReviewableEvent) -> ReviewableOrder | None:
    match event:
        case EvaluationPaused() if order.state == "OPEN":
            return replace(order, state="PAUSED", until=event.cap_at)
        case EvaluationResumed(closes_at=datetime() as closes_at):
            return replace(order, state="OPEN", until=closes_at)
        case EvaluationClosed() | ReviewsRevealed():
            return None
        case ReviewSubmitted(side=side):
            return wrote(order, side, True)
        case ReviewWithdrawn(side=side, before_reveal=True):
            return wrote(order, side, False)
        case _:
            return order


def wrote(order: ReviewableOrder, side: Side, has_written: bool) -> ReviewableOrder:
    match side:
        case "BUYER":
            return replace(order, buyer_wrote=has_written)
        case "SELLER":
            return replace(order, seller_wrote=has_written)


REVIEWABLE_ORDERS = Projection(
    name="reviewable_orders",
    version=2,
    topics=(review.TOPIC,),
    handles=get_args(ReviewableEvent.__value__),
    tables=("reviewable_orders",),
    ddl=REVIEWABLE_ORDERS_DDL,
    apply=reviewable_orders,
)
