"""A place in the log in, the orders that were placed behind it out.

In the order of the log, partition by partition: who goes on behind the last one misses none of
those that there were when he began.
"""

from collections.abc import Sequence
from datetime import datetime

import asyncpg
import msgspec
from msgspec import Struct
from shared_events import orders
from shared_events.partition import PARTITIONS, partition_of

SCANNED_MAX = 1_000
"""So many orders are looked at for a page, whoever they are of."""

PLACED = """
    SELECT partition, position, body FROM es.event
    WHERE topic = $1 AND partition = ANY($2) AND type = $3
      AND (partition, position) > ($4, $5)
    ORDER BY partition, position LIMIT $6
"""


class _Fact(Struct):
    order_id: str
    seller_id: str
    placed_at: datetime


class _Event(Struct):
    data: _Fact


class PlacedOrder(Struct, frozen=True, kw_only=True):
    partition: int
    position: int
    order_id: str
    seller_id: str
    placed_at: datetime

    @property
    def place(self) -> tuple[int, int]:
        return self.partition, self.position


_decode = msgspec.json.Decoder(_Event).decode


async def after(
    pool: asyncpg.Pool, seller_id: str | None, place: Sequence[int | str] | None
) -> list[PlacedOrder]:
    """The next ones behind a place; `SCANNED_MAX` at most, of one seller or of all. A seller's are
    in one partition, with those of others: these are among them.
    """
    wanted = list(range(PARTITIONS)) if seller_id is None else [partition_of(seller_id)]
    partition, position = place or (-1, 0)
    kind = orders.OrderPlaced.__struct_config__.tag
    rows = await pool.fetch(PLACED, orders.TOPIC, wanted, kind, partition, position, SCANNED_MAX)
    return [_placed(row) for row in rows]


def _placed(row: asyncpg.Record) -> PlacedOrder:
    fact = _decode(row["body"]).data
    return PlacedOrder(
        partition=row["partition"],
        position=row["position"],
        order_id=fact.order_id,
        seller_id=fact.seller_id,
        placed_at=fact.placed_at,
    )
