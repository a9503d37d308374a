"""How far completed orders have had their evaluations opened, for reads that wait for it."""

import sys

import asyncpg
from shared_events import orders as order_facts
from shared_events import review
from shared_runtime.reading import PositionOf

REACHED = """
    SELECT position FROM es.cursor WHERE subscription = $1 AND topic = $2 AND partition = $3
"""
ALWAYS_CURRENT = sys.maxsize


def opened_up_to(pool: asyncpg.Pool, subscription: str) -> PositionOf:
    """`subscription` is the one that opens them. What streams say is always current."""

    async def position(topic: str, partition: int) -> int | None:
        if topic == review.TOPIC:
            return ALWAYS_CURRENT
        if topic != order_facts.TOPIC:
            return None
        reached: int | None = await pool.fetchval(REACHED, subscription, topic, partition)
        return reached or 0

    return position
