"""Open items are listed oldest first, counted, and given to one person each for a while."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from local_stack.databases import Database
from msgspec.structs import replace
from prometheus_client import REGISTRY
from shared_events.envelope import Recorded
from shared_runtime.database import open_pool
from shared_runtime.decider import ConflictOfInterest, NotFound
from shared_runtime.delivery import Connection
from shared_runtime.leases import LEASE_TERM, AlreadyAssigned, Assignee, Leases, NothingToDecide
from shared_runtime.migrate import migrate
from shared_runtime.pages import PageStart
from shared_runtime.projections import Projection
from shared_runtime.reading import Cursors
from shared_runtime.rows import Rows
from shared_runtime.testing import ManualClock
from shared_runtime.worklist import (
    ALL,
    CASE_COLUMNS,
    Case,
    Counter,
    OpenItem,
    Wanted,
    WorkList,
    count_open,
    queue,
    summed_up,
)

AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
CURSORS = Cursors(b"a key of the tests")


class Leak(Case, frozen=True, kw_only=True):
    """A pipe that leaks; `plumber_id` has been sent."""

    street: str = "Main"
    plumber_id: str | None = None


async def nothing(_: Sequence[Recorded[object]], __: Connection) -> None: ...


DDL = f"""
    CREATE TABLE leak ({CASE_COLUMNS}, street text NOT NULL, plumber_id text);
    {queue("leak")}
