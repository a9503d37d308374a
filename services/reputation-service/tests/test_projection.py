"""What is in the tables is the fold of the events, however and by whomever they are brought in."""

import asyncio
from collections.abc import Iterable
from typing import Any

import asyncpg
import msgspec
import pytest
from reputation_service.domain.account import Explanation
from reputation_service.domain.explain import DimensionExplanation, excluded, explain, reduced
from reputation_service.domain.facts import Fact, OrderFact, day_of, micros
from reputation_service.domain.fold import BucketState, Facts, fold, merge, state_sha256, sum_rows
from reputation_service.domain.ledger import LedgerRow
from reputation_service.domain.observations import observe
from reputation_service.domain.policy import CONDUCT, DEFAULT, DIMENSIONS
from reputation_service.domain.read import read
from reputation_service.projections.scores import SCORE, SCORE_DDL, fact_of, order_fact_of
from reputation_service.queries import scores
from reputation_service.queries.explanations import (
    WantedExplanation,
    explanation,
    facts_about,
)
from reputation_service.testing.histories import (
    DAY,
    SELLERS,
    START,
    History,
    a_log,
    batches,
    completed,
    dice,
    disputed,
    history,
    ids,
    interleaved,
    rated,
    reviewed,
    tell,
)
from shared_events.envelope import Recorded
from shared_runtime.delivery import Connection, enter_tables
from shared_runtime.parking import ask_retry, list_parked
from shared_runtime.projections import live_subscription, rebuild
from shared_runtime.subscription import Runner
from shared_runtime.testing import InMemorySource

FOR_EVER = micros(START + 1000 * DAY)


# --- What is in the tables -------------------------------------------------------------------


def expected(told: Iterable[Recorded[Any]]) -> Facts:
    return Facts(fact for recorded in told for fact in observe(recorded, DEFAULT.sla))


async def project(batch: History, pool: asyncpg.Pool) -> None:
    """A batch of one worker in a transaction, in the live tables."""
    subscription = await live_subscription(pool, SCORE)
    async with pool.acquire() as db, db.transaction():
        await enter_tables(db, subscription.tables)
        await SCORE.apply(batch, db)


async def trial(name: str, arriving: Iterable[History], owner: asyncpg.Pool) -> BucketState:
    """The buckets after these batches, in tables of their own."""
    async with owner.acquire() as db:
        await db.execute(f"CREATE SCHEMA {name}; SET search_path TO {name}; {SCORE_DDL}")
        try:
            for batch in arriving:
                async with db.transaction():
                    await SCORE.apply(handled(batch), db)
            return await buckets(db, name)
        finally:
            await db.execute("RESET search_path")


def handled(batch: History) -> History:
    return [recorded for recorded in batch if isinstance(recorded.event, SCORE.handles)]


async def buckets(db: asyncpg.Pool | Connection, schema: str = "read") -> BucketState:
    state: BucketState = {}
    of_recording_weeks = await db.fetch(
        f"""
        SELECT seller_id, dimension, week, sum(n)::bigint, sum(a)::bigint, sum(b)::bigint,
               sum(s)::bigint
        FROM {schema}.bucket GROUP BY 1, 2, 3 HAVING sum(n) > 0
        """  # noqa: S608
    )
    for seller, dimension, week, n, a, b, s in of_recording_weeks:
        state.setdefault(seller, {}).setdefault(dimension, {})[week] = (n, a, b, s)
    return state


async def ledger(pool: asyncpg.Pool) -> list[LedgerRow]:
    rows = await pool.fetch("SELECT * FROM read.contribution")
    return [LedgerRow(*row[:10], tuple(row[10]), tuple(row[11:])) for row in rows]  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue, reportArgumentType]


async def stored_facts(pool: asyncpg.Pool) -> set[Fact | OrderFact]:
    direct = [fact_of(row) for row in await pool.fetch("SELECT * FROM read.fact")]
    of_orders = [order_fact_of(row) for row in await pool.fetch("SELECT * FROM read.order_fact")]
    return {*direct, *of_orders}


