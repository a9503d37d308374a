"""An address in, a pool of connections out, with a limit on everything one waits for."""

from typing import override

import asyncpg
from asyncpg.pool import PoolAcquireContext, PoolConnectionProxy

CONNECTIONS_MAX = 16
"""Of a process to its database, if it is not told another number."""
CONNECTIONS_MIN = 6
"""A worker keeps two, for its share of the log and for what it alone does; a turn may need two."""
KEYS_CONNECTIONS_MAX = 8
"""The same to the key database."""
PROBE_CONNECTIONS = 1
"""Beside those, for readiness alone."""
CONNECT_SECONDS_MAX = 5.0
STATEMENT_SECONDS_MAX = 10.0
FREE_SECONDS_MAX = STATEMENT_SECONDS_MAX
"""A connection is waited for no longer than a statement that has it may take."""
IDLE_SECONDS_MAX = 60
"""A transaction that does nothing for so long is ended: it would hold up all others, and keep
PostgreSQL from clearing away what is dead."""
USED_TIMES_MAX, UNUSED_SECONDS_MAX = 50_000, 300.0
"""Then a connection is made anew, as asyncpg has it."""
PLANS = {
    "enable_seqscan": "off",
    "idle_in_transaction_session_timeout": str(IDLE_SECONDS_MAX * 1000),
}
"""Whatever is asked again and again has an index, and plans are kept. One that was made while its
table was new reads all of it for ever after: as long as it is small that is the better plan.
"""


class NoneFree(asyncpg.InterfaceError):
    """All connections were in use for too long. (No TimeoutError: that is of what takes too long
    itself, and its key would be set aside.)
    """


class _Acquiring(PoolAcquireContext):
    @override
    async def __aenter__(self) -> PoolConnectionProxy:
        try:
            return await super().__aenter__()
        except TimeoutError as late:
            raise NoneFree("no connection was to be had in time") from late


class BoundedPool(asyncpg.Pool):
    """Whoever waits for a connection is told so after some time."""

    @override
    def acquire(self, *, timeout: float | None = None) -> PoolAcquireContext:
        return _Acquiring(self, timeout or FREE_SECONDS_MAX)


async def open_pool(url: str, *, size: int = CONNECTIONS_MAX) -> asyncpg.Pool:
    """A pool that connects when it is first used, and anew after the server was away.

    Statements are cancelled after `STATEMENT_SECONDS_MAX` and raise TimeoutError; who has had no
    connection for as long is told `NoneFree`. Whoever sets something for a session must undo it:
    connections come back to the pool as they are.
    """
    pool = BoundedPool(
        url,
        min_size=0,
        max_size=size,
        max_queries=USED_TIMES_MAX,
        max_inactive_connection_lifetime=UNUSED_SECONDS_MAX,
        loop=None,
        connection_class=asyncpg.Connection,
        record_class=asyncpg.Record,
        timeout=CONNECT_SECONDS_MAX,
        command_timeout=STATEMENT_SECONDS_MAX,
        reset=_leave_as_it_is,
        server_settings=PLANS,
    )
    return await pool


async def _leave_as_it_is(_: asyncpg.Connection) -> None:
    """Resetting costs a round trip a statement, a third of what a command costs; nothing here
    sets anything beyond a transaction.
    """
