"""A poison event stops its key and nothing else; mended and tried again, it leaves no trace."""

import asyncio
from collections.abc import Sequence
from copy import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import asyncpg
import pytest
from shared_events.orders import OrderPaid
from shared_events.partition import partition_of
from shared_runtime import parking
from shared_runtime.delivery import WORLD_FAILURES, Connection, Delivery, Place, Subscription
from shared_runtime.log import PostgresLog
from shared_runtime.parking import (
    DISCARDED_KEPT_FOR,
    POISON_ATTEMPTS,
    RETRY_AFTER,
    ask_retry,
    discard_first,
    list_parked,
    purge_discarded,
    retry_parked,
)
from shared_runtime.sources import OwnLog
from shared_runtime.subscription import Runner
from shared_runtime.testing import facts

AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
POISON = b'"payment_ref":"poison"'
numbers = count()
SET_BACK = "UPDATE es.cursor SET position = 0, chain_hash = decode(repeat('00', 32), 'hex')"
LEFT_OUT = "SELECT position FROM es.parked_event WHERE state = 'DISCARDED' ORDER BY position"
SET_ASIDE_AGO = """
    UPDATE es.parked_event SET set_aside_at = clock_timestamp() - $1::interval WHERE position = $2
"""
KEPT = "SELECT octet_length(body) AS size FROM es.parked_event WHERE state = 'WAITING'"
# Two of the sellers share a partition, so that one key's trouble meets another key in a batch.
SELLERS = ("S1", "S2", "S36")

pytestmark = pytest.mark.usefixtures("sight")


class Applying:
    """Notes each event, unless it is poison and nothing was mended yet."""

    def __init__(self) -> None:
        self.mended = False

    async def __call__(self, deliveries: Sequence[Delivery], db: Connection) -> None:
        columns = zip(*[(*d.place, d.position, d.key) for d in deliveries], strict=True)
        await db.execute("SELECT see($1, $2, $3, $4)", *map(list, columns))
        if not self.mended and any(POISON in delivery.body for delivery in deliveries):
            raise ValueError("cannot be applied")


class Reader:
    """A subscription to the own log, and the questions that operators ask about it."""

    def __init__(self, pool: asyncpg.Pool, topic: str, name: str = "sight") -> None:
        self.applying = Applying()
        self.pool = pool
        self.source = OwnLog(pool, (topic,))
        self.subscription = Subscription(name=name, topics=(topic,), apply=self.applying)
        self.runner = Runner(subscription=self.subscription, source=self.source, pool=pool)

    async def read_all(self) -> None:
        await self.runner.start()
        while await self.runner.turn():
            pass

    async def retry(self, key: str) -> int:
        assert await ask_retry(self.pool, subscription="sight", key=key)
        return await retry_parked(self.subscription, self.source, self.pool)

    async def parked(self) -> list[tuple[str, int, int]]:
        """Key, first waiting position, how many wait."""
        rows = await list_parked(self.pool)
        return [(row["key"], row["first_position"], row["events"]) for row in rows]


@pytest.fixture
def reader(pool: asyncpg.Pool, topic: str) -> Reader:
    return Reader(pool, topic)


async def write(log: PostgresLog, seller: str, *refs: str) -> None:
    for ref in refs:
        paid = OrderPaid(
            order_id="O1",
            seller_id=seller,
            buyer_id="B1",
            policy_version="p1",
            paid_at=AT,
            payment_ref=ref,
        )
        await log.append(facts(f"order-{next(numbers)}", paid, at=AT))


async def histories(pool: asyncpg.Pool) -> dict[str, list[int]]:
    return {row["key"]: row["positions"] for row in await pool.fetch("SELECT * FROM history")}


async def left_out(pool: asyncpg.Pool) -> list[int]:
    return [row["position"] for row in await pool.fetch(LEFT_OUT)]


async def times_applied(pool: asyncpg.Pool) -> set[int]:
    return {row["times"] for row in await pool.fetch("SELECT DISTINCT times FROM seen")}


