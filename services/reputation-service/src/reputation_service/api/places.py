"""A path in, the account or case that it leads to and who stands before it out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Response
from msgspec import Struct
from pydantic import Field
from shared_casework.callers import PARTIES, party
from shared_events.fields import Party
from shared_runtime.auth import Caller
from shared_runtime.commands import CommandRequest
from shared_runtime.decider import Actor, NotFound, Role
from shared_runtime.doors import Arrival, View
from shared_runtime.fields import Body, IdStr
from shared_runtime.keys import key_to_tell
from shared_runtime.media import MediaFile
from shared_runtime.sealing import PersonKey
from shared_runtime.shape import Purpose

from reputation_service.api.matters import Arrived, Matter, Matters
from reputation_service.domain.case_opening import OpenCase
from reputation_service.domain.streams import case_stream


class ErasureBody(Body):
    """Who is to be forgotten: as a buyer, or as a seller."""

    account_kind: Annotated[Party, Field(examples=["BUYER"])]
    account_id: Annotated[IdStr, Field(examples=["B-42"])]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatterPlace:
    """Somebody before a matter."""

    matters: Matters
    arrived: Arrived

    @property
    def gives(self) -> Mapping[str, object]:
        return {}

    async def key(self, sealed_for: str, said: Mapping[str, object]) -> PersonKey | None:  # noqa: ARG002
        """The holder writes with his own; what staff tell him is sealed with it too."""
        matter = self.arrived.matter
        if self.arrived.actor.acts_as in PARTIES:
            return await self.matters.keys.key_of(matter.person)
        return await key_to_tell(self.matters.keys, matter.person)

    async def files(self, ids: Sequence[str], purpose: Purpose) -> Sequence[MediaFile]:
        return await self.matters.media.clean(self.arrived.matter.person, ids, purpose)

    async def run(
        self,
        request: CommandRequest,
        said: Struct,
        view: View | None,  # noqa: ARG002 - all that the place shows
        files: Sequence[MediaFile],
    ) -> Response:
        arrived = self.arrived
        if isinstance(said, OpenCase):
            matter = replace(arrived.matter, stream=case_stream(said.case_id))
            arrived = replace(arrived, matter=matter)
        return await self.matters.run(request, arrived, said, files)


@dataclass(frozen=True, slots=True)
class ToSuspect:
    """For whoever opens a case against somebody."""

    matters: Matters
    gives: frozenset[str] = frozenset()
    body: type[Body] = Body
    also: tuple[Role, ...] = ()

    async def __call__(self, arrival: Arrival) -> MatterPlace:
        body = arrival.body
        kind: Party = getattr(body, "account_kind")  # noqa: B009 - bodies are made of commands
        holder_id: str = getattr(body, "account_id")  # noqa: B009
        return place(self.matters, await self.matters.suspicion(kind, holder_id), arrival)


@dataclass(frozen=True, slots=True)
class ToCase:
    """For the accused and for staff. To others it is not there."""

    matters: Matters
    gives: frozenset[str] = frozenset()
    body: type[Body] = Body
    also: tuple[Role, ...] = ()

    async def __call__(self, arrival: Arrival) -> MatterPlace:
        return place(self.matters, await self.matters.case(arrival.path["case_id"]), arrival)


@dataclass(frozen=True, slots=True)
class ToAccount:
    """For staff, to the account of a seller or of a buyer."""

    matters: Matters
    side: Party
    name: str
    gives: frozenset[str] = frozenset()
    body: type[Body] = Body
    also: tuple[Role, ...] = ()

    async def __call__(self, arrival: Arrival) -> MatterPlace:
        matter = await self.matters.account(self.side, arrival.path[self.name])
        return place(self.matters, matter, arrival)


@dataclass(frozen=True, slots=True)
class ToForget:
    """For the privacy desk."""

    matters: Matters
    gives: frozenset[str] = frozenset()
    body: type[Body] = ErasureBody
    also: tuple[Role, ...] = ()

    async def __call__(self, arrival: Arrival) -> MatterPlace:
        body = arrival.body
        assert isinstance(body, ErasureBody)
        matter = await self.matters.account(body.account_kind, body.account_id)
        return place(self.matters, matter, arrival)


def place(matters: Matters, matter: Matter, arrival: Arrival) -> MatterPlace:
    actor = actor_of(arrival.caller, matter, arrival.door.roles)
    return MatterPlace(
        matters=matters, arrived=Arrived(matter=matter, actor=actor, now=matters.now())
    )


def actor_of(caller: Caller, matter: Matter, roles: Sequence[Role]) -> Actor:
    """As the holder if the door is for holders; else as staff. Raises `NotFound` for somebody
    else's.
    """
    staff: list[Role] = [role for role in roles if role in caller.roles and role not in PARTIES]
    if not staff:
        if actor := party(caller, matter.parties):
            return actor
        raise NotFound
    return caller.actor(*staff)
