"""Whether a review helped: what a reader says of it, and may take back."""

from dataclasses import dataclass
from typing import Annotated

import asyncpg
from fastapi import Response
from pydantic import ConfigDict, Field
from shared_casework.callers import APartyOfOrders, AskedSide, asks_as
from shared_casework.impartial import Stakes, require_impartial
from shared_casework.parties import parties_of
from shared_events.review import Side
from shared_runtime.auth import Caller
from shared_runtime.clock import SharedClock
from shared_runtime.decider import (
    ConflictOfInterest,
    NotFound,
    RateLimited,
    RoleNotAllowed,
    SubjectErased,
)
from shared_runtime.documents import Documented, answered
from shared_runtime.fields import Body, IdStr
from shared_runtime.problems import refusals
from shared_runtime.reading import answer
from shared_runtime.routers import Router
from shared_runtime.sealing import person

from review_service.api.examples import REF
from review_service.domain.policy import Policies
from review_service.refs import Refs
from review_service.votes import Votes, find_listed, vote, votes_on


class VoteBody(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"helpful": True}]})

    helpful: Annotated[bool, Field(description="Whether the review helped you.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteView:
    """How many readers say that a review helped them, and how many that it did not; and what you
    say: null if nothing.
    """

    ref: str
    helpful: int
    not_helpful: int
    voted: bool | None


EXAMPLE = VoteView(ref=REF, helpful=12, not_helpful=1, voted=True)
VOTED: Documented = {
    **answered(VoteView, example=EXAMPLE, status=201, description="It counts from now on."),
    **answered(VoteView, example=EXAMPLE, description="You have said so before."),
}
OWN_VOTE = answered(VoteView, example=EXAMPLE)
TAKEN_BACK = answered(VoteView, example=VoteView(ref=REF, helpful=11, not_helpful=1, voted=None))


def votes_api(pool: asyncpg.Pool, policies: Policies, instant: SharedClock, refs: Refs) -> Router:
    router = Router("/v1/reviews/{ref}/votes", tags=["votes"])

    async def said(ref: str, caller: Caller, side: Side | None, helpful: bool | None) -> Response:
        asking, account = asks_as(caller, side)
        review = await find_listed(pool, refs.digest(ref))
        parties = parties_of(buyer_id=review.buyer_id, seller_id=review.seller_id)
        require_impartial(caller.actor(asking), Stakes(parties=parties))
        at = await instant()
        votes, is_new = await vote(
            pool,
            review.order_id,
            voter_of(asking, account),
            helpful,
            now=at,
            policy=policies.in_force(at),
        )
        return shown(ref, votes, status=201 if is_new and helpful is not None else 200)

    @router.post(
        "",
        summary="Say whether a review helped you",
        description="For BUYER and SELLER, of a review that everybody may read and that is neither "
        "theirs nor about them. One vote of each account on each review; saying the other takes "
        "the place of what was said, and saying the same again changes nothing, so this needs no "
        "Idempotency-Key. It counts for the order `most_useful` alone, never for a score.",
        status_code=201,
        responses=refusals(RoleNotAllowed, NotFound, ConflictOfInterest, SubjectErased, RateLimited)
        | VOTED,
    )
    async def vote_on_review(
        ref: IdStr, body: VoteBody, caller: APartyOfOrders, side: AskedSide = None
    ) -> Response:
        return await said(ref, caller, side, body.helpful)

    @router.get(
        "/mine",
        summary="What you say of a review",
        description="For BUYER and SELLER, of a review that everybody may read.",
        responses=refusals(RoleNotAllowed, NotFound) | OWN_VOTE,
    )
    async def get_own_vote(ref: IdStr, caller: APartyOfOrders, side: AskedSide = None) -> Response:
        asking, account = asks_as(caller, side)
        review = await find_listed(pool, refs.digest(ref))
        return shown(ref, await votes_on(pool, review.order_id, voter_of(asking, account)))

    @router.delete(
        "/mine",
        summary="Take your vote back",
        description="For BUYER and SELLER. Where there is none, nothing changes.",
        responses=refusals(RoleNotAllowed, NotFound, ConflictOfInterest, SubjectErased, RateLimited)
        | TAKEN_BACK,
    )
    async def take_vote_back(
        ref: IdStr, caller: APartyOfOrders, side: AskedSide = None
    ) -> Response:
        return await said(ref, caller, side, None)

    return router


def voter_of(side: Side, account: str) -> str:
    """Whose vote it is: that of a seller's members is the seller's."""
    return person("buyer" if side == "BUYER" else "seller", account)


def shown(ref: str, votes: Votes, status: int = 200) -> Response:
    view = VoteView(
        ref=ref,
        helpful=votes.tally.helpful,
        not_helpful=votes.tally.not_helpful,
        voted=votes.says,
    )
    return answer(view, status=status)
