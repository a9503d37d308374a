"""Weekly scores, credit points and protections in, the level that is real and the one shown out.

No state is stored: a level at an instant is a function of what was known by then.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from shared_events.reputation import Band

from reputation_service.domain.decay import WEEK_DAYS
from reputation_service.domain.facts import DAY_MICROS, day_of
from reputation_service.domain.policy import (
    BALANCE_MAX,
    LEVELS,
    CreditLevel,
    Level,
    PolicyAt,
    ScorePolicy,
)
from reputation_service.domain.read import NO_WEEKS, Buckets, SellerScore, read, recent

RANK: dict[Level, int] = {level: rank for rank, level in enumerate(LEVELS)}


class Evaluation(NamedTuple):
    """A weekly look at a seller: what was known at `as_of`, the first instant of `day`."""

    as_of: int
    day: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditLot:
    """Points > 0 are a penalty, < 0 a credit for conduct; 0 in a later version reverses it.

    In force from `from_` on and before `until` (microseconds, like `recorded_at`).
    """

    entity_id: str
    version: int
    from_: int
    until: int
    points: int
    recorded_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """The public level at the grant, kept until a day; None in a later version ends it."""

    entity_id: str
    version: int
    from_: int
    until: int
    level: Level | None
    recorded_at: int


class Grant(NamedTuple):
    """A protection as it was granted; which level it keeps is the public one of that instant."""

    entity_id: str
    from_: int
    until: int
    recorded_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SellerLevel:
    """`real` is what the numbers say, `public` what others see until `protected_until`."""

    evaluations: tuple[Band, ...]
    base: Band
    balance: int
    credit: CreditLevel
    real: Band
    public: Band
    protected_until: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A seller at an instant: the score of that day and the level."""

    score: SellerScore
    level: SellerLevel


def evaluations(as_of: int, policy: ScorePolicy) -> tuple[Evaluation, ...]:
    """The weekly evaluations that make the level at `as_of`, the newest first."""
    newest = day_of(as_of) // WEEK_DAYS
    days = (WEEK_DAYS * (newest - back) for back in range(policy.evaluations))
    return tuple(Evaluation(day * DAY_MICROS, day) for day in days)


def band(score: SellerScore) -> Band:
    """UNRATED, or the first level whose limit the score reaches."""
    if not score.is_rated:
        return "UNRATED"
    return _band_of(score.score_micro, score.policy)


def band_at(buckets: Buckets, day: int, policy: ScorePolicy) -> Band:
    """The band of a day: nothing more is read of who has too few ratings for any."""
    rated = policy.rated
    weight = recent(buckets.get(rated.dimension, NO_WEEKS), day, rated.window_weeks)
    return "UNRATED" if weight < rated.min_milli else band(read(buckets, day, policy))


def is_at_least(level: Level, score_micro: int, policy: ScorePolicy) -> bool:
    """Whether a score lies in the band of a level or above it."""
    return RANK[_band_of(score_micro, policy)] >= RANK[level]


def base_level(bands: Sequence[Band]) -> Band:
    """Of the bands at the evaluations, newest first: down at once, up when all agree."""
    if bands[0] == "UNRATED":
        return "UNRATED"
    return min((each for each in bands if each != "UNRATED"), key=RANK.__getitem__)


def balance(lots: Iterable[CreditLot], as_of: int, policy: ScorePolicy) -> int:
    """The credit points at an instant: a sum, so the order of lots and credits is nothing."""
    known = _newest(lots, as_of)
    points = sum(lot.points for lot in known if lot.from_ <= as_of < lot.until)
    return min(max(policy.credit.start - points, 0), BALANCE_MAX)


def credit_level(points: int, policy: ScorePolicy) -> CreditLevel:
    """The level of a balance, which caps the seller's."""
    return next(level for level in policy.credit.levels if points >= level.balance)


