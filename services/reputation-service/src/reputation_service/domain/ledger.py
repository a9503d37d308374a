"""The facts of an entity in, ledger rows out: append-only steps that add up at every instant.

buckets as of T = sum of the rows with recorded_at <= T        live buckets = sum of all rows
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from reputation_service.domain.facts import ConflictingFact, Fact, Observed, OrderFact, Origin
from reputation_service.domain.observations import order
from reputation_service.domain.policy import DISPUTE
from reputation_service.domain.read import Bucket

NOTHING: Bucket = (0, 0, 0, 0)
ORDER_PREFIX = "order:"
"""What the entities begin with that are orders without a dispute."""


class LedgerRow(NamedTuple):
    """One step of one entity's contribution; negative where something is taken back."""

    seller_id: str
    dimension: str
    entity_id: str
    version: int
    day: int
    recorded_at: int
    d_n: int
    d_a: int
    d_b: int
    d_s: int
    reasons: tuple[str, ...]
    origin: Origin


def contribution(fact: Fact | None) -> Bucket:
    """c = (w, w*k, w*k^2, w^2)."""
    if fact is None:
        return NOTHING
    weight, k = fact.weight_milli, fact.k
    return (weight, weight * k, weight * k * k, weight * weight)


def order_entity(order_id: str) -> str:
    """The entity that an order is in the dimension of disputes."""
    return f"{ORDER_PREFIX}{order_id}"


def is_next(current: Fact | None, fact: Fact) -> bool:
    """Whether `fact` follows the highest version known, so that `advance` is all there is to do."""
    return current is None or (
        fact.version > current.version and fact.recorded_at >= current.recorded_at
    )


def advance(current: Fact | None, fact: Fact) -> list[LedgerRow]:
    """The usual step: from the highest version known to one that `is_next`."""
    old, new = contribution(current), contribution(fact)
    if current is None:
        return _rows(fact, (fact.day, new))
    if current.day == fact.day:
        return _rows(fact, (fact.day, _minus(new, old)))
    return _rows(fact, (current.day, _minus(NOTHING, old)), (fact.day, new))


def timeline(facts: Iterable[Fact]) -> list[Fact]:
    """The facts of one entity that are ever in force, each from its recorded_at to the next's."""
    inforce: list[Fact] = []
    for fact in sorted(facts, key=attrgetter("recorded_at", "version")):
        if inforce and fact.version <= inforce[-1].version:
            continue
        if inforce and fact.recorded_at == inforce[-1].recorded_at:
            inforce.pop()
        inforce.append(fact)
    return inforce


def order_timeline(facts: Iterable[OrderFact]) -> list[Fact]:
    """What the facts of one order are worth from each instant on; weight 0 is nothing."""
    steps: list[Fact] = []
    known: list[OrderFact] = []
    by_time = sorted(facts, key=_order_of_arrival)
    for recorded_at, arrived in groupby(by_time, key=attrgetter("recorded_at")):
        known.extend(arrived)
        worth = order(known)
        last = known[-1]
        day, weight, k, number = worth or (last.day, 0, 0, 0)
        entity = order_entity(last.order_id)
        steps.append(
            Fact(
                last.seller_id,
                DISPUTE,
                entity,
                number,
                day,
                weight,
                k,
                recorded_at,
                (),
                last.origin,
            )
        )
    return steps


def rows_of(line: Sequence[Fact]) -> list[LedgerRow]:
    """The ledger of one entity, had every fact come in time."""
    rows: list[LedgerRow] = []
    before: Fact | None = None
    for fact in line:
        rows += advance(before, fact)
        before = fact
    return rows


def steps(
    known: Sequence[Fact], written: Sequence[LedgerRow], new: Sequence[Fact]
) -> list[LedgerRow]:
    """The rows to append when `new` facts of one entity arrive.

    `known` are the facts that led to the rows already `written`; duplicates change nothing. A
    late or lower version changes steps in the past: the difference is appended. Raises
    ConflictingFact. With one new fact that `is_next`, `advance` says the same without the rows.
    """
    facts = join(known, new)
    return _catch_up(timeline(facts), written, new)


def order_steps(
    known: Sequence[OrderFact], written: Sequence[LedgerRow], new: Sequence[OrderFact]
) -> list[LedgerRow]:
    """The same for the facts of one order, whose worth is a function of their set."""
    facts = join_order(known, new)
    return _catch_up(order_timeline(facts), written, new)


def superseded_at(facts: Iterable[Fact]) -> dict[int, int | None]:
    """Of each version of one entity the instant from which a higher one is known, if any is."""
    ends: dict[int, int | None] = {}
    known_from: int | None = None
    for fact in sorted(facts, key=attrgetter("version"), reverse=True):
        ends[fact.version] = known_from
        known_from = fact.recorded_at if known_from is None else min(known_from, fact.recorded_at)
    return ends


def join(known: Iterable[Fact], new: Iterable[Fact]) -> list[Fact]:
    """All versions of one entity, each once. Raises ConflictingFact."""
    versions: dict[int, Fact] = {}
    for fact in (*known, *new):
        held = versions.setdefault(fact.version, fact)
        if held != fact:
            raise ConflictingFact(held, fact)
    return list(versions.values())


def join_order(known: Iterable[OrderFact], new: Iterable[OrderFact]) -> list[OrderFact]:
    """All facts of one order, each once. Raises ConflictingFact."""
    facts: dict[tuple[str, int | str], OrderFact] = {}
    for fact in (*known, *new):
        held = facts.setdefault((fact.kind, fact.ref), fact)
        if held != fact:
            raise ConflictingFact(held, fact)
    return list(facts.values())


def _catch_up(
    line: Sequence[Fact], written: Sequence[LedgerRow], new: Sequence[Observed]
) -> list[LedgerRow]:
    """What brings the rows already written to the steps that they should be."""
    if not new:
        return []
    due: dict[tuple[int, int], Bucket] = {}
    steps_at = {fact.recorded_at: fact for fact in line}
    for row in rows_of(line):
        at = (row.recorded_at, row.day)
        due[at] = _plus(due.get(at, NOTHING), row[6:10])
    for row in written:
        at = (row.recorded_at, row.day)
        due[at] = _minus(due.get(at, NOTHING), row[6:10])
    rows: list[LedgerRow] = []
    for (recorded_at, day), delta in sorted(due.items()):
        # A step that is no more is taken back in the name of the fact that undid it.
        cause = steps_at.get(recorded_at, line[-1])._replace(recorded_at=recorded_at)
        rows += _rows(cause._replace(origin=new[-1].origin), (day, delta))
    return rows


def _rows(cause: Fact, *deltas: tuple[int, Bucket]) -> list[LedgerRow]:
    return [
        LedgerRow(
            cause.seller_id,
            cause.dimension,
            cause.entity_id,
            cause.version,
            day,
            cause.recorded_at,
            *delta,
            cause.reasons,
            cause.origin,
        )
        for day, delta in deltas
        if delta != NOTHING
    ]


def _order_of_arrival(fact: OrderFact) -> tuple[int, str, str]:
    return (fact.recorded_at, fact.kind, str(fact.ref))


def _plus(left: Bucket, right: Bucket) -> Bucket:
    return (left[0] + right[0], left[1] + right[1], left[2] + right[2], left[3] + right[3])


def _minus(left: Bucket, right: Bucket) -> Bucket:
    return (left[0] - right[0], left[1] - right[1], left[2] - right[2], left[3] - right[3])
