"""Rows in, answers out: what was known of sellers at any instant, and how they stand by it.

The buckets of an instant are the live ones less the ledger's rows that were recorded later: for a
recent instant these are few. Instants are microseconds since 1970-01-01.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

import asyncpg
from shared_events.reputation import Band
from shared_runtime.log import Database
from shared_runtime.skew import SKEW_MAX

from reputation_service.domain.account import Ranked, ScoredAccount
from reputation_service.domain.facts import MICROSECOND
from reputation_service.domain.ledger import NOTHING
from reputation_service.domain.level import CreditLot, Grant, instants_read
from reputation_service.domain.policy import CONDUCT, SCORE_MICRO_MAX, PolicyAt
from reputation_service.domain.read import Bucket, Buckets
from reputation_service.projections.scores import WEEK_MICROS, week_of_recording

AHEAD_MICROS_MAX = SKEW_MAX // MICROSECOND
"""The clock of who recorded something may be ahead of ours by so much."""

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
# One statement, so that buckets and ledger are of one moment. `sums` are those of whole weeks of
# recording, for the instants (given in ascending order) from the `later`-th on: before, they were
# not recorded yet. Of the week in which an instant lies, the rows recorded after it (up to its
# end) are taken off, for it alone: it is the (-1 - later)-th.
BUCKETS_AT = f"""
    SELECT seller_id, dimension, week,
           width_bucket(recorded_week * {WEEK_MICROS}::bigint, $2::bigint[]) AS later,
           sum(n)::bigint, sum(a)::bigint, sum(b)::bigint, sum(s)::bigint
    FROM read.bucket WHERE seller_id = ANY($1) GROUP BY 1, 2, 3, 4
    UNION ALL
    SELECT seller_id, dimension, day / 7, -1 - place,
           -sum(d_n)::bigint, -sum(d_a)::bigint, -sum(d_b)::bigint, -sum(d_s)::bigint
    FROM unnest($3::text[], $4::int[], $5::bigint[], $6::bigint[])
        AS looked (seller_id, place, instant, ends)
    JOIN read.contribution USING (seller_id)
    WHERE recorded_at > instant AND recorded_at <= ends
    GROUP BY 1, 2, 3, 4
"""  # noqa: S608 - of a constant
BUCKETS_UP_TO_A_DAY = """
    SELECT dimension, day / 7, sum(d_n)::bigint, sum(d_a)::bigint, sum(d_b)::bigint,
           sum(d_s)::bigint
    FROM read.contribution WHERE seller_id = $1 AND recorded_at <= $2 AND day <= $3
    GROUP BY 1, 2
"""
# Of what is known at an instant ($2), by the week of what it is about.
SUMS_BY_WEEK = """
    SELECT dimension, day / 7, sum(d_n)::bigint, sum(d_a)::bigint, sum(d_b)::bigint,
           sum(d_s)::bigint
    FROM read.contribution WHERE seller_id = $1 AND recorded_at <= $2 GROUP BY 1, 2
"""
LOTS = "SELECT * FROM read.lot WHERE seller_id = ANY($1)"
PROTECTIONS = "SELECT * FROM read.protection WHERE seller_id = ANY($1)"
ACCOUNTS = """
    SELECT DISTINCT seller_id FROM read.bucket WHERE seller_id > $1 ORDER BY seller_id LIMIT $2
"""
SELLERS = """
    (SELECT DISTINCT seller_id FROM read.bucket WHERE seller_id > $1 AND dimension <> $3
     ORDER BY seller_id LIMIT $2)
    UNION (SELECT seller_id FROM ranking.seller WHERE seller_id > $1 ORDER BY seller_id LIMIT $2)
    ORDER BY seller_id LIMIT $2
"""
RANKED = """
    SELECT seller_id, score_micro, public_level, real_level, rated, stars_micro, recent_milli, as_of
    FROM ranking.seller WHERE {where} ORDER BY -score_micro, seller_id LIMIT $1
