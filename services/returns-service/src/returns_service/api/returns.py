"""Returns in their streams, and somebody who acts on one or reads it.

What is decided on a return is decided on what there is of its order by then: under the lock of the
order, with the facts read again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from fastapi import Response
from msgspec import Struct
from shared_casework.casework import Before, Casework, History, Kind
from shared_casework.order_facts import OrderFacts
from shared_casework.order_locks import lock_orders
from shared_casework.parties import Account, side_for
from shared_casework.party_orgs import PartyOrg, org_of, write_orgs
from shared_events.returns import WithdrawalDeclared
from shared_runtime.auth import Caller
from shared_runtime.commands import CommandRequest
from shared_runtime.decider import Actor, NotFound
from shared_runtime.keys import KeyStore
from shared_runtime.log import (
    AlsoWrite,
    AnyUnderLock,
    Decisions,
    Log,
    Planned,
    UnderLock,
    database_of,
    read_stream,
)
from shared_runtime.media import MediaFile, MediaStore
from shared_runtime.rule import By, Sent

from returns_service.domain.known import Sender
from returns_service.domain.policy import Policies
from returns_service.domain.return_readers import return_read_by
from returns_service.domain.return_rules import RETURNS
from returns_service.domain.streams import return_stream
from returns_service.facts import NOTHING, FactsOf, read_facts
from returns_service.return_rows import write_returns
from returns_service.return_views import return_view


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnOfOrder:
    """A return in its order: what has happened to it, and to whom it belongs."""

    return_id: str
    of_order: FactsOf
    history: History = ()

    @property
    def kind(self) -> Kind:
        """Its files are for the adjudicator who has the dispute about it."""
        adjudicators = self.of_order.adjudicators_of(self.return_id)
        read_by = partial(return_read_by, adjudicators=adjudicators)
        return Kind(decider=RETURNS, read_by=read_by, view=return_view)

    @property
    def stream(self) -> str:
        return return_stream(self.return_id)

    @property
    def order(self) -> OrderFacts:
        assert self.of_order.order is not None
        return self.of_order.order

    @property
    def correlation(self) -> str:
        return self.order.order_id

    @property
    def parties(self) -> frozenset[Account]:
        return self.order.parties

    @property
    def events(self) -> list[Any]:
        return [recorded.event for recorded in self.history]


type BeforeReturn = Before[ReturnOfOrder]


@dataclass(frozen=True, slots=True)
class Beside:
    """Who has done what is recorded, with which files."""

    before: BeforeReturn
    files: Sequence[MediaFile]

    @property
    def org(self) -> PartyOrg | None:
        return org_of(self.before.actor, self.before.matter.order.order_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Returns(Casework):
    """All that the routes about returns need."""

    policies: Policies
    keys: KeyStore
    media: MediaStore

    async def find(self, return_id: str, caller: Caller) -> ReturnOfOrder:
        """Raises `NotFound`; also where it is none of what the caller's token is for."""
        history = await read_stream(self.log, return_stream(return_id))
        if not history:
            raise NotFound
        begun = history[0].event
        if caller.scopes and not isinstance(begun, WithdrawalDeclared):
            raise NotFound
        return replace(await self.to_begin(begun.order_id, caller, return_id), history=history)

    async def to_begin(self, order_id: str, caller: Caller, return_id: str = "") -> ReturnOfOrder:
        """One that is not there yet. Raises `NotFound` where its order is not known, or is another
        than the caller's token is for.
        """
        if not caller.reaches(order_id):
            raise NotFound
        of_order = (await read_facts([order_id], self.pool)).get(order_id)
        if of_order is None or of_order.order is None:
            raise NotFound
        return ReturnOfOrder(return_id=return_id, of_order=of_order)

    def by(self, actor: Actor, matter: ReturnOfOrder, now: datetime) -> Sender:
        side = side_for(actor, matter.parties)
        known = matter.of_order.known_of_return(
            now,
            self.policies,
            side,
            return_id=matter.return_id,
            history=matter.history,
        )
        return By(actor=actor, now=now, known=known)

    async def shown_to(self, actor: Actor, matter: ReturnOfOrder) -> Response:
        return await self.show(matter, self.by(actor, matter, self.now()))

    async def run(
        self,
        request: CommandRequest,
        before: BeforeReturn,
        said: Struct,
        files: Sequence[MediaFile],
    ) -> Response:
        return await self.decide(
            request,
            before,
            said,
            under_lock=self.under_lock(before.matter),
            also_write=AlsoWrite(write=self.write_beside, about=Beside(before, files)),
        )

    def under_lock(self, matter: ReturnOfOrder) -> AnyUnderLock[Any]:
        """A piece is in one return: whoever decides on one sees what all others have recorded."""
        return UnderLock(
            lock=lock_orders, key=matter.correlation, read=self.read_again, about=matter
        )

    async def read_again(
        self, decisions: Decisions, told: Sequence[tuple[ReturnOfOrder, Sent[Any, Any]]]
    ) -> list[Sent[Any, Any]]:
        """What all there is of their orders tells by now."""
        db = database_of(decisions.log)
        assert db is not None
        facts = await read_facts([matter.correlation for matter, _ in told], db)
        asked: list[Sent[Any, Any]] = []
        for matter, sent in told:
            now = replace(
                matter,
                of_order=facts.get(matter.correlation, NOTHING),
                history=decisions.history(matter.stream),
            )
            asked.append(Sent(sent.said, self.by(sent.actor, now, sent.now)))
        return asked

    async def write_beside(
        self, log: Log, told: Sequence[tuple[Beside, Sequence[Planned]]]
    ) -> None:
        """Has others find what a return has, who has acted for a party, and files stay, from the
        moment on that an event tells of them.
        """
        db = database_of(log)
        assert db is not None
        await write_returns((each for _, planned in told for each in planned), log)
        await write_orgs((org for about, _ in told if (org := about.org)), db)
        if files := [file.media_id for about, _ in told for file in about.files]:
            await self.media.refer(files, db)
