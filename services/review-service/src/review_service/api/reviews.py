"""A review that everybody may read, by its `ref`: flags, moderation and appeals.

Who flags need not be a party of the order, and a `ref` does not show it; but it has no key, and who
guesses the order's id can check the guess. A moderator says with If-Match which version of the
evaluation he decides on.
"""

from typing import Annotated
from uuid import uuid5

from fastapi import APIRouter, Depends, Response
from shared_runtime.auth import Caller, require
from shared_runtime.commands import Asked, AskedFor
from shared_runtime.decider import (
    AlreadyAppealed,
    AlreadySubmitted,
    ConflictOfInterest,
    HumanRequired,
    LimitReached,
    RateLimited,
    ReasonsMissing,
    Role,
    RoleNotAllowed,
    SubjectErased,
    TimeGoesBack,
    WindowClosed,
    WrongState,
)
from shared_runtime.fields import IdStr
from shared_runtime.history import STAFF_ROLES
from shared_runtime.problems import (
    NotFound,
    PreconditionRequired,
    command_refusals,
    refusals,
)

from review_service.api import answers
from review_service.api.callers import party
from review_service.api.desk import About, Desk, counting, note_flag
from review_service.api.review_bodies import (
    AppealBody,
    AppealDecisionBody,
    FlagBody,
    HoldBody,
    KeepBody,
    ReleaseBody,
    RestrictionBody,
    ScreeningBody,
)
from review_service.domain.commands import (
    AppealModeration,
    DecideModerationAppeal,
    FlagReview,
    HoldReview,
    KeepReview,
    RecordScreening,
    ReleaseReview,
    RestrictReview,
)
from review_service.evaluation_views import (
    AppealView,
    FlagView,
    Seen,
    flag_view,
    is_appellant,
    is_of,
    lodged_as,
    own_appeal_view,
)

FLAGGERS: tuple[Role, ...] = ("BUYER", "SELLER", "MODERATOR", "ANALYST", "SYSTEM")
APPELLANTS: tuple[Role, ...] = ("BUYER", "SELLER", "MODERATOR", "ANALYST")

type Flagger = Annotated[Caller, Depends(require(*FLAGGERS))]
type Appellant = Annotated[Caller, Depends(require(*APPELLANTS))]
type Detector = Annotated[Caller, Depends(require("SYSTEM"))]
type Holder = Annotated[Caller, Depends(require("MODERATOR", "ANALYST", "SYSTEM"))]
type Moderator = Annotated[Caller, Depends(require("MODERATOR"))]
type AppealJudge = Annotated[Caller, Depends(require("MODERATOR", "SENIOR"))]
type Reader = Annotated[Caller, Depends(require(*STAFF_ROLES))]

ABOUT = (RoleNotAllowed, NotFound, WrongState, TimeGoesBack)
JUDGING = (*ABOUT, PreconditionRequired, ConflictOfInterest, HumanRequired)


