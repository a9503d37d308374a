"""Events in, rows out: the questions of each party, and what is due next in them."""

from collections.abc import Sequence
from datetime import datetime
from typing import get_args

from msgspec import Struct
from msgspec.structs import replace
from shared_events import dispute
from shared_events.dispute import (
    InquiryAnswered,
    InquiryClosed,
    InquiryEvent,
    InquiryMessageAdded,
    InquiryOpened,
    InquiryOverdue,
    InquiryTopic,
)
from shared_events.envelope import Recorded
from shared_runtime.delivery import Connection
from shared_runtime.projections import Projection
from shared_runtime.rows import Rows

from dispute_service.domain.deadlines import DueName
from dispute_service.domain.inquiry_state import InquiryStatus

LISTED_INQUIRIES_DDL = """
    CREATE TABLE listed_inquiry (
        inquiry_id text PRIMARY KEY,
        order_id text NOT NULL,
        seller_id text NOT NULL,
        buyer_id text NOT NULL,
        topic text NOT NULL,
        state text NOT NULL,
        overdue boolean NOT NULL,
        answer_due timestamptz NOT NULL,
        idle_at timestamptz NOT NULL,
        opened_at timestamptz NOT NULL,
        closed_at timestamptz,
        due_at timestamptz
    );
    CREATE INDEX listed_inquiry_of_buyer_due ON listed_inquiry (buyer_id, due_at, inquiry_id)
        WHERE closed_at IS NULL;
    CREATE INDEX listed_inquiry_of_buyer ON listed_inquiry (buyer_id, opened_at, inquiry_id);
    CREATE INDEX listed_inquiry_of_seller_due ON listed_inquiry (seller_id, due_at, inquiry_id)
        WHERE closed_at IS NULL;
    CREATE INDEX listed_inquiry_of_seller_in_state_due
        ON listed_inquiry (seller_id, state, due_at, inquiry_id) WHERE closed_at IS NULL;
    CREATE INDEX listed_inquiry_of_seller ON listed_inquiry (seller_id, opened_at, inquiry_id);
    CREATE INDEX listed_inquiry_of_seller_open
        ON listed_inquiry (seller_id, opened_at, inquiry_id) WHERE closed_at IS NULL;
    CREATE INDEX listed_inquiry_of_seller_in_state
        ON listed_inquiry (seller_id, state, opened_at, inquiry_id);
"""


class ListedInquiry(Struct, frozen=True, kw_only=True):
    """`overdue`: it was told that no answer came in time. `due_at`: when what is due next is due;
    None once closed.
    """

    inquiry_id: str
    order_id: str
    seller_id: str
    buyer_id: str
    topic: InquiryTopic
    state: InquiryStatus = "OPEN"
    overdue: bool = False
    answer_due: datetime
    idle_at: datetime
    opened_at: datetime
    closed_at: datetime | None = None
    due_at: datetime | None = None


ROWS = Rows(table="listed_inquiry", key="inquiry_id", row=ListedInquiry)


async def listed_inquiries(batch: Sequence[Recorded[InquiryEvent]], db: Connection) -> None:
    await ROWS.fold(batch, db, key_of=lambda event: event.inquiry_id, evolve=evolve)


def evolve(before: ListedInquiry | None, event: InquiryEvent) -> ListedInquiry:
    if isinstance(event, InquiryOpened):
        return with_due(opened(event))
    assert before is not None  # a stream begins with its opening, and comes in order
    return with_due(after(before, event))


def opened(event: InquiryOpened) -> ListedInquiry:
    return ListedInquiry(
        inquiry_id=event.inquiry_id,
        order_id=event.order_id,
        seller_id=event.seller_id,
        buyer_id=event.buyer_id,
        topic=event.topic,
        answer_due=event.answer_due,
        idle_at=event.idle_at,
        opened_at=event.opened_at,
    )


def after(
    row: ListedInquiry,
    event: InquiryAnswered | InquiryMessageAdded | InquiryOverdue | InquiryClosed,
) -> ListedInquiry:
    match event:
        case InquiryAnswered(idle_at=idle_at):
            return replace(row, state="ANSWERED", idle_at=idle_at)
        case InquiryMessageAdded(idle_at=idle_at):
            return replace(row, idle_at=idle_at)
        case InquiryOverdue():
            return replace(row, overdue=True)
        case InquiryClosed(closed_at=at):
            return replace(row, state="CLOSED", closed_at=at)


def with_due(row: ListedInquiry) -> ListedInquiry:
    due = next_due(row)
    return replace(row, due_at=due[1] if due else None)


def next_due(row: ListedInquiry) -> tuple[DueName, datetime] | None:
    """What is due next, and when: an answer, or the end by itself."""
    if row.state == "CLOSED":
        return None
    if row.state == "OPEN" and not row.overdue:
        return "INQUIRY_ANSWER", row.answer_due  # a question is idle for longer than that
    return "INQUIRY_IDLE", row.idle_at


LISTED_INQUIRIES = Projection(
    name="listed_inquiries",
    version=1,
    topics=(dispute.TOPIC,),
    handles=get_args(InquiryEvent.__value__),
    tables=("listed_inquiry",),
    ddl=LISTED_INQUIRIES_DDL,
    apply=listed_inquiries,
)
