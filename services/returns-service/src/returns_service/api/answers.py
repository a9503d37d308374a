"""What the OpenAPI page says of answers: their schemas, and examples that the code itself makes."""

from shared_runtime.documents import answered, commanded
from shared_runtime.history import EventPage, example_page

from returns_service.api import examples
from returns_service.views import LedgerView, ledger_view

_READING = examples.ledger()
_LEDGER = ledger_view(_READING, examples.by(examples.SELLER))
LEDGER = answered(LedgerView, example=_LEDGER, headers=("ETag",))
LEDGER_COMMAND = commanded(LedgerView, _LEDGER)
EVENTS = answered(
    EventPage, example=example_page(_READING.events[0], at=examples.AT, actor=str(examples.SYSTEM))
)
