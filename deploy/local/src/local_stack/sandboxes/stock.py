"""The stock's book: pieces asked of it in, reservations at a price out."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from local_stack.sandboxes.answers import Answer, refused
from local_stack.sandboxes.book import Book, Currency, Name, Thing, Wanted
from local_stack.sandboxes.faults import Control, Plan


class Article(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`price_minor`: of one piece, in minor units of whatever currency is asked for."""

    stock: Annotated[int, Meta(ge=0)]
    price_minor: Annotated[int, Meta(ge=0)]


UNKNOWN_ARTICLE = Article(stock=1000, price_minor=1000)
"""What nobody has told of is there, at one price."""


class WantedPieces(Wanted, frozen=True, kw_only=True):
    sku: Name
    quantity: Annotated[int, Meta(ge=1)]
    currency: Currency

    @property
    def subjects(self) -> tuple[str, ...]:
        return self.reference, self.sku


class Keeping(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many of a reservation are still wanted."""

    kept: Annotated[int, Meta(ge=0)]


class Reservation(Thing, frozen=True, kw_only=True):
    """`price_minor`: of one piece."""

    sku: str
    quantity: int
    price_minor: int
    currency: str
    status: Literal["RESERVED", "RELEASED"]

    @property
    def subjects(self) -> tuple[str, ...]:
        return self.reference, self.sku


class Stock(Book[WantedPieces, Reservation]):
    plural, ending, prefix, wants = "reservations", "release", "rv", WantedPieces

    def __init__(self, control: Control, now: Callable[[], datetime]) -> None:
        super().__init__(control, now)
        self.articles: dict[str, Article] = {}

    def make(self, wanted: WantedPieces, plan: Plan, thing_id: str) -> Reservation | Answer:
        """A definite no if there are not so many."""
        if plan.refuse is not None:
            return refused(422, plan.refuse)
        article = self.articles.get(wanted.sku, UNKNOWN_ARTICLE)
        if article.stock < wanted.quantity:
            return refused(422, "OUT_OF_STOCK")
        self.articles[wanted.sku] = replace(article, stock=article.stock - wanted.quantity)
        return Reservation(
            id=thing_id,
            reference=wanted.reference,
            sku=wanted.sku,
            quantity=wanted.quantity,
            price_minor=article.price_minor,
            currency=wanted.currency,
            status="RESERVED",
            created_at=self.now(),
        )

    def end(self, thing: Reservation, body: bytes, /) -> Reservation | Answer:
        """Gives the pieces back, all but those that are still wanted; once."""
        try:
            kept = msgspec.json.decode(body, type=Keeping).kept if body else 0
        except msgspec.DecodeError:
            return refused(422, "INVALID")
        back = thing.quantity - kept
        if thing.status == "RELEASED" or back <= 0:
            return thing
        article = self.articles.get(thing.sku, UNKNOWN_ARTICLE)
        self.articles[thing.sku] = replace(article, stock=article.stock + back)
        return replace(thing, quantity=kept) if kept else replace(thing, status="RELEASED")
