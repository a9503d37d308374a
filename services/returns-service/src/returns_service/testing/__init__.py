"""Orders, the people around them and what is said to their ledgers, for sentences in tests.

A: three pieces of line 1, paid 5399, 5399 and 5400. B: two of line 1 at 1060 and 1061, one of line
2 at 678, shipping 490. D: as A, in yen, 966, 967 and 967. E: one piece at 8999, shipping 590.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from shared_casework.order_facts import OrderFacts
from shared_events.orders import OrderLine
from shared_events.returns import RefundEvent
from shared_runtime.decider import Actor
from shared_runtime.rule import By, Sent
from shared_runtime.testing import Played, play

from returns_service.domain.confirming import ConfirmRefund
from returns_service.domain.failing import FailRefund
from returns_service.domain.goodwill import GiveGoodwill
from returns_service.domain.known import Known
from returns_service.domain.ledger_rules import LEDGERS, LedgerCommand
from returns_service.domain.ledger_state import Ledger, Unopened
from returns_service.domain.opening import OpenLedger
from returns_service.domain.outside import RecordOutsideRefund
from returns_service.domain.policy import policies
from returns_service.domain.reissuing import ReissueRefund
from returns_service.domain.replacing import Pair, ReplaceUnits
from returns_service.domain.requesting import AskedUnit, RequestRefund, Standing
from returns_service.domain.units import next_of

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)

SELLER = Actor(role="SELLER", id="clerk", org_id="S1")
BUYER = Actor(role="BUYER", id="B1")
AGENT = Actor(role="AGENT", id="agent-1", org_id="desk")
SENIOR = Actor(role="SENIOR", id="senior-1", org_id="desk")
AUDITOR = Actor(role="AUDITOR", id="auditor-1")
SYSTEM = Actor(role="SYSTEM", id="returns")


def at(day: int, hour: int = 10, minute: int = 0, second: int = 0) -> datetime:
    """That day of March 2025; days above 31 are those of April and on."""
    return datetime(2025, 3, 1, hour, minute, second, tzinfo=UTC) + (day - 1) * DAY


NOW = at(10)


def line(line_id: str, quantity: int, price: int, discount: int = 0) -> OrderLine:
    return OrderLine(
        line_id=line_id,
        sku=f"sku-{line_id}",
        category="shoes",
        quantity=quantity,
        unit_price_minor=price,
        line_discount_minor=discount,
    )


def order(
    *lines: OrderLine, discount: int = 0, shipping: int = 0, currency: str = "EUR"
) -> OrderFacts:
    """One that was paid, whose reference currency is its own."""
    goods = sum(each.quantity * each.unit_price_minor - each.line_discount_minor for each in lines)
    total = goods - discount + shipping
    return OrderFacts(
        order_id="O1",
        seller_id="S1",
        buyer_id="B1",
        marketplace_id="M1",
        country="DE",
        stage="COMPLETED",
        currency=currency,
        lines=[*lines],
        order_discount_minor=discount,
        shipping_minor=shipping,
        total_minor=total,
        total_ref_minor=total,
        withdrawal_right=True,
        withdrawal_informed=True,
        placed_at=at(1) - 10 * DAY,
        paid_at=at(1) - 9 * DAY,
    )


ORDER_A = order(line("1", 3, 5999), discount=1799)
ORDER_B = order(line("1", 2, 1250), line("2", 1, 799), discount=500, shipping=490)
ORDER_D = order(line("1", 3, 1000), discount=100, currency="JPY")
ORDER_E = order(line("1", 1, 8999), shipping=590)
KNOWN = Known(policies=policies(), order=ORDER_A)


def say(
    said: Struct,
    now: datetime = NOW,
    actor: Actor = SYSTEM,
    **known: Any,  # noqa: ANN401 - any fact
) -> LedgerCommand:
    """The command, with what is known of order A, and what of it is to be otherwise."""
    return Sent(said, By(actor=actor, now=now, known=replace(KNOWN, **known)))


def opened(of: OrderFacts = ORDER_A) -> LedgerCommand:
    return say(OpenLedger(), at(1), order=of)


def asks(refund_id: str, *units: str, **said: Any) -> RequestRefund:  # noqa: ANN401
    """Of a RETURN whose units were accepted, unless it is told otherwise."""
    whole: dict[str, Any] = {"source": "RETURN", "source_id": "RT-1", "currency": "EUR"} | said
    standing: Standing | None = "ACCEPTED" if whole["source"] == "RETURN" else None
    deduction = whole.pop("deduction_milli", 0)
    named = tuple(
        AskedUnit(unit=unit, standing=standing, deduction_milli=deduction) for unit in units
    )
    return RequestRefund(refund_id=refund_id, units=named, **whole)


def remedy(refund_id: str, *units: str, **said: Any) -> RequestRefund:  # noqa: ANN401
    """Of a dispute, with its remedy `D-1`."""
    whole: dict[str, Any] = {"outcome": "REFUND_FULL", "liable": "SELLER", "remedy_id": "D-1"}
    whole |= said
    return asks(refund_id, *units, source="DISPUTE", source_id=whole["remedy_id"], **whole)


def goodwill(refund_id: str, amount: int, reason: str | None = None) -> GiveGoodwill:
    return GiveGoodwill(refund_id=refund_id, goodwill_minor=amount, currency="EUR", reason=reason)


def paid(refund_id: str, gateway_ref: str | None = None) -> ConfirmRefund:
    return ConfirmRefund(refund_id=refund_id, gateway_ref=gateway_ref or f"gw-{refund_id}")


def refused(refund_id: str, attempt: int = 1) -> FailRefund:
    return FailRefund(refund_id=refund_id, attempt=attempt, code="CARD_CLOSED", kind="REFUSED")


def not_paid(refund_id: str, attempt: int = 1) -> FailRefund:
    return FailRefund(refund_id=refund_id, attempt=attempt, code="DOWN", kind="RETRYABLE")


def timed_out(refund_id: str, attempt: int = 1) -> FailRefund:
    return FailRefund(refund_id=refund_id, attempt=attempt, code="TIMEOUT", kind="UNKNOWN")


def reissue(refund_id: str, failed: str) -> ReissueRefund:
    return ReissueRefund(refund_id=refund_id, failed_refund_id=failed)


def charged_back(outside_id: str, amount: int, *units: str) -> RecordOutsideRefund:
    return RecordOutsideRefund(
        outside_id=outside_id,
        kind="CHARGEBACK",
        units=units,
        amount_minor=amount,
        currency="EUR",
    )


def replaced(*units: str, difference: int = 0) -> ReplaceUnits:
    """Each by the next in its place."""
    return ReplaceUnits(
        return_id="RT-1",
        pairs=tuple(Pair(old_unit=unit, new_unit=next_of(unit)) for unit in units),
        difference_minor=difference,
        currency="EUR",
    )


def played(*commands: LedgerCommand, after: Sequence[RefundEvent] = ()) -> Played[Any, Any]:
    return play(LEDGERS, commands, after)


def history(*commands: LedgerCommand) -> tuple[RefundEvent, ...]:
    """The events of commands that are all taken."""
    events: list[RefundEvent] = []
    for command in commands:
        done = play(LEDGERS, [command], events)
        assert done.refused is None, f"{command.said}: {done.refused}"
        events += done.events
    return tuple(events)


def kinds(events: Sequence[Struct]) -> list[str]:
    return [type(event).__name__ for event in events]


def ledger_after(*commands: LedgerCommand) -> Ledger:
    state = LEDGERS.fold(history(*commands))
    assert not isinstance(state, Unopened)
    return state
