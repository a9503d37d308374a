"""The moderators' queue: what is open, oldest first, and the next case for whoever asks."""

from typing import Annotated, Self

import asyncpg
from fastapi import Depends, Query, Response
from pydantic import ConfigDict, model_validator
from shared_casework.parties import accounts_of
from shared_events.review import Ground
from shared_runtime.auth import Caller, require
from shared_runtime.clock import Clock, SharedClock
from shared_runtime.decider import ConflictOfInterest, NotFound, RoleNotAllowed
from shared_runtime.fields import Body, IdStr, Instant
from shared_runtime.history import STAFF_ROLES
from shared_runtime.leases import AlreadyAssigned, Assigned, Assignee, Leases, NothingToDecide
from shared_runtime.pages import PageAsked, check_period
from shared_runtime.problems import NotYetVisible, refusals
from shared_runtime.reading import ConsistencyToken, Cursors, answer, position_of, wait_for
from shared_runtime.routers import Router
from shared_runtime.worklist import Counter

from review_service.api import query_answers
from review_service.api.examples import REF
from review_service.api.public_reviews import OpenTexts
from review_service.projections import MODERATION_CASES
from review_service.projections.moderation import CaseKind, ModerationCase
from review_service.queries.moderation import CASES, DECIDES, case_page, case_view, wanted_cases
from review_service.refs import Refs

type QueueReader = Annotated[Caller, Depends(require("MODERATOR", "SENIOR", "ANALYST", "AUDITOR"))]
type Decides = Annotated[Caller, Depends(require("MODERATOR", "SENIOR"))]

KIND = "Only cases with such a matter open."
REASON = "Only cases with a flag open for this reason, or held on this ground."
SELLER = "Only cases of orders of this seller, whoever has written the review."
SINCE = "Only cases of which the oldest open matter began then or later."
UNTIL = "Only cases of which the oldest open matter began before then."
OVERDUE = "Only cases of which something is past its time."


