"""The deadlines of accounts and cases: which are set, and what each of them asks for."""

from reputation_service.domain.account_rules import ACCOUNTS
from reputation_service.domain.account_state import Unopened
from reputation_service.domain.account_timers import Period, account_deadlines, asked_of_account
from reputation_service.domain.case_rules import CASES
from reputation_service.domain.case_state import Case
from reputation_service.domain.case_state import Unopened as NoCase
from reputation_service.domain.case_timers import asked_of_case, case_deadlines
from reputation_service.domain.erasing import RequestErasure
from reputation_service.domain.penalties import ExpirePenalty
from reputation_service.domain.points_policy import policies
from reputation_service.testing import (
    PRIVACY,
    SELLER,
    at,
    case_history,
    history,
    penalty,
    say,
    words,
)
from reputation_service.testing.lives import begun_case, case_met
from reputation_service.testing.stories import (
    APPEALED,
    BY_RULE,
    CREDITED,
    DISMISSED,
    NOTICE,
    OPEN,
    PENALIZED,
    PROTECTED,
    RATING_LOST,
    SPOKEN,
    SUSPECTED,
    SUSPENDED,
    statement,
)
from shared_casework.overdue import NoteOverdue


def of_account(*story: object) -> dict[str, object]:
    state = ACCOUNTS.fold(history(*story))  # type: ignore[arg-type]  # stories are commands
    return dict(account_deadlines(state, policies()))


def of_case(*story: object) -> dict[str, object]:
    state = CASES.fold(case_history(*story))  # type: ignore[arg-type]  # stories are commands
    return dict(case_deadlines(state, policies()))


def test_points_end_and_a_period_of_conduct_runs() -> None:
    assert of_account(*OPEN) == {}
    assert account_deadlines(Unopened(), policies()) == []
    assert of_account(*PENALIZED) == {"PENALTY_END": at(365), "CONDUCT": at(90)}
    assert of_account(*CREDITED) == {
        "PENALTY_END": at(365),
        "CONDUCT": at(180),
        "CREDIT_END": at(90 + 365),
    }


def test_no_period_runs_for_a_buyer() -> None:
    assert of_account(*RATING_LOST) == {"PENALTY_END": at(365)}


def test_a_suspension_a_protection_and_a_notice_end() -> None:
    assert of_account(*SUSPENDED) == {"MEASURE_END": at(20)}
    assert of_account(*PROTECTED)["PROTECTION_END"] == at(30)
    assert of_account(*NOTICE)["TERMINATION"] == at(35)


def test_an_erasure_that_waits_for_the_end_of_an_appeal_window_is_asked_for_again_then() -> None:
    case = frozenset({"C1"})
    waiting = say(RequestErasure(), now=at(1), actor=PRIVACY, open_ids=case, open_until=at(31))
    assert of_account(*OPEN, waiting) == {"ERASURE": at(31)}
    state = ACCOUNTS.fold(history(*OPEN, waiting))
    again = asked_of_account("ERASURE", at(31), state, Period(0, 0))  # type: ignore[arg-type]  # it is open
    assert again == [RequestErasure()]
    assert of_account(*OPEN, waiting, say(RequestErasure(), now=at(31))) == {}
    for_a_dispute = say(RequestErasure(), now=at(1), actor=PRIVACY, open_ids=frozenset({"d1"}))
    assert of_account(*OPEN, for_a_dispute) == {}


def test_points_that_end_together_are_told_together() -> None:
    two = (*OPEN, *(say(penalty(f"P{n}", 2, "UNANSWERED_DISPUTE"), now=at()) for n in (1, 2)))
    state = ACCOUNTS.fold(history(*two))
    asked = asked_of_account("PENALTY_END", at(90), state, Period(0, 0))  # type: ignore[arg-type]  # it is open
    assert asked == [ExpirePenalty(penalty_id="P1"), ExpirePenalty(penalty_id="P2")]
    once = (*two, say(asked[0], now=at(90)))
    assert of_account(*once)["PENALTY_END"] == at(90)


def test_a_case_confirms_itself_only_by_an_automatic_rule_and_in_silence() -> None:
    assert case_deadlines(NoCase(), policies()) == []
    assert of_case(*SUSPECTED) == {"CASE_DUE": at(17)}
    assert of_case(*BY_RULE) == {"STATEMENT_END": at(7), "CASE_DUE": at(17)}
    spoken = (*BY_RULE, say(statement, now=at(1), actor=SELLER))
    assert of_case(*spoken) == {"CASE_DUE": at(17)}
    assert of_case(*SPOKEN) == {"CASE_DUE": at(17)}
    assert of_case(*DISMISSED) == {}


def test_an_appeal_is_told_overdue_once() -> None:
    assert of_case(*APPEALED) == {"VIOLATION_APPEAL_DUE": at(19)}
    state = CASES.fold(case_history(*APPEALED))
    assert isinstance(state, Case)
    late = asked_of_case("VIOLATION_APPEAL_DUE", state, words())
    assert late == NoteOverdue(what="VIOLATION_APPEAL", ref_id="A1", due_at=at(19))
    assert isinstance(late, NoteOverdue)
    assert of_case(*APPEALED, say(late, now=at(19))) == {}
    plain = CASES.fold(case_history(*SUSPECTED))
    assert isinstance(plain, Case)
    assert asked_of_case("VIOLATION_APPEAL_DUE", plain, words()) is None


def test_what_a_deadline_of_a_case_asks_for_is_taken() -> None:
    confirmed = case_met(begun_case(*BY_RULE), at(7))
    assert confirmed.state.status == "CONFIRMED"
    assert case_met(begun_case(*SPOKEN), at(17)).state.status == "DISMISSED"
