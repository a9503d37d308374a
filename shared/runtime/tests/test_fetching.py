"""A broker that keeps what it was asked is told what has changed, and no more."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.fetch import FetchRequest, FetchRequestStruct
from hypothesis import given
from hypothesis import strategies as st
from shared_runtime.fetching import EPOCH_MAX, SESSIONS_SINCE, Session, SessionConsumer, Sessions

FETCH = 1
LOST = 70
"""FETCH_SESSION_ID_NOT_FOUND of Kafka's protocol."""
VERSION = 11
SECONDS_MAX = 30.0

type Offsets = dict[int, int]


def request(offsets: Offsets, topic: str = "orders") -> FetchRequest:
    partitions = [(partition, offset, 1024) for partition, offset in offsets.items()]
    return FetchRequest(500, 1, 4096, 1, [(topic, partitions)] if partitions else [])


def asked(told: FetchRequestStruct) -> Offsets:
    """The offsets that it names, by partition."""
    place = 2 if told.API_VERSION >= 9 else 1  # behind the epoch of a leader
    return {entry[0]: entry[place] for _, entries in told.topics for entry in entries}


def forgotten(told: FetchRequestStruct) -> set[int]:
    return {partition for _, partitions in told.forgotten_topics_data for partition in partitions}


class Sent(Protocol):
    def prepare(self, versions: Mapping[int, tuple[int, int]]) -> FetchRequestStruct: ...


@dataclass
class Answer:
    API_VERSION: int
    session_id: int = 0
    error_code: int = 0


@dataclass
class Broker:
    """Keeps a session as Kafka does; what it then knows of the partitions that are read."""

    version: int = VERSION
    has_room: bool = True
    told: list[FetchRequestStruct] = field(default_factory=list[FetchRequestStruct])
    known: Offsets = field(default_factory=dict[int, int])
    session: tuple[int, int] = (0, 0)
    error_code: int = 0
    is_away: bool = False

    async def send(self, _: int, sent: Sent) -> Answer:
        told = sent.prepare({FETCH: (0, self.version)})
        if self.is_away:
            raise KafkaConnectionError
        self.told.append(told)
        if self.version < SESSIONS_SINCE:
            self.known = asked(told)
            return Answer(self.version)
        if told.session_epoch == 0:
            self.session = (self.session[0] + 1, 1) if self.has_room else (0, 0)
            self.known = asked(told)
            return Answer(self.version, self.session[0])
        if self.error_code or (told.session_id, told.session_epoch) != self.session:
            self.session = (self.session[0], 0)
            return Answer(self.version, 0, self.error_code or LOST)
        self.session = (told.session_id, told.session_epoch + 1)
        self.known.update(asked(told))
        for partition in forgotten(told):
            del self.known[partition]
        return Answer(self.version, told.session_id)


async def test_a_broker_is_told_once_of_each_partition_and_then_of_what_has_moved() -> None:
    broker = Broker()
    sessions = Sessions(broker.send)
    for offsets in ({1: 0, 2: 0, 3: 7}, {1: 0, 2: 5, 3: 7}, {1: 0, 2: 5, 3: 7}):
        await sessions.send(0, request(offsets))
    assert [asked(told) for told in broker.told] == [{1: 0, 2: 0, 3: 7}, {2: 5}, {}]
    assert [told.session_epoch for told in broker.told] == [0, 1, 2]


async def test_what_is_not_read_for_a_while_is_forgotten_and_told_again_when_it_is() -> None:
    broker = Broker()
    sessions = Sessions(broker.send)
    for offsets in ({1: 0, 2: 0}, {1: 0}, {1: 0, 2: 0}):
        await sessions.send(0, request(offsets))
    assert [forgotten(told) for told in broker.told] == [set(), {2}, set()]
    assert [asked(told) for told in broker.told] == [{1: 0, 2: 0}, {}, {2: 0}]


async def test_a_broker_that_has_lost_the_session_is_told_all_again() -> None:
    broker = Broker()
    sessions = Sessions(broker.send)
    await sessions.send(0, request({1: 0, 2: 0}))
    broker.error_code = LOST
    await sessions.send(0, request({1: 0, 2: 0}))
    broker.error_code = 0
    await sessions.send(0, request({1: 0, 2: 0}))
    await sessions.send(0, request({1: 0, 2: 1}))
    assert [asked(told) for told in broker.told[2:]] == [{1: 0, 2: 0}, {2: 1}]


async def test_i4_after_an_answer_that_never_came_all_is_told_again() -> None:
    broker = Broker()
    sessions = Sessions(broker.send)
    await sessions.send(0, request({1: 0}))
    broker.is_away = True
    with pytest.raises(KafkaConnectionError):
        await sessions.send(0, request({1: 1}))
    broker.is_away = False
    await sessions.send(0, request({1: 1}))
    assert asked(broker.told[-1]) == {1: 1}
    assert (broker.told[-1].session_id, broker.told[-1].session_epoch) == (1, 0)


