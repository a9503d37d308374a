"""Who may know of what in a ledger."""

from collections.abc import Sequence
from typing import get_args

import pytest
from returns_service.app import READS
from returns_service.domain import ledger_readers
from returns_service.domain.ledger_readers import READERS, folded, ledger_read_by
from returns_service.domain.ledger_state import LedgerState
from returns_service.testing import (
    AGENT,
    AUDITOR,
    BUYER,
    SELLER,
    SYSTEM,
    at,
    history,
    kinds,
    paid,
    say,
)
from returns_service.testing.stories import LATE, REQUESTED, STORIES, Story
from shared_casework.overdue import NoteOverdue
from shared_events.returns import RefundEvent
from shared_runtime.decider import Actor
from shared_runtime.testing import as_recorded, told_in_turn

BUYERS_MACHINE = Actor(role="SYSTEM", id="erp", org_id="B1")
MARKET = Actor(role="SYSTEM", id="market")
NOTED = say(NoteOverdue(what="REFUND", ref_id="f-1", due_at=at(16)), at(16))


def test_the_table_of_readers_knows_every_event() -> None:
    assert set(READERS) == set(get_args(RefundEvent.__value__))


def test_both_parties_and_the_desk_read_of_refunds_and_the_delay_is_the_platforms_own() -> None:
    events = history(*REQUESTED, NOTED)
    for party in (BUYER, SELLER):
        assert kinds(ledger_read_by(party, events).events) == kinds(events)[:-1]
    for staff in (AGENT, AUDITOR, SYSTEM):
        assert ledger_read_by(staff, events).version == len(events)


def test_what_was_given_twice_is_told_to_those_who_bear_it() -> None:
    events = history(*LATE, say(paid("f-3"), at(6)))
    assert kinds(events)[-1] == "RefundOverpaid"
    reading = ledger_read_by(BUYER, events)
    assert "RefundOverpaid" not in kinds(reading.events)
    assert reading.knows == (*[True] * (len(events) - 1), False)
    assert ledger_read_by(SELLER, events).version == len(events)
    assert reading.state == ledger_read_by(SELLER, events).state


def test_for_who_may_know_all_of_it_a_ledger_is_folded_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events = history(*REQUESTED, NOTED)
    folds: list[int] = []

    def counted(told: Sequence[RefundEvent]) -> LedgerState:
        folds.append(len(told))
        return folded(told)

    monkeypatch.setattr(ledger_readers, "folded", counted)
    assert ledger_read_by(AGENT, events).state == folded(events)
    assert folds == [len(events)]
    assert ledger_read_by(BUYER, events).state == folded(events[:-1]) != folded(events)
    assert folds == [len(events), len(events), len(events) - 1]


@pytest.mark.parametrize(
    "actor",
    [
        Actor(role="BUYER", id="B2"),
        Actor(role="SELLER", id="S2"),
        Actor(role="AGENT", id="agent-2", org_id="S1"),
        Actor(role="MODERATOR", id="mod-1"),
    ],
)
def test_nobody_else_reads_of_it(actor: Actor) -> None:
    assert ledger_read_by(actor, history(*REQUESTED)).reader is None
    assert ledger_read_by(BUYER, []).reader is None


def told_by_webhook(reader: Actor, events: tuple[RefundEvent, ...]) -> list[str]:
    steps = told_in_turn(as_recorded("refunds-O1", events, at=at(9)), reader, READS)
    return [type(each.event).__name__ for step in steps for each in step]


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
@pytest.mark.parametrize("reader", [BUYER, SELLER, MARKET, BUYERS_MACHINE])
def test_whatever_becomes_of_money_each_is_told_once_by_webhook_what_he_may_read(
    reader: Actor, story: Story
) -> None:
    told_by_webhook(reader, tuple(history(*story.commands)))


def test_a_webhook_tells_of_money_what_its_reader_may_know_and_no_more() -> None:
    twice = tuple(history(*LATE, say(paid("f-3"), at(6))))
    late = tuple(history(*REQUESTED, NOTED))
    for buyers in (BUYER, BUYERS_MACHINE):
        assert told_by_webhook(buyers, twice) == kinds(twice)[:-1]
        assert told_by_webhook(buyers, late) == kinds(late)[:-1]
    assert told_by_webhook(SELLER, twice) == kinds(twice)
    assert told_by_webhook(SELLER, late) == kinds(late)[:-1]
    assert told_by_webhook(MARKET, late) == kinds(late)
    for stranger in (Actor(role="SELLER", id="S2", org_id="S2"), Actor(role="BUYER", id="B2")):
        assert told_by_webhook(stranger, twice) == []
