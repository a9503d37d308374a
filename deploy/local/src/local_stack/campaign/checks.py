"""Histories that were carried out in, whether the logs agree with what was answered out."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial

import msgspec

from local_stack.campaign.asked import LEADS_TO
from local_stack.campaign.history import History
from local_stack.campaign.plan import Import
from local_stack.databases import SERVICES
from local_stack.oracle import aftersales, ask, check_log, check_rebuilt, has_arrived
from local_stack.people import until
from local_stack.services import Stack

REBUILT_AT_ONCE = 2
BEGAN = "SELECT clock_timestamp() AS at"
RECORDED = """
    SELECT type, told->>'causationid' AS cause, told->'data'->>'order_id' AS order_id
    FROM (SELECT type, convert_from(body, 'UTF8')::jsonb AS told
          FROM es.event WHERE recorded_at >= $1) AS event
"""
OF_RUN = "SELECT DISTINCT stream_id FROM es.event WHERE stream_id LIKE $1"
PAID = """
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
    until(lambda: has_arrived(stack), "all has arrived everywhere")
    check_log(stack, {order_id for history in histories for order_id in history.placed})
    for service in SERVICES:
        check_commands(stack, service, histories, since)
    for history in histories:
        check_orders(stack, history)
    with ThreadPoolExecutor(REBUILT_AT_ONCE) as pool:
        list(pool.map(partial(check_rebuilt, stack), SERVICES))
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
    """What comes of commands by and by, in other services too, comes; and comes once."""
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

    until(all_there, f"what is to come of it: {sorted(wanted)}")
    often = {each: found[each] for each in wanted if found[each] != 1}
    assert not often, f"more than once: {often}"


def check_orders(stack: Stack, history: History) -> None:
    """Those that were sent are there, and no others; each was paid as was answered."""
    mark = f"run-{history.seed}-%"
    sent = {
        order_id
        for act in history.acts
        for order_id in (act.order_ids if isinstance(act, Import) else (act.order_id,))
    }
    rows = ask(stack, "review", OF_RUN, f"order-{mark}")
    there = {row["stream_id"].removeprefix("order-") for row in rows}
    assert there == sent, f"{there ^ sent} are on one side alone"
    assert {row["order_id"] for row in ask(stack, "dispute", KNOWN, mark)} == sent
    paid = {
        row["order_id"]: _reference(row["told"])
        for row in ask(stack, "review", PAID, f"order-{mark}")
        if row["order_id"] in history.paid
    }
    assert paid == history.paid, f"paid: {paid}, believed: {history.paid}"
    reviews = dict(tuple(row) for row in ask(stack, "review", REVIEWED, f"evaluation-{mark}"))
    often = {order_id: reviews.get(order_id, 0) for order_id in history.reviewed}
    assert set(often.values()) <= {1}, f"reviews of orders: {often}"


def _reference(told: str) -> str:
    reference: str = msgspec.json.decode(told)["data"]["payment_ref"]
    return reference
