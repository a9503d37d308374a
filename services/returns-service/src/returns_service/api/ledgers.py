"""The ledgers of orders in their streams, and somebody who acts on one or reads it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import Response
from msgspec import Struct
from shared_casework.casework import Before, Casework, History, Kind
from shared_casework.parties import Account, parties_of, side_for
from shared_casework.party_orgs import PartyOrg, org_of, write_orgs
from shared_runtime.commands import CommandRequest
from shared_runtime.decider import Actor, NotFound
from shared_runtime.log import (
    AlsoWrite,
    AnyAlsoWrite,
    Log,
    Planned,
    database_of,
    read_stream,
)
from shared_runtime.rule import By

from returns_service.domain.known import Sender
from returns_service.domain.ledger_readers import ledger_read_by
from returns_service.domain.ledger_rules import LEDGERS
from returns_service.domain.policy import Policies
from returns_service.domain.streams import ledger_stream
from returns_service.facts import NOTHING, FactsOf, read_facts
from returns_service.views import ledger_view

LEDGER = Kind(decider=LEDGERS, read_by=ledger_read_by, view=ledger_view)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerOfOrder:
    """One of these in its order: what has happened to it, and to whom it belongs."""

    kind: Kind
    stream: str
    order_id: str
    parties: frozenset[Account]
    of_order: FactsOf
    history: History = ()

    @property
    def correlation(self) -> str:
        return self.order_id

    @property
    def events(self) -> list[Any]:
        return [recorded.event for recorded in self.history]


type BeforeLedger = Before[LedgerOfOrder]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledgers(Casework):
    """All that the routes about ledgers need."""

    policies: Policies

    async def of_order(self, order_id: str) -> LedgerOfOrder:
        """Also one that is yet to be opened. Raises `NotFound` where its order is not known."""
        history = await read_stream(self.log, ledger_stream(order_id))
        of_order = (await read_facts([order_id], self.pool)).get(order_id, NOTHING)
        if history:
            opened = history[0].event
            parties = parties_of(buyer_id=opened.buyer_id, seller_id=opened.seller_id)
        elif of_order.order:
            parties = of_order.order.parties
        else:
            raise NotFound
        return LedgerOfOrder(
            kind=LEDGER,
            stream=ledger_stream(order_id),
            order_id=order_id,
            parties=parties,
            of_order=of_order,
            history=history,
        )

    def by(self, actor: Actor, ledger: LedgerOfOrder, now: datetime) -> Sender:
        side = side_for(actor, ledger.parties)
        return By(actor=actor, now=now, known=ledger.of_order.known(self.policies, side))

    async def shown_to(self, actor: Actor, ledger: LedgerOfOrder) -> Response:
        return await self.show(ledger, self.by(actor, ledger, self.now()))

    async def run(self, request: CommandRequest, before: BeforeLedger, said: Struct) -> Response:
        return await self.decide(request, before, said, also_write=also_write(before))


def also_write(before: BeforeLedger) -> AnyAlsoWrite | None:
    """Has it known who has acted for a party, from the moment on that an event tells of it."""
    org = org_of(before.actor, before.matter.order_id)
    return AlsoWrite(write=write_actors, about=org) if org else None


async def write_actors(log: Log, told: Sequence[tuple[PartyOrg, Sequence[Planned]]]) -> None:
    db = database_of(log)
    assert db is not None
    await write_orgs((org for org, _ in told), db)
