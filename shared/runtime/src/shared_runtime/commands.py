"""An HTTP request that asks for a command in, the answer of what came of it out.

The one way for an api.py to run a command: a repeat gets the answer that was kept, a dry run the
events that would be recorded, everything else is decided and appended with its answer.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Request, Response
from msgspec import Raw, Struct
from shared_events.registry import encode_data

from shared_runtime.auth import caller_of
from shared_runtime.committing import Committer
from shared_runtime.decider import Command, Decider, Refused
from shared_runtime.idempotency import Kept, command_id, find_replies, fingerprint, idempotency_key
from shared_runtime.log import (
    AlreadyAnswered,
    AnyAlsoWrite,
    AnyUnderLock,
    Ask,
    Database,
    Handled,
    Log,
    Reply,
    StreamsUnreadable,
    VersionConflict,
    decided,
    read_stream,
)
from shared_runtime.problems import ConcurrentChange, PreconditionRequired, encode_json
from shared_runtime.reading import IfMatch, IfMatchRequired, answer, etag_of, reanswered
from shared_runtime.skew import ClockSkewed
from shared_runtime.telemetry import valid_traceparent
from shared_runtime.together import Together

REPLAYED = "Idempotent-Replayed"
"""The header of an answer that was given before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRequest:
    """What every request for a command carries besides its body."""

    id: UUID
    fingerprint: bytes
    expected: int | None
    validate_only: bool
    traceparent: str | None

    def require_version(self) -> None:
        """Raises `PreconditionRequired` without If-Match: where it depends on who asks. Where
        everybody has to say it, the route takes a `VersionedCommandRequest`, and its document
        tells.
        """
        if self.expected is None:
            raise PreconditionRequired


LOST_RACES = (VersionConflict, AlreadyAnswered)
NOT_RECORDED = (Refused, StreamsUnreadable, ClockSkewed, *LOST_RACES)
"""Whoever is told of one of these may have been answered before."""

type ValidateOnly = Annotated[bool, Query(description="Only tell which events would be recorded.")]


async def command_request(
    request: Request,
    key: Annotated[str, Depends(idempotency_key)],
    expected: IfMatch,
    *,
    validate_only: ValidateOnly = False,
) -> CommandRequest:
    """A dependency of every POST: see `AnyCommandRequest`."""
    return CommandRequest(
        id=command_id(caller_of(request).sub, key),
        fingerprint=await fingerprint(request, key),
        expected=expected,
        validate_only=validate_only,
        traceparent=valid_traceparent(request.headers.get("traceparent")),
    )


async def versioned_command_request(
    request: Request,
    key: Annotated[str, Depends(idempotency_key)],
    expected: IfMatchRequired,
    *,
    validate_only: ValidateOnly = False,
) -> CommandRequest:
    """A dependency of a POST that has to say which version it is about: see
    `VersionedCommandRequest`.
    """
    return await command_request(request, key, expected, validate_only=validate_only)


type AnyCommandRequest = Annotated[CommandRequest, Depends(command_request)]
type VersionedCommandRequest = Annotated[CommandRequest, Depends(versioned_command_request)]
"""For decisions of staff: a request without If-Match is refused, `PreconditionRequired`."""


