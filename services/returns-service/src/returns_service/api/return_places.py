"""A path in, the return or the order that it leads to and who stands before it out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Annotated, Any

from fastapi import Response
from msgspec import Struct
from pydantic import Field
from shared_casework.callers import (
    PersonBody,
    ToldBody,
    actor_of,
    feed_actor,
    party,
    stated,
)
from shared_casework.casework import Before
from shared_casework.parties import side_for
from shared_casework.people import key_between, person_on
from shared_events.fields import Party
from shared_runtime.commands import CommandRequest
from shared_runtime.decider import Actor, NotFound, Role
from shared_runtime.doors import Arrival, View
from shared_runtime.fields import Body, IdStr
from shared_runtime.media import MediaFile
from shared_runtime.sealing import PersonKey
from shared_runtime.shape import Purpose

from returns_service.api.returns import BeforeReturn, ReturnOfOrder, Returns

NOTHING_GIVEN: Mapping[str, object] = {}


class OpeningBody(PersonBody):
    """What a buyer sends who asks for something: of which order it is."""

    order_id: Annotated[IdStr, Field(examples=["O-1001"])]


class PostedBody(PersonBody):
    """`proof_sha256`: the digest of the receipt of posting, which is kept by whoever has it."""

    proof_sha256: Annotated[str | None, Field(pattern="^[0-9a-f]{64}$")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnPlace:
    """Somebody before a return. `id_of`: of a command that begins one, the id that it gets."""

    returns: Returns
    before: BeforeReturn
    gives: Mapping[str, object] = field(default_factory=lambda: NOTHING_GIVEN)
    id_of: Callable[[Any], str] | None = None

    @property
    def side(self) -> Party | None:
        return side_for(self.before.actor, self.before.matter.parties)

    async def key(self, sealed_for: str, said: Mapping[str, object]) -> PersonKey | None:  # noqa: ARG002
        return await key_between(self.before.matter.order, self.side, sealed_for, self.returns.keys)

    async def files(self, ids: Sequence[str], purpose: Purpose) -> Sequence[MediaFile]:
        """A warehouse's photos are the seller's."""
        matter = self.before.matter
        side: Party = self.side or "SELLER"
        return await self.returns.media.clean(person_on(side, matter.order), ids, purpose)

    async def run(
        self,
        request: CommandRequest,
        said: Struct,
        view: View | None,  # noqa: ARG002 - all that the place shows
        files: Sequence[MediaFile],
    ) -> Response:
        before = self.before
        if self.id_of:
            before = replace(before, matter=replace(before.matter, return_id=self.id_of(said)))
        return await self.returns.run(request, before, said, files)


@dataclass(frozen=True, slots=True)
class ToOrder:
    """For a buyer who asks for something of his order. To others the order is not there."""

    returns: Returns
    gives: frozenset[str] = frozenset()
    body: type[Body] = OpeningBody
    also: tuple[Role, ...] = ("IMPORTER",)

    async def __call__(self, arrival: Arrival) -> ReturnPlace:
        body = arrival.body
        assert isinstance(body, OpeningBody)
        matter = await self.returns.to_begin(body.order_id, arrival.caller)
        return ReturnPlace(
            returns=self.returns,
            before=before(self.returns, matter, arrival),
            id_of=lambda said: said.return_id,
        )


@dataclass(frozen=True, slots=True)
class AtReturn:
    """For the parties of a return, and for staff. To others it is not there. `says`: what the body
    tells besides the fields of the command.
    """

    returns: Returns
    gives: frozenset[str] = frozenset()
    body: type[Body] = PersonBody
    also: tuple[Role, ...] = ("IMPORTER",)
    says: Callable[[Any], Mapping[str, object]] | None = None

    async def __call__(self, arrival: Arrival) -> ReturnPlace:
        matter = await self.returns.find(arrival.path["return_id"], arrival.caller)
        return ReturnPlace(
            returns=self.returns,
            before=before(self.returns, matter, arrival),
            gives=self.says(arrival.body) if self.says else NOTHING_GIVEN,
        )


def content_digest(body: Any) -> Mapping[str, object]:  # noqa: ANN401 - made of the command
    """Of what a buyer declares: his words as he sent them."""
    return {"content_sha256": sha256(body.content.encode()).hexdigest()}


def posting_proof(body: PostedBody) -> Mapping[str, object]:
    return {"proof_sha256": body.proof_sha256}


def somebody_tells(_: Body) -> Mapping[str, object]:
    """Whoever comes to say that it is there does not assume it: a deadline does."""
    return {"assumed": False}


@dataclass(frozen=True, slots=True)
class ToToldReturn:
    """For a carrier's, a warehouse's or a shop's connector, and an importer who speaks for one."""

    returns: Returns
    gives: frozenset[str] = frozenset()
    body: type[Body] = ToldBody
    also: tuple[Role, ...] = ("IMPORTER",)
    given: Mapping[str, object] = field(default_factory=lambda: NOTHING_GIVEN)

    async def __call__(self, arrival: Arrival) -> ReturnPlace:
        matter = await self.returns.find(arrival.path["return_id"], arrival.caller)
        body, actor = arrival.body, feed_actor(arrival.caller)
        assert isinstance(body, ToldBody)
        if actor is None:
            raise NotFound
        return ReturnPlace(
            returns=self.returns,
            before=standing(self.returns, matter, actor, body, may_state=True),
            gives=self.given,
        )


def before(returns: Returns, matter: ReturnOfOrder, arrival: Arrival) -> BeforeReturn:
    """Who arrives: as a party if the door is for parties; a warehouse where it is for one; else as
    staff.
    """
    body, caller = arrival.body, arrival.caller
    assert isinstance(body, PersonBody)
    is_feed = "SYSTEM" in arrival.door.roles and "SYSTEM" in caller.roles
    if is_feed and party(caller, matter.parties) is None:
        actor = caller.actor("SYSTEM")
        return standing(returns, matter, actor, body, may_state=True)
    actor = actor_of(caller, matter.parties, arrival.door.roles, body)
    return standing(returns, matter, actor, body, may_state=actor.role == "IMPORTER")


def standing(
    returns: Returns,
    matter: ReturnOfOrder,
    actor: Actor,
    body: PersonBody | ToldBody,
    *,
    may_state: bool,
) -> BeforeReturn:
    now = stated(body.at, returns.now(), may_state=may_state)
    return Before(matter=matter, by=returns.by(actor, matter, now), states_time=body.at is not None)
