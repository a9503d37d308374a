"""What no history of an evaluation can break."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import product
from typing import get_args

from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec import Struct, structs
from msgspec.structs import asdict
from review_service.domain.codes import ReweighReview
from review_service.domain.content import SellerReview
from review_service.domain.double_blind import CloseEvaluation
from review_service.domain.evaluation_state import Evaluation, Open, Paused, Revealed
from review_service.domain.known import Known
from review_service.domain.policy import AE_2025_1, policies
from review_service.domain.review_state import part_of
from review_service.domain.revision import ReviseReview
from review_service.domain.rules import EVALUATIONS, RULES, EvaluationCommand
from review_service.domain.weight import ZERO_CODES
from review_service.testing import change
from review_service.testing.histories import (
    ACTORS,
    ANYBODY,
    BEFORE,
    BUYER,
    CLOCK,
    COMPLETED,
    DAY,
    EVERYTHING,
    FACTS,
    FAR,
    LATER,
    MORE,
    NO_TIME,
    PARTS,
    SCRUTINY,
    SELLER,
    SPEAKING,
    STRANGER,
    SYSTEM,
    WORTH,
    WRITING,
    Run,
    amend,
    answered,
    appeal,
    by_buyer,
    by_seller,
    decide,
    events_of,
    five,
    hold,
    in_time,
    reattribute,
    release,
    restrict,
    reweigh,
    run,
    said,
    start,
    what_is_overdue,
    written,
)
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
    Part,
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
from shared_runtime.rule import By, Sent
from shared_runtime.rules import Action
from shared_runtime.testing import play

decider = EVALUATIONS
gaps = st.timedeltas(min_value=NO_TIME, max_value=9 * DAY)
short = st.timedeltas(min_value=NO_TIME, max_value=2 * DAY)
written_steps = st.lists(st.tuples(st.sampled_from(WRITING + CLOCK), gaps), max_size=12)
opened_first = written_steps.map(lambda rest: in_time([(start, NO_TIME), *rest]))
writings = st.one_of(opened_first, opened_first, written_steps.map(in_time))
"""What the parties write, and what the clock does."""
steps = st.lists(st.tuples(st.sampled_from(EVERYTHING), gaps), max_size=12)
later_steps = st.lists(
    st.tuples(st.sampled_from([*SPEAKING, *SCRUTINY, *SCRUTINY, *PARTS]), short),
    min_size=4,
    max_size=14,
)
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


KNOWN = Known(policies=policies(), facts=WORTH)


@given(histories, st.sampled_from(ACTORS), st.sampled_from((NO_TIME, DAY, 40 * DAY)))
def test_what_would_be_accepted_is_offered(
    commands: list[EvaluationCommand], actor: Actor, later: timedelta
) -> None:
    state = play(decider, commands).state
    now = (commands[-1].now if commands else COMPLETED) + later
    actions = {action.action: action.allowed for action in offered(state, actor, now)}
    for command in (*SPEAKING, *SCRUTINY, *PARTS):
        name = type(command.said).__name__
        if name in actions and not actions[name]:
            assert not accepted_by(state, change(command, actor=actor, now=now)), name


def offered(state: Evaluation, actor: Actor, now: datetime) -> list[Action]:
    return RULES.offered(state, By(actor=actor, now=now, known=KNOWN))


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
            change(amend, review_id=review.said.review_id, content=content, now=now, actor=actor)
            for content in (
                (SellerReview(rating=2), SellerReview(rating=3))
                if actor.role == "SELLER"
                else (change(five, quality=2), change(five, quality=3))
            )
        ],
    }
    for action in offered(played.state, actor, now):
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
        assert offered(played.state, actor, now) == offered(alone, actor, now)


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


def mirrored[T: Struct](told: T) -> T:
    """The same with the worst stars for the best and so on: of what is said, or of an event."""
    stars = {name: getattr(told, name, None) for name in STARS}
    return structs.replace(told, **{name: 6 - star for name, star in stars.items() if star})


def with_worst_for_best(command: EvaluationCommand) -> EvaluationCommand:
    return Sent(mirrored(command.said), command.by)


@given(histories)
def test_stars_decide_nothing_where_no_order_fact_speaks(
    commands: list[EvaluationCommand],
) -> None:
    silent = [
        change(command, facts=WORTH) if isinstance(command.said, ReviseReview) else command
        for command in commands
        if not (isinstance(command.said, ReweighReview) and "CORROBORATED" in command.said.add)
    ]
    assert events_of([with_worst_for_best(command) for command in silent]) == [
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
            case ReviewRestricted(measures=measures) if part_of(measures):
                pass  # the review itself is still held
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
                    (writer_of(event), event.side)
                ]


def writer_of(restricted: ReviewRestricted) -> str:
    """A reply is the other side's."""
    of_buyer = (restricted.side == "BUYER") != (part_of(restricted.measures) == "REPLY")
    return "B1" if of_buyer else "S1"


