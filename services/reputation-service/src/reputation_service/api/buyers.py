"""How a buyer stands, by the ratings that sellers gave him, over HTTP: his own."""

import asyncpg
from fastapi import Response
from shared_runtime.clock import Clock
from shared_runtime.decider import NotFound, RoleNotAllowed
from shared_runtime.fields import IdStr
from shared_runtime.problems import NotYetVisible, refusals
from shared_runtime.reading import ConsistencyToken, answer
from shared_runtime.routers import Router

from reputation_service.api import answers
from reputation_service.api.callers import AReaderOfBuyers, reader_of_buyer
from reputation_service.api.moments import AsOf, moment_of
from reputation_service.conduct_views import conduct_view
from reputation_service.queries import scores
from reputation_service.score_policies import ScorePolicies


def buyers_api(pool: asyncpg.Pool, policies: ScorePolicies, now: Clock) -> Router:
    router = Router("/v1/buyers", tags=["buyers"])
    moment = moment_of(pool, now)

    @router.get(
        "/{buyer_id}/score",
        summary="How sellers have rated a buyer",
        description="For the buyer himself, staff and auditors. A rating counts from the reveal "
        "on, fades like a seller's, and is in no composite.",
        responses=refusals(RoleNotAllowed, NotFound, NotYetVisible) | answers.CONDUCT_SCORE,
    )
    async def get_conduct(
        buyer_id: IdStr, caller: AReaderOfBuyers, token: ConsistencyToken, as_of: AsOf = None
    ) -> Response:
        if reader_of_buyer(caller, buyer_id) == "PUBLIC":
            raise NotFound
        at = await moment(buyer_id, as_of, token)
        (account,) = await scores.accounts(pool, {buyer_id: at}, await policies.policy_at(pool))
        return answer(conduct_view(account))

    return router
