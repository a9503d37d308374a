"""Returns in their streams, and somebody who acts on one or reads it.

What is decided on a return is decided on what there is of its order by then: under the lock of the
order, with the facts read again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from fastapi import Response
from msgspec import Struct, structs
from shared_casework.order_locks import lock_orders
from shared_casework.parties import side_for
from shared_casework.party_orgs import write_orgs
from shared_events.fields import Party
from shared_events.returns import WithdrawalDeclared
from shared_runtime.auth import Caller
from shared_runtime.commands import CommandRequest
from shared_runtime.decider import Actor, NotFound, SubjectErased
from shared_runtime.history import EventPage, event_page, readable_history
from shared_runtime.keys import KeyStore, new_key
from shared_runtime.log import (
    AlsoWrite,
    AnyAlsoWrite,
    AnyUnderLock,
    Decisions,
    Log,
    Planned,
    UnderLock,
    database_of,
    read_stream,
)
from shared_runtime.media import MediaFile, MediaStore
from shared_runtime.reading import answer
from shared_runtime.rule import By, Sent
from shared_runtime.sealing import Opener, PersonKey, person

from returns_service.api.matters import Before, Kind, Matter, Matters, org_of
from returns_service.domain.known import Sender
from returns_service.domain.return_readers import ReturnReading, return_read_by
from returns_service.domain.return_rules import RETURNS
from returns_service.domain.streams import return_stream
from returns_service.facts import NOTHING, read_facts
from returns_service.return_rows import write_returns
from returns_service.return_views import return_view

RETURN = Kind(
    name="return",
    decider=RETURNS,
    stream=return_stream,
    read_by=return_read_by,
    view=return_view,
)


@dataclass(frozen=True, slots=True)
class Beside:
    """Who has done what is recorded, with which files."""

    before: Before
    files: Sequence[MediaFile]


@dataclass(frozen=True, slots=True, kw_only=True)
class Returns:
    """All that the routes about returns need."""

    matters: Matters
    keys: KeyStore
    opener: Opener
    media: MediaStore

    @property
    def log(self) -> Log:
        return self.matters.log

    def now(self) -> datetime:
        return self.matters.now()

    async def find(self, return_id: str, caller: Caller) -> Matter:
        """Raises `NotFound`; also where it is none of what the caller's token is for."""
        history = await read_stream(self.log, return_stream(return_id))
        if not history:
            raise NotFound
        begun = history[0].event
        if caller.scopes and not isinstance(begun, WithdrawalDeclared):
            raise NotFound
        return replace(await self.to_begin(begun.order_id, caller, return_id), history=history)

    async def to_begin(self, order_id: str, caller: Caller, return_id: str = "") -> Matter:
        """One that is not there yet. Raises `NotFound` where its order is not known, or is another
        than the caller's token is for.
        """
        if not caller.reaches(order_id):
            raise NotFound
        of_order = (await read_facts([order_id], self.matters.pool)).get(order_id)
        if of_order is None or of_order.order is None:
            raise NotFound
        return Matter(
            kind=RETURN,
            matter_id=return_id,
            order_id=order_id,
            parties=of_order.order.parties,
            of_order=of_order,
        )

    def by(self, actor: Actor, matter: Matter, now: datetime) -> Sender:
        side = side_for(actor, matter.parties)
        known = matter.of_order.known_of_return(
            now,
            self.matters.policies,
            side,
            return_id=matter.matter_id,
            history=matter.history,
        )
        return By(actor=actor, now=now, known=known)

    def account(self, side: Party, matter: Matter) -> str:
        """The person whose key seals what a party writes, or what it is told."""
        order = matter.of_order.order
        assert order
        if side == "BUYER":
            return person("buyer", order.buyer_id)
        return person("seller", order.seller_id)

    async def key_for(self, side: Party, matter: Matter) -> PersonKey:
        """The key of a party who is told something. Nobody can open what an erased one gets."""
        account = self.account(side, matter)
        try:
            return await self.keys.key_of(account)
        except SubjectErased:
            return new_key(account)

    # --- Reading

    def read_by(self, actor: Actor, matter: Matter, events: Sequence[Any]) -> ReturnReading:
        """These events of it as this actor may know them."""
        adjudicators = matter.of_order.adjudicators_of(matter.matter_id)
        return return_read_by(actor, events, adjudicators)

    async def shown_to(self, actor: Actor, matter: Matter) -> Response:
        """A return for somebody who reads it, with what he can do about it now."""
        reading = self.read_by(actor, matter, matter.events)
        if reading.reader is None:
            raise NotFound
        view = return_view(reading, self.by(actor, matter, self.now()))
        return await self.answer(view, version=reading.version)

    async def history_of(
        self, actor: Actor, matter: Matter, limit: int, cursor: str | None
    ) -> Response:
        """A page of what has happened to it, as somebody may know it."""
        reading = self.read_by(actor, matter, matter.events)
        if reading.reader is None:
            raise NotFound
        known = readable_history(matter.history, reading, actor)
        of = f"events of return {matter.matter_id}"
        page: EventPage = event_page(known, of, limit, cursor, self.matters.cursors)
        return await self.answer(page)

    async def answer(self, view: object, *, version: int | None = None) -> Response:
        """A view with the texts in it opened."""
        return await self.opener.response(answer(view, version=version))

    # --- Commands

    async def run(
        self, request: CommandRequest, before: Before, said: Struct, files: Sequence[MediaFile]
    ) -> Response:
        """Decides a command and answers with the return as its sender may see it then."""
        matter, actor = before.matter, before.actor
        stream = return_stream(matter.matter_id)

        def shown(events: Sequence[Any]) -> object:
            by = structs.replace(before.by, now=self.now())
            return return_view(self.read_by(actor, matter, events), by)

        response = await self.matters.commands.run_seen(
            request,
            RETURNS,
            Sent(said, before.by),
            stream=stream,
            correlation=matter.order_id,
            shown=shown,
            version_of=lambda events: return_read_by(actor, events).version,
            sees=not matter.history or return_read_by(actor, matter.events).reader is not None,
            states_time=before.states_time,
            under_lock=self.under_lock(matter),
            also_write=self.also_write(before, files),
        )
        return await self.opener.response(response)

    def under_lock(self, matter: Matter) -> AnyUnderLock[Any]:
        """A piece is in one return: whoever decides on one sees what all others have recorded."""
        return UnderLock(lock=lock_orders, key=matter.order_id, read=self.read_again, about=matter)

    async def read_again(
        self, decisions: Decisions, told: Sequence[tuple[Matter, Sent[Any, Any]]]
    ) -> list[Sent[Any, Any]]:
        """What all there is of their orders tells by now."""
        db = database_of(decisions.log)
        assert db is not None
        facts = await read_facts([matter.order_id for matter, _ in told], db)
        asked: list[Sent[Any, Any]] = []
        for matter, sent in told:
            now = replace(
                matter,
                of_order=facts.get(matter.order_id, NOTHING),
                history=decisions.history(return_stream(matter.matter_id)),
            )
            asked.append(Sent(sent.said, self.by(sent.actor, now, sent.now)))
        return asked

    def also_write(self, before: Before, files: Sequence[MediaFile]) -> AnyAlsoWrite:
        return AlsoWrite(write=self.write_beside, about=Beside(before, files))

    async def write_beside(
        self, log: Log, told: Sequence[tuple[Beside, Sequence[Planned]]]
    ) -> None:
        """Has others find what a return has, who has acted for a party, and files stay, from the
        moment on that an event tells of them.
        """
        db = database_of(log)
        assert db is not None
        await write_returns((each for _, planned in told for each in planned), log)
        await write_orgs((org for about, _ in told if (org := org_of(about.before))), db)
        if files := [file.media_id for about, _ in told for file in about.files]:
            await self.media.refer(files, db)
