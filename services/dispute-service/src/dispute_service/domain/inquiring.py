"""A buyer's question about an order in, a timed conversation out: before any dispute."""

from collections.abc import Iterable, Iterator
from typing import Annotated

from msgspec import Meta, Struct
from shared_casework.files import SentFiles, with_digests
from shared_casework.order_facts import OrderFacts
from shared_casework.order_facts import Stage as OrderStage
from shared_casework.parties import PARTY, Account
from shared_casework.values import refuse, utc
from shared_events.dispute import InquiryEvent, InquiryOpened, InquiryTopic
from shared_events.fields import LINES_MAX, MEDIA_MAX, TEXT_LENGTH_MAX, Id, Sha256
from shared_events.sealed import same_text, same_texts
from shared_runtime.decider import AlreadySubmitted, FieldError, LimitReached, NotFound
from shared_runtime.rule import Rule
from shared_runtime.shape import ONCE, Files, Made, Words

from dispute_service.domain.inquiry_state import Inquiry, InquiryState, InquiryStatus, Unasked
from dispute_service.domain.known import PERSON, Known, Sender

type Media = Annotated[tuple[str, ...], Files("EVIDENCE", MEDIA_MAX)]


class OpenInquiry(Struct, frozen=True, kw_only=True):
    """What he wants to know, about which lines of the order; about all of it without any."""

    inquiry_id: Annotated[Id, Made("inquiry")]
    topic: InquiryTopic
    line_ids: Annotated[tuple[Id, ...], Meta(max_length=LINES_MAX), ONCE] = ()
    text: Annotated[str, Words(TEXT_LENGTH_MAX)]
    media: Media = ()
    media_sha256: tuple[Sha256, ...] = ()


class Asking(Struct, frozen=True, kw_only=True):
    """An order, and the inquiry of this id if it is there already."""

    order: OrderFacts
    inquiry: Inquiry | None = None

    @property
    def status(self) -> OrderStage:
        return self.order.stage

    @property
    def parties(self) -> frozenset[Account]:
        return self.order.parties


class AskingRule[C: Struct](Rule[InquiryState, Asking, OrderStage, C, Known, InquiryEvent]):
    def find(self, state: InquiryState, said: C, by: Sender) -> Asking:  # noqa: ARG002
        if by.known.order is None:
            raise NotFound
        inquiry = None if isinstance(state, Unasked) else state
        return Asking(order=by.known.order, inquiry=inquiry)

    def matters(self, state: InquiryState, by: Sender) -> Iterable[Asking]:
        order = by.known.order
        return [Asking(order=order)] if order and isinstance(state, Unasked) else []


class InquiryRule[C: Struct](Rule[InquiryState, Inquiry, InquiryStatus, C, Known, InquiryEvent]):
    def find(self, state: InquiryState, said: C, by: Sender) -> Inquiry:  # noqa: ARG002
        if isinstance(state, Unasked):
            raise NotFound
        return state

    def matters(self, state: InquiryState, by: Sender) -> Iterable[Inquiry]:  # noqa: ARG002
        return [] if isinstance(state, Unasked) else [state]


def shape_of_files(said: SentFiles, _: Sender) -> Iterator[FieldError]:
    return with_digests(said)


def open_inquiry(asking: Asking, said: OpenInquiry, by: Sender) -> list[InquiryEvent]:
    """To be answered within `inquiry_sla`. `inquiry_max_open` open ones of an order,
    `inquiry_max_total` in all.
    """
    order, now = asking.order, utc(by.now)
    if not set(said.line_ids) <= {line.line_id for line in order.lines}:
        raise refuse("line_ids", "lines of the order")
    policy = by.known.policies.in_force(by.now)
    if by.known.open_inquiries >= policy.inquiry_max_open:
        raise LimitReached(limit=policy.inquiry_max_open)
    if by.known.all_inquiries >= policy.inquiry_max_total:
        raise LimitReached(limit=policy.inquiry_max_total)
    return [
        InquiryOpened(
            order_id=order.order_id,
            seller_id=order.seller_id,
            buyer_id=order.buyer_id,
            policy_version=policy.version,
            inquiry_id=said.inquiry_id,
            topic=said.topic,
            line_ids=[*said.line_ids],
            text=said.text,
            media=[*said.media] or None,
            media_sha256=[*said.media_sha256] or None,
            opened_at=now,
            answer_due=now + policy.inquiry_sla,
            idle_at=now + policy.inquiry_idle,
        )
    ]


def is_asked(asking: Asking, said: OpenInquiry, _: Sender) -> bool:
    if (inquiry := asking.inquiry) is None:
        return False
    told = inquiry.opened
    files = same_texts(told.media, [*said.media])
    if told.topic == said.topic and same_text(told.text, said.text) and files:
        return True
    raise AlreadySubmitted(existing_id=told.inquiry_id)


OPEN_INQUIRY = AskingRule(
    OpenInquiry,
    open_inquiry,
    roles=("BUYER",),
    shape=shape_of_files,
    party=PARTY,
    barred=PERSON,
    repeated=is_asked,
    states=("PAID", "SHIPPED", "DELIVERED", "COMPLETED"),
    refuses=(AlreadySubmitted, LimitReached),
    events=(InquiryOpened,),
    example=OpenInquiry(
        inquiry_id="I-11", topic="PRODUCT", line_ids=("1",), text="Does it come with a charger?"
    ),
)
