"""The table of sellers follows changed buckets and the day; each week's evaluation is recorded."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from msgspec import Struct
from reputation_service import ranking, snapshots, sweeps
from reputation_service.domain.account import Ranked
from reputation_service.domain.facts import DAY_MICROS, micros
from reputation_service.domain.policy import DEFAULT, always
from reputation_service.projections import SCORE
from reputation_service.queries.scores import accounts, ranked_after
from reputation_service.ranking import SELLERS_MAX, TAKE_CHANGED, rank, refresh, run_ranking
from reputation_service.score_policies import ScorePolicies
from reputation_service.snapshots import GRACE, evaluate, run_snapshots
from shared_events.envelope import Recorded
from shared_events.reputation import ScoreEvaluated
from shared_events.review import ReviewWeighted, WeightReason
from shared_runtime.clock import system_clock
from shared_runtime.log import PostgresLog
from shared_runtime.projections import live_subscription, rebuild
from shared_runtime.skew import SKEW_MAX
from shared_runtime.subscription import Runner
from shared_runtime.testing import InMemoryLog, InMemorySource, ManualClock, facts, stream_for

SOMEBODY_WAITS = """
    SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'
"""
THURSDAY = datetime(2026, 1, 1, tzinfo=UTC)  # the first instant of a week
DAY = timedelta(days=1)
WEEK = 7 * DAY


def reviewed(
    review: int, seller: str, at: datetime, *, stars: int = 5, seq: int = 1, weight: int = 1000
) -> ReviewWeighted:
    return ReviewWeighted(
        order_id=f"o{review}",
        seller_id=seller,
        buyer_id="B1",
        policy_version="p1",
        review_id=f"r{review}",
        side="BUYER",
        seq=seq,
        quality=stars,
        logistics=stars,
        service=stars,
        weight_milli=weight,
        reasons=[WeightReason(code="FULL", effect_milli=weight)],
        excluded_dimensions=[],
        counted_at=at,
        decided_by="RULE",
    )


class Sellers:
    """What is recorded of sellers is brought in at once; their table is not touched."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool
        self.clock = ManualClock(THURSDAY - DAY)
        self.log = InMemoryLog(now=self.clock)
        self.own_log = PostgresLog(pool, source="/reputation-service", now=self.clock)
        self.policies = ScorePolicies(self.own_log, DEFAULT)
        self.told: list[Recorded[Any]] = []

    async def tell(self, *events: Struct) -> None:
        for event in events:
            stream = stream_for(event, str(len(self.told)))
            self.told += await self.log.append(facts(stream, event, at=self.clock()))
        runner = Runner(
            subscription=await live_subscription(self.pool, SCORE),
            source=InMemorySource(self.told),
            pool=self.pool,
        )
        await runner.start()
        while await runner.turn():
            pass

    async def refresh(self) -> bool:
        return bool(await refresh(self.pool, self.policies, self.clock))

    async def refresh_all(self) -> None:
        while await self.refresh():
            pass

    async def table(self) -> list[Ranked]:
        return await ranked_after(self.pool, None, 10_000)

    async def evaluate_all(self) -> None:
        while await evaluate(self.pool, self.own_log, self.policies, self.clock):
            pass

    async def evaluations(self, seller: str = "S1") -> list[Recorded[ScoreEvaluated]]:
        stream = f"seller-{seller}"
        return (await self.own_log.read([stream])).get(stream, [])


@pytest.fixture
def sellers(pool: asyncpg.Pool) -> Sellers:
    return Sellers(pool)


# --- The table -------------------------------------------------------------------------------


async def test_a_seller_is_in_the_table_once_he_was_worked_out(sellers: Sellers) -> None:
    await sellers.tell(
        reviewed(1, "S1", sellers.clock()), reviewed(2, "S2", sellers.clock(), stars=1)
    )
    assert await sellers.table() == []
    await sellers.refresh_all()
    first, second = await sellers.table()
    assert (first.seller_id, second.seller_id) == ("S1", "S2")
    (account,) = await accounts(sellers.pool, {"S1": micros(sellers.clock())}, always(DEFAULT))
    score = account.standing(DEFAULT).score
    assert first == Ranked(
        seller_id="S1",
        score_micro=score.score_micro,
        public_level="UNRATED",
        real_level="UNRATED",
        rated=False,
        stars_micro=score.overall_stars_micro,
        recent_milli=1000,
        as_of=sellers.clock(),
    )


