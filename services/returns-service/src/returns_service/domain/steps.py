"""What has happened to a return in, what is done about it by itself out: money is asked of the
ledger, a label or an article of those who have them, and returns hear of what others have done.

The id of a step follows from the event that causes it: however often that comes, it is one step.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace
from shared_events.returns import (
    AdvanceUnrecovered,
    Bearer,
    ExchangeFellBack,
    ExchangeShipped,
    OfferAccepted,
    ReturnAuthorized,
    ReturnEvent,
    ReturnScanned,
    UnitsAccepted,
    UnitsReplaced,
)

from returns_service.domain.bearing import MoveCost
from returns_service.domain.replacing import Pair, ReplaceUnits
from returns_service.domain.requesting import AskedBy, AskedUnit, RequestRefund, Standing
from returns_service.domain.return_state import Piece, Return
from returns_service.domain.streams import step_id_of


class ToLedger(Struct, frozen=True):
    """A command to the ledger of the return's order."""

    said: RequestRefund | ReplaceUnits | MoveCost


class ToReturn(Struct, frozen=True):
    """A command to a return."""

    return_id: str
    said: Struct


class AskLabel(Struct, frozen=True, kw_only=True):
    """To the carrier; his answer is IssueLabel."""

    return_id: str
    units: tuple[str, ...]


class AskStock(Struct, frozen=True, kw_only=True):
    """To the stock; its answer is ReserveReplacement. Without `sku`: the same article."""

    return_id: str
    units: tuple[str, ...]
    sku: str | None


class ReleaseStock(Struct, frozen=True, kw_only=True):
    """To the stock: of what it keeps by this reservation some is not wanted any more."""

    return_id: str
    reservation_id: str


type Step = ToLedger | ToReturn | AskLabel | AskStock | ReleaseStock


def steps_of(  # noqa: PLR0911 - one arm for each event
    event_id: str, event: ReturnEvent, matter: Return
) -> list[Step]:
    """`matter`: the return as it is after the event."""
    match event:
        case ReturnAuthorized():
            return of_authorization(event_id, event, matter)
        case ReturnScanned(kind="HANDED_OVER"):
            return of_handing_over(event_id, event, matter)
        case UnitsAccepted():
            pieces = matter.named(told.unit for told in event.units)
            return of_acceptance(event_id, pieces, matter)
        case OfferAccepted():
            return [asked_for_offer(event_id, event, matter)]
        case ExchangeFellBack(units=units):
            pieces = matter.named(units)
            return [*of_falling_back(event_id, pieces, matter), *released(units, matter)]
        case ExchangeShipped(units=units):
            pieces = [each for each in matter.named(units) if not is_ahead(each)]
            return replaced(event_id, pieces, matter)
        case AdvanceUnrecovered(units=units, confirmed=True):
            return [cost_moved(matter, units, "PLATFORM")]
        case _:
            return []


# --- It is authorized, and on its way


def of_authorization(event_id: str, event: ReturnAuthorized, matter: Return) -> list[Step]:
    units = tuple(event.units)
    if event.goods_back:
        sends = event.ship_by is not None and matter.label is None
        return [AskLabel(return_id=matter.return_id, units=units)] if sends else []
    if event.kind != "CLAIM":
        return []
    if matter.wants == "REPLACEMENT":
        return [stock_for(matter, units)]
    asked = refund(event_id, "CLAIM", matter.named(units), matter, amount_minor=event.amount_minor)
    return [ToLedger(asked)]


def of_handing_over(event_id: str, event: ReturnScanned, matter: Return) -> list[Step]:
    """In the fast lane, before anybody has seen the goods."""
    pieces = [piece for piece in matter.named(event.units) if piece.is_pending]
    if matter.lane != "FAST" or not pieces:
        return []
    if matter.kind == "EXCHANGE":
        waiting = [each.unit for each in pieces if is_to_be_reserved(matter, each)]
        return [stock_for(matter, waiting)] if waiting else []
    return [*refunds(event_id, "RETURN", pieces, matter, advance=True)]


def stock_for(matter: Return, units: Iterable[str]) -> AskStock:
    sku = matter.requested.replacement_sku if matter.requested else None
    return AskStock(return_id=matter.return_id, units=tuple(units), sku=sku)


# --- It is accepted, or settled otherwise


