"""One line in, what its commands recorded on both of the order's streams out.

The commands are decided as if each had come when it happened: before each, the deadlines that
had passed by then are met, with their own instant as `now`; a completed order opens its
evaluation with the reaction that the worker has; at the end, what the line armed and the clock
has passed is met too. Causes are made of what is told and when, so that the ids of all events
are the same whenever, wherever and however often the line is told.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, Literal, NamedTuple

from msgspec import Struct, structs
from shared_casework.people import person_on
from shared_events.review import ReviewsRevealed, Side
from shared_runtime.decider import (
    Actor,
    Command,
    Decider,
    FieldError,
    InvalidValue,
    Refused,
    SubjectErased,
)
from shared_runtime.ids import derived_id
from shared_runtime.log import Ask, Decisions
from shared_runtime.media import MediaFile
from shared_runtime.rule import By, Sent
from shared_runtime.sealing import PersonKey
from shared_runtime.timers import Arm, TimerName, due_timer

from review_service.bulk.line import (
    Life,
    Line,
    RefusedLine,
    as_told,
    sealed_files,
    submit_review,
)
from review_service.bulk.reviewed import (
    FollowedUp,
    Part,
    PartName,
    RefusedReview,
    Replied,
    SoundReview,
    WasRestricted,
)
from review_service.domain.completion import CancelOrder, CompleteOrder
from review_service.domain.fulfilment import MarkDelivered, MarkPaid, MarkShipped
from review_service.domain.known import Known, Sender
from review_service.domain.moderation import RestrictReview
from review_service.domain.order import Placed
from review_service.domain.order_rules import ORDERS
from review_service.domain.policy import Policies
from review_service.domain.replies import AppendFollowUp, PublishReply
from review_service.domain.rules import EVALUATIONS, EvaluationCommand
from review_service.domain.streams import evaluation_stream, order_stream, review_id_of
from review_service.domain.subject import OTHER
from review_service.facts import Facts
from review_service.reactions.orders import on_order
from review_service.reactions.timers import (
    AUTO_COMPLETE,
    on_evaluation_timer,
    on_order_timer,
    timers_of,
)
from review_service.told_order import place_order

TOLD = "a7c7a6a4-6f0b-5a7e-8f0e-3d1c2b9f4e60"
"""The namespace of the causes of what is told."""

PURPOSE = "REVIEW"
FILE = f"the id of a clean file of its writer, sent for {PURPOSE}, each once"
RESTRICTED_ELSEWHERE = "It was restricted on the platform that it comes from."

type LineOutcome = Literal["accepted", "unchanged", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Teller:
    """Who tells: of orders, of each side's review on its behalf, and of what moderators did."""

    orders: Actor
    sides: dict[Side, Actor]
    moderator: Actor
    traceparent: str | None = None


def importer(name: str, traceparent: str | None = None) -> Teller:
    """Somebody who brings a marketplace's history."""

    def on_behalf_of(role: Literal["SYSTEM", "BUYER", "SELLER", "MODERATOR"]) -> Actor:
        return Actor(role="IMPORTER", id=name, on_behalf_of=role)

    return Teller(
        orders=on_behalf_of("SYSTEM"),
        sides={"BUYER": on_behalf_of("BUYER"), "SELLER": on_behalf_of("SELLER")},
        moderator=on_behalf_of("MODERATOR"),
        traceparent=traceparent,
    )