def scores_of(state: BucketState) -> dict[str, int]:
    return {seller: read(found, 20_500, DEFAULT).score_micro for seller, found in state.items()}


# --- The fold --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
async def test_the_tables_are_the_fold_of_the_events(pool: asyncpg.Pool, seed: int) -> None:
    told = await history(seed)
    arriving = interleaved(handled(told), dice(seed))
    for batch in batches(arriving, 11):
        await project(batch, pool)
    facts_told = expected(told)
    assert await stored_facts(pool) == set(facts_told.received())
    assert state_sha256(await buckets(pool)) == state_sha256(fold(facts_told.in_force()))
    rows = await ledger(pool)
    for as_of in [micros(each.recorded_at) for each in told[::9]]:
        known = state_sha256(fold(facts_told.in_force(as_of)))
        assert state_sha256(sum_rows(rows, as_of)) == known


@pytest.mark.parametrize("seed", range(3))
async def test_i5_order_duplicates_and_batches_leave_the_same_bits(
    owner: asyncpg.Pool, seed: int
) -> None:
    told = await history(seed)
    chance = dice(seed)
    once = await trial("once", [told], owner)
    assert once == fold(expected(told).in_force())
    for n, size in enumerate((1, 7, 40)):
        arriving = interleaved(told, chance)
        twice = [batch for each in batches(arriving, size) for batch in (each, each[:3])]
        again = await trial(f"again{n}", [*twice, arriving], owner)
        assert again == once
        assert state_sha256(again) == state_sha256(once)
        assert scores_of(again) == scores_of(once)


@pytest.mark.parametrize("seed", range(3))
async def test_i5_split_and_merged_leaves_the_same_bits(owner: asyncpg.Pool, seed: int) -> None:
    told = await history(seed)
    once = await trial("once", [told], owner)
    # By the partitions of sellers no two parts share an entity: buckets merge by addition.
    parts = [[each for each in told if each.partition % 3 == n] for n in range(3)]
    states = [await trial(f"part{n}", batches(part, 9), owner) for n, part in enumerate(parts)]
    assert merge(states) == once
    assert state_sha256(merge(reversed(states))) == state_sha256(once)
    # By topics they share orders: facts merge first.
    of_orders = expected(each for each in told if each.topic == "orders.events")
    of_orders.join(expected(each for each in told if each.topic != "orders.events"))
    assert fold(of_orders.in_force()) == once


async def test_a_batch_that_comes_twice_changes_nothing(pool: asyncpg.Pool) -> None:
    told = handled(await history(5))
    await project(told, pool)
    before = (await buckets(pool), len(await ledger(pool)), await stored_facts(pool))
    for batch in batches(told, 13):
        await project(batch, pool)
    assert (await buckets(pool), len(await ledger(pool)), await stored_facts(pool)) == before


async def test_the_usual_event_adds_one_row_for_each_thing_it_says(pool: asyncpg.Pool) -> None:
    of, log = ids(1, "S1"), a_log()
    await project(await tell(reviewed(of, START), log=log), pool)
    assert [row.d_n for row in await ledger(pool)] == [1000, 1000, 1000]
    await project(await tell(reviewed(of, START, seq=2, weight=250), log=log), pool)
    assert [row.d_n for row in await ledger(pool)][3:] == [-750, -750, -750]
    moved = reviewed(of, START - 9 * DAY, seq=3)
    await project(await tell(moved, log=log), pool)
    assert sorted(row.d_n for row in (await ledger(pool))[6:]) == [-250] * 3 + [1000] * 3


async def test_a_late_lower_version_changes_the_past_and_not_the_present(
    pool: asyncpg.Pool,
) -> None:
    of, log = ids(1, "S1"), a_log()
    first, second = await tell(
        reviewed(of, START, stars=1), reviewed(of, START, stars=5, seq=2), log=log
    )
    await project([second], pool)
    present = await buckets(pool)
    await project([first], pool)
    assert await buckets(pool) == present
    rows = await ledger(pool)
    between = sum_rows(rows, micros(first.recorded_at))
    assert between["S1"]["quality"] == {2922: (1000, 0, 0, 1_000_000)}
    assert state_sha256(sum_rows(rows)) == state_sha256(present)


