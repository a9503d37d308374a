"""An order, the people around it and what they say, for sentences about disputes in tests.

Order A: three pieces of line 1, paid 5399, 5399 and 5400, delivered 2025-03-01T10Z and completed
2025-03-08T10Z. B1 opens a dispute of it on 2025-03-05T08Z; S1 is the seller.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from shared_casework.money import LedgerFacts
from shared_casework.order_facts import OrderFacts
from shared_events.dispute import DisputedLine, DisputeEvent
from shared_events.orders import OrderLine
from shared_runtime.decider import Actor
from shared_runtime.rule import By, Sent
from shared_runtime.testing import Played, play

from dispute_service.domain.known import Known, UnitFacts
from dispute_service.domain.policy import policies
from dispute_service.domain.rules import DISPUTES, DisputeCommand

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)

BUYER = Actor(role="BUYER", id="B1")
SELLER = Actor(role="SELLER", id="clerk", org_id="S1")
AGENT = Actor(role="AGENT", id="agent-1", org_id="desk")
SENIOR = Actor(role="SENIOR", id="senior-1", org_id="desk")
AUDITOR = Actor(role="AUDITOR", id="auditor-1")
SYSTEM = Actor(role="SYSTEM", id="timer")
STRANGER = Actor(role="BUYER", id="B2")

FILE = "0" * 64


def at(day: int, hour: int = 8, minute: int = 0, second: int = 0) -> datetime:
    """That day of March 2025; days above 31 are those of April and on."""
    return datetime(2025, 3, 1, hour, minute, second, tzinfo=UTC) + (day - 1) * DAY


OPENING = at(5)
DELIVERED = at(1, 10)
COMPLETED = at(8, 10)

LINE = OrderLine(line_id="1", sku="sku-1", category="shoes", quantity=3, unit_price_minor=5999)
ORDER = OrderFacts(
    order_id="O1",
    seller_id="S1",
    buyer_id="B1",
    marketplace_id="M1",
    country="DE",
    stage="COMPLETED",
    currency="EUR",
    lines=[
        OrderLine(line_id="1", sku="sku-1", category="shoes", quantity=3, unit_price_minor=5999)
    ],
    order_discount_minor=1799,
    shipping_minor=0,
    total_minor=16198,
    total_ref_minor=16198,
    withdrawal_right=True,
    withdrawal_informed=True,
    placed_at=at(1) - 10 * DAY,
    paid_at=at(1) - 9 * DAY,
    shipped_at=at(1) - 8 * DAY,
    delivered_at=DELIVERED,
    received_at=DELIVERED,
    completed_at=COMPLETED,
    completion_no=1,
)
PIECES = tuple(UnitFacts(unit=f"1/{n}") for n in (1, 2, 3))
LEDGER = LedgerFacts(
    units={"1/1": 5399, "1/2": 5399, "1/3": 5400},
    left=frozenset({"1/1", "1/2", "1/3"}),
    shipping_minor=0,
    order_minor=16198,
)
KNOWN = Known(policies=policies(), order=ORDER, units=PIECES, ledger=LEDGER)
ALL = (DisputedLine(line_id="1", quantity=3),)


def ledger(ceiling_minor: int) -> LedgerFacts:
    """One that has so much for whatever pieces."""
    return LedgerFacts(
        units={}, left=frozenset(), shipping_minor=ceiling_minor, order_minor=ceiling_minor
    )


def words(about: str = "text") -> str:
    """What somebody wrote, as it is sealed."""
    return f"s1.key.{about}.event.text.words"


def say(said: Struct, *, now: datetime, actor: Actor = BUYER, **known: Any) -> DisputeCommand:  # noqa: ANN401 - any fact
    """The command, with what is known of order A, and what of it is to be otherwise."""
    return Sent(said, By(actor=actor, now=now, known=replace(KNOWN, **known)))


def played(*commands: DisputeCommand, after: Sequence[DisputeEvent] = ()) -> Played[Any, Any]:
    return play(DISPUTES, commands, after)


def history(*commands: DisputeCommand) -> tuple[DisputeEvent, ...]:
    """The events of commands that are all taken."""
    events: list[DisputeEvent] = []
    for command in commands:
        done = play(DISPUTES, [command], events)
        assert done.refused is None, f"{command.said}: {done.refused}"
        events += done.events
    return tuple(events)


def kinds(events: Sequence[DisputeEvent]) -> list[str]:
    return [type(event).__name__ for event in events]
