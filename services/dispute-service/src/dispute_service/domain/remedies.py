"""How a dispute ends in, the remedy that is ordered, or its end at once, out."""

from typing import Literal

from msgspec import Struct
from shared_casework.values import utc
from shared_events.dispute import (
    Basis,
    DisputeClosed,
    DisputeEvent,
    DisputeFinalized,
    DisputeReason,
    DisputeSettled,
    Ending,
    Executed,
    Liable,
    Outcome,
    RemedyOrdered,
)
from shared_events.fields import Id, Minor
from shared_runtime.decider import WrongState
from shared_runtime.rule import Guard

from dispute_service.domain.dispute_state import Dispute
from dispute_service.domain.known import Sender
from dispute_service.domain.matter import DisputeRule, nothing_such
from dispute_service.domain.streams import remedy_id_of
from dispute_service.domain.terms import SHIPS_BACK, Terms

SELLERS_FAULT: tuple[DisputeReason, ...] = (
    "DAMAGED",
    "WRONG_ITEM",
    "NOT_AS_DESCRIBED",
    "MISSING_PARTS",
    "NOT_RECEIVED",
    "COUNTERFEIT",
)
RESOLVED_IN = ("NEGOTIATING", "EVIDENCE", "REBUTTAL")
"""Settled by then, the parties did it; later somebody had to look at it for them."""
WHOLE_FAULT_PCT = 100
HOW: dict[Basis, Ending] = {
    "SETTLEMENT": "SETTLED",
    "DEFAULT": "DEFAULT",
    "DECISION": "DECIDED",
    "PLATFORM": "PLATFORM",
}


class Verdict(Struct, frozen=True, kw_only=True):
    """How it ends, and whom that is attributed to."""

    basis: Basis
    terms: Terms
    liable: Liable
    buyer_abuse: bool = False
    seller_fault_pct: int = 0
    after_appeal: bool = False


def by_settlement(terms: Terms) -> Verdict:
    return Verdict(basis="SETTLEMENT", terms=terms, liable="NONE")


def by_default(terms: Terms) -> Verdict:
    return Verdict(basis="DEFAULT", terms=terms, liable="SELLER", seller_fault_pct=WHOLE_FAULT_PCT)


def settled(
    dispute: Dispute, how: Literal["MATCHED", "ACCEPTED", "BLIND_OVERLAP"], terms: Terms, by: Sender
) -> list[DisputeEvent]:
    """Both hold the same proposal: what they agree on is ordered."""
    told = DisputeSettled(
        **dispute.ids,
        how=how,
        outcome=terms.outcome,
        currency=dispute.currency,
        amount_minor=terms.amount_minor,
        lines=[*terms.lines],
        replacement_sku=terms.replacement_sku,
        settled_at=utc(by.now),
    )
    return [told, carried_out(dispute, by_settlement(terms), by)]


def finalized(dispute: Dispute, verdict: Verdict, by: Sender) -> list[DisputeEvent]:
    """A decision that nothing can change any more."""
    told = DisputeFinalized(
        **dispute.ids,
        outcome=verdict.terms.outcome,
        currency=dispute.currency,
        amount_minor=verdict.terms.amount_minor,
        liable=verdict.liable,
        buyer_abuse=verdict.buyer_abuse,
        after_appeal=verdict.after_appeal,
    )
    return [told, carried_out(dispute, verdict, by)]


def carried_out(dispute: Dispute, verdict: Verdict, by: Sender) -> RemedyOrdered | DisputeClosed:
    """The remedy is ordered. Where there is none, the dispute is over."""
    if verdict.terms.outcome == "REJECTED":
        return closed(dispute, verdict, "NO_REMEDY", 0, by)
    policy = dispute.policy(by)
    within = policy.dispute_execution
    if verdict.terms.outcome in SHIPS_BACK:
        within += policy.return_back_in
    return RemedyOrdered(
        **dispute.ids,
        remedy_id=remedy_id_of(dispute.dispute_id),
        basis=verdict.basis,
        reason=dispute.reason,
        outcome=verdict.terms.outcome,
        currency=dispute.currency,
        amount_minor=verdict.terms.amount_minor,
        lines=dispute.named(verdict.terms.lines),
        replacement_sku=verdict.terms.replacement_sku,
        liable=verdict.liable,
        seller_at_fault=is_sellers_fault(dispute, verdict),
        execute_by=utc(by.now) + within,
    )


