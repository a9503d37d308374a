"""What may come up to an account or a case in, whole lives of them out: for laws of any history.

Between the acts every deadline is met at its instant, as an importer's driver does it, or none is,
as if no timer had ever fired; what is refused changes nothing.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from shared_events.fields import Party
from shared_events.registry import encode_data
from shared_events.reputation import ViolationRule
from shared_runtime.decider import Decider, Refused
from shared_runtime.rule import Sent

from reputation_service.domain.account_rules import ACCOUNTS
from reputation_service.domain.account_state import Account
from reputation_service.domain.account_timers import (
    Period,
    account_deadlines,
    asked_of_account,
)
from reputation_service.domain.case_rules import CASES
from reputation_service.domain.case_state import Case
from reputation_service.domain.case_timers import asked_of_case, case_deadlines
from reputation_service.domain.erasing import RequestErasure
from reputation_service.domain.penalties import ReversePenalty
from reputation_service.domain.points_policy import policies
from reputation_service.domain.protection import GrantProtection
from reputation_service.domain.stays import StayPenalty, UnstayPenalty
from reputation_service.domain.suspension import LiftMeasure, SuspendAccount
from reputation_service.domain.termination import CancelTermination, GiveTerminationNotice
from reputation_service.domain.violations import REVIEW, VIOLATIONS
from reputation_service.testing import PRIVACY, SENIOR, START, SYSTEM, opened, penalty, say, words

FIRED_MAX = 500
"""Far more deadlines than a life has."""
GOOD = Period(60, 0)
BAD = Period(60, 1)


class Act(Struct, frozen=True):
    """Something happens, so long after what was before. `which`: of the penalties there are, of the
    rules there are, or how many points.
    """

    what: int
    which: int
    hours: int


class Life(Struct, frozen=True, kw_only=True):
    """An account or a case from its opening to where it is by then; each event with its instant."""

    decider: Any
    state: Any
    events: tuple[tuple[datetime, Any], ...] = ()
    now: datetime = START

    @property
    def told(self) -> tuple[Any, ...]:
        return tuple(event for _, event in self.events)


def begun(decider: Decider[Any, Any, Any], *story: Sent[Any, Any]) -> Life:
    life = Life(decider=decider, state=decider.initial)
    for command in story:
        life = after(life, command)
    return life


def after(life: Life, command: Sent[Any, Any]) -> Life:
    try:
        events = life.decider.decide(life.state, command)
    except Refused:
        return life
    state = life.state
    for event in events:
        encode_data(event)  # the log would take it
        state = life.decider.evolve(state, event)
    dated = tuple((command.now, event) for event in events)
    now = max(life.now, command.now)
    return Life(decider=life.decider, state=state, events=(*life.events, *dated), now=now)


# --- Accounts


def lived(acts: Iterable[Act], kind: Party = "SELLER", *, timers: bool = True) -> Life:
    """What becomes of an account. `timers`: they fire on time; else never."""
    life = begun(ACCOUNTS, opened(kind))
    for number, act in enumerate(acts):
        now = life.now + timedelta(hours=act.hours)
        if timers:
            life = met(life, now)
        life = after(replace(life, now=now), happening(life.state, act, number, now))
    return life


def happening(account: Account, act: Act, number: int, now: datetime) -> Sent[Any, Any]:
    """What an act is, for an account that stands so."""
    named = [*account.ledger.lots, "none"]
    penalty_id = named[act.which % len(named)]
    held = [*account.measures, "none"]
    cases: Sequence[Sent[Any, Any]] = [
        say(applied(account.kind, act.which, number), now=now),
        say(applied(account.kind, act.which + 1, number), now=now),
        say(ReversePenalty(penalty_id=penalty_id, reason="APPEAL_REVERSED"), now=now),
        say(StayPenalty(penalty_id=penalty_id, appeal_id="A1"), now=now),
        say(UnstayPenalty(penalty_id=penalty_id, outcome="UPHELD"), now=now),
        say(
            GrantProtection(until=now + timedelta(days=1 + act.which), reason="FLOOD"),
            now=now,
            actor=SENIOR,
        ),
        say(
            SuspendAccount(
                case_id="C9",
                ends_at=now + timedelta(days=1 + act.which % 30),
                rule_ids=("SAFE-1",),
                facts=words("facts"),
                explanation="It is not safe.",
            ),
            now=now,
            actor=SENIOR,
            is_safety_case=True,
        ),
        say(LiftMeasure(measure_id=held[act.which % len(held)]), now=now, actor=SENIOR),
        say(GiveTerminationNotice(case_id="C7", facts=words("facts")), now=now),
        say(CancelTermination(reason="BALANCE"), now=now),
        say(CancelTermination(reason="BY_SENIOR"), now=now, actor=SENIOR),
        say(
            RequestErasure(),
            now=now,
            actor=PRIVACY,
            open_ids=frozenset({"d1"} if act.which % 4 else ()),
        ),
    ]
    return cases[act.what % len(cases)]


def applied(kind: Party, which: int, number: int) -> Struct:
    rules: list[ViolationRule] = [
        rule for rule, told in VIOLATIONS.items() if kind in told.binds and rule != REVIEW
    ]
    rule = rules[which % len(rules)]
    told = VIOLATIONS[rule]
    return penalty(f"P{number}", told.least + which % (told.most - told.least + 1), rule)


def met(life: Life, until: datetime, period: Period = GOOD) -> Life:
    """Every deadline of an account up to an instant, each at its own."""
    for _ in range(FIRED_MAX):
        dues = [each for each in account_deadlines(life.state, policies()) if each.due <= until]
        if not dues:
            return life
        name, due = min(dues, key=lambda each: each.due)
        before = life
        for said in asked_of_account(name, due, life.state, period):
            life = after(life, say(said, now=max(due, life.now), actor=SYSTEM))
        if life.events == before.events:
            return life
    raise AssertionError("deadlines without an end")


# --- Cases


def case_met(life: Life, until: datetime) -> Life:
    """Every deadline of a case up to an instant, each at its own."""
    for _ in range(FIRED_MAX):
        state = life.state
        dues = [each for each in case_deadlines(state, policies()) if each.due <= until]
        if not dues:
            return life
        name, due = min(dues, key=lambda each: each.due)
        assert isinstance(state, Case)
        said = asked_of_case(name, state, words("facts"))
        assert said, f"{name} asks for nothing"
        fired = after(life, say(said, now=max(due, life.now), actor=SYSTEM))
        assert fired.events != life.events, f"{name} leads nowhere"
        life = fired
    raise AssertionError("deadlines without an end")


def begun_case(*story: Sent[Any, Any]) -> Life:
    return begun(CASES, *story)
