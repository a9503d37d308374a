"""I12: erasing a person makes their text unreadable everywhere and changes no hash or state."""

import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Literal, Self
from uuid import uuid5

import asyncpg
import pytest
from aiokafka import TopicPartition
from local_stack.databases import Database
from local_stack.servers import Servers
from shared_events.partition import PARTITIONS
from shared_events.reputation import ErasureDeferred, SubjectErased
from shared_events.review import ReviewSubmitted
from shared_runtime.commands import CommandRequest, Commands, commands_on
from shared_runtime.decider import Actor, Decider
from shared_runtime.decider import SubjectErased as Refused
from shared_runtime.delivery import Connection
from shared_runtime.erasure import erasure
from shared_runtime.keys import PostgresKeyStore
from shared_runtime.log import PostgresLog, read_stream
from shared_runtime.relay import Relay, relay_subscription
from shared_runtime.sealing import Opener, person_of
from shared_runtime.sources import OwnLog, reading
from shared_runtime.subscription import Runner
from shared_runtime.tail import Tail
from shared_runtime.testing import (
    TESTS,
    InMemoryKeyStore,
    InMemoryLog,
    InMemorySource,
    facts,
    key_store,
)
from starlette.responses import Response
from structlog.testing import capture_logs

AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
WRITTEN = "The heel came off on the second day; Jörg 👞 wept."
READ_ERASURES_AGAIN = "DELETE FROM es.cursor WHERE subscription = 'erasure'"
"""As docs/running.md has it."""
KEPT = "Fits well, and the colour is right."


# --- Something to erase


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    now: datetime
    actor: Actor
    text: str

    def at(self, now: datetime) -> Self:
        return replace(self, now=now)


type Written = tuple[str | None, ...]


def write(_: Written, command: Write) -> list[ReviewSubmitted]:
    return [
        ReviewSubmitted(
            order_id="O1",
            seller_id="S1",
            buyer_id=command.actor.id,
            policy_version="p1",
            review_id="R1",
            side="BUYER",
            submitted_at=command.now,
            quality=1,
            incentive="NONE",
            text=command.text,
        )
    ]


def written(before: Written, event: ReviewSubmitted) -> Written:
    return (*before, event.text)


REVIEWS = Decider[Written, Write, ReviewSubmitted](initial=(), decide=write, evolve=written)


async def submit(commands: Commands, keys: PostgresKeyStore, buyer: str, text: str) -> Response:
    """What a request for a review is answered, before it is opened."""
    actor = Actor(role="BUYER", id=buyer)
    key = await keys.key_of(person_of(actor))
    request = CommandRequest(
        id=uuid5(TESTS, buyer),
        fingerprint=b"the same",
        expected=None,
        validate_only=False,
        traceparent=None,
    )
    return await commands.run(
        request,
        REVIEWS,
        Write(now=AT, actor=actor, text=key.unsealed(text)),
        stream=f"evaluation-{buyer}",
        correlation="O1",
        view=lambda outcome: {"said": outcome.state},
    )


# --- Its erasure


def erased(
    account: str, kind: Literal["BUYER", "SELLER"] = "BUYER", *, times: int = 1
) -> list[SubjectErased]:
    ids = {"buyer_id": account} if kind == "BUYER" else {"seller_id": account}
    event = SubjectErased(account_kind=kind, policy_version="p1", erased_at=AT, **ids)
    return [event] * times


@dataclass(slots=True)
class Cleaner:
    """What a service does: it forgets what it had opened, and fails as often as it is told."""

    asked: list[str] = field(default_factory=list[str])
    failures: list[Exception] = field(default_factory=list[Exception])

    async def __call__(self, person: str, db: Connection) -> None:
        self.asked.append(person)
        await db.execute("DELETE FROM opened WHERE person = $1", person)
        if self.failures:
            raise self.failures.pop()


async def source_of(*events: SubjectErased | ErasureDeferred) -> InMemorySource:
    """The topic of reputation with these events."""
    log = InMemoryLog(lambda: AT)
    recorded = await log.append(facts("buyer-B1", *events, at=AT))
    return InMemorySource(recorded)


