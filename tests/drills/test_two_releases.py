"""A release and the one after it side by side on a real stack, forwards and back: `make drills`.

The later one is made for real (`later_release`). All the while orders are placed, paid and read by
HTTP, at whichever APIs take requests, as behind a load balancer.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Condition, Event, Thread
from uuid import uuid4

import asyncpg
import httpx
import pytest
from local_stack.databases import SERVICES
from local_stack.oracle import aftersales, ask, check, check_projections, order
from local_stack.people import NO_TLS, until
from local_stack.servers import Servers
from local_stack.services import Service, Stack, ephemeral_stack

from tests.drills.later_release import POLICY, LaterRelease, make_later_release
from tests.drills.running import both, metric, start

pytestmark = pytest.mark.drill

type Pair = tuple[Service, Service]
"""The API and the worker of a service, of one release."""
SHOPPERS = 2
PAUSE_SECONDS = 0.2
REQUEST_SECONDS = 30
STEADY_ORDERS = 15
"""So many are placed, paid and read in each state of the deployment at least."""
RECORDED = """
    SELECT substr(stream_id, 7) AS order_id, count(*) AS events FROM es.event
    WHERE topic = 'orders.events' GROUP BY stream_id
"""
FIVE_MINUTES_LATER = "UPDATE es.parked_key SET tried_at = tried_at - interval '5 minutes'"
"""Parked keys are tried again so often: nobody waits for it here."""
STEPS: tuple[tuple[str, Mapping[str, object]], ...] = (
    ("payment", {"payment_ref": "P"}),
    ("shipment", {}),
    ("completion", {}),
)
"""What is told of an order until it is complete, behind that it is placed."""
STARS = {"quality": 5, "logistics": 4, "service": 5, "incentive": "NONE"}
REVIEWED = "/v1/orders/{}/evaluation/reviews"
WINDOW = timedelta(days=1)
"""Of the later release's policy, for reviews."""
SOON = timedelta(seconds=90)
IN_FORCE = json.dumps([{"since": "2020-01-01T00:00:00Z", "version": POLICY}])
UNJUDGED = """
    SELECT substr(stream_id, 12) AS order_id FROM es.timer
    WHERE name = 'EVALUATION_CLOSE' AND fault LIKE '%' || $1 || '%'
"""
ITS_TIME_HAS_COME = "UPDATE es.timer SET retry_at = clock_timestamp() WHERE retry_at IS NOT NULL"
"""A deadline that could not be judged is tried again minutes later: nobody waits for it here."""
OPENED = """
    SELECT substr(stream_id, 12) AS order_id FROM es.event
    WHERE type = 'EvaluationOpened.v1' AND substr(stream_id, 12) = ANY($1)
        AND convert_from(body, 'UTF8')::jsonb->'data'->>'policy_version' = $2
"""
REVEALED = """
    SELECT substr(stream_id, 12) AS order_id FROM es.event
    WHERE type = 'ReviewsRevealed.v1' AND substr(stream_id, 12) = ANY($1)
"""
EVALUATED = "SELECT order_id FROM read.own_evaluations"
SHOWN = "SELECT order_id FROM read.own_orders WHERE wrapped_at IS NOT NULL"
OF_ANOTHER_RELEASE = 'aftersales_projection_of_another_release{projection="own_orders"}'
VERSION_OF = "SELECT version FROM es.projection WHERE name = 'own_orders'"


@dataclass(slots=True)
class Balancer:
    """The APIs that take requests. One that is taken out has answered all that it was sent."""

    targets: list[str]
    under_way: Counter[str] = field(default_factory=Counter[str])
    changed: Condition = field(default_factory=Condition)
    taken: int = 0

    @contextmanager
    def target(self) -> Generator[str]:
        with self.changed:
            self.taken += 1
            url = self.targets[self.taken % len(self.targets)]
            self.under_way[url] += 1
        try:
            yield url
        finally:
            with self.changed:
                self.under_way[url] -= 1
                self.changed.notify_all()

    def bring_in(self, url: str) -> None:
        with self.changed:
            self.targets.append(url)

    def take_out(self, url: str) -> None:
        with self.changed:
            self.targets.remove(url)
            self.changed.wait_for(lambda: not self.under_way[url], timeout=REQUEST_SECONDS)


