"""Who decides, what he asks, and what a decision has to say."""

from dataclasses import replace as with_numbers
from typing import Any

import pytest
from dispute_service.domain.adjudication import (
    AssignAdjudicator,
    LapseInfo,
    ProvideInfo,
)
from dispute_service.domain.escalation import EscalateDispute
from dispute_service.domain.policy import AE_2025_1, ALWAYS, policies
from dispute_service.domain.rules import DisputeCommand
from dispute_service.domain.submission import DiscloseEvidence, StartAdjudication
from dispute_service.testing import (
    AGENT,
    BUYER,
    OPENING,
    SELLER,
    SENIOR,
    SYSTEM,
    TICK,
    at,
    history,
    kinds,
    ledger,
    played,
    say,
    words,
)
from dispute_service.testing.stories import (
    APPEAL,
    ASKED,
    CONTEST,
    DECIDED,
    EVIDENCE,
    ONE_IN,
    REVIEW,
    UNASSIGNED,
    appeal,
    contest,
    decision,
    question,
)
from msgspec.structs import replace
from shared_events.common import StatementOfReasonsIssued
from shared_events.dispute import DisputeDecided, DisputedLine, Level, Outcome
from shared_runtime.decider import (
    Actor,
    AmountExceedsCeiling,
    ConflictOfInterest,
    HumanRequired,
    InvalidValue,
    LimitReached,
    ReasonsMissing,
    RoleNotAllowed,
    SubjectErased,
    WindowClosed,
    WrongState,
)

answer = ProvideInfo(text=words("answer"))


def assign(
    name: str,
    level: Level = "AGENT",
    org: str = "desk",
    **known: Any,  # noqa: ANN401
) -> DisputeCommand:
    said = AssignAdjudicator(adjudicator_id=name, level=level, org_id=org)
    return say(said, now=at(12), actor=SYSTEM, **known)


def decide(actor: Actor = AGENT, **changes: Any) -> DisputeCommand:  # noqa: ANN401
    known = {"ledger": changes.pop("ledger")} if "ledger" in changes else {}
    return say(replace(decision, **changes), now=at(14), actor=actor, **known)


def after(story: tuple[DisputeCommand, ...], *commands: DisputeCommand) -> list[Any]:
    done = played(*commands, after=history(*story))
    assert done.refused is None, done.refused
    return done.events


# --- Assigned


def test_an_adjudicator_is_drawn_and_may_be_replaced_while_the_clock_goes_on() -> None:
    (told,) = after(UNASSIGNED, assign("agent-1"))
    assert (told.adjudicator_id, told.level, told.decide_by) == ("agent-1", "AGENT", at(19))
    assert after(REVIEW, assign("agent-1")) == []
    (other,) = after(REVIEW, assign("agent-2"))
    assert other.decide_by == at(19)
    played(*REVIEW, assign("agent-2"), decide()).then_refused(RoleNotAllowed)


@pytest.mark.parametrize(
    ("name", "org", "orgs", "ground"),
    [
        ("S1", "desk", (), "PARTY"),
        ("B1", "desk", (), "PARTY"),
        ("agent-2", "S1", (), "PARTY"),
        ("agent-2", "acme", ("acme",), "ORGANISATION"),
    ],
)
def test_nobody_judges_what_is_his_own(
    name: str, org: str, orgs: tuple[str, ...], ground: str
) -> None:
    command = assign(name, org=org, party_orgs=frozenset(orgs))
    played(*UNASSIGNED, command).then_refused(ConflictOfInterest, ground=ground)
    judge = Actor(role="AGENT", id=name, org_id=org)
    for said in (decision, question):
        asked = say(said, now=at(13), actor=judge, party_orgs=frozenset(orgs))
        played(*REVIEW, asked).then_refused(ConflictOfInterest, ground=ground)


CONTESTED = (say(replace(contest, barred_ids=("agent-1",)), now=OPENING, actor=SYSTEM),)


def in_review(story: tuple[DisputeCommand, ...]) -> tuple[DisputeCommand, ...]:
    """With nobody's help."""
    return (
        *story,
        say(EscalateDispute(), now=at(12), actor=SYSTEM),
        say(DiscloseEvidence(), now=at(17), actor=SYSTEM),
        say(StartAdjudication(), now=at(19), actor=SYSTEM),
    )


