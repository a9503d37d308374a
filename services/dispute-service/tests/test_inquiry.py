"""A question about an order: asked, answered in time or late, closed; before any dispute."""

from typing import Any

import pytest
from dispute_service.domain.answering import AddInquiryMessage, AnswerInquiry, MarkInquiryOverdue
from dispute_service.domain.inquiring import OpenInquiry
from dispute_service.domain.inquiry_end import CloseInquiry, conversion_of
from dispute_service.domain.inquiry_rules import INQUIRIES, INQUIRY_RULES, InquiryCommand
from dispute_service.testing import (
    AGENT,
    BUYER,
    DAY,
    FILE,
    ORDER,
    SELLER,
    SYSTEM,
    TICK,
    at,
    history,
    say,
    words,
)
from dispute_service.testing.stories import OPEN, opening
from msgspec.structs import replace
from shared_casework.order_facts import Stage
from shared_events.dispute import DisputeOpened, InquiryClosed, InquiryEvent
from shared_runtime.decider import (
    Actor,
    AlreadySubmitted,
    InvalidValue,
    LimitReached,
    NotAParty,
    NotFound,
    RoleNotAllowed,
    SubjectErased,
    WrongState,
)
from shared_runtime.testing import Played, play

ASKED = at(2)
DUE = at(3)
question = OpenInquiry(inquiry_id="I1", topic="DELIVERY", line_ids=("1",), text=words("question"))
reply = AnswerInquiry(text=words("answer"))
note = AddInquiryMessage(message_id="m1", text=words("note"))
ask = say(question, now=ASKED)
answer = say(reply, now=at(2, 20), actor=SELLER)


def told(*commands: InquiryCommand) -> Played[Any, InquiryEvent]:
    return play(INQUIRIES, commands)


def last(*commands: InquiryCommand) -> Any:  # noqa: ANN401 - whatever event it is
    done = told(*commands)
    assert done.refused is None, done.refused
    return done.events[-1]


def kinds(*commands: InquiryCommand) -> list[str]:
    done = told(*commands)
    assert done.refused is None, done.refused
    return [type(event).__name__ for event in done.events]


def test_a_question_is_to_be_answered_within_a_day_and_closes_after_a_week() -> None:
    event = last(ask)
    assert (event.opened_at, event.answer_due, event.idle_at) == (ASKED, DUE, at(9))
    assert (event.topic, event.line_ids, event.policy_version) == ("DELIVERY", ["1"], "ae-2025-1")


@pytest.mark.parametrize("stage", ["PAID", "SHIPPED", "DELIVERED", "COMPLETED"])
def test_it_is_asked_once_the_order_is_paid(stage: Stage) -> None:
    assert last(say(question, now=ASKED, order=replace(ORDER, stage=stage)))
    for other in ("PLACED", "CANCELLED"):
        refused = say(question, now=ASKED, order=replace(ORDER, stage=other))
        told(refused).then_refused(WrongState, state=other)


def test_an_order_has_three_open_questions_and_twenty_in_all() -> None:
    assert last(say(question, now=ASKED, open_inquiries=2))
    told(say(question, now=ASKED, open_inquiries=3)).then_refused(LimitReached, limit=3)
    assert last(say(question, now=ASKED, all_inquiries=19))
    told(say(question, now=ASKED, all_inquiries=20)).then_refused(LimitReached, limit=20)


def test_a_question_makes_sense_or_is_refused() -> None:
    told(say(replace(question, line_ids=("7",)), now=ASKED)).then_refused(InvalidValue)
    told(say(replace(question, text=""), now=ASKED)).then_refused(InvalidValue)
    files = tuple(words(f"media/{n}") for n in range(11))
    many = replace(question, media=files, media_sha256=(FILE,) * 11)
    told(say(many, now=ASKED)).then_refused(InvalidValue)
    ten = replace(question, media=files[:10], media_sha256=(FILE,) * 10)
    assert len(last(say(ten, now=ASKED)).media) == 10
    undigested = replace(question, media=files[:1])
    told(say(undigested, now=ASKED)).then_refused(InvalidValue)
    assert last(say(replace(question, line_ids=()), now=ASKED)).line_ids == []


def test_the_same_question_is_asked_once() -> None:
    assert kinds(ask, say(question, now=at(4))) == ["InquiryOpened"]
    other = say(replace(question, text=words("other")), now=at(4))
    told(ask, other).then_refused(AlreadySubmitted, existing_id="I1")


def test_the_first_answer_is_timed_to_the_second() -> None:
    in_time = last(ask, say(reply, now=DUE - TICK, actor=SELLER))
    assert (in_time.response_seconds, in_time.within_sla) == (86_399, True)
    late = last(ask, say(reply, now=DUE, actor=SELLER))
    assert (late.response_seconds, late.within_sla, late.idle_at) == (86_400, False, at(10))
    assert kinds(ask, answer, say(reply, now=at(4), actor=SELLER)) == [
        "InquiryOpened",
        "InquiryAnswered",
    ]
    again = say(replace(reply, text=words("other")), now=at(4), actor=SELLER)
    told(ask, answer, again).then_refused(WrongState)


def test_what_no_person_wrote_is_no_answer_and_keeps_nothing_open() -> None:
    by_seller = say(note, now=at(2, 9), actor=SELLER)
    told(ask, by_seller).then_refused(WrongState, state="OPEN")
    auto = last(ask, say(replace(note, auto=True), now=at(2, 9), actor=SELLER))
    assert (auto.auto, auto.idle_at) == (True, at(9))
    after = last(ask, answer, say(note, now=at(4), actor=SELLER))
    assert after.idle_at == at(11)
    assert last(ask, say(note, now=at(4))).idle_at == at(11)