def of_acceptance(event_id: str, pieces: Sequence[Piece], matter: Return) -> list[Step]:
    """Money for what comes back for money, but what was advanced; an article for what is exchanged,
    or, where that is on its way already, the money of the old piece moves to it.
    """
    steps: list[Step] = []
    if waiting := [each.unit for each in pieces if is_to_be_reserved(matter, each)]:
        steps.append(stock_for(matter, waiting))
    steps += replaced(event_id, [each for each in pieces if is_sent_ahead(each)], matter)
    source: AskedBy = "WITHDRAWAL" if matter.kind == "WITHDRAWAL" else "RETURN"
    fell_back = [each for each in pieces if each.fell_back and not each.stays]
    for_money = [
        each
        for each in pieces
        if each not in fell_back
        and not each.replacement
        and not matter.wants_replacement(each)
        and not matter.is_advanced(each)
    ]
    steps += refunds(event_id, "EXCHANGE_FALLBACK", fell_back, matter)
    steps += refunds(event_id, source, for_money, matter)
    if came_after_all := [each.unit for each in pieces if each.unrecovered]:
        steps.append(cost_moved(matter, came_after_all, "SELLER"))
    return steps


def asked_for_offer(event_id: str, event: OfferAccepted, matter: Return) -> ToLedger:
    pieces = matter.named(event.units)
    return ToLedger(refund(event_id, "OFFER", pieces, matter, amount_minor=event.amount_minor))


def of_falling_back(event_id: str, pieces: Sequence[Piece], matter: Return) -> list[Step]:
    """What is accepted is refunded now, the rest once it is. Goods that a dispute has said stay
    with the buyer are paid without coming back. What was paid for those that do not come goes back
    with that, or by itself: nobody knows whether these will ever be accepted.
    """
    accepted = [each for each in pieces if each.acceptance == "ACCEPTED" and not each.stays]
    stays = [each for each in pieces if each.stays and each.remedy_id]
    others = [each for each in pieces if each not in accepted and each not in stays]
    return [
        *refunds(event_id, "EXCHANGE_FALLBACK", accepted, matter, with_difference=True),
        *refunds(event_id, "DISPUTE", stays, matter, with_difference=True),
        *difference_back(event_id, others, matter),
    ]


def released(units: Sequence[str], matter: Return) -> list[ReleaseStock]:
    """What was kept for these."""
    kept = [
        each.reservation_id
        for each in matter.reservations
        if each.reservation_id and not set(units).isdisjoint(each.units)
    ]
    return [
        ReleaseStock(return_id=matter.return_id, reservation_id=each)
        for each in dict.fromkeys(kept)
    ]


def after_replacement(event_id: str, event: UnitsReplaced, matter: Return) -> list[Step]:
    """`matter`: a return of the new pieces. Those that were accepted before the old ones had money
    to move get it now.
    """
    new = {pair.new_unit for pair in event.pairs}
    pieces = [each for each in matter.named(new) if each.acceptance == "ACCEPTED"]
    return of_acceptance(event_id, pieces, matter)


# --- One in the place of another


def is_to_be_reserved(matter: Return, piece: Piece) -> bool:
    return matter.wants_replacement(piece) and piece.replacement is None


def is_ahead(piece: Piece) -> bool:
    """Another one has gone out, though nobody has accepted this one; it is to come back."""
    return piece.acceptance != "ACCEPTED" and not piece.stays


def is_sent_ahead(piece: Piece) -> bool:
    return piece.replacement is not None and piece.replacement.shipped_at is not None


def replaced(event_id: str, pieces: Sequence[Piece], matter: Return) -> list[Step]:
    """What the new ones cost less is credited before the rest moves; all of it, whatever was paid
    for others that cost more.
    """
    dearer = [each for each in pieces if matter.difference_for(each) >= 0]
    cheaper = [each for each in pieces if each not in dearer]
    return [
        *replaced_alike(event_id, dearer, matter),
        *replaced_alike(event_id, cheaper, matter),
    ]


def replaced_alike(event_id: str, pieces: Sequence[Piece], matter: Return) -> list[Step]:
    pairs = [
        Pair(old_unit=each.unit, new_unit=each.replacement.new_unit)
        for each in pieces
        if each.replacement
    ]
    if not pairs:
        return []
    difference = sum(matter.difference_for(each) for each in pieces)
    moved = ReplaceUnits(
        return_id=matter.return_id,
        pairs=tuple(pairs),
        difference_minor=difference,
        currency=currency_of(matter),
    )
    if difference >= 0:
        return [ToLedger(moved)]
    credit = refund(event_id, "EXCHANGE_DIFFERENCE", pieces, matter, amount_minor=-difference)
    return [ToLedger(credit), ToLedger(moved)]


