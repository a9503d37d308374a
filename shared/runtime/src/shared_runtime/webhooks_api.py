"""Webhook endpoints over HTTP, for the shops whose they are: made, changed, tried, looked after."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query, Request, Response
from msgspec import Struct
from msgspec.structs import asdict
from pydantic import BeforeValidator, ConfigDict, Field

from shared_runtime.auth import Caller, require
from shared_runtime.bodies import as_tuple
from shared_runtime.decider import (
    FieldError,
    InvalidValue,
    LimitReached,
    NotFound,
    Role,
    RoleNotAllowed,
    WrongState,
)
from shared_runtime.documents import answered
from shared_runtime.fields import Body, IdStr
from shared_runtime.idempotency import command_id, fingerprint, idempotency_key
from shared_runtime.pages import PageQuery, query_of
from shared_runtime.problems import IdempotencyKeyMissing, IdempotencyMismatch, refusals
from shared_runtime.reach import URL_LENGTH_MAX, Reach
from shared_runtime.reading import Cursors, answer
from shared_runtime.routers import Router
from shared_runtime.webhook_events import types_of
from shared_runtime.webhooks import (
    DELAYS,
    ENDPOINTS_MAX,
    FORMER_SIGNS_FOR,
    KEPT_FOR,
    Attempt,
    DeliveryState,
    Endpoint,
    EventDelivery,
    OffBecause,
    Subscriber,
    WantedEndpoint,
    Webhooks,
    account_of_machine,
    account_of_seller,
)

PATH = "/v1/webhook-endpoints"
TAG = "webhook-endpoints"
SUBSCRIBERS: tuple[Role, ...] = ("SELLER", "SYSTEM")
TYPES_MAX = 100
TYPE_LENGTH_MAX = 100
IDS_MAX = 100

type Whose = Annotated[Caller, Depends(require(*SUBSCRIBERS))]
type Key = Annotated[str, Depends(idempotency_key)]


class EndpointBody(Body):
    """What is to be sent where."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"url": "https://shop.example/aftersales"}]}
    )

    url: Annotated[
        str,
        Field(
            min_length=1,
            max_length=URL_LENGTH_MAX,
            description="https://, a host of the world and the usual port.",
            examples=["https://shop.example/aftersales"],
            json_schema_extra={"pattern": "^https?://[!-~]+$"},
        ),
    ]
    types: Annotated[
        tuple[Annotated[str, Field(max_length=TYPE_LENGTH_MAX)], ...],
        BeforeValidator(as_tuple),
        Field(
            max_length=TYPES_MAX,
            description="The names of events, without a version; none: all.",
            examples=[[]],
        ),
    ] = ()
    seller_ids: Annotated[
        tuple[IdStr, ...],
        BeforeValidator(as_tuple),
        Field(max_length=IDS_MAX, description="For SYSTEM: whose events. None of both: all."),
    ] = ()
    buyer_ids: Annotated[
        tuple[IdStr, ...],
        BeforeValidator(as_tuple),
        Field(max_length=IDS_MAX, description="For SYSTEM: and whose."),
    ] = ()


class EndpointView(Struct, frozen=True, kw_only=True):
    """`former_signs_until`: until when the secret before this one signs too. `off_because`: it was
    switched off by its OWNER; as FAILING, when a delivery had failed for the last time and nothing
    was taken since it was first tried; as it had said that it is GONE.
    """

    endpoint_id: str
    url: str
    types: list[str]
    seller_ids: list[str]
    buyer_ids: list[str]
    created_at: datetime
    former_signs_until: datetime | None
    off_at: datetime | None
    off_because: OffBecause | None


class EndpointWithSecret(EndpointView, frozen=True, kw_only=True):
    """`secret`: with which the receiver verifies what it is sent. It is not shown again."""

    secret: str


class EndpointList(Struct, frozen=True, kw_only=True):
    items: list[EndpointView]


class DeliveryView(Struct, frozen=True, kw_only=True):
    """`delivery_id`: the `webhook-id`, the same at each attempt. `attempts`: the latest first. One
    whose end nobody has heard of is not among them. WITHDRAWN: you may not know of it any more.
    """

    delivery_id: str
    type: str
    event_id: str | None
    order_id: str | None
    state: DeliveryState
    created_at: datetime
    next_attempt_at: datetime | None
    attempts: list[Attempt]


