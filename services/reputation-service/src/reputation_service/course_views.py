"""The course of a score and its outlook in, what a seller sees of them out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared_events.reputation import Band

from reputation_service.domain.account import ScoredAccount
from reputation_service.domain.course import Point
from reputation_service.domain.explain import what_would_raise
from reputation_service.domain.facts import instant
from reputation_service.domain.level import band
from reputation_service.domain.outlook import (
    Way,
    fading,
    gains,
    next_evaluation,
    reasons,
)
from reputation_service.domain.read import SellerScore
from reputation_service.views import RaiseView, ReasonView, raise_view, reason_views


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingView:
    """A score of a day."""

    score_micro: int
    stars_micro: int
    band: Band


@dataclass(frozen=True, slots=True, kw_only=True)
class PointView:
    """A weekly evaluation: as it was at that instant, and as it would have been had all been known
    then that is known at `as_of`. They differ where something was corrected or came late.
    """

    day: int
    evaluated_at: datetime
    policy_id: str
    as_it_was: ReadingView
    as_known_now: ReadingView


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryView:
    """The weekly evaluations up to `as_of`, the newest first."""

    seller_id: str
    as_of: datetime
    items: list[PointView]


@dataclass(frozen=True, slots=True, kw_only=True)
class GainView:
    """By how much one more would move the score, and ten more, if they were of today."""

    what: Way
    one_micro: int
    ten_micro: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FadedView:
    day: int
    score_micro: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlookView:
    """What would raise a score, by how much, and when a level follows it.

    `band_if_evaluated_now`: what an evaluation of now would give. `reasons`: all that is between it
    and `public_level`. `level_changes_at`: when a penalty, a credit or a protection next begins or
    ends. `if_nothing_happens`: what is known fades.
    """

    seller_id: str
    policy_id: str
    as_of: datetime
    score_micro: int
    band_if_evaluated_now: Band
    base_level: Band
    real_level: Band
    public_level: Band
    balance: int
    credit_level: str
    reasons: list[ReasonView]
    next_evaluation_at: datetime
    level_changes_at: datetime | None
    what_would_raise: RaiseView | None
    gains: list[GainView]
    if_nothing_happens: list[FadedView]


def reading_view(score: SellerScore) -> ReadingView:
    return ReadingView(
        score_micro=score.score_micro, stars_micro=score.overall_stars_micro, band=band(score)
    )


def history_view(seller_id: str, as_of: int, points: Sequence[Point]) -> HistoryView:
    return HistoryView(
        seller_id=seller_id, as_of=instant(as_of), items=[point_view(point) for point in points]
    )


def point_view(point: Point) -> PointView:
    return PointView(
        day=point.as_it_was.day,
        evaluated_at=instant(point.evaluated_at),
        policy_id=point.as_it_was.policy.policy_id,
        as_it_was=reading_view(point.as_it_was),
        as_known_now=reading_view(point.as_known_now),
    )


def outlook_view(account: ScoredAccount) -> OutlookView:
    standing = account.standing()
    score, level = standing.score, standing.level
    now, changes_at = band(score), account.changes_at
    return OutlookView(
        seller_id=account.seller_id,
        policy_id=score.policy.policy_id,
        as_of=instant(account.as_of),
        score_micro=score.score_micro,
        band_if_evaluated_now=now,
        base_level=level.base,
        real_level=level.real,
        public_level=level.public,
        balance=level.balance,
        credit_level=level.credit.name,
        reasons=reason_views(reasons(standing, now, account.as_of)),
        next_evaluation_at=instant(next_evaluation(account.as_of)),
        level_changes_at=None if changes_at is None else instant(changes_at),
        what_would_raise=raise_view(what_would_raise(score)),
        gains=[
            GainView(what=each.way, one_micro=each.one_micro, ten_micro=each.ten_micro)
            for each in gains(score)
        ],
        if_nothing_happens=[
            FadedView(day=each.day, score_micro=each.score_micro)
            for each in fading(account.buckets, score)
        ],
    )
