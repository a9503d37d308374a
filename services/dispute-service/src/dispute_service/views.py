"""What a reader may know of a dispute in, what he sees of it and can do about it now out.

Texts are sealed here, and the edge opens them. What staff wrote is sealed once for each party: each
reads his own, staff the buyer's.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, Protocol, TypeIs

from msgspec import structs
from pydantic.json_schema import SkipJsonSchema
from shared_casework.readers import Reader
from shared_events.common import StatementOfReasonsIssued
from shared_events.dispute import (
    AppealGround,
    AppealResult,
    Author,
    ContestGround,
    DecisionFact,
    DisputeAppealed,
    DisputedLine,
    DisputedUnits,
    DisputeEvent,
    DisputeMessageAdded,
    DisputeReason,
    EvidenceKind,
    InfoLapsed,
    InfoProvided,
    InfoRequested,
    InquiryTopic,
    Level,
    Liable,
    Outcome,
    ProposalMade,
    RebuttalSubmitted,
)
from shared_events.fields import Party
from shared_runtime.fields import Money
from shared_runtime.rules import Action

from dispute_service.domain.dispute_state import OTHER, SIDES, Dispute, Evidence, Status
from dispute_service.domain.inquiry_rules import INQUIRY_RULES
from dispute_service.domain.inquiry_state import Inquiry, InquiryStatus
from dispute_service.domain.known import Sender
from dispute_service.domain.readers import InquiryReading, Reading
from dispute_service.domain.rules import RULES
from dispute_service.domain.silence import granted_if_silent

PEOPLE = ("BUYER", "SELLER", "AGENT", "SENIOR")
"""Who is offered what he can do. Commands of timers and consumers are nobody's choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaLink:
    """A file, and where it can be had for a short while."""

    media_id: str
    url: str


type MediaShown = MediaLink | SkipJsonSchema[str] | None
"""Sealed here, which nobody is shown; opened, a link; null when the writer's key is gone."""
type StandingOf = Literal["CURRENT", "REJECTED"]


class ToldTerms(Protocol):
    """Terms, in a state or in an event."""

    @property
    def outcome(self) -> Outcome: ...
    @property
    def amount_minor(self) -> int | None: ...
    @property
    def lines(self) -> Iterable[DisputedLine]: ...
    @property
    def replacement_sku(self) -> str | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LineView:
    """So many pieces of a line, and which."""

    line_id: str
    quantity: int
    units: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TermsView:
    """What would be done about how many pieces of which lines."""

    outcome: Outcome
    amount: Money | None
    lines: dict[str, int]
    replacement_sku: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalView:
    """What a party stands by now. REJECTED: the other one has said no, and may still accept it."""

    proposal_id: str
    by: Party
    terms: TermsView
    text: str | None
    standing: StandingOf


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageView:
    message_id: str
    by: Literal["BUYER", "SELLER", "ADJUDICATOR"]
    text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceView:
    """`shown`: to both parties. `submitted`: it can't be taken back any more."""

    evidence_id: str
    by: Author
    kind: EvidenceKind
    sha256: str
    captured_at: datetime | None
    lodged_at: datetime
    media: MediaShown
    note: str | None
    shown: bool
    submitted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementView:
    """What a party says for himself: a rebuttal, an answer. With the evidence that he names."""

    by: Party
    text: str | None
    evidence_ids: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionView:
    """A question of whoever decides. While it is open the clock of the decision stands still."""

    of: Party
    question: str | None
    due: datetime
    answer: str | None
    evidence_ids: list[str]
    lapsed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionView:
    """What was decided, on which rules, facts and evidence; and until when it may be appealed."""

    terms: TermsView
    liable: Liable
    seller_fault_pct: int
    buyer_abuse: bool
    rule_ids: list[str]
    evidence_ids: list[str]
    facts: str | None
    decided_by: str
    result: AppealResult | None
    appeal_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppealView:
    appeal_id: str
    by: Party
    ground: AppealGround
    text: str | None
    evidence_ids: list[str]
    answer_until: datetime
    answer: StatementView | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonsView:
    """Why something went against the reader, and where he can turn."""

    sor_id: str
    recipient: Literal["BUYER", "SELLER"]
    rule_ids: list[str]
    explanation: str
    facts: str | None
    automated_decision: Literal["FULLY", "PARTIALLY", "NOT"]
    appeal_until: datetime | None
    appeal_command: str | None
    redress: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemedyView:
    """What was ordered, by when it has to be done, and what became of it."""

    remedy_id: str
    outcome: Outcome
    amount: Money | None
    lines: list[LineView]
    liable: Liable
    seller_at_fault: bool
    execute_by: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EndView:
    """How it ended."""

    how: Literal["WITHDRAWN", "SETTLED", "DEFAULT", "DECIDED", "PLATFORM"]
    result: str
    refunded: Money
    liable: Liable
    closed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeView:
    """A dispute as its reader may see it. `blind_offers`: his own; the other's nobody is shown.

    `if_silent`: the most that happens by itself if the seller does not act until `answer_due`.
    """

    dispute_id: str
    order_id: str
    seller_id: str
    buyer_id: str
    policy_version: str
    stage: Status
    reason: DisputeReason
    ground: ContestGround | None
    inquiry_id: str | None
    return_id: str | None
    text: str | None
    lines: list[LineView]
    held: Money
    opened_at: datetime
    answer_due: datetime | None
    if_silent: TermsView | None
    auto_escalate_at: datetime | None
    buyer_may_escalate_at: datetime
    seller_may_escalate_at: datetime
    evidence_due: datetime | None
    rebuttal_due: datetime | None
    decide_by: datetime | None
    adjudicator_id: str | None
    adjudicator_level: Level | None
    proposals: list[ProposalView]
    blind_offers: list[Money]
    messages: list[MessageView]
    evidence: list[EvidenceView]
    rebuttals: list[StatementView]
    questions: list[QuestionView]
    decisions: list[DecisionView]
    appeals: list[AppealView]
    waived: list[Party]
    reasons: list[ReasonsView]
    remedy: RemedyView | None
    end: EndView | None
    available_actions: list[Action]