async def test_i13_a_poison_event_stops_only_its_key(
    pool: asyncpg.Pool, journal: PostgresLog, reader: Reader
) -> None:
    await write(journal, "S1", "a", "poison", "b", "c")
    await write(journal, "S2", "a", "b")
    await reader.read_all()
    assert await histories(pool) == {"S1": [1], "S2": [1, 2]}
    assert await reader.parked() == [("S1", 2, 3)]


async def test_i13_other_keys_of_the_same_partition_go_on(
    pool: asyncpg.Pool, journal: PostgresLog, reader: Reader
) -> None:
    for ref in ("a", "poison", "b"):
        await write(journal, "S1", ref)
        await write(journal, "S36", "a")
    await reader.read_all()
    assert await histories(pool) == {"S1": [1], "S36": [2, 4, 6]}


async def test_i13_later_events_follow_a_parked_key_and_other_keys_go_on(
    pool: asyncpg.Pool, journal: PostgresLog, reader: Reader
) -> None:
    await write(journal, "S1", "poison")
    await reader.read_all()
    await write(journal, "S1", "a")
    await write(journal, "S2", "a")
    await reader.read_all()
    assert await histories(pool) == {"S2": [1]}
    assert await reader.parked() == [("S1", 1, 2)]


async def test_i13_mended_and_tried_again_the_state_is_that_of_a_run_that_never_stumbled(
    pool: asyncpg.Pool, journal: PostgresLog, reader: Reader, topic: str
) -> None:
    for seller in SELLERS:
        await write(journal, seller, "a", "poison" if seller == "S1" else "b", "c")
    await reader.read_all()
    reader.applying.mended = True
    assert await reader.retry("S1") == 1
    stumbled = await histories(pool)
    assert await times_applied(pool) == {1}
    assert await reader.parked() == []
    await pool.execute("DELETE FROM history")
    steady = Reader(pool, topic)
    steady.applying.mended = True
    await pool.execute("DELETE FROM es.cursor")
    await steady.read_all()
    assert await histories(pool) == stumbled


async def test_a_key_that_fails_again_stays_parked_with_what_is_left(
    pool: asyncpg.Pool, journal: PostgresLog, reader: Reader
) -> None:
    await write(journal, "S1", "poison", "a", "poison", "b")
    await reader.read_all()
    assert await discard_first(pool, subscription="sight", key="S1", reason="sent twice")
    assert await reader.retry("S1") == 0
    assert await histories(pool) == {"S1": [2]}
    assert await reader.parked() == [("S1", 3, 2)]


async def test_a_discarded_event_is_left_out_and_remembered_with_its_reason(
    pool: asyncpg.Pool, journal: PostgresLog, reader: Reader
) -> None:
    await write(journal, "S1", "a", "poison", "b")
    await reader.read_all()
    assert await discard_first(pool, subscription="sight", key="S1", reason="sent twice")
    assert await reader.retry("S1") == 1
    assert await histories(pool) == {"S1": [1, 3]}
    left_out = await pool.fetchrow("SELECT position, state, reason FROM es.parked_event")
    assert left_out is not None
    assert tuple(left_out) == (2, "DISCARDED", "sent twice")


async def test_i13_read_again_what_waits_goes_on_waiting_and_what_was_given_up_is_given_up_for_good(
    pool: asyncpg.Pool, journal: PostgresLog, reader: Reader
) -> None:
    """As after `aftersales log reread`, or when a reaction begins anew."""
    await write(journal, "S1", "poison", "a", "poison", "b")
    await write(journal, "S2", "a")
    await reader.read_all()
    assert await discard_first(pool, subscription="sight", key="S1", reason="sent twice")
    assert await reader.retry("S1") == 0
    await pool.execute(SET_BACK)
    await reader.read_all()
    assert not reader.runner.holds
    assert await reader.parked() == [("S1", 2, 3)]
    assert await reader.retry("S1") == 0
    assert await discard_first(pool, subscription="sight", key="S1", reason="sent twice")
    assert await reader.retry("S1") == 1
    assert await histories(pool) == {"S1": [2, 2, 4], "S2": [1, 1]}
    assert await left_out(pool) == [1, 3]


