"""Rows in, answers out: what was known of sellers at any instant, how they stand by it, and why.

The buckets of an instant are the live ones less the ledger's rows that were recorded later: for a
recent instant these are few. Instants are microseconds since 1970-01-01.

However many facts a seller has, an explanation brings no more of them here than it lists: the
others are counted by the database.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import asyncpg
from shared_runtime.delivery import Connection
from shared_runtime.log import Database
from shared_runtime.skew import SKEW_MAX

from reputation_service.domain.account import Explanation, Listed, Ranked, ScoredAccount
from reputation_service.domain.explain import Explained, Group, explain_counted
from reputation_service.domain.facts import K_MAX, MICROSECOND, Fact, day_of
from reputation_service.domain.fold import Facts, State
from reputation_service.domain.ledger import NOTHING, ORDER_PREFIX
from reputation_service.domain.level import evaluations
from reputation_service.domain.observations import FULL_MILLI, MINOR_MILLI
from reputation_service.domain.policy import CONDUCT, DISPUTE, STARS, ScorePolicy
from reputation_service.domain.read import Bucket, Buckets
from reputation_service.domain.readers import (
    CONCEALING,
    Reader,
    listing,
    sees_concealed,
    sees_orders,
)
from reputation_service.projections import fact_of, order_fact_of

AHEAD_MICROS_MAX = SKEW_MAX // MICROSECOND
"""The clock of who recorded something may be ahead of ours by so much."""
GROUPS_AT_ONCE = 1_000

IS_KNOWN = """
    SELECT EXISTS (SELECT FROM read.fact WHERE seller_id = $1 AND dimension <> $2)
        OR EXISTS (SELECT FROM read.order_fact WHERE seller_id = $1)
"""
NEWEST = """
    SELECT seller_id, newest FROM unnest($1::text[]) AS seller (seller_id)
    CROSS JOIN LATERAL (
        SELECT max(recorded_at) AS newest FROM read.contribution AS row
        WHERE row.seller_id = seller.seller_id AND recorded_at <= $2
    ) AS of_seller
"""
# One statement, so that buckets and ledger are of one moment. `later` counts the instants (given
# in ascending order) that were over when a row was recorded.
BUCKETS_AT = """
    SELECT seller_id, dimension, week, 0 AS later, n, a, b, s
    FROM read.bucket WHERE seller_id = ANY($1) AND n > 0
    UNION ALL
    SELECT seller_id, dimension, day / 7, width_bucket(recorded_at - 1, $2::bigint[]) AS later,
           -sum(d_n)::bigint, -sum(d_a)::bigint, -sum(d_b)::bigint, -sum(d_s)::bigint
    FROM read.contribution WHERE seller_id = ANY($1) AND recorded_at > ($2::bigint[])[1]
    GROUP BY 1, 2, 3, 4
"""
BUCKETS_UP_TO_A_DAY = """
    SELECT dimension, day / 7, sum(d_n)::bigint, sum(d_a)::bigint, sum(d_b)::bigint,
           sum(d_s)::bigint
    FROM read.contribution WHERE seller_id = $1 AND recorded_at <= $2 AND day <= $3
    GROUP BY 1, 2
"""
# What counts of a seller ($1) by what was recorded at an instant ($2): of each entity the highest
# version. Whether a review is concealed is asked of now: what may not be shown today is not shown
# as of yesterday either.
FACTS_IN_FORCE = f"""
    SELECT dimension, entity_id, day / 7 AS week, weight_milli, k,
           reasons <> '{{}}' AS with_reasons,
           dimension = ANY('{{{",".join(STARS)}}}') AND (
               reasons && '{{{",".join(CONCEALING)}}}'
               OR entity_id IN (SELECT review_id FROM read.concealed WHERE seller_id = $1)
           ) AS concealed,
           false AS of_order
    FROM read.fact
    WHERE seller_id = $1 AND recorded_at <= $2 AND dimension <> '{CONDUCT}'
        AND (superseded_at IS NULL OR superseded_at > $2)
