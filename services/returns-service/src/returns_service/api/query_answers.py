"""What the OpenAPI page says of lists, exports and figures: schemas and examples."""

from typing import Any

from msgspec.structs import astuple
from shared_runtime.documents import CONTENT_DISPOSITION, Documented, answered
from shared_runtime.history import example_event

from returns_service.api import examples
from returns_service.projections.refunds import ListedRefund, evolve, told_of_refunds
from returns_service.queries.cases import RefundCaseCounts, RefundCasePage, RefundCaseView
from returns_service.queries.export import ExportedRefund, as_csv, as_ndjson, line_of
from returns_service.queries.figures import RefundFigures, day_view
from returns_service.queries.refunds import RefundPage, listed_refund_view


def _row() -> ListedRefund:
    row: ListedRefund | None = None
    _, *events = examples.ledger().events
    history = [example_event(each, at=examples.AT, actor=str(examples.SYSTEM)) for each in events]
    for recorded in told_of_refunds(history):
        row = evolve(row, recorded)
    assert row is not None
    return row


def _file(media_type: str, example: bytes) -> dict[str, Any]:
    return {media_type: {"schema": {"type": "string"}, "example": example.decode()}}


_ROW = _row()
_LISTED = listed_refund_view(_ROW, examples.AT)
_LINE = line_of(_ROW)
REFUNDS = answered(RefundPage, example=RefundPage(items=[_LISTED], next_cursor=None))
CASES = answered(
    RefundCasePage,
    example=RefundCasePage(
        items=[
            RefundCaseView(
                kinds=["FAILED"], opened_at=examples.AT, due_at=_ROW.overdue_at, refund=_LISTED
            )
        ],
        next_cursor=None,
        counts=RefundCaseCounts(cases=1, failed=1, bounced=0, late=0, overdue=0),
    ),
)
FIGURES = answered(
    RefundFigures,
    example=RefundFigures(
        since=examples.AT,
        until=examples.AT,
        days=[day_view(examples.AT.date(), "EUR", {"SETTLED": (1, 500)})],
    ),
)
EXPORT: Documented = {
    200: {
        "description": "A line for each refund; of CSV the first one names the columns.",
        "content": {
            **_file("text/csv", as_csv([ExportedRefund.__struct_fields__, astuple(_LINE)])),
            **_file("application/x-ndjson", as_ndjson([_LINE])),
        },
        "headers": {"Content-Disposition": CONTENT_DISPOSITION},
    }
}
