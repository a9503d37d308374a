"""A buyer who lets it be, or who never confirmed his withdrawal, in; the end of the return out."""

from msgspec import Struct
from shared_casework.parties import PARTY
from shared_casework.values import utc
from shared_events.returns import (
    LabelVoided,
    OfferDeclined,
    ReturnCancelled,
    ReturnClosed,
    ReturnEvent,
)
from shared_runtime.decider import WrongState
from shared_runtime.rule import MACHINE, Guard

from returns_service.domain.known import PERSON, Known, Sender
from returns_service.domain.return_matter import ReturnRule, lapsed_offer, void_label
from returns_service.domain.return_state import Return


class CancelReturn(Struct, frozen=True):
    """Its pieces are free for another one."""


def cancel_return(matter: Return, _: CancelReturn, by: Sender) -> list[ReturnEvent]:
    """A remedy's return too, and a withdrawal that was confirmed. Goods that are in go back."""
    until = utc(by.now) + matter.policy(by).return_send_back
    cancelled = ReturnCancelled(
        **matter.ids,
        units=[piece.unit for piece in matter.live],
        send_back_until=until if matter.goods_in else None,
    )
    return [*lapsed_offer(matter), cancelled, *void_label(matter)]


def before_sending(matter: Return, _: CancelReturn, by: Sender) -> None:
    """nothing was sent; a timer's a withdrawal that was not confirmed in time"""
    if by.actor.acts_as == MACHINE:
        applies = matter.status == "DRAFT" and is_unconfirmed(matter, by)
    else:
        applies = matter.is_unsent
    if not applies:
        raise WrongState(state=matter.status)


def is_unconfirmed(matter: Return, by: Sender) -> bool:
    return matter.declared is not None and matter.declared.confirm_by <= by.now


CANCEL_RETURN = ReturnRule(
    CancelReturn,
    cancel_return,
    roles=("BUYER", "SYSTEM"),
    party=PARTY,
    barred=PERSON,
    states=("DRAFT", "REVIEW", "AUTHORIZED"),
    stands=Guard[Return, CancelReturn, Known](before_sending, WrongState),
    lapses=True,
    events=(OfferDeclined, ReturnCancelled, LabelVoided, ReturnClosed),
    example=CancelReturn(),
)
