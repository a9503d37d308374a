"""Faults that users of other systems have met: what disputes and inquiries answer instead.

The numbers are those of the collection of cases. What of a case needs HTTP or another service is
tested there.
"""

import re
from pathlib import Path
from typing import Any

import pytest
from dispute_service.domain.adjudication import AssignAdjudicator
from dispute_service.domain.answering import AddInquiryMessage, AnswerInquiry
from dispute_service.domain.appeals import FinalizeDecision
from dispute_service.domain.contest import OpenContest
from dispute_service.domain.decisions import DecideDispute
from dispute_service.domain.dispute_state import Dispute
from dispute_service.domain.escalation import EscalateDispute
from dispute_service.domain.execution import NotDue, Paid, after, begun, confirmation
from dispute_service.domain.inquiring import OpenInquiry
from dispute_service.domain.inquiry_end import conversion_of
from dispute_service.domain.inquiry_rules import INQUIRIES
from dispute_service.domain.known import UnitFacts
from dispute_service.domain.opening import NamedLine
from dispute_service.domain.proposals import AcceptProposal
from dispute_service.domain.remedies import ConfirmExecution
from dispute_service.domain.rules import RULES
from dispute_service.domain.silence import GiveDefaultJudgement
from dispute_service.domain.streams import file_id_of
from dispute_service.domain.submission import DiscloseEvidence, StartAdjudication, SubmitEvidence
from dispute_service.testing import (
    AGENT,
    DAY,
    FILE,
    LEDGER,
    OPENING,
    ORDER,
    SELLER,
    SENIOR,
    SYSTEM,
    at,
    history,
    kinds,
    ledger,
    played,
    say,
    words,
)
from dispute_service.testing.lives import lived, met
from dispute_service.testing.stories import (
    EVIDENCE,
    OPEN,
    REJECTED,
    REMEDY,
    REVIEW,
    decision,
    done,
    opening,
    partial,
    photo,
)
from msgspec.structs import replace
from shared_casework.money import LedgerFacts
from shared_events.dispute import (
    DisputeClosed,
    DisputedLine,
    DisputeEscalated,
    DisputeOpened,
    InquiryClosed,
    RemedyOrdered,
)
from shared_events.orders import OrderLine
from shared_runtime.decider import (
    Actor,
    AmountExceedsCeiling,
    InvalidValue,
    QuantityExceeded,
    RoleNotAllowed,
    StaleProposal,
    WindowClosed,
    WrongState,
)
from shared_runtime.testing import play

COLLECTION = Path(__file__).resolve().parents[4] / "shared" / "cases" / "disputes-returns.md"
ELSEWHERE = {
    "G47": "whether an order completes is review-service's",
}
"""Cases of disputes of which nothing is decided here."""
MILLISECOND = DAY / 86_400_000
full = replace(opening, outcome="REFUND_FULL", amount_minor=None, currency=None)


def test_g06_a_settlement_for_a_part_orders_that_part() -> None:
    match = say(partial("p2", 5000), now=at(6), actor=SELLER)
    ordered = played(say(replace(opening, amount_minor=5000), now=OPENING), match).events[-1]
    assert isinstance(ordered, RemedyOrdered)
    assert (ordered.amount_minor, ordered.lines[0].units) == (5000, "1/1,1/2,1/3")


def test_g08_shipping_is_in_the_ceiling_once() -> None:
    line = OrderLine(line_id="1", sku="s", category="c", quantity=1, unit_price_minor=8999)
    known: dict[str, Any] = {
        "order": replace(
            ORDER,
            stage="SHIPPED",
            lines=[line],
            deliver_by=at(1, 0),
            delivered_at=None,
            received_at=None,
            completed_at=None,
        ),
        "units": (UnitFacts(unit="1/1"),),
        "ledger": LedgerFacts(
            units={"1/1": 8999}, left=frozenset({"1/1"}), shipping_minor=590, order_minor=9589
        ),
    }
    lost = replace(full, reason="NOT_RECEIVED", lines=(NamedLine(line_id="1", quantity=1),))
    accept = say(AcceptProposal(proposal_id="p1"), now=at(3), actor=SELLER, **known)
    events = played(say(lost, now=at(2), **known), accept).events
    assert events[0].ceiling_minor == 9589
    assert kinds(events).count("RemedyOrdered") == 1


