"""Who may know of what in a return."""

from collections.abc import Collection
from typing import Any, get_args

import pytest
from msgspec.structs import replace
from returns_service.app import READS as TOLD
from returns_service.domain.return_readers import READERS, SOMEBODY, return_read_by
from returns_service.testing import AGENT, AUDITOR, BUYER, SELLER, SENIOR, SYSTEM
from returns_service.testing.return_lives import STORIES
from returns_service.testing.returns import (
    IDS,
    at,
    authorized,
    contested,
    fast,
    handed_over,
    received,
    rejected,
    requested,
    reviewed,
    words,
)
from shared_events.common import DecisionOverdue, StatementOfReasonsIssued
from shared_events.envelope import Recorded
from shared_events.returns import (
    AdvanceUnrecovered,
    ReturnDeclined,
    ReturnEvent,
    ReturnPolicyActivated,
)
from shared_runtime.decider import Actor
from shared_runtime.testing import as_recorded, told_in_turn
from shared_runtime.webhook_events import message

MARKET = Actor(role="SYSTEM", id="market")
SELLERS_MACHINE = Actor(role="SYSTEM", id="erp", org_id="S1")
TRACE = ["D4:pass:MANUAL_ONLY"]
LATE = DecisionOverdue(**IDS, what="RETURN_REVIEW", ref_id="RT-1", due_at=at(5))
DECLINED = ReturnDeclined(
    **IDS,
    by="AGENT",
    code="OTHER",
    note_for_buyer=words("note"),
    note_for_seller=words("note"),
    units=["1/1"],
    decided_by="agent-1",
    contest_until=at(14),
    decision_seconds=60,
)
WHY = StatementOfReasonsIssued(
    **IDS,
    sor_id="sor-1",
    subject_kind="RETURN",
    subject_id="RT-1",
    recipient_role="BUYER",
    recipient_id="B1",
    decision_monetary="OTHER",
    decision_ground="INCOMPATIBLE_CONTENT",
    rule_ids=["R-1"],
    explanation="It is not as claimed.",
    facts=words("facts"),
    source_type="COMPLAINT",
    automated_detection=False,
    automated_decision="NOT",
    application_date=at(5),
)
HISTORY: tuple[ReturnEvent, ...] = (
    requested("1/1"),
    reviewed(by="AGENT", rule_trace=TRACE),
    LATE,
    DECLINED,
    WHY,
)


def test_the_table_of_readers_knows_every_event() -> None:
    assert set(READERS) == set(get_args(ReturnEvent.__value__))


def test_a_statement_is_its_recipients_and_the_delay_the_platforms_own() -> None:
    assert return_read_by(BUYER, HISTORY).knows == (True, True, False, True, True)
    assert return_read_by(SELLER, HISTORY).knows == (True, True, False, True, False)
    for staff in (AGENT, AUDITOR, SYSTEM):
        assert return_read_by(staff, HISTORY).version == len(HISTORY)


def test_whoever_is_told_by_webhook_is_told_what_he_reads() -> None:
    history = as_recorded("return-RT-1", HISTORY, at=at(5))
    for reader, hidden in ((SELLER, (LATE, WHY)), (SELLERS_MACHINE, (LATE, WHY)), (MARKET, ())):
        told = [each.event for step in told_in_turn(history, reader, TOLD) for each in step]
        assert [type(each) for each in told] == [
            type(each) for each in HISTORY if each not in hidden
        ]
    assert not any(told_in_turn(history, Actor(role="SELLER", id="S9", org_id="S9"), TOLD))
    activated = as_recorded(
        "returnpolicy-versions", [ReturnPolicyActivated(policy_version="p2", since=at(5))], at=at(5)
    )
    assert not any(told_in_turn(activated, MARKET, TOLD))


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
@pytest.mark.parametrize("reader", [BUYER, SELLER, MARKET, SELLERS_MACHINE])
def test_whatever_becomes_of_a_return_each_is_told_once_by_webhook_what_he_may_read(
    reader: Actor, story: tuple[ReturnEvent, ...]
) -> None:
    told_in_turn(as_recorded("return-RT-1", story, at=at(5)), reader, TOLD)


