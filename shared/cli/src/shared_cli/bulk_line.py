"""An order's life and its reviews in, a line of bulk intake out; a line of the answer in, what
became of it out.

These are the shapes of `POST /v1/orders/bulk` as its client sees them: what may be absent is left
out, and what the answer has beyond this is passed over.
"""

from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Struct


class Money(Struct, frozen=True):
    """In minor units."""

    amount: int
    currency: str


class OrderLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    line_id: str
    sku: str
    category: str
    quantity: int
    unit_price: Money
    line_discount: Money | None = None


class Order(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The order as it was placed. `total_ref` is the total in the policy's reference currency."""

    order_id: str
    seller_id: str
    buyer_id: str
    marketplace_id: str
    country: str
    currency: str
    placed_at: datetime
    lines: list[OrderLine]
    shipping: Money
    total: Money
    total_ref: Money
    withdrawal_right: bool
    order_discount: Money | None = None
    dispatch_by: datetime | None = None
    deliver_by: datetime | None = None
    buyer_registered_at: datetime | None = None


class Paid(Struct, frozen=True, kw_only=True):
    at: datetime
    payment_ref: str


class Shipped(Struct, frozen=True, kw_only=True, omit_defaults=True):
    at: datetime
    tracking_id: str | None = None


class Delivered(Struct, frozen=True, kw_only=True):
    at: datetime
    signed: bool


class Completed(Struct, frozen=True, kw_only=True):
    at: datetime


class Cancelled(Struct, frozen=True, kw_only=True):
    at: datetime
    by: str
    reason: str


class Reply(Struct, frozen=True, kw_only=True):
    """What the other side answered."""

    at: datetime
    text: str


class FollowUp(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What its author had to add. `media` are ids of files."""

    at: datetime
    text: str
    media: list[str] = []


class Restricted(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """That it was hidden elsewhere, on which ground; `facts` are the words for its author."""

    at: datetime
    ground: str
    facts: str | None = None


class BuyerReview(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="by", tag="BUYER"
):
    at: datetime
    quality: int
    logistics: int
    service: int
    incentive: str = "NONE"
    title: str | None = None
    text: str | None = None
    media: list[str] = []
    reply: Reply | None = None
    follow_up: FollowUp | None = None
    restricted: Restricted | None = None


class SellerReview(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="by", tag="SELLER"
):
    at: datetime
    rating: int
    title: str | None = None
    text: str | None = None
    reply: Reply | None = None
    restricted: Restricted | None = None


class Line(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An order with the instants of the states that it has reached, and its reviews."""

    order: Order
    paid: Paid | None = None
    shipped: Shipped | None = None
    delivered: Delivered | None = None
    completed: Completed | None = None
    cancelled: Cancelled | None = None
    reviews: list[BuyerReview | SellerReview] = []


type LineOutcome = Literal["accepted", "unchanged", "refused"]


class WrongField(Struct, frozen=True, kw_only=True):
    """A field, and what it would have to be."""

    field: str
    bound: str


class Problem(Struct, frozen=True, kw_only=True):
    """Why something was refused; `type` ends in the name of the rule."""

    type: str
    detail: str = ""
    errors: list[WrongField] = []

    @property
    def rule(self) -> str:
        return self.type.rpartition("/")[2]

    def __str__(self) -> str:
        wrong = ", ".join(f"{each.field}: {each.bound}" for each in self.errors)
        return f"{self.rule} ({wrong})" if wrong else self.rule


class PartAnswer(Struct, frozen=True, kw_only=True):
    """What became of a part of a review: `media`, `reply`, `follow_up`, `restricted`."""

    part: str
    outcome: LineOutcome
    problem: Problem | None = None


class ReviewAnswer(Struct, frozen=True, kw_only=True):
    outcome: LineOutcome
    problem: Problem | None = None
    parts: list[PartAnswer] = []

    @property
    def problems(self) -> list[Problem]:
        """All that was refused of it; its parts share its fate, and are not told then."""
        told = [self.problem, *(each.problem for each in self.parts)]
        return [each for each in told if each is not None]


class Summary(Struct, frozen=True, kw_only=True):
    events: int


class Answer(Struct, frozen=True, kw_only=True):
    """What became of one line; or, with `summary`, the last word about all lines of a request."""

    order_id: str | None = None
    order: LineOutcome | None = None
    problem: Problem | None = None
    reviews: list[ReviewAnswer] = []
    summary: Summary | None = None
    tokens: list[str] = []

    @property
    def problems(self) -> list[Problem]:
        """All that was refused of the line."""
        of_order = [self.problem] if self.problem else []
        return [*of_order, *(told for each in self.reviews for told in each.problems)]

    @property
    def why(self) -> str:
        """That in words; an order's problem is its reviews', and is told once."""
        return "; ".join(dict.fromkeys(map(str, self.problems)))


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Answer).decode


def encode(line: Line) -> bytes:
    """The bytes of a line, with its end."""
    return _encode(line) + b"\n"


def decode_answer(line: bytes | str) -> Answer:
    """Raises msgspec.DecodeError on what is no answer of bulk intake."""
    return _decode(line)
