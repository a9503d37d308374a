"""What adjudicators have to decide, who of them is on duty, and how they decide on the whole."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Depends, Query, Response
from pydantic import Field
from shared_casework.callers import AStaffMember
from shared_casework.case_lists import case_reader
from shared_runtime.auth import Caller, require
from shared_runtime.clock import SharedClock
from shared_runtime.decider import FieldError, InvalidValue, NotFound, RoleNotAllowed
from shared_runtime.fields import Body, Instant
from shared_runtime.pages import PageAsked
from shared_runtime.problems import NotYetVisible, refusals
from shared_runtime.reading import ConsistencyToken, answer, position_of, wait_for
from shared_runtime.routers import Router
from shared_runtime.worklist import Counter

from dispute_service.api import query_answers
from dispute_service.api.matters import Matters
from dispute_service.projections import ADJUDICATION_CASES, DECIDED_DISPUTES
from dispute_service.projections.adjudication import CaseKind
from dispute_service.queries.adjudication import (
    CASES,
    DutyView,
    case_page,
    wanted_cases,
)
from dispute_service.queries.statistics import PERIOD_DEFAULT, statistics
from dispute_service.roster import Adjudicator, go_off_duty, go_on_duty, on_duty

DUTY_DEFAULT = timedelta(hours=12)
DUTY_MAX = timedelta(hours=24)

type AnAdjudicator = Annotated[Caller, Depends(require("SENIOR", "AGENT"))]
type WhoWatches = Annotated[Caller, Depends(require("SENIOR", "AUDITOR"))]
type Mine = Annotated[bool, Query(description="Only cases that you have.")]
type Kind = Annotated[CaseKind | None, Query(description="Only cases with such a thing owed.")]
type IsOverdue = Annotated[bool, Query(description="Only cases of which something is late.")]
type Since = Annotated[
    Instant | None, Query(description="Decided from then on; else 365 days before `until`.")
]
type Until = Annotated[Instant | None, Query(description="Decided before then; else before now.")]


class DutyBody(Body):
    """Until when you are there: 24 hours from now at most; 12, if you do not say."""

    until: Annotated[Instant | None, Field(description="In UTC, after now.")] = None


def until_when(asked: datetime | None, now: datetime) -> datetime:
    """Raises `InvalidValue`."""
    until = now + DUTY_DEFAULT if asked is None else asked
    if not now < until <= now + DUTY_MAX:
        bound = f"after now, and not more than {DUTY_MAX // timedelta(hours=1)} hours ahead"
        raise InvalidValue(errors=[FieldError(field="until", bound=bound)])
    return until


def adjudication_api(matters: Matters, instant: SharedClock) -> Router:
    router = Router("/v1/adjudication", tags=["adjudication"])
    pool, now = matters.pool, matters.now
    projected = position_of(pool, ADJUDICATION_CASES)
    counted = position_of(pool, DECIDED_DISPUTES)
    counter = Counter(CASES, pool, now)

    @router.get(
        "/cases",
        summary="What is to be decided, and remedies that are late",
        description="For AGENT, SENIOR and AUDITOR, oldest first. Of an order that you, your "
        "seller or somebody of your organisation is a party of there is none. Whom a case was "
        "given to is drawn; `mine` are yours. `counts` are of all open cases, whatever the "
        "filters, and may be ten seconds old. A Consistency-Token of `dispute.events` waits for "
        "what it stands for.",
        responses=refusals(RoleNotAllowed, NotYetVisible) | query_answers.CASES,
    )
    async def list_adjudication_cases(
        caller: AStaffMember,
        asked: PageAsked,
        *,
        mine: Mine = False,
        kind: Kind = None,
        overdue: IsOverdue = False,
    ) -> Response:
        reader = case_reader(caller)
        wanted = wanted_cases(reader, mine=mine, kind=kind, overdue=overdue)
        start = asked.start(matters.cursors, f"adjudication cases {wanted}")
        await wait_for(asked.token, projected)
        counts = await counter.counts()
        page = await case_page(pool, start, wanted, reader=reader, counts=counts, now=now())
        return answer(page)

    @router.get(
        "/duty",
        summary="Whether you are on duty",
        description="For AGENT and SENIOR. 404: you are not.",
        responses=refusals(RoleNotAllowed, NotFound) | query_answers.DUTY,
    )
    async def get_duty(caller: AnAdjudicator) -> Response:
        if (who := await on_duty(caller.sub, await instant(), pool)) is None:
            raise NotFound
        return answer(duty_view(who))

    @router.put(
        "/duty",
        summary="Go on duty, or stay longer",
        description="For AGENT and SENIOR. From now on cases are drawn for you, as a SENIOR "
        "appeals too. Needs no Idempotency-Key: the same again is the same.",
        responses=refusals(RoleNotAllowed) | query_answers.DUTY,
    )
    async def go_on_duty_until(body: DutyBody, caller: AnAdjudicator) -> Response:
        at = await instant()
        who = Adjudicator(
            adjudicator_id=caller.sub,
            level="SENIOR" if "SENIOR" in caller.roles else "AGENT",
            org_id=caller.org_id,
            seller_id=None if caller.seller_id == caller.sub else caller.seller_id,
            on_duty_until=until_when(body.until, at),
        )
        async with pool.acquire() as db, db.transaction():
            await go_on_duty(who, at, db)
        return answer(duty_view(who))

    @router.delete(
        "/duty",
        summary="Go off duty",
        description="For AGENT and SENIOR. Nothing more is drawn for you; what you have stays "
        "yours. If you were not on duty, nothing changes.",
        status_code=204,
        responses=refusals(RoleNotAllowed) | query_answers.OFF_DUTY,
    )
    async def leave_duty(caller: AnAdjudicator) -> Response:
        await go_off_duty(caller.sub, pool)
        return Response(status_code=204)

    @router.get(
        "/statistics",
        summary="How disputes are decided, by reason and by who decides",
        description="For SENIOR and AUDITOR. Of the first decisions of the period, by people: how "
        "many, how many of them after their time, and what appeals made of them by now. A "
        "Consistency-Token of `dispute.events` waits for what it stands for.",
        responses=refusals(RoleNotAllowed, NotYetVisible) | query_answers.STATISTICS,
    )
    async def get_adjudication_statistics(
        _: WhoWatches, token: ConsistencyToken, since: Since = None, until: Until = None
    ) -> Response:
        end = until or now()
        begin = since or end - PERIOD_DEFAULT
        if begin >= end:
            raise InvalidValue(errors=[FieldError(field="since", bound="before until")])
        await wait_for(token, counted)
        return answer(await statistics(pool, begin, end))

    return router


def duty_view(who: Adjudicator) -> DutyView:
    return DutyView(level=who.level, until=who.on_duty_until)
