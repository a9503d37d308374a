"""The runbooks of docs/running.md, carried out on a real stack: `make drills`."""

import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest
from local_stack import issuer, processes
from local_stack.oracle import (
    aftersales,
    ask,
    check,
    check_all_rebuilt,
    check_projections,
    has_arrived,
    has_arrived_but,
    place,
    place_all,
)
from local_stack.people import complete_order, until
from local_stack.servers import Servers
from local_stack.services import Service, Stack, ephemeral_stack, replica_of
from local_stack.topics import any_there, create_topics, delete_topics, forget
from shared_runtime.ownership import GROUPS
from shared_runtime.worker import STALLED_AFTER_SECONDS

from tests.drills.running import (
    administer,
    announce,
    back_up,
    both,
    forked,
    metric,
    placed_in,
    relayed,
    restore,
    start,
    stopped,
)

pytestmark = pytest.mark.drill

IN_AN_HOUR = """
    INSERT INTO es.timer (stream_id, name, due_at, armed_by)
    SELECT stream_id, 'AUTO_COMPLETE', clock_timestamp() + interval '1 hour', event_id
    FROM es.event WHERE type = 'OrderPlaced.v1' LIMIT 1
    ON CONFLICT (stream_id, name) DO UPDATE SET due_at = excluded.due_at
    RETURNING stream_id AS armed
"""
WAITED_TO_OPEN = 'aftersales_log_lag_seconds{subscription="evaluations"}'
OPENED = "SELECT FROM es.event WHERE type = 'EvaluationOpened.v1' AND stream_id = $1"
A_DAY = timedelta(days=1)
READ_ONLY = "ALTER SYSTEM SET default_transaction_read_only = {}"


@pytest.fixture(scope="module")
def drilled(own_servers: Servers) -> Iterator[Stack]:
    """A stack that is treated badly; each drill leaves it running."""
    with ephemeral_stack(on=own_servers) as started:
        place_all(started, "before", 20)
        yield started


def readiness(process: Service) -> int | None:
    """The status of what it answers; None while it does not."""
    with suppress(httpx.TransportError):
        return httpx.get(f"{process.url}/readyz", timeout=10).status_code
    return None


@contextmanager
def without(process: Service, *settings: str) -> Generator[None]:
    """The process is told less, each time that it is started."""
    told = process.env
    process.env = {name: value for name, value in told.items() if name not in settings}
    try:
        yield
    finally:
        process.env = told
        process.stop()
        start(process)


@contextmanager
def ahead_of_time(stack: Stack, process: Service, by: timedelta) -> Generator[None]:
    """A process of the release, outside of a developer's machine, with a clock that is wrong."""
    told = {name: value for name, value in process.env.items() if "CLOCK_FILE" not in name}
    told |= {
        "AFTERSALES_ENV": "production",
        "AFTERSALES_KAFKA_SECURITY": "PLAINTEXT",
        "AFTERSALES_KAFKA_UNENCRYPTED": "true",
        "AFTERSALES_SOURCES": "{}",
        **{f"AFTERSALES_{name}_KEY": "k" * 32 for name in ("CURSOR", "TOKEN", "MEDIA", "REF")},
        "AFTERSALES_CLAMD": "127.0.0.1:1",
    }
    program: Sequence[str | Path] = [
        *(sys.executable, Path(__file__).with_name("ahead.py")),
        *(str(by.total_seconds()), process.package, process.command),
    ]
    log = stack.folder / "logs" / "ahead.log"
    running = processes.start("a wrong clock", program, log=log, env=told)
    try:
        yield
    finally:
        running.stop()
        start(process)


def test_a_database_is_restored_and_goes_on_without_the_runbook(drilled: Stack) -> None:
    """Nobody is told the second history before somebody has decided; then all follow one."""
    backup = back_up(drilled, "review")
    since = place_all(drilled, "of-no-history", 10)
    until(lambda: has_arrived(drilled), "what was placed since the backup has arrived")
    restore(drilled, "review", backup)
    api, worker = both(drilled, "review")
    start(api, worker)
    place_all(drilled, "of-another", 10)
    until(lambda: stopped(drilled, "review") > 0, "the relay holds what has parted")
    # Decided for Kafka's history: the backup is restored once more.
    restore(drilled, "review", backup)
    assert api.run("recover") == 0
    start(api, worker)
    assert stopped(drilled, "review") == 0
    check(drilled, since)


