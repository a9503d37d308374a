"""What was found of goods that are back in, that they are accepted or rejected out."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct
from shared_casework.parties import PARTY
from shared_casework.values import refuse
from shared_events.fields import Holds, Milli, Unit
from shared_events.returns import (
    AcceptedUnit,
    AdvanceUnrecovered,
    Grade,
    RejectReason,
    ReturnClosed,
    ReturnEvent,
    UnitsAccepted,
    UnitsRejected,
)
from shared_runtime.decider import (
    AmountExceedsCeiling,
    EvidenceRequired,
    FieldError,
    WrongState,
)
from shared_runtime.rule import MACHINE, Guard, Window

from returns_service.domain.closing import currency_of
from returns_service.domain.goods_matter import (
    PHOTO,
    PhotoDigests,
    Photos,
    all_fitting,
    fitting,
    fitting_units,
    judged_by,
    some_fit,
)
from returns_service.domain.known import PERSON, Known, Sender
from returns_service.domain.return_matter import ReturnRule
from returns_service.domain.return_state import Piece, Return
from returns_service.domain.return_timers import refund_without_goods
from returns_service.domain.verdicts import accepted, accepted_unseen, rejected, unrecovered

AS_RECEIVED: Mapping[str, tuple[RejectReason, ...]] = {
    "SHORT": ("SHORT",),
    "WRONG_ITEM": ("WRONG_ITEM", "NOT_OURS"),
}
"""Why what was not in its parcel is rejected."""


class InspectedUnit(Struct, frozen=True, kw_only=True):
    """ACCEPTED with a `grade`, and less `deduction_milli` of its money for use or damage by the
    buyer; REJECTED with a `reason`.
    """

    unit: Unit
    verdict: Literal["ACCEPTED", "REJECTED"]
    grade: Grade | None = None
    deduction_milli: Milli = 0
    reason: RejectReason | None = None


def each_unit_once(units: tuple[InspectedUnit, ...]) -> bool:
    return len({each.unit for each in units}) == len(units)


class InspectUnits(Struct, frozen=True, kw_only=True):
    units: Annotated[
        tuple[InspectedUnit, ...], Meta(min_length=1), Holds(each_unit_once, "each unit once")
    ]
    photos: Photos = ()
    photos_sha256: PhotoDigests = ()


class AcceptByDefault(Struct, frozen=True):
    """Nobody has looked at the goods in time."""


def shape_of_inspection(said: InspectUnits, _: Sender) -> Iterator[FieldError]:
    if len(said.photos) != len(said.photos_sha256):
        yield FieldError(field="photos_sha256", bound="one for each of the photos")
    for number, told in enumerate(said.units):
        if told.verdict == "ACCEPTED" and (told.grade is None or told.reason):
            yield FieldError(field=f"units[{number}]", bound="with a grade alone, where accepted")
        if told.verdict == "REJECTED" and (
            told.reason is None or told.grade or told.deduction_milli
        ):
            yield FieldError(field=f"units[{number}]", bound="with a reason alone, where rejected")


# --- Somebody has looked


def is_to_inspect(_: Return, piece: Piece, __: Sender) -> bool:
    """what is back, or on its way, and nobody has judged"""
    to_be_judged = piece.is_pending and piece.authorized and not piece.stays
    return to_be_judged and (piece.is_in or piece.where == "IN_TRANSIT")


def before_it_is_judged(matter: Return, said: InspectUnits, _: Sender) -> Window:
    """Of several, the first that ends."""
    pieces = [piece for piece in matter.named(u.unit for u in said.units) if piece.is_pending]
    dues = [judged_by(matter, piece) for piece in pieces]
    return Window(latest=min((due for due in dues if due), default=None))


def names_what_is_there(matter: Return, said: InspectUnits, by: Sender) -> None:
    """what is back, or on its way, and nobody has judged"""
    fitting(matter, [each.unit for each in said.units], is_to_inspect, by)


def inspect_units(matter: Return, said: InspectUnits, by: Sender) -> list[ReturnEvent]:
    """What is still on its way counts as received. Rejected goods that were paid in advance are a
    loss: of the platform where its own warehouse has looked, else once an agent believes it.
    """
    named = {each.unit: each for each in said.units}
    pieces = fitting(matter, [*named], is_to_inspect, by)
    for piece in pieces:
        require_as_received(piece, named[piece.unit])
        require_in_lane(matter, piece, named[piece.unit])
    if not said.photos and any(needs_photo(piece, named[piece.unit]) for piece in pieces):
        raise EvidenceRequired(needed=[PHOTO])
    require_deduction(matter, [named[piece.unit] for piece in pieces], by)
    good = {
        piece.unit: AcceptedUnit(
            unit=piece.unit, grade=grade, deduction_milli=named[piece.unit].deduction_milli
        )
        for piece in pieces
        if (grade := named[piece.unit].grade)
    }
    bad: dict[str, RejectReason] = {
        piece.unit: reason for piece in pieces if (reason := named[piece.unit].reason)
    }
    photos = (said.photos, said.photos_sha256)
    confirmed = by.actor.acts_as == MACHINE
    return [
        *accepted(matter, good, by, by_default=False),
        *rejected(matter, bad, by, by_default=False, photos=photos),
        *unrecovered(matter, advanced(matter, bad), by, confirmed=confirmed),
    ]


def require_as_received(piece: Piece, told: InspectedUnit) -> None:
    """What was not in the parcel can't be accepted. Raises `InvalidValue`."""
    reasons = AS_RECEIVED.get(piece.where)
    if reasons and told.reason not in reasons:
        raise refuse("units", f"{told.unit} rejected as it was received: {', '.join(reasons)}")