async def test_a_process_whose_clock_is_a_day_ahead_works_out_nobody_as_of_tomorrow(
    sellers: Sellers,
) -> None:
    await sellers.tell(reviewed(1, "S1", sellers.clock()))
    sellers.clock.at = system_clock() + DAY
    by_the_database = PostgresLog(
        sellers.pool, source="/reputation-service", now=sellers.clock, skew_max=SKEW_MAX
    )
    sellers.policies = ScorePolicies(by_the_database, DEFAULT)
    await sellers.refresh_all()
    (ranked,) = await sellers.table()
    assert abs(ranked.as_of - system_clock()) < timedelta(hours=1)


async def test_only_a_seller_who_changed_is_worked_out_anew(sellers: Sellers) -> None:
    await sellers.tell(reviewed(1, "S1", sellers.clock()), reviewed(2, "S2", sellers.clock()))
    await sellers.refresh_all()
    began = sellers.clock()
    sellers.clock.advance(timedelta(hours=1))
    await sellers.tell(reviewed(3, "S2", began, stars=1))
    await sellers.refresh_all()
    as_of = {ranked.seller_id: ranked.as_of for ranked in await sellers.table()}
    assert as_of == {"S1": began, "S2": sellers.clock()}
    assert await sellers.pool.fetchval("SELECT count(*) FROM ranking.changed") == 0


async def test_what_a_wrong_clock_recorded_of_one_seller_changes_no_other(
    sellers: Sellers,
) -> None:
    at = sellers.clock()
    await sellers.tell(*[reviewed(n, f"S{n}", at, stars=1 + n) for n in range(4)])
    await sellers.refresh_all()
    before = await sellers.table()
    sellers.clock.advance(300 * DAY)
    await sellers.tell(reviewed(9, "S0", at))
    sellers.clock.at = at
    await sellers.tell(*[reviewed(n, f"S{n}", at, seq=2, stars=1 + n) for n in range(4)])
    await sellers.refresh_all()
    assert await sellers.table() == before


async def test_each_seller_stands_in_the_table_as_of_his_own_newest_event(
    sellers: Sellers,
) -> None:
    at = sellers.clock()
    sellers.clock.advance(timedelta(seconds=3))  # the clock of who records is a little ahead
    ahead = sellers.clock()
    await sellers.tell(reviewed(1, "S1", at))
    sellers.clock.at = at
    await sellers.tell(reviewed(2, "S2", at))
    await sellers.refresh_all()
    as_of = {ranked.seller_id: ranked.as_of for ranked in await sellers.table()}
    assert as_of == {"S1": ahead, "S2": at}


async def test_a_seller_is_marked_once_however_often_he_changes(sellers: Sellers) -> None:
    at = sellers.clock()
    await sellers.tell(reviewed(2, "S2", at))
    for number in (1, 3, 4):
        await sellers.tell(reviewed(number, "S1", at))
    marks = await sellers.pool.fetch("SELECT seller_id FROM ranking.changed ORDER BY id")
    assert [seller_id for (seller_id,) in marks] == ["S2", "S1"]
    await sellers.refresh_all()
    recent = {ranked.seller_id: ranked.recent_milli for ranked in await sellers.table()}
    assert recent == {"S1": 3000, "S2": 1000}


async def test_who_has_waited_longest_is_worked_out_first(sellers: Sellers) -> None:
    for number, seller in enumerate(("S3", "S1", "S2", "S1", "S3")):
        await sellers.tell(reviewed(number, seller, sellers.clock()))
    turns = [await sellers.pool.fetch(TAKE_CHANGED, 1) for _ in range(4)]
    assert [[seller_id for (seller_id,) in turn] for turn in turns] == [["S3"], ["S1"], ["S2"], []]


async def test_a_seller_who_changes_while_he_is_worked_out_is_worked_out_again(
    sellers: Sellers,
) -> None:
    at = sellers.clock()
    await sellers.tell(reviewed(1, "S1", at))
    await sellers.refresh_all()
    await sellers.tell(reviewed(2, "S1", at, stars=1))
    async with sellers.pool.acquire() as db, db.transaction():
        (taken,) = await db.fetch(TAKE_CHANGED, SELLERS_MAX)
        await rank(db, [taken["seller_id"]], always(DEFAULT), micros(at))
        changing = asyncio.create_task(sellers.tell(reviewed(3, "S1", at, stars=1)))
        async with asyncio.timeout(10):
            while not await sellers.pool.fetchval(SOMEBODY_WAITS):  # noqa: ASYNC110 - the server is asked
                await asyncio.sleep(0)
    await changing
    await sellers.refresh_all()
    (ranked,) = await sellers.table()
    assert ranked.recent_milli == 3000


