"""What no history of an evaluation can break."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict
from review_service.domain.actions import evaluation_actions
from review_service.domain.commands import (
    AmendReview,
    BuyerReview,
    CloseEvaluation,
    EvaluationCommand,
    OpenEvaluation,
    OrderFacts,
    PauseEvaluation,
    ResumeEvaluation,
    SellerReview,
    SubmitReview,
    VoidEvaluation,
)
from review_service.domain.evaluation import evaluations
from review_service.domain.evaluation_state import Evaluation, Open, Paused
from review_service.domain.policy import AE_2025_1, policies
from review_service.reactions import on_evaluation_timer, timers_of
from shared_events.registry import encode_data
from shared_events.review import (
    EvaluationClosed,
    EvaluationEvent,
    EvaluationOpened,
    EvaluationPaused,
    EvaluationResumed,
    ReviewsRevealed,
    ReviewSubmitted,
    ReviewWeighted,
)
from shared_runtime.decider import Actor, Refused
from shared_runtime.testing import play
from shared_runtime.timers import Arm, DueTimer

COMPLETED = datetime(2025, 3, 1, 10, tzinfo=UTC)
DAY = timedelta(days=1)
FAR = COMPLETED + 4000 * DAY
SYSTEM = Actor(role="SYSTEM", id="orders")
BUYER = Actor(role="BUYER", id="B1")
SELLER = Actor(role="SELLER", id="S1")
ZERO_CODES = {"INCENTIVIZED", "LOW_VALUE"}
FACTS = OrderFacts(total_ref_minor=499, placed_at=COMPLETED, buyer_registered_at=COMPLETED)
POLICIES = policies()
decider = evaluations(POLICIES)

start = OpenEvaluation(
    order_id="O1",
    seller_id="S1",
    buyer_id="B1",
    completed_at=COMPLETED,
    completion_no=1,
    now=COMPLETED,
    actor=SYSTEM,
)
five = BuyerReview(quality=5, logistics=5, service=5)
by_buyer = SubmitReview(review_id="R1", content=five, facts=FACTS, now=COMPLETED, actor=BUYER)
by_seller = replace(by_buyer, review_id="R2", content=SellerReview(rating=5), actor=SELLER)
TEMPLATES: list[EvaluationCommand] = [
    by_buyer,
    replace(by_buyer, review_id="R3"),
    replace(by_buyer, content=replace(five, incentive="PAYMENT")),
    replace(by_buyer, facts=replace(FACTS, total_ref_minor=500)),
    replace(by_buyer, actor=Actor(role="BUYER", id="B2")),
    by_seller,
    replace(by_seller, review_id="R4"),
    AmendReview(content=replace(five, quality=1), now=COMPLETED, actor=BUYER),
    AmendReview(content=SellerReview(rating=1), now=COMPLETED, actor=SELLER),
]
CLOCK: list[EvaluationCommand] = [
    start,
    replace(start, completion_no=2, open_disputes=("d2",)),
    PauseEvaluation(cause="DISPUTE", cause_id="d1", now=COMPLETED, actor=SYSTEM),
    PauseEvaluation(cause="DISPUTE", cause_id="d2", now=COMPLETED, actor=SYSTEM),
    PauseEvaluation(cause="ORDER_REOPENED", cause_id="completion-1", now=COMPLETED, actor=SYSTEM),
    ResumeEvaluation(cause_id="d1", now=COMPLETED, actor=SYSTEM),
    ResumeEvaluation(cause_id="d2", now=COMPLETED, actor=SYSTEM),
    VoidEvaluation(now=COMPLETED, actor=SYSTEM),
]


def in_time(steps: list[tuple[EvaluationCommand, timedelta]]) -> list[EvaluationCommand]:
    """Each command so much later than the one before. An order completes when we are told."""
    now = COMPLETED
    timed: list[EvaluationCommand] = []
    for step, later in steps:
        now += later
        command = replace(step, now=now)
        if isinstance(command, OpenEvaluation):
            command = replace(command, completed_at=now)
        timed.append(command)
    return timed


gaps = st.timedeltas(min_value=timedelta(0), max_value=9 * DAY)
steps = st.lists(st.tuples(st.sampled_from(TEMPLATES + CLOCK), gaps), max_size=12)
opened_first = steps.map(lambda rest: in_time([(start, timedelta(0)), *rest]))
histories = st.one_of(opened_first, opened_first, steps.map(in_time))


@dataclass
class Run:
    """A stream with its timers, which fire `lateness` after their instant (None: at the end).

    A lateness within the hour: commands of timers are judged at the instant they were due.
    """

    lateness: timedelta | None
    state: Evaluation = field(default_factory=lambda: decider.initial)
    events: list[tuple[datetime, EvaluationEvent]] = field(
        default_factory=list[tuple[datetime, EvaluationEvent]]
    )
    accepted: list[bool] = field(default_factory=list[bool])
    timers: dict[str, datetime] = field(default_factory=dict[str, datetime])

    def send(self, command: EvaluationCommand) -> bool:
        last = self.events[-1][0] if self.events else command.now
        command = replace(command, now=max(command.now, last))
        try:
            events = decider.decide(self.state, command)
        except Refused:
            return False
        for event in events:
            self.state = decider.evolve(self.state, event)
            self.events.append((command.now, event))
            for timer in timers_of(event):
                if isinstance(timer, Arm):
                    self.timers[timer.name] = timer.due
                else:
                    self.timers.pop(timer.name, None)
        return True

    def fire(self, until: datetime) -> None:
        while due := {name: at for name, at in self.timers.items() if at <= until}:
            name = min(due, key=lambda name: due[name])
            timer = DueTimer(
                stream="evaluation-O1", name=name, due=due[name], now=due[name], cause=""
            )
            self.timers.pop(name)
            ask = on_evaluation_timer(timer, FACTS)
            for _ in range(2):  # a timer may fire twice
                self.send(ask.command)


def run(commands: Sequence[EvaluationCommand], lateness: timedelta | None) -> Run:
    stream = Run(lateness)
    for command in commands:
        if lateness is not None:
            stream.fire(command.now - lateness)
        stream.accepted.append(stream.send(command))
    stream.fire(FAR)
    return stream


def events_of(commands: Sequence[EvaluationCommand]) -> list[EvaluationEvent]:
    return [event for _, event in run(commands, timedelta(0)).events]


@given(histories)
def test_replaying_gives_the_same_state_and_the_same_bytes(
    commands: list[EvaluationCommand],
) -> None:
    one, two = run(commands, timedelta(0)), run(commands, timedelta(0))
    assert decider.fold(event for _, event in one.events) == one.state
    assert [encode_data(event) for _, event in one.events] == [
        encode_data(event) for _, event in two.events
    ]


@given(histories)
def test_no_deadline_lies_behind_its_event(commands: list[EvaluationCommand]) -> None:
    times = run(commands, timedelta(0)).events
    assert [now for now, _ in times] == sorted(now for now, _ in times)
    for now, event in times:
        for name in ("closes_at", "cap_at"):
            deadline = asdict(event).get(name)
            assert deadline is None or deadline >= now


@given(histories, st.sampled_from(TEMPLATES + CLOCK), gaps)
def test_a_refusal_or_a_no_op_changes_no_later_answer(
    commands: list[EvaluationCommand], other: EvaluationCommand, later: timedelta
) -> None:
    played = play(decider, commands)
    asked = replace(other, now=(commands[-1].now if commands else COMPLETED) + later)
    if not play(decider, [asked], played.events).events:
        for command in TEMPLATES + CLOCK:
            following = replace(command, now=asked.now)
            with_it = play(decider, [asked, following], played.events)
            without = play(decider, [following], played.events)
            assert with_it.events == without.events


@given(histories)
def test_what_is_delivered_twice_adds_no_event(commands: list[EvaluationCommand]) -> None:
    twice = [command for command in commands for _ in range(2)]
    assert events_of(twice) == events_of(commands)


@given(histories)
def test_a_late_timer_changes_nobodys_answer_and_no_event(
    commands: list[EvaluationCommand],
) -> None:
    # No history here is long enough for a pause to reach its cap before the last command.
    on_time = run(commands, timedelta(0))
    late = run(commands, timedelta(minutes=59))
    never = run(commands, None)
    assert on_time.accepted == late.accepted == never.accepted
    assert [event for _, event in on_time.events] == [event for _, event in late.events]
    assert [event for _, event in on_time.events] == [event for _, event in never.events]


@given(histories, st.sampled_from((BUYER, SELLER, Actor(role="BUYER", id="B2"))), gaps)
def test_what_is_offered_is_what_would_be_accepted(
    commands: list[EvaluationCommand], actor: Actor, later: timedelta
) -> None:
    played = play(decider, commands)
    now = (commands[-1].now if commands else COMPLETED) + later
    review = by_seller if actor.role == "SELLER" else by_buyer
    tries: dict[str, list[EvaluationCommand]] = {
        "SubmitReview": [replace(review, review_id="new", now=now, actor=actor)],
        # One of two different contents differs from what stands there.
        "AmendReview": [
            AmendReview(content=content, now=now, actor=actor)
            for content in (
                (SellerReview(rating=2), SellerReview(rating=3))
                if actor.role == "SELLER"
                else (replace(five, quality=2), replace(five, quality=3))
            )
        ],
    }
    for action in evaluation_actions(played.state, actor, now, POLICIES):
        accepted = any(
            play(decider, [command], played.events).events for command in tries[action.action]
        )
        assert action.allowed == accepted


@given(histories)
def test_each_side_of_a_completed_order_writes_at_most_once(
    commands: list[EvaluationCommand],
) -> None:
    events = events_of(commands)
    assert all(isinstance(event, EvaluationOpened) == (n == 0) for n, event in enumerate(events))
    sides = [event.side for event in events if isinstance(event, ReviewSubmitted)]
    assert len(sides) == len(set(sides))


@given(histories)
def test_two_reviews_are_revealed_in_one_commit(commands: list[EvaluationCommand]) -> None:
    events = events_of(commands)
    written = [n for n, event in enumerate(events) if isinstance(event, ReviewSubmitted)]
    reveals = [event for event in events if isinstance(event, ReviewsRevealed)]
    assert len(reveals) <= 1
    if len(written) == 2:
        submitted, revealed, *weights = events[written[1] :]
        assert isinstance(submitted, ReviewSubmitted)
        assert isinstance(revealed, ReviewsRevealed)
        assert revealed.revealed_at == submitted.submitted_at
        assert [type(weight) for weight in weights] == [ReviewWeighted, ReviewWeighted]
    if reveals:
        weighted = [event for event in events if isinstance(event, ReviewWeighted)]
        assert [weight.review_id for weight in weighted] == reveals[0].review_ids
        assert {weight.counted_at for weight in weighted} == {reveals[0].revealed_at}


@given(histories)
def test_the_window_is_open_for_its_whole_length(commands: list[EvaluationCommand]) -> None:
    stream = run(commands, timedelta(0))
    assert not isinstance(stream.state, Open | Paused)
    ran, running_since = timedelta(0), None
    for now, event in stream.events:
        match event:
            case EvaluationOpened():
                running_since = now
            case EvaluationPaused() if running_since:
                ran, running_since = ran + (now - running_since), None
            case EvaluationResumed(closes_at=closes_at) if closes_at:
                running_since = now
            case EvaluationClosed(reason="EXPIRED", closed_at=end):
                assert running_since
                assert ran + (end - running_since) >= AE_2025_1.review_window
            case ReviewsRevealed(trigger="WINDOW_CLOSED", revealed_at=end):
                assert running_since
                assert ran + (end - running_since) >= AE_2025_1.review_window
            case _:
                pass


@given(histories)
def test_a_weight_is_zero_for_a_reason_or_at_least_the_floor(
    commands: list[EvaluationCommand],
) -> None:
    for event in events_of(commands):
        if isinstance(event, ReviewWeighted):
            codes = {reason.code for reason in event.reasons}
            assert event.seq == 1
            assert codes
            assert (event.weight_milli == 0) == bool(codes & ZERO_CODES)
            assert event.weight_milli == 0 or (
                AE_2025_1.review_weight_floor_milli <= event.weight_milli <= 1000
            )


@given(histories)
def test_a_new_policy_changes_nothing_of_what_began_before(
    commands: list[EvaluationCommand],
) -> None:
    since = evaluations(policies([(COMPLETED, "ae-2025-1"), (COMPLETED + DAY / 2, "ae-30d")]))
    closing = CloseEvaluation(facts=FACTS, now=FAR, actor=SYSTEM)
    begun = [start, *commands, closing]
    assert play(since, begun).events == play(decider, begun).events
