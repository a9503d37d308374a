"""An order, the people around it and what is said to its returns, for sentences in tests.

Orders A to E are those of `returns_service.testing`, delivered 2025-03-01T10Z and completed
2025-03-08T10Z. The return RT-1 is of B1; S1 is the seller. What has happened is made by the
functions that are named like it: `requested(…)`, `authorized(…)`, `scanned(…)`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from shared_casework.money import money_of
from shared_casework.order_facts import OrderFacts
from shared_events.returns import (
    AcceptedUnit,
    ClosedUnit,
    LabelIssued,
    ReceivedUnit,
    RejectedUnit,
    ReturnAuthorized,
    ReturnClosed,
    ReturnContested,
    ReturnedLine,
    ReturnEvent,
    ReturnRequested,
    ReturnReviewRequired,
    ReturnScanned,
    ReturnShipped,
    UnitResult,
    UnitsAccepted,
    UnitsReceived,
    UnitsRejected,
    WithdrawalConfirmed,
    WithdrawalDeclared,
)
from shared_events.sealed import SCHEME
from shared_runtime.decider import Actor
from shared_runtime.rule import By, Sent
from shared_runtime.testing import Played, play

from returns_service.domain.known import GivenBack, Known, PieceFacts, RefundFacts, line_of
from returns_service.domain.policy import policies
from returns_service.domain.return_readers import folded
from returns_service.domain.return_rules import RETURNS, ReturnCommand
from returns_service.domain.return_state import Return
from returns_service.testing import (
    BUYER,
    DAY,
    NOW,
    ORDER_A,
    ORDER_B,
    ORDER_D,
    ORDER_E,
    at,
    kinds,
    line,
    order,
)

__all__ = ["BUYER", "DAY", "NOW", "at", "kinds", "line", "order"]

FILE = "0" * 64
WAREHOUSE = Actor(role="SYSTEM", id="warehouse")
DELIVERED = at(1)
COMPLETED = at(8)
IDS: dict[str, Any] = {
    "order_id": "O1",
    "seller_id": "S1",
    "buyer_id": "B1",
    "policy_version": "ae-2025-1",
    "return_id": "RT-1",
}


def arrived(of: OrderFacts) -> OrderFacts:
    return replace(
        of,
        shipped_at=DELIVERED - 8 * DAY,
        delivered_at=DELIVERED,
        received_at=DELIVERED,
        completed_at=COMPLETED,
        completion_no=1,
    )


A, B, D, E = (arrived(each) for each in (ORDER_A, ORDER_B, ORDER_D, ORDER_E))


def words(about: str = "text") -> str:
    """What somebody wrote, as it is sealed."""
    return f"{SCHEME}.key.{about}.event.text.words"


def pieces_of(of: OrderFacts, **facts: Mapping[str, Any]) -> tuple[PieceFacts, ...]:
    """All pieces of an order. `facts`: what else is known, by field and piece:
    `in_return={"1/1": "RT-9"}`.
    """
    return tuple(
        PieceFacts(
            unit=each.unit,
            paid_minor=each.paid_minor,
            **{name: told[each.unit] for name, told in facts.items() if each.unit in told},
        )
        for each in money_of(of).units
    )


def knowing(of: OrderFacts = A, **known: Any) -> Known:  # noqa: ANN401 - any fact
    """What is known of an order that was paid and of which nothing was given back."""
    told: dict[str, Any] = {"pieces": pieces_of(of), "ledger": money_of(of).remaining} | known
    return Known(policies=policies(), order=of, **told)


KNOWN = knowing()


def say(
    said: Struct,
    now: datetime = NOW,
    actor: Actor = BUYER,
    of: OrderFacts = A,
    **known: Any,  # noqa: ANN401 - any fact
) -> ReturnCommand:
    """The command, with what is known of the order, and what of it is to be otherwise."""
    return Sent(said, By(actor=actor, now=now, known=knowing(of, **known)))


def refunded(*units: str, total: int = 5399, shipping: int = 0) -> RefundFacts:
    """The ledger has answered for these pieces; each got the same, and the shipping besides."""
    given = {unit: (total - shipping) // len(units) for unit in units}
    return RefundFacts(
        answered=frozenset(units),
        given=(GivenBack(units=given, shipping_minor=shipping),),
        total_minor=total,
    )


def played(*commands: ReturnCommand, after: Sequence[ReturnEvent] = ()) -> Played[Any, Any]:
    return play(RETURNS, commands, after)


def history(*commands: ReturnCommand, after: Sequence[ReturnEvent] = ()) -> tuple[ReturnEvent, ...]:
    """The events of commands that are all taken, after those that are told."""
    events = [*after]
    for command in commands:
        done = play(RETURNS, [command], events)
        assert done.refused is None, f"{command.said}: {done.refused}"
        events += done.events
    return tuple(events)


def return_of(events: Sequence[ReturnEvent]) -> Return:
    """How it stands after these."""
    state = folded(events)
    assert isinstance(state, Return)
    return state


# --- What has happened to RT-1


def requested(*units: str, **told: Any) -> ReturnRequested:  # noqa: ANN401 - any field
    """A RETURN, NOT_AS_DESCRIBED, on 3 March, unless it is told otherwise."""
    said: dict[str, Any] = {
        "kind": "RETURN",
        "origin": "BUYER",
        "reason": "NOT_AS_DESCRIBED",
        "wants": "REFUND",
        "value_ref_minor": 5399 * len(units),
        "currency": "EUR",
        "requested_at": at(3),
    }
    return ReturnRequested(**IDS, units=[*units], **(said | told))


def reviewed(answer_due: datetime = at(8), **told: Any) -> ReturnReviewRequired:  # noqa: ANN401, B008
    said: dict[str, Any] = {"by": "SELLER", "rule_trace": ["D6:pass:else"]}
    return ReturnReviewRequired(**IDS, answer_due=answer_due, **(said | told))


def authorized(*units: str, **told: Any) -> ReturnAuthorized:  # noqa: ANN401 - any field
    """By the seller, in the STANDARD lane, to be shipped by 17 March."""
    said: dict[str, Any] = {
        "kind": "RETURN",
        "lane": "STANDARD",
        "by": "SELLER",
        "goods_back": True,
        "currency": "EUR",
        "ship_by": at(17),
        "label_paid_by": "SELLER",
        "rule_trace": [],
        "decision_seconds": 86_400,
    }
    return ReturnAuthorized(**IDS, units=[*units], **(said | told))


def fast(*units: str, **told: Any) -> tuple[ReturnRequested, ReturnAuthorized]:  # noqa: ANN401
    """A FAST return, DAMAGED, that a rule has authorized. `told`: of both."""
    lane: dict[str, Any] = {"lane": "FAST", "by": "RULE", "decision_seconds": 0}
    kind = told.get("kind", "RETURN")
    wants = told.get("wants", "REFUND")
    return (
        requested(*units, reason="DAMAGED", kind=kind, wants=wants),
        authorized(*units, **(lane | {"kind": kind})),
    )


def lines_of(units: Sequence[str]) -> list[ReturnedLine]:
    """How many of each line these are."""
    counted = Counter(line_of(unit) for unit in units)
    return [ReturnedLine(line_id=line_id, quantity=many) for line_id, many in counted.items()]


def withdrawn(*units: str, goods_back: bool = True) -> tuple[ReturnEvent, ...]:
    """A withdrawal, declared and confirmed on 4 March; its refund is due on the 18th."""
    return (
        WithdrawalDeclared(**IDS, lines=lines_of(units), declared_at=at(4), confirm_by=at(5)),
        WithdrawalConfirmed(
            **IDS,
            units=[*units],
            content=words("content"),
            content_sha256=FILE,
            confirmed_at=at(4),
            refund_due=at(18),
        ),
        authorized(
            *units,
            kind="WITHDRAWAL",
            lane="STATUTORY",
            by="RULE",
            goods_back=goods_back,
            ship_by=at(25) if goods_back else None,
            label_paid_by="BUYER",
            decision_seconds=0,
        ),
    )


def labelled(**told: Any) -> LabelIssued:  # noqa: ANN401 - any field
    said: dict[str, Any] = {
        "label_id": "L-1",
        "carrier": "DHL",
        "tracking_id": "T-1",
        "paid_by": "SELLER",
        "currency": "EUR",
        "cost_minor": 390,
    }
    return LabelIssued(**IDS, **(said | told))


def shipped(*units: str, day: int = 5, **told: Any) -> ReturnShipped:  # noqa: ANN401 - any field
    said: dict[str, Any] = {"tracking_id": "T-1", "lost_at": at(day) + 45 * DAY}
    return ReturnShipped(**IDS, units=[*units], **(said | told))


def handed_over(*units: str, day: int = 5, **told: Any) -> ReturnScanned:  # noqa: ANN401
    said: dict[str, Any] = {
        "kind": "HANDED_OVER",
        "tracking_id": "T-1",
        "scanned_at": at(day),
        "lost_at": at(day) + 45 * DAY,
    }
    return ReturnScanned(**IDS, units=[*units], **(said | told))


def delivered_back(*units: str, day: int = 9, **told: Any) -> ReturnScanned:  # noqa: ANN401
    said: dict[str, Any] = {
        "kind": "DELIVERED_BACK",
        "tracking_id": "T-1",
        "scanned_at": at(day),
        "inspect_by": at(day) + 5 * DAY,
    }
    return ReturnScanned(**IDS, units=[*units], **(said | told))


def received(*units: str, day: int = 10, **told: Any) -> UnitsReceived:  # noqa: ANN401 - any field
    """`as_found`: by piece, where it was not what it should have been."""
    as_found: Mapping[str, Any] = told.pop("as_found", {})
    said: dict[str, Any] = {"surplus": 0, "inspect_by": at(day) + timedelta(hours=48)}
    return UnitsReceived(
        **IDS,
        units=[ReceivedUnit(unit=unit, reception=as_found.get(unit, "RECEIVED")) for unit in units],
        **(said | told),
    )


def accepted(*units: str, deduction_milli: int = 0, **told: Any) -> UnitsAccepted:  # noqa: ANN401
    said: dict[str, Any] = {"by_default": False, "handling_seconds": 3600}
    return UnitsAccepted(
        **IDS,
        units=[
            AcceptedUnit(unit=unit, grade="A", deduction_milli=deduction_milli) for unit in units
        ],
        **(said | told),
    )


def rejected(*units: str, reason: Any = "USED", day: int = 10, **told: Any) -> UnitsRejected:  # noqa: ANN401
    """To be contested for a week, and sent back in the ten days after that."""
    until = at(day) + 7 * DAY
    back = None if reason == "SHORT" else until + 10 * DAY
    said: dict[str, Any] = {
        "by_default": False,
        "contest_until": until,
        "send_back_until": back,
    }
    return UnitsRejected(
        **IDS, units=[RejectedUnit(unit=unit, reason=reason) for unit in units], **(said | told)
    )


def contested(*units: str, **told: Any) -> ReturnContested:  # noqa: ANN401 - any field
    """That they were rejected, unless it is told otherwise."""
    said: dict[str, Any] = {
        "ground": "REJECTED",
        "reason": "DAMAGED",
        "seller_at_fault": True,
        "file_sha256": FILE,
        "text": words("contest"),
        "contest_until": at(17),
    }
    return ReturnContested(**IDS, units=[*units], **(said | told))


def closed(*units: str, result: UnitResult, day: int = 12, **told: Any) -> ReturnClosed:  # noqa: ANN401
    """With the same end for all of its pieces, and no money."""
    said: dict[str, Any] = {
        "kind": "RETURN",
        "lane": None,
        "reason": "NOT_AS_DESCRIBED",
        "refunded_minor": 0,
        "seller_at_fault": True,
        "timely": True,
        "forced": False,
    }
    return ReturnClosed(
        **IDS,
        units=[ClosedUnit(unit=unit, result=result) for unit in units],
        resolution=result,
        currency="EUR",
        closed_at=at(day),
        **(said | told),
    )
