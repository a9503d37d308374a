"""What a remedy orders, what became of it, and how the end is attributed."""

from typing import Any

import pytest
from dispute_service.domain.appeals import FinalizeDecision
from dispute_service.domain.proposals import AcceptProposal, Propose
from dispute_service.domain.remedies import ConfirmExecution
from dispute_service.domain.rules import DisputeCommand
from dispute_service.domain.silence import GiveDefaultJudgement
from dispute_service.domain.withdrawal import WithdrawDispute
from dispute_service.testing import (
    AGENT,
    ALL,
    BUYER,
    DAY,
    OPENING,
    ORDER,
    SELLER,
    SYSTEM,
    TICK,
    at,
    history,
    kinds,
    played,
    say,
    words,
)
from dispute_service.testing.stories import (
    APPEAL_DECIDED,
    ASKED,
    CLOSED,
    DECIDED,
    EVIDENCE,
    EXECUTING,
    OPEN,
    REBUTTAL,
    REMEDY,
    REVIEW,
    decision,
    done,
    opening,
)
from msgspec.structs import replace
from shared_casework.overdue import NoteOverdue
from shared_events.dispute import DisputeClosed, DisputeReason, Executed, Outcome, RemedyOrdered
from shared_runtime.decider import NotFound, RoleNotAllowed, WrongState


def after(story: tuple[DisputeCommand, ...], *commands: DisputeCommand) -> list[Any]:
    told = played(*commands, after=history(*story))
    assert told.refused is None, told.refused
    return told.events


def accepted(now: Any, proposal_id: str = "p1") -> DisputeCommand:  # noqa: ANN401
    return say(AcceptProposal(proposal_id=proposal_id), now=now, actor=SELLER)


def closing(*story: DisputeCommand) -> DisputeClosed:
    last = history(*story, say(done, now=at(90), actor=SYSTEM))[-1]
    assert isinstance(last, DisputeClosed)
    return last


# --- Ordered


@pytest.mark.parametrize(
    ("outcome", "days"),
    [
        ("REFUND_FULL", 14),
        ("REPLACEMENT_NO_RETURN", 14),
        ("RETURN_AND_REFUND", 74),
        ("EXCHANGE", 74),
    ],
)
def test_a_remedy_has_its_time_and_the_way_back_its_own(outcome: Outcome, days: int) -> None:
    said = replace(opening, outcome=outcome, amount_minor=None, currency=None)
    ordered = after((say(said, now=OPENING),), accepted(at(7)))[-1]
    assert isinstance(ordered, RemedyOrdered)
    assert ordered.execute_by == at(7) + days * DAY
    assert ordered.remedy_id == REMEDY


@pytest.mark.parametrize(
    ("reason", "at_fault"),
    [
        ("DAMAGED", True),
        ("WRONG_ITEM", True),
        ("NOT_AS_DESCRIBED", True),
        ("MISSING_PARTS", True),
        ("COUNTERFEIT", True),
        ("NOT_RECEIVED", True),
        ("SIZE_MISFIT", False),
    ],
)
def test_whose_fault_a_settlement_is_follows_from_the_reason(
    reason: DisputeReason, at_fault: bool
) -> None:
    order = replace(ORDER, deliver_by=at(1))
    story = (say(replace(opening, reason=reason), now=OPENING, order=order),)
    assert after(story, accepted(at(7)))[-1].seller_at_fault is at_fault


# --- Done


def test_a_remedy_that_was_done_closes_the_dispute() -> None:
    closed = closing(*EXECUTING)
    assert (closed.how, closed.result, closed.outcome) == ("SETTLED", "REFUNDED", "REFUND_PARTIAL")
    assert (closed.refunded_minor, closed.held_released_minor) == (2000, 0)
    assert closed.first_response_seconds == 2 * 86_400
    assert (closed.opened_at, closed.closed_at) == (OPENING, at(90))
    assert closed.lines[0].units == "1/1,1/2,1/3"


def test_it_closes_once_and_only_of_its_own_remedy() -> None:
    again = say(done, now=at(10), actor=SYSTEM)
    assert after(CLOSED, again) == []
    other = say(replace(done, remedy_id="another"), now=at(9), actor=SYSTEM)
    assert after(EXECUTING, other) == []
    assert after(REVIEW, say(done, now=at(13), actor=SYSTEM)) == []
    played(*EXECUTING, say(done, now=at(9), actor=BUYER)).then_refused(RoleNotAllowed)


