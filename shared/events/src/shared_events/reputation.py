"""Facts about accounts and cases: topic `reputation.events`, keyed by the account.

Streams `seller-<seller id>`, `buyer-<buyer id>` and `case-<case id>`.
Stored and published for ever: add optional fields and new events, never rename. Free text and
media are sealed fields.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from shared_events.common import DecisionOverdue, Media, StatementOfReasonsIssued
from shared_events.fields import Code, Id, Instant, MediaDigests, Party, Sha256
from shared_events.sealed import Sealed

TOPIC = "reputation.events"

type Points = Annotated[int, Meta(ge=0)]
type PenaltyPoints = Annotated[int, Meta(ge=1, le=100)]
type Balance = Annotated[int, Meta(ge=0, le=100)]
type Severity = Literal["MINOR", "MEDIUM", "SEVERE"]
type Level = Literal["NORMAL", "REDUCED", "RESTRICTED", "CRITICAL"]
type ViolationRule = Literal[
    "FAKE_TRANSACTION",
    "SELF_RATING",
    "REVIEW_RING",
    "MALICIOUS_REVIEW",
    "EXTORTION",
    "REVIEW_SUPPRESSION",
    "EVIDENCE_FORGERY",
    "COUNTERFEIT",
    "FALSE_CLAIMS",
    "EMPTY_BOX_RETURN",
    "UNRETURNED_EXCHANGE",
    "UNANSWERED_DISPUTE",
    "LATE_RETURN_HANDLING",
    "SUSPENSION_REVIEW",
]
type Measure = Literal[
    "WARNING",
    "REDUCED_EXPOSURE",
    "NO_PROMOTIONS",
    "PAYOUT_HOLD",
    "NO_FAST_LANE",
    "MANUAL_ONLY",
    "RATING_RIGHT_LOST",
    "SUSPENSION",
]
type Band = Literal["UNRATED", "RED", "ORANGE", "YELLOW", "GREEN", "GOLD"]
type Day = Annotated[int, Meta(ge=0)]
type ScoreMicro = Annotated[int, Meta(ge=0, le=100_000_000)]
type Detection = Literal["RULE", "DETECTOR", "NOTICE", "ANALYST"]
type DismissalReason = Literal["UNFOUNDED", "INSUFFICIENT", "DUPLICATE", "LAPSED"]
type LiftReason = Literal["EXPIRED", "REVERSED", "STAYED", "EARNED_BACK", "ENDED", "BY_HAND"]
type ReversalReason = Literal["APPEAL_REVERSED", "APPEAL_REDUCED"]
type CancelReason = Literal["BALANCE", "CASE_REVERSED", "BY_SENIOR"]
type AppealOutcome = Literal["UPHELD", "REDUCED", "REVERSED"]


class AccountFact(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every event about an account says: `seller_id` or `buyer_id`, by its kind."""

    account_kind: Party
    seller_id: Id | None = None
    buyer_id: Id | None = None
    policy_version: Id

    def __post_init__(self) -> None:
        # The key, and so the partition, is the id that the kind names.
        expected = (True, False) if self.account_kind == "SELLER" else (False, True)
        if (self.seller_id is not None, self.buyer_id is not None) != expected:
            raise ValueError(f"A {self.account_kind} account has the id of its kind and no other")


class CaseFact(AccountFact, frozen=True, kw_only=True):
    """What every event about a case says; the account is that of the accused."""

    case_id: Id


class AccountOpened(AccountFact, frozen=True, kw_only=True, tag="AccountOpened.v1"):
    opened_at: Instant
    balance: Balance


class PenaltyApplied(AccountFact, frozen=True, kw_only=True, tag="PenaltyApplied.v1"):
    """A lot of points, from `applied_at` until before `expires_at`."""

    penalty_id: Id
    case_id: Id
    rule: ViolationRule
    points: PenaltyPoints
    severity: Severity
    applied_at: Instant
    expires_at: Instant
    active_points: Points
    balance_after: Balance


class PenaltyReversed(AccountFact, frozen=True, kw_only=True, tag="PenaltyReversed.v1"):
    """From `reversed_at` on the lot counts no more; before, it did."""

    penalty_id: Id
    case_id: Id
    points: PenaltyPoints
    reason: ReversalReason
    reversed_at: Instant
    already_expired: bool
    balance_after: Balance


class PenaltyExpired(AccountFact, frozen=True, kw_only=True, tag="PenaltyExpired.v1"):
    """The balance does not wait for this event."""

    penalty_id: Id
    points: PenaltyPoints
    balance_after: Balance


class PenaltyStayed(AccountFact, frozen=True, kw_only=True, tag="PenaltyStayed.v1"):
    """Counts in the balance, but not for the measures of the worse levels."""

    penalty_id: Id
    appeal_id: Id


class PenaltyUnstayed(AccountFact, frozen=True, kw_only=True, tag="PenaltyUnstayed.v1"):
    penalty_id: Id
    outcome: AppealOutcome


class ConductAssessed(AccountFact, frozen=True, kw_only=True, tag="ConductAssessed.v1"):
    """The points of a period without violations, which count until `credit_until`."""

    period_from: Instant
    period_to: Instant
    orders_completed: Annotated[int, Meta(ge=0)]
    violations: Annotated[int, Meta(ge=0)]
    points_credited: Points
    credit_until: Instant | None = None
    balance_after: Balance
    next_at: Instant


