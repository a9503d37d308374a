"""Rows in, what is known of many orders at once out: what decisions need of other streams.

One round trip tells of disputes, returns, refunds, measures and cases, one more of earlier reviews
of the same pairs.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Literal, Protocol

import msgspec
from msgspec import Struct, field
from shared_casework.people import InForce
from shared_events.review import Carriage, Side
from shared_runtime.log import Database
from shared_runtime.rows import grouped
from shared_runtime.sealing import person

from review_service.domain.flags import DAY
from review_service.domain.known import Known, Measure
from review_service.domain.order import Placed
from review_service.domain.policy import Policies
from review_service.domain.weight import PairReview, WeightFacts
from review_service.fact_rows import (
    CaseStanding,
    Delay,
    Dispute,
    GoodsReturn,
    Refund,
)
from review_service.pairs import Pairs, read_pairs


class HasParties(Protocol):
    """Any event about an order."""

    @property
    def order_id(self) -> str: ...
    @property
    def buyer_id(self) -> str: ...
    @property
    def seller_id(self) -> str: ...


class Parties(Struct, frozen=True, kw_only=True):
    buyer_id: str
    seller_id: str

    @classmethod
    def of(cls, event: HasParties) -> "Parties":
        return cls(buyer_id=event.buyer_id, seller_id=event.seller_id)

    @property
    def persons(self) -> dict[Side, str]:
        return {
            "BUYER": person("buyer", self.buyer_id),
            "SELLER": person("seller", self.seller_id),
        }


class Accused(Struct, frozen=True, kw_only=True):
    order_id: str
    review_id: str
    standing: CaseStanding


class WrittenRow(Struct, frozen=True, kw_only=True):
    """When a review was written by somebody who has lost the right to, once."""

    order_id: str
    side: Side
    submitted_at: datetime


class FactsOf(Struct, frozen=True, kw_only=True):
    """What other streams tell of one order, of its parties and of their reviews."""

    disputes: tuple[Dispute, ...] = ()
    returns: tuple[GoodsReturn, ...] = ()
    refund: Refund | None = None
    delay: Delay | None = None
    rights_lost: Mapping[Side, tuple[InForce, ...]] = {}
    written_at: Mapping[Side, datetime] = {}
    accused: tuple[Accused, ...] = ()
    erased: frozenset[Side] = frozenset()

    def open_disputes(self, at: datetime) -> tuple[str, ...]:
        """In the order in which they were opened. As of an instant, because a late timer may not
        see what came after it.
        """
        if not self.disputes:  # of nearly all orders, and it is asked at every event of each
            return ()
        found = [(each.opened_at, each.dispute_id) for each in self.disputes if each.is_open(at)]
        return tuple(dispute_id for _, dispute_id in sorted(found))

    def measure_on(self, side: Side, at: datetime) -> Measure | None:
        """What keeps a side from writing at this instant."""
        for lost in self.rights_lost.get(side, ()):
            if lost.is_in_force(at):
                return Measure(measure_id=lost.measure_id, until=lost.ends_at)
        return None

    def carriage(self) -> tuple[Carriage, str] | None:
        """On whose account the delivery goes instead of the seller's, and by which cause."""
        if self.delay:
            return self.delay.liable, self.delay.incident_id
        causes = sorted(each.dispute_id for each in self.disputes if each.by_carrier)
        return ("CARRIER", causes[0]) if causes else None

    def facts(self, order: Placed, at: datetime, pair: tuple[PairReview, ...] = ()) -> WeightFacts:
        """The facts that the weights of the order's reviews follow from."""
        return WeightFacts(
            total_ref_minor=order.placed.total_ref_minor,
            placed_at=order.placed.placed_at,
            buyer_registered_at=order.placed.buyer_registered_at,
            late=is_late(order),
            corroborated=(
                self.refund is not None
                or any(each.corroborates for each in self.returns)
                or any(each.against_seller for each in self.disputes)
            ),
            buyer_abuse=any(each.buyer_abuse for each in self.disputes),
            rating_right_lost=frozenset(
                side
                for side, measures in self.rights_lost.items()
                if any(lost.takes(self.written_at.get(side, at)) for lost in measures)
            ),
            fake_confirmed=self._accused("CONFIRMED"),
            open_cases=self._accused("OPEN"),
            pair=pair,
        )

    def _accused(self, standing: Literal["OPEN", "CONFIRMED"]) -> frozenset[str]:
        return frozenset(each.review_id for each in self.accused if each.standing == standing)


