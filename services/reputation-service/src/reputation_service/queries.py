"""Rows in, answers out: what was known of sellers at any instant, and how they stand by it.

The buckets of an instant are the live ones less the ledger's rows that were recorded later: for a
recent instant these are few. Instants are microseconds since 1970-01-01.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared_runtime.log import Database
from shared_runtime.skew import SKEW_MAX

from reputation_service.domain.facts import MICROSECOND, Fact
from reputation_service.domain.fold import Facts, State, state_sha256
from reputation_service.domain.ledger import NOTHING
from reputation_service.domain.level import Standing, evaluations, standing
from reputation_service.domain.policy import CONDUCT, Band, ScorePolicy
from reputation_service.domain.read import Bucket, Buckets
from reputation_service.projections import fact_of, order_fact_of

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
FACTS = "SELECT * FROM read.fact WHERE seller_id = $1 AND recorded_at <= $2"
ORDER_FACTS = "SELECT * FROM read.order_fact WHERE seller_id = $1 AND recorded_at <= $2"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What was known of an account at `as_of` and at the weekly evaluations before."""

    seller_id: str
    as_of: int
    buckets_at: Mapping[int, Buckets]

    @property
    def buckets(self) -> Buckets:
        """What is known at `as_of`, his conduct as a buyer included."""
        return self.buckets_at[self.as_of]

    @property
    def sells(self) -> bool:
        """Whether anything of it is about him as a seller."""
        return any(dimension != CONDUCT for dimension in self.buckets)

    @property
    def state_sha256(self) -> str:
        """The digest of his buckets alone."""
        return state_sha256({self.seller_id: self.buckets})

    def standing(self, policy: ScorePolicy) -> Standing:
        """Score and level by it. Credit points and protections come with later work: none yet."""
        return standing(lambda look: self.buckets_at[look.as_of], self.as_of, (), (), policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """A line of the table of sellers: as he stood when it was last worked out."""

    seller_id: str
    score_micro: int
    public_level: Band
    rated: bool
    stars_micro: int
    recent_milli: int
    as_of: datetime


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


async def facts_in_force(db: Database, seller_id: str, as_of: int, day: int) -> list[Fact]:
    """The facts that count by what was recorded at `as_of`, tombstones among them.

    Two statements: give it a transaction that reads of one moment.
    """
    known = Facts(fact_of(row) for row in await db.fetch(FACTS, seller_id, as_of))
    known.extend(order_fact_of(row) for row in await db.fetch(ORDER_FACTS, seller_id, as_of))
    return list(known.in_force(as_of, day))


async def accounts(db: Database, as_of: Mapping[str, int], policy: ScorePolicy) -> list[Account]:
    """What was known of each account at its instant; nothing is known of one that is not there."""
    wanted = {
        seller_id: (at, *(look.as_of for look in evaluations(at, policy)))
        for seller_id, at in as_of.items()
    }
    known = await buckets_at(db, wanted) if wanted else {}
    return [
        Account(seller_id=seller_id, as_of=at, buckets_at=known[seller_id])
        for seller_id, at in as_of.items()
    ]