async def test_a_rebuild_marks_nobody(sellers: Sellers, owner: asyncpg.Pool) -> None:
    await sellers.tell(*[reviewed(n, f"S{n}", sellers.clock()) for n in range(9)])
    await sellers.refresh_all()
    assert await rebuild(SCORE, InMemorySource(sellers.told), owner=owner)
    assert await sellers.pool.fetchval("SELECT count(*) FROM ranking.changed") == 0
    await sellers.pool.execute("UPDATE ranking.seller SET score_micro = 1")
    await sellers.refresh_all()  # once, for the switch
    assert all(ranked.score_micro > 1 for ranked in await sellers.table())
    await sellers.tell(reviewed(99, "S1", sellers.clock()))
    assert await sellers.pool.fetchval("SELECT count(*) FROM ranking.changed") == 1


async def test_on_a_new_day_all_sellers_are_worked_out_anew(sellers: Sellers) -> None:
    await sellers.tell(*[reviewed(n, f"S{n}", sellers.clock(), stars=1 + n % 5) for n in range(9)])
    await sellers.refresh_all()
    before = await sellers.table()
    sellers.clock.advance(DAY)
    await sellers.refresh_all()
    after = await sellers.table()
    assert {ranked.as_of for ranked in after} == {sellers.clock()}
    sellers.clock.advance(90 * DAY)
    await sellers.refresh_all()
    faded = await sellers.table()
    assert [ranked.seller_id for ranked in faded] == [ranked.seller_id for ranked in before]
    assert faded[0].score_micro < before[0].score_micro  # good weeks fade
    assert faded[-1].score_micro > before[-1].score_micro  # and bad ones


async def test_a_seller_of_whom_everything_was_taken_back_is_taken_out(sellers: Sellers) -> None:
    at = sellers.clock()
    await sellers.tell(reviewed(1, "S1", at), reviewed(2, "S2", at))
    await sellers.refresh_all()
    await sellers.tell(reviewed(1, "S1", at, seq=2, weight=0))
    await sellers.refresh_all()
    assert [ranked.seller_id for ranked in await sellers.table()] == ["S2"]


async def test_a_rebuilt_projection_is_read_anew(sellers: Sellers, owner: asyncpg.Pool) -> None:
    await sellers.tell(reviewed(1, "S1", sellers.clock()), reviewed(2, "S2", sellers.clock()))
    await sellers.refresh_all()
    before = await sellers.table()
    await sellers.pool.execute("UPDATE ranking.seller SET score_micro = 1")
    await sellers.pool.execute(
        "INSERT INTO ranking.seller SELECT 'S0', 1, 'GOLD', true, 1, 1, now(), 'GOLD'"
    )
    assert await rebuild(SCORE, InMemorySource(sellers.told), owner=owner)
    await sellers.pool.execute("DELETE FROM ranking.changed")
    await sellers.refresh_all()
    assert await sellers.table() == before


async def test_many_sellers_are_worked_out_step_by_step(sellers: Sellers) -> None:
    count = 2 * SELLERS_MAX + 1
    await sellers.tell(*[reviewed(n, f"S{n:04}", sellers.clock()) for n in range(count)])
    await sellers.refresh_all()
    while await sellers.pool.fetchval("SELECT count(*) FROM ranking.changed"):
        await sellers.refresh()
    sellers.clock.advance(DAY)
    for so_far in (SELLERS_MAX, 2 * SELLERS_MAX):
        assert await sellers.refresh()
        new = [each for each in await sellers.table() if each.as_of == sellers.clock()]
        # Whoever goes on from here, another process or this one, does not begin again.
        assert len(new) == so_far
    assert not await sellers.refresh()
    assert {each.as_of for each in await sellers.table()} == {sellers.clock()}


async def test_one_process_at_a_time_works_out_the_table(
    sellers: Sellers, owner: asyncpg.Pool
) -> None:
    await sellers.tell(reviewed(1, "S1", sellers.clock()))
    async with owner.acquire() as db, db.transaction():
        assert await sweeps.try_lock(ranking.NAME, db)
        assert not await sellers.refresh()
        assert await sellers.table() == []
    await sellers.refresh_all()
    assert len(await sellers.table()) == 1


async def test_the_loop_keeps_the_table_until_it_is_stopped(sellers: Sellers) -> None:
    await sellers.tell(reviewed(1, "S1", sellers.clock()))
    stop = asyncio.Event()
    loop = asyncio.create_task(run_ranking(sellers.pool, sellers.policies, sellers.clock, stop))
    async with asyncio.timeout(10):
        while not await sellers.table():  # noqa: ASYNC110 - it is the table that is waited for
            await asyncio.sleep(0)
        stop.set()
        await loop


