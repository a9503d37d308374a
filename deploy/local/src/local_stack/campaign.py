"""A seed in, a history of a stack under faults out, checked: `python -m local_stack.campaign`.

Orders come in by HTTP, singly and in bulk, some of them sent twice, some by two clients at once who
do not agree on how they were paid; at random points processes are killed, frozen and thawed,
servers stopped, and records delivered once more. What each client was answered is kept, and when
all is quiet the log must agree with it: nothing acknowledged is missing, nothing is there twice,
the same request had one answer, one of two clients was right, and every reader has come to the end
of what is whole. Then the projections of one service, in turn, are equal to some built anew.

The same seed makes the same plan, and fewer `--steps` of it are its first ones; how it falls
together with what the processes do is chance.
"""

import argparse
import asyncio
import random
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Literal

import httpx
import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from msgspec import Struct
from shared_events.partition import PARTITIONS

from local_stack import blocking
from local_stack.databases import SERVICES
from local_stack.oracle import ask, check_log, check_rebuilt, has_arrived, order, place
from local_stack.people import until
from local_stack.servers import ephemeral_servers
from local_stack.services import Stack, ephemeral_stack

STEPS = 14
BULK_MAX = 6
ATTEMPTS_MAX = 200
PAUSE_SECONDS = 0.1
PROCESSES = ("review-api", "review-worker", "dispute-worker", "reputation-worker")
FAULTS = 0.35
REPEATS = 0.2
RACES = 0.25
CLIENTS = ("one", "another")
SAID_TWICE_MAX = 5
"""So many records at the end of each partition are there twice."""
READ_SECONDS = 3.0

type Fault = Literal[
    "kill",
    "freeze",
    "thaw",
    "stop-postgres",
    "stop-kafka",
    "freeze-kafka",
    "send-again",
    "say-twice",
]
OFTEN: Mapping[Fault, int] = {
    "kill": 8,
    "freeze": 4,
    "thaw": 4,
    "stop-postgres": 1,
    "stop-kafka": 1,
    "freeze-kafka": 2,
    "send-again": 2,
    "say-twice": 2,
}
KINDS: list[Fault] = list(OFTEN)
# A relay that has lost what it knew of the later half of what it sent.
SEND_AGAIN = """
    UPDATE es.cursor AS cursor
    SET position = cursor.position / 2, chain_hash = coalesce(
        (SELECT event.chain_hash FROM es.event AS event
         WHERE event.topic = cursor.topic AND event.partition = cursor.partition
           AND event.position = cursor.position / 2), decode(repeat('00', 32), 'hex'))
    WHERE subscription = 'relay'
"""
PAID = """
    SELECT substr(stream_id, 7) AS order_id, convert_from(body, 'UTF8')::jsonb AS told
    FROM es.event WHERE type = 'OrderPaid.v1' AND stream_id LIKE $1
"""


class Place(Struct, frozen=True, kw_only=True):
    """An order is sent; `again`: with the key that it had before."""

    order_id: str
    again: bool = False


class Import(Struct, frozen=True, kw_only=True):
    """Orders are sent as one upload."""

    order_ids: tuple[str, ...]


class Race(Struct, frozen=True, kw_only=True):
    """Two clients send an order at once, and then tell of its payment, each in his own words."""

    order_id: str


class Break(Struct, frozen=True, kw_only=True):
    """Something goes wrong with a process (or a server, which none is named for)."""

    fault: Fault
    process: str = ""


type Step = Place | Import | Race | Break


def plan_of(seed: int, steps: int = STEPS) -> list[Step]:
    """What is done in a run, in turn."""
    chance = random.Random(seed)  # noqa: S311 - it is to be repeated
    mark = f"run-{seed}-{chance.getrandbits(32):08x}"
    placed: list[str] = []
    plan: list[Step] = []
    for number in range(steps):
        name = f"{mark}-{number}"
        if chance.random() < FAULTS:
            fault = chance.choices(KINDS, list(OFTEN.values()))[0]
            of_one = fault in {"kill", "freeze", "thaw"}
            plan.append(Break(fault=fault, process=chance.choice(PROCESSES) if of_one else ""))
        elif placed and chance.random() < REPEATS:
            plan.append(Place(order_id=chance.choice(placed), again=True))
        elif chance.random() < RACES:
            plan.append(Race(order_id=chance.choice([name, *placed[-1:]])))
        elif chance.random() < 1 / 3:
            count = chance.randint(1, BULK_MAX)
            plan.append(Import(order_ids=tuple(f"{name}-{each}" for each in range(count))))
        else:
            placed.append(name)
            plan.append(Place(order_id=name))
    return plan