class Shop:
    """A steady load of commands and reads; what of it was acknowledged, and what was answered
    otherwise than it has to be.
    """

    def __init__(self, stack: Stack) -> None:
        self.balancer = Balancer([stack.description.urls["review"]])
        self.steps: Counter[str] = Counter()
        """How many commands of each order were acknowledged."""
        self.refused: list[str] = []
        self._stack = stack
        self._stop = Event()
        self._feed = {"Authorization": f"Bearer {stack.token('SYSTEM', 'shop')}"}
        self._buyer = {"Authorization": f"Bearer {stack.token('BUYER', 'buyer-of-shop')}"}
        self._threads = [Thread(target=self._serve, args=(n,)) for n in range(SHOPPERS)]

    @contextmanager
    def open(self) -> Generator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self.close()

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def serve_for_a_while(self) -> None:
        """Until some more orders have come and been answered."""
        then = len(self.steps)
        until(lambda: len(self.steps) >= then + STEADY_ORDERS, "orders are placed")

    def place(self, order_id: str) -> None:
        self._command(order_id, "/v1/orders", order(order_id))

    def wrap_gifts(self, api: Service, name: str, count: int = 4) -> set[str]:
        """Orders of some sellers that are gifts, which that API knows; their ids."""
        gifts = {f"{name}-{number}" for number in range(count)}
        for gift in gifts:
            self.place(gift)
            self._tell(api, gift, f"/v1/orders/{gift}/gift-wrapping", {})
        return gifts

    def complete(self, api: Service, name: str, ago: timedelta = timedelta()) -> set[str]:
        """Orders of some sellers, which that API is told of when they are complete; their ids."""
        at = f"{datetime.now(UTC) - ago:%Y-%m-%dT%H:%M:%SZ}"
        orders = {f"{name}-{number}" for number in range(3)}
        for order_id in orders:
            self._tell(api, order_id, "/v1/orders", order(order_id) | {"placed_at": at})
            for step, told in STEPS:
                self._tell(api, order_id, f"/v1/orders/{order_id}/{step}", {"at": at, **told})
        return orders

    def review(self, api: Service, orders: Iterable[str]) -> None:
        for order_id in orders:
            path = REVIEWED.format(order_id)
            buyer = self._stack.token("BUYER", f"buyer-of-{order_id}")
            told = self._send(f"{api.url}{path}", STARS, buyer)
            self._note(path, told, httpx.codes.CREATED)

    def _tell(self, api: Service, order_id: str, path: str, body: Mapping[str, object]) -> None:
        self._note(path, self._send(f"{api.url}{path}", body), httpx.codes.CREATED)
        self.steps[order_id] += 1

    def try_at(self, api: Service, order_id: str) -> int:
        """How an API answers what would come of a command about an order."""
        url = f"{api.url}/v1/orders/{order_id}/payment?validate_only=true"
        return self._send(url, {"payment_ref": "P"}).status_code

    def _serve(self, number: int) -> None:
        count = 0
        while not self._stop.wait(PAUSE_SECONDS):
            count += 1
            try:
                self._live(f"steady-{number}-{count}")
            except httpx.TransportError as lost:
                self.refused.append(repr(lost))

    def _live(self, order_id: str) -> None:
        self.place(order_id)
        self._command(order_id, f"/v1/orders/{order_id}/payment", {"payment_ref": "P"})
        self._read(f"/v1/orders/{order_id}", self._feed)
        self._read("/v1/me/orders?side=BUYER", self._buyer)

    def _command(self, order_id: str, path: str, body: Mapping[str, object]) -> None:
        with self.balancer.target() as url:
            self._note(path, self._send(f"{url}{path}", body), httpx.codes.CREATED)
        self.steps[order_id] += 1

    def _send(self, url: str, body: Mapping[str, object], token: str = "") -> httpx.Response:
        who = {"Authorization": f"Bearer {token}"} if token else self._feed
        headers = who | {"Idempotency-Key": str(uuid4())}
        return httpx.post(url, json=body, headers=headers, timeout=REQUEST_SECONDS, verify=NO_TLS)

    def _read(self, path: str, who: Mapping[str, str]) -> None:
        with self.balancer.target() as url:
            answered = httpx.get(
                f"{url}{path}", headers=who, timeout=REQUEST_SECONDS, verify=NO_TLS
            )
            self._note(path, answered, httpx.codes.OK)

    def _note(self, path: str, answered: httpx.Response, wanted: int) -> None:
        if answered.status_code != wanted:
            self.refused.append(f"{answered.status_code} at {path}: {answered.text}")


