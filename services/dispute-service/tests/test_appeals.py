"""A decision appealed, answered, waived, made final, or left standing because nobody decided."""

from dataclasses import replace as with_numbers
from typing import Any

import pytest
from dispute_service.domain.appeal_decision import DecideDisputeAppeal
from dispute_service.domain.appeals import (
    AnswerAppeal,
    AppealDispute,
    FinalizeDecision,
    WaiveAppeal,
)
from dispute_service.domain.platform_default import GivePlatformDefault, facts_of_delay
from dispute_service.domain.policy import AE_2025_1, ALWAYS, policies
from dispute_service.domain.rules import DisputeCommand
from dispute_service.testing import (
    AGENT,
    BUYER,
    DAY,
    OPENING,
    SELLER,
    SENIOR,
    SYSTEM,
    TICK,
    at,
    history,
    kinds,
    ledger,
    played,
    say,
    words,
)
from dispute_service.testing.stories import (
    APPEAL,
    APPEAL_ANSWERED,
    ASKED,
    DECIDED,
    OPEN,
    REVIEW,
    UNASSIGNED,
    WAIVED,
    appeal,
    decision,
    opening,
    partial,
    photo,
    question,
    upheld,
)
from msgspec.structs import replace
from shared_casework.overdue import NoteOverdue
from shared_events.dispute import DisputeAppealDecided, DisputeClosed, DisputeFinalized
from shared_runtime.decider import (
    Actor,
    AlreadyAppealed,
    AlreadySubmitted,
    AmountExceedsCeiling,
    ConflictOfInterest,
    EvidenceRequired,
    HumanRequired,
    InvalidValue,
    NotAParty,
    NotYetEligible,
    ReasonsMissing,
    RoleNotAllowed,
    SubjectErased,
    WindowClosed,
    WrongState,
)

UNTIL = at(21)
lapse = GivePlatformDefault(facts_for_buyer=words("facts"), facts_for_seller=words("facts"))
answer = AnswerAppeal(appeal_id="ap1", text=words("reply"))
sellers = AppealDispute(appeal_id="ap2", ground="MANIFEST_ERROR", text=words("appeal"))


def after(story: tuple[DisputeCommand, ...], *commands: DisputeCommand) -> list[Any]:
    done = played(*commands, after=history(*story))
    assert done.refused is None, done.refused
    return done.events


def decide(now: Any = UNTIL, actor: Actor = SENIOR, **changes: Any) -> DisputeCommand:  # noqa: ANN401
    known = {"ledger": changes.pop("ledger")} if "ledger" in changes else {}
    return say(replace(upheld, **changes), now=now, actor=actor, **known)


# --- Appealed


def test_an_appeal_stays_the_decision_until_it_is_decided() -> None:
    (told,) = after(DECIDED, say(appeal, now=at(15)))
    assert (told.decide_by, told.answer_until) == (at(25), at(17))
    assert after(APPEAL, say(FinalizeDecision(), now=UNTIL, actor=SYSTEM)) == []


def test_it_is_not_due_before_the_other_could_appeal_and_answer() -> None:
    (told,) = after(DECIDED, say(appeal, now=at(14)))
    assert told.decide_by == at(24)  # ten days
    thirty = [(ALWAYS, "ae-30d")]
    story = [
        say(each.said, now=each.now, actor=each.actor, policies=policies(thirty))
        for each in DECIDED
    ]
    late = say(appeal, now=at(15), policies=policies(thirty))
    told = played(*story, late).events[-1]
    assert told.decide_by == at(14) + 30 * DAY + 2 * DAY


@pytest.mark.parametrize("said", [appeal, WaiveAppeal()], ids=lambda said: type(said).__name__)
def test_it_comes_in_time_or_never(said: Any) -> None:  # noqa: ANN401
    assert after(DECIDED, say(said, now=UNTIL - TICK))
    played(*DECIDED, say(said, now=UNTIL)).then_refused(WindowClosed, closed_at=UNTIL)


def test_each_party_appeals_once_and_not_after_a_waiver() -> None:
    again = say(replace(appeal, appeal_id="ap9"), now=at(16))
    played(*APPEAL, again).then_refused(AlreadyAppealed, existing_id="ap1")
    assert after(APPEAL, say(sellers, now=at(16), actor=SELLER))
    played(*WAIVED, say(appeal, now=at(16))).then_refused(AlreadySubmitted)
    played(*APPEAL, say(WaiveAppeal(), now=at(16))).then_refused(AlreadyAppealed)
    played(*WAIVED, say(WaiveAppeal(), now=at(16))).then_refused(AlreadySubmitted)


