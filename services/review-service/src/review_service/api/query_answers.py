"""What the OpenAPI page says of lists, the queue and the figures: schemas and examples."""

from datetime import UTC, datetime, timedelta

from shared_runtime.documents import Documented, answered, answered_unless_seen
from shared_runtime.fields import Money

from review_service.api.examples import REF
from review_service.projections.moderation import OpenFlag
from review_service.queries.moderation import (
    CaseCounts,
    LeaseView,
    ModerationCasePage,
    ModerationCaseView,
)
from review_service.queries.neutrality import COUNTED, NeutralityView, day_of, group_figures
from review_service.queries.own_orders import OwnOrderPage, OwnOrderView, ReviewWindowView
from review_service.queries.own_reviews import OwnReviewPage, OwnReviewView
from review_service.queries.ratings import RatingsView, WeightedSums
from review_service.queries.reviewable import ReviewableOrderPage, ReviewableOrderView
from review_service.queries.reviews import (
    FormerVersionView,
    PublicFollowUpView,
    PublicReplyView,
    PublicReviewPage,
    PublicReviewView,
)
from review_service.views import MediaLink, ReasonView, ReplyView, ReviewView

AT = datetime(2026, 1, 17, 10, tzinfo=UTC)
_REVIEW = PublicReviewView(
    ref=REF,
    seller_id="S-77",
    marketplace_id="market-1",
    stars=5,
    quality=5,
    logistics=4,
    service=5,
    before=FormerVersionView(
        stars=2, quality=1, logistics=4, service=2, text="Came with a broken shade."
    ),
    text="They sent a new shade at once.",
    language="en",
    media=[MediaLink(media_id="M-1", url="/media/M-1?expires=1768644000&signature=c2ln")],
    incentive="NONE",
    verified_purchase=True,
    revised_after_resolution=True,
    incentive_disclosed=False,
    delivery_not_counted=False,
    reply=PublicReplyView(
        text="We are glad that it works now.", edited=False, published_at=AT + timedelta(days=1)
    ),
    follow_up=PublicFollowUpView(
        text="Still bright after a month.", media=[], appended_at=AT + timedelta(days=30)
    ),
    weight_milli=1000,
    reasons=[ReasonView(code="FULL", effect_milli=1000)],
    helpful=12,
    not_helpful=1,
    usefulness=2005,
    revealed_at=AT,
)
_REVIEWABLE = ReviewableOrderView(
    order_id="O-1001",
    side="BUYER",
    seller_id="S-77",
    buyer_id="B-5",
    state="OPEN",
    completed_at=AT - timedelta(days=2),
    closes_at=AT + timedelta(days=13),
    cap_at=None,
)
_OWN_ORDER = OwnOrderView(
    order_id="O-1001",
    side="BUYER",
    seller_id="S-77",
    buyer_id="B-5",
    marketplace_id="market-1",
    stage="COMPLETED",
    total=Money(amount=10470, currency="EUR"),
    placed_at=AT - timedelta(days=7),
    delivered_at=AT - timedelta(days=3),
    auto_complete_at=None,
    completed_at=AT - timedelta(days=2),
    cancelled_at=None,
    reviewable=ReviewWindowView(state="OPEN", closes_at=AT + timedelta(days=13), cap_at=None),
    own_review=None,
)
_OWN_REVIEW = OwnReviewView(
    order_id="O-1001",
    seller_id="S-77",
    buyer_id="B-5",
    kind="WRITTEN",
    at=AT - timedelta(days=1),
    state="REVEALED",
    closes_at=None,
    cap_at=None,
    revealed_at=AT,
    review=ReviewView(
        review_id="R-1",
        ref=REF,
        by="BUYER",
        status="VISIBLE",
        version=1,
        submitted_at=AT - timedelta(days=1),
        quality=5,
        logistics=4,
        service=5,
        rating=None,
        incentive="NONE",
        text="Bright enough to read by.",
        media=[],
        weight_milli=1000,
        reasons=[ReasonView(code="FULL", effect_milli=1000)],
        excluded_dimensions=[],
        reply=ReplyView(
            reply_id="P-1",
            text="We are glad that it works.",
            edited=False,
            editable_until=AT + timedelta(days=3),
            hidden=False,
            restriction=None,
        ),
        follow_up=None,
        revision=None,
        hold=None,
        restriction=None,
        flags=[],
        appeals=[],
    ),
)
_CASE = ModerationCaseView(
    case_id=REF,
    order_id="O-1001",
    side="BUYER",
    seller_id="S-77",
    review_id="R-1",
    opened_at=AT,
    due_at=AT + timedelta(days=5),
    overdue=False,
    flags=[
        OpenFlag(
            flag_id="F-1",
            reason="PERSONAL_DATA",
            flagger_role="SELLER",
            flagger_id="S-77",
            text="It names my street.",
            flagged_at=AT,
            decide_by=AT + timedelta(days=5),
        )
    ],
    hold=None,
    appeals=[],
    lease=LeaseView(moderator_id="mod-1", until=AT + timedelta(minutes=15)),
)
_OF_MANY = dict.fromkeys(COUNTED, 0) | {"revealed": 40, "flags": 2, "median_seconds": 86_400}
_FIGURES = NeutralityView(
    since=day_of(AT) - timedelta(days=365),
    until=day_of(AT),
    computed_at=AT,
    by_stars=[group_figures((5, None), _OF_MANY)],
    by_seller_size=[group_figures((None, "LARGE"), _OF_MANY)],
    by_stars_and_seller_size=[group_figures((5, "SMALL"), None)],
)
_COUNTS = CaseCounts(cases=1, flags=1, holds=0, appeals=0, overdue=0)

PUBLIC_REVIEWS = answered_unless_seen(
    PublicReviewPage, example=PublicReviewPage(items=[_REVIEW], next_cursor=None)
)
RATINGS = answered_unless_seen(
    RatingsView,
    example=RatingsView(
        rating=4.4,
        ratings=120,
        histogram={"5": 80, "4": 22, "3": 9, "2": 4, "1": 5},
        quality=4.5,
        logistics=4.3,
        service=4.4,
        with_text=71,
        with_media=18,
        not_counted=2,
        exact=WeightedSums(
            weight_milli=118_000,
            quality_milli=531_000,
            service_milli=519_200,
            logistics_milli=498_800,
            logistics_weight_milli=116_000,
        ),
    ),
)
REVIEWABLE_ORDERS = answered(
    ReviewableOrderPage, example=ReviewableOrderPage(items=[_REVIEWABLE], next_cursor=None)
)
OWN_ORDERS = answered(OwnOrderPage, example=OwnOrderPage(items=[_OWN_ORDER], next_cursor=None))
OWN_REVIEWS = answered(OwnReviewPage, example=OwnReviewPage(items=[_OWN_REVIEW], next_cursor=None))
MODERATION_CASES = answered(
    ModerationCasePage,
    example=ModerationCasePage(items=[_CASE], next_cursor=None, counts=_COUNTS),
)
ASSIGNMENT: Documented = {
    **answered(
        ModerationCaseView, example=_CASE, status=201, description="It is yours from now on."
    ),
    **answered(ModerationCaseView, example=_CASE, description="You have it already."),
    204: {"description": "No case is free that you may decide."},
}
OWN_CASE = answered(ModerationCaseView, example=_CASE)
GIVEN_BACK: Documented = {204: {"description": "Anybody may have it now."}}
NEUTRALITY = answered(NeutralityView, example=_FIGURES)
