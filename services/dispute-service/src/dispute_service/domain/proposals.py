"""What a party would accept in; a settlement, where both would accept the same, out."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated

from msgspec import Meta, Struct
from shared_casework.parties import PARTY
from shared_casework.values import refuse, require_currency, utc
from shared_events.dispute import (
    DisputeClosed,
    DisputedLine,
    DisputeEvent,
    DisputeSettled,
    Outcome,
    ProposalAccepted,
    ProposalMade,
    ProposalRejected,
    RemedyOrdered,
)
from shared_events.fields import NOTE_LENGTH_MAX, Currency, Id, Minor
from shared_runtime.decider import (
    AmountExceedsCeiling,
    FieldError,
    LimitReached,
    StaleProposal,
    WrongState,
)
from shared_runtime.shape import Made, Words

from dispute_service.domain.dispute_state import BEFORE_DECISION, OTHER, Dispute, Proposal
from dispute_service.domain.known import PERSON, Sender, ceiling_of, party_of
from dispute_service.domain.matter import DisputeRule, nothing_such, while_answering
from dispute_service.domain.remedies import settled
from dispute_service.domain.terms import (
    SHIPS_BACK,
    Lines,
    Terms,
    faults_of,
    held_for,
    require_below,
    require_lines,
    sorted_lines,
)

type Message = Annotated[str | None, Words(NOTE_LENGTH_MAX)]


class Propose(Struct, frozen=True, kw_only=True):
    """What to do about which of the pieces in dispute."""

    proposal_id: Annotated[Id, Made("proposal")]
    outcome: Outcome
    lines: Annotated[Lines, Meta(min_length=1)]
    amount_minor: Minor | None = None
    currency: Currency | None = None
    replacement_sku: Id | None = None
    text: Message = None


class AcceptProposal(Struct, frozen=True, kw_only=True):
    """The other party's, as it stands by now."""

    proposal_id: Id


class RejectProposal(Struct, frozen=True, kw_only=True):
    """It stays its author's: it can still be matched, or win where nobody answers."""

    proposal_id: Id
    text: Message = None


def propose(dispute: Dispute, said: Propose, by: Sender) -> list[DisputeEvent]:
    """Replaces the party's own. Equal to the other's it settles the dispute. A buyer's gives a
    silent seller `dispute_answer` once more, `dispute_rearm_max` times.
    """
    side, terms = party_of(by), terms_of(said)
    require_possible(dispute, terms, said, by)
    if said.proposal_id in dispute.authors:
        raise refuse("proposal_id", "not that of another proposal")
    policy = dispute.policy(by)
    if list(dispute.authors.values()).count(side) >= policy.dispute_proposals_max:
        raise LimitReached(limit=policy.dispute_proposals_max)
    ceiling = ceiling_of(dispute.units(terms.lines), by)
    require_below(terms, ceiling, dispute.currency)
    answer_due, auto_escalate_at = rearmed(dispute, policy.dispute_answer, by)
    held = held_for(terms, ceiling)
    made = ProposalMade(
        **dispute.ids,
        proposal_id=said.proposal_id,
        by_role=side,
        outcome=terms.outcome,
        currency=dispute.currency,
        amount_minor=terms.amount_minor,
        lines=[*terms.lines],
        replacement_sku=terms.replacement_sku,
        text=said.text,
        made_at=utc(by.now),
        answer_due=answer_due,
        auto_escalate_at=auto_escalate_at,
        held_minor=held if held > dispute.held_minor else None,
    )
    others = dispute.current.get(OTHER[side])
    if others is None or others.terms != terms:
        return [made]
    return [made, *settled(dispute, "MATCHED", terms, by)]


def terms_of(said: Propose) -> Terms:
    return Terms(
        outcome=said.outcome,
        lines=sorted_lines(said.lines),
        amount_minor=said.amount_minor,
        replacement_sku=said.replacement_sku,
    )


def require_possible(dispute: Dispute, terms: Terms, said: Propose, by: Sender) -> None:
    """Raises `InvalidValue` for what this dispute can't come to."""
    require_currency(said.currency, dispute.currency)
    require_lines(terms.lines, dispute.quantities)
    if terms.outcome not in SHIPS_BACK:
        return
    never_came = dispute.reason == "NOT_RECEIVED" and party_of(by) == "BUYER"
    if never_came or dispute.goods_away:
        raise refuse("outcome", "nothing that needs the goods")


def rearmed(
    dispute: Dispute, answer: timedelta, by: Sender
) -> tuple[datetime | None, datetime | None]:
    """Until when a silent seller may answer now, and when it escalates: later by as much."""
    rearms = dispute.rearmed < dispute.policy(by).dispute_rearm_max
    silent = dispute.status == "NEGOTIATING" and not dispute.seller_acted
    if not (party_of(by) == "BUYER" and silent and rearms):
        return None, None
    due = utc(by.now) + answer
    return due, dispute.auto_escalate_at + (due - dispute.answer_due)


