"""What the OpenAPI page says of lists of returns and of figures: schemas and examples."""

from datetime import timedelta

from shared_runtime.documents import answered

from returns_service.api import return_examples as examples
from returns_service.domain.return_state import Return
from returns_service.projections.returns import row_of
from returns_service.queries.return_statistics import ReturnFigure, ReturnStatistics
from returns_service.queries.returns import (
    ReturnCaseCounts,
    ReturnCasePage,
    ReturnCaseView,
    ReturnPage,
    WaitingReturnPage,
    WaitingReturnView,
    listed_return_view,
)

_STATE = examples.asked().state
assert isinstance(_STATE, Return)
_ROW = row_of(_STATE, examples.AT, examples.KNOWN.policies)
_CASE = ReturnCaseView(
    kinds=["REVIEW"],
    opened_at=examples.AT,
    due_at=examples.AT + timedelta(days=2),
    overdue=False,
    return_id=_ROW.case_id,
    order_id=_ROW.order_id,
    seller_id=_ROW.seller_id,
    buyer_id=_ROW.buyer_id,
    kind=_ROW.kind,
    reason=_ROW.reason,
    status=_ROW.status,
)
RETURNS = answered(
    ReturnPage,
    example=ReturnPage(items=[listed_return_view(_ROW, "SELLER")], next_cursor=None),
)
WAITING = answered(
    WaitingReturnPage,
    example=WaitingReturnPage(
        items=[
            WaitingReturnView(
                return_id=_ROW.case_id,
                order_id=_ROW.order_id,
                waiting="INSPECT",
                due=examples.AT + timedelta(days=2),
                units=["1/1"],
                tracking_ids=["T-1"],
            )
        ],
        next_cursor=None,
    ),
)
CASES = answered(
    ReturnCasePage,
    example=ReturnCasePage(
        items=[_CASE],
        next_cursor=None,
        counts=ReturnCaseCounts(cases=1, review=1, advance=0, label=0, kept=0, overdue=0),
    ),
)
STATISTICS = answered(
    ReturnStatistics,
    example=ReturnStatistics(
        since=examples.AT - timedelta(days=31),
        until=examples.AT,
        figures=[
            ReturnFigure(
                reason="NOT_AS_DESCRIBED",
                resolution="REFUNDED",
                currency="EUR",
                returns=12,
                refunded_minor=30_000,
                median_seconds=700_000,
            )
        ],
    ),
)
