"""What only a newer release can read: this one says so, of that stream alone."""

from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Protocol, Self
from uuid import uuid4

import asyncpg
import httpx
import msgspec
import pytest
from fastapi import Depends
from local_stack import issuer
from msgspec import Struct
from shared_events.envelope import RECORDED_TIME_OFFSET, Recorded, encode_envelope
from shared_events.orders import OrderPaid
from shared_events.partition import partition_of
from shared_events.registry import NAMES, name_of
from shared_runtime.auth import Caller, Verifier, require
from shared_runtime.decider import Actor, Decider, PolicyUnknown
from shared_runtime.delivery import Connection, Subscription
from shared_runtime.http import service_app
from shared_runtime.log import (
    APPEND_ONE,
    SQL_TIME_FORMAT,
    Ask,
    Decisions,
    PostgresLog,
    StreamsUnreadable,
    handle,
    read_stream,
)
from shared_runtime.parking import ask_retry, list_parked, retry_parked
from shared_runtime.routers import Router
from shared_runtime.sources import OwnLog
from shared_runtime.subscription import Runner, decide_or_log, decoded
from shared_runtime.testing import ManualClock, facts, seen
from shared_runtime.timers import RETRY_AFTER, TIMER, DueTimer, fire_due

AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
UNKNOWN = "OrderInsured.v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pay:
    now: datetime
    actor: Actor = TIMER
    seller_id: str = "S1"

    def at(self, now: datetime) -> Self:
        return replace(self, now=now)


def paid(seller: str = "S1") -> OrderPaid:
    return OrderPaid(
        order_id="O1",
        seller_id=seller,
        buyer_id="B1",
        policy_version="p1",
        paid_at=AT,
        payment_ref="P1",
    )


PAYMENTS = Decider[int, Pay, OrderPaid](
    initial=0,
    decide=lambda _, command: [paid(command.seller_id)],
    evolve=lambda count, _: count + 1,
)


type Pays = Decider[int, Pay, OrderPaid]


def ask(stream: str, seller: str = "S1") -> Ask[Pay]:
    command = Pay(now=AT, seller_id=seller)
    return Ask(stream=stream, command=command, cause=str(uuid4()), correlation="O1")


class Insure(Protocol):
    """Appends to a stream, of a seller."""

    def __call__(self, stream: str, seller: str = "S1") -> Awaitable[None]: ...


@pytest.fixture
def insure(pool: asyncpg.Pool, topic: str) -> Insure:
    """Appends an event of a type that this release does not know, as a newer one does."""

    async def append(stream: str, seller: str = "S1") -> None:
        event_id = str(uuid4())
        body = encode_envelope(
            paid(seller),
            event_id=event_id,
            source="/test",
            stream=stream,
            version=1,
            time=AT,
            recorded_at=AT,
            actor="system:test",
            correlation_id="O1",
            causation_id=event_id,
        ).replace(b"OrderPaid.v1", UNKNOWN.encode())
        place = (topic, partition_of(seller), event_id, stream, 1, UNKNOWN)
        form = (RECORDED_TIME_OFFSET, SQL_TIME_FORMAT)
        await pool.fetchrow(APPEND_ONE, AT, *place, body, *form, *[None] * 6)

    return append


async def test_a_batch_is_told_which_streams_it_cannot_read(
    journal: PostgresLog, insure: Insure
) -> None:
    await journal.append(facts("order-O1", paid(), at=AT))
    await insure("order-O2")
    await insure("order-O3")
    with pytest.raises(StreamsUnreadable) as told:
        await journal.read(["order-O1", "order-O2", "order-O3", "order-O4"])
    assert told.value.types == {"order-O2": UNKNOWN, "order-O3": UNKNOWN}


async def test_what_is_decided_of_other_streams_goes_on(
    journal: PostgresLog, insure: Insure
) -> None:
    await journal.append(facts("order-O1", paid(), at=AT))
    await insure("order-O2")
    decisions = Decisions(journal)
    await decisions.read(["order-O1", "order-O2", "order-O3"])
    decisions.decide(PAYMENTS, ask("order-O1"))
    for asks_for in (
        lambda: decisions.decide(PAYMENTS, ask("order-O2")),
        lambda: decisions.history("order-O2"),
        lambda: decisions.state(PAYMENTS, "order-O2"),
    ):
        with pytest.raises(StreamsUnreadable) as told:
            asks_for()
        assert told.value.types == {"order-O2": UNKNOWN}

    def two_at_once() -> None:
        with decisions.all_or_nothing(["order-O3"]):
            decisions.decide(PAYMENTS, ask("order-O3"))
            decisions.decide(PAYMENTS, ask("order-O2"))

    with pytest.raises(StreamsUnreadable):
        two_at_once()
    assert [recorded.stream for recorded in await decisions.append()] == ["order-O1"]


