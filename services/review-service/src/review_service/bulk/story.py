"""One line in, what its commands recorded on both of the order's streams out.

The commands are decided as if each had come when it happened: before each, the deadlines that
had passed by then are met, with their own instant as `now`; a completed order opens its
evaluation with the reaction that the worker has; at the end, what the line armed and the clock
has passed is met too. Causes are made of what is told and when, so that the ids of all events
are the same whenever, wherever and however often the line is told.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any, Literal, NamedTuple

from msgspec import Struct, structs
from shared_events.review import Side
from shared_runtime.decider import Actor, Command, Decider, InvalidValue, Refused
from shared_runtime.ids import derived_id
from shared_runtime.log import Ask, Decisions
from shared_runtime.rule import By, Sent
from shared_runtime.sealing import PersonKey
from shared_runtime.timers import Arm, TimerName, due_timer

from review_service.bulk.line import (
    Life,
    Line,
    RefusedLine,
    RefusedReview,
    Reviewed,
    as_told,
    submit_review,
    writer,
    writes_as,
)
from review_service.domain.completion import CancelOrder, CompleteOrder
from review_service.domain.fulfilment import MarkDelivered, MarkPaid, MarkShipped
from review_service.domain.known import Known
from review_service.domain.order import Placed
from review_service.domain.order_rules import ORDERS
from review_service.domain.policy import Policies
from review_service.domain.rules import EVALUATIONS
from review_service.domain.streams import evaluation_stream, order_stream, review_id_of
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

type LineOutcome = Literal["accepted", "unchanged", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Teller:
    """Who tells: of orders, and of each side's review on its behalf."""

    orders: Actor
    sides: dict[Side, Actor]
    traceparent: str | None = None


def importer(name: str, traceparent: str | None = None) -> Teller:
    """Somebody who brings a marketplace's history."""

    def on_behalf_of(role: Literal["SYSTEM", "BUYER", "SELLER"]) -> Actor:
        return Actor(role="IMPORTER", id=name, on_behalf_of=role)

    return Teller(
        orders=on_behalf_of("SYSTEM"),
        sides={"BUYER": on_behalf_of("BUYER"), "SELLER": on_behalf_of("SELLER")},
        traceparent=traceparent,
    )


def feed(name: str, traceparent: str | None = None) -> Teller:
    """A connector: it speaks for orders, and for nobody's opinion."""
    actor = Actor(role="SYSTEM", id=name)
    return Teller(orders=actor, sides={"BUYER": actor, "SELLER": actor}, traceparent=traceparent)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewTold:
    """What became of a review. `by` is None where it does not tell it."""

    by: Side | None
    outcome: LineOutcome
    problem: Refused | None = None


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
    keys: Mapping[str, PersonKey],
) -> LineTold:
    """Decides a line whose streams have been read; what it recorded is in `decisions`.

    `facts`: what is known of its order besides. `keys`: those of the people who write something.
    """
    story = Story(line.order_id, decisions, policies, teller, facts=facts)
    try:
        with decisions.all_or_nothing(streams_of(line)):
            changed = story.order(line.life)
    except Refused as refused:
        return refuse(line, kept(refused))
    reviews = story.reviews(line, keys)
    story.meet(now, told_alone=True)
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


class Story:
    """The two streams of an order, as a line goes through them."""

    def __init__(
        self,
        order_id: str,
        decisions: Decisions,
        policies: Policies,
        teller: Teller,
        *,
        facts: Facts,
    ) -> None:
        self._id = order_id
        self._facts = facts
        self._of_order = facts.of(order_id)
        self._order = order_stream(order_id)
        self._evaluation = evaluation_stream(order_id)
        self._decisions = decisions
        self._policies = policies
        self._teller = teller
        self._armed: dict[tuple[str, TimerName], ArmedTimer] = {}
        for stream in (self._order, self._evaluation):
            for recorded in decisions.history(stream):
                self._arm(stream, recorded.event, recorded.event_id, told=False)

    def order(self, life: Life) -> bool:
        """The order's life as far as it is told. Raises the refusal of a step that is refused."""
        changed = [self._step(step) for step in steps(life)]
        return any(changed)

    def reviews(self, line: Line, keys: Mapping[str, PersonKey]) -> list[ReviewTold]:
        """In the order in which they were written, answered in the order in which they stand."""
        answers: dict[int, ReviewTold] = {}
        sound: list[tuple[datetime, int, Reviewed]] = []
        for number, told in enumerate(line.reviews):
            if isinstance(told, RefusedReview):
                answers[number] = ReviewTold(by=told.by, outcome="refused", problem=told.why)
            else:
                sound.append((told.at, number, told))
        for _, number, told in sorted(sound, key=itemgetter(0, 1)):
            key = keys.get(writer(line.order, writes_as(told)))
            answers[number] = self._review(number, told, key)
        return [answers[number] for number in range(len(line.reviews))]

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

    def _step(self, step: Step) -> bool:
        """Whether anything came of a step."""
        self.meet(step.at)
        by = By(actor=self._teller.orders, now=step.at, known=Known(policies=self._policies))
        ask = self._asked(self._order, Sent(step.said, by), step.part)
        try:
            return self._decide(ORDERS, ask)
        except InvalidValue as refused:
            raise as_told(refused, step.part) from None

    def _review(self, number: int, told: Reviewed, key: PersonKey | None) -> ReviewTold:
        side = writes_as(told)
        self.meet(told.at)
        by = By(
            actor=self._teller.sides[side],
            now=told.at,
            known=structs.replace(
                self._known(told.at),
                rating_right_lost=self._of_order.measure_on(side, told.at),
                # Whoever writes has a key, but for those who were erased.
                erased=side in self._of_order.erased or (told.text is not None and key is None),
            ),
        )
        said = submit_review(told, review_id_of(self._id, side), key)
        ask = self._asked(self._evaluation, Sent(said, by), f"review/{side}")
        try:
            changed = self._decide(EVALUATIONS, ask)
        except InvalidValue as refused:
            problem = as_told(refused, f"reviews[{number}]")
            return ReviewTold(by=side, outcome="refused", problem=problem)
        except Refused as refused:
            return ReviewTold(by=side, outcome="refused", problem=kept(refused))
        return ReviewTold(by=side, outcome="accepted" if changed else "unchanged")

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
            open_disputes = self._of_order.open_disputes(each.time)
            known = Known(policies=self._policies, open_disputes=open_disputes)
            for reaction in on_order(each, known):
                self._decide(EVALUATIONS, reaction)
        return bool(planned)

    def _arm(self, stream: str, event: Any, event_id: str, *, told: bool) -> None:  # noqa: ANN401
        for timer in timers_of(event):
            if isinstance(timer, Arm):
                self._armed[stream, timer.name] = ArmedTimer(
                    due=timer.due, armed_by=event_id, told=told
                )
            else:
                self._armed.pop((stream, timer.name), None)