"""
AFTER = "(-score_micro, seller_id) > (-$2::bigint, $3)"
OF_LEVEL = "public_level = $4"
NEWEST_MARK = "SELECT max(id) FROM ranking.changed"
IS_MARKED = "SELECT EXISTS (SELECT FROM ranking.changed WHERE id <= $1)"

type Step = tuple[int, str, int, Bucket]
"""From which instant on, the dimension and the week, and what is to be added."""


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


async def ranked_after(
    db: Database, place: tuple[int, str] | None, limit: int, level: Band | None = None
) -> list[Ranked]:
    """The sellers that come after this score and id in the table, the best first; of one public
    level, or of all.
    """
    score, seller_id = place or (SCORE_MICRO_MAX + 1, "")
    where = AFTER if level is None else f"{AFTER} AND {OF_LEVEL}"
    of_level = [] if level is None else [level]
    rows = await db.fetch(RANKED.format(where=where), limit, score, seller_id, *of_level)
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
    looked = [
        (seller, place, instant, ends)
        for place, instant in enumerate(ordered)
        if (ends := (week_of_recording(instant) + 1) * WEEK_MICROS) > instant
        for seller, instants in wanted.items()
        if instant in instants
    ]
    columns: list[Sequence[object]] = list(zip(*looked, strict=True)) if looked else [()] * 4
    told: dict[str, list[Step]] = {}
    for row in await db.fetch(BUCKETS_AT, list(wanted), ordered, *columns):
        seller, dimension, week, later, n, a, b, s = row
        told.setdefault(seller, []).append((later, dimension, week, (n, a, b, s)))
    return {
        seller: _by_instant(ordered, instants, told.get(seller, ()))
        for seller, instants in wanted.items()
    }


def _by_instant(
    ordered: Sequence[int], instants: Collection[int], steps: Iterable[Step]
) -> dict[int, Buckets]:
    """The buckets of an account at each instant: what was recorded in whole weeks by then, less
    what was recorded later in the week of the instant.
    """
    by_place: dict[int, list[Step]] = {}
    for step in steps:
        by_place.setdefault(step[0], []).append(step)
    found: dict[int, Buckets] = {}
    recorded: Buckets = {}
    for place, instant in enumerate(ordered):
        recorded = _plus(recorded, by_place.get(place, ()))
        if instant in instants:
            found[instant] = _plus(recorded, by_place.get(-1 - place, ()))
    return found


def _plus(buckets: Buckets, steps: Sequence[Step]) -> Buckets:
    """Only what changes is copied: the buckets of one instant are nearly those of the next."""
    if not steps:
        return buckets
    grown: dict[str, dict[int, Bucket]] = {}
    for _, dimension, week, (n, a, b, s) in steps:
        weeks = grown.get(dimension)
        if weeks is None:
            weeks = grown[dimension] = dict(buckets.get(dimension, {}))
        held = weeks.get(week, NOTHING)
        weeks[week] = added = (held[0] + n, held[1] + a, held[2] + b, held[3] + s)
        if added == NOTHING:
            del weeks[week]
    return {name: weeks for name, weeks in {**buckets, **grown}.items() if weeks}


async def buckets_up_to(db: Database, seller_id: str, as_of: int, day: int) -> Buckets:
    """His buckets by what was recorded at `as_of` about the days up to `day`."""
    found: dict[str, dict[int, Bucket]] = {}
    for row in await db.fetch(BUCKETS_UP_TO_A_DAY, seller_id, as_of, day):
        dimension, week, n, a, b, s = row
        if n:
            found.setdefault(dimension, {})[week] = (n, a, b, s)
    return found


async def known_now_about(
    db: Database, seller_id: str, as_of: int, weeks: Sequence[int]
) -> dict[int, Buckets]:
    """By what was recorded at `as_of`: his buckets of all that was before each of these weeks."""
    told = await db.fetch(SUMS_BY_WEEK, seller_id, as_of)
    return {week: _before(week, told) for week in weeks}


def _before(week: int, told: Iterable[asyncpg.Record]) -> Buckets:
    buckets: dict[str, dict[int, Bucket]] = {}
    for dimension, about, n, a, b, s in told:
        if about < week and n:
            buckets.setdefault(dimension, {})[about] = (n, a, b, s)
    return buckets


async def accounts(
    db: Database, as_of: Mapping[str, int], policy_at: PolicyAt
) -> list[ScoredAccount]:
    """What was known of each account at its instant; nothing is known of one that is not there."""
    if not as_of:
        return []
    lots = await lots_of(db, list(as_of))
    grants = await grants_of(db, list(as_of))
    wanted = {
        seller_id: {at, *instants_read(at, grants.get(seller_id, ()), policy_at)}
        for seller_id, at in as_of.items()
    }
    known = await buckets_at(db, wanted)
    return [
        ScoredAccount(
            seller_id=seller_id,
            as_of=at,
            buckets_at=known[seller_id],
            policy_at=policy_at,
            lots=lots.get(seller_id, ()),
            grants=grants.get(seller_id, ()),
        )
        for seller_id, at in as_of.items()
    ]


async def lots_of(db: Database, sellers: Sequence[str]) -> dict[str, list[CreditLot]]:
    """The penalties and credits of these sellers, whenever they were recorded."""
    found: dict[str, list[CreditLot]] = {}
    for seller, lot_id, version, begins, ends, points, recorded_at in await db.fetch(LOTS, sellers):
        lot = CreditLot(
            entity_id=lot_id,
            version=version,
            from_=begins,
            until=ends,
            points=points,
            recorded_at=recorded_at,
        )
        found.setdefault(seller, []).append(lot)
    return found


async def grants_of(db: Database, sellers: Sequence[str]) -> dict[str, list[Grant]]:
    """Their protections."""
    found: dict[str, list[Grant]] = {}
    for seller_id, *grant in await db.fetch(PROTECTIONS, sellers):
        found.setdefault(seller_id, []).append(Grant(*grant))
    return found
