"""Events in, rows out: what this service's lists and figures are read from, a file for each."""

from review_service.projections.moderation import MODERATION_CASES
from review_service.projections.neutrality import NEUTRALITY
from review_service.projections.product_reviews import PRODUCT_REVIEWS
from review_service.projections.reviewable import REVIEWABLE_ORDERS
from review_service.projections.seller_reviews import SELLER_REVIEWS

PROJECTIONS = (SELLER_REVIEWS, PRODUCT_REVIEWS, REVIEWABLE_ORDERS, MODERATION_CASES, NEUTRALITY)

__all__ = [
    "MODERATION_CASES",
    "NEUTRALITY",
    "PRODUCT_REVIEWS",
    "PROJECTIONS",
    "REVIEWABLE_ORDERS",
    "SELLER_REVIEWS",
]
