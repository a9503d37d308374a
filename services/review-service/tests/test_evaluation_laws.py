"""What no history of an evaluation can break."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import get_args

from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec import Struct, structs
from msgspec.structs import asdict
from review_service.domain.actions import evaluation_actions
from review_service.domain.appeals import AppealModeration, DecideModerationAppeal
from review_service.domain.attribution import ReattributeDimension
from review_service.domain.closing_clock import OpenEvaluation, PauseEvaluation, ResumeEvaluation
from review_service.domain.codes import ReweighReview
from review_service.domain.content import BuyerReview, SellerReview
from review_service.domain.double_blind import (
    AmendReview,
    CloseEvaluation,
    SubmitReview,
    VoidEvaluation,
)
from review_service.domain.evaluation_state import Evaluation, Open, Paused, Revealed
from review_service.domain.flags import FlagReview
from review_service.domain.holding import HoldReview, ReleaseReview
from review_service.domain.moderation import KeepReview, RestrictReview
from review_service.domain.overdue import NoteOverdue
from review_service.domain.policy import AE_2025_1, policies
from review_service.domain.replies import AppendFollowUp, EditReply, PublishReply
from review_service.domain.revision import GrantRevision, RequestRevision, ReviseReview
from review_service.domain.rules import EVALUATIONS, EvaluationCommand
from review_service.domain.screening import LiftCampaignWeight, RecordScreening
from review_service.domain.weight import ZERO_CODES, WeightFacts
from review_service.domain.withdrawal import WithdrawReview
from review_service.reactions.timers import on_evaluation_timer, timers_of
from review_service.testing import change, in_words, say
from shared_events.common import DecisionOverdue, StatementOfReasonsIssued
from shared_events.registry import encode_data
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
    ReviewRestored,
    ReviewRestricted,
    ReviewsRevealed,
    ReviewSubmitted,
    ReviewWeighted,
    ReviewWithdrawn,
    Side,
)
from shared_events.sealed import sealed_fields
from shared_runtime.decider import Actor, Refused
from shared_runtime.testing import play
from shared_runtime.timers import Arm, DueTimer

COMPLETED = datetime(2025, 3, 1, 10, tzinfo=UTC)
DAY = timedelta(days=1)
FAR = COMPLETED + 4000 * DAY
SYSTEM = Actor(role="SYSTEM", id="orders")
BUYER = Actor(role="BUYER", id="B1")
SELLER = Actor(role="SELLER", id="S1")
STRANGER = Actor(role="BUYER", id="B2")
READER = Actor(role="SELLER", id="clerk", org_id="S7")
MODERATOR = Actor(role="MODERATOR", id="M1")
SECOND = Actor(role="MODERATOR", id="M2")
SENIOR = Actor(role="SENIOR", id="N1")
ANALYST = Actor(role="ANALYST", id="A1")
IMPORTER = Actor(role="IMPORTER", id="olist", on_behalf_of="BUYER")
ACTORS = (BUYER, SELLER, STRANGER, READER, MODERATOR, SECOND, SENIOR, ANALYST)
FACTS = WeightFacts(total_ref_minor=499, placed_at=COMPLETED, buyer_registered_at=COMPLETED)
WORTH = WeightFacts(total_ref_minor=500, placed_at=COMPLETED)
LATE = change(WORTH, late=True)
POLICIES = policies()
decider = EVALUATIONS


def sealed(digest: str, event: str = "e1") -> str:
    return f"s1.key.{digest}.{event}.text.cipher"


start = say(
    OpenEvaluation(
        order_id="O1", seller_id="S1", buyer_id="B1", completed_at=COMPLETED, completion_no=1
    ),
    now=COMPLETED,
    actor=SYSTEM,
)
five = BuyerReview(quality=5, logistics=5, service=5)
by_buyer = say(
    SubmitReview(review_id="R1", **in_words(five)), facts=FACTS, now=COMPLETED, actor=BUYER
)
by_seller = change(by_buyer, review_id="R2", content=SellerReview(rating=5), actor=SELLER)
written = change(by_buyer, content=change(five, quality=1, text=sealed("fine")), facts=WORTH)
answered = change(by_seller, facts=WORTH)
WRITING: list[EvaluationCommand] = [
    by_buyer,
    change(by_buyer, review_id="R3"),
    change(by_buyer, content=change(five, incentive="PAYMENT")),
    change(by_buyer, facts=change(FACTS, total_ref_minor=500)),
    change(by_buyer, actor=STRANGER),
    by_seller,
    change(by_seller, review_id="R4"),
    say(AmendReview(**in_words(change(five, quality=1))), now=COMPLETED, actor=BUYER),
    say(AmendReview(**in_words(SellerReview(rating=1))), now=COMPLETED, actor=SELLER),
]
CLOCK: list[EvaluationCommand] = [
    start,
    change(start, completion_no=2, open_disputes=("d2",)),
    say(PauseEvaluation(cause="DISPUTE", cause_id="d1"), now=COMPLETED, actor=SYSTEM),
    say(PauseEvaluation(cause="DISPUTE", cause_id="d2"), now=COMPLETED, actor=SYSTEM),
    say(
        PauseEvaluation(cause="ORDER_REOPENED", cause_id="completion-1"),
        now=COMPLETED,
        actor=SYSTEM,
    ),
    say(ResumeEvaluation(cause_id="d1"), now=COMPLETED, actor=SYSTEM),
    say(ResumeEvaluation(cause_id="d2"), now=COMPLETED, actor=SYSTEM),
    say(VoidEvaluation(), now=COMPLETED, actor=SYSTEM),
]
withdraw = say(WithdrawReview(review_id="R1"), facts=WORTH, now=COMPLETED, actor=BUYER)
reply = say(
    PublishReply(review_id="R1", reply_id="P1", text=sealed("ta")), now=COMPLETED, actor=SELLER
)
follow_up = say(
    AppendFollowUp(review_id="R1", followup_id="U1", text=sealed("broke")),
    now=COMPLETED,
    actor=BUYER,
)
revise = say(
    ReviseReview(review_id="R1", quality=2, logistics=4, service=4),
    facts=WORTH,
    now=COMPLETED,
    actor=BUYER,
)
flag = say(
    FlagReview(review_id="R1", flag_id="F1", reason="FAKE", text=sealed("fake")),
    now=COMPLETED,
    actor=READER,
)
hold = say(HoldReview(review_id="R1", ground="FAKE"), facts=WORTH, now=COMPLETED, actor=SYSTEM)
release = say(ReleaseReview(review_id="R1"), facts=WORTH, now=COMPLETED, actor=MODERATOR)
keep = say(
    KeepReview(review_id="R1", flag_ids=("F1",), rule_ids=("rule-1",)),
    facts=WORTH,
    now=COMPLETED,
    actor=MODERATOR,
)
restrict = say(
    RestrictReview(
        review_id="R1",
        ground="OFFENSIVE",
        rule_ids=("rule-2",),
        facts=sealed("why"),
        explanation="It insults.",
        measures=("HIDE_REVIEW", "EXCLUDE_SCORE"),
        automated_detection=False,
    ),
    facts=WORTH,
    now=COMPLETED,
    actor=MODERATOR,
)
appeal = say(
    AppealModeration(review_id="R1", appeal_id="P1", text=sealed("unfair")),
    now=COMPLETED,
    actor=BUYER,
)
of_reader = change(appeal, appeal_id="P2", actor=READER)
decide = say(
    DecideModerationAppeal(
        review_id="R1",
        appeal_id="P1",
        outcome="REVERSED",
        rule_ids=("rule-3",),
        facts=sealed("because"),
        explanation="It was fair.",
    ),
    facts=WORTH,
    now=COMPLETED,
    actor=SECOND,
)
screen = say(
    RecordScreening(review_id="R1", factor_milli=300, campaign=False, terms=(), calibration="C1"),
    facts=WORTH,
    now=COMPLETED,
    actor=SYSTEM,
)
reweigh = say(ReweighReview(review_id="R1"), facts=WORTH, now=COMPLETED, actor=SYSTEM)
reattribute = say(
    ReattributeDimension(to="CARRIER", cause_id="i1"), facts=WORTH, now=COMPLETED, actor=SYSTEM
)
SPEAKING: list[EvaluationCommand] = [
    withdraw,
    change(withdraw, review_id="R2", actor=SELLER),
    change(withdraw, actor=IMPORTER),
    reply,
    change(reply, reply_id="P2"),
    change(reply, review_id="R2", actor=BUYER),
    say(EditReply(review_id="R1", text=sealed("thanks")), now=COMPLETED, actor=SELLER),
    follow_up,
    say(GrantRevision(cause="DISPUTE", cause_id="d1"), now=COMPLETED, actor=SYSTEM),
    say(RequestRevision(review_id="R1"), now=COMPLETED, actor=SELLER),
    revise,
    change(revise, quality=5, facts=LATE),
]
SCRUTINY: list[EvaluationCommand] = [
    flag,
    change(flag, flag_id="F2", actor=SELLER),
    change(flag, flag_id="F3", review_id="R2", actor=ANALYST),
    change(flag, flag_id="F4", actor=SYSTEM),
    hold,
    change(hold, ground="CAMPAIGN", actor=ANALYST),
    change(hold, review_id="R2"),
    release,
    change(release, actor=SYSTEM),
    keep,
    change(keep, flag_ids=(), actor=SECOND),
    change(keep, flag_ids=("F2",)),
    change(keep, flag_ids=("F2",), actor=SECOND),
    restrict,
    change(restrict, measures=("HIDE_TEXT",), actor=SECOND),
    change(restrict, review_id="R2"),
    change(restrict, actor=SYSTEM),
    appeal,
    of_reader,
    decide,
    change(decide, outcome="UPHELD"),
    change(decide, appeal_id="P2", actor=SENIOR),
    screen,
    change(screen, campaign=True, factor_milli=50),
    change(screen, factor_milli=1000),
    say(LiftCampaignWeight(review_id="R1"), facts=WORTH, now=COMPLETED, actor=SYSTEM),
    change(reweigh, add=("BUYER_ABUSE",)),
    change(reweigh, remove=("BUYER_ABUSE",)),
    change(reweigh, add=("FAKE_CONFIRMED",)),
    change(reweigh, add=("CORROBORATED",)),
    change(reweigh, review_id="R2", add=("RATING_RIGHT_LOST",)),
    reattribute,
    change(reattribute, to="SELLER"),
    change(reattribute, to="FORCE_MAJEURE", cause_id="i2"),
    say(
        NoteOverdue(what="FLAG", ref_id="F1", due_at=COMPLETED + 5 * DAY),
        now=COMPLETED,
        actor=SYSTEM,
    ),
]
EVERYTHING = [*WRITING, *CLOCK, *SPEAKING, *SCRUTINY]


def in_time(steps: list[tuple[EvaluationCommand, timedelta]]) -> list[EvaluationCommand]:
    """Each command so much later than the one before. An order completes when we are told."""
    now = COMPLETED
    timed: list[EvaluationCommand] = []
    for step, later in steps:
        now += later
        command = change(step, now=now)
        if isinstance(command, OpenEvaluation):
            command = change(command, completed_at=now)
        timed.append(command)
    return timed


gaps = st.timedeltas(min_value=timedelta(0), max_value=9 * DAY)
short = st.timedeltas(min_value=timedelta(0), max_value=2 * DAY)
written_steps = st.lists(st.tuples(st.sampled_from(WRITING + CLOCK), gaps), max_size=12)
opened_first = written_steps.map(lambda rest: in_time([(start, timedelta(0)), *rest]))
writings = st.one_of(opened_first, opened_first, written_steps.map(in_time))
"""What the parties write, and what the clock does."""
steps = st.lists(st.tuples(st.sampled_from(EVERYTHING), gaps), max_size=12)
later_steps = st.lists(
    st.tuples(st.sampled_from([*SPEAKING, *SCRUTINY, *SCRUTINY]), short), min_size=4, max_size=14
)
NO_TIME = timedelta(0)
after_reveal = later_steps.map(
    lambda rest: in_time([(start, NO_TIME), (written, NO_TIME), (answered, NO_TIME), *rest])
)
half_written = later_steps.map(lambda rest: in_time([(start, NO_TIME), (written, NO_TIME), *rest]))
histories = st.one_of(
    after_reveal,
    after_reveal,
    half_written,
    steps.map(lambda rest: in_time([(start, NO_TIME), *rest])),
    steps.map(in_time),
)
"""Any history at all."""


@dataclass
class Run:
    """A stream with its timers, which fire `lateness` after their instant (None: at the end).

    A lateness within the hour: commands of timers are judged at the instant they were due.
    Those of a `punctual` kind are not late.
    """

    lateness: timedelta | None
    punctual: Collection[str] = ()
    state: Evaluation = field(default_factory=lambda: decider.initial)
    events: list[tuple[datetime, EvaluationEvent]] = field(
        default_factory=list[tuple[datetime, EvaluationEvent]]
    )
    commits: list[tuple[EvaluationCommand, list[EvaluationEvent]]] = field(
        default_factory=list[tuple[EvaluationCommand, list[EvaluationEvent]]]
    )
    accepted: list[bool] = field(default_factory=list[bool])
    timers: dict[str, datetime] = field(default_factory=dict[str, datetime])

    def send(self, command: EvaluationCommand) -> bool:
        last = self.events[-1][0] if self.events else command.now
        command = change(command, now=max(command.now, last))
        try:
            events = decider.decide(self.state, command)
        except Refused:
            return False
        self.commits.append((command, events))
        for event in events:
            self.state = decider.evolve(self.state, event)
            self.events.append((command.now, event))
            for timer in timers_of(event):
                if isinstance(timer, Arm):
                    self.timers[timer.name] = timer.due
                else:
                    self.timers.pop(timer.name, None)
        return True

    def fire(self, until: datetime, kinds: Collection[str] | None = None) -> None:
        def is_due(name: str, at: datetime) -> bool:
            return at <= until and (kinds is None or name.partition("/")[0] in kinds)

        while due := {name: at for name, at in self.timers.items() if is_due(name, at)}:
            name = min(due, key=lambda name: due[name])
            timer = DueTimer(
                stream="evaluation-O1", name=name, due=due[name], now=due[name], cause=""
            )
            self.timers.pop(name)
            ask = on_evaluation_timer(timer, WORTH)
            for _ in range(2):  # a timer may fire twice
                self.send(ask.command)


def run(
    commands: Sequence[EvaluationCommand],
    lateness: timedelta | None,
    punctual: Collection[str] = (),
) -> Run:
    stream = Run(lateness, punctual)
    for command in commands:
        stream.fire(command.now, punctual)
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


DEADLINES = (
    "closes_at",
    "cap_at",
    "editable_until",
    "until",
    "decide_by",
    "campaign_until",
    "hold_until",
    "appeal_until",
    "retain_until",
)


@given(histories)
def test_no_deadline_lies_behind_its_event(commands: list[EvaluationCommand]) -> None:
    times = run(commands, timedelta(0)).events
    assert [now for now, _ in times] == sorted(now for now, _ in times)
    for now, event in times:
        for name in DEADLINES:
            deadline = asdict(event).get(name)
            assert deadline is None or deadline >= now


@given(histories, st.sampled_from(EVERYTHING), st.sampled_from(EVERYTHING), gaps)
def test_a_refusal_or_a_no_op_changes_no_later_answer(
    commands: list[EvaluationCommand],
    other: EvaluationCommand,
    next_one: EvaluationCommand,
    later: timedelta,
) -> None:
    played = play(decider, commands)
    now = (commands[-1].now if commands else COMPLETED) + later
    asked, following = change(other, now=now), change(next_one, now=now)
    if not play(decider, [asked], played.events).events:
        with_it = play(decider, [asked, following], played.events)
        without = play(decider, [following], played.events)
        assert with_it.events == without.events


@given(histories)
def test_what_is_delivered_twice_adds_no_event(commands: list[EvaluationCommand]) -> None:
    twice = [command for command in commands for _ in range(2)]
    assert events_of(twice) == events_of(commands)


@given(writings)
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


HOUR = timedelta(hours=1)
CHANGING = ("EVALUATION_CLOSE", "HOLD_END")
"""What these timers record changes answers: a reveal and the end of a hold are theirs alone."""
THEIRS = (ReviewWeighted, DecisionOverdue, EvaluationResumed)
long = st.timedeltas(min_value=NO_TIME, max_value=60 * DAY)
paused_for_long = st.lists(st.tuples(st.sampled_from(EVERYTHING), long), max_size=12).map(
    lambda rest: in_time([(start, NO_TIME), *rest])
)


def without_theirs(stream: Run) -> list[EvaluationEvent]:
    return [event for _, event in stream.events if not isinstance(event, THEIRS)]


@given(histories)
def test_deadlines_of_scrutiny_and_of_pauses_change_nobodys_answer(
    commands: list[EvaluationCommand],
) -> None:
    """Of flags, appeals and campaigns, also if they are never noted; a pause has no end here."""
    on_time = run(commands, NO_TIME)
    for lateness in (timedelta(minutes=59), None):
        late = run(commands, lateness, punctual=CHANGING)
        assert on_time.accepted == late.accepted
        assert without_theirs(on_time) == without_theirs(late)


@given(paused_for_long)
def test_a_pause_that_is_ended_late_changes_nobodys_answer(
    commands: list[EvaluationCommand],
) -> None:
    on_time = run(commands, NO_TIME)
    ends = [event.cap_at for _, event in on_time.events if isinstance(event, EvaluationPaused)]
    # What is recorded in that hour moves the instant that a late end is judged at.
    assume(not any(end <= command.now < end + HOUR for end in ends for command in commands))
    late = run(commands, timedelta(minutes=59), punctual=CHANGING)
    assert on_time.accepted == late.accepted
    assert without_theirs(on_time) == without_theirs(late)


@given(histories, st.sampled_from(ACTORS), st.sampled_from((NO_TIME, DAY, 40 * DAY)))
def test_what_would_be_accepted_is_offered(
    commands: list[EvaluationCommand], actor: Actor, later: timedelta
) -> None:
    state = play(decider, commands).state
    now = (commands[-1].now if commands else COMPLETED) + later
    actions = {
        action.action: action.allowed for action in evaluation_actions(state, actor, now, POLICIES)
    }
    for command in (*SPEAKING, *SCRUTINY):
        name = type(command).__name__
        if name in actions and not actions[name]:
            assert not accepted_by(state, change(command, actor=actor, now=now)), name


def accepted_by(state: Evaluation, command: EvaluationCommand) -> bool:
    try:
        return bool(decider.decide(state, command))
    except Refused:
        return False


@given(histories, st.sampled_from((BUYER, SELLER, STRANGER)), gaps)
def test_what_is_offered_is_what_would_be_accepted(
    commands: list[EvaluationCommand], actor: Actor, later: timedelta
) -> None:
    played = play(decider, commands)
    now = (commands[-1].now if commands else COMPLETED) + later
    review = by_seller if actor.role == "SELLER" else by_buyer
    tries: dict[str, list[EvaluationCommand]] = {
        "SubmitReview": [change(review, review_id="new", now=now, actor=actor)],
        # One of two different contents differs from what stands there.
        "AmendReview": [
            say(AmendReview(**in_words(content)), now=now, actor=actor)
            for content in (
                (SellerReview(rating=2), SellerReview(rating=3))
                if actor.role == "SELLER"
                else (change(five, quality=2), change(five, quality=3))
            )
        ],
    }
    for action in evaluation_actions(played.state, actor, now, POLICIES):
        if action.action not in tries:
            continue
        accepted = any(
            play(decider, [command], played.events).events for command in tries[action.action]
        )
        assert action.allowed == accepted


@given(histories)
def test_each_side_of_a_completed_order_has_at_most_one_review(
    commands: list[EvaluationCommand],
) -> None:
    events = events_of(commands)
    assert all(isinstance(event, EvaluationOpened) == (n == 0) for n, event in enumerate(events))
    sides: list[Side] = []
    for event in events:
        if isinstance(event, ReviewSubmitted):
            sides.append(event.side)
        elif isinstance(event, ReviewWithdrawn) and event.before_reveal:
            sides.remove(event.side)
        assert len(sides) == len(set(sides))


@given(histories)
def test_two_reviews_are_revealed_in_one_commit(commands: list[EvaluationCommand]) -> None:
    commits = [events for _, events in run(commands, timedelta(0)).commits]
    reveals = [
        event for events in commits for event in events if isinstance(event, ReviewsRevealed)
    ]
    assert len(reveals) <= 1
    written: set[Side] = set()
    for events in commits:
        for event in events:
            if isinstance(event, ReviewSubmitted):
                written.add(event.side)
            elif isinstance(event, ReviewWithdrawn) and event.before_reveal:
                written.discard(event.side)
        if len(written) == 2 and isinstance(events[0] if events else None, ReviewSubmitted):
            submitted, *held, revealed, _, _ = events
            weights = events[-2:]
            assert isinstance(submitted, ReviewSubmitted)
            assert [type(each) for each in held] in ([], [ReviewHeld])
            assert isinstance(revealed, ReviewsRevealed)
            assert revealed.revealed_at == submitted.submitted_at
            assert [type(weight) for weight in weights] == [ReviewWeighted, ReviewWeighted]
    weighted = [event for event in events_of(commands) if isinstance(event, ReviewWeighted)]
    assert {weight.counted_at for weight in weighted} == {each.revealed_at for each in reveals}


@given(half_written, st.sampled_from(("BUYER", "SELLER")), gaps)
def test_nothing_tells_a_side_of_the_other_before_the_reveal(
    commands: list[EvaluationCommand], side: Side, later: timedelta
) -> None:
    played = play(decider, commands)
    if isinstance(played.state, Open | Paused):
        own = [event for event in played.events if getattr(event, "side", side) == side]
        actor = BUYER if side == "BUYER" else SELLER
        now = commands[-1].now + later
        alone = decider.fold(own)
        told = evaluation_actions(played.state, actor, now, POLICIES)
        assert told == evaluation_actions(alone, actor, now, POLICIES)


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
    seqs: dict[Side, int] = {}
    for event in events_of(commands):
        if isinstance(event, ReviewWeighted):
            codes = {reason.code for reason in event.reasons}
            seqs[event.side] = seqs.get(event.side, 0) + 1
            assert event.seq == seqs[event.side]
            assert codes
            assert (event.weight_milli == 0) == (not codes.isdisjoint(ZERO_CODES))
            assert event.weight_milli == 0 or (
                AE_2025_1.review_weight_floor_milli <= event.weight_milli <= 1000
            )


def weight_of(state: Evaluation) -> tuple[object, ...] | None:
    assert isinstance(state, Revealed)
    last = state.sheet.reviews["BUYER"].weighted
    return (last.weight_milli, last.reasons, last.excluded_dimensions) if last else None


THERE_AND_BACK: list[list[EvaluationCommand]] = [
    [change(hold, ground="OTHER"), release],
    [
        change(restrict, actor=Actor(role="MODERATOR", id="M3")),
        change(appeal, appeal_id="P9"),
        change(decide, appeal_id="P9", actor=Actor(role="SENIOR", id="N3")),
    ],
    [
        change(reweigh, add=("RATING_RIGHT_LOST",)),
        change(reweigh, remove=("RATING_RIGHT_LOST",)),
    ],
    [change(reattribute, cause_id="i9"), change(reattribute, to="SELLER", cause_id="i9")],
]


@given(after_reveal, st.sampled_from(THERE_AND_BACK))
def test_what_is_undone_gives_back_the_former_weight(
    commands: list[EvaluationCommand], there_and_back: list[EvaluationCommand]
) -> None:
    now = commands[-1].now
    stream = Run(timedelta(0))
    for command in commands:
        stream.fire(command.now)
        stream.send(command)
    stream.send(change(reweigh, now=now))  # so that no campaign has ended unnoticed
    before = weight_of(stream.state)
    for command in there_and_back:
        recorded = len(stream.events)
        stream.send(change(command, now=now))
        if len(stream.events) == recorded:
            return  # a step that does not apply here
    assert weight_of(stream.state) == before


STARS = ("quality", "logistics", "service", "rating", "was_quality", "was_logistics", "was_service")


def mirrored[T](value: T) -> T:
    """The same with the worst stars for the best and so on: of a command, a review or an event."""
    match value:
        case SubmitReview() | AmendReview():
            return change(value, content=mirrored(value.content))
        case BuyerReview() | ReviseReview():
            return change(
                value,
                quality=6 - value.quality,
                logistics=6 - value.logistics,
                service=6 - value.service,
            )
        case SellerReview():
            return change(value, rating=6 - value.rating)
        case Struct():
            stars = {name: getattr(value, name, None) for name in STARS}
            told = {name: 6 - star for name, star in stars.items() if star is not None}
            return structs.replace(value, **told)
        case _:
            return value


@given(histories)
def test_stars_decide_nothing_where_no_order_fact_speaks(
    commands: list[EvaluationCommand],
) -> None:
    silent = [
        change(command, facts=WORTH) if isinstance(command, ReviseReview) else command
        for command in commands
        if not (isinstance(command, ReweighReview) and "CORROBORATED" in command.add)
    ]
    assert events_of([mirrored(command) for command in silent]) == [
        mirrored(event) for event in events_of(silent)
    ]


@given(histories)
def test_a_hold_ends_in_time(commands: list[EvaluationCommand]) -> None:
    until: dict[Side, datetime] = {}
    for now, event in run(commands, timedelta(0)).events:
        assert all(now <= hold_until for hold_until in until.values())
        match event:
            case ReviewHeld():
                until[event.side] = event.hold_until
            case ReviewReleased() | ReviewRestricted() | ReviewWithdrawn():
                until.pop(event.side, None)
            case EvaluationClosed():
                until.clear()  # an order that was cancelled: nothing is shown any more
            case _:
                pass


@given(histories)
def test_a_restriction_has_a_human_a_rule_and_one_statement_of_reasons(
    commands: list[EvaluationCommand],
) -> None:
    for command, events in run(commands, timedelta(0)).commits:
        for event in events:
            if isinstance(event, ReviewRestricted):
                assert command.actor.is_human
                assert event.decided_by == command.actor.id
                assert event.rule_ids
                told = [each for each in events if isinstance(each, StatementOfReasonsIssued)]
                assert [(each.recipient_id, each.side) for each in told] == [
                    ("B1" if event.side == "BUYER" else "S1", event.side)
                ]


@given(histories)
def test_nobody_decides_an_appeal_against_his_own_decision(
    commands: list[EvaluationCommand],
) -> None:
    flagger: dict[str, tuple[str, str]] = {}
    kept_by: dict[tuple[Side, tuple[str | None, str]], str] = {}
    restricted_by: dict[Side, str] = {}
    decided_by: dict[str, str] = {}
    for event in events_of(commands):
        match event:
            case ReviewFlagged():
                flagger[event.flag_id] = event.flagger_role, event.flagger_id
            case ReviewKept():
                for flag_id in event.flag_ids:
                    kept_by[event.side, flagger[flag_id]] = event.decided_by
            case ReviewRestricted():
                restricted_by[event.side] = event.decided_by
            case ModerationAppealed(against="RESTRICTED"):
                decided_by[event.appeal_id] = restricted_by[event.side]
            case ModerationAppealed():
                appellant = event.appellant_role, event.appellant_id
                decided_by[event.appeal_id] = kept_by[event.side, appellant]
            case ModerationAppealDecided():
                assert event.decided_by != decided_by[event.appeal_id]
            case _:
                pass


TABLE = """
    EvaluationOpened         OpenEvaluation         SYSTEM                          N
    EvaluationPaused         OpenEvaluation         SYSTEM                          OP
    EvaluationPaused         PauseEvaluation        SYSTEM                          OP
    EvaluationResumed        OpenEvaluation         SYSTEM                          P
    EvaluationResumed        ResumeEvaluation       SYSTEM                          P
    EvaluationClosed         CloseEvaluation        SYSTEM                          O
    EvaluationClosed         VoidEvaluation         SYSTEM                          OP
    ReviewSubmitted          SubmitReview           author                          E
    ReviewAmended            AmendReview            author                          S
    ReviewsRevealed          SubmitReview           BUYER,SELLER                    OP
    ReviewsRevealed          CloseEvaluation        SYSTEM                          O
    ReplyPublished           PublishReply           reviewed                        V
    ReplyEdited              EditReply              reviewed                        V
    FollowUpAppended         AppendFollowUp         BUYER                           V
    RevisionGranted          GrantRevision          SYSTEM                          V
    RevisionRequested        RequestRevision        SELLER                          V
    ReviewRevised            ReviseReview           BUYER                           V
    ReviewWithdrawn          WithdrawReview         author                          SVH
    ReviewFlagged            FlagReview             reader,MODERATOR,ANALYST,SYSTEM V
    ReviewScreened           RecordScreening        SYSTEM                          SVHR
    ReviewHeld               HoldReview             MODERATOR,ANALYST,SYSTEM        SV
    ReviewHeld               SubmitReview           author                          S
    ReviewReleased           ReleaseReview          MODERATOR,SYSTEM                H
    ReviewReleased           KeepReview             MODERATOR                       H
    ReviewKept               KeepReview             MODERATOR                       VH
    ReviewRestricted         RestrictReview         MODERATOR                       SVH
    ReviewRestricted         DecideModerationAppeal MODERATOR,SENIOR                VH
    ReviewRestored           DecideModerationAppeal MODERATOR,SENIOR                R
    ModerationAppealed       AppealModeration       author                          R
    ModerationAppealed       AppealModeration       reader,MODERATOR,ANALYST        VH
    ModerationAppealDecided  DecideModerationAppeal MODERATOR,SENIOR                VHRW
    StatementOfReasonsIssued RestrictReview         MODERATOR                       R
    StatementOfReasonsIssued DecideModerationAppeal MODERATOR,SENIOR                SVHRW
    DimensionReattributed    ReattributeDimension   SYSTEM                          SVHRW
    DecisionOverdue          NoteOverdue            SYSTEM                          VHRW
    ReviewWeighted           SubmitReview           BUYER,SELLER                    VHR
    ReviewWeighted           CloseEvaluation        SYSTEM                          VHR
    ReviewWeighted           WithdrawReview         author                          W
    ReviewWeighted           ReviseReview           BUYER                           V
    ReviewWeighted           RecordScreening        SYSTEM                          VHR
    ReviewWeighted           LiftCampaignWeight     SYSTEM                          VHR
    ReviewWeighted           HoldReview             MODERATOR,ANALYST,SYSTEM        H
    ReviewWeighted           ReleaseReview          MODERATOR,SYSTEM                V
    ReviewWeighted           KeepReview             MODERATOR                       V
    ReviewWeighted           RestrictReview         MODERATOR                       R
    ReviewWeighted           DecideModerationAppeal MODERATOR,SENIOR                VR
    ReviewWeighted           ReattributeDimension   SYSTEM                          VHRW
    ReviewWeighted           ReweighReview          SYSTEM                          VHRW
