"""What is due in a matter and why; and what is due in all of somebody's, as a calendar."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, Response
from shared_casework.callers import PARTIES, AReader, asks_as, reader
from shared_casework.case_lists import case_reader
from shared_runtime.auth import Caller, require
from shared_runtime.decider import NotFound, RoleNotAllowed
from shared_runtime.fields import IdStr
from shared_runtime.history import readable_history
from shared_runtime.pages import PageStart
from shared_runtime.problems import NotYetVisible, refusals
from shared_runtime.reading import ConsistencyToken, answer, position_of, wait_for
from shared_runtime.routers import Router

from dispute_service.api import query_answers
from dispute_service.api.matters import DISPUTE, INQUIRY, Matters
from dispute_service.domain.dispute_state import Dispute
from dispute_service.domain.inquiry_state import Inquiry
from dispute_service.domain.readers import inquiry_read_by, read_by
from dispute_service.projections import (
    ADJUDICATION_CASES,
    LISTED_DISPUTES,
    LISTED_INQUIRIES,
    disputes,
    inquiries,
)
from dispute_service.projections.adjudication import AdjudicationCase
from dispute_service.queries.adjudication import CASES, wanted_cases
from dispute_service.queries.calendar import Entry, calendar_of
from dispute_service.queries.deadlines import dispute_deadlines_view, inquiry_deadlines_view
from dispute_service.queries.disputes import OWN_DISPUTES
from dispute_service.queries.inquiries import OWN_INQUIRIES
from dispute_service.queries.own import Wanted

DECIDES = ("AGENT", "SENIOR")
CALENDAR_MAX = 500
"""Of each kind of matters: those that are due soonest, of an adjudicator's cases the oldest."""
SOONEST = PageStart(limit=CALENDAR_MAX, after=None, cursor=str)

type HasMatters = Annotated[Caller, Depends(require(*PARTIES, "AGENT", "SENIOR"))]


class CalendarResponse(Response):
    media_type = "text/calendar"


def deadlines_api(matters: Matters) -> list[Router]:
    return [dispute_deadlines(matters), inquiry_deadlines(matters), calendar_api(matters)]


def dispute_deadlines(matters: Matters) -> Router:
    router = Router("/v1/disputes/{dispute_id}", tags=["disputes"])

    @router.get(
        "/deadlines",
        summary="What is due in a dispute, why, and what happens when it passes",
        description="For its parties, AGENT, SENIOR and AUDITOR; soonest first, as far as you may "
        "know. What is past stays until something has come of it.",
        responses=refusals(RoleNotAllowed, NotFound) | query_answers.DEADLINES,
    )
    async def get_dispute_deadlines(dispute_id: IdStr, caller: AReader) -> Response:
        matter = await matters.find(DISPUTE, dispute_id)
        actor = reader(caller, matter.parties)
        reading = read_by(actor, matter.events)
        if not isinstance(reading.state, Dispute):
            raise NotFound
        known = readable_history(matter.history, reading, actor)
        return answer(dispute_deadlines_view(reading.state, known, matters.policies))

    return router


def inquiry_deadlines(matters: Matters) -> Router:
    router = Router("/v1/inquiries/{inquiry_id}", tags=["inquiries"])

    @router.get(
        "/deadlines",
        summary="What is due in a question, why, and what happens when it passes",
        description="For its parties, AGENT, SENIOR and AUDITOR; soonest first.",
        responses=refusals(RoleNotAllowed, NotFound) | query_answers.DEADLINES,
    )
    async def get_inquiry_deadlines(inquiry_id: IdStr, caller: AReader) -> Response:
        matter = await matters.find(INQUIRY, inquiry_id)
        actor = reader(caller, matter.parties)
        reading = inquiry_read_by(actor, matter.events)
        if not isinstance(reading.state, Inquiry):
            raise NotFound
        known = readable_history(matter.history, reading, actor)
        return answer(inquiry_deadlines_view(reading.state, known, matters.policies))

    return router


def calendar_api(matters: Matters) -> Router:
    router = Router("/v1/calendar", tags=["disputes"])
    projected = [
        position_of(matters.pool, each)
        for each in (LISTED_DISPUTES, LISTED_INQUIRIES, ADJUDICATION_CASES)
    ]

    @router.get(
        "",
        summary="What is due in your open matters, as a calendar",
        description="For BUYER, SELLER, AGENT and SENIOR: iCalendar (RFC 5545). What is due next "
        "in each of your disputes and questions, and the cases that you have to decide; "
        f"{CALENDAR_MAX} of each kind at most: those due soonest, of cases the oldest. It names "
        "orders and matters by their ids, and has nobody's words in it. A Consistency-Token of "
        "`dispute.events` waits for what it stands for.",
        response_class=CalendarResponse,
        responses=refusals(RoleNotAllowed, NotYetVisible) | query_answers.CALENDAR,
    )
    async def get_calendar(caller: HasMatters, token: ConsistencyToken) -> Response:
        for each in projected:
            await wait_for(token, each)
        entries = [
            *await due_to_party(matters, caller),
            *await due_to_adjudicator(matters, caller),
        ]
        return CalendarResponse(calendar_of(entries, matters.now()))

    return router


async def due_to_party(matters: Matters, caller: Caller) -> Sequence[Entry]:
    entries: list[Entry] = []
    for side in (each for each in PARTIES if each in caller.roles):
        asking, account = asks_as(caller, "BUYER" if side == "BUYER" else "SELLER")
        wanted = Wanted(side=asking, account=account, sort="due")
        own, _ = await OWN_DISPUTES.page(matters.pool, wanted, SOONEST)
        asked, _ = await OWN_INQUIRIES.page(matters.pool, wanted, SOONEST)
        entries += [
            Entry(
                kind="disputes",
                matter_id=row.dispute_id,
                order_id=row.order_id,
                name=due[0],
                due=due[1],
            )
            for row in own
            if (due := disputes.next_due(row, asking, matters.now()))
        ]
        entries += [
            Entry(
                kind="inquiries",
                matter_id=row.inquiry_id,
                order_id=row.order_id,
                name=due[0],
                due=due[1],
            )
            for row in asked
            if (due := inquiries.next_due(row))
        ]
    return entries


async def due_to_adjudicator(matters: Matters, caller: Caller) -> Sequence[Entry]:
    """The cases that he has. What waits for a party's answer is due at no time."""
    if caller.roles.isdisjoint(DECIDES):
        return []
    who = case_reader(caller)
    wanted = wanted_cases(who, mine=True, kind=None, overdue=False)
    cases, _ = await CASES.page(
        matters.pool, SOONEST, wanted, hidden_from=who.accounts, now=matters.now()
    )
    return [entry for case in cases if (entry := entry_of(case))]


def entry_of(case: AdjudicationCase) -> Entry | None:
    if case.owed is None or case.due_at is None:
        return None
    return Entry(
        kind="adjudication/cases",
        matter_id=case.case_id,
        order_id=case.order_id,
        name="DECISION_DUE" if case.owed.kind == "DECISION" else "DISPUTE_APPEAL_DUE",
        due=case.owed.due,
    )
