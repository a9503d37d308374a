"""The numbers of refunds: name, bound and value of each, and the versions."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated

from shared_casework import policy
from shared_casework.policy import (
    ALWAYS,
    DAY,
    HOUR,
    Policy,
    Start,
    count,
    days,
    hours,
    published,
)

__all__ = ["AE_30D", "AE_2025_1", "ALWAYS", "PUBLISHED", "Policies", "ReturnsPolicy", "policies"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnsPolicy(Policy):
    """`goodwill_agent_max_ref`: minor units of the reference currency, for each order."""

    refund_legal: Annotated[timedelta, days(1, 14)] = 14 * DAY
    refund_retry: Annotated[timedelta, hours(1, 24)] = HOUR
    refund_max_attempts: Annotated[int, count(1, 20)] = 5
    refund_retry_cap: Annotated[timedelta, hours("refund_retry", 24)] = 24 * HOUR
    goodwill_agent_max_ref: Annotated[int, count(0)] = 5000


AE_2025_1 = ReturnsPolicy(version="ae-2025-1")
AE_30D = replace(AE_2025_1, version="ae-30d")
PUBLISHED = (AE_2025_1, AE_30D)

type Policies = policy.Policies[ReturnsPolicy]


def policies(
    schedule: Iterable[Start] = ((ALWAYS, AE_2025_1.version),),
    versions: Iterable[ReturnsPolicy] = PUBLISHED,
) -> Policies:
    """The published versions. Raises `PolicyUnknown` if the schedule names one that is not."""
    return published(versions, schedule)
