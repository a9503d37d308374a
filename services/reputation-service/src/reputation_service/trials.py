"""A trial that was asked for in, what the draft would do to each seller out, in a sandbox.

Every seller is read twice over the same facts: by the policy that holds and by the draft. What is
found is kept apart from all that is live; a trial that was broken off goes on where it was.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from uuid import NAMESPACE_URL, uuid5

import asyncpg
from shared_runtime.clock import Clock
from shared_runtime.delivery import Connection
from shared_runtime.log import Ask, PostgresLog, handle_many
from shared_runtime.rule import By, Sent
from shared_runtime.timers import TIMER

from reputation_service import sweeps
from reputation_service.domain.account import ScoredAccount
from reputation_service.domain.policy import PolicyAt, ScorePolicy
from reputation_service.domain.policy_book import STREAM, PolicyBook, Trial
from reputation_service.domain.policy_commands import POLICIES, EndTrial, PolicyCommand
from reputation_service.domain.whatif import Impact, impact
from reputation_service.queries.scores import accounts, sellers_after
from reputation_service.score_policies import ScorePolicies

NAME = "trial"
SELLERS_MAX = 500
"""So many in a transaction: a progress that moves once or twice a second."""
PAUSE_SECONDS = 1.0
PAUSE_SECONDS_MAX = 4.0

BEGIN = """
    INSERT INTO sandbox.trial (trial_id, sellers, worked_out, reached)
    SELECT $1, count(DISTINCT seller_id), 0, '' FROM read.bucket WHERE dimension <> 'conduct'
    ON CONFLICT (trial_id) DO NOTHING
"""
# What was found before is of no use to anybody once the policy that it was compared with is not
# the one that holds: of each draft the newest trial is kept.
FORGET = "DELETE FROM sandbox.trial WHERE trial_id = ANY($1)"
READ = "SELECT reached FROM sandbox.trial WHERE trial_id = $1"
WRITE = """
    UPDATE sandbox.trial SET reached = $2, worked_out = worked_out + $3 WHERE trial_id = $1
"""
NUMBERS = """
    WITH rated AS (
        SELECT *, array_position(ARRAY['RED', 'ORANGE', 'YELLOW', 'GREEN', 'GOLD'], level_before)
                   AS rank_before,
               array_position(ARRAY['RED', 'ORANGE', 'YELLOW', 'GREEN', 'GOLD'], level_after)
                   AS rank_after,
               abs(score_after_micro - score_before_micro) AS size
        FROM sandbox.impact WHERE trial_id = $1
    )
    SELECT count(*) AS sellers,
           count(*) FILTER (WHERE rank_after > rank_before) AS up,
           count(*) FILTER (WHERE rank_after < rank_before) AS down,
           count(*) FILTER (WHERE (rank_after IS NULL) <> (rank_before IS NULL)) AS rated_changed,
           count(*) FILTER (WHERE cap_before <> cap_after) AS caps_changed,
           coalesce(sum(size), 0)::bigint AS sum_abs_delta_micro,
           coalesce(max(size), 0) AS max_abs_delta_micro
    FROM rated
"""
COLUMNS = (
    *("trial_id", "seller_id", "score_before_micro", "score_after_micro"),
    *("level_before", "level_after", "cap_before", "cap_after"),
)


async def run_trials(
    pool: asyncpg.Pool, policies: ScorePolicies, now: Clock, stop: asyncio.Event
) -> None:
    """Works at what is asked for until `stop`."""
    turn = partial(work_at_trial, pool, policies, now)
    doze = policies.log.bells.grown.doze(PAUSE_SECONDS, PAUSE_SECONDS_MAX)
    await sweeps.keep_going(NAME, turn, stop, doze=doze)


async def work_at_trial(pool: asyncpg.Pool, policies: ScorePolicies, now: Clock) -> bool:
    """Works out some sellers of the trial under way, and ends it with the last; whether there is
    more of it.
    """
    async with pool.acquire() as db, db.transaction():
        if not await sweeps.try_lock(NAME, db):
            return False
        book = await policies.book(db)
        trial = book.trial_under_way()
        if trial is None:
            return False
        await db.execute(FORGET, _earlier(book, trial))
        await db.execute(BEGIN, trial.trial_id)
        reached = await db.fetchval(READ, trial.trial_id)
        sellers = await sellers_after(db, reached, SELLERS_MAX)
        draft = book.drafts[trial.policy_id].policy
        impacts = await _impacts(db, sellers, trial, draft, await policies.policy_at(db))
        await db.copy_records_to_table(
            "impact",
            schema_name="sandbox",
            columns=COLUMNS,
            records=[(trial.trial_id, *_columns(each)) for each in impacts],
        )
        more = len(sellers) == SELLERS_MAX
        await db.execute(WRITE, trial.trial_id, sellers[-1] if more else None, len(impacts))
        if not more:
            await _end(db, policies, trial, now)
        return more


async def _impacts(
    db: Connection,
    sellers: Sequence[str],
    trial: Trial,
    draft: ScorePolicy,
    policy_at: PolicyAt,
) -> list[Impact]:
    held = policy_at(trial.as_of)
    # The draft may look back over more evaluations than the one that holds, or fewer.
    longest = max(held, draft, key=lambda policy: policy.evaluations)
    as_of = dict.fromkeys(sellers, trial.as_of)
    found = await accounts(db, as_of, lambda at: longest if at == trial.as_of else policy_at(at))
    return await asyncio.to_thread(_read_twice, found, held, draft)


def _read_twice(
    found: Sequence[ScoredAccount], held: ScorePolicy, draft: ScorePolicy
) -> list[Impact]:
    return [
        impact(account.seller_id, account.standing(held), account.standing(draft))
        for account in found
        if account.sells
    ]


def _columns(found: Impact) -> tuple[str, int, int, str, str, str, str]:
    return (
        *(found.seller_id, found.score_before_micro, found.score_after_micro),
        *(found.level_before, found.level_after, found.cap_before, found.cap_after),
    )


def _earlier(book: PolicyBook, trial: Trial) -> list[str]:
    earlier = book.trials_of(trial.policy_id)
    return [each.trial_id for each in earlier if each.trial_id != trial.trial_id]


async def _end(db: Connection, policies: ScorePolicies, trial: Trial, now: Clock) -> None:
    numbers = await db.fetchrow(NUMBERS, trial.trial_id)
    assert numbers is not None
    said = EndTrial(policy_id=trial.policy_id, trial_id=trial.trial_id, **dict(numbers))
    ask = Ask[PolicyCommand](
        stream=STREAM,
        command=Sent(said, By(actor=TIMER, now=now(), known=policies.base)),
        cause=str(uuid5(NAMESPACE_URL, f"trial/{trial.trial_id}")),
        correlation=trial.policy_id,
    )
    own_log: PostgresLog = policies.log.within(db)
    await handle_many(own_log, POLICIES, [ask])