def test_a_database_is_restored_and_what_was_recorded_since_is_the_truth(drilled: Stack) -> None:
    """Decided for the database: the topics are made anew, and everybody follows what it has."""
    backup = back_up(drilled, "review")
    place_all(drilled, "of-the-history-that-is-over", 40)
    until(lambda: has_arrived(drilled), "what was placed since the backup has arrived")
    check_all_rebuilt(drilled)  # what is built again below is not compared with anything
    restore(drilled, "review", backup)
    api, worker = both(drilled, "review")
    start(api)
    placed = place_all(drilled, "of-the-one-that-goes-on", 20)
    api.stop()
    assert api.run("recover") == 1
    make_topics_anew(drilled, "orders.events", "review.events")
    start(api, worker)
    until(lambda: stopped(drilled, "dispute") > 0, "what has parted is held")
    for service in ("dispute", "returns", "reputation"):
        follow_the_log_of_review(drilled, service)
    check(drilled, placed | place_all(drilled, "of-the-one-that-goes-on-still", 20))


def follow_the_log_of_review(stack: Stack, service: str) -> None:
    """What the runbook says of each subscription that is held: when all that it reads is there."""
    until(lambda: relayed(stack, "review"), "the topics have all of the log")
    _, worker = both(stack, service)
    held = forked(stack, service)
    worker.stop()
    for name in held:
        projection, _, generation = name.partition("/")
        if generation:
            aftersales(stack, "projections", "rebuild", service, projection, codes={0, 1})
        else:
            for topic in ("orders.events", "review.events"):
                follow = ("log", "follow", service, name, topic, "review")
                aftersales(stack, *follow, codes={0, 1})  # 1: it has not come further there
    start(worker)


def make_topics_anew(stack: Stack, *topics: str) -> None:
    kafka = stack.description.kafka
    delete_topics(kafka, topics)
    until(lambda: not any_there(kafka, topics), "they are gone")
    create_topics(kafka, topics)


def test_a_feed_is_made_anew(drilled: Stack) -> None:
    """The marketplace announces in another topic of that name: what was taken in stays, and what
    is announced there comes in. It is told first.
    """
    feed = "marketplace.orders"
    _, worker = both(drilled, "review")
    announced = {f"announced-{number}" for number in range(40)}
    announce(drilled, feed, announced)
    until(lambda: announced <= placed_in(drilled), "they are placed")
    worker.stop()
    make_topics_anew(drilled, feed)
    anew = {f"announced-anew-{number}" for number in range(20)}
    announce(drilled, feed, anew)
    start(worker)
    until(lambda: forked(drilled, "review") == {"marketplace"}, "it is held and told")
    worker.stop()
    aftersales(drilled, "log", "reread", "review", "marketplace", feed)
    start(worker)
    until(lambda: anew <= placed_in(drilled), "what was announced since is placed")
    assert stopped(drilled, "review") == 0
    check(drilled, announced | anew)


def test_the_topics_of_a_service_are_made_anew(drilled: Stack) -> None:
    _, worker = both(drilled, "review")
    worker.stop()
    placed = place_all(drilled, "while-it-is-away", 5)
    make_topics_anew(drilled, "orders.events", "review.events")
    start(worker)
    placed |= place_all(drilled, "topic-made-anew", 10)
    check(drilled, placed)


@pytest.mark.parametrize("process", ["review-worker", "dispute-worker", "review-api"])
def test_a_process_is_frozen_and_thawed(drilled: Stack, process: str) -> None:
    frozen = drilled.services[process]
    frozen.freeze()
    try:
        placed = {f"frozen-{process}-{number}" for number in range(5)}
        if process == "review-api":
            with pytest.raises(httpx.TransportError):
                place(drilled, "frozen-review-api-0", seconds=2)
        else:
            for order_id in placed:
                assert place(drilled, order_id).status_code == 201
    finally:
        frozen.thaw()
    for order_id in placed:
        assert place(drilled, order_id).status_code in {200, 201}
    check(drilled, placed)


