"""The processes of a stack that is treated badly in; what they do and say, out."""

import json
from collections.abc import Collection
from uuid import uuid4

import asyncpg
import httpx
from aiokafka import AIOKafkaProducer
from local_stack import blocking
from local_stack.oracle import PLACED, ask, order
from local_stack.services import Service, Stack


def both(stack: Stack, service: str) -> tuple[Service, Service]:
    """The API and the worker of a service."""
    return stack.services[f"{service}-api"], stack.services[f"{service}-worker"]


def start(*processes: Service) -> None:
    for process in processes:
        process.start()
    for process in processes:
        process.wait_ready()


def administer(stack: Stack, *statements: str) -> None:
    """One after the other, by the administrator of PostgreSQL."""

    async def run() -> None:
        db = await asyncpg.connect(stack.description.postgres_url)
        try:
            for statement in statements:
                await db.execute(statement)
        finally:
            await db.close()

    blocking.run(run())


def back_up(stack: Stack, service: str) -> str:
    """A copy of a service's database, while its processes are away."""
    processes = both(stack, service)
    name = stack.description.databases[service].name
    backup = f"{name}_{uuid4().hex[:8]}"
    for process in processes:
        process.stop()
    administer(stack, f"CREATE DATABASE {backup} TEMPLATE {name}")
    start(*processes)
    return backup


def restore(stack: Stack, service: str, backup: str) -> None:
    """The copy takes the place of the database; the processes of the service are away then."""
    name = stack.description.databases[service].name
    for process in both(stack, service):
        process.stop()
    administer(
        stack,
        f"DROP DATABASE {name} WITH (FORCE)",
        f"CREATE DATABASE {name} TEMPLATE {backup} OWNER aftersales_owner",
    )


def metric(worker: Service, name: str) -> float:
    """What a worker says, in all; `name` may have labels."""
    metrics = httpx.get(f"{worker.url}/metrics", timeout=10).text
    lines = [each for each in metrics.splitlines() if each.startswith((f"{name} ", f"{name}{{"))]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def stopped(stack: Stack, service: str) -> float:
    """Partitions that the workers of a service hold."""
    return metric(stack.services[f"{service}-worker"], "aftersales_stopped_partitions")


def relayed(stack: Stack, service: str) -> bool:
    """Whether all that a service has recorded is sent."""
    return not ask(
        stack,
        service,
        "SELECT FROM es.head JOIN es.cursor AS cursor USING (topic, partition) "
        "WHERE subscription = 'relay' AND cursor.position < head.position",
    )


def forked(stack: Stack, service: str) -> set[str]:
    """The subscriptions of a service that hold something whose history has parted."""
    worker = stack.services[f"{service}-worker"]
    lines = httpx.get(f"{worker.url}/metrics", timeout=10).text.splitlines()
    return {
        line.partition('subscription="')[2].partition('"')[0]
        for line in lines
        if line.startswith("aftersales_held_partitions{")
        and 'why="fork"' in line
        and float(line.rpartition(" ")[2]) > 0
    }


def announce(stack: Stack, feed: str, orders: Collection[str]) -> None:
    """Orders as a marketplace announces them, in a topic of its own."""

    async def run() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=stack.description.kafka)
        await producer.start()
        try:
            for order_id in orders:
                told = {
                    "specversion": "1.0",
                    "id": order_id,
                    "source": "/marketplace",
                    "type": "marketplace.order",
                    "data": {"order": order(order_id)},
                }
                await producer.send_and_wait(feed, json.dumps(told).encode(), key=order_id.encode())
        finally:
            await producer.stop()

    blocking.run(run())


def placed_in(stack: Stack) -> set[str]:
    return {row["order_id"] for row in ask(stack, "review", PLACED)}
