"""Orders, their ledgers and who speaks to them: stories, told over the edges of the service.

What other services tell comes by their logs, what the gateway says by a command of SYSTEM, what
people do over HTTP.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import asyncpg
from msgspec import Struct
from shared_events.envelope import Recorded
from shared_events.returns import RefundEvent, RefundRequested
from shared_runtime.log import Ask, PostgresLog, handle, read_stream
from shared_runtime.rule import By, Sent
from shared_runtime.service import Parts
from shared_runtime.testing import ManualClock, facts
from shared_runtime.testing_http import Client, Json, done, send, types_at

from returns_service.domain.known import Known
from returns_service.domain.ledger_rules import LEDGERS
from returns_service.domain.streams import ledger_stream
from returns_service.testing import SYSTEM, paid
from returns_service.testing.orders import cancelled, order_paid, order_placed, remedy


def eur(amount: int) -> Json:
    return {"amount": amount, "currency": "EUR"}


@dataclass(slots=True, kw_only=True)
class Desk:
    """`others`: the log that stands for those of all other services."""

    buyer: Client
    seller: Client
    agent: Client
    auditor: Client
    feed: Client
    parts: Parts[Any]
    others: PostgresLog
    clock: ManualClock
    work: Callable[[], Awaitable[None]]
    versions: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def pool(self) -> asyncpg.Pool:
        return self.parts.pool

    # --- What other services tell

    async def told(self, stream: str, *events: Struct) -> list[Recorded[Any]]:
        """Events in a log of others, which nobody has read yet."""
        after = self.versions.get(stream, 0)
        planned = facts(stream, *events, at=self.clock(), after=after, cause=str(uuid4()))
        self.versions[stream] = after + len(events)
        return await self.others.append(planned)

    async def tell(self, stream: str, *events: Struct) -> None:
        """And all done that there is to do then."""
        await self.told(stream, *events)
        await self.work()

    async def paid(self, order_id: str = "O-1", **changes: Any) -> str:  # noqa: ANN401
        """An order of B-5 at S-77, placed and paid; the path of its ledger."""
        placed = order_placed(order_id, self.clock(), **changes)
        await self.tell(f"order-{order_id}", placed, order_paid(placed, self.clock()))
        return ledger_path(order_id)

    async def cancelled(self, order_id: str = "O-1") -> None:
        end = cancelled(order_placed(order_id, self.clock()), self.clock())
        await self.tell(f"order-{order_id}", end)

    async def ordered(self, order_id: str = "O-1", **changes: Any) -> None:  # noqa: ANN401
        """A dispute ends with a remedy: all money back for the first piece."""
        await self.tell(f"dispute-D-{order_id}", remedy(order_id, self.clock(), **changes))

    # --- What the gateway and the bank say

    async def says(self, order_id: str, *said: Struct) -> list[str]:
        """The types of what comes of it at once; then all is done that follows."""
        types: list[str] = []
        for each in said:
            by = By(actor=SYSTEM, now=self.clock(), known=Known(policies=self.policies))
            ask = Ask(
                stream=ledger_stream(order_id),
                command=Sent(each, by),
                cause=str(uuid4()),
                correlation=order_id,
            )
            handled = await handle(self.parts.log, LEDGERS, ask)
            types += [type(recorded.event).__name__ for recorded in handled.recorded]
        await self.work()
        return types

    async def pays(self, order_id: str = "O-1") -> None:
        """The gateway has paid the refund that was asked for last."""
        *_, last = await self.requests(order_id)
        await self.says(order_id, paid(last.refund_id))

    @property
    def policies(self) -> Any:  # noqa: ANN401 - of the settings
        return self.parts.settings.policies

    # --- What has happened

    async def after(self, time: timedelta) -> None:
        """So much later, with everything done that had to be done by then."""
        self.clock.advance(time)
        await self.work()

    async def history(self, order_id: str = "O-1") -> list[RefundEvent]:
        recorded = await read_stream(self.parts.log, ledger_stream(order_id))
        return [each.event for each in recorded]

    async def kinds(self, order_id: str = "O-1") -> list[str]:
        return [type(each).__name__ for each in await self.history(order_id)]

    async def requests(self, order_id: str = "O-1") -> list[RefundRequested]:
        events = await self.history(order_id)
        return [each for each in events if isinstance(each, RefundRequested)]

    # --- What people do

    async def judged(self, who: Client, path: str, door: str, body: Json) -> Json:
        """A command about the version that he sees."""
        version = (await who.get(path)).headers["ETag"]
        return done(await send(who, f"{path}/{door}", body, version=version))

    async def gives(self, who: Client, amount: int, order_id: str = "O-1", **said: Any) -> Json:  # noqa: ANN401
        return await self.judged(
            who, ledger_path(order_id), "goodwill", {"goodwill": eur(amount)} | said
        )

    async def seen_by(self, who: Client, order_id: str = "O-1") -> Json:
        answered = await who.get(ledger_path(order_id))
        assert answered.status_code == HTTPStatus.OK, answered.text
        shown: Json = answered.json()
        return shown

    async def types(self, who: Client, order_id: str = "O-1") -> list[str]:
        return await types_at(who, ledger_path(order_id))


def ledger_path(order_id: str) -> str:
    return f"/v1/orders/{order_id}/refunds"
