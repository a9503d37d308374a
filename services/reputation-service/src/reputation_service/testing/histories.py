"""Whole histories of what scores read: every kind of event, of few sellers, by chance."""

import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct
from shared_events.dispute import DisputeClosed, DisputeOpened, InquiryClosed
from shared_events.envelope import Recorded
from shared_events.orders import (
    OrderCancelled,
    OrderCompleted,
    OrderDelayAttributed,
    OrderPaid,
    OrderReopened,
    OrderShipped,
)
from shared_events.reputation import (
    ConductAssessed,
    PenaltyApplied,
    PenaltyReversed,
    ProtectionGranted,
)
from shared_events.returns import ReturnClosed
from shared_events.review import ReviewWeighted, WeightCode, WeightReason
from shared_runtime.testing import InMemoryLog, ManualClock, facts, stream_for

from reputation_service.domain.observations import FULL_MILLI, PERCENT

START = datetime(2026, 1, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)
SELLERS = ("S1", "S2", "S3", "S4")
AWARDED = ("DECIDED", "DEFAULT", "SETTLED", "PLATFORM", "WITHDRAWN")

type History = list[Recorded[Any]]


def ids(order: int, seller: str, buyer: str = "B1") -> dict[str, Any]:
    return {
        "order_id": f"o{order}",
        "seller_id": seller,
        "buyer_id": buyer,
        "policy_version": "p1",
    }


def completed(
    of: dict[str, Any], at: datetime, number: int = 1, *, late: bool = False
) -> OrderCompleted:
    return OrderCompleted(
        **of, completed_at=at, completion_no=number, how="FEED", total_ref_minor=1, late=late
    )


def reopened(of: dict[str, Any], at: datetime) -> OrderReopened:
    return OrderReopened(**of, reopened_at=at, completion_no=1, reason="PAYMENT_REVERSED")


def reviewed(
    of: dict[str, Any], at: datetime, *, stars: int = 5, seq: int = 1, weight: int = FULL_MILLI
) -> ReviewWeighted:
    code: WeightCode = "FULL" if weight == FULL_MILLI else "HELD"
    return ReviewWeighted(
        **of,
        review_id=f"r-{of['order_id']}",
        side="BUYER",
        seq=seq,
        quality=stars,
        logistics=stars,
        service=3,
        weight_milli=weight,
        reasons=[WeightReason(code=code, effect_milli=weight)],
        excluded_dimensions=[],
        counted_at=at,
        decided_by="RULE",
    )


def rated(
    of: dict[str, Any], at: datetime, stars: int, *, seq: int = 1, weight: int = FULL_MILLI
) -> ReviewWeighted:
    """The seller's word on the buyer."""
    said = reviewed(of, at, seq=seq, weight=weight)
    return msgspec.structs.replace(
        said,
        review_id=f"b-{of['order_id']}",
        side="SELLER",
        quality=None,
        logistics=None,
        service=None,
        rating=stars,
    )


def disputed(of: dict[str, Any], at: datetime) -> DisputeOpened:
    said = {
        "type": "DisputeOpened.v1",
        "dispute_id": f"d-{of['order_id']}",
        "reason": "DAMAGED",
        "lines": [{"line_id": "1", "quantity": 1, "units": "1/1"}],
        "proposal_id": "q1",
        "outcome": "REFUND_FULL",
        "currency": "BRL",
        "ceiling_minor": 100,
        "held_minor": 100,
        "opened_at": at,
        "answer_due": at + DAY,
        "auto_escalate_at": at + DAY,
        "buyer_may_escalate_at": at + DAY,
        "seller_may_escalate_at": at + DAY,
    }
    return msgspec.convert(of | said, DisputeOpened)


def dispute_closed(
    of: dict[str, Any],
    at: datetime,
    how: str,
    **more: Any,  # noqa: ANN401 - any field of the event
) -> DisputeClosed:
    said: dict[str, Any] = {
        "type": "DisputeClosed.v1",
        "dispute_id": f"d-{of['order_id']}",
        "how": how,
        "reason": "DAMAGED",
        "lines": [{"line_id": "1", "quantity": 1, "units": "1/1"}],
        "result": "WITHDRAWN" if how == "WITHDRAWN" else "REFUNDED",
        "currency": "BRL",
        "refunded_minor": 0,
        "liable": "SELLER",
        "resolved_by_seller": False,
        "buyer_abuse": False,
        "seller_fault_pct": 100,
        "stage_reached": "NEGOTIATING",
        "opened_at": at,
        "closed_at": at,
        "held_released_minor": 100,
    }
    return msgspec.convert(of | said | more, DisputeClosed)


