"""What no history of facts can break: the properties R1 to R7 of the specification."""

from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from zlib import crc32

from hypothesis import assume, given
from hypothesis import strategies as st
from reputation_service.domain.explain import (
    Group,
    alike,
    explain,
    explain_counted,
    explain_dimension,
)
from reputation_service.domain.facts import DAY_MICROS, Fact, Observed, OrderFact, OrderFactKind
from reputation_service.domain.fold import BucketState, Facts, fold, merge, state_sha256, sum_rows
from reputation_service.domain.ledger import (
    LedgerRow,
    advance,
    is_next,
    order_steps,
    steps,
    superseded_at,
)
from reputation_service.domain.policy import DEFAULT
from reputation_service.domain.read import Bucket, read, rhe, share_out, week_factors

FIRST_DAY = 20_440
LAST_DAY = 20_468
TODAY = LAST_DAY + 1
FOR_EVER = (LAST_DAY + 10) * DAY_MICROS
KINDS: tuple[OrderFactKind, ...] = (
    "COMPLETED",
    "REOPENED",
    "DISPUTE_OPENED",
    "DISPUTE_WITHDRAWN",
)
DIMENSIONS = ("quality", "service", "dispute")

days = st.integers(FIRST_DAY - 20, LAST_DAY + 400)
instants = st.integers(FIRST_DAY * 8, LAST_DAY * 8 + 7).map(lambda eighth: eighth * DAY_MICROS // 8)


@st.composite
def direct_facts(draw: st.DrawFn) -> Fact:
    """Sellers, entities and versions are few, so that they meet."""
    recorded_at = draw(instants)
    return Fact(
        draw(st.sampled_from(("S1", "S2"))),
        draw(st.sampled_from(DIMENSIONS)),
        draw(st.sampled_from(("e1", "e2", "é3"))),
        draw(st.integers(1, 4)),
        recorded_at // DAY_MICROS - draw(st.integers(0, 9)),
        draw(st.sampled_from((0, 250, 999, 1000, 3000))),
        draw(st.integers(0, 4)),
        recorded_at,
        draw(st.sampled_from(((), ("HELD",)))),
    )


@st.composite
def order_facts(draw: st.DrawFn) -> OrderFact:
    recorded_at = draw(instants)
    kind = draw(st.sampled_from(KINDS))
    completes = kind in ("COMPLETED", "REOPENED")
    ref: int | str = draw(st.integers(1, 3)) if completes else draw(st.sampled_from(("d1", "d2")))
    day = recorded_at // DAY_MICROS - draw(st.integers(0, 9)) if kind == "COMPLETED" else 0
    seller, order = draw(st.sampled_from((("S1", "o1"), ("S1", "o2"), ("S2", "o3"))))
    return OrderFact(seller, order, kind, ref, day, recorded_at)


def identity(fact: Observed) -> tuple[object, ...]:
    """What no two different facts share: an entity's version, an order's kind and reference."""
    if isinstance(fact, OrderFact):
        return ("order", fact.seller_id, fact.order_id, fact.kind, fact.ref)
    return fact[:4]


observed = st.lists(direct_facts() | order_facts(), max_size=14, unique_by=identity)
directly = st.lists(direct_facts(), max_size=14, unique_by=identity)


class Arrivals:
    """A ledger that is written batch by batch, as facts arrive."""

    def __init__(self) -> None:
        self.rows: list[LedgerRow] = []
        self._known: dict[tuple[str, ...], list[Fact]] = {}
        self._orders: dict[tuple[str, str], list[OrderFact]] = {}
        self._written: dict[tuple[str, ...], list[LedgerRow]] = {}

    def take(self, batch: Sequence[Observed]) -> None:
        for fact in batch:
            if isinstance(fact, OrderFact):
                self._take_order(fact)
            else:
                self._take_fact(fact)

    def _take_fact(self, fact: Fact) -> None:
        key = fact[:3]
        known = self._known.setdefault(key, [])
        written = self._written.setdefault(key, [])
        newest = max(known, key=lambda each: each.version, default=None)
        fresh = steps(known, written, [fact])
        if is_next(newest, fact):
            assert sums(advance(newest, fact)) == sums(fresh)
        known.append(fact)
        written += fresh
        self.rows += fresh

    def _take_order(self, fact: OrderFact) -> None:
        key = (fact.seller_id, fact.order_id)
        known = self._orders.setdefault(key, [])
        written = self._written.setdefault(key, [])
        fresh = order_steps(known, written, [fact])
        known.append(fact)
        written += fresh
        self.rows += fresh


def ledger_of(facts: Iterable[Observed]) -> list[LedgerRow]:
    arrivals = Arrivals()
    arrivals.take(list(facts))
    return arrivals.rows


def sums(rows: Iterable[LedgerRow]) -> dict[tuple[int, int], list[int]]:
    """What rows add up to at each instant and day."""
    added: dict[tuple[int, int], list[int]] = {}
    for row in rows:
        held = added.setdefault((row.recorded_at, row.day), [0, 0, 0, 0])
        for i, delta in enumerate(row[6:10]):
            held[i] += delta
    return {place: total for place, total in added.items() if any(total)}


def without_nothing(state: BucketState) -> BucketState:
    """Only weeks with a number in them, so that two folds can be compared."""
    kept = {
        seller: {
            dimension: {week: bucket for week, bucket in weeks.items() if any(bucket)}
            for dimension, weeks in dimensions.items()
        }
        for seller, dimensions in state.items()
    }
    return {
        seller: found
        for seller, dimensions in kept.items()
        if (found := {dimension: weeks for dimension, weeks in dimensions.items() if weeks})
    }


def state_of(facts: list[Observed], as_of: int | None = None) -> BucketState:
    return fold(Facts(facts).in_force(as_of))


# --- The fold --------------------------------------------------------------------------------


@given(observed, st.data())
def test_r1_order_duplicates_and_batches_change_nothing(
    facts: list[Observed], data: st.DataObject
) -> None:
    arriving = data.draw(st.permutations(facts + facts[:3]))
    cut = data.draw(st.integers(0, len(arriving)))
    as_of = data.draw(instants)
    batches = Facts(arriving[:cut])
    batches.extend(arriving[cut:])
    for at in (None, as_of):
        once, again = state_of(facts, at), fold(batches.in_force(at))
        assert once == again
        assert state_sha256(once) == state_sha256(again)
        rows, rows_again = ledger_of(facts), ledger_of(arriving)
        assert without_nothing(sum_rows(rows, at)) == without_nothing(sum_rows(rows_again, at))
        for seller, buckets in once.items():
            score = read(buckets, TODAY, DEFAULT)
            assert score == read(again[seller], TODAY, DEFAULT)


@given(observed, st.integers(2, 8), st.data())
def test_r2_workers_that_share_no_entity_merge_by_addition(
    facts: list[Observed], workers: int, data: st.DataObject
) -> None:
    parts: list[Facts] = [Facts() for _ in range(workers)]
    for fact in facts:
        entity = fact[:3] if isinstance(fact, Fact) else fact[:2]
        parts[crc32(repr(entity).encode()) % workers].extend([fact])
    states = data.draw(st.permutations([fold(part.in_force()) for part in parts]))
    assert merge(states) == state_of(facts)


@given(observed, observed)
def test_r2_workers_that_share_entities_join_their_facts(
    facts: list[Observed], others: list[Observed]
) -> None:
    mine = {identity(fact) for fact in facts}
    shared = [fact for fact in others if identity(fact) not in mine] + facts[:4]
    left, right = Facts(facts), Facts(shared)
    left.join(right)
    assert fold(left.in_force()) == state_of(facts + shared)


@given(directly, directly)
def test_r3_taking_a_fact_back_is_never_having_had_it(
    others: list[Fact], facts: list[Fact]
) -> None:
    assume(facts)
    fact = facts[0]._replace(entity_id="taken back", version=1)
    back = fact._replace(version=2, weight_milli=0, recorded_at=fact.recorded_at + 1)
    assert state_of([*others, fact, back]) == state_of([*others])
    light = fact._replace(version=2, weight_milli=1, recorded_at=fact.recorded_at + 1)
    again = fact._replace(version=3, recorded_at=fact.recorded_at + 2)
    assert state_of([*others, fact, light, again]) == state_of([*others, fact])
    rows = without_nothing(sum_rows(ledger_of([*others, fact, back])))
    assert rows == without_nothing(sum_rows(ledger_of(others)))


@given(observed, st.data())
def test_r3_a_late_lower_version_cannot_come_back_to_life(
    facts: list[Observed], data: st.DataObject
) -> None:
    tombstone = Fact("S1", "quality", "dead", 9, FIRST_DAY, 0, 0, FIRST_DAY * DAY_MICROS)
    late = tombstone._replace(
        version=data.draw(st.integers(1, 8)), weight_milli=1000, recorded_at=FOR_EVER
    )
    arriving = data.draw(st.permutations([*facts, tombstone, late]))
    assert state_of(arriving) == state_of(facts)


@given(observed, instants)
def test_r4_the_ledger_as_of_an_instant_is_the_fold_of_what_was_known(
    facts: list[Observed], as_of: int
) -> None:
    known: list[Observed] = [fact for fact in facts if fact.recorded_at <= as_of]
    rows = ledger_of(facts)
    assert without_nothing(sum_rows(rows, as_of)) == state_of(known)
    assert without_nothing(sum_rows(Facts(facts).ledger(), as_of)) == state_of(known)
    assert without_nothing(sum_rows(rows)) == state_of(facts)


@given(observed, instants, days)
def test_r4_what_is_known_today_about_an_earlier_day(
    facts: list[Observed], as_of: int, day: int
) -> None:
    known = fold(Facts(facts).in_force(as_of, day))
    assert without_nothing(sum_rows(ledger_of(facts), as_of, day)) == known


@given(observed, instants, st.data())
def test_r5_what_is_recorded_later_changes_nothing_as_of_then(
    facts: list[Observed], as_of: int, data: st.DataObject
) -> None:
    known: list[Observed] = [fact for fact in facts if fact.recorded_at <= as_of]
    arriving = data.draw(st.permutations(facts))
    assert state_of(arriving, as_of) == state_of(known, as_of)
    rows = ledger_of(arriving)
    assert without_nothing(sum_rows(rows, as_of)) == without_nothing(
        sum_rows(ledger_of(known), as_of)
    )


@given(directly, instants)
def test_what_is_in_force_at_an_instant_is_what_no_known_version_supersedes(
    facts: list[Fact], as_of: int
) -> None:
    entities: dict[tuple[str, ...], list[Fact]] = {}
    for fact in facts:
        entities.setdefault(fact[:3], []).append(fact)
    in_force: list[Fact] = []
    for versions in entities.values():
        ends = superseded_at(versions)
        for fact in versions:
            end = ends[fact.version]
            if fact.recorded_at <= as_of and (end is None or end > as_of):
                in_force.append(fact)
    assert sorted(in_force) == sorted(Facts(facts).in_force(as_of))


@given(observed, instants)
def test_r6_sums_keep_their_bounds_at_every_instant(facts: list[Observed], as_of: int) -> None:
    arrivals = Arrivals()
    for fact in facts:
        arrivals.take([fact])
        for at in (None, as_of):
            for dimensions in sum_rows(arrivals.rows, at).values():
                for weeks in dimensions.values():
                    for bucket in weeks.values():
                        _within_bounds(bucket)


@given(observed, days)
def test_r7_shares_and_parts_add_up(facts: list[Observed], day: int) -> None:
    inforce = list(Facts(facts).in_force())
    for seller, buckets in fold(inforce).items():
        score = read(buckets, day, DEFAULT)
        assert sum(score.parts_micro.values()) == score.score_micro
        own = [fact for fact in inforce if fact.seller_id == seller]
        for explained in explain(buckets, own, score).values():
            read_again = explained.score
            moved = Fraction(read_again.a, 4 * 10**6 * read_again.p) - Fraction(
                read_again.rules.prior_mean_micro, 10**6
            )
            assert sum((share.exact for share in explained.shares), Fraction(0)) == moved
            assert explained.total_micro == rhe(moved.numerator * 10**8, moved.denominator)
            assert sum(share.printed_micro for share in explained.shares) == explained.total_micro


@st.composite
def ratings(draw: st.DrawFn) -> Fact:
    """Few kinds, so that many are alike."""
    day = draw(st.integers(FIRST_DAY, LAST_DAY))
    entity = draw(st.text("0aéz", min_size=1, max_size=6))
    weight, k = draw(st.sampled_from((0, 250, 1000))), draw(st.sampled_from((0, 3, 4)))
    return Fact("S1", "quality", entity, 1, day, weight, k, day * DAY_MICROS)


many_alike = st.lists(ratings(), max_size=60, unique_by=lambda fact: fact.entity_id)


@given(many_alike)
def test_r7_shares_of_counted_facts_are_printed_as_they_are_one_by_one(facts: list[Fact]) -> None:
    """Floors, then one more for the largest remainders, the earlier entity first."""
    buckets = fold(facts).get("S1", {})
    score = read(buckets, TODAY, DEFAULT)
    quality, rules = score.dimensions[0], DEFAULT.dimensions[0]
    factors = week_factors(buckets.get("quality", {}), TODAY, rules, DEFAULT)
    weighing = sorted((f for f in facts if f.weight_milli), key=lambda fact: fact.entity_id)
    numerators = [
        factors[fact.day // 7] * fact.weight_milli * (250_000 * fact.k - rules.prior_mean_micro)
        for fact in weighing
    ]
    explained = explain_dimension(buckets, facts, quality, TODAY, DEFAULT)
    one_by_one = share_out([100 * each for each in numerators], quality.p, explained.total_micro)
    assert [share.fact for share in explained.shares] == weighing
    assert [share.numerator for share in explained.shares] == numerators
    assert [share.printed_micro for share in explained.shares] == one_by_one


@given(many_alike)
def test_r7_so_many_facts_of_each_kind_are_the_buckets(facts: list[Fact]) -> None:
    groups = [
        Group("quality", *said, False, False, False, events)
        for said, events in Counter(map(alike, facts)).items()
    ]
    explained = explain_counted(groups, TODAY, DEFAULT)
    assert explained.buckets["quality"] == fold(facts).get("S1", {}).get("quality", {})
    assert explained.score == read(fold(facts).get("S1", {}), TODAY, DEFAULT)


def _within_bounds(bucket: Bucket) -> None:
    n, a, b, _ = bucket
    assert min(bucket) >= 0
    assert a <= 4 * n
    assert a <= b <= 4 * a
    assert a * a <= n * b
