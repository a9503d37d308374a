"""What may be returned of an order, as its buyer is shown it."""

from dataclasses import dataclass
from datetime import datetime

from shared_events.returns import Lane, Payer, Reviewer
from shared_runtime.fields import Money

from returns_service.domain.eligibility import Asking, Forecast, PieceForecast, Way, eligibility
from returns_service.domain.known import Sender


@dataclass(frozen=True, slots=True, kw_only=True)
class WayView:
    """`until`: half-open; null where no time runs yet. `reason_if_not`: the name of the refusal."""

    allowed: bool
    until: datetime | None
    reason_if_not: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastView:
    """How a request for the piece would be decided now: at once in a `lane`, or by `review_by`."""

    lane: Lane | None
    review_by: Reviewer | None
    label_paid_by: Payer
    rule_trace: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class EligibleUnitView:
    """`left`: what has not been given back of it. `in_return`: the return that has it."""

    unit: str
    line_id: str
    left: Money
    in_return: str | None
    asking: WayView
    withdrawing: WayView
    forecast: ForecastView | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EligibilityView:
    order_id: str
    units: list[EligibleUnitView]


def eligibility_view(asking: Asking | None, by: Sender, *, trusted: bool) -> EligibilityView:
    """`trusted`: who reads may know how far the buyer is trusted. To others nothing is foretold: by
    whom a small request would be decided tells of measures against him.
    """
    order = by.known.order
    assert order
    return EligibilityView(
        order_id=order.order_id,
        units=[
            unit_view(each, order.currency, by, trusted=trusted) for each in eligibility(asking, by)
        ],
    )


def unit_view(
    piece: PieceForecast, currency: str, by: Sender, *, trusted: bool
) -> EligibleUnitView:
    facts, forecast = piece.facts, piece.forecast
    return EligibleUnitView(
        unit=facts.unit,
        line_id=facts.line_id,
        left=Money(amount=by.known.remaining.get(facts.unit, 0), currency=currency),
        in_return=facts.in_return,
        asking=way_view(piece.asking),
        withdrawing=way_view(piece.withdrawing),
        forecast=forecast_view(forecast) if forecast and trusted else None,
    )


def forecast_view(told: Forecast) -> ForecastView:
    return ForecastView(
        lane=told.lane,
        review_by=told.review_by,
        label_paid_by=told.label_paid_by,
        rule_trace=[*told.trace],
    )


def way_view(way: Way) -> WayView:
    return WayView(
        allowed=way.why_not is None,
        until=way.until,
        reason_if_not=way.why_not.slug() if way.why_not else None,
    )
