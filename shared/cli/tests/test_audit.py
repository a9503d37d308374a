"""I8, first half: one changed, dropped, swapped or inserted byte in a log, or in its copy in
Kafka, is found and its position named. And a replay from either gives the same scores, or says
whose differ.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID, uuid4, uuid5

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from local_stack import blocking
from local_stack.databases import Database, create_database, drop_database
from local_stack.errors import StackError
from local_stack.servers import Servers
from local_stack.topics import create_topics
from msgspec import Struct
from reputation_service.domain.account_rules import ACCOUNTS, AccountCommand
from reputation_service.domain.account_state import Account
from reputation_service.domain.audited import AuditedAccount
from reputation_service.domain.facts import day_of, micros
from reputation_service.domain.points_policy import policies
from reputation_service.domain.policy import DEFAULT
from reputation_service.domain.read import Bucket, read
from reputation_service.testing.stories import ACCOUNT_STORIES, RATING_LOST
from shared_cli import audit_verify
from shared_cli.audit_replay import (
    OF_POINTS,
    OF_SCORES,
    NotReplayable,
    Points,
    Replay,
    Scores,
    differences,
    from_databases,
    from_kafka,
    points,
    scores,
)
from shared_cli.audit_verify import Difference, Verified, sealed_elsewhere, verify
from shared_events import orders, reputation, review
from shared_events.envelope import decode_envelope, decode_recorded, encode_envelope
from shared_events.orders import OrderCompleted
from shared_events.partition import partition_of
from shared_events.reputation import AccountEvent
from shared_events.review import ReplyPublished, ReviewWeighted, WeightReason
from shared_runtime.database import open_pool
from shared_runtime.keys import new_key
from shared_runtime.log import Planned, PostgresLog
from shared_runtime.migrate import migrate
from shared_runtime.relay import Relay, relay_subscription
from shared_runtime.sealing import seal_event
from shared_runtime.sources import OwnLog
from shared_runtime.subscription import Runner
from shared_runtime.testing import play

AT = datetime(2026, 1, 5, 12, tzinfo=UTC)
CAUSE = UUID("0d0d0d0d-0000-4000-8000-000000000001")
PLACES = {partition_of(f"S{n}"): f"S{n}" for n in range(40)}
SELLERS = tuple(PLACES.values())[:16]
"""Each with a partition of his own."""
OF_EACH = 20
"""Events of each seller in each of the two topics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A log, the topics that its copy is in, and the servers that both are on."""

    database: Database
    admin_url: str
    kafka: str
    orders: str
    reviews: str

    async def verify(self) -> Verified:
        return await verify({"review": self.database.app_url}, self.kafka, unheard)

    async def folds(self) -> tuple[Replay, Replay]:
        """From Kafka alone and from the database alone."""
        topics = (self.orders, self.reviews)
        return (
            await from_kafka(self.kafka, topics, DEFAULT),
            await from_databases({"review": self.database.app_url}, topics, DEFAULT),
        )

    async def tamper(self, statement: str, seller: str = SELLERS[0]) -> None:
        """With a seller's orders, as a superuser who has switched the log's guard off."""
        place = f"topic = '{self.orders}' AND partition = {partition_of(seller)}"
        db = await asyncpg.connect(self.admin_url.rpartition("/")[0] + f"/{self.database.name}")
        await db.execute("ALTER TABLE es.event DISABLE TRIGGER ALL")
        await db.execute(statement.replace("{at}", place).replace("{seller}", seller))
        await db.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A record of Kafka, as the relay makes it of an event."""

    topic: str
    partition: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]

    def with_header(self, name: str, value: bytes) -> "Sent":
        headers = ((each, value if each == name else held) for each, held in self.headers)
        return replace(self, headers=tuple(headers))