def level(
    bands: Sequence[Band],
    as_of: int,
    lots: Iterable[CreditLot],
    protections: Iterable[Protection],
    policy: ScorePolicy,
) -> SellerLevel:
    """The level at `as_of`, given the bands at `evaluations(as_of, policy)`."""
    base = base_level(bands)
    points = balance(lots, as_of, policy)
    credit = credit_level(points, policy)
    real = _capped(base, credit.highest)
    granted: list[tuple[int, int, Level]] = [
        (RANK[held.level], held.until, held.level)
        for held in _newest(protections, as_of)
        if held.level is not None and held.from_ <= as_of < held.until
    ]
    public: Band = real
    until: int | None = None
    if granted and real != "UNRATED" and credit.highest != "RED":
        highest, ends, protected = max(granted)
        if highest > RANK[real]:
            public, until = protected, ends
    return SellerLevel(
        evaluations=tuple(bands),
        base=base,
        balance=points,
        credit=credit,
        real=real,
        public=public,
        protected_until=until,
    )


def in_force(grants: Iterable[Grant], as_of: int) -> list[Grant]:
    """Those that were known at an instant and run then."""
    return [
        grant
        for grant in grants
        if grant.recorded_at <= as_of and grant.from_ <= as_of < grant.until
    ]


def granted_before(grants: Iterable[Grant], grant: Grant) -> list[Grant]:
    """What the public level at a grant may have been kept by."""
    return [earlier for earlier in grants if earlier.recorded_at < grant.recorded_at]


def instants_read(as_of: int, grants: Sequence[Grant], policy_at: PolicyAt) -> set[int]:
    """The instants whose buckets the level at `as_of` is read from: those of its evaluations, and
    those of the evaluations at each grant that is in force.
    """
    instants = {evaluation.as_of for evaluation in evaluations(as_of, policy_at(as_of))}
    for grant in in_force(grants, as_of):
        instants |= instants_read(grant.recorded_at, granted_before(grants, grant), policy_at)
    return instants


def next_change(lots: Iterable[CreditLot], grants: Iterable[Grant], as_of: int) -> int | None:
    """The next instant at which time alone may change the level: a lot, a credit or a protection
    begins or ends.
    """
    held = [(lot.recorded_at, lot.from_, lot.until) for lot in _newest(lots, as_of)]
    held += [(grant.recorded_at, grant.from_, grant.until) for grant in grants]
    ends = [
        instant
        for recorded_at, *limits in held
        for instant in limits
        if recorded_at <= as_of < instant
    ]
    return min(ends, default=None)


def standing(
    buckets_at: Callable[[Evaluation], Buckets],
    as_of: int,
    lots: Iterable[CreditLot],
    protections: Iterable[Protection],
    policy: ScorePolicy,
) -> Standing:
    """Score and level of a seller at `as_of`; `buckets_at` gives his buckets as of an instant.

    It is asked for `as_of` itself and for every one of `evaluations(as_of, policy)`.
    """
    day = day_of(as_of)
    score = read(buckets_at(Evaluation(as_of, day)), day, policy)
    return Standing(score=score, level=level_at(buckets_at, as_of, lots, protections, policy))


def level_at(
    buckets_at: Callable[[Evaluation], Buckets],
    as_of: int,
    lots: Iterable[CreditLot],
    protections: Iterable[Protection],
    policy: ScorePolicy,
) -> SellerLevel:
    """The level alone: it is read from the evaluations, not from the score of the day."""
    bands: list[Band] = [
        band_at(buckets_at(evaluation), evaluation.day, policy)
        for evaluation in evaluations(as_of, policy)
    ]
    return level(bands, as_of, lots, protections, policy)


class _Versioned(Protocol):
    @property
    def entity_id(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def recorded_at(self) -> int: ...


def _newest[V: _Versioned](versions: Iterable[V], as_of: int) -> list[V]:
    """Of every entity the highest version recorded by `as_of`."""
    newest: dict[str, V] = {}
    for each in versions:
        held = newest.get(each.entity_id)
        if each.recorded_at <= as_of and (held is None or each.version > held.version):
            newest[each.entity_id] = each
    return list(newest.values())


def _band_of(score_micro: int, policy: ScorePolicy) -> Level:
    return next(limit.level for limit in policy.bands if score_micro >= limit.score_micro)


def _capped(base: Band, cap: Level) -> Band:
    if base == "UNRATED":
        return cap if RANK[cap] <= RANK["ORANGE"] else "UNRATED"
    return min(base, cap, key=RANK.__getitem__)