@pytest.fixture
async def client(
    journal: PostgresLog, verifier: Verifier, tmp_path: Path
) -> AsyncIterator[httpx.AsyncClient]:
    router = Router("/v1/orders")
    roles = Depends(require("BUYER"))

    @router.get("/{order_id}")
    async def read(order_id: str, _: Annotated[Caller, roles]) -> int:
        return len(await read_stream(journal, f"order-{order_id}"))

    @router.post("/{order_id}")
    async def pay(order_id: str, _: Annotated[Caller, roles]) -> int:
        return (await handle(journal, PAYMENTS, ask(f"order-{order_id}"))).version

    async def ready() -> None: ...

    app = service_app(title="t", version="1", routers=[router], verifier=verifier, ready=ready)
    token = issuer.mint(tmp_path, sub="B1", roles=["BUYER"])
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://t",
        headers={"Authorization": f"Bearer {token}"},
    ) as client:
        yield client


async def test_reads_and_commands_of_it_are_answered_that_a_retry_may_succeed(
    client: httpx.AsyncClient, insure: Insure
) -> None:
    await insure("order-O2")
    for method in ("GET", "POST"):
        answered = await client.request(method, "/v1/orders/O2")
        assert (answered.status_code, answered.json()["type"]) == (503, "/problems/unavailable")
        assert answered.headers["Retry-After"]
        assert (await client.request(method, "/v1/orders/O1")).status_code == 200


class Paying:
    """A reaction that pays the order of each event, on the own log."""

    def __init__(self, pool: asyncpg.Pool, journal: PostgresLog, topic: str, pays: Pays) -> None:
        self._pays = pays
        self._journal = journal
        apply = decoded((OrderPaid,), self._react)
        self.runner = Runner(
            subscription=Subscription(name="paying", topics=(topic,), apply=apply),
            source=OwnLog(pool, (topic,)),
            pool=pool,
        )

    async def _react(self, batch: Sequence[Recorded[Any]], db: Connection) -> None:
        decisions = Decisions(self._journal.within(db))
        asks = [ask(f"order-{each.key}", each.key) for each in batch if each.stream[-1] == "0"]
        await decisions.read(each.stream for each in asks)
        for each in asks:
            decide_or_log(decisions, self._pays, each)
        await decisions.append()

    async def turn(self) -> None:
        await self.runner.start()
        while await self.runner.turn():
            pass


async def completed(journal: PostgresLog, *sellers: str) -> None:
    """An event of each seller that is reacted to."""
    for seller in sellers:
        await journal.append(facts(f"order-{seller}0", paid(seller), at=AT))


def paying_by(policy_version: str) -> Pays:
    """Of S1 by a policy that this release does not have."""

    def decide(_: int, command: Pay) -> list[OrderPaid]:
        if command.seller_id == "S1":
            raise PolicyUnknown(policy_version=policy_version)
        return [paid(command.seller_id)]

    return Decider(initial=0, decide=decide, evolve=lambda count, _: count + 1)


async def parked(pool: asyncpg.Pool) -> list[tuple[str, int]]:
    return sorted((row["key"], row["events"]) for row in await list_parked(pool))


async def test_i13_a_reaction_sets_aside_what_is_about_it_and_goes_on_with_others(
    pool: asyncpg.Pool, journal: PostgresLog, insure: Insure, topic: str
) -> None:
    await insure("order-S1", "S3")
    await completed(journal, "S1", "S2")
    await Paying(pool, journal, topic, PAYMENTS).turn()
    assert await parked(pool) == [("S1", 1), ("S3", 1)]
    assert len(await read_stream(journal, "order-S2")) == 1


async def test_i13_a_reaction_sets_aside_what_only_a_policy_of_another_release_decides(
    pool: asyncpg.Pool, journal: PostgresLog, topic: str
) -> None:
    await completed(journal, "S1", "S2")
    await Paying(pool, journal, topic, paying_by("p9")).turn()
    assert await parked(pool) == [("S1", 1)]
    assert len(await read_stream(journal, "order-S2")) == 1


async def test_i13_that_no_policy_is_old_enough_is_an_answer_like_others(
    pool: asyncpg.Pool, journal: PostgresLog, topic: str
) -> None:
    await completed(journal, "S1", "S2")
    await Paying(pool, journal, topic, paying_by("")).turn()
    assert await parked(pool) == []
    assert len(await read_stream(journal, "order-S2")) == 1