NOTHING = FactsOf()


def is_late(order: Placed) -> bool:
    """Whether any delivery, or a completion that stands for one, came after what was promised."""
    delivered = any(delivery.late for delivery in order.deliveries)
    return delivered or any(completion.late for completion in order.completions)


class KnownRows(Struct, frozen=True, kw_only=True):
    """The answer of `READ`."""

    disputes: list[Dispute] | None = None
    returns: list[GoodsReturn] | None = None
    refunds: list[Refund] | None = None
    delays: list[Delay] | None = None
    rights_lost: list[InForce] | None = None
    written: list[WrittenRow] | None = None
    accused: list[Accused] | None = None
    erased: list[str] | None = None


NO_ROWS = KnownRows()
WRITTEN_AT = attrgetter("submitted_at")
decode_known = msgspec.json.Decoder(KnownRows).decode

READ = """
    SELECT json_build_object(
        'disputes', (SELECT json_agg(told) FROM facts.dispute AS told WHERE order_id = ANY($1)),
        'returns', (SELECT json_agg(told) FROM facts.goods_return AS told WHERE order_id = ANY($1)),
        'refunds', (SELECT json_agg(told) FROM facts.refund AS told WHERE order_id = ANY($1)),
        'delays', (SELECT json_agg(told) FROM facts.delay AS told WHERE order_id = ANY($1)),
        'rights_lost', (
            SELECT json_agg(told) FROM facts.right_lost AS told WHERE person = ANY($2)),
        'written', (
            SELECT json_agg(told) FROM facts.review AS told
            WHERE order_id = ANY($1)
              AND author IN (SELECT person FROM facts.right_lost WHERE person = ANY($2))),
        'accused', (
            SELECT json_agg(json_build_object(
                'order_id', told.order_id, 'review_id', told.review_id,
                'standing', accusation.standing))
            FROM facts.review AS told
            JOIN facts.accused_review USING (review_id)
            JOIN facts.accusation AS accusation USING (case_id)
            WHERE told.order_id = ANY($1)),
        'erased', (SELECT json_agg(person) FROM facts.erased WHERE person = ANY($2))
    )::text
"""


async def read_known(parties: Mapping[str, Parties], db: Database) -> dict[str, FactsOf]:
    """What is known of orders, by their ids; those that nothing is known of are left out."""
    if not parties:
        return {}
    persons = {person for each in parties.values() for person in each.persons.values()}
    told = decode_known(await db.fetchval(READ, list(parties), list(persons)))
    return {} if told == NO_ROWS else by_order(parties, told)


def by_order(parties: Mapping[str, Parties], told: KnownRows) -> dict[str, FactsOf]:
    disputes = grouped(told.disputes, lambda row: row.order_id)
    returns = grouped(told.returns, lambda row: row.order_id)
    refunds = grouped(told.refunds, lambda row: row.order_id)
    delays = grouped(told.delays, lambda row: row.order_id)
    rights_lost = grouped(told.rights_lost, lambda row: row.person)
    written = grouped(told.written, lambda row: row.order_id)
    accused = grouped(told.accused, lambda row: row.order_id)
    gone = frozenset(told.erased or ())
    known: dict[str, FactsOf] = {}
    for order_id, each in parties.items():
        persons = each.persons
        found = FactsOf(
            disputes=disputes.get(order_id, ()),
            returns=returns.get(order_id, ()),
            refund=next(iter(refunds.get(order_id, ())), None),
            delay=next(iter(delays.get(order_id, ())), None),
            rights_lost={
                side: lost for side, who in persons.items() if (lost := rights_lost.get(who))
            },
            written_at={
                row.side: row.submitted_at
                for row in sorted(written.get(order_id, ()), key=WRITTEN_AT)
            },
            accused=accused.get(order_id, ()),
            erased=frozenset(side for side, who in persons.items() if who in gone),
        )
        if found != NOTHING:
            known[order_id] = found
    return known


