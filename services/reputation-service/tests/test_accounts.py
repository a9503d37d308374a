"""Credit points of an account: what they cost, when they end, and what follows from them."""

from datetime import timedelta

import pytest
from reputation_service.domain.account_rules import ACCOUNTS
from reputation_service.domain.account_state import Account
from reputation_service.domain.conduct import AssessConduct, ExpireCredit
from reputation_service.domain.erasing import RequestErasure
from reputation_service.domain.penalties import ApplyPenalty, ExpirePenalty, ReversePenalty
from reputation_service.domain.protection import GrantProtection
from reputation_service.domain.stays import StayPenalty, UnstayPenalty
from reputation_service.domain.streams import measure_id_of
from reputation_service.domain.suspension import LiftMeasure
from reputation_service.domain.termination import (
    CancelTermination,
    GiveTerminationNotice,
    TerminateAccount,
)
from reputation_service.testing import (
    PRIVACY,
    SENIOR,
    SYSTEM,
    TICK,
    at,
    history,
    kinds,
    opened,
    penalty,
    played,
    say,
    words,
)
from reputation_service.testing.stories import (
    CREDITED,
    CRITICAL,
    NOTICE,
    OPEN,
    PENALIZED,
    REDUCED,
    RESTRICTED,
    SUSPENDED,
    suspend,
)
from shared_events.common import StatementOfReasonsIssued
from shared_events.reputation import (
    AccountEvent,
    ConductAssessed,
    ErasureDeferred,
    LevelChanged,
    MeasureApplied,
    MeasureLifted,
    PenaltyApplied,
    PenaltyReversed,
    ProtectionGranted,
    TerminationNoticeGiven,
)
from shared_runtime.decider import (
    AlreadySubmitted,
    InvalidValue,
    LimitReached,
    NotFound,
    SubjectErased,
    WrongState,
)


def applied_in(events: tuple[AccountEvent, ...] | list[AccountEvent]) -> list[str]:
    return [each.measure for each in events if isinstance(each, MeasureApplied)]


def lifted_in(events: tuple[AccountEvent, ...] | list[AccountEvent]) -> list[tuple[str, str]]:
    return [(each.measure, each.reason) for each in events if isinstance(each, MeasureLifted)]


def account(*events: AccountEvent) -> Account:
    state = ACCOUNTS.fold(events)
    assert isinstance(state, Account)
    return state


# --- Worked cases of the rules


def test_case_41_an_appeal_stays_the_worst_measures_until_it_is_upheld() -> None:
    stay = say(StayPenalty(penalty_id="P2", appeal_id="A1"), now=at(3))
    stayed = played(*RESTRICTED, stay)
    told = [each for each in stayed.events if isinstance(each, PenaltyApplied)]
    assert [each.balance_after for each in told] == [76, 52]
    levels = [each.to for each in stayed.events if isinstance(each, LevelChanged)]
    assert levels == ["REDUCED", "RESTRICTED"]
    assert applied_in(stayed.events)[-2:] == ["NO_PROMOTIONS", "PAYOUT_HOLD"]
    assert lifted_in(stayed.events) == [("NO_PROMOTIONS", "STAYED"), ("PAYOUT_HOLD", "STAYED")]
    assert account(*stayed.events).ledger.balance(at(3)) == 52
    unstay = say(UnstayPenalty(penalty_id="P2", outcome="UPHELD"), now=at(9))
    again = played(*RESTRICTED, stay, unstay)
    assert kinds(again.events)[-3:] == ["PenaltyUnstayed", "MeasureApplied", "MeasureApplied"]


def test_case_42_points_that_had_ended_are_reversed_without_a_trace_in_the_balance() -> None:
    minor = say(penalty("P1", 2, "UNANSWERED_DISPUTE"), now=at())
    expire = say(ExpirePenalty(penalty_id="P1"), now=at(90))
    reverse = say(ReversePenalty(penalty_id="P1", reason="APPEAL_REVERSED"), now=at(112))
    done = played(*OPEN, minor, expire, reverse)
    (told,) = [each for each in done.events if isinstance(each, PenaltyReversed)]
    assert (told.already_expired, told.balance_after) == (True, 100)
    assert kinds(done.events)[-1] == "PenaltyReversed"


