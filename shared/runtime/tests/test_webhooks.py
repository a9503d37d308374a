"""A shop is told of what it may know, until it has taken it, and can tell that it was us."""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from local_stack.receiver import Receiver, receiving
from shared_events.envelope import Recorded
from shared_events.orders import (
    TOPIC,
    OrderFact,
    OrderPaid,
    OrderShipped,
)
from shared_events.review import ReviewSubmitted
from shared_runtime.decider import Actor, LimitReached, NotFound, WrongState
from shared_runtime.delivery import Delivery as LogRecord
from shared_runtime.log import PostgresLog, read_stream
from shared_runtime.outside import Outside
from shared_runtime.pages import PageStart
from shared_runtime.problems import IdempotencyMismatch
from shared_runtime.reach import Reach
from shared_runtime.sealing import seal_event
from shared_runtime.sources import OwnLog
from shared_runtime.subscription import Runner, read_cursors
from shared_runtime.tail import Tail
from shared_runtime.testing import InMemoryKeyStore, ManualClock, as_recorded, facts
from shared_runtime.webhook_events import message, on_events
from shared_runtime.webhook_sending import Sending, forget_webhooks, headers_of
from shared_runtime.webhooks import (
    DELAYS,
    ENDPOINTS_MAX,
    FORMER_SIGNS_FOR,
    KEPT_FOR,
    LEASE_TERM,
    PURGE_MAX,
    SETTLED_AFTER,
    Attempt,
    Endpoint,
    EventDelivery,
    Subscriber,
    WantedEndpoint,
    Webhooks,
)
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)
SHOP = Subscriber(account="seller:S1", org_id=None, seller_id="S1")
OTHER = Subscriber(account="seller:S2", org_id=None, seller_id="S2")
MACHINE = Subscriber(account="system:market", org_id=None, seller_id="market")
IDS: dict[str, Any] = {"buyer_id": "B1", "policy_version": "p1"}
SENT = """
    INSERT INTO webhook.delivery (delivery_id, endpoint_id, type, state, created_at)
    SELECT gen_random_uuid(), $1, 'OrderPaid.v1', 'DELIVERED', $2 FROM generate_series(1, $3)
"""


def paid(order_id: str = "O1", seller_id: str = "S1") -> OrderPaid:
    ids: dict[str, Any] = IDS | {"order_id": order_id, "seller_id": seller_id}
    return OrderPaid(**ids, paid_at=AT, payment_ref="P1")


def shipped(order_id: str = "O1", seller_id: str = "S1") -> OrderShipped:
    ids: dict[str, Any] = IDS | {"order_id": order_id, "seller_id": seller_id}
    return OrderShipped(**ids, shipped_at=AT, late_dispatch=False)


def secret_until_paid(
    _: str, history: Sequence[Recorded[Any]], reader: Actor
) -> Sequence[Recorded[Any]]:
    """Readers of these tests: sellers read their own; that it was shipped, when it is paid."""
    is_paid = any(isinstance(each.event, OrderPaid) for each in history)
    return [
        each
        for each in history
        if reader.role == "SYSTEM" or reader.seller_id == each.event.seller_id
        if is_paid or not isinstance(each.event, OrderShipped)
    ]


@dataclass(slots=True)
class Reads:
    """The readers, or whatever a test puts in their place."""

    now: Callable[..., Sequence[Recorded[Any]]] = secret_until_paid

    def __call__(
        self, stream: str, history: Sequence[Recorded[Any]], reader: Actor
    ) -> Sequence[Recorded[Any]]:
        return self.now(stream, history, reader)


