"""Scores in, what clients see of them out: integers, with their units in their names.

micro = 10^-6, nano = 10^-9, milli = 10^-3. A score is in micro-points of 0..100. Numbers that do
not fit into 64 bits are texts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, ClassVar, Protocol

from shared_events.reputation import Band

from reputation_service.domain.account import Ranked, ScoredAccount
from reputation_service.domain.audited import AuditedAccount
from reputation_service.domain.decay import WEEK_DAYS, age_of
from reputation_service.domain.explain import Raise
from reputation_service.domain.facts import instant
from reputation_service.domain.level import Standing, band, evaluations
from reputation_service.domain.outlook import Reason, Why, reasons
from reputation_service.domain.policy import CONDUCT, MICRO, STARS
from reputation_service.domain.read import DimensionScore, SellerScore, rhe
from reputation_service.domain.readers import Reader

CAUTION_UNIT = (
    10_000  # milli of a weight times nano of a mean are so much smaller than micro-points
)


class AnyView(Protocol):
    """A dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


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
class ConfidenceView:
    """How sure and how fresh a score is: what caution takes off it (micro-points), how many recent
    observations it rests on (milli), and how old the newest week is that counts (days; null if
    none does).
    """

    caution_micro: int
    decayed_milli: int
    newest_week_days: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonView:
    """Why the level that others see is not the band of the score now, and until when."""

    why: Why
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreView:
    """A seller as of an instant. `score` (0.0 to 100.0) and `stars` (1.0 to 5.0) are what a page
    shows, `score_micro` and `stars_micro` to one decimal, rounded half up; null of who is not yet
    `rated`. `day` (since 1970-01-01) is the one that his past is aged to.
    """

    seller_id: str
    score: float | None
    stars: float | None
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
    confidence: ConfidenceView


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnScoreView(ScoreView):
    """The same for the seller himself: what is behind the public level."""

    base_level: Band
    balance: int
    credit_level: str
    real_level: Band
    protected_until: datetime | None
    reasons: list[ReasonView]


@dataclass(frozen=True, slots=True, kw_only=True)
class FullScoreView(OwnScoreView):
    """The same for staff and auditors: with every number that it is computed from."""

    dimensions: Mapping[str, SummedDimensionView]
    state_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseView:
    """So many full reviews of five stars reach the goal; null: reviews alone do not help."""

    goal: str
    five_star_reviews: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedView(Ranked):
    """The same with what a page shows: `score` and `stars`, as of the seller himself."""

    score: float | None
    stars: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingPage:
    items: list[RankedView]
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


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedPage:
    """All of a list are as of the instant of its first page."""

    as_of: datetime
    items: list[AuditedAccount]
    next_cursor: str | None


def score_view(
    account: ScoredAccount, standing: Standing, score: SellerScore, reader: Reader
) -> ScoreView:
    """A score on any day with the level of the account, as far as this reader may see it."""
    level = standing.level
    looks = evaluations(account.as_of, score.policy)
    public = ScoreView(
        seller_id=account.seller_id,
        score=shown(score.score_micro) if score.is_rated else None,
        stars=shown(score.overall_stars_micro) if score.is_rated else None,
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
        confidence=confidence_view(account, score),
    )
    if reader == "PUBLIC":
        return public
    until = level.protected_until
    own = OwnScoreView(
        **fields_of(public),
        base_level=level.base,
        balance=level.balance,
        credit_level=level.credit.name,
        real_level=level.real,
        protected_until=None if until is None else instant(until),
        reasons=reason_views(reasons(standing, public.band_if_evaluated_now, account.as_of)),
    )
    if reader == "HOLDER":
        return own
    summed = {each.rules.name: summed_dimension_view(each) for each in score.dimensions}
    full: dict[str, Any] = {**fields_of(own), "dimensions": summed}
    return FullScoreView(**full, state_sha256=account.state_sha256)


def ranked_view(found: Ranked) -> RankedView:
    return RankedView(
        **fields_of(found),
        score=shown(found.score_micro) if found.rated else None,
        stars=shown(found.stars_micro) if found.rated else None,
    )


def shown(micro: int) -> float:
    """As people are told it: to one decimal, rounded half up."""
    return float((Decimal(micro) / MICRO).quantize(Decimal("0.1"), ROUND_HALF_UP))


def confidence_view(account: ScoredAccount, score: SellerScore) -> ConfidenceView:
    of_sellers = [weeks for name, weeks in account.buckets.items() if name != CONDUCT]
    week = score.day // WEEK_DAYS
    weeks = [each for found in of_sellers for each in found if each <= week]
    newest = max(weeks, default=None)
    caution = sum(
        each.rules.weight_milli * (each.mean_nano - each.lcb_nano) for each in score.dimensions
    )
    return ConfidenceView(
        caution_micro=rhe(caution, CAUTION_UNIT),
        decayed_milli=sum(each.decayed_milli for each in score.dimensions),
        newest_week_days=None if newest is None else age_of(newest, score.day),
    )


def reason_views(found: Sequence[Reason]) -> list[ReasonView]:
    return [
        ReasonView(why=each.why, until=None if each.until is None else instant(each.until))
        for each in found
    ]


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
    return SummedDimensionView(**fields_of(dimension_view(score)), sums=told)


def raise_view(found: Raise | None) -> RaiseView | None:
    if found is None:
        return None
    return RaiseView(goal=found.goal, five_star_reviews=found.five_star_reviews)


def account_view(account: ScoredAccount) -> AccountView:
    standing = account.standing() if account.sells else None
    return AccountView(
        seller_id=account.seller_id,
        score_micro=standing.score.score_micro if standing else None,
        real_level=standing.level.real if standing else None,
        public_level=standing.level.public if standing else None,
        state_sha256=account.state_sha256,
    )


def fields_of(view: AnyView) -> dict[str, Any]:
    """What a view that says more begins with."""
    return {name: getattr(view, name) for name in view.__dataclass_fields__}
