"""Everybody's commands in, whatever history of an evaluation they make out: what laws are tried on.

A buyer and a seller write, readers flag, moderators judge, detectors and timers do their part, in
any order and at any time. The review of the buyer is R1, that of the seller R2.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from msgspec import Struct
from shared_casework.overdue import NoteOverdue
from shared_events.envelope import Recorded
from shared_events.review import EvaluationEvent, ModerationAppealed, ReviewFlagged
from shared_runtime.decider import Actor, Refused
from shared_runtime.timers import Arm, DueTimer, TimerName

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
from review_service.domain.evaluation_state import Evaluation
from review_service.domain.flags import FlagReview
from review_service.domain.holding import HoldReview, ReleaseReview
from review_service.domain.known import Known
from review_service.domain.moderation import KeepReview, RestrictReview
from review_service.domain.policy import policies
from review_service.domain.replies import AppendFollowUp, EditReply, PublishReply
from review_service.domain.revision import GrantRevision, RequestRevision, ReviseReview
from review_service.domain.rules import EVALUATIONS, EvaluationCommand
from review_service.domain.screening import LiftCampaignWeight, RecordScreening
from review_service.domain.weight import WeightFacts
from review_service.domain.withdrawal import WithdrawReview
from review_service.reactions.timers import on_evaluation_timer, timers_of
from review_service.testing import change, in_words, say

COMPLETED = datetime(2025, 3, 1, 10, tzinfo=UTC)
DAY = timedelta(days=1)
NO_TIME = timedelta(0)
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
ANYBODY = (*ACTORS, SYSTEM)
FACTS = WeightFacts(total_ref_minor=499, placed_at=COMPLETED, buyer_registered_at=COMPLETED)
WORTH = WeightFacts(total_ref_minor=500, placed_at=COMPLETED)
LATE = change(WORTH, late=True)


def sealed(digest: str, event: str = "e1") -> str:
    """A text: the same digest is the same text, wherever it is sealed."""
    return f"s1.key.{digest}.{event}.text.cipher"


def said(command: Struct, actor: Actor, facts: WeightFacts = WORTH) -> EvaluationCommand:
    return say(command, now=COMPLETED, actor=actor, facts=facts)


# --- What the parties write, and what the clock does

start = said(
    OpenEvaluation(
        order_id="O1", seller_id="S1", buyer_id="B1", completed_at=COMPLETED, completion_no=1
    ),
    SYSTEM,
)
five = BuyerReview(quality=5, logistics=5, service=5)
by_buyer = said(SubmitReview(review_id="R1", **in_words(five)), BUYER, FACTS)
by_seller = change(by_buyer, review_id="R2", content=SellerReview(rating=5), actor=SELLER)
written = change(by_buyer, content=change(five, quality=1, text=sealed("fine")), facts=WORTH)
answered = change(by_seller, facts=WORTH)
amend = said(AmendReview(review_id="R1", **in_words(change(five, quality=1))), BUYER)
WRITING: list[EvaluationCommand] = [
    by_buyer,
    change(by_buyer, review_id="R3"),
    change(by_buyer, content=change(five, incentive="PAYMENT")),
    change(by_buyer, facts=change(FACTS, total_ref_minor=500)),
    change(by_buyer, actor=STRANGER),
    by_seller,
    change(by_seller, review_id="R4"),
    amend,
    change(amend, review_id="R2", content=SellerReview(rating=1), actor=SELLER),
]
pause = said(PauseEvaluation(cause="DISPUTE", cause_id="d1"), SYSTEM)
resume = said(ResumeEvaluation(cause_id="d1"), SYSTEM)
reopening = change(pause, cause="ORDER_REOPENED", cause_id="completion-1")
void = said(VoidEvaluation(), SYSTEM)
CLOCK: list[EvaluationCommand] = [
    start,
    change(start, completion_no=2, open_disputes=("d2",)),
    pause,
    change(pause, cause_id="d2"),
    reopening,
    resume,
    change(resume, cause_id="d2"),
    void,
]

# --- What is said after the reveal

withdraw = said(WithdrawReview(review_id="R1"), BUYER)
reply = said(PublishReply(review_id="R1", reply_id="P1", text=sealed("ta")), SELLER)
edit = said(EditReply(review_id="R1", text=sealed("thanks")), SELLER)
follow_up = said(AppendFollowUp(review_id="R1", followup_id="U1", text=sealed("broke")), BUYER)
grant = said(GrantRevision(cause="DISPUTE", cause_id="d1"), SYSTEM)
ask = said(RequestRevision(review_id="R1"), SELLER)
revise = said(ReviseReview(review_id="R1", quality=2, logistics=4, service=4), BUYER)
SPEAKING: list[EvaluationCommand] = [
    withdraw,
    change(withdraw, review_id="R2", actor=SELLER),
    change(withdraw, actor=IMPORTER),
    reply,
    change(reply, reply_id="P2"),
    change(reply, review_id="R2", actor=BUYER),
    edit,
    change(edit, review_id="R2", actor=BUYER),
    follow_up,
    grant,
    ask,
    revise,
    change(revise, quality=5, facts=LATE),
]

# --- What is said about it

flag = said(FlagReview(review_id="R1", flag_id="F1", reason="FAKE", text=sealed("fake")), READER)
hold = said(HoldReview(review_id="R1", ground="FAKE"), SYSTEM)
release = said(ReleaseReview(review_id="R1"), MODERATOR)
keep = said(KeepReview(review_id="R1", flag_ids=("F1",), rule_ids=("rule-1",)), MODERATOR)
restrict = said(
    RestrictReview(
        review_id="R1",
        ground="OFFENSIVE",
        rule_ids=("rule-2",),
        facts=sealed("why"),
        explanation="It insults.",
        measures=("HIDE_REVIEW", "EXCLUDE_SCORE"),
    ),
    MODERATOR,
)
of_text = change(restrict, measures=("HIDE_TEXT",), actor=SECOND)
appeal = said(AppealModeration(review_id="R1", appeal_id="P1", text=sealed("unfair")), BUYER)
of_reader = change(appeal, appeal_id="P2", actor=READER)
decide = said(
    DecideModerationAppeal(
        review_id="R1",
        appeal_id="P1",
        outcome="REVERSED",
        rule_ids=("rule-3",),
        facts=sealed("because"),
        explanation="It was fair.",
    ),
    SECOND,
)
screen = said(
    RecordScreening(review_id="R1", factor_milli=300, campaign=False, terms=(), calibration="C1"),
    SYSTEM,
)
of_campaign = change(screen, campaign=True)
lift = said(LiftCampaignWeight(review_id="R1"), SYSTEM)
reweigh = said(ReweighReview(review_id="R1"), SYSTEM)
reattribute = said(ReattributeDimension(to="CARRIER", cause_id="i1"), SYSTEM)
overdue = said(NoteOverdue(what="FLAG", ref_id="F1", due_at=COMPLETED + 5 * DAY), SYSTEM)
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
    of_text,
    change(restrict, review_id="R2"),
    change(restrict, actor=SYSTEM),
    appeal,
    of_reader,
    decide,
    change(decide, outcome="UPHELD"),
    change(decide, appeal_id="P2", actor=SENIOR),
    screen,
    change(of_campaign, factor_milli=50),
    change(screen, factor_milli=1000),
    lift,
    change(reweigh, add=("BUYER_ABUSE",)),
    change(reweigh, remove=("BUYER_ABUSE",)),
    change(reweigh, add=("FAKE_CONFIRMED",)),
    change(reweigh, add=("CORROBORATED",)),
    change(reweigh, review_id="R2", add=("RATING_RIGHT_LOST",)),
    reattribute,
    change(reattribute, to="SELLER"),
    change(reattribute, to="FORCE_MAJEURE", cause_id="i2"),
    overdue,
]

# --- What is said about the parts alone

flag_reply = change(flag, flag_id="F5", part="REPLY", actor=STRANGER)
flag_follow_up = change(flag, flag_id="F6", part="FOLLOW_UP")
keep_reply = change(keep, flag_ids=("F5",))
keep_follow_up = change(keep, flag_ids=("F6",))
hide_reply = change(restrict, measures=("HIDE_REPLY",))
hide_follow_up = change(restrict, measures=("HIDE_FOLLOW_UP",))
of_reply = change(appeal, appeal_id="P3", part="REPLY", actor=SELLER)
of_follow_up = change(appeal, appeal_id="P4", part="FOLLOW_UP")
of_kept_reply = change(appeal, appeal_id="P5", part="REPLY", actor=STRANGER)
of_kept_follow_up = change(appeal, appeal_id="P6", part="FOLLOW_UP", actor=READER)
PARTS: list[EvaluationCommand] = [
    reply,
    follow_up,
    flag_reply,
    flag_follow_up,
    keep_reply,
    keep_follow_up,
    change(keep, flag_ids=("F1", "F5", "F6"), actor=SECOND),
    hide_reply,
    hide_follow_up,
    change(hide_reply, review_id="R2"),
    of_reply,
    of_follow_up,
    of_kept_reply,
    of_kept_follow_up,
    *(change(decide, appeal_id=appeal_id) for appeal_id in ("P3", "P4", "P5", "P6")),
    change(decide, appeal_id="P3", outcome="UPHELD"),
]
EVERYTHING = [*WRITING, *CLOCK, *SPEAKING, *SCRUTINY, *PARTS]


def in_time(steps: Iterable[tuple[EvaluationCommand, timedelta]]) -> list[EvaluationCommand]:
    """Each command so much later than the one before. An order completes when we are told."""
    now = COMPLETED
    timed: list[EvaluationCommand] = []
    for step, later in steps:
        now += later
        command = change(step, now=now)
        if isinstance(command.said, OpenEvaluation):
            command = change(command, completed_at=now)
        timed.append(command)
    return timed


@dataclass
class Run:
    """A stream with its timers, which fire `lateness` after their instant (None: at the end).

    A lateness within the hour: commands of timers are judged at the instant they were due.
    Those of a `punctual` kind are not late.
    """

    lateness: timedelta | None
    punctual: Collection[str] = ()
    state: Evaluation = field(default_factory=lambda: EVALUATIONS.initial)
    events: list[tuple[datetime, EvaluationEvent]] = field(
        default_factory=list[tuple[datetime, EvaluationEvent]]
    )
    commits: list[tuple[EvaluationCommand, list[EvaluationEvent]]] = field(
        default_factory=list[tuple[EvaluationCommand, list[EvaluationEvent]]]
    )
    accepted: list[bool] = field(default_factory=list[bool])
    timers: dict[TimerName, datetime] = field(default_factory=dict[TimerName, datetime])

    def send(self, command: EvaluationCommand) -> bool:
        last = self.events[-1][0] if self.events else command.now
        command = command.at(max(command.now, last))
        try:
            events = EVALUATIONS.decide(self.state, command)
        except Refused:
            return False
        self.commits.append((command, events))
        for event in events:
            self.state = EVALUATIONS.evolve(self.state, event)
            self.events.append((command.now, event))
            for timer in timers_of(event):
                if isinstance(timer, Arm):
                    self.timers[timer.name] = timer.due
                else:
                    self.timers.pop(timer.name, None)
        return True

    def fire(self, until: datetime, kinds: Collection[str] | None = None) -> None:
        def is_due(name: TimerName, at: datetime) -> bool:
            return at <= until and (kinds is None or name.kind in kinds)

        while due := {name: at for name, at in self.timers.items() if is_due(name, at)}:
            name = min(due, key=lambda name: due[name])
            timer = DueTimer(
                stream="evaluation-O1", name=name, due=due[name], now=due[name], cause=""
            )
            self.timers.pop(name)
            ask = on_evaluation_timer(timer, Known(policies=policies(), facts=WORTH))
            for _ in range(2):  # a timer may fire twice
                self.send(ask.command)


def run(
    commands: Sequence[EvaluationCommand],
    lateness: timedelta | None = NO_TIME,
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
    return [event for _, event in run(commands).events]


def recorded(events: Iterable[EvaluationEvent]) -> list[Recorded[EvaluationEvent]]:
    """A history as the log has it. A moderator has done all of it."""
    return [
        Recorded(
            topic="review.events",
            partition=0,
            position=number,
            event_id=str(number),
            stream="evaluation-O1",
            version=number,
            type=type(event).__name__,
            time=COMPLETED,
            recorded_at=COMPLETED,
            key="S1",
            actor="moderator:M1",
            correlation_id="O1",
            causation_id="",
            event=event,
        )
        for number, event in enumerate(events, 1)
    ]


# --- Every state that the rules tell apart

by_another = change(restrict, actor=SECOND)
HIDDEN: list[list[EvaluationCommand]] = [
    [],
    [withdraw],
    [hold],
    [hold, withdraw],
    [restrict],
    [restrict, appeal],
    [void],
]
SHOWN: list[list[EvaluationCommand]] = [
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
    [reply, flag_reply],
    [reply, flag_reply, hold],
    [reply, of_text],
    [reply, flag_reply, of_text],
    [reply, flag_reply, withdraw],
    [reply, flag_reply, keep_reply],
    [reply, flag_reply, keep_reply, of_kept_reply],
    [reply, flag_reply, keep_reply, of_kept_reply, hold],
    [reply, flag_reply, keep_reply, of_kept_reply, by_another],
    [reply, flag_reply, keep_reply, of_kept_reply, withdraw],
    [reply, hide_reply],
    [reply, hide_reply, hold],
    [reply, hide_reply, by_another],
    [reply, hide_reply, withdraw],
    [reply, hide_reply, of_reply],
    [reply, hide_reply, of_reply, hold],
    [reply, hide_reply, of_reply, by_another],
    [reply, hide_reply, of_reply, withdraw],
    [follow_up, flag_follow_up, keep_follow_up, of_kept_follow_up],
    [follow_up, hide_follow_up, of_follow_up],
]
BEFORE: list[list[EvaluationCommand]] = [
    [],
    [start],
    [start, pause],
    [start, reopening],
    [start, pause, written],
    [start, answered],
    [start, answered, pause],
    *([start, written, *more] for more in HIDDEN),
    *([start, written, answered, *more] for more in SHOWN),
]
MORE: list[EvaluationCommand] = [
    said(CloseEvaluation(), SYSTEM),
    change(start, open_disputes=("d1", "d2")),
    change(decide, appeal_id="P2", outcome="UPHELD"),
]
LATER = (NO_TIME, 4 * DAY, 20 * DAY)


def what_is_overdue(events: Iterable[EvaluationEvent]) -> Iterator[EvaluationCommand]:
    """What timers would tell of what is to be decided."""
    for event in events:
        match event:
            case ReviewFlagged():
                yield change(overdue, ref_id=event.flag_id, due_at=event.decide_by)
            case ModerationAppealed():
                told = change(overdue, ref_id=event.appeal_id, due_at=event.decide_by)
                yield change(told, what="MODERATION_APPEAL")
            case _:
                pass