async def test_what_a_reaction_has_left_out_is_forgotten_after_a_year(
    pool: asyncpg.Pool, journal: PostgresLog, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parking, "DISCARDED_PURGE_MAX", 2)
    await write(journal, "S1", *["poison"] * 5)
    await reader.read_all()
    for position in range(1, 5):
        assert await discard_first(pool, subscription="sight", key="S1", reason="sent twice")
        ago = DISCARDED_KEPT_FOR + timedelta(hours=1 if position < 4 else -1)
        await pool.execute(SET_ASIDE_AGO, ago, position)
    await pool.execute(SET_ASIDE_AGO, 2 * DISCARDED_KEPT_FOR, 5)  # it waits, and goes on waiting
    assert [await purge_discarded(pool) for _ in range(3)] == [2, 1, 0]
    assert await left_out(pool) == [4]
    assert await reader.parked() == [("S1", 5, 1)]


async def test_the_year_begins_when_it_is_left_out_and_not_when_it_was_set_aside(
    pool: asyncpg.Pool, journal: PostgresLog, reader: Reader
) -> None:
    await write(journal, "S1", "poison")
    await reader.read_all()
    await pool.execute(SET_ASIDE_AGO, 2 * DISCARDED_KEPT_FOR, 1)
    assert await discard_first(pool, subscription="sight", key="S1", reason="sent twice")
    assert await purge_discarded(pool) == 0
    await pool.execute(SET_ASIDE_AGO, DISCARDED_KEPT_FOR + timedelta(hours=1), 1)
    assert await purge_discarded(pool) == 1


async def test_what_a_projection_has_left_out_is_kept_to_be_left_out_again(
    pool: asyncpg.Pool, journal: PostgresLog, topic: str
) -> None:
    reader = Reader(pool, topic, "sight/3")
    await pool.execute(
        "INSERT INTO es.projection (name, version, generation) VALUES ($1, 1, 3)", "sight"
    )
    await write(journal, "S1", "poison")
    await reader.read_all()
    assert await discard_first(pool, subscription="sight/3", key="S1", reason="sent twice")
    await pool.execute(SET_ASIDE_AGO, 2 * DISCARDED_KEPT_FOR, 1)
    assert await purge_discarded(pool) == 0
    await pool.execute("UPDATE es.projection SET generation = 4")
    assert await purge_discarded(pool) == 1


async def test_a_key_is_parked_by_the_databases_clock(
    pool: asyncpg.Pool, journal: PostgresLog, reader: Reader
) -> None:
    before = await pool.fetchval("SELECT clock_timestamp()")
    await write(journal, "S1", "poison")
    await reader.read_all()
    ((parked_at,),) = await pool.fetch("SELECT parked_at FROM es.parked_key")
    assert before < parked_at < await pool.fetchval("SELECT clock_timestamp()")


@pytest.mark.parametrize(
    ("state", "statement"),
    [
        ("08006", "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '08006'; END $$"),  # a connection
        ("25006", "SET TRANSACTION READ ONLY; DELETE FROM es.timer"),  # it has become a replica
        ("26000", "EXECUTE of_another_session"),  # a pooler has given us one
        ("28P01", "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '28P01'; END $$"),  # who we are
        ("42P01", "SELECT * FROM elsewhere"),
        ("42703", "SELECT nowhere FROM es.timer"),
        ("42501", "DELETE FROM es.event"),
        ("53100", "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53100'; END $$"),  # a full disk
        ("55P03", "LOCK TABLE es.worker NOWAIT"),  # somebody has it
        ("57014", "SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(10)"),
        ("58030", "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '58030'; END $$"),  # its disk
        ("XX001", "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'XX001'; END $$"),  # a damaged page
    ],
)
async def test_i13_what_the_database_does_is_no_events_fault(
    owner: asyncpg.Pool, journal: PostgresLog, reader: Reader, state: str, statement: str
) -> None:
    async def apply(_: Sequence[Delivery], db: Connection) -> None:
        await db.execute(statement)

    await write(journal, "S1", "a")
    reader.runner.subscription = replace(reader.subscription, apply=apply)
    async with owner.acquire() as other, other.transaction():
        await other.execute("LOCK TABLE es.worker IN SHARE MODE")
        with pytest.raises(WORLD_FAILURES) as told:
            await reader.read_all()
    assert getattr(told.value, "sqlstate", None) == state
    assert await reader.parked() == []
    reader.runner.subscription = reader.subscription
    await reader.read_all()
    assert await histories(reader.pool) == {"S1": [1]}


