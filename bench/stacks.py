"""What measurements of a whole stack share: one worker more, and waiting for others."""

import asyncio
from dataclasses import replace

import asyncpg
from local_stack import processes
from local_stack.services import Service

LOOK_SECONDS = 0.2


def replica_of(worker: Service) -> Service:
    """A second worker of the same service: one for each core of the least machine."""
    port = processes.free_port()
    return replace(
        worker,
        name=f"{worker.name}-2",
        port=port,
        log=worker.log.with_name(f"{worker.name}-2.log"),
        env={**worker.env, "AFTERSALES_WORKER_PORT": str(port)},
    )


async def until(db: asyncpg.Connection, counted: str, wanted: int) -> None:
    """Other processes are at work, and nothing tells when they have done it."""
    while await db.fetchval(counted) < wanted:  # noqa: ASYNC110
        await asyncio.sleep(LOOK_SECONDS)