@dataclass(slots=True)
class Rollout:
    """The processes of each service that run now, and the shop that must not notice."""

    stack: Stack
    later: LaterRelease
    shop: Shop
    started: list[Service] = field(default_factory=list[Service])

    def later_of(self, service: str) -> Pair:
        """Its processes of the later release: they can run beside those that do."""
        api, worker = both(self.stack, service)
        return self.later.of(api), self.later.of(worker)

    @contextmanager
    def by_its_policy(self) -> Generator[Service]:
        """The later release alone at work on what is recorded, with its policy in force; its API,
        for those who know of it. (Whoever runs two releases puts it in force when one is gone.)
        """
        schedule = {"AFTERSALES_POLICY_SCHEDULE": IN_FORCE}
        pair = [
            self.later.process(
                f"{each.name}-by-its-policy",
                each.package,
                each.command,
                log=each.log.with_name(f"{each.name}-by-its-policy.log"),
                env={**each.env, **schedule},
            )
            for each in both(self.stack, "review")
        ]
        try:
            start(*pair)
            yield pair[0]
        finally:
            for process in pair:
                process.stop()

    def replace_by_later(self, service: str) -> None:
        """A service that only has to know what is new to read it."""
        running, later = both(self.stack, service), self.later_of(service)
        assert later[0].run("migrate") == 0
        self.start(*later)
        self.shop.serve_for_a_while()
        self.stop(*running)
        self.hand_over(service, later)

    def start(self, api: Service, worker: Service) -> None:
        self.started += [api, worker]
        start(api, worker)
        if api.package == "review_service":
            self.shop.balancer.bring_in(api.url)

    def stop(self, api: Service, worker: Service) -> None:
        if api.package == "review_service":
            self.shop.balancer.take_out(api.url)
        for process in (worker, api):
            process.stop()

    def hand_over(self, service: str, to: Pair) -> None:
        """What is asked of the service is asked of these from now on."""
        api, worker = to
        urls = {**self.stack.description.urls, service: api.url}
        processes = {f"{service}-api": api, f"{service}-worker": worker}
        self.stack = replace(
            self.stack,
            services={**self.stack.services, **processes},
            description=replace(self.stack.description, urls=urls),
        )


@pytest.fixture
def rollout(own_servers: Servers, tmp_path: Path) -> Iterator[Rollout]:
    with ephemeral_stack(on=own_servers) as stack:
        shop = Shop(stack)
        rollout = Rollout(stack, make_later_release(tmp_path), shop)
        try:
            with shop.open():
                yield rollout
        finally:
            for process in rollout.started:
                process.stop()


def said(process: Service, command: str) -> str:
    """What a command of a process's package has written, in all its runs."""
    log = process.log.with_name(f"{process.name}-{command}.log")
    return log.read_text() if log.exists() else ""


@contextmanager
def a_dump_of(stack: Stack, service: str) -> Generator[None]:
    """Somebody who reads a log in one transaction, for as long as it takes."""
    with asyncio.Runner() as runner:
        db = runner.run(asyncpg.connect(stack.description.databases[service].owner_url))
        try:
            runner.run(db.execute("BEGIN ISOLATION LEVEL REPEATABLE READ"))
            runner.run(db.fetch("SELECT FROM es.event LIMIT 1"))
            yield
        finally:
            runner.run(db.close())


def own_orders_version(stack: Stack) -> int:
    (row,) = ask(stack, "review", VERSION_OF)
    return int(row["version"])


def ids(stack: Stack, sql: str, *values: object) -> set[str]:
    """Of the orders that review-service's database tells of."""
    return {row["order_id"] for row in ask(stack, "review", sql, *values)}


def parked(stack: Stack, service: str) -> int:
    return len(ask(stack, service, "SELECT FROM es.parked_key"))


def wait_until_applied(stack: Stack, service: str) -> None:
    ask(stack, service, FIVE_MINUTES_LATER)
    until(lambda: not parked(stack, service), f"{service} has applied what was set aside")


