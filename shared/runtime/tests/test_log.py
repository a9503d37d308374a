"""The log: one contract for both of its makes, and what PostgreSQL's keeps whatever happens."""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID, uuid4

import asyncpg
import pytest
from local_stack.databases import create_database
from local_stack.servers import Servers
from shared_events import orders
from shared_events.envelope import decode_recorded
from shared_events.orders import OrderPaid
from shared_events.partition import PARTITIONS
from shared_runtime.clock import system_clock
from shared_runtime.database import open_pool
from shared_runtime.delivery import NO_CHAIN, WORLD_FAILURES, Cursor
from shared_runtime.log import (
    AlreadyAnswered,
    AlreadyRecorded,
    Log,
    Planned,
    PostgresLog,
    Reply,
    TooMuchHistory,
    VersionConflict,
)
from shared_runtime.migrate import migrate
from shared_runtime.skew import SKEW_MAX, ClockSkewed
from shared_runtime.sources import OwnLog
from shared_runtime.subscription import advance
from shared_runtime.testing import InMemoryLog, ManualClock, facts

AT = datetime(2026, 1, 15, 12, tzinfo=UTC)


def paid(order: str = "O1", seller: str = "S1", ref: str = "P1") -> OrderPaid:
    return OrderPaid(
        order_id=order,
        seller_id=seller,
        buyer_id="B1",
        policy_version="p1",
        paid_at=AT,
        payment_ref=ref,
    )


def reply(request: int) -> Reply:
    return Reply(request_id=UUID(int=request), fingerprint=b"f", status=201, etag=None, body=b"{}")


SIZE = "SELECT sum(octet_length(body))::int FROM es.event WHERE stream_id = ANY($1::text[])"

# --- What holds for both


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.servers)])
def log(request: pytest.FixtureRequest, clock: ManualClock) -> Log:
    made: Log = (
        InMemoryLog(clock) if request.param == "memory" else request.getfixturevalue("journal")
    )
    return made


async def test_what_is_appended_is_read_again(log: Log) -> None:
    appended = await log.append(
        [
            *facts("order-O1", paid(ref="P1"), paid(ref="P2"), at=AT),
            *facts("order-O2", paid("O2", "S2"), at=AT),
        ]
    )
    histories = await log.read(["order-O1", "order-O2", "order-O3"])
    assert histories == {"order-O1": appended[:2], "order-O2": appended[2:]}
    assert [recorded.version for recorded in appended] == [1, 2, 1]
    assert [recorded.event for recorded in appended] == [
        paid(ref="P1"),
        paid(ref="P2"),
        paid("O2", "S2"),
    ]


async def test_positions_count_within_a_partition(log: Log) -> None:
    first = await log.append(facts("order-O1", paid(), paid(ref="P2"), at=AT))
    second = await log.append(facts("order-O2", paid("O2"), at=AT))
    other = await log.append(facts("order-O3", paid("O3", "S2"), at=AT))
    assert [recorded.position for recorded in (*first, *second, *other)] == [1, 2, 3, 1]
    assert other[0].partition != first[0].partition


async def test_of_two_who_write_one_version_the_second_is_refused_whole(log: Log) -> None:
    await log.append(facts("order-O1", paid(), at=AT))
    late = [
        *facts("order-O2", paid("O2"), at=AT),
        *facts("order-O1", paid(ref="P2"), at=AT, cause="another"),
    ]
    with pytest.raises(VersionConflict):
        await log.append(late, [reply(1)])
    assert list(await log.read(["order-O1", "order-O2"])) == ["order-O1"]
    recorded = await log.append(facts("order-O1", paid(ref="P3"), at=AT, after=1), [reply(1)])
    assert [(each.version, each.position) for each in recorded] == [(2, 2)]


async def test_a_cause_is_recorded_once(log: Log) -> None:
    once = facts("order-O1", paid(), at=AT)
    await log.append(once)
    with pytest.raises(AlreadyRecorded):
        await log.append(once)


