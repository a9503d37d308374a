"""A payment provider, a carrier and a stock that misbehave at will, in memory.

The provider refuses, times out before or after it has paid, answers twice and late, sends money
back, and forgets keys; what it has paid is in its book, whatever it has said. It keeps what the
product relies on: a key is known for an hour, and what it lists is what is in its book.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from msgspec import Struct
from msgspec.structs import replace

from returns_service.connectors.payments import KEY_SURE
from returns_service.ports.carrier import AskedLabel, Label, Voided
from returns_service.ports.line import NotNow, Refused, Unknown
from returns_service.ports.payment import (
    WEIGHTIEST,
    Absent,
    AskedRefund,
    Looked,
    Sent,
    TheirRefund,
    word_about,
)
from returns_service.ports.stock import AskedPieces, OutOfStock, Released, Reserved

TIMEOUT = Unknown(code="TIMEOUT")
DOWN = NotNow(code="DOWN")


def chance(rng: Random, percent: int) -> bool:
    return rng.randrange(100) < percent


class Payment(Struct, frozen=True, kw_only=True):
    """A refund in the provider's book. `times_paid`: how often money has left for it."""

    told: TheirRefund
    since: datetime
    times_paid: int = 0


@dataclass(kw_only=True)
class BadProvider:
    """`honest`: it pays what it is asked, and says so."""

    rng: Random
    now: Callable[[], datetime]
    honest: bool = False
    book: list[Payment] = field(default_factory=list[Payment])

    async def send(self, asked: AskedRefund) -> Sent:
        known = self._known_key(asked)
        if known is None:
            if not self.honest and (no := self._does_nothing()):
                return no
            known = self._entered(asked)
        if not self.honest and chance(self.rng, 25):
            return TIMEOUT  # done, and nobody hears of it
        return word_about(asked, self.book[known].told)

    async def look(self, asked: AskedRefund) -> Looked:
        if not self.honest and chance(self.rng, 20):
            return TIMEOUT
        found = [each.told for each in self.book if each.told.reference == asked.refund_id]
        if not found:
            return Absent()
        return word_about(asked, min(found, key=lambda each: WEIGHTIEST.index(each.status)))

    async def stop(self, asked: AskedRefund) -> Looked:
        for number, each in enumerate(self.book):
            if each.told.reference == asked.refund_id and each.told.status == "PENDING":
                self._becomes(number, "CANCELLED" if chance(self.rng, 70) else "PAID")
        return await self.look(asked)

    def _known_key(self, asked: AskedRefund) -> int | None:
        """Surely for an hour; then it may be forgotten."""
        for number, each in enumerate(self.book):
            if each.told.reference == asked.refund_id:
                is_sure = self.now() - each.since < KEY_SURE
                if is_sure or chance(self.rng, 30):
                    return number
        return None

    def _does_nothing(self) -> NotNow | Refused | Unknown | None:
        refused = Refused(code="CARD_CLOSED")
        said: list[NotNow | Refused | Unknown | None] = [TIMEOUT, DOWN, refused, None]
        return self.rng.choices(said, [15, 15, 10, 60])[0]

    def _entered(self, asked: AskedRefund) -> int:
        number = len(self.book)
        told = TheirRefund(
            id=f"gw-{number}",
            reference=asked.refund_id,
            order_ref=asked.order_id,
            amount_minor=asked.amount_minor,
            currency=asked.currency,
            status="PENDING",
        )
        self.book.append(Payment(told=told, since=self.now()))
        how = "PAID" if self.honest else self.rng.choice(["PAID", "PAID", "PENDING", "REFUSED"])
        self._becomes(number, how)
        return number

    def _becomes(self, number: int, status: str) -> None:
        each = self.book[number]
        told = replace(each.told, status=status, code="ACCOUNT_CLOSED")
        paid = each.times_paid + (status == "PAID")
        self.book[number] = replace(each, told=told, times_paid=paid)

    def turns(self) -> TheirRefund | None:
        """Something happens to one that is there, or it is only told of again."""
        if not self.book:
            return None
        number = self.rng.randrange(len(self.book))
        each = self.book[number]
        if each.told.status == "PENDING":
            self._becomes(number, "PAID" if chance(self.rng, 70) else "REFUSED")
        elif each.told.status == "PAID" and chance(self.rng, 25):
            self._becomes(number, "BOUNCED")
        elif each.told.status == "REFUSED" and chance(self.rng, 10):
            self._becomes(number, "PAID")  # it had said that it never would
        return self.book[number].told

    def ends(self) -> list[TheirRefund]:
        """Nothing is under way here any more; all that there is, to be told."""
        self.honest = True
        for number, each in enumerate(self.book):
            if each.told.status == "PENDING":
                self._becomes(number, "PAID")
        return [each.told for each in self.book]


@dataclass(kw_only=True)
class BadCarrier:
    """Some of its labels cost more than the goods."""

    rng: Random

    async def label(
        self, asked: AskedLabel, *, sent_before: bool
    ) -> Label | NotNow | Refused | Unknown:
        name = asked.label_id
        label = Label(
            carrier_ref=f"L-{name}",
            carrier="DHL",
            tracking_id=f"T-{name}",
            cost_minor=390 if len(name) % 2 else 9000,
        )
        no = TIMEOUT if sent_before else Refused(code="NO_ADDRESS")
        said: list[Label | NotNow | Refused | Unknown] = [label, TIMEOUT, DOWN, no]
        return self.rng.choices(said, [70, 15, 5, 10])[0]

    async def void(self, _: str) -> Voided | Unknown:
        return Voided() if chance(self.rng, 80) else TIMEOUT


@dataclass(kw_only=True)
class BadStock:
    """Its price is that of the moment. What it has kept it keeps, whether that was heard or not,
    until it is given back. `held`: how many pieces of each reservation.
    """

    rng: Random
    kept: dict[str, Reserved] = field(default_factory=dict[str, Reserved])
    held: dict[str, int] = field(default_factory=dict[str, int])

    async def reserve(
        self, asked: AskedPieces, *, sent_before: bool
    ) -> Reserved | OutOfStock | NotNow | Refused | Unknown:
        if asked.reservation_id in self.kept:
            return self.kept[asked.reservation_id]
        no = TIMEOUT if sent_before else OutOfStock()
        said: list[OutOfStock | NotNow | Unknown | None] = [None, TIMEOUT, DOWN, no]
        if (word := self.rng.choices(said, [60, 15, 10, 15])[0]) is not None:
            return word
        price = self.rng.choice([0, 300, 1060, 1061, 1500, 2500])
        reserved = Reserved(stock_ref="R-1", price_minor=price)
        self.kept[asked.reservation_id] = reserved
        self.held[asked.reservation_id] = asked.quantity
        return TIMEOUT if chance(self.rng, 25) else reserved

    async def release(self, reservation_id: str, *, kept: int) -> Released | Unknown:
        if chance(self.rng, 10):
            return TIMEOUT
        if reservation_id in self.held:
            self.held[reservation_id] = min(kept, self.held[reservation_id])
        return TIMEOUT if chance(self.rng, 10) else Released()