def test_a_worker_that_was_frozen_has_not_the_others_work(drilled: Stack) -> None:
    """Another one has all of it when the first one wakes up, in the middle of its batch, and leaves
    it its share again.
    """
    frozen = drilled.services["review-worker"]
    another = replica_of(frozen)
    start(another)
    try:
        until(lambda: owned(frozen) == owned(another) == GROUPS / 2, "each has its share")
        placed = place_all(drilled, "before-the-freeze", 5)
        frozen.freeze()
        try:
            until(lambda: owned(another) == GROUPS, "the other one has all")
            placed |= place_all(drilled, "in-the-freeze", 10)
            until(lambda: relayed(drilled, "review") and has_arrived(drilled), "it goes on")
        finally:
            frozen.thaw()
        until(lambda: owned(frozen) == owned(another) == GROUPS / 2, "each has its share again")
        check(drilled, placed | place_all(drilled, "after-the-thaw", 10))
        assert another.running()
    finally:
        another.stop()


def owned(worker: Service) -> float:
    """How many groups of partitions of the own log it has."""
    return metric(worker, "aftersales_owned_groups")


def test_kafka_is_frozen(drilled: Stack) -> None:
    kafka = drilled.servers.own_kafka
    assert kafka is not None
    kafka.freeze()
    try:
        placed = place_all(drilled, "kafka-frozen", 10)
        for name in ("api", "worker"):
            process = drilled.services[f"review-{name}"]
            assert httpx.get(f"{process.url}/readyz", timeout=10).status_code == 200
    finally:
        kafka.thaw()
    check(drilled, placed)


def test_a_worker_starts_while_kafka_is_frozen(drilled: Stack) -> None:
    """It is alive and says that it is late, for longer than one that stands still would be. Nobody
    has to start it anew when Kafka answers again. One that was there before says the same.
    """
    kafka = drilled.servers.own_kafka
    assert kafka is not None
    workers = [both(drilled, service)[1] for service in ("dispute", "returns")]
    started, _ = workers
    started.stop()
    kafka.freeze()
    try:
        placed = place_all(drilled, "before-it-starts", 5)
        start(started)
        for worker in workers:
            until(partial(has_waited_for_long, worker), "it says how long it has waited")
            assert httpx.get(f"{worker.url}/livez", timeout=10).status_code == 200
    finally:
        kafka.thaw()
    check(drilled, placed)
    until(lambda: not any(map(unanswered, workers)), "Kafka answers them again")
    assert started.running()


def has_waited_for_long(worker: Service) -> bool:
    return unanswered(worker) > STALLED_AFTER_SECONDS


def unanswered(worker: Service) -> float:
    """For how many seconds Kafka has not answered it, if those are many."""
    return metric(worker, 'aftersales_kafka_lag_seconds{subscription="elsewhere"}')


def test_kafka_has_lost_what_it_had_last(drilled: Stack) -> None:
    """As after an election of a replica that was behind: the relay sends again what is gone, and
    whoever had read it goes on.
    """
    kafka = drilled.servers.own_kafka
    assert kafka is not None
    _, worker = both(drilled, "review")
    placed = place_all(drilled, "before-the-loss", 30)
    until(lambda: has_arrived(drilled), "all is read")
    worker.stop()
    kafka.kill()
    lost = sum(cut_the_tail(each) for each in kafka.data.glob("orders.events-*/*.log"))
    assert lost > 0
    kafka.start()
    start(worker)
    placed |= place_all(drilled, "after-the-loss", 10)
    check(drilled, placed)