# --- How often somebody has flagged

FLAGGING = 0x666C6167
ONE_FLAGGER = f"""
    SELECT pg_advisory_xact_lock({FLAGGING}, who)
    FROM (SELECT DISTINCT hashtext(told) AS who FROM unnest($1::text[]) AS told
          ORDER BY who) AS asked
"""  # noqa: S608 - a constant of the code
"""Taken before a flag is decided, until it has been recorded: the next one of the same sender
counts it. It keeps nobody else waiting; whoever takes several takes them in one order."""
FLAGGED_LATELY = """
    SELECT flagged_at FROM facts.flag WHERE flagger = $1 AND flagged_at > $2 ORDER BY flagged_at
"""


async def lock_flaggers(flaggers: Iterable[str], db: Database) -> None:
    """Waits until nobody else decides on a flag of these, until the transaction ends."""
    await db.execute(ONE_FLAGGER, [*{*flaggers}])


async def flagged_lately(who: str, now: datetime, db: Database) -> tuple[datetime, ...]:
    """When somebody flagged any review in the last 24 hours."""
    rows = await db.fetch(FLAGGED_LATELY, who, now - DAY)
    return tuple(row["flagged_at"] for row in rows)


IS_ERASED = "SELECT EXISTS (SELECT FROM facts.erased WHERE person = $1)"


async def is_erased(who: str, db: Database) -> bool:
    """Whether another service has told that somebody was erased."""
    return bool(await db.fetchval(IS_ERASED, who))


# --- For whoever decides


class Facts(Struct, frozen=True, kw_only=True):
    """What is known of many orders, and of other reviews by their buyers of their sellers."""

    by_order: Mapping[str, FactsOf] = {}
    pairs: Pairs = field(default_factory=Pairs)

    def of(self, order_id: str) -> FactsOf:
        return self.by_order.get(order_id, NOTHING)

    def facts(self, order: Placed, at: datetime) -> WeightFacts:
        placed = order.placed
        pair = self.pairs.of(placed.order_id, placed.buyer_id, placed.seller_id)
        return self.of(placed.order_id).facts(order, at, pair)

    def known(self, order: Placed, at: datetime, policies: Policies) -> Known:
        """What a decision about the order's evaluation needs to know, whoever asks for it."""
        order_id = order.placed.order_id
        return Known(
            policies=policies,
            facts=self.facts(order, at),
            open_disputes=self.of(order_id).open_disputes(at),
            order_cancelled=order.stage == "CANCELLED",
            party_orgs=frozenset({order.placed.seller_id, order.placed.buyer_id}),
        )


async def read_facts(
    parties: Mapping[str, Parties], at: Mapping[str, datetime], db: Database | None
) -> Facts:
    """What is known of these orders. `at`: about which instant something is decided on each.

    Without a database nothing is known but what is decided beside.
    """
    if db is None or not parties:
        return Facts()
    known = await read_known(parties, db)
    asked = {order_id: (each.buyer_id, each.seller_id) for order_id, each in parties.items()}
    return Facts(by_order=known, pairs=await read_pairs(asked, at, db))


def parties_of(orders: Mapping[str, Placed]) -> dict[str, Parties]:
    return {order_id: Parties.of(order.placed) for order_id, order in orders.items()}
