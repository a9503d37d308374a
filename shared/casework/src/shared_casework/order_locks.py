"""Ids of orders in, a lock of each out, until the transaction ends.

What is decided on more than its own stream, a rule across all that there is of an order, is decided
under the lock of the order, and what it is decided on is written in the transaction that records.
Each service locks in its own database.
"""

from collections.abc import Iterable

from shared_runtime.log import Database

ORDERS = 0x6F72646572
NUMBERS = """
    SELECT DISTINCT abs(hashtext(order_id) % 1024) AS number
    FROM unnest($1::text[]) AS order_id ORDER BY number
"""
ONE_ORDER = f"""
    SELECT pg_advisory_xact_lock({ORDERS} + number) FROM ({NUMBERS}) AS numbers
"""  # noqa: S608 - a constant of the code
"""Taken before something of an order is opened, or told of it by others, until that is recorded:
whoever opens the next sees it. In ascending order, of 1024 numbers: whoever takes many waits for
nobody who waits for him."""


async def lock_orders(order_ids: Iterable[str], db: Database) -> None:
    """Waits until nobody else opens anything of these orders, until the transaction ends."""
    await db.execute(ONE_ORDER, [*{*order_ids}])


SEEN_TOGETHER = f"""
    SELECT pg_advisory_xact_lock_shared({ORDERS} + number) FROM ({NUMBERS}) AS numbers
"""  # noqa: S608 - a constant of the code
"""The same numbers, shared: beside others of its kind, never beside `ONE_ORDER`."""


async def share_orders(order_ids: Iterable[str], db: Database) -> None:
    """Waits until nobody tells anything of these orders: what was told of them is there to be
    seen, until the transaction ends.
    """
    await db.execute(SEEN_TOGETHER, [*{*order_ids}])
