"""Logs and who follows them in; what is done by hand when they are not one history, out."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import asyncpg
import typer
from typer import Argument, Option, Typer

from shared_cli import reach
from shared_cli.terminal import err, out

REFUSED = 1

app = Typer(
    no_args_is_help=True,
    help="What is done by hand after a restore, or when a topic was made anew: docs/running.md.",
)

Service = Annotated[str, Argument(help="review, dispute, returns or reputation.")]
SubscriptionName = Annotated[str, Argument(help="Who reads, as `aftersales_stopped_partitions`.")]
Topic = Annotated[str, Argument(help="The topic.")]

# A relay that has come further goes back; one that has not, stays.
AGAIN = """
    UPDATE es.cursor AS cursor
    SET position = $3::bigint - 1, chain_hash = coalesce(
        (SELECT event.chain_hash FROM es.event AS event
         WHERE event.topic = cursor.topic AND event.partition = cursor.partition
           AND event.position = $3 - 1), decode(repeat('00', 32), 'hex'))
    WHERE subscription = 'relay' AND topic = $1 AND ($2::int IS NULL OR partition = $2)
      AND position >= $3
    RETURNING partition
"""
EPOCHS = """
    SELECT head.partition, head.epoch, head.epoch_from, event.chain_hash
    FROM es.head AS head LEFT JOIN es.event AS event
        ON event.topic = head.topic AND event.partition = head.partition
        AND event.position = head.epoch_from
    WHERE head.topic = $1
"""
FOLLOW = """
    UPDATE es.cursor AS cursor
    SET position = told.since, epoch = told.epoch,
        chain_hash = coalesce(told.chain_hash, decode(repeat('00', 32), 'hex'))
    FROM (SELECT * FROM es.cursor WHERE subscription = $1 AND topic = $2 FOR UPDATE) AS was,
         unnest($3::int[], $4::uuid[], $5::bigint[], $6::bytea[])
             AS told (partition, epoch, since, chain_hash)
    WHERE cursor.subscription = $1 AND cursor.topic = $2 AND cursor.partition = told.partition
      AND was.partition = told.partition AND cursor.position > told.since
      AND cursor.epoch IS DISTINCT FROM told.epoch
    RETURNING cursor.partition, was.position - told.since AS events
"""
FROM_THE_BEGINNING = """
    UPDATE es.cursor
    SET position = 0, chain_hash = decode(repeat('00', 32), 'hex'), epoch = NULL
    WHERE subscription = $1 AND topic = $2 AND position > 0
    RETURNING partition
"""


@app.command()
def again(
    service: Service,
    topic: Topic,
    *,
    start: Annotated[int, Option("--from", min=1, help="The first position to be sent.")] = 1,
    partition: Annotated[int | None, Option(help="Only of this partition.")] = None,
) -> None:
    """Have the relay send events once more: to a topic that has lost what a consumer misses.

    Whoever has them passes over them. Exit code 1 when none has been sent yet.
    """
    done = asyncio.run(_changed(service, AGAIN, topic, partition, start))
    _tell(len(done), f"{len(done)} partitions are sent again from {start} within a minute")


@app.command()
def follow(service: Service, subscription: SubscriptionName, topic: Topic, source: Service) -> None:
    """Have a subscription follow the history that the log of `source` has gone on with.

    What it had applied of the one that is over stays applied: `aftersales audit verify` says which
    events these were. Stop its worker first. Exit code 1 when it is on that history already.
    """

    async def run() -> Sequence[asyncpg.Record]:
        async with reach.connected(source, reach.database(source)) as db:
            epochs = await db.fetch(EPOCHS, topic)
        columns = [list(column) for column in zip(*epochs, strict=True)] or [[], [], [], []]
        return await _changed(service, FOLLOW, subscription, topic, *columns)

    done = asyncio.run(run())
    for row in done:
        out.print(f"{topic}/{row['partition']}: {row['events']} events are of no history any more")
    _tell(len(done), f"{subscription} goes on with the log of {source}-service")


@app.command()
def reread(service: Service, subscription: SubscriptionName, topic: Topic) -> None:
    """Have a subscription read a topic of others from its beginning: it was made anew.

    What was taken in before is known by its ids. Stop its worker first. Exit code 1 when it has
    not begun.
    """
    done = asyncio.run(_changed(service, FROM_THE_BEGINNING, subscription, topic))
    _tell(len(done), f"{subscription} reads {topic} from its beginning")


async def _changed(service: str, change: str, *arguments: object) -> Sequence[asyncpg.Record]:
    async with reach.connected(service, reach.database(service)) as db:
        found: list[asyncpg.Record] = await db.fetch(change, *arguments)
        return found


def _tell(count: int, done: str) -> None:
    if not count:
        err.print("nothing is to be done", markup=False)
        raise typer.Exit(REFUSED)
    out.print(done, markup=False)
