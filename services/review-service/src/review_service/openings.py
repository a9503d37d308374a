"""How far completed orders have had their evaluations opened, for reads that wait for it."""

import sys

import asyncpg
from shared_events import orders as order_facts
from shared_events import review
from shared_runtime.reading import PositionOf, Token, reached

ALWAYS_CURRENT = sys.maxsize


def opened_up_to(pool: asyncpg.Pool, subscription: str) -> PositionOf:
    """`subscription` is the one that opens them. What streams say is always current."""

    async def position(token: Token) -> int | None:
        if token.topic == review.TOPIC:
            return ALWAYS_CURRENT
        if token.topic != order_facts.TOPIC:
            return None
        return await reached(pool, subscription, token)

    return position
