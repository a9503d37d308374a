"""A walk over all sellers, a few in a transaction: how far it has come in, what is next out.

What a walk has done and how far it has come commit together, so that it goes on where it was
when its process ends; and a lock lets one process walk at a time.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from shared_runtime.bells import Doze
from shared_runtime.delivery import WORLD_FAILURES, Connection
from shared_runtime.log import VersionConflict
from shared_runtime.pausing import pause

from reputation_service.queries.scores import sellers_after

log = structlog.get_logger()

TRY_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended('sweep ' || $1, 0))"
READ = "SELECT goal, reached FROM ranking.sweep WHERE name = $1"
WRITE = """
    INSERT INTO ranking.sweep (name, goal, reached) VALUES ($1, $2, $3)
    ON CONFLICT (name) DO UPDATE SET goal = excluded.goal, reached = excluded.reached
"""
PACE = 9
PAUSE_SECONDS_MAX = 2.0
FIRST = ""
"""Before every id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """A walk: what for, and the last seller it has come to. None: it is done."""

    goal: str
    reached: str | None


async def try_lock(name: str, db: Connection) -> bool:
    """Whether this transaction is the one that walks now."""
    return bool(await db.fetchval(TRY_LOCK, name))


async def find(name: str, db: Connection) -> Sweep | None:
    """The walk of this name, if it was ever begun."""
    row = await db.fetchrow(READ, name)
    return None if row is None else Sweep(goal=row["goal"], reached=row["reached"])


async def step(name: str, sweep: Sweep, limit: int, db: Connection) -> tuple[list[str], Sweep]:
    """The sellers that are next, and the walk after them, which is stored."""
    if sweep.reached is None:
        return [], sweep
    sellers = await sellers_after(db, sweep.reached, limit)
    reached = sellers[-1] if len(sellers) == limit else None
    await db.execute(WRITE, name, sweep.goal, reached)
    return sellers, Sweep(goal=sweep.goal, reached=reached)


async def keep_going(
    name: str,
    turn: Callable[[], Awaitable[bool]],
    stop: asyncio.Event,
    *,
    doze: Doze,
) -> None:
    """Turns until `stop`, with a pause when a turn says that nothing is left to do.

    Before it dozes it rests `PACE` times as long as the turn took, up to `PAUSE_SECONDS_MAX`: what
    changes all the time is looked at less often, and the other loops of the process have their
    time.
    """
    clock = asyncio.get_running_loop().time
    while not stop.is_set():
        more, began_at = False, clock()
        try:
            more = await turn()
        except (*WORLD_FAILURES, VersionConflict) as failure:
            log.warning("sweep waits", sweep=name, failure=type(failure).__name__)
        if not more:
            await pause(stop, min(PACE * (clock() - began_at), PAUSE_SECONDS_MAX))
            await doze.pause(stop)