def test_the_same_appeal_sent_twice_is_one_and_its_id_is_nobody_elses() -> None:
    assert after(APPEAL, say(appeal, now=at(16))) == []
    taken = say(replace(sellers, appeal_id="ap1"), now=at(16), actor=SELLER)
    played(*APPEAL, taken).then_refused(InvalidValue)
    played(*APPEAL, say(appeal, now=at(16), actor=SELLER)).then_refused(InvalidValue)


def test_new_evidence_is_something_that_was_not_there_before() -> None:
    new = replace(appeal, ground="NEW_EVIDENCE")
    played(*DECIDED, say(new, now=at(15))).then_refused(EvidenceRequired)
    old = replace(new, evidence_ids=("b1",))
    played(*DECIDED, say(old, now=at(15))).then_refused(EvidenceRequired)
    lodged = say(photo("b7"), now=at(15))
    both = say(replace(new, evidence_ids=("b1", "b7")), now=at(15))
    assert kinds(after(DECIDED, lodged, both))[-1] == "DisputeAppealed"
    others = say(replace(appeal, evidence_ids=("s1",)), now=at(15))
    played(*DECIDED, others).then_refused(InvalidValue)


def test_the_other_party_answers_once_in_time() -> None:
    until = at(17)
    assert after(APPEAL, say(answer, now=until - TICK, actor=SELLER))
    played(*APPEAL, say(answer, now=until, actor=SELLER)).then_refused(WindowClosed)
    twice = say(answer, now=at(16), actor=SELLER)
    played(*APPEAL, twice, twice).then_refused(AlreadySubmitted, existing_id="ap1")
    played(*APPEAL, say(answer, now=at(16))).then_refused(WrongState)  # its author
    unknown = say(replace(answer, appeal_id="ap7"), now=at(16), actor=SELLER)
    played(*APPEAL, unknown).then_refused(WrongState)


def test_two_waivers_make_it_final_at_once() -> None:
    events = after(WAIVED, say(WaiveAppeal(), now=at(16), actor=SELLER))
    assert kinds(events) == ["AppealWaived", "DisputeFinalized", "RemedyOrdered"]
    assert not events[1].after_appeal


# --- Final


def test_nobody_appeals_and_it_is_final_at_the_limit() -> None:
    final = FinalizeDecision()
    assert after(DECIDED, say(final, now=UNTIL - TICK, actor=SYSTEM)) == []
    events = after(DECIDED, say(final, now=UNTIL, actor=SYSTEM))
    assert kinds(events) == ["DisputeFinalized", "RemedyOrdered"]
    assert (events[1].basis, events[1].liable, events[1].seller_at_fault) == (
        "DECISION",
        "SELLER",
        True,
    )
    assert after(DECIDED, say(final, now=UNTIL, actor=SYSTEM), say(final, now=UNTIL, actor=SYSTEM))


def test_a_decision_for_nothing_closes_when_it_is_final() -> None:
    rejected = replace(
        decision,
        outcome="REJECTED",
        amount_minor=None,
        currency=None,
        liable="BUYER",
        seller_fault_pct=0,
        buyer_abuse=True,
    )
    story = (*REVIEW, say(rejected, now=at(14), actor=AGENT))
    final = after(story, say(FinalizeDecision(), now=UNTIL, actor=SYSTEM))
    assert kinds(final) == ["DisputeFinalized", "DisputeClosed"]
    closed = final[-1]
    assert (closed.how, closed.result, closed.buyer_abuse) == ("DECIDED", "NO_REMEDY", True)
    assert closed.held_released_minor == 16198


# --- The appeal decided


def test_it_waits_for_all_that_may_still_be_said() -> None:
    played(*APPEAL, decide(at(16))).then_refused(NotYetEligible, eligible_from=UNTIL)
    assert after(APPEAL_ANSWERED, decide())
    waived = say(WaiveAppeal(), now=at(16), actor=SELLER)
    played(*APPEAL, waived, decide(at(16))).then_refused(NotYetEligible, eligible_from=at(17))
    assert after(APPEAL, waived, decide(at(17)))
    assert after(APPEAL_ANSWERED, waived, decide(at(16)))
    second = say(sellers, now=at(20), actor=SELLER)
    played(*APPEAL, second, decide()).then_refused(NotYetEligible, eligible_from=at(22))