class DeliveryPage(Struct, frozen=True, kw_only=True):
    items: list[DeliveryView]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryQuery(PageQuery):
    state: Annotated[DeliveryState | None, Query(description="Those alone.")] = None


AN_ENDPOINT: dict[str, Any] = {
    "endpoint_id": "5f2b1c8e-4a0d-5b7e-9c3f-2d1a6e8b0c47",
    "url": "https://shop.example/aftersales",
    "types": [],
    "seller_ids": [],
    "buyer_ids": [],
    "created_at": "2026-01-15T12:00:00Z",
    "former_signs_until": None,
    "off_at": None,
    "off_because": None,
}
WITH_SECRET = AN_ENDPOINT | {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
A_DELIVERY = DeliveryView(
    delivery_id="0d6c4b1a-92c5-5e0f-8d1f-6f0a3b7c9e21",
    type="OrderCompleted.v1",
    event_id="0196f3a0-1b2c-7def-8123-456789abcdef",
    order_id="O-1",
    state="WAITING",
    created_at=datetime(2026, 1, 15, 12, tzinfo=UTC),
    next_attempt_at=datetime(2026, 1, 15, 12, 0, 5, tzinfo=UTC),
    attempts=[
        Attempt(at=datetime(2026, 1, 15, 12, tzinfo=UTC), outcome="HTTP_503", milliseconds=84)
    ],
)
DESCRIPTION = f"""
For SELLER, of his own orders and account, and SYSTEM, of all: signed as Standard Webhooks says. It
is told what may be read from then on by whoever subscribes. {ENDPOINTS_MAX} endpoints of an account
at most.
"""
WHOSE = "For SELLER and SYSTEM, of their own."
ASKED = (RoleNotAllowed, NotFound, IdempotencyKeyMissing)
READS = refusals(RoleNotAllowed, NotFound)
SHOWN = answered(EndpointView, example=AN_ENDPOINT)
ON_ITS_WAY = answered(DeliveryView, example=A_DELIVERY, status=201, description="It is on its way.")


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointRoutes:
    """All that the routes about endpoints need. `known`: the names of the events there are."""

    webhooks: Webhooks
    cursors: Cursors
    known: frozenset[str]
    reach: Reach

    def wanted(self, body: EndpointBody, caller: Caller) -> WantedEndpoint:
        """What the caller says of an endpoint. Raises `InvalidValue`."""
        errors = [
            FieldError(field=f"types[{n}]", bound="the name of an event of this service")
            for n, name in enumerate(body.types)
            if name not in self.known
        ]
        if fault := self.reach.fault_of_url(body.url):
            errors.append(FieldError(field="url", bound=fault))
        if _is_seller(caller):
            errors += [
                FieldError(field=name, bound="SYSTEM says it: a seller has his own")
                for name, ids in (("seller_ids", body.seller_ids), ("buyer_ids", body.buyer_ids))
                if ids
            ]
        if errors:
            raise InvalidValue(errors=errors)
        return WantedEndpoint(
            url=body.url,
            types=[*body.types],
            seller_ids=[*body.seller_ids],
            buyer_ids=[*body.buyer_ids],
        )

    async def own(self, endpoint_id: str, caller: Caller) -> Endpoint:
        """Raises `NotFound`."""
        return await self.webhooks.one(endpoint_id, _subscriber(caller).account)

    async def with_secret(self, endpoint: Endpoint) -> Response:
        secret = await self.webhooks.secret(endpoint)
        return answer(EndpointWithSecret(**asdict(_view(endpoint)), secret=secret), status=201)


def webhook_routers(
    webhooks: Webhooks, topics: tuple[str, ...], cursors: Cursors, *, local: bool
) -> list[Router]:
    """Endpoints for what happens in these topics. `local`: on a developer's machine."""
    endpoints = EndpointRoutes(
        webhooks=webhooks,
        cursors=cursors,
        known=frozenset(types_of(topics)),
        reach=Reach(local=local),
    )
    return [_endpoints(endpoints), _changes(endpoints), _deliveries(endpoints)]


def _endpoints(endpoints: EndpointRoutes) -> Router:
    router = Router(PATH, tags=[TAG])

    @router.post(
        "",
        summary="Has events sent to an address of yours",
        description=DESCRIPTION,
        status_code=201,
        responses=refusals(*ASKED, IdempotencyMismatch, LimitReached)
        | answered(EndpointWithSecret, example=WITH_SECRET, status=201, description="It is there."),
    )
    async def make_webhook_endpoint(
        body: EndpointBody, caller: Whose, key: Key, request: Request
    ) -> Response:
        made = await endpoints.webhooks.make(
            str(_request_id(caller, key)),
            await fingerprint(request, key),
            _subscriber(caller),
            endpoints.wanted(body, caller),
        )
        return await endpoints.with_secret(made)

    @router.get(
        "",
        summary="Your webhook endpoints",
        description=f"{WHOSE} All of them, the oldest first.",
        responses=refusals(RoleNotAllowed)
        | answered(EndpointList, example={"items": [AN_ENDPOINT]}),
    )
    async def list_webhook_endpoints(caller: Whose) -> Response:
        own = await endpoints.webhooks.all_of(_subscriber(caller).account)
        return answer(EndpointList(items=[*map(_view, own)]))

    @router.get(
        "/{endpoint_id}",
        summary="A webhook endpoint",
        description=WHOSE,
        responses=READS | SHOWN,
    )
    async def get_webhook_endpoint(endpoint_id: IdStr, caller: Whose) -> Response:
        return answer(_view(await endpoints.own(endpoint_id, caller)))

    @router.delete(
        "/{endpoint_id}",
        summary="Deletes a webhook endpoint",
        description=f"{WHOSE} What is on its way is not sent any more.",
        status_code=204,
        response_class=Response,
        responses=READS,
    )
    async def delete_webhook_endpoint(endpoint_id: IdStr, caller: Whose) -> Response:
        await endpoints.webhooks.delete(endpoint_id, _subscriber(caller).account)
        return Response(status_code=204)

    return router


def _changes(endpoints: EndpointRoutes) -> Router:
    router = Router(f"{PATH}/{{endpoint_id}}", tags=[TAG])
    repeatable = [Depends(idempotency_key)]
    """What is the same when it is done twice: nothing is kept of the request."""

    @router.post(
        "",
        summary="Changes a webhook endpoint",
        description=f"{WHOSE} All of it is said anew.",
        responses=refusals(*ASKED) | SHOWN,
        dependencies=repeatable,
    )
    async def change_webhook_endpoint(
        endpoint_id: IdStr, body: EndpointBody, caller: Whose
    ) -> Response:
        wanted, account = endpoints.wanted(body, caller), _subscriber(caller).account
        return answer(_view(await endpoints.webhooks.change(endpoint_id, account, wanted)))

    @router.post(
        "/enabling",
        summary="Switches a webhook endpoint on",
        description=f"{WHOSE} What waits goes on; what was recorded while it was off is not sent.",
        responses=refusals(*ASKED) | SHOWN,
        dependencies=repeatable,
    )
    async def enable_webhook_endpoint(endpoint_id: IdStr, caller: Whose) -> Response:
        account = _subscriber(caller).account
        return answer(_view(await endpoints.webhooks.switch_on(endpoint_id, account)))

    @router.post(
        "/disabling",
        summary="Switches a webhook endpoint off",
        description=f"{WHOSE} What is on its way waits.",
        responses=refusals(*ASKED) | SHOWN,
        dependencies=repeatable,
    )
    async def disable_webhook_endpoint(endpoint_id: IdStr, caller: Whose) -> Response:
        account = _subscriber(caller).account
        return answer(_view(await endpoints.webhooks.switch_off(endpoint_id, account)))

    @router.post(
        "/secrets",
        summary="Gives a webhook endpoint another secret",
        description=f"{WHOSE} The one before signs too for {FORMER_SIGNS_FOR.days * 24} hours, and "
        "none before that: whoever has lost his secret asks for two.",
        status_code=201,
        responses=refusals(*ASKED)
        | answered(EndpointWithSecret, example=WITH_SECRET, status=201, description="The secret."),
    )
    async def rotate_webhook_secret(endpoint_id: IdStr, caller: Whose, key: Key) -> Response:
        account = _subscriber(caller).account
        request_id = _request_id(caller, key, endpoint_id)
        rotated = await endpoints.webhooks.rotate(endpoint_id, account, request_id)
        return await endpoints.with_secret(rotated)

    return router


def _deliveries(endpoints: EndpointRoutes) -> Router:
    router = Router(f"{PATH}/{{endpoint_id}}", tags=[TAG])

    @router.post(
        "/pings",
        summary="Sends something to a webhook endpoint, to try it",
        description=f"{WHOSE} The list of deliveries tells what came of it.",
        status_code=201,
        responses=refusals(*ASKED, WrongState) | ON_ITS_WAY,
    )
    async def ping_webhook_endpoint(endpoint_id: IdStr, caller: Whose, key: Key) -> Response:
        endpoint = await endpoints.own(endpoint_id, caller)
        sent = await endpoints.webhooks.ping(endpoint, _request_id(caller, key, endpoint_id))
        return answer(_delivery_view(sent), status=201)

    @router.get(
        "/deliveries",
        summary="What was sent to a webhook endpoint, and what is to be",
        description=f"{WHOSE} The newest first, of {KEPT_FOR.days} days.",
        responses=READS
        | answered(DeliveryPage, example=DeliveryPage(items=[A_DELIVERY], next_cursor=None)),
    )
    async def list_webhook_deliveries(
        endpoint_id: IdStr,
        caller: Whose,
        asked: Annotated[DeliveryQuery, Depends(query_of(DeliveryQuery))],
    ) -> Response:
        endpoint = await endpoints.own(endpoint_id, caller)
        start = asked.start(endpoints.cursors, f"deliveries {endpoint_id} {asked.state}")
        page, next_cursor = await endpoints.webhooks.page(endpoint, start, asked.state)
        return answer(DeliveryPage(items=[*map(_delivery_view, page)], next_cursor=next_cursor))

    @router.post(
        "/deliveries/{delivery_id}/resend",
        summary="Sends something to a webhook endpoint once more",
        description=f"{WHOSE} Under the same id, and as you may know it by now; it is tried up to "
        f"{len(DELAYS) + 1} times again.",
        status_code=201,
        responses=refusals(*ASKED, WrongState) | ON_ITS_WAY,
    )
    async def resend_webhook_delivery(
        endpoint_id: IdStr, delivery_id: IdStr, caller: Whose, key: Key
    ) -> Response:
        endpoint = await endpoints.own(endpoint_id, caller)
        request_id = _request_id(caller, key, f"{endpoint_id}/{delivery_id}")
        sent = await endpoints.webhooks.resend(endpoint, delivery_id, request_id)
        return answer(_delivery_view(sent), status=201)

    return router


def _is_seller(caller: Caller) -> bool:
    """Who is both is a party first."""
    return "SELLER" in caller.roles


def _subscriber(caller: Caller) -> Subscriber:
    account = (
        account_of_seller(caller.seller_id)
        if _is_seller(caller)
        else account_of_machine(caller.sub)
    )
    return Subscriber(account=account, org_id=caller.org_id, seller_id=caller.seller_id)


def _request_id(caller: Caller, key: str, what: str = "") -> UUID:
    return command_id(caller.sub, f"{PATH}/{what}\n{key}")


def _view(endpoint: Endpoint) -> EndpointView:
    return EndpointView(
        endpoint_id=endpoint.endpoint_id,
        url=endpoint.url,
        types=endpoint.types,
        seller_ids=endpoint.seller_ids,
        buyer_ids=endpoint.buyer_ids,
        created_at=endpoint.created_at,
        former_signs_until=endpoint.former_until,
        off_at=endpoint.off_at,
        off_because=endpoint.off_because,
    )


def _delivery_view(delivery: EventDelivery) -> DeliveryView:
    return DeliveryView(
        delivery_id=delivery.delivery_id,
        type=delivery.type,
        event_id=delivery.event_id,
        order_id=delivery.order_id,
        state=delivery.state,
        created_at=delivery.created_at,
        next_attempt_at=delivery.due_at,
        attempts=delivery.attempts,
    )