@pytest.fixture
async def opened(owner: asyncpg.Pool) -> None:
    """A table that holds opened text, as a search index would."""
    await owner.execute(
        "CREATE TABLE opened (person text, text text); GRANT ALL ON opened TO aftersales_app"
    )


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize(
    ("events", "people"),
    [
        (erased("B1"), ["buyer:B1"]),
        (erased("S1", "SELLER"), ["seller:S1"]),
        (
            [
                ErasureDeferred(
                    account_kind="BUYER", buyer_id="B1", policy_version="p1", open_ids=[]
                )
            ],
            [],
        ),
    ],
)
async def test_whoever_is_erased_loses_the_key_and_is_cleaned_away(
    pool: asyncpg.Pool, events: list[SubjectErased], people: list[str]
) -> None:
    keys, cleaner = InMemoryKeyStore(), Cleaner()
    for person in ("buyer:B1", "seller:S1", "buyer:S1", "seller:B1"):
        await keys.key_of(person)
    await turn(pool, keys, cleaner, await source_of(*events))
    assert cleaner.asked == people
    assert [person for person, key in keys.people.items() if key is None] == people


@pytest.mark.usefixtures("opened")
async def test_a_second_erasure_changes_nothing(pool: asyncpg.Pool) -> None:
    keys, cleaner = InMemoryKeyStore(), Cleaner()
    await keys.key_of("buyer:B1")
    with capture_logs() as logs:
        await turn(pool, keys, cleaner, await source_of(*erased("B1", times=2)))
    assert [told["destroyed"] for told in logs] == [True, False]
    assert cleaner.asked == ["buyer:B1", "buyer:B1"]


@pytest.mark.usefixtures("opened")
async def test_a_key_stays_destroyed_when_cleaning_fails_and_cleaning_is_done_again(
    pool: asyncpg.Pool,
) -> None:
    keys, cleaner = InMemoryKeyStore(), Cleaner(failures=[ConnectionError()])
    await keys.key_of("buyer:B1")
    await pool.execute("INSERT INTO opened VALUES ('buyer:B1', 'text')")
    source = await source_of(*erased("B1"))
    with pytest.raises(ConnectionError):
        await turn(pool, keys, cleaner, source)
    assert await keys.destroyed_at("buyer:B1") is not None
    assert await pool.fetchval("SELECT count(*) FROM opened") == 1
    await turn(pool, keys, cleaner, source)
    assert await pool.fetchval("SELECT count(*) FROM opened") == 0


async def turn(
    pool: asyncpg.Pool,
    keys: PostgresKeyStore | InMemoryKeyStore,
    cleaner: Cleaner,
    source: InMemorySource,
) -> None:
    """Has the subscription read what is there."""
    subscription = erasure(keys, cleaner)
    runner = Runner(subscription=subscription, source=source, pool=pool)
    await runner.start()
    while await runner.turn():
        pass


# --- I12


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Where a text could be found."""

    key_database: Database
    admin_urls: tuple[str, ...]
    kafka: str
    topic: str
    log_of_postgres: Path | None

    async def holding(self, text: str) -> list[str]:
        """The places that hold a text, in any way that one would write it."""
        return [
            place
            for place, content in (await self._dump()).items()
            if any(form in content for form in forms(text))
        ]

    async def _dump(self) -> dict[str, bytes]:
        dumped = {"topic": await topic_dump(self.kafka, self.topic)}
        if self.log_of_postgres:
            dumped["PostgreSQL's log"] = self.log_of_postgres.read_bytes()
        for url in self.admin_urls:
            dumped |= await database_dump(url)
        return dumped


@pytest.fixture
def world(
    servers: Servers,
    database: Database,
    make_database: Callable[[], Database],
    kafka: str,
    topic: str,
) -> World:
    key_database = make_database()
    server = servers.postgres_url.rpartition("/")[0]
    return World(
        key_database=key_database,
        admin_urls=(f"{server}/{database.name}", f"{server}/{key_database.name}"),
        kafka=kafka,
        topic=topic,
        log_of_postgres=servers.own_postgres.log if servers.own_postgres else None,
    )


def forms(text: str) -> list[bytes]:
    plain = text.encode()
    piece = plain[:12]  # whole groups of three: base64 of it is the same wherever it begins whole
    return [
        plain,
        json.dumps(text)[1:-1].encode(),
        piece,
        piece.hex().encode(),
        b64encode(piece),
        text.encode("utf-16-le"),
    ]


async def database_dump(url: str) -> dict[str, bytes]:
    """All rows of all tables, the catalogue's too, as bytes."""
    db = await asyncpg.connect(url)
    dumped: dict[str, bytes] = {}
    for schema, table in await db.fetch("SELECT schemaname, tablename FROM pg_tables"):
        rows = BytesIO()
        # The catalogue has types that are written as text alone.
        ours = schema not in ("pg_catalog", "information_schema")
        form: Literal["text", "binary"] = "binary" if ours else "text"
        await db.copy_from_table(table, schema_name=schema, output=rows, format=form)
        dumped[f"{url.rpartition('/')[2]}/{schema}.{table}"] = rows.getvalue()
    await db.close()
    return dumped