class OrderInsured(Struct, frozen=True, kw_only=True, tag=UNKNOWN):
    """What a newer release has."""

    order_id: str
    seller_id: str


KNOWN: dict[str, type[Struct]] = {"OrderPaid.v1": OrderPaid, UNKNOWN: OrderInsured}


async def see_decoded(batch: Sequence[Recorded[Any]], db: Connection) -> None:
    columns = zip(*[(r.topic, r.partition, r.position, r.key) for r in batch], strict=True)
    await db.execute("SELECT see($1, $2, $3, $4)", *map(list, columns))


def of_release(
    pool: asyncpg.Pool, topic: str, *handles: type[Struct], puts_off: bool = False
) -> Runner:
    """What sees these types of events, and passes over the others that there are."""
    return Runner(
        subscription=Subscription(
            name="sight", topics=(topic,), apply=decoded(handles, see_decoded)
        ),
        source=OwnLog(pool, (topic,)),
        pool=pool,
        puts_off=puts_off,
    )


def let_be_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on this is the newer release."""
    decoders = {tag: msgspec.json.Decoder(of).decode for tag, of in KNOWN.items()}
    monkeypatch.setattr("shared_events.registry._decoders", decoders)
    monkeypatch.setattr("shared_runtime.delivery.NAMES", NAMES | {name_of(OrderInsured)})


@pytest.mark.usefixtures("sight")
@pytest.mark.parametrize("puts_off", [False, True])
async def test_i13_what_only_a_newer_release_has_is_applied_by_it_and_dropped_by_none(  # noqa: PLR0917
    pool: asyncpg.Pool,
    journal: PostgresLog,
    insure: Insure,
    topic: str,
    monkeypatch: pytest.MonkeyPatch,
    puts_off: bool,
) -> None:
    """A reader that passes over what it does not handle waits here: of that key alone."""
    older = of_release(pool, topic, OrderPaid, puts_off=puts_off)
    await journal.append(facts("order-O2", paid("S2"), at=AT))
    await older.start()
    assert await older.turn() == 1
    await insure("order-O1", "S1")
    await completed(journal, "S1", "S2")
    while await older.turn():
        pass
    assert not older.holds
    assert await seen(pool) == {"S2": [1, 2]}
    assert await parked(pool) == [("S1", 2)]
    (key,) = await list_parked(pool)
    assert key["reason"] == f"UnknownEventType: {UNKNOWN}"

    let_be_known(monkeypatch)
    newer = of_release(pool, topic, OrderPaid, OrderInsured)
    await ask_retry(pool, subscription="sight", key="S1")
    assert await retry_parked(newer.subscription, newer.source, pool) == 1
    assert await seen(pool) == {"S1": [1, 2], "S2": [1, 2]}
    assert await parked(pool) == []


@pytest.mark.usefixtures("sight")
async def test_what_this_release_has_and_a_reader_does_not_handle_is_passed_over(
    pool: asyncpg.Pool, insure: Insure, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_be_known(monkeypatch)
    await insure("order-O1", "S1")
    reader = of_release(pool, topic, OrderPaid)
    await reader.start()
    assert await reader.turn() == 1
    assert (await seen(pool), await parked(pool)) == ({}, [])


async def test_i14_a_deadline_waits_for_that_release_and_others_fire(
    pool: asyncpg.Pool, journal: PostgresLog, insure: Insure, clock: ManualClock
) -> None:
    async def fire(decisions: Decisions, due: Sequence[DueTimer]) -> None:
        await decisions.read(timer.stream for timer in due)
        for timer in due:
            seller = "S1" if timer.stream == "order-O2" else "S2"
            decide_or_log(decisions, paying_by("p9"), ask(timer.stream, seller))

    await insure("order-O1")
    for number in range(1, 4):
        await pool.execute(
            "INSERT INTO es.timer (stream_id, name, due_at, armed_by)"
            " VALUES ($1, 'PAY', $2, gen_random_uuid())",
            f"order-O{number}",
            AT,
        )
    clock.at = AT + timedelta(minutes=1)
    await fire_due(pool, journal, fire, clock)
    assert len(await read_stream(journal, "order-O3")) == 1
    left = await pool.fetch("SELECT retry_at, fault FROM es.timer ORDER BY stream_id")
    assert [row["retry_at"] for row in left] == [clock.at + RETRY_AFTER] * 2
    assert UNKNOWN in left[0]["fault"]
    assert "p9" in left[1]["fault"]
