"""The evaluation of one order, row by row of its command table, and the worked corner cases."""

from datetime import UTC, datetime, timedelta

import pytest
from review_service.domain.closing_clock import OpenEvaluation, PauseEvaluation, ResumeEvaluation
from review_service.domain.content import BuyerReview, SellerReview
from review_service.domain.double_blind import (
    AmendReview,
    CloseEvaluation,
    SubmitReview,
    VoidEvaluation,
)
from review_service.domain.known import Measure
from review_service.domain.policy import ALWAYS, policies
from review_service.domain.rules import EVALUATIONS, EvaluationCommand
from review_service.domain.weight import WeightFacts
from review_service.testing import change, in_words, say
from shared_events.review import (
    EvaluationClosed,
    EvaluationEvent,
    EvaluationOpened,
    EvaluationPaused,
    EvaluationResumed,
    ReviewAmended,
    ReviewsRevealed,
    ReviewSubmitted,
    ReviewWeighted,
    WeightReason,
)
from shared_runtime.decider import (
    Actor,
    AlreadySubmitted,
    EvidenceSealed,
    FieldError,
    InvalidValue,
    MeasureInForce,
    NotAParty,
    NotFound,
    NotYetEligible,
    PolicyUnknown,
    Role,
    RoleNotAllowed,
    WindowClosed,
    WrongState,
)
from shared_runtime.testing import Scenario

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
COMPLETED = datetime(2025, 3, 1, 10, tzinfo=UTC)
CLOSING = COMPLETED + 15 * DAY
SYSTEM = Actor(role="SYSTEM", id="orders")
BUYER = Actor(role="BUYER", id="B1")
SELLER = Actor(role="SELLER", id="member", org_id="S1")
IMPORTER = Actor(role="IMPORTER", id="olist", on_behalf_of="BUYER")
FACTS = WeightFacts(total_ref_minor=600, placed_at=COMPLETED - 7 * DAY)
FULL = [WeightReason(code="FULL", effect_milli=1000)]

evaluation = Scenario(EVALUATIONS)


def day(number: float) -> datetime:
    """That many days after completion."""
    return COMPLETED + number * DAY


start = say(
    OpenEvaluation(
        order_id="O1", seller_id="S1", buyer_id="B1", completed_at=COMPLETED, completion_no=1
    ),
    now=COMPLETED,
    actor=SYSTEM,
)
pause = say(PauseEvaluation(cause="DISPUTE", cause_id="d1"), now=day(14), actor=SYSTEM)
reopening = say(
    PauseEvaluation(cause="ORDER_REOPENED", cause_id="completion-1"), now=day(4), actor=SYSTEM
)
resume = say(ResumeEvaluation(cause_id="d1"), now=day(42), actor=SYSTEM)
cap = say(ResumeEvaluation(), now=day(134), actor=SYSTEM)
stars = BuyerReview(quality=5, logistics=3, service=4)
by_buyer = say(
    SubmitReview(review_id="R1", **in_words(stars)), facts=FACTS, now=day(1), actor=BUYER
)
by_seller = say(
    SubmitReview(review_id="R2", **in_words(SellerReview(rating=4))),
    facts=FACTS,
    now=day(3),
    actor=SELLER,
)
amend = say(
    AmendReview(review_id="R1", **in_words(BuyerReview(quality=1, logistics=2, service=3))),
    now=day(2),
    actor=BUYER,
)
close = say(CloseEvaluation(), facts=FACTS, now=CLOSING, actor=SYSTEM)
void = say(VoidEvaluation(), now=day(5), actor=SYSTEM)

