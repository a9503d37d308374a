"""Rows in, why a score is so out: counted facts, and those that are listed.

However many facts an account has, an explanation brings no more of them here than it lists: the
others are counted by the database. Which dimensions are explained says the policy: those of a
seller, or a buyer's conduct.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import asyncpg
from shared_runtime.delivery import Connection
from shared_runtime.log import Database

from reputation_service.domain.account import Explanation, Listed
from reputation_service.domain.explain import STARRED, Explained, Group, explain_counted
from reputation_service.domain.facts import K_MAX, Fact, day_of
from reputation_service.domain.fold import Facts
from reputation_service.domain.ledger import ORDER_PREFIX
from reputation_service.domain.observations import FULL_MILLI, MINOR_MILLI
from reputation_service.domain.policy import DISPUTE, ScorePolicy
from reputation_service.domain.readers import (
    CONCEALING,
    Reader,
    listing,
    sees_concealed,
    sees_orders,
)
from reputation_service.projections.scores import fact_of, order_fact_of

GROUPS_AT_ONCE = 1_000

# What counts of an account ($1) in these dimensions ($3), by what was recorded at an instant ($2):
# of each entity the highest version. Whether a review is concealed is asked of now: what may not be
# shown today is not shown as of yesterday either.
FACTS_IN_FORCE = f"""
    SELECT dimension, entity_id, day / 7 AS week, weight_milli, k,
           reasons <> '{{}}' AS with_reasons,
           dimension = ANY('{{{",".join(STARRED)}}}') AND (
               reasons && '{{{",".join(CONCEALING)}}}'
               OR entity_id IN (SELECT review_id FROM read.concealed WHERE seller_id = $1)
           ) AS concealed,
           false AS of_order
    FROM read.fact
    WHERE seller_id = $1 AND recorded_at <= $2 AND dimension = ANY($3::text[])
        AND (superseded_at IS NULL OR superseded_at > $2)
"""  # noqa: S608 - of constants
# And the orders by what the ledger says that they are worth: each the same, so they are counted
# by the sum, and told one by one in those weeks alone ($15) of which some are listed.
ORDERS_IN_FORCE = f"""
    FROM read.contribution
    WHERE seller_id = $1 AND recorded_at <= $2 AND '{DISPUTE}' = ANY($3::text[])
        AND dimension = '{DISPUTE}' AND starts_with(entity_id, '{ORDER_PREFIX}')
"""
GROUPS = f"""
    SELECT dimension, week, weight_milli, k, with_reasons, concealed, of_order, count(*)
    FROM ({FACTS_IN_FORCE}) AS in_force GROUP BY 1, 2, 3, 4, 5, 6, 7
    UNION ALL
    SELECT '{DISPUTE}', day / 7, {MINOR_MILLI}, {K_MAX}, false, false, true,
           (sum(d_n) / {MINOR_MILLI})::bigint
    {ORDERS_IN_FORCE} GROUP BY day / 7 HAVING sum(d_n) > 0
"""  # noqa: S608 - of constants
# What is printed of a share is told by those that are alike ($4 to $10) and by the place among
# those that tie. Those with the largest are listed, so many of each dimension ($11, $12).
LARGEST = f"""
    WITH in_force AS (
        {FACTS_IN_FORCE}
        UNION ALL
        SELECT '{DISPUTE}', entity_id, day / 7, {MINOR_MILLI}, {K_MAX}, false, false, true
        {ORDERS_IN_FORCE} AND cardinality($15::int[]) > 0 AND day / 7 = ANY($15)
        GROUP BY entity_id, day HAVING sum(d_n) > 0
    ), printed AS (
        SELECT dimension, entity_id, concealed, of_order,
               floor_micro + (raised >= row_number() OVER (
                   PARTITION BY dimension, tie ORDER BY entity_id
               ))::integer AS share_micro
        FROM in_force JOIN unnest(
            $4::text[], $5::int[], $6::int[], $7::int[], $8::bigint[], $9::int[], $10::bigint[]
        ) AS alike (dimension, week, weight_milli, k, floor_micro, tie, raised)
        USING (dimension, week, weight_milli, k)
    ), ranked AS (
        SELECT dimension, entity_id, share_micro, row_number() OVER (
            PARTITION BY dimension ORDER BY abs(share_micro) DESC, entity_id
        ) AS place
        FROM printed WHERE (NOT concealed OR $13) AND (NOT of_order OR $14)
    )
    SELECT dimension, entity_id, share_micro
    FROM ranked JOIN unnest($11::text[], $12::int[]) AS listed (dimension, most) USING (dimension)
    WHERE place <= most ORDER BY dimension, place
"""  # noqa: S608 - of constants
# What weighs nothing, and what weighs less than a full one, so many ($4) of each.
LESS = f"""
    (SELECT true AS excluded, dimension, entity_id FROM ({FACTS_IN_FORCE}) AS in_force
     WHERE weight_milli = 0 AND (NOT concealed OR $5) ORDER BY entity_id, dimension LIMIT $4)
    UNION ALL
    (SELECT false, dimension, entity_id FROM ({FACTS_IN_FORCE}) AS in_force
     WHERE weight_milli > 0 AND weight_milli < {FULL_MILLI} AND with_reasons
         AND (NOT concealed OR $5)
     ORDER BY entity_id, dimension LIMIT $4)
