"""What is authorized and by whom in, the event of it out: until when goods are to be sent or looked
at, and who pays for the label.
"""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace
from shared_casework.values import utc
from shared_events.dispute import Liable
from shared_events.returns import Lane, Payer, ReturnAuthorized, ReturnKind, ReturnReason

from returns_service.domain.known import Sender
from returns_service.domain.lanes import payer_of, sending
from returns_service.domain.policy import ReturnsPolicy
from returns_service.domain.return_state import Ids, Return
from returns_service.domain.tables import SELLERS_FAULT

type Authorizer = Literal["RULE", "SELLER", "AGENT", "SILENCE"]


class Fault(Struct, frozen=True, kw_only=True):
    """Why goods come back, and whose fault that is; `liable`: as a dispute has found."""

    reason: ReturnReason
    sellers_fault: bool
    liable: Liable = "NONE"


def fault_of(matter: Return) -> Fault:
    """A remedy tells it, else the reason does."""
    if matter.remedies:
        remedy = matter.remedies[0]
        return Fault(
            reason=remedy.reason, sellers_fault=matter.seller_at_fault, liable=remedy.liable
        )
    return Fault(reason=matter.reason, sellers_fault=matter.reason in SELLERS_FAULT)


class Authorization(Struct, frozen=True, kw_only=True):
    """`units_in`: of the units, those whose goods are in already. `amount_minor`: of a claim.
    `waits_for_stock`: a replacement is to be reserved at once.
    """

    kind: ReturnKind
    lane: Lane
    by: Authorizer
    units: Sequence[str]
    units_in: Sequence[str] = ()
    goods_back: bool
    fault: Fault
    currency: str
    amount_minor: int | None = None
    waits_for_stock: bool = False
    rule_trace: Sequence[str]
    decision_seconds: int = 0


def authorized(
    ids: Ids, said: Authorization, by: Sender, policy: ReturnsPolicy
) -> list[ReturnAuthorized]:
    """One event, and another one for goods that are in already: these are looked at, not sent."""
    now = utc(by.now)
    there = [unit for unit in said.units if unit in said.units_in]
    away = [unit for unit in said.units if unit not in said.units_in]
    told = sending(said.lane, payer_in(said, policy), now, policy)
    event = ReturnAuthorized(
        **ids,
        kind=said.kind,
        lane=said.lane,
        by=said.by,
        units=away,
        goods_back=said.goods_back,
        currency=said.currency,
        amount_minor=said.amount_minor,
        label_due=told.label_due if said.goods_back else None,
        ship_by=told.ship_by if said.goods_back else None,
        stock_due=now + policy.return_stock_answer if said.waits_for_stock else None,
        label_paid_by=told.paid_by,
        rule_trace=[*said.rule_trace],
        decision_seconds=said.decision_seconds,
    )
    in_already = replace(
        event,
        units=there,
        label_due=None,
        ship_by=None,
        stock_due=None,
        inspect_by=now + policy.return_inspect,
    )
    return [each for each in (event, in_already) if each.units]


def payer_in(said: Authorization, policy: ReturnsPolicy) -> Payer:
    return payer_of(
        said.lane,
        said.fault.reason,
        policy,
        sellers_fault=said.fault.sellers_fault,
        liable=said.fault.liable,
    )
