"""What was known at each weekly evaluation, then and now, in, the course of a score out."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from reputation_service.domain.decay import WEEK_DAYS
from reputation_service.domain.facts import DAY_MICROS, day_of
from reputation_service.domain.policy import PolicyAt
from reputation_service.domain.read import Buckets, SellerScore, read


class Point(NamedTuple):
    """A weekly evaluation: as it was at that instant, and as it would have been had all been known
    then that is known now.
    """

    evaluated_at: int
    as_it_was: SellerScore
    as_known_now: SellerScore


def weeks_up_to(as_of: int, count: int) -> list[int]:
    """The weeks that had begun, the newest first."""
    newest = day_of(as_of) // WEEK_DAYS
    return [week for week in range(newest, newest - count, -1) if week >= 0]


def evaluated_at(week: int) -> int:
    """The first instant of a week."""
    return week * WEEK_DAYS * DAY_MICROS


def points_of(
    weeks: Sequence[int],
    then: Mapping[int, Buckets],
    now_known: Mapping[int, Buckets],
    policy_at: PolicyAt,
) -> list[Point]:
    """Each evaluation by the policy that held at its instant.

    `then`: what was known at each instant; `now_known`: what is known of all before each week.
    """
    points: list[Point] = []
    for week in weeks:
        at, day = evaluated_at(week), week * WEEK_DAYS
        policy = policy_at(at)
        was, is_now = (read(known, day, policy) for known in (then[at], now_known[week]))
        points.append(Point(at, was, is_now))
    return points