def dispute_view(reading: Reading, by: Sender) -> DisputeView:
    """`by`: who reads, when, and what keeps him from acting beyond the dispute itself."""
    state, reader = reading.state, reading.reader
    assert isinstance(state, Dispute)
    assert reader is not None
    opened, events = state.opened, reading.events
    negotiating = state.status == "NEGOTIATING"
    silent = negotiating and not state.seller_acted
    adjudicator = state.adjudicator
    return DisputeView(
        dispute_id=state.dispute_id,
        order_id=opened.order_id,
        seller_id=opened.seller_id,
        buyer_id=opened.buyer_id,
        policy_version=opened.policy_version,
        stage=state.status,
        reason=opened.reason,
        ground=opened.ground,
        inquiry_id=opened.inquiry_id,
        return_id=opened.return_id,
        text=opened.text,
        lines=[line_view(each) for each in opened.lines],
        held=Money(amount=state.held_minor, currency=state.currency),
        opened_at=opened.opened_at,
        answer_due=state.answer_due if silent else None,
        if_silent=if_silent(state, by) if silent else None,
        auto_escalate_at=state.auto_escalate_at if negotiating else None,
        buyer_may_escalate_at=opened.buyer_may_escalate_at,
        seller_may_escalate_at=opened.seller_may_escalate_at,
        evidence_due=state.evidence_due,
        rebuttal_due=state.rebuttal_due,
        decide_by=state.decide_by,
        adjudicator_id=adjudicator.adjudicator_id if adjudicator else None,
        adjudicator_level=adjudicator.level if adjudicator else None,
        proposals=proposal_views(state, events),
        blind_offers=own_offers(state, reader),
        messages=[message_view(each, reader) for each in state.messages.values()],
        evidence=[evidence_view(each) for each in state.evidence.values()],
        rebuttals=[rebuttal_view(each) for each in state.rebuttals.values()],
        questions=question_views(events, reader),
        decisions=decision_views(state, reader),
        appeals=[appeal_view(state, each) for each in state.appeals.values()],
        waived=[side for side in SIDES if side in state.waived],
        reasons=[reasons_view(each) for each in events if is_statement(each)],
        remedy=remedy_view(state),
        end=end_view(state),
        available_actions=RULES.offered(state, by) if by.actor.acts_as in PEOPLE else [],
    )


