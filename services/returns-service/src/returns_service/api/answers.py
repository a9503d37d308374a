"""What the OpenAPI page says of answers: their schemas, and examples that the code itself makes."""

from shared_events.registry import tag_of
from shared_runtime.documents import answered, commanded
from shared_runtime.history import EventPage, EventView

from returns_service.api import examples
from returns_service.views import LedgerView, ledger_view

_READING = examples.ledger()
_LEDGER = ledger_view(_READING, examples.by(examples.SELLER))
_EVENT = EventView(
    id=examples.EVENT_ID,
    type=tag_of(_READING.events[0]),
    time=examples.AT,
    actor=str(examples.SYSTEM),
    data=_READING.events[0],
)
LEDGER = answered(LedgerView, example=_LEDGER, headers=("ETag",))
LEDGER_COMMAND = commanded(LedgerView, _LEDGER)
EVENTS = answered(EventPage, example=EventPage(items=[_EVENT], next_cursor=None))