async def test_the_log_tells_which_causes_it_has(log: Log) -> None:
    (first,) = await log.append(facts("order-O1", paid(), at=AT))
    assert await log.recorded([first.event_id, str(UUID(int=1))]) == {first.event_id}
    assert await log.recorded([]) == set()


async def test_a_request_is_answered_once_and_then_nothing_is_appended(log: Log) -> None:
    await log.append(facts("order-O1", paid(), at=AT), [reply(1)])
    with pytest.raises(AlreadyAnswered):
        await log.append(facts("order-O2", paid("O2"), at=AT), [reply(1)])
    assert await log.read(["order-O2"]) == {}
    await log.append(facts("order-O2", paid("O2"), at=AT), [reply(2)])


async def test_nothing_appended_is_nothing_answered(log: Log) -> None:
    assert await log.append([], [reply(1)]) == []
    await log.append(facts("order-O1", paid(), at=AT), [reply(1)])


async def test_an_event_that_breaks_its_schema_is_refused_whole(log: Log) -> None:
    wrong = facts("order-O1", paid(), paid(ref=""), at=AT)
    with pytest.raises(ValueError, match="payment_ref"):
        await log.append(wrong)
    assert await log.read(["order-O1"]) == {}


async def test_the_instant_of_recording_never_falls_within_a_partition(
    log: Log, clock: ManualClock
) -> None:
    (newest,) = await log.append(facts("order-O1", paid(), at=AT))
    clock.advance(-timedelta(minutes=1))
    (behind,) = await log.append(facts("order-O2", paid("O2"), at=AT))
    (elsewhere,) = await log.append(facts("order-O3", paid("O3", "S2"), at=AT))
    assert behind.recorded_at == newest.recorded_at
    assert elsewhere.recorded_at == newest.recorded_at - timedelta(minutes=1)
    assert (await log.read(["order-O2"]))["order-O2"] == [behind]


# --- Whose clock is right


@pytest.mark.parametrize("count", [1, 2])  # they are appended in ways of their own
@pytest.mark.parametrize("ahead", [1, -1])
async def test_i7_a_writer_whose_clock_is_wrong_records_nothing(
    journal: PostgresLog, pool: asyncpg.Pool, clock: ManualClock, ahead: int, count: int
) -> None:
    """What is recorded later would be dated by it, and scores as of an instant would change."""
    checked = PostgresLog(pool, source="/test", now=clock, skew_max=SKEW_MAX)
    events = [paid(ref=f"P{n}") for n in range(count)]
    clock.at = await pool.fetchval("SELECT clock_timestamp()")
    clock.advance(ahead * (SKEW_MAX + timedelta(seconds=1)))
    with pytest.raises(ClockSkewed):
        await checked.append(facts("order-O1", *events, at=AT), [reply(1)])
    assert issubclass(ClockSkewed, WORLD_FAILURES)  # a request is answered 503, a worker waits
    assert await journal.read(["order-O1"]) == {}
    assert await pool.fetchval("SELECT count(*) FROM es.head WHERE recorded_at > '-infinity'") == 0
    clock.advance(-ahead * timedelta(seconds=2))
    recorded = await checked.append(facts("order-O1", *events, at=AT), [reply(1)])
    assert {each.recorded_at for each in recorded} == {clock.at}


async def test_where_time_is_moved_by_hand_any_clock_may_write(
    journal: PostgresLog, clock: ManualClock
) -> None:
    clock.advance(timedelta(days=300))
    (recorded,) = await journal.append(facts("order-O1", paid(), at=AT))
    assert recorded.recorded_at == clock.at


# --- Who may write


INSERT = """
    INSERT INTO es.event SELECT topic, partition, position + 1, gen_random_uuid(), stream_id, 9,
                                type, recorded_at, body, leaf_hash, chain_hash FROM es.event
"""
CHANGES = (
    INSERT,
    "UPDATE es.event SET body = 'x'",
    "DELETE FROM es.event",
    "TRUNCATE es.event",
)


