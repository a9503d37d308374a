"""What a service has in, lines or rows of a file out, page by page.

A page is written when it has come whole; with its cursor one goes on where a file ends.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, Literal

import httpx
import msgspec
from local_stack.errors import StackError
from msgspec import Raw, Struct

from shared_cli import csv_cells
from shared_cli.csv_cells import Cell

PAGE_LINES = 100
REQUEST_SECONDS = 120.0
DETAIL_LENGTH = 500
PERIOD = timedelta(days=366)
"""The longest that refunds are exported of at once, and the one that is, unless another is said."""
SPOOLED_BYTES = 1024 * 1024

type What = Literal["orders", "reviews"]
type Flat = Callable[[dict[str, Any]], Iterator[Mapping[str, Cell]]]
"""A line in, its rows out."""

OF_ORDER = (
    "order_id",
    "seller_id",
    "buyer_id",
    "marketplace_id",
    "country",
    "currency",
    "placed_at",
)
STEPS = ("paid", "shipped", "delivered", "completed", "cancelled")
ORDER_COLUMNS = (
    *OF_ORDER,
    *("line_id", "sku", "category", "quantity", "unit_price_minor", "line_discount_minor"),
    *("order_discount_minor", "shipping_minor", "total_minor", "total_ref_minor"),
    *(f"{step}_at" for step in STEPS),
)
REVIEW_COLUMNS = (
    *OF_ORDER,
    *("sku", "delivered_at", "completed_at", "by", "at", "quality", "logistics", "service"),
    *("rating", "incentive", "text", "media", "reply", "reply_at", "follow_up", "follow_up_at"),
    *("restricted", "restricted_at"),
)


class BrokenOff(StackError):  # noqa: N818 - the name says what was met
    """The service does not answer any more. `cursor`: where to go on."""

    def __init__(self, why: str, cursor: str | None) -> None:
        place = f"; go on with --cursor {cursor}" if cursor else ""
        super().__init__(f"{why}{place}")


class Refused(Exception):  # noqa: N818 - what the service says
    """The service refuses to be asked so."""


class _Page(Struct):
    items: list[Raw]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedExport:
    """What is exported. Instants as RFC 3339 has them."""

    since: str | None
    until: str | None
    seller_id: str | None
    cursor: str | None


@dataclass(slots=True)
class Sink:
    """Where it goes: as it comes, or in CSV, whose header stands before the first rows. Without
    `columns` they are those of the first row.
    """

    file: BinaryIO
    flat: Flat | None
    columns: tuple[str, ...]
    headed: bool = False
    lines: int = 0

    def write(self, lines: list[bytes]) -> None:
        """A page, whole."""
        self.lines += len(lines)
        if self.flat is None:
            self.file.write(b"".join(line + b"\n" for line in lines))
        else:
            rows = [row for line in lines for row in self.flat(msgspec.json.decode(line))]
            self.columns = self.columns or tuple(rows[0] if rows else ())
            header = [self.columns] if self.columns and not self.headed else []
            self.headed = self.headed or bool(header)
            cells = ([row.get(name) for name in self.columns] for row in rows)
            self.file.write(csv_cells.as_csv([*header, *cells]))
        self.file.flush()


def histories(web: httpx.Client, url: str, what: What, wanted: WantedExport, sink: Sink) -> None:
    """Orders with their reviews, or those alone that have some. Raises `BrokenOff`, `Refused`."""
    cursor = wanted.cursor
    query = {
        "since": wanted.since,
        "until": wanted.until,
        "seller_id": wanted.seller_id,
        "reviewed": "true" if what == "reviews" else None,
        "limit": str(PAGE_LINES),
    }
    while True:
        asked = {name: told for name, told in (query | {"cursor": cursor}).items() if told}
        try:
            answer = web.get(f"{url}/v1/histories", params=asked)
        except httpx.TransportError as failure:
            raise BrokenOff(f"review-service does not answer: {failure}", cursor) from failure
        check("review-service", answer.status_code, answer.text, cursor)
        page = msgspec.json.decode(answer.content, type=_Page)
        sink.write([bytes(each) for each in page.items])
        if (cursor := page.next_cursor) is None:
            return


def refunds(web: httpx.Client, url: str, wanted: WantedExport, sink: Sink) -> None:
    """Those asked for in the period, oldest first; the cursor is the instant up to which they are
    there. Raises `BrokenOff`, `Refused`.
    """
    until = datetime.fromisoformat(wanted.until) if wanted.until else None
    begin = begin_of(wanted, until)
    while until is None or begin < until:
        end = min(begin + PERIOD, until) if until else begin + PERIOD
        last = until is None and end > datetime.now(UTC)
        query = {"format": "ndjson", "since": told(begin)} | ({} if last else {"until": told(end)})
        with tempfile.SpooledTemporaryFile(SPOOLED_BYTES) as spool:
            cursor = told(begin)
            try:
                with web.stream("GET", f"{url}/v1/refunds/export", params=query) as answer:
                    if not answer.is_success:
                        answer.read()
                        check("returns-service", answer.status_code, answer.text, cursor)
                    for chunk in answer.iter_bytes():
                        spool.write(chunk)
            except httpx.TransportError as failure:
                raise BrokenOff(f"returns-service does not answer: {failure}", cursor) from failure
            spool.seek(0)
            for line in spool:
                if wanted.seller_id is None or seller_of(line) == wanted.seller_id:
                    sink.write([line.rstrip(b"\n")])
        if last:
            return
        begin = end


def begin_of(wanted: WantedExport, until: datetime | None) -> datetime:
    if said := wanted.cursor or wanted.since:
        return datetime.fromisoformat(said)
    return (until or datetime.now(UTC)) - PERIOD


def told(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def check(service: str, status: int, text: str, cursor: str | None) -> None:
    if status < httpx.codes.BAD_REQUEST:
        return
    said = f"{service} refuses ({status}): {text[:DETAIL_LENGTH]}"
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise BrokenOff(said, cursor)
    raise Refused(said)


class _OfSeller(Struct):
    seller_id: str


def seller_of(line: bytes) -> str:
    return msgspec.json.decode(line, type=_OfSeller).seller_id


# --- Rows


def order_rows(line: dict[str, Any]) -> Iterator[Mapping[str, Cell]]:
    """One for each line of the order."""
    order = line["order"]
    cells = whole_order(line)
    for name in ("order_discount", "shipping", "total", "total_ref"):
        cells[f"{name}_minor"] = order[name]["amount"] if name in order else None
    for item in order["lines"]:
        discount = item.get("line_discount")
        yield cells | {
            **{name: item[name] for name in ("line_id", "sku", "category", "quantity")},
            "unit_price_minor": item["unit_price"]["amount"],
            "line_discount_minor": discount["amount"] if discount else None,
        }


def review_rows(line: dict[str, Any]) -> Iterator[Mapping[str, Cell]]:
    """One for each review."""
    cells = whole_order(line) | {"sku": line["order"]["lines"][0]["sku"]}
    for review in line.get("reviews", []):
        none: dict[str, Any] = {}
        reply, added, hidden = (
            review.get(part, none) for part in ("reply", "follow_up", "restricted")
        )
        plain = {name: review.get(name) for name in REVIEW_COLUMNS if name in review}
        if review["by"] == "BUYER":
            plain.setdefault("incentive", "NONE")
        yield (
            cells
            | plain
            | {
                "media": ",".join(review.get("media", [])),
                "reply": reply.get("text"),
                "reply_at": reply.get("at"),
                "follow_up": added.get("text"),
                "follow_up_at": added.get("at"),
                "restricted": hidden.get("ground"),
                "restricted_at": hidden.get("at"),
            }
        )


def whole_order(line: dict[str, Any]) -> dict[str, Cell]:
    order = line["order"]
    steps = {f"{step}_at": line[step]["at"] for step in STEPS if line.get(step)}
    return {name: order[name] for name in OF_ORDER} | steps


def refund_rows(line: dict[str, Any]) -> Iterator[Mapping[str, Cell]]:
    """The refund; its units as `<unit>=<amount>`, with a comma between two."""
    units = ",".join(f"{each['unit']}={each['amount_minor']}" for each in line["units"])
    yield line | {"units": units}
