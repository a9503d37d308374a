"""The policies of the score over HTTP: which holds, a draft, what it would do, when it begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import asyncpg
from fastapi import Body as JsonBody
from fastapi import Depends, Query, Response
from msgspec import Struct
from shared_events.score_policies import ScorePolicyEvent
from shared_runtime.auth import Caller, require
from shared_runtime.clock import Clock
from shared_runtime.commands import AnyCommandRequest, CommandRequest, Commands
from shared_runtime.decider import NotFound, Role
from shared_runtime.fields import Body, IdStr, Instant
from shared_runtime.log import Handled
from shared_runtime.problems import command_refusals, refusals
from shared_runtime.reading import PAGE_SIZE, Cursors, CursorText, Limit, answer
from shared_runtime.routers import Router
from shared_runtime.rule import By, Sent

from reputation_service.api import policy_answers
from reputation_service.api.callers import Anybody, AScoreReader, reads_as_staff
from reputation_service.domain.facts import micros
from reputation_service.domain.policy import DEFAULT, policy_data, policy_from
from reputation_service.domain.policy_book import STREAM, PolicyBook, Trial
from reputation_service.domain.policy_commands import (
    ACTIVATE_SCORE_POLICY,
    BEGIN_TRIAL,
    DRAFT_SCORE_POLICY,
    POLICIES,
    ActivateScorePolicy,
    BeginTrial,
    DraftScorePolicy,
)
from reputation_service.policy_views import ImpactView, Shown, what_if_view
from reputation_service.score_policies import ScorePolicies

DRAFTERS: tuple[Role, ...] = ("ANALYST", "SENIOR")
PROGRESS = "SELECT sellers, worked_out FROM sandbox.trial WHERE trial_id = $1"
MATRIX = """
    SELECT level_before || '>' || level_after, count(*) FROM sandbox.impact WHERE trial_id = $1
    GROUP BY 1 ORDER BY 1
"""
IMPACTS = """
    SELECT seller_id, score_before_micro, score_after_micro,
           score_after_micro - score_before_micro AS delta_micro,
           level_before, level_after, cap_before, cap_after
    FROM sandbox.impact
    WHERE trial_id = $1
        AND (-abs(score_after_micro - score_before_micro), seller_id) > (-$2::bigint, $3)
        AND (NOT $5 OR cap_before <> cap_after)
    ORDER BY -abs(score_after_micro - score_before_micro), seller_id LIMIT $4
