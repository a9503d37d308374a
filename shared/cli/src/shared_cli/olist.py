"""Rows of the Olist tables in, lines of bulk intake out, and an account of every row.

The rules are those of the data set's description: times carry no zone and are read as UTC; an
instant before its predecessor is taken as its predecessor's; an order of several sellers becomes
one sub-order for each; of several reviews of an order the earliest answered counts. A review has
one score where ours has three: the mapping below is one for tests. What was written comes along
as text, which review-service seals.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from operator import attrgetter
from typing import NamedTuple

from shared_events.characters import draws
from shared_events.fields import MINOR_MAX, TEXT_LENGTH_MAX

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
    Shipped,
)

MARKETPLACE = "olist"
COMMENTS = ("review_comment_title", "review_comment_message")
COUNTRY = "BR"
CURRENCY = "BRL"
REFERENCE = "USD"
REFERENCE_PERCENT = 30  # 1 BRL = 0.30 USD
CATEGORY_UNKNOWN = "unknown"
DELIVERED = "delivered"
CANCELED = "canceled"
STEPS = (
    "order_purchase_timestamp",
    "order_approved_at",
    "order_delivered_carrier_date",
    "order_delivered_customer_date",
)
PROMISED = "order_estimated_delivery_date"
# Later than promised by at most this: at most these stars for logistics. Beyond: one.
LATE_STARS = ((timedelta(days=3), 3), (timedelta(days=7), 2))
ON_TIME_STARS_MIN = 4

type CsvRow = Mapping[str, str]


class UnreadableCell(ValueError):  # noqa: N818 - a state of the cell
    """A cell that does not hold what its column says."""

    def __init__(self, column: str, value: str, wanted: str) -> None:
        super().__init__(f"{column}: {value!r} is no {wanted}")


class Item(NamedTuple):
    """One piece of an order. Money in minor units."""

    number: int
    sku: str
    seller_id: str
    dispatch_by: datetime
    price: int
    freight: int


class Review(NamedTuple):
    answered_at: datetime
    review_id: str
    score: int
    comment: str | None = None

    @property
    def place(self) -> tuple[datetime, str, int]:
        """What tells which of an order's reviews came first."""
        return self.answered_at, self.review_id, self.score


class Reviewed(NamedTuple):
    """The review of an order that counts, and how many rows the order has."""

    first: Review
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """What an order is joined with: items and reviews by order, buyers by customer, categories
    by product.
    """

    items: Mapping[str, Sequence[Item]]
    reviews: Mapping[str, Reviewed]
    buyers: Mapping[str, str]
    categories: Mapping[str, str]


@dataclass(slots=True, kw_only=True)
class RowAccount:
    """What became of the rows on this side: each is counted exactly once under what it is."""

    orders: int = 0
    repeated: int = 0
    without_items: Counter[str] = field(default_factory=Counter[str])
    completed: int = 0
    not_completed: Counter[str] = field(default_factory=Counter[str])
    split: int = 0
    orders_sent: int = 0
    items: int = 0
    items_sent: int = 0
    items_of_unknown_orders: int = 0
    reviews: int = 0
    reviews_counted: int = 0
    reviews_superseded: int = 0
    reviews_without_items: int = 0
    reviews_of_unknown_orders: int = 0
    reviews_unanswered: int = 0
    reviews_sent: int = 0
    orders_lifted: int = 0
    instants_lifted: int = 0
    instants_missing: int = 0


def items_by_order(rows: Iterable[CsvRow], account: RowAccount) -> dict[str, list[Item]]:
    """The pieces of every order. Raises `UnreadableCell`."""
    by_order: dict[str, list[Item]] = {}
    for row in rows:
        account.items += 1
        item = Item(
            number=_whole(row, "order_item_id"),
            sku=row["product_id"],
            seller_id=row["seller_id"],
            dispatch_by=_instant(row, "shipping_limit_date"),
            price=minor("price", row["price"]),
            freight=minor("freight_value", row["freight_value"]),
        )
        by_order.setdefault(row["order_id"], []).append(item)
    return by_order