@pytest.mark.parametrize("change", [*CHANGES, "UPDATE es.head SET position = 0"])
async def test_i1_the_services_role_can_only_append(
    journal: PostgresLog, pool: asyncpg.Pool, change: str
) -> None:
    await journal.append(facts("order-O1", paid(), at=AT))
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
        await pool.execute(change)


@pytest.mark.parametrize("change", CHANGES)
async def test_i1_the_log_is_append_only_for_its_owner_too(
    journal: PostgresLog, owner: asyncpg.Pool, change: str
) -> None:
    await journal.append(facts("order-O1", paid(), at=AT))
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
        await owner.execute(change)
    assert await owner.fetchval("SELECT count(*) FROM es.event") == 1


# --- Whatever happens


WRITERS = 24
ROUNDS = 24
STREAMS = 40
SELLERS = 8
KILL_EVERY = 40
KILLED_AT_ONCE = 3
KILL = """
    SELECT count(pg_terminate_backend(pid)) FROM (
        SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND usename = 'aftersales_app'
        ORDER BY random() LIMIT $1)
"""


class RolledBack(Exception):  # noqa: N818 - what a client does
    """A client thinks better of it after it has appended."""


@dataclass(slots=True)
class Aftermath:
    """What the writers were told, what a reader saw meanwhile, and what the log has in the end."""

    acknowledged: set[str] = field(default_factory=set[str])
    refused: set[str] = field(default_factory=set[str])
    unknown: set[str] = field(default_factory=set[str])
    happened: Counter[str] = field(default_factory=Counter[str])
    broken: list[str] = field(default_factory=list[str])
    seen: dict[tuple[str, int], Cursor] = field(default_factory=dict[tuple[str, int], Cursor])
    rows: list[asyncpg.Record] = field(default_factory=list[asyncpg.Record])
    heads: list[asyncpg.Record] = field(default_factory=list[asyncpg.Record])


