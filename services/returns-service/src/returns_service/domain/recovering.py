"""What a seller has said of goods that were paid in advance in, that an agent believes him out."""

from collections.abc import Sequence

from msgspec import Struct
from shared_events.returns import AdvanceUnrecovered, ReturnEvent
from shared_runtime.decider import WrongState
from shared_runtime.rule import Guard

from returns_service.domain.goods_matter import Units, fitting, fitting_units
from returns_service.domain.known import Known, Sender
from returns_service.domain.return_matter import OF_RETURN, ReturnRule, named_pieces
from returns_service.domain.return_state import Piece, Return
from returns_service.domain.verdicts import given_for, told_unrecovered


class ConfirmUnrecovered(Struct, frozen=True, kw_only=True):
    """The money is owed to the seller."""

    units: Units


def is_to_confirm(_: Return, piece: Piece, __: Sender) -> bool:
    """an advance that is not recovered, as the seller alone has said"""
    return piece.unrecovered is False and (piece.acceptance == "REJECTED" or piece.is_wrong)


def names_what_is_to_confirm(matter: Return, said: ConfirmUnrecovered, by: Sender) -> None:
    """an advance that is not recovered, as the seller alone has said"""
    fitting(matter, said.units, is_to_confirm, by)


def is_confirmed(matter: Return, said: ConfirmUnrecovered, _: Sender) -> bool:
    return all(piece.unrecovered is True for piece in named_pieces(matter, said.units))


def confirm_unrecovered(matter: Return, said: ConfirmUnrecovered, by: Sender) -> list[ReturnEvent]:
    units = [piece.unit for piece in fitting(matter, said.units, is_to_confirm, by)]
    amount_minor = given_for(matter, units, by, confirmed=True)
    return told_unrecovered(matter, units, amount_minor, by, confirmed=True)


def to_confirm(matter: Return, by: Sender) -> Sequence[ConfirmUnrecovered]:
    units = fitting_units(matter, is_to_confirm, by)
    return [ConfirmUnrecovered(units=units)] if units else []


CONFIRM_UNRECOVERED = ReturnRule(
    ConfirmUnrecovered,
    confirm_unrecovered,
    roles=("AGENT", "SENIOR"),
    human=True,
    impartial=OF_RETURN,
    repeated=is_confirmed,
    stands=Guard[Return, ConfirmUnrecovered, Known](names_what_is_to_confirm, WrongState),
    events=(AdvanceUnrecovered,),
    example=ConfirmUnrecovered(units=("1/1",)),
    tries=to_confirm,
)