# --- Weekly evaluations ----------------------------------------------------------------------


async def test_the_evaluation_of_a_week_is_recorded_for_every_seller(sellers: Sellers) -> None:
    await sellers.tell(*[reviewed(n, "S1", sellers.clock()) for n in range(12)])
    await sellers.tell(reviewed(50, "S2", sellers.clock()))
    sellers.clock.at = THURSDAY + GRACE
    await sellers.tell(reviewed(99, "S1", sellers.clock(), stars=1))  # too late for this week
    await sellers.evaluate_all()
    (recorded,) = await sellers.evaluations()
    (account,) = await accounts(sellers.pool, {"S1": micros(THURSDAY)}, always(DEFAULT))
    standing = account.standing(DEFAULT)
    assert recorded.event == ScoreEvaluated(
        seller_id="S1",
        day=20454,
        policy_id="default-1",
        state_sha256=account.state_sha256,
        score_micro=standing.score.score_micro,
        level=standing.level.real,
        public_level=standing.level.public,
        balance=100,
    )
    assert recorded.event.level != "UNRATED"
    assert (recorded.topic, recorded.key, recorded.time) == (
        "reputation.events",
        "S1",
        THURSDAY + GRACE,
    )
    (other,) = await sellers.evaluations("S2")
    assert other.event.level == "UNRATED"


async def test_an_evaluation_waits_until_what_was_recorded_before_it_has_arrived(
    sellers: Sellers,
) -> None:
    sellers.clock.at = THURSDAY - WEEK - DAY
    await sellers.tell(reviewed(1, "S1", sellers.clock()))
    sellers.clock.at = THURSDAY - DAY
    await sellers.evaluate_all()
    assert [each.event.day for each in await sellers.evaluations()] == [20447]
    sellers.clock.at = THURSDAY + GRACE - timedelta(microseconds=1)
    await sellers.evaluate_all()
    assert len(await sellers.evaluations()) == 1
    sellers.clock.at = THURSDAY + GRACE
    await sellers.evaluate_all()
    assert [each.event.day for each in await sellers.evaluations()] == [20447, 20454]


async def test_weeks_that_were_missed_are_evaluated_in_turn(sellers: Sellers) -> None:
    await sellers.tell(reviewed(1, "S1", sellers.clock()))
    sellers.clock.at = THURSDAY + DAY
    await sellers.evaluate_all()
    sellers.clock.at = THURSDAY + 3 * WEEK + DAY
    await sellers.evaluate_all()
    found = await sellers.evaluations()
    assert [each.event.day for each in found] == [20454, 20461, 20468, 20475]
    for each in found:
        instant = each.event.day * DAY_MICROS
        (account,) = await accounts(sellers.pool, {"S1": instant}, always(DEFAULT))
        assert each.event.score_micro == account.standing(DEFAULT).score.score_micro


async def test_an_evaluation_is_recorded_once_however_often_it_is_made(sellers: Sellers) -> None:
    await sellers.tell(reviewed(1, "S1", sellers.clock()))
    sellers.clock.at = THURSDAY + DAY
    await sellers.evaluate_all()
    # As if the process had ended before it could tell how far it had come.
    await sellers.pool.execute("DELETE FROM ranking.sweep")
    await sellers.evaluate_all()
    assert len(await sellers.evaluations()) == 1
    assert await sellers.pool.fetchval("SELECT count(*) FROM es.event") == 1


async def test_an_evaluation_that_breaks_off_goes_on_where_it_was(sellers: Sellers) -> None:
    count = snapshots.SELLERS_MAX + 5
    await sellers.tell(*[reviewed(n, f"S{n:04}", sellers.clock()) for n in range(count)])
    sellers.clock.at = THURSDAY + DAY
    assert await evaluate(sellers.pool, sellers.own_log, sellers.policies, sellers.clock)
    events = "SELECT count(*) FROM es.event"
    assert await sellers.pool.fetchval(events) == snapshots.SELLERS_MAX
    await sellers.evaluate_all()
    assert await sellers.pool.fetchval(events) == count


async def test_the_loop_evaluates_until_it_is_stopped(sellers: Sellers) -> None:
    await sellers.tell(reviewed(1, "S1", sellers.clock()))
    sellers.clock.at = THURSDAY + DAY
    stop = asyncio.Event()
    running = run_snapshots(sellers.pool, sellers.own_log, sellers.policies, sellers.clock, stop)
    loop = asyncio.create_task(running)
    async with asyncio.timeout(10):
        while not await sellers.evaluations():  # noqa: ASYNC110 - it is the log that is waited for
            await asyncio.sleep(0)
        stop.set()
        await loop
