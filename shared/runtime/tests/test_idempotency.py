"""The same request twice: one set of events, one answer, also when twenty of them race."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Self
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from fastapi import Depends, Response
from local_stack import issuer
from local_stack.databases import Database, create_database
from local_stack.servers import Servers
from shared_events.orders import OrderPaid
from shared_runtime.auth import Caller, Verifier, require
from shared_runtime.commands import AnyCommandRequest, Commands, commands_on
from shared_runtime.database import open_pool
from shared_runtime.decider import Actor, Decider, NotAParty, WrongState
from shared_runtime.fields import Body, IdStr
from shared_runtime.http import service_app
from shared_runtime.idempotency import (
    KEPT_FOR,
    Kept,
    canonical,
    command_id,
    find_replies,
    purge_replies,
)
from shared_runtime.log import PostgresLog, StreamsUnreadable
from shared_runtime.migrate import migrate
from shared_runtime.migrated import check_migrated
from shared_runtime.problems import MalformedBody, command_refusals
from shared_runtime.routers import Router
from shared_runtime.skew import ClockSkewed
from shared_runtime.testing import ManualClock

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pay:
    now: datetime
    actor: Actor
    order_id: str
    payment_ref: str

    def at(self, now: datetime) -> Self:
        return replace(self, now=now)


type Payments = tuple[str, ...]


def pay(paid: Payments, command: Pay) -> list[OrderPaid]:
    """Paid as often as asked: nothing but the command's id keeps a repeat out."""
    if command.payment_ref == "foreign":
        raise NotAParty
    if command.payment_ref == "refused":
        raise WrongState(state=f"{len(paid)} PAID")
    if command.payment_ref == "none":
        return []
    if paid and command.payment_ref == "unreadable":
        raise StreamsUnreadable({f"order-{command.order_id}": "OrderPraised.v1"})
    if paid and command.payment_ref == "skewed":
        raise ClockSkewed
    return [
        OrderPaid(
            order_id=command.order_id,
            seller_id="S1",
            buyer_id="B1",
            policy_version="p1",
            paid_at=command.now,
            payment_ref=command.payment_ref,
        )
    ]


def paid_again(paid: Payments, event: OrderPaid) -> Payments:
    return (*paid, event.payment_ref)


PAYMENTS = Decider[Payments, Pay, OrderPaid](initial=(), decide=pay, evolve=paid_again)


class PaidBody(Body):
    payment_ref: IdStr


def payments_api(commands: Commands, now: Callable[[], datetime]) -> Router:
    router = Router("/v1/orders", tags=["orders"])

    @router.post("/{order_id}/paid", responses=command_refusals(NotAParty, WrongState))
    async def mark_paid(
        order_id: IdStr,
        body: PaidBody,
        caller: Annotated[Caller, Depends(require("BUYER"))],
        request: AnyCommandRequest,
    ) -> Response:
        command = Pay(
            now=now(),
            actor=caller.actor("BUYER"),
            order_id=order_id,
            payment_ref=body.payment_ref,
        )
        return await commands.run(
            request,
            PAYMENTS,
            command,
            stream=f"order-{order_id}",
            correlation=order_id,
            view=lambda outcome: {"payments": outcome.state},
            status=201,
        )

    @router.post("/{order_id}/decided")
    async def decided(
        order_id: IdStr, _: Annotated[Caller, Depends(require("BUYER"))], request: AnyCommandRequest
    ) -> str:
        request.require_version()
        return order_id

    return router


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[asyncpg.Pool]:
    await migrate("review_service", database.owner_url)
    async with await open_pool(database.app_url) as pool:
        yield pool


@dataclass(frozen=True, slots=True)
class Looks:
    """Finds kept answers; for which requests it was asked."""

    pool: asyncpg.Pool
    asked: list[UUID] = field(default_factory=list[UUID])

    async def find(self, request_id: UUID) -> Kept | None:
        self.asked.append(request_id)
        return (await find_replies(self.pool, [request_id]))[0]


@asynccontextmanager
async def serving(
    pool: asyncpg.Pool,
    clock: ManualClock,
    verifier: Verifier,
    folder: Path,
    looks: Looks | None = None,
) -> AsyncGenerator[httpx.AsyncClient]:
    log = PostgresLog(pool, source="/test", now=clock)
    commands = Commands(log, looks.find) if looks else commands_on(log, pool)
    app = service_app(
        title="payments",
        version="1",
        routers=[payments_api(commands, clock)],
        verifier=verifier,
        ready=partial(check_migrated, pool, "review_service"),
    )
    headers = {"Authorization": f"Bearer {issuer.mint(folder, sub='B1', roles=['BUYER'])}"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://payments", headers=headers
    ) as client:
        yield client


@pytest.fixture
async def client(
    pool: asyncpg.Pool, clock: ManualClock, verifier: Verifier, tmp_path: Path
) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(pool, clock, verifier, tmp_path) as client:
        yield client


