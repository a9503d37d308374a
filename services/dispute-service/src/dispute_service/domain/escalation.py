"""Parties who do not agree in, a matter that people will decide out."""

from typing import Literal

from msgspec import Struct
from shared_casework.parties import PARTY
from shared_casework.values import utc
from shared_events.dispute import DisputeEscalated, DisputeEvent
from shared_runtime.rule import Window

from dispute_service.domain.dispute_state import Dispute
from dispute_service.domain.known import PERSON, Sender, ceiling_of
from dispute_service.domain.matter import DisputeRule


class EscalateDispute(Struct, frozen=True):
    """To an adjudicator: evidence first."""


def escalate_dispute(dispute: Dispute, _: EscalateDispute, by: Sender) -> list[DisputeEvent]:
    """A buyer from `dispute_escalate_buyer` on, a seller who has acted from
    `dispute_escalate_seller`, by itself after `dispute_negotiation`. All that is left of the lines
    is held: a decision may give it.
    """
    role = by.actor.acts_as
    assert role in ("BUYER", "SELLER", "SYSTEM")
    return [escalated(dispute, role, by)]


def escalated(
    dispute: Dispute, by_role: Literal["BUYER", "SELLER", "SYSTEM"], by: Sender
) -> DisputeEscalated:
    return DisputeEscalated(
        **dispute.ids,
        by_role=by_role,
        evidence_due=utc(by.now) + dispute.policy(by).dispute_evidence,
        currency=dispute.currency,
        held_minor=ceiling_of(dispute.units(dispute.lines), by),
    )


def escalating(dispute: Dispute, _: object, by: Sender) -> Window | None:
    """A silent seller waits for his own act; once he is to be judged for it, nobody escalates."""
    if dispute.status != "NEGOTIATING":
        return Window()
    silent = not dispute.seller_acted
    latest = dispute.answer_due if silent else None
    match by.actor.acts_as:
        case "BUYER":
            return Window(dispute.opened.buyer_may_escalate_at, latest)
        case "SELLER" if silent and by.now < dispute.answer_due:
            return None
        case "SELLER":
            return Window(None if silent else dispute.opened.seller_may_escalate_at, latest)
        case _:
            return Window(latest if silent else dispute.auto_escalate_at, latest)


ESCALATE_DISPUTE = DisputeRule(
    EscalateDispute,
    escalate_dispute,
    roles=("BUYER", "SELLER", "SYSTEM"),
    party=PARTY,
    barred=PERSON,
    states=("NEGOTIATING",),
    window=escalating,
    early=True,
    lapses=True,
    events=(DisputeEscalated,),
    example=EscalateDispute(),
)
