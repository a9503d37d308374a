"""What companies tell of their own accord in, what comes of it in our ledgers out."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import msgspec
import structlog
from fastapi import Depends, Header, Request
from prometheus_client import Counter
from pydantic import BaseModel, ConfigDict, Field
from shared_events.characters import ID, is_id
from shared_runtime.auth import BySignature
from shared_runtime.decider import FieldError, InvalidValue, NotFound
from shared_runtime.ids import derived_id
from shared_runtime.log import PostgresLog, VersionConflict
from shared_runtime.problems import ConcurrentChange, Unauthenticated, refusals
from shared_runtime.routers import Router

from returns_service.connectors.words import Hearing, UnknownRefund, Words
from returns_service.domain.policy import Policies
from returns_service.ports.payment import TheirRefund
from returns_service.ports.webhooks import NotTheirs, verify

PATH = "/v1/webhooks"
OF_REFUNDS = "refund."
NAME_LENGTH_MAX = 255
WEBHOOKS = "7f0c4b3a-1d0e-5b8e-9a53-5d0f8d1c2e64"
"""The namespace of the causes that webhooks are: one for each id of theirs."""

log = structlog.get_logger()
unknown_total = Counter(
    "aftersales_webhooks_unknown", "Told of something that no ledger has", ["company"]
)


class Signed(BySignature):
    """A dependency: the company has signed this body, under this id, a moment ago. Gives the id.

    The headers are those of Standard Webhooks.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret

    async def __call__(
        self,
        request: Request,
        webhook_id: Annotated[
            str | None,
            Header(max_length=NAME_LENGTH_MAX, description="The same when it is sent again."),
        ] = None,
        webhook_timestamp: Annotated[str | None, Header(description="Seconds since 1970.")] = None,
        webhook_signature: Annotated[str | None, Header(description="`v1,<base64>`")] = None,
    ) -> str:
        given = {
            "webhook-id": webhook_id or "",
            "webhook-timestamp": webhook_timestamp or "",
            "webhook-signature": webhook_signature or "",
        }
        try:
            verify(self._secret, await request.body(), given)
        except NotTheirs:
            raise Unauthenticated from None
        return given["webhook-id"]


class WebhookBody(BaseModel):
    """A webhook: what kind of thing has happened, and to what. Kinds that are not known are taken
    and passed over: a company may tell more than it did.
    """

    model_config = ConfigDict(extra="ignore")

    type: Annotated[str, Field(max_length=NAME_LENGTH_MAX, examples=["refund.paid"])]
    data: Annotated[
        dict[str, Any],
        Field(
            examples=[
                {
                    "id": "re_1",
                    "reference": "f-1",
                    "order_ref": "O-1",
                    "amount_minor": 5399,
                    "currency": "EUR",
                    "status": "PAID",
                }
            ]
        ),
    ]


class Taken(BaseModel):
    """How many events came of it: none, when all of it was known."""

    recorded: Annotated[int, Field(ge=0, examples=[2])]


def payment_webhooks(
    own_log: PostgresLog, *, secret: str, policies: Policies, now: Callable[[], datetime]
) -> Router:
    """What the payment provider tells of refunds. What is not answered with 200 it tells again."""
    router = Router(PATH, tags=["webhooks"])
    signed = Signed(secret)
    words = Words(own_log)

    @router.post(
        "/payments",
        summary="The payment provider tells of a refund",
        responses=refusals(Unauthenticated, NotFound, InvalidValue, ConcurrentChange),
    )
    async def hear_of_payment(
        webhook_id: Annotated[str, Depends(signed)], said: WebhookBody
    ) -> Taken:
        """Signed as Standard Webhooks says, five minutes ago at most. A refund that no ledger has
        is not found: the provider tells of it again, and the comparison of the day names it.
        """
        if not said.type.startswith(OF_REFUNDS):
            return Taken(recorded=0)
        told = their_refund(said.data)
        heard = Hearing(
            cause=derived_id(WEBHOOKS, f"{webhook_id}/{told.id}"),
            purpose="webhook",
            now=now(),
            policies=policies,
        )
        try:
            return Taken(recorded=await words.hear(told, heard))
        except UnknownRefund:
            unknown_total.labels("payment").inc()
            log.error("webhook of an unknown refund", theirs=told.id, reference=told.reference)  # noqa: TRY400
            raise NotFound from None
        except VersionConflict:
            raise ConcurrentChange from None

    return router


def their_refund(data: dict[str, Any]) -> TheirRefund:
    """Raises `InvalidValue`."""
    return told_of(data, TheirRefund, "reference", "order_ref")


def told_of[T](data: dict[str, Any], kind: type[T], *ids: str) -> T:
    """What a company tells, if it can be about something of ours. Raises `InvalidValue`."""
    try:
        told = msgspec.convert(data, kind)
    except msgspec.ValidationError as wrong:
        raise InvalidValue(errors=[FieldError(field="data", bound=str(wrong))]) from None
    wrong_ids = [name for name in ids if not is_id(getattr(told, name))]
    if wrong_ids:
        raise InvalidValue(
            errors=[FieldError(field=f"data.{name}", bound=ID) for name in wrong_ids]
        )
    return told