def require_in_lane(matter: Return, piece: Piece, told: InspectedUnit) -> None:
    """Raises `InvalidValue`."""
    if told.deduction_milli and matter.lane == "FAST":
        raise refuse("deduction_milli", "0 in the fast lane")
    late = piece.expired and matter.kind != "WITHDRAWAL"
    if told.reason == "LATE" and not late:
        raise refuse("reason", "LATE of what came after it had expired")


def needs_photo(piece: Piece, told: InspectedUnit) -> bool:
    """What was not in the parcel has been photographed when that was opened."""
    if told.verdict == "ACCEPTED":
        return told.deduction_milli > 0
    return piece.where not in AS_RECEIVED


def require_deduction(matter: Return, told: Sequence[InspectedUnit], by: Sender) -> None:
    """Raises `AmountExceedsCeiling` with the most that may be deducted."""
    most = matter.policy(by).return_max_deduction_milli
    for each in told:
        if each.deduction_milli > most:
            ceiling = by.known.remaining.get(each.unit, 0) * most // 1000
            raise AmountExceedsCeiling(ceiling_minor=ceiling, currency=currency_of(matter, by))


def advanced(matter: Return, units: Mapping[str, object]) -> list[Piece]:
    return [piece for piece in matter.named(units) if matter.is_advanced(piece)]


def to_inspect(matter: Return, by: Sender) -> Sequence[InspectUnits]:
    units = fitting_units(matter, is_to_inspect, by)
    there = [piece for piece in matter.named(units) if piece.where not in AS_RECEIVED]
    absent = [piece for piece in matter.named(units) if piece.where in AS_RECEIVED]
    found = [InspectedUnit(unit=p.unit, verdict="ACCEPTED", grade="A") for p in there]
    found += [
        InspectedUnit(unit=p.unit, verdict="REJECTED", reason=AS_RECEIVED[p.where][0])
        for p in absent
    ]
    return [InspectUnits(units=tuple(found))] if found else []


INSPECT_UNITS = ReturnRule(
    InspectUnits,
    inspect_units,
    roles=("SELLER", "SYSTEM"),
    shape=shape_of_inspection,
    party=PARTY,
    barred=PERSON,
    stands=Guard[Return, InspectUnits, Known](names_what_is_there, WrongState),
    window=before_it_is_judged,
    refuses=(EvidenceRequired, AmountExceedsCeiling),
    lapses=True,
    events=(UnitsAccepted, UnitsRejected, AdvanceUnrecovered, ReturnClosed),
    example=InspectUnits(
        units=(InspectedUnit(unit="1/1", verdict="ACCEPTED", grade="A"),),
    ),
    tries=to_inspect,
)


# --- Nobody has looked


def is_judged_unseen(matter: Return, piece: Piece, by: Sender) -> bool:
    """what nobody has looked at in time, or is paid without that"""
    if not piece.is_pending or not piece.authorized or piece.stays:
        return False
    due = judged_by(matter, piece)
    return (due is not None and due <= by.now) or never_went_out(matter, piece, by)


def never_went_out(matter: Return, piece: Piece, by: Sender) -> bool:
    """Of a withdrawal from an order that is cancelled: the ledger pays at once."""
    is_cancelled = by.known.order is not None and by.known.order.stage == "CANCELLED"
    pays = matter.policy(by).refund_on_cancel == "LEDGER"
    without = matter.kind == "WITHDRAWAL" and not matter.goods_back
    return is_cancelled and pays and without and piece.unit in refund_without_goods(matter)


def accept_by_default(matter: Return, _: AcceptByDefault, by: Sender) -> list[ReturnEvent]:
    """As good as new, but for what was not in its parcel."""
    pieces = all_fitting(matter, is_judged_unseen, by)
    bad: dict[str, RejectReason] = {
        p.unit: AS_RECEIVED[p.where][0] for p in pieces if p.where in AS_RECEIVED
    }
    lost = advanced(matter, bad)
    return [
        *accepted_unseen(matter, [piece for piece in pieces if piece.unit not in bad], by),
        *rejected(matter, bad, by, by_default=True),
        *unrecovered(matter, [p for p in lost if p.by_warehouse], by, confirmed=True),
        *unrecovered(matter, [p for p in lost if not p.by_warehouse], by, confirmed=False),
    ]


ACCEPT_BY_DEFAULT = ReturnRule(
    AcceptByDefault,
    accept_by_default,
    roles=("SYSTEM",),
    stands=some_fit(is_judged_unseen),
    lapses=True,
    events=(UnitsAccepted, UnitsRejected, AdvanceUnrecovered, ReturnClosed),
    example=AcceptByDefault(),
)