"""
LEAKS = Projection(
    name="leaks",
    version=1,
    topics=("orders.events",),
    handles=(),
    tables=("leak",),
    ddl=DDL,
    apply=nothing,
)
ROWS = Rows(table="leaks_g1.leak", key="case_id", row=Leak)
CASES = WorkList(name="leaks", projection=LEAKS, table="leak", row=Leak, kinds=("DRIP", "FLOOD"))
DRIP = OpenItem(kind="DRIP", since=AT, due=AT + HOUR)
FLOOD = OpenItem(kind="FLOOD", since=AT + HOUR, due=None, barred=["who-broke-it"])


def leak(name: str, *items: OpenItem, parties: Iterable[str] = (), street: str = "Main") -> Leak:
    case = Leak(case_id=name, kinds=[], parties=[*parties], barred=[], street=street)
    return summed_up(case, items)


def since(hours: int, item: OpenItem = DRIP) -> OpenItem:
    return replace(item, since=AT + hours * HOUR)


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[asyncpg.Pool]:
    await migrate("review_service", database.owner_url, [LEAKS])
    async with await open_pool(database.app_url, size=32) as pool:
        yield pool


@pytest.fixture
def leases(pool: asyncpg.Pool) -> Leases[Leak]:
    return Leases(CASES, pool)


async def told(pool: asyncpg.Pool, *cases: Leak) -> None:
    async with pool.acquire() as db:
        await ROWS.write(cases, db)


def somebody(name: str = "one", *decides: str) -> Assignee:
    return Assignee(id=name, accounts=[name], decides=decides or ("DRIP", "FLOOD"))


def first(limit: int = 20, cursor: str | None = None) -> PageStart:
    return PageStart(
        limit=limit,
        after=CURSORS.last("leaks", cursor),
        cursor=lambda last: CURSORS.text("leaks", last),
    )


async def listed(
    pool: asyncpg.Pool, wanted: Wanted = ALL, *, reader: str = "reader", at: datetime = AT
) -> list[str]:
    cases, more = await CASES.page(pool, first(), wanted, hidden_from=[reader], now=at)
    assert more is None
    return [case.case_id for case in cases]


def test_a_case_says_since_when_by_when_and_for_whom_not() -> None:
    case = leak("A", FLOOD, DRIP, parties=["owner"])
    assert (case.kinds, case.opened_at, case.due_at) == (["DRIP", "FLOOD"], AT, AT + HOUR)
    assert case.barred == ["owner", "who-broke-it"]
    mended = summed_up(case, [])
    assert (mended.kinds, mended.opened_at, mended.due_at) == ([], None, None)
    assert mended.barred == ["owner"]


async def test_open_cases_are_listed_oldest_first_page_by_page(pool: asyncpg.Pool) -> None:
    cases = [leak(name, since(hours)) for name, hours in zip("CADB", (2, 1, 2, 3), strict=True)]
    await told(pool, *cases, leak("E"))
    assert await listed(pool) == ["A", "C", "D", "B"]
    names: list[str] = []
    cursor: str | None = None
    for _ in range(4):
        place = first(1, cursor)
        page, cursor = await CASES.page(pool, place, hidden_from=[], now=AT)
        names += [case.case_id for case in page]
        # What is mended or comes in before the place of a page moves no other one.
        await told(pool, leak("A"), leak("0", since(0)))
    assert (names, cursor) == (["A", "C", "D", "B"], None)


async def test_a_case_is_hidden_from_its_parties(pool: asyncpg.Pool) -> None:
    await told(pool, leak("A", DRIP, parties=["owner", "tenant"]), leak("B", FLOOD))
    assert await listed(pool, reader="tenant") == ["B"]
    assert await listed(pool, reader="who-broke-it") == ["A", "B"]


async def test_a_list_can_be_narrowed(pool: asyncpg.Pool) -> None:
    await told(pool, leak("A", DRIP), leak("B", FLOOD, street="Elm"), leak("C", FLOOD, DRIP))
    assert await listed(pool, Wanted(kind="FLOOD")) == ["C", "B"]
    assert await listed(pool, Wanted(only={"street = {}": "Elm", "{} = ANY(kinds)": "FLOOD"})) == [
        "B"
    ]
    assert await listed(pool, Wanted(overdue=True), at=AT + HOUR - timedelta(microseconds=1)) == []
    assert await listed(pool, Wanted(overdue=True), at=AT + HOUR) == ["A", "C"]
    assert await listed(pool, Wanted(overdue=True, kind="FLOOD"), at=AT + HOUR) == ["C"]


async def test_who_is_sent_and_not_asked_has_a_list_without_leases(pool: asyncpg.Pool) -> None:
    await told(pool, replace(leak("A", DRIP), plumber_id="P1"), leak("B", DRIP))
    assert await listed(pool, Wanted(only={"plumber_id = {}": "P1"})) == ["A"]


async def test_open_cases_are_counted_every_ten_seconds(pool: asyncpg.Pool) -> None:
    clock = ManualClock(AT + HOUR)
    counter = Counter(CASES, pool, clock)
    await told(pool, leak("A", DRIP), leak("B", FLOOD), leak("C", FLOOD, DRIP), leak("D"))
    counts = await counter.counts()
    assert (counts.cases, counts.overdue, counts.of_kind) == (3, 2, {"DRIP": 2, "FLOOD": 2})
    await told(pool, leak("A"))
    clock.advance(timedelta(seconds=10) - timedelta(microseconds=1))
    assert await counter.counts() is counts
    clock.advance(timedelta(microseconds=1))
    assert (await counter.counts()).of_kind == {"DRIP": 1, "FLOOD": 2}


async def test_how_much_waits_for_people_is_in_the_metrics(pool: asyncpg.Pool) -> None:
    await told(pool, leak("A", DRIP), leak("B", FLOOD), leak("C"))
    stop = asyncio.Event()
    counting = asyncio.create_task(count_open((CASES,), pool, ManualClock(AT + HOUR), stop))
    named = {"list": "leaks"}
    async with asyncio.timeout(10):
        while REGISTRY.get_sample_value("aftersales_overdue_cases", named) is None:  # noqa: ASYNC110 - nobody says so
            await asyncio.sleep(0.01)
    stop.set()
    await counting
    assert REGISTRY.get_sample_value("aftersales_open_cases", named) == 2
    assert REGISTRY.get_sample_value("aftersales_overdue_cases", named) == 1


async def test_the_next_case_is_the_oldest_free_one_that_he_may_decide(
    pool: asyncpg.Pool, leases: Leases[Leak]
) -> None:
    await told(
        pool,
        leak("A", since(0), parties=["one"]),
        leak("B", since(1, replace(DRIP, barred=["one"]))),
        leak("C", since(2, FLOOD)),
        leak("D", since(3)),
    )
    given = await leases.next(somebody("one", "DRIP"), AT)
    assert given
    assert (given.case.case_id, given.is_new) == ("D", True)
    again = await leases.next(somebody("one", "DRIP"), AT)
    assert again
    assert (again.case.case_id, again.lease, again.is_new) == ("D", given.lease, False)
    assert (
        await leases.next(somebody("two", "DRIP"), AT, Wanted(only={"street = {}": "Elm"})) is None
    )
    other = await leases.next(somebody("two"), AT)
    assert other
    assert other.case.case_id == "A"


async def test_a_lease_ends_with_its_time_or_with_the_next_decision(
    pool: asyncpg.Pool, leases: Leases[Leak]
) -> None:
    case = leak("A", DRIP)
    await told(pool, case)
    await leases.next(somebody("one"), AT)
    before = AT + LEASE_TERM - timedelta(microseconds=1)
    assert await leases.next(somebody("two"), before) is None
    assert [*await leases.of([case], before)] == ["A"]
    assert await leases.mine("one", before)
    assert await leases.of([case], AT + LEASE_TERM) == {}
    assert await leases.next(somebody("two"), AT + LEASE_TERM)
    decided = replace(case, decisions=1)
    await told(pool, decided)
    assert await leases.mine("two", AT + LEASE_TERM) is None
    assert await leases.of([decided], AT + LEASE_TERM) == {}
    assert await leases.next(somebody("three"), AT + LEASE_TERM)


async def test_a_case_is_taken_by_its_name_or_it_is_said_why_not(
    pool: asyncpg.Pool, leases: Leases[Leak]
) -> None:
    await told(
        pool,
        leak("A", DRIP, parties=["owner"]),
        leak("B", FLOOD, parties=["owner"]),
        leak("C"),
    )
    taken = await leases.take(somebody(), "B", AT)
    assert (taken.case.case_id, taken.is_new) == ("B", True)
    assert not (await leases.take(somebody(), "B", AT)).is_new
    with pytest.raises(AlreadyAssigned) as refused:
        await leases.take(somebody("two"), "B", AT)
    assert refused.value.until == taken.lease.until
    for who, case_id in ((somebody(), "C"), (somebody(), "Z"), (somebody("owner"), "A")):
        with pytest.raises(NotFound):
            await leases.take(who, case_id, AT)
    with pytest.raises(NothingToDecide):
        await leases.take(somebody("two", "FLOOD"), "A", AT)
    await leases.take(somebody(), "A", AT)  # and B is free again
    with pytest.raises(ConflictOfInterest):
        await leases.take(somebody("who-broke-it"), "B", AT)
    assert (await leases.take(somebody("two"), "B", AT)).is_new


async def test_a_case_is_given_back_by_who_has_it_alone(
    pool: asyncpg.Pool, leases: Leases[Leak]
) -> None:
    await told(pool, leak("A", DRIP))
    await leases.next(somebody(), AT)
    assert not await leases.give_back("two", "A", AT)
    assert await leases.give_back("one", "A", AT)
    assert not await leases.give_back("one", "A", AT)
    assert await leases.next(somebody("two"), AT)


async def test_a_case_that_is_just_being_written_is_passed_over(
    pool: asyncpg.Pool, leases: Leases[Leak]
) -> None:
    await told(pool, leak("A", since(0)), leak("B", since(1)))
    async with pool.acquire() as db, db.transaction():
        await ROWS.write([leak("A", since(0), FLOOD)], db)
        given = await asyncio.wait_for(leases.next(somebody(), AT), 10)
    assert given
    assert given.case.case_id == "B"


async def test_twenty_who_ask_at_once_are_given_twenty_cases(
    pool: asyncpg.Pool, leases: Leases[Leak]
) -> None:
    await told(pool, *(leak(f"{number}", since(number)) for number in range(20)))
    people = [somebody(f"person {number}") for number in range(20)]
    for at in (AT, AT + LEASE_TERM):
        given = await asyncio.gather(*[leases.next(who, at) for who in people])
        assert len({assigned.case.case_id for assigned in given if assigned}) == 20


async def test_who_asks_several_times_at_once_is_given_one_case(
    pool: asyncpg.Pool, leases: Leases[Leak]
) -> None:
    await told(pool, *(leak(name, DRIP) for name in "ABCDE"))
    who = somebody()
    given = await asyncio.gather(
        *[leases.next(who, AT) for _ in range(5)], *[leases.take(who, "C", AT) for _ in range(2)]
    )
    held = await leases.mine("one", AT)
    assert held
    assert held.case.case_id == "C"
    assert len({assigned.case.case_id for assigned in given if assigned}) <= 2


async def test_each_list_has_its_own_leases(pool: asyncpg.Pool, leases: Leases[Leak]) -> None:
    other = Leases(
        WorkList(name="other", projection=LEAKS, table="leak", row=Leak, kinds=("DRIP",)), pool
    )
    await told(pool, leak("A", DRIP))
    assert await leases.next(somebody(), AT)
    assert await other.mine("one", AT) is None
    assert await other.next(somebody("two"), AT)


async def test_a_table_that_is_built_anew_meanwhile_is_looked_at_again(
    database: Database, pool: asyncpg.Pool, leases: Leases[Leak]
) -> None:
    await told(pool, leak("A", DRIP))
    async with await open_pool(database.owner_url) as owner:
        await owner.execute(f"CREATE SCHEMA leaks_g2; SET search_path = leaks_g2; {DDL}")
        await owner.execute("GRANT USAGE ON SCHEMA leaks_g2 TO aftersales_app")
        await owner.execute("GRANT ALL ON leaks_g2.leak TO aftersales_app")
        async with owner.acquire() as db, db.transaction():
            await db.execute("UPDATE es.projection SET generation = 2 WHERE name = 'leaks'")
            asking = asyncio.create_task(leases.next(somebody(), AT))
            while not await owner.fetchval(WAITING):  # noqa: ASYNC110 - another session answers
                await asyncio.sleep(0)
            await db.execute("DROP VIEW read.leak")
            await db.execute("CREATE VIEW read.leak AS SELECT * FROM leaks_g2.leak")
            await db.execute("GRANT SELECT ON read.leak TO aftersales_app")
    assert await asking is None  # the new table has no such case


WAITING = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"
