"""Events in, rows out: what this service's lists and figures are read from, a file for each."""

from review_service.projections.moderation import MODERATION_CASES
from review_service.projections.neutrality import NEUTRALITY
from review_service.projections.own_orders import OWN_ORDERS
from review_service.projections.own_reviews import OWN_REVIEWS
from review_service.projections.public_reviews import PUBLIC_REVIEWS
from review_service.projections.review_languages import REVIEW_LANGUAGES
from review_service.projections.reviewable import REVIEWABLE_ORDERS

PROJECTIONS = (
    PUBLIC_REVIEWS,
    REVIEW_LANGUAGES,
    REVIEWABLE_ORDERS,
    OWN_ORDERS,
    OWN_REVIEWS,
    MODERATION_CASES,
    NEUTRALITY,
)

__all__ = [
    "MODERATION_CASES",
    "NEUTRALITY",
    "OWN_ORDERS",
    "OWN_REVIEWS",
    "PROJECTIONS",
    "PUBLIC_REVIEWS",
    "REVIEWABLE_ORDERS",
    "REVIEW_LANGUAGES",
]
