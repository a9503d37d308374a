"""What a reader may know of a ledger in, what he sees of it and can do about it now out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared_casework.money import Given, UnitMoney
from shared_events.returns import (
    Bearer,
    RefundEvent,
    RefundIssued,
    RefundNotDue,
    RefundOverpaid,
    RefundSource,
    RefundWay,
    RemedyAlreadyMet,
)
from shared_runtime.fields import Money
from shared_runtime.rules import Action, attempt

from returns_service.domain.known import Sender
from returns_service.domain.ledger_readers import LedgerReading
from returns_service.domain.ledger_rules import LEDGER_RULES
from returns_service.domain.ledger_state import (
    Ledger,
    OutsideStatus,
    Refund,
    RefundStatus,
)
from returns_service.domain.matter import AnyRefundRule, one_refund
from returns_service.domain.stopping import UNDER_WAY

PEOPLE = ("BUYER", "SELLER", "AGENT", "SENIOR")
"""Who is offered what he can do. Commands of timers and connectors are nobody's choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SumsView:
    """All money of an order by where it is. `requested`: on its way. `failed` and `bounced`: owed
    still, and on no way; another refund has to be made of each. `outside`: given by others.
    `overpaid`: given twice, which nobody asks of the buyer; null for him.
    """

    paid: Money
    refundable: Money
    requested: Money
    settled: Money
    failed: Money
    bounced: Money
    outside: Money
    borne_by_seller: Money
    borne_by_platform: Money
    overpaid: Money | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerUnitView:
    """A piece. `given` is settled, on its way, or given by others for it. `returned`: a refund of
    goods has named it. `replaced`: another piece is in its place, with its money.
    """

    unit: str
    paid: Money
    given: Money
    refundable: Money
    returned: bool
    replaced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLineView:
    """A line, as the sum of its pieces."""

    line_id: str
    paid: Money
    given: Money
    refundable: Money
    units: list[LedgerUnitView]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippingView:
    paid: Money
    given: Money
    refundable: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundedUnitView:
    unit: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureView:
    """Why it was not paid. UNKNOWN: nobody has answered, and the money stays reserved. `final`: it
    is not tried again.
    """

    code: str
    kind: Literal["REFUSED", "RETRYABLE", "UNKNOWN"]
    final: bool
    retry_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundView:
    """`source`, `source_id` and `reason`: what it is given for. `clipped_from`: what was asked for,
    if less was left. `gateway_ref`: by whose word it is paid, or never was. `reissues`: the refund
    that it is in the place of; `reissued_by`: the one in its place. `not_due`: others had given
    it when it was to be reissued. `overdue_at`: until when the buyer is to have it. `borne_by`: as
    it was asked for; `platform_bears`: of it, by now.
    """

    refund_id: str
    state: RefundStatus
    source: RefundSource
    source_id: str
    remedy_id: str | None
    outside_id: str | None
    reason: str | None
    seller_at_fault: bool
    advance: bool
    borne_by: Bearer
    way: RefundWay
    total: Money
    platform_bears: Money
    units: list[RefundedUnitView]
    shipping: Money
    goodwill: Money
    difference: Money
    label_cost: Money
    clipped_from: Money | None
    attempt: int
    failure: FailureView | None
    gateway_ref: str | None
    reissues: str | None
    reissued_by: str | None
    not_due: bool
    overdue_at: datetime
    settled_at: datetime | None
    available_actions: list[Action]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideRefundView:
    """Money that others have given back. UNDONE: they took it again, and it counts no more."""

    outside_id: str
    state: OutsideStatus
    total: Money
    units: list[RefundedUnitView]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotDueView:
    """What was asked for and not given. `given_by`: what had been given for it before. `reissues`:
    the refund in whose place it was asked for, which is owed no more.
    """

    refund_id: str | None
    source: RefundSource
    source_id: str
    reissues: str | None
    units: list[str]
    given_by: list[str]
    why: Literal["GIVEN", "ORIGINAL_OUT"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerView:
    """All money of an order that is given back, whoever ordered it."""

    order_id: str
    seller_id: str
    buyer_id: str
    policy_version: str
    currency: str
    sums: SumsView
    lines: list[LedgerLineView]
    shipping: ShippingView
    refunds: list[RefundView]
    outside: list[OutsideRefundView]
    not_due: list[NotDueView]
    available_actions: list[Action]


def ledger_view(reading: LedgerReading, by: Sender) -> LedgerView:
    ledger = reading.state
    assert isinstance(ledger, Ledger)
    opened = ledger.opened
    return LedgerView(
        order_id=opened.order_id,
        seller_id=opened.seller_id,
        buyer_id=opened.buyer_id,
        policy_version=opened.policy_version,
        currency=opened.currency,
        sums=sums_view(ledger, reading.events),
        lines=[*line_views(ledger)],
        shipping=shipping_view(ledger),
        refunds=[*refund_views(ledger, reading.events, by)],
        outside=[*outside_views(ledger)],
        not_due=[*not_due_views(reading.events)],
        available_actions=LEDGER_RULES.offered(ledger, by) if is_offered(by) else [],
    )


def is_offered(by: Sender) -> bool:
    return by.actor.acts_as in PEOPLE


def money_in(ledger: Ledger, amount: int) -> Money:
    return Money(amount=amount, currency=ledger.currency)


# --- Sums


def sums_view(ledger: Ledger, events: Sequence[RefundEvent]) -> SumsView:
    refunds = ledger.refunds.values()
    settled = [each for each in refunds if each.status == "SETTLED"]
    owed = [each for each in refunds if each.is_owed]

    def total(of: Iterable[Refund]) -> Money:
        return money_in(ledger, sum(each.total_minor for each in of))

    by_platform = sum(each.platform_minor for each in settled)
    told = any(isinstance(each, RefundOverpaid) for each in events)
    return SumsView(
        paid=money_in(ledger, ledger.money.total_minor),
        refundable=money_in(ledger, ledger.remaining.order_minor),
        requested=total(each for each in refunds if each.status in UNDER_WAY),
        settled=total(settled),
        failed=total(each for each in owed if each.status == "FAILED_FINAL"),
        bounced=total(each for each in owed if each.status == "BOUNCED"),
        outside=money_in(ledger, ledger.outside_minor),
        borne_by_seller=money_in(ledger, sum(each.total_minor for each in settled) - by_platform),
        borne_by_platform=money_in(ledger, by_platform),
        overpaid=money_in(ledger, ledger.money.overpaid_minor) if told else None,
    )


def line_views(ledger: Ledger) -> Iterator[LedgerLineView]:
    units: dict[str, list[UnitMoney]] = {}
    for each in ledger.money.units:
        units.setdefault(each.unit.rpartition("/")[0], []).append(each)
    given = ledger.money.parts(each for each in ledger.money.given if each.counts).units
    left = ledger.remaining.units
    for line_id, of_line in units.items():
        names = [each.unit for each in of_line]
        yield LedgerLineView(
            line_id=line_id,
            paid=money_in(ledger, sum(each.paid_minor for each in of_line)),
            given=money_in(ledger, sum(given.get(unit, 0) for unit in names)),
            refundable=money_in(ledger, sum(left[unit] for unit in names)),
            units=[
                LedgerUnitView(
                    unit=each.unit,
                    paid=money_in(ledger, each.paid_minor),
                    given=money_in(ledger, given.get(each.unit, 0)),
                    refundable=money_in(ledger, left[each.unit]),
                    returned=each.returned,
                    replaced=each.replaced,
                )
                for each in of_line
            ],
        )


def shipping_view(ledger: Ledger) -> ShippingView:
    money = ledger.money
    given = money.parts(each for each in money.given if each.counts).shipping_minor
    return ShippingView(
        paid=money_in(ledger, money.shipping_minor),
        given=money_in(ledger, given),
        refundable=money_in(ledger, ledger.remaining.shipping_minor),
    )


# --- Refunds


def refund_views(ledger: Ledger, events: Sequence[RefundEvent], by: Sender) -> Iterator[RefundView]:
    settled_at = {
        each.refund_id: each.issued_at for each in events if isinstance(each, RefundIssued)
    }
    for refund_id, refund in ledger.refunds.items():
        yield refund_view(
            ledger, refund, settled_at.get(refund_id), actions_on(ledger, refund_id, by)
        )


def refund_view(
    ledger: Ledger, refund: Refund, settled_at: datetime | None, actions: list[Action]
) -> RefundView:
    asked, failure = refund.requested, refund.failure
    return RefundView(
        refund_id=asked.refund_id,
        state=refund.status,
        source=asked.source,
        source_id=asked.source_id,
        remedy_id=asked.remedy_id,
        outside_id=asked.outside_id,
        reason=asked.reason,
        seller_at_fault=asked.seller_at_fault,
        advance=asked.advance,
        borne_by=asked.borne_by,
        way=asked.way,
        total=money_in(ledger, asked.total_minor),
        platform_bears=money_in(ledger, refund.platform_minor),
        units=[
            RefundedUnitView(unit=each.unit, amount=money_in(ledger, each.amount_minor))
            for each in asked.units
        ],
        shipping=money_in(ledger, asked.shipping_minor),
        goodwill=money_in(ledger, asked.goodwill_minor),
        difference=money_in(ledger, asked.difference_minor or 0),
        label_cost=money_in(ledger, asked.label_cost_minor),
        clipped_from=None
        if asked.clipped_from_minor is None
        else money_in(ledger, asked.clipped_from_minor),
        attempt=refund.attempt,
        failure=FailureView(
            code=failure.code, kind=failure.kind, final=failure.final, retry_at=failure.retry_at
        )
        if failure
        else None,
        gateway_ref=refund.word,
        reissues=asked.reissues,
        reissued_by=refund.reissued_by,
        not_due=refund.given_by is not None,
        overdue_at=refund.overdue_at,
        settled_at=settled_at,
        available_actions=actions,
    )


def actions_on(ledger: Ledger, refund_id: str, by: Sender) -> list[Action]:
    """One for each command about a refund that this role may ever send."""
    if not is_offered(by):
        return []
    refund = one_refund(ledger, refund_id, by)
    return [
        attempt(row, refund, said, by)
        for row in LEDGER_RULES
        if isinstance(row, AnyRefundRule) and by.actor.acts_as in row.roles and row.tries
        for said in row.tries(refund, by)
    ]


# --- Given by others, or not at all


def outside_views(ledger: Ledger) -> Iterator[OutsideRefundView]:
    given: dict[str, Given] = {each.given_id: each for each in ledger.money.given}
    for outside_id, state in ledger.outside.items():
        yield OutsideRefundView(
            outside_id=outside_id,
            state=state,
            total=money_in(ledger, given[outside_id].total_minor),
            units=[
                RefundedUnitView(unit=each.unit, amount=money_in(ledger, each.amount_minor))
                for each in given[outside_id].units
            ],
        )


def not_due_views(events: Sequence[RefundEvent]) -> Iterator[NotDueView]:
    for event in events:
        match event:
            case RefundNotDue():
                yield NotDueView(
                    refund_id=event.refund_id,
                    source=event.source,
                    source_id=event.source_id,
                    reissues=event.reissues,
                    units=event.units,
                    given_by=event.refund_ids,
                    why=event.why,
                )
            case RemedyAlreadyMet():
                yield NotDueView(
                    refund_id=event.refund_id,
                    source="DISPUTE",
                    source_id=event.remedy_id,
                    reissues=event.reissues,
                    units=event.units,
                    given_by=event.refund_ids,
                    why="GIVEN",
                )
            case _:
                pass
