"""A dispute and what happens to it in, how it stands then out."""

from collections.abc import Iterable
from datetime import UTC, datetime

from msgspec.structs import replace
from shared_events.common import DecisionOverdue, StatementOfReasonsIssued
from shared_events.dispute import (
    AdjudicationStarted,
    AdjudicatorAssigned,
    AppealAnswered,
    AppealWaived,
    BlindOfferMade,
    DefaultJudgementGiven,
    DisputeAppealDecided,
    DisputeAppealed,
    DisputeClosed,
    DisputeDecided,
    DisputedLine,
    DisputeEscalated,
    DisputeEvent,
    DisputeFinalized,
    DisputeMessageAdded,
    DisputeOpened,
    DisputeSettled,
    DisputeWithdrawn,
    EvidenceDisclosed,
    EvidenceExtended,
    EvidenceLodged,
    EvidenceRemoved,
    EvidenceShared,
    EvidenceSubmitted,
    InfoLapsed,
    InfoProvided,
    InfoRequested,
    PlatformDefaultGiven,
    ProposalAccepted,
    ProposalMade,
    ProposalRejected,
    RebuttalSubmitted,
    RemedyOrdered,
)
from shared_events.fields import Party

from dispute_service.domain.dispute_state import (
    APPEALABLE,
    Dispute,
    DisputeState,
    Evidence,
    Proposal,
)
from dispute_service.domain.terms import Terms, sorted_lines

type Negotiation = (
    ProposalMade | ProposalAccepted | ProposalRejected | BlindOfferMade | DisputeMessageAdded
)
type Proof = (
    EvidenceLodged
    | EvidenceShared
    | EvidenceRemoved
    | EvidenceExtended
    | EvidenceSubmitted
    | EvidenceDisclosed
    | RebuttalSubmitted
)
type Adjudication = (
    AdjudicationStarted
    | AdjudicatorAssigned
    | InfoRequested
    | InfoProvided
    | InfoLapsed
    | DisputeDecided
    | AppealWaived
    | DisputeAppealed
    | AppealAnswered
    | DisputeAppealDecided
)


def evolve(  # noqa: PLR0911 - one arm for each event
    state: DisputeState, event: DisputeEvent
) -> DisputeState:
    if isinstance(event, DisputeOpened):
        return opened(event)
    assert isinstance(state, Dispute)
    match event:
        case DisputeEscalated(evidence_due=due, held_minor=held):
            return replace(
                seller_acting(state, event.by_role),
                status="EVIDENCE",
                reached="EVIDENCE",
                evidence_due=due,
                held_minor=held,
            )
        case DisputeFinalized():
            return replace(state, finalized=event)
        case RemedyOrdered():
            return replace(state, status="EXECUTING", remedy=event, question=None, adjudicator=None)
        case DisputeClosed():
            return replace(state, status="CLOSED", closed=event, question=None, adjudicator=None)
        case DecisionOverdue(what=what, ref_id=ref_id, due_at=due_at):
            told = (what, ref_id, due_at.astimezone(UTC))
            return replace(state, overdue=state.overdue | {told})
        case (
            DisputeSettled()
            | DefaultJudgementGiven()
            | PlatformDefaultGiven()
            | DisputeWithdrawn()
            | StatementOfReasonsIssued()
        ):
            return state  # what comes of it is told in the same commit
        case _:
            return in_course(state, event)


def in_course(state: Dispute, event: Negotiation | Proof | Adjudication) -> Dispute:
    match event:
        case (
            ProposalMade()
            | ProposalAccepted()
            | ProposalRejected()
            | BlindOfferMade()
            | DisputeMessageAdded()
        ):
            return negotiated(state, event)
        case (
            EvidenceLodged()
            | EvidenceShared()
            | EvidenceRemoved()
            | EvidenceExtended()
            | EvidenceSubmitted()
            | EvidenceDisclosed()
            | RebuttalSubmitted()
        ):
            return proven(state, event)
        case _:
            return judged(state, event)


def opened(event: DisputeOpened) -> Dispute:
    lines = sorted_lines(
        DisputedLine(line_id=line.line_id, quantity=line.quantity) for line in event.lines
    )
    asked = Proposal(
        proposal_id=event.proposal_id,
        by_role="BUYER",
        terms=Terms(
            outcome=event.outcome,
            lines=lines,
            amount_minor=event.amount_minor,
            replacement_sku=event.replacement_sku,
        ),
    )
    current: dict[Party, Proposal] = {"BUYER": asked}
    if event.refusal_id:
        refused = Terms(outcome="REJECTED", lines=lines)
        current["SELLER"] = Proposal(proposal_id=event.refusal_id, by_role="SELLER", terms=refused)
    return Dispute(
        opened=event,
        current=current,
        authors={each.proposal_id: side for side, each in current.items()},
        grantable=asked,
        answer_due=event.answer_due,
        auto_escalate_at=event.auto_escalate_at,
        held_minor=event.held_minor,
        seller_acted=event.refusal_id is not None,
    )


# --- Between the parties


