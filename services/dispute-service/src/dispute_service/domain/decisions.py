"""A person's decision in, with the reasons for whom it goes against out."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec.structs import replace
from shared_casework.reasons import require_reasons
from shared_casework.values import refuse, require_currency, utc
from shared_events.common import StatementOfReasonsIssued
from shared_events.dispute import (
    DisputeDecided,
    DisputedLine,
    DisputeEvent,
    Liable,
    Outcome,
)
from shared_events.fields import NOTE_LENGTH_MAX, TEXT_LENGTH_MAX, Currency, Id, Minor, Party
from shared_runtime.decider import (
    AmountExceedsCeiling,
    FieldError,
    ReasonsMissing,
    RoleNotAllowed,
    WrongState,
)
from shared_runtime.rule import Guard
from shared_runtime.shape import ONCE, Words

from dispute_service.domain.dispute_state import Dispute
from dispute_service.domain.evidence import EvidenceIds
from dispute_service.domain.known import Sender, ceiling_of
from dispute_service.domain.matter import IMPARTIAL, DisputeRule, nothing_such, require_assigned
from dispute_service.domain.remedies import WHOLE_FAULT_PCT
from dispute_service.domain.statements import against, told_why
from dispute_service.domain.terms import (
    SHIPS_BACK,
    Lines,
    Terms,
    faults_of,
    require_below,
    require_lines,
    sorted_lines,
)

type RuleIds = Annotated[tuple[Id, ...], Meta(max_length=20), ONCE]
type FactsForBuyer = Annotated[
    str | None, Words(TEXT_LENGTH_MAX, sealed_for="BUYER", said_as="facts")
]
type FactsForSeller = Annotated[
    str | None, Words(TEXT_LENGTH_MAX, sealed_for="SELLER", said_as="facts")
]
type Explanation = Annotated[str | None, Words(NOTE_LENGTH_MAX, sealed_for=None)]
"""In plain words."""


class Decision(Struct, frozen=True, kw_only=True):
    """What is to be done, whom it is attributed to, and why: `facts` are sealed for each."""

    outcome: Outcome
    lines: Lines
    amount_minor: Minor | None = None
    currency: Currency | None = None
    replacement_sku: Id | None = None
    liable: Liable
    seller_fault_pct: int
    buyer_abuse: bool = False
    rule_ids: RuleIds
    evidence_ids: EvidenceIds = ()
    facts_for_buyer: FactsForBuyer = None
    facts_for_seller: FactsForSeller = None
    explanation: Explanation = None


class DecideDispute(Decision, frozen=True, kw_only=True):
    """What is to be done, whom it is attributed to, and why."""


def decide_dispute(dispute: Dispute, said: DecideDispute, by: Sender) -> list[DisputeEvent]:
    """On what both have seen. Nothing is done before it is final: each may appeal it for
    `dispute_appeal_window`.
    """
    require_decidable(dispute, said, by)
    until = utc(by.now) + dispute.policy(by).dispute_appeal_window
    decided = DisputeDecided(**dispute.ids, **fields_of(dispute, said, by), appeal_until=until)
    told = told_why(
        dispute,
        by,
        "DecideDispute",
        facts_against(said),
        rule_ids=said.rule_ids,
        explanation=said.explanation or "",
        appeal_until=until,
    )
    return [decided, *told]


def terms_of(said: Decision) -> Terms:
    return Terms(
        outcome=said.outcome,
        lines=sorted_lines(said.lines),
        amount_minor=said.amount_minor,
        replacement_sku=said.replacement_sku,
    )


def require_decidable(dispute: Dispute, said: Decision, by: Sender) -> None:
    """Raises `InvalidValue` for what this dispute can't come to, or for evidence that not both have
    seen; `AmountExceedsCeiling`.
    """
    require_currency(said.currency, dispute.currency)
    require_lines(said.lines, dispute.quantities)
    if not said.lines and said.outcome != "REJECTED":
        raise refuse("lines", "what it is about")
    if dispute.goods_away and said.outcome in SHIPS_BACK:
        raise refuse("outcome", "nothing that needs the goods")
    if any(not is_shown(dispute, evidence_id) for evidence_id in said.evidence_ids):
        raise refuse("evidence_ids", "evidence that both parties have seen")
    terms = terms_of(said)
    require_below(terms, ceiling_of(dispute.units(terms.lines), by), dispute.currency)


def is_shown(dispute: Dispute, evidence_id: str) -> bool:
    piece = dispute.evidence.get(evidence_id)
    return piece is not None and piece.shown


def fields_of(dispute: Dispute, said: Decision, by: Sender) -> dict[str, Any]:
    """What the event of a decision says, and that of its appeal."""
    terms = terms_of(said)
    return {
        "outcome": terms.outcome,
        "currency": dispute.currency,
        "amount_minor": terms.amount_minor,
        "lines": [*terms.lines],
        "replacement_sku": terms.replacement_sku,
        "liable": said.liable,
        "seller_fault_pct": said.seller_fault_pct,
        "buyer_abuse": said.buyer_abuse,
        "rule_ids": [*said.rule_ids],
        "evidence_ids": [*said.evidence_ids],
        "decided_by": by.actor.id,
        "facts_for_buyer": said.facts_for_buyer,
        "facts_for_seller": said.facts_for_seller,
    }


def facts_against(said: Decision) -> Mapping[Party, str]:
    """For each whom it goes against, the facts that are sealed for him."""
    facts: dict[Party, str | None] = {
        "BUYER": said.facts_for_buyer,
        "SELLER": said.facts_for_seller,
    }
    return {side: told for side in against(said.outcome) if (told := facts[side])}


# --- What is asked of it


def shape_of_decision(said: Decision, _: Sender) -> Iterator[FieldError]:
    """What contradicts itself."""
    yield from faults_of(said)
    if not is_fault(said):
        yield FieldError(
            field="seller_fault_pct",
            bound="1..100 and a remedy where the seller is liable; else 0..99, and 0 with none",
        )
    if said.liable == "BUYER" and said.outcome not in ("REJECTED", "REFUND_PARTIAL"):
        yield FieldError(field="liable", bound="who is liable is not paid in full")
    if said.buyer_abuse and (said.liable, said.outcome) != ("BUYER", "REJECTED"):
        yield FieldError(field="buyer_abuse", bound="of a liable buyer who gets nothing")


def is_fault(said: Decision) -> bool:
    pct, rejected = said.seller_fault_pct, said.outcome == "REJECTED"
    if said.liable == "SELLER":
        return 1 <= pct <= WHOLE_FAULT_PCT and not rejected
    return 0 <= pct < (1 if rejected else WHOLE_FAULT_PCT)


def with_reasons(dispute: Dispute, said: Decision, _: Sender) -> None:
    """Rules, facts, plain words; and evidence, where anybody has shown any."""
    facts = said.facts_for_buyer and said.facts_for_seller
    evidence = said.evidence_ids or not has_evidence(dispute)
    require_reasons(
        rule_ids=said.rule_ids,
        evidence_ids=evidence,
        facts_text=facts,
        explanation=said.explanation,
    )


def has_evidence(dispute: Dispute) -> bool:
    submitted = any(told.evidence_ids for told in dispute.submissions.values())
    return submitted or any(piece.shown for piece in dispute.evidence.values())


REASONED = Guard(with_reasons, ReasonsMissing)


def may_decide(dispute: Dispute, _: object, by: Sender) -> None:
    """who is assigned to it, and no question is open"""
    require_assigned(dispute, by)
    if dispute.question:
        raise nothing_such(dispute)


MAY_DECIDE = Guard(may_decide, RoleNotAllowed, WrongState)


def on_these_lines[C: Decision](example: C, dispute: Dispute) -> C:
    """A decision that would be taken, as far as its fields go."""
    shown = tuple(each for each, piece in dispute.evidence.items() if piece.shown)
    told: Any = example
    changed: C = replace(told, lines=dispute.lines, evidence_ids=shown[:1])
    return changed


DECISION = DecideDispute(
    outcome="RETURN_AND_REFUND",
    lines=(DisputedLine(line_id="1", quantity=1),),
    liable="SELLER",
    seller_fault_pct=100,
    rule_ids=("D-7",),
    evidence_ids=("E-1",),
    facts_for_buyer="The picture of the offer shows another material.",
    facts_for_seller="The picture of the offer shows another material.",
    explanation="What was sent is not what was offered. The goods go back, the price is refunded.",
)
DECIDE_DISPUTE = DisputeRule(
    DecideDispute,
    decide_dispute,
    roles=("AGENT", "SENIOR"),
    shape=shape_of_decision,
    human=True,
    impartial=IMPARTIAL,
    reasons=REASONED,
    states=("REVIEW",),
    stands=MAY_DECIDE,
    refuses=(AmountExceedsCeiling,),
    events=(DisputeDecided, StatementOfReasonsIssued),
    example=DECISION,
    tries=lambda dispute, _: [on_these_lines(DECISION, dispute)],
)