def reviews_by_order(rows: Iterable[CsvRow], account: RowAccount) -> dict[str, Reviewed]:
    """The review of every order that counts. Raises `UnreadableCell`."""
    by_order: dict[str, Reviewed] = {}
    for row in rows:
        account.reviews += 1
        answered_at = _optional(row, "review_answer_timestamp")
        if answered_at is None:
            account.reviews_unanswered += 1
            continue
        review = Review(answered_at, row["review_id"], _whole(row, "review_score"), _comment(row))
        held = by_order.get(row["order_id"])
        by_order[row["order_id"]] = Reviewed(
            first=min(held.first, review, key=attrgetter("place")) if held else review,
            rows=held.rows + 1 if held else 1,
        )
    return by_order


def buyers(customers: Iterable[CsvRow]) -> dict[str, str]:
    """The person behind each order's customer."""
    return {row["customer_id"]: row["customer_unique_id"] for row in customers}


def categories(products: Iterable[CsvRow]) -> dict[str, str]:
    """The category of each product, in the marketplace's own words; empty for some."""
    return {row["product_id"]: row["product_category_name"] for row in products}


def lines(orders: Iterable[CsvRow], joined: Tables, account: RowAccount) -> Iterator[Line]:
    """One line for each seller of each order that has items. Raises `UnreadableCell`."""
    seen: set[str] = set()
    for row in orders:
        order_id = row["order_id"]
        account.orders += 1
        if order_id in seen:
            account.repeated += 1
            continue
        seen.add(order_id)
        items = joined.items.get(order_id)
        reviewed = joined.reviews.get(order_id)
        if items is None:
            account.without_items[row["order_status"]] += 1
            account.reviews_without_items += reviewed.rows if reviewed else 0
        else:
            yield from _sub_orders(row, items, reviewed, joined, account)
    account.items_of_unknown_orders = sum(
        len(items) for order_id, items in joined.items.items() if order_id not in seen
    )
    account.reviews_of_unknown_orders = sum(
        reviewed.rows for order_id, reviewed in joined.reviews.items() if order_id not in seen
    )


def logistics(score: int, delay: timedelta | None) -> int:
    """The stars for the delivery. Of one that never came nothing is known but the score."""
    if delay is None:
        return score
    if delay <= timedelta(0):
        return max(score, ON_TIME_STARS_MIN)
    most = next((stars for late, stars in LATE_STARS if delay <= late), 1)
    return min(score, most)


def minor(column: str, text: str) -> int:
    """`19.9` as 1990. Raises `UnreadableCell`."""
    try:
        amount = Decimal(text) * 100
    except InvalidOperation:
        raise UnreadableCell(column, text, "amount") from None
    if not amount.is_finite() or not 0 <= amount <= MINOR_MAX or amount != int(amount):
        raise UnreadableCell(column, text, "amount")
    return int(amount)


class _Life(NamedTuple):
    """The instants of placing, payment, shipment and delivery, as far as the order came."""

    placed: datetime
    paid: datetime | None
    shipped: datetime | None
    delivered: datetime | None
    last: datetime


def _sub_orders(
    row: CsvRow,
    items: Sequence[Item],
    reviewed: Reviewed | None,
    joined: Tables,
    account: RowAccount,
) -> Iterator[Line]:
    by_seller: dict[str, list[Item]] = {}
    for item in sorted(items):
        by_seller.setdefault(item.seller_id, []).append(item)
    life = _life(row, account)
    completed = row["order_status"] == DELIVERED and life.delivered is not None
    if completed:
        account.completed += 1
    else:
        account.not_completed[row["order_status"]] += 1
    account.split += len(by_seller) > 1
    account.orders_sent += len(by_seller)
    account.items_sent += len(items)
    if reviewed is not None:
        account.reviews_counted += 1
        account.reviews_superseded += reviewed.rows - 1
        account.reviews_sent += len(by_seller)
    promised = _instant(row, PROMISED)
    reviews = [_review(reviewed.first, promised, life.delivered)] if reviewed else []
    for number, (seller_id, bought) in enumerate(by_seller.items(), 1):
        order_id = f"{row['order_id']}-{number}" if len(by_seller) > 1 else row["order_id"]
        yield Line(
            order=_order(row, joined, order_id=order_id, seller_id=seller_id, items=bought),
            paid=Paid(at=life.paid, payment_ref=row["order_id"]) if life.paid else None,
            shipped=Shipped(at=life.shipped) if life.shipped else None,
            delivered=Delivered(at=life.delivered, signed=False) if life.delivered else None,
            completed=Completed(at=life.delivered) if completed and life.delivered else None,
            # When it was cancelled is not in the data: no later than anybody knows of.
            cancelled=Cancelled(at=life.last, by="PLATFORM", reason=CANCELED)
            if row["order_status"] == CANCELED
            else None,
            reviews=list(reviews),
        )


