"""Pieces that a command names in, those that it can be done to out.

What people name has to be right, every piece of it. A machine tells of a parcel, or of an instant:
of what its word does not touch any more nothing is recorded.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated

from msgspec import Meta
from shared_events.fields import MEDIA_MAX, Sha256, Unit
from shared_runtime.decider import WrongState
from shared_runtime.rule import MACHINE, Guard
from shared_runtime.shape import ONCE, Files

from returns_service.domain.known import Known, Sender
from returns_service.domain.policy import ReturnsPolicy
from returns_service.domain.return_matter import named_pieces
from returns_service.domain.return_state import Piece, Return
from returns_service.domain.return_timers import refund_without_goods

PHOTO = "PHOTO"

type Units = Annotated[tuple[Unit, ...], Meta(min_length=1), ONCE]
type Photos = Annotated[tuple[str, ...], Files("EVIDENCE", MEDIA_MAX), ONCE]
type PhotoDigests = Annotated[tuple[Sha256, ...], Meta(max_length=MEDIA_MAX)]
type Fits = Callable[[Return, Piece, Sender], bool]
"""Whether a command can be done to a piece."""


def fitting(matter: Return, units: Sequence[str], fits: Fits, by: Sender) -> list[Piece]:
    """The pieces that are named and fit. Raises `InvalidValue` where one is not of the return,
    `WrongState` where none fits, or not all that a person has named.
    """
    named = named_pieces(matter, units)
    found = [piece for piece in named if fits(matter, piece, by)]
    if not found or (by.actor.acts_as != MACHINE and len(found) < len(named)):
        raise WrongState(state=matter.status)
    return found


def all_fitting(matter: Return, fits: Fits, by: Sender) -> list[Piece]:
    return [piece for piece in matter.pieces.values() if fits(matter, piece, by)]


def fitting_units(matter: Return, fits: Fits, by: Sender) -> tuple[str, ...]:
    """What is tried on whoever asks what he can do; the first piece, where nothing fits."""
    found = all_fitting(matter, fits, by) or [*matter.pieces.values()]
    return tuple(piece.unit for piece in found)


def some_fit(fits: Fits) -> Guard[Return, object, Known]:
    """For commands that name no pieces: there has to be one that they are about."""

    def check(matter: Return, _: object, by: Sender) -> None:
        if not all_fitting(matter, fits, by):
            raise WrongState(state=matter.status)

    check.__doc__ = fits.__doc__
    return Guard(check, WrongState)


# --- Until when goods are looked at


def judged_by(matter: Return, piece: Piece) -> datetime | None:
    """From when on a piece is accepted, or rejected, though nobody has looked at it; None while it
    is not back. A withdrawal is paid at `refund_due`, wherever its goods are by then.
    """
    dues = [piece.inspect_by] if piece.is_back else []
    if matter.confirmed and piece.unit in refund_without_goods(matter):
        dues.append(matter.confirmed.refund_due)
    return min((due for due in dues if due), default=None)


def seconds_waited(piece: Piece, policy: ReturnsPolicy, now: datetime) -> int:
    """How long goods have waited for whoever is to look at them: since they were delivered, or
    their parcel was opened.
    """
    if not piece.is_back:
        return 0
    since = piece.delivered_back_at
    if since is None and piece.inspect_by:
        since = piece.inspect_by - policy.return_inspect
    return max(0, int((now - since).total_seconds())) if since else 0
