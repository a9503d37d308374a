"""What lists say of a dispute, wherever it stands, and to whom; what is due, and why."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from dispute_service.domain.checklist import EXPECTED, checklist
from dispute_service.domain.deadlines import NUMBERS, RULES, Due, dues_of_dispute
from dispute_service.domain.dispute_state import SIDES, Dispute
from dispute_service.domain.policy import AE_2025_1, policies
from dispute_service.domain.readers import READERS, Reading, read_by
from dispute_service.domain.submission import ExtendEvidence
from dispute_service.projections import adjudication, decided, disputes
from dispute_service.projections.disputes import ListedDispute, dues, next_due, waits_for
from dispute_service.queries.calendar import TITLES, Entry, calendar_of
from dispute_service.queries.deadlines import DeadlinesView, DeadlineView, dispute_deadlines_view
from dispute_service.queries.outcomes import outcomes_view
from dispute_service.testing import (
    AGENT,
    BUYER,
    LEDGER,
    OPENING,
    SELLER,
    SENIOR,
    SYSTEM,
    TICK,
    at,
    history,
    ledger,
    say,
)
from dispute_service.testing.stories import (
    ANSWERED,
    APPEAL,
    APPEAL_ANSWERED,
    APPEAL_DECIDED,
    ASKED,
    CLOSED,
    CONTEST,
    COUNTERED,
    DECIDED,
    EVIDENCE,
    EXECUTING,
    ONE_IN,
    ONE_REBUTTED,
    OPEN,
    REBUTTAL,
    REVIEW,
    SHARED,
    STORIES,
    UNASSIGNED,
    Story,
)
from dispute_service.views import if_silent
from icalendar import Calendar
from msgspec.structs import replace
from shared_casework.overdue import NoteOverdue
from shared_events.common import DecisionOverdue
from shared_events.dispute import DisputeEvent
from shared_events.envelope import Recorded
from shared_events.fields import Party
from shared_events.registry import tag_of
from shared_runtime.decider import Actor

DECIDED_AT = at(14)
ACTORS: dict[Party, Actor] = {"BUYER": BUYER, "SELLER": SELLER}
every_story = pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)


def recorded(event: DisputeEvent, number: int = 1, when: datetime = OPENING) -> Recorded[Any]:
    return Recorded(
        topic="dispute.events",
        partition=0,
        position=number,
        event_id=f"event-{number}",
        stream="dispute-D1",
        version=number,
        type=tag_of(event),
        time=when,
        recorded_at=when,
        key="S1",
        actor="system:test",
        correlation_id="O1",
        causation_id="cause",
        event=event,
    )


def listed(events: tuple[DisputeEvent, ...]) -> ListedDispute:
    row: ListedDispute | None = None
    for event in events:
        if isinstance(event, disputes.LISTED_DISPUTES.handles):
            row = disputes.evolve(row, event)  # type: ignore[arg-type]
    assert row
    return row


def case(events: tuple[DisputeEvent, ...]) -> adjudication.AdjudicationCase:
    row: adjudication.AdjudicationCase | None = None
    for event in events:
        if isinstance(event, adjudication.ADJUDICATION_CASES.handles):
            row = adjudication.evolve(row, recorded(event))
    assert row
    return row


def decision(
    events: tuple[DisputeEvent, ...], when: datetime = DECIDED_AT
) -> decided.DecidedDispute:
    row: decided.DecidedDispute | None = None
    for event in events:
        if isinstance(event, decided.DECIDED_DISPUTES.handles):
            row = decided.evolve(row, recorded(event, when=when))
    assert row
    return row


def state_of(reading: Reading) -> Dispute:
    assert isinstance(reading.state, Dispute)
    return reading.state


def due_to(side: Party, dispute: Dispute) -> list[Due]:
    """Without what is the other's to answer, and without what comes after the next."""
    answered = {each.by_role for each in dispute.unanswered}
    return [
        due
        for due in dues_of_dispute(dispute, AE_2025_1)
        if due.at
        and due.name != "PLATFORM_DEFAULT"
        and (due.name != "APPEAL_ANSWER" or side not in answered)
    ]


# --- A party's list


@every_story
def test_a_list_says_what_the_dispute_says_to_the_same_reader(story: Story) -> None:
    events = history(*story.commands)
    for number in range(1, len(events) + 1):
        row = listed(events[:number])
        for side in SIDES:
            seen = state_of(read_by(ACTORS[side], events[:number]))
            assert (row.stage, row.held_minor) == (seen.status, seen.held_minor)
            soonest = min(
                ((due.name, due.at) for due in due_to(side, seen)),
                key=lambda due: due[1] or at(1),
                default=None,
            )
            assert next_due(row, side, at(1)) == soonest
            assert getattr(row, f"{side.lower()}_due") == (soonest and soonest[1])