class CreditExpired(AccountFact, frozen=True, kw_only=True, tag="CreditExpired.v1"):
    """The credit of an assessment is over. The balance does not wait for this event; a period of
    conduct that begins with it does, and counts from `expired_at`.
    """

    credited_at: Instant
    points: PenaltyPoints
    expired_at: Instant
    balance_after: Balance


class LevelChanged(AccountFact, frozen=True, kw_only=True, tag="LevelChanged.v1"):
    """`public_level` is another one while a protection freezes it."""

    from_: Level = field(name="from")
    to: Level
    public_level: Level
    balance: Balance


class MeasureApplied(AccountFact, frozen=True, kw_only=True, tag="MeasureApplied.v1"):
    """`ends_at` is absent where the measure lasts as long as its cause."""

    measure_id: Id
    measure: Measure
    cause_id: Id
    starts_at: Instant
    ends_at: Instant | None = None


class MeasureLifted(AccountFact, frozen=True, kw_only=True, tag="MeasureLifted.v1"):
    measure_id: Id
    measure: Measure
    reason: LiftReason


class ProtectionGranted(AccountFact, frozen=True, kw_only=True, tag="ProtectionGranted.v1"):
    """Until then the public level is no worse than `level`, the real one at the grant."""

    until: Instant
    reason: Code
    level: Level
    public_level: Level


class ProtectionEnded(AccountFact, frozen=True, kw_only=True, tag="ProtectionEnded.v1"):
    public_level: Level


class TerminationNoticeGiven(
    AccountFact, frozen=True, kw_only=True, tag="TerminationNoticeGiven.v1"
):
    case_id: Id
    effective_at: Instant


class TerminationCancelled(AccountFact, frozen=True, kw_only=True, tag="TerminationCancelled.v1"):
    reason: CancelReason


class AccountTerminated(AccountFact, frozen=True, kw_only=True, tag="AccountTerminated.v1"):
    terminated_at: Instant


class ErasureDeferred(AccountFact, frozen=True, kw_only=True, tag="ErasureDeferred.v1"):
    """The matters that are still open; the request is repeated when one closes. `open_until`: when
    time closes the first of them: a case that may be appealed until then.
    """

    open_ids: list[Id]
    open_until: Instant | None = None


class SubjectErased(AccountFact, frozen=True, kw_only=True, tag="SubjectErased.v1"):
    """Every service destroys the person's key; numbers stay."""

    erased_at: Instant


class ScoreEvaluated(Struct, frozen=True, kw_only=True, tag="ScoreEvaluated.v1"):
    """A weekly evaluation that changed the seller's score or level. No fold reads it.

    `day` counts from 1970-01-01, the score is in micro-points of 0..100, `state_sha256` is the
    digest of the buckets that it was read from.
    """

    seller_id: Id
    day: Day
    policy_id: Id
    state_sha256: Sha256
    score_micro: ScoreMicro
    level: Band
    public_level: Band
    balance: Balance


class CaseOpened(CaseFact, frozen=True, kw_only=True, tag="CaseOpened.v1"):
    """`opened_by`: the analyst, where it was one."""

    rule: ViolationRule
    cause_key: Id
    evidence_event_ids: list[Id]
    review_ids: list[Id]
    safety: bool
    detection: Detection
    opened_by: Id | None = None
    statement_until: Instant
    decide_by: Instant


class StatementSubmitted(CaseFact, frozen=True, kw_only=True, tag="StatementSubmitted.v1"):
    """The accused has spoken."""

    text: Sealed
    media: Media | None = None
    media_sha256: MediaDigests | None = None


class ViolationConfirmed(CaseFact, frozen=True, kw_only=True, tag="ViolationConfirmed.v1"):
    """SUSPENSION_REVIEW has no points and no severity."""

    rule: ViolationRule
    points: Points
    severity: Severity | None = None
    rule_ids: list[Id]
    review_ids: list[Id]
    automatic: bool
    decided_by: Id
    safety: bool
    appeal_until: Instant


class CaseDismissed(CaseFact, frozen=True, kw_only=True, tag="CaseDismissed.v1"):
    reason: DismissalReason


class ViolationAppealed(CaseFact, frozen=True, kw_only=True, tag="ViolationAppealed.v1"):
    appeal_id: Id
    text: Sealed
    evidence_ids: list[Id]
    decide_by: Instant


class ViolationAppealDecided(CaseFact, frozen=True, kw_only=True, tag="ViolationAppealDecided.v1"):
    """`points` are those that are valid now."""

    appeal_id: Id
    outcome: AppealOutcome
    rule: ViolationRule
    points: Points
    review_ids: list[Id]
    rule_ids: list[Id]
    decided_by: Id


type AccountEvent = (
    AccountOpened
    | PenaltyApplied
    | PenaltyReversed
    | PenaltyExpired
    | PenaltyStayed
    | PenaltyUnstayed
    | ConductAssessed
    | CreditExpired
    | LevelChanged
    | MeasureApplied
    | MeasureLifted
    | ProtectionGranted
    | ProtectionEnded
    | TerminationNoticeGiven
    | TerminationCancelled
    | AccountTerminated
    | ErasureDeferred
    | SubjectErased
    | ScoreEvaluated
    | StatementOfReasonsIssued
)
type CaseEvent = (
    CaseOpened
    | StatementSubmitted
    | ViolationConfirmed
    | CaseDismissed
    | ViolationAppealed
    | ViolationAppealDecided
    | DecisionOverdue
    | StatementOfReasonsIssued
)