@dataclass(slots=True, kw_only=True)
class World:
    """A service that tells one shop of what happens."""

    webhooks: Webhooks
    log: PostgresLog
    clock: ManualClock
    shop: Receiver
    reads: Reads
    runner: Runner
    sending: Sending
    keys: InMemoryKeyStore

    async def endpoint(
        self, who: Subscriber = SHOP, *, url: str | None = None, **wanted: list[str]
    ) -> Endpoint:
        told: dict[str, list[str]] = {"types": [], "seller_ids": [], "buyer_ids": []} | wanted
        return await self.webhooks.make(
            str(uuid4()), b"f", who, WantedEndpoint(url=url or self.shop.url, **told)
        )

    async def happens(self, *events: OrderFact) -> None:
        """And whoever is to be told is."""
        for event in events:
            stream = f"order-{event.order_id}"
            before = await read_stream(self.log, stream)
            (planned,) = facts(stream, event, at=self.clock(), after=len(before))
            await self.log.append([planned])
        await self.noticed()

    async def noticed(self) -> None:
        while await self.runner.turn():
            pass

    async def stored(self) -> int:
        """How far the cursors say that it has come."""
        cursors = await read_cursors(self.webhooks.pool, self.runner.subscription)
        return sum(cursor.position for cursor in cursors.values())

    async def sent(self) -> int:
        return await self.sending.turn()

    async def deliveries(self, endpoint: Endpoint) -> list[EventDelivery]:
        start = PageStart(limit=100, after=None, cursor=lambda _: "")
        page, _ = await self.webhooks.page(endpoint, start, None)
        return page

    async def one(self, endpoint: Endpoint) -> EventDelivery:
        (found,) = await self.deliveries(endpoint)
        return found

    async def again(self, endpoint: Endpoint) -> Endpoint:
        return await self.webhooks.one(endpoint.endpoint_id, endpoint.account)


@pytest.fixture
def shop() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
async def world(pool: asyncpg.Pool, clock: ManualClock, shop: Receiver) -> World:
    clock.at = AT
    log = PostgresLog(pool, source="/test", now=clock)
    keys, reads = InMemoryKeyStore(), Reads()
    webhooks = Webhooks(pool=pool, own_log=log, keys=keys, now=clock)
    runner = Runner(
        subscription=on_events((TOPIC,), log, reads, clock),
        source=OwnLog(pool, (TOPIC,), tail=Tail(idle_seconds=0)),
        pool=pool,
        puts_off=True,
    )
    await runner.start()
    sending = Sending(webhooks=webhooks, reads=reads, outside=Outside(Reach(local=True)))
    return World(
        webhooks=webhooks,
        log=log,
        clock=clock,
        shop=shop,
        reads=reads,
        runner=runner,
        sending=sending,
        keys=keys,
    )


async def test_a_shop_is_told_of_its_own_and_can_tell_that_it_was_us(world: World) -> None:
    endpoint = await world.endpoint()
    await world.happens(paid("O1"), paid("O2", "S2"))
    assert await world.sent() == 1
    (came,) = world.shop.received
    told = Webhook(await world.webhooks.secret(endpoint)).verify(came.body, dict(came.headers))
    assert told["type"] == "OrderPaid.v1"
    assert told["timestamp"] == "2026-01-15T12:00:00Z"
    happened = told["data"]
    assert (happened["order_id"], happened["stream"]) == ("O1", "order-O1")
    assert happened["data"]["payment_ref"] == "P1"
    with pytest.raises(WebhookVerificationError):
        Webhook(await world.webhooks.secret(await world.endpoint())).verify(
            came.body, dict(came.headers)
        )
    delivery = await world.one(endpoint)
    assert (delivery.delivery_id, delivery.state) == (came.id, "DELIVERED")
    assert [each.outcome for each in delivery.attempts] == ["HTTP_200"]
    assert await world.sent() == 0


async def test_i22_what_is_hidden_is_not_told_until_it_comes_to_light(world: World) -> None:
    endpoint = await world.endpoint()
    await world.happens(shipped())
    assert not await world.deliveries(endpoint)
    await world.happens(paid())
    await world.sent()
    assert sorted(world.shop.types) == ["OrderPaid", "OrderShipped"]


