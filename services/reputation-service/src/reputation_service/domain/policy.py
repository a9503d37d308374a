"""The numbers of the score: a JSON object in, one frozen policy out, every bound checked.

Units are in the names: milli = 10^-3, micro = 10^-6. A policy is loaded once and never edited;
another number is another `policy_id`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final, Literal, TypeIs, cast

from shared_events.characters import is_id
from shared_runtime.decider import FieldError, InvalidValue

type Level = Literal["RED", "ORANGE", "YELLOW", "GREEN", "GOLD"]

LEVELS: Final[tuple[Level, ...]] = ("RED", "ORANGE", "YELLOW", "GREEN", "GOLD")
STARS: Final = ("quality", "logistics", "service")
DISPUTE: Final = "dispute"
RETURNS: Final = "returns"
INQUIRIES: Final = "inquiries"
CONDUCT: Final = "conduct"
DIMENSIONS: Final = (*STARS, DISPUTE, RETURNS, INQUIRIES)

HALF_LIFE_DAYS_MAX = 1000
WEEKS_MAX = 520
MILLI_MAX = 1_000_000_000
CLAMP_MILLI_MAX = 1_000_000
PRIOR_STRENGTH_MILLI_MAX = 1_000_000
MICRO = 1_000_000
PRIOR_VAR_MICRO_MAX = 250_000  # nothing between 0 and 1 varies more
Z_MILLI_MAX = 1_000_000  # beyond a thousand standard errors every bound is 0
WEIGHTS_MILLI = 1000
SCORE_MICRO_MAX = 100 * MICRO
EVALUATIONS_MAX = 26
BALANCE_MAX = 100
RAISE_SEARCH_MAX = 10_000
SLA_SECONDS_MAX = 366 * 86_400
NAME_LENGTH_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ClampRules:
    """A week counts at most max(floor, kappa x median week), median over the window."""

    floor_milli: int = 6000
    kappa_milli: int = 3000
    window_weeks: int = 52


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionRules:
    """How one dimension is read, and what it weighs in the composite."""

    name: str
    weight_milli: int
    prior_strength_milli: int = 25_000
    prior_mean_micro: int = 650_000
    display_mean_micro: int = 770_000
    prior_var_micro: int = 113_000
    clamped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedRules:
    """Less than `min_milli` of the dimension in the window: the seller is UNRATED."""

    dimension: str = "quality"
    min_milli: int = 10_000
    window_weeks: int = 52


@dataclass(frozen=True, slots=True, kw_only=True)
class BandLimit:
    """The lowest score of a level."""

    level: Level
    score_micro: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditLevel:
    """From this balance on, a level of at most `highest`."""

    name: str
    balance: int
    highest: Level


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditRules:
    """Where a balance starts, and its levels from the best to the worst."""

    start: int = 100
    levels: tuple[CreditLevel, ...] = (
        CreditLevel(name="NORMAL", balance=80, highest="GOLD"),
        CreditLevel(name="REDUCED", balance=60, highest="YELLOW"),
        CreditLevel(name="RESTRICTED", balance=40, highest="ORANGE"),
        CreditLevel(name="CRITICAL", balance=0, highest="RED"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SlaRules:
    """What is in time. These two enter when an event is observed, not when a score is read."""

    dispute_seconds: int = 172_800
    return_seconds: int = 259_200


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorePolicy:
    """All numbers of a score. `dimensions` in the order of `DIMENSIONS`, `bands` best first."""

    policy_id: str = "default-1"
    half_life_days: int = 180
    keep_weeks: int = 156
    clamp: ClampRules = field(default_factory=ClampRules)
    z_milli: int = 1000
    rated: RatedRules = field(default_factory=RatedRules)
    dimensions: tuple[DimensionRules, ...] = (
        DimensionRules(name="quality", weight_milli=300, clamped=True),
        DimensionRules(name="logistics", weight_milli=200, clamped=True),
        DimensionRules(name="service", weight_milli=200, clamped=True),
        DimensionRules(name=DISPUTE, weight_milli=150, clamped=False),
        DimensionRules(name=RETURNS, weight_milli=100, clamped=False),
        DimensionRules(name=INQUIRIES, weight_milli=50, clamped=False),
    )
    bands: tuple[BandLimit, ...] = (
        BandLimit(level="GOLD", score_micro=78_000_000),
        BandLimit(level="GREEN", score_micro=66_000_000),
        BandLimit(level="YELLOW", score_micro=58_000_000),
        BandLimit(level="ORANGE", score_micro=52_000_000),
        BandLimit(level="RED", score_micro=0),
    )
    evaluations: int = 2
    credit: CreditRules = field(default_factory=CreditRules)
    raise_search_max: int = 1000
    sla: SlaRules = field(default_factory=SlaRules)

    @property
    def dimension_names(self) -> tuple[str, ...]:
        return tuple(rules.name for rules in self.dimensions)

    @property
    def is_monotone(self) -> bool:
        """z^2 <= 4*C*v0 in every dimension: no good rating lowers the cautious score."""
        return not self.not_monotone

    @property
    def not_monotone(self) -> tuple[str, ...]:
        """The dimensions in which a good rating may lower the cautious score: z^2 > 4*C*v0."""
        z_squared = 1000 * self.z_milli * self.z_milli
        return tuple(
            rules.name
            for rules in self.dimensions
            if z_squared > 4 * rules.prior_strength_milli * rules.prior_var_micro
        )


DEFAULT: Final = ScorePolicy()

type PolicyAt = Callable[[int], ScorePolicy]
"""An instant in, the policy that scores as of then are read by out."""


def always(policy: ScorePolicy) -> PolicyAt:
    """One policy for every instant."""
    return lambda _: policy


# A buyer's conduct is in no composite: it is read with the stars' prior and a weight of nothing.
CONDUCT_RULES: Final = DimensionRules(name=CONDUCT, weight_milli=0, clamped=True)


def of_conduct(policy: ScorePolicy) -> ScorePolicy:
    """How a buyer is read: by his conduct alone, which ages and is clamped as a seller's stars."""
    return replace(policy, dimensions=(CONDUCT_RULES,))


