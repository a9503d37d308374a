"""As of any instant, the tables say what a fresh fold of the events recorded by then says."""

import asyncpg
import pytest
from reputation_service.domain.facts import micros
from reputation_service.domain.policy import DEFAULT, always
from reputation_service.domain.replay import Replayed
from reputation_service.projections import SCORE
from reputation_service.queries.scores import accounts
from reputation_service.testing.histories import (
    DAY,
    SELLERS,
    START,
    History,
    batches,
    dice,
    history,
    interleaved,
)
from shared_runtime.delivery import enter_tables
from shared_runtime.projections import live_subscription

INSTANTS = 50


async def brought_in(arriving: History, pool: asyncpg.Pool) -> None:
    subscription = await live_subscription(pool, SCORE)
    handled = [each for each in arriving if isinstance(each.event, SCORE.handles)]
    for batch in batches(handled, 17):
        async with pool.acquire() as db, db.transaction():
            await enter_tables(db, subscription.tables)
            await SCORE.apply(batch, db)


@pytest.mark.parametrize("seed", range(2))
async def test_an_answer_for_any_past_instant_is_a_fresh_fold_of_what_was_recorded_by_then(
    pool: asyncpg.Pool, seed: int
) -> None:
    told, chance = await history(seed, orders=40), dice(seed)
    await brought_in(interleaved(told, chance), pool)
    first, last = micros(told[0].recorded_at), micros(told[-1].recorded_at)
    instants = [chance.randrange(first, last) for _ in range(INSTANTS)]
    # And those that are the least like others: of an event itself, and of an evaluation.
    thursday = micros((START + 14 * DAY).replace(hour=0))
    for as_of in (*instants, micros(told[33].recorded_at), thursday, thursday - 1):
        fresh = Replayed(DEFAULT.sla)
        for recorded in told:
            if micros(recorded.recorded_at) <= as_of:
                fresh.take(recorded)
        expected = {each.seller_id: each for each in fresh.accounts(as_of, DEFAULT)}
        for found in await accounts(pool, dict.fromkeys(SELLERS, as_of), always(DEFAULT)):
            if found.seller_id not in expected:
                assert not found.buckets
                continue
            known = expected[found.seller_id]
            assert found.state_sha256 == known.state_sha256
            assert found.standing(DEFAULT) == known.standing(DEFAULT)


async def test_each_account_is_read_at_its_own_instant(pool: asyncpg.Pool) -> None:
    told = await history(3)
    await brought_in(told, pool)
    as_of = {seller: micros(told[20 * n + 19].recorded_at) + n for n, seller in enumerate(SELLERS)}
    together = await accounts(pool, as_of, always(DEFAULT))
    for found in together:
        (alone,) = await accounts(pool, {found.seller_id: found.as_of}, always(DEFAULT))
        assert found.standing(DEFAULT) == alone.standing(DEFAULT)
        assert found.buckets == alone.buckets
