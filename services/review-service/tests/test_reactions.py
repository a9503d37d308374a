"""What order events ask of evaluations, and which deadlines events set and take away."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import Struct
from review_service.domain.closing_clock import OpenEvaluation, PauseEvaluation, ResumeEvaluation
from review_service.domain.codes import ReweighReview
from review_service.domain.completion import CompleteOrder
from review_service.domain.double_blind import CloseEvaluation, VoidEvaluation
from review_service.domain.holding import ReleaseReview
from review_service.domain.known import Known
from review_service.domain.policy import policies
from review_service.domain.screening import LiftCampaignWeight
from review_service.domain.streams import evaluation_stream, order_id_of, order_stream
from review_service.domain.weight import WeightFacts
from review_service.reactions.orders import ORDERS, on_order
from review_service.reactions.timers import on_evaluation_timer, on_order_timer, timers_of
from review_service.testing import change, say
from shared_casework.overdue import NoteOverdue
from shared_events.envelope import Recorded
from shared_events.orders import (
    OrderCancelled,
    OrderCompleted,
    OrderDelivered,
    OrderEvent,
    OrderPaid,
    OrderReopened,
)
from shared_events.review import (
    EvaluationClosed,
    EvaluationEvent,
    EvaluationOpened,
    EvaluationPaused,
    EvaluationResumed,
    ModerationAppealDecided,
    ModerationAppealed,
    ReviewFlagged,
    ReviewHeld,
    ReviewKept,
    ReviewReleased,
    ReviewRestricted,
    ReviewScreened,
    ReviewsRevealed,
    ReviewWithdrawn,
)
from shared_events.samples import sample
from shared_runtime.log import Ask
from shared_runtime.rule import By, Sent
from shared_runtime.timers import TIMER, Arm, Cancel, DueTimer, TimerName

AT = datetime(2025, 3, 1, 10, tzinfo=UTC)
DUE = AT + timedelta(days=15)
CAUSE = "0b5bd9b6-0000-4000-8000-000000000001"
KNOWN = Known(policies=policies())
IDS = {"order_id": "O-1", "seller_id": "S1", "buyer_id": "B1", "policy_version": "ae-2025-1"}

paid = OrderPaid(**IDS, paid_at=AT, payment_ref="P1")
delivered = OrderDelivered(**IDS, delivered_at=AT, late=False, signed=True, auto_complete_at=DUE)
completed = OrderCompleted(
    **IDS, completed_at=AT, completion_no=1, how="FEED", total_ref_minor=600, late=False
)
reopened = OrderReopened(**IDS, reopened_at=AT, completion_no=1, reason="PAYMENT_REVERSED")
cancelled = OrderCancelled(**IDS, cancelled_at=AT, by="BUYER", reason="CHANGED_MIND")
opened = EvaluationOpened(**IDS, completed_at=AT, completion_no=1, opened_at=AT, closes_at=DUE)
paused = EvaluationPaused(**IDS, cause="DISPUTE", cause_id="d1", remaining_seconds=1, cap_at=DUE)
resumed = EvaluationResumed(**IDS, cause_id="d1", open_causes=[], closes_at=DUE)
still_paused = EvaluationResumed(**IDS, cause_id="d1", open_causes=["d2"], closes_at=None)
closed = EvaluationClosed(**IDS, reason="EXPIRED", closed_at=DUE)
revealed = ReviewsRevealed(
    **IDS, trigger="BOTH_IN", revealed_at=AT, review_ids=["R1"], sides=["BUYER"]
)


def about(kind: type[Struct], **fields: Any) -> Any:  # noqa: ANN401
    event: Any = sample(kind)
    return change(event, review_id="R/1", **fields)


def arm(kind: str, of: str = "") -> Arm:
    return Arm(name=TimerName(kind, of), due=DUE)


def cancel(kind: str, of: str = "") -> Cancel:
    return Cancel(name=TimerName(kind, of))


def recorded(event: OrderEvent) -> Recorded[OrderEvent]:
    return Recorded(
        topic="orders.events",
        partition=0,
        position=1,
        event_id=CAUSE,
        stream=order_stream("O-1"),
        version=1,
        type=type(event).__name__,
        time=AT,
        recorded_at=AT,
        key="S1",
        actor="system:feed",
        correlation_id="O-1",
        causation_id=CAUSE,
        event=event,
    )


def due(name: str, stream: str) -> DueTimer:
    return DueTimer(stream=stream, name=TimerName.parse(name), due=DUE, now=DUE, cause=CAUSE)


def test_a_completed_order_opens_its_evaluation() -> None:
    command = say(
        OpenEvaluation(
            order_id="O-1", seller_id="S1", buyer_id="B1", completed_at=AT, completion_no=1
        ),
        open_disputes=("d1",),
        now=AT,
        actor=ORDERS,
    )
    assert on_order(recorded(completed), change(KNOWN, open_disputes=("d1",))) == [
        Ask(stream="evaluation-O-1", command=command, cause=CAUSE, correlation="O-1")
    ]


def test_a_reopened_order_pauses_its_evaluation() -> None:
    (ask,) = on_order(recorded(reopened), KNOWN)
    assert ask.command == say(
        PauseEvaluation(cause="ORDER_REOPENED", cause_id="completion-1"), now=AT, actor=ORDERS
    )


def test_a_cancelled_order_ends_its_evaluation() -> None:
    (ask,) = on_order(recorded(cancelled), KNOWN)
    assert ask.command == say(VoidEvaluation(), now=AT, actor=ORDERS)


@pytest.mark.parametrize("event", [paid, delivered])
def test_other_steps_of_an_order_ask_nothing(event: OrderEvent) -> None:
    assert on_order(recorded(event), KNOWN) == []


@pytest.mark.parametrize(
    ("event", "deadlines"),
    [
        (paid, []),
        (reopened, []),
        (delivered, [arm("AUTO_COMPLETE")]),
        (completed, [cancel("AUTO_COMPLETE")]),
        (cancelled, [cancel("AUTO_COMPLETE")]),
        (opened, [arm("EVALUATION_CLOSE")]),
        (paused, [cancel("EVALUATION_CLOSE"), arm("PAUSE_CAP")]),
        (resumed, [cancel("PAUSE_CAP"), arm("EVALUATION_CLOSE")]),
        (still_paused, []),
        (revealed, [cancel("EVALUATION_CLOSE"), cancel("PAUSE_CAP")]),
        (closed, [cancel("EVALUATION_CLOSE"), cancel("PAUSE_CAP")]),
        (about(ReviewHeld, hold_until=DUE), [arm("HOLD_END", "R/1")]),
        (about(ReviewReleased), [cancel("HOLD_END", "R/1")]),
        (about(ReviewRestricted), [cancel("HOLD_END", "R/1")]),
        (about(ReviewWithdrawn, before_reveal=True), [cancel("HOLD_END", "R/1")]),
        (
            about(ReviewWithdrawn, before_reveal=False),
            [cancel("HOLD_END", "R/1"), cancel("CAMPAIGN_END", "R/1")],
        ),
        (about(ReviewScreened, campaign_until=DUE), [arm("CAMPAIGN_END", "R/1")]),
        (about(ReviewScreened, campaign_until=None), []),
        (about(ReviewFlagged, flag_id="f1", decide_by=DUE), [arm("FLAG_DUE", "f1")]),
        (
            about(ReviewKept, flag_ids=["f1", "f2"]),
            [cancel("FLAG_DUE", "f1"), cancel("FLAG_DUE", "f2")],
        ),
        (
            about(ModerationAppealed, appeal_id="a1", decide_by=DUE),
            [arm("MODERATION_APPEAL_DUE", "a1")],
        ),
        (about(ModerationAppealDecided, appeal_id="a1"), [cancel("MODERATION_APPEAL_DUE", "a1")]),
    ],
)
def test_events_set_and_take_away_deadlines(
    event: OrderEvent | EvaluationEvent, deadlines: list[Arm | Cancel]
) -> None:
    assert timers_of(event) == deadlines


def test_an_order_completes_when_nobody_complained() -> None:
    known = Known(policies=policies(), open_disputes=("d1",))
    ask = on_order_timer(due("AUTO_COMPLETE", "order-O-1"), known)
    assert ask == Ask(
        stream="order-O-1",
        command=Sent(CompleteOrder(), By(actor=TIMER, now=DUE, known=known)),
        cause=CAUSE,
        correlation="O-1",
    )


def test_an_evaluation_closes_with_the_facts_of_its_order() -> None:
    facts = WeightFacts(total_ref_minor=600, placed_at=AT)
    known = change(KNOWN, facts=facts)
    ask = on_evaluation_timer(due("EVALUATION_CLOSE", "evaluation-O-1"), known)
    assert ask.command == say(CloseEvaluation(), facts=facts, now=DUE, actor=TIMER)
    assert (ask.stream, ask.correlation) == ("evaluation-O-1", "O-1")


def test_the_longest_pause_ends_with_every_cause() -> None:
    ask = on_evaluation_timer(due("PAUSE_CAP", "evaluation-O-1"), KNOWN)
    assert ask.command == say(ResumeEvaluation(cause_id=None), now=DUE, actor=TIMER)


@pytest.mark.parametrize("order_id", ["O1", "O-1", "-", "order-1"])
def test_the_name_of_a_stream_leads_back_to_its_order(order_id: str) -> None:
    assert order_id_of(order_stream(order_id)) == order_id
    assert order_id_of(evaluation_stream(order_id)) == order_id


FACTS = WeightFacts(
    total_ref_minor=600,
    placed_at=AT,
    late=True,
    rating_right_lost=frozenset({"SELLER"}),
    fake_confirmed=frozenset({"R/1"}),
)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("HOLD_END/R/1", ReleaseReview(review_id="R/1")),
        ("CAMPAIGN_END/R/1", LiftCampaignWeight(review_id="R/1")),
        ("FLAG_DUE/f1", NoteOverdue(what="FLAG", ref_id="f1", due_at=DUE)),
        (
            "MODERATION_APPEAL_DUE/a1",
            NoteOverdue(what="MODERATION_APPEAL", ref_id="a1", due_at=DUE),
        ),
        (
            "REWEIGH_BUYER/R/1",
            ReweighReview(
                review_id="R/1",
                add=("FAKE_CONFIRMED", "CORROBORATED"),
                remove=("BUYER_ABUSE", "RATING_RIGHT_LOST"),
            ),
        ),
        (
            "REWEIGH_SELLER/R/2",
            ReweighReview(
                review_id="R/2",
                add=("RATING_RIGHT_LOST",),
                remove=("BUYER_ABUSE", "FAKE_CONFIRMED"),
            ),
        ),
    ],
)
def test_the_deadline_of_one_review_flag_or_appeal_names_it(name: str, said: Struct) -> None:
    ask = on_evaluation_timer(due(name, "evaluation-O-1"), change(KNOWN, facts=FACTS))
    assert ask.command == say(said, facts=FACTS, now=DUE, actor=TIMER)