opened = EvaluationOpened(
    order_id="O1",
    seller_id="S1",
    buyer_id="B1",
    policy_version="ae-2025-1",
    completed_at=COMPLETED,
    completion_no=1,
    opened_at=COMPLETED,
    closes_at=CLOSING,
)
paused = EvaluationPaused(
    order_id="O1",
    seller_id="S1",
    buyer_id="B1",
    policy_version="ae-2025-1",
    cause="DISPUTE",
    cause_id="d1",
    remaining_seconds=86_400,
    cap_at=day(14 + 120),
)
resumed = EvaluationResumed(
    order_id="O1",
    seller_id="S1",
    buyer_id="B1",
    policy_version="ae-2025-1",
    cause_id="d1",
    open_causes=[],
    closes_at=day(45),
)
buyers = ReviewSubmitted(
    order_id="O1",
    seller_id="S1",
    buyer_id="B1",
    policy_version="ae-2025-1",
    review_id="R1",
    side="BUYER",
    submitted_at=day(1),
    quality=5,
    logistics=3,
    service=4,
    incentive="NONE",
)
sellers = ReviewSubmitted(
    order_id="O1",
    seller_id="S1",
    buyer_id="B1",
    policy_version="ae-2025-1",
    review_id="R2",
    side="SELLER",
    submitted_at=day(3),
    rating=4,
    incentive="NONE",
)
amended = ReviewAmended(
    order_id="O1",
    seller_id="S1",
    buyer_id="B1",
    policy_version="ae-2025-1",
    review_id="R1",
    side="BUYER",
    version=2,
    quality=1,
    logistics=2,
    service=3,
    incentive="NONE",
)
revealed = ReviewsRevealed(
    order_id="O1",
    seller_id="S1",
    buyer_id="B1",
    policy_version="ae-2025-1",
    trigger="BOTH_IN",
    revealed_at=day(3),
    review_ids=["R1", "R2"],
    sides=["BUYER", "SELLER"],
)
alone = change(
    revealed, trigger="WINDOW_CLOSED", revealed_at=CLOSING, review_ids=["R1"], sides=["BUYER"]
)
buyers_weight = ReviewWeighted(
    order_id="O1",
    seller_id="S1",
    buyer_id="B1",
    policy_version="ae-2025-1",
    review_id="R1",
    side="BUYER",
    seq=1,
    quality=5,
    logistics=3,
    service=4,
    weight_milli=1000,
    reasons=FULL,
    excluded_dimensions=[],
    counted_at=day(3),
    decided_by="RULE",
)
sellers_weight = ReviewWeighted(
    order_id="O1",
    seller_id="S1",
    buyer_id="B1",
    policy_version="ae-2025-1",
    review_id="R2",
    side="SELLER",
    seq=1,
    rating=4,
    weight_milli=1000,
    reasons=FULL,
    excluded_dimensions=[],
    counted_at=day(3),
    decided_by="RULE",
)
expired = EvaluationClosed(
    order_id="O1",
    seller_id="S1",
    buyer_id="B1",
    policy_version="ae-2025-1",
    reason="EXPIRED",
    closed_at=CLOSING,
)
voided = change(expired, reason="ORDER_CANCELLED", closed_at=day(5))

both_in = (opened, buyers, sellers, revealed, buyers_weight, sellers_weight)
HISTORIES: dict[str, tuple[EvaluationEvent, ...]] = {
    "NONE": (),
    "OPEN": (opened,),
    "PAUSED": (opened, paused),
    "REVEALED": both_in,
    "EXPIRED": (opened, expired),
    "VOID": (opened, voided),
}


# Opening and closing.


def test_a_completed_order_opens_its_evaluation_once() -> None:
    evaluation.when(start, start).then(opened)


def test_the_window_counts_from_completion_not_from_opening() -> None:
    evaluation.when(change(start, now=day(1))).then(change(opened, opened_at=day(1)))


def test_an_evaluation_that_opens_in_dispute_is_paused_at_once() -> None:
    at_once = change(paused, remaining_seconds=15 * 86_400, cap_at=day(120))
    evaluation.when(change(start, open_disputes=("d1", "d2", "d1"))).then(
        opened, at_once, change(at_once, cause_id="d2")
    )


def test_nobody_wrote_and_the_evaluation_closes_empty() -> None:
    evaluation.given(opened).when(change(close, now=CLOSING - TICK)).then_nothing()
    evaluation.given(opened).when(close).then(expired)


def test_the_last_moment_of_the_window_counts() -> None:
    """Corner case 1."""
    last = change(by_buyer, now=CLOSING - TICK)
    evaluation.given(opened).when(last, close).then(
        change(buyers, submitted_at=last.now),
        alone,
        change(buyers_weight, counted_at=CLOSING),
    )


def test_a_late_timer_gives_nobody_extra_time() -> None:
    """Corner case 2."""
    at_closing = change(by_buyer, now=CLOSING)
    evaluation.given(opened).when(at_closing).then_refused(WindowClosed, closed_at=CLOSING)
    late = change(close, now=CLOSING + timedelta(minutes=7))
    evaluation.given(opened).when(late).then(expired)


def test_a_side_that_wrote_alone_is_revealed_as_of_the_closing_instant() -> None:
    late = change(close, now=day(20))
    seller_alone = change(alone, review_ids=["R2"], sides=["SELLER"])
    evaluation.given(opened, sellers).when(late).then(
        seller_alone, change(sellers_weight, counted_at=CLOSING)
    )


