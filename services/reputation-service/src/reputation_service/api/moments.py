"""The instant that a read is asked for in, once it may be answered, out."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Annotated

import asyncpg
from fastapi import Query
from shared_runtime.clock import Clock
from shared_runtime.decider import FieldError, InvalidValue, NotFound
from shared_runtime.fields import Instant
from shared_runtime.reading import Token, position_of, wait_for

from reputation_service.domain.facts import micros
from reputation_service.projections import SCORE
from reputation_service.queries import scores

AHEAD_MAX = timedelta(seconds=5)
"""Clocks of a client and of a service may differ by so much."""

type AsOf = Annotated[
    Instant | None,
    Query(description="By what was recorded up to this instant: no sum changes. Absent: now."),
]


type MomentOf = Callable[[str, datetime | None, Token | None], Awaitable[int]]


def moment_of(pool: asyncpg.Pool, now: Clock) -> MomentOf:
    """The instant that a read of an account is asked for, once it may be answered."""
    projected = position_of(pool, SCORE)

    async def moment(account_id: str, as_of: datetime | None, token: Token | None) -> int:
        told = stated(as_of, now)
        await wait_for(token, projected)
        if told is not None:
            return told
        return (await scores.latest(pool, [account_id], micros(now())))[account_id]

    return moment


def moment_of_seller(pool: asyncpg.Pool, now: Clock) -> MomentOf:
    """The same for sellers. Raises `NotFound` for who has sold nothing."""
    moment = moment_of(pool, now)

    async def of_seller(seller_id: str, as_of: datetime | None, token: Token | None) -> int:
        at = await moment(seller_id, as_of, token)
        if not await scores.is_known(pool, seller_id):
            raise NotFound
        return at

    return of_seller


def stated(as_of: datetime | None, now: Clock) -> int | None:
    """The instant that a client states. Raises `InvalidValue` for one of which nobody knows yet."""
    if as_of is None:
        return None
    if as_of > now() + AHEAD_MAX:
        raise InvalidValue(errors=[FieldError(field="as_of", bound="not after now")])
    return micros(as_of)
