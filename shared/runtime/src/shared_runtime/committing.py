"""Commands in, each one's outcome out: those that arrive together are decided together.

One committer for each log of a process. While appends are under way the commands that come are
gathered; then their streams are read in one statement, each is decided in the order of arrival on
what the ones before it have left, and all are appended in one transaction with the answers to keep.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from msgspec import Struct, structs

from shared_runtime.decider import Command, Decider, Refused
from shared_runtime.log import (
    AnyAlsoWrite,
    AnyUnderLock,
    Ask,
    Decisions,
    Handled,
    Log,
    Planned,
    Reply,
    StreamsUnreadable,
    database_of,
    decide_as_seen,
    handle,
    outcome_of,
)
from shared_runtime.together import Claim, Together

PATIENCE_MS = 250
"""So long those who take a lock together wait for it; then each does by himself, for as long as it
takes, and nobody waits behind him."""
LANES = 2
"""One batch is decided while the database works on another."""
PATIENCE = "SELECT set_config('lock_timeout', $1, true)"

type Locks = Callable[[Sequence[Any], Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A command as it is to be handled: see `log.handle`."""

    decider: Decider[Any, Any, Any]
    ask: Ask[Any]
    reply: Callable[[Handled[Any, Any]], Reply] | None
    under_lock: AnyUnderLock[Any] | None
    also_write: AnyAlsoWrite | None
    version_of: Callable[[Sequence[Any]], int]

    @property
    def is_plain(self) -> bool:
        """Its stream is all that it reads and writes."""
        return self.under_lock is None and self.also_write is None


type Outcome = Handled[Any, Any]


