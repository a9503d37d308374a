"""Rows in, what is known of orders besides the streams of their disputes out.

One round trip tells of orders, of what was opened on them before, of returns, money and people.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Protocol

import msgspec
from msgspec import Struct
from shared_casework.money import Money, money_of
from shared_casework.order_facts import OrderFacts
from shared_casework.party_orgs import PartyOrg
from shared_casework.people import InForce
from shared_events.fields import Party
from shared_runtime.log import Database
from shared_runtime.rows import grouped
from shared_runtime.sealing import person

from dispute_service.domain.known import Known, UnitFacts
from dispute_service.domain.policy import Policies
from dispute_service.fact_rows import GoodsReturn, Replacement
from dispute_service.matters import DisputeRow, InquiryRow


class RemedyOf(Struct, frozen=True, kw_only=True):
    order_id: str
    remedy_id: str
    dispute_id: str


class KnownRows(Struct, frozen=True, kw_only=True):
    """The answer of `READ`."""

    orders: list[OrderFacts] | None = None
    disputes: list[DisputeRow] | None = None
    inquiries: list[InquiryRow] | None = None
    returns: list[GoodsReturn] | None = None
    money: list[Money] | None = None
    manual: list[InForce] | None = None
    erased: list[str] | None = None
    orgs: list[PartyOrg] | None = None
    remedies: list[RemedyOf] | None = None


decode_known = msgspec.json.Decoder(KnownRows).decode

READ = """
    WITH of_order AS (SELECT * FROM read.order_facts WHERE order_id = ANY($1)),
    person AS (
        SELECT 'buyer:' || buyer_id AS person FROM of_order
        UNION SELECT 'seller:' || seller_id FROM of_order)
    SELECT json_build_object(
        'orders', (SELECT json_agg(told) FROM of_order AS told),
        'disputes', (SELECT json_agg(told ORDER BY dispute_id)
                     FROM facts.dispute AS told WHERE order_id = ANY($1)),
        'inquiries', (SELECT json_agg(told) FROM facts.inquiry AS told WHERE order_id = ANY($1)),
        'returns', (SELECT json_agg(told ORDER BY return_id)
                    FROM facts.goods_return AS told WHERE order_id = ANY($1)),
        'money', (SELECT json_agg(told) FROM facts.money AS told WHERE order_id = ANY($1)),
        'manual', (SELECT json_agg(told) FROM facts.manual_only AS told JOIN person USING (person)),
        'erased', (SELECT json_agg(person) FROM facts.erased JOIN person USING (person)),
        'orgs', (SELECT json_agg(told) FROM facts.party_org AS told WHERE order_id = ANY($1)),
        'remedies', (SELECT json_agg(told) FROM facts.remedy AS told WHERE order_id = ANY($1))
    )::text
"""


class FactsOf(Struct, frozen=True, kw_only=True):
    """What other streams tell of one order and of its parties."""

    order: OrderFacts | None = None
    disputes: tuple[DisputeRow, ...] = ()
    inquiries: tuple[InquiryRow, ...] = ()
    returns: tuple[GoodsReturn, ...] = ()
    money: Money | None = None
    manual: tuple[InForce, ...] = ()
    erased: frozenset[Party] = frozenset()
    orgs: frozenset[str] = frozenset()
    remedies: tuple[RemedyOf, ...] = ()

    def known(self, now: datetime, policies: Policies, sender: Party | None = None) -> Known:
        """What a decision needs to know. `sender`: the party who asks, if it is one."""
        order = self.order
        parties = frozenset({order.buyer_id, order.seller_id}) if order else frozenset[str]()
        return Known(
            policies=policies,
            order=order,
            units=tuple(self.units()) if order else (),
            ledger=(self.money or money_of(order)).remaining if order else None,
            open_disputes=self._how_many("OPEN"),
            withdrawn_disputes=self._how_many("WITHDRAWN"),
            open_inquiries=sum(each.is_open for each in self.inquiries),
            all_inquiries=len(self.inquiries),
            inquiry_ids=frozenset(each.inquiry_id for each in self.inquiries),
            manual_only=any(each.is_in_force(now) for each in self.manual),
            erased=sender in self.erased if sender else False,
            erased_parties=self.erased,
            party_orgs=parties | self.orgs,
        )

    def ordered_by(self, remedy_id: str | None) -> str | None:
        """The dispute that has ordered a remedy."""
        return next(
            (each.dispute_id for each in self.remedies if each.remedy_id == remedy_id), None
        )

    def _how_many(self, standing: str) -> int:
        return sum(each.standing == standing for each in self.disputes)

    def units(self) -> Iterable[UnitFacts]:
        """The pieces of the order as they are now, in the order of its lines."""
        assert self.order is not None
        replaced = {each.old_unit: each for goods in self.returns for each in goods.replacements}
        for line in self.order.lines:
            for number in range(1, line.quantity + 1):
                unit, by = f"{line.line_id}/{number}", None
                while unit in replaced:
                    by = replaced[unit]
                    unit = by.new_unit
                yield self.unit(unit, by)

    def unit(self, unit: str, by: Replacement | None) -> UnitFacts:
        of = [each for each in self.disputes if unit in each.units]
        returned = (each.return_id for each in self.returns if unit in each.held)
        return UnitFacts(
            unit=unit,
            in_dispute=first(of, "OPEN"),
            in_return=next(returned, None),
            ended_by=first(of, "ENDED"),
            withdrawn=sum(each.standing == "WITHDRAWN" for each in of),
            shipped_at=by.shipped_at if by else None,
            delivered_at=by.delivered_at if by else None,
            arrival_assumed=by.assumed if by else False,
        )


NOTHING = FactsOf()


def first(disputes: Iterable[DisputeRow], standing: str) -> str | None:
    return next((each.dispute_id for each in disputes if each.standing == standing), None)


async def read_facts(order_ids: Collection[str], db: Database) -> Mapping[str, FactsOf]:
    """What is known of orders, by their ids. Of an order that is not known there is nothing."""
    told = decode_known(await db.fetchval(READ, [*order_ids]))
    disputes, inquiries = by_order(told.disputes), by_order(told.inquiries)
    returns, money, orgs = by_order(told.returns), by_order(told.money), by_order(told.orgs)
    remedies = by_order(told.remedies)
    manual = grouped(told.manual, lambda each: each.person)
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
            disputes=disputes.get(order_id, ()),
            inquiries=inquiries.get(order_id, ()),
            returns=returns.get(order_id, ()),
            money=next(iter(money.get(order_id, ())), None),
            manual=manual.get(buyer, ()),
            erased=frozenset(side for side, who in persons.items() if who in gone),
            orgs=frozenset(each.org_id for each in orgs.get(order_id, ())),
            remedies=remedies.get(order_id, ()),
        )
    return known


class OfOrder(Protocol):
    @property
    def order_id(self) -> str: ...


def by_order[R: OfOrder](rows: Iterable[R] | None) -> dict[str, tuple[R, ...]]:
    return grouped(rows, lambda row: row.order_id)
