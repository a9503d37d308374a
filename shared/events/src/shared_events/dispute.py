"""Facts about inquiries and disputes: topic `dispute.events`, keyed by seller.

Streams `inquiry-<inquiry id>` and `dispute-<dispute id>`.
Stored and published for ever: add optional fields and new events, never rename. What people wrote
is sealed with their keys; what staff write about a matter is sealed once for each party. The field
`media_sha256` has the digests of the files that `media` names.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from shared_events.common import DecisionOverdue, Media, StatementOfReasonsIssued
from shared_events.fields import (
    Count,
    Currency,
    Id,
    Instant,
    MediaDigests,
    Minor,
    Party,
    Percent,
    Quantity,
    Seconds,
    Sha256,
)
from shared_events.sealed import Sealed

TOPIC = "dispute.events"

type InquiryTopic = Literal["DELIVERY", "PRODUCT", "RETURN", "PAYMENT", "OTHER"]
type DisputeReason = Literal[
    "NOT_RECEIVED",
    "NOT_AS_DESCRIBED",
    "DAMAGED",
    "WRONG_ITEM",
    "MISSING_PARTS",
    "COUNTERFEIT",
    "SIZE_MISFIT",
    "SELLER_REFUSED_RETURN",
]
type Outcome = Literal[
    "REFUND_FULL",
    "REFUND_PARTIAL",
    "RETURN_AND_REFUND",
    "EXCHANGE",
    "REPLACEMENT_NO_RETURN",
    "REJECTED",
]
type EvidenceKind = Literal[
    "PHOTO",
    "VIDEO",
    "TRACKING",
    "RECEIPT",
    "COMMUNICATION",
    "LISTING_SNAPSHOT",
    "MEASUREMENT",
    "EXPERT",
    "RETURN_FILE",
    "OTHER",
]
type Liable = Literal["SELLER", "BUYER", "CARRIER", "PLATFORM", "NONE"]
type ContestGround = Literal["DECLINED", "REJECTED", "LOST", "DEDUCTION"]
"""What was done with a return that its buyer objects to."""
type Author = Literal["BUYER", "SELLER", "SYSTEM"]
"""Whose piece of evidence it is: the file of a return is of no side."""
type Stage = Literal["NEGOTIATING", "EVIDENCE", "REBUTTAL", "REVIEW", "DECIDED", "APPEAL"]
"""How far a dispute came; what its remedy takes is no stage of it."""
type AppealGround = Literal["NEW_EVIDENCE", "PROCEDURE", "MANIFEST_ERROR"]
type AppealResult = Literal["UPHELD", "REVERSED", "MODIFIED"]
type Basis = Literal["SETTLEMENT", "DEFAULT", "DECISION", "PLATFORM"]
type Ending = Literal["WITHDRAWN", "SETTLED", "DEFAULT", "DECIDED", "PLATFORM"]
type Executed = Literal[
    "REFUNDED", "EXCHANGED", "REPLACED", "ALREADY_MET", "NOT_RETURNED", "RETURN_REJECTED"
]
"""What became of a remedy."""
type Level = Literal["AGENT", "SENIOR"]
type CommaJoinedUnits = Annotated[str, Meta(min_length=3, max_length=81_000)]
"""Units of one line joined by commas: a record inside a list is flat."""


class InquiryFact(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every event about an inquiry says."""

    order_id: Id
    seller_id: Id
    buyer_id: Id
    policy_version: Id
    inquiry_id: Id