def test_who_declined_the_return_does_not_judge_the_contest_of_it() -> None:
    story = in_review(CONTESTED)
    barred = say(
        AssignAdjudicator(adjudicator_id="agent-1", level="AGENT"), now=at(19), actor=SYSTEM
    )
    played(*story, barred).then_refused(ConflictOfInterest, ground="EARLIER_DECISION")
    played(*story, say(decision, now=at(19), actor=AGENT)).then_refused(ConflictOfInterest)


def test_an_appeal_is_a_seniors_who_did_not_decide() -> None:
    appealed = (*DECIDED, say(appeal, now=at(15)))
    played(*appealed, assign("agent-1", "SENIOR")).then_refused(
        ConflictOfInterest, ground="EARLIER_DECISION"
    )
    played(*appealed, assign("senior-2", "AGENT")).then_refused(InvalidValue)
    assert after(appealed, assign("senior-2", "SENIOR"))


def test_an_assignment_that_comes_too_late_is_nothing_from_a_machine() -> None:
    assert after(DECIDED, assign("agent-2")) == []
    by_senior = say(assign("agent-2").said, now=at(15), actor=SENIOR)
    played(*DECIDED, by_senior).then_refused(WrongState)


# --- Asked


def test_a_question_stops_the_clock_and_the_answer_starts_it_again() -> None:
    (told,) = after(REVIEW, say(question, now=at(13), actor=AGENT))
    assert (told.info_due, told.remaining_seconds) == (at(16), 6 * 86_400)
    (answered,) = after(ASKED, say(answer, now=at(14)))
    assert answered.decide_by == at(20)
    played(*ASKED, decide()).then_refused(WrongState, state="REVIEW")


def test_asked_after_the_limit_nothing_is_left_of_the_clock() -> None:
    late = say(question, now=at(20), actor=AGENT)
    assert after(REVIEW, late)[0].remaining_seconds == 0
    assert after(REVIEW, late, say(answer, now=at(21)))[1].decide_by == at(21)


def test_at_its_limit_a_question_lapses() -> None:
    due = at(16)
    assert after(ASKED, say(LapseInfo(), now=due - TICK, actor=SYSTEM)) == []
    (told,) = after(ASKED, say(LapseInfo(), now=due, actor=SYSTEM))
    assert told.decide_by == at(22)
    played(*ASKED, say(answer, now=due)).then_refused(WindowClosed, closed_at=due)
    assert after(ASKED, say(answer, now=due - TICK))


def test_one_question_at_a_time_and_three_in_all() -> None:
    ask = say(question, now=at(13), actor=AGENT)
    played(*ASKED, ask).then_refused(LimitReached, limit=1)
    again = [ask, say(answer, now=at(13))]
    assert after(REVIEW, *again * 3)
    played(*REVIEW, *again * 3, ask).then_refused(LimitReached, limit=3)


def test_who_was_not_asked_has_nothing_to_answer() -> None:
    played(*ASKED, say(answer, now=at(14), actor=SELLER)).then_refused(WrongState)
    played(*ASKED, say(answer, now=at(20), actor=SELLER)).then_refused(WrongState)
    played(*REVIEW, say(answer, now=at(14))).then_refused(WrongState)


def test_an_erased_party_is_not_asked_and_only_who_is_assigned_asks() -> None:
    erased = say(question, now=at(13), actor=AGENT, erased_parties=frozenset({"BUYER"}))
    played(*REVIEW, erased).then_refused(SubjectErased)
    other = say(
        replace(question, of="SELLER"),
        now=at(13),
        actor=AGENT,
        erased_parties=frozenset({"BUYER"}),
    )
    assert after(REVIEW, other)
    played(*REVIEW, say(question, now=at(13), actor=SENIOR)).then_refused(RoleNotAllowed)


def test_an_appeal_that_comes_while_a_question_is_open_keeps_its_time() -> None:
    asked = say(replace(question, of="SELLER"), now=at(16), actor=SENIOR)
    second = say(replace(appeal, appeal_id="ap2"), now=at(19) - TICK, actor=SELLER)
    due = at(29) - TICK
    events = after(APPEAL, asked, second, say(LapseInfo(), now=at(19), actor=SYSTEM))
    assert events[-1].decide_by == due
    assert after(APPEAL, asked, say(LapseInfo(), now=at(19), actor=SYSTEM))[-1].decide_by == at(28)