async def test_what_is_recorded_at_once_is_told_as_it_would_be_one_by_one(world: World) -> None:
    await world.endpoint()
    events = [shipped(), paid()]
    await world.log.append(facts("order-O1", *events, at=AT))
    await world.noticed()
    await world.sent()
    assert sorted(world.shop.types) == ["OrderPaid", "OrderShipped"]


async def test_an_event_is_told_once_however_often_it_is_read(world: World) -> None:
    await world.endpoint()
    await world.happens(paid())
    await world.webhooks.pool.execute(
        "UPDATE es.cursor SET position = 0, chain_hash = decode(repeat('00', 32), 'hex') "
        "WHERE subscription = 'webhooks'"
    )
    await world.runner.start()
    await world.noticed()
    assert await world.sent() == 1


async def test_of_what_nobody_listens_to_nothing_is_stored_until_somebody_does(
    world: World,
) -> None:
    """Nor is a transaction spent on it; who has come since is told of what comes."""
    await world.happens(paid("O1"))
    await world.happens(paid("O2"))
    assert await world.stored() == 1  # that no key is parked is known behind the first
    await world.endpoint()
    await world.happens(paid("O3"))
    assert await world.stored() == 3
    await world.sent()
    assert [each.told["data"]["order_id"] for each in world.shop.received] == ["O3"]


async def test_what_cannot_be_asked_about_is_met_in_the_transaction(world: World) -> None:
    """There its key is set aside; a runner that failed on it would fail on it for ever."""
    await world.happens(paid("O1"))
    passes_over = world.runner.subscription.passes_over
    assert passes_over is not None
    unaskable = LogRecord(
        topic=TOPIC, partition=0, position=1, body=b"{", chain_hash=None, record_key="\x00"
    )
    with pytest.raises(asyncpg.DataError):
        await passes_over([unaskable], world.webhooks.pool)
    assert not await world.runner.passes_over([unaskable])


async def test_what_was_recorded_before_it_was_there_is_not_told(world: World) -> None:
    await world.happens(paid("O1"))
    world.clock.advance(TICK)
    await world.endpoint()
    await world.log.append(facts("order-O2", paid("O2"), at=world.clock()))
    await world.runner.start()
    await world.noticed()
    await world.sent()
    assert [each.told["data"]["order_id"] for each in world.shop.received] == ["O2"]


async def test_a_shop_is_told_of_the_types_that_it_wants(world: World) -> None:
    await world.endpoint(types=["OrderShipped"])
    await world.happens(shipped(), paid())
    await world.sent()
    assert world.shop.types == ["OrderShipped"]


async def test_a_machine_is_told_of_all_or_of_those_that_it_names(world: World) -> None:
    everybody = await world.endpoint(MACHINE)
    some = await world.endpoint(MACHINE, seller_ids=["S2"])
    buyers = await world.endpoint(MACHINE, buyer_ids=["B1"])
    nobodys = await world.endpoint(MACHINE, seller_ids=["S3"], buyer_ids=["B3"])
    await world.happens(paid("O1", "S1"), paid("O2", "S2"))
    told = {
        endpoint.endpoint_id: {each.order_id for each in await world.deliveries(endpoint)}
        for endpoint in (everybody, some, buyers, nobodys)
    }
    assert [*told.values()] == [{"O1", "O2"}, {"O2"}, {"O1", "O2"}, set()]


async def test_it_is_tried_for_three_days_and_then_the_endpoint_is_given_up(world: World) -> None:
    world.shop.status = 503
    endpoint = await world.endpoint()
    await world.happens(paid())
    assert await world.sent() == 1
    for delay in DELAYS:
        began, due = world.clock(), (await world.one(endpoint)).due_at
        assert due is not None
        assert delay <= due - began <= delay * 1.1
        world.clock.at = due - TICK
        assert await world.sent() == 0
        world.clock.at = due
        assert (await world.again(endpoint)).off_at is None
        assert await world.sent() == 1
    delivery, given_up = await world.one(endpoint), await world.again(endpoint)
    assert (delivery.state, delivery.due_at) == ("FAILED", None)
    assert [each.outcome for each in delivery.attempts] == ["HTTP_503"] * 10
    assert (given_up.off_at, given_up.off_because) == (world.clock(), "FAILING")
    assert {each.id for each in world.shop.received} == {delivery.delivery_id}
    await world.happens(paid("O2"))
    assert len(await world.deliveries(endpoint)) == 1