def if_silent(state: Dispute, by: Sender) -> TermsView | None:
    """What the rule would grant if the seller stays silent; None where a person would decide. That
    there is a measure against a buyer no seller can tell from it.
    """
    if by.actor.acts_as == "SELLER":
        by = structs.replace(by, known=structs.replace(by.known, manual_only=False))
    if by.known.ledger is None:
        return None
    terms = granted_if_silent(state, by)
    return terms_view(terms, state.currency) if terms else None


def line_view(line: DisputedUnits) -> LineView:
    units = line.units.split(",")
    return LineView(line_id=line.line_id, quantity=line.quantity, units=units)


def terms_view(terms: ToldTerms, currency: str) -> TermsView:
    amount = terms.amount_minor
    return TermsView(
        outcome=terms.outcome,
        amount=None if amount is None else Money(amount=amount, currency=currency),
        lines={line.line_id: line.quantity for line in terms.lines},
        replacement_sku=terms.replacement_sku,
    )


def proposal_views(state: Dispute, events: Iterable[DisputeEvent]) -> list[ProposalView]:
    texts: dict[str, str | None] = {
        each.proposal_id: each.text for each in events if isinstance(each, ProposalMade)
    }
    return [
        ProposalView(
            proposal_id=each.proposal_id,
            by=side,
            terms=terms_view(each.terms, state.currency),
            text=texts.get(each.proposal_id),
            standing="REJECTED" if (OTHER[side], each.proposal_id) in state.rejected else "CURRENT",
        )
        for side, each in state.current.items()
    ]


def own_offers(state: Dispute, reader: Reader) -> list[Money]:
    if reader not in ("BUYER", "SELLER"):
        return []
    offers = state.offers.get(reader, ())
    return [Money(amount=amount, currency=state.currency) for amount in offers]


def message_view(message: DisputeMessageAdded, reader: Reader) -> MessageView:
    for_him = message.text_for_seller if reader == "SELLER" else message.text_for_buyer
    return MessageView(
        message_id=message.message_id,
        by=message.by_role,
        text=message.text or for_him,
    )


def evidence_view(piece: Evidence) -> EvidenceView:
    lodged = piece.lodged
    return EvidenceView(
        evidence_id=lodged.evidence_id,
        by=lodged.by_role,
        kind=lodged.kind,
        sha256=lodged.sha256,
        captured_at=lodged.captured_at,
        lodged_at=lodged.lodged_at,
        media=lodged.media,
        note=lodged.note,
        shown=piece.shown,
        submitted=piece.sealed_at is not None,
    )


def rebuttal_view(told: RebuttalSubmitted) -> StatementView:
    return StatementView(by=told.by_role, text=told.text, evidence_ids=told.evidence_ids)


def question_views(events: Iterable[DisputeEvent], reader: Reader) -> list[QuestionView]:
    """Each with what became of it: one is open at a time."""
    views: list[QuestionView] = []
    for event in events:
        match event:
            case InfoRequested():
                views.append(asked_view(event, reader))
            case InfoProvided():
                answered = replace(views[-1], answer=event.text, evidence_ids=event.evidence_ids)
                views[-1] = answered
            case InfoLapsed():
                views[-1] = replace(views[-1], lapsed=True)
            case _:
                pass
    return views


def asked_view(asked: InfoRequested, reader: Reader) -> QuestionView:
    seller = reader == "SELLER"
    return QuestionView(
        of=asked.of_role,
        question=asked.question_for_seller if seller else asked.question_for_buyer,
        due=asked.info_due,
        answer=None,
        evidence_ids=[],
        lapsed=False,
    )


def decision_views(state: Dispute, reader: Reader) -> list[DecisionView]:
    """The first, and that of the appeal if there is one."""
    first, second = state.decision, state.appeal_decision
    views = [decision_view(first, reader, None, first.appeal_until)] if first else []
    return views + ([decision_view(second, reader, second.result, None)] if second else [])


def decision_view(
    decided: DecisionFact, reader: Reader, result: AppealResult | None, until: datetime | None
) -> DecisionView:
    seller = reader == "SELLER"
    return DecisionView(
        terms=terms_view(decided, decided.currency),
        liable=decided.liable,
        seller_fault_pct=decided.seller_fault_pct,
        buyer_abuse=decided.buyer_abuse,
        rule_ids=decided.rule_ids,
        evidence_ids=decided.evidence_ids,
        facts=decided.facts_for_seller if seller else decided.facts_for_buyer,
        decided_by=decided.decided_by,
        result=result,
        appeal_until=until,
    )