def test_a_cancelled_order_ends_its_evaluation() -> None:
    evaluation.given(opened, buyers).when(void).then(voided)
    evaluation.given(opened, paused).when(void).then(voided)


def test_a_cancellation_after_the_window_hides_nothing_that_is_due() -> None:
    evaluation.given(opened, buyers).when(change(void, now=CLOSING)).then_nothing()
    last = change(void, now=CLOSING - TICK)
    evaluation.given(opened, buyers).when(last).then(change(voided, closed_at=last.now))


@pytest.mark.parametrize(
    ("command", "stages"),
    [
        (start, {"NONE"}),
        (pause, {"OPEN"}),
        (change(pause, cause_id="d2"), {"OPEN", "PAUSED"}),
        (resume, {"PAUSED"}),
        (cap, {"PAUSED"}),
        (close, {"OPEN"}),
        (void, {"OPEN", "PAUSED"}),
    ],
)
def test_what_timers_and_consumers_send_is_never_refused(
    command: EvaluationCommand, stages: set[str]
) -> None:
    for stage, history in HISTORIES.items():
        played = evaluation.given(*history).when(command)
        assert played.refused is None
        assert bool(played.events) == (stage in stages), stage


@pytest.mark.parametrize("command", [start, pause, resume, close, void])
@pytest.mark.parametrize("role", ["BUYER", "SELLER", "MODERATOR", "SENIOR"])
def test_only_the_system_runs_the_clock(command: EvaluationCommand, role: Role) -> None:
    asked = change(command, actor=Actor(role=role, id="B1"))
    evaluation.given(opened).when(asked).then_refused(RoleNotAllowed, allowed_roles=["SYSTEM"])


def test_an_evaluation_keeps_the_policy_it_began_with() -> None:
    """Corner case 9."""
    since = policies([(ALWAYS, "ae-2025-1"), (day(9), "ae-30d")])
    evaluation.given(opened).when(change(close, policies=since)).then(expired)
    other = change(start, order_id="P", completed_at=day(10), now=day(10), policies=since)
    evaluation.when(other).then(
        change(
            opened,
            order_id="P",
            completed_at=day(10),
            opened_at=day(10),
            closes_at=datetime(2025, 4, 10, 10, tzinfo=UTC),
            policy_version="ae-30d",
        )
    )


def test_an_evaluation_under_an_unknown_policy_is_refused() -> None:
    stranger = change(opened, policy_version="ae-1999")
    evaluation.given(stranger).when(pause).then_refused(PolicyUnknown, policy_version="ae-1999")


def test_the_window_is_exact_whatever_the_local_time() -> None:
    """Corner case 10."""
    local = datetime.fromisoformat("2025-03-20T23:30:00-03:00")
    played = evaluation.when(change(start, completed_at=local, now=local))
    event = played.events[0]
    assert isinstance(event, EvaluationOpened)
    assert event.completed_at.isoformat() == "2025-03-21T02:30:00+00:00"
    assert event.closes_at.isoformat() == "2025-04-05T02:30:00+00:00"


def test_a_history_is_judged_as_of_then() -> None:
    """Corner case 46: the timer of an old order fires first."""
    then = datetime(2024, 4, 1, tzinfo=UTC)
    old = change(start, completed_at=then, now=then)
    timer = change(close, now=then + 15 * DAY)
    late = change(by_buyer, now=datetime(2024, 5, 2, tzinfo=UTC), actor=IMPORTER)
    played = evaluation.when(old, timer, late)
    assert [type(event) for event in played.events] == [EvaluationOpened, EvaluationClosed]
    played_again = evaluation.given(*played.events).when(late)
    played_again.then_refused(WindowClosed, closed_at=then + 15 * DAY)


# Pauses.


def test_a_dispute_stops_the_clock_with_at_least_three_days_left_on_it() -> None:
    """Corner case 4."""
    evaluation.given(opened).when(pause, resume).then(paused, resumed)


@pytest.mark.parametrize(
    ("paused_on", "left"),
    [(12, 3 * DAY), (12 - TICK / DAY, 3 * DAY + timedelta(seconds=1)), (13, 3 * DAY)],
)
def test_the_longer_of_the_rest_and_the_minimum_runs_after_a_pause(
    paused_on: float, left: timedelta
) -> None:
    played = evaluation.given(opened).when(change(pause, now=day(paused_on)), resume)
    assert getattr(played.events[1], "closes_at", None) == resume.now + left


