"""The ledgers of orders in their streams, and somebody who acts on one or reads it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
from fastapi import Response
from msgspec import Struct, structs
from shared_casework.parties import PARTIES, Account, parties_of, side_for
from shared_casework.party_orgs import PartyOrg, write_orgs
from shared_events.envelope import Recorded
from shared_runtime.clock import Clock
from shared_runtime.commands import CommandRequest, Commands
from shared_runtime.decider import Actor, Decider, NotFound
from shared_runtime.history import EventPage, Reading, event_page, readable_history
from shared_runtime.log import (
    AlsoWrite,
    AnyAlsoWrite,
    Log,
    Planned,
    database_of,
    read_stream,
)
from shared_runtime.reading import Cursors, answer
from shared_runtime.rule import By, Sent

from returns_service.domain.known import Sender
from returns_service.domain.ledger_readers import ledger_read_by
from returns_service.domain.ledger_rules import LEDGERS
from returns_service.domain.policy import Policies
from returns_service.domain.streams import ledger_stream
from returns_service.facts import NOTHING, FactsOf, read_facts
from returns_service.views import ledger_view

type History = Sequence[Recorded[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What makes a ledger one."""

    name: str
    decider: Decider[Any, Any, Any]
    stream: Callable[[str], str]
    read_by: Callable[[Actor, Sequence[Any]], Reading]
    view: Callable[[Any, Sender], object]


LEDGER = Kind(
    name="ledger",
    decider=LEDGERS,
    stream=ledger_stream,
    read_by=ledger_read_by,
    view=ledger_view,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """One of these in its order: what has happened to it, and to whom it belongs."""

    kind: Kind
    matter_id: str
    order_id: str
    parties: frozenset[Account]
    of_order: FactsOf
    history: History = ()

    @property
    def events(self) -> list[Any]:
        return [recorded.event for recorded in self.history]


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """Somebody before a matter: who, when, and what is known besides. `states_time`: he tells when
    it was.
    """

    matter: Matter
    by: Sender
    states_time: bool = False

    @property
    def actor(self) -> Actor:
        return self.by.actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Matters:
    """All that the routes about ledgers need."""

    log: Log
    pool: asyncpg.Pool
    commands: Commands
    policies: Policies
    cursors: Cursors
    now: Clock

    async def ledger_of(self, order_id: str) -> Matter:
        """Also one that is yet to be opened. Raises `NotFound` where its order is not known."""
        history = await read_stream(self.log, LEDGER.stream(order_id))
        of_order = (await read_facts([order_id], self.pool)).get(order_id, NOTHING)
        if history:
            opened = history[0].event
            parties = parties_of(buyer_id=opened.buyer_id, seller_id=opened.seller_id)
        elif of_order.order:
            parties = of_order.order.parties
        else:
            raise NotFound
        return Matter(
            kind=LEDGER,
            matter_id=order_id,
            order_id=order_id,
            parties=parties,
            of_order=of_order,
            history=history,
        )

    def by(self, actor: Actor, matter: Matter, now: datetime) -> Sender:
        side = side_for(actor, matter.parties)
        return By(actor=actor, now=now, known=matter.of_order.known(self.policies, side))

    async def shown_to(self, actor: Actor, matter: Matter) -> Response:
        """A matter for somebody who reads it, with what he can do about it now."""
        reading = matter.kind.read_by(actor, matter.events)
        if reading.reader is None:
            raise NotFound
        view = matter.kind.view(reading, self.by(actor, matter, self.now()))
        return answer(view, version=reading.version)

    async def history_of(
        self, actor: Actor, matter: Matter, limit: int, cursor: str | None
    ) -> Response:
        """A page of what has happened to it, as somebody may know it."""
        reading = matter.kind.read_by(actor, matter.events)
        if reading.reader is None:
            raise NotFound
        of = f"events of {matter.kind.name} {matter.matter_id}"
        known = readable_history(matter.history, reading, actor)
        page: EventPage = event_page(known, of, limit, cursor, self.cursors)
        return answer(page)

    async def run(self, request: CommandRequest, before: Before, said: Struct) -> Response:
        """Decides a command and answers with the matter as its sender may see it then."""
        matter, actor = before.matter, before.actor
        kind, stream = matter.kind, matter.kind.stream(matter.matter_id)

        def shown(events: Sequence[Any]) -> object:
            by = structs.replace(before.by, now=self.now())
            return kind.view(kind.read_by(actor, events), by)

        return await self.commands.run_seen(
            request,
            kind.decider,
            Sent(said, before.by),
            stream=stream,
            correlation=matter.order_id,
            shown=shown,
            version_of=lambda events: kind.read_by(actor, events).version,
            sees=not matter.history or kind.read_by(actor, matter.events).reader is not None,
            states_time=before.states_time,
            also_write=also_write(before),
        )


def also_write(before: Before) -> AnyAlsoWrite | None:
    """Has it known who has acted for a party, from the moment on that an event tells of it."""
    return AlsoWrite(write=write_actors, about=org) if (org := org_of(before)) else None


def org_of(before: Before) -> PartyOrg | None:
    """The organisation that acts for a party of the order. An importer acts for everybody: his
    organisation is nobody's.
    """
    actor = before.actor
    if actor.role not in PARTIES or actor.org_id is None:
        return None
    return PartyOrg(order_id=before.matter.order_id, org_id=actor.org_id)


async def write_actors(log: Log, told: Sequence[tuple[PartyOrg, Sequence[Planned]]]) -> None:
    db = database_of(log)
    assert db is not None
    await write_orgs((org for org, _ in told), db)
