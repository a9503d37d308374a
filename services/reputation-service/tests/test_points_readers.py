"""Who may know what of an account and of a case: by the table, and whatever happens."""

from typing import Any, get_args

import pytest
from reputation_service.app import READS
from reputation_service.domain.account_state import Account
from reputation_service.domain.case_state import Case
from reputation_service.domain.points_readers import (
    ACCOUNT_READERS,
    CASE_READERS,
    SOMEBODY,
    account_read_by,
    case_read_by,
)
from reputation_service.testing import (
    ANALYST,
    AUDITOR,
    BUYER,
    MODERATOR,
    PRIVACY,
    SELLER,
    SENIOR,
    SYSTEM,
    at,
    case_history,
    history,
    kinds,
    say,
)
from reputation_service.testing.stories import (
    ACCOUNT_STORIES,
    APPEALED,
    CASE_STORIES,
    DEFERRED,
    NOTICE,
    UPHELD,
    Story,
    upheld,
)
from shared_casework.overdue import NoteOverdue
from shared_events.reputation import AccountEvent, CaseEvent
from shared_runtime.decider import Actor
from shared_runtime.testing import as_recorded, told_in_turn
from shared_runtime.webhook_events import message

MARKET = Actor(role="SYSTEM", id="market")
COLLEAGUE = Actor(role="ANALYST", id="AN9", org_id="S1")
IMPORTER = Actor(role="IMPORTER", id="feed", on_behalf_of="SELLER")


def test_of_every_event_it_is_said_who_may_know_it() -> None:
    assert set(CASE_READERS) == set(get_args(CaseEvent.__value__))
    assert set(ACCOUNT_READERS) == set(get_args(AccountEvent.__value__))


@pytest.mark.parametrize("actor", [BUYER, COLLEAGUE, MODERATOR])
def test_a_case_is_nothing_to_others_nor_to_staff_who_belong_to_the_accused(actor: Actor) -> None:
    told = case_history(*UPHELD)
    assert case_read_by(actor, told).reader is None
    assert case_read_by(actor, told).version == 0
    assert account_read_by(actor, history(*NOTICE)).reader is None
    assert case_read_by(PRIVACY, told).reader is None
    assert case_read_by(SELLER, ()).reader is None


def test_for_the_accused_it_is_the_platform_that_opens_and_decides() -> None:
    told = case_history(*UPHELD)
    his, theirs = case_read_by(SELLER, told).state, case_read_by(SENIOR, told).state
    assert isinstance(his, Case)
    assert isinstance(theirs, Case)
    assert his.opened.opened_by is None
    assert theirs.opened.opened_by == "AN1"
    for state, names in [(his, {SOMEBODY}), (theirs, {"AN2", "SE1"})]:
        assert state.confirmed
        assert state.decided
        assert {state.confirmed.decided_by, state.decided.decided_by} == names


@pytest.mark.parametrize("reader", [SELLER, MARKET, Actor(role="SYSTEM", id="erp", org_id="S1")])
def test_whoever_is_told_by_webhook_is_told_what_he_reads(reader: Actor) -> None:
    for story in CASE_STORIES.values():
        events = case_history(*story.commands)
        told_in_turn(as_recorded("case-C1", events, at=at()), reader, READS)
    for story in ACCOUNT_STORIES.values():
        account = as_recorded("seller-S1", history(*story.commands), at=at())
        told_in_turn(account, reader, READS)
    told = told_in_turn(as_recorded("case-C1", case_history(*UPHELD), at=at()), reader, READS)
    names = {getattr(each.event, "decided_by", None) for step in told for each in step}
    assert (SOMEBODY in names) is (reader != MARKET)


def test_a_seller_is_told_nothing_of_anothers_account_or_case() -> None:
    other = Actor(role="SELLER", id="S9", org_id="S9")
    account = as_recorded("seller-S1", history(*NOTICE), at=at())
    assert not any(told_in_turn(account, other, READS))
    case = as_recorded("case-C1", case_history(*UPHELD), at=at())
    assert not any(told_in_turn(case, other, READS))


def test_what_a_webhook_sends_of_a_case_has_no_words_no_names_and_not_that_it_is_late() -> None:
    late = NoteOverdue(what="VIOLATION_APPEAL", ref_id="A1", due_at=at(19))
    told = (*APPEALED, say(late, now=at(19)), say(upheld, now=at(20), actor=SENIOR))
    case = as_recorded("case-C1", case_history(*told), at=at())
    for reader in (SELLER, Actor(role="SYSTEM", id="erp", org_id="S1")):
        sent = {
            each.type.partition(".")[0]: message(each) for each in READS("case-C1", case, reader)
        }
        assert "DecisionOverdue" not in sent
        of = {name: each.data.data for name, each in sent.items() if each.data}
        assert of["CaseOpened"].get("opened_by") is None
        assert of["ViolationConfirmed"]["decided_by"] == SOMEBODY
        assert of["ViolationAppealDecided"]["decided_by"] == SOMEBODY
        assert not any({"facts", "text"} & data.keys() for data in of.values())
    market = READS("case-C1", case, MARKET)
    assert "DecisionOverdue" in kinds([each.event for each in market])


def test_that_the_platform_is_late_is_its_own() -> None:
    late = NoteOverdue(what="VIOLATION_APPEAL", ref_id="A1", due_at=at(19))
    told = case_history(*APPEALED, say(late, now=at(19)))
    assert "DecisionOverdue" not in kinds(case_read_by(SELLER, told).events)
    assert kinds(case_read_by(ANALYST, told).events)[-1] == "DecisionOverdue"
    assert case_read_by(SELLER, told).version == len(told) - 1


def test_who_erases_people_sees_whether_they_are_and_no_points() -> None:
    told = account_read_by(PRIVACY, history(*DEFERRED))
    assert kinds(told.events) == ["AccountOpened", "ErasureDeferred"]
    assert isinstance(told.state, Account)
    assert told.state.waits_for == frozenset({"d1"})


@pytest.mark.parametrize("story", ACCOUNT_STORIES.values(), ids=[*ACCOUNT_STORIES])
def test_holder_and_staff_see_the_account_as_it_is(story: Story) -> None:
    told: Any = history(*story.commands)
    for actor in (AUDITOR, SYSTEM, ANALYST, SENIOR):
        assert account_read_by(actor, told).events == told
    holder = BUYER if story.commands[0].said.kind == "BUYER" else SELLER
    assert account_read_by(holder, told).events == told


@pytest.mark.parametrize("story", CASE_STORIES.values(), ids=[*CASE_STORIES])
def test_an_auditor_sees_a_case_whole_and_the_accused_where_it_stands(story: Story) -> None:
    told = case_history(*story.commands)
    assert case_read_by(AUDITOR, told).events == told
    seen = case_read_by(SELLER, told)
    assert seen.knows == tuple(True for _ in told)
    assert seen.state.status == case_read_by(AUDITOR, told).state.status