async def test_what_no_score_reads_is_not_even_decoded(pool: asyncpg.Pool) -> None:
    told = await history(1, orders=4)
    runner = Runner(
        subscription=await live_subscription(pool, SCORE),
        source=InMemorySource(told),
        pool=pool,
    )
    await runner.start()
    while await runner.turn():
        pass
    assert state_sha256(await buckets(pool)) == state_sha256(fold(expected(told).in_force()))
    position = await pool.fetchval("SELECT sum(position) FROM es.cursor")
    assert position == len(told)


# --- Two at once -----------------------------------------------------------------------------


@pytest.mark.parametrize("dispute_first", [True, False])
async def test_two_workers_with_two_topics_of_one_order_lose_no_step(
    pool: asyncpg.Pool, dispute_first: bool
) -> None:
    of, log = ids(1, "S1"), a_log()
    (one,) = await tell(completed(of, START), log=log)
    (other,) = await tell(disputed(of, START), log=log)
    if dispute_first:
        one, other = other, one
    subscription = await live_subscription(pool, SCORE)
    async with pool.acquire() as db, db.transaction():
        await enter_tables(db, subscription.tables)
        await SCORE.apply([one], db)
        waiting = asyncio.create_task(project([other], pool))
        await _until_somebody_waits(pool)
        assert not waiting.done()
    await waiting
    assert await buckets(pool) == {}
    told = [one, other]
    rows = await ledger(pool)
    for as_of in [micros(each.recorded_at) for each in told]:
        known = state_sha256(fold(expected(told).in_force(as_of)))
        assert state_sha256(sum_rows(rows, as_of)) == known


async def test_sellers_who_rate_the_same_buyers_do_not_deadlock(pool: asyncpg.Pool) -> None:
    log = a_log()
    buyers = [f"B{n}" for n in range(30)]
    works: list[History] = []
    for n, seller in enumerate(SELLERS):
        in_turn = buyers if n % 2 else buyers[::-1]
        events = [
            rated(ids(100 * n + m, seller, buyer), START, 1 + m % 5)
            for m, buyer in enumerate(in_turn)
        ]
        works.append(await tell(*events, log=log))
    await asyncio.gather(*[project(work, pool) for work in works])
    told = [each for work in works for each in work]
    assert await buckets(pool) == fold(expected(told).in_force())


async def _until_somebody_waits(pool: asyncpg.Pool) -> None:
    waiting = """
        SELECT count(*) FROM pg_locks JOIN pg_database AS base ON base.oid = pg_locks.database
        WHERE NOT granted AND locktype = 'advisory' AND datname = current_database()
    """
    async with asyncio.timeout(5):
        while not await pool.fetchval(waiting):  # noqa: ASYNC110 - it is the server that is asked
            await asyncio.sleep(0)


# --- Bad facts -------------------------------------------------------------------------------


async def test_a_contradiction_parks_its_seller_and_the_others_go_on(pool: asyncpg.Pool) -> None:
    log = a_log()
    of, other = ids(1, "S1"), ids(2, "S2")
    told = await tell(
        reviewed(of, START),
        reviewed(of, START, stars=1),
        reviewed(other, START),
        completed(of, START),
        log=log,
    )
    runner = Runner(
        subscription=await live_subscription(pool, SCORE),
        source=InMemorySource(told),
        pool=pool,
    )
    await runner.start()
    while await runner.turn():
        pass
    (parked,) = await list_parked(pool)
    assert (parked["key"], parked["topic"]) == ("S1", "review.events")
    assert "ConflictingFact" in parked["reason"]
    assert await ask_retry(pool, subscription=parked["subscription"], key="S1")
    right = [told[0], *told[2:]]
    assert await buckets(pool) == fold(expected(right).in_force())


