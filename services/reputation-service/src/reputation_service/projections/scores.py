"""Events in, rows out: facts, the ledger of what they contribute, and the buckets of its sums.

And which reviews are concealed: not to change a score, but because nobody may be told of them.

A batch costs a look-up of what is known of its entities and one write for each table. Nearly
every fact is the first of its entity, or the next version of it: then the rows that it adds
follow from the version before. Only a late or lower version is compared with the ledger.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from msgspec import Struct
from shared_events import dispute, orders, reputation, returns, review
from shared_events.dispute import DisputeClosed, DisputeOpened, InquiryClosed
from shared_events.envelope import Recorded
from shared_events.orders import OrderCompleted, OrderReopened
from shared_events.partition import partition_of
from shared_events.reputation import (
    ConductAssessed,
    PenaltyApplied,
    PenaltyReversed,
    ProtectionGranted,
)
from shared_events.returns import ReturnClosed
from shared_events.review import (
    ReviewHeld,
    ReviewReleased,
    ReviewRestored,
    ReviewRestricted,
    ReviewWeighted,
    ReviewWithdrawn,
)
from shared_runtime.delivery import Connection
from shared_runtime.projections import Projection
from shared_runtime.rows import take_turns

from reputation_service.domain.credits import grant_of, lot_of
from reputation_service.domain.decay import WEEK_DAYS
from reputation_service.domain.facts import DAY_MICROS, Fact, OrderFact, Origin
from reputation_service.domain.ledger import (
    NOTHING,
    LedgerRow,
    advance,
    is_next,
    join,
    join_order,
    order_entity,
    order_steps,
    order_timeline,
    rows_of,
    steps,
    superseded_at,
)
from reputation_service.domain.observations import observe
from reputation_service.domain.policy import CONDUCT, DEFAULT, DISPUTE
from reputation_service.domain.read import Bucket

# What is in time is decided when an event is observed. Other SLAs are another projection.
SLA = DEFAULT.sla
WEEK_MICROS = WEEK_DAYS * DAY_MICROS
PARTS = frozenset({"HIDE_REPLY", "HIDE_FOLLOW_UP"})
"""The measures that hide an answer to a review, or what was added to it."""
NUMBERED = ("COMPLETED", "REOPENED")  # order facts whose reference is a completion's number

SCORE_DDL = """
    -- Every version of every observation, in force until a higher one was known. Instants are
    -- microseconds and days are days since 1970-01-01, as everywhere in a score.
    CREATE TABLE fact (
        seller_id text COLLATE "C" NOT NULL,
        dimension text COLLATE "C" NOT NULL,
        entity_id text COLLATE "C" NOT NULL,
        version bigint NOT NULL,
        day integer NOT NULL,
        weight_milli integer NOT NULL,
        k integer NOT NULL,
        recorded_at bigint NOT NULL,
        reasons text[] NOT NULL,
        topic text NOT NULL,
        partition integer NOT NULL,
        position bigint NOT NULL,
        superseded_at bigint,
        PRIMARY KEY (seller_id, entity_id, dimension, version)
    );

    -- What is known of each order, whose worth is a function of the set.
    CREATE TABLE order_fact (
        seller_id text COLLATE "C" NOT NULL,
        order_id text COLLATE "C" NOT NULL,
        kind text NOT NULL,
        ref text NOT NULL,
        day integer NOT NULL,
        recorded_at bigint NOT NULL,
        topic text NOT NULL,
        partition integer NOT NULL,
        position bigint NOT NULL,
        PRIMARY KEY (seller_id, order_id, kind, ref)
    );

    -- The steps of every entity's contribution. Rows are only added: as of an instant, the sums
    -- are those of the rows recorded by then.
    CREATE TABLE contribution (
        seller_id text COLLATE "C" NOT NULL,
        dimension text COLLATE "C" NOT NULL,
        entity_id text COLLATE "C" NOT NULL,
        version bigint NOT NULL,
        day integer NOT NULL,
        recorded_at bigint NOT NULL,
        d_n bigint NOT NULL,
        d_a bigint NOT NULL,
        d_b bigint NOT NULL,
        d_s bigint NOT NULL,
        reasons text[] NOT NULL,
        topic text NOT NULL,
        partition integer NOT NULL,
        position bigint NOT NULL
    );
    CREATE INDEX contribution_as_recorded ON contribution (seller_id, recorded_at);

    -- The sums of all rows of a week that were recorded in a week: an evaluation, which is at the
    -- end of one, needs none of the rows.
    CREATE TABLE bucket (
        seller_id text COLLATE "C" NOT NULL,
        dimension text COLLATE "C" NOT NULL,
        week integer NOT NULL,
        recorded_week integer NOT NULL,
        n bigint NOT NULL,
        a bigint NOT NULL,
        b bigint NOT NULL,
        s bigint NOT NULL,
        PRIMARY KEY (seller_id, dimension, week, recorded_week)
    ) WITH (fillfactor = 70);

    -- Reviews that are held, hidden or withdrawn now, revealed or not, by whom they are about.
    CREATE TABLE concealed (
        seller_id text COLLATE "C" NOT NULL,
        review_id text COLLATE "C" NOT NULL,
        PRIMARY KEY (seller_id, review_id)
    );

    -- Penalties and credits of sellers: points from an instant until another. Of a lot the highest
    -- version counts that was recorded.
    CREATE TABLE lot (
        seller_id text COLLATE "C" NOT NULL,
        lot_id text COLLATE "C" NOT NULL,
        version integer NOT NULL,
        begins_at bigint NOT NULL,
        ends_at bigint NOT NULL,
        points integer NOT NULL,
        recorded_at bigint NOT NULL,
        PRIMARY KEY (seller_id, lot_id, version)
    );

    -- Protections of sellers' public levels.
    CREATE TABLE protection (
        seller_id text COLLATE "C" NOT NULL,
        grant_id text COLLATE "C" NOT NULL,
        begins_at bigint NOT NULL,
        ends_at bigint NOT NULL,
        recorded_at bigint NOT NULL,
        PRIMARY KEY (seller_id, grant_id)
    );
