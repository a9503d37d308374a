"""The `ref` of a review in, the order and the side that it is of out.

Whoever has written a review is told its `ref` in the answer, and may name it at once. So its row is
written in the transaction that records the review, wherever that is: by a person, in bulk. The
reaction to own events writes it again, which changes nothing.
"""

from typing import NamedTuple

from shared_events.review import Side
from shared_runtime.log import Database

NEAREST = """
    (SELECT order_id, side, ref = $1 AS is_it FROM facts.review WHERE ref >= $1
     ORDER BY ref LIMIT 1)
    UNION ALL
    (SELECT order_id, side, false FROM facts.review ORDER BY ref LIMIT 1)
    LIMIT 1
"""


class Referred(NamedTuple):
    """Where a review is; or, if `is_it` is false, where another one is."""

    order_id: str
    side: Side
    is_it: bool


async def find_ref(db: Database, ref: str) -> Referred | None:
    """The review with this `ref`, or else another one; None where there is none at all.

    Read the other one too, before you say that there is none: that it takes as long as with one
    that may not be known of tells nobody that there is one.
    """
    row = await db.fetchrow(NEAREST, ref)
    return None if row is None else Referred(*row)