def test_a_later_release_takes_over_is_rolled_back_and_takes_over_again(
    rollout: Rollout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody who places, pays or reads orders notices. What only the later one knows, or can judge,
    waits where the one before meets it, and is done when the later one has taken over. Its
    projection is switched to when it has caught up with all that it reads.
    """
    shop = rollout.shop
    shop.serve_for_a_while()
    # Who reads orders is deployed before who records them; returns-service is forgotten.
    for service in ("dispute", "reputation"):
        rollout.replace_by_later(service)
    old, later = both(rollout.stack, "review"), rollout.later_of("review")
    completed = shop.complete(old[0], "completed")
    gifts = take_over(rollout, old, later, completed)
    more, judged = roll_back(rollout, old, later, gifts)
    gifts |= more
    gifts |= take_over_again(rollout, old, later, completed | judged)
    ask(rollout.stack, "review", ITS_TIME_HAS_COME)
    until(lambda: ids(rollout.stack, REVEALED, judged) == judged, "their reviews are revealed")
    rollout.replace_by_later("returns")
    shop.serve_for_a_while()
    shop.close()
    assert shop.refused == []
    monkeypatch.setenv("PYTHONPATH", str(rollout.later.source))
    for service in SERVICES:
        wait_until_applied(rollout.stack, service)
    check(rollout.stack, shop.steps)
    recorded = dict(tuple(row) for row in ask(rollout.stack, "review", RECORDED))
    assert recorded == shop.steps
    assert ids(rollout.stack, SHOWN) == gifts
    check_projections(rollout.stack)


def take_over(rollout: Rollout, old: Pair, later: Pair, completed: set[str]) -> set[str]:
    """The later release migrates while somebody dumps the database, and works beside the one that
    runs until that is stopped; the gifts that were wrapped meanwhile.
    """
    shop, stack = rollout.shop, rollout.stack
    with ThreadPoolExecutor(1) as beside:
        with a_dump_of(stack, "review"):
            migrating = beside.submit(later[0].run, "migrate")
            until(lambda: "in use" in said(later[0], "migrate"), "it waits for the dump")
            shop.serve_for_a_while()
        assert migrating.result() == 0
    assert own_orders_version(stack) == 2
    # Of a topic that the release before does not read into it. Nobody else has written there yet.
    assert ids(stack, EVALUATED) == completed
    shop.serve_for_a_while()  # on a database that is ahead
    rollout.start(*later)
    gifts = shop.wrap_gifts(later[0], "gift")
    shop.serve_for_a_while()
    for gift in gifts:
        assert shop.try_at(later[0], gift) == httpx.codes.OK
        assert shop.try_at(old[0], gift) == httpx.codes.SERVICE_UNAVAILABLE
    rollout.stop(*old)
    shop.serve_for_a_while()
    wait_until_applied(stack, "review")
    until(lambda: ids(stack, SHOWN) == gifts, "every gift is shown")
    return gifts


def roll_back(
    rollout: Rollout, old: Pair, later: Pair, gifts: set[str]
) -> tuple[set[str], set[str]]:
    """The release before works beside the later one, then alone: its `migrate` changes nothing, its
    projection is made again when somebody asks for it, and gifts wait. So do reviews that are to be
    revealed, under a policy that it does not know.
    """
    shop, stack = rollout.shop, rollout.stack
    assert old[0].run("migrate") == 0
    assert "nothing was changed" in said(old[0], "migrate")
    assert own_orders_version(stack) == 2
    rollout.start(*old)
    more = shop.wrap_gifts(later[0], "gift-before-the-end")
    shop.serve_for_a_while()
    for worker in (old[1], later[1]):
        worker.stop()
    with rollout.by_its_policy() as api:
        judged = shop.complete(api, "judged", WINDOW - SOON)
        until(lambda: ids(stack, OPENED, judged, POLICY) == judged, "they can be reviewed")
        shop.review(api, judged)
    start(old[1])
    rollout.stop(*later)
    shop.serve_for_a_while()
    until(lambda: ids(stack, UNJUDGED, POLICY) == judged, "it cannot say what their reviews weigh")
    assert not ids(stack, REVEALED, judged)
    assert metric(old[1], OF_ANOTHER_RELEASE) == 1
    tried = {shop.try_at(old[0], gift) for gift in gifts | more}
    assert tried == {httpx.codes.SERVICE_UNAVAILABLE}
    aftersales(stack, "projections", "rebuild", "review", "own_orders")
    assert own_orders_version(stack) == 1
    shop.serve_for_a_while()
    for service in ("review", "returns"):
        assert parked(stack, service) > 0
    return more, judged


def take_over_again(rollout: Rollout, old: Pair, later: Pair, completed: set[str]) -> set[str]:
    shop = rollout.shop
    assert later[0].run("migrate") == 0
    assert later[0].run("migrated") == 0
    assert ids(rollout.stack, EVALUATED) == completed
    rollout.start(*later)
    gifts = shop.wrap_gifts(later[0], "gift-again")
    shop.serve_for_a_while()
    rollout.stop(*old)
    assert later[0].run("tidy") == 0
    rollout.hand_over("review", later)
    return gifts
