"""What the OpenAPI page says of lists, the work list and figures: schemas and examples."""

from datetime import timedelta
from typing import Any

from shared_events.dispute import DisputeOpened, InquiryOpened
from shared_runtime.decider import Actor
from shared_runtime.documents import Documented, answered
from shared_runtime.fields import Money
from shared_runtime.history import example_event

from dispute_service.api import examples
from dispute_service.domain.dispute_state import Dispute
from dispute_service.projections import disputes, inquiries
from dispute_service.queries.adjudication import (
    AdjudicationCasePage,
    AdjudicationCaseView,
    AdjudicationCounts,
    DutyView,
)
from dispute_service.queries.calendar import Entry, calendar_of
from dispute_service.queries.case_file import CaseFileView, case_file_view
from dispute_service.queries.deadlines import DeadlinesView, dispute_deadlines_view
from dispute_service.queries.disputes import DisputePage, listed_dispute_view
from dispute_service.queries.inquiries import InquiryPage, listed_inquiry_view
from dispute_service.queries.outcomes import OutcomesView, outcomes_view
from dispute_service.queries.similar import SimilarDecisions, SimilarOutcome
from dispute_service.queries.statistics import (
    AdjudicationStatistics,
    FiguresOfAdjudicator,
    FiguresOfReason,
)
from dispute_service.views import if_silent

_READING = examples.dispute()
_DISPUTE, _OPENED = _READING.state, _READING.events[0]
assert isinstance(_DISPUTE, Dispute)
assert isinstance(_OPENED, DisputeOpened)
_ASKED = examples.inquiry().events[0]
assert isinstance(_ASKED, InquiryOpened)
assert examples.KNOWN.ledger

_HISTORY = [
    example_event(event, at=examples.AT, actor=str(examples.BUYER)) for event in _READING.events
]
_LISTED = listed_dispute_view(
    disputes.evolve(None, _OPENED),
    "SELLER",
    examples.AT,
    if_silent(_DISPUTE, examples.BY_BUYER),
)
_CASE = AdjudicationCaseView(
    case_id=_DISPUTE.dispute_id,
    order_id=_OPENED.order_id,
    seller_id=_OPENED.seller_id,
    buyer_id=_OPENED.buyer_id,
    reason=_OPENED.reason,
    held=Money(amount=_OPENED.held_minor, currency=_OPENED.currency),
    kinds=["DECISION"],
    opened_at=examples.AT,
    due_at=examples.AT + timedelta(days=7),
    overdue=False,
    asked_until=None,
    adjudicator_id="agent-3",
    adjudicator_level="AGENT",
)
_FIGURES: dict[str, Any] = {
    "decided": 40,
    "late": 2,
    "late_milli": 50,
    "appealed": 8,
    "reversed": 1,
    "modified": 1,
    "reversed_milli": 125,
}
_SIMILAR = SimilarDecisions(
    reason=_OPENED.reason,
    categories=["shoes"],
    amount_from=0,
    amount_below=5_000,
    decided=12,
    outcomes=[
        SimilarOutcome(
            outcome="REFUND_PARTIAL",
            decided=12,
            appealed=4,
            reversed=1,
            modified=0,
            reversed_milli=250,
            median_milli=300,
        )
    ],
)
_ENTRY = Entry(
    kind="disputes",
    matter_id=_DISPUTE.dispute_id,
    order_id=_OPENED.order_id,
    name="DISPUTE_ANSWER",
    due=_DISPUTE.answer_due,
)

DISPUTES = answered(DisputePage, example=DisputePage(items=[_LISTED], next_cursor=None))
INQUIRIES = answered(
    InquiryPage,
    example=InquiryPage(
        items=[listed_inquiry_view(inquiries.evolve(None, _ASKED))], next_cursor=None
    ),
)
CASES = answered(
    AdjudicationCasePage,
    example=AdjudicationCasePage(
        items=[_CASE],
        next_cursor=None,
        counts=AdjudicationCounts(cases=1, decisions=1, appeals=0, executions=0, overdue=0),
    ),
)
DUTY = answered(DutyView, example=DutyView(level="AGENT", until=examples.AT + timedelta(hours=12)))
OFF_DUTY: Documented = {204: {"description": "Nothing is drawn for you."}}
STATISTICS = answered(
    AdjudicationStatistics,
    example=AdjudicationStatistics(
        since=examples.AT - timedelta(days=365),
        until=examples.AT,
        by_reason=[FiguresOfReason(reason=_OPENED.reason, **_FIGURES)],
        by_adjudicator=[FiguresOfAdjudicator(adjudicator_id="agent-3", **_FIGURES)],
    ),
)
CASE_FILE = answered(
    CaseFileView, example=case_file_view(_READING, _HISTORY, Actor(role="AUDITOR", id="auditor-1"))
)
OUTCOMES = answered(OutcomesView, example=outcomes_view(_DISPUTE, examples.KNOWN.ledger))
SIMILAR = answered(SimilarDecisions, example=_SIMILAR)
DEADLINES = answered(
    DeadlinesView, example=dispute_deadlines_view(_DISPUTE, _HISTORY, examples.KNOWN.policies)
)
CALENDAR: Documented = {
    200: {
        "description": "A calendar; empty where nothing is due.",
        "content": {
            "text/calendar": {
                "schema": {"type": "string"},
                "example": calendar_of([_ENTRY], examples.AT).decode(),
            }
        },
    }
}
