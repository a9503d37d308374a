"""What is offered is what would be accepted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from review_service.domain.actions import Action, evaluation_actions, order_actions
from review_service.domain.commands import (
    AmendReview,
    BuyerReview,
    CloseEvaluation,
    EvaluationCommand,
    Measure,
    OpenEvaluation,
    OrderFacts,
    PauseEvaluation,
    SellerReview,
    SubmitReview,
)
from review_service.domain.evaluation import evaluations
from review_service.domain.evaluation_state import Unopened
from review_service.domain.order import Unplaced
from review_service.domain.policy import policies
from shared_runtime.decider import Actor, Role
from shared_runtime.testing import ManualClock, play

POLICIES = policies()
COMPLETED = datetime(2025, 3, 1, 10, tzinfo=UTC)
CLOSING = COMPLETED + timedelta(days=15)
SYSTEM = Actor(role="SYSTEM", id="orders")
BUYER = Actor(role="BUYER", id="B1")
SELLER = Actor(role="SELLER", id="S1")
FACTS = OrderFacts(total_ref_minor=600, placed_at=COMPLETED)

start = OpenEvaluation(
    order_id="O1",
    seller_id="S1",
    buyer_id="B1",
    completed_at=COMPLETED,
    completion_no=1,
    now=COMPLETED,
    actor=SYSTEM,
)
FIVE = BuyerReview(quality=5, logistics=5, service=5)
write = SubmitReview(review_id="R1", content=FIVE, facts=FACTS, now=COMPLETED, actor=BUYER)
answer = SubmitReview(
    review_id="R2", content=SellerReview(rating=5), facts=FACTS, now=COMPLETED, actor=SELLER
)
pause = PauseEvaluation(cause="DISPUTE", cause_id="d1", now=COMPLETED, actor=SYSTEM)


def offered(actor: Actor, now: datetime, *commands: SubmitReview | PauseEvaluation) -> list[Action]:
    state = play(evaluations(POLICIES), [start, *commands]).state
    return evaluation_actions(state, actor, now, POLICIES)


def reasons(actions: list[Action]) -> dict[str, str | None]:
    assert all(action.allowed == (action.reason_if_not is None) for action in actions)
    return {action.action: action.reason_if_not for action in actions}


def test_a_party_may_submit_until_the_window_closes() -> None:
    clock = ManualClock(COMPLETED)
    assert offered(BUYER, clock()) == [
        Action(action="SubmitReview", allowed=True, earliest=COMPLETED, latest=CLOSING),
        Action(
            action="AmendReview",
            allowed=False,
            reason_if_not="wrong-state",
            earliest=COMPLETED,
            latest=CLOSING,
        ),
    ]
    assert reasons(offered(SELLER, clock())) == {"SubmitReview": None, "AmendReview": "wrong-state"}
    clock.advance(timedelta(days=15))
    assert reasons(offered(BUYER, clock())) == {
        "SubmitReview": "window-closed",
        "AmendReview": "wrong-state",
    }


def test_an_author_may_amend_even_the_review_that_is_tried() -> None:
    assert reasons(offered(BUYER, COMPLETED, write)) == {
        "SubmitReview": "already-submitted",
        "AmendReview": None,
    }
    assert reasons(offered(SELLER, COMPLETED, answer))["AmendReview"] is None


def test_nothing_is_offered_after_the_reveal() -> None:
    assert reasons(offered(BUYER, COMPLETED, write, answer)) == {
        "SubmitReview": "already-submitted",
        "AmendReview": "evidence-sealed",
    }


def test_a_pause_has_no_last_moment() -> None:
    submit, _ = offered(BUYER, CLOSING, pause)
    assert (submit.allowed, submit.latest) == (True, None)


def test_a_stranger_may_nothing() -> None:
    assert set(reasons(offered(Actor(role="BUYER", id="B2"), COMPLETED)).values()) == {
        "not-a-party"
    }


def test_a_measure_takes_the_offer_away() -> None:
    state = play(evaluations(POLICIES), [start]).state
    lost = Measure(measure_id="M1")
    submit, _ = evaluation_actions(state, BUYER, COMPLETED, POLICIES, rating_right_lost=lost)
    assert submit.reason_if_not == "measure-in-force"


def test_before_completion_it_is_too_early() -> None:
    actions = evaluation_actions(Unopened(), BUYER, COMPLETED, POLICIES)
    assert reasons(actions) == {"SubmitReview": "not-yet-eligible", "AmendReview": "wrong-state"}


@pytest.mark.parametrize("role", ["SYSTEM", "MODERATOR", "AUDITOR"])
def test_who_is_no_party_to_the_evaluation_is_offered_nothing(role: Role) -> None:
    assert evaluation_actions(Unopened(), Actor(role=role, id="X"), COMPLETED, POLICIES) == []


def test_after_the_window_a_late_author_is_told_that_it_is_sealed() -> None:
    decider = evaluations(POLICIES)
    late = AmendReview(content=FIVE, now=CLOSING, actor=BUYER)
    close = CloseEvaluation(facts=FACTS, now=CLOSING, actor=SYSTEM)
    commands: list[EvaluationCommand] = [start, write, close, late]
    played = play(decider, commands)
    assert reasons(evaluation_actions(played.state, BUYER, CLOSING, POLICIES)) == {
        "SubmitReview": "already-submitted",
        "AmendReview": "evidence-sealed",
    }


@pytest.mark.parametrize(
    ("role", "names"),
    [
        ("BUYER", {"CompleteOrder"}),
        ("MODERATOR", {"AttributeDelay"}),
        ("SELLER", set[str]()),
        (
            "SYSTEM",
            {
                "PlaceOrder",
                "MarkPaid",
                "MarkShipped",
                "MarkDelivered",
                "CompleteOrder",
                "CancelOrder",
                "ReopenOrder",
                "AttributeDelay",
            },
        ),
    ],
)
def test_a_role_is_offered_the_commands_of_its_rows(role: Role, names: set[str]) -> None:
    actions = order_actions(Unplaced(), Actor(role=role, id="X"), COMPLETED, POLICIES)
    assert {action.action for action in actions} == names
    allowed = {action.action for action in actions if action.allowed}
    assert allowed == ({"PlaceOrder"} if role == "SYSTEM" else set())


def test_no_id_that_the_other_side_chose_takes_an_action_away() -> None:
    for review_id in ("neutral", "neutral-1"):
        written = replace(write, review_id=review_id)
        assert reasons(offered(SELLER, COMPLETED, written))["SubmitReview"] is None