async def test_an_endpoint_that_takes_other_things_is_not_given_up(world: World) -> None:
    endpoint = await world.endpoint()
    world.shop.status = 500
    await world.happens(paid())
    await world.sent()
    world.shop.status = 200
    await world.happens(paid("O2"))
    await world.sent()
    world.shop.status = 500
    for delay in DELAYS:
        world.clock.advance(delay * 1.1)
        await world.sent()
    states = {each.order_id: each.state for each in await world.deliveries(endpoint)}
    assert states == {"O1": "FAILED", "O2": "DELIVERED"}
    assert (await world.again(endpoint)).off_at is None


async def test_an_endpoint_that_says_that_it_is_gone_is_believed(world: World) -> None:
    endpoint = await world.endpoint()
    world.shop.status = 410
    await world.happens(paid())
    await world.sent()
    assert (await world.again(endpoint)).off_because == "GONE"
    assert (await world.one(endpoint)).state == "FAILED"


async def test_a_place_inside_is_an_attempt_that_failed(world: World) -> None:
    inside = Outside(Reach(local=False))
    world.sending.outside = inside
    endpoint = await world.endpoint()
    await world.happens(paid())
    await world.sent()
    delivery = await world.one(endpoint)
    assert [each.outcome for each in delivery.attempts] == ["ADDRESS_REFUSED"]
    assert delivery.state == "WAITING"
    assert not world.shop.received


async def test_a_fault_of_ours_is_not_the_endpoints(world: World) -> None:
    endpoint = await world.endpoint()
    await world.happens(paid())

    def broken(*_: object) -> Sequence[Recorded[Any]]:
        raise RuntimeError("a fault of this release")

    world.reads.now = broken
    await world.sent()
    assert (await world.one(endpoint)).state == "WAITING"
    await world.webhooks.pool.execute(
        "UPDATE webhook.delivery SET due_at = $1, failures = $2", AT, len(DELAYS)
    )
    await world.sent()
    delivery = await world.one(endpoint)
    assert (delivery.state, {each.outcome for each in delivery.attempts}) == ("FAILED", {"FAULT"})
    assert (await world.again(endpoint)).off_at is None


async def test_what_may_not_be_known_any_more_is_not_sent(world: World) -> None:
    endpoint = await world.endpoint()
    await world.happens(paid())
    world.reads.now = lambda *_: []
    await world.sent()
    assert not world.shop.received
    assert (await world.one(endpoint)).state == "WITHDRAWN"
    assert await world.sent() == 0


async def test_i22_whoever_dies_after_sending_has_it_sent_again_under_its_id(
    world: World, dying: Callable[[str, str, int], int]
) -> None:
    endpoint = await world.endpoint()
    await world.happens(paid())
    assert dying("webhooks", "produced", 1) == -9
    (first,) = world.shop.received
    assert not (await world.one(endpoint)).attempts
    world.clock.at = datetime.now(UTC)  # the clock of the one that has died
    assert await world.sent() == 0  # it may be on its way
    world.clock.advance(LEASE_TERM)
    assert await world.sent() == 1
    assert [each.id for each in world.shop.received] == [first.id, first.id]
    assert [each.body for each in world.shop.received] == [first.body, first.body]
    assert (await world.one(endpoint)).state == "DELIVERED"


