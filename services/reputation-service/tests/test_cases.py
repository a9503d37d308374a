"""Cases: a suspicion, the word of the accused, a decision by the right person, an appeal."""

from typing import Any

import pytest
from reputation_service.domain.case_appeals import AppealViolation, DecideViolationAppeal
from reputation_service.domain.case_state import Case
from reputation_service.domain.confirming import ConfirmViolation, DismissCase
from reputation_service.domain.known import ClaimFacts
from reputation_service.domain.statements import SubmitStatement
from reputation_service.testing import (
    ANALYST,
    ANOTHER,
    BUYER,
    SELLER,
    SENIOR,
    SENIOR_2,
    TICK,
    at,
    case_history,
    case_played,
    kinds,
    say,
    suspected,
    words,
)
from reputation_service.testing.stories import (
    APPEALED,
    BY_ITSELF,
    BY_RULE,
    CONFIRMED,
    DISMISSED,
    SPOKEN,
    SUSPECTED,
    appeal,
    automatic,
    confirm,
    statement,
    upheld,
)
from shared_casework.overdue import NoteOverdue
from shared_events.common import StatementOfReasonsIssued
from shared_events.reputation import CaseOpened, ViolationAppealDecided, ViolationConfirmed
from shared_runtime.decider import (
    AlreadyAppealed,
    AlreadySubmitted,
    ConflictOfInterest,
    DuplicateOpen,
    EvidenceRequired,
    HumanRequired,
    InvalidValue,
    NotAParty,
    NotFound,
    NotYetEligible,
    ReasonsMissing,
    RoleNotAllowed,
    SubjectErased,
    WindowClosed,
    WrongState,
)

# --- Worked cases of the rules


def test_case_43_twelve_points_are_never_the_platforms_own_to_give() -> None:
    opened = say(suspected("MALICIOUS_REVIEW", detection="DETECTOR"), now=at())
    by_itself = say(
        ConfirmViolation(points=12, rule_ids=("R",), facts="f", explanation="e"), now=at(7)
    )
    case_played(opened, by_itself).then_refused(HumanRequired)
    lapse = DismissCase(reason="LAPSED")
    assert kinds(case_history(opened, say(lapse, now=at(17) - TICK))) == ["CaseOpened"]
    told = case_history(opened, say(lapse, now=at(17)), say(lapse, now=at(17)))
    assert kinds(told) == ["CaseOpened", "CaseDismissed"]


def test_case_66_who_has_opened_a_case_of_twelve_points_does_not_confirm_it() -> None:
    twelve = ConfirmViolation(points=12, rule_ids=("R",), facts=words(), explanation="e")
    case_played(*SUSPECTED, say(twelve, now=at(7), actor=ANALYST)).then_refused(
        ConflictOfInterest, ground="OWN_CASE"
    )
    done = case_played(*SUSPECTED, say(twelve, now=at(7), actor=ANOTHER))
    assert kinds(done.events) == ["CaseOpened", "ViolationConfirmed", "StatementOfReasonsIssued"]


# --- A case is opened


def test_a_case_says_until_when_the_accused_may_speak_and_when_it_is_decided() -> None:
    (told,) = case_history(*SUSPECTED)
    assert isinstance(told, CaseOpened)
    assert (told.statement_until, told.decide_by) == (at(7), at(17))
    assert told.opened_by == "AN1"
    (by_rule,) = case_history(*BY_RULE)
    assert isinstance(by_rule, CaseOpened)
    assert by_rule.opened_by is None


def test_a_case_is_of_somebody_who_has_an_account_and_is_bound_by_the_rule() -> None:
    case_played(say(suspected(), now=at(), actor=ANALYST, has_account=False)).then_refused(NotFound)
    wrong = suspected("COUNTERFEIT", account_kind="BUYER", account_id="B1")
    case_played(say(wrong, now=at(), actor=ANALYST)).then_refused(InvalidValue)


def test_an_analyst_is_no_detector() -> None:
    told = suspected(detection="DETECTOR")
    case_played(say(told, now=at(), actor=ANALYST)).then_refused(InvalidValue)


def test_a_case_needs_something_that_shows_it() -> None:
    bare = suspected(evidence_event_ids=())
    case_played(say(bare, now=at(), actor=ANALYST)).then_refused(EvidenceRequired, needed=["EVENT"])


def test_of_one_cause_there_is_one_case() -> None:
    held: dict[str, Any] = {"claimed_by": "C0"}
    case_played(say(suspected(), now=at(), actor=ANALYST, **held)).then_refused(
        DuplicateOpen, existing_id="C0"
    )
    by_rule = suspected(detection="RULE")
    assert case_history(say(by_rule, now=at(), **held)) == ()
    again = say(suspected(), now=at(1), actor=ANALYST)
    assert case_history(*SUSPECTED, again) == case_history(*SUSPECTED)
    other = say(suspected("EXTORTION"), now=at(1), actor=ANALYST)
    case_played(*SUSPECTED, other).then_refused(AlreadySubmitted, existing_id="C1")


