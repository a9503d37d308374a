"""A path in, the ledger that it leads to and who stands before it out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import Response
from msgspec import Struct
from shared_casework.callers import PersonBody, ToldBody, actor_of, feed_actor, stated
from shared_casework.casework import Before
from shared_runtime.commands import CommandRequest
from shared_runtime.decider import NotFound, Role
from shared_runtime.doors import Arrival, View
from shared_runtime.fields import Body
from shared_runtime.media import MediaFile
from shared_runtime.sealing import PersonKey
from shared_runtime.shape import Purpose

from returns_service.api.ledgers import BeforeLedger, Ledgers


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerPlace:
    """Somebody before the ledger of an order. In it are neither texts nor files."""

    ledgers: Ledgers
    before: BeforeLedger

    @property
    def gives(self) -> Mapping[str, object]:
        return {}

    async def key(self, sealed_for: str, said: Mapping[str, object]) -> PersonKey:  # noqa: ARG002
        raise AssertionError("nothing in a ledger is sealed")

    async def files(self, ids: Sequence[str], purpose: Purpose) -> Sequence[MediaFile]:  # noqa: ARG002
        raise AssertionError("a ledger has no files")

    async def run(
        self,
        request: CommandRequest,
        said: Struct,
        view: View | None,  # noqa: ARG002 - the ledger is always shown whole
        files: Sequence[MediaFile],  # noqa: ARG002
    ) -> Response:
        return await self.ledgers.run(request, self.before, said)


@dataclass(frozen=True, slots=True)
class AtLedger:
    """For the parties of an order, an importer on behalf of one, and staff. To others it is not
    there.
    """

    ledgers: Ledgers
    gives: frozenset[str] = frozenset()
    body: type[Body] = PersonBody
    also: tuple[Role, ...] = ("IMPORTER",)

    async def __call__(self, arrival: Arrival) -> LedgerPlace:
        ledger = await self.ledgers.of_order(arrival.path["order_id"])
        body = arrival.body
        assert isinstance(body, PersonBody)
        actor = actor_of(arrival.caller, ledger.parties, arrival.door.roles, body)
        now = stated(body.at, self.ledgers.now(), may_state=actor.role == "IMPORTER")
        by = self.ledgers.by(actor, ledger, now)
        return LedgerPlace(
            ledgers=self.ledgers,
            before=Before(matter=ledger, by=by, states_time=body.at is not None),
        )


@dataclass(frozen=True, slots=True)
class ToToldLedger:
    """For a bank's or the marketplace's connector, and an importer who speaks for one."""

    ledgers: Ledgers
    gives: frozenset[str] = frozenset()
    body: type[Body] = ToldBody
    also: tuple[Role, ...] = ("IMPORTER",)

    async def __call__(self, arrival: Arrival) -> LedgerPlace:
        ledger = await self.ledgers.of_order(arrival.path["order_id"])
        body, actor = arrival.body, feed_actor(arrival.caller)
        assert isinstance(body, ToldBody)
        if actor is None:
            raise NotFound
        now = stated(body.at, self.ledgers.now(), may_state=True)
        by = self.ledgers.by(actor, ledger, now)
        return LedgerPlace(
            ledgers=self.ledgers,
            before=Before(matter=ledger, by=by, states_time=body.at is not None),
        )