def test_case_44_who_has_a_dispute_open_is_erased_when_it_closes() -> None:
    asked = say(RequestErasure(), now=at(1), actor=PRIVACY, open_ids=frozenset({"d1"}))
    repeated = say(RequestErasure(), now=at(5))
    done = played(*OPEN, asked, repeated)
    assert kinds(done.events)[1:] == ["ErasureDeferred", "SubjectErased"]
    protect = say(GrantProtection(until=at(9), reason="X"), now=at(6), actor=SENIOR)
    played(*OPEN, asked, repeated, protect).then_refused(SubjectErased)


def test_an_erasure_is_deferred_anew_when_what_it_waits_for_is_open_for_another_while() -> None:
    case = frozenset({"C1"})
    asked = say(RequestErasure(), now=at(1), actor=PRIVACY, open_ids=case)
    confirmed = say(RequestErasure(), now=at(2), open_ids=case, open_until=at(32))
    appealed = say(RequestErasure(), now=at(3), open_ids=case)
    done = played(*OPEN, asked, asked, confirmed, confirmed, appealed)
    told = [each for each in done.events if isinstance(each, ErasureDeferred)]
    assert [each.open_until for each in told] == [None, at(32), None]


def test_case_65_the_end_of_a_credit_lowers_the_level() -> None:
    story = [
        *OPEN,
        say(penalty("P0", 4, "FAKE_TRANSACTION"), now=at()),
        say(AssessConduct(orders_completed=50, violations=0), now=at(90)),
        say(AssessConduct(orders_completed=50, violations=0), now=at(180)),
        say(penalty("P1", 24), now=at(200)),
        say(ExpirePenalty(penalty_id="P0"), now=at(365)),
    ]
    before = account(*history(*story))
    assert (before.ledger.balance(at(365)), before.level) == (80, "NORMAL")
    done = played(*story, say(ExpireCredit(credit_until=at(90 + 365)), now=at(90 + 365)))
    assert kinds(done.events)[-3:] == ["CreditExpired", "LevelChanged", "MeasureApplied"]
    assert account(*done.events).ledger.balance(at(90 + 365)) == 78


# --- Points


def test_points_count_from_their_instant_until_before_their_end() -> None:
    ledger = account(*history(*PENALIZED)).ledger
    assert [ledger.balance(at(0) - TICK), ledger.balance(at(0))] == [100, 76]
    assert [ledger.balance(at(365) - TICK), ledger.balance(at(365))] == [76, 100]


@pytest.mark.parametrize(
    ("rule", "points", "days"),
    [("UNANSWERED_DISPUTE", 2, 90), ("COUNTERFEIT", 12, 365)],
)
def test_points_last_as_long_as_their_severity_says(rule: str, points: int, days: int) -> None:
    said = penalty("P1", points, rule)  # type: ignore[arg-type]  # a rule by its name
    (told, *_) = played(*OPEN, say(said, now=at())).events[1:]
    assert isinstance(told, PenaltyApplied)
    assert told.expires_at == at(days)


def test_the_same_penalty_costs_points_once() -> None:
    again = say(penalty("P1", 24), now=at(3))
    assert history(*PENALIZED, again) == history(*PENALIZED)


def test_points_on_an_account_that_nobody_has_are_refused() -> None:
    played(say(penalty("P1", 24), now=at())).then_refused(NotFound)


def test_a_double_reversal_is_nothing() -> None:
    reverse = say(ReversePenalty(penalty_id="P1", reason="APPEAL_REVERSED"), now=at(3))
    once = history(*PENALIZED, reverse)
    assert history(*PENALIZED, reverse, reverse) == once
    assert account(*once).ledger.balance(at(3)) == 100
    assert account(*once).ledger.balance(at(3) - TICK) == 76