"""
# A step that came late is written as a difference to the rows before it, and may leave a week
# with nothing in it: what adds up to the same is the same.
COMPARED = {
    "contribution": """
        SELECT seller_id, dimension, entity_id, recorded_at, day,
               sum(d_n) AS n, sum(d_a) AS a, sum(d_b) AS b, sum(d_s) AS s
        FROM {table} GROUP BY seller_id, dimension, entity_id, recorded_at, day
        HAVING sum(d_n) <> 0 OR sum(d_a) <> 0 OR sum(d_b) <> 0 OR sum(d_s) <> 0
    """,
    "bucket": "SELECT * FROM {table} WHERE n <> 0 OR a <> 0 OR b <> 0 OR s <> 0",
}

FIND_FACTS = """
    SELECT fact.* FROM unnest($1::text[], $2::text[]) AS told (seller_id, entity_id)
    JOIN fact USING (seller_id, entity_id)
"""
SUPERSEDE = """
    UPDATE fact SET superseded_at = told.superseded_at
    FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[])
        AS told (seller_id, dimension, entity_id, version, superseded_at)
    WHERE fact.seller_id = told.seller_id AND fact.entity_id = told.entity_id
        AND fact.dimension = told.dimension AND fact.version = told.version
"""
FIND_ORDER_FACTS = """
    SELECT order_fact.* FROM unnest($1::text[], $2::text[]) AS told (seller_id, order_id)
    JOIN order_fact USING (seller_id, order_id)
"""
# The rows of an entity lie at the instants of its facts: the index finds them by these.
FIND_ROWS = """
    SELECT row.* FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
        AS step (seller_id, dimension, entity_id, recorded_at)
    JOIN contribution AS row USING (seller_id, dimension, entity_id, recorded_at)
"""
# Weeks are changed in the order of their keys: a buyer's conduct is told by sellers of many
# partitions, and two workers that meet in two of its weeks must not deadlock.
ADD_TO_BUCKETS = """
    INSERT INTO bucket AS held (seller_id, dimension, week, recorded_week, n, a, b, s)
    SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::int[], $5::bigint[], $6::bigint[],
                         $7::bigint[], $8::bigint[])
    ON CONFLICT (seller_id, dimension, week, recorded_week) DO UPDATE SET
        n = held.n + excluded.n, a = held.a + excluded.a,
        b = held.b + excluded.b, s = held.s + excluded.s
"""
# One mark for each seller, in the order of their ids, so that no two workers deadlock. A build that
# nobody reads yet marks nobody: when it is switched to, all sellers are worked out anew.
MARK_CHANGED = """
    INSERT INTO ranking.changed (seller_id)
    SELECT seller_id FROM unnest($1::text[]) AS seller (seller_id)
    WHERE EXISTS (SELECT FROM es.projection
                  WHERE name = 'score' AND current_schema() = name || '_g' || generation)
    ON CONFLICT (seller_id) DO NOTHING
