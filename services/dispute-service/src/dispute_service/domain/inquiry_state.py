"""What is known of one question about an order; facts in, what is known then out.

OPEN -> ANSWERED -> CLOSED      OPEN -> CLOSED      (overdue is a mark, no state)
"""

from datetime import datetime
from typing import Literal, TypedDict

from msgspec import Struct
from msgspec.structs import replace
from shared_casework.parties import Account, parties_of
from shared_events.dispute import (
    InquiryAnswered,
    InquiryClosed,
    InquiryEvent,
    InquiryMessageAdded,
    InquiryOpened,
    InquiryOverdue,
)

from dispute_service.domain.known import Sender
from dispute_service.domain.policy import DisputePolicy

type InquiryStatus = Literal["OPEN", "ANSWERED", "CLOSED"]


class Unasked(Struct, frozen=True):
    @property
    def status(self) -> Literal["NONE"]:
        return "NONE"


class InquiryIds(TypedDict):
    """What every event about an inquiry says."""

    order_id: str
    seller_id: str
    buyer_id: str
    policy_version: str
    inquiry_id: str


class Inquiry(Struct, frozen=True, kw_only=True):
    """`idle_at`: when it closes by itself; `overdue`: told that the answer was due."""

    opened: InquiryOpened
    idle_at: datetime
    answered: InquiryAnswered | None = None
    overdue: bool = False
    messages: dict[str, InquiryMessageAdded] = {}
    closed: InquiryClosed | None = None

    @property
    def status(self) -> InquiryStatus:
        if self.closed:
            return "CLOSED"
        return "ANSWERED" if self.answered else "OPEN"

    @property
    def parties(self) -> frozenset[Account]:
        return parties_of(buyer_id=self.opened.buyer_id, seller_id=self.opened.seller_id)

    @property
    def ids(self) -> InquiryIds:
        told = self.opened
        return InquiryIds(
            order_id=told.order_id,
            seller_id=told.seller_id,
            buyer_id=told.buyer_id,
            policy_version=told.policy_version,
            inquiry_id=told.inquiry_id,
        )

    def policy(self, by: Sender) -> DisputePolicy:
        """The one that the stream began with."""
        return by.known.policies.of(self.opened.policy_version)


type InquiryState = Unasked | Inquiry


def evolve(state: InquiryState, event: InquiryEvent) -> InquiryState:
    if isinstance(event, InquiryOpened):
        return Inquiry(opened=event, idle_at=event.idle_at)
    assert isinstance(state, Inquiry)
    match event:
        case InquiryAnswered(idle_at=idle_at):
            return replace(state, answered=event, idle_at=idle_at)
        case InquiryMessageAdded(message_id=message_id, idle_at=idle_at):
            return replace(state, messages=state.messages | {message_id: event}, idle_at=idle_at)
        case InquiryOverdue():
            return replace(state, overdue=True)
        case InquiryClosed():
            return replace(state, closed=event)