# --- Decided


def test_a_decision_may_be_appealed_and_each_whom_it_goes_against_is_told_why() -> None:
    told, *reasons = after(REVIEW, decide())
    assert isinstance(told, DisputeDecided)
    assert (told.decided_by, told.appeal_until) == ("agent-1", at(21))
    assert [each.recipient_role for each in reasons] == ["BUYER", "SELLER"]
    assert all(each.appeal_command == "AppealDispute" for each in reasons)
    assert all(each.redress[0] == "INTERNAL_APPEAL" for each in reasons)
    assert len({each.sor_id for each in reasons}) == 2


@pytest.mark.parametrize(
    ("outcome", "against"),
    [
        ("REFUND_FULL", ["SELLER"]),
        ("RETURN_AND_REFUND", ["SELLER"]),
        ("EXCHANGE", ["SELLER"]),
        ("REPLACEMENT_NO_RETURN", ["SELLER"]),
        ("REFUND_PARTIAL", ["BUYER", "SELLER"]),
        ("REJECTED", ["BUYER"]),
    ],
)
def test_whom_a_decision_goes_against(outcome: Outcome, against: list[str]) -> None:
    changes: dict[str, Any] = {"outcome": outcome}
    if outcome != "REFUND_PARTIAL":
        changes |= {"amount_minor": None, "currency": None}
    if outcome == "REJECTED":
        changes |= {"liable": "NONE", "seller_fault_pct": 0}
    events = after(REVIEW, decide(**changes))
    statements = [each for each in events if isinstance(each, StatementOfReasonsIssued)]
    assert [each.recipient_role for each in statements] == against


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"rule_ids": ()}, ["rule_ids"]),
        ({"evidence_ids": ()}, ["evidence_ids"]),
        ({"facts_for_buyer": None}, ["facts_text"]),
        ({"facts_for_seller": None}, ["facts_text"]),
        ({"explanation": None}, ["explanation"]),
        ({"rule_ids": (), "explanation": None}, ["rule_ids", "explanation"]),
    ],
)
def test_a_decision_needs_rule_facts_evidence_and_plain_words(
    changes: dict[str, Any], missing: list[str]
) -> None:
    played(*REVIEW, decide(**changes)).then_refused(ReasonsMissing, missing=missing)
    told = replace(decision, **changes)
    played(*ONE_IN, say(told, now=at(9), actor=AGENT)).then_refused(ReasonsMissing)


def test_where_nobody_has_shown_anything_a_decision_needs_no_evidence() -> None:
    story = (
        *in_review(EVIDENCE[:2]),
        say(AssignAdjudicator(adjudicator_id="agent-1", level="AGENT"), now=at(19), actor=SYSTEM),
    )
    bare = say(replace(decision, evidence_ids=()), now=at(20), actor=AGENT)
    assert after(story, bare)


@pytest.mark.parametrize(
    "changes",
    [
        {"seller_fault_pct": 0},
        {"seller_fault_pct": 101},
        {"liable": "NONE", "seller_fault_pct": 100},
        {"liable": "CARRIER", "seller_fault_pct": -1},
        {"outcome": "REJECTED", "amount_minor": None, "currency": None, "seller_fault_pct": 50},
        {
            "outcome": "REJECTED",
            "amount_minor": None,
            "currency": None,
            "liable": "NONE",
            "seller_fault_pct": 1,
        },
        {
            "outcome": "REFUND_FULL",
            "amount_minor": None,
            "currency": None,
            "liable": "BUYER",
            "seller_fault_pct": 0,
        },
        {"liable": "BUYER", "seller_fault_pct": 10, "buyer_abuse": True},
        {
            "outcome": "REJECTED",
            "amount_minor": None,
            "currency": None,
            "liable": "CARRIER",
            "seller_fault_pct": 0,
            "buyer_abuse": True,
        },
        {"lines": ()},
        {"lines": (DisputedLine(line_id="1", quantity=4),)},
        {"lines": (DisputedLine(line_id="2", quantity=1),)},
        {
            "outcome": "REJECTED",
            "amount_minor": None,
            "currency": None,
            "liable": "NONE",
            "seller_fault_pct": 0,
            "lines": (DisputedLine(line_id="2", quantity=1),),
        },
        {"amount_minor": 0},
        {"amount_minor": None},
        {"currency": "USD"},
        {"evidence_ids": ("s9",)},
    ],
    ids=str,
)
def test_what_contradicts_itself_is_no_decision(changes: dict[str, Any]) -> None:
    played(*REVIEW, decide(**changes)).then_refused(InvalidValue)


