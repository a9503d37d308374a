"""What is offered is what would be accepted."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from review_service.domain.actions import Action, evaluation_actions, order_actions
from review_service.domain.commands import (
    AmendReview,
    AppealModeration,
    BuyerReview,
    CloseEvaluation,
    EvaluationCommand,
    FlagReview,
    GrantRevision,
    HoldReview,
    KeepReview,
    Measure,
    OpenEvaluation,
    OrderFacts,
    PauseEvaluation,
    PublishReply,
    RestrictReview,
    SellerReview,
    SubmitReview,
)
from review_service.domain.evaluation import evaluations
from review_service.domain.evaluation_state import Unopened
from review_service.domain.order import Unplaced
from review_service.domain.policy import policies
from review_service.domain.roles import ROLES
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
TEXT = "s1.key.digest.event.text.cipher"
DAY = timedelta(days=1)
MODERATOR = Actor(role="MODERATOR", id="M1")
ANALYST = Actor(role="ANALYST", id="A1")
SENIOR = Actor(role="SENIOR", id="N1")
grant = GrantRevision(cause="RETURN", cause_id="r1", now=COMPLETED, actor=SYSTEM)
flag = FlagReview(
    review_id="R1",
    flag_id="F1",
    reason="FAKE",
    now=COMPLETED,
    actor=Actor(role="BUYER", id="B7"),
)
hold = HoldReview(review_id="R1", ground="FAKE", facts=FACTS, now=COMPLETED, actor=SYSTEM)
keep = KeepReview(
    review_id="R1", flag_ids=("F1",), rule_ids=(), facts=FACTS, now=COMPLETED, actor=MODERATOR
)
restrict = RestrictReview(
    review_id="R1",
    ground="OFFENSIVE",
    rule_ids=("rule-1",),
    facts_text=TEXT,
    explanation="It insults.",
    measures=("HIDE_REVIEW",),
    automated_detection=False,
    facts=FACTS,
    now=COMPLETED,
    actor=MODERATOR,
)
appeal = AppealModeration(review_id="R1", appeal_id="P1", text=TEXT, now=COMPLETED, actor=BUYER)
pause = PauseEvaluation(cause="DISPUTE", cause_id="d1", now=COMPLETED, actor=SYSTEM)


def offered(actor: Actor, now: datetime, *commands: EvaluationCommand) -> list[Action]:
    """All that is offered."""
    state = play(evaluations(POLICIES), [start, *commands]).state
    return evaluation_actions(state, actor, now, POLICIES)


def writing(actions: list[Action]) -> list[Action]:
    return [action for action in actions if action.action in ("SubmitReview", "AmendReview")]


def allowed(actor: Actor, now: datetime, *commands: EvaluationCommand) -> set[str]:
    return {action.action for action in offered(actor, now, *commands) if action.allowed}


def window(action: str, actor: Actor, *commands: EvaluationCommand) -> tuple[object, object]:
    return next(
        (each.earliest, each.latest)
        for each in offered(actor, COMPLETED, *commands)
        if each.action == action
    )


def reasons(actions: list[Action]) -> dict[str, str | None]:
    assert all(action.allowed == (action.reason_if_not is None) for action in actions)
    return {action.action: action.reason_if_not for action in actions}


def test_a_party_may_submit_until_the_window_closes() -> None:
    clock = ManualClock(COMPLETED)
    assert writing(offered(BUYER, clock())) == [
        Action(action="SubmitReview", allowed=True, earliest=COMPLETED, latest=CLOSING),
        Action(
            action="AmendReview",
            allowed=False,
            reason_if_not="wrong-state",
            earliest=COMPLETED,
            latest=CLOSING,
        ),
    ]
    assert reasons(writing(offered(SELLER, clock()))) == {
        "SubmitReview": None,
        "AmendReview": "wrong-state",
    }
    clock.advance(timedelta(days=15))
    assert reasons(writing(offered(BUYER, clock()))) == {
        "SubmitReview": "window-closed",
        "AmendReview": "wrong-state",
    }


def test_an_author_may_amend_even_the_review_that_is_tried() -> None:
    assert reasons(writing(offered(BUYER, COMPLETED, write))) == {
        "SubmitReview": "already-submitted",
        "AmendReview": None,
    }
    assert reasons(offered(SELLER, COMPLETED, answer))["AmendReview"] is None


def test_nobody_writes_after_the_reveal() -> None:
    assert reasons(writing(offered(BUYER, COMPLETED, write, answer))) == {
        "SubmitReview": "already-submitted",
        "AmendReview": "evidence-sealed",
    }


def test_a_pause_has_no_last_moment() -> None:
    submit, _ = writing(offered(BUYER, CLOSING, pause))
    assert (submit.allowed, submit.latest) == (True, None)


def test_a_stranger_may_nothing() -> None:
    stranger = Actor(role="BUYER", id="B2")
    assert set(reasons(writing(offered(stranger, COMPLETED))).values()) == {"not-a-party"}
    assert allowed(stranger, COMPLETED, write) == set()
    assert allowed(stranger, COMPLETED, write, answer) == {"FlagReview"}


def test_a_measure_takes_the_offer_away() -> None:
    state = play(evaluations(POLICIES), [start]).state
    lost = Measure(measure_id="M1")
    submit, _ = writing(
        evaluation_actions(state, BUYER, COMPLETED, POLICIES, rating_right_lost=lost)
    )
    assert submit.reason_if_not == "measure-in-force"


def test_before_completion_it_is_too_early() -> None:
    actions = evaluation_actions(Unopened(), BUYER, COMPLETED, POLICIES)
    assert reasons(writing(actions)) == {
        "SubmitReview": "not-yet-eligible",
        "AmendReview": "wrong-state",
    }
    assert set(reasons(actions).values()) == {"not-yet-eligible", "wrong-state"}


@pytest.mark.parametrize("role", ["SYSTEM", "AGENT", "AUDITOR"])
def test_who_has_no_say_is_offered_nothing(role: Role) -> None:
    assert evaluation_actions(Unopened(), Actor(role=role, id="X"), COMPLETED, POLICIES) == []


def test_after_the_window_a_late_author_is_told_that_it_is_sealed() -> None:
    decider = evaluations(POLICIES)
    late = AmendReview(content=FIVE, now=CLOSING, actor=BUYER)
    close = CloseEvaluation(facts=FACTS, now=CLOSING, actor=SYSTEM)
    commands: list[EvaluationCommand] = [start, write, close, late]
    played = play(decider, commands)
    assert reasons(writing(evaluation_actions(played.state, BUYER, CLOSING, POLICIES))) == {
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
    offers = {action.action for action in actions if action.allowed}
    assert offers == ({"PlaceOrder"} if role == "SYSTEM" else set())


def test_no_id_that_the_other_side_chose_takes_an_action_away() -> None:
    for review_id in ("neutral", "neutral-1"):
        written = replace(write, review_id=review_id)
        assert reasons(offered(SELLER, COMPLETED, written))["SubmitReview"] is None


@pytest.mark.parametrize("role", ["BUYER", "SELLER", "MODERATOR", "SENIOR", "ANALYST"])
def test_a_role_is_offered_each_command_that_it_may_ever_send(role: Role) -> None:
    actions = evaluation_actions(Unopened(), Actor(role=role, id="X"), COMPLETED, POLICIES)
    kinds = {kind.__name__ for kind, roles in ROLES.items() if role in roles}
    assert [action.action for action in actions] == [
        kind.__name__ for kind in ROLES if kind.__name__ in kinds
    ]


def test_after_the_reveal_the_parties_answer_and_flag() -> None:
    both = (write, answer)
    assert allowed(BUYER, COMPLETED, *both) == {
        "WithdrawReview",
        "PublishReply",
        "AppendFollowUp",
        "FlagReview",
    }
    assert allowed(SELLER, COMPLETED, *both) == {"WithdrawReview", "PublishReply", "FlagReview"}
    reply = PublishReply(review_id="R1", reply_id="P1", text=TEXT, now=COMPLETED, actor=SELLER)
    assert "EditReply" in allowed(SELLER, COMPLETED, *both, reply)
    assert window("EditReply", SELLER, *both, reply) == (COMPLETED, COMPLETED + 2 * DAY)
    assert window("PublishReply", SELLER, *both) == (COMPLETED, COMPLETED + 30 * DAY)
    assert window("AppendFollowUp", BUYER, *both) == (COMPLETED, COMPLETED + 180 * DAY)


def test_a_granted_revision_is_offered_to_both() -> None:
    history = (write, answer, grant)
    assert "ReviseReview" in allowed(BUYER, COMPLETED, *history)
    assert "RequestRevision" in allowed(SELLER, COMPLETED, *history)
    assert window("ReviseReview", BUYER, *history) == (COMPLETED, COMPLETED + 14 * DAY)
    assert window("RequestRevision", SELLER, *history) == (COMPLETED, COMPLETED + 14 * DAY)


def test_staff_are_offered_what_they_may_decide() -> None:
    both = (write, answer)
    assert allowed(ANALYST, COMPLETED, write) == {"HoldReview"}
    assert allowed(MODERATOR, COMPLETED, write) == {"HoldReview", "RestrictReview"}
    assert allowed(MODERATOR, COMPLETED, *both, flag) == {
        "FlagReview",
        "HoldReview",
        "KeepReview",
        "RestrictReview",
    }
    assert "ReleaseReview" in allowed(MODERATOR, COMPLETED, *both, hold)
    appealed = (*both, restrict, appeal)
    assert allowed(SENIOR, COMPLETED, *appealed) == {"DecideModerationAppeal"}
    own_decision = reasons(offered(MODERATOR, COMPLETED, *appealed))["DecideModerationAppeal"]
    assert own_decision == "conflict-of-interest"


def test_an_appeal_is_offered_to_whom_it_is_open() -> None:
    both, until = (write, answer), COMPLETED + 183 * DAY
    assert "AppealModeration" in allowed(BUYER, COMPLETED, *both, restrict)
    assert window("AppealModeration", BUYER, *both, restrict) == (COMPLETED, until)
    reader = Actor(role="BUYER", id="B7")
    assert "AppealModeration" in allowed(reader, COMPLETED, *both, flag, keep)
    assert window("AppealModeration", reader, *both, flag, keep) == (COMPLETED, until)


def test_a_hidden_review_shows_in_no_action_of_the_other_side() -> None:
    nothing = offered(SELLER, COMPLETED)
    early = replace(restrict, now=COMPLETED)
    for history in ((write,), (write, hold), (write, early), (write, early, appeal)):
        assert offered(SELLER, COMPLETED, *history) == nothing


def test_circumstances_take_offers_away() -> None:
    commands: list[EvaluationCommand] = [start, write, answer]
    state = play(evaluations(POLICIES), commands).state
    erased = evaluation_actions(state, BUYER, COMPLETED, POLICIES, erased=True)
    assert set(reasons(erased).values()) <= {"subject-erased", "not-a-party"}
    orgs = frozenset({"acme"})
    staff = replace(MODERATOR, org_id="acme")
    biased = evaluation_actions(state, staff, COMPLETED, POLICIES, party_orgs=orgs)
    told = reasons(biased)
    judging = ("HoldReview", "ReleaseReview", "KeepReview", "RestrictReview")
    assert {told[name] for name in judging} == {"conflict-of-interest"}
    full = (COMPLETED,) * 20
    many = evaluation_actions(state, BUYER, COMPLETED, POLICIES, flagged_today_at=full)
    assert reasons(many)["FlagReview"] == "rate-limited"