"""
"""Event, command, who sends it, and where the side (of an event of none, the evaluation) stands
before the event, by the first letters: EMPTY, SUBMITTED, VISIBLE, HELD, RESTRICTED, WITHDRAWN.
"""
ROWS = [tuple(row.split()) for row in TABLE.strip().splitlines()]
STANDS: dict[type[Struct], str] = {
    EvaluationOpened: "OPEN",
    EvaluationPaused: "PAUSED",
    ReviewSubmitted: "SUBMITTED",
    ReviewHeld: "HELD",
    ReviewRestricted: "RESTRICTED",
}


@dataclass
class Standing:
    """Where an evaluation and its sides stand, told by the events alone."""

    evaluation: str = "NONE"
    sides: dict[str, str] = field(default_factory=lambda: {"BUYER": "EMPTY", "SELLER": "EMPTY"})

    def of(self, event: EvaluationEvent) -> str:
        side = getattr(event, "side", None)
        return self.sides[side] if side else self.evaluation

    def after(self, event: EvaluationEvent) -> None:
        side: Side | None = getattr(event, "side", None)
        shown = "VISIBLE" if self.evaluation == "REVEALED" else "SUBMITTED"
        match event:
            case EvaluationResumed():
                self.evaluation = "OPEN" if event.closes_at else "PAUSED"
            case EvaluationClosed():
                self.evaluation = "CLOSED"
            case ReviewsRevealed():
                self.evaluation = "REVEALED"
                for each, stands in self.sides.items():
                    self.sides[each] = "VISIBLE" if stands == "SUBMITTED" else stands
            case ReviewReleased() | ReviewRestored():
                self.sides[event.side] = shown
            case ReviewWithdrawn():
                self.sides[event.side] = "EMPTY" if event.before_reveal else "WITHDRAWN"
            case _ if side:
                self.sides[side] = STANDS.get(type(event), self.sides[side])
            case _:
                self.evaluation = STANDS.get(type(event), self.evaluation)


def senders(who: str, event: EvaluationEvent) -> set[str]:
    """Whom a row names, of the review that the event is about."""
    author = getattr(event, "side", "BUYER")
    parties = {
        "author": {author},
        "reviewed": {"BUYER", "SELLER"} - {author},
        "reader": {"BUYER", "SELLER"},
    }
    return {role for each in who.split(",") for role in parties.get(each, {each})}


def test_every_event_of_an_evaluation_has_a_row() -> None:
    known = {kind.__name__ for kind in get_args(EvaluationEvent.__value__)}
    assert {row[0] for row in ROWS} == known


pause, pause_too, reopening = CLOCK[2:5]
grant = say(GrantRevision(cause="DISPUTE", cause_id="d1"), now=COMPLETED, actor=SYSTEM)
by_another = change(restrict, actor=SECOND)
of_campaign = change(screen, campaign=True)
BEFORE: list[list[EvaluationCommand]] = [
    [],
    [start],
    [start, pause],
    [start, reopening],
    [start, pause, written],
    [start, answered],
    [start, answered, pause],
    *(
        [start, written, *more]
        for more in (
            [],
            [withdraw],
            [hold],
            [hold, withdraw],
            [restrict],
            [restrict, appeal],
            [say(VoidEvaluation(), now=COMPLETED, actor=SYSTEM)],
        )
    ),
    *(
        [start, written, answered, *more]
        for more in (
            [],
            [reply],
            [grant],
            [screen],
            [of_campaign],
            [of_campaign, hold],
            [of_campaign, restrict],
            [hold],
            [restrict],
            [restrict, appeal],
            [restrict, appeal, withdraw],
            [withdraw],
            [flag],
            [flag, hold],
            [flag, withdraw],
            [flag, restrict],
            [flag, keep],
            [flag, keep, hold],
            [flag, keep, of_reader],
            [flag, keep, of_reader, hold],
            [flag, keep, of_reader, by_another],
            [flag, keep, of_reader, withdraw],
        )
    ),
]
"""What brings an evaluation, and its reviews, to each of the states that the rules tell apart."""
ANYBODY = (*ACTORS, SYSTEM)
MORE: list[EvaluationCommand] = [
    say(CloseEvaluation(), facts=WORTH, now=COMPLETED, actor=SYSTEM),
    change(start, open_disputes=("d1", "d2")),
    change(decide, appeal_id="P2", outcome="UPHELD"),
]
LATER = (NO_TIME, 4 * DAY, 20 * DAY)


def test_every_event_comes_of_a_command_by_a_role_in_a_state_that_are_a_row() -> None:
    """Whoever sends whatever in any state; and there is no row that nothing comes of."""
    reached: set[tuple[str, str, str]] = set()
    for before in BEFORE:
        timed = in_time([(command, timedelta(hours=1)) for command in before])
        played = play(decider, timed)
        for command, actor, later in product(
            [*EVERYTHING, *MORE, *overdue(played.events)], ANYBODY, LATER
        ):
            now = (timed[-1].now if timed else COMPLETED) + later
            events = decided(played.state, change(command, actor=actor, now=now))
            stands = Standing()
            for event in played.events:
                stands.after(event)
            for event in events:
                name, by = type(event).__name__, type(command).__name__
                state = stands.of(event)[0]
                assert any(
                    actor.acts_as in senders(who, event) and state in states
                    for of, command_of, who, states in ROWS
                    if (of, command_of) == (name, by)
                ), (name, by, actor, stands.of(event))
                reached.add((name, by, state))
                stands.after(event)
    assert reached == {(row[0], row[1], state) for row in ROWS for state in row[3]}


def overdue(events: Iterable[EvaluationEvent]) -> Iterator[NoteOverdue]:
    """What timers would tell of what is to be decided."""
    noted = say(NoteOverdue(what="FLAG", ref_id="", due_at=COMPLETED), now=COMPLETED, actor=SYSTEM)
    for event in events:
        match event:
            case ReviewFlagged():
                yield change(noted, ref_id=event.flag_id, due_at=event.decide_by)
            case ModerationAppealed():
                told = change(noted, ref_id=event.appeal_id, due_at=event.decide_by)
                yield change(told, what="MODERATION_APPEAL")
            case _:
                pass


def decided(state: Evaluation, command: EvaluationCommand) -> list[EvaluationEvent]:
    try:
        return decider.decide(state, command)
    except Refused:
        return []


def resealed(command: EvaluationCommand) -> EvaluationCommand:
    """The same words, sealed anew."""
    if isinstance(command, SubmitReview | AmendReview):
        content = command.content
        text = content.text and content.text.replace(".e1.", ".e2.")
        return change(command, content=change(content, text=text))
    for name in ("text", "facts_text"):
        if text := getattr(command, name, None):
            return change(command, **{name: text.replace(".e1.", ".e2.")})
    return command


def clear_part(event: EvaluationEvent) -> EvaluationEvent:
    return structs.replace(event, **dict.fromkeys(sealed_fields(type(event))))


@given(histories)
def test_what_is_sealed_decides_nothing(commands: list[EvaluationCommand]) -> None:
    anew = events_of([resealed(command) for command in commands])
    assert [clear_part(event) for event in anew] == [
        clear_part(event) for event in events_of(commands)
    ]
    told_twice = [each for command in commands for each in (command, resealed(command))]
    assert events_of(told_twice) == events_of(commands)


@given(histories)
def test_a_new_policy_changes_nothing_of_what_began_before(
    commands: list[EvaluationCommand],
) -> None:
    since = evaluations(policies([(COMPLETED, "ae-2025-1"), (COMPLETED + DAY / 2, "ae-30d")]))
    closing = say(CloseEvaluation(), facts=FACTS, now=FAR, actor=SYSTEM)
    begun = [start, *commands, closing]
    assert play(since, begun).events == play(decider, begun).events