class AssignmentBody(Body):
    """`case_id`: this case. Or the next one: with a matter of that `kind` open, with a flag or a
    hold for that `reason`, of an order of that seller.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{}, {"kind": "APPEAL"}, {"case_id": REF}]}
    )

    kind: CaseKind | None = None
    reason: Ground | None = None
    seller_id: IdStr | None = None
    case_id: IdStr | None = None

    @model_validator(mode="after")
    def one_or_the_next(self) -> Self:
        if self.case_id is not None and (self.kind or self.reason or self.seller_id):
            raise ValueError("case_id alone, or what the next case shall be like")
        return self


THE_NEXT = AssignmentBody()


def assignee(caller: Caller) -> Assignee:
    """Who reads or decides, with all ids that he is known by."""
    return Assignee(
        id=caller.sub,
        accounts={own.id for own in accounts_of(caller.actor(*STAFF_ROLES))},
        decides={kind for role in caller.roles for kind in DECIDES.get(role, ())},
    )


def moderation_api(
    pool: asyncpg.Pool,
    cursors: Cursors,
    now: Clock,
    instant: SharedClock,
    open_texts: OpenTexts,
    *,
    refs: Refs,
) -> Router:
    """`open_texts` opens the texts of an answer. Cases are given by `instant`."""
    router = Router("/v1/moderation", tags=["moderation"])
    projected = position_of(pool, MODERATION_CASES)
    counter, leases = Counter(CASES, pool, now), Leases(CASES, pool)

    async def shown(assigned: Assigned[ModerationCase], reader: Assignee) -> Response:
        view = case_view(assigned.case, assigned.lease, reader, await instant(), refs.of)
        return await open_texts(answer(view, status=201 if assigned.is_new else 200))

    @router.get(
        "/cases",
        summary="The queue of moderation",
        description="For MODERATOR, SENIOR, ANALYST and AUDITOR. The reviews with an open flag, "
        "hold or appeal, by when their oldest open matter began, the oldest first: stars are no "
        "part of it and are not told. Of an order that you or your seller are a party of there is "
        "none. What people wrote is there for those who may decide on the case: a MODERATOR, a "
        "SENIOR where there is an appeal. `counts` are of all open cases, whatever the filters, "
        "and may be ten seconds old. A Consistency-Token of `review.events` waits for what it "
        "stands for.",
        responses=refusals(RoleNotAllowed, NotYetVisible) | query_answers.MODERATION_CASES,
    )
    async def list_moderation_cases(
        caller: QueueReader,
        asked: PageAsked,
        *,
        kind: Annotated[CaseKind | None, Query(description=KIND)] = None,
        reason: Annotated[Ground | None, Query(description=REASON)] = None,
        seller_id: Annotated[IdStr | None, Query(description=SELLER)] = None,
        since: Annotated[Instant | None, Query(description=SINCE)] = None,
        until: Annotated[Instant | None, Query(description=UNTIL)] = None,
        overdue: Annotated[bool, Query(description=OVERDUE)] = False,
    ) -> Response:
        check_period(since, until)
        wanted = wanted_cases(kind, reason, seller_id, since=since, until=until, overdue=overdue)
        start = asked.start(cursors, f"moderation cases {wanted}")
        await wait_for(asked.token, projected)
        page = await case_page(
            pool,
            start,
            wanted,
            reader=assignee(caller),
            counts=await counter.counts(),
            now=await instant(),
            ref_of=refs.of,
        )
        return await open_texts(answer(page))

    @router.post(
        "/assignments",
        summary="The next case for you, or the one that you name",
        description="For MODERATOR and SENIOR. The oldest case that nobody has and that you may "
        "decide: none that you have flagged, are a party of, or of which you took the decision "
        "that is appealed; for a SENIOR who is no MODERATOR, one with an appeal. It is yours for "
        "15 minutes or until it is decided; asking again before answers the same (200), so this "
        "needs no Idempotency-Key. 204: there is none. With `case_id` that one, and the one that "
        "you had is free again; 409 `already-assigned` if somebody else has it. Give the "
        "Consistency-Token of your last decision, else you may be given what you have just "
        "decided.",
        status_code=201,
        responses=refusals(
            RoleNotAllowed,
            NotYetVisible,
            NotFound,
            ConflictOfInterest,
            NothingToDecide,
            AlreadyAssigned,
        )
        | query_answers.ASSIGNMENT,
    )
    async def take_assignment(
        caller: Decides, token: ConsistencyToken, body: AssignmentBody = THE_NEXT
    ) -> Response:
        await wait_for(token, projected)
        who = assignee(caller)
        if body.case_id is not None:
            case_id = refs.digest(body.case_id)
            return await shown(await leases.take(who, case_id, await instant()), who)
        wanted = wanted_cases(body.kind, body.reason, body.seller_id)
        assigned = await leases.next(who, await instant(), wanted)
        return Response(status_code=204) if assigned is None else await shown(assigned, who)

    @router.get(
        "/assignments/mine",
        summary="The case that you have",
        description="For MODERATOR and SENIOR. 404: you have none, or it is decided by now. A "
        "Consistency-Token of `review.events` waits for what it stands for.",
        responses=refusals(RoleNotAllowed, NotYetVisible, NotFound) | query_answers.OWN_CASE,
    )
    async def get_own_assignment(caller: Decides, token: ConsistencyToken) -> Response:
        await wait_for(token, projected)
        assigned = await leases.mine(caller.sub, await instant())
        if assigned is None:
            raise NotFound
        return await shown(assigned, assignee(caller))

    @router.delete(
        "/assignments/{case_id}",
        summary="Give a case back",
        description="For MODERATOR and SENIOR, of a case that they have: anybody may be given it "
        "now. 404: you do not have it.",
        status_code=204,
        responses=refusals(RoleNotAllowed, NotFound) | query_answers.GIVEN_BACK,
    )
    async def return_assignment(case_id: IdStr, caller: Decides) -> Response:
        if not await leases.give_back(caller.sub, refs.digest(case_id), await instant()):
            raise NotFound
        return Response(status_code=204)

    return router
