"""The provider's book and ours, day by day, for whoever looks after the money."""

from datetime import UTC, date, datetime
from typing import Annotated

import asyncpg
from fastapi import Depends, Path, Response
from shared_casework.callers import AStaffMember
from shared_runtime.auth import Caller, require
from shared_runtime.clock import SharedClock
from shared_runtime.decider import FieldError, InvalidValue, NotFound, RoleNotAllowed
from shared_runtime.documents import answered
from shared_runtime.fields import Money
from shared_runtime.problems import refusals
from shared_runtime.reading import answer
from shared_runtime.routers import Router

from returns_service.connectors.reconciling import ask_for
from returns_service.queries.reconciliations import (
    ReconciledRefund,
    Reconciliation,
    reconciliation_of,
)

DAY_MIN = date(2000, 1, 1)
LOST = ReconciledRefund(
    refund_id="f-1",
    order_id="O-1",
    gateway_refs=["re_1"],
    amount=Money(amount=5399, currency="EUR"),
    theirs="PAID",
    ours="SETTLED",
)
EXAMPLE = Reconciliation(
    day=date(2026, 3, 10),
    state="COMPARED",
    compared_at=datetime(2026, 3, 11, 1, tzinfo=UTC),
    clean=True,
    listed=3,
    agreed=2,
    agreed_amounts=[Money(amount=10798, currency="EUR")],
    waiting=1,
    settled=[LOST],
)
RECONCILIATION = answered(Reconciliation, example=EXAMPLE)

type Day = Annotated[date, Path(description="In UTC.")]
type Bookkeeper = Annotated[Caller, Depends(require("AGENT", "SENIOR"))]


def reconciliations_api(pool: asyncpg.Pool, instant: SharedClock) -> Router:
    router = Router("/v1/reconciliations", tags=["finance"])

    @router.get(
        "/{day}",
        summary="What came of comparing a day",
        description="For AGENT, SENIOR and AUDITOR. Each day is compared by itself an hour after "
        "its end.",
        responses=refusals(RoleNotAllowed, NotFound, InvalidValue) | RECONCILIATION,
    )
    async def get_reconciliation(day: Day, _: AStaffMember) -> Response:
        found = await reconciliation_of(day, pool)
        if found is None:
            raise NotFound
        return answer(found)

    @router.put(
        "/{day}",
        summary="Have a day compared now",
        description="For AGENT and SENIOR. Again, if it was before; today as far as it has come. "
        "It is done a moment later.",
        responses=refusals(RoleNotAllowed, InvalidValue) | RECONCILIATION,
    )
    async def ask_for_reconciliation(day: Day, _: Bookkeeper) -> Response:
        at = await instant()
        if not DAY_MIN <= day <= at.date():
            bound = f"{DAY_MIN}..{at.date()}"
            raise InvalidValue(errors=[FieldError(field="day", bound=bound)])
        await ask_for(day, pool, at)
        return answer(Reconciliation(day=day, state="ASKED"))

    return router