def test_reduced_points_end_when_the_first_ones_would_have() -> None:
    lower = say(penalty("P2", 12, case_id="C-P1"), now=at(9))
    told = history(*REDUCED, lower)
    lot = account(*told).ledger.lots["P2"]
    assert lot.expires_at == at(365)
    late = say(penalty("P2", 12, case_id="C-P1"), now=at(365))
    assert history(*REDUCED, late) == history(*REDUCED)
    other = say(penalty("P3", 12), now=at(9))
    assert account(*history(*REDUCED, other)).ledger.lots["P3"].expires_at == at(9 + 365)


def test_a_penalty_without_its_facts_is_refused() -> None:
    bare = ApplyPenalty(
        penalty_id="P1", case_id="C1", rule="EXTORTION", points=12, severity="SEVERE", facts=None
    )
    played(*OPEN, say(bare, now=at())).then_refused(InvalidValue)


def test_the_holder_is_told_why_with_what_it_brings() -> None:
    first, second = [
        each for each in history(*RESTRICTED) if isinstance(each, StatementOfReasonsIssued)
    ]
    assert first.decision_visibility == "CONTENT_DEMOTED"
    assert (second.decision_monetary, second.decision_provision) == (
        "SUSPENSION",
        "PARTIAL_SUSPENSION",
    )
    assert "NO_PROMOTIONS, PAYOUT_HOLD" in second.explanation
    assert second.automated_decision == "PARTIALLY"
    small = say(penalty("P1", 1, "LATE_RETURN_HANDLING"), now=at())
    *_, told = history(*OPEN, small)
    assert isinstance(told, StatementOfReasonsIssued)
    assert (told.decision_visibility, told.redress) == ("OTHER", ["OUT_OF_COURT", "COURT"])


# --- Points that are earned back


def test_a_period_counts_from_where_the_balance_falls_and_is_followed_by_the_next() -> None:
    early = say(AssessConduct(orders_completed=50, violations=0), now=at(90, -1))
    assert history(*PENALIZED, early) == history(*PENALIZED)
    (told,) = [each for each in history(*CREDITED) if isinstance(each, ConductAssessed)]
    assert (told.period_from, told.period_to, told.next_at) == (at(), at(90), at(180))
    assert (told.points_credited, told.credit_until) == (2, at(90 + 365))


@pytest.mark.parametrize(("orders", "violations", "points"), [(50, 0, 2), (49, 0, 0), (50, 1, 0)])
def test_enough_orders_and_no_violation_earn_points(
    orders: int, violations: int, points: int
) -> None:
    said = AssessConduct(orders_completed=orders, violations=violations)
    *_, told = [
        each
        for each in history(*PENALIZED, say(said, now=at(90)))
        if isinstance(each, ConductAssessed)
    ]
    assert told.points_credited == points


def test_the_year_has_room_for_six_points() -> None:
    good = AssessConduct(orders_completed=50, violations=0)
    told = history(*PENALIZED, *(say(good, now=at(90 * n)) for n in (1, 2, 3, 4)))
    earned = [each.points_credited for each in told if isinstance(each, ConductAssessed)]
    assert earned == [2, 2, 2, 0]


# --- Protection, suspension, termination


def test_a_protection_lasts_ninety_days_at_most() -> None:
    exactly = GrantProtection(until=at(90), reason="FLOOD")
    longer = GrantProtection(until=at(90, 1), reason="FLOOD")
    assert kinds(history(*OPEN, say(exactly, now=at(), actor=SENIOR)))[-1] == "ProtectionGranted"
    played(*OPEN, say(longer, now=at(), actor=SENIOR)).then_refused(LimitReached, limit=90 * 86_400)
    past = GrantProtection(until=at(), reason="FLOOD")
    played(*OPEN, say(past, now=at(), actor=SENIOR)).then_refused(InvalidValue)


def test_a_protection_keeps_the_real_level_of_its_grant() -> None:
    first = say(GrantProtection(until=at(30), reason="FLOOD"), now=at(1), actor=SENIOR)
    fall = say(penalty("P1", 24), now=at(2))
    second = say(GrantProtection(until=at(60), reason="FLOOD"), now=at(3), actor=SENIOR)
    told = [
        each for each in history(*OPEN, first, fall, second) if isinstance(each, ProtectionGranted)
    ]
    assert [(each.level, each.public_level) for each in told] == [
        ("NORMAL", "NORMAL"),
        ("REDUCED", "NORMAL"),
    ]