"""  # noqa: S608 - of constants
# And the orders by what the ledger says that they are worth: each the same, so they are counted
# by the sum, and told one by one in those weeks alone ($14) of which some are listed.
ORDERS_IN_FORCE = f"""
    FROM read.contribution
    WHERE seller_id = $1 AND recorded_at <= $2
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
# What is printed of a share is told by those that are alike ($3 to $9) and by the place among
# those that tie. Those with the largest are listed, so many of each dimension ($10, $11).
LARGEST = f"""
    WITH in_force AS (
        {FACTS_IN_FORCE}
        UNION ALL
        SELECT '{DISPUTE}', entity_id, day / 7, {MINOR_MILLI}, {K_MAX}, false, false, true
        {ORDERS_IN_FORCE} AND cardinality($14::int[]) > 0 AND day / 7 = ANY($14)
        GROUP BY entity_id, day HAVING sum(d_n) > 0
    ), printed AS (
        SELECT dimension, entity_id, concealed, of_order,
               floor_micro + (raised >= row_number() OVER (
                   PARTITION BY dimension, tie ORDER BY entity_id
               ))::integer AS share_micro
        FROM in_force JOIN unnest(
            $3::text[], $4::int[], $5::int[], $6::int[], $7::bigint[], $8::int[], $9::bigint[]
        ) AS alike (dimension, week, weight_milli, k, floor_micro, tie, raised)
        USING (dimension, week, weight_milli, k)
    ), ranked AS (
        SELECT dimension, entity_id, share_micro, row_number() OVER (
            PARTITION BY dimension ORDER BY abs(share_micro) DESC, entity_id
        ) AS place
        FROM printed WHERE (NOT concealed OR $12) AND (NOT of_order OR $13)
    )
    SELECT dimension, entity_id, share_micro
    FROM ranked JOIN unnest($10::text[], $11::int[]) AS listed (dimension, most) USING (dimension)
    WHERE place <= most ORDER BY dimension, place
"""  # noqa: S608 - of constants
# What weighs nothing, and what weighs less than a full one, so many ($3) of each.
LESS = f"""
    (SELECT true AS excluded, dimension, entity_id FROM ({FACTS_IN_FORCE}) AS in_force
     WHERE weight_milli = 0 AND (NOT concealed OR $4) ORDER BY entity_id, dimension LIMIT $3)
    UNION ALL
    (SELECT false, dimension, entity_id FROM ({FACTS_IN_FORCE}) AS in_force
     WHERE weight_milli > 0 AND weight_milli < {FULL_MILLI} AND with_reasons
         AND (NOT concealed OR $4)
     ORDER BY entity_id, dimension LIMIT $3)
"""  # noqa: S608 - of constants
FACTS_OF = """
    SELECT fact.* FROM unnest($3::text[]) AS told (entity_id)
    JOIN read.fact AS fact ON fact.seller_id = $1 AND fact.entity_id = told.entity_id
    WHERE recorded_at <= $2 AND dimension <> $4
"""
ORDER_FACTS_OF = """
    SELECT order_fact.* FROM unnest($3::text[]) AS told (order_id)
    JOIN read.order_fact AS order_fact
        ON order_fact.seller_id = $1 AND order_fact.order_id = told.order_id
    WHERE recorded_at <= $2
"""
ACCOUNTS = """
    SELECT DISTINCT seller_id FROM read.bucket WHERE seller_id > $1 ORDER BY seller_id LIMIT $2
"""
SELLERS = """
    (SELECT DISTINCT seller_id FROM read.bucket WHERE seller_id > $1 AND dimension <> $3
     ORDER BY seller_id LIMIT $2)
    UNION (SELECT seller_id FROM ranking.seller WHERE seller_id > $1 ORDER BY seller_id LIMIT $2)
    ORDER BY seller_id LIMIT $2
"""
RANKED_FIRST = """
    SELECT seller_id, score_micro, public_level, rated, stars_micro, recent_milli, as_of
    FROM ranking.seller ORDER BY -score_micro, seller_id LIMIT $1
"""
RANKED_AFTER = """
    SELECT seller_id, score_micro, public_level, rated, stars_micro, recent_milli, as_of
    FROM ranking.seller WHERE (-score_micro, seller_id) > (-$2::bigint, $3)
    ORDER BY -score_micro, seller_id LIMIT $1
"""
NEWEST_MARK = "SELECT max(id) FROM ranking.changed"
IS_MARKED = "SELECT EXISTS (SELECT FROM ranking.changed WHERE id <= $1)"

type Correction = tuple[int, str, int, Bucket]
"""What was recorded after an instant, of one dimension and week, to be taken off."""


async def is_known(db: Database, seller_id: str) -> bool:
    """Whether anything was ever recorded of him as a seller."""
    return bool(await db.fetchval(IS_KNOWN, seller_id, CONDUCT))


async def latest(db: Database, sellers: Sequence[str], now: int) -> dict[str, int]:
    """Of each seller the instant at which what is known of him counts: `now`, or a little later.

    The services' clocks differ; what another one recorded must not be invisible here because its
    clock is ahead. What was recorded further ahead than clocks may differ waits for its instant,
    and nobody's is another's: one wrong clock would age every score.
    """
    rows = await db.fetch(NEWEST, sellers, now + AHEAD_MICROS_MAX)
    return {seller_id: max(now, newest or 0) for seller_id, newest in rows}


async def accounts_after(db: Database, seller_id: str, limit: int) -> list[str]:
    """The accounts that ever had a bucket, in the order of their ids."""
    return [row[0] for row in await db.fetch(ACCOUNTS, seller_id, limit)]


async def sellers_after(db: Database, seller_id: str, limit: int) -> list[str]:
    """The same without those of whom only their conduct as buyers is told.

    With those who are in the table of sellers, so that none stays there for ever.
    """
    return [row[0] for row in await db.fetch(SELLERS, seller_id, limit, CONDUCT)]


async def ranked_after(db: Database, place: tuple[int, str] | None, limit: int) -> list[Ranked]:
    """The sellers that come after this score and id in the table, the best first."""
    rows = await (
        db.fetch(RANKED_FIRST, limit) if place is None else db.fetch(RANKED_AFTER, limit, *place)
    )
    return [Ranked(**dict(row)) for row in rows]


