"""The runbook of docs/running.md by which all is moved to another cluster of Kafka: its topics
begin anew there, at other offsets and with other ids, and the old one is gone.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from local_stack import description
from local_stack.databases import SERVICES
from local_stack.kafka import KafkaServer
from local_stack.oracle import (
    aftersales,
    check,
    check_projections,
    has_arrived,
    place_all,
)
from local_stack.people import until
from local_stack.processes import free_port
from local_stack.servers import Servers
from local_stack.services import Stack, ephemeral_stack
from local_stack.topics import create_topics

from tests.drills.running import announce, both, forked, placed_in, relayed, start, stopped

pytestmark = pytest.mark.drill

FEED = "marketplace.orders"


@pytest.fixture
def moving(own_servers: Servers) -> Iterator[Stack]:
    """A stack whose cluster is about to be moved."""
    with ephemeral_stack(on=own_servers) as started:
        yield started


@pytest.fixture
def another_cluster(own_servers: Servers, moving: Stack) -> Iterator[KafkaServer]:
    """With nothing in it; the old one is there again afterwards."""
    old = own_servers.own_kafka
    assert old is not None
    new = replace(
        old,
        folder=moving.folder / "another-kafka",
        port=free_port(),
        controller_port=free_port(),
    )
    new.start()
    yield new
    new.kill()
    if not old.running():
        old.start()


def moved_to(stack: Stack, kafka: KafkaServer) -> Stack:
    """Its processes, when they are started again, and who looks at it are told the new address."""
    for process in stack.services.values():
        if "AFTERSALES_KAFKA" in process.env:
            process.env = {**process.env, "AFTERSALES_KAFKA": kafka.bootstrap}
    told = replace(stack.description, kafka=kafka.bootstrap)
    description.save(stack.folder, told)
    servers = replace(stack.servers, kafka=kafka.bootstrap, own_kafka=kafka)
    return replace(stack, description=told, servers=servers)


def test_everything_is_moved_to_another_cluster(
    moving: Stack, another_cluster: KafkaServer
) -> None:
    """Nothing that was acknowledged is missing, whichever cluster it was announced or sent in."""
    placed = place_all(moving, "before", 30)
    announced = {f"announced-{number}" for number in range(40)}
    announce(moving, FEED, announced)
    until(lambda: announced <= placed_in(moving), "all that was announced is read")
    create_topics(another_cluster.bootstrap)
    workers = [both(moving, service)[1] for service in SERVICES]
    for worker in workers:
        worker.stop()
    placed |= place_all(moving, "while-nobody-works", 10)
    old = moving.servers.own_kafka
    assert old is not None
    old.kill()

    moved = moved_to(moving, another_cluster)
    start(*workers)
    anew = {f"announced-anew-{number}" for number in range(20)}
    announce(moved, FEED, anew)
    until(lambda: forked(moved, "review") == {"marketplace"}, "the feed is held and told")
    until(lambda: relayed(moved, "review") and has_arrived(moved), "the rest goes on meanwhile")
    _, worker = both(moved, "review")
    worker.stop()
    aftersales(moved, "log", "reread", "review", "marketplace", FEED)
    start(worker)
    until(lambda: anew <= placed_in(moved), "what is announced there is placed")
    for service in SERVICES:  # they answer while there is no Kafka, so when does not matter
        api, _ = both(moved, service)
        api.stop()
        start(api)
    placed |= place_all(moved, "after", 10)
    check(moved, placed | announced | anew)
    assert [stopped(moved, service) for service in SERVICES] == [0] * len(SERVICES)
    check_projections(moved)