"""
KEEP_LOTS = """
    INSERT INTO lot (seller_id, lot_id, version, begins_at, ends_at, points, recorded_at)
    SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::bigint[], $6::int[],
                         $7::bigint[])
    ON CONFLICT DO NOTHING
"""
KEEP_PROTECTIONS = """
    INSERT INTO protection (seller_id, grant_id, begins_at, ends_at, recorded_at)
    SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
    ON CONFLICT DO NOTHING
"""
CONCEAL = """
    INSERT INTO concealed (seller_id, review_id) SELECT * FROM unnest($1::text[], $2::text[])
    ON CONFLICT DO NOTHING
"""
SHOW = """
    DELETE FROM concealed USING unnest($1::text[], $2::text[]) AS shown (seller_id, review_id)
    WHERE concealed.seller_id = shown.seller_id AND concealed.review_id = shown.review_id
"""

type Entity = tuple[str, str, str]
"""Seller, dimension, entity: what facts are versions of."""
type Order = tuple[str, str]
"""Seller and order."""
type Review = tuple[str, str]
"""Seller and review."""


@dataclass(frozen=True, slots=True)
class ArrivedFacts:
    """The facts of a batch, each under what it is about, in the order in which they came."""

    facts: dict[Entity, list[Fact]] = field(default_factory=dict[Entity, list[Fact]])
    orders: dict[Order, list[OrderFact]] = field(default_factory=dict[Order, list[OrderFact]])


async def score(batch: Sequence[Recorded[Any]], db: Connection) -> None:
    """Takes the facts of a batch in. Raises ConflictingFact, which parks the seller."""
    arrived = arrivals(batch)
    # Facts of one order come from two topics, and two workers may hold them at once. Both would see
    # an order without the other's fact and neither would write the step that the two make together.
    if arrived.orders:
        await take_turns((partition_of(seller_id) for seller_id, _ in arrived.orders), db)
    known = ArrivedFacts(
        await find_facts(arrived.facts, db), await find_order_facts(arrived.orders, db)
    )
    rows, late = usual_steps(arrived, known)
    if late.facts or late.orders:
        rows += late_steps(late, known, await _written(late, known, db))
    await _keep_facts(arrived, known, db)
    await _copy("order_fact", new_order_facts(arrived, known), db)
    await _copy("contribution", [_flat(row) for row in rows], db)
    await _keep_concealed(concealed_by(batch), db)
    changed = await _add_to_buckets(rows, db) | await _keep_credits(batch, db)
    if changed:
        await db.execute(MARK_CHANGED, sorted(changed))


def arrivals(batch: Sequence[Recorded[Any]]) -> ArrivedFacts:
    """What a batch of events says, by entity and by order."""
    arrived = ArrivedFacts()
    for recorded in batch:
        for fact in observe(recorded, SLA):
            if isinstance(fact, OrderFact):
                arrived.orders.setdefault((fact.seller_id, fact.order_id), []).append(fact)
            else:
                arrived.facts.setdefault(fact[:3], []).append(fact)
    return arrived


def usual_steps(arrived: ArrivedFacts, known: ArrivedFacts) -> tuple[list[LedgerRow], ArrivedFacts]:
    """The rows of entities whose facts come in order; and what remains, for `late_steps`."""
    rows: list[LedgerRow] = []
    late = ArrivedFacts()
    for entity, facts in arrived.facts.items():
        newest = max(known.facts.get(entity, ()), key=_version, default=None)
        following: list[LedgerRow] = []
        for fact in facts:
            if not is_next(newest, fact):
                late.facts[entity] = facts
                break
            following += advance(newest, fact)
            newest = fact
        else:
            rows += following
    for told, order_facts in arrived.orders.items():
        if told in known.orders:
            late.orders[told] = order_facts
        else:
            rows += rows_of(order_timeline(join_order((), order_facts)))
    return rows, late


def late_steps(
    late: ArrivedFacts, known: ArrivedFacts, written: dict[Entity, list[LedgerRow]]
) -> list[LedgerRow]:
    """The rows that bring what was written of these entities to what it should be."""
    rows: list[LedgerRow] = []
    for entity, facts in late.facts.items():
        rows += steps(known.facts.get(entity, ()), written.get(entity, ()), facts)
    for told, order_facts in late.orders.items():
        entity = _order_entity(told)
        rows += order_steps(known.orders.get(told, ()), written.get(entity, ()), order_facts)
    return rows


async def find_facts(entities: Iterable[Entity], db: Connection) -> dict[Entity, list[Fact]]:
    """The versions that are known already."""
    found: dict[Entity, list[Fact]] = {}
    if wanted := {(seller_id, entity_id) for seller_id, _, entity_id in entities}:
        for row in await db.fetch(FIND_FACTS, *zip(*wanted, strict=True)):
            fact = fact_of(row)
            found.setdefault(fact[:3], []).append(fact)
    return found


async def find_order_facts(told: Iterable[Order], db: Connection) -> dict[Order, list[OrderFact]]:
    """What is known already of these orders."""
    found: dict[Order, list[OrderFact]] = {}
    if wanted := list(told):
        for row in await db.fetch(FIND_ORDER_FACTS, *zip(*wanted, strict=True)):
            fact = order_fact_of(row)
            found.setdefault((fact.seller_id, fact.order_id), []).append(fact)
    return found


def fact_of(row: asyncpg.Record) -> Fact:
    """A row of `fact` as the domain knows it."""
    seller_id, dimension, entity_id, version, day, weight, k, recorded_at, reasons = row[:9]
    return Fact(
        seller_id,
        dimension,
        entity_id,
        version,
        day,
        weight,
        k,
        recorded_at,
        tuple(reasons),
        Origin(*row[9:12]),
    )


def order_fact_of(row: asyncpg.Record) -> OrderFact:
    """A row of `order_fact` as the domain knows it."""
    seller_id, order_id, kind, ref, day, recorded_at = row[:6]
    number = int(ref) if kind in NUMBERED else ref
    return OrderFact(seller_id, order_id, kind, number, day, recorded_at, Origin(*row[6:9]))


async def _written(
    late: ArrivedFacts, known: ArrivedFacts, db: Connection
) -> dict[Entity, list[LedgerRow]]:
    """The rows that were written of these entities and orders."""
    places: set[tuple[str, str, str, int]] = set()
    for entity in late.facts:
        places |= {(*entity, fact.recorded_at) for fact in known.facts.get(entity, ())}
    for told in late.orders:
        entity = _order_entity(told)
        places |= {(*entity, fact.recorded_at) for fact in known.orders.get(told, ())}
    found: dict[Entity, list[LedgerRow]] = {}
    if places:
        for told_row in await db.fetch(FIND_ROWS, *zip(*sorted(places), strict=True)):
            row = _row_of(told_row)
            found.setdefault(row[:3], []).append(row)
    return found


async def _keep_facts(arrived: ArrivedFacts, known: ArrivedFacts, db: Connection) -> None:
    """Adds what is new of every entity, and notes what it supersedes. Raises ConflictingFact."""
    added: list[tuple[Any, ...]] = []
    superseded: list[tuple[Any, ...]] = []
    for entity, facts in arrived.facts.items():
        held = known.facts.get(entity, [])
        if len(facts) == 1 and not held:
            added.append((*_flat(facts[0]), None))
            continue
        joined = join(held, facts)
        before, after = superseded_at(held), superseded_at(joined)
        added += [(*_flat(fact), after[fact.version]) for fact in joined[len(held) :]]
        superseded += [
            (*entity, version, at) for version, at in after.items() if at != before.get(version, at)
        ]
    await _copy("fact", added, db)
    if superseded:
        await db.execute(SUPERSEDE, *zip(*superseded, strict=True))


def new_order_facts(arrived: ArrivedFacts, known: ArrivedFacts) -> list[tuple[Any, ...]]:
    """The rows of `order_fact` to add. Raises ConflictingFact."""
    added: list[OrderFact] = []
    for told, facts in arrived.orders.items():
        held = known.orders.get(told, [])
        added += join_order(held, facts)[len(held) :]
    return [(*f[:3], str(f.ref), f.day, f.recorded_at, *f.origin) for f in added]


def concealed_by(batch: Iterable[Recorded[Any]]) -> dict[Review, bool]:
    """Of which reviews a batch tells whether they are concealed now. The events of one come in
    order: the last says it.
    """
    said: dict[Review, bool] = {}
    for recorded in batch:
        concealed = is_concealed_by(recorded.event)
        if concealed is not None:
            event = recorded.event
            about = event.seller_id if event.side == "BUYER" else event.buyer_id
            said[about, event.review_id] = concealed
    return said


def is_concealed_by(event: Struct) -> bool | None:
    """Whether the event leaves a review concealed; None if it does not say. A measure on a part of
    it says nothing of the rest.

    Who withdraws before the reveal may write once more, and is held once more by another event.
    """
    match event:
        case ReviewHeld():
            return True
        case ReviewRestricted(measures=measures):
            return None if PARTS.issuperset(measures) else "HIDE_REVIEW" in measures
        case ReviewWithdrawn(before_reveal=before_reveal):
            return not before_reveal
        case ReviewReleased() | ReviewRestored(part=None):
            return False
        case _:
            return None


async def _keep_concealed(said: dict[Review, bool], db: Connection) -> None:
    for statement, concealed in ((CONCEAL, True), (SHOW, False)):
        if reviews := sorted(review for review, is_so in said.items() if is_so is concealed):
            await db.execute(statement, *zip(*reviews, strict=True))


async def _copy(table: str, rows: Sequence[tuple[Any, ...]], db: Connection) -> None:
    if rows:
        await db.copy_records_to_table(table, records=rows)


async def _add_to_buckets(rows: Sequence[LedgerRow], db: Connection) -> set[str]:
    """Adds the rows up; the sellers whose sums have changed."""
    weeks: dict[tuple[str, str, int, int], Bucket] = {}
    for row in rows:
        recorded_week = week_of_recording(row.recorded_at)
        week = (row.seller_id, row.dimension, row.day // WEEK_DAYS, recorded_week)
        n, a, b, s = weeks.get(week, NOTHING)
        weeks[week] = (n + row.d_n, a + row.d_a, b + row.d_b, s + row.d_s)
    if weeks:
        in_order = [(*week, *weeks[week]) for week in sorted(weeks)]
        await db.execute(ADD_TO_BUCKETS, *zip(*in_order, strict=True))
    return {seller_id for seller_id, dimension, *_ in weeks if dimension != CONDUCT}


def week_of_recording(recorded_at: int) -> int:
    """The week in which something was recorded. Its last instant is the first one of the next
    week's first day, at which sellers are evaluated: what is recorded then still counts.
    """
    return (recorded_at - 1) // WEEK_MICROS


async def _keep_credits(batch: Sequence[Recorded[Any]], db: Connection) -> set[str]:
    """Lots and protections; the sellers whose levels they may change."""
    lots = [(each.key, lot) for each in batch if (lot := lot_of(each))]
    grants = [(each.key, grant) for each in batch if (grant := grant_of(each))]
    if lots:
        columns = [
            (
                *(seller_id, lot.entity_id, lot.version, lot.from_, lot.until),
                *(lot.points, lot.recorded_at),
            )
            for seller_id, lot in lots
        ]
        await db.execute(KEEP_LOTS, *zip(*columns, strict=True))
    if grants:
        protections = [(seller_id, *grant) for seller_id, grant in grants]
        await db.execute(KEEP_PROTECTIONS, *zip(*protections, strict=True))
    return {seller_id for seller_id, _ in (*lots, *grants)}


def _row_of(row: asyncpg.Record) -> LedgerRow:
    seller_id, dimension, entity_id, version, day, recorded_at, n, a, b, s, reasons, *origin = row
    return LedgerRow(
        seller_id,
        dimension,
        entity_id,
        version,
        day,
        recorded_at,
        n,
        a,
        b,
        s,
        tuple(reasons),
        Origin(*origin),
    )


def _flat(row: Fact | LedgerRow) -> tuple[Any, ...]:
    """The columns: the origin comes last and is three."""
    return (*row[:-1], *row.origin)


def _order_entity(told: Order) -> Entity:
    seller_id, order_id = told
    return (seller_id, DISPUTE, order_entity(order_id))


def _version(fact: Fact) -> int:
    return fact.version


SCORE = Projection(
    name="score",
    version=3,
    topics=(orders.TOPIC, review.TOPIC, dispute.TOPIC, returns.TOPIC, reputation.TOPIC),
    handles=(
        ReviewWeighted,
        ReviewHeld,
        ReviewReleased,
        ReviewRestricted,
        ReviewRestored,
        ReviewWithdrawn,
        OrderCompleted,
        OrderReopened,
        DisputeOpened,
        DisputeClosed,
        InquiryClosed,
        ReturnClosed,
        PenaltyApplied,
        PenaltyReversed,
        ConductAssessed,
        ProtectionGranted,
    ),
    tables=("fact", "order_fact", "contribution", "bucket", "concealed", "lot", "protection"),
    ddl=SCORE_DDL,
    apply=score,
    compared=COMPARED,
)
