"""What the OpenAPI page says of accounts and cases: schemas, and examples that the code makes."""

from shared_events.common import StatementOfReasonsIssued
from shared_runtime.documents import answered, commanded
from shared_runtime.history import EXAMPLE_ID, EventPage, example_page

from reputation_service.api import examples
from reputation_service.points_views import (
    CaseView,
    MeasuresView,
    ReasonsView,
    StandingView,
    case_view,
    measures_view,
    standing_view,
)
from reputation_service.queries.points import (
    CaseCounts,
    CasePage,
    ErasurePage,
    ErasureView,
    ExportPage,
    HintPage,
    HintView,
    ListedCaseView,
    OwnCasePage,
    exported,
)

_ACCOUNT, _CASE = examples.account(), examples.case()
_STANDING = standing_view(_ACCOUNT, examples.BY_SELLER)
_CASE_SHOWN = case_view(_CASE, examples.BY_SELLER)
STANDING = answered(StandingView, example=_STANDING, headers=("ETag",))
STANDING_COMMAND = commanded(StandingView, _STANDING)
MEASURES = answered(
    MeasuresView, example=measures_view(_ACCOUNT, examples.BY_SELLER), headers=("ETag",)
)
CASE = answered(CaseView, example=_CASE_SHOWN, headers=("ETag",))
CASE_COMMAND = commanded(CaseView, _CASE_SHOWN)
EVENTS = answered(EventPage, example=example_page(_CASE.events[0], at=examples.AT, actor="staff"))
_LISTED = ListedCaseView(
    case_id=_CASE_SHOWN.case_id,
    account_kind=_CASE_SHOWN.account_kind,
    account_id=_CASE_SHOWN.account_id,
    rule=_CASE_SHOWN.rule,
    status=_CASE_SHOWN.status,
    points=0,
    safety=False,
    began_at=examples.AT,
    kinds=["DECISION"],
    decidable_at=_CASE_SHOWN.statement_until,
    due_at=_CASE_SHOWN.decide_by,
    overdue=False,
)
_COUNTS = CaseCounts(cases=1, decisions=1, appeals=0, overdue=0)
_HINT = HintView(
    hint_id="H-1",
    account_kind="BUYER",
    account_id="B-42",
    rule="EMPTY_BOX_RETURN",
    cause_key="R-13",
    event_id=EXAMPLE_ID,
    noticed_at=examples.AT,
)
_ERASURE = ErasureView(
    account_kind="BUYER",
    account_id="B-42",
    status="DEFERRED",
    asked_at=examples.AT,
    waits_for=["D-7"],
    waits_until=None,
    erased_at=None,
)
_ISSUED = next(each for each in _ACCOUNT.events if isinstance(each, StatementOfReasonsIssued))
CASES = answered(CasePage, example=CasePage(items=[_LISTED], next_cursor=None, counts=_COUNTS))
OWN_CASES = answered(OwnCasePage, example=OwnCasePage(items=[_LISTED], next_cursor=None))
HINTS = answered(HintPage, example=HintPage(items=[_HINT], next_cursor=None))
ERASURES = answered(ErasurePage, example=ErasurePage(items=[_ERASURE], next_cursor=None))
EXPORT = answered(
    ExportPage,
    example=ExportPage(items=[exported(_ISSUED, "UNANSWERED_DISPUTE")], next_cursor=None),
)
STATEMENT = answered(ReasonsView, example=_STANDING.statements[0])