@every_story
def test_what_is_hidden_from_a_party_moves_nothing_in_its_list(story: Story) -> None:
    events = history(*story.commands)
    for side in SIDES:
        for number, event in enumerate(events[1:], 1):
            before, after = events[:number], events[: number + 1]
            if read_by(ACTORS[side], before).version == read_by(ACTORS[side], after).version:
                assert waits_for(listed(before), side, at(9)) == waits_for(
                    listed(after), side, at(9)
                ), event
                seen = state_of(read_by(ACTORS[side], before)).seller_acted
                if seen or getattr(event, "by_role", None) != "SELLER":
                    assert dues(listed(before), side) == dues(listed(after), side)


def test_an_appeal_that_was_not_answered_in_time_is_due_to_be_decided() -> None:
    row = listed(history(*APPEAL))
    until = row.answers_until["SELLER"]
    assert next_due(row, "SELLER", until - TICK) == ("APPEAL_ANSWER", until)
    assert next_due(row, "SELLER", until) == ("DISPUTE_APPEAL_DUE", row.stage_due)
    assert next_due(row, "BUYER", until - TICK) == ("DISPUTE_APPEAL_DUE", row.stage_due)


def test_of_every_hidden_act_it_is_told_what_lists_make_of_it() -> None:
    hidden = {each for each in READERS if READERS[each].__name__ != "everybody"}
    in_lists = hidden & {*disputes.LISTED_DISPUTES.handles}
    assert {each.__name__ for each in in_lists} == {
        "BlindOfferMade",
        "EvidenceLodged",
        "EvidenceSubmitted",
        "RebuttalSubmitted",
    }


@pytest.mark.parametrize(
    ("story", "to_buyer", "to_seller"),
    [
        (OPEN, ["SELLER"], ["SELLER"]),
        (COUNTERED, [], []),
        (EVIDENCE, ["BUYER", "SELLER"], ["BUYER", "SELLER"]),
        (ONE_IN, ["SELLER"], ["BUYER", "SELLER"]),
        (REBUTTAL, ["BUYER", "SELLER"], ["BUYER", "SELLER"]),
        (ONE_REBUTTED, ["BUYER", "SELLER"], ["BUYER"]),
        (REVIEW, ["ADJUDICATOR"], ["ADJUDICATOR"]),
        (ASKED, ["BUYER"], ["BUYER"]),
        (DECIDED, [], []),
        (APPEAL, ["SELLER", "ADJUDICATOR"], ["SELLER", "ADJUDICATOR"]),
        (APPEAL_ANSWERED, ["ADJUDICATOR"], ["ADJUDICATOR"]),
        (EXECUTING, ["MARKETPLACE"], ["MARKETPLACE"]),
        (CLOSED, [], []),
    ],
)
def test_who_has_something_to_do(story: Any, to_buyer: list[str], to_seller: list[str]) -> None:  # noqa: ANN401
    row = listed(history(*story))
    assert waits_for(row, "BUYER", at(16)) == to_buyer
    assert waits_for(row, "SELLER", at(16)) == to_seller


def test_an_appeal_waits_for_an_answer_until_its_time_is_over() -> None:
    row = listed(history(*APPEAL))
    assert row.seller_due == at(17)
    assert waits_for(row, "SELLER", at(17) - timedelta(microseconds=1)) == [
        "SELLER",
        "ADJUDICATOR",
    ]
    assert waits_for(row, "SELLER", at(17)) == ["ADJUDICATOR"]


def test_what_silence_costs_is_what_would_be_granted_and_nothing_where_a_person_decides() -> None:
    dispute = state_of(read_by(SELLER, history(*OPEN)))
    by = say(ExtendEvidence(), now=at(6), actor=SELLER).by
    granted = if_silent(dispute, by)
    assert granted
    assert granted.outcome == "REFUND_PARTIAL"
    missing = replace(dispute, opened=replace(dispute.opened, reason="NOT_RECEIVED"))
    assert if_silent(missing, by) is None  # it is known to have come
    buyers = say(ExtendEvidence(), now=at(6), actor=BUYER, manual_only=True).by
    assert if_silent(dispute, buyers) is None
    sellers = say(ExtendEvidence(), now=at(6), actor=SELLER, manual_only=True).by
    assert if_silent(dispute, sellers) == granted  # a measure is not his to know


# --- The work list