def cut_the_tail(segment: Path) -> int:
    """The last of what is in a file is gone; how many bytes."""
    size = segment.stat().st_size
    with segment.open("r+b") as file:
        file.truncate(size - size // 10)
    return size // 10


def test_a_topic_forgets_what_a_consumer_has_not_read(drilled: Stack) -> None:
    """It was not kept for as long as the consumer was away: what is missed is read from the
    service that recorded it. Nobody does anything.
    """
    kafka, topic = drilled.description.kafka, "orders.events"
    _, worker = both(drilled, "dispute")
    worker.stop()
    placed = place_all(drilled, "forgotten", 10)
    until(lambda: has_arrived_but(drilled, "dispute"), "the others have read it")
    forget(kafka, topic)
    placed |= place_all(drilled, "remembered", 10)
    start(worker)
    until(lambda: has_arrived(drilled), "all has arrived")
    assert metric(worker, "aftersales_healed_events_total") >= 10
    assert stopped(drilled, "dispute") == 0
    # Built again from a topic that has not all of it, and from its source.
    aftersales(drilled, "projections", "rebuild", "dispute", "order_facts")
    aftersales(drilled, "log", "again", "review", topic, "--from", "1")  # for those who compare
    until(lambda: relayed(drilled, "review"), "the topic has all of it")
    check(drilled, placed)


def test_a_topic_forgets_and_its_source_is_not_to_be_asked(drilled: Stack) -> None:
    """What is missed holds its partitions, which is told; the runbook heals."""
    kafka, topic = drilled.description.kafka, "orders.events"
    _, worker = both(drilled, "dispute")
    worker.stop()
    placed = place_all(drilled, "not-read", 10)
    until(lambda: has_arrived_but(drilled, "dispute"), "the others have read it")
    forget(kafka, topic)
    placed |= place_all(drilled, "read", 10)
    with without(worker, "AFTERSALES_SOURCES"):
        start(worker)
        until(lambda: stopped(drilled, "dispute") > 0, "it holds what it has missed something of")
        aftersales(drilled, "log", "again", "review", topic, "--from", "1")
        until(lambda: stopped(drilled, "dispute") == 0, "it goes on")
        check(drilled, placed)


def test_a_workers_clock_is_a_day_ahead(drilled: Stack) -> None:
    """It records nothing, fires nothing early and says so; what it left is done by the next."""
    _, worker = both(drilled, "review")
    worker.stop()
    soon = ask(drilled, "review", IN_AN_HOUR)[0]["armed"]
    started = datetime.now(tz=UTC)
    late = "completed-by-a-wrong-clock"
    with ahead_of_time(drilled, worker, A_DAY):
        until(lambda: readiness(worker) == 503, "it says so")
        assert metric(worker, "aftersales_clock_skew_seconds") > 80_000
        placed = place_all(drilled, "by-a-wrong-clock", 5)
        complete_order(drilled, late, "seller-of-late", "buyer-of-late")
        until(lambda: relayed(drilled, "review"), "what others recorded is sent")
        until(lambda: metric(worker, WAITED_TO_OPEN) > 5, "it has not opened the evaluation")
        assert not ask(drilled, "review", OPENED, f"evaluation-{late}")
    latest = ask(drilled, "review", "SELECT max(recorded_at) AS at FROM es.head")[0]["at"]
    assert latest < started + timedelta(hours=1)
    assert ask(drilled, "review", "SELECT FROM es.timer WHERE stream_id = $1", soon)
    ask(drilled, "review", "DELETE FROM es.timer WHERE stream_id = $1", soon)
    until(lambda: bool(ask(drilled, "review", OPENED, f"evaluation-{late}")), "the next one has")
    check(drilled, placed | {late})


def test_an_apis_clock_is_a_day_ahead(drilled: Stack) -> None:
    """It says so, and records nothing of what it is sent: that can be sent again to the next. To it
    tokens of an hour are of the past; whoever has one that is good for longer is answered 503.
    """
    api, _ = both(drilled, "review")
    lasting = issuer.mint(
        drilled.folder, sub="drill", roles=["SYSTEM"], ttl_seconds=int(3 * A_DAY.total_seconds())
    )
    placed = {f"to-a-wrong-clock-{number}" for number in range(3)}
    api.stop()
    with ahead_of_time(drilled, api, A_DAY):
        until(lambda: readiness(api) == 503, "it says so")
        for order_id in placed:
            key = f"key-of-{order_id}"
            assert place(drilled, order_id, key).status_code == 401
            assert place(drilled, order_id, key, token=lasting).status_code == 503
        assert placed.isdisjoint(placed_in(drilled))
    for order_id in placed:
        assert place(drilled, order_id, f"key-of-{order_id}").status_code == 201
    check(drilled, placed)


def test_postgresql_takes_no_writes_for_a_while(drilled: Stack) -> None:
    administer(drilled, READ_ONLY.format("on"), "SELECT pg_reload_conf()")
    try:
        until(lambda: place(drilled, "read-only").status_code == 503, "orders are answered 503")
    finally:
        administer(drilled, READ_ONLY.format("off"), "SELECT pg_reload_conf()")

    def is_placed() -> bool:
        with suppress(httpx.TransportError):
            return place(drilled, "read-only").status_code in {200, 201}
        return False

    until(is_placed, "orders are taken again")
    check(drilled, {"read-only"})


def test_a_topic_is_sent_once_more_and_every_projection_is_built_again(drilled: Stack) -> None:
    """After all of these drills, from the logs and from topics that were made anew."""
    aftersales(drilled, "log", "again", "review", "orders.events", "--from", "1")
    check(drilled, place_all(drilled, "sent-again", 3))
    check_projections(drilled)
