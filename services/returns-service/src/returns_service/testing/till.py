"""The refunds of a desk and the sandbox of the payment provider, turn by turn: for tests."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

from msgspec import Struct
from shared_events.orders import OrderLine
from shared_events.returns import RefundFailed
from shared_runtime.decider import Actor
from shared_runtime.errands import Errands
from shared_runtime.log import Ask, handle
from shared_runtime.rule import By, Sent

from returns_service.connectors.payments import payments
from returns_service.connectors.reconciling import Reconciling
from returns_service.domain.known import Known
from returns_service.domain.ledger_rules import LEDGERS
from returns_service.domain.streams import ledger_stream
from returns_service.ports.payment import PaymentPort
from returns_service.queries.reconciliations import Report
from returns_service.testing import AGENT, asks
from returns_service.testing.desk import Desk

LINES_OF_A = [
    OrderLine(
        line_id="1",
        sku="sku-1",
        category="shoes",
        quantity=3,
        unit_price_minor=5999,
        line_discount_minor=0,
    )
]
ORDER_A: dict[str, Any] = {
    "lines": LINES_OF_A,
    "order_discount_minor": 1799,
    "shipping_minor": 0,
    "total_minor": 16198,
    "total_ref_minor": 16198,
}
"""Three pieces, paid 5399, 5399 and 5400."""


@dataclass(slots=True, kw_only=True)
class Till:
    """`port`: a line to the provider."""

    desk: Desk
    port: PaymentPort

    def loop(self) -> Errands[Any]:
        """A worker's, as it is when it has just been started."""
        parts = self.desk.parts
        return payments(
            self.port,
            pool=parts.pool,
            own_log=parts.log,
            policies=self.desk.policies,
            now=parts.now,
            at_once=parts.settings.port_at_once,
        )

    def books(self) -> Reconciling:
        """A worker's loop that compares days."""
        parts = self.desk.parts
        return Reconciling(
            self.port,
            pool=parts.pool,
            own_log=parts.log,
            policies=self.desk.policies,
            now=parts.now,
        )

    async def compared(self, day: date) -> Report:
        """A day, now, with all done that follows."""
        report = await self.books().compare(day)
        await self.work()
        return report

    async def work(self) -> None:
        """All that there is to do, for the ledgers and at the provider."""
        loop = self.loop()
        await self.desk.work()
        while await loop.turn():
            await self.desk.work()

    async def after(self, time: timedelta) -> None:
        """So much later, with everything done that had to be done by then."""
        self.desk.clock.advance(time)
        await self.work()

    async def says(self, order_id: str, said: Struct, actor: Actor = AGENT) -> list[str]:
        """The types of what comes of a command at once."""
        by = By(actor=actor, now=self.desk.clock(), known=Known(policies=self.desk.policies))
        ask = Ask(
            stream=ledger_stream(order_id),
            command=Sent(said, by),
            cause=str(uuid4()),
            correlation=order_id,
        )
        handled = await handle(self.desk.parts.log, LEDGERS, ask)
        return [type(recorded.event).__name__ for recorded in handled.recorded]

    async def order(self, order_id: str, **changes: Any) -> None:  # noqa: ANN401 - any field
        """An order like A, paid."""
        await self.desk.paid(order_id, **(ORDER_A | changes))

    async def request(self, order_id: str, refund_id: str, *units: str, **said: Any) -> None:  # noqa: ANN401
        """A refund of pieces that were returned, told to the ledger and to nobody else yet."""
        await self.desk.says(order_id, asks(refund_id, *units, **said))

    async def failures(self, order_id: str) -> list[tuple[str, str, int]]:
        return [
            (each.kind, each.code, each.attempt)
            for each in await self.desk.history(order_id)
            if isinstance(each, RefundFailed)
        ]
