"""What no history of an account or a case can break: whatever happens, and whatever timer fires."""

from itertools import permutations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from reputation_service.domain.account_rules import ACCOUNT_RULES, ACCOUNTS
from reputation_service.domain.account_state import Account
from reputation_service.domain.account_timers import account_deadlines, asked_of_account
from reputation_service.domain.case_rules import CASE_RULES, CASES
from reputation_service.domain.case_state import Case
from reputation_service.domain.case_timers import asked_of_case, case_deadlines
from reputation_service.domain.erasing import RequestErasure
from reputation_service.domain.measures import in_force
from reputation_service.domain.penalties import ReversePenalty
from reputation_service.domain.points import Credit, Ledger, Lot
from reputation_service.domain.points_policy import AE_2025_1, policies
from reputation_service.testing import (
    ANALYST,
    ANOTHER,
    DAY,
    PRIVACY,
    SELLER,
    SENIOR,
    SENIOR_2,
    at,
    opened,
    penalty,
    say,
    words,
)
from reputation_service.testing.lives import (
    GOOD,
    Act,
    Life,
    after,
    begun,
    begun_case,
    case_met,
    lived,
    met,
)
from reputation_service.testing.stories import (
    ACCOUNT_STORIES,
    BY_RULE,
    CASE_STORIES,
    SUSPECTED,
    Story,
    appeal,
    confirm,
    statement,
    upheld,
)
from shared_events.common import StatementOfReasonsIssued
from shared_events.fields import Party
from shared_events.registry import decode_data, encode_data, tag_of
from shared_events.reputation import (
    AccountTerminated,
    MeasureApplied,
    MeasureLifted,
    PenaltyApplied,
    TerminationNoticeGiven,
    ViolationAppealDecided,
    ViolationConfirmed,
)
from shared_runtime.decider import Actor, Decider, Refused
from shared_runtime.rule import Sent
from shared_runtime.rules import Rules

kinds_of_account = st.sampled_from(["SELLER", "BUYER"])
acts = st.lists(
    st.builds(
        Act,
        what=st.integers(0, 11),
        which=st.integers(0, 40),
        hours=st.sampled_from([0, 1, 24, 24 * 30, 24 * 90, 24 * 200]),
    ),
    max_size=20,
)


def account(life: Life) -> Account:
    assert isinstance(life.state, Account)
    return life.state


# --- The balance is a sum


lots = st.lists(
    st.builds(
        Lot,
        penalty_id=st.uuids().map(str),
        case_id=st.just("C"),
        rule=st.just("EXTORTION"),
        points=st.integers(1, 100),
        severity=st.just("SEVERE"),
        applied_at=st.integers(0, 50).map(at),
        expires_at=st.integers(51, 400).map(at),
        reversed_at=st.none() | st.integers(20, 100).map(at),
    ),
    max_size=5,
    unique_by=lambda lot: lot.penalty_id,
)
credit_lists = st.lists(
    st.builds(
        Credit,
        points=st.integers(1, 10),
        credited_at=st.integers(0, 50).map(at),
        until=st.integers(51, 400).map(at),
    ),
    max_size=4,
)


@given(lots, credit_lists, st.integers(0, 420))
def test_the_balance_does_not_depend_on_the_order_and_is_within_its_bounds(
    told: list[Lot], given_: list[Credit], day: int
) -> None:
    now = at(day)
    balances = {
        Ledger(
            start=100,
            lots={lot.penalty_id: lot for lot in order},
            credits=tuple(reversed(given_)),
        ).balance(now)
        for order in permutations(told[:4])
    }
    (balance,) = balances
    assert 0 <= balance <= 100
    for lot in told:
        ledger = Ledger(start=100, lots={each.penalty_id: each for each in told})
        if lot.reversed_at and lot.reversed_at <= now:
            assert ledger.balance(now) == ledger.without_lot(lot.penalty_id).balance(now)


@given(acts, st.integers(1, 24), st.integers(0, 400))
def test_a_penalty_that_is_reversed_leaves_the_balance_as_if_it_had_never_been(
    doing: list[Act], points: int, days: int
) -> None:
    life = lived(doing)
    now = life.now
    more = after(life, say(penalty("PX", points), now=now))
    if more.events == life.events:
        return
    back = after(more, say(ReversePenalty(penalty_id="PX", reason="APPEAL_REVERSED"), now=now))
    then = now + days * DAY
    assert account(back).ledger.balance(then) == account(life).ledger.balance(then)
    again = after(back, say(ReversePenalty(penalty_id="PX", reason="APPEAL_REVERSED"), now=then))
    assert again.events == back.events