async def test_nobody_can_retry_or_discard_what_is_not_parked(pool: asyncpg.Pool) -> None:
    assert not await ask_retry(pool, subscription="sight", key="S1")
    assert not await discard_first(pool, subscription="sight", key="S1", reason="none")


async def test_a_freed_key_goes_on_like_any_other(
    pool: asyncpg.Pool, journal: PostgresLog, reader: Reader
) -> None:
    await write(journal, "S1", "poison")
    await reader.read_all()
    reader.applying.mended = True
    assert await reader.retry("S1") == 1
    await write(journal, "S1", "a")
    await reader.read_all()
    assert await histories(pool) == {"S1": [1, 2]}


async def test_a_release_that_fails_everywhere_stops_instead_of_parking_the_world(
    pool: asyncpg.Pool,
    journal: PostgresLog,
    reader: Reader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parking, "PARKED_KEYS_MAX", 1)
    await write(journal, "S1", "poison")
    await reader.read_all()
    await write(journal, "S2", "poison")
    await write(journal, "S55", "a")
    await reader.read_all()
    assert await reader.parked() == [("S1", 1, 1)]
    (hold,) = reader.runner.holds.values()
    assert hold.why == "parked-keys"
    assert await histories(pool) == {"S55": [1]}


# --- By themselves


async def test_a_parked_key_is_tried_again_by_itself(
    pool: asyncpg.Pool, journal: PostgresLog, reader: Reader
) -> None:
    """A release that can apply it has taken over: nobody asks for it."""
    await write(journal, "S1", "poison", "a")
    await reader.read_all()
    reader.applying.mended = True
    assert await retry_parked(reader.subscription, reader.source, pool) == 0
    await pool.execute("UPDATE es.parked_key SET tried_at = tried_at - $1::interval", RETRY_AFTER)
    assert await retry_parked(reader.subscription, reader.source, pool) == 1
    assert await histories(pool) == {"S1": [1, 2]}


async def test_a_parked_key_that_fails_again_by_itself_waits_as_long_again(
    pool: asyncpg.Pool, journal: PostgresLog, reader: Reader
) -> None:
    await write(journal, "S1", "poison")
    await reader.read_all()
    await pool.execute("UPDATE es.parked_key SET tried_at = tried_at - $1::interval", RETRY_AFTER)
    assert await retry_parked(reader.subscription, reader.source, pool) == 0
    reader.applying.mended = True
    assert await retry_parked(reader.subscription, reader.source, pool) == 0
    assert await reader.parked() == [("S1", 1, 1)]


async def test_i13_what_waits_is_kept_though_its_source_has_it_no_more(
    pool: asyncpg.Pool, journal: PostgresLog, reader: Reader
) -> None:
    """I13: nothing depends on how long Kafka keeps a topic."""
    await write(journal, "S1", "poison", "a")
    await reader.read_all()
    reader.applying.mended = True
    reader.source.pool = asyncpg.create_pool(min_size=0)  # it is not asked for anything
    assert await reader.retry("S1") == 1
    assert await histories(pool) == {"S1": [1, 2]}


async def test_i13_a_retry_whose_source_does_not_answer_holds_up_nobody(
    pool: asyncpg.Pool, journal: PostgresLog, reader: Reader, topic: str
) -> None:
    asked = asyncio.Event()

    class Silent(OwnLog):
        async def fetch(
            self,
            place: Place,  # noqa: ARG002 - of a `Source`
            positions: Sequence[int],  # noqa: ARG002
        ) -> list[Delivery]:
            asked.set()
            await asyncio.sleep(60)
            return []

    await write(journal, "S1", "poison")
    await reader.read_all()
    await pool.execute("UPDATE es.parked_event SET body = NULL")  # as of a feed
    assert await ask_retry(pool, subscription="sight", key="S1")
    source = Silent(pool, (topic,))
    runner = Runner(subscription=reader.subscription, source=source, pool=pool)
    stop = asyncio.Event()
    running = asyncio.create_task(runner.run(stop))
    async with asyncio.timeout(10):
        await asked.wait()
        await write(journal, "S2", "a")
        while await histories(pool) != {"S2": [1]}:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert runner.retrying is not None
    runner.retrying.cancel()
    stop.set()
    await asyncio.gather(running, return_exceptions=True)


