"""The numbers of inquiries and disputes: name, bound and value of each, and the versions."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated

from shared_casework import policy
from shared_casework.policy import ALWAYS, DAY, HOUR, Start, count, days, hours, published
from shared_casework.return_times import ReturnTimes

__all__ = ["AE_30D", "AE_2025_1", "ALWAYS", "PUBLISHED", "DisputePolicy", "Policies", "policies"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputePolicy(ReturnTimes):
    inquiry_sla: Annotated[timedelta, hours(1, 168)] = 24 * HOUR
    inquiry_idle: Annotated[timedelta, days(2, 60), days("inquiry_sla")] = 7 * DAY
    inquiry_max_open: Annotated[int, count(1, 20)] = 3
    inquiry_max_total: Annotated[int, count(1, 100)] = 20
    dispute_open_window: Annotated[timedelta, days(7, 180)] = 15 * DAY
    dispute_not_received_after: Annotated[timedelta, days(1, 60)] = 10 * DAY
    dispute_not_received_until: Annotated[timedelta, days(30, 180)] = 90 * DAY
    dispute_max_open: Annotated[int, count(1, 20)] = 3
    dispute_withdrawn_max: Annotated[int, count(0, 5)] = 2
    dispute_withdrawn_order_max: Annotated[int, count(0, 50)] = 6
    dispute_answer: Annotated[timedelta, days(1, 15)] = 5 * DAY
    dispute_negotiation: Annotated[timedelta, days("dispute_answer")] = 7 * DAY
    dispute_rearm_max: Annotated[int, count(0, 5)] = 2
    dispute_default_partial_max_milli: Annotated[int, count(0, 500)] = 200
    dispute_escalate_buyer: Annotated[timedelta, days(0, "dispute_negotiation")] = 3 * DAY
    dispute_escalate_seller: Annotated[timedelta, days(0, "dispute_negotiation")] = 5 * DAY
    dispute_blind_offers_max: Annotated[int, count(0, 10)] = 3
    dispute_proposals_max: Annotated[int, count(1, 100)] = 20
    dispute_messages_max: Annotated[int, count(1, 1000)] = 100
    dispute_evidence: Annotated[timedelta, days(1, 30)] = 5 * DAY
    dispute_evidence_extension: Annotated[timedelta, days(0, 15)] = 3 * DAY
    dispute_evidence_max: Annotated[int, count(1, 100)] = 20
    dispute_evidence_appeal_max: Annotated[int, count(0, 20)] = 5
    dispute_rebuttal: Annotated[timedelta, days(1, 7)] = 2 * DAY
    dispute_decision: Annotated[timedelta, days(1, 30)] = 7 * DAY
    dispute_platform_default: Annotated[timedelta, days(7, 90)] = 30 * DAY
    dispute_info: Annotated[timedelta, hours(24, 168)] = 72 * HOUR
    dispute_info_max: Annotated[int, count(1, 10)] = 3
    dispute_appeal_window: Annotated[timedelta, days(1, 60)] = 7 * DAY
    dispute_appeal_sla: Annotated[timedelta, days(1, 30)] = 10 * DAY
    dispute_execution: Annotated[timedelta, days(1, 90)] = 14 * DAY


AE_2025_1 = DisputePolicy(version="ae-2025-1")
AE_30D = replace(AE_2025_1, version="ae-30d", dispute_appeal_window=30 * DAY)
PUBLISHED = (AE_2025_1, AE_30D)

type Policies = policy.Policies[DisputePolicy]


def policies(
    schedule: Iterable[Start] = ((ALWAYS, AE_2025_1.version),),
    versions: Iterable[DisputePolicy] = PUBLISHED,
) -> Policies:
    """The published versions. Raises `PolicyUnknown` if the schedule names one that is not."""
    return published(versions, schedule)