async def test_i22_whoever_was_taken_for_dead_is_not_heard_any_more(world: World) -> None:
    endpoint = await world.endpoint()
    await world.happens(paid())
    (slow,) = await world.webhooks.take({}, of_one=1, most=1)
    world.clock.advance(LEASE_TERM - TICK)
    assert not await world.webhooks.take({}, of_one=1, most=1)
    world.clock.advance(TICK)
    (next_one,) = await world.webhooks.take({}, of_one=1, most=1)
    failed = Attempt(at=world.clock(), outcome="TOO_SLOW", milliseconds=1)
    assert await world.webhooks.record(slow, failed) is None
    taken = Attempt(at=world.clock(), outcome="HTTP_204", milliseconds=1)
    assert await world.webhooks.record(next_one, taken)
    delivery = await world.one(endpoint)
    assert [each.outcome for each in delivery.attempts] == ["HTTP_204"]


async def test_the_secret_before_signs_for_a_day(world: World) -> None:
    endpoint = await world.endpoint()
    first = await world.webhooks.secret(endpoint)
    request, name = uuid4(), endpoint.endpoint_id
    endpoint = await world.webhooks.rotate(name, SHOP.account, request)
    second = await world.webhooks.secret(endpoint)
    assert second != first
    assert await world.webhooks.rotate(name, SHOP.account, request) == endpoint

    async def proved_by(*secrets: str) -> list[bool]:
        await world.webhooks.ping(endpoint, uuid4())
        await world.sent()
        came = world.shop.received[-1]
        return [is_proof(came.body, dict(came.headers), secret) for secret in secrets]

    assert await proved_by(first, second) == [True, True]
    world.clock.advance(FORMER_SIGNS_FOR - TICK)
    assert await proved_by(first, second) == [True, True]
    world.clock.advance(TICK)
    assert await proved_by(first, second) == [False, True]


async def test_whoever_has_lost_a_secret_asks_for_two(world: World) -> None:
    endpoint = await world.endpoint()
    secrets = [await world.webhooks.secret(endpoint)]
    for _ in range(2):
        endpoint = await world.webhooks.rotate(endpoint.endpoint_id, SHOP.account, uuid4())
        secrets.append(await world.webhooks.secret(endpoint))
    await world.webhooks.ping(endpoint, uuid4())
    await world.sent()
    (came,) = world.shop.received
    proofs = [is_proof(came.body, dict(came.headers), secret) for secret in secrets]
    assert proofs == [False, True, True]


def is_proof(body: bytes, headers: dict[str, str], secret: str) -> bool:
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


def test_a_signature_has_the_time_of_the_attempt() -> None:
    headers = headers_of("W1", b"{}", ["whsec_" + "A" * 32], lambda: AT)
    assert headers["webhook-timestamp"] == str(int(AT.timestamp()))
    assert headers["webhook-signature"] == Webhook("whsec_" + "A" * 32).sign("W1", AT, "{}")


async def test_an_account_has_its_share_and_no_more(world: World) -> None:
    for who in (SHOP, SHOP, OTHER):
        await world.endpoint(who)
    for number in range(5):
        await world.happens(paid(f"O{number}"))
    await world.happens(paid("O9", "S2"))
    taken = await world.webhooks.take({}, of_one=2, most=10)
    assert sorted(each.endpoint.account for each in taken) == ["seller:S1"] * 2 + ["seller:S2"]
    busy = {"seller:S1": 1}
    (more,) = await world.webhooks.take(busy, of_one=2, most=10)
    assert more.endpoint.account == "seller:S1"
    assert not await world.webhooks.take({"seller:S1": 2}, of_one=2, most=10)


async def test_where_there_is_little_room_nobody_waits_for_one_who_has_much(world: World) -> None:
    for who in (SHOP, OTHER):
        await world.endpoint(who)
    for number in range(5):
        await world.happens(paid(f"O{number}"))
    await world.happens(paid("O9", "S2"))
    taken = await world.webhooks.take({}, of_one=4, most=2)
    assert {each.endpoint.account for each in taken} == {"seller:S1", "seller:S2"}


