"""A worker that kills itself by SIGKILL at one step of its work: a line of JSON in, its end out.

Each line starts a worker in a process of its own, forked from this one, which has all modules
loaded: {"role": "relay", "at": "produced", "url": …, "kafka": …, "topic": …, "count": 960}. It
works until `count` events are behind the cursors, or dies at its step (`none`: it does not). The
answer is its exit code, negative for a signal. `conftest.dying` runs this file.

`commands` is no worker: `count` commands are asked at once; those of `commands-beside` write
something beside the log as well, and those of `commands-locked` are decided under the locks of
their buyers, of whom each may pay for one of his two orders. Of these a step may be a number: they
die behind so many statements, and their orders are called by it. `webhooks` sends what is due,
once.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, Self
from uuid import NAMESPACE_OID, uuid4, uuid5

import asyncpg
from shared_events.envelope import Recorded
from shared_events.orders import OrderPaid
from shared_runtime.clock import system_clock
from shared_runtime.committing import Committer
from shared_runtime.database import open_pool
from shared_runtime.decider import Actor, Decider, LimitReached
from shared_runtime.delivery import Connection, Delivery, Place, Source, Subscription
from shared_runtime.log import (
    AlreadyAnswered,
    AlsoWrite,
    Ask,
    Database,
    Decisions,
    Log,
    Planned,
    PostgresLog,
    Reply,
    UnderLock,
    VersionConflict,
    database_of,
)
from shared_runtime.outside import Outside
from shared_runtime.reach import Reach
from shared_runtime.relay import Relay, relay_subscription
from shared_runtime.sources import KafkaLog, OwnLog
from shared_runtime.subscription import Runner
from shared_runtime.testing import InMemoryKeyStore
from shared_runtime.webhook_sending import Sending
from shared_runtime.webhooks import Webhooks

type Step = Literal["taken", "produced", "applied", "moved", "none"]
type Role = Literal[
    "relay", "projection", "commands", "commands-beside", "commands-locked", "webhooks"
]

BATCH = 100
REACHED = "SELECT sum(position) FROM es.cursor WHERE subscription = $1 AND topic = $2"
SEE = "SELECT see($1, $2, $3, $4)"  # the function of `conftest.sight`
SEEN = "SELECT key FROM history WHERE key = ANY($1)"
LOCK = "SELECT pg_advisory_xact_lock(hashtext(buyer)) FROM unnest($1::text[]) AS buyer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What a worker shall do, and where it shall die."""

    role: Role
    at: str
    url: str
    kafka: str
    topic: str
    count: int

    def reach(self, step: Step) -> None:
        if step == self.at:
            die()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_behind(statements: int) -> None:
    """Whatever connection they are of."""
    behind = 0

    def counted(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def told(*args: Any, **named: Any) -> Any:  # noqa: ANN401
            nonlocal behind
            answer = await method(*args, **named)
            behind += 1
            if behind == statements:
                die()
            return answer

        return told

    for name in ("execute", "fetch", "fetchrow", "fetchval"):
        setattr(asyncpg.Connection, name, counted(getattr(asyncpg.Connection, name)))


async def live(life: Life) -> None:
    async with await open_pool(life.url, size=4) as pool:
        match life.role:
            case "relay":
                await relay(life, pool)
            case "projection":
                await project(life, pool)
            case "commands" | "commands-beside" | "commands-locked":
                await command(life, pool)
            case "webhooks":
                await send_webhooks(life, pool)


async def relay(life: Life, pool: asyncpg.Pool) -> None:
    relay = Relay(life.kafka)

    async def before(deliveries: Sequence[Delivery]) -> Mapping[Place, Exception]:
        life.reach("taken")
        failed = await relay.produce(deliveries)
        life.reach("produced")
        return failed

    async def apply(_: Sequence[Delivery], __: Connection) -> None:
        life.reach("applied")

    subscription = replace(relay_subscription(relay, (life.topic,)), before=before, apply=apply)
    await work(life, pool, subscription, OwnLog(pool, (life.topic,)))
    await relay.close()


async def project(life: Life, pool: asyncpg.Pool) -> None:
    async def before(_: Sequence[Delivery]) -> Mapping[Place, Exception]:
        life.reach("taken")
        return {}

    async def apply(deliveries: Sequence[Delivery], db: Connection) -> None:
        await db.execute(
            SEE,
            [d.topic for d in deliveries],
            [d.partition for d in deliveries],
            [d.position for d in deliveries],
            [d.key for d in deliveries],
        )
        life.reach("applied")

    subscription = Subscription(name="sight", topics=(life.topic,), apply=apply, before=before)
    # A group of its own: Kafka would wait for the dead member's return before it shares anew.
    source = KafkaLog(life.kafka, f"dying-{uuid4().hex}", (life.topic,))
    await work(life, pool, subscription, source)
    await source.close()


async def send_webhooks(life: Life, pool: asyncpg.Pool) -> None:
    """What is due, once."""

    class Dying(Outside):
        async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
            status = await super().post(url, body, headers)
            life.reach("produced")
            return status

    log = PostgresLog(pool, source="/test", now=system_clock)
    sending = Sending(
        webhooks=Webhooks(pool=pool, own_log=log, keys=InMemoryKeyStore(), now=system_clock),
        reads=lambda _, history, __: history,
        outside=Dying(Reach(local=True)),
    )
    await sending.turn()


async def command(life: Life, pool: asyncpg.Pool) -> None:
    """Also those that were asked before, as their senders ask again."""

    class DyingLog(PostgresLog):
        async def read(self, streams: Sequence[str]) -> dict[str, list[Recorded[Any]]]:
            read = await super().read(streams)
            life.reach("taken")
            return read

        async def append(
            self, planned: Sequence[Planned], replies: Sequence[Reply] = ()
        ) -> list[Recorded[Any]]:
            appended = await super().append(planned, replies)
            life.reach("applied")
            return appended

    log = DyingLog(pool, source="/test", now=system_clock, topic_of=lambda _: life.topic)
    committer = Committer(log)
    called = "O"
    if life.at.isdecimal():
        called = f"{life.at}-"
        die_behind(int(life.at))

    async def ask(number: int) -> None:
        buyer = f"{called}{number % (life.count // 2)}"
        said = Pay(
            order_id=f"{called}{number}", now=system_clock(), actor=Actor(role="BUYER", id=buyer)
        )
        request = uuid5(NAMESPACE_OID, said.order_id)
        locked = UnderLock(lock=lock_buyers, key=buyer, read=read_limits, about=buyer)

        def reply(_: object) -> Reply:
            return Reply(request_id=request, fingerprint=b"f", status=201, etag=None, body=b"{}")

        asked = Ask(
            stream=f"order-{said.order_id}",
            command=said,
            cause=str(request),
            correlation=said.order_id,
        )
        with suppress(VersionConflict, AlreadyAnswered, LimitReached):  # done before it died
            await committer.handle(
                PAYMENTS,
                asked,
                reply=reply,
                under_lock=locked if life.role == "commands-locked" else None,
                also_write=None
                if life.role == "commands"
                else AlsoWrite(write=write_sight, about=buyer),
            )
        life.reach("moved")

    await asyncio.gather(*(ask(number) for number in range(life.count)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pay:
    order_id: str
    now: datetime
    actor: Actor
    may_pay: bool = True

    def at(self, now: datetime) -> Self:
        return replace(self, now=now)


def pay(_: int, said: Pay) -> list[OrderPaid]:
    if not said.may_pay:
        raise LimitReached(limit=1)
    ids = {"order_id": said.order_id, "seller_id": f"S{said.order_id}", "buyer_id": "B1"}
    return [OrderPaid(**ids, policy_version="p1", paid_at=said.now, payment_ref="P1")]


PAYMENTS = Decider[int, Pay, OrderPaid](initial=0, decide=pay, evolve=lambda times, _: times + 1)


async def write_sight(log: Log, told: Sequence[tuple[str, Sequence[Planned]]]) -> None:
    db = database_of(log)
    assert db is not None
    buyers = [buyer for buyer, planned in told for _ in planned]
    count = len(buyers)
    await db.execute(SEE, ["beside"] * count, [0] * count, [*range(count)], buyers)


async def lock_buyers(buyers: Sequence[str], db: Database) -> None:
    await db.execute(LOCK, sorted(buyers))


async def read_limits(decisions: Decisions, told: Sequence[tuple[str, Pay]]) -> list[Pay]:
    db = database_of(decisions.log)
    assert db is not None
    rows = await db.fetch(SEEN, [buyer for buyer, _ in told])
    done = {row["key"] for row in rows}
    return [replace(said, may_pay=buyer not in done) for buyer, said in told]


async def work(life: Life, pool: asyncpg.Pool, subscription: Subscription, source: Source) -> None:
    runner = Runner(subscription=subscription, source=source, pool=pool)
    await runner.start()
    while await pool.fetchval(REACHED, subscription.name, life.topic) < life.count:
        runner.batch_max = BATCH
        if await runner.turn():
            life.reach("moved")


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            asyncio.run(live(Life(**json.loads(line))))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