@pytest.mark.parametrize(
    "broker",
    [Broker(has_room=False), Broker(version=SESSIONS_SINCE - 1)],
    ids=["it has no room for a session", "it is too old to keep one"],
)
async def test_who_keeps_no_session_is_told_all_each_time(broker: Broker) -> None:
    sessions = Sessions(broker.send)
    for _ in range(2):
        await sessions.send(0, request({1: 0, 2: 3}))
    assert [asked(told) for told in broker.told] == 2 * [{1: 0, 2: 3}]


async def test_each_broker_has_a_session_of_its_own() -> None:
    brokers = [Broker(), Broker()]

    async def send(node_id: int, sent: Sent) -> Answer:
        return await brokers[node_id].send(node_id, sent)

    sessions = Sessions(send)
    for node_id in (0, 1, 0):
        await sessions.send(node_id, request({1: 0}))
    assert [[asked(told) for told in each.told] for each in brokers] == [[{1: 0}, {}], [{1: 0}]]


async def test_what_is_no_fetch_is_sent_as_it_is() -> None:
    sent: list[object] = []

    async def send(_: int, what: object, **options: str) -> str:
        sent.append((what, options))
        return "answer"

    other = object()
    assert await Sessions(send).send(3, other, group="coordination") == "answer"
    assert sent == [(other, {"group": "coordination"})]


def test_a_session_of_many_years_begins_to_count_again_behind_the_first() -> None:
    session = Session(epoch=EPOCH_MAX)
    session.heard(1, 0)
    told = session.shorten(request({}).prepare({FETCH: (VERSION, VERSION)}))
    assert told.session_epoch == 1


@given(
    turns=st.lists(
        st.tuples(
            st.dictionaries(st.integers(0, 5), st.integers(0, 3)),
            st.sampled_from(["answers", "answers", "answers", "lost", "away", "full"]),
        )
    )
)
def test_i4_whatever_happens_the_broker_knows_what_it_answers_about(
    turns: list[tuple[Offsets, str]],
) -> None:
    async def run() -> None:
        broker = Broker()
        sessions = Sessions(broker.send)
        for offsets, what in turns:
            broker.error_code = LOST if what == "lost" else 0
            broker.is_away = what == "away"
            broker.has_room = what != "full"
            try:
                await sessions.send(0, request(offsets))
            except KafkaConnectionError:
                continue
            assert what == "lost" or broker.known == offsets

    asyncio.run(run())


@pytest.fixture
async def producer(kafka: str) -> AsyncGenerator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    yield producer
    await producer.stop()


@pytest.mark.servers
async def test_kafka_keeps_a_session_and_gives_each_record_once_whatever_is_paused_or_sought(
    kafka: str, topic: str, producer: AIOKafkaProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    named: list[int] = []
    shorten = Session.shorten

    def seen(session: Session, full: FetchRequestStruct) -> FetchRequestStruct:
        told = shorten(session, full)
        named.append(sum(len(entries) for _, entries in told.topics))
        return told

    monkeypatch.setattr(Session, "shorten", seen)
    consumer = SessionConsumer(
        bootstrap_servers=kafka, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await consumer.start()
    places = [TopicPartition(topic, number) for number in range(8)]
    consumer.assign(places)

    async def next_value() -> bytes | None:
        async with asyncio.timeout(SECONDS_MAX):
            return (await consumer.getone()).value

    try:
        for number, place in enumerate([*places, *places]):
            await producer.send_and_wait(topic, b"%d" % number, partition=place.partition)
            assert await next_value() == b"%d" % number
        consumer.pause(places[0])
        await producer.send_and_wait(topic, b"later", partition=0)
        await producer.send_and_wait(topic, b"first", partition=1)
        assert await next_value() == b"first"
        consumer.resume(places[0])
        assert await next_value() == b"later"
        consumer.seek(places[2], 1)
        assert await next_value() == b"10"
        await producer.send_and_wait(topic, b"new", partition=2)
        assert await next_value() == b"new"
    finally:
        await consumer.stop()
    assert named[0] == len(places)
    assert max(named[1:]) < len(places)


@pytest.mark.servers
async def test_brokers_answer_together_no_more_than_one_may(
    kafka: str, topic: str, producer: AIOKafkaProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed: set[int] = set()
    shorten, brokers = Session.shorten, ClusterMetadata.brokers

    def seen(session: Session, full: FetchRequestStruct) -> FetchRequestStruct:
        allowed.add(full.max_bytes)
        return shorten(session, full)

    def as_three(cluster: ClusterMetadata) -> list[object]:
        return 3 * [*brokers(cluster)]

    monkeypatch.setattr(Session, "shorten", seen)
    monkeypatch.setattr(ClusterMetadata, "brokers", as_three)
    consumer = SessionConsumer(
        bootstrap_servers=kafka, auto_offset_reset="earliest", fetch_max_bytes=6000
    )
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        await producer.send_and_wait(topic, b"1", partition=0)
        async with asyncio.timeout(SECONDS_MAX):
            await consumer.getone()
    finally:
        await consumer.stop()
    assert allowed == {2000}
