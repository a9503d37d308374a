"""Events in, rows out: the weekly counts of sellers and buyers, and the orders that came late."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from shared_events import dispute, orders
from shared_events.envelope import Recorded
from shared_runtime.delivery import Connection
from shared_runtime.projections import Projection
from shared_runtime.rows import columns

from reputation_service.domain.rates import COUNTING, Count, Late, counts_of

RATES_DDL = """
    -- How many of something there were in a week. Weeks are counted since 1970-01-01.
    CREATE TABLE rate (
        account_id text COLLATE "C" NOT NULL,
        counted text NOT NULL,
        week integer NOT NULL,
        many bigint NOT NULL,
        PRIMARY KEY (account_id, counted, week)
    ) WITH (fillfactor = 70);

    -- Orders that came late (`week`: when they were complete), and those for whose delay the seller
    -- is not to blame: either may be told first.
    CREATE TABLE late_order (
        order_id text PRIMARY KEY,
        seller_id text COLLATE "C" NOT NULL,
        week integer,
        excused boolean NOT NULL
    );
    CREATE INDEX late_order_of_seller ON late_order (seller_id, week) WHERE NOT excused;
"""
# In one order of rows, so that two workers never wait for each other.
ADD = """
    INSERT INTO rate AS known (account_id, counted, week, many)
    SELECT * FROM unnest($1::text[], $2::text[], $3::integer[], $4::bigint[])
    ON CONFLICT (account_id, counted, week) DO UPDATE SET many = known.many + excluded.many
"""
ADD_LATE = """
    INSERT INTO late_order AS known (order_id, seller_id, week, excused)
    SELECT order_id, max(seller_id), max(week), bool_or(week IS NULL)
    FROM unnest($1::text[], $2::text[], $3::integer[]) AS told (order_id, seller_id, week)
    GROUP BY order_id ORDER BY order_id
    ON CONFLICT (order_id) DO UPDATE
    SET week = coalesce(known.week, excluded.week), excused = known.excused OR excluded.excused
"""


async def rates(batch: Sequence[Recorded[Any]], db: Connection) -> None:
    counted: Counter[Count] = Counter()
    late: list[Late] = []
    for recorded in batch:
        for each in counts_of(recorded):
            if isinstance(each, Late):
                late.append(each)
            else:
                counted[each] += 1
    if counted:
        rows = [(*count, many) for count, many in sorted(counted.items())]
        await db.execute(ADD, *columns(rows, 4))
    if late:
        await db.execute(ADD_LATE, *columns(late, 3))


RATES = Projection(
    name="rates",
    version=1,
    topics=(orders.TOPIC, dispute.TOPIC),
    handles=COUNTING,
    tables=("rate", "late_order"),
    ddl=RATES_DDL,
    apply=rates,
)
