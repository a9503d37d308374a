"""The first instant of a week in, a snapshot of every seller that it changed out."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid5

import asyncpg
from shared_runtime.clock import Clock
from shared_runtime.log import Ask, PostgresLog, handle_many
from shared_runtime.rule import By, Sent
from shared_runtime.timers import TIMER

from reputation_service import sweeps
from reputation_service.domain.account import ScoredAccount
from reputation_service.domain.decay import WEEK_DAYS
from reputation_service.domain.facts import DAY_MICROS, micros
from reputation_service.domain.level import evaluations
from reputation_service.domain.policy import PolicyAt
from reputation_service.domain.rules import SELLERS, SellerCommand
from reputation_service.domain.snapshot import EvaluateScore
from reputation_service.queries.scores import accounts
from reputation_service.score_policies import ScorePolicies
from reputation_service.sweeps import FIRST, Sweep

NAME = "evaluation"
SELLERS_MAX = 200
PAUSE_SECONDS = 1.0
PAUSE_SECONDS_MAX = 4.0
GRACE = timedelta(minutes=5)
"""What was recorded before an evaluation is taken to have arrived by then."""
EVALUATIONS = UUID("0f0f6ad1-54a5-5d2e-93f4-5c4d1f5d3c11")
"""The namespace of the causes that are a seller, a day and a policy."""


async def run_snapshots(
    pool: asyncpg.Pool,
    own_log: PostgresLog,
    policies: ScorePolicies,
    now: Clock,
    stop: asyncio.Event,
) -> None:
    """Evaluates week after week until `stop`."""

    async def turn() -> bool:
        return await evaluate(pool, own_log, policies, now)

    doze = policies.log.bells.applied.doze(PAUSE_SECONDS, PAUSE_SECONDS_MAX)
    await sweeps.keep_going(NAME, turn, stop, doze=doze)


async def evaluate(
    pool: asyncpg.Pool, own_log: PostgresLog, policies: ScorePolicies, now: Clock
) -> bool:
    """Evaluates some sellers of a week that has begun; whether there are more.

    After an outage every week that was missed is evaluated in turn: by what was known at its
    first instant, so that it makes no difference when.
    """
    async with pool.acquire() as db, db.transaction():
        if not await sweeps.try_lock(NAME, db):
            return False
        policy_at = await policies.policy_at(db)
        before = micros(await own_log.within(db).instant(now) - GRACE)
        newest = evaluations(before, policy_at(before))[0].day
        day, sweep = _next(await sweeps.find(NAME, db), newest, policy_at)
        if sweep.reached is None:
            return False
        sellers, sweep = await sweeps.step(NAME, sweep, SELLERS_MAX, db)
        found = await accounts(db, dict.fromkeys(sellers, day * DAY_MICROS), policy_at)
        asks = [_ask(account, day, now) for account in found if account.sells]
        await handle_many(own_log.within(db), SELLERS, asks)
        return sweep.reached is not None or day < newest


def _next(sweep: Sweep | None, newest: int, policy_at: PolicyAt) -> tuple[int, Sweep]:
    """The week to evaluate, and the walk over its sellers."""
    day = newest
    if sweep is not None:
        reached_day, _, policy_id = sweep.goal.partition("/")
        if policy_id == policy_at(int(reached_day) * DAY_MICROS).policy_id:
            day = int(reached_day)
            if sweep.reached is not None or day >= newest:
                return day, sweep
            day += WEEK_DAYS
    policy = policy_at(day * DAY_MICROS)
    return day, Sweep(goal=f"{day}/{policy.policy_id}", reached=FIRST)


def _ask(account: ScoredAccount, day: int, now: Clock) -> Ask[SellerCommand]:
    seller_id, standing = account.seller_id, account.standing()
    policy = account.policy
    said = EvaluateScore(
        seller_id=seller_id,
        day=day,
        policy_id=policy.policy_id,
        state_sha256=account.state_sha256,
        score_micro=standing.score.score_micro,
        level=standing.level.real,
        public_level=standing.level.public,
        balance=standing.level.balance,
    )
    # The ids of events follow from their cause: an evaluation cannot be recorded twice.
    cause = uuid5(EVALUATIONS, f"{seller_id}/{day}/{policy.policy_id}")
    return Ask(
        stream=f"seller-{seller_id}",
        command=Sent(said, By(actor=TIMER, now=now(), known=None)),
        cause=str(cause),
        correlation=seller_id,
    )