"""
LARGEST = 1 << 60  # no score moves by more: the place before the first one

type OnlyCaps = Annotated[
    bool, Query(description="Only sellers whose points would mean another level.")
]
type ADrafter = Annotated[Caller, Depends(require(*DRAFTERS))]
type ASenior = Annotated[Caller, Depends(require("SENIOR"))]
type Numbers = Annotated[
    dict[str, Any],
    JsonBody(
        description="Every number of the policy, and nothing else: as a policy's `numbers` are.",
        examples=[policy_data(DEFAULT)],
    ),
]


class ActivationBody(Body):
    """`begins_at`: the first instant of a day to come."""

    begins_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDrafts:
    """Where drafts are written, tried and activated."""

    pool: asyncpg.Pool
    policies: ScorePolicies
    commands: Commands
    now: Clock

    async def shown(self, caller: Caller) -> Shown:
        book = await self.policies.book(self.pool)
        return self._of(book, staff=reads_as_staff(caller))

    async def run(self, request: CommandRequest, said: Struct, caller: Caller) -> Response:
        """Decides a command about a policy, and answers with the policy as it is then."""
        policy_id: str = getattr(said, "policy_id")  # noqa: B009 - every command names one

        def view(outcome: Handled[PolicyBook, ScorePolicyEvent]) -> object:
            return self._of(outcome.state, staff=True).one(policy_id)

        by = By(actor=caller.actor("SENIOR", "ANALYST"), now=self.now(), known=self.policies.base)
        return await self.commands.run(
            request,
            POLICIES,
            Sent(said, by),
            stream=STREAM,
            correlation=policy_id,
            view=view,
            status=201,
        )

    def _of(self, book: PolicyBook, *, staff: bool) -> Shown:
        now = micros(self.now())
        return Shown(book=book, base=self.policies.base, now=now, staff=staff)


def policies_api(drafts: PolicyDrafts, cursors: Cursors) -> Router:
    router = Router("/v1/policies", tags=["policies"])

    @router.get(
        "",
        summary="The policies by which scores are read",
        description="For every role: those that hold, have held or are going to. Drafts are for "
        "staff.",
        responses=refusals() | policy_answers.POLICIES,
    )
    async def list_policies(caller: Anybody) -> Response:
        return answer(policy_answers.page((await drafts.shown(caller)).all()))

    @router.get(
        "/{policy_id}",
        summary="A policy, with every number",
        description="For every role; a draft for staff.",
        responses=refusals(NotFound) | policy_answers.POLICY,
    )
    async def get_policy(policy_id: IdStr, caller: Anybody) -> Response:
        found = (await drafts.shown(caller)).one(policy_id)
        if found is None:
            raise NotFound
        return answer(found)

    @router.post(
        "",
        status_code=201,
        summary="Draft a policy",
        description="For ANALYST and SENIOR. A draft is written whole and never edited; all that "
        "is wrong with it is told at once. Nothing live changes.",
        responses=command_refusals(*DRAFT_SCORE_POLICY.all_refusals)
        | policy_answers.POLICY_COMMAND,
        operation_id="DraftScorePolicy",
    )
    async def draft_policy(
        numbers: Numbers, caller: ADrafter, request: AnyCommandRequest
    ) -> Response:
        policy = policy_from(numbers)
        said = DraftScorePolicy(policy_id=policy.policy_id, policy=policy)
        return await drafts.run(request, said, caller)

    @router.post(
        "/{policy_id}/what-if",
        status_code=201,
        summary="Try a draft on every seller",
        description="For ANALYST and SENIOR. All sellers are read by the draft and by the policy "
        "that holds, as of now, in a sandbox; one draft at a time. Ask for how far it has come, "
        "and what it has found, by GET.",
        responses=command_refusals(NotFound, *BEGIN_TRIAL.all_refusals)
        | policy_answers.POLICY_COMMAND,
        operation_id="BeginTrial",
    )
    async def begin_trial(
        policy_id: IdStr, caller: ADrafter, request: AnyCommandRequest
    ) -> Response:
        said = BeginTrial(policy_id=policy_id, trial_id=str(request.id))
        return await drafts.run(request, said, caller)

    @router.get(
        "/{policy_id}/what-if",
        summary="What a draft would change",
        description="For staff. The newest trial: how far it has come, how many sellers change "
        "level, by how much, and who most; as far as they are worked out. With `caps_changed`, "
        "those alone whose points would mean another level.",
        responses=refusals(NotFound) | policy_answers.WHAT_IF,
    )
    async def get_what_if(
        policy_id: IdStr,
        _: AScoreReader,
        limit: Limit = PAGE_SIZE,
        cursor: CursorText = None,
        *,
        caps_changed: OnlyCaps = False,
    ) -> Response:
        book = await drafts.policies.book(drafts.pool)
        trials = book.trials_of(policy_id)
        if not trials:
            raise NotFound
        trial = trials[-1]
        of = f"what-if {trial.trial_id} {caps_changed}"
        last = cursors.last(of, cursor)
        rows = await impacts(drafts.pool, trial, last, limit + 1, caps_changed=caps_changed)
        page, more = rows[:limit], None
        if len(rows) > limit:
            more = cursors.text(of, [abs(page[-1].delta_micro), page[-1].seller_id])
        progress = await drafts.pool.fetchrow(PROGRESS, trial.trial_id)
        found = what_if_view(
            trial,
            book.drafts[policy_id].policy,
            progress=(progress["sellers"], progress["worked_out"]) if progress else None,
            matrix={move: count for move, count in await drafts.pool.fetch(MATRIX, trial.trial_id)},  # noqa: C416 - rows are no pairs to a type checker
            items=page,
            next_cursor=more,
        )
        return answer(found)

    @router.post(
        "/{policy_id}/activations",
        status_code=201,
        summary="Activate a policy from a day on",
        description="For SENIOR, who has not drafted it, once it was tried on the policy that "
        "holds. Scores as of earlier instants are read by that one for ever.",
        responses=command_refusals(NotFound, *ACTIVATE_SCORE_POLICY.all_refusals)
        | policy_answers.POLICY_COMMAND,
        operation_id="ActivateScorePolicy",
    )
    async def activate_policy(
        policy_id: IdStr, body: ActivationBody, caller: ASenior, request: AnyCommandRequest
    ) -> Response:
        said = ActivateScorePolicy(policy_id=policy_id, begins_at=body.begins_at)
        return await drafts.run(request, said, caller)

    return router


async def impacts(
    pool: asyncpg.Pool,
    trial: Trial,
    last: Sequence[str | int] | None,
    limit: int,
    *,
    caps_changed: bool,
) -> list[ImpactView]:
    """The sellers after a place, those whose scores change most first; or those alone whose points
    would mean another level.
    """
    size, seller_id = (int(last[0]), str(last[1])) if last else (LARGEST, "")
    rows = await pool.fetch(IMPACTS, trial.trial_id, size, seller_id, limit, caps_changed)
    return [ImpactView(**dict(row)) for row in rows]
