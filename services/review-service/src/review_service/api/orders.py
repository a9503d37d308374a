"""The life of an order: each step a resource that is posted; the order itself, always current."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Response
from msgspec import Struct
from msgspec.structs import replace
from shared_casework.callers import FEEDS, PARTIES, ToldBody, feed_actor, stated
from shared_events.orders import OrderEvent
from shared_runtime.auth import Caller, require
from shared_runtime.clock import Clock
from shared_runtime.commands import AnyCommandRequest, CommandRequest, Commands
from shared_runtime.decider import (
    AlreadySubmitted,
    Decider,
    InvalidValue,
    NotFound,
    Role,
    RoleNotAllowed,
)
from shared_runtime.doors import Arrival, Door, View, doors_api
from shared_runtime.fields import Body, IdStr
from shared_runtime.history import STAFF_ROLES, event_page
from shared_runtime.log import Log, read_stream
from shared_runtime.media import MediaFile
from shared_runtime.problems import command_refusals, refusals
from shared_runtime.reading import PAGE_SIZE, Cursors, CursorText, Limit, answer
from shared_runtime.routers import Router
from shared_runtime.rule import By, Sent
from shared_runtime.sealing import PersonKey
from shared_runtime.shape import Purpose

from review_service.api import answers
from review_service.api.bodies import OrderBody
from review_service.api.callers import existing, read_order, reader
from review_service.domain.completion import (
    ATTRIBUTE_DELAY,
    CANCEL_ORDER,
    COMPLETE_ORDER,
    REOPEN_ORDER,
)
from review_service.domain.fulfilment import MARK_DELIVERED, MARK_PAID, MARK_SHIPPED
from review_service.domain.known import Known, Sender
from review_service.domain.order import Order
from review_service.domain.order_rules import ORDERS, OrderCommand
from review_service.domain.placing import PLACE_ORDER
from review_service.domain.policy import Policies
from review_service.domain.streams import order_stream
from review_service.order_views import order_view, readable_order
from review_service.told_order import place_order, told_error

type Feed = Annotated[Caller, Depends(require(*FEEDS))]
type Reader = Annotated[Caller, Depends(require(*PARTIES, *STAFF_ROLES, *FEEDS))]

ORDER = "/v1/orders/{order_id}"

STEPS = (
    Door(f"{ORDER}/payment", MARK_PAID, "It was paid", shows=answers.ORDER_COMMAND),
    Door(
        f"{ORDER}/shipment",
        MARK_SHIPPED,
        "It was handed to the carrier",
        shows=answers.ORDER_COMMAND,
    ),
    Door(
        f"{ORDER}/delivery",
        MARK_DELIVERED,
        "It was delivered",
        description="It completes by itself some days later.",
        shows=answers.ORDER_COMMAND,
    ),
    Door(f"{ORDER}/cancellation", CANCEL_ORDER, "It was cancelled", shows=answers.ORDER_COMMAND),
    Door(
        f"{ORDER}/reopening",
        REOPEN_ORDER,
        "Its completion is undone",
        description="A correction by the carrier, or of the payment.",
        shows=answers.ORDER_COMMAND,
    ),
    Door(
        f"{ORDER}/delay-attribution",
        ATTRIBUTE_DELAY,
        "Its delay is not the seller's",
        description="A MODERATOR says with If-Match which version he decides on.",
        shows=answers.ORDER_COMMAND,
        versioned=True,
    ),
)
COMPLETION = (
    Door(
        f"{ORDER}/completion",
        COMPLETE_ORDER,
        "It is complete",
        description="A BUYER, of his own order, confirms the receipt. Its evaluation opens.",
        shows=answers.ORDER_COMMAND,
    ),
)
# What a path names has been placed, or it is not there.
OF_EXISTING = Decider[Order, OrderCommand, OrderEvent](
    initial=ORDERS.initial,
    decide=lambda order, sent: ORDERS.decide(existing(order), sent),
    evolve=ORDERS.evolve,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """All that the routes about orders need."""

    log: Log
    commands: Commands
    policies: Policies
    cursors: Cursors
    now: Clock

    def by(self, caller: Caller, now: datetime, *persons: Role) -> Sender:
        """A feed, or else a person in one of these roles."""
        actor = feed_actor(caller) or caller.actor(*persons)
        return By(actor=actor, now=now, known=Known(policies=self.policies))

    async def run(
        self,
        request: CommandRequest,
        order_id: str,
        said: Struct,
        by: Sender,
        *,
        decider: Decider[Order, OrderCommand, OrderEvent] = OF_EXISTING,
        states_time: bool,
    ) -> Response:
        """Decides a command and answers with the order as it is then."""
        return await self.commands.run(
            request,
            decider,
            Sent(said, by),
            stream=order_stream(order_id),
            correlation=order_id,
            view=lambda outcome: order_view(existing(outcome.state), replace(by, now=self.now())),
            status=201,
            states_time=states_time,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPlace:
    """A feed before an order, which tells what has happened to it; or a person, who acts now."""

    orders: Orders
    order_id: str
    arrival: Arrival
    gives: Mapping[str, object]

    async def key(self, sealed_for: str, said: Mapping[str, object]) -> PersonKey:  # noqa: ARG002
        raise AssertionError("nothing in an order is sealed")

    async def files(self, ids: Sequence[str], purpose: Purpose) -> Sequence[MediaFile]:  # noqa: ARG002
        raise AssertionError("an order has no files")

    async def run(
        self,
        request: CommandRequest,
        said: Struct,
        view: View | None,  # noqa: ARG002 - the order is always shown whole
        files: Sequence[MediaFile],  # noqa: ARG002
    ) -> Response:
        caller, body = self.arrival.caller, self.arrival.body
        assert isinstance(body, ToldBody)
        is_feed = feed_actor(caller) is not None
        if not is_feed or request.expected is not None:
            # Before If-Match is looked at: it would tell others that the order is there.
            reader(caller, await read_order(self.orders.log, self.order_id))
        now = stated(body.at, self.orders.now(), may_state=is_feed)
        by = self.orders.by(caller, now, *self.arrival.door.roles)
        return await self.orders.run(
            request, self.order_id, said, by, states_time=body.at is not None
        )


@dataclass(frozen=True, slots=True)
class ToOrder:
    """A step is told by a feed, with or without its instant, or taken by a person now."""

    orders: Orders
    gives: frozenset[str] = frozenset()
    body: type[Body] = ToldBody
    also: tuple[Role, ...] = ("IMPORTER",)

    async def __call__(self, arrival: Arrival) -> OrderPlace:
        given = {"by_feed": feed_actor(arrival.caller) is not None}
        return OrderPlace(
            orders=self.orders,
            order_id=arrival.path["order_id"],
            arrival=arrival,
            gives={name: given[name] for name in self.gives},
        )


@contextmanager
def as_sent() -> Generator[None]:
    """A refusal of the domain names fields as commands have them; clients sent others."""
    try:
        yield
    except InvalidValue as refused:
        raise InvalidValue(errors=[told_error(error) for error in refused.errors]) from None


def orders_api(orders: Orders) -> list[Router]:
    return [
        placing(orders),
        doors_api(STEPS, ToOrder(orders), tag="orders"),
        doors_api(COMPLETION, ToOrder(orders, frozenset({"by_feed"})), tag="orders"),
        reading(orders),
    ]


def placing(orders: Orders) -> Router:
    """Written out: an order is told with its money amount by amount, as lines of bulk tell it."""
    router = Router("/v1/orders", tags=["orders"])

    @router.post(
        "",
        summary="An order was placed",
        description="For SYSTEM and IMPORTER. The same order again changes nothing.",
        status_code=201,
        responses=command_refusals(RoleNotAllowed, AlreadySubmitted) | answers.ORDER_COMMAND,
        operation_id=PLACE_ORDER.name,
    )
    async def place(body: OrderBody, caller: Feed, request: AnyCommandRequest) -> Response:
        now = stated(body.placed_at, orders.now(), may_state=True, field="placed_at")
        said = place_order(body.told())
        with as_sent():
            return await orders.run(
                request,
                body.order_id,
                said,
                orders.by(caller, now),
                decider=ORDERS,
                states_time=True,
            )

    return router


def reading(orders: Orders) -> Router:
    router = Router("/v1/orders", tags=["orders"])

    @router.get(
        "/{order_id}",
        summary="An order, and what you can do about it now",
        description="For its parties, staff, AUDITOR, SYSTEM and IMPORTER.",
        responses=refusals(RoleNotAllowed, NotFound) | answers.ORDER,
    )
    async def get_order(order_id: IdStr, caller: Reader) -> Response:
        history = await read_stream(orders.log, order_stream(order_id))
        known = ORDERS.fold(recorded.event for recorded in history)
        by = By(
            actor=reader(caller, known),
            now=orders.now(),
            known=Known(policies=orders.policies),
        )
        return answer(order_view(existing(known), by), version=len(history))

    @router.get(
        "/{order_id}/events",
        summary="What has happened to an order",
        description="For its parties, staff, AUDITOR, SYSTEM and IMPORTER. Oldest first.",
        responses=refusals(RoleNotAllowed, NotFound) | answers.EVENTS,
    )
    async def list_order_events(
        order_id: IdStr, caller: Reader, limit: Limit = PAGE_SIZE, cursor: CursorText = None
    ) -> Response:
        history = await read_stream(orders.log, order_stream(order_id))
        actor = reader(caller, ORDERS.fold(recorded.event for recorded in history))
        told = readable_order(history, actor)
        page = event_page(told, f"events of order {order_id}", limit, cursor, orders.cursors)
        return answer(page)

    return router