# --- Rebuild ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(2))
async def test_i15_rebuilt_tables_equal_the_live_ones(
    pool: asyncpg.Pool, owner: asyncpg.Pool, seed: int
) -> None:
    told = await history(seed)
    chance = dice(seed)

    async def run(arriving: History) -> None:
        live = await live_subscription(pool, SCORE)
        source = InMemorySource(arriving, batch_max=17)
        runner = Runner(subscription=live, source=source, pool=pool)
        await runner.start()
        while await runner.turn():
            pass

    await run(interleaved(told, chance))
    before = await buckets(pool)
    # The topics arrive in another order: the rows of the ledger differ, what they say does not.
    again = InMemorySource(interleaved(told, chance), batch_max=23)
    assert await rebuild(SCORE, again, owner=owner)
    generation = "SELECT generation FROM es.projection WHERE name = 'score'"
    assert await pool.fetchval(generation) == 2
    assert await buckets(pool) == before
    more = await tell(reviewed(ids(99, "S1"), START), log=a_log())
    later = [msgspec.structs.replace(each, position=each.position + 1000) for each in more]
    await run(later)
    assert state_sha256(await buckets(pool)) != state_sha256(before)


async def test_a_damaged_table_is_found_by_a_rebuild(
    pool: asyncpg.Pool, owner: asyncpg.Pool
) -> None:
    told = await history(3, orders=6)
    live = await live_subscription(pool, SCORE)
    runner = Runner(subscription=live, source=InMemorySource(told), pool=pool)
    await runner.start()
    while await runner.turn():
        pass
    await owner.execute("UPDATE score_g1.bucket SET a = a - 1 WHERE a > 0")
    assert not await rebuild(SCORE, InMemorySource(told), owner=owner)
    assert await buckets(pool) == fold(expected(told).in_force())


# --- As of -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(2))
async def test_buckets_of_any_instant_come_from_the_live_ones_and_the_ledger(
    pool: asyncpg.Pool, seed: int
) -> None:
    told = await history(seed)
    for batch in batches(interleaved(handled(told), dice(seed)), 19):
        await project(batch, pool)
    facts_told = expected(told)
    accounts = sorted({*facts_told.sellers(), "nobody"})
    instants = [micros(each.recorded_at) + late for each in told[::14] for late in (-1, 0)]
    # One account has its own instants: nobody's are another's.
    wanted: dict[str, tuple[int, ...]] = dict.fromkeys(accounts, (*instants, 0, FOR_EVER))
    wanted["S1"] = (instants[0], instants[-1])
    found = await scores.buckets_at(pool, wanted)
    for account, its_instants in wanted.items():
        assert found[account] == {
            as_of: fold(facts_told.in_force(as_of)).get(account, {}) for as_of in its_instants
        }


async def test_what_is_known_today_about_an_earlier_day(pool: asyncpg.Pool) -> None:
    told = await history(4)
    await project(handled(told), pool)
    facts_told = expected(told)
    as_of = micros(told[-10].recorded_at)
    for seller in SELLERS:
        for day in range(20_450, 20_470, 3):
            known = fold(facts_told.in_force(as_of, day)).get(seller, {})
            assert await scores.buckets_up_to(pool, seller, as_of, day) == known


def one_by_one(facts: Iterable[Fact], seller: str, as_of: int) -> dict[str, DimensionExplanation]:
    """The explanation that takes every fact in hand."""
    in_force = [fact for fact in facts if fact.seller_id == seller]
    state = fold(in_force).get(seller, {})
    return explain(state, in_force, read(state, day_of(as_of), DEFAULT))


async def explained(pool: asyncpg.Pool, wanted: WantedExplanation) -> Explanation:
    async with pool.acquire() as db, db.transaction(isolation="repeatable_read", readonly=True):
        return await explanation(db, wanted, DEFAULT)