def test_a_case_is_open_while_a_decision_is_owed() -> None:
    for story, kinds in [
        (REBUTTAL, []),
        (UNASSIGNED, ["DECISION"]),
        (REVIEW, ["DECISION"]),
        (DECIDED, []),
        (APPEAL, ["APPEAL"]),
        (APPEAL_DECIDED, []),
    ]:
        row = case(history(*story))
        assert row.kinds == kinds
        assert (row.opened_at is not None) == bool(kinds)


def test_a_case_says_who_has_it_and_nobody_has_what_is_decided() -> None:
    assert case(history(*UNASSIGNED)).adjudicator_id is None
    assert case(history(*REVIEW)).adjudicator_id == "agent-1"
    assert case(history(*DECIDED)).adjudicator_id is None
    appealed = case(history(*APPEAL))
    assert (appealed.adjudicator_id, appealed.adjudicator_level) == ("senior-1", "SENIOR")


def test_who_has_decided_is_barred_from_the_appeal() -> None:
    assert case(history(*APPEAL)).barred == ["B1", "S1", "agent-1"]
    assert case(history(*CONTEST)).deciders == ["agent-9"]


def test_a_case_that_waits_for_an_answer_is_due_at_no_time() -> None:
    asked, answered = case(history(*ASKED)), case(history(*ANSWERED))
    assert (asked.due_at, asked.asked_until) == (None, at(16))
    assert (answered.due_at, answered.asked_until) == (at(20), None)


def test_a_remedy_is_a_case_once_it_is_late_and_until_it_is_done() -> None:
    events = history(*EXECUTING)
    remedy = state_of(read_by(AGENT, events)).remedy
    assert remedy
    assert case(events).kinds == []
    late = say(
        NoteOverdue(what="EXECUTION", ref_id=remedy.remedy_id, due_at=remedy.execute_by),
        now=remedy.execute_by,
        actor=SYSTEM,
    )
    told = history(*EXECUTING, late)
    assert isinstance(told[-1], DecisionOverdue)
    assert case(told).kinds == ["EXECUTION"]
    assert case(told).due_at == remedy.execute_by
    assert case((*told, *history(*CLOSED)[len(events) :])).kinds == []


# --- What was decided


def test_a_dispute_is_among_the_decided_from_its_first_decision_on() -> None:
    assert decision(history(*REVIEW)).decided_at is None
    row = decision(history(*DECIDED))
    assert (row.decided_at, row.decided_by) == (at(14), "agent-1")
    assert (row.outcome, row.amount_minor, row.liable) == ("REFUND_PARTIAL", 3000, "SELLER")
    assert (row.appealed, row.appeal_result) == (False, None)


def test_what_an_appeal_makes_of_it_is_told_beside_it() -> None:
    assert decision(history(*APPEAL)).appealed
    row = decision(history(*APPEAL_DECIDED))
    assert (row.appealed, row.appeal_result, row.decided_by) == (True, "UPHELD", "agent-1")


def test_a_decision_is_late_from_its_time_on() -> None:
    due = at(19)
    assert not decision(history(*DECIDED), due - timedelta(microseconds=1)).late
    assert decision(history(*DECIDED), due).late


# --- Deadlines


def deadlines(story: Any, actor: Actor = BUYER) -> DeadlinesView:  # noqa: ANN401
    reading = read_by(actor, history(*story))
    known = [recorded(event, number) for number, event in enumerate(reading.events, 1)]
    return dispute_deadlines_view(state_of(reading), known, policies())


def one(view: DeadlinesView, name: str) -> DeadlineView:
    (found,) = [each for each in view.deadlines if each.name == name]
    return found


def test_every_deadline_has_its_rule_its_numbers_and_a_title() -> None:
    assert set(RULES) == set(NUMBERS) == set(TITLES)


def test_a_deadline_says_by_what_it_was_set() -> None:
    due = one(deadlines(OPEN, SELLER), "DISPUTE_ANSWER")
    assert due.armed_by
    assert (due.due, due.armed_by.type, due.calendar) == (at(10), "DisputeOpened.v1", "EVERY_DAY")
    assert [(each.key, each.seconds) for each in due.policy] == [("dispute_answer", 432_000)]


def test_an_extension_moves_the_deadline_and_is_why() -> None:
    extended = (*EVIDENCE, say(ExtendEvidence(), now=at(9)))
    due = one(deadlines(extended), "EVIDENCE_DUE")
    assert due.armed_by
    assert (due.due, due.armed_by.type) == (at(16), "EvidenceExtended.v1")
    assert [each.key for each in due.policy] == [
        "dispute_evidence",
        "dispute_evidence_extension",
    ]


