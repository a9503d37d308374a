"""A parcel that is to come back in, the label that the carrier makes for it out."""

from msgspec import Struct
from shared_events.characters import is_id
from shared_events.fields import Count, Currency, Id, Minor

from returns_service.ports.line import UNREADABLE, Heard, Line, No, Refused, Unknown, no_of, read

LABELS = "/v1/labels"
DIFFERENT = "DIFFERENT"


class AskedLabel(Struct, frozen=True, kw_only=True):
    """`label_id`: ours, and the idempotency key. `currency`: that of the order."""

    label_id: Id
    order_id: Id
    pieces: Count
    currency: Currency


class Label(Struct, frozen=True, kw_only=True):
    """`carrier_ref`: the carrier's own name for it. `cost_minor`: of the asked currency."""

    carrier_ref: Id
    carrier: Id
    tracking_id: Id
    cost_minor: Minor


class Voided(Struct, frozen=True, kw_only=True):
    """Nobody can send anything with it any more, and it costs nothing."""


class TheirLabel(Struct, frozen=True, kw_only=True):
    id: str
    reference: str
    carrier: str
    tracking_id: str
    cost_minor: int
    currency: str
    status: str


class TheirLabels(Struct, frozen=True, kw_only=True):
    items: list[TheirLabel]


class WantedLabel(Struct, frozen=True, kw_only=True):
    reference: str
    order_ref: str
    pieces: int
    currency: str


def label_of(asked: AskedLabel, told: TheirLabel | Unknown) -> Label | Unknown:
    """The label, if it is the one that was asked for, at a price in that currency."""
    if isinstance(told, Unknown):
        return told
    if (told.reference, told.currency) != (asked.label_id, asked.currency):
        return Unknown(code=DIFFERENT)
    if told.cost_minor < 0 or not all(map(is_id, (told.id, told.carrier, told.tracking_id))):
        return Unknown(code=UNREADABLE)
    return Label(
        carrier_ref=told.id,
        carrier=told.carrier,
        tracking_id=told.tracking_id,
        cost_minor=told.cost_minor,
    )


def asked_label(asked: AskedLabel, heard: Heard | Unknown) -> Label | No:
    if isinstance(heard, Unknown) or not heard.is_success:
        return no_of(heard)
    return label_of(asked, read(heard, TheirLabel))


def found_label(asked: AskedLabel, heard: Heard | Unknown) -> Label | Unknown | None:
    """The oldest one of this name that is good; None if there is none."""
    if isinstance(heard, Unknown):
        return heard
    if not heard.is_success:
        return Unknown(code=f"HTTP_{heard.status}")
    told = read(heard, TheirLabels)
    if isinstance(told, Unknown):
        return told
    good = (each for each in told.items if each.status != "VOIDED")
    first = next(good, None)
    return label_of(asked, first) if first else None


def voided(heard: Heard | Unknown) -> Voided | Refused | Unknown:
    """A label that was used cannot be taken back: then it is refused."""
    if isinstance(heard, Heard) and heard.is_success:
        told = read(heard, TheirLabel)
        if isinstance(told, Unknown):
            return told
        return Voided() if told.status == "VOIDED" else Unknown(code=DIFFERENT)
    no = no_of(heard)
    return no if isinstance(no, Refused) else Unknown(code=no.code)


class CarrierPort:
    def __init__(self, line: Line) -> None:
        self._line = line

    async def label(self, asked: AskedLabel, *, sent_before: bool) -> Label | No:
        """Has a label made, once: one that may have been asked for before is looked for first."""
        if sent_before:
            heard = await self._line.get(LABELS, reference=asked.label_id)
            found = found_label(asked, heard)
            if found is not None:
                return found
        wanted = WantedLabel(
            reference=asked.label_id,
            order_ref=asked.order_id,
            pieces=asked.pieces,
            currency=asked.currency,
        )
        return asked_label(asked, await self._line.post(LABELS, wanted, key=asked.label_id))

    async def void(self, carrier_ref: str) -> Voided | Refused | Unknown:
        """Takes a label back that nobody has used. Again: the same."""
        return voided(await self._line.post(f"{LABELS}/{carrier_ref}/void"))

    async def close(self) -> None:
        await self._line.close()
