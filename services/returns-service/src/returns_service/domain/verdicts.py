"""Pieces and what was found of them in, that they are accepted or rejected out: with what follows
for those that were paid, or replaced, before anybody had seen them.
"""

from collections.abc import Mapping, Sequence

from shared_casework.values import utc
from shared_events.returns import (
    AcceptedUnit,
    AdvanceUnrecovered,
    RejectedUnit,
    RejectReason,
    ReturnEvent,
    UnitsAccepted,
    UnitsRejected,
)

from returns_service.domain.closing import currency_of
from returns_service.domain.goods_matter import seconds_waited
from returns_service.domain.known import Sender
from returns_service.domain.return_state import SENT_BACK, Piece, Return


def accepted(
    matter: Return, found: Mapping[str, AcceptedUnit], by: Sender, *, by_default: bool
) -> list[ReturnEvent]:
    """None where nothing was found. A deduction can be contested; where another one is to come in
    its place, the stock has `return_stock_answer` to tell of it.
    """
    if not found:
        return []
    policy = matter.policy(by)
    now = utc(by.now)
    pieces = matter.named(found)
    deducted = any(told.deduction_milli for told in found.values())
    asks_stock = any(matter.wants_replacement(each) and not each.replacement for each in pieces)
    return [
        UnitsAccepted(
            **matter.ids,
            units=[found[piece.unit] for piece in pieces],
            by_default=by_default,
            handling_seconds=max(seconds_waited(piece, policy, now) for piece in pieces),
            contest_until=now + policy.return_contest if deducted else None,
            stock_due=now + policy.return_stock_answer if asks_stock else None,
        )
    ]


def accepted_unseen(matter: Return, pieces: Sequence[Piece], by: Sender) -> list[ReturnEvent]:
    """Nobody has looked at them: as good as new."""
    found = {
        piece.unit: AcceptedUnit(unit=piece.unit, grade="A", deduction_milli=0) for piece in pieces
    }
    return accepted(matter, found, by, by_default=True)


def rejected(
    matter: Return,
    found: Mapping[str, RejectReason],
    by: Sender,
    *,
    by_default: bool,
    photos: tuple[Sequence[str], Sequence[str]] = ((), ()),
) -> list[ReturnEvent]:
    """Can be contested; what is the buyer's own is to be sent back after that."""
    if not found:
        return []
    policy = matter.policy(by)
    pieces = matter.named(found)
    contest_until = utc(by.now) + policy.return_contest
    goes_back = any(found[each.unit] in SENT_BACK and not is_paid(matter, each) for each in pieces)
    files, digests = photos
    return [
        UnitsRejected(
            **matter.ids,
            units=[RejectedUnit(unit=each.unit, reason=found[each.unit]) for each in pieces],
            by_default=by_default,
            photos=[*files] or None,
            photos_sha256=[*digests] or None,
            contest_until=contest_until,
            send_back_until=contest_until + policy.return_send_back if goes_back else None,
        )
    ]


def is_paid(matter: Return, piece: Piece) -> bool:
    """Its buyer has the money, or another one, already: goods are no longer his."""
    return matter.is_advanced(piece) or piece.is_cross_shipped


# --- Money for which there are no goods


def unrecovered(
    matter: Return, pieces: Sequence[Piece], by: Sender, *, confirmed: bool
) -> list[ReturnEvent]:
    """What was given for these, told once of each; nothing where nothing was given."""
    new = [piece.unit for piece in pieces if piece.unrecovered is None]
    amount_minor = given_for(matter, new, by, confirmed=False)
    return told_unrecovered(matter, new, amount_minor, by, confirmed=confirmed)


def told_unrecovered(
    matter: Return, units: Sequence[str], amount_minor: int, by: Sender, *, confirmed: bool
) -> list[ReturnEvent]:
    if amount_minor == 0:
        return []
    return [
        AdvanceUnrecovered(
            **matter.ids,
            units=[*units],
            currency=currency_of(matter, by),
            amount_minor=amount_minor,
            confirmed=confirmed,
        )
    ]


def given_for(matter: Return, units: Sequence[str], by: Sender, *, confirmed: bool) -> int:
    """The shipping that came with it too: with the first of its pieces that this is told of."""
    named = set(units)
    amount_minor = 0
    for refund in by.known.refunds.given:
        of_these = named & refund.units.keys()
        amount_minor += sum(refund.units[unit] for unit in of_these)
        others = matter.named(refund.units.keys() - named)
        if of_these and not any(is_told(piece, confirmed=confirmed) for piece in others):
            amount_minor += refund.shipping_minor
    return amount_minor


def is_told(piece: Piece, *, confirmed: bool) -> bool:
    return piece.unrecovered is True if confirmed else piece.unrecovered is not None