def reviews_api(desk: Desk) -> APIRouter:  # noqa: C901 - a function for each route
    """What anybody with an account may do about a review."""
    router = APIRouter(prefix="/v1/reviews/{ref}", tags=["moderation"])

    @router.get(
        "",
        summary="The evaluation that a review is of",
        description="For staff and AUDITOR: what there is to decide on, with its version as ETag. "
        "Before the reveal it is there for MODERATOR and ANALYST alone, and for SENIOR where there "
        "is an appeal; not for those of them who are a party or belong to one.",
        responses=refusals(RoleNotAllowed, NotFound) | answers.EVALUATION,
    )
    async def review(ref: IdStr, caller: Reader) -> Response:
        known, seen, side = await desk.find(ref)
        actor = party(caller, known) or caller.actor(*STAFF_ROLES)
        if not seen.is_there_for(actor, side):
            raise NotFound
        return await desk.shown_to(actor, known, seen)

    @router.post(
        "/flags",
        summary="Report a review",
        description="For BUYER and SELLER, party or not, MODERATOR, ANALYST and SYSTEM. Every "
        "flag is decided in the same time, whatever stars the review has.",
        status_code=201,
        responses=command_refusals(*ABOUT, AlreadySubmitted, RateLimited, SubjectErased)
        | answers.FLAG_COMMAND,
    )
    async def flag(ref: IdStr, body: FlagBody, caller: Flagger, asked: AskedFor) -> Response:
        about = await desk.about(ref, caller, *FLAGGERS)
        flag_id = str(uuid5(asked.id, "flag"))
        command = FlagReview(
            review_id=about.review_id,
            flag_id=flag_id,
            reason=body.reason,
            text=about.writing.sealed(body.text),
            **about.writing.by_person,
        )

        def view(seen: Seen) -> FlagView | None:
            return flag_view(seen, about.side, ref, flag_id)

        return await desk.run_about(
            asked, about, command, view, learn=counting(command), note=note_flag
        )

    @router.get(
        "/flags/{flag_id}",
        summary="What has become of your report",
        description="For BUYER, SELLER, MODERATOR, ANALYST and SYSTEM, of their own.",
        responses=refusals(RoleNotAllowed, NotFound) | answers.FLAG,
    )
    async def flag_of(ref: IdStr, flag_id: IdStr, caller: Flagger) -> Response:
        seen, side, actor = await desk.looked_at(ref, caller, *FLAGGERS)
        flags = seen.told[side].flags
        flag = next((each for each in flags if each.flag_id == flag_id), None)
        if flag is None or not (flag.flagger_role == actor.role and is_of(flag.flagger_id, actor)):
            raise NotFound
        return await desk.answer(flag_view(seen, side, ref, flag_id))

    @router.get(
        "/appeals/{appeal_id}",
        summary="What has become of your appeal",
        description="For BUYER, SELLER, MODERATOR and ANALYST, of their own: with the reasons.",
        responses=refusals(RoleNotAllowed, NotFound) | answers.APPEAL,
    )
    async def appeal_of(ref: IdStr, appeal_id: IdStr, caller: Appellant) -> Response:
        seen, side, actor = await desk.looked_at(ref, caller, *APPELLANTS)
        appeal = lodged_as(appeal_id, seen.told[side])
        if appeal is None or not is_appellant(appeal, actor):
            raise NotFound
        return await desk.answer(own_appeal_view(seen, side, appeal_id))

    @router.post(
        "/appeals",
        summary="Appeal a decision about a review",
        description="For BUYER, SELLER, MODERATOR and ANALYST: the author of a restricted review, "
        "and whoever flagged one that was kept; once for each decision.",
        status_code=201,
        responses=command_refusals(*ABOUT, WindowClosed, AlreadyAppealed, SubjectErased)
        | answers.APPEAL_COMMAND,
    )
    async def appeal(ref: IdStr, body: AppealBody, caller: Appellant, asked: AskedFor) -> Response:
        about = await desk.about(ref, caller, *APPELLANTS)
        appeal_id = str(uuid5(asked.id, "appeal"))
        command = AppealModeration(
            review_id=about.review_id,
            appeal_id=appeal_id,
            text=about.writing.key.unsealed(body.text),
            **about.writing.by_person,
        )

        def view(seen: Seen) -> AppealView | None:
            return own_appeal_view(seen, about.side, appeal_id)

        return await desk.run_about(asked, about, command, view)

    return router


