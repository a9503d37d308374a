"""Scores in, what clients see of them out: integers, with their units in their names.

micro = 10^-6, nano = 10^-9, milli = 10^-3. A score is in micro-points of 0..100. Numbers that do
not fit into 64 bits are texts.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from shared_events.reputation import Band

from reputation_service.domain.account import Explanation, Listed, Ranked, ScoredAccount
from reputation_service.domain.explain import (
    DimensionShares,
    Raise,
    score_without,
    what_would_raise,
)
from reputation_service.domain.facts import Fact, Origin, instant
from reputation_service.domain.level import Standing, band, evaluations
from reputation_service.domain.policy import STARS, ScorePolicy
from reputation_service.domain.read import NO_WEEKS, DimensionScore, SellerScore
from reputation_service.domain.readers import Reader

type NameOf = Callable[[str], str]
"""An entity in, the name out under which a party is told of it."""


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
class SummedDimensionView(DimensionView):
    """The same for staff and auditors: of few ratings, the sums tell each one's stars."""

    sums: SumsView


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
    dimensions: Mapping[str, DimensionView]
    stars_micro: int
    recent_milli: int
    rated: bool
    evaluations: list[EvaluationView]
    band_if_evaluated_now: Band
    public_level: Band


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnScoreView(ScoreView):
    """The same for the seller himself: what is behind the public level."""

    base_level: Band
    balance: int
    credit_level: str
    real_level: Band
    protected_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FullScoreView(OwnScoreView):
    """The same for staff and auditors: with every number that it is computed from."""

    dimensions: Mapping[str, SummedDimensionView]
    state_sha256: str


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
class PublicShareView:
    """What a fact adds to the mean of its dimension, for everybody: under a name of his own
    (`ref`) that leads to no order.
    """

    ref: str
    dimension: str
    day: int
    weight_milli: int
    k: int
    reasons: list[str]
    share_micro: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnShareView(PublicShareView):
    """The same for the seller, who knows his orders and cases."""

    entity_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFactView:
    """A fact that counts less, or nothing, and why, for the seller."""

    ref: str
    entity_id: str
    dimension: str
    day: int
    weight_milli: int
    reasons: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekView:
    """How much a week counts: `factor` is decay times clamp, on the scale of 2^32."""

    week: int
    n_milli: int
    factor: int
    clamped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SummedWeekView(WeekView):
    """The same for staff and auditors: with the sums of w*k, w*k^2 and w^2."""

    a: int
    b: int
    s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyDimensionExplanationView:
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
    rest_micro: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionExplanationView(AnyDimensionExplanationView):
    shares: list[ShareView]
    weeks: list[SummedWeekView]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnDimensionExplanationView(AnyDimensionExplanationView):
    shares: list[OwnShareView]
    weeks: list[WeekView]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicDimensionExplanationView(AnyDimensionExplanationView):
    shares: list[PublicShareView]
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
class ListedWithoutView:
    """The same of what is listed here: null where nothing is, under that name."""

    name: str
    score_micro: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyExplanationView:
    """Why a score is what it is. Lists are cut at `largest`; their counts are of all.

    `under_review` reviews are held, hidden or withdrawn: they are in no other count of facts that
    weigh less, and in no list but that of staff.
    """

    seller_id: str
    policy_id: str
    as_of: datetime
    day: int
    score_micro: int
    under_review: int
    excluded_events: int
    reduced_events: int
    what_would_raise: RaiseView | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationView(AnyExplanationView):
    """For staff and auditors: with each fact, and where its event stands in the log."""

    dimensions: dict[str, DimensionExplanationView]
    excluded: list[FactView]
    reduced: list[FactView]
    without: list[WithoutView]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnExplanationView(AnyExplanationView):
    """For the seller: with what is his, but nothing of a review while it is not shown."""

    dimensions: dict[str, OwnDimensionExplanationView]
    excluded: list[OwnFactView]
    reduced: list[OwnFactView]
    without: list[ListedWithoutView]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicExplanationView(AnyExplanationView):
    """For everybody else. Orders without a dispute are one sum: their ids tell them apart alone."""

    dimensions: dict[str, PublicDimensionExplanationView]
    without: list[ListedWithoutView]


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
    account: ScoredAccount, standing: Standing, score: SellerScore, reader: Reader
) -> ScoreView:
    """A score on any day with the level of the account, as far as this reader may see it."""
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
    )
    if reader == "PUBLIC":
        return public
    until = level.protected_until
    own = OwnScoreView(
        **_fields(public),
        base_level=level.base,
        balance=level.balance,
        credit_level=level.credit.name,
        real_level=level.real,
        protected_until=None if until is None else instant(until),
    )
    if reader == "SELLER":
        return own
    summed = {each.rules.name: summed_dimension_view(each) for each in score.dimensions}
    full: dict[str, Any] = {**_fields(own), "dimensions": summed}
    return FullScoreView(**full, state_sha256=account.state_sha256)