# --- What takes too long


TURNS_MAX = 20


async def turn_through(runner: Runner) -> None:
    """Turns until nothing is left, whatever takes too long on the way."""
    for _ in range(TURNS_MAX):
        try:
            if not await runner.turn():
                return
        except TimeoutError:
            continue
    raise AssertionError("it is tried without an end")


async def test_i13_an_event_that_takes_longer_than_a_statement_may_is_set_aside(
    pool: asyncpg.Pool, journal: PostgresLog, reader: Reader
) -> None:
    tries: list[int] = []

    async def slow(deliveries: Sequence[Delivery], db: Connection) -> None:
        if any(b"poison" in delivery.body for delivery in deliveries):
            tries.append(len(deliveries))
            raise TimeoutError
        await reader.applying(deliveries, db)

    await write(journal, "S1", "a", "poison", "b")
    await write(journal, "S2", "a", "b")
    await write(journal, "S36", "a")
    reader.runner.subscription = replace(reader.subscription, apply=slow)
    await reader.runner.start()
    await turn_through(reader.runner)
    assert await histories(pool) == {"S1": [1], "S2": [1, 2], "S36": [4]}
    assert await reader.parked() == [("S1", 2, 2)]
    assert tries.count(1) == POISON_ATTEMPTS


async def test_where_nothing_is_parked_what_takes_too_long_holds_its_partition_alone(
    pool: asyncpg.Pool, journal: PostgresLog, reader: Reader, topic: str
) -> None:
    async def slow(deliveries: Sequence[Delivery], db: Connection) -> None:
        if any(delivery.key == "S1" for delivery in deliveries):
            raise TimeoutError
        await reader.applying(deliveries, db)

    await write(journal, "S1", "a")
    await write(journal, "S2", "a")
    reader.runner.subscription = replace(reader.subscription, apply=slow, parks=False)
    await reader.runner.start()
    async with asyncio.timeout(20):
        while await histories(pool) != {"S2": [1]}:
            await turn_through(reader.runner)
    assert reader.runner.holds.keys() == {(topic, partition_of("S1"))}
    assert await reader.parked() == []


async def test_what_is_tried_again_is_bounded_in_bytes(
    pool: asyncpg.Pool, journal: PostgresLog, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One event at least, however large."""
    await write(journal, "S1", "poison", *map(str, range(5)))
    await reader.read_all()
    sizes = [row["size"] for row in await pool.fetch(KEPT)]
    name = ("sight", reader.subscription.topics[0], partition_of("S1"), "S1")
    for most, found in ((sum(sizes), 6), (sum(sizes) - 1, 5), (1, 1)):
        monkeypatch.setattr(parking, "RETRY_BYTES_MAX", most)
        waiting = await parking.waiting_of(pool, name)
        assert len(waiting) == found
    reader.applying.mended = True
    assert await reader.retry("S1") == 1
    assert await histories(pool) == {"S1": [1, 2, 3, 4, 5, 6]}


async def test_so_many_readers_of_a_process_try_again_at_once(
    pool: asyncpg.Pool, journal: PostgresLog, topic: str
) -> None:
    readers = [Reader(pool, topic, f"sight {n}") for n in range(parking.RETRIES_AT_ONCE + 1)]
    retries, going = parking.Retries(), list[int]()
    now = 0

    async def slowly(deliveries: Sequence[Delivery], _: Connection) -> None:
        nonlocal now
        if any(POISON in delivery.body for delivery in deliveries):
            now += 1
            going.append(now)
            await asyncio.sleep(0.2)
            now -= 1
            raise ValueError("cannot be applied")

    await write(journal, "S1", "poison")
    for reader in readers:
        await reader.read_all()
        assert await ask_retry(pool, subscription=reader.subscription.name, key="S1")
        reader.runner.subscription = replace(reader.subscription, apply=slowly)
        reader.runner.retries = retries
    await asyncio.gather(*(reader.runner.retry() for reader in readers))
    assert max(going) == parking.RETRIES_AT_ONCE
