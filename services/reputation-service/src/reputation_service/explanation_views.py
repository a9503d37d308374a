"""Why a score is so in, what each reader is told of it out: of a seller's, and of a buyer's.

What is listed of any score is here, and the explanation of a seller's; that of a buyer's conduct is
made of the same. Shares are in micro-points of 0..100.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reputation_service.domain.account import Explanation, Listed
from reputation_service.domain.explain import DimensionShares, read_without, what_would_raise
from reputation_service.domain.facts import Fact, Origin, instant
from reputation_service.domain.read import NO_WEEKS, SellerScore
from reputation_service.views import RaiseView, fields_of, raise_view

type NameOf = Callable[[str], str]
"""An entity in, the name out under which a party is told of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreEventView:
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
    event: ScoreEventView


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
    """The same for whose score it is: he knows his orders and cases."""

    entity_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFactView:
    """A fact that counts less, or nothing, and why, for whose score it is."""

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
class ExplainedView:
    """What is told of why any score is what it is. Lists are cut at `largest`; their counts are of
    all.

    `under_review` reviews are held, hidden or withdrawn: they are in no other count of facts that
    weigh less, and in no list but that of staff.
    """

    policy_id: str
    as_of: datetime
    day: int
    under_review: int
    excluded_events: int
    reduced_events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyExplanationView(ExplainedView):
    """Why a seller's score is what it is."""

    seller_id: str
    score_micro: int
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


def explanation_view(found: Explanation, without: Collection[str]) -> ExplanationView:
    """Everything behind a seller's score, for staff."""
    return ExplanationView(
        **_of_seller(found, concealed=True),
        dimensions=dimension_explanation_views(found),
        excluded=fact_views(found.excluded),
        reduced=fact_views(found.reduced),
        without=[
            WithoutView(entity_id=each, score_micro=score_without(found, each).score_micro)
            for each in without
        ],
    )


def own_explanation_view(
    found: Explanation, without: Collection[str], name_of: NameOf
) -> OwnExplanationView:
    """What a seller is told of his own score."""
    return OwnExplanationView(
        **_of_seller(found, concealed=False),
        dimensions=own_dimension_explanation_views(found, name_of),
        excluded=own_fact_views(found.excluded, name_of),
        reduced=own_fact_views(found.reduced, name_of),
        without=_listed_without_views(found, without, own_names(found, name_of)),
    )


def public_explanation_view(
    found: Explanation, without: Collection[str], name_of: NameOf
) -> PublicExplanationView:
    """What everybody else is told of it."""
    return PublicExplanationView(
        **_of_seller(found, concealed=False),
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
        without=_listed_without_views(found, without, public_names(found, name_of)),
    )


def _of_seller(found: Explanation, *, concealed: bool) -> dict[str, Any]:
    score = found.explained.score
    return {
        **explained_fields(found, concealed=concealed),
        "seller_id": found.account_id,
        "score_micro": score.score_micro,
        "what_would_raise": raise_view(what_would_raise(score)),
    }


def _listed_without_views(
    found: Explanation, names: Collection[str], entities: Mapping[str, str]
) -> list[ListedWithoutView]:
    return [
        ListedWithoutView(name=name, score_micro=None if score is None else score.score_micro)
        for name, score in listed_without(found, names, entities)
    ]


# --- Of any score


def explained_fields(found: Explanation, *, concealed: bool) -> dict[str, Any]:
    """What every reader is told; `concealed`: whether counts are of what is not shown, too."""
    explained = found.explained
    excluded, reduced = (
        explained.less.get(kind, 0) + (explained.less_concealed.get(kind, 0) if concealed else 0)
        for kind in (True, False)
    )
    return {
        "policy_id": explained.score.policy.policy_id,
        "as_of": instant(found.as_of),
        "day": explained.score.day,
        "under_review": explained.under_review,
        "excluded_events": excluded,
        "reduced_events": reduced,
    }


def dimension_explanation_views(found: Explanation) -> dict[str, DimensionExplanationView]:
    """With where each event stands in the log, for staff."""
    return {
        name: DimensionExplanationView(
            **_dimension_of_any(shares, found.listed[name]),
            shares=[share_view(listed) for listed in found.listed[name]],
            weeks=summed_week_views(shares, found),
        )
        for name, shares in found.explained.dimensions.items()
    }


def own_dimension_explanation_views(
    found: Explanation, name_of: NameOf
) -> dict[str, OwnDimensionExplanationView]:
    return {
        name: OwnDimensionExplanationView(
            **_dimension_of_any(shares, found.listed[name]),
            shares=sorted(
                (own_share_view(listed, name_of) for listed in found.listed[name]),
                key=_by_share,
            ),
            weeks=week_views(shares),
        )
        for name, shares in found.explained.dimensions.items()
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
    return ShareView(**fields_of(fact_view(listed.fact)), share_micro=listed.share_micro)


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
    return OwnShareView(**fields_of(public), entity_id=listed.fact.entity_id)


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


def public_names(found: Explanation, name_of: NameOf) -> dict[str, str]:
    """What is listed, by the names under which it is."""
    entities = {
        listed.fact.entity_id for of_dimension in found.listed.values() for listed in of_dimension
    }
    return {name_of(entity_id): entity_id for entity_id in entities}


def own_names(found: Explanation, name_of: NameOf) -> dict[str, str]:
    """The same for whose score it is: he names it by either of its names."""
    names = public_names(found, name_of)
    return {entity_id: entity_id for entity_id in names.values()} | names


def listed_without(
    found: Explanation, names: Collection[str], entities: Mapping[str, str]
) -> Iterator[tuple[str, SellerScore | None]]:
    """The score without what is listed; `entities` by their names."""
    for name in names:
        yield name, score_without(found, entities[name]) if name in entities else None


def score_without(found: Explanation, entity_id: str) -> SellerScore:
    explained = found.explained
    score = explained.score
    return read_without(explained.buckets, found.about, entity_id, score.day, score.policy)


def _by_share(share: PublicShareView) -> tuple[int, str]:
    """Never by an id or a place in the log, which tell what came before what."""
    return (-abs(share.share_micro), share.ref)


def fact_views(facts: Sequence[Fact]) -> list[FactView]:
    return [fact_view(fact) for fact in facts]


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


def event_view(origin: Origin) -> ScoreEventView:
    return ScoreEventView(topic=origin.topic, partition=origin.partition, position=origin.position)