@given(st.lists(st.integers(0, 3), min_size=4, max_size=4, unique=True), st.integers(0, 60))
def test_independent_penalties_lead_to_the_same_in_any_order(order: list[int], day: int) -> None:
    said = [penalty(f"P{n}", points) for n, points in enumerate((12, 24, 13, 20))]
    straight = begun(ACCOUNTS, opened(), *(say(each, now=at()) for each in said))
    mixed = begun(ACCOUNTS, opened(), *(say(said[n], now=at()) for n in order))
    now = at(day)
    for one, other in [(account(straight), account(mixed))]:
        assert one.ledger.balance(now) == other.ledger.balance(now)
        assert one.level == other.level
        assert in_force(one, now, AE_2025_1) == in_force(other, now, AE_2025_1)
        assert held(one) == held(other)


# --- Level and measures


def held(state: Account) -> list[str]:
    return sorted(each.measure for each in state.measures.values())


@given(acts, kinds_of_account, st.booleans())
def test_after_every_event_level_and_measures_are_what_points_and_instant_say(
    doing: list[Act],
    kind: Party,
    timers: bool,
) -> None:
    life = lived(doing, kind, timers=timers)
    state = account(life)
    if not life.events:
        return
    last = life.events[-1][0]
    assert held(state) == in_force(state, last, AE_2025_1)
    assert state.level == state.real_level(last, AE_2025_1)


@given(acts, kinds_of_account, st.booleans())
def test_a_measure_that_is_lifted_was_applied_and_not_lifted_yet(
    doing: list[Act],
    kind: Party,
    timers: bool,
) -> None:
    running: dict[str, str] = {}
    for event in lived(doing, kind, timers=timers).told:
        if isinstance(event, MeasureApplied):
            assert event.measure not in running.values()
            assert event.measure_id not in running
            running[event.measure_id] = event.measure
        if isinstance(event, MeasureLifted):
            assert running.pop(event.measure_id) == event.measure


@given(acts, kinds_of_account)
def test_measures_do_not_depend_on_whether_timers_fired(doing: list[Act], kind: Party) -> None:
    """Given the same points and stays: what was told of their end is nothing to them."""
    life = met(lived(doing, kind), at(0))
    state = account(life)
    forgotten = {
        key: Lot(
            penalty_id=lot.penalty_id,
            case_id=lot.case_id,
            rule=lot.rule,
            points=lot.points,
            severity=lot.severity,
            applied_at=lot.applied_at,
            expires_at=lot.expires_at,
            stayed=lot.stayed,
            reversed_at=lot.reversed_at,
        )
        for key, lot in state.ledger.lots.items()
    }
    untold = Ledger(start=100, lots=forgotten, credits=state.ledger.credits)
    assert untold.balance(life.now) == state.ledger.balance(life.now)


@given(acts, st.booleans())
def test_a_notice_comes_thirty_days_before_the_end(
    doing: list[Act],
    timers: bool,
) -> None:
    given_at = None
    for now, event in met(lived(doing, timers=timers), at(4000)).events:
        if isinstance(event, TerminationNoticeGiven):
            given_at = now
        if isinstance(event, AccountTerminated):
            assert given_at
            assert now - given_at >= AE_2025_1.termination_notice


# --- Any stream


@given(acts, kinds_of_account)
def test_a_history_told_again_leads_to_the_same(doing: list[Act], kind: Party) -> None:
    life = lived(doing, kind)
    assert ACCOUNTS.fold(life.told) == life.state
    copied: Any = [decode_data(tag_of(event), encode_data(event)) for event in life.told]
    assert ACCOUNTS.fold(copied) == life.state


@given(acts, kinds_of_account)
def test_a_deadline_lies_ahead_and_is_met_once(doing: list[Act], kind: Party) -> None:
    life = met(lived(doing, kind), lived(doing, kind).now)
    for name, due in account_deadlines(life.state, policies()):
        for said in asked_of_account(name, due, life.state, GOOD):
            early = after(life, say(said, now=max(life.now, due - DAY / 86_400)))
            if due > life.now:
                assert early.events == life.events
            fired = after(life, say(said, now=max(due, life.now)))
            again = after(fired, say(said, now=max(due, life.now)))
            assert again.events == fired.events


@given(st.sampled_from([*ACCOUNT_STORIES.values()]), st.integers(0, 3))
def test_what_is_offered_is_what_would_be_taken(story: Story, which: int) -> None:
    offered_is_taken(ACCOUNT_RULES, ACCOUNTS, story, (SENIOR, PRIVACY, ANALYST, SELLER)[which])


@given(st.sampled_from([*CASE_STORIES.values()]), st.integers(0, 3))
def test_what_is_offered_of_a_case_is_what_would_be_taken(story: Story, which: int) -> None:
    offered_is_taken(CASE_RULES, CASES, story, (SENIOR, ANOTHER, ANALYST, SELLER)[which])