@pytest.mark.parametrize("largest", [1, 3, 1000])
@pytest.mark.parametrize("seed", range(4))
async def test_counting_facts_explains_to_the_bit_what_they_say_one_by_one(
    pool: asyncpg.Pool, seed: int, largest: int
) -> None:
    told = await history(seed, orders=40)
    for batch in batches(interleaved(handled(told), dice(seed)), 23):
        await project(batch, pool)
    facts_told = expected(told)
    for as_of in [micros(each.recorded_at) for each in (*told[::40], told[-1])]:
        in_force = [f for f in facts_told.in_force(as_of) if f.dimension != CONDUCT]
        for seller in SELLERS:
            of_seller = [f for f in in_force if f.seller_id == seller]
            known = one_by_one(of_seller, seller, as_of)
            found = await explained(
                pool,
                WantedExplanation(account_id=seller, as_of=as_of, reader="STAFF", largest=largest),
            )
            assert found.explained.buckets == {
                name: fold(of_seller).get(seller, {}).get(name, {}) for name in DIMENSIONS
            }
            for name, shares in found.explained.dimensions.items():
                assert shares.score == known[name].score
                assert shares.total_micro == known[name].total_micro
                assert shares.weeks == known[name].weeks
                assert shares.events == len(known[name].shares)
                assert [tuple(each) for each in found.listed[name]] == [
                    (share.fact, share.printed_micro) for share in known[name].largest(largest)
                ]
            assert found.excluded == excluded(of_seller)[:largest]
            assert found.reduced == reduced(of_seller)[:largest]
            less = found.explained.less, found.explained.less_concealed
            assert sum(each.get(True, 0) for each in less) == len(excluded(of_seller))
            assert sum(each.get(False, 0) for each in less) == len(reduced(of_seller))


@pytest.mark.parametrize("arrival", ["in turn", "late", "at once"])
async def test_a_version_is_in_force_until_a_higher_one_was_known(
    pool: asyncpg.Pool, arrival: str
) -> None:
    of = ids(1, "S1")
    told = await tell(*[reviewed(of, START, stars=seq, seq=seq) for seq in (1, 2, 3)], log=a_log())
    for batch in {
        "in turn": [[each] for each in told],
        "late": [[told[2]], [told[0]], [told[1]]],
        "at once": [told],
    }[arrival]:
        await project(batch, pool)
    for stars, recorded in enumerate(told, 1):
        at = micros(recorded.recorded_at)
        wanted = WantedExplanation(account_id="S1", as_of=at, reader="STAFF", largest=9)
        found = await explained(pool, wanted)
        assert [listed.fact.k for listed in found.listed["quality"]] == [stars - 1]


async def test_an_explanation_brings_no_more_facts_than_it_lists(pool: asyncpg.Pool) -> None:
    log = a_log()
    told = await tell(
        *[reviewed(ids(n, "S1"), START, stars=1 + n % 5, weight=250) for n in range(60)],
        *[completed(ids(n, "S1"), START) for n in range(60)],
        log=log,
    )
    await project(told, pool)
    wanted = WantedExplanation(account_id="S1", as_of=FOR_EVER, reader="STAFF", largest=2)
    found = await explained(pool, wanted)
    assert found.explained.dimensions["quality"].events == 60
    entities = {fact.entity_id for fact in found.about}
    # Two of each of the three dimensions of stars and of disputes, and two that count less.
    assert len(entities) <= 2 * 5


async def test_a_buyers_conduct_explains_no_sellers_score(pool: asyncpg.Pool) -> None:
    told = await tell(
        reviewed(ids(1, "S1"), START), rated(ids(2, "S2", buyer="S1"), START, 1), log=a_log()
    )
    await project(told, pool)
    wanted = WantedExplanation(
        account_id="S1", as_of=FOR_EVER, reader="STAFF", largest=9, entities=["b-o2"]
    )
    found = await explained(pool, wanted)
    assert CONDUCT not in {fact.dimension for fact in found.about}


async def test_facts_about_entities_are_those_of_the_instant(pool: asyncpg.Pool) -> None:
    told = await history(6)
    await project(handled(told), pool)
    facts_told = expected(told)
    for as_of in [micros(each.recorded_at) for each in told[::20]]:
        for seller in SELLERS:
            known = [
                f
                for f in facts_told.in_force(as_of)
                if f.seller_id == seller and f.dimension != CONDUCT
            ]
            entities = {fact.entity_id for fact in known}
            found = await facts_about(pool, seller, as_of, [*entities, "nothing"], DIMENSIONS)
            assert sorted(found) == sorted(known)