def conduct_at(policy_at: PolicyAt) -> PolicyAt:
    """The same for every instant."""
    return lambda at: of_conduct(policy_at(at))


def policy_from(data: Mapping[str, object]) -> ScorePolicy:
    """The policy that a JSON object (keys of the table of policies) describes.

    Raises InvalidValue with every field that is missing, unknown or out of its bounds.
    `sla` may be left out.
    """
    top = _Fields(data, "", [])
    policy = ScorePolicy(
        policy_id=top.name("policy_id"),
        half_life_days=top.integer("half_life_days", 1, HALF_LIFE_DAYS_MAX),
        keep_weeks=top.integer("keep_weeks", 1, WEEKS_MAX),
        clamp=_clamp(top.inner("clamp")),
        z_milli=top.integer("z_milli", 0, Z_MILLI_MAX),
        rated=_rated(top.inner("rated")),
        dimensions=_dimensions(top.inner("dimensions")),
        bands=_bands(top),
        evaluations=top.integer("evaluations", 1, EVALUATIONS_MAX),
        credit=_credit(top.inner("credit")),
        raise_search_max=top.integer("raise_search_max", 1, RAISE_SEARCH_MAX),
        sla=_sla(top.inner("sla")) if "sla" in data else SlaRules(),
    )
    top.close()
    if top.errors:
        raise InvalidValue(errors=top.errors)
    return policy


def policy_data(policy: ScorePolicy) -> dict[str, object]:
    """The JSON object of a policy: `policy_from` turns it back into the same."""
    return {
        "policy_id": policy.policy_id,
        "half_life_days": policy.half_life_days,
        "keep_weeks": policy.keep_weeks,
        "clamp": {
            "floor_milli": policy.clamp.floor_milli,
            "kappa_milli": policy.clamp.kappa_milli,
            "window_weeks": policy.clamp.window_weeks,
        },
        "z_milli": policy.z_milli,
        "rated": {
            "dimension": policy.rated.dimension,
            "min_milli": policy.rated.min_milli,
            "window_weeks": policy.rated.window_weeks,
        },
        "dimensions": {
            rules.name: {
                "weight_milli": rules.weight_milli,
                "prior_strength_milli": rules.prior_strength_milli,
                "prior_mean_micro": rules.prior_mean_micro,
                "display_mean_micro": rules.display_mean_micro,
                "prior_var_micro": rules.prior_var_micro,
                "clamped": rules.clamped,
            }
            for rules in policy.dimensions
        },
        "bands": [[band.level, band.score_micro] for band in policy.bands],
        "evaluations": policy.evaluations,
        "credit": {
            "start": policy.credit.start,
            "levels": [
                [level.name, level.balance, level.highest] for level in policy.credit.levels
            ],
        },
        "raise_search_max": policy.raise_search_max,
        "sla": {
            "dispute_seconds": policy.sla.dispute_seconds,
            "return_seconds": policy.sla.return_seconds,
        },
    }


def _clamp(fields: "_Fields") -> ClampRules:
    clamp = ClampRules(
        floor_milli=fields.integer("floor_milli", 0, CLAMP_MILLI_MAX),
        kappa_milli=fields.integer("kappa_milli", 0, CLAMP_MILLI_MAX),
        window_weeks=fields.integer("window_weeks", 1, WEEKS_MAX),
    )
    fields.close()
    return clamp


def _rated(fields: "_Fields") -> RatedRules:
    rated = RatedRules(
        dimension=fields.name("dimension"),
        min_milli=fields.integer("min_milli", 0, MILLI_MAX),
        window_weeks=fields.integer("window_weeks", 1, WEEKS_MAX),
    )
    if rated.dimension not in DIMENSIONS:
        fields.wrong("dimension", "one of " + ", ".join(DIMENSIONS))
    fields.close()
    return rated


def _dimensions(fields: "_Fields") -> tuple[DimensionRules, ...]:
    rules = tuple(_dimension(name, fields.inner(name)) for name in DIMENSIONS)
    if sum(rule.weight_milli for rule in rules) != WEIGHTS_MILLI:
        fields.wrong("weight_milli", f"{WEIGHTS_MILLI} in sum")
    fields.close()
    return rules


