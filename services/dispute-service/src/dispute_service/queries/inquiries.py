"""Rows in, views out: the questions of a party."""

from dataclasses import dataclass
from datetime import datetime

from shared_events.dispute import InquiryTopic
from shared_events.fields import Party

from dispute_service.domain.inquiry_state import InquiryStatus
from dispute_service.projections.inquiries import ListedInquiry, next_due
from dispute_service.queries.own import NextDue, OwnMatters, next_due_view

OWN_INQUIRIES = OwnMatters(
    table="listed_inquiry",
    key="inquiry_id",
    stage="state",
    due={"BUYER": "due_at", "SELLER": "due_at"},
    row=ListedInquiry,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedInquiryView:
    """A question about an order. `overdue`: it was not answered in time."""

    inquiry_id: str
    order_id: str
    seller_id: str
    buyer_id: str
    topic: InquiryTopic
    state: InquiryStatus
    overdue: bool
    deadline: NextDue | None
    waits_for: list[Party]
    opened_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InquiryPage:
    items: list[ListedInquiryView]
    next_cursor: str | None


def listed_inquiry_view(row: ListedInquiry) -> ListedInquiryView:
    return ListedInquiryView(
        inquiry_id=row.inquiry_id,
        order_id=row.order_id,
        seller_id=row.seller_id,
        buyer_id=row.buyer_id,
        topic=row.topic,
        state=row.state,
        overdue=row.overdue,
        deadline=next_due_view(next_due(row)),
        waits_for=["SELLER"] if row.state == "OPEN" else [],
        opened_at=row.opened_at,
        closed_at=row.closed_at,
    )
