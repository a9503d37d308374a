"""What is said about a question in, how long the seller took to answer it out."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Struct
from shared_casework.parties import PARTY
from shared_casework.values import utc
from shared_events.dispute import (
    InquiryAnswered,
    InquiryEvent,
    InquiryMessageAdded,
    InquiryOverdue,
)
from shared_events.fields import TEXT_LENGTH_MAX, Id, Sha256
from shared_events.sealed import same_text, same_texts
from shared_runtime.decider import WrongState
from shared_runtime.rule import Guard, Window
from shared_runtime.shape import Made, Words

from dispute_service.domain.inquiring import InquiryRule, Media, shape_of_files
from dispute_service.domain.inquiry_state import Inquiry
from dispute_service.domain.known import PERSON, Sender, party_of
from dispute_service.domain.matter import taken


class AnswerInquiry(Struct, frozen=True, kw_only=True):
    """The seller's first answer, by a person of his."""

    text: Annotated[str, Words(TEXT_LENGTH_MAX)]


class AddInquiryMessage(Struct, frozen=True, kw_only=True):
    """What one of them adds. `auto`: no person wrote it, so it answers nothing."""

    message_id: Annotated[Id, Made("message")]
    text: Annotated[str, Words(TEXT_LENGTH_MAX)]
    media: Media = ()
    media_sha256: tuple[Sha256, ...] = ()
    auto: bool = False


class MarkInquiryOverdue(Struct, frozen=True):
    """The answer was due; it may still come."""


def answer_inquiry(inquiry: Inquiry, said: AnswerInquiry, by: Sender) -> list[InquiryEvent]:
    """How long it took is kept for good, however late it was."""
    now, told = utc(by.now), inquiry.opened
    return [
        InquiryAnswered(
            **inquiry.ids,
            answered_at=now,
            response_seconds=int((now - told.opened_at).total_seconds()),
            within_sla=now < told.answer_due,
            text=said.text,
            idle_at=now + inquiry.policy(by).inquiry_idle,
        )
    ]


def is_answered(inquiry: Inquiry, said: AnswerInquiry, _: Sender) -> bool:
    return inquiry.answered is not None and same_text(inquiry.answered.text, said.text)


ANSWER_INQUIRY = InquiryRule(
    AnswerInquiry,
    answer_inquiry,
    roles=("SELLER",),
    party=PARTY,
    barred=PERSON,
    repeated=is_answered,
    states=("OPEN",),
    events=(InquiryAnswered,),
    example=AnswerInquiry(text="It does, and with two plugs."),
)


def add_inquiry_message(
    inquiry: Inquiry, said: AddInquiryMessage, by: Sender
) -> list[InquiryEvent]:
    """Keeps it open for `inquiry_idle` more, unless nobody wrote it. It is no answer: that is what
    a seller owes first.
    """
    idle_at = inquiry.idle_at if said.auto else utc(by.now) + inquiry.policy(by).inquiry_idle
    return [
        InquiryMessageAdded(
            **inquiry.ids,
            message_id=said.message_id,
            by_role=party_of(by),
            auto=said.auto,
            text=said.text,
            media=[*said.media] or None,
            media_sha256=[*said.media_sha256] or None,
            idle_at=idle_at,
        )
    ]


def is_added(inquiry: Inquiry, said: AddInquiryMessage, by: Sender) -> bool:
    if (known := inquiry.messages.get(said.message_id)) is None:
        return False
    same = (known.by_role, known.auto) == (party_of(by), said.auto)
    if same and same_text(known.text, said.text) and same_texts(known.media, [*said.media]):
        return True
    raise taken("message_id")


def may_add(inquiry: Inquiry, said: AddInquiryMessage, by: Sender) -> None:
    """a seller who has not answered: an automatic one alone"""
    if inquiry.status == "OPEN" and party_of(by) == "SELLER" and not said.auto:
        raise WrongState(state=inquiry.status)


def of_person_and_machine(_: Inquiry, __: Sender) -> Sequence[AddInquiryMessage]:
    text = "It is for the green one."
    return [AddInquiryMessage(message_id="M-new", text=text, auto=auto) for auto in (False, True)]


ADD_INQUIRY_MESSAGE = InquiryRule(
    AddInquiryMessage,
    add_inquiry_message,
    roles=("BUYER", "SELLER"),
    shape=shape_of_files,
    party=PARTY,
    barred=PERSON,
    repeated=is_added,
    states=("OPEN", "ANSWERED"),
    stands=Guard(may_add, WrongState),
    events=(InquiryMessageAdded,),
    example=AddInquiryMessage(message_id="M-1", text="It is for the green one."),
    tries=of_person_and_machine,
)


def mark_inquiry_overdue(inquiry: Inquiry, _: MarkInquiryOverdue, __: Sender) -> list[InquiryEvent]:
    """Once. It stays open, and can still be answered."""
    return [InquiryOverdue(**inquiry.ids, answer_due=inquiry.opened.answer_due)]


def is_marked(inquiry: Inquiry, _: MarkInquiryOverdue, __: Sender) -> bool:
    return inquiry.overdue


def once_due(inquiry: Inquiry, _: object, __: Sender) -> Window:
    return Window(earliest=inquiry.opened.answer_due)


MARK_INQUIRY_OVERDUE = InquiryRule(
    MarkInquiryOverdue,
    mark_inquiry_overdue,
    roles=("SYSTEM",),
    repeated=is_marked,
    states=("OPEN",),
    window=once_due,
    early=True,
    lapses=True,
    events=(InquiryOverdue,),
    example=MarkInquiryOverdue(),
)
