"""Events in, what they count of a seller or a buyer out: plain numbers of a week, beside the score
and never in it.

Every count is of one event alone, so that any order of arrival leaves the same numbers; but for
orders that came late: whether somebody else was to blame is told apart from it.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal, NamedTuple

from shared_events.dispute import DisputeClosed
from shared_events.envelope import Recorded
from shared_events.orders import OrderCancelled, OrderCompleted, OrderDelayAttributed, OrderShipped

from reputation_service.domain.decay import WEEK_DAYS
from reputation_service.domain.facts import micros
from reputation_service.domain.observations import observation_day

type SellerCount = Literal["SHIPPED", "DISPATCHED_LATE", "CANCELLED", "COMPLETED", "DEFECT"]
type Counted = SellerCount | Literal["ABUSE"]
"""DEFECT: a dispute that a seller lost. ABUSE: one that a buyer should never have opened."""

COUNTING = (OrderShipped, OrderCancelled, OrderCompleted, OrderDelayAttributed, DisputeClosed)


class Count(NamedTuple):
    """One more of something in a week, for the account of that id."""

    account_id: str
    counted: Counted
    week: int


class Late(NamedTuple):
    """An order that came late (`week`: when it was complete), or for which its seller is not to
    blame, whenever it came.
    """

    order_id: str
    seller_id: str
    week: int | None


def counts_of(recorded: Recorded[Any]) -> Iterator[Count | Late]:
    """What one event counts. An order counts by its first completion."""

    def week(at: datetime) -> int:
        return observation_day(micros(at), micros(recorded.recorded_at)) // WEEK_DAYS

    match recorded.event:
        case OrderShipped(seller_id=seller_id, shipped_at=at, late_dispatch=late):
            yield Count(seller_id, "SHIPPED", week(at))
            if late:
                yield Count(seller_id, "DISPATCHED_LATE", week(at))
        case OrderCancelled(by="SELLER", seller_id=seller_id, cancelled_at=at):
            yield Count(seller_id, "CANCELLED", week(at))
        case OrderCompleted(completion_no=1, seller_id=seller_id, completed_at=at) as completed:
            yield Count(seller_id, "COMPLETED", week(at))
            if completed.late:
                yield Late(completed.order_id, seller_id, week(at))
        case OrderDelayAttributed(order_id=order_id, seller_id=seller_id):
            yield Late(order_id, seller_id, None)
        case DisputeClosed(closed_at=at) as closed:
            yield from of_dispute(closed, week(at))
        case _:
            pass


def of_dispute(closed: DisputeClosed, week: int) -> Iterator[Count]:
    if is_defect(closed):
        yield Count(closed.seller_id, "DEFECT", week)
    if closed.buyer_abuse:
        yield Count(closed.buyer_id, "ABUSE", week)


def is_defect(closed: DisputeClosed) -> bool:
    """The seller was silent, or found to be in the wrong. What he settled, what was withdrawn, and
    what the platform bears because nobody decided are none.
    """
    if closed.how in ("WITHDRAWN", "PLATFORM"):
        return False
    return closed.how == "DEFAULT" or (closed.liable == "SELLER" and not closed.resolved_by_seller)
