"""Changed buckets and passing days in, the table of sellers out.

Scores fade with time, so the table is worked out anew: soon for a seller whose buckets have
changed, for whose level time has changed (a penalty or a protection ends), for all sellers when
the day changes (or the policy, or the projection behind it). It is no projection: no log says what
is in it.
"""

import asyncio
from datetime import datetime

import asyncpg
from shared_runtime.clock import Clock
from shared_runtime.delivery import Connection

from reputation_service import sweeps
from reputation_service.domain.account import ScoredAccount
from reputation_service.domain.facts import day_of, instant, micros
from reputation_service.domain.policy import PolicyAt
from reputation_service.projections import SCORE
from reputation_service.queries.scores import accounts, is_marked, latest, newest_mark
from reputation_service.score_policies import ScorePolicies
from reputation_service.sweeps import FIRST, Sweep

NAME = "ranking"
SELLERS_MAX = 200
"""So many hold up the other work of the loop for less than a quarter of a second."""
PAUSE_SECONDS = 0.1
PAUSE_SECONDS_MAX = 1.0

GENERATION = "SELECT generation FROM es.projection WHERE name = $1"
# Those who have waited longest. Whoever marks one of them anew waits for this transaction to end:
# what he has changed is not in the buckets that it reads.
TAKE_CHANGED = """
    DELETE FROM ranking.changed
    WHERE id IN (SELECT id FROM ranking.changed ORDER BY id LIMIT $1) RETURNING seller_id
"""
DUE = "SELECT seller_id FROM ranking.seller WHERE changes_at <= $1 ORDER BY changes_at LIMIT $2"
PUT = """
    INSERT INTO ranking.seller (seller_id, score_micro, public_level, real_level, rated,
                                stars_micro, recent_milli, as_of, changes_at)
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::boolean[],
                         $6::bigint[], $7::bigint[], $8::timestamptz[], $9::bigint[])
    ON CONFLICT (seller_id) DO UPDATE SET
        score_micro = excluded.score_micro, public_level = excluded.public_level,
        real_level = excluded.real_level, rated = excluded.rated,
        stars_micro = excluded.stars_micro, recent_milli = excluded.recent_milli,
        as_of = excluded.as_of, changes_at = excluded.changes_at
"""
TAKE_OUT = "DELETE FROM ranking.seller WHERE seller_id = ANY($1)"


async def run_ranking(
    pool: asyncpg.Pool, policies: ScorePolicies, now: Clock, stop: asyncio.Event
) -> None:
    """Keeps the table until `stop`."""
    newest: int | None = None

    async def turn() -> bool:
        nonlocal newest
        before, newest = newest, await newest_mark(pool)
        more = await refresh(pool, policies, now)
        if more is None:
            return False
        # What has stopped growing is worked off without a pause.
        return more or (newest == before and await is_marked(pool, newest))

    doze = policies.log.bells.applied.doze(PAUSE_SECONDS, PAUSE_SECONDS_MAX)
    await sweeps.keep_going(NAME, turn, stop, doze=doze)


async def refresh(pool: asyncpg.Pool, policies: ScorePolicies, now: Clock) -> bool | None:
    """Works out some of the sellers who have to be; whether a walk over all of them goes on. None
    if another process is at it.
    """
    async with pool.acquire() as db, db.transaction():
        if not await sweeps.try_lock(NAME, db):
            return None
        at = micros(await policies.log.within(db).instant(now))
        policy_at = await policies.policy_at(db)
        changed = [row["seller_id"] for row in await db.fetch(TAKE_CHANGED, SELLERS_MAX)]
        changed += [row["seller_id"] for row in await db.fetch(DUE, at, SELLERS_MAX)]
        generation = await db.fetchval(GENERATION, SCORE.name)
        goal = f"{day_of(at)}/{generation}/{policy_at(at).policy_id}"
        sweep = await sweeps.find(NAME, db)
        if sweep is None or sweep.goal != goal:
            sweep = Sweep(goal=goal, reached=FIRST)
        sellers, sweep = await sweeps.step(NAME, sweep, SELLERS_MAX, db)
        await rank(db, sorted({*changed, *sellers}), policy_at, at)
        return sweep.reached is not None


async def rank(db: Connection, sellers: list[str], policy_at: PolicyAt, at: int) -> None:
    """Puts these sellers where they belong now; out, if nothing tells of them any more."""
    if not sellers:
        return
    found = await accounts(db, await latest(db, sellers, at), policy_at)
    rows = [_row(account) for account in found if account.sells]
    if rows:
        await db.execute(PUT, *zip(*rows, strict=True))
    await db.execute(TAKE_OUT, [each.seller_id for each in found if not each.sells])


def _row(
    account: ScoredAccount,
) -> tuple[str, int, str, str, bool, int, int, datetime, int | None]:
    standing = account.standing()
    score = standing.score
    return (
        account.seller_id,
        score.score_micro,
        standing.level.public,
        standing.level.real,
        score.is_rated,
        score.overall_stars_micro,
        score.recent_milli,
        instant(account.as_of),
        account.changes_at,
    )