async def test_a_slow_receiver_holds_up_nobody_else(world: World) -> None:
    world.shop.seconds = 30
    await world.endpoint(SHOP)
    with receiving() as quick:
        await world.endpoint(OTHER, url=quick.url)
        for number in range(8):
            await world.happens(paid(f"O{number}"), paid(f"P{number}", "S2"))
        world.sending.at_once = 6
        stop = asyncio.Event()
        running = asyncio.create_task(world.sending.run(stop))
        await asyncio.to_thread(quick.wait_for, 8)
        assert len(world.shop.received) <= world.sending.of_one
        stop.set()
        world.shop.released.set()
        await running


async def test_an_account_has_so_many_endpoints(world: World) -> None:
    endpoints = [await world.endpoint() for _ in range(ENDPOINTS_MAX)]
    with pytest.raises(LimitReached) as refused:
        await world.endpoint()
    assert refused.value.limit == ENDPOINTS_MAX
    await world.endpoint(OTHER)
    await world.webhooks.delete(endpoints[0].endpoint_id, SHOP.account)
    await world.endpoint()


async def test_the_same_request_makes_one_endpoint(world: World) -> None:
    wanted = WantedEndpoint(url=world.shop.url, types=[], seller_ids=[], buyer_ids=[])
    name = str(uuid4())
    first = await world.webhooks.make(name, b"f", SHOP, wanted)
    again = await world.webhooks.make(name, b"f", SHOP, wanted)
    assert first == again
    with pytest.raises(IdempotencyMismatch):
        await world.webhooks.make(name, b"g", SHOP, wanted)
    assert len(await world.webhooks.all_of(SHOP.account)) == 1
    await world.webhooks.delete(name, SHOP.account)
    with pytest.raises(NotFound):
        await world.webhooks.make(name, b"f", SHOP, wanted)


async def test_an_endpoint_is_its_accounts_alone(world: World) -> None:
    endpoint = await world.endpoint()
    for name in (endpoint.endpoint_id, str(uuid4()), "none"):
        with pytest.raises(NotFound):
            await world.webhooks.one(name, OTHER.account)
    assert not await world.webhooks.all_of(OTHER.account)


async def test_it_is_sent_once_more_when_somebody_asks(world: World) -> None:
    endpoint = await world.endpoint()
    await world.happens(paid())
    await world.sent()
    delivery = await world.one(endpoint)
    request = uuid4()
    for _ in range(2):
        await world.webhooks.resend(endpoint, delivery.delivery_id, request)
        await world.sent()
    assert [each.id for each in world.shop.received] == [delivery.delivery_id] * 2
    assert len((await world.one(endpoint)).attempts) == 2
    with pytest.raises(NotFound):
        await world.webhooks.resend(endpoint, str(uuid4()), uuid4())
    with pytest.raises(NotFound):
        await world.webhooks.resend(await world.endpoint(), delivery.delivery_id, uuid4())


async def test_while_an_endpoint_is_off_what_waits_waits_and_nothing_comes(world: World) -> None:
    endpoint = await world.endpoint()
    await world.happens(paid("O1"))
    off = await world.webhooks.switch_off(endpoint.endpoint_id, SHOP.account)
    assert off.off_because == "OWNER"
    await world.happens(paid("O2"))
    assert await world.sent() == 0
    with pytest.raises(WrongState):
        await world.webhooks.ping(off, uuid4())
    with pytest.raises(WrongState):
        await world.webhooks.resend(off, (await world.one(off)).delivery_id, uuid4())
    world.clock.advance(TICK)
    await world.webhooks.switch_on(endpoint.endpoint_id, SHOP.account)
    await world.happens(paid("O3"))
    await world.sent()
    orders = sorted(each.told["data"]["order_id"] for each in world.shop.received)
    assert orders == ["O1", "O3"]


