"""The numbers of credit points and cases: name, bound and value of each, and the versions."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated

from shared_casework import policy
from shared_casework.policy import ALWAYS, DAY, Policy, Start, count, days, over, published
from shared_events.reputation import Severity

__all__ = ["AE_30D", "AE_2025_1", "ALWAYS", "PUBLISHED", "PointsPolicy", "Policies", "policies"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsPolicy(Policy):
    """`credit_normal`, `credit_reduced`, `credit_restricted`: the least balance of each level."""

    credit_start: Annotated[int, count(100, 100)] = 100
    credit_term_minor: Annotated[timedelta, days(30, 730)] = 90 * DAY
    credit_term_medium: Annotated[timedelta, days(30, 730)] = 180 * DAY
    credit_term_severe: Annotated[timedelta, days(30, 730)] = 365 * DAY
    credit_normal: Annotated[int, over("credit_reduced"), count(None, 100)] = 80
    credit_reduced: Annotated[int, over("credit_restricted"), count(None, 100)] = 60
    credit_restricted: Annotated[int, count(1, 100)] = 40
    conduct_period: Annotated[timedelta, days(30, 365)] = 90 * DAY
    conduct_min_orders: Annotated[int, count(1)] = 50
    conduct_points: Annotated[int, count(0, 10)] = 2
    conduct_cap_year: Annotated[int, count(0, 20)] = 6
    protection_max: Annotated[timedelta, days(1, 180)] = 90 * DAY
    suspension_max: Annotated[timedelta, days(1, 60)] = 30 * DAY
    termination_notice: Annotated[timedelta, days(30)] = 30 * DAY
    case_statement: Annotated[timedelta, days(3, 30)] = 7 * DAY
    case_decision: Annotated[timedelta, days(1, 60)] = 10 * DAY
    case_human_points: Annotated[int, count(1, 12)] = 12
    case_false_claims: Annotated[int, count(1)] = 3
    case_false_claims_share_milli: Annotated[int, count(0, 1000)] = 300
    case_false_claims_span: Annotated[timedelta, days(1)] = 90 * DAY
    case_appeal_window: Annotated[timedelta, days(14, 183)] = 30 * DAY
    case_appeal_sla: Annotated[timedelta, days(1, 30)] = 10 * DAY

    def term(self, severity: Severity) -> timedelta:
        """How long points of such a violation count."""
        match severity:
            case "MINOR":
                return self.credit_term_minor
            case "MEDIUM":
                return self.credit_term_medium
            case "SEVERE":
                return self.credit_term_severe


AE_2025_1 = PointsPolicy(version="ae-2025-1")
AE_30D = replace(AE_2025_1, version="ae-30d")
"""Differs in numbers of other services alone."""
PUBLISHED = (AE_2025_1, AE_30D)

type Policies = policy.Policies[PointsPolicy]


def policies(
    schedule: Iterable[Start] = ((ALWAYS, AE_2025_1.version),),
    versions: Iterable[PointsPolicy] = PUBLISHED,
) -> Policies:
    """The published versions. Raises `PolicyUnknown` if the schedule names one that is not."""
    return published(versions, schedule)