# --- Money


def refunds(
    event_id: str,
    source: AskedBy,
    pieces: Sequence[Piece],
    matter: Return,
    *,
    advance: bool = False,
    with_difference: bool = False,
) -> list[ToLedger]:
    """One, and another one for each remedy."""
    asked = (
        (refund(event_id, source, of_one, matter, advance=advance), of_one)
        for of_one in by_remedy(pieces)
    )
    return [
        ToLedger(replace(said, difference_minor=paid_in_vain(of_one)) if with_difference else said)
        for said, of_one in asked
    ]


def difference_back(event_id: str, pieces: Sequence[Piece], matter: Return) -> list[ToLedger]:
    """Of the pieces themselves nothing: whoever has paid for others in their place has paid too
    much, whatever becomes of these.
    """
    paid = [each for each in pieces if each.difference_back_minor]
    if not paid:
        return []
    asked = RequestRefund(
        refund_id=step_id_of(event_id, f"EXCHANGE_DIFFERENCE/{paid[0].unit}"),
        source="EXCHANGE_DIFFERENCE",
        source_id=matter.return_id,
        units=tuple(AskedUnit(unit=each.unit) for each in paid),
        currency=currency_of(matter),
        amount_minor=0,
        difference_minor=paid_in_vain(paid),
    )
    return [ToLedger(asked)]


def paid_in_vain(pieces: Iterable[Piece]) -> int:
    return sum(each.difference_back_minor for each in pieces)


def refund(
    event_id: str,
    source: AskedBy,
    pieces: Sequence[Piece],
    matter: Return,
    *,
    amount_minor: int | None = None,
    advance: bool = False,
) -> RequestRefund:
    """What is asked of the ledger for pieces of one remedy, or of none."""
    remedy = matter.remedy_of(pieces[0].unit)
    by_dispute = source == "DISPUTE"
    of_goods = source in ("RETURN", "WITHDRAWAL", "EXCHANGE_FALLBACK")
    return RequestRefund(
        refund_id=step_id_of(event_id, f"{source}/{pieces[0].unit}"),
        source=source,
        source_id=remedy.remedy_id if by_dispute and remedy else matter.return_id,
        remedy_id=remedy.remedy_id if remedy else None,
        units=tuple(
            AskedUnit(
                unit=each.unit,
                deduction_milli=each.deduction_milli if of_goods else 0,
                standing=standing_of(each, advance=advance) if source == "RETURN" else None,
            )
            for each in pieces
        ),
        currency=currency_of(matter),
        amount_minor=amount_minor,
        label_cost_minor=label_cost_of(matter) if of_goods else 0,
        seller_at_fault=matter.seller_at_fault_for(pieces[0].unit),
        liable=remedy.liable if remedy else None,
        advance=advance,
    )


def cost_moved(matter: Return, units: Iterable[str], to: Bearer) -> ToLedger:
    """Who bears from now on what was given for these."""
    return ToLedger(
        MoveCost(
            return_id=matter.return_id,
            remedy_ids=tuple(each.remedy_id for each in matter.remedies),
            units=tuple(units),
            borne_by=to,
        )
    )


def standing_of(piece: Piece, *, advance: bool) -> Standing | None:
    """What stands behind the money of a piece."""
    if advance:
        return "ADVANCED"
    if piece.acceptance != "ACCEPTED":
        return None
    return "COVERED" if piece.where == "LOST" else "ACCEPTED"


def label_cost_of(matter: Return) -> int:
    """What the buyer pays for the label that goods of this return have travelled under."""
    label = matter.label
    if label is None or matter.label_void or label.paid_by != "BUYER":
        return 0
    used = any(
        each.is_scanned and each.tracking_id == label.tracking_id for each in matter.pieces.values()
    )
    return label.cost_minor if used else 0


def by_remedy(pieces: Iterable[Piece]) -> list[list[Piece]]:
    """Those of one remedy together: it says whose fault it is, and who bears it."""
    groups: dict[str | None, list[Piece]] = {}
    for piece in pieces:
        groups.setdefault(piece.remedy_id, []).append(piece)
    return [*groups.values()]


def currency_of(matter: Return) -> str:
    told = matter.requested or matter.authorized
    assert told
    return told.currency
