"""Facts about returns and refunds: topic `returns.events`, keyed by seller.

Streams `return-<return id>` (goods) and `refunds-<order id>` (the order's ledger: all money that
is given back).
Stored and published for ever: add optional fields and new events, never rename. What people wrote
is sealed with their keys; what staff write about a return is sealed once for each party. The fields
`media_sha256` and `photos_sha256` have the digests of the files that `media` and `photos` name.
"""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from shared_events.common import DecisionOverdue, Media, StatementOfReasonsIssued
from shared_events.dispute import ContestGround, DisputeReason, Liable
from shared_events.fields import (
    Code,
    Count,
    Currency,
    Id,
    Instant,
    MediaDigests,
    Milli,
    Minor,
    Quantity,
    Seconds,
    Sha256,
    Unit,
)
from shared_events.sealed import Sealed

TOPIC = "returns.events"
POLICY_STREAM = "returnpolicy-versions"
POLICY_LENGTH_MAX = 65_536

type AskedKind = Literal["RETURN", "EXCHANGE", "CLAIM"]
"""What a buyer asks for. A CLAIM leaves the goods with the buyer."""
type ReturnKind = Literal["RETURN", "EXCHANGE", "CLAIM", "WITHDRAWAL"]
type Wants = Literal["REFUND", "EXCHANGE", "REPLACEMENT"]
type Reviewer = Literal["SELLER", "AGENT"]
"""Who decides a request that no rule decides."""
type Lane = Literal["FAST", "STANDARD", "STATUTORY"]
type ReturnReason = (
    Literal[
        "DAMAGED",
        "WRONG_ITEM",
        "NOT_AS_DESCRIBED",
        "DEFECTIVE",
        "MISSING_PARTS",
        "SIZE_MISFIT",
        "CHANGE_OF_MIND",
        "WITHDRAWAL",
    ]
    | DisputeReason
)
"""A remedy's return has the reason of its dispute, a withdrawal none but itself."""
type DeclineCode = Literal["FINAL_SALE", "PERIOD_ENDED", "NOT_AS_CLAIMED", "OTHER"]
type Reception = Literal["RECEIVED", "WRONG_ITEM", "SHORT"]
"""What was found in a parcel in the place of a unit."""
type Grade = Literal["A", "B", "C", "D"]
type RejectReason = Literal["WRONG_ITEM", "SHORT", "NOT_OURS", "USED", "OTHER", "LATE"]
type FallBackReason = Literal["OUT_OF_STOCK", "UNPAID", "NOT_SHIPPED"]
type Payer = Literal["SELLER", "BUYER", "PLATFORM"]
type UnitResult = Literal[
    "REFUNDED",
    "EXCHANGED",
    "REPLACED",
    "KEPT",
    "EXPIRED",
    "CANCELLED",
    "DECLINED",
    "REJECTED",
    "CONTESTED",
    "LOST",
]
type Resolution = UnitResult | Literal["MIXED"]
type RefundSource = Literal[
    "RETURN",
    "OFFER",
    "WITHDRAWAL",
    "EXCHANGE_FALLBACK",
    "EXCHANGE_DIFFERENCE",
    "CLAIM",
    "DISPUTE",
    "GOODWILL",
    "CANCELLATION",
]
type Bearer = Literal["SELLER", "PLATFORM"]
"""At whose expense money is given back."""
type RefundWay = Literal["ORIGINAL", "BANK_TRANSFER", "STORE_CREDIT", "OTHER"]
"""By which the money goes out: the way it came, or another one."""
type RuleTrace = list[Code]
"""The tests made, in order: `code:pass:input` or `code:fail:input`."""


