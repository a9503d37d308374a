"""The runbook of docs/running.md by which a service's database is restored, for each: nothing
that was sent to Kafka since the backup is missing, and nobody is paid twice.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from local_stack.databases import SERVICES
from local_stack.oracle import ask, check, has_arrived
from local_stack.people import Person, complete_order, until
from local_stack.sandbox_kit import Sandbox
from local_stack.servers import Servers
from local_stack.services import Stack, ephemeral_stack
from shared_cli.clock import move

from tests.drills.running import back_up, both, relayed, restore, start

pytestmark = pytest.mark.drill

PRICE_MINOR = 1000
ONE = [{"line_id": "1", "quantity": 1}]
TABLES = "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'facts'"
NOT_TOLD_OF = {"party_org", "person_org"}
"""For which organisation somebody has acted, which is in his token alone."""
ROWS = "SELECT to_jsonb(kept)::text AS told FROM facts.{} AS kept"
RECORDED = "SELECT sum(position) AS events FROM es.head"
OF_ORDERS = """
    SELECT told->'data'->>'order_id' AS order_id
    FROM (SELECT convert_from(body, 'UTF8')::jsonb AS told FROM es.event WHERE type = $1) AS event
"""
LATER = timedelta(hours=2)
"""More than the provider needs for what is delayed, and than it remembers keys."""


@pytest.fixture(scope="module")
def restored(own_servers: Servers) -> Iterator[Stack]:
    """A stack whose databases are lost, one by one."""
    with ephemeral_stack(on=own_servers) as started:
        yield started


def give_in(stack: Stack, name: str, count: int) -> set[str]:
    """So many complete orders, each with a dispute in which the seller gives the money back."""
    orders = {f"{name}-{number}" for number in range(count)}
    for order_id in sorted(orders):
        complete_order(stack, order_id, f"seller-of-{name}", f"buyer-of-{order_id}")
    for order_id in sorted(orders):
        _give_in(stack, order_id, f"seller-of-{name}")
    return orders


def _give_in(stack: Stack, order_id: str, seller_id: str) -> None:
    at = _dispute(stack, order_id)
    seller = Person(stack, "SELLER", seller_id, "dispute")
    (asked,) = seller.get(at)["proposals"]
    seller.post(f"{at}/proposals/{asked['proposal_id']}/acceptance", {})


def _dispute(stack: Stack, order_id: str) -> str:
    """The path of one that is opened about an order."""
    buyer = Person(stack, "BUYER", f"buyer-of-{order_id}", "dispute")
    text = {"outcome": "REFUND_FULL", "text": "It came in pieces."}
    complaint = {"order_id": order_id, "reason": "DAMAGED", "lines": ONE} | text
    until(lambda: buyer.tries("/v1/disputes", complaint), f"{order_id} is known")
    return f"/v1/disputes/{buyer.post('/v1/disputes', complaint)['dispute_id']}"


def begin(stack: Stack, name: str) -> list[tuple[Person, str]]:
    """A dispute and a return that are left open; their buyers, and where they take them back."""
    disputed, returned = f"{name}-disputed", f"{name}-returned"
    for order_id in (disputed, returned):
        complete_order(stack, order_id, f"seller-of-{name}", f"buyer-of-{order_id}")
    buyer = Person(stack, "BUYER", f"buyer-of-{disputed}", "dispute")
    other = Person(stack, "BUYER", f"buyer-of-{returned}", "returns")
    why = {"kind": "RETURN", "reason": "CHANGE_OF_MIND", "wants": "REFUND"}
    wish = {"order_id": returned, "lines": ONE} | why
    at = _dispute(stack, disputed)
    until(lambda: other.tries("/v1/returns", wish), f"{returned} is known")
    asked = f"/v1/returns/{other.post('/v1/returns', wish)['return_id']}"
    until(lambda: "LabelIssued" in other.events(asked), "the carrier has made a label")
    return [(buyer, f"{at}/withdrawal"), (other, f"{asked}/cancellation")]


def kept_in(stack: Stack, service: str) -> dict[str, set[str]]:
    """What a service keeps to decide on and events tell of, by its tables."""
    tables = {row["name"] for row in ask(stack, service, TABLES)} - NOT_TOLD_OF
    return {
        table: {row["told"] for row in ask(stack, service, ROWS.format(table))} for table in tables
    }


def wait_until_quiet(stack: Stack) -> None:
    """All that was recorded has been sent, read and acted on."""
    until(lambda: has_arrived(stack), "all has arrived")
    until(lambda: not any(behind(stack, service) for service in SERVICES), "all is acted on")


def behind(stack: Stack, service: str) -> bool:
    """Whether there is something in a log that this service reads, and has not come to."""
    ends = {
        (row["topic"], row["partition"]): row["position"]
        for each in SERVICES
        for row in ask(stack, each, "SELECT topic, partition, position FROM es.head")
    }
    cursors = ask(stack, service, "SELECT topic, partition, position FROM es.cursor")
    return any(row["position"] < ends.get((row["topic"], row["partition"]), 0) for row in cursors)


def provider(stack: Stack) -> Sandbox:
    clock_file = Path(stack.description.clock_file)
    return Sandbox(url=stack.description.sandbox_url, clock_file=clock_file)


def events_of(stack: Stack, service: str, event: str) -> Counter[str]:
    """How often it is recorded of each order."""
    return Counter(row["order_id"] for row in ask(stack, service, OF_ORDERS, event))


def wait_until_over(stack: Stack, orders: Collection[str]) -> None:
    """What follows from giving in has come to its end, in all services."""

    def over() -> bool:
        closed = events_of(stack, "dispute", "DisputeClosed.v1")
        resumed = events_of(stack, "review", "EvaluationResumed.v1")
        return {*orders} <= closed.keys() & resumed.keys()

    until(over, "all are paid and closed")
    until(lambda: all(relayed(stack, service) for service in SERVICES), "all is sent")


def check_paid(stack: Stack, orders: Collection[str]) -> None:
    """Each order is paid back once: so say the provider's book and the log."""
    once = dict.fromkeys(orders, 1)
    made = [each for each in provider(stack).book("payments") if each["order_ref"] in once]
    assert Counter(each["order_ref"] for each in made) == once
    assert {(each["status"], each["amount_minor"]) for each in made} == {("PAID", PRICE_MINOR)}
    issued = events_of(stack, "returns", "RefundIssued.v1")
    assert {order_id: issued[order_id] for order_id in orders} == once


