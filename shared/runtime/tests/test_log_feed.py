"""The log over HTTP, and what a topic has lost: read from the service that recorded it."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from local_stack import issuer
from local_stack.topics import forget
from prometheus_client import REGISTRY
from shared_events.orders import OrderPaid
from shared_events.partition import partition_of
from shared_runtime import log_api
from shared_runtime.auth import Verifier
from shared_runtime.delivery import Place, Subscription, TakenOver
from shared_runtime.feed import LogFeed, SourceUnreachable
from shared_runtime.http import service_app
from shared_runtime.log import PostgresLog
from shared_runtime.log_api import log_router
from shared_runtime.relay import Relay, relay_subscription
from shared_runtime.sources import KafkaLog, OwnLog
from shared_runtime.subscription import Runner
from shared_runtime.tail import Tail
from shared_runtime.testing import counted, facts, see, seen

AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
BUSY, CALM = "S1", "S2"
PATIENCE_SECONDS = 20


def paid(order: str, seller: str) -> OrderPaid:
    return OrderPaid(
        order_id=order,
        seller_id=seller,
        buyer_id="B1",
        policy_version="p1",
        paid_at=AT,
        payment_ref="P1",
    )


async def write(log: PostgresLog, name: str, **counts: int) -> None:
    for seller, count in counts.items():
        events = [paid(name, seller)] * count
        await log.append(facts(f"order-{name}-{seller}", *events, at=AT))


def healed(topic: str) -> float:
    return REGISTRY.get_sample_value("aftersales_healed_events_total", {"topic": topic}) or 0


async def ready() -> None: ...


@pytest.fixture
def app(pool: asyncpg.Pool, verifier: Verifier) -> FastAPI:

    return service_app(
        title="test", version="1", routers=[log_router(pool)], verifier=verifier, ready=ready
    )


@asynccontextmanager
async def log_is_locked(owner: asyncpg.Pool) -> AsyncGenerator[Callable[[], Awaitable[int]]]:
    """Gives a function that counts who waits for it."""
    async with owner.acquire() as db, db.transaction():
        await db.execute("LOCK TABLE es.event IN ACCESS EXCLUSIVE MODE")

        async def waiting() -> int:
            asked = "SELECT count(*) FROM pg_locks WHERE relation = 'es.event'::regclass"
            count: int = await db.fetchval(f"{asked} AND NOT granted")
            return count

        yield waiting


@dataclass(frozen=True, slots=True)
class Token:
    """What a consumer shows, in a file that others renew."""

    file: Path
    good: str

    def write(self, text: str) -> None:
        self.file.write_text(text)

    def write_good(self) -> None:
        self.write(self.good + "\n")


@pytest.fixture
def token(tmp_path: Path, verifier: Verifier) -> Token:  # noqa: ARG001 - makes the key
    good = issuer.mint(tmp_path, sub="consumer", roles=["CONSUMER"])
    token = Token(tmp_path / "token", good)
    token.write_good()
    return token


@pytest.fixture
def feed(app: FastAPI, token: Token, topic: str) -> LogFeed:
    """The real application, without a socket."""
    urls = {topic: "http://source/"}
    return LogFeed(urls, token.file, transport=httpx.ASGITransport(app))


@pytest.fixture
async def client(app: FastAPI, tmp_path: Path) -> AsyncGenerator[httpx.AsyncClient]:
    token = issuer.mint(tmp_path, sub="auditor", roles=["AUDITOR"])
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://source",
        headers={"Authorization": f"Bearer {token}"},
    ) as client:
        yield client


@dataclass(frozen=True, slots=True)
class Announced:
    """A log whose events are in a topic, as long as that keeps them."""

    pool: asyncpg.Pool
    journal: PostgresLog
    kafka: str
    topic: str

    async def write(self, name: str, **counts: int) -> None:
        await write(self.journal, name, **counts)
        await relay_all(self.pool, self.kafka, self.topic)

    def forget(self) -> None:
        forget(self.kafka, self.topic)

    async def write_and_forget(self, name: str, **counts: int) -> None:
        await self.write(name, **counts)
        self.forget()

    @asynccontextmanager
    async def consuming(self, feed: LogFeed | None) -> AsyncGenerator[Runner]:
        source = KafkaLog(self.kafka, f"sight-{uuid4().hex}", (self.topic,), feed=feed)
        subscription = Subscription(name="sight", topics=(self.topic,), apply=see)
        runner = Runner(subscription=subscription, source=source, pool=self.pool)
        try:
            await runner.start()
            yield runner
        finally:
            await source.close()


@pytest.fixture
def announced(pool: asyncpg.Pool, journal: PostgresLog, kafka: str, topic: str) -> Announced:
    return Announced(pool, journal, kafka, topic)


async def relay_all(pool: asyncpg.Pool, kafka: str, topic: str) -> None:
    relay = Relay(kafka)
    runner = Runner(
        subscription=relay_subscription(relay, (topic,)),
        source=OwnLog(pool, (topic,), tail=Tail(idle_seconds=0)),
        pool=pool,
    )
    try:
        await runner.start()
        while await runner.turn():
            pass
    finally:
        await relay.close()


async def turn_until(runner: Runner, so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await so():
            try:
                await runner.turn()
            except TakenOver:
                await runner.start()


async def turn_until_seen(runner: Runner, pool: asyncpg.Pool, **counts: int) -> None:
    async def so() -> bool:
        return await seen(pool) == counted(**counts)

    await turn_until(runner, so)


async def turn_until_held(runner: Runner, place: Place, times: int) -> None:
    async def so() -> bool:
        hold = runner.holds.get(place)
        return hold is not None and hold.why == "gap" and hold.times >= times

    await turn_until(runner, so)


@pytest.mark.usefixtures("sight")
async def test_i4_what_a_topic_forgot_before_it_was_read_is_read_from_its_source(
    pool: asyncpg.Pool, announced: Announced, topic: str, feed: LogFeed
) -> None:
    """Once behind what is lost, it goes on with the topic."""
    await announced.write_and_forget("lost", S1=30, S2=2)
    await announced.write("kept", S1=3)
    async with announced.consuming(feed) as runner:
        await turn_until_seen(runner, pool, S1=33, S2=2)
        before = healed(topic)
        assert before >= 32
        await announced.write("after", S1=4)
        await turn_until_seen(runner, pool, S1=37, S2=2)
        assert healed(topic) == before
    assert {row["times"] for row in await pool.fetch("SELECT times FROM seen")} == {1}


@pytest.mark.usefixtures("sight")
async def test_i4_a_history_of_several_pages_is_read_page_by_page(
    pool: asyncpg.Pool, announced: Announced, feed: LogFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a topic that has nothing left, which could say that something is missed."""
    monkeypatch.setattr(log_api, "PAGE_EVENTS_MAX", 7)
    await announced.write_and_forget("lost", S1=40)
    async with announced.consuming(feed) as runner:
        await turn_until_seen(runner, pool, S1=40)


