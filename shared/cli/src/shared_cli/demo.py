"""A seed, a number of orders and an end in, a marketplace of the year and a half before it out.

The same arguments make the same bytes. What lies after the end is left out: the newest orders
are paid, on their way or delivered, and the newest reviews still wait for the other side.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Protocol

from shared_cli.bulk_line import (
    BuyerReview,
    Cancelled,
    Completed,
    Delivered,
    Line,
    Money,
    Order,
    OrderLine,
    Paid,
    SellerReview,
    Shipped,
    encode,
)
from shared_cli.demo_stories import STORIES, Phase, Stars, Story

MARKETPLACE = "demo"
CURRENCY = "EUR"
REFERENCE = "USD"
REFERENCE_PERCENT = 110
COUNTRIES = ("DE", "ES", "FR", "IT", "NL", "PL")
CHEAP_BELOW = 500  # even with shipping, an order of one piece is less than a review must be worth
PROMISED = timedelta(days=7)
DISPATCHED = timedelta(days=3)
UNPAID = 0.02
KNOWN_BUYERS = 0.06
DIFFICULT_BUYERS = 0.04
ONE_STAR: Stars = (1, 0, 0, 0, 0)
PATIENT: Stars = (0, 0, 2, 18, 80)
IMPATIENT: Stars = (45, 25, 20, 10, 0)

# By stars; not everybody finds words.
SAID: tuple[tuple[str | None, ...], ...] = (
    ("Broken on arrival.", "Not what the page shows.", "Never again.", None),
    ("Cheaper made than it looks.", "It works, sometimes.", None),
    ("It does what it should.", "Fine for the price.", None, None),
    ("Good. The box was dented.", "Would buy it again.", "Nearly perfect.", None),
    ("Exactly as described.", "Quick, and well packed.", "Better than I hoped.", None, None),
)


@dataclass(frozen=True, slots=True, order=True)
class _Sale:
    """An order that will be placed: how many days before the end, by which seller."""

    days: float
    number: int
    story: int
    hostile: bool = False


def marketplace(seed: int, orders: int, now: datetime) -> Iterator[bytes]:
    """Lines of bulk intake, the oldest order first. Nothing in them is later than `now`."""
    chance = Random(seed)  # noqa: S311 - a made-up world, not a secret
    world = _World(chance, now.replace(microsecond=0))
    sales = [
        sale
        for number, (story, count) in enumerate(zip(STORIES, _counts(orders), strict=True))
        for sale in _sales(chance, number, story, count)
    ]
    for number, sale in enumerate(sorted(sales, reverse=True), 1):
        yield encode(world.line(f"demo-{number:05}", sale))


def _counts(orders: int) -> list[int]:
    """The orders of each story, in proportion; they add up to `orders`."""
    weights = [story.orders for story in STORIES]
    total = sum(weights)
    counts = [orders * weight // total for weight in weights]
    for story in range(orders - sum(counts)):
        counts[story] += 1
    return counts


def _sales(chance: Random, number: int, story: Story, count: int) -> Iterable[_Sale]:
    hostile = 0
    if story.burst is not None:
        hostile = count * story.burst.orders // story.orders
        for n in range(hostile):
            yield _Sale(story.burst.day + 8 + chance.random(), n, number, hostile=True)
    spans = [since - until for since, until in story.open]
    for n in range(hostile, count):
        [(since, until)] = chance.choices(story.open, spans)
        yield _Sale(until + (since - until) * chance.random(), n, number)


class _World:
    """What the orders share: chance, the end of time and the buyers so far."""

    def __init__(self, chance: Random, end: datetime) -> None:
        self._chance = chance
        self._end = end
        self._buyers: list[tuple[str, datetime]] = []

    def line(self, order_id: str, sale: _Sale) -> Line:
        story = STORIES[sale.story]
        placed = _whole(self._end - timedelta(days=sale.days))
        phase = _phase(story, sale.days)
        order = self._order(order_id, story, sale, placed)
        if not sale.hostile and self._happens(UNPAID):
            return self._known_by_now(Line(order=order, cancelled=_unpaid(placed)))
        paid = self._after(placed, minutes=(1, 300))
        payment = Paid(at=paid, payment_ref=f"pay-{order_id}")
        if not sale.hostile and self._happens(phase.cancelled):
            cancelled = self._cancelled(self._after(paid, hours=(2, 60)))
            return self._known_by_now(Line(order=order, paid=payment, cancelled=cancelled))
        late = not sale.hostile and self._happens(phase.late)
        shipped = self._after(paid, hours=(60, 120) if late else (4, 50))
        delivered = (
            self._after(placed + PROMISED, hours=(6, 240))
            if late
            else self._after(shipped, hours=(18, 44))
        )
        completed = self._after(delivered, hours=(1, 60))
        return self._known_by_now(
            Line(
                order=order,
                paid=payment,
                shipped=Shipped(at=shipped, tracking_id=f"track-{order_id}"),
                delivered=Delivered(at=delivered, signed=self._happens(0.3)),
                completed=Completed(at=completed),
                reviews=self._reviews(story, phase, sale, completed, delivered - placed - PROMISED),
            )
        )

    def _order(self, order_id: str, story: Story, sale: _Sale, placed: datetime) -> Order:
        chance = self._chance
        cheap = story.price[1] < CHEAP_BELOW
        lines = [
            OrderLine(
                line_id=str(number),
                sku=f"{story.seller_id}-{chance.randint(1, 40)}",
                category=story.seller_id.rpartition("-")[2],
                quantity=1 if cheap else chance.choice((1, 1, 1, 1, 2)),
                unit_price=Money(chance.randint(*story.price), CURRENCY),
            )
            for number in range(1, 2 if cheap else chance.choice((2, 2, 2, 3, 4)))
        ]
        goods = sum(line.quantity * line.unit_price.amount for line in lines)
        discount = goods // 10 if self._happens(0.1) else 0
        shipping = 120 if cheap else chance.choice((0, 390, 590))
        total = goods - discount + shipping
        buyer_id, registered = self._buyer(placed, hostile=sale.hostile)
        return Order(
            order_id=order_id,
            seller_id=story.seller_id,
            buyer_id=buyer_id,
            marketplace_id=MARKETPLACE,
            country=chance.choice(COUNTRIES),
            currency=CURRENCY,
            placed_at=placed,
            lines=lines,
            order_discount=Money(discount, CURRENCY) if discount else None,
            shipping=Money(shipping, CURRENCY),
            total=Money(total, CURRENCY),
            total_ref=Money(total * REFERENCE_PERCENT // 100, REFERENCE),
            dispatch_by=placed + DISPATCHED,
            deliver_by=placed + PROMISED,
            buyer_registered_at=registered,
            withdrawal_right=True,
        )

    def _buyer(self, placed: datetime, *, hostile: bool) -> tuple[str, datetime]:
        """Mostly somebody new here, who may have had an account for long."""
        if not hostile and self._buyers and self._happens(KNOWN_BUYERS):
            return self._chance.choice(self._buyers)
        if hostile or self._happens(0.04):
            registered = placed - timedelta(minutes=self._chance.randint(3, 600))
        else:
            registered = placed - timedelta(hours=self._chance.randint(30, 30_000))
        buyer = (f"buyer-{len(self._buyers) + 1:05}", registered)
        self._buyers.append(buyer)
        return buyer

    def _reviews(
        self, story: Story, phase: Phase, sale: _Sale, completed: datetime, delay: timedelta
    ) -> list[BuyerReview | SellerReview]:
        reviews: list[BuyerReview | SellerReview] = []
        quality = self._stars(ONE_STAR if sale.hostile else phase.stars)
        # Who is disappointed says so more often.
        spoken = story.reviewed * (1.25 if quality <= 2 else 1)  # noqa: PLR2004 - a story
        if sale.hostile or self._happens(spoken):
            gift = self._happens(story.gifts)
            reviews.append(
                BuyerReview(
                    at=self._after(completed, hours=(1, 30) if sale.hostile else (2, 330)),
                    quality=quality,
                    logistics=1 if sale.hostile else self._logistics(delay),
                    service=self._service(phase, quality),
                    incentive="FREE_OR_DISCOUNTED" if gift else "NONE",
                    text=self._words(quality),
                )
            )
        if self._happens(0.55):
            difficult = sale.hostile or self._happens(DIFFICULT_BUYERS)
            reviews.append(
                SellerReview(
                    at=self._after(completed, hours=(1, 200)),
                    rating=self._stars(IMPATIENT if difficult else PATIENT),
                )
            )
        return sorted(reviews, key=lambda review: review.at)

    def _words(self, quality: int) -> str | None:
        """Most write something: chosen without chance, so that words change no story."""
        said = SAID[quality - 1]
        return said[len(self._buyers) % len(said)]

    def _logistics(self, delay: timedelta) -> int:
        if delay <= timedelta(0):
            return self._stars((0, 0, 2, 23, 75))
        return max(1, self._chance.choice((2, 3)) - delay // timedelta(days=3))

    def _service(self, phase: Phase, quality: int) -> int:
        if phase.service is not None:
            return self._stars(phase.service)
        return min(5, max(1, quality + self._chance.choice((-1, 0, 0, 0, 0, 1))))

    def _cancelled(self, at: datetime) -> Cancelled:
        if self._happens(0.5):
            return Cancelled(at=at, by="BUYER", reason="changed-mind")
        return Cancelled(at=at, by="SELLER", reason="out-of-stock")

    def _known_by_now(self, line: Line) -> Line:
        """The line without what has not happened yet."""
        return Line(
            order=line.order,
            paid=_by(self._end, line.paid),
            shipped=_by(self._end, line.shipped),
            delivered=_by(self._end, line.delivered),
            completed=_by(self._end, line.completed),
            cancelled=_by(self._end, line.cancelled),
            reviews=[review for review in line.reviews if review.at <= self._end],
        )

    def _happens(self, how_often: float) -> bool:
        return self._chance.random() < how_often

    def _stars(self, weights: Stars) -> int:
        [stars] = self._chance.choices((1, 2, 3, 4, 5), weights)
        return stars

    def _after(
        self,
        instant: datetime,
        *,
        hours: tuple[int, int] = (0, 0),
        minutes: tuple[int, int] = (0, 0),
    ) -> datetime:
        """Some time later, to the second."""
        least = 3600 * hours[0] + 60 * minutes[0]
        most = 3600 * hours[1] + 60 * minutes[1]
        return instant + timedelta(seconds=self._chance.randint(least, most))


def _phase(story: Story, days: float) -> Phase:
    """The last phase that has begun."""
    begun: Sequence[Phase] = [phase for phase in story.phases if phase.since >= days]
    return begun[-1] if begun else story.phases[0]


def _unpaid(placed: datetime) -> Cancelled:
    return Cancelled(at=placed + timedelta(days=2), by="PLATFORM", reason="unpaid")


class _Step(Protocol):
    @property
    def at(self) -> datetime: ...


def _by[S: _Step](end: datetime, step: S | None) -> S | None:
    return step if step is not None and step.at <= end else None


def _whole(instant: datetime) -> datetime:
    return instant.replace(microsecond=0)
