"""What other services tell of an order that comes, and the people who return pieces of it.

order = await Returning(desk).delivered()
path = await order.asked()
await order.does(desk.seller, path, "approval")
"""

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import httpx
from shared_events.orders import OrderCompleted, OrderDelivered, OrderShipped
from shared_runtime.log import read_stream
from shared_runtime.testing_http import Client, Json, done, send, types_at

from returns_service.testing.desk import Desk
from returns_service.testing.orders import ids_of, order_paid, order_placed

DAY = timedelta(days=1)
RETURNS = "/v1/returns"
WITHDRAWALS = "/v1/withdrawals"
ONE = [{"line_id": "1", "quantity": 1}]
LABEL: Json = {
    "label_id": "L-1",
    "carrier": "DHL",
    "tracking_id": "T-1",
    "cost": {"amount": 390, "currency": "EUR"},
}
ASKED: Json = {
    "kind": "RETURN",
    "lines": ONE,
    "reason": "NOT_AS_DESCRIBED",
    "wants": "REFUND",
    "text": "It is another colour than in the picture.",
}


@dataclass(slots=True, kw_only=True)
class Returning:
    """Returns of one order, O-1 if nobody says otherwise, told over the edges of the service."""

    desk: Desk
    order_id: str = "O-1"

    async def shipped(self, **changes: Any) -> None:  # noqa: ANN401 - any field of the order
        desk = self.desk
        placed = order_placed(self.order_id, desk.clock(), **changes)
        ids, now = ids_of(placed), desk.clock()
        await desk.tell(
            f"order-{self.order_id}",
            placed,
            order_paid(placed, now),
            OrderShipped(**ids, shipped_at=now, late_dispatch=False),
        )

    async def delivered(self, **changes: Any) -> "Returning":  # noqa: ANN401 - as above
        """Two pieces at 25.00, shipping 4.99; delivered and completed now."""
        await self.shipped(**changes)
        ids, now = ids_of(order_placed(self.order_id, self.desk.clock())), self.desk.clock()
        await self.desk.tell(
            f"order-{self.order_id}",
            OrderDelivered(**ids, delivered_at=now, late=False, signed=True, auto_complete_at=now),
            OrderCompleted(
                **ids,
                how="AUTOMATIC",
                completed_at=now,
                completion_no=1,
                late=False,
                total_ref_minor=5499,
            ),
        )
        return self

    # --- What people do

    async def tries_to_ask(self, **changes: Any) -> httpx.Response:  # noqa: ANN401 - any field
        body = {"order_id": self.order_id} | ASKED | changes
        return await send(self.desk.buyer, RETURNS, body)

    async def asked(self, **changes: Any) -> str:  # noqa: ANN401 - any field
        """A return that its buyer has asked for: its path."""
        told = done(await self.tries_to_ask(**changes))
        await self.desk.work()
        return f"{RETURNS}/{told['return_id']}"

    async def approved(self, **changes: Any) -> str:  # noqa: ANN401 - any field
        """One that its seller has approved."""
        path = await self.asked(**changes)
        await self.does(self.desk.seller, path, "approval")
        return path

    async def tries(
        self, who: Client, path: str, door: str, body: Json | None = None
    ) -> httpx.Response:
        version = (await who.get(path)).headers.get("ETag")
        return await send(who, f"{path}/{door}", body or {}, version=version)

    async def does(self, who: Client, path: str, door: str, body: Json | None = None) -> Json:
        """Then all is done that follows."""
        told = done(await self.tries(who, path, door, body))
        await self.desk.work()
        return told

    async def scanned(self, path: str, kind: str, *units: str, **said: Any) -> Json:  # noqa: ANN401
        body = {"kind": kind, "units": [*units], "scanned_at": self.desk.clock().isoformat()}
        return await self.does(self.desk.feed, path, "scans", body | said)

    async def seen_by(self, who: Client, path: str) -> Json:
        answered = await who.get(path)
        assert answered.status_code == HTTPStatus.OK, answered.text
        shown: Json = answered.json()
        return shown

    async def types(self, path: str) -> list[str]:
        """All that has happened to it."""
        return await types_at(self.desk.auditor, path)

    async def history(self, path: str) -> list[Any]:
        stream = f"return-{path.rpartition('/')[2]}"
        return [each.event for each in await read_stream(self.desk.parts.log, stream)]