def offered_is_taken(
    rules: Rules[Any, Any, Any], decider: Decider[Any, Any, Any], story: Story, actor: Actor
) -> None:
    state = begun(decider, *story.commands).state
    by = say(RequestErasure(), now=story.now, actor=actor).by
    for action in rules.offered(state, by):
        (row,) = [each for each in rules if each.name == action.action]
        taken = False
        for matter in row.matters(state, by):
            for said in row.tries(matter, by) if row.tries else [row.example]:
                try:
                    taken |= bool(decider.decide(state, Sent(said, by)))
                except Refused:
                    continue
        assert taken == action.allowed, action


# --- Cases


moves = st.lists(
    st.tuples(st.integers(0, 6), st.sampled_from([0, 1, 24, 72, 24 * 9, 24 * 31])), max_size=8
)
beginnings = st.sampled_from([SUSPECTED, BY_RULE])


def walked(story: Any, doing: list[tuple[int, int]]) -> Life:  # noqa: ANN401 - commands
    life = begun_case(*story)
    for what, hours in doing:
        now = life.now + DAY * hours / 24
        life = case_met(life, now)
        said = [
            say(statement, now=now, actor=SELLER),
            say(confirm, now=now, actor=ANALYST),
            say(confirm, now=now, actor=ANOTHER),
            say(confirm, now=now, actor=SENIOR),
            say(appeal, now=now, actor=SELLER),
            say(upheld, now=now, actor=SENIOR),
            say(upheld, now=now, actor=SENIOR_2),
        ]
        life = after(life, said[what])
    return life


@given(beginnings, moves)
def test_no_case_waits_for_ever_and_none_is_decided_twice(story: Any, doing: Any) -> None:  # noqa: ANN401
    life = case_met(walked(story, doing), at(9000))
    assert isinstance(life.state, Case)
    assert life.state.status in ("CONFIRMED", "REVERSED", "DISMISSED", "APPEALED")
    told = [type(event).__name__ for event in life.told]
    assert told.count("ViolationConfirmed") + told.count("CaseDismissed") == 1
    assert ("DecisionOverdue" in told) or life.state.status != "APPEALED"


@given(beginnings, moves)
def test_many_points_are_a_persons_decision_never_who_opened_nor_decided_before(
    story: Any,  # noqa: ANN401 - commands
    doing: Any,  # noqa: ANN401 - moves
) -> None:
    life = walked(story, doing)
    assert isinstance(life.state, Case)
    for event in life.told:
        if isinstance(event, ViolationConfirmed) and event.points >= AE_2025_1.case_human_points:
            assert not event.automatic
            assert event.decided_by != life.state.opened.opened_by
        if isinstance(event, ViolationAppealDecided):
            assert life.state.confirmed
            assert event.decided_by != life.state.confirmed.decided_by


@given(beginnings, moves)
def test_whom_a_decision_goes_against_is_told_why_once(story: Any, doing: Any) -> None:  # noqa: ANN401
    told = walked(story, doing).told
    owed = [
        event
        for event in told
        if isinstance(event, ViolationConfirmed)
        or (isinstance(event, ViolationAppealDecided) and event.outcome != "REVERSED")
    ]
    issued = [each for each in told if isinstance(each, StatementOfReasonsIssued)]
    assert len(owed) == len(issued) == len({each.sor_id for each in issued})


@given(acts, kinds_of_account)
def test_every_penalty_is_told_with_one_statement(doing: list[Act], kind: Party) -> None:
    told = lived(doing, kind).told
    suspended = [
        each for each in told if isinstance(each, MeasureApplied) and each.measure == "SUSPENSION"
    ]
    owed = [each for each in told if isinstance(each, PenaltyApplied | TerminationNoticeGiven)]
    issued = [each for each in told if isinstance(each, StatementOfReasonsIssued)]
    assert len(issued) == len(owed) + len(suspended)
    assert len({each.sor_id for each in issued}) == len(issued)


@given(st.sampled_from([*CASE_STORIES.values()]))
def test_a_deadline_of_a_case_lies_ahead_or_is_met_once(story: Any) -> None:  # noqa: ANN401
    life = begun_case(*story.commands)
    assert isinstance(life.state, Case)
    assert CASES.fold(life.told) == life.state
    for name, due in case_deadlines(life.state, policies()):
        said = asked_of_case(name, life.state, words("facts"))
        assert said
        early = after(life, say(said, now=due - DAY / 86_400))
        assert early.events == life.events
        fired = after(life, say(said, now=due))
        assert after(fired, say(said, now=due + DAY)).events == fired.events


def test_a_refusal_changes_nothing() -> None:
    life = begun_case(*SUSPECTED)
    try:
        CASES.decide(life.state, say(upheld, now=at(1), actor=SENIOR))
    except Refused:
        assert after(life, say(upheld, now=at(1), actor=SENIOR)).events == life.events
    else:
        raise AssertionError("an appeal that nobody has lodged was decided")
