"""Facts about the policies of the score: stream `policies-score`, topic `reputation.events`.

All are keyed alike, so that they are in one partition, in their order. Numbers have their unit in
the name: milli = 10^-3, micro = 10^-6. Stored and published for ever: add optional fields and new
events, never rename.
"""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from shared_events.fields import Id, Instant

type Number = Annotated[int, Meta(ge=0)]
type ScoreLevel = Literal["RED", "ORANGE", "YELLOW", "GREEN", "GOLD"]
type Dimension = Literal["quality", "logistics", "service", "dispute", "returns", "inquiries"]


class ScorePolicyFact(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every event about a policy says."""

    KEY: ClassVar[str] = "policies"
    """It belongs to no account."""
    policy_id: Id


class DimensionNumbers(Struct, frozen=True, kw_only=True):
    """How one dimension is read, and what it weighs in the composite."""

    dimension: Dimension
    weight_milli: Number
    prior_strength_milli: Number
    prior_mean_micro: Number
    display_mean_micro: Number
    prior_var_micro: Number


class LevelLimit(Struct, frozen=True, kw_only=True):
    """The lowest score of a level."""

    level: ScoreLevel
    score_micro: Number


class BalanceLimit(Struct, frozen=True, kw_only=True):
    """From this balance on, a level of at most `highest`."""

    name: Id
    balance: Number
    highest: ScoreLevel


class ScorePolicyDrafted(ScorePolicyFact, frozen=True, kw_only=True, tag="ScorePolicyDrafted.v1"):
    """Every number of a policy. It is never edited: other numbers are another policy."""

    half_life_days: Number
    keep_weeks: Number
    clamp_floor_milli: Number
    clamp_kappa_milli: Number
    clamp_window_weeks: Number
    z_milli: Number
    rated_dimension: Dimension
    rated_min_milli: Number
    rated_window_weeks: Number
    dimensions: list[DimensionNumbers]
    clamped: list[Dimension]
    bands: list[LevelLimit]
    evaluations: Number
    credit_start: Number
    credit_levels: list[BalanceLimit]
    raise_search_max: Number
    dispute_sla_seconds: Number
    return_sla_seconds: Number
    drafted_by: Id


class ScorePolicyTrialBegun(
    ScorePolicyFact, frozen=True, kw_only=True, tag="ScorePolicyTrialBegun.v1"
):
    """It is asked what a draft would do to each seller, as of an instant. Nothing live changes."""

    trial_id: Id
    against: Id
    as_of: Instant
    begun_by: Id


class ScorePolicyTrialEnded(
    ScorePolicyFact, frozen=True, kw_only=True, tag="ScorePolicyTrialEnded.v1"
):
    """What the draft would do to all sellers with a number; the list of them is with the service.

    `up` and `down`: those who have a level before and after. `caps_changed`: whose cap by credit
    points would be another.
    """

    trial_id: Id
    sellers: Number
    up: Number
    down: Number
    rated_changed: Number
    caps_changed: Number
    sum_abs_delta_micro: Number
    max_abs_delta_micro: Number


class ScorePolicyActivated(
    ScorePolicyFact, frozen=True, kw_only=True, tag="ScorePolicyActivated.v1"
):
    """Scores as of `begins_at` and later are read by it, until another one begins."""

    begins_at: Instant
    activated_by: Id


type ScorePolicyEvent = (
    ScorePolicyDrafted | ScorePolicyTrialBegun | ScorePolicyTrialEnded | ScorePolicyActivated
)