def test_no_pause_shortens_the_window_by_a_part_of_a_second() -> None:
    stopped = change(pause, now=COMPLETED + TICK)
    played = evaluation.given(opened).when(stopped)
    assert getattr(played.events[0], "remaining_seconds", None) == 15 * 86_400


def test_nothing_is_paused_once_closing_is_due() -> None:
    evaluation.given(opened).when(change(pause, now=CLOSING)).then_nothing()
    last = change(pause, now=CLOSING - TICK)
    evaluation.given(opened).when(last).then(
        change(paused, remaining_seconds=1, cap_at=last.now + 120 * DAY)
    )


def test_both_may_write_while_paused_and_are_revealed_at_once() -> None:
    """Corner case 5."""
    on = day(30)
    played = evaluation.given(opened, sellers, paused).when(change(by_buyer, now=on), resume)
    played.then(
        change(buyers, submitted_at=on),
        change(revealed, revealed_at=on),
        change(buyers_weight, counted_at=on),
        change(sellers_weight, counted_at=on),
    )


def test_the_clock_runs_again_when_the_last_dispute_is_closed() -> None:
    """Corner case 6."""
    second = change(pause, cause_id="d2", now=day(14.5))
    end_of_second = change(resume, cause_id="d2", now=day(50))
    evaluation.given(opened).when(pause, second, resume, end_of_second).then(
        paused,
        change(paused, cause_id="d2"),
        change(resumed, open_causes=["d2"], closes_at=None),
        change(resumed, cause_id="d2", closes_at=day(53)),
    )


def test_a_cause_that_was_seen_never_pauses_again() -> None:
    """Corner case 7."""
    again = change(pause, now=day(43))
    evaluation.given(opened, paused).when(pause).then_nothing()
    evaluation.given(opened, paused, resumed).when(again).then_nothing()
    evaluation.given(opened, paused, change(paused, cause_id="d2")).when(pause).then_nothing()


def test_the_end_of_a_dispute_that_paused_nothing_changes_nothing() -> None:
    evaluation.given(opened, paused).when(change(resume, cause_id="d9")).then_nothing()


def test_a_pause_has_an_end() -> None:
    evaluation.given(opened, paused).when(change(cap, now=day(134) - TICK)).then_nothing()
    freed = change(resumed, cause_id=None, closes_at=day(137))
    evaluation.given(opened, paused, change(paused, cause_id="d2")).when(cap).then(freed)


def test_an_order_that_completes_again_gets_a_whole_window() -> None:
    """Corner case 8."""
    again = change(start, completed_at=day(11), completion_no=2, now=day(11))
    evaluation.given(opened).when(reopening, again).then(
        change(
            paused,
            cause="ORDER_REOPENED",
            cause_id="completion-1",
            remaining_seconds=950_400,
            cap_at=day(124),
        ),
        change(resumed, cause_id="completion-1", closes_at=day(26)),
    )


def test_the_completion_that_was_undone_does_not_start_the_clock() -> None:
    evaluation.given(opened).when(reopening, start).then(
        *evaluation.given(opened).when(reopening).events
    )


def test_a_dispute_holds_the_clock_of_the_next_completion_too() -> None:
    again = change(
        start, completed_at=day(11), completion_no=2, now=day(11), open_disputes=("d1", "d2")
    )
    dispute = change(pause, now=day(5))
    played = evaluation.given(opened).when(reopening, dispute, again)
    held = change(paused, remaining_seconds=15 * 86_400, cap_at=day(131))
    assert played.events[2:] == [
        change(resumed, cause_id="completion-1", closes_at=day(26)),
        held,
        change(held, cause_id="d2"),
    ]


def test_a_dispute_that_is_over_does_not_hold_the_clock_of_the_next_completion() -> None:
    again = change(start, completed_at=day(11), completion_no=2, now=day(11), open_disputes=("d1",))
    over = change(resume, now=day(6))
    played = evaluation.given(opened).when(reopening, change(pause, now=day(5)), over, again)
    assert played.events[2:] == [
        change(resumed, open_causes=["completion-1"], closes_at=None),
        change(resumed, cause_id="completion-1", closes_at=day(26)),
    ]


def test_a_dispute_outlasting_a_reopening_is_resumed_by_itself() -> None:
    played = evaluation.given(opened).when(
        reopening, change(pause, now=day(5)), change(resume, cause_id="completion-1", now=day(6))
    )
    assert played.events[2] == change(
        resumed, cause_id="completion-1", open_causes=["d1"], closes_at=None
    )