def dimension_view(score: DimensionScore) -> DimensionView:
    return DimensionView(
        weight_milli=score.rules.weight_milli,
        n_milli=score.n_milli,
        weeks=score.weeks,
        cap_2000=score.cap_2000,
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


def summed_dimension_view(score: DimensionScore) -> SummedDimensionView:
    sums = score.sums
    told = SumsView(n=str(sums.n), s1=str(sums.s1), s2=str(sums.s2), q=str(sums.q))
    return SummedDimensionView(**_fields(dimension_view(score)), sums=told)


def explanation_view(found: Explanation, without: Collection[str]) -> ExplanationView:
    """Everything behind a score, for staff."""
    return ExplanationView(
        **_of_any(found, concealed=True),
        dimensions={
            name: DimensionExplanationView(
                **_dimension_of_any(shares, found.listed[name]),
                shares=[share_view(listed) for listed in found.listed[name]],
                weeks=summed_week_views(shares, found),
            )
            for name, shares in found.explained.dimensions.items()
        },
        excluded=[fact_view(fact) for fact in found.excluded],
        reduced=[fact_view(fact) for fact in found.reduced],
        without=[
            WithoutView(entity_id=entity_id, score_micro=_without(found, entity_id))
            for entity_id in without
        ],
    )


def own_explanation_view(
    found: Explanation, without: Collection[str], name_of: NameOf
) -> OwnExplanationView:
    """What a seller is told of his own score. He names what is listed by either of its names."""
    entities = {fact.entity_id: fact.entity_id for fact, _ in _all_listed(found)}
    entities |= {name_of(entity_id): entity_id for entity_id in entities}
    return OwnExplanationView(
        **_of_any(found, concealed=False),
        dimensions={
            name: OwnDimensionExplanationView(
                **_dimension_of_any(shares, found.listed[name]),
                shares=sorted(
                    (own_share_view(listed, name_of) for listed in found.listed[name]),
                    key=_by_share,
                ),
                weeks=week_views(shares),
            )
            for name, shares in found.explained.dimensions.items()
        },
        excluded=own_fact_views(found.excluded, name_of),
        reduced=own_fact_views(found.reduced, name_of),
        without=listed_without_views(found, without, entities),
    )


def public_explanation_view(
    found: Explanation, without: Collection[str], name_of: NameOf
) -> PublicExplanationView:
    """What everybody else is told of it."""
    entities = {name_of(fact.entity_id): fact.entity_id for fact, _ in _all_listed(found)}
    return PublicExplanationView(
        **_of_any(found, concealed=False),
        dimensions={
            name: PublicDimensionExplanationView(
                **_dimension_of_any(shares, found.listed[name]),
                shares=sorted(
                    (public_share_view(listed, name_of) for listed in found.listed[name]),
                    key=_by_share,
                ),
                weeks=week_views(shares),
            )
            for name, shares in found.explained.dimensions.items()
        },
        without=listed_without_views(found, without, entities),
    )


def _of_any(found: Explanation, *, concealed: bool) -> dict[str, Any]:
    """What every reader is told; `concealed`: whether counts are of what is not shown, too."""
    explained = found.explained
    score = explained.score
    excluded, reduced = (
        explained.less.get(kind, 0) + (explained.less_concealed.get(kind, 0) if concealed else 0)
        for kind in (True, False)
    )
    return {
        "seller_id": found.seller_id,
        "policy_id": score.policy.policy_id,
        "as_of": instant(found.as_of),
        "day": score.day,
        "score_micro": score.score_micro,
        "under_review": explained.under_review,
        "excluded_events": excluded,
        "reduced_events": reduced,
        "what_would_raise": raise_view(what_would_raise(score)),
    }


def _dimension_of_any(found: DimensionShares, listed: Sequence[Listed]) -> dict[str, Any]:
    score = found.score
    return {
        "weight_milli": score.rules.weight_milli,
        "prior_mean_micro": score.rules.prior_mean_micro,
        "mean_nano": score.mean_nano,
        "caution_nano": score.mean_nano - score.lcb_nano,
        "cap_2000": score.cap_2000,
        "total_micro": found.total_micro,
        "events": found.events,
        "rest_micro": found.total_micro - sum(share_micro for _, share_micro in listed),
    }


def week_views(found: DimensionShares) -> list[WeekView]:
    return [WeekView(**week._asdict()) for week in found.weeks]


def summed_week_views(shares: DimensionShares, found: Explanation) -> list[SummedWeekView]:
    weeks = found.explained.buckets.get(shares.score.rules.name, NO_WEEKS)
    views: list[SummedWeekView] = []
    for week in shares.weeks:
        _, a, b, s = weeks[week.week]
        views.append(SummedWeekView(**week._asdict(), a=a, b=b, s=s))
    return views


def share_view(listed: Listed) -> ShareView:
    return ShareView(**_fields(fact_view(listed.fact)), share_micro=listed.share_micro)


def public_share_view(listed: Listed, name_of: NameOf) -> PublicShareView:
    fact = listed.fact
    return PublicShareView(
        ref=name_of(fact.entity_id),
        dimension=fact.dimension,
        day=fact.day,
        weight_milli=fact.weight_milli,
        k=fact.k,
        reasons=list(fact.reasons),
        share_micro=listed.share_micro,
    )


def own_share_view(listed: Listed, name_of: NameOf) -> OwnShareView:
    public = public_share_view(listed, name_of)
    return OwnShareView(**_fields(public), entity_id=listed.fact.entity_id)


def own_fact_views(facts: Sequence[Fact], name_of: NameOf) -> list[OwnFactView]:
    views = [
        OwnFactView(
            ref=name_of(fact.entity_id),
            entity_id=fact.entity_id,
            dimension=fact.dimension,
            day=fact.day,
            weight_milli=fact.weight_milli,
            reasons=list(fact.reasons),
        )
        for fact in facts
    ]
    return sorted(views, key=lambda view: (view.ref, view.dimension))


def listed_without_views(
    found: Explanation, names: Collection[str], entities: Mapping[str, str]
) -> list[ListedWithoutView]:
    """The effect of what is listed; `entities` by their names."""
    return [
        ListedWithoutView(
            name=name,
            score_micro=_without(found, entities[name]) if name in entities else None,
        )
        for name in names
    ]


def _without(found: Explanation, entity_id: str) -> int:
    explained = found.explained
    score = explained.score
    return score_without(explained.buckets, found.about, entity_id, score.day, score.policy)


def _all_listed(found: Explanation) -> list[Listed]:
    return [listed for of_dimension in found.listed.values() for listed in of_dimension]


def _by_share(share: PublicShareView) -> tuple[int, str]:
    """Never by an id or a place in the log, which tell what came before what."""
    return (-abs(share.share_micro), share.ref)


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


def account_view(account: ScoredAccount, policy: ScorePolicy) -> AccountView:
    standing = account.standing(policy) if account.sells else None
    return AccountView(
        seller_id=account.seller_id,
        score_micro=standing.score.score_micro if standing else None,
        real_level=standing.level.real if standing else None,
        public_level=standing.level.public if standing else None,
        state_sha256=account.state_sha256,
    )


def _fields(view: ScoreView | DimensionView | FactView | PublicShareView) -> dict[str, Any]:
    """What a view that says more begins with."""
    return {field.name: getattr(view, field.name) for field in fields(view)}