def expected() -> int:
    """The score of every seller: the sums of all his reviews and orders, done by hand."""
    day = day_of(micros(AT))

    def twenty(weight: int, k: int) -> dict[int, Bucket]:
        n = OF_EACH * weight
        return {day // 7: (n, n * k, n * k * k, n * weight)}

    buckets = {
        "quality": twenty(1000, 4),
        "logistics": twenty(1000, 3),
        "service": twenty(1000, 2),
        "dispute": twenty(250, 4),
    }
    return read(buckets, day, DEFAULT).score_micro


EXPECTED = expected()


def scores_of(replay: Replay) -> Scores:
    return scores(replay.known, AT, DEFAULT)[0]


def unheard(_: str) -> None:
    pass


def completed(seller: str, number: int) -> OrderCompleted:
    return OrderCompleted(
        order_id=f"{seller}-{number}",
        seller_id=seller,
        buyer_id=f"B{number}",
        policy_version="ae-2025-1",
        completed_at=AT,
        completion_no=1,
        how="FEED",
        total_ref_minor=5000,
        late=False,
    )


def weighted(seller: str, number: int, *, quality: int = 5, seq: int = 1) -> ReviewWeighted:
    return ReviewWeighted(
        order_id=f"{seller}-{number}",
        seller_id=seller,
        buyer_id=f"B{number}",
        policy_version="ae-2025-1",
        review_id=f"review-of-{seller}-{number}",
        side="BUYER",
        seq=seq,
        quality=quality,
        logistics=4,
        service=3,
        weight_milli=1000,
        reasons=[WeightReason(code="FULL", effect_milli=1000)],
        excluded_dimensions=[],
        counted_at=AT,
        decided_by="RULE",
    )


def planned(event: OrderCompleted | ReviewWeighted, number: int) -> Planned:
    kind = "order" if isinstance(event, OrderCompleted) else "evaluation"
    stream = f"{kind}-{event.order_id}"
    return Planned(
        event=event,
        event_id=str(uuid5(CAUSE, stream)),
        stream=stream,
        version=1,
        time=AT,
        actor="system:test",
        correlation=event.order_id,
        cause=str(uuid5(CAUSE, str(number))),
    )


async def write_log(database: Database) -> None:
    await migrate("review_service", database.owner_url)
    pool = await open_pool(database.app_url)
    log = PostgresLog(pool, source="/review-service", now=lambda: AT)
    for number in range(OF_EACH):
        of_each = [(completed(s, number), weighted(s, number)) for s in SELLERS]
        await log.append([planned(event, number) for pair in of_each for event in pair])
    await pool.close()


async def rename_topics(database: Database, new: Sequence[str], admin_url: str) -> None:
    """Nothing that is hashed names the topic."""
    db = await asyncpg.connect(admin_url.rpartition("/")[0] + f"/{database.name}")
    await db.execute("ALTER TABLE es.event DISABLE TRIGGER ALL")
    for old, name in zip((orders.TOPIC, review.TOPIC), new, strict=True):
        for table in ("es.event", "es.head", "es.cursor"):
            renamed = f"UPDATE {table} SET topic = $1 WHERE topic LIKE $2"  # noqa: S608 - ours
            await db.execute(renamed, name, f"{old.partition('.')[0]}%")
    await db.execute("ALTER TABLE es.event ENABLE TRIGGER ALL")
    await db.close()


async def relay(database: Database, kafka: str, topics: tuple[str, ...]) -> None:
    pool = await open_pool(database.app_url)
    sender = Relay(kafka)
    runner = Runner(
        subscription=relay_subscription(sender, topics),
        source=OwnLog(pool, topics),
        pool=pool,
    )
    await runner.start()
    while await runner.turn():
        pass
    await sender.close()
    await pool.close()


@pytest.fixture(scope="module")
def original(servers: Servers) -> Iterator[World]:
    """A log and its faithful copy in Kafka."""
    unlike = uuid4().hex[:8]
    database = create_database(servers.postgres_url, f"audit_{unlike}")
    topics = (f"orders.{unlike}", f"review.{unlike}")
    create_topics(servers.kafka, topics)
    blocking.run(write_log(database))
    blocking.run(rename_topics(database, topics, servers.postgres_url))
    blocking.run(relay(database, servers.kafka, topics))
    yield World(
        database=database,
        admin_url=servers.postgres_url,
        kafka=servers.kafka,
        orders=topics[0],
        reviews=topics[1],
    )
    drop_database(servers.postgres_url, database.name)


@pytest.fixture
def world(original: World, make_database: Callable[..., Database]) -> World:
    """A log that may be tampered with; its copy in Kafka is everybody's."""
    return replace(original, database=make_database(original.database.name))


async def test_a_log_and_its_faithful_copy_are_equal(world: World) -> None:
    verified = await world.verify()
    assert verified.differences == []
    assert verified.events == verified.records == 2 * OF_EACH * len(SELLERS)
    assert verified.duplicates == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tampering:
    """Done `{at}` a partition; where it is found, and how what is said of it begins."""

    sql: str
    position: int = 7
    what: str


TAMPERINGS = {
    "a changed byte of a body": Tampering(
        sql="""
            UPDATE es.event SET body = set_byte(body, 200, get_byte(body, 200) # 1)
            WHERE {at} AND position = 7
        """,
        what="leaf_hash is",
    ),
    "a changed byte of a leaf": Tampering(
        sql="""
            UPDATE es.event SET leaf_hash = set_byte(leaf_hash, 5, get_byte(leaf_hash, 5) # 128)
            WHERE {at} AND position = 7
        """,
        what="leaf_hash is",
    ),
    "a changed body whose leaf was mended": Tampering(
        sql="""
            UPDATE es.event SET body = set_byte(body, 200, get_byte(body, 200) # 1)
            WHERE {at} AND position = 7;
            UPDATE es.event SET leaf_hash = sha256('\\x00'::bytea || body)
            WHERE {at} AND position = 7
        """,
        what="chain_hash does not continue the one of 6",
    ),
    "a changed byte of a chain": Tampering(
        sql="""
            UPDATE es.event SET chain_hash = set_byte(chain_hash, 0, get_byte(chain_hash, 0) # 1)
            WHERE {at} AND position = 7
        """,
        what="chain_hash does not continue the one of 6",
    ),
    "a dropped event": Tampering(
        sql="DELETE FROM es.event WHERE {at} AND position = 7",
        what="is missing, 8 comes next",
    ),
    "a dropped first event": Tampering(
        sql="DELETE FROM es.event WHERE {at} AND position = 1",
        position=1,
        what="is missing, 2 comes next",
    ),
    "a dropped last event": Tampering(
        sql="DELETE FROM es.event WHERE {at} AND position = 20",
        position=20,
        what="is missing, the head is at 20",
    ),
    "a dropped event with the gap closed": Tampering(
        sql="""
            DELETE FROM es.event WHERE {at} AND position = 7;
            UPDATE es.event SET position = position + 100000 WHERE {at} AND position > 7;
            UPDATE es.event SET position = position - 100001 WHERE {at} AND position > 100000
        """,
        what="chain_hash does not continue the one of 6",
    ),
    "two swapped events": Tampering(
        sql="""
            UPDATE es.event SET position = 100000 WHERE {at} AND position = 7;
            UPDATE es.event SET position = 7 WHERE {at} AND position = 8;
            UPDATE es.event SET position = 8 WHERE {at} AND position = 100000
        """,
        what="chain_hash does not continue the one of 6",
    ),
    "an inserted event": Tampering(
        sql="""
            UPDATE es.event SET position = position + 100000 WHERE {at} AND position >= 7;
            UPDATE es.event SET position = position - 99999 WHERE {at} AND position > 100000;
            INSERT INTO es.event SELECT topic, partition, 7, gen_random_uuid(), stream_id, 99, type,
                recorded_at, body, leaf_hash, chain_hash FROM es.event WHERE {at} AND position = 6
        """,
        what="chain_hash does not continue the one of 6",
    ),
    "an event after the last one": Tampering(
        sql="""
            INSERT INTO es.event SELECT topic, partition, 21, gen_random_uuid(), stream_id, 99,
                type, recorded_at, body, leaf_hash, sha256(chain_hash || leaf_hash)
                FROM es.event WHERE {at} AND position = 20
        """,
        position=21,
        what="event_id is",
    ),
    "a head that was set back": Tampering(
        sql="UPDATE es.head SET position = 19 WHERE {at}",
        position=20,
        what="lies after the head, which is at 19",
    ),
    "a changed hash of the head": Tampering(
        sql="UPDATE es.head SET chain_hash = sha256(chain_hash) WHERE {at}",
        position=20,
        what="the head's chain_hash is",
    ),
    "a column that is not what was hashed": Tampering(
        sql="UPDATE es.event SET stream_id = 'another' WHERE {at} AND position = 7",
        what="stream_id is another, its body says order-",
    ),
}
VICTIMS = dict(zip(TAMPERINGS, SELLERS, strict=False))


@pytest.fixture(scope="module")
def tampered(original: World) -> Iterator[list[Difference]]:
    """The differences of a log in which each thing was done to another seller's orders."""
    admin_url = original.admin_url
    database = create_database(admin_url, f"audit_{uuid4().hex[:8]}", original.database.name)
    world = replace(original, database=database)
    for name, seller in VICTIMS.items():
        blocking.run(world.tamper(TAMPERINGS[name].sql, seller))
    yield blocking.run(world.verify()).differences
    drop_database(admin_url, database.name)


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_i8_what_was_done_to_a_log_is_found_and_its_position_named(
    original: World, tampered: list[Difference], tampering: str
) -> None:
    done = TAMPERINGS[tampering]
    place = (original.orders, partition_of(VICTIMS[tampering]))
    first = next(found for found in tampered if (found.topic, found.partition) == place)
    assert (first.side, first.position) == ("database", done.position)
    assert first.what.startswith(done.what)


def test_i8_what_nothing_was_done_to_is_not_named(
    original: World, tampered: list[Difference]
) -> None:
    places = {(original.orders, partition_of(seller)) for seller in VICTIMS.values()}
    assert {(found.topic, found.partition) for found in tampered} == places


async def test_i8_a_log_that_was_rewritten_whole_is_unlike_its_copy(world: World) -> None:
    """Leaves, chain and head are mended after the change: only Kafka still knows."""
    await world.tamper(
        """
        DO $$
        DECLARE chain bytea := decode(repeat('00', 32), 'hex'); row record;
        BEGIN
            UPDATE es.event SET body =
                convert_to(replace(convert_from(body, 'UTF8'), '5000', '4000'), 'UTF8')
            WHERE {at} AND position = 7;
            FOR row IN SELECT * FROM es.event WHERE {at} ORDER BY position LOOP
                chain := sha256(chain || sha256('\\x00'::bytea || row.body));
                UPDATE es.event SET leaf_hash = sha256('\\x00'::bytea || row.body),
                    chain_hash = chain
                WHERE {at} AND position = row.position;
            END LOOP;
            UPDATE es.head SET chain_hash = chain WHERE {at};
        END $$
        """
    )
    [first] = (await world.verify()).differences
    assert (first.side, first.topic, first.position) == ("Kafka", world.orders, 7)
    assert first.partition == partition_of(SELLERS[0])
    assert first.what.startswith("(offset 6) value differs from the log's from byte ")
    assert first.what.endswith("""b'5000,"late":false}}'""")


async def test_i8_a_log_that_lost_its_tail_and_head_is_unlike_its_copy(world: World) -> None:
    await world.tamper(
        """
        DELETE FROM es.event WHERE {at} AND position = 20;
        UPDATE es.head SET position = 19, chain_hash =
            (SELECT chain_hash FROM es.event WHERE {at} AND position = 19) WHERE {at}
        """
    )
    [first] = (await world.verify()).differences
    assert (first.side, first.position) == ("Kafka", 20)
    assert first.what == "(offset 19) is not in the log"


async def test_every_partition_that_differs_is_told_once(world: World) -> None:
    await world.tamper("UPDATE es.event SET leaf_hash = sha256(leaf_hash)")
    differences = (await world.verify()).differences
    assert len(differences) == 2 * len(SELLERS)
    assert {difference.position for difference in differences} == {1}


async def records_of(world: World) -> list[Sent]:
    """What the relay sends of a log."""
    db = await asyncpg.connect(world.database.app_url)
    rows = await db.fetch("SELECT * FROM es.event ORDER BY topic, partition, position")
    await db.close()
    return [
        Sent(
            topic=row["topic"],
            partition=row["partition"],
            key=decode_envelope(row["body"]).partitionkey.encode(),
            value=row["body"],
            headers=(
                ("content-type", b"application/cloudevents+json"),
                ("type", row["type"].encode()),
                ("position", b"%d" % row["position"]),
                ("chainhash", row["chain_hash"].hex().encode()),
            ),
        )
        for row in rows
    ]


async def send(kafka: str, records: Sequence[Sent]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    acknowledgements = [
        await producer.send(
            record.topic,
            record.value,
            key=record.key,
            partition=record.partition,
            headers=list(record.headers),
        )
        for record in records
    ]
    await asyncio.gather(*acknowledgements)
    await producer.stop()


type Forgery = Callable[[list[Sent]], list[Sent]]


def at(number: int, change: Callable[[Sent], Sent]) -> Forgery:
    """Changes one record of a partition, counted from 0."""
    return lambda sent: [*sent[:number], change(sent[number]), *sent[number + 1 :]]


FORGERIES: dict[str, tuple[Forgery, int, str]] = {
    "a changed byte": (
        at(6, lambda s: replace(s, value=s.value.replace(b'"late":false', b'"late":true '))),
        7,
        "(offset 6) value differs",
    ),
    "another key": (at(6, lambda s: replace(s, key=b"S2")), 7, "(offset 6) key differs"),
    "another type": (
        at(6, lambda s: s.with_header("type", b"OrderPaid.v1")),
        7,
        "(offset 6) header type differs",
    ),
    "another chain hash": (
        at(6, lambda s: s.with_header("chainhash", b"00" * 32)),
        7,
        "(offset 6) header chainhash differs",
    ),
    "another position": (
        at(6, lambda s: s.with_header("position", b"9")),
        7,
        "is missing, 9 comes next (offset 6)",
    ),
    "no position": (
        at(6, lambda s: replace(s, headers=s.headers[:2])),
        7,
        "(offset 6) has no position",
    ),
    "a dropped record": (lambda s: s[:6] + s[7:], 7, "is missing, 8 comes next (offset 6)"),
    "a dropped last record": (
        lambda s: s[:19] + s[20:],
        20,
        "is missing at the end, the relay is at 20",
    ),
    "two swapped records": (
        lambda s: [*s[:6], s[7], s[6], *s[8:]],
        7,
        "is missing, 8 comes next (offset 6)",
    ),
    "a record too many": (
        lambda s: [*s[:20], s[19].with_header("position", b"21"), *s[20:]],
        21,
        "(offset 20) is not in the log",
    ),
    "a repeated record that is not the same": (
        lambda s: [*s[:7], replace(s[6], value=s[5].value), *s[7:]],
        7,
        "(offset 7) value differs",
    ),
}


FORGED = dict(zip(FORGERIES, SELLERS, strict=False))
ANEW = SELLERS[-1]


async def forge_copies(world: World) -> Verified:
    """Each forgery is done to another seller's orders; the rest is copied as it is."""
    copied: list[Sent] = []
    kept = await records_of(world)
    for name, seller in FORGED.items():
        place = (world.orders, partition_of(seller))
        copied += FORGERIES[name][0]([s for s in kept if (s.topic, s.partition) == place])
        kept = [s for s in kept if (s.topic, s.partition) != place]
    # A relay that was killed before it could note what it had sent sends it again; and one whose
    # topic was made anew under it has sent something before it notices, and then all.
    anew = [s for s in kept if (s.topic, s.partition) == (world.orders, partition_of(ANEW))]
    await send(world.kafka, [*copied, *anew[-3:], *kept, *kept[-5:]])
    return await world.verify()


@pytest.fixture(scope="module")
def forged(original: World) -> Iterator[tuple[World, Verified]]:
    """A log, and topics whose records are not what its relay has sent."""
    admin_url, unlike = original.admin_url, uuid4().hex[:8]
    database = create_database(admin_url, f"audit_{unlike}", original.database.name)
    topics = (f"orders.{unlike}", f"review.{unlike}")
    create_topics(original.kafka, topics)
    blocking.run(rename_topics(database, topics, admin_url))
    world = replace(original, database=database, orders=topics[0], reviews=topics[1])
    yield world, blocking.run(forge_copies(world))
    drop_database(admin_url, database.name)


@pytest.mark.parametrize("forgery", FORGERIES)
def test_i8_what_was_done_to_a_copy_is_found_and_its_position_named(
    forged: tuple[World, Verified], forgery: str
) -> None:
    world, verified = forged
    _, position, what = FORGERIES[forgery]
    place = (world.orders, partition_of(FORGED[forgery]))
    first = next(d for d in verified.differences if (d.topic, d.partition) == place)
    assert (first.side, first.position) == ("Kafka", position)
    assert first.what.startswith(what)


def test_a_record_that_was_sent_twice_is_a_duplicate_and_no_difference(
    forged: tuple[World, Verified],
) -> None:
    world, verified = forged
    places = {(world.orders, partition_of(seller)) for seller in FORGED.values()}
    assert {(found.topic, found.partition) for found in verified.differences} == places
    assert ANEW not in FORGED.values()
    assert verified.duplicates == 3 + 5


async def test_kafka_and_the_database_fold_to_the_same_scores(world: World) -> None:
    kafka, database = await world.folds()
    assert kafka.events == database.events == 2 * OF_EACH * len(SELLERS)
    sides = {"Kafka": scores_of(kafka), "databases": scores_of(database)}
    assert set(sides["Kafka"]) == set(SELLERS)
    assert sides["Kafka"][SELLERS[0]].score_micro == EXPECTED
    assert list(differences(sides, OF_SCORES)) == []


async def test_a_replay_names_the_first_account_whose_score_differs(world: World) -> None:
    worse = """
        UPDATE es.event SET body =
            convert_to(replace(convert_from(body, 'UTF8'), '"quality":5', '"quality":4'), 'UTF8')
        WHERE stream_id = 'evaluation-{seller}-0'
    """
    for seller in (SELLERS[2], SELLERS[1]):
        await world.tamper(worse, seller)
    kafka, database = map(scores_of, await world.folds())
    first, second = differences({"Kafka": kafka, "databases": database}, OF_SCORES)
    assert (first.account, second.account) == tuple(sorted(SELLERS[1:3]))
    assert first.what == "score_micro"
    assert first.by_side["Kafka"] == EXPECTED
    assert first.by_side["databases"] < EXPECTED


async def test_a_replay_names_an_account_that_is_not_known_everywhere(world: World) -> None:
    await world.tamper(
        f"DELETE FROM es.event WHERE partition = {partition_of(SELLERS[3])}"  # noqa: S608 - a test's
    )
    kafka, database = map(scores_of, await world.folds())
    [first] = differences({"live": kafka, "databases": database}, OF_SCORES)
    assert str(first) == f"{SELLERS[3]}: is known: live true, databases false"


async def test_a_replay_names_an_event_that_contradicts_another(world: World) -> None:
    await world.tamper(
        """
        UPDATE es.event SET body =
            convert_to(replace(convert_from(body, 'UTF8'), '-{seller}-1"', '-{seller}-0"'), 'UTF8')
        WHERE stream_id = 'evaluation-{seller}-1'
        """
    )
    with pytest.raises(NotReplayable, match=f"{world.reviews}/.*:2 ConflictingFact"):
        await world.folds()


async def test_what_the_relay_has_not_sent_yet_is_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_verify, "RELAY_SECONDS", 0)
    await world.tamper("UPDATE es.cursor SET position = 19 WHERE {at}")
    with pytest.raises(StackError, match="review: 1 partitions are not in Kafka yet"):
        await world.verify()


# --- Points


def account_log(story: Sequence[AccountCommand], stream: str = "seller-S1") -> list[bytes]:
    """What a stream has after these commands, each recorded at its instant."""
    events: list[AccountEvent] = []
    bodies: list[bytes] = []
    for command in story:
        done = play(ACCOUNTS, [command], events)
        assert done.refused is None, done.refused
        for event in done.events:
            events.append(event)
            bodies.append(
                encode_envelope(
                    event,
                    event_id=str(uuid5(CAUSE, f"{stream}/{len(events)}")),
                    source="/test",
                    stream=stream,
                    version=len(events),
                    time=command.by.now,
                    recorded_at=command.by.now,
                    actor="system:test",
                    correlation_id="S1",
                    causation_id=str(CAUSE),
                )
            )
    return bodies


def replayed(bodies: Sequence[bytes]) -> Replay:
    replay = Replay(DEFAULT)
    for number, body in enumerate(bodies, 1):
        replay.take(reputation.TOPIC, 0, number, body)
    return replay


def points_of(bodies: Sequence[bytes], as_of: datetime) -> Points:
    return points(replayed(bodies).known, as_of)


@pytest.mark.parametrize("name", ACCOUNT_STORIES)
def test_points_are_those_of_the_service_in_whatever_order_events_come(name: str) -> None:
    story = ACCOUNT_STORIES[name]
    bodies = account_log(story.commands)
    state = ACCOUNTS.fold([decode_recorded("t", 0, n, b).event for n, b in enumerate(bodies, 1)])
    assert isinstance(state, Account)
    policy = policies().of(state.opened.policy_version)
    (found,) = points_of(bodies, story.now).values()
    assert found == AuditedAccount(
        account="seller-S1",
        status=state.status,
        balance=state.ledger.balance(story.now),
        level=state.real_level(story.now, policy),
        public_level=state.public_level(story.now, policy),
        measures=tuple(sorted(each.measure for each in state.measures_at(story.now))),
    )
    for seed in range(5):
        arriving = [*bodies, *bodies[::2]]
        Random(seed).shuffle(arriving)
        assert points_of(arriving, story.now) == {"seller-S1": found}


@pytest.mark.parametrize("name", ACCOUNT_STORIES)
def test_points_as_of_an_instant_are_those_of_what_was_recorded_by_then(name: str) -> None:
    story = ACCOUNT_STORIES[name]
    bodies = account_log(story.commands)
    recorded = [decode_recorded("t", 0, n, b).recorded_at for n, b in enumerate(bodies, 1)]
    for as_of in sorted({*recorded, story.now}):
        known = [body for body, at in zip(bodies, recorded, strict=True) if at <= as_of]
        assert points_of(bodies, as_of) == points_of(known, as_of)
    assert points_of(bodies, recorded[0] - timedelta(microseconds=1)) == {}


def test_a_replay_names_the_points_that_differ() -> None:
    selling, as_of = ACCOUNT_STORIES["restricted"]
    sold, bought = account_log(selling), account_log(RATING_LOST, "buyer-S1")
    forged = [body.replace(b'"points":24', b'"points":12') for body in (*sold, *bought)]
    whole = points_of([*sold, *bought], as_of)

    def named(other: Points) -> list[str]:
        sides = {"Kafka": whole, "databases": other}
        return [str(each) for each in differences(sides, OF_POINTS)]

    assert named(whole) == []
    assert named(points_of(forged, as_of)) == ["seller-S1: balance: Kafka 52, databases 76"]
    assert named(points_of(sold, as_of)) == ["buyer-S1: is known: Kafka true, databases false"]


def test_a_history_that_lacks_an_event_is_not_replayable() -> None:
    story = ACCOUNT_STORIES["recovered"]
    bodies = account_log(story.commands)
    without = [body for body in bodies if b'"penalty_id":"P3"' not in body or b"Reversed" in body]
    assert len(without) < len(bodies)
    with pytest.raises(NotReplayable, match="seller-S1: its events do not follow from each other"):
        points_of(without, story.now)
    with pytest.raises(NotReplayable, match="no points policy p-77 here"):
        points_of([body.replace(b'"ae-2025-1"', b'"p-77"') for body in bodies], story.now)


# --- Sealed texts


def body_of(event_id: str, event: Struct) -> bytes:
    """An event as the log has it."""
    return encode_envelope(
        event,
        event_id=event_id,
        source="/test",
        stream="evaluation-O1",
        version=1,
        time=AT,
        recorded_at=AT,
        actor="buyer:B1",
        correlation_id="O1",
        causation_id=str(CAUSE),
    )


def test_a_sealed_text_is_where_it_was_written() -> None:
    event_id, another = str(uuid5(CAUSE, "one")), str(uuid5(CAUSE, "another"))
    key = new_key("seller:S1")
    reply = seal_event(
        ReplyPublished(
            order_id="O1",
            seller_id="S1",
            buyer_id="B1",
            policy_version="p1",
            review_id="R1",
            side="BUYER",
            reply_id="reply",
            text=key.unsealed("We are sorry."),
            editable_until=AT,
        ),
        event_id,
    )
    assert sealed_elsewhere(body_of(event_id, reply)) is None
    assert sealed_elsewhere(body_of(another, reply)) == (
        "text has a text that was sealed for another place"
    )
    assert sealed_elsewhere(body_of(event_id, completed("S1", 1))) is None
