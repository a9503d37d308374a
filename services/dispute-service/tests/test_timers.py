"""Which deadlines are set where a dispute or an inquiry stands, and what each of them asks for."""

import pytest
from dispute_service.domain.answering import AnswerInquiry, MarkInquiryOverdue
from dispute_service.domain.dispute_state import Dispute, Unopened
from dispute_service.domain.inquiring import OpenInquiry
from dispute_service.domain.inquiry_end import CloseInquiry
from dispute_service.domain.inquiry_rules import INQUIRIES
from dispute_service.domain.inquiry_state import Unasked
from dispute_service.domain.policy import policies
from dispute_service.domain.rules import DISPUTES, DisputeCommand
from dispute_service.domain.timers import (
    Deadline,
    PlatformWords,
    asked_of_dispute,
    asked_of_inquiry,
    dispute_deadlines,
    inquiry_deadlines,
)
from dispute_service.testing import DAY, SELLER, SYSTEM, at, history, kinds, played, say, words
from dispute_service.testing.stories import (
    APPEAL,
    ASKED,
    CLOSED,
    CONTEST,
    COUNTERED,
    DECIDED,
    EVIDENCE,
    EXECUTING,
    OPEN,
    REBUTTAL,
    REVIEW,
    partial,
)
from shared_casework.overdue import NoteOverdue
from shared_runtime.testing import play

TOLD = PlatformWords(for_buyer=words("facts"), for_seller=words("facts"))


def deadlines(*story: DisputeCommand) -> list[Deadline]:
    state = DISPUTES.fold(history(*story))
    return sorted(dispute_deadlines(state, policies()), key=lambda each: each.due)


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        (OPEN, [("DISPUTE_ANSWER", at(10)), ("DISPUTE_ESCALATE", at(12))]),
        (COUNTERED, [("DISPUTE_ESCALATE", at(12))]),
        (CONTEST, [("DISPUTE_ESCALATE", at(12))]),
        (
            (*OPEN, say(partial("p2", 2100), now=at(9))),
            [("DISPUTE_ANSWER", at(14)), ("DISPUTE_ESCALATE", at(16))],
        ),
        (EVIDENCE, [("EVIDENCE_DUE", at(13))]),
        (REBUTTAL, [("REBUTTAL_DUE", at(12))]),
        (REVIEW, [("DECISION_DUE", at(19)), ("PLATFORM_DEFAULT", at(19) + 30 * DAY)]),
        (ASKED, [("INFO_DUE", at(16))]),
        (DECIDED, [("APPEAL_WINDOW", at(21))]),
        (APPEAL, [("DISPUTE_APPEAL_DUE", at(25)), ("PLATFORM_DEFAULT", at(25) + 30 * DAY)]),
        (EXECUTING, [("EXECUTION_DUE", at(21))]),
        (CLOSED, []),
    ],
)
def test_the_deadlines_of_a_dispute_follow_from_where_it_stands(
    story: tuple[DisputeCommand, ...], expected: list[tuple[str, object]]
) -> None:
    assert deadlines(*story) == expected


def test_before_its_opening_there_is_none() -> None:
    assert dispute_deadlines(Unopened(), policies()) == []
    assert inquiry_deadlines(Unasked()) == []


@pytest.mark.parametrize("story", [REVIEW, APPEAL, EXECUTING], ids=["review", "appeal", "remedy"])
def test_what_was_told_as_overdue_is_not_set_again(story: tuple[DisputeCommand, ...]) -> None:
    (name, due), *others = deadlines(*story)
    state = DISPUTES.fold(history(*story))
    assert isinstance(state, Dispute)
    note = asked_of_dispute(name, due, state, TOLD)
    assert isinstance(note, NoteOverdue)
    assert deadlines(*story, say(note, now=due, actor=SYSTEM)) == others


@pytest.mark.parametrize(
    ("story", "events"),
    [
        (OPEN, ["DefaultJudgementGiven", "RemedyOrdered", "StatementOfReasonsIssued"]),
        (COUNTERED, ["DisputeEscalated"]),
        (EVIDENCE, ["EvidenceSubmitted", "EvidenceSubmitted", "EvidenceDisclosed"]),
        (REBUTTAL, ["AdjudicationStarted"]),
        (REVIEW, ["DecisionOverdue"]),
        (ASKED, ["InfoLapsed"]),
        (DECIDED, ["DisputeFinalized", "RemedyOrdered"]),
        (APPEAL, ["DecisionOverdue"]),
        (EXECUTING, ["DecisionOverdue"]),
    ],
)
def test_the_first_deadline_is_met_by_its_command_and_by_no_earlier_one(
    story: tuple[DisputeCommand, ...], events: list[str]
) -> None:
    past = history(*story)
    state = DISPUTES.fold(past)
    assert isinstance(state, Dispute)
    name, due = deadlines(*story)[0]
    said = asked_of_dispute(name, due, state, TOLD)
    assert said
    assert kinds(played(say(said, now=due, actor=SYSTEM), after=past).events) == events
    early = say(said, now=due - DAY / 24, actor=SYSTEM)
    assert played(early, after=past).events == []


def test_nobody_decides_at_all() -> None:
    past = history(*REVIEW)
    state = DISPUTES.fold(past)
    assert isinstance(state, Dispute)
    name, due = deadlines(*REVIEW)[-1]
    said = asked_of_dispute(name, due, state, TOLD)
    assert said
    told = played(say(said, now=due, actor=SYSTEM), after=past).events
    assert kinds(told)[0] == "PlatformDefaultGiven"


def test_a_deadline_whose_cause_has_gone_asks_for_nothing() -> None:
    state = DISPUTES.fold(history(*CLOSED))
    assert isinstance(state, Dispute)
    assert asked_of_dispute("DECISION_DUE", at(19), state, TOLD) is None
    reviewed = DISPUTES.fold(history(*REVIEW))
    assert isinstance(reviewed, Dispute)
    assert asked_of_dispute("EXECUTION_DUE", at(19), reviewed, TOLD) is None


def test_the_deadlines_of_an_inquiry() -> None:
    question = OpenInquiry(inquiry_id="I1", topic="OTHER", text=words("question"))
    ask = say(question, now=at(2))
    asked = play(INQUIRIES, [ask]).state
    assert inquiry_deadlines(asked) == [("INQUIRY_IDLE", at(9)), ("INQUIRY_ANSWER", at(3))]
    marked = play(INQUIRIES, [ask, say(MarkInquiryOverdue(), now=at(3), actor=SYSTEM)]).state
    assert inquiry_deadlines(marked) == [("INQUIRY_IDLE", at(9))]
    reply = say(AnswerInquiry(text=words("answer")), now=at(4), actor=SELLER)
    answered = play(INQUIRIES, [ask, reply]).state
    assert inquiry_deadlines(answered) == [("INQUIRY_IDLE", at(11))]
    closed = play(INQUIRIES, [ask, say(CloseInquiry(), now=at(4))]).state
    assert inquiry_deadlines(closed) == []
    assert asked_of_inquiry("INQUIRY_ANSWER") == MarkInquiryOverdue()
    assert asked_of_inquiry("INQUIRY_IDLE") == CloseInquiry(reason="IDLE")
