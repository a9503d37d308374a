"""A path in, the dispute, inquiry or order that it leads to and who stands before it out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import Response
from msgspec import Struct
from pydantic import Field
from shared_casework.callers import PersonBody, actor_of, stated
from shared_casework.casework import Before
from shared_casework.parties import side_for
from shared_casework.people import key_between, person_on
from shared_events.fields import Party
from shared_runtime.commands import CommandRequest
from shared_runtime.decider import Role
from shared_runtime.doors import Arrival, View
from shared_runtime.fields import Body, IdStr
from shared_runtime.media import MediaFile
from shared_runtime.sealing import PersonKey
from shared_runtime.shape import Purpose

from dispute_service.api.matters import BeforeMatter, Matter, MatterKind, Matters
from dispute_service.domain.adjudication import AssignAdjudicator


class OpeningBody(PersonBody):
    """What a buyer sends who opens something: of which order it is."""

    order_id: Annotated[IdStr, Field(examples=["O-1001"])]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatterPlace:
    """Somebody before a matter. `id_of`: of a command that opens one, the id that it gets."""

    matters: Matters
    before: BeforeMatter
    id_of: Callable[[Any], str] | None = None

    @property
    def gives(self) -> Mapping[str, object]:
        return {}

    @property
    def side(self) -> Party | None:
        return side_for(self.before.actor, self.before.matter.parties)

    async def key(self, sealed_for: str, said: Mapping[str, object]) -> PersonKey | None:  # noqa: ARG002
        return await key_between(self.before.matter.order, self.side, sealed_for, self.matters.keys)

    async def files(self, ids: Sequence[str], purpose: Purpose) -> Sequence[MediaFile]:
        side = self.side
        if side is None:  # only parties bring files
            return []
        return await self.matters.media.clean(
            person_on(side, self.before.matter.order), ids, purpose
        )

    async def run(
        self,
        request: CommandRequest,
        said: Struct,
        view: View | None,  # noqa: ARG002 - all that the place shows
        files: Sequence[MediaFile],
    ) -> Response:
        before = self.before
        if isinstance(said, AssignAdjudicator):
            said = await self.matters.as_on_roster(said)
        if self.id_of:
            before = replace(before, matter=replace(before.matter, matter_id=self.id_of(said)))
        return await self.matters.run(request, before, said, files)


@dataclass(frozen=True, slots=True)
class ToOrder:
    """For a buyer who opens something on his order. To others the order is not there."""

    matters: Matters
    kind: MatterKind
    id_of: Callable[[Any], str]
    gives: frozenset[str] = frozenset()
    body: type[Body] = OpeningBody
    also: tuple[Role, ...] = ("IMPORTER",)

    async def __call__(self, arrival: Arrival) -> MatterPlace:
        body = arrival.body
        assert isinstance(body, OpeningBody)
        matter = await self.matters.to_begin(self.kind, body.order_id)
        return MatterPlace(
            matters=self.matters, before=before(self.matters, matter, arrival), id_of=self.id_of
        )


@dataclass(frozen=True, slots=True)
class ToMatter:
    """For the parties of a dispute or an inquiry, and for staff. To others it is not there."""

    matters: Matters
    kind: MatterKind
    name: str
    gives: frozenset[str] = frozenset()
    body: type[Body] = PersonBody
    also: tuple[Role, ...] = ("IMPORTER",)

    async def __call__(self, arrival: Arrival) -> MatterPlace:
        matter = await self.matters.find(self.kind, arrival.path[self.name])
        return MatterPlace(matters=self.matters, before=before(self.matters, matter, arrival))


def before(matters: Matters, matter: Matter, arrival: Arrival) -> BeforeMatter:
    """Who arrives, as a party if the door is for parties; else as staff."""
    body = arrival.body
    assert isinstance(body, PersonBody)
    actor = actor_of(arrival.caller, matter.parties, arrival.door.roles, body)
    now = stated(body.at, matters.now(), may_state=actor.role == "IMPORTER")
    by = matters.by(actor, matter, now)
    return Before(matter=matter, by=by, states_time=body.at is not None)
