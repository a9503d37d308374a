"""An order as it is known in; what of it may be returned until when, and how that would be decided,
out: before anybody asks.
"""

from datetime import datetime, timedelta

from msgspec import Struct
from shared_casework.order_facts import OrderFacts
from shared_events.returns import AskedKind, Lane, Payer, Reviewer
from shared_runtime.decider import (
    InvalidValue,
    NotReturnable,
    NotYetEligible,
    Refused,
    WrongState,
)

from returns_service.domain.known import DeclinedRequest, Known, PieceFacts, Sender
from returns_service.domain.lanes import Request, admitted, decided, is_sellers_fault, payer_of
from returns_service.domain.policy import ReturnsPolicy
from returns_service.domain.return_request import (
    REQUEST_RETURN,
    barrier_in,
    in_reference,
    reason_of_claim,
)
from returns_service.domain.tables import AskedReason
from returns_service.domain.wanted import against_asking, against_withdrawing, arrived_at
from returns_service.domain.withdrawing import DECLARE_WITHDRAWAL


class Way(Struct, frozen=True, kw_only=True):
    """`until`: None where time sets no limit yet. `why_not`: the refusal; None if it is open."""

    until: datetime | None
    why_not: Refused | None


class Forecast(Struct, frozen=True, kw_only=True):
    """`lane`: it is authorized at once; else `review_by` decides. `label_paid_by`: in the lane that
    it takes, or would take.
    """

    lane: Lane | None
    review_by: Reviewer | None
    label_paid_by: Payer
    trace: tuple[str, ...]


class PieceForecast(Struct, frozen=True, kw_only=True):
    facts: PieceFacts
    asking: Way
    withdrawing: Way
    forecast: Forecast | None


class Asking(Struct, frozen=True, kw_only=True):
    """For what a forecast is wanted. `proof`: the photo, or the sizes, would be shown."""

    kind: AskedKind
    reason: AskedReason
    proof: bool


def eligibility(asking: Asking | None, by: Sender) -> list[PieceForecast]:
    """Of each piece of the order, in the order of its lines. Raises `InvalidValue` for what nobody
    can ask for.
    """
    order = by.known.order
    assert order
    if asking and (wrong := [*reason_of_claim(asking.kind, asking.reason)]):
        raise InvalidValue(errors=wrong)
    policy = by.known.policies.in_force(by.now)
    return [
        PieceForecast(
            facts=piece,
            asking=way_of_asking(piece, order, policy, asking, by),
            withdrawing=way_of_withdrawing(piece, order, policy, by),
            forecast=forecast_of(piece, order, policy, asking, by) if asking else None,
        )
        for piece in by.known.pieces
    ]


def way_of_asking(
    piece: PieceFacts, order: OrderFacts, policy: ReturnsPolicy, asking: Asking | None, by: Sender
) -> Way:
    """Without a reason, for one that is the seller's fault: that is never excluded."""
    category = category_of(piece, order)
    until = after(arrived_at(piece, order), policy.window_of(category, order.country))
    if order.stage not in REQUEST_RETURN.states:
        return Way(until=None, why_not=WrongState(state=order.stage))
    if order.received_at is None:
        return Way(until=None, why_not=NotYetEligible())
    kind, reason = (asking.kind, asking.reason) if asking else ("RETURN", "NOT_AS_DESCRIBED")
    photo = asking is None or asking.proof
    told = admitted(kind, reason, category, photo=photo, policy=policy)
    if barrier := barrier_in(told, category):
        return Way(until=until, why_not=barrier)
    against = against_asking(by.known, order, policy, DeclinedRequest(kind, reason), by.now)
    passed = against(piece)
    return Way(until=until, why_not=passed.why if passed else None)


def way_of_withdrawing(
    piece: PieceFacts, order: OrderFacts, policy: ReturnsPolicy, by: Sender
) -> Way:
    window = policy.return_withdrawal
    if not order.withdrawal_informed:
        window += policy.return_withdrawal_uninformed
    until = after(arrived_at(piece, order), window)
    if order.stage not in DECLARE_WITHDRAWAL.states:
        return Way(until=until, why_not=WrongState(state=order.stage))
    if not order.withdrawal_right:
        return Way(until=None, why_not=NotReturnable())
    category = category_of(piece, order)
    if admitted("WITHDRAWAL", "WITHDRAWAL", category, photo=False, policy=policy).refused:
        return Way(until=None, why_not=NotReturnable(category=category))
    passed = against_withdrawing(order, policy, by.now)(piece)
    return Way(until=until, why_not=passed.why if passed else None)


def forecast_of(
    piece: PieceFacts, order: OrderFacts, policy: ReturnsPolicy, asking: Asking, by: Sender
) -> Forecast:
    """As a request for this piece alone would be decided now."""
    request = Request(
        kind=asking.kind,
        reason=asking.reason,
        value_ref_minor=in_reference(left_of(piece, by.known), order),
        asked_at=by.now,
        buyer=by.known.buyer,
        fast_returns=by.known.fast_returns,
        photo=asking.proof,
        sizes=asking.proof,
    )
    match = decided(request, policy)
    fault = is_sellers_fault(asking.reason)
    lane = match.then.lane
    return Forecast(
        lane=lane,
        review_by=match.then.review_by,
        label_paid_by=payer_of(lane or "STANDARD", asking.reason, policy, sellers_fault=fault),
        trace=match.trace,
    )


def left_of(piece: PieceFacts, known: Known) -> int:
    return known.remaining.get(piece.unit, 0)


def category_of(piece: PieceFacts, order: OrderFacts) -> str:
    return next(line.category for line in order.lines if line.line_id == piece.line_id)


def after(arrived: datetime | None, window: timedelta) -> datetime | None:
    return arrived + window if arrived else None
