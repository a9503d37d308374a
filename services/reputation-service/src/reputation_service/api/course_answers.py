"""What the OpenAPI page says of the course of scores: schemas, and examples of the code's own."""

from shared_runtime.documents import answered

from reputation_service.api.answers import ACCOUNT, AS_OF, BUYER, BUYING, DAY, SELLER
from reputation_service.conduct_views import (
    ConductHistoryView,
    ConductOutlookView,
    conduct_history_view,
    conduct_of,
    conduct_outlook_view,
)
from reputation_service.course_views import HistoryView, OutlookView, history_view, outlook_view
from reputation_service.domain.course import Point, evaluated_at
from reputation_service.domain.decay import WEEK_DAYS

_SCORE = ACCOUNT.standing().score
_POINT = Point(evaluated_at(DAY // WEEK_DAYS), _SCORE, _SCORE)
HISTORY = answered(HistoryView, example=history_view(SELLER, AS_OF, [_POINT]))
OUTLOOK = answered(OutlookView, example=outlook_view(ACCOUNT))
_CONDUCT = conduct_of(BUYING)
_CONDUCT_POINT = Point(evaluated_at(DAY // WEEK_DAYS), _CONDUCT, _CONDUCT)
CONDUCT_HISTORY = answered(
    ConductHistoryView, example=conduct_history_view(BUYER, AS_OF, [_CONDUCT_POINT])
)
CONDUCT_OUTLOOK = answered(ConductOutlookView, example=conduct_outlook_view(BUYING))