def is_sellers_fault(dispute: Dispute, verdict: Verdict) -> bool:
    """Who pays for the way back, and for the shipping. Of a settlement the reason tells."""
    if verdict.basis != "SETTLEMENT":
        return verdict.liable == "SELLER"
    if dispute.reason == "SELLER_REFUSED_RETURN":
        return dispute.opened.seller_at_fault is True
    return dispute.reason in SELLERS_FAULT


def closed(
    dispute: Dispute,
    verdict: Verdict,
    result: Executed | Literal["NO_REMEDY"],
    refunded_minor: int,
    by: Sender,
) -> DisputeClosed:
    outcome = verdict.terms.outcome
    resolved = outcome != "REJECTED" and dispute.reached in RESOLVED_IN
    return ended(
        dispute,
        by,
        how=HOW[verdict.basis],
        outcome=outcome,
        result=result,
        refunded_minor=refunded_minor,
        liable=verdict.liable,
        resolved_by_seller=verdict.basis == "SETTLEMENT" and resolved,
        buyer_abuse=verdict.buyer_abuse,
        seller_fault_pct=verdict.seller_fault_pct,
    )


def ended(
    dispute: Dispute,
    by: Sender,
    *,
    how: Ending,
    result: Executed | Literal["NO_REMEDY", "WITHDRAWN"],
    outcome: Outcome | None = None,
    refunded_minor: int = 0,
    liable: Liable = "NONE",
    resolved_by_seller: bool = False,
    buyer_abuse: bool = False,
    seller_fault_pct: int = 0,
) -> DisputeClosed:
    # What the marketplace bears is not taken from the seller's payout.
    from_payout = 0 if liable == "PLATFORM" else refunded_minor
    opened_at, responded_at = dispute.opened.opened_at, dispute.responded_at
    return DisputeClosed(
        **dispute.ids,
        how=how,
        reason=dispute.reason,
        lines=dispute.opened.lines,
        outcome=outcome,
        result=result,
        currency=dispute.currency,
        refunded_minor=refunded_minor,
        liable=liable,
        resolved_by_seller=resolved_by_seller,
        buyer_abuse=buyer_abuse,
        seller_fault_pct=seller_fault_pct,
        stage_reached=dispute.reached,
        first_response_seconds=(
            int((responded_at - opened_at).total_seconds()) if responded_at else None
        ),
        opened_at=opened_at,
        closed_at=utc(by.now),
        held_released_minor=max(dispute.held_minor - from_payout, 0),
    )


# --- What became of the remedy


class ConfirmExecution(Struct, frozen=True, kw_only=True):
    """What was done about the remedy; `amount_minor`: what was paid for it in all."""

    remedy_id: Id
    result: Executed
    amount_minor: Minor = 0


def confirm_execution(dispute: Dispute, said: ConfirmExecution, by: Sender) -> list[DisputeEvent]:
    """Closes the dispute. A refund that failed closes nothing: somebody has to see to it."""
    return [closed(dispute, executed(dispute), said.result, said.amount_minor, by)]


def executed(dispute: Dispute) -> Verdict:
    """What the remedy under way was ordered on."""
    remedy, final, decision = dispute.remedy, dispute.finalized, dispute.last_decision
    assert remedy
    by_people = remedy.basis == "DECISION" and decision is not None
    pct = decision.seller_fault_pct if by_people and decision else 0
    return Verdict(
        basis=remedy.basis,
        terms=Terms(outcome=remedy.outcome, lines=(), amount_minor=remedy.amount_minor),
        liable=remedy.liable,
        buyer_abuse=final.buyer_abuse if final else False,
        seller_fault_pct=WHOLE_FAULT_PCT if remedy.basis == "DEFAULT" else pct,
    )


def of_this_remedy(dispute: Dispute, said: ConfirmExecution, _: Sender) -> None:
    """its remedy"""
    if dispute.remedy is None or dispute.remedy.remedy_id != said.remedy_id:
        raise nothing_such(dispute)


CONFIRM_EXECUTION = DisputeRule(
    ConfirmExecution,
    confirm_execution,
    roles=("SYSTEM",),
    states=("EXECUTING",),
    stands=Guard(of_this_remedy, WrongState),
    lapses=True,
    events=(DisputeClosed,),
    example=ConfirmExecution(
        remedy_id="5b0e9a52-3c5e-5f7e-9d2a-6a0c2f1b7e44", result="REFUNDED", amount_minor=2250
    ),
)