class RefundFact(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every event about an order's refunds says."""

    order_id: Id
    seller_id: Id
    buyer_id: Id
    policy_version: Id


class ReturnFact(RefundFact, frozen=True, kw_only=True):
    """What every event about a return says."""

    return_id: Id


class ReturnedLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How many pieces of a line."""

    line_id: Id
    quantity: Quantity


class ReceivedUnit(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was found in the parcel in place of a unit."""

    unit: Unit
    reception: Reception


class AcceptedUnit(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The state of a unit, and what its refund is less for that."""

    unit: Unit
    grade: Grade
    deduction_milli: Milli


class RejectedUnit(Struct, frozen=True, kw_only=True, omit_defaults=True):
    unit: Unit
    reason: RejectReason


class ClosedUnit(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a unit."""

    unit: Unit
    result: UnitResult


class PaidUnit(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the buyer paid for a unit after all discounts."""

    unit: Unit
    paid_minor: Minor


class RefundedUnit(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is given back for a unit."""

    unit: Unit
    amount_minor: Minor


class ReplacedUnit(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The money that moved from a unit to the one in its place, and what the buyer added."""

    old_unit: Unit
    new_unit: Unit
    moved_minor: Minor
    added_minor: Minor


class ReturnRequested(ReturnFact, frozen=True, kw_only=True, tag="ReturnRequested.v1"):
    """`value_ref_minor` is in the policy's reference currency, `asked_minor` in `currency`.

    `liable` and `seller_at_fault` are those of a remedy, as its dispute has found them.
    """

    kind: AskedKind
    origin: Literal["BUYER", "DISPUTE"]
    remedy_id: Id | None = None
    liable: Liable | None = None
    seller_at_fault: bool | None = None
    reason: ReturnReason
    wants: Wants
    units: list[Unit]
    value_ref_minor: Minor
    replacement_sku: Id | None = None
    currency: Currency
    asked_minor: Minor | None = None
    size_ordered: Code | None = None
    size_felt: Code | None = None
    size_measured: Code | None = None
    text: Sealed | None = None
    media: Media | None = None
    media_sha256: MediaDigests | None = None
    requested_at: Instant


class RemedyAttached(ReturnFact, frozen=True, kw_only=True, tag="RemedyAttached.v1"):
    """The units stay where they are, and this return carries out the remedy for them."""

    remedy_id: Id
    units: list[Unit]
    reason: DisputeReason
    liable: Liable
    seller_at_fault: bool


class WithdrawalDeclared(ReturnFact, frozen=True, kw_only=True, tag="WithdrawalDeclared.v1"):
    """The first of two steps; takes no units yet."""

    lines: list[ReturnedLine]
    declared_at: Instant
    confirm_by: Instant


class WithdrawalConfirmed(ReturnFact, frozen=True, kw_only=True, tag="WithdrawalConfirmed.v1"):
    """The second step: the receipt repeats what was confirmed, and the instant."""

    units: list[Unit]
    content: Sealed
    content_sha256: Sha256
    confirmed_at: Instant
    refund_due: Instant


class ReturnReviewRequired(ReturnFact, frozen=True, kw_only=True, tag="ReturnReviewRequired.v1"):
    by: Reviewer
    answer_due: Instant
    rule_trace: RuleTrace


class ReturnAuthorized(ReturnFact, frozen=True, kw_only=True, tag="ReturnAuthorized.v1"):
    """`kind` may differ from what was asked: silence turns a CLAIM into a RETURN.

    `amount_minor` is that of a CLAIM; `ship_by` is absent if no goods are to be shipped.
    `label_due` comes with a label that is not the buyer's, `inspect_by` with goods that are in,
    `stock_due` with a replacement that the stock is asked for at once.
    """

    kind: ReturnKind
    lane: Lane
    by: Literal["RULE", "SELLER", "AGENT", "SILENCE"]
    units: list[Unit]
    goods_back: bool
    currency: Currency
    amount_minor: Minor | None = None
    ship_by: Instant | None = None
    label_due: Instant | None = None
    inspect_by: Instant | None = None
    stock_due: Instant | None = None
    label_paid_by: Payer
    rule_trace: RuleTrace
    decision_seconds: Seconds


class ReturnDeclined(ReturnFact, frozen=True, kw_only=True, tag="ReturnDeclined.v1"):
    """A seller's has `note`; an agent's the other two and `decided_by`. `send_back_until` comes
    with goods that are in.
    """

    by: Reviewer
    code: DeclineCode
    note: Sealed | None = None
    note_for_buyer: Sealed | None = None
    note_for_seller: Sealed | None = None
    units: list[Unit]
    decided_by: Id | None = None
    contest_until: Instant
    send_back_until: Instant | None = None
    decision_seconds: Seconds


class PartialOfferMade(ReturnFact, frozen=True, kw_only=True, tag="PartialOfferMade.v1"):
    """A refund of `amount_minor` if the buyer keeps the goods."""

    offer_id: Id
    currency: Currency
    amount_minor: Minor
    answer_due: Instant


class OfferAccepted(ReturnFact, frozen=True, kw_only=True, tag="OfferAccepted.v1"):
    offer_id: Id
    currency: Currency
    amount_minor: Minor
    units: list[Unit]


class OfferDeclined(ReturnFact, frozen=True, kw_only=True, tag="OfferDeclined.v1"):
    offer_id: Id
    lapsed: bool


class LabelIssued(ReturnFact, frozen=True, kw_only=True, tag="LabelIssued.v1"):
    """`ship_by` counts anew from a label that is not the buyer's."""

    label_id: Id
    carrier: Id
    tracking_id: Id
    paid_by: Payer
    currency: Currency
    cost_minor: Minor
    ship_by: Instant | None = None


class LabelVoided(ReturnFact, frozen=True, kw_only=True, tag="LabelVoided.v1"):
    """The goods will not travel under it."""

    label_id: Id


class ReturnShipped(ReturnFact, frozen=True, kw_only=True, tag="ReturnShipped.v1"):
    """`proof_sha256`: of the receipt of posting."""

    units: list[Unit]
    tracking_id: Id
    proof_sha256: Sha256 | None = None
    lost_at: Instant


class ReturnScanned(ReturnFact, frozen=True, kw_only=True, tag="ReturnScanned.v1"):
    """`lost_at` comes with HANDED_OVER, `inspect_by` with DELIVERED_BACK; `stock_due` where the
    scan alone has a replacement reserved.
    """

    kind: Literal["HANDED_OVER", "DELIVERED_BACK"]
    units: list[Unit]
    tracking_id: Id | None = None
    scanned_at: Instant
    lost_at: Instant | None = None
    inspect_by: Instant | None = None
    stock_due: Instant | None = None


class ReturnExpired(ReturnFact, frozen=True, kw_only=True, tag="ReturnExpired.v1"):
    """The units that were not shipped in time."""

    units: list[Unit]
    ship_by: Instant


class UnitsRevived(ReturnFact, frozen=True, kw_only=True, tag="UnitsRevived.v1"):
    """They had expired, but a scan tells that they were shipped in time."""

    units: list[Unit]


class UnitsReceived(ReturnFact, frozen=True, kw_only=True, tag="UnitsReceived.v1"):
    """`surplus` pieces are noted and never refunded. Goods that came `unasked` are sent back by
    `send_back_until`, unless their return is approved; `inspect_by` is absent for them, and where
    they are only noted.
    """

    units: list[ReceivedUnit]
    surplus: Annotated[int, Meta(ge=0)]
    tracking_id: Id | None = None
    by_warehouse: bool | None = None
    unasked: bool | None = None
    photos: Media | None = None
    photos_sha256: MediaDigests | None = None
    inspect_by: Instant | None = None
    send_back_until: Instant | None = None


class UnitsLost(ReturnFact, frozen=True, kw_only=True, tag="UnitsLost.v1"):
    """Covered by the platform's label, or contestable until `contest_until`."""

    units: list[Unit]
    covered: bool
    contest_until: Instant | None = None


class UnitsAccepted(ReturnFact, frozen=True, kw_only=True, tag="UnitsAccepted.v1"):
    """`contest_until` is present if a deduction was made, `stock_due` where a replacement is to be
    reserved now.
    """

    units: list[AcceptedUnit]
    by_default: bool
    handling_seconds: Seconds
    contest_until: Instant | None = None
    stock_due: Instant | None = None


class UnitsRejected(ReturnFact, frozen=True, kw_only=True, tag="UnitsRejected.v1"):
    """`send_back_until` is present if goods are to be sent back."""

    units: list[RejectedUnit]
    by_default: bool
    photos: Media | None = None
    photos_sha256: MediaDigests | None = None
    contest_until: Instant
    send_back_until: Instant | None = None


class AdvanceUnrecovered(ReturnFact, frozen=True, kw_only=True, tag="AdvanceUnrecovered.v1"):
    """The amount is borne by the platform, and once `confirmed` owed to the seller."""

    units: list[Unit]
    currency: Currency
    amount_minor: Minor
    confirmed: bool


class ReplacementReserved(ReturnFact, frozen=True, kw_only=True, tag="ReplacementReserved.v1"):
    """Above 0 the buyer owes the difference by `pay_by`, and `ship_by` waits for that; below 0 it
    is credited. `reservation_id`: what the stock was asked for it by, if it was asked by us.
    """

    units: list[Unit]
    new_units: list[Unit]
    sku: Id
    reservation_id: Id | None = None
    currency: Currency
    difference_minor: int
    pay_by: Instant | None = None
    ship_by: Instant | None = None
    cross_shipped: bool


class DifferencePaid(ReturnFact, frozen=True, kw_only=True, tag="DifferencePaid.v1"):
    """`ship_by` counts from here."""

    currency: Currency
    difference_minor: Minor
    payment_ref: Id
    ship_by: Instant


class ExchangeFellBack(ReturnFact, frozen=True, kw_only=True, tag="ExchangeFellBack.v1"):
    """There is no replacement: the units are refunded as those of a RETURN."""

    units: list[Unit]
    reason: FallBackReason


class ExchangeShipped(ReturnFact, frozen=True, kw_only=True, tag="ExchangeShipped.v1"):
    units: list[Unit]
    new_units: list[Unit]
    remedy_id: Id | None = None
    tracking_id: Id
    currency: Currency
    difference_minor: int
    shipped_at: Instant


class ExchangeDelivered(ReturnFact, frozen=True, kw_only=True, tag="ExchangeDelivered.v1"):
    """`assumed`: nobody told of it. `original_due` is present if the original is still out."""

    new_units: list[Unit]
    assumed: bool | None = None
    delivered_at: Instant
    original_due: Instant | None = None


class ExchangeUnreturned(ReturnFact, frozen=True, kw_only=True, tag="ExchangeUnreturned.v1"):
    """The amount is noted, never charged by itself."""

    units: list[Unit]
    currency: Currency
    amount_minor: Minor


class ReturnContested(ReturnFact, frozen=True, kw_only=True, tag="ReturnContested.v1"):
    """dispute-service opens a dispute for these units. `declined_by`: the agent who declined;
    `file_sha256` is of all files of the return.
    """

    units: list[Unit]
    ground: ContestGround
    reason: ReturnReason
    seller_at_fault: bool
    remedy_id: Id | None = None
    declined_by: Id | None = None
    file_sha256: Sha256
    text: Sealed
    contest_until: Instant


class UnitsSentBack(ReturnFact, frozen=True, kw_only=True, tag="UnitsSentBack.v1"):
    units: list[Unit]
    tracking_id: Id


class GoodsWaived(ReturnFact, frozen=True, kw_only=True, tag="GoodsWaived.v1"):
    """Their buyer does not want them back."""

    units: list[Unit]


class ReturnCancelled(ReturnFact, frozen=True, kw_only=True, tag="ReturnCancelled.v1"):
    """`send_back_until` comes with goods that are in."""

    units: list[Unit]
    send_back_until: Instant | None = None


class ReturnClosed(ReturnFact, frozen=True, kw_only=True, tag="ReturnClosed.v1"):
    """The end of every return. `forced`: ordered by a dispute, or won by the seller's silence."""

    kind: ReturnKind
    lane: Lane | None = None
    remedy_id: Id | None = None
    reason: ReturnReason
    resolution: Resolution
    units: list[ClosedUnit]
    currency: Currency
    refunded_minor: Minor
    seller_at_fault: bool
    decision_seconds: Seconds | None = None
    handling_seconds: Seconds | None = None
    timely: bool
    forced: bool
    closed_at: Instant


class RefundLedgerOpened(RefundFact, frozen=True, kw_only=True, tag="RefundLedgerOpened.v1"):
    """All that can be given back. `total_ref_minor` is in the policy's reference currency."""

    units: list[PaidUnit]
    currency: Currency
    shipping_minor: Minor
    total_minor: Minor
    total_ref_minor: Minor


class RefundRequested(RefundFact, frozen=True, kw_only=True, tag="RefundRequested.v1"):
    """Reserves the money. `remaining_minor` is what is left of the whole order after it.

    `clipped_from_minor` is what was asked, where less was left; `difference_minor` what a buyer had
    paid for a replacement that he does not get. `reissues`: a refund that failed for good;
    `outside_id`: money given elsewhere that was taken back. An agent's goodwill has a `reason`.
    """

    refund_id: Id
    source: RefundSource
    source_id: Id
    remedy_id: Id | None = None
    reissues: Id | None = None
    outside_id: Id | None = None
    way: RefundWay
    borne_by: Bearer
    reason: Code | None = None
    units: list[RefundedUnit]
    currency: Currency
    shipping_minor: Minor
    goodwill_minor: Minor
    difference_minor: Minor | None = None
    label_cost_minor: Minor
    total_minor: Minor
    clipped_from_minor: Minor | None = None
    seller_at_fault: bool
    advance: bool
    remaining_minor: Minor
    overdue_at: Instant


class RefundSettled(RefundFact, frozen=True, kw_only=True, tag="RefundSettled.v1"):
    """The payment gateway's word. `late`: after it had failed for good. `told_by`: whose word it
    is; GATEWAY: `gateway_ref` is its own name for the payment, DESK: it is where its people say so.
    """

    refund_id: Id
    gateway_ref: Id
    told_by: Literal["GATEWAY", "DESK"] | None = None
    late: bool | None = None
    settled_at: Instant


class RefundIssued(RefundFact, frozen=True, kw_only=True, tag="RefundIssued.v1"):
    """The one event that other services read of money that the ledger has paid.

    `total_minor` is that of units, shipping, goodwill and difference. `refunded_total_minor` and
    `remaining_minor` are those of the order so far.
    """

    refund_id: Id
    source: RefundSource
    source_id: Id
    remedy_id: Id | None = None
    borne_by: Bearer
    units: list[RefundedUnit]
    currency: Currency
    shipping_minor: Minor
    goodwill_minor: Minor
    difference_minor: Minor | None = None
    label_cost_minor: Minor
    total_minor: Minor
    refunded_total_minor: Minor
    remaining_minor: Minor
    issued_at: Instant


class RefundFailed(RefundFact, frozen=True, kw_only=True, tag="RefundFailed.v1"):
    """Tried again at `retry_at`; if `final`, the reserved money is free again. UNKNOWN: there was
    no answer, and it is final by the word of a person alone, with `proof_ref`.
    """

    refund_id: Id
    code: Code
    kind: Literal["REFUSED", "RETRYABLE", "UNKNOWN"]
    attempt: Count
    final: bool
    proof_ref: Id | None = None
    retry_at: Instant | None = None


class RefundRetried(RefundFact, frozen=True, kw_only=True, tag="RefundRetried.v1"):
    refund_id: Id
    attempt: Count


class RefundNotDue(RefundFact, frozen=True, kw_only=True, tag="RefundNotDue.v1"):
    """Nothing is given: it was, by the refunds named or outside, or the original is still out.
    `reissues`: the refund in whose place it was asked for, which is owed no more.
    """

    refund_id: Id
    source: RefundSource
    source_id: Id
    remedy_id: Id | None = None
    reissues: Id | None = None
    units: list[Unit]
    refund_ids: list[Id]
    why: Literal["GIVEN", "ORIGINAL_OUT"]


class RemedyAlreadyMet(RefundFact, frozen=True, kw_only=True, tag="RemedyAlreadyMet.v1"):
    """Nothing is left to give for these units: the refunds named, or money given outside, did.

    `refund_id`: the one that was asked for; `reissues`: in whose place, which is owed no more.
    """

    refund_id: Id | None = None
    remedy_id: Id
    reissues: Id | None = None
    units: list[Unit]
    refund_ids: list[Id]


class RefundOverpaid(RefundFact, frozen=True, kw_only=True, tag="RefundOverpaid.v1"):
    """More is out than was due: the excess, and what gave it. Nothing is asked of the buyer."""

    currency: Currency
    amount_minor: Minor
    refund_ids: list[Id]


class RefundBounced(RefundFact, frozen=True, kw_only=True, tag="RefundBounced.v1"):
    """The money came back after it had been paid. Totals as in RefundIssued. `gateway_ref`: the
    payment that came back, where the gateway names it. `owed_again`: what stood in its place, and
    was not due because this one had been paid after all.
    """

    refund_id: Id
    gateway_ref: Id | None = None
    code: Code
    currency: Currency
    total_minor: Minor
    refunded_total_minor: Minor
    remaining_minor: Minor
    owed_again: Id | None = None
    overdue_at: Instant


class OutsideRefundRecorded(RefundFact, frozen=True, kw_only=True, tag="OutsideRefundRecorded.v1"):
    """Money that others gave back: a bank, or the marketplace itself."""

    outside_id: Id
    kind: Literal["CHARGEBACK", "DIRECT_DEBIT_RETURN", "MARKETPLACE"]
    units: list[RefundedUnit] | None = None
    currency: Currency
    total_minor: Minor
    remaining_minor: Minor


class OutsideRefundUndone(RefundFact, frozen=True, kw_only=True, tag="OutsideRefundUndone.v1"):
    """`owed_again`: goodwill that was not due because of it; all else is asked for again."""

    outside_id: Id
    currency: Currency
    total_minor: Minor
    remaining_minor: Minor
    owed_again: list[Id] | None = None


class UnitsReplaced(RefundFact, frozen=True, kw_only=True, tag="UnitsReplaced.v1"):
    currency: Currency
    pairs: list[ReplacedUnit]


class CostMoved(RefundFact, frozen=True, kw_only=True, tag="CostMoved.v1"):
    """From here on `borne_by` bears this part of a refund: the platform, where goods that were paid
    in advance are not recovered (AdvanceUnrecovered, confirmed); the seller again, where they came
    after all.
    """

    refund_id: Id
    borne_by: Bearer
    units: list[RefundedUnit]
    currency: Currency
    shipping_minor: Minor
    total_minor: Minor


class ReturnPolicyActivated(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag="ReturnPolicyActivated.v1"
):
    """From an instant on, what is new is decided by this version of the policy of returns.
    `entries`: all of them, as JSON, of a version that was not known before.
    """

    KEY: ClassVar[str] = "returnpolicy"
    """It belongs to no account."""
    policy_version: Id
    since: Instant
    entries: Annotated[str, Meta(max_length=POLICY_LENGTH_MAX)] | None = None


type PolicyEvent = ReturnPolicyActivated
type ReturnEvent = (
    ReturnRequested
    | RemedyAttached
    | WithdrawalDeclared
    | WithdrawalConfirmed
    | ReturnReviewRequired
    | ReturnAuthorized
    | ReturnDeclined
    | PartialOfferMade
    | OfferAccepted
    | OfferDeclined
    | LabelIssued
    | LabelVoided
    | ReturnShipped
    | ReturnScanned
    | ReturnExpired
    | UnitsRevived
    | UnitsReceived
    | UnitsLost
    | UnitsAccepted
    | UnitsRejected
    | AdvanceUnrecovered
    | ReplacementReserved
    | DifferencePaid
    | ExchangeFellBack
    | ExchangeShipped
    | ExchangeDelivered
    | ExchangeUnreturned
    | ReturnContested
    | UnitsSentBack
    | GoodsWaived
    | ReturnCancelled
    | ReturnClosed
    | DecisionOverdue
    | StatementOfReasonsIssued
)
type RefundEvent = (
    RefundLedgerOpened
    | RefundRequested
    | RefundSettled
    | RefundIssued
    | RefundFailed
    | RefundRetried
    | RefundNotDue
    | RemedyAlreadyMet
    | RefundOverpaid
    | RefundBounced
    | OutsideRefundRecorded
    | OutsideRefundUndone
    | UnitsReplaced
    | CostMoved
    | DecisionOverdue
)
