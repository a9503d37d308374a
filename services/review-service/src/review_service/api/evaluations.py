"""Evaluations as the edge has them: read for somebody, and asked in somebody's name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from fastapi import Response
from msgspec import Struct, structs
from shared_casework.callers import PARTIES
from shared_casework.casework import Casework
from shared_casework.parties import side_for
from shared_events.envelope import Recorded
from shared_events.review import (
    EvaluationEvent,
    ReviewFlagged,
    ReviewSubmitted,
    ReviewWeighted,
    Side,
)
from shared_runtime.commands import CommandRequest
from shared_runtime.decider import Actor, Decider, NotFound
from shared_runtime.keys import KeyStore
from shared_runtime.log import (
    AlsoWrite,
    AnyUnderLock,
    Decisions,
    Log,
    Planned,
    UnderLock,
    database_of,
)
from shared_runtime.media import MediaFile, MediaStore
from shared_runtime.rule import By, Sent

from review_service.api.callers import existing
from review_service.domain.double_blind import SubmitReview
from review_service.domain.evaluation_state import Evaluation, Revealed
from review_service.domain.flags import FlagReview
from review_service.domain.known import Known, Sender
from review_service.domain.order import Order, Placed
from review_service.domain.order_rules import ORDERS
from review_service.domain.policy import Policies
from review_service.domain.readers import Reading, read_by, side_told_of
from review_service.domain.rules import EVALUATIONS, RULES, EvaluationCommand
from review_service.domain.streams import evaluation_stream, order_stream
from review_service.domain.subject import SIDES, sender_of
from review_service.fact_rows import flagger, write_flags, write_reviews
from review_service.facts import (
    Facts,
    Parties,
    flagged_lately,
    is_erased,
    lock_flaggers,
    read_facts,
)
from review_service.pairs import Pair, lock_pairs, read_pairs, write_pairs
from review_service.refs import Refs, find_review
from review_service.views import evaluation_view

type History = Sequence[Recorded[EvaluationEvent]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """Somebody who acts on an order's evaluation: who, when, and what is known of it besides.

    `stranger_to`: the `ref` of the review that he acts on, if the order is not there for him.
    `states_time`: he tells when it was.
    """

    order: Placed
    by: Sender
    stranger_to: str | None = None
    states_time: bool = False

    @property
    def order_id(self) -> str:
        return self.order.placed.order_id

    @property
    def actor(self) -> Actor:
        return self.by.actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluations(Casework):
    """All that the routes about evaluations and reviews need."""

    policies: Policies
    keys: KeyStore
    media: MediaStore
    refs: Refs

    async def read(self, order_id: str) -> tuple[Order, History]:
        """The order, and what has happened to its evaluation."""
        names = order_stream(order_id), evaluation_stream(order_id)
        of_order, of_evaluation = map((await self.log.read(names)).get, names, ([], []))
        order = ORDERS.fold(recorded.event for recorded in of_order)
        return order, of_evaluation

    async def find(self, ref: str) -> tuple[Placed, History, Side]:
        """The order, the evaluation and the side of a review. Raises `NotFound`."""
        if (found := await find_review(self.pool, self.refs.digest(ref))) is None:
            raise NotFound
        order, history = await self.read(found.order_id)
        if not found.is_it:
            raise NotFound
        return existing(order), history, found.side

    async def facts(self, order: Placed, now: datetime) -> Facts:
        """What other streams tell of an order and of its parties."""
        order_id = order.placed.order_id
        return await read_facts({order_id: Parties.of(order.placed)}, {order_id: now}, self.pool)

    async def by(self, actor: Actor, order: Placed, now: datetime, *, flags: bool = True) -> Sender:
        """Somebody before the order's evaluation, with what keeps him from acting. Without `flags`,
        how often he has flagged is asked for where it counts.
        """
        facts = await self.facts(order, now)
        of_order = facts.of(order.placed.order_id)
        side = side_for(actor, order.parties)
        flagging = flags and actor.acts_as in RULES[FlagReview].roles
        known = structs.replace(
            facts.known(order, now, self.policies),
            rating_right_lost=of_order.measure_on(side, now) if side else None,
            erased=side in of_order.erased if side else await self._is_erased(actor),
            flagged_today_at=await self._flagged_lately(actor, now) if flagging else (),
        )
        return By(actor=actor, now=now, known=known)

    async def _is_erased(self, actor: Actor) -> bool:
        """Whether a reader with an account, who is no party, was erased."""
        if actor.acts_as not in PARTIES:
            return False
        return await is_erased(flagger(*sender_of(actor)), self.pool)

    async def _flagged_lately(self, actor: Actor, now: datetime) -> tuple[datetime, ...]:
        return await flagged_lately(flagger(*sender_of(actor)), now, self.pool)

    async def shown_to(self, actor: Actor, order: Placed, history: History) -> Response:
        """An evaluation for somebody who reads it, with what he can do about it now."""
        reading = read_by(actor, [recorded.event for recorded in history])
        by = await self.by(actor, order, self.now())
        view = evaluation_view(order.placed.order_id, reading, by, self.refs.of)
        return await self.answer(view, version=reading.version)

    async def run(
        self,
        request: CommandRequest,
        before: Before,
        said: Struct,
        view: Callable[[Reading], object] | None,
        files: Sequence[MediaFile],
    ) -> Response:
        """Decides a command and answers with the evaluation as its sender may see it then."""

        def shown(events: Sequence[EvaluationEvent]) -> object:
            reading = read_by(before.actor, events)
            if view:
                return view(reading)
            by = structs.replace(before.by, now=self.now())
            return evaluation_view(before.order_id, reading, by, self.refs.of)

        response = await self.commands.run_seen(
            request,
            rehearsal(before) if request.validate_only else EVALUATIONS,
            Sent(said, before.by),
            stream=evaluation_stream(before.order_id),
            correlation=before.order_id,
            shown=shown,
            version_of=lambda events: read_by(before.actor, events).version,
            states_time=before.states_time,
            under_lock=under_lock(Sent(said, before.by), before.order),
            also_write=AlsoWrite(write=self.write_beside, about=files)
            if writes_beside(said, files)
            else None,
        )
        return await self.opener.response(response)

    async def write_beside(
        self, log: Log, told: Sequence[tuple[Sequence[MediaFile], Sequence[Planned]]]
    ) -> None:
        """Has reviews found by their `ref`, flags and weights counted, and files stay, from the
        moment on that an event tells of them.
        """
        db = database_of(log)
        came = [each for _, planned in told for each in planned]
        await write_reviews(came, db)
        await write_flags(came, db)
        await write_pairs(came, db)
        if kept := [file.media_id for files, _ in told for file in files]:
            await self.media.refer(kept, db)


# --- What a dry run tells


def rehearsal(before: Before) -> Decider[Evaluation, EvaluationCommand, EvaluationEvent]:
    """Decides without telling a side of the other, or a stranger of the order."""

    def decide(state: Evaluation, sent: EvaluationCommand) -> list[EvaluationEvent]:
        events = EVALUATIONS.decide(state, sent)
        if before.stranger_to:
            return [nameless(event, before.stranger_to) for event in events]
        if sent.actor.acts_as in SIDES and not isinstance(state, Revealed):
            return [event for event in events if is_of_one_side(event, sent.actor)]
        return events

    return replace(EVALUATIONS, decide=decide)


def nameless(event: EvaluationEvent, ref: str) -> EvaluationEvent:
    """The review by its `ref`, and nothing of order and buyer: its id follows from the order's."""
    return structs.replace(event, order_id=ref, buyer_id=ref, review_id=ref)