# Writing.


def test_reviews_are_hidden_until_both_are_in() -> None:
    """Corner case 3."""
    sealed = evaluation.given(opened).when(by_buyer, by_seller, amend)
    assert sealed.events == [buyers, sellers, revealed, buyers_weight, sellers_weight]
    sealed.then_refused(EvidenceSealed, sealed_at=day(3))


def test_both_sides_come_in_the_same_order_whoever_wrote_last() -> None:
    on = day(4)
    evaluation.given(opened, sellers).when(change(by_buyer, now=on)).then(
        change(buyers, submitted_at=on),
        change(revealed, revealed_at=on),
        change(buyers_weight, counted_at=on),
        change(sellers_weight, counted_at=on),
    )


def test_a_review_told_again_changes_nothing() -> None:
    later = change(by_buyer, now=day(4))
    evaluation.given(opened, buyers).when(later).then_nothing()
    evaluation.given(opened, buyers, amended).when(later).then_nothing()
    evaluation.given(*both_in).when(later).then_nothing()
    evaluation.given(opened, buyers, alone).when(change(by_buyer, now=day(90))).then_nothing()


@pytest.mark.parametrize(
    "other",
    [change(by_buyer, review_id="R3"), change(by_buyer, content=change(stars, quality=1))],
)
@pytest.mark.parametrize(
    "history", [(opened, buyers), both_in, (opened, buyers, paused), (opened, buyers, voided)]
)
def test_a_side_writes_once(
    other: EvaluationCommand, history: tuple[EvaluationOpened, ...]
) -> None:
    evaluation.given(*history).when(other).then_refused(AlreadySubmitted, existing_id="R1")


def test_no_review_is_taken_before_the_order_is_completed() -> None:
    evaluation.when(by_buyer).then_refused(NotYetEligible, eligible_from=None)
    early = change(by_buyer, now=COMPLETED - TICK)
    evaluation.given(opened).when(early).then_refused(NotYetEligible, eligible_from=COMPLETED)
    first = change(by_buyer, now=COMPLETED)
    evaluation.given(opened).when(first).then(change(buyers, submitted_at=COMPLETED))


@pytest.mark.parametrize("history", [(opened, expired), (opened, sellers, alone)])
def test_no_review_is_taken_after_the_window(history: tuple[EvaluationOpened, ...]) -> None:
    evaluation.given(*history).when(change(by_buyer, now=day(16))).then_refused(
        WindowClosed, closed_at=CLOSING
    )


def test_no_review_is_taken_of_a_cancelled_order() -> None:
    evaluation.given(opened, voided).when(by_buyer).then_refused(
        WrongState, state="CLOSED", allowed_actions=[]
    )
    never = change(by_buyer, order_cancelled=True)
    evaluation.when(never).then_refused(WrongState, state="CANCELLED", allowed_actions=[])


def test_strangers_write_nothing() -> None:
    stranger = Actor(role="BUYER", id="B2")
    rival = Actor(role="SELLER", id="S2", org_id="S2")
    evaluation.given(opened).when(change(by_buyer, actor=stranger)).then_refused(NotAParty)
    evaluation.given(opened).when(change(by_seller, actor=rival)).then_refused(NotAParty)
    evaluation.given(opened, buyers).when(change(amend, actor=stranger)).then_refused(NotFound)
    evaluation.given(*both_in).when(change(amend, actor=stranger)).then_refused(NotAParty)


def test_a_seller_may_be_the_account_itself() -> None:
    owner = Actor(role="SELLER", id="S1")
    evaluation.given(opened).when(change(by_seller, actor=owner)).then(sellers)


def test_a_member_of_another_seller_whose_own_id_is_this_sellers_writes_nothing() -> None:
    chance = Actor(role="SELLER", id="S1", org_id="S2", seller_id="S2")
    evaluation.given(opened).when(change(by_seller, actor=chance)).then_refused(NotAParty)


def test_an_importer_writes_for_the_party_whose_history_he_brings() -> None:
    evaluation.given(opened).when(change(by_buyer, actor=IMPORTER)).then(buyers)


@pytest.mark.parametrize("role", ["SYSTEM", "AGENT", "MODERATOR", "AUDITOR"])
@pytest.mark.parametrize("command", [by_buyer, amend])
def test_only_the_parties_write(role: Role, command: EvaluationCommand) -> None:
    asked = change(command, actor=Actor(role=role, id="B1"))
    evaluation.given(*both_in).when(asked).then_refused(
        RoleNotAllowed, allowed_roles=["BUYER", "SELLER"]
    )


