"""What was done with a return and a buyer who objects in, the matter of a dispute out."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct
from shared_casework.parties import PARTY
from shared_events.dispute import ContestGround
from shared_events.fields import TEXT_LENGTH_MAX, Unit
from shared_events.returns import ReturnClosed, ReturnContested, ReturnEvent
from shared_runtime.decider import WrongState
from shared_runtime.rule import Guard, Window
from shared_runtime.shape import ONCE, Words

from returns_service.domain.known import PERSON, Known, Sender
from returns_service.domain.return_matter import ReturnRule, named_pieces
from returns_service.domain.return_state import Piece, Return


class ContestReturn(Struct, frozen=True, kw_only=True):
    """Which pieces, what was done with them, and why that was wrong."""

    ground: ContestGround
    units: Annotated[tuple[Unit, ...], Meta(min_length=1), ONCE]
    text: Annotated[str, Words(TEXT_LENGTH_MAX)]


def contest_return(matter: Return, said: ContestReturn, by: Sender) -> list[ReturnEvent]:
    """A dispute is opened with the file of this return. Pieces that are still on their way keep the
    return open, and only the contested ones leave it.
    """
    pieces = named_pieces(matter, said.units)
    remedy = next((told for piece in pieces if (told := matter.remedy_of(piece.unit))), None)
    declined = matter.declined if said.ground == "DECLINED" else None
    return [
        ReturnContested(
            **matter.ids,
            units=[piece.unit for piece in pieces],
            ground=said.ground,
            reason=remedy.reason if remedy else matter.reason,
            seller_at_fault=any(matter.seller_at_fault_for(piece.unit) for piece in pieces),
            remedy_id=remedy.remedy_id if remedy else None,
            declined_by=declined.decided_by if declined else None,
            file_sha256=by.known.file_sha256,
            text=said.text,
            contest_until=min(piece.contest_until for piece in pieces if piece.contest_until),
        )
    ]


def ground_of(matter: Return, piece: Piece) -> ContestGround | None:
    """What was done with a piece that its buyer may object to. A deduction is none while another
    piece is to come: it lessens money, and there is none yet.
    """
    if piece.left == "DECLINED":
        return "DECLINED"
    if piece.is_out or piece.contest_until is None:
        return None
    if piece.acceptance == "REJECTED":
        return "REJECTED"
    if piece.acceptance == "ACCEPTED":
        lessens_money = piece.deduction_milli and not matter.wants_replacement(piece)
        return "DEDUCTION" if lessens_money else None
    return "LOST" if piece.where == "LOST" else None


def on_this_ground(matter: Return, said: ContestReturn, _: Sender) -> None:
    """pieces that were declined, rejected, lost and not covered, or accepted with a deduction, as
    the ground says
    """
    if any(ground_of(matter, piece) != said.ground for piece in named_pieces(matter, said.units)):
        raise WrongState(state=matter.status)


def until_contest_until(matter: Return, said: ContestReturn, _: Sender) -> Window:
    """Until the first of them can't be contested any more."""
    until = (piece.contest_until for piece in matter.named(said.units))
    return Window(latest=min((each for each in until if each), default=None))


def is_contested(matter: Return, said: ContestReturn, _: Sender) -> bool:
    """Once for each piece."""
    return all(piece.contested_as == said.ground for piece in named_pieces(matter, said.units))


def what_he_may_contest(matter: Return, _: Sender) -> Sequence[ContestReturn]:
    """All pieces of each ground."""
    found: dict[ContestGround, list[str]] = {}
    for piece in matter.pieces.values():
        if ground := ground_of(matter, piece):
            found.setdefault(ground, []).append(piece.unit)
    return [
        ContestReturn(ground=ground, units=tuple(units), text=EXAMPLE.text)
        for ground, units in found.items()
    ]


EXAMPLE = ContestReturn(ground="DECLINED", units=("1/1",), text="It is as I said.")
CONTEST_RETURN = ReturnRule(
    ContestReturn,
    contest_return,
    roles=("BUYER",),
    party=PARTY,
    barred=PERSON,
    repeated=is_contested,
    stands=Guard[Return, ContestReturn, Known](on_this_ground, WrongState),
    window=until_contest_until,
    events=(ReturnContested, ReturnClosed),
    example=EXAMPLE,
    tries=what_he_may_contest,
)