async def topic_dump(kafka: str, topic: str) -> bytes:
    """All keys, values and headers that are in the topic."""
    places = [(topic, partition) for partition in range(PARTITIONS)]
    found: list[bytes] = []
    async with reading(kafka, places) as consumer:
        ends = await consumer.end_offsets([TopicPartition(*place) for place in places])
        left = sum(ends.values())
        while left:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                left -= len(records)
                for record in records:
                    found += [record.key or b"", record.value or b""]
                    found += [value for _, value in record.headers]
    return b"\n".join(found)


async def relay_all(pool: asyncpg.Pool, kafka: str, topic: str) -> None:
    """Has the relay copy the log."""
    relay = Relay(kafka)
    subscription = relay_subscription(relay, (topic,))
    source = OwnLog(pool, subscription.topics, tail=Tail(idle_seconds=0))
    runner = Runner(subscription=subscription, source=source, pool=pool)
    await runner.start()
    while await runner.turn():
        pass
    await relay.close()


async def said(opener: Opener, answers: Sequence[Response]) -> list[str | None]:
    """What is read in answers, once opened."""
    opened = [await opener.response(each) for each in answers]
    return [text for each in opened for text in json.loads(bytes(each.body))["said"]]


async def unchanging(pool: asyncpg.Pool, journal: PostgresLog) -> object:
    """What no erasure may change: the log and its proof, the kept answers, the states."""
    events = await pool.fetch("SELECT * FROM es.event ORDER BY topic, partition, position")
    heads = await pool.fetch("SELECT * FROM es.head ORDER BY topic, partition")
    replies = await pool.fetch("SELECT * FROM es.reply ORDER BY request_id")
    states = [
        REVIEWS.fold(recorded.event for recorded in await read_stream(journal, stream))
        for stream in ("evaluation-B1", "evaluation-B2")
    ]
    return [[tuple(row) for row in rows] for rows in (events, heads, replies)], states


@pytest.mark.usefixtures("opened")
async def test_i12_an_erased_text_is_found_nowhere_and_nothing_else_changes(
    world: World, database: Database, pool: asyncpg.Pool, journal: PostgresLog
) -> None:
    with capture_logs() as logs:
        async with key_store(world.key_database.owner_url, world.key_database.app_url) as keys:
            opener = Opener(keys, link=str)
            commands = commands_on(journal, pool)
            answers = [
                await submit(commands, keys, buyer, text)
                for buyer, text in (("B1", WRITTEN), ("B2", KEPT))
            ]
            await pool.execute("INSERT INTO opened VALUES ('buyer:B1', $1)", WRITTEN)
            await relay_all(pool, world.kafka, world.topic)
            assert await said(opener, answers) == [WRITTEN, KEPT]
            # The search finds what is there to be found.
            assert await world.holding(WRITTEN) == [f"{database.name}/public.opened"]
            before = await unchanging(pool, journal)

            await turn(pool, keys, Cleaner(), await source_of(*erased("B1")))

            assert await world.holding(WRITTEN) == []
            assert await world.holding(KEPT) == []
            assert await unchanging(pool, journal) == before
            again = [await submit(commands, keys, "B2", KEPT)]
            assert await said(opener, [*answers, *again]) == [None, KEPT, KEPT]
            with pytest.raises(Refused):
                await submit(commands, keys, "B1", WRITTEN)
    assert WRITTEN not in repr(logs)
    assert [told["event"] for told in logs] == ["person erased"]


@pytest.mark.usefixtures("opened")
async def test_i12_after_a_restore_of_the_keys_the_erasures_are_read_again(
    make_database: Callable[[], Database],
    pool: asyncpg.Pool,
    journal: PostgresLog,
) -> None:
    database = make_database()
    owner = await asyncpg.connect(database.owner_url)
    async with key_store(database.owner_url, database.app_url) as keys:
        answers = [await submit(commands_on(journal, pool), keys, "B1", WRITTEN)]
        backup = await owner.fetch("SELECT * FROM keys.person_key")
        erasures = await source_of(*erased("B1"))
        await turn(pool, keys, Cleaner(), erasures)
        opener = Opener(keys, link=str)
        assert await said(opener, answers) == [None]

        await owner.execute("TRUNCATE keys.person_key")
        await owner.copy_records_to_table(
            "person_key", schema_name="keys", records=map(tuple, backup)
        )
        assert await said(opener, answers) == [WRITTEN]

        await pool.execute(READ_ERASURES_AGAIN)
        await turn(pool, keys, Cleaner(), erasures)
        assert await said(opener, answers) == [None]
    await owner.close()
