"""Rows in, views out: the disputes of a party."""

from dataclasses import dataclass
from datetime import datetime

from shared_events.dispute import ContestGround, DisputeReason
from shared_events.fields import Party
from shared_runtime.fields import Money

from dispute_service.domain.dispute_state import Status
from dispute_service.projections.disputes import ListedDispute, WaitsFor, next_due, waits_for
from dispute_service.queries.own import NextDue, OwnMatters, next_due_view
from dispute_service.views import TermsView

OWN_DISPUTES = OwnMatters(
    table="listed_dispute",
    key="dispute_id",
    stage="stage",
    due={"BUYER": "buyer_due", "SELLER": "seller_due"},
    row=ListedDispute,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedDisputeView:
    """A dispute as one of its parties may know it. `waits_for`: who has something to do in it.

    `if_silent`: what happens by itself if the seller does not act in time; null where a person
    would decide, and once he has acted.
    """

    dispute_id: str
    order_id: str
    seller_id: str
    buyer_id: str
    reason: DisputeReason
    ground: ContestGround | None
    stage: Status
    held: Money
    deadline: NextDue | None
    waits_for: list[WaitsFor]
    if_silent: TermsView | None
    opened_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputePage:
    items: list[ListedDisputeView]
    next_cursor: str | None


def listed_dispute_view(
    row: ListedDispute, side: Party, now: datetime, if_silent: TermsView | None
) -> ListedDisputeView:
    return ListedDisputeView(
        dispute_id=row.dispute_id,
        order_id=row.order_id,
        seller_id=row.seller_id,
        buyer_id=row.buyer_id,
        reason=row.reason,
        ground=row.ground,
        stage=row.stage,
        held=Money(amount=row.held_minor, currency=row.currency),
        deadline=next_due_view(next_due(row, side, now)),
        waits_for=waits_for(row, side, now),
        if_silent=if_silent,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
    )