@pytest.mark.usefixtures("sight")
async def test_without_a_source_what_is_missed_holds_its_partition_alone(
    pool: asyncpg.Pool, announced: Announced, topic: str
) -> None:
    await announced.write_and_forget("lost", S1=3)
    await announced.write("kept", S1=3, S2=2)
    async with announced.consuming(None) as runner:
        await turn_until_held(runner, (topic, partition_of(BUSY)), 2)
        await turn_until_seen(runner, pool, S2=2)


@pytest.mark.usefixtures("sight")
async def test_a_source_that_refuses_holds_as_none_would_and_is_asked_again(
    pool: asyncpg.Pool, announced: Announced, topic: str, feed: LogFeed, token: Token
) -> None:
    await announced.write_and_forget("lost", S1=3)
    await announced.write("kept", S1=3)
    token.write("nobody")
    async with announced.consuming(feed) as runner:
        await turn_until_held(runner, (topic, partition_of(BUSY)), 2)
        assert await seen(pool) == {}
        token.write_good()
        await turn_until_seen(runner, pool, S1=6)


@pytest.mark.usefixtures("sight")
async def test_i9_a_source_with_another_history_is_not_believed(
    pool: asyncpg.Pool, owner: asyncpg.Pool, announced: Announced, topic: str, feed: LogFeed
) -> None:
    """What it gives continues the chain of what was read, or the partition is held."""
    place = (topic, partition_of(BUSY))
    await announced.write("read", S1=2)
    async with announced.consuming(feed) as runner:
        await turn_until_seen(runner, pool, S1=2)
    await announced.write_and_forget("lost", S1=3)
    await announced.write("kept", S1=1)
    await owner.execute("ALTER TABLE es.event DISABLE TRIGGER append_only")
    await owner.execute("UPDATE es.event SET body = body || ' ' WHERE position = 3")
    async with announced.consuming(feed) as runner:

        async def is_held() -> bool:
            return place in runner.holds and runner.holds[place].why == "fork"

        await turn_until(runner, is_held)
    assert await seen(pool) == counted(S1=2)


