"""What the carrier tells of its own accord in, what comes of it in our returns out."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import asyncpg
import structlog
from fastapi import Depends
from shared_runtime.decider import FieldError, InvalidValue, NotFound
from shared_runtime.fields import INSTANT_MAX, INSTANT_MIN
from shared_runtime.ids import derived_id
from shared_runtime.log import PostgresLog, VersionConflict
from shared_runtime.problems import ConcurrentChange, Unauthenticated, refusals
from shared_runtime.routers import Router

from returns_service.api.webhooks import (
    PATH,
    WEBHOOKS,
    Signed,
    Taken,
    WebhookBody,
    told_of,
    unknown_total,
)
from returns_service.connectors.parcels import Parcel, Parcels, ToldParcel, UnknownParcel
from returns_service.domain.policy import Policies

OF_PARCELS = "parcel."

log = structlog.get_logger()


def carrier_webhooks(
    own_log: PostgresLog,
    pool: asyncpg.Pool,
    *,
    secret: str,
    policies: Policies,
    now: Callable[[], datetime],
) -> Router:
    """What the carrier tells of parcels. What is not answered with 200 it tells again."""
    router = Router(PATH, tags=["webhooks"])
    signed = Signed(secret)
    parcels = Parcels(own_log, pool, policies)

    @router.post(
        "/carrier",
        summary="The carrier tells of a parcel",
        responses=refusals(Unauthenticated, NotFound, InvalidValue, ConcurrentChange),
    )
    async def hear_of_parcel(
        webhook_id: Annotated[str, Depends(signed)], said: WebhookBody
    ) -> Taken:
        """A scan or a loss, signed as Standard Webhooks says, five minutes ago at most. In any
        order, twice or late. A parcel of no return is not found.
        """
        if not said.type.startswith(OF_PARCELS):
            return Taken(recorded=0)
        told = parcel_in(said.data)
        cause = derived_id(WEBHOOKS, f"{webhook_id}/{told.tracking_id}/{told.kind}")
        try:
            recorded = await parcels.hear(ToldParcel(told=told, cause=cause, now=now()))
        except UnknownParcel:
            unknown_total.labels("carrier").inc()
            log.error("webhook of an unknown parcel", tracking_id=told.tracking_id)  # noqa: TRY400
            raise NotFound from None
        except VersionConflict:
            raise ConcurrentChange from None
        return Taken(recorded=recorded)

    return router


def parcel_in(data: dict[str, Any]) -> Parcel:
    """Raises `InvalidValue`."""
    told = told_of(data, Parcel, "reference", "order_ref", "tracking_id")
    if fault := fault_of(told):
        raise InvalidValue(errors=[FieldError(field="data.scanned_at", bound=fault)])
    return told


def fault_of(told: Parcel) -> str | None:
    """What is wrong with the time of a scan: what is due after it has to be in some time too."""
    if told.scanned_at is None:
        return None if told.kind == "LOST" else "there, but of what is lost"
    if INSTANT_MIN <= told.scanned_at < INSTANT_MAX:
        return None
    return f"from {INSTANT_MIN.year} until {INSTANT_MAX.year}"
