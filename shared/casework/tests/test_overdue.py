"""Staff that are late are told of once for each deadline, and never before it."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from msgspec import Struct
from msgspec.structs import replace
from shared_casework.overdue import (
    Deadline,
    NoteOverdue,
    OverdueRule,
    Pending,
    deadline_of,
    note_overdue,
)
from shared_events.common import DecisionOverdue, MatterFact
from shared_runtime.decider import Actor, InvalidValue, RoleNotAllowed
from shared_runtime.rule import By, Sent
from shared_runtime.rules import Rules

DUE = datetime(2025, 3, 22, 8, tzinfo=UTC)
DAY = timedelta(days=1)
ONE = timedelta(microseconds=1)
ABOUT = MatterFact(
    order_id="O1", seller_id="S1", buyer_id="B1", dispute_id="D1", policy_version="ae-2025-1"
)


class Opened(Struct, frozen=True):
    dispute_id: str


class Dispute(Struct, frozen=True, kw_only=True):
    """Undecided; due twice, where a question has stopped the clock meanwhile."""

    decide_by: datetime | None = DUE
    overdue: frozenset[Deadline] = frozenset()


def pending(dispute: Dispute, said: NoteOverdue) -> Pending | None:
    if said.what != "DISPUTE_DECISION" or said.ref_id != "D1" or dispute.decide_by is None:
        return None
    return Pending(about=ABOUT, due_at=dispute.decide_by, noted=dispute.overdue)


type Fact = Opened | DecisionOverdue

NOTE_OVERDUE: OverdueRule[Dispute, None, Fact] = note_overdue(pending)
RULES = Rules[Dispute, None, Fact](NOTE_OVERDUE)
TIMER = Actor(role="SYSTEM", id="timer")
note = NoteOverdue(what="DISPUTE_DECISION", ref_id="D1", due_at=DUE)
noted = DecisionOverdue(
    order_id="O1",
    seller_id="S1",
    buyer_id="B1",
    dispute_id="D1",
    policy_version="ae-2025-1",
    what="DISPUTE_DECISION",
    ref_id="D1",
    due_at=DUE,
)


def decide(
    said: NoteOverdue, state: Dispute | None = None, now: datetime = DUE, actor: Actor = TIMER
) -> list[Fact]:
    return RULES.decide(state or Dispute(), Sent(said, By(actor=actor, now=now, known=None)))


def test_a_decision_that_is_owed_at_its_deadline_is_told_as_overdue() -> None:
    assert decide(note) == [noted]
    assert decide(note, now=DUE + 30 * DAY) == [noted]


def test_never_before_the_deadline() -> None:
    assert decide(note, now=DUE - ONE) == []


def test_once_for_each_deadline() -> None:
    told = Dispute(overdue=frozenset({deadline_of(noted)}))
    assert decide(note, told, DUE + DAY) == []
    again = replace(note, due_at=DUE + 3 * DAY)
    later = replace(told, decide_by=DUE + 3 * DAY)
    assert decide(again, later, DUE + 3 * DAY) == [replace(noted, due_at=DUE + 3 * DAY)]


def test_a_deadline_that_was_moved_is_none_any_more() -> None:
    assert decide(note, Dispute(decide_by=DUE + DAY), DUE + 2 * DAY) == []


def test_what_was_decided_or_never_was_is_not_overdue() -> None:
    assert decide(note, Dispute(decide_by=None)) == []
    assert decide(replace(note, ref_id="D2")) == []


def test_a_deadline_is_the_same_whatever_its_offset() -> None:
    there = replace(note, due_at=DUE.astimezone(timezone(timedelta(hours=8))))
    assert decide(there) == [noted]
    assert decide(there, Dispute(overdue=frozenset({deadline_of(noted)}))) == []


def test_only_a_timer_notes_it_and_nobody_is_offered_to() -> None:
    with pytest.raises(RoleNotAllowed):
        decide(note, actor=Actor(role="SENIOR", id="SE1"))
    with pytest.raises(InvalidValue):
        decide(replace(note, ref_id=""))
    offered = RULES.offered(Dispute(), By(actor=TIMER, now=DUE, known=None))
    assert [action.allowed for action in offered] == [False]
