"""What the OpenAPI page says of answers about returns: schemas, and examples of the code itself."""

from shared_runtime.documents import answered, commanded
from shared_runtime.history import EXAMPLE_ID, EventPage, example_page

from returns_service.api import return_examples as examples
from returns_service.domain.eligibility import Asking
from returns_service.domain.known import NO_FILES
from returns_service.queries.eligibility import EligibilityView, eligibility_view
from returns_service.queries.return_file import FiledMediaView, ReturnFileView
from returns_service.return_views import MediaLink, ReturnView, return_view

_READING = examples.asked()
_RETURN = return_view(_READING, examples.BY_BUYER)
ELIGIBILITY = answered(
    EligibilityView,
    example=eligibility_view(
        Asking(kind="RETURN", reason="NOT_AS_DESCRIBED", proof=True),
        examples.BY_BUYER,
        trusted=True,
    ),
)
RETURN_FILE = answered(
    ReturnFileView,
    example=ReturnFileView(
        return_id="RT-1",
        file_sha256=NO_FILES,
        items=[
            FiledMediaView(
                event_id=EXAMPLE_ID,
                at=examples.AT,
                sha256=NO_FILES,
                media=MediaLink(media_id="M-1", url="/v1/media/M-1?expires=1&signature=x"),
            )
        ],
    ),
)
RETURN = answered(ReturnView, example=_RETURN, headers=("ETag",))
RETURN_COMMAND = commanded(ReturnView, _RETURN)
RETURN_EVENTS = answered(
    EventPage, example=example_page(_READING.events[0], at=examples.AT, actor=str(examples.BUYER))
)