class Commands:
    """Runs commands of HTTP on a log, each once per Idempotency-Key.

    `find` looks up the answer kept for a request.
    """

    def __init__(self, log: Log, find: Callable[[UUID], Awaitable[Kept | None]]) -> None:
        self._log = log
        self._find = find
        self._committer = Committer(log)

    async def run[S, C: Command, E: Struct](
        self,
        request: CommandRequest,
        decider: Decider[S, C, E],
        command: C,
        *,
        stream: str,
        correlation: str,
        view: Callable[[Handled[S, E]], object],
        status: int = 200,
        states_time: bool = False,
        version_of: Callable[[Sequence[E]], int] = len,
        under_lock: AnyUnderLock[C] | None = None,
        also_write: AnyAlsoWrite | None = None,
    ) -> Response:
        """The answer: `status` and the view of the state after, 200 if nothing changed.

        `view` gives anything that JSON can hold: dataclasses, structs, models, dicts. Its ETag is
        the version of the stream as its sender may see it: `version_of`, else all of it.
        `under_lock` reads and `also_write` writes what belongs to a command besides its stream; a
        dry run writes nothing.
        """
        ask = Ask(
            stream=stream,
            command=command,
            cause=str(request.id),
            correlation=correlation,
            expected=request.expected,
            states_time=states_time,
            traceparent=request.traceparent,
        )
        if request.validate_only:
            twin = await self._twin(request)
            return twin or await self._rehearse(decider, ask, version_of, under_lock)

        # Whether it is a repeat is not asked before: nearly none is. Of one, the append cannot be
        # taken twice; and it is asked before a refusal, or that nothing is left to do, is told.
        body, version = b"", 0

        def reply(outcome: Handled[S, E]) -> Reply:
            nonlocal body, version
            body, version = encode_json(view(outcome)), version_of(outcome.events)
            return Reply(
                request_id=request.id,
                fingerprint=request.fingerprint,
                status=status,
                etag=etag_of(version),
                body=body,
            )

        try:
            outcome = await self._committer.handle(
                decider,
                ask,
                reply=reply,
                under_lock=under_lock,
                also_write=also_write,
                version_of=version_of,
            )
        except NOT_RECORDED as failure:
            if twin := await self._twin(request):
                return twin
            if isinstance(failure, LOST_RACES):
                raise ConcurrentChange from failure
            raise
        if not outcome.recorded:
            twin = await self._twin(request)
            return twin or answer(view(outcome), version=version_of(outcome.events))
        return answer(
            Raw(body),
            status=status,
            version=version,
            headers={"Consistency-Token": outcome.token or ""},
        )

    async def run_seen[S, C: Command, E: Struct](
        self,
        request: CommandRequest,
        decider: Decider[S, C, E],
        command: C,
        *,
        stream: str,
        correlation: str,
        shown: Callable[[Sequence[E]], object],
        version_of: Callable[[Sequence[E]], int],
        sees: bool = True,
        states_time: bool = False,
        under_lock: AnyUnderLock[C] | None = None,
        also_write: AnyAlsoWrite | None = None,
    ) -> Response:
        """As `run`, about a matter of which its sender may not see all: `shown` is what he sees of
        it after these events. `sees`: he has seen a version of it; if not, he is told why it is not
        for him, whatever version he expects.
        """
        response = await self.run(
            request if sees else replace(request, expected=None),
            decider,
            command,
            stream=stream,
            correlation=correlation,
            view=lambda outcome: shown(outcome.events),
            status=201,
            states_time=states_time,
            version_of=version_of,
            under_lock=under_lock,
            also_write=also_write,
        )
        if REPLAYED not in response.headers:
            return response
        # Kept is what could be seen then: meanwhile more may have come to light, or have been taken
        # from view.
        events: list[E] = [each.event for each in await read_stream(self._log, stream)]
        return reanswered(response, shown(events), version_of(events))

    async def _twin(self, request: CommandRequest) -> Response | None:
        """The answer of the same request that was first."""
        kept = await self._find(request.id)
        return replayed(kept.matching(request.fingerprint)) if kept else None

    async def _rehearse[S, C: Command, E: Struct](
        self,
        decider: Decider[S, C, E],
        ask: Ask[C],
        version_of: Callable[[Sequence[E]], int],
        under_lock: AnyUnderLock[C] | None,
    ) -> Response:
        decisions = await decided(self._log, decider, ask, version_of, under_lock)
        events = [planned.event for planned in decisions.planned]
        return answer({"events": [Raw(encode_data(event)) for event in events]})


def commands_on(log: Log, db: Database) -> Commands:
    """Commands on a log whose answers are kept in this database."""
    return Commands(log, Together("kept answers", partial(find_replies, db)).ask)


def replayed(kept: Kept) -> Response:
    """The answer that the first of equal requests was given."""
    headers = {REPLAYED: "true", "ETag": kept.etag, "Consistency-Token": kept.token}
    return Response(
        kept.body,
        kept.status,
        headers={name: value for name, value in headers.items() if value is not None},
        media_type="application/json",
    )