def test_while_a_party_is_asked_the_clock_of_the_decision_stands_still() -> None:
    asked = deadlines(ASKED)
    due = one(asked, "DECISION_DUE")
    assert (due.due, due.remaining_seconds) == (None, 6 * 86_400)
    assert [pause.until for pause in due.pauses] == [None]
    assert [each.name for each in asked.deadlines] == ["INFO_DUE", "DECISION_DUE"]
    answered = one(deadlines(ANSWERED), "DECISION_DUE")
    assert answered.due == at(20)
    assert [pause.why for pause in answered.pauses] == ["INFORMATION_REQUESTED"]
    assert answered.pauses[0].until
    assert one(deadlines(APPEAL_ANSWERED), "DISPUTE_APPEAL_DUE").pauses == []


def test_that_the_platform_is_late_moves_no_deadline_of_a_party() -> None:
    late = say(
        NoteOverdue(what="DISPUTE_DECISION", ref_id="D1", due_at=at(19)), now=at(19), actor=SYSTEM
    )
    for actor in (BUYER, SELLER, AGENT):
        names = [each.name for each in deadlines((*REVIEW, late), actor).deadlines]
        assert names == ["DECISION_DUE", "PLATFORM_DEFAULT"]


def test_who_has_submitted_changes_nothing_in_the_other_ones_deadlines() -> None:
    assert deadlines(ONE_IN, SELLER) == deadlines(EVIDENCE, SELLER)
    assert deadlines(ONE_REBUTTED) == deadlines(REBUTTAL)


def test_nothing_is_due_in_what_is_closed() -> None:
    assert deadlines(CLOSED).deadlines == []


def test_a_calendar_names_ids_and_rules_and_folds_its_lines() -> None:
    order_id = "O,1;" + "x" * 60
    told = calendar_of(
        [
            Entry(
                kind="disputes", matter_id="D2", order_id=order_id, name="EVIDENCE_DUE", due=at(9)
            ),
            Entry(kind="disputes", matter_id="D1", order_id="O1", name="DISPUTE_ANSWER", due=at(8)),
        ],
        at(5),
    )
    assert all(len(line) <= 75 for line in told.split(b"\r\n"))
    assert b"O\\,1\\;xxx" in told.replace(b"\r\n ", b"")
    first, second = Calendar.from_ical(told).walk("VEVENT")
    assert (first["UID"], second["UID"]) == (
        "disputes/D1/DISPUTE_ANSWER",
        "disputes/D2/EVIDENCE_DUE",
    )
    assert first.decoded("dtstart") == at(8)
    assert order_id in second["DESCRIPTION"]


# --- The file and the outcomes


def test_of_every_reason_some_evidence_is_expected_of_both() -> None:
    for expected in EXPECTED.values():
        assert {each.of for each in expected} == {"BUYER", "SELLER"}


def test_the_checklist_has_what_staff_may_see() -> None:
    hidden = checklist(state_of(read_by(AGENT, history(*EVIDENCE))))
    assert [(item.of, item.evidence_ids) for item in hidden] == [("BUYER", ()), ("SELLER", ())]
    buyers, _ = checklist(state_of(read_by(AGENT, history(*SHARED))))
    assert (buyers.kinds, buyers.evidence_ids) == (("PHOTO", "VIDEO"), ("b1",))
    *_, besides = checklist(state_of(read_by(SENIOR, history(*REVIEW))))
    assert (besides.of, besides.kinds, besides.evidence_ids) == (None, ("PHOTO",), ("s1",))


def test_an_outcome_gives_what_the_ledger_has_left() -> None:
    view = outcomes_view(state_of(read_by(AGENT, history(*REVIEW))), LEDGER)
    amounts = {
        each.outcome: (each.refund_least.amount, each.refund_most.amount) for each in view.outcomes
    }
    assert amounts == {
        "REFUND_FULL": (16198, 16198),
        "REFUND_PARTIAL": (1, 16197),
        "RETURN_AND_REFUND": (0, 16198),
        "EXCHANGE": (0, 0),
        "REPLACEMENT_NO_RETURN": (0, 0),
        "REJECTED": (0, 0),
    }
    assert [line.ceiling.amount for line in view.lines] == [16198]


def test_of_one_cent_there_is_no_part() -> None:
    for ceiling, possible in [(0, False), (1, False), (2, True)]:
        view = outcomes_view(state_of(read_by(AGENT, history(*REVIEW))), ledger(ceiling))
        (part,) = [each for each in view.outcomes if each.outcome == "REFUND_PARTIAL"]
        assert part.is_possible is possible


def test_goods_that_the_buyer_does_not_have_do_not_go_back() -> None:
    view = outcomes_view(state_of(read_by(AGENT, history(*CONTEST))), LEDGER)
    impossible = {each.outcome for each in view.outcomes if not each.is_possible}
    assert impossible == {"RETURN_AND_REFUND", "EXCHANGE"}