def feed(name: str, traceparent: str | None = None) -> Teller:
    """A connector: it speaks for orders, and for nobody's opinion."""
    actor = Actor(role="SYSTEM", id=name)
    sides: dict[Side, Actor] = {"BUYER": actor, "SELLER": actor}
    return Teller(orders=actor, sides=sides, moderator=actor, traceparent=traceparent)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartTold:
    """What became of a part of a review."""

    name: PartName
    outcome: LineOutcome
    problem: Refused | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewTold:
    """What became of a review, and of its parts: those of a refused one share its fate, and are
    not told. `by` is None where it does not tell it.
    """

    by: Side | None
    outcome: LineOutcome
    problem: Refused | None = None
    parts: tuple[PartTold, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LineTold:
    """What came of a line. If its order was refused, nothing of the line was done."""

    order: LineOutcome
    reviews: list[ReviewTold]
    problem: Refused | None = None


class ArmedTimer(Struct, frozen=True, kw_only=True):
    """An armed timer. `told`: by this line, so that nobody else has it in hand yet."""

    due: datetime
    armed_by: str
    told: bool


class Besides(Struct, frozen=True):
    """What lines need that is in no stream: the keys of the people who write something, by their
    names, and the files that they name, by their ids.
    """

    keys: Mapping[str, PersonKey] = {}
    files: Mapping[str, MediaFile] = {}

    def clean(self, ids: Sequence[str], owner: str) -> list[MediaFile]:
        """Those of them that a review of this person may have, each once."""
        found = [self.files[each] for each in dict.fromkeys(ids) if each in self.files]
        wanted = (owner, PURPOSE, "CLEAN")
        return [each for each in found if (each.owner, each.purpose, each.state) == wanted]


def streams_of(line: Line) -> tuple[str, str]:
    return order_stream(line.order_id), evaluation_stream(line.order_id)


def tell(
    line: Line,
    decisions: Decisions,
    policies: Policies,
    teller: Teller,
    now: datetime,
    *,
    facts: Facts,
    besides: Besides,
) -> LineTold:
    """Decides a line whose streams have been read; what it recorded is in `decisions`.

    `facts`: what is known of its order besides.
    """
    story = Story(line, decisions, policies, teller, facts=facts, besides=besides)
    try:
        with decisions.all_or_nothing(streams_of(line)):
            changed = story.order(line.life)
    except Refused as refused:
        return refuse(line, kept(refused))
    reviews = story.reviews(now)
    return LineTold(order="accepted" if changed else "unchanged", reviews=reviews)


def kept(refused: Refused) -> Refused:
    """A refusal that is kept as a value, without the frames that it came through: they hold what
    holds it, and whole batches would wait for the garbage collector.
    """
    refused.__context__ = None
    return refused.with_traceback(None)


def refuse(line: Line | RefusedLine, why: Refused) -> LineTold:
    """Nothing of the line was done. Reviews share the fate of their order."""
    reviews = [ReviewTold(by=side, outcome="refused", problem=why) for side in line.sides]
    return LineTold(order="refused", reviews=reviews, problem=why)


class Step(NamedTuple):
    """What the order has gone through, by the name of its part of the line, and when."""

    part: str
    said: Struct
    at: datetime


def steps(life: Life) -> Iterator[Step]:
    yield Step("order", place_order(life.order), life.order.placed_at)
    if paid := life.paid:
        yield Step("paid", MarkPaid(payment_ref=paid.payment_ref), paid.at)
    if shipped := life.shipped:
        said = MarkShipped(deliver_by=shipped.deliver_by, tracking_id=shipped.tracking_id)
        yield Step("shipped", said, shipped.at)
    if delivered := life.delivered:
        yield Step("delivered", MarkDelivered(signed=delivered.signed), delivered.at)
    if completed := life.completed:
        yield Step("completed", CompleteOrder(by_feed=True), completed.at)
    if cancelled := life.cancelled:
        yield Step("cancelled", CancelOrder(by=cancelled.by, reason=cancelled.reason), cancelled.at)


class Saying(Struct, frozen=True, kw_only=True):
    """Something that is said at an instant: a review, or a part of it. `number`: the review's place
    in the line.
    """

    at: datetime
    number: int
    review: SoundReview
    name: PartName | None = None
    part: Part | None = None

    @property
    def order(self) -> tuple[datetime, bool, int]:
        """A review comes before what is said about it."""
        return self.at, self.part is not None, self.number

    @property
    def waits(self) -> bool:
        """Whether it is nothing before the reveal."""
        return isinstance(self.part, Replied | FollowedUp)


class Story:
    """The two streams of an order, as a line goes through them."""

    def __init__(
        self,
        line: Line,
        decisions: Decisions,
        policies: Policies,
        teller: Teller,
        *,
        facts: Facts,
        besides: Besides,
    ) -> None:
        self._line = line
        self._id = line.order_id
        self._facts = facts
        self._besides = besides
        self._of_order = facts.of(self._id)
        self._order = order_stream(self._id)
        self._evaluation = evaluation_stream(self._id)
        self._decisions = decisions
        self._policies = policies
        self._teller = teller
        self._armed: dict[tuple[str, TimerName], ArmedTimer] = {}
        self._told: dict[int, ReviewTold] = {}
        self._waiting: list[Saying] = []
        self._revealed: datetime | None = None  # when it was recorded: a timer may have been late
        for stream in (self._order, self._evaluation):
            for recorded in decisions.history(stream):
                self._arm(stream, recorded.event, recorded.event_id, told=False)
                self._note_reveal(recorded.event, recorded.time)

    def order(self, life: Life) -> bool:
        """The order's life as far as it is told. Raises the refusal of a step that is refused."""
        changed = [self._step(step) for step in steps(life)]
        return any(changed)

    def reviews(self, now: datetime) -> list[ReviewTold]:
        """In the order in which they were written, answered in the order in which they stand.

        What is said of a review comes after it, each at its instant; what was said elsewhere before
        both were revealed here is said at the reveal.
        """
        sayings: list[Saying] = []
        for number, review in enumerate(self._line.reviews):
            if isinstance(review, RefusedReview):
                told = ReviewTold(by=review.by, outcome="refused", problem=review.why)
                self._told[number] = told
            else:
                sayings += sayings_of(number, review)
        for saying in sorted(sayings, key=attrgetter("order")):
            self.meet(saying.at)
            self._say(saying)
        self.meet(now, told_alone=True)
        for saying in self._waiting:  # nobody knows when it will be revealed
            self._answer(saying, self._part(saying, saying.at))
        return [self._told[number] for number in range(len(self._line.reviews))]

    def meet(self, now: datetime, *, told_alone: bool = False) -> None:
        """Fires what is due, the earliest first; each with its own instant as `now`.

        `told_alone`: what was armed before this line is the worker's to fire, and by its clock.
        """
        while self._armed and (
            due := min(
                (
                    (armed.due, place)
                    for place, armed in self._armed.items()
                    if armed.due <= now and (armed.told or not told_alone)
                ),
                default=None,
            )
        ):
            self._fire(*due[1])

    def _fire(self, stream: str, name: TimerName) -> None:
        armed = self._armed.pop((stream, name))
        due = armed.due
        timer = due_timer(stream, name, due, armed.armed_by, clock=due)
        if name == AUTO_COMPLETE:
            open_disputes = self._of_order.open_disputes(due)
            known = Known(policies=self._policies, open_disputes=open_disputes)
            self._decide(ORDERS, on_order_timer(timer, known))
        else:
            self._decide(EVALUATIONS, on_evaluation_timer(timer, self._known(due)))
            self._say_what_waits()

    def _step(self, step: Step) -> bool:
        """Whether anything came of a step."""
        self.meet(step.at)
        by = By(actor=self._teller.orders, now=step.at, known=Known(policies=self._policies))
        ask = self._asked(self._order, Sent(step.said, by), step.part)
        try:
            return self._decide(ORDERS, ask)
        except InvalidValue as refused:
            raise as_told(refused, step.part) from None

    def _say(self, saying: Saying) -> None:
        if saying.part is None:
            self._told[saying.number] = self._review(saying)
            self._say_what_waits()
        elif self._told[saying.number].outcome == "refused":
            return
        elif (revealed := self._revealed) or not saying.waits:
            at = max(saying.at, revealed) if revealed and saying.waits else saying.at
            self._answer(saying, self._part(saying, at))
        else:
            self._waiting.append(saying)

    def _say_what_waits(self) -> None:
        if self._revealed is not None:
            waiting, self._waiting = self._waiting, []
            for saying in waiting:
                self._answer(saying, self._part(saying, self._revealed))

    def _answer(self, saying: Saying, part: PartTold) -> None:
        told = self._told[saying.number]
        self._told[saying.number] = dataclasses.replace(told, parts=(*told.parts, part))

    def _review(self, saying: Saying) -> ReviewTold:
        review, number = saying.review, saying.number
        place = f"reviews[{number}]"
        owner = person_on(review.by, self._line.order)
        files = self._besides.clean(review.media, owner)
        key = self._besides.keys.get(owner)
        by = self._by(review.by, saying.at, writes=review.text is not None or bool(files))
        said = submit_review(review, review_id_of(self._id, review.by), key, files)
        outcome, problem = self._try(Sent(said, by), f"review/{review.by}", place)
        if problem is not None:
            return ReviewTold(by=review.by, outcome=outcome, problem=problem)
        parts = [
            PartTold(name=each.name, outcome="refused", problem=each.why) for each in review.refused
        ]
        if review.media:
            problem = missing(review.media, files, f"{place}.media")
            of_files: LineOutcome = "refused" if problem else outcome
            parts.append(PartTold(name="media", outcome=of_files, problem=problem))
        return ReviewTold(by=review.by, outcome=outcome, parts=tuple(parts))

    def _part(self, saying: Saying, at: datetime) -> PartTold:
        """What becomes of a part that is said then."""
        name, side = saying.name, saying.review.by
        assert name
        wrote = OTHER[side] if name == "reply" else side
        owner = person_on(wrote, self._line.order)
        if (key := self._besides.keys.get(owner)) is None:
            return PartTold(name=name, outcome="refused", problem=SubjectErased())
        review_id, place = review_id_of(self._id, side), f"reviews[{saying.number}].{name}"
        part_id = derived_id(TOLD, f"{review_id}/{name}")
        lost: Refused | None = None
        said: Struct
        match saying.part:
            case Replied(text=text):
                said = PublishReply(review_id=review_id, reply_id=part_id, text=key.unsealed(text))
            case FollowedUp(text=text, media=media):
                files = self._besides.clean(media, owner)
                lost = missing(media, files, f"{place}.media")
                said = AppendFollowUp(
                    review_id=review_id,
                    followup_id=part_id,
                    text=key.unsealed(text),
                    **sealed_files(key, files),
                )
            case WasRestricted() as restricted:
                said = RestrictReview(
                    review_id=review_id,
                    ground=restricted.ground,
                    rule_ids=tuple(restricted.rule_ids),
                    facts=key.unsealed(restricted.facts),
                    explanation=RESTRICTED_ELSEWHERE,
                    measures=tuple(restricted.measures),
                )
            case None:
                raise AssertionError(saying)
        by = self._by(wrote, at, writes=True)
        if name == "restricted":
            by = structs.replace(by, actor=self._teller.moderator)
        outcome, problem = self._try(Sent(said, by), f"review/{side}/{name}", place)
        if problem is None and lost is not None:
            return PartTold(name=name, outcome="refused", problem=lost)
        return PartTold(name=name, outcome=outcome, problem=problem)

    def _by(self, side: Side, at: datetime, *, writes: bool) -> Sender:
        known = structs.replace(
            self._known(at),
            rating_right_lost=self._of_order.measure_on(side, at),
            # Whoever writes has a key, but for those who were erased.
            erased=side in self._of_order.erased
            or (writes and person_on(side, self._line.order) not in self._besides.keys),
        )
        return By(actor=self._teller.sides[side], now=at, known=known)

    def _try(
        self, sent: EvaluationCommand, what: str, place: str
    ) -> tuple[LineOutcome, Refused | None]:
        """What became of a command about the evaluation, and why it was refused if it was."""
        ask = self._asked(self._evaluation, sent, what)
        try:
            changed = self._decide(EVALUATIONS, ask)
        except InvalidValue as refused:
            return "refused", as_told(refused, place)
        except Refused as refused:
            return "refused", kept(refused)
        return "accepted" if changed else "unchanged", None

    def _known(self, at: datetime) -> Known:
        order = self._decisions.state(ORDERS, self._order)
        assert isinstance(order, Placed)
        self._facts.pairs.take_in(self._decisions.planned)
        return self._facts.known(order, at, self._policies)

    def _asked[C: Command](self, stream: str, command: C, what: str) -> Ask[C]:
        told_at = command.now.isoformat()
        return Ask(
            stream=stream,
            command=command,
            cause=derived_id(TOLD, f"{stream}/{what}/{told_at}"),
            correlation=self._id,
            states_time=True,
            traceparent=self._teller.traceparent,
        )

    def _decide[S, C: Command, E: Struct](self, decider: Decider[S, C, E], ask: Ask[C]) -> bool:
        """Decides, reacts and keeps the deadlines; whether anything came of it."""
        first = len(self._decisions.planned)
        self._decisions.decide(decider, ask)
        planned = self._decisions.planned[first:]
        for each in planned:
            self._arm(each.stream, each.event, each.event_id, told=True)
            self._note_reveal(each.event, each.time)
            open_disputes = self._of_order.open_disputes(each.time)
            known = Known(policies=self._policies, open_disputes=open_disputes)
            for reaction in on_order(each, known):
                self._decide(EVALUATIONS, reaction)
        return bool(planned)

    def _note_reveal(self, event: object, at: datetime) -> None:
        if isinstance(event, ReviewsRevealed):
            self._revealed = at

    def _arm(self, stream: str, event: Any, event_id: str, *, told: bool) -> None:  # noqa: ANN401
        for timer in timers_of(event):
            if isinstance(timer, Arm):
                self._armed[stream, timer.name] = ArmedTimer(
                    due=timer.due, armed_by=event_id, told=told
                )
            else:
                self._armed.pop((stream, timer.name), None)


def sayings_of(number: int, review: SoundReview) -> Iterator[Saying]:
    """The review and its parts, none of them before it."""
    written_at = review.said.at
    yield Saying(at=written_at, number=number, review=review)
    for name, part in review.parts.items():
        at = max(part.at, written_at)
        yield Saying(at=at, number=number, review=review, name=name, part=part)


def missing(named: Sequence[str], found: Sequence[MediaFile], place: str) -> InvalidValue | None:
    """What is wrong with files that a review cannot have: it comes without them."""
    good = [file.media_id for file in found]
    errors = [
        FieldError(field=f"{place}[{n}]", bound=FILE)
        for n, media_id in enumerate(named)
        if media_id not in good or media_id in named[:n]
    ]
    return InvalidValue(errors=errors) if errors else None
