"""Events in, facts out: which event says what about whom.

Every rule is a function of plain values; `observe` takes the values out of the event.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from shared_events.dispute import DisputeClosed, DisputeOpened, InquiryClosed
from shared_events.envelope import Recorded
from shared_events.orders import OrderCompleted, OrderReopened
from shared_events.returns import ReturnClosed
from shared_events.review import ReviewWeighted

from reputation_service.domain.facts import (
    K_MAX,
    Fact,
    Observed,
    OrderFact,
    OrderFactKind,
    Origin,
    day_of,
    micros,
)
from reputation_service.domain.policy import (
    CONDUCT,
    DISPUTE,
    INQUIRIES,
    RETURNS,
    STARS,
    SlaRules,
)

FULL_MILLI = 1000
DEFAULT_JUDGEMENT_MILLI = 3000
LOST_DISPUTE_MILLI = 2000
MINOR_MILLI = 250  # an order without a dispute; a dispute that was not the seller's fault
PERCENT = 100
IN_TIME, LATE, FORCED = 2, 1, 0  # halves of the promptness that a return may reach
REATTRIBUTED = "REATTRIBUTED"
NO_OBSERVATION = frozenset({"CANCELLED", "EXPIRED", "CONTESTED", "LOST"})


class Contribution(NamedTuple):
    """What an event says: an observation that still lacks its seller and its instants."""

    dimension: str
    entity_id: str
    version: int
    weight_milli: int
    k: int
    reasons: tuple[str, ...] = ()


class OrderContribution(NamedTuple):
    """What an order that passed without a dispute is worth, on the day it completed."""

    day: int
    weight_milli: int
    k: int
    completion_no: int


def promptness(seconds: int, sla_seconds: int, halves: int = IN_TIME) -> int:
    """k of 0..4: full up to 1.25 x SLA, nothing from 2.75 x SLA on, scaled by `halves`/2.

    floor(4y + 1/2) with y = clip((3S - t) / 2S, 0, 1) * halves/2, in integers.
    """
    left = min(2 * sla_seconds, max(0, 3 * sla_seconds - seconds))
    return (2 * halves * left + sla_seconds) // (2 * sla_seconds)


def observation_day(business: int, recorded_at: int) -> int:
    """The day a fact counts on: never later than its recording."""
    return min(day_of(business), day_of(recorded_at))


def review(
    *,
    review_id: str,
    seq: int,
    weight_milli: int,
    stars: Mapping[str, int | None],
    excluded: Iterable[str] = (),
    reasons: tuple[str, ...] = (),
) -> list[Contribution]:
    """One observation per starred dimension; an excluded one weighs nothing but is remembered."""
    without = {dimension.lower() for dimension in excluded}
    return [
        Contribution(
            dimension,
            review_id,
            seq,
            0 if dimension in without else weight_milli,
            given - 1,
            (REATTRIBUTED,) if dimension in without and weight_milli else reasons,
        )
        for dimension, given in stars.items()
        if given is not None
    ]


def inquiry(
    *,
    inquiry_id: str,
    reason: str,
    answered: bool,
    response_seconds: int | None,
    sla_seconds: int,
    overdue: bool | None = None,
) -> list[Contribution]:
    """How soon the seller answered; an unanswered question says nothing if it resolved itself, or
    was closed while there was time to answer it (`overdue` False; the first ones do not say).
    """
    if answered:
        k = promptness(response_seconds or 0, sla_seconds)
    elif reason == "RESOLVED" or overdue is False:
        return []
    else:
        k = 0
    return [Contribution(INQUIRIES, inquiry_id, 1, FULL_MILLI, k)]


def dispute(
    *,
    dispute_id: str,
    how: str,
    liable: str,
    resolved_by_seller: bool,
    seller_fault_pct: int,
    first_response_seconds: int | None,
    sla_seconds: int,
) -> list[Contribution]:
    """What the seller did with a dispute; the first row that fits decides."""
    answer = first_response_seconds
    if how in ("WITHDRAWN", "PLATFORM"):
        return []
    if how == "DEFAULT":
        weight, k = DEFAULT_JUDGEMENT_MILLI, 0
    elif resolved_by_seller:
        prompt = answer is not None and answer <= 2 * sla_seconds
        weight, k = FULL_MILLI, K_MAX if prompt else K_MAX - 1
    elif liable == "SELLER":
        weight = LOST_DISPUTE_MILLI
        k = (K_MAX * (PERCENT - seller_fault_pct) + PERCENT // 2) // PERCENT
    elif answer is None:
        return []
    else:
        weight, k = MINOR_MILLI, promptness(answer, sla_seconds)
    return [Contribution(DISPUTE, dispute_id, 1, weight, k)]


def closed_return(
    *,
    return_id: str,
    kind: str,
    resolution: str,
    timely: bool,
    forced: bool,
    decision_seconds: int | None,
    remedy_id: str | None,
    sla_seconds: int,
) -> list[Contribution]:
    """How soon the seller decided a return; one that a dispute ordered is that dispute's."""
    if resolution in NO_OBSERVATION or remedy_id is not None or (kind == "WITHDRAWAL" and timely):
        return []
    halves = FORCED if forced else IN_TIME if timely else LATE
    k = promptness(decision_seconds or 0, sla_seconds, halves)
    return [Contribution(RETURNS, return_id, 1, FULL_MILLI, k)]


