"""How sellers have rated a buyer in, what is told of it out: his standing, why, its course, what
would raise it.

A mean is in micro of 0..1; it is in no composite.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from reputation_service.domain.account import Explanation, ScoredAccount
from reputation_service.domain.course import Point
from reputation_service.domain.facts import day_of, instant
from reputation_service.domain.outlook import MANY, conduct_gain, fading
from reputation_service.domain.policy import of_conduct
from reputation_service.domain.read import SellerScore, read
from reputation_service.explanation_views import (
    DimensionExplanationView,
    ExplainedView,
    FactView,
    NameOf,
    OwnDimensionExplanationView,
    OwnFactView,
    dimension_explanation_views,
    explained_fields,
    fact_views,
    listed_without,
    own_dimension_explanation_views,
    own_fact_views,
    own_names,
    score_without,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConductReadingView:
    """How he stands by what is known: so many full ratings, neither aged nor clamped."""

    n_milli: int
    mean_micro: int
    lcb_micro: int
    stars_micro: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConductView:
    """A buyer as sellers have rated him, as of an instant; it is in no composite."""

    buyer_id: str
    policy_id: str
    as_of: datetime
    day: int
    n_milli: int
    weeks: int
    decayed_milli: int
    mean_micro: int
    lcb_micro: int
    stars_micro: int


# --- Why


@dataclass(frozen=True, slots=True, kw_only=True)
class ConductWithoutView:
    """How he would stand without a rating."""

    entity_id: str
    reading: ConductReadingView


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedConductWithoutView:
    """The same of what is listed here: null where nothing is, under that name."""

    name: str
    reading: ConductReadingView | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyConductExplanationView(ExplainedView):
    """Why a buyer stands as he does."""

    buyer_id: str
    reading: ConductReadingView


@dataclass(frozen=True, slots=True, kw_only=True)
class ConductExplanationView(AnyConductExplanationView):
    """For staff and auditors: with each rating, and where its event stands in the log."""

    dimensions: dict[str, DimensionExplanationView]
    excluded: list[FactView]
    reduced: list[FactView]
    without: list[ConductWithoutView]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnConductExplanationView(AnyConductExplanationView):
    """For the buyer himself: with what is his, but nothing of a rating while it is not shown."""

    dimensions: dict[str, OwnDimensionExplanationView]
    excluded: list[OwnFactView]
    reduced: list[OwnFactView]
    without: list[ListedConductWithoutView]


# --- Its course, and what would raise it


@dataclass(frozen=True, slots=True, kw_only=True)
class ConductPointView:
    """The first instant of a week: as he stood then, and as he would have had all been known then
    that is known at `as_of`. They differ where something was corrected or came late.
    """

    day: int
    evaluated_at: datetime
    policy_id: str
    as_it_was: ConductReadingView
    as_known_now: ConductReadingView


@dataclass(frozen=True, slots=True, kw_only=True)
class ConductHistoryView:
    """Week by week up to `as_of`, the newest first."""

    buyer_id: str
    as_of: datetime
    items: list[ConductPointView]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConductGainView:
    """By how much one more rating would move the mean, and ten more, if they were of today."""

    what: Literal["FIVE_STAR_RATING"]
    one_micro: int
    ten_micro: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FadedConductView:
    day: int
    reading: ConductReadingView


@dataclass(frozen=True, slots=True, kw_only=True)
class ConductOutlookView:
    """What would raise how a buyer stands, and by how much. `if_nothing_happens`: what is known
    fades.
    """

    buyer_id: str
    policy_id: str
    as_of: datetime
    reading: ConductReadingView
    gains: list[ConductGainView]
    if_nothing_happens: list[FadedConductView]


def conduct_reading_view(score: SellerScore) -> ConductReadingView:
    (conduct,) = score.dimensions
    return ConductReadingView(
        n_milli=conduct.n_milli,
        mean_micro=conduct.mean_micro,
        lcb_micro=conduct.lcb_micro,
        stars_micro=conduct.stars_micro,
    )


def conduct_of(account: ScoredAccount) -> SellerScore:
    """An account as that of a buyer."""
    return read(account.buckets, day_of(account.as_of), of_conduct(account.policy))


def conduct_view(account: ScoredAccount) -> ConductView:
    score = conduct_of(account)
    (conduct,) = score.dimensions
    return ConductView(
        buyer_id=account.seller_id,
        policy_id=score.policy.policy_id,
        as_of=instant(account.as_of),
        day=score.day,
        n_milli=conduct.n_milli,
        weeks=conduct.weeks,
        decayed_milli=conduct.decayed_milli,
        mean_micro=conduct.mean_micro,
        lcb_micro=conduct.lcb_micro,
        stars_micro=conduct.stars_micro,
    )


def conduct_explanation_view(
    found: Explanation, without: Collection[str]
) -> ConductExplanationView:
    """Everything behind how a buyer stands, for staff."""
    return ConductExplanationView(
        **_of_buyer(found, concealed=True),
        dimensions=dimension_explanation_views(found),
        excluded=fact_views(found.excluded),
        reduced=fact_views(found.reduced),
        without=[
            ConductWithoutView(
                entity_id=each, reading=conduct_reading_view(score_without(found, each))
            )
            for each in without
        ],
    )


def own_conduct_explanation_view(
    found: Explanation, without: Collection[str], name_of: NameOf
) -> OwnConductExplanationView:
    """What a buyer is told of it himself."""
    return OwnConductExplanationView(
        **_of_buyer(found, concealed=False),
        dimensions=own_dimension_explanation_views(found, name_of),
        excluded=own_fact_views(found.excluded, name_of),
        reduced=own_fact_views(found.reduced, name_of),
        without=[
            ListedConductWithoutView(
                name=name, reading=None if score is None else conduct_reading_view(score)
            )
            for name, score in listed_without(found, without, own_names(found, name_of))
        ],
    )


def _of_buyer(found: Explanation, *, concealed: bool) -> dict[str, Any]:
    return {
        **explained_fields(found, concealed=concealed),
        "buyer_id": found.account_id,
        "reading": conduct_reading_view(found.explained.score),
    }


def conduct_history_view(buyer_id: str, as_of: int, points: Sequence[Point]) -> ConductHistoryView:
    return ConductHistoryView(
        buyer_id=buyer_id,
        as_of=instant(as_of),
        items=[
            ConductPointView(
                day=point.as_it_was.day,
                evaluated_at=instant(point.evaluated_at),
                policy_id=point.as_it_was.policy.policy_id,
                as_it_was=conduct_reading_view(point.as_it_was),
                as_known_now=conduct_reading_view(point.as_known_now),
            )
            for point in points
        ],
    )


def conduct_outlook_view(account: ScoredAccount) -> ConductOutlookView:
    score = conduct_of(account)
    gain = ConductGainView(
        what="FIVE_STAR_RATING",
        one_micro=conduct_gain(score, 1),
        ten_micro=conduct_gain(score, MANY),
    )
    return ConductOutlookView(
        buyer_id=account.seller_id,
        policy_id=score.policy.policy_id,
        as_of=instant(account.as_of),
        reading=conduct_reading_view(score),
        gains=[gain],
        if_nothing_happens=[
            FadedConductView(day=each.day, reading=conduct_reading_view(each))
            for each in fading(account.buckets, score)
        ],
    )