def test_a_suspension_needs_a_safety_case_and_lasts_thirty_days_at_most() -> None:
    played(*OPEN, say(suspend, now=at(1), actor=SENIOR)).then_refused(WrongState)
    soon = at(20) - timedelta(days=30)
    command = say(suspend, now=soon, actor=SENIOR, is_safety_case=True)
    assert applied_in(history(opened(now=soon), command)) == ["SUSPENSION"]
    sooner = say(suspend, now=soon - TICK, actor=SENIOR, is_safety_case=True)
    played(opened(now=soon - TICK), sooner).then_refused(InvalidValue)


def test_one_suspension_is_in_force_at_a_time() -> None:
    again = say(suspend, now=at(2), actor=SENIOR, is_safety_case=True)
    held = measure_id_of("SELLER", "S1", 1)
    played(*SUSPENDED, again).then_refused(AlreadySubmitted, existing_id=held)


def test_a_suspension_falls_with_its_ground_or_ends_by_itself() -> None:
    held = measure_id_of("SELLER", "S1", 1)

    def lifted(now: float, case_id: str | None) -> list[tuple[str, str]]:
        said = LiftMeasure(measure_id=held, case_id=case_id)
        return lifted_in(history(*SUSPENDED, say(said, now=at(now))))

    assert lifted(5, "C4") == []
    assert lifted(5, "C9") == [("SUSPENSION", "REVERSED")]
    assert lifted(20, None) == [("SUSPENSION", "ENDED")]
    by_hand = LiftMeasure(measure_id=held)
    told = history(*SUSPENDED, say(by_hand, now=at(5), actor=SENIOR))
    assert lifted_in(told) == [("SUSPENSION", "BY_HAND")]


def test_a_person_lifts_no_measure_that_follows_from_points() -> None:
    held = measure_id_of("SELLER", "S1", 2)
    by_hand = say(LiftMeasure(measure_id=held), now=at(5), actor=SENIOR)
    played(*PENALIZED, by_hand).then_refused(WrongState)


def test_a_notice_is_thirty_days_and_says_when_it_ends() -> None:
    told = history(*NOTICE)
    (notice,) = [each for each in told if isinstance(each, TerminationNoticeGiven)]
    assert notice.effective_at == at(35)
    statement = told[-1]
    assert isinstance(statement, StatementOfReasonsIssued)
    assert (statement.decision_account, statement.application_date) == ("TERMINATED", at(35))
    early = say(TerminateAccount(), now=at(35) - TICK)
    assert history(*NOTICE, early) == told
    assert kinds(history(*NOTICE, say(TerminateAccount(), now=at(35))))[-1] == "AccountTerminated"


def test_nobody_is_closed_whose_balance_is_back_at_forty() -> None:
    reverse = say(ReversePenalty(penalty_id="P3", reason="APPEAL_REVERSED"), now=at(8))
    notice = say(GiveTerminationNotice(case_id="C8", facts=words()), now=at(9))
    assert history(*CRITICAL, reverse, notice) == history(*CRITICAL, reverse)
    terminate = say(TerminateAccount(), now=at(35))
    assert history(*NOTICE, reverse, terminate) == history(*NOTICE, reverse)
    cancel = say(CancelTermination(reason="BALANCE"), now=at(8))
    assert kinds(history(*NOTICE, reverse, cancel))[-1] == "TerminationCancelled"
    assert history(*NOTICE, cancel) == history(*NOTICE)


def test_a_notice_falls_with_the_case_behind_it_and_with_no_other() -> None:
    def cancelled(case_id: str) -> list[str]:
        said = CancelTermination(reason="CASE_REVERSED", case_id=case_id)
        return kinds(history(*NOTICE, say(said, now=at(6), actor=SYSTEM)))

    assert cancelled("C7")[-1] == "TerminationCancelled"
    assert cancelled("C6") == kinds(history(*NOTICE))
    wrong = say(CancelTermination(reason="BALANCE"), now=at(6), actor=SENIOR)
    played(*NOTICE, wrong).then_refused(InvalidValue)