def inquiry_closed(
    of: dict[str, Any],
    at: datetime,
    **more: Any,  # noqa: ANN401 - any field of the event
) -> InquiryClosed:
    said: dict[str, Any] = {
        "type": "InquiryClosed.v1",
        "inquiry_id": f"i-{of['order_id']}",
        "reason": "IDLE",
        "answered": True,
        "within_sla": True,
        "response_seconds": 60,
        "sla_seconds": 86_400,
        "closed_at": at,
    }
    return msgspec.convert(of | said | more, InquiryClosed)


def return_closed(
    of: dict[str, Any],
    at: datetime,
    **more: Any,  # noqa: ANN401 - any field of the event
) -> ReturnClosed:
    said: dict[str, Any] = {
        "type": "ReturnClosed.v1",
        "return_id": f"t-{of['order_id']}",
        "kind": "RETURN",
        "reason": "DEFECTIVE",
        "resolution": "REFUNDED",
        "units": [],
        "currency": "BRL",
        "refunded_minor": 100,
        "seller_at_fault": True,
        "timely": True,
        "forced": False,
        "closed_at": at,
    }
    return msgspec.convert(of | said | more, ReturnClosed)


def shipped(of: dict[str, Any], at: datetime, *, late: bool) -> OrderShipped:
    return OrderShipped(**of, shipped_at=at, late_dispatch=late)


def cancelled(of: dict[str, Any], at: datetime, by: Any = "SELLER") -> OrderCancelled:  # noqa: ANN401
    return OrderCancelled(**of, cancelled_at=at, by=by, reason="OUT_OF_STOCK")


def delay_attributed(of: dict[str, Any]) -> OrderDelayAttributed:
    return OrderDelayAttributed(**of, incident_id="storm", liable="CARRIER")


def penalised(seller: str, lot: str, at: datetime, points: int, days: int = 180) -> PenaltyApplied:
    return PenaltyApplied(
        **account(seller),
        penalty_id=lot,
        case_id=f"c-{lot}",
        rule="UNANSWERED_DISPUTE",
        points=points,
        severity="MINOR",
        applied_at=at,
        expires_at=at + days * DAY,
        active_points=points,
        balance_after=max(0, 100 - points),
    )


def reversed_(seller: str, lot: str, points: int, at: datetime = START) -> PenaltyReversed:
    return PenaltyReversed(
        **account(seller),
        penalty_id=lot,
        case_id=f"c-{lot}",
        points=points,
        reason="APPEAL_REVERSED",
        reversed_at=at,
        already_expired=False,
        balance_after=100,
    )


def credited(seller: str, at: datetime, points: int, days: int = 90) -> ConductAssessed:
    return ConductAssessed(
        **account(seller),
        period_from=at - 90 * DAY,
        period_to=at,
        orders_completed=20,
        violations=0,
        points_credited=points,
        credit_until=at + days * DAY,
        balance_after=100,
        next_at=at + 90 * DAY,
    )


def protected(seller: str, until: datetime) -> ProtectionGranted:
    return ProtectionGranted(
        **account(seller),
        until=until,
        reason="NEW_SELLER",
        level="NORMAL",
        public_level="NORMAL",
    )


def account(seller: str) -> dict[str, Any]:
    return {"account_kind": "SELLER", "seller_id": seller, "policy_version": "p1"}


async def tell(*events: Struct, log: InMemoryLog) -> History:
    """Events as their logs have them, each recorded a while after the one before."""
    told: History = []
    for event in events:
        at = log.now()
        stream = stream_for(event, str(len(log.event_ids)))
        told += await log.append(facts(stream, event, at=at))
        assert isinstance(log.now, ManualClock)
        log.now.advance(timedelta(hours=7))
    return told


def a_log() -> InMemoryLog:
    return InMemoryLog(now=ManualClock(START))


def dice(seed: int) -> random.Random:
    """Falls the same way every time."""
    return random.Random(seed)  # noqa: S311 - it keeps no secret


def happens(percent: int, chance: random.Random) -> bool:
    return chance.randrange(PERCENT) < percent


