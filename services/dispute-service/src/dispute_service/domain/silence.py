"""A seller who has not answered in; what the buyer asked for, as far as a rule may, out."""

from typing import Annotated

from msgspec import Struct
from shared_events.common import StatementOfReasonsIssued
from shared_events.dispute import (
    DefaultJudgementGiven,
    DisputeEscalated,
    DisputeEvent,
    RemedyOrdered,
)
from shared_events.fields import TEXT_LENGTH_MAX
from shared_runtime.decider import WrongState
from shared_runtime.rule import Guard, Window
from shared_runtime.shape import Words

from dispute_service.domain.dispute_state import Dispute
from dispute_service.domain.escalation import escalated
from dispute_service.domain.known import Sender, ceiling_of
from dispute_service.domain.matter import DisputeRule, nothing_such
from dispute_service.domain.remedies import by_default, carried_out
from dispute_service.domain.statements import told_why
from dispute_service.domain.terms import Terms, granted

RULE = "silence"
EXPLANATION = (
    "You did not answer the buyer's complaint in time. So what the buyer proposed was granted, as "
    "far as it may be without anybody having looked at it: goods that the buyer has go back to you."
)


class GiveDefaultJudgement(Struct, frozen=True, kw_only=True):
    """`facts`: what was proposed and when it had been due, sealed for the seller."""

    facts: Annotated[str, Words(TEXT_LENGTH_MAX, sealed_for="SELLER")]


def facts_of_silence(dispute: Dispute) -> str:
    """The facts of the statement, which nobody has written: to be sealed for the seller."""
    asked, due = dispute.grantable, dispute.answer_due
    return (
        f"Proposal {asked.proposal_id} of the buyer ({asked.terms.outcome}) was to be answered "
        f"before {due:%Y-%m-%d %H:%M} UTC. Until then there was no act of yours in the dispute."
    )


def give_default_judgement(
    dispute: Dispute, said: GiveDefaultJudgement, by: Sender
) -> list[DisputeEvent]:
    """Grants the buyer's last proposal that gave the seller time to answer. It goes to people
    instead where a person is to decide what this buyer claims, or where nothing is said to have
    come and a delivery is known.
    """
    terms = granted_if_silent(dispute, by)
    if terms is None:
        return [escalated(dispute, "SYSTEM", by)]
    given = DefaultJudgementGiven(
        **dispute.ids,
        proposal_id=dispute.grantable.proposal_id,
        outcome=terms.outcome,
        currency=dispute.currency,
        amount_minor=terms.amount_minor,
        lines=[*terms.lines],
        answer_due=dispute.answer_due,
    )
    told = told_why(
        dispute,
        by,
        RULE,
        {"SELLER": said.facts},
        rule_ids=(RULE,),
        explanation=EXPLANATION,
        automated="FULLY",
    )
    return [given, carried_out(dispute, by_default(terms), by), *told]


def granted_if_silent(dispute: Dispute, by: Sender) -> Terms | None:
    """What the rule grants of what the buyer has asked for; None where a person is to decide."""
    if by.known.manual_only or is_known_to_have_come(dispute, by):
        return None
    asked = dispute.grantable.terms
    ceiling = ceiling_of(dispute.units(asked.lines), by)
    return granted(asked, dispute.reason, dispute.ground, ceiling, dispute.policy(by))


def is_known_to_have_come(dispute: Dispute, by: Sender) -> bool:
    """Whether somebody has told of a delivery of a piece that is said not to have come."""
    if dispute.reason != "NOT_RECEIVED":
        return False
    disputed = set(dispute.units(dispute.lines))
    pieces = [piece for piece in by.known.units if piece.unit in disputed]
    order = by.known.order
    assert order
    told = order.delivered_at or order.confirmed_at
    return any(
        (piece.delivered_at and not piece.arrival_assumed) if piece.is_replacement else told
        for piece in pieces
    )


def is_silent(dispute: Dispute, _: object, __: Sender) -> None:
    """the seller has never acted"""
    if dispute.seller_acted:
        raise nothing_such(dispute)


def once_due(dispute: Dispute, _: object, __: Sender) -> Window:
    return Window(earliest=dispute.answer_due)


GIVE_DEFAULT_JUDGEMENT = DisputeRule(
    GiveDefaultJudgement,
    give_default_judgement,
    roles=("SYSTEM",),
    states=("NEGOTIATING",),
    stands=Guard(is_silent, WrongState),
    window=once_due,
    early=True,
    lapses=True,
    events=(DefaultJudgementGiven, RemedyOrdered, StatementOfReasonsIssued, DisputeEscalated),
    example=GiveDefaultJudgement(facts="Proposed on 2 March; no answer until 7 March."),
)