def is_of_one_side(event: EvaluationEvent, actor: Actor) -> bool:
    """Not what is recorded of a side because the other has written."""
    return side_told_of(event) == actor.acts_as and not isinstance(event, ReviewWeighted)


# --- What is read and written in the transaction that decides


async def count_flags(
    decisions: Decisions, told: Sequence[tuple[str, EvaluationCommand]]
) -> list[EvaluationCommand]:
    """Tells a flag of its sender's others; his next one is decided when this one is recorded."""
    db = database_of(decisions.log)
    assert db is not None
    return [
        knowing(sent, flagged_today_at=await flagged_lately(who, sent.now, db))
        for who, sent in told
    ]


async def read_others(
    decisions: Decisions, told: Sequence[tuple[Placed, EvaluationCommand]]
) -> list[EvaluationCommand]:
    """Tells a review of the others of its pair; the next of these is decided when it is there."""
    db = database_of(decisions.log)
    assert db is not None
    asked = {order.placed.order_id: pair_of(order) for order, _ in told}
    at = {order.placed.order_id: sent.now for order, sent in told}
    pairs = await read_pairs(asked, at, db)
    known: list[EvaluationCommand] = []
    for order, sent in told:
        facts = sent.by.known.facts
        assert facts is not None
        others = pairs.of(order.placed.order_id, *pair_of(order))
        known.append(knowing(sent, facts=structs.replace(facts, pair=others)))
    return known


def pair_of(order: Placed) -> Pair:
    return order.placed.buyer_id, order.placed.seller_id


def under_lock(sent: EvaluationCommand, order: Placed) -> AnyUnderLock[EvaluationCommand] | None:
    """What may not change until the events of a command are there, if there is anything."""
    match sent.said:
        case FlagReview():
            who = flagger(*sender_of(sent.actor))
            return UnderLock(lock=lock_flaggers, key=who, read=count_flags, about=who)
        case SubmitReview():
            return UnderLock(lock=lock_pairs, key=pair_of(order), read=read_others, about=order)
        case _:
            return None


def knowing(sent: EvaluationCommand, **more: Any) -> EvaluationCommand:  # noqa: ANN401
    """The same, with more that is known."""
    known: Known = structs.replace(sent.by.known, **more)
    return Sent(sent.said, structs.replace(sent.by, known=known))


WRITTEN = {ReviewSubmitted, ReviewWeighted, ReviewFlagged}
"""What others have to find from the moment on that it is recorded."""


def writes_beside(said: Struct, files: Sequence[MediaFile]) -> bool:
    return bool(files) or not WRITTEN.isdisjoint(RULES[type(said)].events)