@pytest.mark.parametrize("service", SERVICES)
def test_a_database_is_restored(restored: Stack, service: str) -> None:
    """Nothing that was recorded since the backup is missing: Kafka has it. What follows from it has
    followed, and does not once more.
    """
    orders = give_in(restored, f"before-{service}-is-lost", 2)
    wait_until_over(restored, orders)
    backup = back_up(restored, service)
    since = give_in(restored, f"since-the-backup-of-{service}", 3)
    wait_until_over(restored, since)
    begun = begin(restored, f"begun-before-{service}-is-lost")
    wait_until_quiet(restored)
    recorded, kept = ask(restored, service, RECORDED), kept_in(restored, service)
    restore(restored, service, backup)
    assert ask(restored, service, RECORDED) != recorded
    api, worker = both(restored, service)
    assert api.run("recover") == 0
    assert ask(restored, service, RECORDED) == recorded
    start(api, worker)
    wait_until_quiet(restored)
    assert kept_in(restored, service) == kept
    after = give_in(restored, f"after-{service}-was-restored", 2)
    for person, path in begun:
        person.post(path, {})
    wait_until_over(restored, after)
    check(restored, orders | since | after)
    check_paid(restored, orders | since | after)


def test_refunds_were_sent_and_what_came_of_them_is_lost(restored: Stack) -> None:
    """The database is lost before the relay has sent that they are paid, and the provider has
    forgotten their keys: it is asked how they stand before it is asked to pay.
    """
    kafka, company = restored.servers.own_kafka, provider(restored)
    assert kafka is not None
    company.forget_keys_after("payments", LATER.total_seconds() / 2)
    backup = back_up(restored, "returns")
    orders = {f"paid-and-lost-{number}" for number in range(3)}
    for order_id in orders:
        company.plan("payments", order_id, delay_seconds=LATER.total_seconds() / 2)
    assert give_in(restored, "paid-and-lost", len(orders)) == orders
    until(lambda: {*orders} <= pending(company), "the provider was asked for them")
    until(lambda: relayed(restored, "returns"), "that they were asked for is sent")
    kafka.kill()  # what is sent to one that is frozen would be there when it is thawed
    try:
        move(Path(restored.description.clock_file), LATER)
        issued = "RefundIssued.v1"
        until(lambda: orders <= events_of(restored, "returns", issued).keys(), "they are paid")
        for process in both(restored, "returns"):
            process.kill()
    finally:
        kafka.start()
    restore(restored, "returns", backup)
    api, worker = both(restored, "returns")
    assert api.run("recover") == 0
    assert orders.isdisjoint(events_of(restored, "returns", issued))
    for order_id in orders:
        company.plan("payments", order_id)  # what it is asked to pay again it would pay at once
    start(api, worker)
    wait_until_over(restored, orders)
    check(restored, orders)
    check_paid(restored, orders)


def pending(company: Sandbox) -> set[str]:
    """The orders whose refunds the provider has taken, and not paid yet."""
    return {each["order_ref"] for each in company.book("payments") if each["status"] == "PENDING"}
