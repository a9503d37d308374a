"""A replacement that is wanted in, whether there is one, and at what price, out."""

from msgspec import Struct
from shared_events.characters import is_id
from shared_events.fields import Count, Currency, Id, Minor

from returns_service.ports.line import UNREADABLE, Heard, Line, No, Refused, Unknown, no_of, read

RESERVATIONS = "/v1/reservations"
DIFFERENT = "DIFFERENT"
OUT_OF_STOCK = "OUT_OF_STOCK"


class AskedPieces(Struct, frozen=True, kw_only=True):
    """`reservation_id`: ours, and the idempotency key."""

    reservation_id: Id
    sku: Id
    quantity: Count
    currency: Currency


class Reserved(Struct, frozen=True, kw_only=True):
    """`stock_ref`: the stock's own name for it. `price_minor`: of one piece, in the asked currency;
    what the difference is to what was paid is for others to say.
    """

    stock_ref: Id
    price_minor: Minor


class OutOfStock(Struct, frozen=True, kw_only=True):
    """There are not so many: its own definite word."""


class Released(Struct, frozen=True, kw_only=True):
    pass


class Keeping(Struct, frozen=True, kw_only=True):
    """How many of a reservation are still wanted; the others are given back."""

    kept: int


class TheirReservation(Struct, frozen=True, kw_only=True):
    id: str
    reference: str
    sku: str
    quantity: int
    price_minor: int
    currency: str
    status: str


class TheirReservations(Struct, frozen=True, kw_only=True):
    items: list[TheirReservation]


class WantedPieces(Struct, frozen=True, kw_only=True):
    reference: str
    sku: str
    quantity: int
    currency: str


def reserved_of(asked: AskedPieces, told: TheirReservation | Unknown) -> Reserved | Unknown:
    """The reservation, if it is the one that was asked for, at a price in that currency."""
    if isinstance(told, Unknown):
        return told
    if (told.reference, told.sku, told.quantity, told.currency) != (
        asked.reservation_id,
        asked.sku,
        asked.quantity,
        asked.currency,
    ):
        return Unknown(code=DIFFERENT)
    if told.price_minor < 0 or not is_id(told.id):
        return Unknown(code=UNREADABLE)
    return Reserved(stock_ref=told.id, price_minor=told.price_minor)


def asked_pieces(asked: AskedPieces, heard: Heard | Unknown) -> Reserved | OutOfStock | No:
    if isinstance(heard, Unknown) or not heard.is_success:
        no = no_of(heard)
        return OutOfStock() if no == Refused(code=OUT_OF_STOCK) else no
    return reserved_of(asked, read(heard, TheirReservation))


def found_pieces(asked: AskedPieces, heard: Heard | Unknown) -> Reserved | Unknown | None:
    """The oldest reservation of this name that holds; None if there is none."""
    held = held_in(heard)
    if isinstance(held, Unknown):
        return held
    return reserved_of(asked, held[0]) if held else None


def held_in(heard: Heard | Unknown) -> list[TheirReservation] | Unknown:
    """Those that hold, the oldest first."""
    if isinstance(heard, Unknown):
        return heard
    if not heard.is_success:
        return Unknown(code=f"HTTP_{heard.status}")
    told = read(heard, TheirReservations)
    if isinstance(told, Unknown):
        return told
    return [each for each in told.items if each.status == "RESERVED"]


def released(heard: Heard | Unknown, kept: int) -> Released | Refused | Unknown:
    """The stock's word that it keeps no more than these."""
    if isinstance(heard, Heard) and heard.is_success:
        told = read(heard, TheirReservation)
        if isinstance(told, Unknown):
            return told
        are_left = told.quantity if told.status == "RESERVED" else 0
        return Released() if are_left == kept else Unknown(code=DIFFERENT)
    no = no_of(heard)
    return no if isinstance(no, Refused) else Unknown(code=no.code)


class StockPort:
    def __init__(self, line: Line) -> None:
        self._line = line

    async def reserve(self, asked: AskedPieces, *, sent_before: bool) -> Reserved | OutOfStock | No:
        """Keeps pieces, once: a reservation that may have been made before is looked for first."""
        if sent_before:
            heard = await self._line.get(RESERVATIONS, reference=asked.reservation_id)
            found = found_pieces(asked, heard)
            if found is not None:
                return found
        wanted = WantedPieces(
            reference=asked.reservation_id,
            sku=asked.sku,
            quantity=asked.quantity,
            currency=asked.currency,
        )
        heard = await self._line.post(RESERVATIONS, wanted, key=asked.reservation_id)
        return asked_pieces(asked, heard)

    async def release(self, reservation_id: str, *, kept: int) -> Released | Refused | Unknown:
        """Gives back all but these, and all of what was kept twice. Again: the same."""
        heard = await self._line.get(RESERVATIONS, reference=reservation_id)
        held = held_in(heard)
        if isinstance(held, Unknown):
            return held
        for number, each in enumerate(held):
            left = min(each.quantity, 0 if number else kept)
            at = f"{RESERVATIONS}/{each.id}/release"
            word = released(await self._line.post(at, Keeping(kept=left)), left)
            if not isinstance(word, Released):
                return word
        return Released()

    async def close(self) -> None:
        await self._line.close()
