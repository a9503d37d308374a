"""Rows in, what is known of orders besides the streams of their matters out: in one round trip."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from shared_casework.money import LedgerFacts
from shared_casework.order_facts import OrderFacts
from shared_casework.party_orgs import PartyOrg
from shared_casework.people import InForce
from shared_events.envelope import Recorded
from shared_events.fields import Party
from shared_runtime.log import Database
from shared_runtime.rows import grouped
from shared_runtime.sealing import person

from returns_service.dispute_rows import DisputeRow
from returns_service.domain.known import BuyerFacts, Draft, Known
from returns_service.domain.policy import Policies
from returns_service.domain.tables import ReturnMeasure
from returns_service.ledger_rows import LedgerRow
from returns_service.return_facts import contests_of, file_digest, pieces_of, refunds_of
from returns_service.return_rows import ReturnRow


class MeasureRow(InForce, frozen=True, kw_only=True):
    measure: ReturnMeasure


class TrustRow(Struct, frozen=True, kw_only=True):
    """What all returns of a buyer tell of him."""

    buyer_id: str
    exposure_ref_minor: int
    advance_rejected_at: datetime | None = None


class KnownRows(Struct, frozen=True, kw_only=True):
    """The answer of `READ`."""

    orders: list[OrderFacts] | None = None
    returns: list[ReturnRow] | None = None
    disputes: list[DisputeRow] | None = None
    ledgers: list[LedgerRow] | None = None
    trust: list[TrustRow] | None = None
    measures: list[MeasureRow] | None = None
    erased: list[str] | None = None
    orgs: list[PartyOrg] | None = None


decode_known = msgspec.json.Decoder(KnownRows).decode

READ = """
    WITH of_order AS (SELECT * FROM read.order_facts WHERE order_id = ANY($1)),
    buyer AS (SELECT DISTINCT buyer_id FROM of_order),
    person AS (
        SELECT 'buyer:' || buyer_id AS person FROM buyer
        UNION SELECT 'seller:' || seller_id FROM of_order),
    trust AS (
        SELECT buyer_id, sum(exposure_ref_minor) AS exposure_ref_minor,
            max(advance_rejected_at) AS advance_rejected_at
        FROM facts.goods_return JOIN buyer USING (buyer_id)
        WHERE exposure_ref_minor > 0 OR advance_rejected_at IS NOT NULL
        GROUP BY buyer_id),
    measure AS (
        SELECT 'MANUAL_ONLY' AS measure, told.*
        FROM facts.manual_only AS told JOIN person USING (person)
        UNION ALL SELECT 'NO_FAST_LANE', told.*
        FROM facts.no_fast_lane AS told JOIN person USING (person))
    SELECT json_build_object(
        'orders', (SELECT json_agg(told) FROM of_order AS told),
        'returns', (SELECT json_agg(told ORDER BY began_at, return_id)
                    FROM facts.goods_return AS told WHERE order_id = ANY($1)),
        'disputes', (SELECT json_agg(told ORDER BY dispute_id)
                     FROM facts.dispute AS told WHERE order_id = ANY($1)),
        'ledgers', (SELECT json_agg(told) FROM facts.ledger AS told WHERE order_id = ANY($1)),
        'trust', (SELECT json_agg(told) FROM trust AS told),
        'measures', (SELECT json_agg(told) FROM measure AS told),
        'erased', (SELECT json_agg(person) FROM facts.erased JOIN person USING (person)),
        'orgs', (SELECT json_agg(told) FROM facts.party_org AS told WHERE order_id = ANY($1))
    )::text