class DisputeFact(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every event about a dispute says."""

    order_id: Id
    seller_id: Id
    buyer_id: Id
    policy_version: Id
    dispute_id: Id


class DisputedLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How many pieces of a line."""

    line_id: Id
    quantity: Quantity


class DisputedUnits(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How many pieces of a line, and which."""

    line_id: Id
    quantity: Quantity
    units: CommaJoinedUnits


class TermsFact(DisputeFact, frozen=True, kw_only=True):
    """What an event about a remedy for some lines says; `amount_minor` with REFUND_PARTIAL."""

    outcome: Outcome
    currency: Currency
    amount_minor: Minor | None = None
    lines: list[DisputedLine]


class DecisionFact(TermsFact, frozen=True, kw_only=True):
    """What an adjudicator's decision says."""

    replacement_sku: Id | None = None
    liable: Liable
    seller_fault_pct: Percent
    buyer_abuse: bool
    rule_ids: list[Id]
    evidence_ids: list[Id]
    decided_by: Id
    facts_for_buyer: Sealed
    facts_for_seller: Sealed


class InquiryOpened(InquiryFact, frozen=True, kw_only=True, tag="InquiryOpened.v1"):
    topic: InquiryTopic
    line_ids: list[Id]
    text: Sealed
    media: Media | None = None
    media_sha256: MediaDigests | None = None
    opened_at: Instant
    answer_due: Instant
    idle_at: Instant


class InquiryAnswered(InquiryFact, frozen=True, kw_only=True, tag="InquiryAnswered.v1"):
    """The seller's first answer."""

    answered_at: Instant
    response_seconds: Seconds
    within_sla: bool
    text: Sealed
    idle_at: Instant


class InquiryMessageAdded(InquiryFact, frozen=True, kw_only=True, tag="InquiryMessageAdded.v1"):
    """`auto`: an automatic text, which is no answer."""

    message_id: Id
    by_role: Party
    auto: bool
    text: Sealed
    media: Media | None = None
    media_sha256: MediaDigests | None = None
    idle_at: Instant


class InquiryOverdue(InquiryFact, frozen=True, kw_only=True, tag="InquiryOverdue.v1"):
    answer_due: Instant


class InquiryClosed(InquiryFact, frozen=True, kw_only=True, tag="InquiryClosed.v1"):
    """`response_seconds` is present if the seller answered, however late. `overdue`: closed at
    `answer_due` or later; the first ones do not say, and were.
    """

    reason: Literal["RESOLVED", "IDLE", "CONVERTED"]
    dispute_id: Id | None = None
    answered: bool
    response_seconds: Seconds | None = None
    within_sla: bool
    overdue: bool | None = None
    sla_seconds: Annotated[int, Meta(ge=1)]
    closed_at: Instant


class DisputeOpened(DisputeFact, frozen=True, kw_only=True, tag="DisputeOpened.v1"):
    """The buyer's first proposal with it; asks to hold `held_minor` of the seller's payout.

    A contest is about a return: it has `return_id`, its `ground`, the seller's refusal as his
    proposal `refusal_id`, the digest of the return's file, and no text, which is the return's.
    `barred_ids` are of staff who have decided about the return before.
    """

    inquiry_id: Id | None = None
    return_id: Id | None = None
    reason: DisputeReason
    ground: ContestGround | None = None
    lines: Annotated[list[DisputedUnits], Meta(min_length=1)]
    proposal_id: Id
    outcome: Outcome
    currency: Currency
    amount_minor: Minor | None = None
    replacement_sku: Id | None = None
    text: Sealed | None = None
    refusal_id: Id | None = None
    file_sha256: Sha256 | None = None
    seller_at_fault: bool | None = None
    barred_ids: list[Id] | None = None
    ceiling_minor: Minor
    held_minor: Minor
    opened_at: Instant
    answer_due: Instant
    auto_escalate_at: Instant
    buyer_may_escalate_at: Instant
    seller_may_escalate_at: Instant


class ProposalMade(TermsFact, frozen=True, kw_only=True, tag="ProposalMade.v1"):
    """Replaces the party's proposal. `answer_due` and `auto_escalate_at` are present when they are
    armed again, `held_minor` when more is to be held.
    """

    proposal_id: Id
    by_role: Party
    replacement_sku: Id | None = None
    text: Sealed | None = None
    made_at: Instant
    answer_due: Instant | None = None
    auto_escalate_at: Instant | None = None
    held_minor: Minor | None = None


class ProposalAccepted(DisputeFact, frozen=True, kw_only=True, tag="ProposalAccepted.v1"):
    proposal_id: Id
    by_role: Party
    accepted_at: Instant


class ProposalRejected(DisputeFact, frozen=True, kw_only=True, tag="ProposalRejected.v1"):
    """It stays its author's: it can still be matched, or win by default."""

    proposal_id: Id
    by_role: Party
    text: Sealed | None = None
    rejected_at: Instant


class BlindOfferMade(DisputeFact, frozen=True, kw_only=True, tag="BlindOfferMade.v1"):
    """The least a buyer accepts, the most a seller offers. The other party is never shown it."""

    by_role: Party
    offer_no: Count
    currency: Currency
    amount_minor: Minor
    made_at: Instant


class DisputeSettled(TermsFact, frozen=True, kw_only=True, tag="DisputeSettled.v1"):
    """Both parties hold equal proposals."""

    how: Literal["MATCHED", "ACCEPTED", "BLIND_OVERLAP"]
    replacement_sku: Id | None = None
    settled_at: Instant


class DefaultJudgementGiven(TermsFact, frozen=True, kw_only=True, tag="DefaultJudgementGiven.v1"):
    """The buyer's last proposal, in terms that a silent seller need not ship for."""

    proposal_id: Id
    answer_due: Instant


class DisputeEscalated(DisputeFact, frozen=True, kw_only=True, tag="DisputeEscalated.v1"):
    """From now on a decision may give all that is left of the lines: `held_minor` is that."""

    by_role: Literal["BUYER", "SELLER", "SYSTEM"]
    evidence_due: Instant
    currency: Currency
    held_minor: Minor


class DisputeMessageAdded(DisputeFact, frozen=True, kw_only=True, tag="DisputeMessageAdded.v1"):
    """Both parties read it at once. A party's has `text`, an adjudicator's the other two."""

    message_id: Id
    by_role: Literal["BUYER", "SELLER", "ADJUDICATOR"]
    text: Sealed | None = None
    text_for_buyer: Sealed | None = None
    text_for_seller: Sealed | None = None


class EvidenceLodged(DisputeFact, frozen=True, kw_only=True, tag="EvidenceLodged.v1"):
    """Visible to its author only, until it is shared or disclosed. `media` is absent for the file
    of a return, which returns-service shows.
    """

    evidence_id: Id
    by_role: Author
    kind: EvidenceKind
    sha256: Sha256
    captured_at: Instant | None = None
    media: Sealed | None = None
    note: Sealed | None = None
    lodged_at: Instant


class EvidenceShared(DisputeFact, frozen=True, kw_only=True, tag="EvidenceShared.v1"):
    """Shown to the other party, for good; counts as submitted in due time."""

    by_role: Author
    evidence_ids: list[Id]
    shared_at: Instant


class EvidenceRemoved(DisputeFact, frozen=True, kw_only=True, tag="EvidenceRemoved.v1"):
    evidence_id: Id


class EvidenceExtended(DisputeFact, frozen=True, kw_only=True, tag="EvidenceExtended.v1"):
    by_role: Party
    evidence_due: Instant


class EvidenceSubmitted(DisputeFact, frozen=True, kw_only=True, tag="EvidenceSubmitted.v1"):
    """`auto`: submitted for its author when the time was over; `late`: after disclosure."""

    by_role: Party
    evidence_ids: list[Id]
    late: bool
    auto: bool
    submitted_at: Instant


class EvidenceDisclosed(DisputeFact, frozen=True, kw_only=True, tag="EvidenceDisclosed.v1"):
    evidence_ids: list[Id]
    rebuttal_due: Instant


class RebuttalSubmitted(DisputeFact, frozen=True, kw_only=True, tag="RebuttalSubmitted.v1"):
    """The other party reads it from AdjudicationStarted on."""

    by_role: Party
    evidence_ids: list[Id]
    text: Sealed
    submitted_at: Instant


class AdjudicationStarted(DisputeFact, frozen=True, kw_only=True, tag="AdjudicationStarted.v1"):
    decide_by: Instant


class AdjudicatorAssigned(DisputeFact, frozen=True, kw_only=True, tag="AdjudicatorAssigned.v1"):
    adjudicator_id: Id
    level: Level
    decide_by: Instant


class InfoRequested(DisputeFact, frozen=True, kw_only=True, tag="InfoRequested.v1"):
    """The decision clock stops with `remaining_seconds` on it."""

    of_role: Party
    question_for_buyer: Sealed
    question_for_seller: Sealed
    info_due: Instant
    remaining_seconds: Seconds


class InfoProvided(DisputeFact, frozen=True, kw_only=True, tag="InfoProvided.v1"):
    evidence_ids: list[Id]
    text: Sealed
    provided_at: Instant
    decide_by: Instant


class InfoLapsed(DisputeFact, frozen=True, kw_only=True, tag="InfoLapsed.v1"):
    decide_by: Instant


class DisputeDecided(DecisionFact, frozen=True, kw_only=True, tag="DisputeDecided.v1"):
    """Nothing is executed before it is final."""

    appeal_until: Instant


class AppealWaived(DisputeFact, frozen=True, kw_only=True, tag="AppealWaived.v1"):
    by_role: Party


class DisputeAppealed(DisputeFact, frozen=True, kw_only=True, tag="DisputeAppealed.v1"):
    appeal_id: Id
    by_role: Party
    ground: AppealGround
    evidence_ids: list[Id]
    text: Sealed
    appealed_at: Instant
    decide_by: Instant
    answer_until: Instant


class AppealAnswered(DisputeFact, frozen=True, kw_only=True, tag="AppealAnswered.v1"):
    """By the party who did not appeal."""

    appeal_id: Id
    by_role: Party
    evidence_ids: list[Id]
    text: Sealed
    answered_at: Instant


class DisputeAppealDecided(DecisionFact, frozen=True, kw_only=True, tag="DisputeAppealDecided.v1"):
    """Answers all appeals together; the decision that stands is repeated whole."""

    appeal_ids: Annotated[list[Id], Meta(min_length=1)]
    result: AppealResult


class PlatformDefaultGiven(TermsFact, frozen=True, kw_only=True, tag="PlatformDefaultGiven.v1"):
    """No adjudicator decided in time: the marketplace bears what follows.

    In REVIEW the buyer's proposal is granted, in terms that a rule may grant; in APPEAL the
    decision stands.
    """

    stage: Literal["REVIEW", "APPEAL"]
    decide_by: Instant
    proposal_id: Id | None = None
    replacement_sku: Id | None = None


class DisputeFinalized(DisputeFact, frozen=True, kw_only=True, tag="DisputeFinalized.v1"):
    outcome: Outcome
    currency: Currency
    amount_minor: Minor | None = None
    liable: Liable
    buyer_abuse: bool
    after_appeal: bool


class RemedyOrdered(DisputeFact, frozen=True, kw_only=True, tag="RemedyOrdered.v1"):
    """What returns-service has to do, by `execute_by`."""

    remedy_id: Id
    basis: Basis
    reason: DisputeReason
    outcome: Outcome
    currency: Currency
    amount_minor: Minor | None = None
    lines: Annotated[list[DisputedUnits], Meta(min_length=1)]
    replacement_sku: Id | None = None
    liable: Liable
    seller_at_fault: bool
    execute_by: Instant


class DisputeWithdrawn(DisputeFact, frozen=True, kw_only=True, tag="DisputeWithdrawn.v1"):
    stage: Literal["NEGOTIATING", "EVIDENCE", "REBUTTAL", "REVIEW"]


class DisputeClosed(DisputeFact, frozen=True, kw_only=True, tag="DisputeClosed.v1"):
    """The end of every dispute. `first_response_seconds` is absent if the seller never acted."""

    how: Ending
    reason: DisputeReason
    lines: Annotated[list[DisputedUnits], Meta(min_length=1)]
    outcome: Outcome | None = None
    result: Executed | Literal["NO_REMEDY", "WITHDRAWN"]
    currency: Currency
    refunded_minor: Minor
    liable: Liable
    resolved_by_seller: bool
    buyer_abuse: bool
    seller_fault_pct: Percent
    stage_reached: Stage
    first_response_seconds: Seconds | None = None
    opened_at: Instant
    closed_at: Instant
    held_released_minor: Minor


type InquiryEvent = (
    InquiryOpened | InquiryAnswered | InquiryMessageAdded | InquiryOverdue | InquiryClosed
)
type DisputeEvent = (
    DisputeOpened
    | ProposalMade
    | ProposalAccepted
    | ProposalRejected
    | BlindOfferMade
    | DisputeSettled
    | DefaultJudgementGiven
    | DisputeEscalated
    | DisputeMessageAdded
    | EvidenceLodged
    | EvidenceShared
    | EvidenceRemoved
    | EvidenceExtended
    | EvidenceSubmitted
    | EvidenceDisclosed
    | RebuttalSubmitted
    | AdjudicationStarted
    | AdjudicatorAssigned
    | InfoRequested
    | InfoProvided
    | InfoLapsed
    | DisputeDecided
    | AppealWaived
    | DisputeAppealed
    | AppealAnswered
    | DisputeAppealDecided
    | PlatformDefaultGiven
    | DisputeFinalized
    | RemedyOrdered
    | DisputeWithdrawn
    | DisputeClosed
    | DecisionOverdue
    | StatementOfReasonsIssued
)
