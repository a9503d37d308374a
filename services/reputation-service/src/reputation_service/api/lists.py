"""Lists over HTTP: cases to decide, one's own, hints, erasures, statements of reasons and their
export.
"""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import Depends, Query, Response
from shared_casework.parties import Account, accounts_of
from shared_events.fields import Party
from shared_runtime.auth import Caller, require
from shared_runtime.decider import FieldError, InvalidValue, NotFound, RoleNotAllowed
from shared_runtime.fields import IdStr, Instant
from shared_runtime.pages import PageAsked
from shared_runtime.problems import NotYetVisible, refusals
from shared_runtime.reading import answer, position_of, wait_for
from shared_runtime.routers import Router
from shared_runtime.worklist import Counter

from reputation_service.api import query_answers as answers
from reputation_service.api.callers import STAFF, AStaffMember, CaseReader, reader
from reputation_service.api.matters import Matters
from reputation_service.projections import ERASURES, STATEMENTS, VIOLATION_CASES
from reputation_service.projections.cases import CaseKind
from reputation_service.projections.erasures import ErasureStatus
from reputation_service.queries.points import (
    CASES,
    case_page,
    erasure_page,
    export_page,
    find_statement,
    hint_page,
    own_case_page,
    wanted_cases,
)

SPAN_DEFAULT = timedelta(days=31)

type Kind = Annotated[CaseKind | None, Query(description="Only cases with such a thing owed.")]
type IsOverdue = Annotated[bool, Query(description="Only cases of which something is late.")]
type Since = Annotated[
    Instant | None, Query(description="Issued from then on; else 31 days before.")
]
type Until = Annotated[Instant | None, Query(description="Issued before then; else before now.")]
type WhoForgets = Annotated[Caller, Depends(require("PRIVACY", "AUDITOR"))]
type WhoReports = Annotated[Caller, Depends(require("SENIOR", "AUDITOR"))]
LISTS = refusals(RoleNotAllowed, NotYetVisible)


def case_lists(matters: Matters) -> Router:
    router = Router("/v1", tags=["cases"])
    pool, now = matters.pool, matters.now
    projected = position_of(pool, VIOLATION_CASES)
    counter = Counter(CASES, pool, now)

    @router.get(
        "/cases",
        summary="The cases in which something is to be decided",
        description="For ANALYST, SENIOR and AUDITOR, oldest first; none against you, your seller "
        "or somebody of your organisation. `counts` are of all, whatever the filters, and may be "
        "ten seconds old. A Consistency-Token of `reputation.events` waits for what it stands for.",
        responses=LISTS | answers.CASES,
    )
    async def list_cases(
        caller: AStaffMember, asked: PageAsked, *, kind: Kind = None, overdue: IsOverdue = False
    ) -> Response:
        who = caller.actor(*STAFF)
        wanted = wanted_cases(org_id=who.org_id, kind=kind, overdue=overdue)
        start = asked.start(matters.cursors, f"cases {wanted}")
        await wait_for(asked.token, projected)
        accounts = {account.id for account in accounts_of(who)}
        counts = await counter.counts()
        return answer(
            await case_page(pool, start, wanted, accounts=accounts, counts=counts, now=now())
        )

    @router.get(
        "/hints",
        summary="What an analyst may look at",
        description="For ANALYST, SENIOR and AUDITOR, newest first: what other services have told "
        "that is no case by itself.",
        responses=refusals(RoleNotAllowed) | answers.HINTS,
    )
    async def list_hints(_: AStaffMember, asked: PageAsked) -> Response:
        return answer(await hint_page(pool, asked.start(matters.cursors, "hints")))

    return router


def own_lists(matters: Matters, side: Party, name: str) -> Router:
    router = Router(f"/v1/{name}s/{{{name}_id}}", tags=[f"{name}s"])
    projected = position_of(matters.pool, VIOLATION_CASES)

    async def page_of(account_id: str, caller: Caller, asked: PageAsked) -> Response:
        reader(caller, {Account(side, account_id)})
        start = asked.start(matters.cursors, f"cases against {side} {account_id}")
        await wait_for(asked.token, projected)
        page = await own_case_page(matters.pool, start, side, account_id, matters.now())
        return answer(page)

    told: dict[str, Any] = {
        "summary": f"The cases against a {name}",
        "description": "For its holder, ANALYST, SENIOR and AUDITOR, newest first.",
        "responses": refusals(RoleNotAllowed, NotFound, NotYetVisible) | answers.OWN_CASES,
    }
    if side == "SELLER":

        @router.get("/cases", **told)
        async def list_seller_cases(
            seller_id: IdStr, caller: CaseReader, asked: PageAsked
        ) -> Response:
            return await page_of(seller_id, caller, asked)

    else:

        @router.get("/cases", **told)
        async def list_buyer_cases(
            buyer_id: IdStr, caller: CaseReader, asked: PageAsked
        ) -> Response:
            return await page_of(buyer_id, caller, asked)

    return router


def erasure_lists(matters: Matters) -> Router:
    router = Router("/v1", tags=["privacy"])
    projected = position_of(matters.pool, ERASURES)

    @router.get(
        "/erasures",
        summary="Who is to be forgotten, and what that waits for",
        description="For PRIVACY and AUDITOR, the first that was asked for first: those that are "
        "deferred while something of the person's is open, or those that are done (`ERASED`). A "
        "Consistency-Token of `reputation.events` waits for what it stands for.",
        responses=LISTS | answers.ERASURES,
    )
    async def list_erasures(
        _: WhoForgets,
        asked: PageAsked,
        status: Annotated[ErasureStatus, Query(description="How far they are.")] = "DEFERRED",
    ) -> Response:
        start = asked.start(matters.cursors, f"erasures {status}")
        await wait_for(asked.token, projected)
        return answer(await erasure_page(matters.pool, start, status))

    return router


def statements_api(matters: Matters) -> Router:
    router = Router("/v1/statements", tags=["statements"])
    pool = matters.pool
    projected = position_of(pool, STATEMENTS)

    @router.get(
        "/export",
        summary="Statements of reasons, as the public database takes them",
        description="For SENIOR and AUDITOR, oldest first. `submission` is what the DSA "
        "transparency database of the European Union accepts; it names nobody.",
        responses=LISTS | answers.EXPORT,
    )
    async def export_statements(
        _: WhoReports, asked: PageAsked, since: Since = None, until: Until = None
    ) -> Response:
        end = until or matters.now()
        begin = since or end - SPAN_DEFAULT
        if begin >= end:
            raise InvalidValue(errors=[FieldError(field="since", bound="before until")])
        start = asked.start(matters.cursors, f"statements {since} {until}")
        await wait_for(asked.token, projected)
        return answer(await export_page(pool, start, begin, end))

    @router.get(
        "/{sor_id}",
        summary="A statement of reasons",
        description="For its recipient, ANALYST, SENIOR and AUDITOR.",
        responses=refusals(RoleNotAllowed, NotFound) | answers.STATEMENT,
    )
    async def get_statement(sor_id: IdStr, caller: CaseReader) -> Response:
        if (found := await find_statement(pool, sor_id)) is None:
            raise NotFound
        reader(caller, {Account(found.recipient_role, found.recipient_id)})
        return await matters.answer(found.view)

    return router