def test_g14_what_was_met_before_is_not_paid_again() -> None:
    reject = say(REJECTED[-1].said, now=at(4), actor=SELLER)
    accept = say(AcceptProposal(proposal_id="p1"), now=at(9), actor=SELLER, ledger=ledger(0))
    events = history(say(full, now=at(3)), reject, accept)
    assert kinds(events)[-3:] == ["ProposalAccepted", "DisputeSettled", "RemedyOrdered"]
    ordered = events[-1]
    assert isinstance(ordered, RemedyOrdered)
    met_before = confirmation(after(begun(ordered), NotDue(units=("1/1", "1/2", "1/3"))))
    assert met_before
    (closed,) = played(say(met_before, now=at(9), actor=SYSTEM), after=events).events
    assert (closed.how, closed.result, closed.refunded_minor) == ("SETTLED", "ALREADY_MET", 0)


def test_g17_yen_have_no_cents() -> None:
    order = replace(ORDER, currency="JPY")
    money = LedgerFacts(
        units={"1/1": 966, "1/2": 967, "1/3": 967},
        left=frozenset({"1/1", "1/2", "1/3"}),
        shipping_minor=0,
        order_minor=2900,
    )
    known: dict[str, Any] = {"order": order, "ledger": money}
    asked = replace(opening, amount_minor=580, currency="JPY")
    accept = say(AcceptProposal(proposal_id="p1"), now=at(6), actor=SELLER, **known)
    ordered = played(say(asked, now=OPENING, **known), accept).events[-1]
    assert (ordered.currency, ordered.amount_minor) == ("JPY", 580)


def test_g19_money_of_another_currency_makes_no_sense() -> None:
    offer = say(replace(partial("p2", 1000), currency="USD"), now=at(6), actor=SELLER)
    played(*OPEN, offer).then_refused(InvalidValue)
    decided = say(replace(decision, currency="USD"), now=at(13), actor=AGENT)
    played(*REVIEW, decided).then_refused(InvalidValue)


def test_g41_of_two_adjudicators_the_last_one_assigned_decides() -> None:
    second = Actor(role="AGENT", id="agent-2", org_id="desk")
    assign = say(
        AssignAdjudicator(adjudicator_id="agent-2", level="AGENT", org_id="desk"),
        now=at(13),
        actor=SENIOR,
    )
    played(*REVIEW, assign, say(decision, now=at(14), actor=AGENT)).then_refused(RoleNotAllowed)
    once = say(decision, now=at(14), actor=second)
    told = played(*REVIEW, assign, once, once)
    assert kinds(told.events).count("DisputeDecided") == 1
    told.then_refused(WrongState, state="DECIDED")


def test_g42_an_acceptance_is_of_the_proposal_that_was_seen() -> None:
    first = say(partial("p2", 3000), now=at(6), actor=SELLER)
    second = say(partial("p3", 1000), now=at(6), actor=SELLER)
    told = played(*OPEN, first, second, say(AcceptProposal(proposal_id="p2"), now=at(6)))
    told.then_refused(StaleProposal, current_proposal_id="p3")
    assert "DisputeSettled" not in kinds(told.events)


def test_g43_a_window_closes_to_the_millisecond() -> None:
    closing = at(23, 10)
    assert played(say(opening, now=closing - MILLISECOND)).refused is None
    played(say(opening, now=closing)).then_refused(WindowClosed, closed_at=closing)


