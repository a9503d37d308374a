"""The numbers of orders and reviews: name, bound and value of each, and the published versions."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated

from shared_casework import policy
from shared_casework.policy import ALWAYS, DAY, HOUR, Policy, Start, count, days, hours, published

__all__ = ["AE_30D", "AE_2025_1", "ALWAYS", "PUBLISHED", "Policies", "ReviewPolicy", "policies"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewPolicy(Policy):
    order_auto_complete: Annotated[timedelta, days(0, 60)] = 7 * DAY
    review_window: Annotated[timedelta, days(1, 100)] = 15 * DAY
    review_min_after_pause: Annotated[timedelta, hours(0, 360)] = 72 * HOUR
    review_pause_cap: Annotated[timedelta, days(30, 365)] = 120 * DAY
    review_reply_window: Annotated[timedelta, days(1, 365)] = 30 * DAY
    review_reply_edit: Annotated[timedelta, hours(0, 168)] = 48 * HOUR
    review_followup_window: Annotated[timedelta, days(0, 365)] = 180 * DAY
    review_revision_window: Annotated[timedelta, days(1, 60)] = 14 * DAY
    review_flag_sla: Annotated[timedelta, days(1, 10)] = 5 * DAY
    review_flags_per_day_max: Annotated[int, count(1, 1000)] = 20
    review_votes_per_hour_max: Annotated[int, count(1, 1000)] = 60
    review_hold_max: Annotated[timedelta, hours(1, 168)] = 72 * HOUR
    review_campaign_max: Annotated[timedelta, days(1, 30)] = 14 * DAY
    review_screening_span: Annotated[timedelta, days(0, 365)] = 90 * DAY
    review_moderation_appeal: Annotated[timedelta, days(183)] = 183 * DAY
    review_appeal_sla: Annotated[timedelta, days(1, 30)] = 14 * DAY
    review_retention: Annotated[timedelta, days(365)] = 365 * DAY
    review_min_value_ref_minor: Annotated[int, count(0, 5000)] = 500
    review_repeat_sign_span: Annotated[timedelta, days(0, 60)] = 10 * DAY
    review_repeat_span: Annotated[timedelta, days(0, 365)] = 180 * DAY
    review_new_account_age: Annotated[timedelta, hours(0, 720)] = 24 * HOUR
    review_new_account_cap_milli: Annotated[int, count(50, 1000)] = 400
    review_weight_floor_milli: Annotated[int, count(1, 200)] = 50


AE_2025_1 = ReviewPolicy(version="ae-2025-1")
AE_30D = replace(AE_2025_1, version="ae-30d", review_window=30 * DAY)
PUBLISHED = (AE_2025_1, AE_30D)

type Policies = policy.Policies[ReviewPolicy]


def policies(
    schedule: Iterable[Start] = ((ALWAYS, AE_2025_1.version),),
    versions: Iterable[ReviewPolicy] = PUBLISHED,
) -> Policies:
    """The published versions. Raises `PolicyUnknown` if the schedule names one that is not."""
    return published(versions, schedule)