@pytest.mark.parametrize(
    ("result", "amount", "released"),
    [
        ("ALREADY_MET", 0, 2000),
        ("REFUNDED", 1500, 500),
        ("REFUNDED", 2500, 0),
        ("EXCHANGED", 0, 2000),
    ],
)
def test_what_was_held_and_not_paid_is_released(
    result: Executed, amount: int, released: int
) -> None:
    said = ConfirmExecution(remedy_id=REMEDY, result=result, amount_minor=amount)
    (closed,) = after(EXECUTING, say(said, now=at(9), actor=SYSTEM))
    assert (closed.result, closed.held_released_minor) == (result, released)


def test_a_remedy_that_is_late_is_told_once() -> None:
    due = at(21)
    note = NoteOverdue(what="EXECUTION", ref_id=REMEDY, due_at=due)
    assert after(EXECUTING, say(note, now=due - TICK, actor=SYSTEM)) == []
    once = say(note, now=due, actor=SYSTEM)
    assert kinds(after(EXECUTING, once, once)) == ["DecisionOverdue"]


# --- Attributed


@pytest.mark.parametrize(
    ("story", "resolved", "stage"),
    [
        (OPEN, True, "NEGOTIATING"),
        (EVIDENCE, True, "EVIDENCE"),
        (REBUTTAL, True, "REBUTTAL"),
        (REVIEW, False, "REVIEW"),
    ],
)
def test_a_seller_has_resolved_what_he_settled_before_others_had_to_look(
    story: tuple[DisputeCommand, ...], resolved: bool, stage: str
) -> None:
    now = story[-1].now
    closed = closing(*story, accepted(now))
    assert (closed.how, closed.liable, closed.seller_fault_pct) == ("SETTLED", "NONE", 0)
    assert (closed.resolved_by_seller, closed.stage_reached) == (resolved, stage)


def test_of_a_default_the_seller_bears_all() -> None:
    judged = say(GiveDefaultJudgement(facts=words()), now=at(10), actor=SYSTEM)
    closed = closing(*OPEN, judged)
    assert (closed.how, closed.liable, closed.seller_fault_pct) == ("DEFAULT", "SELLER", 100)
    assert closed.first_response_seconds is None
    assert not closed.resolved_by_seller


def test_of_a_decision_it_is_as_decided() -> None:
    closed = closing(*APPEAL_DECIDED)
    assert (closed.how, closed.liable, closed.seller_fault_pct) == ("DECIDED", "SELLER", 100)
    assert closed.stage_reached == "APPEAL"
    assert closed.first_response_seconds == 3600


def test_what_the_marketplace_bears_is_released_whole() -> None:
    platform = replace(decision, liable="PLATFORM", seller_fault_pct=0)
    story = (
        *REVIEW,
        say(platform, now=at(14), actor=AGENT),
        say(FinalizeDecision(), now=at(21), actor=SYSTEM),
    )
    closed = closing(*story)
    assert (closed.how, closed.liable) == ("DECIDED", "PLATFORM")
    assert (closed.refunded_minor, closed.held_released_minor) == (2000, 16198)


# --- Withdrawn


@pytest.mark.parametrize("story", [OPEN, EVIDENCE, REBUTTAL, REVIEW, ASKED], ids=range(5))
def test_a_buyer_may_let_it_be_until_it_is_decided(story: tuple[DisputeCommand, ...]) -> None:
    withdrawn, closed = after(story, say(WithdrawDispute(), now=story[-1].now))
    assert withdrawn.stage == closed.stage_reached
    assert (closed.how, closed.result, closed.liable) == ("WITHDRAWN", "WITHDRAWN", "NONE")
    assert (closed.outcome, closed.refunded_minor) == (None, 0)


def test_nobody_else_withdraws_it_and_not_after_the_decision() -> None:
    played(*OPEN, say(WithdrawDispute(), now=at(6), actor=SELLER)).then_refused(RoleNotAllowed)
    for story in (DECIDED, EXECUTING, CLOSED):
        played(*story, say(WithdrawDispute(), now=at(15))).then_refused(WrongState)


def test_a_dispute_that_was_never_opened_is_not_found() -> None:
    played(say(WithdrawDispute(), now=at(6))).then_refused(NotFound)
    said = Propose(proposal_id="p2", outcome="REFUND_FULL", lines=ALL)
    played(say(said, now=at(6))).then_refused(NotFound)
    assert played(say(done, now=at(6), actor=SYSTEM)).events == []
