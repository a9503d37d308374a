"""A path in, the evaluation or the review that it leads to and who stands before it out.

A party writes about his order; anybody with an account flags what everybody may read; staff
decide. Who flags need not be a party of the order, and nothing that he is told shows it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Response
from msgspec import Struct
from shared_casework.callers import PARTIES, PersonBody, author, party, stated
from shared_casework.people import person_on
from shared_events.review import Restriction, Side
from shared_events.sealed import parts_of
from shared_runtime.commands import CommandRequest
from shared_runtime.decider import Actor, NotFound, Role
from shared_runtime.doors import Arrival, View
from shared_runtime.fields import Body
from shared_runtime.keys import key_to_tell, new_key
from shared_runtime.media import MediaFile
from shared_runtime.sealing import PersonKey, person_of
from shared_runtime.shape import Purpose

from review_service.api.callers import existing, read_order
from review_service.api.evaluations import Before, Evaluations
from review_service.domain.evaluation_state import Unopened
from review_service.domain.flags import FLAG_REVIEW
from review_service.domain.readers import Reading, read_by
from review_service.domain.review_state import part_of
from review_service.domain.streams import review_id_of
from review_service.domain.subject import Subject, is_there_for


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationPlace:
    """A party of an order before its evaluation, or an importer on his behalf."""

    evaluations: Evaluations
    before: Before
    review_id: str

    @property
    def gives(self) -> Mapping[str, object]:
        return {"review_id": self.review_id}

    @property
    def account(self) -> str:
        return person_on(side_of(self.before.actor), self.before.order.placed)

    async def key(self, sealed_for: str, said: Mapping[str, object]) -> PersonKey:  # noqa: ARG002
        return await self.evaluations.keys.key_of(self.account)

    async def files(self, ids: Sequence[str], purpose: Purpose) -> Sequence[MediaFile]:
        return await self.evaluations.media.clean(self.account, ids, purpose)

    async def run(
        self, request: CommandRequest, said: Struct, view: View | None, files: Sequence[MediaFile]
    ) -> Response:
        return await self.evaluations.run(
            request, self.before, said, shown(self, said, view), files
        )


@dataclass(frozen=True, slots=True)
class ToEvaluation:
    """For a party of the order. To others the order is not there."""

    evaluations: Evaluations
    gives: frozenset[str] = frozenset({"review_id"})
    body: type[Body] = PersonBody
    also: tuple[Role, ...] = ("IMPORTER",)

    async def __call__(self, arrival: Arrival) -> EvaluationPlace:
        body, path, at = arrival.body, arrival.path, self.evaluations
        assert isinstance(body, PersonBody)
        order_id = path["order_id"]
        order = existing(await read_order(at.log, order_id))
        actor = author(arrival.caller, order.parties, body)
        now = stated(body.at, at.now(), may_state=actor.role == "IMPORTER")
        before = Before(
            order=order,
            by=await at.by(actor, order, now),
            states_time=body.at is not None,
        )
        review_id = path.get("review_id") or review_id_of(order_id, side_of(actor))
        return EvaluationPlace(evaluations=at, before=before, review_id=review_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewPlace:
    """Somebody before a review that he may act on, his own or anybody's."""

    evaluations: Evaluations
    before: Before
    subject: Subject
    ref: str
    appeal_id: str | None

    @property
    def gives(self) -> Mapping[str, object]:
        return {"review_id": self.subject.review.review_id}

    async def key(self, sealed_for: str, said: Mapping[str, object]) -> PersonKey:
        if sealed_for == "WRITER":
            return await self.evaluations.keys.key_of(person_of(self.before.actor))
        return await self._key_of_recipient(said)

    async def _key_of_recipient(self, said: Mapping[str, Any]) -> PersonKey:
        """Of whoever is told why: the appellant, unless a flagger was right; else who wrote it."""
        at, order = self.evaluations, self.before.order
        if self.appeal_id is None:
            measures: Sequence[Restriction] = said["measures"]
            writer = self.subject.writer_of(part_of(measures))
            return await key_to_tell(at.keys, person_on(writer, order.placed))
        if (appeal := self.subject.review.appeals.get(self.appeal_id)) is None:
            raise NotFound
        lodged = appeal.lodged
        if (lodged.against, said["outcome"]) == ("KEPT", "REVERSED"):
            writer = self.subject.writer_of(lodged.part)
            return await key_to_tell(at.keys, person_on(writer, order.placed))
        key_id = parts_of(lodged.text).key_id
        known = await at.keys.keys([key_id])
        return known.get(key_id) or new_key(lodged.appellant_id)

    async def files(self, ids: Sequence[str], purpose: Purpose) -> Sequence[MediaFile]:
        return await self.evaluations.media.clean(person_of(self.before.actor), ids, purpose)

    async def run(
        self, request: CommandRequest, said: Struct, view: View | None, files: Sequence[MediaFile]
    ) -> Response:
        return await self.evaluations.run(
            request, self.before, said, shown(self, said, view), files
        )


@dataclass(frozen=True, slots=True)
class ToReview:
    """For a party of its order as that party, for staff, or for anybody.

    Before the reveal it is there for its author, and for those who look for fraud.
    """

    evaluations: Evaluations
    gives: frozenset[str] = frozenset({"review_id"})
    body: type[Body] = Body
    also: tuple[Role, ...] = ()

    async def __call__(self, arrival: Arrival) -> ReviewPlace:
        ref, at = arrival.path["ref"], self.evaluations
        order, history, side = await at.find(ref)
        of_order = party(arrival.caller, order.parties)
        actor = of_order or arrival.caller.actor(*arrival.door.roles)
        reading = read_by(actor, [recorded.event for recorded in history])
        subject = before_him(reading, side)
        is_stranger = of_order is None and actor.role in PARTIES
        before = Before(
            order=order,
            by=await at.by(actor, order, at.now(), flags=arrival.door.rule is not FLAG_REVIEW),
            stranger_to=ref if is_stranger else None,
        )
        return ReviewPlace(
            evaluations=at,
            before=before,
            subject=subject,
            ref=ref,
            appeal_id=arrival.path.get("appeal_id"),
        )


def before_him(reading: Reading, side: Side) -> Subject:
    """The review of a side, for somebody who may act on it. Raises `NotFound`."""
    state = reading.truth
    if isinstance(state, Unopened) or not is_there_for(state, side, reading.actor):
        raise NotFound
    return Subject(state=state, side=side, review=state.sheet.reviews[side])


def shown(place: object, said: Struct, view: View | None) -> Callable[[Reading], object] | None:
    return (lambda reading: view(place, said, reading)) if view else None


def side_of(actor: Actor) -> Side:
    return "BUYER" if actor.acts_as == "BUYER" else "SELLER"