"""  # noqa: S608 - of constants
FACTS_OF = """
    SELECT fact.* FROM unnest($3::text[]) AS told (entity_id)
    JOIN read.fact AS fact ON fact.seller_id = $1 AND fact.entity_id = told.entity_id
    WHERE recorded_at <= $2 AND dimension = ANY($4)
"""
ORDER_FACTS_OF = """
    SELECT order_fact.* FROM unnest($3::text[]) AS told (order_id)
    JOIN read.order_fact AS order_fact
        ON order_fact.seller_id = $1 AND order_fact.order_id = told.order_id
    WHERE recorded_at <= $2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedExplanation:
    """Whose score is to be explained as of which instant, to whom, and how much of it is listed:
    at most `largest` facts of a kind. `entities` are asked for by their ids.
    """

    account_id: str
    as_of: int
    reader: Reader
    largest: int
    entities: Sequence[str] = ()


class Of(NamedTuple):
    """What a fact in force is one of: there is one of each dimension and entity."""

    dimension: str
    entity_id: str


async def explanation(
    db: Connection, wanted: WantedExplanation, policy: ScorePolicy
) -> Explanation:
    """An explanation by this policy, as of the day of the instant.

    Several statements: give it a transaction that reads of one moment.
    """
    account_id, as_of, dimensions = wanted.account_id, wanted.as_of, policy.dimension_names
    told = db.cursor(GROUPS, account_id, as_of, dimensions, prefetch=GROUPS_AT_ONCE)
    groups = [Group(*row) async for row in told]
    explained = await asyncio.to_thread(explain_counted, groups, day_of(as_of), policy)
    shares = await _largest(db, wanted, explained)
    less = await _less(db, wanted, explained)
    named = {of.entity_id for of in (*shares, *less)}.union(wanted.entities)
    about = {
        Of(fact.dimension, fact.entity_id): fact
        for fact in await facts_about(db, account_id, as_of, named, dimensions)
    }
    listed: dict[str, list[Listed]] = {name: [] for name in explained.dimensions}
    for of, share_micro in shares.items():
        listed[of.dimension].append(Listed(about[of], share_micro))
    return Explanation(
        account_id=account_id,
        as_of=as_of,
        explained=explained,
        listed=listed,
        excluded=[about[of] for of, excluded in less.items() if excluded],
        reduced=[about[of] for of, excluded in less.items() if not excluded],
        about=list(about.values()),
    )


async def facts_about(
    db: Database,
    account_id: str,
    as_of: int,
    entities: Collection[str],
    dimensions: Sequence[str],
) -> list[Fact]:
    """The facts of these entities in these dimensions, by what was recorded at `as_of`."""
    if not entities:
        return []
    orders = [
        each.removeprefix(ORDER_PREFIX)
        for each in entities
        if each.startswith(ORDER_PREFIX) and DISPUTE in dimensions
    ]
    rows = await db.fetch(FACTS_OF, account_id, as_of, list(entities), dimensions)
    order_rows = await db.fetch(ORDER_FACTS_OF, account_id, as_of, orders) if orders else []
    return await asyncio.to_thread(_in_force, rows, order_rows, as_of)


def _in_force(
    rows: Sequence[asyncpg.Record], order_rows: Sequence[asyncpg.Record], as_of: int
) -> list[Fact]:
    known = Facts(map(fact_of, rows))
    known.extend(map(order_fact_of, order_rows))
    return list(known.in_force(as_of))


async def _largest(
    db: Connection, wanted: WantedExplanation, explained: Explained
) -> dict[Of, int]:
    """The shares of the facts that are listed, the largest of each dimension first."""
    listed = await asyncio.to_thread(listing, explained, wanted.reader, wanted.largest)
    if not listed.candidates:
        return {}
    rows = await db.fetch(
        LARGEST,
        wanted.account_id,
        wanted.as_of,
        list(explained.dimensions),
        *zip(*listed.candidates, strict=True),
        list(listed.most),
        list(listed.most.values()),
        sees_concealed(wanted.reader),
        sees_orders(wanted.reader),
        [told.week for told in listed.candidates if told.is_like_orders],
    )
    return {Of(dimension, entity_id): micro for dimension, entity_id, micro in rows}


async def _less(db: Connection, wanted: WantedExplanation, explained: Explained) -> dict[Of, bool]:
    """The facts that weigh nothing (True) or less than a full one (False), as far as each is
    shown.
    """
    if wanted.reader == "PUBLIC" or not (explained.less or explained.less_concealed):
        return {}
    rows = await db.fetch(
        LESS,
        wanted.account_id,
        wanted.as_of,
        list(explained.dimensions),
        wanted.largest,
        sees_concealed(wanted.reader),
    )
    return {Of(dimension, entity_id): excluded for excluded, dimension, entity_id in rows}
