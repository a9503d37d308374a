"""Weights of buyers' reviews in; who has reviewed whom besides, and how, out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from msgspec import Struct
from shared_events.envelope import Recorded
from shared_events.review import ReviewWeighted
from shared_runtime.log import Database, Planned

from review_service.domain.weight import GOOD_STARS_MIN, NEUTRAL_STARS_MIN, PairReview, Sign

EACH_SIGN_MAX = 32
"""Those of each sign that are nearest in time tell all: of one sign one counts in some days, and a
tenth repetition leaves no more than the floor."""

type Pair = tuple[str, str]
"""Buyer and seller."""


class PairRow(Struct, frozen=True, kw_only=True):
    """A buyer's review of a seller as it counts by now; `order_id` is the order that it is of."""

    order_id: str
    buyer_id: str
    seller_id: str
    sign: Sign
    counted_at: datetime
    weight_milli: int
    seq: int

    @property
    def pair(self) -> Pair:
        return self.buyer_id, self.seller_id


def pair_row(event: ReviewWeighted) -> PairRow:
    return PairRow(
        order_id=event.order_id,
        buyer_id=event.buyer_id,
        seller_id=event.seller_id,
        sign=sign_of(event),
        counted_at=event.counted_at,
        weight_milli=event.weight_milli,
        seq=event.seq,
    )


def sign_of(event: ReviewWeighted) -> Sign:
    stars = (event.quality or 0) + (event.logistics or 0) + (event.service or 0)
    if stars >= GOOD_STARS_MIN:
        return "GOOD"
    return "NEUTRAL" if stars >= NEUTRAL_STARS_MIN else "BAD"


@dataclass(slots=True)
class Pairs:
    """Other reviews of pairs: as they were read, with what is decided meanwhile on top.

    `others`: of each order that was asked for, those of its pair that counted when it was read.
    """

    others: Mapping[str, Sequence[PairRow]] = field(default_factory=dict[str, Sequence[PairRow]])
    _fresh: dict[Pair, dict[str, PairRow]] = field(default_factory=dict[Pair, dict[str, PairRow]])
    _taken_in: int = 0

    def take_in(self, planned: Sequence[Planned]) -> None:
        """Takes in what has been decided since it was told last, or takes back what was undone."""
        if self._taken_in > len(planned):
            self._fresh.clear()
            self._taken_in = 0
        for each in planned[self._taken_in :]:
            if isinstance(each.event, ReviewWeighted) and each.event.side == "BUYER":
                row = pair_row(each.event)
                self._fresh.setdefault(row.pair, {})[row.order_id] = row
        self._taken_in = len(planned)

    def of(self, order_id: str, buyer_id: str, seller_id: str) -> tuple[PairReview, ...]:
        """The reviews of a pair that count by now, but for an order's own: also those that began to
        count later than this one will, by another clock or because a timer was late.
        """
        rows = {row.order_id: row for row in self.others.get(order_id, ())}
        rows |= self._fresh.get((buyer_id, seller_id), {})
        rows.pop(order_id, None)
        return tuple(
            PairReview(sign=row.sign, counted_at=row.counted_at)
            for row in sorted(rows.values(), key=lambda row: (row.counted_at, row.order_id))
            if row.weight_milli > 0
        )


LOCK = 0x70616972
ONE_OF_A_PAIR = f"""
    SELECT pg_advisory_xact_lock({LOCK}, pair)
    FROM (SELECT DISTINCT abs(hashtext(told) % 1024) AS pair FROM unnest($1::text[]) AS told
          ORDER BY pair) AS asked
"""  # noqa: S608 - constants of the code
"""Taken before the other reviews of pairs are read, until what is decided on them is there: the
next review of the same pair counts it, whoever and whatever brings it. In one order, of at most
1024 locks: whoever takes many waits for nobody who waits for him."""


async def lock_pairs(pairs: Iterable[Pair], db: Database) -> None:
    """Waits until nobody else decides on reviews of these pairs, until the transaction ends."""
    # A line break is in no id.
    await db.execute(ONE_OF_A_PAIR, sorted({"\n".join(pair) for pair in pairs}))


OTHERS = f"""
    SELECT asked.order_id AS of_order, other.*
    FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
        AS asked (order_id, buyer_id, seller_id, at)
    CROSS JOIN unnest(ARRAY['GOOD', 'NEUTRAL', 'BAD']) AS asked_sign
    CROSS JOIN LATERAL (
        SELECT * FROM facts.pair_review AS told
        WHERE told.buyer_id = asked.buyer_id AND told.seller_id = asked.seller_id
          AND told.sign = asked_sign AND told.weight_milli > 0
          AND told.order_id <> asked.order_id
        ORDER BY abs(extract(epoch FROM told.counted_at - asked.at)) LIMIT {EACH_SIGN_MAX}
    ) AS other
"""  # noqa: S608 - constants of the code


async def read_pairs(asked: Mapping[str, Pair], at: Mapping[str, datetime], db: Database) -> Pairs:
    """The other reviews of the pairs of these orders. `at`: about when each order's own begins to
    count; those that are nearest to it are read.
    """
    others: dict[str, list[PairRow]] = {}
    rows = await db.fetch(
        OTHERS,
        list(asked),
        [buyer_id for buyer_id, _ in asked.values()],
        [seller_id for _, seller_id in asked.values()],
        [at[order_id] for order_id in asked],
    )
    for of_order, *row in rows:
        others.setdefault(of_order, []).append(PairRow(**dict(zip(FIELDS, row, strict=True))))
    return Pairs(others=others)


FIELDS = PairRow.__struct_fields__
# Sorted: two writers of the same rows wait for each other in one order.
WRITE = """
    INSERT INTO facts.pair_review AS told
        (order_id, buyer_id, seller_id, sign, counted_at, weight_milli, seq)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[],
                         $6::int[], $7::int[]) AS new (order_id)
    ORDER BY order_id
    ON CONFLICT (order_id) DO UPDATE SET
        sign = excluded.sign, weight_milli = excluded.weight_milli, seq = excluded.seq
    WHERE excluded.seq > told.seq
"""


async def write_pairs(weighted: Iterable[Planned | Recorded[Any]], db: Database | None) -> None:
    """Keeps how buyers' reviews count by now: in the transaction that decides it where many are
    decided at once, so that those who come next see it.
    """
    rows: dict[str, PairRow] = {}
    for each in weighted:
        if isinstance(each.event, ReviewWeighted) and each.event.side == "BUYER":
            rows[each.event.order_id] = pair_row(each.event)
    if rows and db is not None:
        await db.execute(WRITE, *([getattr(row, name) for row in rows.values()] for name in FIELDS))
