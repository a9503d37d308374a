"""Rows of somebody's CSV file and their mapping in, a line of bulk intake out, or what is wrong.

Stars of another scale are laid on ours in equal steps: `v` of `a`..`b` is 1 + 4 (v - a) / (b - a),
rounded to the nearest whole star, and half way between two as the mapping says.
"""

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Mapping as Cells
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from hashlib import sha256
from math import ceil, floor
from typing import NamedTuple
from zoneinfo import ZoneInfo

from shared_events.fields import MINOR_MAX

from shared_cli.bulk_line import (
    BuyerReview,
    Cancelled,
    Completed,
    Delivered,
    FollowUp,
    Line,
    Money,
    Order,
    OrderLine,
    Paid,
    Reply,
    Restricted,
    SellerReview,
    Shipped,
)
from shared_cli.csv_mapping import (
    ISO,
    UNIX,
    Aspects,
    FieldSource,
    ItemFields,
    Mapping,
    ReviewFields,
    Source,
    source_of,
    wanted_stars,
)

REFERENCE = "USD"
CENTS = 2
"""The decimals of that."""
DIGEST_LENGTH = 32
ROWS_OF_ORDER_MAX = 1_000
WAYS = {
    **dict.fromkeys(("true", "yes", "y", "1"), True),
    **dict.fromkeys(("false", "no", "n", "0"), False),
}
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for an instant that could not be read: its line is never sent."""


class Row(NamedTuple):
    """`number` as a spreadsheet counts: the header is row 1."""

    number: int
    cells: Cells[str, str]


class Unmapped(Exception):  # noqa: N818 - a state of the rows
    """Rows that make no line: `reasons` says which field wants what."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


def orders_of(rows: Iterable[Row], mapping: Mapping) -> Iterator[list[Row]]:
    """The rows of each order: those that stand together, where it has several."""
    order_id = source_of(mapping.order.order_id)
    together: list[Row] = []
    known: str | None = None
    for row in rows:
        named = name_of(order_id, row)
        joins = mapping.rows == "several" and named and named == known
        if together and (not joins or len(together) == ROWS_OF_ORDER_MAX):
            yield together
            together = []
        together.append(row)
        known = named
    if together:
        yield together


def name_of(order_id: Source, row: Row) -> str:
    try:
        return text_of(order_id, row.cells)
    except ValueError:
        return ""  # its own line will say why


def line_of(rows: list[Row], mapping: Mapping) -> Line:
    """Raises `Unmapped` with all that is wrong."""
    reading = Reading(mapping, rows)
    line = reading.line()
    if reading.wrong:
        raise Unmapped(list(dict.fromkeys(reading.wrong)))
    return line


def text_of(source: Source, cells: Cells[str, str]) -> str:
    """What a source says, without spaces around; empty where it says nothing."""
    said = [cells.get(name, "").strip() for name in source.columns]
    if not any(said):
        told = source.value
        named = ("true" if told else "false") if isinstance(told, bool) else str(told or "")
        return f"{source.prefix}{named}" if named else ""
    if source.digest_of:
        text = sha256("\x1f".join(said).encode()).hexdigest()[:DIGEST_LENGTH]
    else:
        text = "-".join(filter(None, said))
    if source.names:
        if text not in source.names:
            raise ValueError(f"{text!r} is none of {', '.join(source.names)}")
        text = source.names[text]
    return f"{source.prefix}{text}" if text else ""


def stars_of(text: str, scale: tuple[Decimal, Decimal], halves: str) -> int:
    """Raises ValueError for what is not on the scale."""
    least, most = map(Fraction, scale)
    try:
        value = Fraction(Decimal(text.replace(",", ".")))
    except (InvalidOperation, ValueError, OverflowError):
        raise ValueError(f"{text!r} is no number") from None
    if not least <= value <= most:
        raise ValueError(f"{text!r} is not on the scale {scale[0]}..{scale[1]}")
    stars = 1 + 4 * (value - least) / (most - least)
    half = Fraction(1, 2)
    return floor(stars + half) if halves == "up" else ceil(stars - half)


