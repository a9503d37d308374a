"""Scores in, what clients see of them out: integers, with their units in their names.

micro = 10^-6, nano = 10^-9, milli = 10^-3. A score is in micro-points of 0..100. Numbers that do
not fit into 64 bits are texts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from reputation_service.domain.explain import (
    DimensionExplanation,
    Raise,
    excluded,
    explain,
    reduced,
    score_without,
    what_would_raise,
)
from reputation_service.domain.facts import Fact, Origin, instant
from reputation_service.domain.level import Standing, band, evaluations
from reputation_service.domain.policy import STARS, Band, ScorePolicy
from reputation_service.domain.read import Buckets, DimensionScore, SellerScore
from reputation_service.queries import Account, Ranked

HELD = "HELD"


@dataclass(frozen=True, slots=True, kw_only=True)
class SumsView:
    """The decayed and clamped sums N, S1, S2, Q on the scale of 2^32; too large for a number."""

    n: str
    s1: str
    s2: str
    q: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionView:
    """One dimension: what is known of it (`n_milli` in `weeks` weeks), its mean, error and bound.

    `stars_micro` is for the three dimensions that buyers give stars for.
    """

    weight_milli: int
    n_milli: int
    weeks: int
    cap_2000: int | None
    sums: SumsView
    decayed_milli: int
    evidence_milli: int
    mean_nano: int
    se_nano: int
    lcb_nano: int
    mean_micro: int
    lcb_micro: int
    display_micro: int
    stars_micro: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationView:
    """The band of a weekly evaluation, at the first instant of that day."""

    day: int
    band: Band


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreView:
    """A seller as of an instant. `day` (since 1970-01-01) is the one that his past is aged to."""

    seller_id: str
    policy_id: str
    as_of: datetime
    day: int
    score_micro: int
    parts_micro: dict[str, int]
    dimensions: dict[str, DimensionView]
    stars_micro: int
    recent_milli: int
    rated: bool
    evaluations: list[EvaluationView]
    band_if_evaluated_now: Band
    public_level: Band
    state_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnScoreView(ScoreView):
    """The same for the seller himself, staff and auditors: what is behind the public level."""

    base_level: Band
    balance: int
    credit_level: str
    real_level: Band
    protected_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    """Where the event stands in the log."""

    topic: str
    partition: int
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FactView:
    """What one event says: `weight_milli` of 1000 for `k` of 4, and why so much."""

    entity_id: str
    dimension: str
    version: int
    day: int
    weight_milli: int
    k: int
    reasons: list[str]
    event: EventView


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareView(FactView):
    """What it adds to the mean of its dimension, in micro-points of 0..100."""

    share_micro: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekView:
    """How much a week counts: `factor` is decay times clamp, on the scale of 2^32."""

    week: int
    n_milli: int
    factor: int
    clamped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionExplanationView:
    """`total_micro` is the mean less the prior: the shares listed and the rest add up to it.

    What caution takes off the mean belongs to no single event: `caution_nano`.
    """

    weight_milli: int
    prior_mean_micro: int
    mean_nano: int
    caution_nano: int
    cap_2000: int | None
    total_micro: int
    events: int
    shares: list[ShareView]
    rest_micro: int
    weeks: list[WeekView]


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseView:
    """So many full reviews of five stars reach the goal; null: reviews alone do not help."""

    goal: str
    five_star_reviews: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WithoutView:
    """The score without an entity: its effect is the difference."""

    entity_id: str
    score_micro: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationView:
    """Why a score is what it is. Lists are cut at `largest`; their counts are of all."""

    seller_id: str
    policy_id: str
    as_of: datetime
    day: int
    score_micro: int
    dimensions: dict[str, DimensionExplanationView]
    under_review: int
    excluded_events: int
    excluded: list[FactView]
    reduced_events: int
    reduced: list[FactView]
    what_would_raise: RaiseView | None
    without: list[WithoutView]


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingPage:
    items: list[Ranked]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """An account with a bucket; one that only buys has no score and no level."""

    seller_id: str
    score_micro: int | None
    real_level: Band | None
    public_level: Band | None
    state_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPage:
    """All of a list are read as of the instant of its first page."""

    as_of: datetime
    policy_id: str
    items: list[AccountView]
    next_cursor: str | None


def score_view(
    account: Account, standing: Standing, score: SellerScore, *, own: bool
) -> ScoreView | OwnScoreView:
    """A score on any day with the level of the account; `own`: with what others do not see."""
    level = standing.level
    looks = evaluations(account.as_of, score.policy)
    public = ScoreView(
        seller_id=account.seller_id,
        policy_id=score.policy.policy_id,
        as_of=instant(account.as_of),
        day=score.day,
        score_micro=score.score_micro,
        parts_micro=score.parts_micro,
        dimensions={each.rules.name: dimension_view(each) for each in score.dimensions},
        stars_micro=score.overall_stars_micro,
        recent_milli=score.recent_milli,
        rated=score.is_rated,
        evaluations=[
            EvaluationView(day=look.day, band=found)
            for look, found in zip(looks, level.evaluations, strict=True)
        ],
        band_if_evaluated_now=band(standing.score),
        public_level=level.public,
        state_sha256=account.state_sha256,
    )
    if not own:
        return public
    until = level.protected_until
    return OwnScoreView(
        **_fields(public),
        base_level=level.base,
        balance=level.balance,
        credit_level=level.credit.name,
        real_level=level.real,
        protected_until=None if until is None else instant(until),
    )


def dimension_view(score: DimensionScore) -> DimensionView:
    sums = score.sums
    return DimensionView(
        weight_milli=score.rules.weight_milli,
        n_milli=score.n_milli,
        weeks=score.weeks,
        cap_2000=score.cap_2000,
        sums=SumsView(n=str(sums.n), s1=str(sums.s1), s2=str(sums.s2), q=str(sums.q)),
        decayed_milli=score.decayed_milli,
        evidence_milli=score.evidence_milli,
        mean_nano=score.mean_nano,
        se_nano=score.se_nano,
        lcb_nano=score.lcb_nano,
        mean_micro=score.mean_micro,
        lcb_micro=score.lcb_micro,
        display_micro=score.display_micro,
        stars_micro=score.stars_micro if score.rules.name in STARS else None,
    )


def explanation_view(
    seller_id: str,
    as_of: int,
    facts: Sequence[Fact],
    buckets: Buckets,
    score: SellerScore,
    *,
    largest: int,
    without: Sequence[str] = (),
) -> ExplanationView:
    """Everything behind a score: `facts` are those in force that made the buckets."""
    without_weight, with_less = excluded(facts), reduced(facts)
    under_review = {fact.entity_id for fact in without_weight if HELD in fact.reasons}
    return ExplanationView(
        seller_id=seller_id,
        policy_id=score.policy.policy_id,
        as_of=instant(as_of),
        day=score.day,
        score_micro=score.score_micro,
        dimensions={
            name: dimension_explanation_view(found, largest)
            for name, found in explain(buckets, facts, score).items()
        },
        under_review=len(under_review),
        excluded_events=len(without_weight),
        excluded=[fact_view(fact) for fact in without_weight[:largest]],
        reduced_events=len(with_less),
        reduced=[fact_view(fact) for fact in with_less[:largest]],
        what_would_raise=raise_view(what_would_raise(score)),
        without=[
            WithoutView(
                entity_id=entity_id,
                score_micro=score_without(buckets, facts, entity_id, score.day, score.policy),
            )
            for entity_id in without
        ],
    )


def dimension_explanation_view(
    found: DimensionExplanation, largest: int
) -> DimensionExplanationView:
    listed = found.largest(largest)
    return DimensionExplanationView(
        weight_milli=found.score.rules.weight_milli,
        prior_mean_micro=found.score.rules.prior_mean_micro,
        mean_nano=found.score.mean_nano,
        caution_nano=found.score.mean_nano - found.score.lcb_nano,
        cap_2000=found.score.cap_2000,
        total_micro=found.total_micro,
        events=len(found.shares),
        shares=[
            ShareView(**_fields(fact_view(share.fact)), share_micro=share.printed_micro)
            for share in listed
        ],
        rest_micro=found.total_micro - sum(share.printed_micro for share in listed),
        weeks=[WeekView(**week._asdict()) for week in found.weeks],
    )


def fact_view(fact: Fact) -> FactView:
    return FactView(
        entity_id=fact.entity_id,
        dimension=fact.dimension,
        version=fact.version,
        day=fact.day,
        weight_milli=fact.weight_milli,
        k=fact.k,
        reasons=list(fact.reasons),
        event=event_view(fact.origin),
    )


def event_view(origin: Origin) -> EventView:
    return EventView(topic=origin.topic, partition=origin.partition, position=origin.position)


def raise_view(found: Raise | None) -> RaiseView | None:
    if found is None:
        return None
    return RaiseView(goal=found.goal, five_star_reviews=found.five_star_reviews)


def account_view(account: Account, policy: ScorePolicy) -> AccountView:
    standing = account.standing(policy) if account.sells else None
    return AccountView(
        seller_id=account.seller_id,
        score_micro=standing.score.score_micro if standing else None,
        real_level=standing.level.real if standing else None,
        public_level=standing.level.public if standing else None,
        state_sha256=account.state_sha256,
    )


def _fields(view: ScoreView | FactView) -> dict[str, Any]:
    """What a view that says more begins with."""
    return {field.name: getattr(view, field.name) for field in fields(view)}
