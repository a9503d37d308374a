"""All facts in, buckets out: a join of versions, then sums, so that order changes nothing."""

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from itertools import chain

from reputation_service.domain.decay import WEEK_DAYS
from reputation_service.domain.facts import ConflictingFact, Fact, Observed, OrderFact, day_of
from reputation_service.domain.ledger import (
    LedgerRow,
    join_order,
    order_timeline,
    rows_of,
    timeline,
)
from reputation_service.domain.read import Bucket, Buckets

type BucketState = dict[str, dict[str, dict[int, Bucket]]]
"""seller -> dimension -> week -> sums."""
type Key = tuple[str, str, str]
"""seller, dimension, entity: what facts are versions of."""


class Facts:
    """Everything received, each version once: grows by `extend` and `join`, never forgets."""

    def __init__(self, facts: Iterable[Observed] = ()) -> None:
        # Nearly every entity has one version: a tuple of one is cheaper than a dict of one.
        self._entities: dict[Key, tuple[Fact, ...]] = {}
        self._orders: dict[tuple[str, str], tuple[OrderFact, ...]] = {}
        self.extend(facts)

    def extend(self, facts: Iterable[Observed]) -> None:
        """Takes facts in, in any order, as often as they come. Raises ConflictingFact."""
        entities = self._entities
        for fact in facts:
            if isinstance(fact, OrderFact):
                order = (fact.seller_id, fact.order_id)
                held_facts = self._orders.get(order, ())
                self._orders[order] = tuple(join_order(held_facts, (fact,)))
                continue
            key = fact[:3]
            held = entities.get(key)
            if held is None:
                entities[key] = (fact,)
            elif not _holds(held, fact):
                entities[key] = (*held, fact)

    def join(self, other: "Facts") -> None:
        """Takes in all that another fold has received: folds that share entities join here."""
        self.extend(other.received())

    def received(self) -> Iterator[Observed]:
        """Every fact that was taken in, once."""
        yield from chain.from_iterable(self._entities.values())
        yield from chain.from_iterable(self._orders.values())

    def sellers(self) -> set[str]:
        """Everyone of whom something is known."""
        return {key[0] for key in chain(self._entities, self._orders)}

    def in_force(self, as_of: int | None = None, day: int | None = None) -> Iterator[Fact]:
        """The fact of every entity that counts by what was recorded at `as_of` (None: ever).

        Tombstones are among them; orders that are worth nothing are not. With a `day` before the
        one of `as_of`, only facts up to that day: what is known today about then.
        """
        latest = latest_day(as_of, day)
        for fact in chain(self._direct(as_of), self._order_facts(as_of)):
            if latest is None or fact.day <= latest:
                yield fact

    def ledger(self) -> Iterator[LedgerRow]:
        """The rows of every entity, had every fact come in time."""
        for held in self._entities.values():
            yield from rows_of(timeline(held))
        for facts in self._orders.values():
            yield from rows_of(order_timeline(facts))

    def _direct(self, as_of: int | None) -> Iterator[Fact]:
        for held in self._entities.values():
            if as_of is None and len(held) == 1:
                yield held[0]
                continue
            best: Fact | None = None
            for fact in held:
                known = as_of is None or fact.recorded_at <= as_of
                if known and (best is None or fact.version > best.version):
                    best = fact
            if best is not None:
                yield best

    def _order_facts(self, as_of: int | None) -> Iterator[Fact]:
        for facts in self._orders.values():
            known = [f for f in facts if as_of is None or f.recorded_at <= as_of]
            line = order_timeline(known)
            if line and line[-1].weight_milli > 0:
                yield line[-1]


def fold(facts: Iterable[Fact]) -> BucketState:
    """The buckets of facts in force, at most one per entity."""
    state: BucketState = {}
    for seller, dimension, _, _, day, weight, k, _, _, _ in facts:
        if weight == 0:
            continue
        wk = weight * k
        weeks = state.setdefault(seller, {}).setdefault(dimension, {})
        week = day // WEEK_DAYS
        held = weeks.get(week)
        if held is None:
            weeks[week] = (weight, wk, wk * k, weight * weight)
        else:
            n, a, b, s = held
            weeks[week] = (n + weight, a + wk, b + wk * k, s + weight * weight)
    return state


def sum_rows(
    rows: Iterable[LedgerRow], as_of: int | None = None, day: int | None = None
) -> BucketState:
    """The buckets of ledger rows as of an instant (None: all of them)."""
    latest = latest_day(as_of, day)
    state: BucketState = {}
    for row in rows:
        if as_of is not None and row.recorded_at > as_of:
            continue
        if latest is not None and row.day > latest:
            continue
        weeks = state.setdefault(row.seller_id, {}).setdefault(row.dimension, {})
        week = row.day // WEEK_DAYS
        n, a, b, s = weeks.get(week, (0, 0, 0, 0))
        weeks[week] = (n + row.d_n, a + row.d_a, b + row.d_b, s + row.d_s)
    return state


def merge(states: Iterable[BucketState]) -> BucketState:
    """The sums of folds over disjoint entities."""
    merged: BucketState = {}
    for seller, dimension, week, bucket in chain.from_iterable(map(buckets_of, states)):
        weeks = merged.setdefault(seller, {}).setdefault(dimension, {})
        n, a, b, s = weeks.get(week, (0, 0, 0, 0))
        weeks[week] = (n + bucket[0], a + bucket[1], b + bucket[2], s + bucket[3])
    return merged


def buckets_of(
    state: Mapping[str, Buckets],
) -> Iterator[tuple[str, str, int, Bucket]]:
    """Every bucket with a number in it, in the order of the digest."""
    # Texts sort by code point, which is the order of their UTF-8 bytes.
    for seller in sorted(state):
        for dimension in sorted(state[seller]):
            for week, bucket in sorted(state[seller][dimension].items()):
                if any(bucket):
                    yield seller, dimension, week, bucket


def state_sha256(state: Mapping[str, Buckets]) -> str:
    """The digest on which every fold of the same facts agrees, live or replayed."""
    return digest(buckets_of(state))


def digest(buckets: Iterable[tuple[str, str, int, Bucket]]) -> str:
    """The digest of buckets that come sorted by seller, dimension (as bytes) and week."""
    lines = sha256()
    for seller, dimension, week, (n, a, b, s) in buckets:
        lines.update(f"{seller}|{dimension}|{week}|{n}|{a}|{b}|{s}\n".encode())
    return lines.hexdigest()


def latest_day(as_of: int | None, day: int | None) -> int | None:
    """The day after which facts do not count, or None: only a day before that of `as_of` limits."""
    if as_of is None or day is None or day >= day_of(as_of):
        return None
    return day


def _holds(held: tuple[Fact, ...], fact: Fact) -> bool:
    for other in held:
        if other.version == fact.version:
            if other != fact:
                raise ConflictingFact(other, fact)
            return True
    return False