def test_all_appeals_are_answered_together() -> None:
    events = after(APPEAL_ANSWERED, say(sellers, now=at(16), actor=SELLER), decide(at(18)))
    told = events[1]
    assert isinstance(told, DisputeAppealDecided)
    assert told.appeal_ids == ["ap1", "ap2"]
    assert kinds(events)[1:] == [
        "DisputeAppealDecided",
        "DisputeFinalized",
        "RemedyOrdered",
        "StatementOfReasonsIssued",
        "StatementOfReasonsIssued",
    ]
    assert all(each.redress == ["OUT_OF_COURT", "COURT"] for each in events[-2:])
    assert events[2].after_appeal


@pytest.mark.parametrize(
    ("changes", "taken"),
    [
        ({"result": "UPHELD"}, True),
        ({"result": "UPHELD", "amount_minor": 4000}, False),
        ({"result": "UPHELD", "seller_fault_pct": 60}, False),
        ({"result": "MODIFIED"}, False),
        ({"result": "REVERSED"}, False),
        ({"result": "MODIFIED", "amount_minor": 4000}, True),
        ({"result": "MODIFIED", "seller_fault_pct": 60}, True),
        ({"result": "REVERSED", "liable": "CARRIER", "seller_fault_pct": 0}, True),
    ],
    ids=str,
)
def test_what_it_says_of_the_decision_is_true_of_it(changes: dict[str, Any], taken: bool) -> None:
    done = played(*APPEAL_ANSWERED, decide(**changes))
    assert (done.refused is None) is taken
    assert taken or isinstance(done.refused, InvalidValue)


def test_the_first_decider_does_not_decide_the_appeal_in_whatever_state() -> None:
    first = Actor(role="SENIOR", id="agent-1")
    for story in (DECIDED, APPEAL_ANSWERED):
        played(*story, decide(actor=first)).then_refused(
            ConflictOfInterest, ground="EARLIER_DECISION"
        )


def test_a_senior_decides_it_and_who_was_drawn_for_it() -> None:
    played(*APPEAL_ANSWERED, decide(actor=AGENT)).then_refused(RoleNotAllowed)
    played(*APPEAL_ANSWERED, decide(actor=SYSTEM)).then_refused(HumanRequired)
    other = Actor(role="SENIOR", id="senior-2")
    played(*APPEAL_ANSWERED, decide(actor=other)).then_refused(RoleNotAllowed)
    played(*APPEAL_ANSWERED, decide(rule_ids=())).then_refused(ReasonsMissing)
    played(*APPEAL_ANSWERED, decide(ledger=ledger(3000))).then_refused(AmountExceedsCeiling)
    played(*REVIEW, decide(at(13))).then_refused(WrongState)
    asked = say(question, now=at(21), actor=SENIOR)
    played(*APPEAL_ANSWERED, asked, decide()).then_refused(WrongState)
    assert isinstance(upheld, DecideDisputeAppeal)


def test_an_appeal_may_end_in_nothing() -> None:
    events = after(
        APPEAL_ANSWERED,
        decide(
            result="REVERSED",
            outcome="REJECTED",
            amount_minor=None,
            currency=None,
            liable="NONE",
            seller_fault_pct=0,
        ),
    )
    assert kinds(events)[:3] == ["DisputeAppealDecided", "DisputeFinalized", "DisputeClosed"]
    assert events[2].stage_reached == "APPEAL"
    assert [each.recipient_role for each in events[3:]] == ["BUYER"]


# --- Nobody decides


def test_thirty_days_after_it_was_due_the_buyers_proposal_is_granted_by_the_marketplace() -> None:
    due = at(19) + 30 * DAY
    early = say(lapse, now=due - TICK, actor=SYSTEM)
    assert after(REVIEW, early) == []
    for story in (REVIEW, UNASSIGNED):
        events = after(story, say(lapse, now=due, actor=SYSTEM))
        assert kinds(events) == ["PlatformDefaultGiven", "DisputeFinalized", "RemedyOrdered"]
        assert (events[0].stage, events[0].proposal_id) == ("REVIEW", "p1")
        assert (events[0].outcome, events[0].amount_minor) == ("REFUND_PARTIAL", 2000)
        assert (events[2].basis, events[2].liable, events[2].seller_at_fault) == (
            "PLATFORM",
            "PLATFORM",
            False,
        )


