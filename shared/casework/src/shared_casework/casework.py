"""Somebody before a matter in; what he may read of it, or what has come of his command, out.

A matter is what people have with each other in one stream: a dispute, a return, a case. A kind of
them has its rules, its readers and its view; how one is read, paged, decided and answered is the
same for all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import asyncpg
from fastapi import Response
from msgspec import Struct, structs
from shared_events.envelope import Recorded
from shared_runtime.clock import Clock
from shared_runtime.commands import CommandRequest, Commands
from shared_runtime.decider import Actor, Decider, NotFound
from shared_runtime.history import EventPage, Reading, event_page, readable_history
from shared_runtime.log import AnyAlsoWrite, AnyUnderLock, Log
from shared_runtime.reading import Cursors, answer
from shared_runtime.rule import By, Sent
from shared_runtime.sealing import Opener

type History = Sequence[Recorded[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What makes a dispute one, or a return: its rules, what of it is whose to know, and how what
    he may know is shown to somebody.
    """

    decider: Decider[Any, Any, Any]
    read_by: Callable[[Actor, Sequence[Any]], Reading]
    view: Callable[[Any, By[Any]], object]


class Matter(Protocol):
    """One of a kind."""

    @property
    def kind(self) -> Kind: ...
    @property
    def stream(self) -> str: ...
    @property
    def correlation(self) -> str: ...
    @property
    def history(self) -> History: ...
    @property
    def events(self) -> Sequence[Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Before[M: Matter]:
    """Somebody before a matter: who, when, and what is known besides. `states_time`: he tells when
    it was.
    """

    matter: M
    by: By[Any]
    states_time: bool = False

    @property
    def actor(self) -> Actor:
        return self.by.actor


def reading_of(actor: Actor, matter: Matter) -> Reading:
    """What somebody may know of it. Raises `NotFound` for whom it is not there."""
    reading = matter.kind.read_by(actor, matter.events)
    if reading.reader is None:
        raise NotFound
    return reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Casework:
    """All that it takes to read matters, and to act on them."""

    log: Log
    pool: asyncpg.Pool
    commands: Commands
    cursors: Cursors
    now: Clock
    opener: Opener

    async def show(self, matter: Matter, by: By[Any]) -> Response:
        """A matter for somebody who reads it, with what he can do about it now."""
        reading = reading_of(by.actor, matter)
        return await self.answer(matter.kind.view(reading, by), version=reading.version)

    async def history_of(
        self, actor: Actor, matter: Matter, limit: int, cursor: str | None
    ) -> Response:
        """A page of what has happened to it, as somebody may know it."""
        known = readable_history(matter.history, reading_of(actor, matter), actor)
        of = f"events of {matter.stream}"
        page: EventPage = event_page(known, of, limit, cursor, self.cursors)
        return await self.answer(page)

    async def decide(
        self,
        request: CommandRequest,
        before: Before[Any],
        said: Struct,
        *,
        decider: Decider[Any, Any, Any] | None = None,
        offered: By[Any] | None = None,
        under_lock: AnyUnderLock[Any] | None = None,
        also_write: AnyAlsoWrite | None = None,
    ) -> Response:
        """Decides a command and answers with the matter as its sender may see it then.

        `decider`: another than its kind's, for a dry run. `offered`: what is known where he is told
        what he can do, if it is not what the command is decided on.
        """
        matter: Matter = before.matter
        kind, actor = matter.kind, before.actor
        told = offered or before.by

        def shown(events: Sequence[Any]) -> object:
            return kind.view(kind.read_by(actor, events), structs.replace(told, now=self.now()))

        response = await self.commands.run_seen(
            request,
            decider or kind.decider,
            Sent(said, before.by),
            stream=matter.stream,
            correlation=matter.correlation,
            shown=shown,
            version_of=lambda events: kind.read_by(actor, events).version,
            sees=not matter.history or kind.read_by(actor, matter.events).reader is not None,
            states_time=before.states_time,
            under_lock=under_lock,
            also_write=also_write,
        )
        return await self.opener.response(response)

    async def answer(self, view: object, *, version: int | None = None) -> Response:
        """A view with the texts in it opened."""
        return await self.opener.response(answer(view, version=version))
