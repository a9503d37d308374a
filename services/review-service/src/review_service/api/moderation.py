"""The moderators' queue: what is open, oldest first, and the next case for whoever asks."""

from typing import Annotated

import asyncpg
from fastapi import APIRouter, Depends, Query, Response
from pydantic import ConfigDict
from shared_runtime.auth import Caller, require
from shared_runtime.clock import Clock
from shared_runtime.decider import RoleNotAllowed
from shared_runtime.fields import Body, IdStr
from shared_runtime.history import STAFF_ROLES
from shared_runtime.problems import NotFound, NotYetVisible, refusals
from shared_runtime.reading import (
    PAGE_SIZE,
    ConsistencyToken,
    Cursors,
    CursorText,
    Limit,
    answer,
    position_of,
    wait_for,
)

from review_service.api import list_answers
from review_service.domain.guards import accounts_of
from review_service.lists.moderation import (
    CaseKind,
    Counter,
    ModerationCasePage,
    Moderator,
    assign,
    case_page,
    give_back,
)
from review_service.projections import MODERATION_CASES

type QueueReader = Annotated[Caller, Depends(require("MODERATOR", "SENIOR", "ANALYST", "AUDITOR"))]
type Decides = Annotated[Caller, Depends(require("MODERATOR", "SENIOR"))]


class AssignmentBody(Body):
    """`kind`: only a case with such a matter open."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}, {"kind": "APPEAL"}]})

    kind: CaseKind | None = None


def moderation_api(pool: asyncpg.Pool, cursors: Cursors, now: Clock) -> APIRouter:
    router = APIRouter(prefix="/v1/moderation", tags=["moderation"])
    projected = position_of(pool, MODERATION_CASES)
    counter = Counter(pool, now)

    @router.get(
        "/cases",
        summary="The queue of moderation",
        description="For MODERATOR, SENIOR, ANALYST and AUDITOR. The reviews with an open flag, "
        "hold or appeal, by when their oldest open matter began, the oldest first: stars are no "
        "part of it and are not told. Of an order that you or your seller are a party of there is "
        "none. `counts` are of all open cases, whatever the filters, and may be ten seconds old. "
        "A Consistency-Token of `review.events` waits for what it stands for.",
        responses=refusals(RoleNotAllowed, NotYetVisible) | list_answers.MODERATION_CASES,
    )
    async def cases(
        caller: QueueReader,
        token: ConsistencyToken,
        *,
        kind: Annotated[
            CaseKind | None, Query(description="Only cases with such a matter open.")
        ] = None,
        overdue: Annotated[
            bool, Query(description="Only cases of which something is past its time.")
        ] = False,
        limit: Limit = PAGE_SIZE,
        cursor: CursorText = None,
    ) -> Response:
        name = f"moderation cases {kind} {overdue}"
        after = cursors.last(name, cursor)
        await wait_for(token, projected)
        at = now()
        items, last = await case_page(
            pool,
            kind=kind,
            overdue=overdue,
            strangers_to=accounts_of(caller.actor(*STAFF_ROLES)),
            limit=limit,
            after=after,
            now=at,
        )
        return answer(
            ModerationCasePage(
                items=items,
                next_cursor=None if last is None else cursors.text(name, last),
                counts=await counter.counts(),
            )
        )

    @router.post(
        "/assignments",
        summary="The next case for you",
        description="For MODERATOR and SENIOR. The oldest case that nobody has and that you may "
        "decide: none that you have flagged, are a party of, or of which you took the decision "
        "that is appealed; for a SENIOR who is no MODERATOR, one with an appeal. It is yours for "
        "15 minutes or until it is decided; asking again before answers the same (200), so this "
        "needs no Idempotency-Key. 204: there is none. Give the Consistency-Token of your last "
        "decision, else you may be given what you have just decided.",
        status_code=201,
        responses=refusals(RoleNotAllowed, NotYetVisible) | list_answers.ASSIGNMENT,
    )
    async def assignment(
        body: AssignmentBody, caller: Decides, token: ConsistencyToken
    ) -> Response:
        await wait_for(token, projected)
        moderator = Moderator(
            id=caller.sub,
            accounts=accounts_of(caller.actor(*STAFF_ROLES)),
            may_moderate="MODERATOR" in caller.roles,
        )
        assigned = await assign(pool, moderator, now(), kind=body.kind)
        if assigned is None:
            return Response(status_code=204)
        case, is_new = assigned
        return answer(case, status=201 if is_new else 200)

    @router.delete(
        "/assignments/{case_id}",
        summary="Give a case back",
        description="For MODERATOR and SENIOR, of a case that they have: anybody may be given it "
        "now. 404: you do not have it.",
        status_code=204,
        responses=refusals(RoleNotAllowed, NotFound) | list_answers.GIVEN_BACK,
    )
    async def return_assignment(case_id: IdStr, caller: Decides) -> Response:
        if not await give_back(pool, caller.sub, case_id, now()):
            raise NotFound
        return Response(status_code=204)

    return router