def test_the_goods_go_back_there_too() -> None:
    full = say(
        replace(opening, outcome="REFUND_FULL", amount_minor=None, currency=None), now=OPENING
    )
    story = (full, *REVIEW[1:])
    due = at(19) + 30 * DAY
    (given, *_) = after(story, say(lapse, now=due, actor=SYSTEM))
    assert given.outcome == "RETURN_AND_REFUND"


def test_it_is_the_proposal_that_the_buyer_stands_by_by_then() -> None:
    newer = say(partial("p7", 1500), now=at(13))
    events = after(REVIEW, newer, say(lapse, now=at(19) + 30 * DAY, actor=SYSTEM))
    assert (events[1].proposal_id, events[1].amount_minor) == ("p7", 1500)


def test_an_appeal_that_nobody_decides_leaves_the_decision_and_blames_nobody() -> None:
    events = after(APPEAL, say(lapse, now=at(25) + 30 * DAY, actor=SYSTEM))
    assert kinds(events) == [
        "PlatformDefaultGiven",
        "DisputeFinalized",
        "RemedyOrdered",
        "StatementOfReasonsIssued",
    ]
    given, final, ordered, told = events
    assert (given.stage, given.proposal_id, given.amount_minor) == ("APPEAL", None, 3000)
    assert isinstance(final, DisputeFinalized)
    assert (final.liable, final.buyer_abuse, ordered.liable) == ("PLATFORM", False, "PLATFORM")
    assert (told.recipient_role, told.automated_decision) == ("BUYER", "FULLY")
    assert told.redress == ["OUT_OF_COURT", "COURT"]


def test_while_a_question_is_open_nothing_lapses() -> None:
    assert after(ASKED, say(lapse, now=at(19) + 90 * DAY, actor=SYSTEM)) == []


def test_the_words_of_such_a_statement_name_the_day() -> None:
    assert "2025-03-25 08:00 UTC" in facts_of_delay(played(*APPEAL).state)


# --- Late is told once


@pytest.mark.parametrize(
    ("story", "what", "ref", "due"),
    [
        (REVIEW, "DISPUTE_DECISION", "D1", at(19)),
        (APPEAL, "DISPUTE_APPEAL", "ap1", at(25)),
    ],
)
def test_what_is_late_is_told_once_and_costs_nobody_anything(
    story: tuple[DisputeCommand, ...],
    what: Any,  # noqa: ANN401
    ref: str,
    due: Any,  # noqa: ANN401
) -> None:
    note = NoteOverdue(what=what, ref_id=ref, due_at=due)
    assert after(story, say(note, now=due - TICK, actor=SYSTEM)) == []
    once = say(note, now=due, actor=SYSTEM)
    assert kinds(after(story, once, once)) == ["DecisionOverdue"]
    other = say(replace(note, due_at=due + DAY), now=due + DAY, actor=SYSTEM)
    assert after(story, other) == []
    assert after(OPEN, once) == []


@pytest.mark.parametrize("said", [appeal, WaiveAppeal(), answer], ids=lambda s: type(s).__name__)
def test_only_the_parties_speak_to_a_decision(said: Any) -> None:  # noqa: ANN401
    stranger = Actor(role="SELLER", id="S2")
    played(*APPEAL, say(said, now=at(16), actor=stranger)).then_refused(NotAParty)
    played(*APPEAL, say(said, now=at(16), actor=BUYER, erased=True)).then_refused(SubjectErased)


def test_the_time_to_appeal_is_that_of_the_version() -> None:
    version = with_numbers(AE_2025_1, version="short", dispute_appeal_window=DAY)
    short = policies([(ALWAYS, "short")], [version])
    story = [say(each.said, now=each.now, actor=each.actor, policies=short) for each in DECIDED]
    assert played(*story).state.decision.appeal_until == at(15)
    closed = [event for event in played(*story).events if isinstance(event, DisputeClosed)]
    assert closed == []
