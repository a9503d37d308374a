"""What the OpenAPI page says of answers: their schemas, and examples that the code itself makes."""

from shared_events.registry import tag_of
from shared_runtime.documents import answered, commanded
from shared_runtime.history import EventPage, EventView

from dispute_service.api import examples
from dispute_service.views import DisputeView, InquiryView, dispute_view, inquiry_view

_READING = examples.dispute()
_DISPUTE = dispute_view(_READING, examples.BY_BUYER)
_INQUIRY = inquiry_view(examples.inquiry(), examples.BY_BUYER)
_EVENT = EventView(
    id=examples.EVENT_ID,
    type=tag_of(_READING.events[0]),
    time=examples.AT,
    actor=str(examples.BUYER),
    data=_READING.events[0],
)
DISPUTE = answered(DisputeView, example=_DISPUTE, headers=("ETag",))
DISPUTE_COMMAND = commanded(DisputeView, _DISPUTE)
INQUIRY = answered(InquiryView, example=_INQUIRY, headers=("ETag",))
INQUIRY_COMMAND = commanded(InquiryView, _INQUIRY)
EVENTS = answered(EventPage, example=EventPage(items=[_EVENT], next_cursor=None))