@pytest.mark.parametrize(
    ("claims", "needed"),
    [
        (ClaimFacts(lost=4, orders=13, warned=True), []),
        (ClaimFacts(lost=3, orders=3, warned=True), ["LOST_CLAIMS"]),
        (ClaimFacts(lost=4, orders=14, warned=True), ["LOST_CLAIMS"]),
        (ClaimFacts(lost=4, orders=4, warned=False), ["WARNING"]),
        (ClaimFacts(), ["LOST_CLAIMS", "WARNING"]),
    ],
)
def test_nobody_is_accused_of_claiming_too_much_without_many_lost_claims_and_a_warning(
    claims: ClaimFacts, needed: list[str]
) -> None:
    done = case_played(say(suspected("FALSE_CLAIMS"), now=at(), actor=ANALYST, claims=claims))
    if needed:
        done.then_refused(EvidenceRequired, needed=needed)
    else:
        assert kinds(done.events) == ["CaseOpened"]


# --- The accused speaks


def test_the_accused_speaks_once_and_in_time() -> None:
    last = say(statement, now=at(7) - TICK, actor=SELLER)
    assert kinds(case_history(*SUSPECTED, last))[-1] == "StatementSubmitted"
    case_played(*SUSPECTED, say(statement, now=at(7), actor=SELLER)).then_refused(
        WindowClosed, closed_at=at(7)
    )
    case_played(*SPOKEN, say(statement, now=at(3), actor=SELLER)).then_refused(
        AlreadySubmitted, existing_id="C1"
    )


def test_nobody_else_speaks_for_him_and_nobody_who_was_erased() -> None:
    case_played(*SUSPECTED, say(statement, now=at(1), actor=BUYER)).then_refused(NotAParty)
    told = say(SubmitStatement(text=words()), now=at(1), actor=SELLER, erased=True)
    case_played(*SUSPECTED, told).then_refused(SubjectErased)


# --- It is decided


def test_nobody_decides_before_the_accused_has_spoken_or_may_not_any_more() -> None:
    case_played(*SUSPECTED, say(confirm, now=at(7) - TICK, actor=ANOTHER)).then_refused(
        NotYetEligible, eligible_from=at(7)
    )
    assert "ViolationConfirmed" in kinds(
        case_history(*SUSPECTED, say(confirm, now=at(7), actor=ANOTHER))
    )
    assert "ViolationConfirmed" in kinds(
        case_history(*SPOKEN, say(confirm, now=at(3), actor=ANOTHER))
    )


def test_nobody_confirms_a_case_whose_time_is_over() -> None:
    case_played(*SPOKEN, say(confirm, now=at(17), actor=ANOTHER)).then_refused(
        WindowClosed, closed_at=at(17)
    )
    assert kinds(case_history(*SPOKEN, say(confirm, now=at(17) - TICK, actor=ANOTHER)))[-2:] == [
        "ViolationConfirmed",
        "StatementOfReasonsIssued",
    ]


def test_the_platform_confirms_few_points_by_itself_if_nothing_was_said() -> None:
    told = case_history(*BY_ITSELF)
    confirmed, reasons = told[-2:]
    assert isinstance(confirmed, ViolationConfirmed)
    assert (confirmed.automatic, confirmed.decided_by) == (True, "reputation")
    assert isinstance(reasons, StatementOfReasonsIssued)
    assert (reasons.automated_decision, reasons.automated_detection) == ("FULLY", True)
    early = say(automatic, now=at(7) - TICK)
    assert case_history(*BY_RULE, early) == case_history(*BY_RULE)
    spoken = (*BY_RULE, say(statement, now=at(2), actor=SELLER))
    case_played(*spoken, say(automatic, now=at(7))).then_refused(HumanRequired)


def test_points_are_within_the_range_of_the_rule() -> None:
    for points in (11, 25):
        wrong = ConfirmViolation(points=points, rule_ids=("R",), facts=words(), explanation="e")
        case_played(*SUSPECTED, say(wrong, now=at(7), actor=ANOTHER)).then_refused(InvalidValue)


def test_whether_an_account_is_closed_a_senior_decides() -> None:
    opened = say(suspected("SUSPENSION_REVIEW", detection="RULE"), now=at())
    none = ConfirmViolation(points=0, rule_ids=("R",), facts=words(), explanation="e")
    case_played(opened, say(none, now=at(7), actor=ANOTHER)).then_refused(
        RoleNotAllowed, allowed_roles=["SENIOR"]
    )
    *_, confirmed, reasons = case_history(opened, say(none, now=at(7), actor=SENIOR))
    assert isinstance(confirmed, ViolationConfirmed)
    assert confirmed.severity is None
    assert isinstance(reasons, StatementOfReasonsIssued)
    assert reasons.decision_account == "TERMINATED"