@pytest.mark.parametrize(
    "changes",
    [
        {"seller_fault_pct": 1},
        {"liable": "CARRIER", "seller_fault_pct": 99},
        {"liable": "BUYER", "seller_fault_pct": 0},
        {
            "outcome": "REJECTED",
            "amount_minor": None,
            "currency": None,
            "liable": "BUYER",
            "seller_fault_pct": 0,
            "buyer_abuse": True,
            "lines": (),
        },
        {"amount_minor": 16197},
        {"evidence_ids": ("b1", "s1")},
    ],
    ids=str,
)
def test_what_is_just_possible_is_a_decision(changes: dict[str, Any]) -> None:
    assert kinds(after(REVIEW, decide(**changes)))[0] == "DisputeDecided"


def test_a_decision_gives_no_more_than_there_is() -> None:
    played(*REVIEW, decide(amount_minor=16198)).then_refused(AmountExceedsCeiling)
    played(*REVIEW, decide(ledger=ledger(3000))).then_refused(
        AmountExceedsCeiling, ceiling_minor=3000
    )
    assert after(REVIEW, decide(ledger=ledger(3001)))


def test_only_evidence_that_both_have_seen_counts() -> None:
    unseen = decide(evidence_ids=("s1",))
    before = say(unseen.said, now=at(9), actor=AGENT)
    assert isinstance(played(*ONE_IN, before).refused, WrongState | InvalidValue)


def test_a_person_decides_and_only_who_is_assigned() -> None:
    played(*REVIEW, decide(SYSTEM)).then_refused(HumanRequired)
    machine = Actor(role="IMPORTER", id="olist", on_behalf_of="SYSTEM")
    played(*REVIEW, decide(machine)).then_refused(HumanRequired)
    played(*REVIEW, decide(SENIOR)).then_refused(RoleNotAllowed)
    played(*REVIEW, decide(BUYER)).then_refused(RoleNotAllowed)
    played(*ASKED, decide(SENIOR)).then_refused(RoleNotAllowed)  # before the question is looked at
    played(*EVIDENCE, decide()).then_refused(WrongState)


def test_nothing_that_needs_the_goods_is_decided_where_they_are_away() -> None:
    story = (
        *in_review(CONTEST),
        say(AssignAdjudicator(adjudicator_id="agent-1", level="AGENT"), now=at(19), actor=SYSTEM),
    )
    file = tuple(played(*story).state.evidence)
    back = replace(
        decision,
        outcome="RETURN_AND_REFUND",
        amount_minor=None,
        currency=None,
        lines=(DisputedLine(line_id="1", quantity=1),),
        evidence_ids=file,
    )
    played(*story, say(back, now=at(20), actor=AGENT)).then_refused(InvalidValue)
    full = replace(back, outcome="REFUND_FULL")
    assert after(story, say(full, now=at(20), actor=AGENT))


def test_the_times_are_those_of_the_version_that_the_dispute_began_with() -> None:
    version = with_numbers(AE_2025_1, version="quick", dispute_decision=AE_2025_1.dispute_rebuttal)
    quick = policies([(ALWAYS, "quick")], [version, AE_2025_1])
    begun = history(*REVIEW)
    events = played(say(decision, now=at(14), actor=AGENT, policies=quick), after=begun).events
    assert events[0].policy_version == "ae-2025-1"
    assert events[0].appeal_until == at(21)


def test_nobody_with_a_stake_in_it_says_who_decides() -> None:
    said = AssignAdjudicator(adjudicator_id="agent-1", level="AGENT", org_id="desk")
    for insider, ground in [
        (Actor(role="SENIOR", id="senior-3", org_id="S1"), "PARTY"),
        (Actor(role="SENIOR", id="B1"), "PARTY"),
        (Actor(role="SENIOR", id="senior-3", org_id="acme"), "ORGANISATION"),
    ]:
        command = say(said, now=at(13), actor=insider, party_orgs=frozenset({"acme"}))
        played(*UNASSIGNED, command).then_refused(ConflictOfInterest, ground=ground)
    after(UNASSIGNED, say(said, now=at(13), actor=SENIOR))
