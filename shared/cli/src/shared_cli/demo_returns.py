"""A running stack in, five returns that have run to their end out: one paid at the first scan, one
with something taken off, one for another piece, a withdrawal by a link, and one whose money was
refused at first.

They are told over HTTP, to the companies of the sandboxes too, and lived side by side. When all
others are over, a week goes by.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from itertools import count
from pathlib import Path
from typing import NamedTuple

from local_stack.errors import StackError
from local_stack.lives import Story, live
from local_stack.people import Person
from local_stack.returning import Returning
from local_stack.services import Stack

from shared_cli import clock

SELLER = "fair-lamps"
CONTESTABLE = timedelta(days=7)
"""For so long a buyer may object to what was taken off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """A return of the demo that is over. `at`: its path. `tells`: how it went."""

    name: str
    order_id: str
    buyer_id: str
    at: str
    tells: str

    @property
    def ledger(self) -> str:
        return f"/v1/orders/{self.order_id}/refunds"


class Tale(NamedTuple):
    name: str
    story: Callable[[Returning], Story]
    tells: str


def fast_lane(order: Returning) -> Story:
    yield from order.ordered()
    yield from order.asks(reason="DAMAGED", media=order.photos(order.buyer))
    yield from order.labelled()
    yield from order.scanned("HANDED_OVER")
    yield order.until_paid()
    yield from order.scanned("DELIVERED_BACK")
    order.received("RECEIVED")
    order.accepted()


def deduction(order: Returning) -> Story:
    yield from order.ordered(price_minor=4000)
    yield from order.asks(reason="CHANGE_OF_MIND")
    order.seller.judge(order.at, "approval", {})
    yield from order.come_back()
    order.received("RECEIVED")
    order.accepted(deduction_milli=250)
    yield order.until_paid()
    yield CONTESTABLE


def exchange(order: Returning) -> Story:
    yield from order.ordered()
    order.companies.article(order.sku, stock=1, price_minor=1200)
    yield from order.asks(
        kind="EXCHANGE", reason="DEFECTIVE", wants="EXCHANGE", replacement_sku=order.sku
    )
    yield from order.come_back()
    order.accepted()
    yield order.until("ReplacementReserved")
    order.feed.post(f"{order.at}/replacement/payment", {"payment_ref": f"P-{order.order_id}"})
    yield from order.replaced("1/1.r1")


def withdrawal(order: Returning) -> Story:
    """From one piece of two: the other is there to try it."""
    yield from order.ordered(quantity=2)
    yield from order.declares_withdrawal(order.by_link)
    order.confirms_withdrawal(order.by_link)
    yield from order.come_back()
    order.received("RECEIVED")
    order.accepted()


def reissue(order: Returning) -> Story:
    order.companies.plan("payments", order.order_id, refuse="ACCOUNT_CLOSED")
    yield from order.ordered()
    yield from order.asks(reason="DEFECTIVE")
    yield from order.come_back()
    order.accepted()
    yield order.until_money("RefundFailed")
    order.reissues()


TALES = (
    Tale("fast-lane", fast_lane, "damaged: paid at the first scan, before it was back"),
    Tale("deduction", deduction, "worn when it came: a quarter less, and less its label"),
    Tale("exchange", exchange, "defective: a better one instead, the difference was paid"),
    Tale("withdrawal", withdrawal, "by a link, without an account or a reason; less its label"),
    Tale("reissue", reissue, "refused by the provider, then paid by bank transfer"),
)


def tell(stack: Stack) -> tuple[Returned, ...]:
    """All of them from the beginning, about orders that are not there yet; a week later."""
    attempt = next_attempt(stack)
    orders = {tale: _order(stack, tale, attempt) for tale in TALES}
    lived = {tale.name: _to_its_end(order, tale.story) for tale, order in orders.items()}
    move = partial(clock.move, Path(stack.description.clock_file))
    for name, failure in live(lived, move).items():
        raise StackError(f"the demo's return {name}: {failure}") from failure
    return tuple(
        Returned(
            name=tale.name,
            order_id=order.order_id,
            buyer_id=order.buyer_id,
            at=order.at,
            tells=tale.tells,
        )
        for tale, order in orders.items()
    )


def next_attempt(stack: Stack) -> int:
    """2 and more after loads that were broken off: their orders stay as they are."""
    return next(attempt for attempt in count(1) if not _is_begun(stack, attempt))


def _to_its_end(order: Returning, story: Callable[[Returning], Story]) -> Story:
    yield from story(order)
    yield order.until("ReturnClosed")


def _is_begun(stack: Stack, attempt: int) -> bool:
    feed = Person(stack, "SYSTEM", "demo")
    ids = (_order_id(tale, attempt) for tale in TALES)
    return any(feed.look(f"/v1/orders/{each}").status_code != HTTPStatus.NOT_FOUND for each in ids)


def _order(stack: Stack, tale: Tale, attempt: int) -> Returning:
    return Returning(
        stack,
        _order_id(tale, attempt),
        seller_id=SELLER,
        buyer_id=f"buyer-{tale.name}",
    )


def _order_id(tale: Tale, attempt: int) -> str:
    return f"demo-{tale.name}" if attempt == 1 else f"demo-{tale.name}-{attempt}"
