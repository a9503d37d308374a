"""A projection that follows Kafka against COPY of the rows that it makes."""

from uuid import uuid4

import asyncpg
from review_service.projections import NEUTRALITY
from review_service.projections.neutrality import TreatedReview
from shared_events import review
from shared_runtime.delivery import NO_CHAIN
from shared_runtime.projections import create_projections, subscription_of
from shared_runtime.sources import KafkaLog
from shared_runtime.subscription import Runner

from bench.measure import Comparison
from bench.relaying import relay_everything
from bench.world import BATCH_OF_REVIEWS, World, submitted_reviews

EVENTS = 60_000
COLUMNS = TreatedReview.__struct_fields__
START_OVER = "UPDATE es.cursor SET position = 0, chain_hash = $2 WHERE subscription = $1"
LIVE = f"{NEUTRALITY.name}_g1.treated_reviews"


async def project(world: World) -> Comparison:
    """How reviews were treated: a row for each event, from the first to the last record."""
    owner = await asyncpg.connect(world.database.owner_url)
    world.at_end.push_async_callback(owner.close)
    await create_projections(owner, [NEUTRALITY])
    await owner.execute(f"CREATE TABLE raw.treated_reviews (LIKE {LIVE} INCLUDING ALL)")
    for first in range(0, EVENTS, BATCH_OF_REVIEWS):
        await world.log.append(submitted_reviews(first, BATCH_OF_REVIEWS))
    await relay_everything(world)
    source = KafkaLog(world.kafka, f"bench-{uuid4().hex}", (review.TOPIC,))
    world.at_end.push_async_callback(source.close)
    subscription = subscription_of(NEUTRALITY, 1, live=True)
    runner = Runner(subscription=subscription, source=source, pool=world.pool)
    rows: list[tuple[object, ...]] = []

    async def before(_: int) -> None:
        if not rows:
            await runner.start()
            await ours(0)
            made = await owner.fetch(f"SELECT {', '.join(COLUMNS)} FROM {LIVE}")  # noqa: S608
            rows.extend(tuple(row) for row in made)
        await owner.execute(f"TRUNCATE {LIVE}, raw.treated_reviews")
        await owner.execute(START_OVER, subscription.name, NO_CHAIN)
        await runner.start()

    async def ours(_: int) -> int:
        done = 0
        while done < EVENTS:
            done += await runner.turn()
        return done

    async def raw(_: int) -> int:
        await owner.copy_records_to_table(
            "treated_reviews", schema_name="raw", columns=COLUMNS, records=rows
        )
        return EVENTS

    return Comparison(
        name="projection, Kafka to rows",
        against="asyncpg COPY of the same rows into the same indexes",
        unit="events/s",
        at_least=0.5,
        ours=ours,
        raw=raw,
        before=before,
    )
