"""What is offered is what would be accepted."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from review_service.domain.appeals import AppealModeration
from review_service.domain.closing_clock import OpenEvaluation, PauseEvaluation
from review_service.domain.content import BuyerReview, SellerReview
from review_service.domain.double_blind import CloseEvaluation, SubmitReview
from review_service.domain.flags import FlagReview
from review_service.domain.holding import HoldReview
from review_service.domain.known import Known, Measure
from review_service.domain.moderation import KeepReview, RestrictReview
from review_service.domain.order import Unplaced
from review_service.domain.order_rules import ORDER_RULES
from review_service.domain.policy import policies
from review_service.domain.readers import read_by
from review_service.domain.replies import PublishReply
from review_service.domain.revision import GrantRevision
from review_service.domain.rules import EVALUATIONS, RULES, EvaluationCommand
from review_service.domain.weight import WeightFacts
from review_service.testing import change, in_words, say
from review_service.views import actions
from shared_events.review import EvaluationEvent
from shared_runtime.decider import Actor, Role, WrongState
from shared_runtime.rule import By
from shared_runtime.rules import Action
from shared_runtime.testing import ManualClock, play

POLICIES = policies()
COMPLETED = datetime(2025, 3, 1, 10, tzinfo=UTC)
CLOSING = COMPLETED + timedelta(days=15)
SYSTEM = Actor(role="SYSTEM", id="orders")
BUYER = Actor(role="BUYER", id="B1")
SELLER = Actor(role="SELLER", id="S1")
FACTS = WeightFacts(total_ref_minor=600, placed_at=COMPLETED)
TEXT = "s1.key.digest.event.text.cipher"
DAY = timedelta(days=1)
MODERATOR = Actor(role="MODERATOR", id="M1")
ANALYST = Actor(role="ANALYST", id="A1")
SENIOR = Actor(role="SENIOR", id="N1")
READER = Actor(role="BUYER", id="B7")

start = say(
    OpenEvaluation(
        order_id="O1", seller_id="S1", buyer_id="B1", completed_at=COMPLETED, completion_no=1
    ),
    now=COMPLETED,
    actor=SYSTEM,
)
FIVE = BuyerReview(quality=5, logistics=5, service=5)
write = say(SubmitReview(review_id="R1", **in_words(FIVE)), facts=FACTS, now=COMPLETED, actor=BUYER)
answer = say(
    SubmitReview(review_id="R2", **in_words(SellerReview(rating=5))),
    facts=FACTS,
    now=COMPLETED,
    actor=SELLER,
)
close = say(CloseEvaluation(), facts=FACTS, now=CLOSING, actor=SYSTEM)
reply = say(PublishReply(review_id="R1", reply_id="P1", text=TEXT), now=COMPLETED, actor=SELLER)
grant = say(GrantRevision(cause="RETURN", cause_id="r1"), now=COMPLETED, actor=SYSTEM)
flag = say(FlagReview(review_id="R1", flag_id="F1", reason="FAKE"), now=COMPLETED, actor=READER)
hold = say(HoldReview(review_id="R1", ground="FAKE"), facts=FACTS, now=COMPLETED, actor=SYSTEM)
keep = say(
    KeepReview(review_id="R1", flag_ids=("F1",), rule_ids=()),
    facts=FACTS,
    now=COMPLETED,
    actor=MODERATOR,
)
restrict = say(
    RestrictReview(
        review_id="R1",
        ground="OFFENSIVE",
        rule_ids=("rule-1",),
        facts=TEXT,
        explanation="It insults.",
        measures=("HIDE_REVIEW",),
    ),
    facts=FACTS,
    now=COMPLETED,
    actor=MODERATOR,
)
appeal = say(
    AppealModeration(review_id="R1", appeal_id="P1", text=TEXT), now=COMPLETED, actor=BUYER
)
pause = say(PauseEvaluation(cause="DISPUTE", cause_id="d1"), now=COMPLETED, actor=SYSTEM)


def offers(
    actor: Actor,
    now: datetime,
    history: Sequence[EvaluationEvent],
    *,
    rating_right_lost: Measure | None = None,
    erased: bool = False,
    flagged_today_at: tuple[datetime, ...] = (),
    party_orgs: frozenset[str] = frozenset(),
) -> list[Action]:
    """All that somebody is offered who reads this history."""
    known = Known(
        policies=POLICIES,
        facts=FACTS,
        rating_right_lost=rating_right_lost,
        erased=erased,
        flagged_today_at=flagged_today_at,
        party_orgs=party_orgs,
    )
    return actions(read_by(actor, history), By(actor=actor, now=now, known=known))


def events(*commands: EvaluationCommand) -> list[EvaluationEvent]:
    return play(EVALUATIONS, [start, *commands]).events


def offered(actor: Actor, now: datetime, *commands: EvaluationCommand) -> list[Action]:
    return offers(actor, now, events(*commands))


def writing(told: list[Action]) -> list[Action]:
    return [action for action in told if action.action in ("SubmitReview", "AmendReview")]


def allowed(actor: Actor, now: datetime, *commands: EvaluationCommand) -> set[str]:
    return {action.action for action in offered(actor, now, *commands) if action.allowed}


def window(action: str, actor: Actor, *commands: EvaluationCommand) -> tuple[object, object]:
    return next(
        (each.earliest, each.latest)
        for each in offered(actor, COMPLETED, *commands)
        if each.action == action
    )


def reasons(told: list[Action]) -> dict[str, str | None]:
    assert all(action.allowed == (action.reason_if_not is None) for action in told)
    return {action.action: action.reason_if_not for action in told}


def test_a_party_may_submit_until_the_window_closes() -> None:
    clock = ManualClock(COMPLETED)
    assert writing(offered(BUYER, clock())) == [
        Action(action="SubmitReview", allowed=True, earliest=COMPLETED, latest=CLOSING),
        Action(action="AmendReview", allowed=False, reason_if_not="wrong-state"),
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
    told = writing(offered(BUYER, COMPLETED, write, answer))
    assert reasons(told) == {
        "SubmitReview": "already-submitted",
        "AmendReview": "evidence-sealed",
    }
    assert {action.latest for action in told} == {COMPLETED}


def test_a_pause_has_no_last_moment() -> None:
    submit, _ = writing(offered(BUYER, CLOSING, pause))
    assert (submit.allowed, submit.latest) == (True, None)


def test_a_stranger_may_nothing() -> None:
    stranger = Actor(role="BUYER", id="B2")
    assert set(reasons(offered(stranger, COMPLETED)).values()) == {"wrong-state"}
    assert allowed(stranger, COMPLETED, write) == set()
    assert allowed(stranger, COMPLETED, write, answer) == {"FlagReview"}


def test_a_measure_takes_the_offer_away() -> None:
    lost = Measure(measure_id="M1")
    submit, _ = writing(offers(BUYER, COMPLETED, events(), rating_right_lost=lost))
    assert submit.reason_if_not == "measure-in-force"


def test_before_completion_it_is_too_early() -> None:
    told = offers(BUYER, COMPLETED, ())
    assert reasons(writing(told)) == {
        "SubmitReview": "not-yet-eligible",
        "AmendReview": "wrong-state",
    }
    assert set(reasons(told).values()) == {"not-yet-eligible", "wrong-state"}


@pytest.mark.parametrize("role", ["SYSTEM", "AGENT", "AUDITOR"])
def test_who_has_no_say_is_offered_nothing(role: Role) -> None:
    for history in ((), events(write, answer)):
        assert offers(Actor(role=role, id="X"), COMPLETED, history) == []


def test_after_the_window_a_late_author_is_told_that_it_is_sealed() -> None:
    assert reasons(writing(offered(BUYER, CLOSING, write, close))) == {
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
    by = By(actor=Actor(role=role, id="X"), now=COMPLETED, known=Known(policies=POLICIES))
    told = ORDER_RULES.offered(Unplaced(), by)
    assert {action.action for action in told} == names
    assert {action.action for action in told if action.allowed} == (
        {"PlaceOrder"} if role == "SYSTEM" else set()
    )


def test_no_id_that_the_other_side_chose_takes_an_action_away() -> None:
    for review_id in ("R-1", "R-2"):
        written = change(write, review_id=review_id)
        assert reasons(offered(SELLER, COMPLETED, written))["SubmitReview"] is None


@pytest.mark.parametrize("role", ["BUYER", "SELLER", "MODERATOR", "SENIOR", "ANALYST"])
def test_a_role_is_offered_each_command_that_it_may_ever_send(role: Role) -> None:
    told = offers(Actor(role=role, id="X"), COMPLETED, ())
    assert [action.action for action in told] == [row.name for row in RULES if role in row.roles]


def test_after_the_reveal_the_parties_answer_and_flag() -> None:
    both = (write, answer)
    assert allowed(BUYER, COMPLETED, *both) == {
        "WithdrawReview",
        "PublishReply",
        "AppendFollowUp",
        "FlagReview",
    }
    assert allowed(SELLER, COMPLETED, *both) == {"WithdrawReview", "PublishReply", "FlagReview"}
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
    assert "AppealModeration" in allowed(READER, COMPLETED, *both, flag, keep)
    assert window("AppealModeration", READER, *both, flag, keep) == (COMPLETED, until)


def test_a_hidden_review_shows_in_no_action_of_the_other_side() -> None:
    nothing = offered(SELLER, COMPLETED)
    for history in ((write,), (write, hold), (write, restrict), (write, restrict, appeal)):
        assert offered(SELLER, COMPLETED, *history) == nothing


def test_circumstances_take_offers_away() -> None:
    history = events(write, answer)
    erased = offers(BUYER, COMPLETED, history, erased=True)
    assert set(reasons(erased).values()) == {"subject-erased"}
    staff = change(MODERATOR, org_id="acme")
    told = reasons(offers(staff, COMPLETED, history, party_orgs=frozenset({"acme"})))
    judging = ("HoldReview", "ReleaseReview", "KeepReview", "RestrictReview")
    assert {told[name] for name in judging} == {"conflict-of-interest"}
    full = (COMPLETED,) * 20
    many = offers(BUYER, COMPLETED, history, flagged_today_at=full)
    assert reasons(many)["FlagReview"] == "rate-limited"


def test_who_comes_at_the_wrong_time_is_told_what_he_can_do_instead() -> None:
    played = play(EVALUATIONS, [start, write, answer, hold, change(reply, facts=FACTS)])
    assert isinstance(played.refused, WrongState)
    assert played.refused.allowed_actions == ["WithdrawReview", "FlagReview"]
