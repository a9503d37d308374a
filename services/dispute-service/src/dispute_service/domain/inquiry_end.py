"""A question that is settled, forgotten or become a dispute in, its end out."""

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct
from shared_casework.parties import PARTY
from shared_casework.values import utc
from shared_events.dispute import DisputeOpened, InquiryClosed, InquiryEvent
from shared_events.fields import Id
from shared_runtime.decider import FieldError
from shared_runtime.rule import Window

from dispute_service.domain.inquiring import InquiryRule
from dispute_service.domain.inquiry_state import Inquiry
from dispute_service.domain.known import PERSON, Sender


class CloseInquiry(Struct, frozen=True, kw_only=True):
    """Its buyer is content; nobody has written any more; or a dispute came of it."""

    reason: Literal["RESOLVED", "IDLE", "CONVERTED"] = "RESOLVED"
    dispute_id: Id | None = None


def close_inquiry(inquiry: Inquiry, said: CloseInquiry, by: Sender) -> list[InquiryEvent]:
    """By its buyer when he likes, by itself once it is idle, or for the dispute that came of it."""
    now, answered = utc(by.now), inquiry.answered
    return [
        InquiryClosed(
            **inquiry.ids,
            reason=said.reason,
            dispute_id=said.dispute_id,
            answered=answered is not None,
            response_seconds=answered.response_seconds if answered else None,
            within_sla=answered.within_sla if answered else False,
            overdue=now >= inquiry.opened.answer_due,
            sla_seconds=int(inquiry.policy(by).inquiry_sla.total_seconds()),
            closed_at=now,
        )
    ]


def conversion_of(opened: DisputeOpened) -> CloseInquiry | None:
    """What a dispute that came of an inquiry makes of it."""
    if opened.inquiry_id is None:
        return None
    return CloseInquiry(reason="CONVERTED", dispute_id=opened.dispute_id)


def shape_of_closing(said: CloseInquiry, by: Sender) -> Iterator[FieldError]:
    if (said.reason == "RESOLVED") != (by.actor.acts_as == "BUYER"):
        yield FieldError(field="reason", bound="RESOLVED by its buyer, the others by the service")
    if (said.reason == "CONVERTED") != (said.dispute_id is not None):
        yield FieldError(field="dispute_id", bound="there where a dispute came of it")


def once_idle(inquiry: Inquiry, said: CloseInquiry, _: Sender) -> Window:
    return Window(earliest=inquiry.idle_at if said.reason == "IDLE" else None)


CLOSE_INQUIRY = InquiryRule(
    CloseInquiry,
    close_inquiry,
    roles=("BUYER", "SYSTEM"),
    shape=shape_of_closing,
    party=PARTY,
    barred=PERSON,
    states=("OPEN", "ANSWERED"),
    window=once_idle,
    early=True,
    lapses=True,
    events=(InquiryClosed,),
    example=CloseInquiry(),
)
