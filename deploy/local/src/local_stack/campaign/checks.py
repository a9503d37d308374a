"""Histories that were carried out in, whether the logs agree with what was answered out."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import product

import msgspec

from local_stack.campaign.asked import LEADS_TO
from local_stack.campaign.history import History
from local_stack.campaign.plan import Act, Ask, Complete, Import, Place, Race
from local_stack.campaign.readers import until
from local_stack.databases import SERVICES
from local_stack.oracle import aftersales, ask, check_all_rebuilt, check_log, has_arrived
from local_stack.services import Stack

BEGAN = "SELECT clock_timestamp() AS at"
RECORDED = """
    SELECT type, told->>'causationid' AS cause, told->'data'->>'order_id' AS order_id
    FROM (SELECT type, convert_from(body, 'UTF8')::jsonb AS told
          FROM es.event WHERE recorded_at >= $1) AS event
"""
TOLD_OF = """
    SELECT substr(stream_id, 7) AS order_id, type, count(*) AS times FROM es.event
    WHERE stream_id LIKE $1 AND type = ANY($2::text[]) GROUP BY stream_id, type
"""
PLACED = "OrderPlaced.v1"
PAID = "OrderPaid.v1"
FULFILLED = (PLACED, PAID, "OrderShipped.v1", "OrderCompleted.v1")
WHO_PAID = """
    SELECT substr(stream_id, 7) AS order_id, convert_from(body, 'UTF8')::jsonb AS told
    FROM es.event WHERE type = 'OrderPaid.v1' AND stream_id LIKE $1
"""
REVIEWED = """
    SELECT substr(stream_id, 12) AS order_id, count(*) AS times
    FROM es.event WHERE type = 'ReviewSubmitted.v1' AND stream_id LIKE $1 GROUP BY stream_id
"""
KNOWN = "SELECT order_id FROM read.order_facts WHERE order_id LIKE $1"


def began(stack: Stack) -> datetime:
    """By the clock of the databases; before anything is carried out."""
    at: datetime = ask(stack, "review", BEGAN)[0]["at"]
    return at


def check_histories(stack: Stack, histories: Sequence[History], since: datetime) -> None:
    """Raises AssertionError."""
    check_consequences(stack, histories, since)
    until(stack, lambda: has_arrived(stack), "all has arrived everywhere")
    check_log(stack, {order_id for history in histories for order_id in history.placed})
    for service in SERVICES:
        check_commands(stack, service, histories, since)
    for history in histories:
        check_orders(stack, history)
    check_all_rebuilt(stack)
    assert stack.ended() == [], f"ended by themselves: {stack.ended()}"


def check_kafka(stack: Stack) -> None:
    """All that is in Kafka is what is in the logs, of all histories of a stack: nothing of it is
    ever taken back, so once, in the end, is enough. Raises AssertionError.
    """
    aftersales(stack, "audit", "verify")


def check_commands(
    stack: Stack, service: str, histories: Sequence[History], since: datetime
) -> None:
    """Of a command that was acknowledged, what it records is there once; of one that was refused,
    nothing is there.
    """
    told = {
        str(cause): each.event
        for history in histories
        for cause, each in history.told.items()
        if each.service == service
    }
    refused = {str(cause) for history in histories for cause in history.refused}
    found = Counter((row["cause"], row["type"]) for row in ask(stack, service, RECORDED, since))
    wrong = {
        f"{event} of {cause}": found[cause, event]
        for cause, event in told.items()
        if found[cause, event] != 1
    }
    assert not wrong, f"{service}: acknowledged, and so often there: {wrong}"
    there = {each for each in found if each[0] in refused}
    assert not there, f"{service}: refused, and there: {there}"


def check_consequences(stack: Stack, histories: Sequence[History], since: datetime) -> None:
    """What comes of commands by and by, in other services too, comes; and comes once, or twice of
    an order about which somebody's request came late.
    """
    wanted = {
        (service, event, order_id)
        for history in histories
        for order_id, what in history.done
        for service, event in LEADS_TO.get(what, ())
    }
    found = Counter[tuple[str, str, str]]()

    def all_there() -> bool:
        found.clear()
        for service in {service for service, _, _ in wanted}:
            rows = ask(stack, service, RECORDED, since)
            found.update((service, row["type"], row["order_id"] or "") for row in rows)
        return wanted <= found.keys()

    try:
        until(stack, all_there, "what is to come of it")
    except AssertionError as late:
        message = f"{late}: {sorted(wanted - found.keys())} is not there"
        raise AssertionError(message) from late
    adrift = {order_id for history in histories for order_id in history.adrift}
    often = {each: found[each] for each in wanted if found[each] > 1 + (each[2] in adrift)}
    assert not often, f"more than once: {often}"


def check_orders(stack: Stack, history: History) -> None:
    """All that was told of them is there, once, and nothing else; each was paid as was answered."""
    mark = f"run-{history.seed}-%"
    told = {each for act in history.acts for each in _told_by(act)}
    rows = ask(stack, "review", TOLD_OF, f"order-{mark}", FULFILLED)
    there = {(row["order_id"], row["type"]): row["times"] for row in rows}
    assert there.keys() == told, f"{there.keys() ^ told} are on one side alone"
    doubled = {each: times for each, times in there.items() if times != 1}
    assert not doubled, f"told of once, and so often there: {doubled}"
    sent = {order_id for order_id, _ in told}
    assert {row["order_id"] for row in ask(stack, "dispute", KNOWN, mark)} == sent
    paid = {
        row["order_id"]: _reference(row["told"])
        for row in ask(stack, "review", WHO_PAID, f"order-{mark}")
        if row["order_id"] in history.paid
    }
    assert paid == history.paid, f"paid: {paid}, believed: {history.paid}"
    reviews = dict(tuple(row) for row in ask(stack, "review", REVIEWED, f"evaluation-{mark}"))
    often = {order_id: reviews.get(order_id, 0) for order_id in history.reviewed}
    assert set(often.values()) <= {1}, f"reviews of orders: {often}"


def _told_by(act: Act) -> Iterator[tuple[str, str]]:
    """The orders that are told of, and what is recorded of each."""
    match act:
        case Import():
            types = FULFILLED if act.reviewed else (PLACED,)
            yield from product(act.order_ids, types)
        case Race():
            yield from product([act.order_id], (PLACED, PAID))
        case Complete() | Ask():  # who asks for something asks about one that is complete
            yield from product([act.order_id], FULFILLED)
        case Place():
            yield act.order_id, PLACED


def _reference(told: str) -> str:
    reference: str = msgspec.json.decode(told)["data"]["payment_ref"]
    return reference