@dataclass(slots=True)
class Turmoil:
    """Writers who conflict, think better of it, are slow to commit, lose their connection; and a
    server that is killed in the middle of it all.
    """

    pool: asyncpg.Pool
    log: PostgresLog
    kill_some: Callable[[], Awaitable[int]]
    crash: Callable[[], None]
    after: Aftermath = field(default_factory=Aftermath)
    rounds: int = 0
    server_is_up: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        self.server_is_up.set()
        writing = asyncio.gather(*(self.write(random.Random(n)) for n in range(WRITERS)))
        reading = asyncio.create_task(self.read_along(writing))
        await writing
        await reading

    async def write(self, chance: random.Random) -> None:
        ways = (self.plainly, self.slowly, self.thinking_better, self.losing_the_connection)
        for _ in range(ROUNDS):
            await self.server_is_up.wait()
            planned: list[Planned] = []
            (way,) = chance.choices(ways, weights=(6, 2, 1, 1))
            try:
                async with self.pool.acquire() as db:
                    planned = await self.plan(chance, db)
                    await way(planned, db)
                self.tell("acknowledged", self.after.acknowledged, planned)
            except VersionConflict:
                self.tell("conflict", self.after.refused, planned)
            except RolledBack:
                self.tell("rolled back", self.after.refused, planned)
            except WORLD_FAILURES:
                self.tell("connection lost", self.after.unknown, planned)
            except Exception as fault:  # noqa: BLE001 - a test says that there was none
                self.after.broken.append(repr(fault))
            self.rounds += 1
            await self.disturb(self.rounds)

    def tell(self, what: str, ids: set[str], planned: Sequence[Planned]) -> None:
        self.after.happened[what] += 1
        ids.update(item.event_id for item in planned)

    async def plan(
        self, chance: random.Random, db: asyncpg.pool.PoolConnectionProxy
    ) -> list[Planned]:
        """One to three events more for each of one to four streams, from what is there now."""
        numbers = chance.sample(range(STREAMS), chance.randint(1, 4))
        histories = await self.log.within(db).read([f"order-{n}" for n in numbers])
        return [
            item
            for n in numbers
            for item in facts(
                f"order-{n}",
                *[paid(f"{n}", f"S{n % SELLERS}")] * chance.randint(1, 3),
                at=AT,
                after=len(histories.get(f"order-{n}", [])),
                cause=str(uuid4()),
            )
        ]

    async def plainly(self, planned: list[Planned], db: asyncpg.pool.PoolConnectionProxy) -> None:
        await self.log.within(db).append(planned)

    async def slowly(self, planned: list[Planned], db: asyncpg.pool.PoolConnectionProxy) -> None:
        """Begins before others and commits after them."""
        async with db.transaction():
            await db.execute("SELECT pg_current_xact_id()")
            await self.log.within(db).append(planned)
            await db.execute("SELECT 1")

    async def thinking_better(
        self, planned: list[Planned], db: asyncpg.pool.PoolConnectionProxy
    ) -> None:
        async with db.transaction():
            await self.log.within(db).append(planned)
            raise RolledBack

    async def losing_the_connection(
        self, planned: list[Planned], db: asyncpg.pool.PoolConnectionProxy
    ) -> None:
        """The socket is closed while the server is at work, sooner or later."""
        appending = asyncio.create_task(self.log.within(db).append(planned))
        for _ in planned:
            await asyncio.sleep(0)
        db.terminate()
        await asyncio.wait([appending])
        if fault := appending.exception():
            raise ConnectionAbortedError from fault

    async def disturb(self, number: int) -> None:
        if number == WRITERS * ROUNDS // 2:
            self.server_is_up.clear()
            await asyncio.to_thread(self.crash)
            self.after.happened["crash"] += 1
            self.server_is_up.set()
        elif number % KILL_EVERY == 0 and self.server_is_up.is_set():
            with suppress(*WORLD_FAILURES):
                self.after.happened["killed"] += await self.kill_some()

    async def read_along(self, writing: asyncio.Future[list[None]]) -> None:
        """Reads the log while it grows: who has seen 8 never meets a 7 later."""
        seen = {(orders.TOPIC, partition): Cursor() for partition in range(PARTITIONS)}
        source = OwnLog(self.pool, (orders.TOPIC,))
        finished = False
        while not finished:
            finished = writing.done()
            await self.server_is_up.wait()
            with suppress(*WORLD_FAILURES):
                while deliveries := await source.take(seen):
                    for delivery in deliveries:
                        seen[delivery.place] = advance(seen[delivery.place], delivery) or Cursor()
        self.after.seen = {place: cursor for place, cursor in seen.items() if cursor.position}


@pytest.fixture(scope="module")
def aftermath(own_servers: Servers) -> Aftermath:
    if (postgres := own_servers.own_postgres) is None:
        pytest.skip("this PostgreSQL is not ours to kill")

    def crash() -> None:
        postgres.stop("immediate")
        postgres.start()

    async def turmoil() -> Aftermath:
        database = create_database(own_servers.postgres_url, f"turmoil_{uuid4().hex[:12]}")
        await migrate("review_service", database.owner_url)
        admin_url = own_servers.postgres_url.rpartition("/")[0] + f"/{database.name}"
        async with (
            await open_pool(database.app_url, size=WRITERS + 1) as pool,
            await open_pool(admin_url, size=1) as admin,
        ):
            turmoil = Turmoil(
                pool=pool,
                log=PostgresLog(pool, source="/test", now=system_clock),
                kill_some=lambda: admin.fetchval(KILL, KILLED_AT_ONCE),
                crash=crash,
            )
            await turmoil.run()
            after = turmoil.after
            after.rows = await pool.fetch("SELECT * FROM es.event ORDER BY partition, position")
            after.heads = await pool.fetch("SELECT * FROM es.head WHERE position > 0")
            return after

    return asyncio.run(turmoil())


def partitions(aftermath: Aftermath) -> dict[int, list[asyncpg.Record]]:
    found: dict[int, list[asyncpg.Record]] = defaultdict(list)
    for row in aftermath.rows:
        found[row["partition"]].append(row)
    return found