def test_who_has_lost_the_right_to_rate_writes_nothing() -> None:
    lost = Measure(measure_id="M1", until=day(60))
    evaluation.given(opened).when(change(by_buyer, rating_right_lost=lost)).then_refused(
        MeasureInForce, measure_id="M1", until=day(60)
    )


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        (change(stars, quality=0), ["quality"]),
        (change(stars, logistics=6, service=-1), ["logistics", "service"]),
        (SellerReview(rating=6), ["rating"]),
        (SellerReview(rating=5), ["review"]),
    ],
)
def test_a_review_out_of_range_is_refused(
    content: BuyerReview | SellerReview, fields: list[str]
) -> None:
    for command in (change(by_buyer, content=content), change(amend, content=content)):
        played = evaluation.given(opened, buyers).when(command)
        assert isinstance(played.refused, InvalidValue)
        assert [error.field for error in played.refused.errors] == fields


def test_a_seller_does_not_give_three_stars() -> None:
    evaluation.given(opened).when(change(by_seller, content=stars)).then_refused(
        InvalidValue, errors=[FieldError(field="review", bound="a seller gives rating")]
    )


@pytest.mark.parametrize(
    "command",
    [
        change(by_buyer, review_id=""),
        change(by_buyer, review_id="x" * 65),
        change(by_buyer, now=COMPLETED.replace(tzinfo=None)),
        change(start, order_id=""),
        change(start, completion_no=0),
        change(start, completed_at=COMPLETED.replace(tzinfo=None)),
        change(pause, cause_id=""),
        change(resume, cause_id=""),
        change(close, now=CLOSING.replace(tzinfo=None)),
        change(void, now=COMPLETED.replace(tzinfo=None)),
    ],
)
def test_a_field_out_of_range_is_refused(command: EvaluationCommand) -> None:
    evaluation.given(opened, buyers).when(command).then_refused(InvalidValue)


# Amending.


def test_an_author_amends_until_the_reveal() -> None:
    again = change(amend, content=stars)
    evaluation.given(opened, buyers).when(amend, again).then(
        amended, change(amended, version=3, quality=5, logistics=3, service=4)
    )
    evaluation.given(opened, buyers, paused).when(change(amend, now=day(90))).then(amended)


def test_what_is_revealed_is_what_was_amended() -> None:
    weighted = change(buyers_weight, quality=1, logistics=2, service=3)
    evaluation.given(opened, buyers, amended).when(by_seller).then(
        sellers, revealed, weighted, sellers_weight
    )


def test_an_amendment_that_changes_nothing_is_none() -> None:
    same = change(amend, content=stars)
    evaluation.given(opened, buyers).when(same).then_nothing()
    evaluation.given(*both_in).when(same).then_nothing()


def test_an_amendment_is_taken_until_the_window_closes() -> None:
    evaluation.given(opened, buyers).when(change(amend, now=CLOSING - TICK)).then(amended)
    evaluation.given(opened, buyers).when(change(amend, now=CLOSING)).then_refused(
        WindowClosed, closed_at=CLOSING
    )


@pytest.mark.parametrize(
    "history", [(), (opened,), (opened, paused), (opened, expired), (opened, sellers, alone)]
)
@pytest.mark.parametrize("now", [day(2), CLOSING, day(90)])
def test_who_has_written_nothing_amends_nothing(
    history: tuple[EvaluationEvent, ...], now: datetime
) -> None:
    evaluation.given(*history).when(change(amend, now=now)).then_refused(NotFound)


def test_the_other_sides_review_is_not_there_to_amend_before_the_reveal() -> None:
    others = change(amend, review_id="R2")
    evaluation.given(opened, sellers).when(others).then_refused(NotFound)
    evaluation.given(*both_in).when(others).then_refused(NotAParty)


def test_a_review_of_a_cancelled_order_is_not_amended() -> None:
    evaluation.given(opened, buyers, voided).when(amend).then_refused(WrongState, state="CLOSED")


def test_a_review_of_little_value_is_shown_and_does_not_count() -> None:
    """Corner case 11."""
    small = change(by_seller, facts=change(FACTS, total_ref_minor=499))
    evaluation.given(opened, buyers).when(small).then(
        sellers,
        revealed,
        change(
            buyers_weight,
            weight_milli=0,
            reasons=[WeightReason(code="LOW_VALUE", effect_milli=0)],
        ),
        sellers_weight,
    )