def minor_of(text: str, decimals: int, point: str) -> int:
    """`19.9` as 1990, `1.019,90` too where the point is a comma. Raises ValueError."""
    plain = text.replace("." if point == "," else ",", "").replace(point, ".")
    try:
        amount = Decimal(plain).scaleb(decimals)
    except InvalidOperation:
        raise ValueError(f"{text!r} is no amount") from None
    if not amount.is_finite() or not 0 <= amount <= MINOR_MAX or amount != int(amount):
        raise ValueError(f"{text!r} is no amount with {decimals} decimals")
    return int(amount)


def instant_of(text: str, forms: Iterable[str], zone: str) -> datetime:
    """Raises ValueError for what is of none of the forms."""
    for form in forms:
        try:
            if form == UNIX:
                return datetime.fromtimestamp(int(text), UTC)
            found = (
                datetime.fromisoformat(text) if form == ISO else datetime.strptime(text, form)  # noqa: DTZ007 - its zone is told beside
            )
            placed = found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))
            return placed.astimezone(UTC)
        except (ValueError, OverflowError, OSError):
            continue
    raise ValueError(f"{text!r} is no date of the form {' or '.join(forms)}")


def whole_of(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{text!r} is no whole number") from None


def way_of(text: str) -> bool:
    """Yes or no. Raises ValueError."""
    try:
        return WAYS[text.lower()]
    except KeyError:
        raise ValueError(f"{text!r} is none of {', '.join(WAYS)}") from None


def merged(rows: list[Row]) -> dict[str, str]:
    """Of each column, the first cell that says something."""
    cells: dict[str, str] = {}
    for row in rows:
        for name, cell in row.cells.items():
            if cell.strip():
                cells.setdefault(name, cell)
    return cells


@dataclass(slots=True)
class Reading:
    """One order's rows, as they are read; `wrong` is what was found on the way."""

    mapping: Mapping
    rows: list[Row]
    wrong: list[str] = field(default_factory=list[str])
    merged: Cells[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.merged = merged(self.rows)

    def line(self) -> Line:
        self._agree()
        order = self._order()
        life = self.mapping.life
        paid, shipped, delivered, completed = self._steps(order.placed_at)
        cancelled = self._if("life.cancelled", life.cancelled, self._instant)
        return Line(
            order=order,
            paid=Paid(
                at=paid,
                payment_ref=self._if("life.payment_ref", life.payment_ref, str) or order.order_id,
            )
            if paid
            else None,
            shipped=Shipped(
                at=shipped, tracking_id=self._if("life.tracking_id", life.tracking_id, str)
            )
            if shipped
            else None,
            delivered=Delivered(
                at=delivered, signed=self._must("life.signed", life.signed, way_of, False)
            )
            if delivered
            else None,
            completed=Completed(at=completed) if completed else None,
            cancelled=Cancelled(
                at=cancelled,
                by=self._must("life.cancelled_by", life.cancelled_by, str, ""),
                reason=self._must("life.cancelled_reason", life.cancelled_reason, str, ""),
            )
            if cancelled
            else None,
            reviews=[
                each
                for number, told in enumerate(self.mapping.review)
                for each in self._reviews(f"review[{number}]", told)
            ],
        )

    def _agree(self) -> None:
        """What is one thing of the whole order is told once, or the same each time."""
        for name in ("seller_id", "buyer_id", "placed_at"):
            columns = source_of(getattr(self.mapping.order, name)).columns
            said = {tuple(row.cells.get(each, "").strip() for each in columns) for row in self.rows}
            if len({each for each in said if any(each)}) > 1:
                self.wrong.append(f"order.{name}: the rows of one order differ")

    def _order(self) -> Order:
        told = self.mapping.order
        currency = self._must("order.currency", told.currency, str, "")
        lines = self._items(self.mapping.item, currency)
        shipping = self._must("order.shipping", told.shipping, self._minor, 0)
        discount = self._if("order.order_discount", told.order_discount, self._minor)
        total = self._if("order.total", told.total, self._minor)
        if total is None:
            total = max(0, sum(map(cost_of, lines)) - (discount or 0) + shipping)
        total_ref = self._if("order.total_ref", told.total_ref, self._cents)
        if total_ref is None:
            total_ref = int(
                Decimal(total).scaleb(CENTS - self.mapping.money.decimals) * told.usd_rate
            )
        registered_at = told.buyer_registered_at
        return Order(
            order_id=self._must("order.order_id", told.order_id, str, ""),
            seller_id=self._must("order.seller_id", told.seller_id, str, ""),
            buyer_id=self._must("order.buyer_id", told.buyer_id, str, ""),
            marketplace_id=self._must("order.marketplace_id", told.marketplace_id, str, ""),
            country=self._must("order.country", told.country, str, ""),
            currency=currency,
            placed_at=self._must("order.placed_at", told.placed_at, self._instant, NEVER),
            lines=lines,
            shipping=Money(shipping, currency),
            order_discount=Money(discount, currency) if discount else None,
            total=Money(total, currency),
            total_ref=Money(total_ref, REFERENCE),
            dispatch_by=self._if("order.dispatch_by", told.dispatch_by, self._instant),
            deliver_by=self._if("order.deliver_by", told.deliver_by, self._instant),
            buyer_registered_at=self._if("order.buyer_registered_at", registered_at, self._instant),
            withdrawal_right=self._must(
                "order.withdrawal_right", told.withdrawal_right, way_of, True
            ),
        )

    def _items(self, told: ItemFields, currency: str) -> list[OrderLine]:
        """One for each row, but for those that tell the same one again."""
        lines: dict[str, OrderLine] = {}
        for number, row in enumerate(self.rows, 1):
            cells = row.cells
            line_id = self._if("item.line_id", told.line_id, str, cells) or str(number)
            discount = self._if("item.line_discount", told.line_discount, self._minor, cells)
            line = OrderLine(
                line_id=line_id,
                sku=self._must("item.sku", told.sku, str, "", cells),
                category=self._must("item.category", told.category, str, "", cells),
                quantity=self._must("item.quantity", told.quantity, whole_of, 1, cells),
                unit_price=Money(
                    self._must("item.unit_price", told.unit_price, self._minor, 0, cells), currency
                ),
                line_discount=Money(discount, currency) if discount else None,
            )
            lines.setdefault(line_id, line)
        return list(lines.values())

    def _steps(self, placed_at: datetime) -> list[datetime | None]:
        """What was passed and is not told was passed with the step before."""
        life = self.mapping.life
        named = {
            "paid": life.paid,
            "shipped": life.shipped,
            "delivered": life.delivered,
            "completed": life.completed,
        }
        told = [self._if(f"life.{name}", each, self._instant) for name, each in named.items()]
        reached = max((number for number, at in enumerate(told) if at), default=-1)
        last = placed_at
        for number in range(reached + 1):
            told[number] = last = told[number] or last
        return told

    def _reviews(self, place: str, told: ReviewFields) -> Iterator[BuyerReview | SellerReview]:
        """One for each row that tells of one; of several aspects, one of all rows."""
        rows = [row for row in self.rows if is_where(told, row.cells)]
        if told.aspects is not None:
            cells = merged(rows)
            if rows and says_something(told, cells):
                yield self._review(place, told, cells, self._aspects(place, told.aspects, rows))
            return
        for row in rows:
            if says_something(told, row.cells):
                yield self._review(place, told, row.cells, {})

    def _aspects(self, place: str, told: Aspects, rows: list[Row]) -> dict[str, int]:
        given: dict[str, int] = {}
        for row in rows:
            said = row.cells.get(told.column, "").strip()
            if said not in told.names:
                known = ", ".join(told.names)
                self.wrong.append(f"{place}.aspects: {said!r} is none of {known}")
            elif name := told.names[said]:
                if name in given:
                    self.wrong.append(f"{place}.aspects: {name} is told twice")
                stars = self._stars(f"{place}.{name}", told.stars, row.cells)
                given[name] = stars or 0
        return given

    def _review(
        self, place: str, told: ReviewFields, cells: Cells[str, str], given: Cells[str, int]
    ) -> BuyerReview | SellerReview:
        stars = dict(given)
        for name in sorted(wanted_stars(told) - set(given)):
            each = told.stars.get(name)
            found = self._stars(f"{place}.{name}", each, cells) if each else None
            if each is None:
                self.wrong.append(f"{place}.{name}: in no row")
            stars[name] = found or 0
        at = self._must(f"{place}.at", told.at, self._instant, NEVER, cells)
        title = self._if(f"{place}.title", told.title, str, cells)
        text = self._if(f"{place}.text", told.text, str, cells)
        reply = self._reply(place, told, at, cells)
        restricted = self._restricted(place, told, at, cells)
        if told.by == "SELLER":
            return SellerReview(
                at=at,
                rating=stars["rating"],
                title=title,
                text=text,
                reply=reply,
                restricted=restricted,
            )
        media = self._if(f"{place}.media", told.media, str, cells) or ""
        return BuyerReview(
            at=at,
            **stars,
            incentive=self._if(f"{place}.incentive", told.incentive, str, cells) or "NONE",
            title=title,
            text=text,
            media=[each.strip() for each in media.split(told.media_separator) if each.strip()],
            reply=reply,
            follow_up=self._follow_up(place, told, at, cells),
            restricted=restricted,
        )

    def _reply(
        self, place: str, told: ReviewFields, at: datetime, cells: Cells[str, str]
    ) -> Reply | None:
        text = self._if(f"{place}.reply", told.reply, str, cells)
        if text is None:
            return None
        replied_at = self._if(f"{place}.reply_at", told.reply_at, self._instant, cells)
        return Reply(at=replied_at or at, text=text)

    def _follow_up(
        self, place: str, told: ReviewFields, at: datetime, cells: Cells[str, str]
    ) -> FollowUp | None:
        text = self._if(f"{place}.follow_up", told.follow_up, str, cells)
        if text is None:
            return None
        added_at = self._if(f"{place}.follow_up_at", told.follow_up_at, self._instant, cells)
        return FollowUp(at=added_at or at, text=text)

    def _restricted(
        self, place: str, told: ReviewFields, at: datetime, cells: Cells[str, str]
    ) -> Restricted | None:
        ground = self._if(f"{place}.hidden", told.hidden, str, cells)
        if ground is None:
            return None
        hidden_at = self._if(f"{place}.hidden_at", told.hidden_at, self._instant, cells)
        why = self._if(f"{place}.hidden_why", told.hidden_why, str, cells)
        return Restricted(at=hidden_at or at, ground=ground, facts=why)

    def _if[T](
        self,
        place: str,
        told: FieldSource | None,
        read: Callable[[str], T],
        cells: Cells[str, str] | None = None,
    ) -> T | None:
        """What is told, if anything is."""
        if told is None:
            return None
        try:
            text = text_of(source_of(told), self.merged if cells is None else cells)
            return read(text) if text else None
        except ValueError as wrong:
            self.wrong.append(f"{place}: {wrong}")
            return None

    def _must[T](
        self,
        place: str,
        told: FieldSource,
        read: Callable[[str], T],
        instead: T,
        cells: Cells[str, str] | None = None,
    ) -> T:
        before = len(self.wrong)
        found = self._if(place, told, read, cells)
        if found is None and len(self.wrong) == before:
            self.wrong.append(f"{place}: empty")
        return instead if found is None else found

    def _stars(self, place: str, told: FieldSource, cells: Cells[str, str]) -> int:
        of_all = self.mapping.stars
        scale = source_of(told).scale or of_all.scale
        return self._must(place, told, lambda text: stars_of(text, scale, of_all.halves), 0, cells)

    def _instant(self, text: str) -> datetime:
        return instant_of(text, self.mapping.dates.forms, self.mapping.dates.zone)

    def _minor(self, text: str) -> int:
        return minor_of(text, self.mapping.money.decimals, self.mapping.money.point)

    def _cents(self, text: str) -> int:
        return minor_of(text, CENTS, self.mapping.money.point)


def cost_of(line: OrderLine) -> int:
    discount = line.line_discount.amount if line.line_discount else 0
    return line.quantity * line.unit_price.amount - discount


def is_where(told: ReviewFields, cells: Cells[str, str]) -> bool:
    return all(cells.get(name, "").strip() in said for name, said in told.where.items())


def says_something(told: ReviewFields, cells: Cells[str, str]) -> bool:
    """Whether there are stars or words in it."""
    asked = [*told.stars.values(), told.title, told.text]
    if told.aspects is not None:
        asked.append(told.aspects.stars)
    columns = {name for each in asked if each for name in source_of(each).columns}
    return any(cells.get(name, "").strip() for name in columns)
