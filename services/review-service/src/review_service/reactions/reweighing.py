"""People whose right to rate has changed in, a deadline for each of their reviews out: in portions.

What a statement may take is bounded, what a person has written is not. A first portion comes with
the event, the others follow by themselves.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime

import asyncpg
import structlog
from shared_runtime.bells import IDLE_SECONDS_MAX
from shared_runtime.delivery import WORLD_FAILURES, Connection
from shared_runtime.pausing import pause
from shared_runtime.rows import columns

from review_service.domain.streams import evaluation_stream
from review_service.reactions.timers import REWEIGH

PORTION = 5_000

log = structlog.get_logger()

BEGIN = """
    INSERT INTO facts.reweighing (person, changed_at, event_id)
    SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::uuid[])
    ON CONFLICT (person) DO UPDATE
    SET changed_at = excluded.changed_at, event_id = excluded.event_id, order_id = '', side = '',
        review_id = ''
"""
# Through the timers, for they take a person's thousand reviews some hundreds at a time.
ARM_PORTION = f"""
    WITH person AS (
        SELECT * FROM facts.reweighing ORDER BY person LIMIT 1 FOR UPDATE SKIP LOCKED
    ), portion AS (
        SELECT review.order_id, review.side, review.review_id
        FROM person JOIN facts.review AS review
            ON review.author = person.person
            AND (review.order_id, review.side, review.review_id)
                > (person.order_id, person.side, person.review_id)
        ORDER BY review.order_id, review.side, review.review_id LIMIT $1
    ), armed AS (
        INSERT INTO es.timer (stream_id, name, due_at, armed_by)
        SELECT '{evaluation_stream("")}' || portion.order_id,
               '{REWEIGH}' || portion.side || '/' || portion.review_id,
               person.changed_at, person.event_id
        FROM portion, person
        ON CONFLICT (stream_id, name)
        DO UPDATE SET due_at = excluded.due_at, armed_by = excluded.armed_by,
                      retry_at = NULL, fault = NULL, faults = 0
    )
    SELECT person.person, (SELECT count(*) FROM portion) AS reviews, last.*
    FROM person LEFT JOIN LATERAL (
        SELECT order_id, side, review_id FROM portion
        ORDER BY order_id DESC, side DESC, review_id DESC LIMIT 1
    ) AS last ON true
"""  # noqa: S608 - constants of the code
GO_ON = """
    UPDATE facts.reweighing SET order_id = $2, side = $3, review_id = $4 WHERE person = $1
"""
DONE = "DELETE FROM facts.reweighing WHERE person = $1"


async def begin_to_reweigh(changed: Iterable[tuple[str, datetime, str]], db: Connection) -> None:
    """Has all reviews of people weighed again: who, when that was decided, by which event. What had
    begun for one of them begins anew.
    """
    last = {person: (person, at, event_id) for person, at, event_id in changed}
    if last:
        await db.execute(BEGIN, *columns(sorted(last.values()), 3))
        for _ in last:
            await reweigh_some(db)


async def reweigh_some(db: Connection) -> bool:
    """A portion of one person's reviews, in this transaction; whether there was one to do."""
    row = await db.fetchrow(ARM_PORTION, PORTION)
    if row is None:
        return False
    if row["reviews"] < PORTION:
        await db.execute(DONE, row["person"])
    else:
        await db.execute(GO_ON, row["person"], row["order_id"], row["side"], row["review_id"])
    return True


async def reweigh_the_rest(pool: asyncpg.Pool, stop: asyncio.Event) -> None:
    """Portion after portion, until `stop`."""
    while not stop.is_set():
        more = False
        try:
            async with pool.acquire() as db, db.transaction():
                more = await reweigh_some(db)
        except WORLD_FAILURES as failure:
            log.warning("reviews not weighed again", failure=type(failure).__name__)
        if not more:
            await pause(stop, IDLE_SECONDS_MAX)
