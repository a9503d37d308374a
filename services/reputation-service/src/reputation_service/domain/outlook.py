"""A score and a level in, what would change them out: why it is so, what helps, and what time does.

Sums are those of the score: what is added is of today, and outside the clamp.
"""

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from shared_events.reputation import Band

from reputation_service.domain.decay import WEEK_DAYS
from reputation_service.domain.explain import with_more
from reputation_service.domain.facts import DAY_MICROS
from reputation_service.domain.level import RANK, Standing
from reputation_service.domain.observations import FULL_MILLI, MINOR_MILLI
from reputation_service.domain.policy import DISPUTE, INQUIRIES, RETURNS, STARS
from reputation_service.domain.read import Buckets, SellerScore, composite, read

type Way = Literal[
    "FIVE_STAR_REVIEW",
    "QUESTION_ANSWERED_IN_TIME",
    "RETURN_DECIDED_IN_TIME",
    "DISPUTE_SETTLED_IN_TIME",
    "ORDER_WITHOUT_DISPUTE",
]
type Why = Literal[
    "NOT_ENOUGH_RATINGS",
    "RISES_AT_THE_NEXT_EVALUATION",
    "EVALUATED_WEEKLY",
    "CAPPED_BY_POINTS",
    "PROTECTED",
]

WAYS: Mapping[Way, tuple[frozenset[str], int]] = {
    "FIVE_STAR_REVIEW": (frozenset(STARS), FULL_MILLI),
    "QUESTION_ANSWERED_IN_TIME": (frozenset({INQUIRIES}), FULL_MILLI),
    "RETURN_DECIDED_IN_TIME": (frozenset({RETURNS}), FULL_MILLI),
    "DISPUTE_SETTLED_IN_TIME": (frozenset({DISPUTE}), FULL_MILLI),
    "ORDER_WITHOUT_DISPUTE": (frozenset({DISPUTE}), MINOR_MILLI),
}
"""What is best of its kind: the dimensions that it counts in, and how much."""
MANY = 10
AHEAD_DAYS = (30, 90, 180)


class Gain(NamedTuple):
    """By how much one more of a kind would move the score, and ten more."""

    way: Way
    one_micro: int
    ten_micro: int


class Reason(NamedTuple):
    """Why the level that is shown is not the band of the score now. `until`: when that ends by
    itself, if it does (microseconds).
    """

    why: Why
    until: int | None


def gains(score: SellerScore) -> list[Gain]:
    """What each kind of good handling is worth now, the best first."""
    found = [Gain(way, _gain(score, way, 1), _gain(score, way, MANY)) for way in WAYS]
    return sorted(found, key=lambda gain: (-gain.one_micro, gain.way))


def conduct_gain(score: SellerScore, count: int) -> int:
    """By how much so many more ratings of five stars would move a buyer's mean, in micro."""
    (conduct,) = score.dimensions
    raised = with_more(conduct, count, FULL_MILLI, score.policy)
    return raised.mean_micro - conduct.mean_micro


def fading(buckets: Buckets, score: SellerScore) -> list[SellerScore]:
    """The scores of days to come if nothing more happens."""
    return [read(buckets, score.day + ahead, score.policy) for ahead in AHEAD_DAYS]


def reasons(standing: Standing, now: Band, as_of: int) -> list[Reason]:
    """All that is between the band of the score now and the level that is shown."""
    return list(_reasons(standing, now, as_of))


def next_evaluation(as_of: int) -> int:
    """The first instant of the next weekly evaluation."""
    week = WEEK_DAYS * DAY_MICROS
    return (as_of // week + 1) * week


def _reasons(standing: Standing, now: Band, as_of: int) -> Iterator[Reason]:
    level = standing.level
    newest = level.evaluations[0]
    if newest == "UNRATED":
        yield Reason("NOT_ENOUGH_RATINGS", None)
    elif now not in ("UNRATED", newest):
        yield Reason("EVALUATED_WEEKLY", next_evaluation(as_of))
    if newest != "UNRATED" and level.base != "UNRATED" and RANK[level.base] < RANK[newest]:
        yield Reason("RISES_AT_THE_NEXT_EVALUATION", next_evaluation(as_of))
    if level.real != level.base:
        yield Reason("CAPPED_BY_POINTS", None)
    if level.public != level.real:
        yield Reason("PROTECTED", level.protected_until)


def _gain(score: SellerScore, way: Way, count: int) -> int:
    names, weight = WAYS[way]
    raised = [
        with_more(each, count, weight, score.policy) if each.rules.name in names else each
        for each in score.dimensions
    ]
    return composite(raised) - score.score_micro