def negotiated(state: Dispute, event: Negotiation) -> Dispute:
    match event:
        case ProposalMade():
            return proposed(seller_acting(state, event.by_role, event.made_at), event)
        case ProposalAccepted():
            return seller_acting(state, event.by_role, event.accepted_at)
        case ProposalRejected(by_role=side, proposal_id=proposal_id):
            acting = seller_acting(state, side, event.rejected_at)
            return replace(acting, rejected=state.rejected | {(side, proposal_id)})
        case BlindOfferMade(by_role=side, amount_minor=amount):
            offers = (*state.offers.get(side, ()), amount)
            acting = seller_acting(state, side, event.made_at)
            return replace(acting, offers=state.offers | {side: offers})
        case DisputeMessageAdded(message_id=message_id):
            return replace(state, messages=state.messages | {message_id: event})


def seller_acting(state: Dispute, side: str, at: datetime | None = None) -> Dispute:
    if side != "SELLER":
        return state
    return replace(state, seller_acted=True, responded_at=state.responded_at or at)


def proposed(state: Dispute, event: ProposalMade) -> Dispute:
    side = event.by_role
    made = Proposal(
        proposal_id=event.proposal_id,
        by_role=side,
        terms=Terms(
            outcome=event.outcome,
            lines=tuple(event.lines),
            amount_minor=event.amount_minor,
            replacement_sku=event.replacement_sku,
        ),
    )
    rearms = event.answer_due is not None
    return replace(
        state,
        current=state.current | {side: made},
        authors=state.authors | {event.proposal_id: side},
        grantable=made if rearms else state.grantable,
        rearmed=state.rearmed + rearms,
        answer_due=event.answer_due or state.answer_due,
        auto_escalate_at=event.auto_escalate_at or state.auto_escalate_at,
        held_minor=state.held_minor if event.held_minor is None else event.held_minor,
    )


# --- Evidence


def proven(  # noqa: PLR0911 - one arm for each event
    state: Dispute, event: Proof
) -> Dispute:
    match event:
        case EvidenceLodged(evidence_id=evidence_id):
            piece = Evidence(lodged=event, after_decision=state.status in APPEALABLE)
            acting = seller_acting(state, event.by_role, event.lodged_at)
            return replace(acting, evidence=state.evidence | {evidence_id: piece})
        case EvidenceShared(evidence_ids=ids, shared_at=at):
            return marked(state, ids, sealed_at=at, shown=True)
        case EvidenceRemoved(evidence_id=gone):
            left = {each: piece for each, piece in state.evidence.items() if each != gone}
            return replace(state, evidence=left)
        case EvidenceExtended(evidence_due=due):
            return replace(state, evidence_due=due, extended=True)
        case EvidenceSubmitted(by_role=side, evidence_ids=ids, submitted_at=at):
            late = state.status != "EVIDENCE"  # all has been disclosed, and this is with it
            sealed = marked(state, ids, sealed_at=at, shown=late)
            return replace(sealed, submissions=state.submissions | {side: event})
        case EvidenceDisclosed(evidence_ids=ids, rebuttal_due=due):
            shown = marked(state, ids, shown=True)
            return replace(shown, status="REBUTTAL", reached="REBUTTAL", rebuttal_due=due)
        case RebuttalSubmitted(by_role=side, evidence_ids=ids, submitted_at=at):
            sealed = marked(state, ids, sealed_at=at)
            return replace(sealed, rebuttals=state.rebuttals | {side: event})


def marked(
    state: Dispute, ids: Iterable[str], *, sealed_at: datetime | None = None, shown: bool = False
) -> Dispute:
    """A piece that a reader does not know of is not marked for him."""
    changed = {
        each: replace(piece, sealed_at=piece.sealed_at or sealed_at, shown=piece.shown or shown)
        for each in ids
        if (piece := state.evidence.get(each))
    }
    return replace(state, evidence=state.evidence | changed)


# --- The decision and its appeals


def judged(  # noqa: C901, PLR0911 - one arm for each event
    state: Dispute, event: Adjudication
) -> Dispute:
    match event:
        case AdjudicationStarted(decide_by=due):
            named = [each for told in state.rebuttals.values() for each in told.evidence_ids]
            shown = marked(state, named, shown=True)
            return replace(shown, status="REVIEW", reached="REVIEW", decide_by=due)
        case AdjudicatorAssigned():
            return replace(state, adjudicator=event)
        case InfoRequested():
            return replace(state, question=event, questions=state.questions + 1)
        case InfoProvided(evidence_ids=ids, provided_at=at, decide_by=due):
            shown = marked(state, ids, sealed_at=at, shown=True)
            return replace(shown, question=None, decide_by=due)
        case InfoLapsed(decide_by=due):
            return replace(state, question=None, decide_by=due)
        case DisputeDecided():
            return replace(
                state, status="DECIDED", reached="DECIDED", decision=event, adjudicator=None
            )
        case AppealWaived(by_role=side):
            return replace(state, waived=state.waived | {side})
        case DisputeAppealed(by_role=side, evidence_ids=ids, appealed_at=at, decide_by=due):
            shown = marked(state, ids, sealed_at=at, shown=True)
            return replace(
                shown,
                status="APPEAL",
                reached="APPEAL",
                appeals=state.appeals | {side: event},
                decide_by=due,
            )
        case AppealAnswered(appeal_id=appeal_id, evidence_ids=ids, answered_at=at):
            shown = marked(state, ids, sealed_at=at, shown=True)
            return replace(shown, answers=state.answers | {appeal_id: event})
        case DisputeAppealDecided():
            return replace(state, appeal_decision=event)