def test_g44_time_that_is_left_is_not_rounded() -> None:
    due = at(13)
    sellers = say(SubmitEvidence(), now=due - MILLISECOND, actor=SELLER)
    buyers = say(SubmitEvidence(), now=due)
    disclose = say(DiscloseEvidence(), now=at(13, 8, 3), actor=SYSTEM)
    first, second, shown = played(sellers, buyers, disclose, after=history(*EVIDENCE)).events
    assert (first.late, second.late) == (False, True)
    assert type(shown).__name__ == "EvidenceDisclosed"


def test_g45_what_is_used_up_is_not_offered() -> None:
    story = (*EVIDENCE, say(SubmitEvidence(), now=at(9), actor=SELLER))
    state = played(*story).state
    by = say(photo("x"), now=at(10), actor=SELLER).by
    offered = {each.action: each for each in RULES.offered(state, by)}
    for name in ("LodgeEvidence", "SubmitEvidence", "RemoveEvidence"):
        assert not offered[name].allowed
        assert offered[name].reason_if_not in ("evidence-sealed", "already-submitted")
        assert (offered[name].latest or by.now) <= by.now


def test_g46_a_refund_meanwhile_leaves_the_dispute_and_lessens_what_it_gives() -> None:
    less = ledger(14198)
    all_of_it = replace(decision, outcome="REFUND_FULL", amount_minor=None, currency=None)
    story = (
        *REVIEW,
        say(all_of_it, now=at(14), actor=AGENT, ledger=less),
        say(FinalizeDecision(), now=at(21), actor=SYSTEM, ledger=less),
    )
    events = history(*story)
    ordered = events[-1]
    assert isinstance(ordered, RemedyOrdered)
    money = Paid(refund_id="f1", source_id="D1", units=("1/1", "1/2", "1/3"), amount_minor=14198)
    confirmed = confirmation(after(begun(ordered), money))
    assert confirmed
    (closed,) = played(say(confirmed, now=at(22), actor=SYSTEM), after=events).events
    assert closed.refunded_minor == 14198


def test_g48_a_buyers_silence_costs_him_nothing() -> None:
    counter = say(partial("p2", 2100), now=at(6), actor=SELLER)
    life = met(lived((*OPEN, counter), ()), at(12))
    escalated = life.events[-1]
    assert isinstance(escalated, DisputeEscalated)
    assert escalated.by_role == "SYSTEM"
    assert isinstance(life.state, Dispute)
    assert life.state.status == "EVIDENCE"


def test_g49_an_answer_elsewhere_is_no_answer_to_the_complaint() -> None:
    ask = say(OpenInquiry(inquiry_id="I1", topic="PRODUCT", text=words()), now=at(4))
    reply = say(AnswerInquiry(text=words()), now=at(4, 9), actor=SELLER)
    asked = replace(
        opening,
        reason="DAMAGED",
        outcome="RETURN_AND_REFUND",
        amount_minor=None,
        currency=None,
        inquiry_id="I1",
    )
    opened = history(say(asked, now=OPENING, inquiry_ids=frozenset({"I1"})))
    told = opened[0]
    assert isinstance(told, DisputeOpened)
    conversion = conversion_of(told)
    assert conversion
    convert = say(conversion, now=OPENING, actor=SYSTEM)
    more = say(AddInquiryMessage(message_id="m1", text=words()), now=at(6), actor=SELLER)
    talked = play(INQUIRIES, [ask, reply, convert, more])
    closed_inquiry = talked.events[-1]
    assert isinstance(closed_inquiry, InquiryClosed)
    assert closed_inquiry.answered
    talked.then_refused(WrongState, state="CLOSED")
    judge = say(GiveDefaultJudgement(facts=words()), now=at(10), actor=SYSTEM)
    judged = played(judge, after=opened)
    assert kinds(judged.events) == [
        "DefaultJudgementGiven",
        "RemedyOrdered",
        "StatementOfReasonsIssued",
    ]
    closing = say(replace(done, amount_minor=1), now=at(40), actor=SYSTEM)
    closed = played(judge, closing, after=opened).events[-1]
    assert isinstance(closed, DisputeClosed)
    assert closed.first_response_seconds is None


