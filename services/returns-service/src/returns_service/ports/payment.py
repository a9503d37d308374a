"""A refund in, what the payment provider has made of it out.

The key of every attempt is the refund's own id, so that a provider who remembers it pays once. It
may have been forgotten: whoever is not sure that a refund was never sent looks for it first, and
sends it only after a definite "not there" (see the decision record on looking before sending).
"""

from collections.abc import Sequence
from datetime import date
from typing import Literal

from msgspec import Struct
from shared_events.characters import is_id
from shared_events.fields import Code, Currency, Id, Minor
from shared_events.returns import RefundWay

from returns_service.domain.asking import STOPPED
from returns_service.ports.line import (
    UNREADABLE,
    Heard,
    Line,
    NotNow,
    Refused,
    Unknown,
    code_of,
    no_of,
    read,
)

REFUNDS = "/v1/refunds"
PAGE = 100
PAGES_MAX = 10_000
READS_MAX = 8
DIFFERENT = "DIFFERENT"
"""Something is there of this name, and it is not what was asked."""
NOT_STOPPED = "NOT_STOPPED"


class AskedRefund(Struct, frozen=True, kw_only=True):
    """`refund_id`: the idempotency key too. `amount_minor`: in minor units of the currency, as they
    are: the provider has the same.
    """

    refund_id: Id
    order_id: Id
    amount_minor: Minor
    currency: Currency
    way: RefundWay = "ORIGINAL"


class Paid(Struct, frozen=True, kw_only=True):
    gateway_ref: Id


class Pending(Struct, frozen=True, kw_only=True):
    """It is there and will be paid or refused; nobody knows when."""

    gateway_ref: Id


class Bounced(Struct, frozen=True, kw_only=True):
    """It was paid, and the bank has sent it back."""

    gateway_ref: Id
    code: Code


class Absent(Struct, frozen=True, kw_only=True):
    """The provider has no such refund: its own definite word."""


type Word = Paid | Pending | Bounced | Refused | Unknown
"""What became of a refund that was sent."""
type Sent = Word | NotNow
type Looked = Word | Absent


class TheirRefund(Struct, frozen=True, kw_only=True):
    """A refund as the provider tells of it, in answers and in webhooks. `reference`: our id."""

    id: str
    reference: str
    order_ref: str
    amount_minor: int
    currency: str
    status: Literal["PENDING", "PAID", "REFUSED", "CANCELLED", "BOUNCED"]
    code: str | None = None


class TheirRefunds(Struct, frozen=True, kw_only=True):
    items: list[TheirRefund]
    next_cursor: str | None = None


class WantedRefund(Struct, frozen=True, kw_only=True):
    """A request as the provider takes it."""

    reference: str
    order_ref: str
    amount_minor: int
    currency: str
    way: str


# --- Pure: from what is heard to a word


def word_of(told: TheirRefund) -> Word:
    """What the provider says of a refund."""
    if not is_id(told.id):
        return Unknown(code=UNREADABLE)
    match told.status:
        case "PAID":
            return Paid(gateway_ref=told.id)
        case "PENDING":
            return Pending(gateway_ref=told.id)
        case "BOUNCED":
            return Bounced(gateway_ref=told.id, code=code_of(told.code))
        case "REFUSED":
            return Refused(code=code_of(told.code))
        case "CANCELLED":
            return Refused(code=STOPPED)


def is_the_same(told: TheirRefund, asked: AskedRefund) -> bool:
    """Whether it is what was asked: a word about something else is none."""
    return (told.reference, told.order_ref, told.amount_minor, told.currency) == (
        asked.refund_id,
        asked.order_id,
        asked.amount_minor,
        asked.currency,
    )


def word_about(asked: AskedRefund, told: TheirRefund | Unknown) -> Word:
    if isinstance(told, Unknown):
        return told
    return word_of(told) if is_the_same(told, asked) else Unknown(code=DIFFERENT)