def order(facts: Iterable[OrderFact]) -> OrderContribution | None:
    """What the set of an order's facts is worth, in whatever order they came.

    The highest completion counts, unless it was undone or a dispute was opened and not withdrawn.
    """
    completed: dict[int, int] = {}
    reopened = 0
    opened: set[int | str] = set()
    withdrawn: set[int | str] = set()
    for fact in facts:
        match fact.kind:
            case "COMPLETED":
                completed[int(fact.ref)] = fact.day
            case "REOPENED":
                reopened = max(reopened, int(fact.ref))
            case "DISPUTE_OPENED":
                opened.add(fact.ref)
            case "DISPUTE_WITHDRAWN":
                withdrawn.add(fact.ref)
    newest = max(completed, default=0)
    if newest == 0 or reopened >= newest or opened - withdrawn:
        return None
    return OrderContribution(completed[newest], MINOR_MILLI, K_MAX, newest)


def observe(  # noqa: PLR0911 - one arm for each event
    recorded: Recorded[Any], sla: SlaRules
) -> list[Observed]:
    """The facts that an event brings; none for an event that no score reads."""
    match recorded.event:
        case ReviewWeighted() as event:
            return _review_facts(recorded, event)
        case OrderCompleted() as event:
            day = observation_day(micros(event.completed_at), micros(recorded.recorded_at))
            return [_order_fact(recorded, "COMPLETED", event.completion_no, day)]
        case OrderReopened() as event:
            return [_order_fact(recorded, "REOPENED", event.completion_no)]
        case DisputeOpened() as event:
            return [_order_fact(recorded, "DISPUTE_OPENED", event.dispute_id)]
        case InquiryClosed() as event:
            said = inquiry(
                inquiry_id=event.inquiry_id,
                reason=event.reason,
                answered=event.answered,
                response_seconds=event.response_seconds,
                sla_seconds=event.sla_seconds,
                overdue=event.overdue,
            )
            return _facts(recorded, event.seller_id, said, event.closed_at)
        case DisputeClosed() as event:
            return _dispute_facts(recorded, event, sla)
        case ReturnClosed() as event:
            said = closed_return(
                return_id=event.return_id,
                kind=event.kind,
                resolution=event.resolution,
                timely=event.timely,
                forced=event.forced,
                decision_seconds=event.decision_seconds,
                remedy_id=event.remedy_id,
                sla_seconds=sla.return_seconds,
            )
            return _facts(recorded, event.seller_id, said, event.closed_at)
        case _:
            return []


def _review_facts(recorded: Recorded[Any], event: ReviewWeighted) -> list[Observed]:
    """A buyer's review is about the seller, a seller's about the buyer's conduct."""
    if event.side == "BUYER":
        about = event.seller_id
        given = (event.quality, event.logistics, event.service)
        stars: dict[str, int | None] = dict(zip(STARS, given, strict=True))
    else:
        about = event.buyer_id
        stars = {CONDUCT: event.rating}
    said = review(
        review_id=event.review_id,
        seq=event.seq,
        weight_milli=event.weight_milli,
        stars=stars,
        excluded=event.excluded_dimensions,
        reasons=tuple([reason.code for reason in event.reasons]),
    )
    return _facts(recorded, about, said, event.counted_at)


def _dispute_facts(recorded: Recorded[Any], event: DisputeClosed, sla: SlaRules) -> list[Observed]:
    if event.how == "WITHDRAWN":
        return [_order_fact(recorded, "DISPUTE_WITHDRAWN", event.dispute_id)]
    said = dispute(
        dispute_id=event.dispute_id,
        how=event.how,
        liable=event.liable,
        resolved_by_seller=event.resolved_by_seller,
        seller_fault_pct=event.seller_fault_pct,
        first_response_seconds=event.first_response_seconds,
        sla_seconds=sla.dispute_seconds,
    )
    return _facts(recorded, event.seller_id, said, event.closed_at)


def _facts(
    recorded: Recorded[Any], seller_id: str, said: list[Contribution], business: datetime
) -> list[Observed]:
    if not said:
        return []
    recorded_at = micros(recorded.recorded_at)
    day = observation_day(micros(business), recorded_at)
    origin = Origin(recorded.topic, recorded.partition, recorded.position)
    return [
        Fact(seller_id, dimension, entity_id, version, day, weight, k, recorded_at, reasons, origin)
        for dimension, entity_id, version, weight, k, reasons in said
    ]


def _order_fact(
    recorded: Recorded[Any], kind: OrderFactKind, ref: int | str, day: int = 0
) -> OrderFact:
    return OrderFact(
        recorded.event.seller_id,
        recorded.event.order_id,
        kind,
        ref,
        day,
        micros(recorded.recorded_at),
        Origin(recorded.topic, recorded.partition, recorded.position),
    )
