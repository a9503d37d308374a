"""What the tests of this service's edges share, besides the kit of all services.

service  review-service
database one that is at head
buyer    the client of the buyer of the order of the examples
seller   that of a member of its seller
tell     appends facts of an order or its evaluation as they are, without deciding anything
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Any
from uuid import uuid5

import httpx
import pytest
from local_stack.databases import Database
from review_service.app import SERVICE
from review_service.settings import ReviewSettings
from shared_events.orders import OrderFact
from shared_events.review import ReviewFact
from shared_runtime.log import Planned, read_stream
from shared_runtime.sealing import seal_event
from shared_runtime.service import Parts, Service
from shared_runtime.testing import TESTS


@pytest.fixture(scope="session")
def service() -> Service[ReviewSettings]:
    return SERVICE


@pytest.fixture
def database(make_database: Callable[..., Database], template: str) -> Database:
    return make_database(template)


@pytest.fixture
def buyer(caller: Callable[..., httpx.AsyncClient]) -> httpx.AsyncClient:
    return caller("BUYER", "B-5")


@pytest.fixture
def seller(caller: Callable[..., httpx.AsyncClient]) -> httpx.AsyncClient:
    return caller("SELLER", "employee", seller_id="S-77")


type PartialEvent = partial[Any]
"""An event without what every event about an order says."""


@pytest.fixture
def tell(parts: Parts[ReviewSettings]) -> Callable[..., Awaitable[None]]:
    """`tell("O1", partial(ReviewHeld, ground="FAKE", hold_until=…))`: of the buyer's review of
    S-77, unless something else is said.
    """

    async def of_order(
        order_id: str,
        *events: PartialEvent,
        at: datetime | None = None,
        by: str = "system:test",
        seller_id: str = "S-77",
        buyer_id: str = "B-5",
    ) -> None:
        planned: list[Planned] = []
        for event in events:
            kind: Any = event.func
            bases = kind.__mro__
            of = "order" if OrderFact in bases else "evaluation"
            stream = f"{of}-{order_id}"
            before = len(await read_stream(parts.log, stream))
            version = before + 1 + sum(each.stream == stream for each in planned)
            event_id = str(uuid5(TESTS, f"{stream}/{version}"))
            known: dict[str, Any] = {
                "order_id": order_id,
                "seller_id": seller_id,
                "buyer_id": buyer_id,
                "policy_version": "ae-2025-1",
            }
            if ReviewFact in bases:
                side = event.keywords.get("side", "BUYER")
                known |= {"side": side, "review_id": f"R-{order_id}-{side[0]}"}
            planned.append(
                Planned(
                    event=seal_event(kind(**(known | event.keywords)), event_id),
                    event_id=event_id,
                    stream=stream,
                    version=version,
                    time=at or parts.now(),
                    actor=by,
                    correlation=order_id,
                    cause=event_id,
                )
            )
        await parts.log.append(planned)

    return of_order