def test_a_decision_needs_its_reasons() -> None:
    bare = say(ConfirmViolation(points=12), now=at(7), actor=ANOTHER)
    case_played(*SUSPECTED, bare).then_refused(
        ReasonsMissing, missing=["rule_ids", "facts", "explanation"]
    )


def test_a_decision_comes_with_the_reasons_and_the_way_to_appeal() -> None:
    reasons = case_history(*CONFIRMED)[-1]
    assert isinstance(reasons, StatementOfReasonsIssued)
    assert (reasons.recipient_role, reasons.recipient_id) == ("SELLER", "S1")
    assert (reasons.appeal_until, reasons.appeal_command) == (at(38), "AppealViolation")
    assert reasons.redress == ["INTERNAL_APPEAL", "OUT_OF_COURT", "COURT"]
    assert (reasons.source_type, reasons.automated_decision) == ("OWN_INITIATIVE", "NOT")


def test_lapsed_is_the_platforms_word_and_no_persons() -> None:
    by_hand = say(DismissCase(reason="LAPSED"), now=at(18), actor=ANALYST)
    case_played(*SUSPECTED, by_hand).then_refused(InvalidValue)
    case_played(*DISMISSED, say(confirm, now=at(8), actor=ANOTHER)).then_refused(WrongState)


# --- It is appealed


def test_an_appeal_comes_in_thirty_days_and_once() -> None:
    last = say(appeal, now=at(38) - TICK, actor=SELLER)
    assert kinds(case_history(*CONFIRMED, last))[-1] == "ViolationAppealed"
    case_played(*CONFIRMED, say(appeal, now=at(38), actor=SELLER)).then_refused(WindowClosed)
    assert case_history(*APPEALED, say(appeal, now=at(10), actor=SELLER)) == case_history(*APPEALED)
    second = AppealViolation(appeal_id="A2", text=words())
    case_played(*APPEALED, say(second, now=at(10), actor=SELLER)).then_refused(
        AlreadyAppealed, existing_id="A1"
    )


def test_who_decided_first_does_not_decide_the_appeal() -> None:
    senior_confirms = (*SUSPECTED, say(confirm, now=at(8), actor=SENIOR))
    appealed = (*senior_confirms, say(appeal, now=at(9), actor=SELLER))
    case_played(*appealed, say(upheld, now=at(10), actor=SENIOR)).then_refused(
        ConflictOfInterest, ground="EARLIER_DECISION"
    )
    assert kinds(case_history(*appealed, say(upheld, now=at(10), actor=SENIOR_2)))[-2:] == [
        "ViolationAppealDecided",
        "StatementOfReasonsIssued",
    ]


@pytest.mark.parametrize(
    ("outcome", "points", "valid"),
    [
        ("UPHELD", None, 24),
        ("UPHELD", 24, 24),
        ("UPHELD", 23, None),
        ("REDUCED", 23, 23),
        ("REDUCED", 1, 1),
        ("REDUCED", 24, None),
        ("REDUCED", 0, None),
        ("REDUCED", None, None),
        ("REVERSED", None, 0),
        ("REVERSED", 1, None),
    ],
)
def test_an_appeal_leaves_the_points_lowers_them_or_takes_them_away(
    outcome: Any,  # noqa: ANN401 - a word of three
    points: int | None,
    valid: int | None,
) -> None:
    said = DecideViolationAppeal(
        outcome=outcome, points=points, rule_ids=("R",), facts=words(), explanation="e"
    )
    done = case_played(*APPEALED, say(said, now=at(10), actor=SENIOR))
    if valid is None:
        done.then_refused(InvalidValue)
        return
    (decided,) = [each for each in done.events if isinstance(each, ViolationAppealDecided)]
    assert decided.points == valid
    assert isinstance(done.state, Case)
    assert done.state.points == valid
    told = isinstance(done.events[-1], StatementOfReasonsIssued)
    assert told is (outcome != "REVERSED")


def test_an_appeal_that_nobody_decides_is_told_once() -> None:
    late = NoteOverdue(what="VIOLATION_APPEAL", ref_id="A1", due_at=at(19))
    assert case_history(*APPEALED, say(late, now=at(19) - TICK)) == case_history(*APPEALED)
    once = case_history(*APPEALED, say(late, now=at(19)))
    assert kinds(once)[-1] == "DecisionOverdue"
    assert case_history(*APPEALED, say(late, now=at(19)), say(late, now=at(20))) == once