@given(histories)
def test_nobody_decides_an_appeal_against_his_own_decision(
    commands: list[EvaluationCommand],
) -> None:
    flagger: dict[str, tuple[str | None, str, Part | None]] = {}
    kept_by: dict[tuple[Side, tuple[str | None, str, Part | None]], str] = {}
    restricted_by: dict[tuple[Side, Part | None], str] = {}
    decided_by: dict[str, str] = {}
    for event in events_of(commands):
        match event:
            case ReviewFlagged():
                flagger[event.flag_id] = event.flagger_role, event.flagger_id, event.part
            case ReviewKept():
                for flag_id in event.flag_ids:
                    kept_by[event.side, flagger[flag_id]] = event.decided_by
            case ReviewRestricted():
                restricted_by[event.side, part_of(event.measures)] = event.decided_by
            case ModerationAppealed(against="RESTRICTED"):
                decided_by[event.appeal_id] = restricted_by[event.side, event.part]
            case ModerationAppealed():
                appellant = event.appellant_role, event.appellant_id, event.part
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
    ReviewFlagged/part       FlagReview             reader,MODERATOR,ANALYST,SYSTEM VR
    ReviewScreened           RecordScreening        SYSTEM                          SVHR
    ReviewHeld               HoldReview             MODERATOR,ANALYST,SYSTEM        SV
    ReviewHeld               SubmitReview           author                          S
    ReviewReleased           ReleaseReview          MODERATOR,SYSTEM                H
    ReviewReleased           KeepReview             MODERATOR                       H
    ReviewKept               KeepReview             MODERATOR                       VHR
    ReviewRestricted         RestrictReview         MODERATOR                       SVH
    ReviewRestricted         DecideModerationAppeal MODERATOR,SENIOR                VH
    ReviewRestricted/part    RestrictReview         MODERATOR                       VHR
    ReviewRestricted/part    DecideModerationAppeal MODERATOR,SENIOR                VHRW
    ReviewRestored           DecideModerationAppeal MODERATOR,SENIOR                R
    ReviewRestored/part      DecideModerationAppeal MODERATOR,SENIOR                VHRW
    ModerationAppealed       AppealModeration       author                          R
    ModerationAppealed       AppealModeration       reader,MODERATOR,ANALYST        VH
    ModerationAppealed/part  AppealModeration       reader,MODERATOR,ANALYST        VHRW
    ModerationAppealDecided  DecideModerationAppeal MODERATOR,SENIOR                VHRW
    StatementOfReasonsIssued RestrictReview         MODERATOR                       VHR
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
Of a part alone: its review keeps where it stands.
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
            case _ if is_of_part(event):
                pass  # the review keeps where it stands
            case ReviewReleased() | ReviewRestored():
                self.sides[event.side] = shown
            case ReviewWithdrawn():
                self.sides[event.side] = "EMPTY" if event.before_reveal else "WITHDRAWN"
            case _ if side:
                self.sides[side] = STANDS.get(type(event), self.sides[side])
            case _:
                self.evaluation = STANDS.get(type(event), self.evaluation)


def is_of_part(event: EvaluationEvent) -> bool:
    return bool(getattr(event, "part", None) or part_of(getattr(event, "measures", ())))


def named(event: EvaluationEvent) -> str:
    return f"{type(event).__name__}{'/part' if is_of_part(event) else ''}"


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
    assert {row[0].removesuffix("/part") for row in ROWS} == known


def test_every_event_comes_of_a_command_by_a_role_in_a_state_that_are_a_row() -> None:
    """Whoever sends whatever in any state; and there is no row that nothing comes of."""
    reached: set[tuple[str, str, str]] = set()
    for before in BEFORE:
        timed = in_time([(command, timedelta(hours=1)) for command in before])
        played = play(decider, timed)
        for command, actor, later in product(
            [*EVERYTHING, *MORE, *what_is_overdue(played.events)], ANYBODY, LATER
        ):
            now = (timed[-1].now if timed else COMPLETED) + later
            events = decided(played.state, change(command, actor=actor, now=now))
            if not events:
                continue
            stands = Standing()
            for event in played.events:
                stands.after(event)
            for event in events:
                name, by = named(event), type(command.said).__name__
                state = stands.of(event)[0]
                assert any(
                    actor.acts_as in senders(who, event) and state in states
                    for of, command_of, who, states in ROWS
                    if (of, command_of) == (name, by)
                ), (name, by, actor, stands.of(event))
                reached.add((name, by, state))
                stands.after(event)
    assert reached == {(row[0], row[1], state) for row in ROWS for state in row[3]}


def decided(state: Evaluation, command: EvaluationCommand) -> list[EvaluationEvent]:
    try:
        return decider.decide(state, command)
    except Refused:
        return []


def resealed(command: EvaluationCommand) -> EvaluationCommand:
    """The same words, sealed anew."""
    for name in ("text", "facts"):
        if text := getattr(command.said, name, None):
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
    since = policies([(COMPLETED, "ae-2025-1"), (COMPLETED + DAY / 2, "ae-30d")])
    begun = [start, *commands, said(CloseEvaluation(), SYSTEM, FACTS).at(FAR)]
    under_both = [start, *(change(command, policies=since) for command in begun[1:])]
    assert play(decider, under_both).events == play(decider, begun).events