def test_a_message_sent_twice_is_one_and_its_id_is_nobody_elses() -> None:
    once = say(note, now=at(4))
    assert kinds(ask, once, say(note, now=at(5))) == ["InquiryOpened", "InquiryMessageAdded"]
    other = say(replace(note, text=words("other")), now=at(5))
    told(ask, once, other).then_refused(InvalidValue)


def test_an_answer_that_was_due_is_told_once_and_may_still_come() -> None:
    mark = MarkInquiryOverdue()
    assert kinds(ask, say(mark, now=DUE - TICK, actor=SYSTEM)) == ["InquiryOpened"]
    due = say(mark, now=DUE, actor=SYSTEM)
    assert kinds(ask, due, due) == ["InquiryOpened", "InquiryOverdue"]
    assert kinds(ask, answer, due) == ["InquiryOpened", "InquiryAnswered"]
    assert kinds(ask, due, say(reply, now=at(4), actor=SELLER))[-1] == "InquiryAnswered"


def test_its_buyer_closes_it_when_he_likes() -> None:
    closed = last(ask, say(CloseInquiry(), now=at(2, 9)))
    assert isinstance(closed, InquiryClosed)
    assert (closed.reason, closed.answered, closed.within_sla) == ("RESOLVED", False, False)
    assert (closed.overdue, closed.sla_seconds) == (False, 86_400)
    told(ask, say(CloseInquiry(), now=at(3)), say(CloseInquiry(), now=at(3))).then_refused(
        WrongState
    )


def test_it_closes_by_itself_once_it_is_idle() -> None:
    idle = CloseInquiry(reason="IDLE")
    assert kinds(ask, say(idle, now=at(9) - TICK, actor=SYSTEM)) == ["InquiryOpened"]
    closed = last(ask, answer, say(idle, now=at(9, 20), actor=SYSTEM))
    assert (closed.reason, closed.answered, closed.response_seconds) == ("IDLE", True, 43_200)
    assert closed.within_sla
    due = say(idle, now=at(9), actor=SYSTEM)
    assert kinds(ask, due, due) == ["InquiryOpened", "InquiryClosed"]


@pytest.mark.parametrize(("now", "overdue"), [(DUE - TICK, False), (DUE, True)])
def test_a_dispute_that_came_of_it_ends_it(now: Any, overdue: bool) -> None:  # noqa: ANN401
    opened = history(
        say(replace(opening, inquiry_id="I1"), now=at(5), inquiry_ids=frozenset({"I1"}))
    )[0]
    assert isinstance(opened, DisputeOpened)
    said = conversion_of(opened)
    assert said
    assert said == CloseInquiry(reason="CONVERTED", dispute_id="D1")
    closed = last(ask, say(said, now=now, actor=SYSTEM))
    assert (closed.dispute_id, closed.overdue) == ("D1", overdue)
    plain = history(*OPEN)[0]
    assert isinstance(plain, DisputeOpened)
    assert conversion_of(plain) is None


@pytest.mark.parametrize(
    ("said", "actor"),
    [
        (CloseInquiry(reason="IDLE"), BUYER),
        (CloseInquiry(), SYSTEM),
        (CloseInquiry(reason="CONVERTED"), SYSTEM),
        (CloseInquiry(reason="IDLE", dispute_id="D1"), SYSTEM),
    ],
    ids=str,
)
def test_each_closes_it_for_his_own_reasons(said: CloseInquiry, actor: Actor) -> None:
    told(ask, say(said, now=at(20), actor=actor)).then_refused(InvalidValue)


def test_only_the_parties_talk_about_it() -> None:
    told(say(question, now=ASKED, actor=SELLER)).then_refused(RoleNotAllowed)
    told(say(question, now=ASKED, actor=Actor(role="BUYER", id="B2"))).then_refused(NotAParty)
    told(say(question, now=ASKED, order=None)).then_refused(NotFound)
    told(say(question, now=ASKED, erased=True)).then_refused(SubjectErased)
    told(ask, say(reply, now=at(3), actor=BUYER)).then_refused(RoleNotAllowed)
    other = Actor(role="SELLER", id="S2")
    told(ask, say(reply, now=at(3), actor=other)).then_refused(NotAParty)
    told(ask, say(note, now=at(3), actor=AGENT)).then_refused(RoleNotAllowed)
    told(say(note, now=at(3))).then_refused(NotFound)


def test_after_its_end_nothing_is_added() -> None:
    closed = (ask, say(CloseInquiry(), now=at(3)))
    told(*closed, say(note, now=at(4))).then_refused(WrongState, state="CLOSED")
    told(*closed, say(reply, now=at(4), actor=SELLER)).then_refused(WrongState)
    assert kinds(*closed, say(MarkInquiryOverdue(), now=at(4), actor=SYSTEM)) == kinds(*closed)


def test_what_each_is_offered_is_what_he_could_do() -> None:
    state = told(ask).state

    def offered(actor: Actor) -> list[str]:
        by = say(note, now=at(2, 9), actor=actor).by
        return [each.action for each in INQUIRY_RULES.offered(state, by) if each.allowed]

    assert offered(SELLER) == ["AnswerInquiry", "AddInquiryMessage"]
    assert offered(BUYER) == ["AddInquiryMessage", "CloseInquiry"]
    assert offered(AGENT) == []


def test_a_stream_keeps_the_version_it_began_with() -> None:
    assert last(ask, say(note, now=at(4) + DAY)).policy_version == "ae-2025-1"