"""


class FactsOf(Struct, frozen=True, kw_only=True):
    """What other streams tell of one order and of its parties."""

    order: OrderFacts | None = None
    returns: tuple[ReturnRow, ...] = ()
    disputes: tuple[DisputeRow, ...] = ()
    ledger: LedgerRow | None = None
    trust: TrustRow | None = None
    measures: tuple[MeasureRow, ...] = ()
    erased: frozenset[Party] = frozenset()
    orgs: frozenset[str] = frozenset()

    def known(self, policies: Policies, sender: Party | None = None) -> Known:
        """What a decision about its ledger needs to know. `sender`: the party who asks, if it is
        one.
        """
        order = self.order
        parties = frozenset({order.buyer_id, order.seller_id}) if order else frozenset[str]()
        return Known(
            policies=policies,
            order=order,
            erased=sender in self.erased if sender else False,
            party_orgs=parties | self.orgs,
        )

    def known_of_return(
        self,
        now: datetime,
        policies: Policies,
        sender: Party | None = None,
        *,
        return_id: str = "",
        history: Sequence[Recorded[Any]] = (),
    ) -> Known:
        """What a decision about a return of it needs to know besides. `history`: that of the
        return, if it has begun.
        """
        drafts = (
            Draft(return_id=each.return_id, confirm_by=each.confirm_by)
            for each in self.returns
            if each.confirm_by
        )
        fast = [
            each for each in self.returns if each.lane == "FAST" and each.return_id != return_id
        ]
        return replace(
            self.known(policies, sender),
            pieces=pieces_of(self.order, self.returns, self.disputes, self.ledger, now)
            if self.order
            else (),
            ledger=self.remaining,
            buyer=self.buyer(now),
            fast_returns=len(fast),
            draft=max(drafts, key=lambda each: each.confirm_by, default=None),
            refunds=refunds_of(self.ledger, history),
            contests=contests_of(self.disputes, return_id),
            file_sha256=file_digest(history),
        )

    def adjudicators_of(self, return_id: str) -> frozenset[str]:
        """Who decides on its contests now."""
        return frozenset(
            each.adjudicator_id
            for each in self.disputes
            if each.return_id == return_id and each.adjudicator_id
        )

    @property
    def remaining(self) -> LedgerFacts | None:
        return self.ledger.money.remaining if self.ledger else None

    def buyer(self, now: datetime) -> BuyerFacts:
        trust = self.trust
        return BuyerFacts(
            measures=frozenset(each.measure for each in self.measures if each.is_in_force(now)),
            exposure_ref_minor=trust.exposure_ref_minor if trust else 0,
            advance_rejected_at=trust.advance_rejected_at if trust else None,
        )


NOTHING = FactsOf()


async def read_facts(order_ids: Collection[str], db: Database) -> Mapping[str, FactsOf]:
    """What is known of orders, by their ids. Of an order that is not known there is nothing."""
    told = decode_known(await db.fetchval(READ, [*order_ids]))
    returns, disputes = by_order(told.returns), by_order(told.disputes)
    ledgers, orgs = by_order(told.ledgers), by_order(told.orgs)
    trust = {each.buyer_id: each for each in told.trust or ()}
    measures = grouped(told.measures, lambda each: each.person)
    gone = frozenset(told.erased or ())
    known: dict[str, FactsOf] = {}
    for order in told.orders or ():
        order_id, buyer = order.order_id, person("buyer", order.buyer_id)
        persons: Mapping[Party, str] = {
            "BUYER": buyer,
            "SELLER": person("seller", order.seller_id),
        }
        known[order_id] = FactsOf(
            order=order,
            returns=returns.get(order_id, ()),
            disputes=disputes.get(order_id, ()),
            ledger=next(iter(ledgers.get(order_id, ())), None),
            trust=trust.get(order.buyer_id),
            measures=measures.get(buyer, ()),
            erased=frozenset(side for side, who in persons.items() if who in gone),
            orgs=frozenset(each.org_id for each in orgs.get(order_id, ())),
        )
    return known


class OfOrder(Protocol):
    @property
    def order_id(self) -> str: ...


def by_order[R: OfOrder](rows: Iterable[R] | None) -> dict[str, tuple[R, ...]]:
    return grouped(rows, lambda row: row.order_id)