class Committer:
    """Handles commands on a log, those that arrive together in one transaction.

    A refusal touches nobody else. Where the batch meets a key that is taken, or one of its members
    breaks it, each is decided again, by itself. Those that need a lock of one kind go together, and
    not with one that has to wait for it: no transaction holds locks of two kinds.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._plain = Together(
            "commands", self._commit, claim=claimed, alone=self._alone, lanes=LANES
        )
        self._under_lock: dict[Locks, Together[Member, Outcome]] = {}

    async def handle[S, C: Command, E: Struct](
        self,
        decider: Decider[S, C, E],
        ask: Ask[C],
        *,
        reply: Callable[[Handled[S, E]], Reply] | None = None,
        under_lock: AnyUnderLock[C] | None = None,
        also_write: AnyAlsoWrite | None = None,
        version_of: Callable[[Sequence[E]], int] = len,
    ) -> Handled[S, E]:
        """As `log.handle`; raises what that does."""
        line = self._line_of(under_lock.lock) if under_lock else self._plain
        return await line.ask(
            Member(
                decider=decider,
                ask=ask,
                reply=reply,
                under_lock=under_lock,
                also_write=also_write,
                version_of=version_of,
            )
        )

    def _line_of(self, lock: Locks) -> Together[Member, Outcome]:
        if lock not in self._under_lock:
            what = f"commands, {lock.__name__}"
            line = Together(what, self._commit_under_lock, claim=claimed, alone=self._alone)
            self._under_lock[lock] = line
        return self._under_lock[lock]

    async def _commit(self, members: Sequence[Member]) -> Sequence[Outcome | Exception]:
        if len(members) == 1:
            return [await self._told(members[0])]
        plain = all(member.is_plain for member in members)
        async with self._log.session() if plain else self._log.transaction() as session:
            return await committed(session, members)

    async def _commit_under_lock(self, members: Sequence[Member]) -> Sequence[Outcome | Exception]:
        async with self._log.transaction() as session:
            if db := database_of(session):
                await db.execute(PATIENCE, f"{PATIENCE_MS}ms")
            return await committed(session, members)

    async def _told(self, member: Member) -> Outcome | Exception:
        """What it raises is his: it is not to be done again."""
        try:
            return await self._alone(member)
        except Exception as failure:  # noqa: BLE001 - it is told
            return failure

    async def _alone(self, member: Member) -> Outcome:
        return await handle(
            self._log,
            member.decider,
            member.ask,
            reply=member.reply,
            under_lock=member.under_lock,
            also_write=member.also_write,
            version_of=member.version_of,
        )


def claimed(member: Member) -> Claim:
    """What a command is about, and what of it no other of its batch may be about.

    A request that came twice is to find the answer of the first. What is written beside a stream is
    written once for what came of it; and what is decided under a lock sees what was written.
    """
    stream: Hashable = ("stream", member.ask.stream)
    own: set[Hashable] = {("cause", member.ask.cause)}
    if not member.is_plain:
        own.add(stream)
    if member.under_lock:
        own.add((member.under_lock.lock, member.under_lock.key))
    return Claim(own=frozenset(own), shared=frozenset({stream} - own))


async def committed(log: Log, members: Sequence[Member]) -> list[Outcome | Exception]:
    """What came of each, or what refused it; with all that came of them recorded."""
    await take_locks(members, log)
    decisions = Decisions(log)
    await decisions.read(member.ask.stream for member in members)
    asks = await asked(members, decisions)
    outcomes: list[Outcome | Exception] = []
    came: list[tuple[Member, slice]] = []
    replies: list[Reply] = []
    for member, ask in zip(members, asks, strict=True):
        first = len(decisions.planned)
        outcome = decided_in_turn(decisions, member, ask)
        outcomes.append(outcome)
        of = slice(first, len(decisions.planned))
        came.append((member, of))
        if isinstance(outcome, Handled) and decisions.planned[of] and member.reply:
            last = decisions.planned[-1].event_id
            replies.append(replace(member.reply(outcome), of=last))
    await write_beside([(member, decisions.planned[of]) for member, of in came], log)
    recorded = await decisions.append(replies)
    for outcome, (_, of) in zip(outcomes, came, strict=True):
        if isinstance(outcome, Handled):
            outcome.recorded.extend(recorded[of])
    return outcomes


def decided_in_turn(decisions: Decisions, member: Member, ask: Ask[Any]) -> Outcome | Exception:
    """On what those before it have left; a refusal leaves it as they did."""
    try:
        with decisions.all_or_nothing([ask.stream]):
            decide_as_seen(decisions, member.decider, ask, member.version_of)
    except (Refused, StreamsUnreadable) as refused:
        return refused
    return outcome_of(decisions, member.decider, ask.stream)


async def take_locks(members: Iterable[Member], log: Log) -> None:
    """Of each kind all at once: in one order, as the kind has it."""
    keys: dict[Locks, list[Any]] = {}
    for member in members:
        if under := member.under_lock:
            keys.setdefault(under.lock, []).append(under.key)
    if db := database_of(log):
        for lock, of_kind in keys.items():
            await lock(of_kind, db)


async def asked(members: Sequence[Member], decisions: Decisions) -> list[Ask[Any]]:
    """What they ask, with what each has to know besides its stream: read for all of a kind at
    once.
    """
    asks = [member.ask for member in members]
    kinds: dict[Callable[..., Any], list[int]] = {}
    for number, member in enumerate(members):
        if under := member.under_lock:
            kinds.setdefault(under.read, []).append(number)
    for read, numbers in kinds.items():
        told = [(members[n].under_lock, asks[n].command) for n in numbers]
        commands = await read(decisions, [(under.about, said) for under, said in told if under])
        for number, command in zip(numbers, commands, strict=True):
            asks[number] = structs.replace(asks[number], command=command)
    return asks


async def write_beside(came: Iterable[tuple[Member, Sequence[Planned]]], log: Log) -> None:
    """What has to be there with the events that came of each: written for all of a kind at once."""
    kinds: dict[Callable[..., Any], list[tuple[Any, Sequence[Planned]]]] = {}
    for member, planned in came:
        if member.also_write and planned:
            kinds.setdefault(member.also_write.write, []).append((member.also_write.about, planned))
    for write, told in kinds.items():
        await write(log, told)