async def history(seed: int, orders: int = 24) -> History:
    """Orders of four sellers with all that may become of them and of their accounts, in the order
    of recording.
    """
    chance = dice(seed)
    events: list[tuple[int, Struct]] = []
    for order in range(orders):
        of = ids(order, chance.choice(SELLERS), f"B{chance.randrange(3)}")
        at = START + chance.randrange(40) * DAY
        begins = chance.randrange(60)
        follows: list[Struct] = [
            OrderPaid(**of, paid_at=at, payment_ref="p"),
            shipped(of, at, late=happens(30, chance)),
            completed(of, at, late=happens(30, chance)),
        ]
        follows.append(reviewed(of, at, stars=chance.randint(1, 5)))
        follows.append(rated(of, at, chance.randint(1, 5)))
        if happens(30, chance):
            follows.append(rated(of, at, 2, seq=2, weight=chance.choice((0, 250))))
        if happens(40, chance):
            follows.append(reviewed(of, at, seq=2, weight=chance.choice((0, 250))))
            follows.append(reviewed(of, at + DAY, seq=3, stars=2))
        if happens(30, chance):
            follows += [reopened(of, at), completed(of, at + 9 * DAY, 2)]
        if happens(50, chance):
            follows += [disputed(of, at), a_dispute_ends(of, at + DAY, chance)]
        if happens(40, chance):
            follows += [an_inquiry_ends(of, at, chance), a_return_ends(of, at, chance)]
        if happens(30, chance):
            follows.append(delay_attributed(of))
        events += [(begins + chance.randrange(9) * n, event) for n, event in enumerate(follows)]
    for lot in range(orders // 6):
        events += [(chance.randrange(90), each) for each in of_an_account(f"l{lot}", chance)]
    in_turn = [event for _, event in sorted(events, key=lambda each: each[0])]
    return await tell(*in_turn, log=a_log())


def a_dispute_ends(of: dict[str, Any], at: datetime, chance: random.Random) -> DisputeClosed:
    return dispute_closed(
        of,
        at,
        chance.choice(AWARDED),
        liable=chance.choice(("SELLER", "BUYER", "CARRIER", "NONE")),
        resolved_by_seller=happens(30, chance),
        seller_fault_pct=chance.randint(0, 100),
        first_response_seconds=chance.choice((None, 60, 200_000, 400_000)),
        buyer_abuse=happens(20, chance),
    )


def an_inquiry_ends(of: dict[str, Any], at: datetime, chance: random.Random) -> InquiryClosed:
    answered = happens(70, chance)
    return inquiry_closed(
        of,
        at,
        reason=chance.choice(("IDLE", "RESOLVED", "CONVERTED")),
        answered=answered,
        within_sla=answered,
        response_seconds=chance.randrange(300_000) if answered else None,
        overdue=chance.choice((None, True, False)),
    )


def a_return_ends(of: dict[str, Any], at: datetime, chance: random.Random) -> ReturnClosed:
    return return_closed(
        of,
        at,
        kind=chance.choice(("RETURN", "WITHDRAWAL", "EXCHANGE", "CLAIM")),
        resolution=chance.choice(("REFUNDED", "LOST", "KEPT", "CONTESTED", "REJECTED")),
        decision_seconds=chance.choice((None, 100, 400_000, 800_000)),
        timely=happens(70, chance),
        forced=happens(20, chance),
        remedy_id=chance.choice((None, None, "m1")),
    )


def of_an_account(lot: str, chance: random.Random) -> list[Struct]:
    """A penalty, most of the time with what becomes of it."""
    seller, points = chance.choice(SELLERS), chance.choice((12, 24, 45))
    at = START + chance.randrange(20) * DAY
    more: list[Struct] = [
        reversed_(seller, lot, points),
        credited(seller, at + DAY, 6, days=20),
        protected(seller, at + 60 * DAY),
    ]
    return [penalised(seller, lot, at, points, days=30), *chance.sample(more, 2)]


def interleaved(told: History, chance: random.Random) -> History:
    """Another order of arrival: each partition of each topic keeps its own."""
    places: dict[tuple[str, int], History] = {}
    for recorded in told:
        places.setdefault((recorded.topic, recorded.partition), []).append(recorded)
    arriving: History = []
    while places:
        place = chance.choice(sorted(places))
        arriving.append(places[place].pop(0))
        if not places[place]:
            del places[place]
    return arriving


def batches(told: History, size: int) -> Iterable[History]:
    return (told[i : i + size] for i in range(0, len(told), size))
