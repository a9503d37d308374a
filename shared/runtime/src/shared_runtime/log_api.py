"""The service's own log over HTTP, page by page: for consumers that miss something, and auditors.

What is answered is what Kafka carries: the bytes of each event as they were hashed, as one text, so
that no reader of JSON writes them anew. Words that are sealed in the log are sealed here.
"""

from typing import Annotated

import asyncpg
from fastapi import Depends, Path, Query, Response
from msgspec import Struct
from shared_events.partition import PARTITIONS

from shared_runtime.auth import Caller, require
from shared_runtime.decider import NotFound, RoleNotAllowed
from shared_runtime.documents import answered
from shared_runtime.feed import LoggedEvent, LogPage
from shared_runtime.fields import IdStr
from shared_runtime.places import Places
from shared_runtime.problems import refusals
from shared_runtime.reading import answer
from shared_runtime.routers import Router

PAGE_EVENTS_MAX = 1_000
PAGE_BYTES_MAX = 1024 * 1024
"""Of bodies. A page has one event at least, however large."""
AT_ONCE_MAX = 2
"""So many pages are read at a time: who reads a whole log leaves connections to the others."""
OF_ONE_MAX = 1
"""Of those, one caller's: whoever asks for all of it at once keeps no consumer from healing."""
PATIENCE_SECONDS = 5.0
"""How long a page waits for its turn: for less than a consumer waits for an answer."""
POSITION_MAX = 2**53 - 1

HEADS = """
    SELECT topic, partition, position, encode(chain_hash, 'hex') AS chain_hash,
           epoch::text AS epoch, epoch_from
    FROM es.head ORDER BY topic, partition
"""
HEAD = """
    SELECT position, epoch::text AS epoch, epoch_from FROM es.head
    WHERE topic = $1 AND partition = $2
"""
PAGE = """
    SELECT position, chain_hash, body FROM (
        SELECT *, sum(octet_length(body)) OVER (ORDER BY position) AS bytes FROM (
            SELECT position, chain_hash, body FROM es.event
            WHERE topic = $1 AND partition = $2 AND position >= $3
            ORDER BY position LIMIT $4
        ) AS next
    ) AS counted
    WHERE bytes <= $5 OR position = $3
"""

type WhoReadsLogs = Annotated[Caller, Depends(require("CONSUMER", "AUDITOR"))]
type PartitionNumber = Annotated[
    int, Path(ge=0, lt=PARTITIONS, description="That of the events' key, as in Kafka.")
]
type FromPosition = Annotated[
    int,
    Query(alias="from", ge=1, le=POSITION_MAX, description="The first position that is wanted."),
]


class LogEnd(Struct, frozen=True, kw_only=True):
    """How far a partition of the log goes. `chain_hash`: of all of it, in hex, as `LoggedEvent` has
    it. `epoch`: which history it is; up to `epoch_from` it is the one before.
    """

    topic: str
    partition: int
    position: int
    chain_hash: str
    epoch: str
    epoch_from: int


class LogEnds(Struct, frozen=True, kw_only=True):
    partitions: list[LogEnd]


EPOCH = "0196f3a0-0000-7000-8000-000000000001"
EVENT = LoggedEvent(
    position=41,
    chain_hash="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    body='{"specversion":"1.0","id":"0196f3a0-1b2c-7def-8123-456789abcdef"}',
)
ENDS = LogEnds(
    partitions=[
        LogEnd(
            topic="orders.events",
            partition=7,
            position=41,
            chain_hash=EVENT.chain_hash,
            epoch=EPOCH,
            epoch_from=0,
        )
    ]
)
A_PAGE = LogPage(
    topic="orders.events", partition=7, epoch=EPOCH, epoch_from=0, head=41, events=[EVENT]
)


def log_router(pool: asyncpg.Pool) -> Router:
    router = Router("/v1/log", tags=["log"])
    places = Places(AT_ONCE_MAX, OF_ONE_MAX, PATIENCE_SECONDS)

    @router.get(
        "",
        summary="How far the log goes",
        description="For CONSUMER and AUDITOR. Of every partition of every topic of this service.",
        responses=refusals(RoleNotAllowed) | answered(LogEnds, example=ENDS),
    )
    async def get_log_ends(_: WhoReadsLogs) -> Response:
        return answer(LogEnds(partitions=[LogEnd(**row) for row in await pool.fetch(HEADS)]))

    @router.get(
        "/{topic}/{partition}",
        summary="Events of a partition of the log",
        description="For CONSUMER and AUDITOR. In the order of their positions, which have no "
        f"holes: {PAGE_EVENTS_MAX} of them or {PAGE_BYTES_MAX // 1024} KiB at most. What a "
        "consumer of the topic misses, because it was not kept for long enough or was lost, is "
        f"here; each of its own hashes must continue the one before. {AT_ONCE_MAX} are read at "
        f"once, {OF_ONE_MAX} of one caller's: who asks for more waits for his own, "
        f"{PATIENCE_SECONDS:.0f} seconds at most.",
        responses=refusals(RoleNotAllowed, NotFound) | answered(LogPage, example=A_PAGE),
    )
    async def get_log_page(
        topic: IdStr, partition: PartitionNumber, start: FromPosition, caller: WhoReadsLogs
    ) -> Response:
        async with places.one(caller.sub):
            head = await pool.fetchrow(HEAD, topic, partition)
            if head is None:
                raise NotFound
            wanted = (topic, partition, start, PAGE_EVENTS_MAX, PAGE_BYTES_MAX)
            rows = await pool.fetch(PAGE, *wanted)
        events = [
            LoggedEvent(
                position=row["position"],
                chain_hash=row["chain_hash"].hex(),
                body=row["body"].decode(),
            )
            for row in rows
        ]
        return answer(
            LogPage(
                topic=topic,
                partition=partition,
                epoch=head["epoch"],
                epoch_from=head["epoch_from"],
                head=max(head["position"], events[-1].position if events else 0),
                events=events,
            )
        )

    return router