def _dimension(name: str, fields: "_Fields") -> DimensionRules:
    rules = DimensionRules(
        name=name,
        weight_milli=fields.integer("weight_milli", 0, WEIGHTS_MILLI),
        prior_strength_milli=fields.integer("prior_strength_milli", 1, PRIOR_STRENGTH_MILLI_MAX),
        prior_mean_micro=fields.integer("prior_mean_micro", 0, MICRO),
        display_mean_micro=fields.integer("display_mean_micro", 0, MICRO),
        prior_var_micro=fields.integer("prior_var_micro", 1, PRIOR_VAR_MICRO_MAX),
        clamped=fields.truth("clamped"),
    )
    fields.close()
    return rules


def _bands(fields: "_Fields") -> tuple[BandLimit, ...]:
    rows = fields.rows("bands", 2)
    limits = tuple(
        BandLimit(level=level, score_micro=limit)
        for level, row in zip(reversed(LEVELS), rows, strict=False)
        if row[0] == level and _within(limit := row[1], 0, SCORE_MICRO_MAX)
    )
    if len(rows) != len(LEVELS) or len(limits) != len(LEVELS):
        fields.wrong("bands", "GOLD, GREEN, YELLOW, ORANGE, RED, each with its lowest score")
        return DEFAULT.bands
    if not _falls_to_zero([limit.score_micro for limit in limits]):
        fields.wrong("bands", "falling, the last 0")
    return limits


def _credit(fields: "_Fields") -> CreditRules:
    """An account of points starts full: it is the points policy that says with how many."""
    start = fields.integer("start", BALANCE_MAX, BALANCE_MAX)
    rows = fields.rows("levels", 3)
    levels = tuple(
        CreditLevel(name=row[0], balance=balance, highest=highest)
        for row in rows
        for highest in LEVELS
        if highest == row[2]
        and _within(balance := row[1], 0, BALANCE_MAX)
        and isinstance(row[0], str)
        and is_id(row[0])
    )
    names = {level.name for level in levels}
    caps = [LEVELS.index(level.highest) for level in levels]
    rises = any(worse > better for better, worse in pairwise(caps))
    falls = _falls_to_zero([level.balance for level in levels])
    if not (len(names) == len(levels) == len(rows) and falls) or rises:
        fields.wrong(
            "levels",
            "a name of its own, lowest balance, highest level; balances falling, the last 0, and "
            "no level above the one before",
        )
    fields.close()
    return CreditRules(start=start, levels=levels)


def _sla(fields: "_Fields") -> SlaRules:
    sla = SlaRules(
        dispute_seconds=fields.integer("dispute_seconds", 1, SLA_SECONDS_MAX),
        return_seconds=fields.integer("return_seconds", 1, SLA_SECONDS_MAX),
    )
    fields.close()
    return sla


def _falls_to_zero(limits: list[int]) -> bool:
    falls = all(higher > lower for higher, lower in pairwise(limits))
    return falls and limits[-1:] == [0]


def _within(value: object, low: int, high: int) -> TypeIs[int]:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _items(value: object) -> tuple[object, ...] | None:
    return tuple(cast("Iterable[object]", value)) if isinstance(value, list | tuple) else None


class _Fields:
    """An object that is read field by field; what is wrong is noted, and a stand-in returned."""

    def __init__(self, data: object, path: str, errors: list[FieldError]) -> None:
        self.errors = errors
        self._path = path
        self._data: dict[str, object] = {}
        self._known: set[str] = set()
        if isinstance(data, Mapping):
            told = cast("Mapping[object, object]", data)
            self._data = {str(key): value for key, value in told.items()}
        else:
            errors.append(FieldError(field=path, bound="an object"))

    def wrong(self, name: str, bound: str) -> None:
        self.errors.append(FieldError(field=self._path + name, bound=bound))

    def integer(self, name: str, low: int, high: int) -> int:
        value = self._take(name)
        if _within(value, low, high):
            return value
        self.wrong(name, f"an integer from {low} to {high}")
        return low

    def truth(self, name: str) -> bool:
        value = self._take(name)
        if isinstance(value, bool):
            return value
        self.wrong(name, "true or false")
        return False

    def name(self, name: str) -> str:
        value = self._take(name)
        if isinstance(value, str) and 0 < len(value) <= NAME_LENGTH_MAX:
            return value
        self.wrong(name, f"a text of 1 to {NAME_LENGTH_MAX} characters")
        return "?"

    def inner(self, name: str) -> "_Fields":
        return _Fields(self._take(name), f"{self._path}{name}.", self.errors)

    def rows(self, name: str, width: int) -> list[tuple[object, ...]]:
        """A list of rows of that width; empty if anything in it is something else."""
        rows = [_items(row) for row in _items(self._take(name)) or ()]
        fitting = [row for row in rows if row is not None and len(row) == width]
        return fitting if len(fitting) == len(rows) else []

    def close(self) -> None:
        for name in sorted(self._data.keys() - self._known):
            self.wrong(name, "no such field")

    def _take(self, name: str) -> object:
        self._known.add(name)
        return self._data.get(name)
