"""What the OpenAPI page says of answers: their schemas, and examples that the code itself makes."""

from shared_runtime.documents import answered, commanded
from shared_runtime.history import EventPage, example_page

from dispute_service.api import examples
from dispute_service.views import DisputeView, InquiryView, dispute_view, inquiry_view

_READING = examples.dispute()
_DISPUTE = dispute_view(_READING, examples.BY_BUYER)
_INQUIRY = inquiry_view(examples.inquiry(), examples.BY_BUYER)
DISPUTE = answered(DisputeView, example=_DISPUTE, headers=("ETag",))
DISPUTE_COMMAND = commanded(DisputeView, _DISPUTE)
INQUIRY = answered(InquiryView, example=_INQUIRY, headers=("ETag",))
INQUIRY_COMMAND = commanded(InquiryView, _INQUIRY)
EVENTS = answered(
    EventPage, example=example_page(_READING.events[0], at=examples.AT, actor=str(examples.BUYER))
)
