"""Accounts and cases for whoever may read them: one at a time, and what has happened to it."""

from fastapi import Response
from shared_runtime.decider import NotFound, RoleNotAllowed
from shared_runtime.fields import IdStr
from shared_runtime.problems import refusals
from shared_runtime.reading import PAGE_SIZE, CursorText, Limit
from shared_runtime.routers import Router

from reputation_service.api import query_answers as answers
from reputation_service.api.callers import (
    ALL_STAFF,
    AccountReader,
    CaseReader,
    MeasuresReader,
    reader,
)
from reputation_service.api.matters import Matters
from reputation_service.points_views import measures_view

FOR_ACCOUNT = "For its holder, ANALYST, SENIOR, AUDITOR and SYSTEM"
READS = refusals(RoleNotAllowed, NotFound)


def case_reads(matters: Matters) -> Router:
    router = Router("/v1/cases/{case_id}", tags=["cases"])

    @router.get(
        "",
        summary="A case, and what you can do about it now",
        description="For the accused, ANALYST, SENIOR and AUDITOR.",
        responses=READS | answers.CASE,
    )
    async def get_case(case_id: IdStr, caller: CaseReader) -> Response:
        matter = await matters.case(case_id)
        return await matters.shown_to(reader(caller, matter.parties), matter)

    @router.get(
        "/events",
        summary="What has happened to a case",
        description="For the accused, ANALYST, SENIOR and AUDITOR. Oldest first, as far as you may "
        "know of it.",
        responses=READS | answers.EVENTS,
    )
    async def list_case_events(
        case_id: IdStr, caller: CaseReader, limit: Limit = PAGE_SIZE, cursor: CursorText = None
    ) -> Response:
        matter = await matters.case(case_id)
        return await matters.history_of(reader(caller, matter.parties), matter, limit, cursor)

    return router


def seller_reads(matters: Matters) -> Router:
    router = Router("/v1/sellers/{seller_id}", tags=["sellers"])

    @router.get(
        "/points",
        summary="A seller's credit points",
        description=f"{FOR_ACCOUNT}. What he lost and earned back, until when it counts, what "
        "follows from it and why.",
        responses=READS | answers.STANDING,
    )
    async def get_seller_points(seller_id: IdStr, caller: AccountReader) -> Response:
        matter = await matters.account("SELLER", seller_id)
        return await matters.shown_to(reader(caller, matter.parties, ALL_STAFF), matter)

    @router.get(
        "/measures",
        summary="The measures in force on a seller",
        description=f"{FOR_ACCOUNT}.",
        responses=READS | answers.MEASURES,
    )
    async def get_seller_measures(seller_id: IdStr, caller: MeasuresReader) -> Response:
        matter = await matters.account("SELLER", seller_id)
        who = reader(caller, matter.parties, ALL_STAFF)
        return await matters.shown_to(who, matter, measures_view)

    @router.get(
        "/points/events",
        summary="The ledger of a seller's points",
        description=f"{FOR_ACCOUNT}. Oldest first.",
        responses=READS | answers.EVENTS,
    )
    async def list_seller_events(
        seller_id: IdStr, caller: AccountReader, limit: Limit = PAGE_SIZE, cursor: CursorText = None
    ) -> Response:
        matter = await matters.account("SELLER", seller_id)
        who = reader(caller, matter.parties, ALL_STAFF)
        return await matters.history_of(who, matter, limit, cursor)

    return router


def buyer_reads(matters: Matters) -> Router:
    router = Router("/v1/buyers/{buyer_id}", tags=["buyers"])

    @router.get(
        "/points",
        summary="How a buyer stands",
        description=f"{FOR_ACCOUNT}. What he lost, until when it counts, what follows from it and "
        "why.",
        responses=READS | answers.STANDING,
    )
    async def get_buyer(buyer_id: IdStr, caller: AccountReader) -> Response:
        matter = await matters.account("BUYER", buyer_id)
        return await matters.shown_to(reader(caller, matter.parties, ALL_STAFF), matter)

    @router.get(
        "/measures",
        summary="The measures in force on a buyer",
        description=f"{FOR_ACCOUNT}.",
        responses=READS | answers.MEASURES,
    )
    async def get_buyer_measures(buyer_id: IdStr, caller: MeasuresReader) -> Response:
        matter = await matters.account("BUYER", buyer_id)
        who = reader(caller, matter.parties, ALL_STAFF)
        return await matters.shown_to(who, matter, measures_view)

    @router.get(
        "/points/events",
        summary="The ledger of a buyer's points",
        description=f"{FOR_ACCOUNT}. Oldest first.",
        responses=READS | answers.EVENTS,
    )
    async def list_buyer_events(
        buyer_id: IdStr, caller: AccountReader, limit: Limit = PAGE_SIZE, cursor: CursorText = None
    ) -> Response:
        matter = await matters.account("BUYER", buyer_id)
        who = reader(caller, matter.parties, ALL_STAFF)
        return await matters.history_of(who, matter, limit, cursor)

    return router