def test_what_a_webhook_sends_of_a_return_has_no_words_no_trust_and_no_name() -> None:
    history = as_recorded("return-RT-1", (*HISTORY, *WITH_FILES[2:]), at=at(5))
    for reader in (SELLER, SELLERS_MACHINE):
        sent = {each.type.partition(".")[0]: told_of(each) for each in TOLD(*of(history), reader)}
        assert sent["ReturnReviewRequired"]["rule_trace"] == []
        assert sent["ReturnDeclined"]["decided_by"] == SOMEBODY
        for told in sent.values():
            assert not {"note", "note_for_buyer", "note_for_seller", "facts"} & told.keys()
            assert not {"photos", "media"} & told.keys()
    declined = next(told_of(each) for each in TOLD(*of(history), MARKET) if "Declined" in each.type)
    assert declined["decided_by"] == "agent-1"


def of(history: list[Recorded[Any]]) -> tuple[str, list[Recorded[Any]]]:
    return history[0].stream, history


def told_of(recorded: Recorded[Any]) -> dict[str, Any]:
    sent = message(recorded)
    assert sent.data is not None
    return sent.data.data


def test_how_far_a_buyer_is_trusted_is_nothing_to_the_seller() -> None:
    for actor, trace in ((BUYER, TRACE), (SELLER, []), (AGENT, TRACE)):
        _, review, *_ = return_read_by(actor, (*HISTORY[:2], authorized("1/1"))).events
        assert getattr(review, "rule_trace", None) == trace


def test_for_the_parties_it_is_the_marketplace_that_has_decided() -> None:
    for actor, name in ((BUYER, SOMEBODY), (SELLER, SOMEBODY), (AUDITOR, "agent-1")):
        told = return_read_by(actor, HISTORY).state
        declined = getattr(told, "declined", None)
        assert declined
        assert declined.decided_by == name


def test_an_advance_without_goods_is_told_to_those_who_bear_it() -> None:
    lost = AdvanceUnrecovered(
        **IDS, units=["1/1"], currency="EUR", amount_minor=5399, confirmed=True
    )
    events = (*fast("1/1"), handed_over("1/1"), received("1/1"), rejected("1/1"), lost)
    assert return_read_by(BUYER, events).version == len(events) - 1
    assert return_read_by(SELLER, events).version == len(events)


FILES: dict[str, Any] = {"photos": [words("photo")], "photos_sha256": ["1" * 64]}
WITH_FILES: tuple[ReturnEvent, ...] = (
    requested("1/1", media=[words("media")], media_sha256=["0" * 64]),
    authorized("1/1"),
    received("1/1", **FILES),
    rejected("1/1", **FILES),
)


def files_for(actor: Actor, *history: ReturnEvent, adjudicators: Collection[str] = ()) -> int:
    """How many photos and files this reader is shown."""
    reading = return_read_by(actor, history, adjudicators)
    shown = sum(
        len(getattr(event, name, None) or ())
        for event in reading.events
        for name in ("media", "photos")
    )
    assert reading.has_file == (shown > 0)
    return shown


@pytest.mark.parametrize("actor", [AGENT, SENIOR])
def test_the_file_of_a_contested_return_is_for_the_adjudicator_who_has_the_dispute(
    actor: Actor,
) -> None:
    assert files_for(actor, *WITH_FILES) == 3
    objected = (*WITH_FILES, contested("1/1"))
    assert files_for(actor, *objected) == 0
    assert files_for(actor, *objected, adjudicators=["agent-9"]) == 0
    assert files_for(actor, *objected, adjudicators=["agent-9", actor.id]) == 3
    assert return_read_by(actor, objected).version == len(objected)


@pytest.mark.parametrize("actor", [BUYER, SELLER, AUDITOR, SYSTEM])
def test_it_stays_the_parties_and_the_auditors(actor: Actor) -> None:
    assert files_for(actor, *WITH_FILES, contested("1/1")) == 3


def test_the_desk_sees_what_it_has_to_decide_itself() -> None:
    lost = AdvanceUnrecovered(
        **IDS, units=["1/1"], currency="EUR", amount_minor=5399, confirmed=False
    )
    waits = (*WITH_FILES, lost, contested("1/1"))
    assert files_for(AGENT, *waits) == 3
    assert files_for(AGENT, *waits, replace(lost, confirmed=True)) == 0
    of_two = (
        requested("1/1", "1/2", media=[words("media")], media_sha256=["0" * 64]),
        authorized("1/1"),
        rejected("1/1"),
        contested("1/1"),
    )
    assert files_for(AGENT, *of_two, reviewed(by="AGENT")) == 1
    assert files_for(AGENT, *of_two, reviewed(by="SELLER")) == 0


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
    assert return_read_by(actor, HISTORY).reader is None
    assert return_read_by(BUYER, []).reader is None