def test_i1_all_that_may_happen_has_happened(aftermath: Aftermath) -> None:
    assert aftermath.happened["crash"] == 1
    for what in ("acknowledged", "conflict", "rolled back", "connection lost", "killed"):
        assert aftermath.happened[what] >= 10, aftermath.happened
    assert len(aftermath.rows) >= 500


def test_i1_positions_have_no_holes(aftermath: Aftermath) -> None:
    assert aftermath.broken == []
    found = partitions(aftermath)
    assert len(found) == SELLERS
    for rows in found.values():
        assert [row["position"] for row in rows] == list(range(1, len(rows) + 1))
    heads = {head["partition"]: head["position"] for head in aftermath.heads}
    assert heads == {partition: len(rows) for partition, rows in found.items()}


def test_i1_no_acknowledged_event_is_missing_and_no_refused_one_is_there(
    aftermath: Aftermath,
) -> None:
    there = {str(row["event_id"]) for row in aftermath.rows}
    assert aftermath.acknowledged <= there
    assert there.isdisjoint(aftermath.refused)
    assert there <= aftermath.acknowledged | aftermath.unknown


def test_i1_every_hash_continues_the_one_before(aftermath: Aftermath) -> None:
    heads = {head["partition"]: head["chain_hash"] for head in aftermath.heads}
    for partition, rows in partitions(aftermath).items():
        chain = NO_CHAIN
        for row in rows:
            assert row["leaf_hash"] == sha256(b"\x00" + row["body"]).digest()
            chain = sha256(chain + row["leaf_hash"]).digest()
            assert row["chain_hash"] == chain
        assert heads[partition] == chain


def test_i1_who_reads_along_meets_every_event_in_its_place(aftermath: Aftermath) -> None:
    heads = {
        (head["topic"], head["partition"]): Cursor(
            position=head["position"], chain_hash=head["chain_hash"]
        )
        for head in aftermath.heads
    }
    assert aftermath.seen == heads


def test_i1_what_is_stored_says_what_its_columns_say(aftermath: Aftermath) -> None:
    for row in aftermath.rows:
        recorded = decode_recorded(row["topic"], row["partition"], row["position"], row["body"])
        assert (recorded.event_id, recorded.stream, recorded.version, recorded.type) == (
            str(row["event_id"]),
            row["stream_id"],
            row["stream_version"],
            row["type"],
        )
        assert recorded.recorded_at == row["recorded_at"]


def test_i2_log_order_respects_the_versions_of_every_stream(aftermath: Aftermath) -> None:
    versions: dict[str, list[int]] = defaultdict(list)
    for row in aftermath.rows:
        versions[row["stream_id"]].append(row["stream_version"])
    assert len(versions) == STREAMS
    for found in versions.values():
        assert found == list(range(1, len(found) + 1))


def test_i2_the_instant_of_recording_never_falls(aftermath: Aftermath) -> None:
    for rows in partitions(aftermath).values():
        instants = [row["recorded_at"] for row in rows]
        assert instants == sorted(instants)


@pytest.mark.servers
@pytest.mark.parametrize("streams", [["order-O1"], ["order-O1", "order-O2"]])
async def test_so_much_history_is_read_at_once(
    journal: PostgresLog, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch, streams: list[str]
) -> None:
    await journal.append(
        [
            *facts("order-O1", paid(ref="P1"), paid(ref="P2"), at=AT),
            *facts("order-O2", paid("O2"), at=AT),
        ]
    )
    size: int = await pool.fetchval(SIZE, streams)
    monkeypatch.setattr("shared_runtime.log.HISTORIES_BYTES_MAX", size)
    assert [*await journal.read(streams)] == streams
    monkeypatch.setattr("shared_runtime.log.HISTORIES_BYTES_MAX", size - 1)
    with pytest.raises(TooMuchHistory):
        await journal.read(streams)