def decisions_api(desk: Desk) -> APIRouter:
    """What detectors and staff do about a review."""
    router = APIRouter(prefix="/v1/reviews/{ref}", tags=["moderation"])

    @router.post(
        "/screenings",
        summary="Record what a detector found",
        description="For SYSTEM. What it makes of the weight is lifted by facts of the order, "
        "and for a campaign that is not proven, after two weeks.",
        status_code=201,
        responses=command_refusals(*ABOUT) | answers.EVALUATION_COMMAND,
    )
    async def screening(
        ref: IdStr, body: ScreeningBody, caller: Detector, asked: AskedFor
    ) -> Response:
        about = await desk.about(ref, caller, "SYSTEM")
        command = RecordScreening(
            review_id=about.review_id,
            factor_milli=body.factor_milli,
            campaign=body.campaign,
            terms=tuple(term.term() for term in body.terms),
            calibration=body.calibration,
            facts=about.writing.facts,
            **about.writing.by,
        )
        return await desk.run_about(asked, about, command)

    @router.post(
        "/holds",
        summary="Hold a review back for now",
        description="For MODERATOR, ANALYST and SYSTEM, once on each ground; for three days at "
        "most. Negativity alone is no ground.",
        status_code=201,
        responses=command_refusals(*ABOUT, ConflictOfInterest, LimitReached)
        | answers.EVALUATION_COMMAND,
    )
    async def hold(ref: IdStr, body: HoldBody, caller: Holder, asked: AskedFor) -> Response:
        about = await desk.about(ref, caller, "MODERATOR", "ANALYST", "SYSTEM")
        command = HoldReview(
            review_id=about.review_id,
            ground=body.ground,
            party_orgs=about.party_orgs,
            facts=about.writing.facts,
            **about.writing.by,
        )
        return await desk.run_about(asked, about, command)

    @router.post(
        "/releases",
        summary="Show a held review again",
        description="For MODERATOR. It would be shown by itself when the hold ends.",
        status_code=201,
        responses=command_refusals(*JUDGING) | answers.EVALUATION_COMMAND,
    )
    async def release(
        ref: IdStr, body: ReleaseBody, caller: Moderator, asked: AskedFor
    ) -> Response:
        del body
        about = await judged(asked, ref, caller, "MODERATOR")
        command = ReleaseReview(
            review_id=about.review_id,
            party_orgs=about.party_orgs,
            facts=about.writing.facts,
            **about.writing.by,
        )
        return await desk.run_about(asked, about, command)

    @router.post(
        "/keeps",
        summary="Decide that a review stays",
        description="For MODERATOR. It closes the flags named; each flagger may appeal.",
        status_code=201,
        responses=command_refusals(*JUDGING) | answers.EVALUATION_COMMAND,
    )
    async def keep(ref: IdStr, body: KeepBody, caller: Moderator, asked: AskedFor) -> Response:
        about = await judged(asked, ref, caller, "MODERATOR")
        command = KeepReview(
            review_id=about.review_id,
            flag_ids=tuple(body.flag_ids),
            rule_ids=tuple(body.rule_ids),
            party_orgs=about.party_orgs,
            facts=about.writing.facts,
            **about.writing.by,
        )
        return await desk.run_about(asked, about, command)

    @router.post(
        "/restrictions",
        summary="Restrict a review, with reasons",
        description="For MODERATOR. The author gets the statement of reasons and may appeal. "
        "Nothing is deleted.",
        status_code=201,
        responses=command_refusals(*JUDGING, ReasonsMissing) | answers.EVALUATION_COMMAND,
    )
    async def restrict(
        ref: IdStr, body: RestrictionBody, caller: Moderator, asked: AskedFor
    ) -> Response:
        about = await judged(asked, ref, caller, "MODERATOR")
        reader = await desk.key_for(about.side, about.writing.order)
        command = RestrictReview(
            review_id=about.review_id,
            ground=body.ground,
            rule_ids=tuple(body.rule_ids),
            facts_text=reader.unsealed(body.facts) if body.facts else "",
            explanation=body.explanation or "",
            measures=tuple(body.measures),
            automated_detection=body.automated_detection,
            party_orgs=about.party_orgs,
            facts=about.writing.facts,
            **about.writing.by,
        )
        return await desk.run_about(asked, about, command)

    @router.post(
        "/appeals/{appeal_id}/decision",
        summary="Decide an appeal",
        description="For MODERATOR and SENIOR, but not for who decided first. There is no further "
        "appeal inside the platform.",
        status_code=201,
        responses=command_refusals(*JUDGING, ReasonsMissing) | answers.EVALUATION_COMMAND,
    )
    async def decide_appeal(
        ref: IdStr,
        appeal_id: IdStr,
        body: AppealDecisionBody,
        caller: AppealJudge,
        asked: AskedFor,
    ) -> Response:
        about = await judged(asked, ref, caller, "MODERATOR", "SENIOR")
        reader = await desk.key_of_recipient(about, appeal_id, body.outcome)
        command = DecideModerationAppeal(
            review_id=about.review_id,
            appeal_id=appeal_id,
            outcome=body.outcome,
            rule_ids=tuple(body.rule_ids),
            facts_text=reader.unsealed(body.facts) if body.facts else "",
            explanation=body.explanation or "",
            measures=tuple(body.measures),
            party_orgs=about.party_orgs,
            facts=about.writing.facts,
            **about.writing.by,
        )
        return await desk.run_about(asked, about, command)

    async def judged(asked: Asked, ref: str, caller: Caller, *roles: Role) -> About:
        asked.require_version()
        return await desk.about(ref, caller, *roles)

    return router