async def test_the_pages_of_a_log_are_its_bytes_and_continue_its_chain(
    client: httpx.AsyncClient,
    pool: asyncpg.Pool,
    journal: PostgresLog,
    topic: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await write(journal, "written", S1=25)
    stored = await pool.fetch("SELECT body FROM es.event ORDER BY position")
    monkeypatch.setattr(log_api, "PAGE_BYTES_MAX", sum(len(row["body"]) for row in stored[:10]))
    path = f"/v1/log/{topic}/{partition_of(BUSY)}"
    bodies: list[bytes] = []
    chain, pages = bytes(32), 0
    while events := (await client.get(path, params={"from": len(bodies) + 1})).json()["events"]:
        pages += 1
        for event in events:
            assert event["position"] == len(bodies) + 1
            leaf = hashlib.sha256(b"\x00" + event["body"].encode()).digest()
            chain = hashlib.sha256(chain + leaf).digest()
            assert event["chain_hash"] == chain.hex()
            bodies.append(event["body"].encode())
    assert bodies == [row["body"] for row in stored]
    assert pages == 3
    ends = (await client.get("/v1/log")).json()["partitions"]
    (end,) = [each for each in ends if each["position"]]
    assert (end["topic"], end["position"], end["chain_hash"]) == (topic, 25, chain.hex())


async def test_an_event_larger_than_a_page_is_a_page(
    client: httpx.AsyncClient, journal: PostgresLog, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(journal, "written", S1=2)
    monkeypatch.setattr(log_api, "PAGE_BYTES_MAX", 1)
    answer = await client.get(f"/v1/log/{topic}/{partition_of(BUSY)}", params={"from": 2})
    assert [event["position"] for event in answer.json()["events"]] == [2]


@pytest.mark.parametrize(
    ("role", "status"),
    [("CONSUMER", 200), ("AUDITOR", 200), ("SYSTEM", 403), ("SENIOR", 403), ("BUYER", 403)],
)
async def test_i12_a_log_is_read_by_consumers_and_auditors_alone(
    client: httpx.AsyncClient, topic: str, tmp_path: Path, role: str, status: int
) -> None:
    """It has what is still secret between the parties."""
    shown = issuer.mint(tmp_path, sub="somebody", roles=[role])
    for path in ("/v1/log", f"/v1/log/{topic}/0?from=1"):
        answer = await client.get(path, headers={"Authorization": f"Bearer {shown}"})
        assert answer.status_code == status


async def test_who_reads_a_whole_log_at_once_keeps_no_other_waiting(
    *,
    verifier: Verifier,
    pool: asyncpg.Pool,
    owner: asyncpg.Pool,
    journal: PostgresLog,
    topic: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log_api, "PATIENCE_SECONDS", 0.2)
    app = service_app(
        title="test", version="1", routers=[log_router(pool)], verifier=verifier, ready=ready
    )
    await write(journal, "written", S1=1)

    async def asks(client: httpx.AsyncClient, sub: str, role: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {issuer.mint(tmp_path, sub=sub, roles=[role])}"}
        path = f"http://source/v1/log/{topic}/{partition_of(BUSY)}?from=1"
        return await client.get(path, headers=headers)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        async with log_is_locked(owner) as waiting, asyncio.timeout(PATIENCE_SECONDS):
            his = {asyncio.create_task(asks(client, "auditor", "AUDITOR")) for _ in range(3)}
            while len(his) > 1:
                done, his = await asyncio.wait(his, return_when=asyncio.FIRST_COMPLETED)
                for refused in done:
                    assert refused.result().status_code == 503
                    assert int(refused.result().headers["Retry-After"]) > 0
            others = asyncio.create_task(asks(client, "consumer", "CONSUMER"))
            while await waiting() < 2:
                assert not others.done()
                await asyncio.sleep(0.01)
        read = [await each for each in (others, *his)]
    assert [page.status_code for page in read] == [200, 200]


async def test_a_log_that_is_not_of_this_service_is_not_there(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/log/others.events/0?from=1")).status_code == 404
    assert (await client.get("/v1/log/others.events/64?from=1")).status_code == 422


async def test_a_source_that_answers_nonsense_is_out_of_reach(token: Token, topic: str) -> None:
    async def nonsense(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=b"<html>")

    feed = LogFeed({topic: "http://x"}, token.file, transport=httpx.MockTransport(nonsense))
    with pytest.raises(SourceUnreachable):
        await feed.after((topic, 0), 0)