def test_g50_only_what_is_left_is_disputed() -> None:
    money = replace(
        LEDGER, units={**LEDGER.units, "1/1": 0}, left=frozenset({"1/2", "1/3"}), order_minor=10799
    )

    def asked(quantity: int, amount: int) -> Any:  # noqa: ANN401
        line = NamedLine(line_id="1", quantity=quantity)
        said = replace(opening, lines=(line,), amount_minor=amount)
        return played(say(said, now=at(11), ledger=money))

    asked(3, 100).then_refused(QuantityExceeded, line_id="1", free=2)
    asked(2, 10799).then_refused(AmountExceedsCeiling, ceiling_minor=10799)
    (told,) = asked(2, 10798).events
    assert (told.lines[0].units, told.ceiling_minor, told.held_minor) == ("1/2,1/3", 10799, 10798)


def test_g51_a_justified_deduction_stands_when_it_is_contested() -> None:
    left = ledger(1349)
    contest = OpenContest(
        dispute_id="D1",
        return_id="R1",
        units=("1/1",),
        ground="DEDUCTION",
        seller_at_fault=False,
        file_sha256=FILE,
        proposal_id="p1",
    )
    opened = history(say(contest, now=OPENING, actor=SYSTEM, ledger=left))
    assert kinds(opened) == ["DisputeOpened", "EvidenceLodged", "EvidenceShared"]
    told = opened[0]
    assert isinstance(told, DisputeOpened)
    assert (told.outcome, told.ceiling_minor, told.ground) == ("REFUND_FULL", 1349, "DEDUCTION")
    rejected = DecideDispute(
        outcome="REJECTED",
        lines=(DisputedLine(line_id="1", quantity=1),),
        liable="BUYER",
        seller_fault_pct=0,
        rule_ids=("D-9",),
        evidence_ids=(file_id_of("R1"),),
        facts_for_buyer=words(),
        facts_for_seller=words(),
        explanation="The picture shows what was deducted for.",
    )
    closed = played(
        say(EscalateDispute(), now=at(12), actor=SYSTEM, ledger=left),
        say(DiscloseEvidence(), now=at(17), actor=SYSTEM),
        say(StartAdjudication(), now=at(19), actor=SYSTEM),
        say(AssignAdjudicator(adjudicator_id="agent-1", level="AGENT"), now=at(19), actor=SYSTEM),
        say(rejected, now=at(20), actor=AGENT, ledger=left),
        say(FinalizeDecision(), now=at(27), actor=SYSTEM),
        after=opened,
    ).events[-1]
    assert isinstance(closed, DisputeClosed)
    assert (closed.result, closed.refunded_minor, closed.liable) == ("NO_REMEDY", 0, "BUYER")


def test_g52_a_carriers_fault_is_no_defect_of_the_seller() -> None:
    carriers = replace(decision, liable="CARRIER", seller_fault_pct=0)
    closed = history(
        *REVIEW,
        say(carriers, now=at(14), actor=AGENT),
        say(FinalizeDecision(), now=at(21), actor=SYSTEM),
        say(
            ConfirmExecution(remedy_id=REMEDY, result="REFUNDED", amount_minor=3000),
            now=at(22),
            actor=SYSTEM,
        ),
    )[-1]
    assert isinstance(closed, DisputeClosed)
    assert (closed.liable, closed.seller_fault_pct, closed.resolved_by_seller) == (
        "CARRIER",
        0,
        False,
    )


@pytest.mark.skipif(
    not COLLECTION.exists(), reason="the cases are not beside the repository: ../shared/cases"
)
def test_every_case_about_disputes_is_told_here_or_where_it_is_decided() -> None:
    section = COLLECTION.read_text().partition("## Disputes and inquiries")[2]
    numbers = set(re.findall(r"^\| (G\d+) \|", section, re.MULTILINE))
    told = re.findall(r"^def test_(g\d+)_", Path(__file__).read_text(), re.MULTILINE)
    assert numbers
    assert numbers <= {number.upper() for number in told} | ELSEWHERE.keys()