async def send(
    client: httpx.AsyncClient,
    ref: str,
    key: str | None = None,
    *,
    order: str = "O1",
    **headers: str,
) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post(
        f"/v1/orders/{order}/paid",
        json={"payment_ref": ref},
        headers={"Idempotency-Key": key or str(uuid4()), **named},
    )


async def events(pool: asyncpg.Pool) -> int:
    count: int = await pool.fetchval("SELECT count(*) FROM es.event")
    return count


def slug(answered: httpx.Response) -> tuple[int, str]:
    return answered.status_code, str(answered.json()["type"]).removeprefix("/problems/")


async def test_a_command_answers_with_the_state_after_it(client: httpx.AsyncClient) -> None:
    answered = await send(client, "P1")
    assert answered.status_code == 201
    assert answered.json() == {"payments": ["P1"]}
    assert answered.headers["ETag"] == '"1"'
    assert answered.headers["Consistency-Token"].startswith("orders.events/")
    assert "Idempotent-Replayed" not in answered.headers


async def test_a_repeat_gets_the_answer_that_was_given(
    client: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    first = await send(client, "P1", "k1")
    await send(client, "P2", "k2")
    again = await send(client, "P1", "k1")
    assert again.headers["Idempotent-Replayed"] == "true"
    for name in ("ETag", "Consistency-Token", "Content-Type"):
        assert again.headers[name] == first.headers[name]
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert await events(pool) == 2


async def test_what_is_recorded_is_not_looked_for_before_and_a_repeat_is_looked_for_once(
    pool: asyncpg.Pool, clock: ManualClock, verifier: Verifier, tmp_path: Path
) -> None:
    looks = Looks(pool)
    async with serving(pool, clock, verifier, tmp_path, looks) as client:
        await send(client, "P1", "k1")
        await send(client, "P2", "k2")
        assert looks.asked == []
        for ref, key in (("P1", "k1"), ("none", "k3"), ("refused", "k4")):
            await send(client, ref, key)
            assert looks.asked == [command_id("B1", key)]
            looks.asked.clear()


@pytest.mark.parametrize("ref", ["unreadable", "skewed"])
async def test_what_cannot_be_decided_just_now_is_answered_if_it_has_been(
    ref: str, client: httpx.AsyncClient
) -> None:
    """A newer release has written to the stream since, or our clock has gone wrong."""
    first = await send(client, ref, "k1")
    assert first.status_code == 201
    assert (await send(client, ref, "k1")).content == first.content
    assert (await send(client, ref, "k2")).status_code == 503


async def test_a_key_is_good_for_one_request(client: httpx.AsyncClient) -> None:
    await send(client, "P1", "k1")
    assert slug(await send(client, "P2", "k1")) == (422, "idempotency-mismatch")
    assert slug(await send(client, "P1", "k1", order="O2")) == (422, "idempotency-mismatch")


async def test_i10_twenty_racing_requests_give_one_set_of_events_and_one_answer(
    client: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    for n in range(5):
        racing = [send(client, "P1", f"k{n}", order=f"O{n}") for _ in range(20)]
        answers = await asyncio.gather(*racing)
        assert {answered.status_code for answered in answers} == {201}
        assert len({answered.content for answered in answers}) == 1
        assert len({answered.headers["Consistency-Token"] for answered in answers}) == 1
        assert sum("Idempotent-Replayed" not in answered.headers for answered in answers) == 1
        assert await events(pool) == n + 1


async def test_i10_the_answer_is_kept_with_the_events_or_neither_is(
    client: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    """A process that dies after the commit has answered nobody; the repeat is answered."""
    unanswered = asyncio.create_task(send(client, "P1", "k1"))
    async with asyncio.timeout(10):
        while not await events(pool):  # noqa: ASYNC110 - what is waited for is in the database
            await asyncio.sleep(0)
    unanswered.cancel()
    answered = await send(client, "P1", "k1")
    assert (answered.status_code, answered.json()) == (201, {"payments": ["P1"]})
    assert await events(pool) == 1
    assert await pool.fetchval("SELECT count(*) FROM es.reply") == 1


async def test_different_racing_requests_are_all_decided(
    client: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    answers = await asyncio.gather(*(send(client, f"P{n}") for n in range(3)))
    assert {answered.status_code for answered in answers} <= {201, 409}
    done = sum(answered.status_code == 201 for answered in answers)
    assert await events(pool) == done >= 1


async def test_a_refusal_leaves_nothing_and_may_be_tried_again(
    client: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    assert slug(await send(client, "refused", "k1")) == (409, "wrong-state")
    assert slug(await send(client, "foreign")) == (404, "not-found")
    assert await events(pool) == 0
    assert await pool.fetchval("SELECT count(*) FROM es.reply") == 0


async def test_a_command_that_changes_nothing_answers_with_the_state(
    client: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    await send(client, "P1")
    answered = await send(client, "none")
    assert (answered.status_code, answered.json()) == (200, {"payments": ["P1"]})
    assert answered.headers["ETag"] == '"1"'
    assert await events(pool) == 1


async def test_a_dry_run_tells_the_events_and_records_none(
    client: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    answered = await client.post(
        "/v1/orders/O1/paid?validate_only=true",
        json={"payment_ref": "P1"},
        headers={"Idempotency-Key": "k1"},
    )
    assert answered.status_code == 200
    assert [event["type"] for event in answered.json()["events"]] == ["OrderPaid.v1"]
    assert await events(pool) == 0
    assert (await send(client, "P1", "k1")).status_code == 201


async def test_a_version_that_was_seen_must_be_the_current_one(client: httpx.AsyncClient) -> None:
    await send(client, "P1")
    assert (await send(client, "P2", If_Match='"1"')).status_code == 201
    stale = await send(client, "P3", If_Match='"1"')
    assert slug(stale) == (412, "stale-version")
    assert (stale.json()["expected"], stale.json()["actual"]) == (1, 2)


async def test_of_racing_requests_that_saw_one_version_one_is_done(
    client: httpx.AsyncClient,
) -> None:
    await send(client, "P1")
    racing = [send(client, f"P{n}", If_Match='"1"') for n in range(10)]
    answers = await asyncio.gather(*racing)
    statuses = sorted(answered.status_code for answered in answers)
    assert statuses == [201] + [412] * 9


async def test_a_decision_of_staff_says_which_version_it_saw(client: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "k1"}
    answered = await client.post("/v1/orders/O1/decided", headers=headers)
    assert slug(answered) == (428, "precondition-required")


async def test_every_post_needs_a_key(client: httpx.AsyncClient) -> None:
    answered = await client.post("/v1/orders/O1/paid", json={"payment_ref": "P1"})
    assert slug(answered) == (400, "idempotency-key-missing")
    for wrong in ("", "a b", "k" * 129, "\u00fc"):
        refused = await client.post(
            "/v1/orders/O1/paid",
            json={"payment_ref": "P1"},
            headers={b"Idempotency-Key": wrong.encode("latin-1")},
        )
        assert slug(refused) == (422, "invalid-value")
    assert (await send(client, "P1", "k" * 128)).status_code == 201


async def test_answers_are_kept_for_thirty_days(
    client: httpx.AsyncClient, pool: asyncpg.Pool, clock: ManualClock
) -> None:
    await send(client, "P1")
    assert await purge_replies(pool, clock.advance(KEPT_FOR)) == 0
    assert await purge_replies(pool, clock.advance(timedelta(microseconds=1))) == 1


async def test_i10_a_repeat_after_the_answer_was_forgotten_still_records_nothing(
    client: httpx.AsyncClient, pool: asyncpg.Pool, clock: ManualClock
) -> None:
    await send(client, "P1", "k1")
    await purge_replies(pool, clock.advance(2 * KEPT_FOR))
    assert slug(await send(client, "P1", "k1")) == (409, "concurrent-change")
    assert await events(pool) == 1


async def test_while_the_database_is_down_requests_are_told_so_and_then_it_goes_on(
    own_servers: Servers, clock: ManualClock, verifier: Verifier, tmp_path: Path
) -> None:
    if (postgres := own_servers.own_postgres) is None:
        pytest.skip("this PostgreSQL is not ours to stop")
    database = create_database(own_servers.postgres_url, "payments")
    await migrate("review_service", database.owner_url)
    async with (
        await open_pool(database.app_url) as pool,
        serving(pool, clock, verifier, tmp_path) as client,
    ):
        assert (await send(client, "P1", "k1")).status_code == 201
        await asyncio.to_thread(postgres.stop, "immediate")
        for _ in range(3):
            down = await send(client, "P2", "k2")
            assert slug(down) == (503, "unavailable")
            assert down.headers["Retry-After"] == "1"
            assert (await client.get("/readyz")).status_code == 503
            assert (await client.get("/livez")).status_code == 200
        await asyncio.to_thread(postgres.start)
        assert (await send(client, "P2", "k2")).json() == {"payments": ["P1", "P2"]}
        assert (await send(client, "P1", "k1")).headers["Idempotent-Replayed"] == "true"
        assert (await client.get("/readyz")).status_code == 200


@pytest.mark.parametrize(
    ("one", "other"),
    [(b'{"a":1,"b":[2]}', b'{ "b": [2],\n "a": 1 }'), (b'"\xc3\xbc"', b'"\\u00fc"')],
)
def test_how_json_is_written_makes_no_other_request(one: bytes, other: bytes) -> None:
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize("other", [b'{"a":2}', b'{"a":"1"}', b'{"a":true}', b'{"a":[1]}', b""])
def test_another_body_is_another_request(other: bytes) -> None:
    assert canonical(b'{"a":1}') != canonical(other)


@pytest.mark.parametrize("body", [b"{", b"\xff", b"a=1", b"NaN", b"[" * 100_000, b"1" * 5_000])
def test_what_is_no_json_has_no_form_to_compare(body: bytes) -> None:
    with pytest.raises(MalformedBody):
        canonical(body)


def test_two_senders_may_use_the_same_key() -> None:
    ids: set[Any] = {command_id(sub, key) for sub in ("B1", "B2") for key in ("k1", "k2")}
    assert len(ids) == 4