def sent_word(asked: AskedRefund, heard: Heard | Unknown) -> Sent:
    """What the answer to a request says."""
    if isinstance(heard, Unknown) or not heard.is_success:
        return no_of(heard)
    return word_about(asked, read(heard, TheirRefund))


def looked_word(asked: AskedRefund, heard: Heard | Unknown) -> Looked:
    """What the answer to a question says. Only an empty list is a "not there"."""
    found = found_in(asked, heard)
    if isinstance(found, Unknown):
        return found
    return word_about(asked, found) if found else Absent()


def listed(heard: Heard | Unknown) -> TheirRefunds | Unknown:
    """What the answer to a question lists."""
    if isinstance(heard, Unknown):
        return heard
    return read(heard, TheirRefunds) if heard.is_success else Unknown(code=f"HTTP_{heard.status}")


def found_in(asked: AskedRefund, heard: Heard | Unknown) -> TheirRefund | Unknown | None:
    """The refund of this reference; of several, the one that is paid, or else may still be."""
    told = listed(heard)
    if isinstance(told, Unknown):
        return told
    if any(each.reference != asked.refund_id for each in told.items):
        return Unknown(code=DIFFERENT)
    return min(told.items, key=lambda each: WEIGHTIEST.index(each.status), default=None)


WEIGHTIEST: Sequence[str] = ("PAID", "PENDING", "BOUNCED", "REFUSED", "CANCELLED")


# --- Over HTTP


class PaymentPort:
    def __init__(self, line: Line) -> None:
        self._line = line

    async def send(self, asked: AskedRefund) -> Sent:
        """Asks for a refund. The same again is the same refund, as long as its key is known."""
        wanted = WantedRefund(
            reference=asked.refund_id,
            order_ref=asked.order_id,
            amount_minor=asked.amount_minor,
            currency=asked.currency,
            way=asked.way,
        )
        return sent_word(asked, await self._line.post(REFUNDS, wanted, key=asked.refund_id))

    async def look(self, asked: AskedRefund) -> Looked:
        """What became of it."""
        return looked_word(asked, await self._find(asked))

    async def stop(self, asked: AskedRefund) -> Looked:
        """Takes it back if it is not paid yet. `Refused` with `STOPPED`: it never will be."""
        found = found_in(asked, await self._find(asked))
        if found is None:
            return Absent()
        word = word_about(asked, found)
        if not isinstance(word, Pending):
            return word
        heard = await self._line.post(f"{REFUNDS}/{word.gateway_ref}/cancel")
        after: Looked
        if isinstance(heard, Heard) and heard.is_success:
            after = word_about(asked, read(heard, TheirRefund))
        else:
            # Too late, or no answer: how it stands now is the answer.
            after = looked_word(asked, await self._find(asked))
        return Unknown(code=NOT_STOPPED) if isinstance(after, Pending) else after

    async def of_day(self, day: date) -> list[TheirRefund] | Unknown:
        """All to which something happened on that day (UTC), whole or not at all."""
        seen: list[TheirRefund] = []
        cursor = ""
        for _ in range(PAGES_MAX):
            page = await self._page(day, cursor)
            if isinstance(page, Unknown):
                return page
            seen += page.items
            if not page.next_cursor:
                return seen
            cursor = page.next_cursor
        return Unknown(code=UNREADABLE)

    async def _page(self, day: date, cursor: str) -> TheirRefunds | Unknown:
        """Asked for a few times: to read again changes nothing."""
        query = {"day": day.isoformat(), "cursor": cursor, "limit": str(PAGE)}
        page: TheirRefunds | Unknown = Unknown(code=UNREADABLE)
        for _ in range(READS_MAX):
            heard = await self._line.get(REFUNDS, **query)
            page = listed(heard)
            if not isinstance(page, Unknown):
                break
        return page

    async def close(self) -> None:
        await self._line.close()

    async def _find(self, asked: AskedRefund) -> Heard | Unknown:
        return await self._line.get(REFUNDS, reference=asked.refund_id)
