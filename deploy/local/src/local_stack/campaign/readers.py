"""A stack in, how far those who read its logs have come out."""

from collections.abc import Callable
from functools import partial

from local_stack import people
from local_stack.databases import SERVICES
from local_stack.oracle import ask
from local_stack.services import Stack

HEADS = "SELECT topic, partition, position FROM es.head"
READERS = """
    SELECT subscription, topic, partition, position,
           (SELECT count(*) FROM es.parked_key AS parked
            WHERE (parked.subscription, parked.topic, parked.partition)
                = (cursor.subscription, cursor.topic, cursor.partition)) AS parked
    FROM es.cursor AS cursor
"""
COME = """
    SELECT (SELECT coalesce(sum(position), 0) FROM es.head)
         + (SELECT coalesce(sum(position), 0) FROM es.cursor)
"""


def until(stack: Stack, holds: Callable[[], bool], what: str) -> None:
    """Waits for as long as logs grow and are read, however slow the machine is; then for the usual
    time. Raises AssertionError.
    """
    people.until(holds, what, come=partial(come_to, stack))


def until_all_is_read(stack: Stack) -> None:
    """Raises AssertionError, which tells who has not come to the end of what."""
    try:
        until(stack, lambda: not not_read(stack), "all is read")
    except AssertionError as late:
        raise AssertionError(f"{late}; {not_read(stack)}") from None


def come_to(stack: Stack) -> int:
    """All positions together: of the ends of logs, and of whoever reads them."""
    return sum(int(ask(stack, service, COME)[0][0]) for service in SERVICES)


def not_read(stack: Stack) -> list[str]:
    """Which readers have not come to the ends of the logs that they read, and what is set aside."""
    heads = {
        (row["topic"], row["partition"]): row["position"]
        for service in SERVICES
        for row in ask(stack, service, HEADS)
    }
    behind: list[str] = []
    for service in SERVICES:
        for reader, topic, partition, position, parked in ask(stack, service, READERS):
            head = heads.get((topic, partition), 0)
            if position < head or parked:
                come = f"{position} of {head}, {parked} keys parked"
                behind.append(f"{service} {reader} {topic}/{partition}: {come}")
    return behind