def _life(row: CsvRow, account: RowAccount) -> _Life:
    """The steps that the order took: never before their predecessor, none left out."""
    told = [_optional(row, column) for column in STEPS]
    placed = told[0]
    if placed is None:
        raise UnreadableCell(STEPS[0], "", "time")
    reached = max(number for number, at in enumerate(told) if at is not None)
    steps: list[datetime] = [placed]
    lifted = 0
    for at in told[1 : reached + 1]:
        account.instants_missing += at is None
        lifted += at is not None and at < steps[-1]
        steps.append(max(at or steps[-1], steps[-1]))
    account.orders_lifted += lifted > 0
    account.instants_lifted += lifted
    paid, shipped, delivered = (*steps[1:], None, None, None)[:3]
    return _Life(placed, paid, shipped, delivered, steps[-1])


def _order(
    row: CsvRow, joined: Tables, *, order_id: str, seller_id: str, items: Sequence[Item]
) -> Order:
    buyer = joined.buyers.get(row["customer_id"])
    if buyer is None:
        raise UnreadableCell("customer_id", row["customer_id"], "customer of the customers' table")
    shipping = sum(item.freight for item in items)
    total = sum(item.price for item in items) + shipping
    return Order(
        order_id=order_id,
        seller_id=seller_id,
        buyer_id=buyer,
        marketplace_id=MARKETPLACE,
        country=COUNTRY,
        currency=CURRENCY,
        placed_at=_instant(row, STEPS[0]),
        lines=[
            OrderLine(
                line_id=str(item.number),
                sku=item.sku,
                category=joined.categories.get(item.sku) or CATEGORY_UNKNOWN,
                quantity=1,
                unit_price=Money(item.price, CURRENCY),
            )
            for item in items
        ],
        shipping=Money(shipping, CURRENCY),
        total=Money(total, CURRENCY),
        total_ref=Money(total * REFERENCE_PERCENT // 100, REFERENCE),
        withdrawal_right=True,  # what is bought at a distance in Brazil has one
        dispatch_by=min(item.dispatch_by for item in items),
        deliver_by=_instant(row, PROMISED),
    )


def _comment(row: CsvRow) -> str | None:
    """Title and message, as long as a review may be; None where there is nothing to be seen."""
    told = "\n".join(filter(None, map(row.get, COMMENTS)))
    return told[:TEXT_LENGTH_MAX] if any(map(draws, told)) else None


def _review(review: Review, promised: datetime, delivered: datetime | None) -> BuyerReview:
    # The ids of the data set stay behind: some of them name reviews of several orders.
    delay = delivered - promised if delivered else None
    return BuyerReview(
        at=review.answered_at,
        quality=review.score,
        logistics=logistics(review.score, delay),
        service=review.score,
        text=review.comment,
    )


def _instant(row: CsvRow, column: str) -> datetime:
    try:
        return datetime.fromisoformat(row[column]).replace(tzinfo=UTC)
    except ValueError:
        raise UnreadableCell(column, row[column], "time") from None


def _optional(row: CsvRow, column: str) -> datetime | None:
    return _instant(row, column) if row[column] else None


def _whole(row: CsvRow, column: str) -> int:
    try:
        return int(row[column])
    except ValueError:
        raise UnreadableCell(column, row[column], "number") from None
