"""A dispute for whoever decides it: its file, what it could come to, how others were decided."""

from fastapi import Response
from shared_casework.callers import STAFF, AStaffMember
from shared_runtime.auth import Caller
from shared_runtime.decider import Actor, NotFound, RoleNotAllowed
from shared_runtime.fields import IdStr
from shared_runtime.problems import NotYetVisible, refusals
from shared_runtime.reading import answer
from shared_runtime.routers import Router

from dispute_service.api import query_answers
from dispute_service.api.matters import DISPUTE, Matter, Matters
from dispute_service.domain.dispute_state import Dispute
from dispute_service.domain.readers import Reading, read_by
from dispute_service.queries.case_file import case_file_view
from dispute_service.queries.outcomes import outcomes_view
from dispute_service.queries.similar import BANDS, SIMILAR_OF, similar_to


def read_as_staff(caller: Caller, matter: Matter) -> tuple[Actor, Reading]:
    """Raises `NotFound` where he is a party of it, or belongs to one."""
    actor = caller.actor(*STAFF)
    reading = read_by(actor, matter.events)
    if reading.reader is None:
        raise NotFound
    return actor, reading


def case_file_api(matters: Matters) -> Router:
    router = Router("/v1/disputes/{dispute_id}", tags=["adjudication"])

    @router.get(
        "/case-file",
        summary="The file of a dispute",
        description="For AGENT, SENIOR and AUDITOR. All that has happened, oldest first and in one "
        "piece, as far as you may know of it; and which evidence its reason asks for, with the "
        "pieces that are there.",
        responses=refusals(RoleNotAllowed, NotFound) | query_answers.CASE_FILE,
    )
    async def get_case_file(dispute_id: IdStr, caller: AStaffMember) -> Response:
        matter = await matters.find(DISPUTE, dispute_id)
        actor, reading = read_as_staff(caller, matter)
        return await matters.answer(case_file_view(reading, matter.history, actor))

    @router.get(
        "/outcomes",
        summary="What each outcome would give back now",
        description="For AGENT, SENIOR and AUDITOR. For all that is disputed, from what of the "
        "order's money has not been given back yet. With fewer lines it is less.",
        responses=refusals(RoleNotAllowed, NotFound, NotYetVisible) | query_answers.OUTCOMES,
    )
    async def get_outcomes(dispute_id: IdStr, caller: AStaffMember) -> Response:
        matter = await matters.find(DISPUTE, dispute_id)
        _, reading = read_as_staff(caller, matter)
        ledger = matter.of_order.known(matters.now(), matters.policies).ledger
        if ledger is None:
            raise NotYetVisible
        assert isinstance(reading.state, Dispute)
        return answer(outcomes_view(reading.state, ledger))

    @router.get(
        "/similar",
        summary="How disputes like this one were decided",
        description=f"For AGENT, SENIOR and AUDITOR. Among the latest {SIMILAR_OF} decisions of "
        "the same reason those with a category in common and an amount in the same band (in the "
        f"reference currency, the bands end at {', '.join(str(end // 100) for end in BANDS)}); by "
        "outcome: how many, what appeals made of them, and of REFUND_PARTIAL how much was given. "
        "No parties are told of, and nobody who decided.",
        responses=refusals(RoleNotAllowed, NotFound, NotYetVisible) | query_answers.SIMILAR,
    )
    async def get_similar_decisions(dispute_id: IdStr, caller: AStaffMember) -> Response:
        read_as_staff(caller, await matters.find(DISPUTE, dispute_id))
        similar = await similar_to(dispute_id, matters.pool)
        if similar is None:
            raise NotYetVisible
        return answer(similar)

    return router