async def newest_mark(db: Database) -> int:
    """The newest change that the table of sellers does not reflect; 0 if there is none."""
    mark: int | None = await db.fetchval(NEWEST_MARK)
    return mark or 0


async def is_marked(db: Database, mark: int) -> bool:
    """Whether the table still misses a change up to that one."""
    return bool(await db.fetchval(IS_MARKED, mark))


async def buckets_at(
    db: Database, wanted: Mapping[str, Collection[int]]
) -> dict[str, dict[int, Buckets]]:
    """The buckets with something in them, of each account at each of its instants."""
    ordered = sorted({instant for instants in wanted.values() for instant in instants})
    live: State = {}
    corrections: dict[str, list[Correction]] = {}
    for row in await db.fetch(BUCKETS_AT, list(wanted), ordered):
        seller, dimension, week, later, n, a, b, s = row
        if later:
            before = ordered[int(later) - 1]
            corrections.setdefault(seller, []).append((before, dimension, week, (n, a, b, s)))
        else:
            live.setdefault(seller, {}).setdefault(dimension, {})[week] = (n, a, b, s)
    return {
        seller: {
            instant: _as_of(instant, live.get(seller, {}), corrections.get(seller, ()))
            for instant in instants
        }
        for seller, instants in wanted.items()
    }


def _as_of(instant: int, live: Buckets, corrections: Iterable[Correction]) -> Buckets:
    """The live buckets of a seller less what was recorded after the instant."""
    later = [correction for correction in corrections if correction[0] >= instant]
    if not later:
        return live
    buckets = {dimension: dict(weeks) for dimension, weeks in live.items()}
    for _, dimension, week, (n, a, b, s) in later:
        weeks = buckets.setdefault(dimension, {})
        held = weeks.pop(week, NOTHING)
        left = (held[0] + n, held[1] + a, held[2] + b, held[3] + s)
        if any(left):
            weeks[week] = left
    return {dimension: weeks for dimension, weeks in buckets.items() if weeks}


async def buckets_up_to(db: Database, seller_id: str, as_of: int, day: int) -> Buckets:
    """His buckets by what was recorded at `as_of` about the days up to `day`."""
    found: dict[str, dict[int, Bucket]] = {}
    for row in await db.fetch(BUCKETS_UP_TO_A_DAY, seller_id, as_of, day):
        dimension, week, n, a, b, s = row
        if n:
            found.setdefault(dimension, {})[week] = (n, a, b, s)
    return found


async def accounts(
    db: Database, as_of: Mapping[str, int], policy: ScorePolicy
) -> list[ScoredAccount]:
    """What was known of each account at its instant; nothing is known of one that is not there."""
    wanted = {
        seller_id: (at, *(look.as_of for look in evaluations(at, policy)))
        for seller_id, at in as_of.items()
    }
    known = await buckets_at(db, wanted) if wanted else {}
    return [
        ScoredAccount(seller_id=seller_id, as_of=at, buckets_at=known[seller_id])
        for seller_id, at in as_of.items()
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedExplanation:
    """Whose score is to be explained as of which instant, to whom, and how much of it is listed:
    at most `largest` facts of a kind. `entities` are asked for by their ids.
    """

    seller_id: str
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
    seller_id, as_of = wanted.seller_id, wanted.as_of
    told = db.cursor(GROUPS, seller_id, as_of, prefetch=GROUPS_AT_ONCE)
    groups = [Group(*row) async for row in told]
    explained = await asyncio.to_thread(explain_counted, groups, day_of(as_of), policy)
    shares = await _largest(db, wanted, explained)
    less = await _less(db, wanted, explained)
    named = {of.entity_id for of in (*shares, *less)}.union(wanted.entities)
    about = {
        Of(fact.dimension, fact.entity_id): fact
        for fact in await facts_about(db, seller_id, as_of, named)
    }
    listed: dict[str, list[Listed]] = {name: [] for name in explained.dimensions}
    for of, share_micro in shares.items():
        listed[of.dimension].append(Listed(about[of], share_micro))
    return Explanation(
        seller_id=seller_id,
        as_of=as_of,
        explained=explained,
        listed=listed,
        excluded=[about[of] for of, excluded in less.items() if excluded],
        reduced=[about[of] for of, excluded in less.items() if not excluded],
        about=list(about.values()),
    )


async def facts_about(
    db: Database, seller_id: str, as_of: int, entities: Collection[str]
) -> list[Fact]:
    """The facts of these entities that count by what was recorded at `as_of`."""
    if not entities:
        return []
    orders = [each.removeprefix(ORDER_PREFIX) for each in entities if each.startswith(ORDER_PREFIX)]
    rows = await db.fetch(FACTS_OF, seller_id, as_of, list(entities), CONDUCT)
    order_rows = await db.fetch(ORDER_FACTS_OF, seller_id, as_of, orders) if orders else []
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
        wanted.seller_id,
        wanted.as_of,
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
        LESS, wanted.seller_id, wanted.as_of, wanted.largest, sees_concealed(wanted.reader)
    )
    return {Of(dimension, entity_id): excluded for excluded, dimension, entity_id in rows}