def appeal_view(state: Dispute, appeal: DisputeAppealed) -> AppealView:
    answer = state.answers.get(appeal.appeal_id)
    return AppealView(
        appeal_id=appeal.appeal_id,
        by=appeal.by_role,
        ground=appeal.ground,
        text=appeal.text,
        evidence_ids=appeal.evidence_ids,
        answer_until=appeal.answer_until,
        answer=StatementView(by=answer.by_role, text=answer.text, evidence_ids=answer.evidence_ids)
        if answer
        else None,
    )


def is_statement(event: DisputeEvent) -> TypeIs[StatementOfReasonsIssued]:
    return isinstance(event, StatementOfReasonsIssued)


def reasons_view(told: StatementOfReasonsIssued) -> ReasonsView:
    return ReasonsView(
        sor_id=told.sor_id,
        recipient=told.recipient_role,
        rule_ids=told.rule_ids,
        explanation=told.explanation,
        facts=told.facts,
        automated_decision=told.automated_decision,
        appeal_until=told.appeal_until,
        appeal_command=told.appeal_command,
        redress=[*(told.redress or ())],
    )


def remedy_view(state: Dispute) -> RemedyView | None:
    if (ordered := state.remedy) is None:
        return None
    amount = ordered.amount_minor
    return RemedyView(
        remedy_id=ordered.remedy_id,
        outcome=ordered.outcome,
        amount=None if amount is None else Money(amount=amount, currency=ordered.currency),
        lines=[line_view(each) for each in ordered.lines],
        liable=ordered.liable,
        seller_at_fault=ordered.seller_at_fault,
        execute_by=ordered.execute_by,
    )


def end_view(state: Dispute) -> EndView | None:
    if (closed := state.closed) is None:
        return None
    return EndView(
        how=closed.how,
        result=closed.result,
        refunded=Money(amount=closed.refunded_minor, currency=closed.currency),
        liable=closed.liable,
        closed_at=closed.closed_at,
    )


# --- Inquiries


@dataclass(frozen=True, slots=True, kw_only=True)
class InquiryMessageView:
    """`auto`: it was sent by itself, and is no answer."""

    message_id: str
    by: Party
    auto: bool
    text: str | None
    media: list[MediaShown]


@dataclass(frozen=True, slots=True, kw_only=True)
class InquiryView:
    """A question about an order. `answer_due`: until when an answer is in time."""

    inquiry_id: str
    order_id: str
    seller_id: str
    buyer_id: str
    policy_version: str
    state: InquiryStatus
    topic: InquiryTopic
    line_ids: list[str]
    text: str | None
    media: list[MediaShown]
    opened_at: datetime
    answer_due: datetime
    idle_at: datetime
    answer: str | None
    answered_at: datetime | None
    within_sla: bool | None
    overdue: bool
    messages: list[InquiryMessageView]
    closed_because: Literal["RESOLVED", "IDLE", "CONVERTED"] | None
    dispute_id: str | None
    closed_at: datetime | None
    available_actions: list[Action]


def inquiry_view(reading: InquiryReading, by: Sender) -> InquiryView:
    state = reading.state
    assert isinstance(state, Inquiry)
    opened, answered, closed = state.opened, state.answered, state.closed
    return InquiryView(
        inquiry_id=opened.inquiry_id,
        order_id=opened.order_id,
        seller_id=opened.seller_id,
        buyer_id=opened.buyer_id,
        policy_version=opened.policy_version,
        state=state.status,
        topic=opened.topic,
        line_ids=opened.line_ids,
        text=opened.text,
        media=[*(opened.media or ())],
        opened_at=opened.opened_at,
        answer_due=opened.answer_due,
        idle_at=state.idle_at,
        answer=answered.text if answered else None,
        answered_at=answered.answered_at if answered else None,
        within_sla=answered.within_sla if answered else None,
        overdue=state.overdue,
        messages=[
            InquiryMessageView(
                message_id=each.message_id,
                by=each.by_role,
                auto=each.auto,
                text=each.text,
                media=[*(each.media or ())],
            )
            for each in state.messages.values()
        ],
        closed_because=closed.reason if closed else None,
        dispute_id=closed.dispute_id if closed else None,
        closed_at=closed.closed_at if closed else None,
        available_actions=INQUIRY_RULES.offered(state, by) if by.actor.acts_as in PEOPLE else [],
    )