def shape_of_proposal(said: Propose, by: Sender) -> Iterator[FieldError]:
    yield from faults_of(said)
    if said.outcome == "REJECTED" and by.actor.acts_as == "BUYER":
        yield FieldError(field="outcome", bound="a remedy")


def is_held(dispute: Dispute, said: Propose, by: Sender) -> bool:
    """Whether it is what the party stands by already."""
    own = dispute.current.get(party_of(by))
    return own is not None and own.terms == terms_of(said)


def something_else(dispute: Dispute, by: Sender) -> Sequence[Propose]:
    """All that can be asked of the other, but for what he asks already."""
    outcomes: tuple[Outcome, ...] = ("REFUND_FULL", "REPLACEMENT_NO_RETURN")
    tried = [
        Propose(proposal_id="P-new", outcome=outcome, lines=dispute.lines) for outcome in outcomes
    ]
    return [said for said in tried if not is_held(dispute, said, by)]


PROPOSE = DisputeRule(
    Propose,
    propose,
    roles=("BUYER", "SELLER"),
    shape=shape_of_proposal,
    party=PARTY,
    barred=PERSON,
    repeated=is_held,
    states=BEFORE_DECISION,
    window=while_answering,
    refuses=(LimitReached, AmountExceedsCeiling),
    events=(ProposalMade, DisputeSettled, RemedyOrdered),
    example=Propose(
        proposal_id="P-2",
        outcome="REFUND_PARTIAL",
        lines=(DisputedLine(line_id="1", quantity=1),),
        amount_minor=2250,
        currency="EUR",
        text="It was scratched when it was packed: half of the price.",
    ),
    tries=something_else,
)


def others_proposal(dispute: Dispute, proposal_id: str, by: Sender) -> Proposal:
    """Raises `WrongState` where it is not the other party's, `StaleProposal` where it was."""
    others = OTHER[party_of(by)]
    current = dispute.current.get(others)
    if current is None or dispute.authors.get(proposal_id) != others:
        raise nothing_such(dispute)
    if current.proposal_id != proposal_id:
        raise StaleProposal(current_proposal_id=current.proposal_id)
    return current


def accept_proposal(dispute: Dispute, said: AcceptProposal, by: Sender) -> list[DisputeEvent]:
    """It must be the other party's current one: what he accepts is what he has seen."""
    proposal = others_proposal(dispute, said.proposal_id, by)
    ceiling = ceiling_of(dispute.units(proposal.terms.lines), by)
    require_below(proposal.terms, ceiling, dispute.currency)
    accepted = ProposalAccepted(
        **dispute.ids,
        proposal_id=said.proposal_id,
        by_role=party_of(by),
        accepted_at=utc(by.now),
    )
    return [accepted, *settled(dispute, "ACCEPTED", proposal.terms, by)]


def the_others(dispute: Dispute, by: Sender) -> Sequence[str]:
    current = dispute.current.get(OTHER[party_of(by)])
    return [current.proposal_id] if current else ["none"]


def to_accept(dispute: Dispute, by: Sender) -> Sequence[AcceptProposal]:
    return [AcceptProposal(proposal_id=each) for each in the_others(dispute, by)]


ACCEPT_PROPOSAL = DisputeRule(
    AcceptProposal,
    accept_proposal,
    roles=("BUYER", "SELLER"),
    party=PARTY,
    barred=PERSON,
    states=BEFORE_DECISION,
    window=while_answering,
    refuses=(StaleProposal, AmountExceedsCeiling),
    events=(ProposalAccepted, DisputeSettled, RemedyOrdered, DisputeClosed),
    example=AcceptProposal(proposal_id="P-2"),
    tries=to_accept,
)


def reject_proposal(dispute: Dispute, said: RejectProposal, by: Sender) -> list[DisputeEvent]:
    """An act of the seller, so that nothing is granted for his silence."""
    others_proposal(dispute, said.proposal_id, by)
    return [
        ProposalRejected(
            **dispute.ids,
            proposal_id=said.proposal_id,
            by_role=party_of(by),
            text=said.text,
            rejected_at=utc(by.now),
        )
    ]


def is_rejected(dispute: Dispute, said: RejectProposal, by: Sender) -> bool:
    return (party_of(by), said.proposal_id) in dispute.rejected


def to_reject(dispute: Dispute, by: Sender) -> Sequence[RejectProposal]:
    return [RejectProposal(proposal_id=each) for each in the_others(dispute, by)]


REJECT_PROPOSAL = DisputeRule(
    RejectProposal,
    reject_proposal,
    roles=("BUYER", "SELLER"),
    party=PARTY,
    barred=PERSON,
    repeated=is_rejected,
    states=BEFORE_DECISION,
    window=while_answering,
    refuses=(StaleProposal, WrongState),
    events=(ProposalRejected,),
    example=RejectProposal(proposal_id="P-1", text="It was whole when it left us."),
    tries=to_reject,
)