class Run:
    """A plan that is carried out on a stack; `acknowledged`: the orders that were answered for."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.acknowledged: set[str] = set()
        self.paid: dict[str, str] = {}
        """By orders that two clients told of: whose word was taken."""
        self._answers: dict[str, bytes] = {}
        self._frozen: set[str] = set()
        self._kafka_frozen = False

    def carry_out(self, plan: Sequence[Step]) -> None:
        try:
            for step in plan:
                match step:
                    case Place():
                        self._place(step)
                    case Import():
                        self._import(step)
                    case Race():
                        self._race(step)
                    case Break():
                        self._break(step)
        finally:
            self._mend()

    def _place(self, step: Place) -> None:
        """Sends it until it is answered. Whoever sends it again is answered the same."""
        send = partial(place, self.stack, step.order_id, f"key-of-{step.order_id}", seconds=3)
        answer = self._until_answered(send)
        assert answer.status_code == httpx.codes.CREATED, answer.text
        before = self._answers.setdefault(step.order_id, answer.content)
        assert answer.content == before, f"{step.order_id}: {answer.content!r} after {before!r}"
        self.acknowledged.add(step.order_id)

    def _import(self, step: Import) -> None:
        url = f"{self.stack.description.urls['review']}/v1/orders/bulk"
        headers = {
            "Authorization": f"Bearer {self.stack.token('IMPORTER', 'campaign')}",
            "Content-Type": "application/x-ndjson",
        }
        lines = [msgspec.json.encode({"order": order(each)}) for each in step.order_ids]
        send = partial(httpx.post, url, content=b"\n".join(lines), headers=headers, timeout=3)
        answer = self._until_answered(send)
        assert answer.status_code == httpx.codes.OK, answer.text
        told = msgspec.json.decode(answer.content.splitlines()[-1])["summary"]["orders"]
        assert told["accepted"] + told["unchanged"] == len(step.order_ids), told
        self.acknowledged.update(step.order_ids)

    def _race(self, step: Race) -> None:
        """Both place it, and one of them is believed; whoever was, is again."""
        with ThreadPoolExecutor(len(CLIENTS)) as pool:
            answered = zip(
                CLIENTS, pool.map(partial(self._tell_of, step.order_id), CLIENTS), strict=True
            )
            believed = [client for client, is_believed in answered if is_believed]
        assert len(believed) == 1, f"{step}: {believed} are believed"
        before = self.paid.setdefault(step.order_id, believed[0])
        assert before == believed[0], f"{step}: {believed[0]} is believed after {before}"
        self.acknowledged.add(step.order_id)

    def _tell_of(self, order_id: str, client: str) -> bool:
        """Whether what a client says of the payment of an order is taken."""
        key = f"{client}-of-{order_id}"
        placed = self._until_answered(partial(place, self.stack, order_id, key, seconds=3))
        assert placed.is_success, placed.text
        url = f"{self.stack.description.urls['review']}/v1/orders/{order_id}/payment"
        headers = {
            "Authorization": f"Bearer {self.stack.token('SYSTEM', 'campaign')}",
            "Idempotency-Key": f"payment-{key}",
        }
        told = {"at": "2026-01-05T12:30:00Z", "payment_ref": client}
        send = partial(httpx.post, url, json=told, headers=headers, timeout=3)
        paid = self._until_answered(send)
        if paid.is_success:
            return True
        assert paid.json()["type"].endswith("/already-submitted"), paid.text
        return False

    def _until_answered(self, send: Callable[[], httpx.Response]) -> httpx.Response:
        for _ in range(ATTEMPTS_MAX):
            with suppress(httpx.TransportError):
                answer = send()
                if not _is_to_be_sent_again(answer) and not _was_cut(answer):
                    return answer
            self._thaw("review-api")  # it answers nobody otherwise
            time.sleep(PAUSE_SECONDS)
        raise AssertionError("not answered")

    def _break(self, step: Break) -> None:
        servers = self.stack.servers
        match step.fault:
            case "kill":
                self._thaw(step.process)
                process = self.stack.services[step.process]
                process.kill()
                process.start()
            case "freeze" if step.process not in self._frozen:
                self._restart(step.process)
                self.stack.services[step.process].freeze()
                self._frozen.add(step.process)
            case "thaw":
                self._thaw(step.process)
            case "stop-postgres" if servers.own_postgres is not None:
                servers.own_postgres.stop("immediate")
                servers.own_postgres.start()
            case "stop-kafka" if servers.own_kafka is not None:
                self._thaw_kafka()
                servers.own_kafka.kill()
                servers.own_kafka.start()
            case "freeze-kafka" if servers.own_kafka is not None:
                servers.own_kafka.freeze()
                self._kafka_frozen = True
            case "send-again":
                ask(self.stack, "review", SEND_AGAIN)
            case "say-twice":
                self._thaw_kafka()
                blocking.run(_say_twice(self.stack.description.kafka, "orders.events"))
            case _:
                pass

    def _thaw(self, process: str) -> None:
        if process in self._frozen:
            self.stack.services[process].thaw()
            self._frozen.discard(process)

    def _thaw_kafka(self) -> None:
        if self._kafka_frozen and self.stack.servers.own_kafka is not None:
            self.stack.servers.own_kafka.thaw()
        self._kafka_frozen = False

    def _mend(self) -> None:
        self._thaw_kafka()
        for process in [*self._frozen]:
            self._thaw(process)
        for process in PROCESSES:
            self._restart(process)

    def _restart(self, process: str) -> None:
        """One that found no database when it began has ended: whatever runs it starts it anew."""
        if not (service := self.stack.services[process]).running():
            service.start()


async def _say_twice(kafka: str, topic: str) -> None:
    """What came last in each partition of a topic comes once more, if there is the time."""
    places = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False)
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await consumer.start()
    await producer.start()
    try:
        consumer.assign(places)
        begins, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
        left: dict[TopicPartition, int] = {}
        for at in places:
            first = max(begins[at], ends[at] - SAID_TWICE_MAX)
            consumer.seek(at, first)
            left[at] = ends[at] - first
        with suppress(TimeoutError):  # of a busy machine
            async with asyncio.timeout(READ_SECONDS):
                await _say_again(consumer, producer, left)
        await producer.flush()
    finally:
        await producer.stop()
        await consumer.stop()


async def _say_again(
    consumer: AIOKafkaConsumer, producer: AIOKafkaProducer, left: dict[TopicPartition, int]
) -> None:
    """Sends what is read to where it comes from; `left`: how many of each partition are to come."""
    while any(count > 0 for count in left.values()):
        for at, records in (await consumer.getmany(timeout_ms=100)).items():
            left[at] -= len(records)
            for record in records:
                sent = (record.value, record.key, at.partition, None, [*record.headers])
                await producer.send(at.topic, *sent)


def _is_to_be_sent_again(answer: httpx.Response) -> bool:
    """Whether a later answer may be another: nothing was done, or somebody else was faster."""
    if answer.status_code == HTTPStatus.CONFLICT:
        return str(answer.json()["type"]).endswith("/concurrent-change")
    return answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE


def _was_cut(answer: httpx.Response) -> bool:
    """Whether an upload was broken off: its last line is no summary."""
    if not answer.headers.get("Content-Type", "").startswith("application/x-ndjson"):
        return False
    lines = answer.content.splitlines()
    return not lines or b'"summary"' not in lines[-1]


def run(stack: Stack, seed: int, steps: int = STEPS) -> None:
    """Carries out the plan of a seed, and checks what has come of it. Raises AssertionError."""
    plan = plan_of(seed, steps)
    carried = Run(stack)
    carried.carry_out(plan)
    until(lambda: has_arrived(stack), "all has arrived everywhere")
    check_log(stack, carried.acknowledged)
    sent = {each for step in plan if not isinstance(step, Break) for each in _orders_of(step)}
    mark = f"run-{seed}-%"
    there = {
        row[0].removeprefix("order-")
        for row in ask(
            stack,
            "review",
            "SELECT DISTINCT stream_id FROM es.event WHERE stream_id LIKE $1",
            f"order-{mark}",
        )
    }
    assert there == sent, f"{there ^ sent} are on one side alone"
    known = "SELECT order_id FROM read.order_facts WHERE order_id LIKE $1"
    assert {row[0] for row in ask(stack, "dispute", known, mark)} == sent
    paid = {
        row["order_id"]: _reference(row["told"])
        for row in ask(stack, "review", PAID, f"order-{mark}")
    }
    assert paid == carried.paid, f"paid: {paid}, believed: {carried.paid}"
    check_rebuilt(stack, SERVICES[seed % len(SERVICES)])
    assert stack.ended() == [], f"ended by themselves: {stack.ended()}"


def _reference(told: str) -> str:
    reference: str = msgspec.json.decode(told)["data"]["payment_ref"]
    return reference


def _orders_of(step: Place | Import | Race) -> Iterator[str]:
    if isinstance(step, Import):
        yield from step.order_ids
    else:
        yield step.order_id


def what_to_repeat(seed: int, steps: int, found: Exception) -> str:
    """What was found, where, and all that it takes to do the same again: lines of text."""
    where = traceback.format_exception(found) if not isinstance(found, AssertionError) else []
    again = f"python -m local_stack.campaign --seed {seed} --steps {steps}"
    plan = (f"  {step}\n" for step in plan_of(seed, steps))
    return "".join([*where, f"seed {seed}: {found}\nagain: {again}\n", *plan])


def main(arguments: Sequence[str]) -> int:
    """Runs so many seeds, each told; the exit code is 1 when one has found something."""
    parser = argparse.ArgumentParser(
        prog="campaign", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--seed", type=int, default=1, help="the first; the others follow it")
    parser.add_argument("--runs", type=int, default=1, help="how many seeds")
    parser.add_argument("--steps", type=int, default=STEPS, help="how many steps a run has")
    asked = parser.parse_args(arguments)
    with ephemeral_servers(durable=True) as servers, ephemeral_stack(on=servers) as stack:
        for seed in range(asked.seed, asked.seed + asked.runs):
            began = time.monotonic()
            try:
                run(stack, seed, asked.steps)
            except Exception as found:  # noqa: BLE001 - whatever it was, it can be repeated
                sys.stderr.write(what_to_repeat(seed, asked.steps, found))
                return 1
            sys.stdout.write(f"seed {seed}: {time.monotonic() - began:.1f} s\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