async def test_to_a_deleted_endpoint_nothing_is_sent_any_more(world: World) -> None:
    endpoint = await world.endpoint()
    await world.happens(paid())
    await world.webhooks.delete(endpoint.endpoint_id, SHOP.account)
    assert await world.sent() == 0
    with pytest.raises(NotFound):
        await world.again(endpoint)
    world.clock.advance(SETTLED_AFTER)
    await world.webhooks.purge()
    assert await world.webhooks.pool.fetchval("SELECT count(*) FROM webhook.endpoint") == 1
    world.clock.advance(TICK)
    await world.webhooks.purge()
    for table in ("endpoint", "delivery"):
        assert not await world.webhooks.pool.fetchval(f"SELECT count(*) FROM webhook.{table}")  # noqa: S608


async def test_all_that_is_old_enough_is_forgotten_at_once(world: World) -> None:
    endpoint = await world.endpoint()
    old = world.clock() - KEPT_FOR - TICK
    await world.webhooks.pool.execute(SENT, endpoint.endpoint_id, old, 2 * PURGE_MAX + 1)
    await world.webhooks.pool.execute(SENT, endpoint.endpoint_id, old + TICK, 1)
    await forget_webhooks(world.webhooks, asyncio.Event())
    assert await world.webhooks.pool.fetchval("SELECT count(*) FROM webhook.delivery") == 1


async def test_one_that_is_deleted_on_the_way_is_not_sent_to(world: World) -> None:
    endpoint = await world.endpoint()
    await world.happens(paid())
    await world.keys.destroy(f"webhook:{endpoint.endpoint_id}")
    await world.sent()
    assert not world.shop.received


async def test_deliveries_are_forgotten_after_a_month(world: World) -> None:
    endpoint = await world.endpoint()
    await world.happens(paid())
    await world.sent()
    world.clock.advance(KEPT_FOR)
    assert await world.webhooks.purge() == 0
    world.clock.advance(TICK)
    assert await world.webhooks.purge() == 1
    assert not await world.deliveries(endpoint)


async def test_with_a_seller_who_is_erased_go_his_endpoints(world: World) -> None:
    endpoint, other = await world.endpoint(), await world.endpoint(OTHER)
    async with world.webhooks.pool.acquire() as db, db.transaction():
        await world.webhooks.forget("seller:S1", db)
        await world.webhooks.forget("buyer:S2", db)
    with pytest.raises(NotFound):
        await world.again(endpoint)
    assert await world.again(other)
    assert await world.keys.destroyed_at(f"webhook:{endpoint.endpoint_id}")


async def test_a_ping_tells_nothing_but_that_it_came(world: World) -> None:
    endpoint = await world.endpoint()
    request = UUID(int=1)
    first = await world.webhooks.ping(endpoint, request)
    assert (await world.webhooks.ping(endpoint, request)).delivery_id == first.delivery_id
    await world.sent()
    (came,) = world.shop.received
    assert came.told == {"type": "Ping", "timestamp": "2026-01-15T12:00:00Z", "data": None}


async def test_what_people_wrote_is_not_sent_not_even_sealed() -> None:
    keys = InMemoryKeyStore()
    key = await keys.key_of("buyer:B1")
    event_id = str(uuid4())
    review = ReviewSubmitted(
        order_id="O1",
        seller_id="S1",
        buyer_id="B1",
        policy_version="p1",
        review_id="R1",
        side="BUYER",
        incentive="NONE",
        quality=5,
        logistics=5,
        service=5,
        text=key.unsealed("very good"),
        media=[key.unsealed("M1")],
        media_sha256=["0" * 64],
        submitted_at=AT,
    )
    (recorded,) = as_recorded("evaluation-O1", [seal_event(review, event_id)], at=AT)
    told = message(recorded)
    assert told.data is not None
    assert told.data.data["quality"] == 5
    assert {"text", "media"}.isdisjoint(told.data.data)
    assert "s1." not in json.dumps(told.data.data)
