"""Disputes and inquiries for whoever may read them: one at a time, and what has happened to it."""

from fastapi import Response
from shared_casework.callers import AReader, reader
from shared_runtime.decider import NotFound, RoleNotAllowed
from shared_runtime.fields import IdStr
from shared_runtime.problems import refusals
from shared_runtime.reading import PAGE_SIZE, CursorText, Limit
from shared_runtime.routers import Router

from dispute_service.api import answers
from dispute_service.api.matters import DISPUTE, INQUIRY, Matters


def dispute_reads(matters: Matters) -> Router:
    router = Router("/v1/disputes/{dispute_id}", tags=["disputes"])

    @router.get(
        "",
        summary="A dispute, and what you can do about it now",
        description="For its parties, AGENT, SENIOR and AUDITOR. Each reads what he may know: the "
        "other party's evidence once it is shared or disclosed, its rebuttal once the decision is "
        "begun, its blind offers never.",
        responses=refusals(RoleNotAllowed, NotFound) | answers.DISPUTE,
    )
    async def get_dispute(dispute_id: IdStr, caller: AReader) -> Response:
        matter = await matters.find(DISPUTE, dispute_id)
        return await matters.shown_to(reader(caller, matter.parties), matter)

    @router.get(
        "/events",
        summary="What has happened to a dispute",
        description="For its parties, AGENT, SENIOR and AUDITOR. Oldest first, as far as you may "
        "know of it.",
        responses=refusals(RoleNotAllowed, NotFound) | answers.EVENTS,
    )
    async def list_dispute_events(
        dispute_id: IdStr, caller: AReader, limit: Limit = PAGE_SIZE, cursor: CursorText = None
    ) -> Response:
        matter = await matters.find(DISPUTE, dispute_id)
        return await matters.history_of(reader(caller, matter.parties), matter, limit, cursor)

    return router


def inquiry_reads(matters: Matters) -> Router:
    router = Router("/v1/inquiries/{inquiry_id}", tags=["inquiries"])

    @router.get(
        "",
        summary="A question about an order, and what you can do about it now",
        description="For its parties, AGENT, SENIOR and AUDITOR.",
        responses=refusals(RoleNotAllowed, NotFound) | answers.INQUIRY,
    )
    async def get_inquiry(inquiry_id: IdStr, caller: AReader) -> Response:
        matter = await matters.find(INQUIRY, inquiry_id)
        return await matters.shown_to(reader(caller, matter.parties), matter)

    @router.get(
        "/events",
        summary="What has happened to a question",
        description="For its parties, AGENT, SENIOR and AUDITOR. Oldest first.",
        responses=refusals(RoleNotAllowed, NotFound) | answers.EVENTS,
    )
    async def list_inquiry_events(
        inquiry_id: IdStr, caller: AReader, limit: Limit = PAGE_SIZE, cursor: CursorText = None
    ) -> Response:
        matter = await matters.find(INQUIRY, inquiry_id)
        return await matters.history_of(reader(caller, matter.parties), matter, limit, cursor)

    return router
