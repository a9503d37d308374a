"""The life of an order: each step a resource that is posted; the order itself, always current."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from msgspec.structs import replace
from shared_events.orders import OrderEvent
from shared_runtime.auth import Caller, require
from shared_runtime.clock import Clock
from shared_runtime.commands import Asked, AskedFor, Commands
from shared_runtime.decider import (
    Actor,
    AlreadySubmitted,
    Decider,
    InvalidValue,
    Role,
    RoleNotAllowed,
    TimeGoesBack,
    WrongState,
)
from shared_runtime.fields import IdStr
from shared_runtime.history import STAFF_ROLES, event_page, signed
from shared_runtime.log import Log, read_stream
from shared_runtime.problems import NotFound, PreconditionRequired, command_refusals, refusals
from shared_runtime.reading import PAGE_SIZE, Cursors, CursorText, Limit, answer

from review_service.api import answers
from review_service.api.bodies import (
    CancellationBody,
    CompletionBody,
    DelayAttributionBody,
    DeliveryBody,
    OrderBody,
    PaymentBody,
    ReopeningBody,
    ShipmentBody,
)
from review_service.api.callers import FEEDS, PARTIES, existing, feed_actor, reader, stated
from review_service.domain.commands import (
    AttributeDelay,
    CancelOrder,
    CompleteOrder,
    MarkDelivered,
    MarkPaid,
    MarkShipped,
    OrderCommand,
    ReopenOrder,
)
from review_service.domain.order import Order, orders
from review_service.domain.policy import Policies
from review_service.domain.streams import order_stream
from review_service.order_views import order_view
from review_service.placing import place_order, told_error

type Feed = Annotated[Caller, Depends(require(*FEEDS))]
type BuyerOrFeed = Annotated[Caller, Depends(require("BUYER", *FEEDS))]
type ModeratorOrFeed = Annotated[Caller, Depends(require("MODERATOR", *FEEDS))]
type Reader = Annotated[Caller, Depends(require(*PARTIES, *STAFF_ROLES, *FEEDS))]

STEP = (RoleNotAllowed, NotFound, WrongState, TimeGoesBack)


@contextmanager
def as_sent() -> Generator[None]:
    """A refusal of the domain names fields as commands have them; clients sent others."""
    try:
        yield
    except InvalidValue as refused:
        raise InvalidValue(errors=[told_error(error) for error in refused.errors]) from None


def orders_api(  # noqa: C901 - a function for each route
    log: Log, commands: Commands, policies: Policies, cursors: Cursors, now: Clock
) -> APIRouter:
    router = APIRouter(prefix="/v1/orders", tags=["orders"])
    placing = orders(policies)
    steps = Decider[Order, OrderCommand, OrderEvent](
        initial=placing.initial,
        decide=lambda order, command: placing.decide(existing(order), command),
        evolve=placing.evolve,
    )

    async def known_order(order_id: str) -> Order:
        history = await read_stream(log, order_stream(order_id))
        return placing.fold(recorded.event for recorded in history)

    async def run(
        asked: Asked,
        order_id: str,
        command: OrderCommand,
        decider: Decider[Order, OrderCommand, OrderEvent],
        *,
        states_time: bool,
    ) -> Response:
        with as_sent():
            return await commands.run(
                asked,
                decider,
                command,
                stream=order_stream(order_id),
                correlation=order_id,
                view=lambda outcome: order_view(
                    existing(outcome.state), command.actor, now(), policies
                ),
                status=201,
                states_time=states_time,
            )

    async def step(
        asked: Asked,
        order_id: str,
        caller: Caller,
        at: datetime | None,
        told: Callable[[datetime, Actor], OrderCommand],
        *persons: Role,
    ) -> Response:
        """A step is told by a feed, with or without its instant, or taken by a person now."""
        feed = feed_actor(caller)
        if feed is None or asked.expected is not None:
            # Before If-Match is looked at: it would tell others that the order is there.
            reader(caller, await known_order(order_id))
        command = told(
            stated(at, now(), may_state=feed is not None), feed or caller.actor(*persons)
        )
        return await run(asked, order_id, command, steps, states_time=at is not None)

    @router.post(
        "",
        summary="An order was placed",
        description="For SYSTEM and IMPORTER. The same order again changes nothing.",
        status_code=201,
        responses=command_refusals(RoleNotAllowed, AlreadySubmitted) | answers.ORDER_COMMAND,
    )
    async def place(body: OrderBody, caller: Feed, asked: AskedFor) -> Response:
        actor = feed_actor(caller)
        assert actor
        stated(body.placed_at, now(), may_state=True, field="placed_at")
        command = place_order(body.told(), actor)
        return await run(asked, body.order_id, command, placing, states_time=True)

    @router.post(
        "/{order_id}/payment",
        summary="It was paid",
        description="For SYSTEM and IMPORTER.",
        status_code=201,
        responses=command_refusals(*STEP, AlreadySubmitted) | answers.ORDER_COMMAND,
    )
    async def payment(
        order_id: IdStr, body: PaymentBody, caller: Feed, asked: AskedFor
    ) -> Response:
        def told(at: datetime, actor: Actor) -> MarkPaid:
            return MarkPaid(payment_ref=body.payment_ref, now=at, actor=actor)

        return await step(asked, order_id, caller, body.at, told)

    @router.post(
        "/{order_id}/shipment",
        summary="It was handed to the carrier",
        description="For SYSTEM and IMPORTER.",
        status_code=201,
        responses=command_refusals(*STEP, AlreadySubmitted) | answers.ORDER_COMMAND,
    )
    async def shipment(
        order_id: IdStr, body: ShipmentBody, caller: Feed, asked: AskedFor
    ) -> Response:
        def told(at: datetime, actor: Actor) -> MarkShipped:
            return MarkShipped(
                deliver_by=body.deliver_by, tracking_id=body.tracking_id, now=at, actor=actor
            )

        return await step(asked, order_id, caller, body.at, told)

    @router.post(
        "/{order_id}/delivery",
        summary="It was delivered",
        description="For SYSTEM and IMPORTER. It completes by itself some days later.",
        status_code=201,
        responses=command_refusals(*STEP, AlreadySubmitted) | answers.ORDER_COMMAND,
    )
    async def delivery(
        order_id: IdStr, body: DeliveryBody, caller: Feed, asked: AskedFor
    ) -> Response:
        def told(at: datetime, actor: Actor) -> MarkDelivered:
            return MarkDelivered(signed=body.signed, now=at, actor=actor)

        return await step(asked, order_id, caller, body.at, told)

    @router.post(
        "/{order_id}/completion",
        summary="It is complete",
        description="For its BUYER, who confirms the receipt, for SYSTEM and IMPORTER. "
        "Its evaluation opens.",
        status_code=201,
        responses=command_refusals(*STEP, AlreadySubmitted) | answers.ORDER_COMMAND,
    )
    async def completion(
        order_id: IdStr, body: CompletionBody, caller: BuyerOrFeed, asked: AskedFor
    ) -> Response:
        def told(at: datetime, actor: Actor) -> CompleteOrder:
            return CompleteOrder(by_feed=actor.acts_as == "SYSTEM", now=at, actor=actor)

        return await step(asked, order_id, caller, body.at, told, "BUYER")

    @router.post(
        "/{order_id}/cancellation",
        summary="It was cancelled",
        description="For SYSTEM and IMPORTER.",
        status_code=201,
        responses=command_refusals(*STEP, AlreadySubmitted) | answers.ORDER_COMMAND,
    )
    async def cancellation(
        order_id: IdStr, body: CancellationBody, caller: Feed, asked: AskedFor
    ) -> Response:
        def told(at: datetime, actor: Actor) -> CancelOrder:
            return CancelOrder(by=body.by, reason=body.reason, now=at, actor=actor)

        return await step(asked, order_id, caller, body.at, told)

    @router.post(
        "/{order_id}/reopening",
        summary="Its completion is undone",
        description="For SYSTEM and IMPORTER: a correction by the carrier, or of the payment.",
        status_code=201,
        responses=command_refusals(*STEP) | answers.ORDER_COMMAND,
    )
    async def reopening(
        order_id: IdStr, body: ReopeningBody, caller: Feed, asked: AskedFor
    ) -> Response:
        def told(at: datetime, actor: Actor) -> ReopenOrder:
            return ReopenOrder(reason=body.reason, now=at, actor=actor)

        return await step(asked, order_id, caller, body.at, told)

    @router.post(
        "/{order_id}/delay-attribution",
        summary="Its delay is not the seller's",
        description="For SYSTEM and IMPORTER, and for a MODERATOR, who says with If-Match which "
        "version he decides on.",
        status_code=201,
        responses=command_refusals(*STEP, AlreadySubmitted, PreconditionRequired)
        | answers.ORDER_COMMAND,
    )
    async def delay_attribution(
        order_id: IdStr, body: DelayAttributionBody, caller: ModeratorOrFeed, asked: AskedFor
    ) -> Response:
        if feed_actor(caller) is None:
            asked.require_version()

        def told(at: datetime, actor: Actor) -> AttributeDelay:
            return AttributeDelay(
                incident_id=body.incident_id, liable=body.liable, now=at, actor=actor
            )

        return await step(asked, order_id, caller, body.at, told, "MODERATOR")

    @router.get(
        "/{order_id}",
        summary="An order, and what you can do about it now",
        description="For its parties, staff, AUDITOR, SYSTEM and IMPORTER.",
        responses=refusals(RoleNotAllowed, NotFound) | answers.ORDER,
    )
    async def order(order_id: IdStr, caller: Reader) -> Response:
        history = await read_stream(log, order_stream(order_id))
        known = placing.fold(recorded.event for recorded in history)
        actor = reader(caller, known)
        view = order_view(existing(known), actor, now(), policies)
        return answer(view, version=len(history))

    @router.get(
        "/{order_id}/events",
        summary="What has happened to an order",
        description="For its parties, staff, AUDITOR, SYSTEM and IMPORTER. Oldest first.",
        responses=refusals(RoleNotAllowed, NotFound) | answers.EVENTS,
    )
    async def order_events(
        order_id: IdStr, caller: Reader, limit: Limit = PAGE_SIZE, cursor: CursorText = None
    ) -> Response:
        history = await read_stream(log, order_stream(order_id))
        actor = reader(caller, placing.fold(recorded.event for recorded in history))
        told = [replace(recorded, actor=signed(recorded, actor)) for recorded in history]
        return answer(event_page(told, f"events of order {order_id}", limit, cursor, cursors))

    return router
