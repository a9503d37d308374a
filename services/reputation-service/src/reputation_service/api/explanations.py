"""HTTP in, why a score is so out: of a seller, for everybody; of a buyer, for himself."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import asyncpg
from asyncpg.transaction import Transaction
from fastapi import Depends, Query, Response
from shared_runtime.auth import Caller
from shared_runtime.clock import Clock
from shared_runtime.decider import NotFound, RoleNotAllowed
from shared_runtime.delivery import Connection
from shared_runtime.fields import IdStr
from shared_runtime.pages import query_of
from shared_runtime.places import Places
from shared_runtime.problems import NotYetVisible, refusals
from shared_runtime.reading import ConsistencyToken, answer
from shared_runtime.routers import Router

from reputation_service.api import answers
from reputation_service.api.callers import Anybody, AReaderOfBuyers, reader_of, reader_of_buyer
from reputation_service.api.moments import AsOf, moment_of, moment_of_seller
from reputation_service.conduct_views import (
    AnyConductExplanationView,
    conduct_explanation_view,
    own_conduct_explanation_view,
)
from reputation_service.domain.account import Explanation
from reputation_service.domain.policy import ScorePolicy, of_conduct
from reputation_service.domain.readers import Reader
from reputation_service.explanation_views import (
    AnyExplanationView,
    ExplainedView,
    NameOf,
    explanation_view,
    own_explanation_view,
    public_explanation_view,
)
from reputation_service.queries import explanations
from reputation_service.queries.explanations import WantedExplanation
from reputation_service.references import References
from reputation_service.score_policies import ScorePolicies

LARGEST = 50
LARGEST_MAX = 1_000
WITHOUT_MAX = 20
EXPLANATIONS_MAX = 4
"""So many are worked out at once in a process: each counts all facts of an account, and holds one
of the connections that everything else needs.
"""
EXPLANATIONS_EACH = 2
"""So many of one caller's: whoever asks for more waits, and leaves a place to others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationQuery:
    """As of when, how much is listed, and what a score is wanted without."""

    as_of: AsOf = None
    largest: Annotated[
        int, Query(ge=1, le=LARGEST_MAX, description="How many shares of each dimension.")
    ] = LARGEST
    without: Annotated[
        Sequence[IdStr],
        Query(max_length=WITHOUT_MAX, description="Matters that are to be left out of it."),
    ] = ()


type AskedToExplain = Annotated[ExplanationQuery, Depends(query_of(ExplanationQuery))]


def explanation_api(
    pool: asyncpg.Pool, policies: ScorePolicies, references: References, now: Clock
) -> Router:
    router = Router("/v1")
    places = Places(EXPLANATIONS_MAX, EXPLANATIONS_EACH, patience_seconds=0)
    moment, moment_of_buyer = moment_of_seller(pool, now), moment_of(pool, now)

    @router.get(
        "/sellers/{seller_id}/score/explain",
        summary="Why a seller has this score",
        description="For every role. What adds most to the mean of each dimension (the `largest` "
        "shares; the rest in one number, so that all add up), how much counts less or nothing, "
        "each week with its cap, what would raise the score, and the score `without` some of "
        "what is listed. The seller is told which of his orders and cases it is, staff and "
        "auditors where each event stands in the log; everybody else has names of his own for "
        "them (`ref`). A review is not listed while it is held, hidden or withdrawn, whatever "
        f"the instant; staff see it. {EXPLANATIONS_MAX} are worked out at once, "
        f"{EXPLANATIONS_EACH} of one caller's.",
        responses=refusals(NotFound, NotYetVisible) | answers.EXPLANATION,
        tags=["sellers"],
    )
    async def explain_score(
        seller_id: IdStr, caller: Anybody, token: ConsistencyToken, asked: AskedToExplain
    ) -> Response:
        at = await moment(seller_id, asked.as_of, token)
        reader = reader_of(caller, seller_id)
        # A seller's members share what they see.
        name = f"SELLER/{caller.seller_id}" if reader == "HOLDER" else f"PUBLIC/{caller.sub}"
        name_of = partial(references.of, name, seller_id)

        def explained(found: Explanation) -> AnyExplanationView:
            return of_seller(found, asked.without, reader, name_of)

        policy_at = await policies.policy_at(pool)
        wanted = wanted_by(reader, seller_id, at, asked)
        return await explanation(caller, wanted, policy_at(at), explained)

    @router.get(
        "/buyers/{buyer_id}/score/explain",
        summary="Why a buyer stands as he does",
        description="For the buyer himself, staff and auditors. Which ratings by sellers add most "
        "to his mean (the `largest` shares; the rest in one number, so that all add up), how many "
        "count less or nothing, each week with its cap, and how he would stand `without` some of "
        "what is listed. Staff and auditors are told where each event stands in the log. A rating "
        "is not listed while it is held, hidden or withdrawn, whatever the instant; staff see it. "
        f"{EXPLANATIONS_MAX} are worked out at once, those of sellers included, "
        f"{EXPLANATIONS_EACH} of one caller's.",
        responses=refusals(RoleNotAllowed, NotFound, NotYetVisible) | answers.CONDUCT_EXPLANATION,
        tags=["buyers"],
    )
    async def explain_conduct(
        buyer_id: IdStr, caller: AReaderOfBuyers, token: ConsistencyToken, asked: AskedToExplain
    ) -> Response:
        reader = reader_of_buyer(caller, buyer_id)
        if reader == "PUBLIC":
            raise NotFound
        at = await moment_of_buyer(buyer_id, asked.as_of, token)
        name_of = partial(references.of, f"BUYER/{caller.sub}", buyer_id)

        def explained(found: Explanation) -> AnyConductExplanationView:
            return of_buyer(found, asked.without, reader, name_of)

        policy_at = await policies.policy_at(pool)
        wanted = wanted_by(reader, buyer_id, at, asked)
        return await explanation(caller, wanted, of_conduct(policy_at(at)), explained)

    async def explanation(
        caller: Caller,
        wanted: WantedExplanation,
        policy: ScorePolicy,
        explained: Callable[[Explanation], ExplainedView],
    ) -> Response:
        async with places.one(caller.sub):
            async with pool.acquire() as db, _one_moment(db):
                found = await explanations.explanation(db, wanted, policy)
            # What would raise a score is searched for: not by the loop that everybody waits for.
            view = await asyncio.to_thread(explained, found)
        return answer(view)

    return router


def wanted_by(
    reader: Reader, account_id: str, as_of: int, asked: ExplanationQuery
) -> WantedExplanation:
    return WantedExplanation(
        account_id=account_id,
        as_of=as_of,
        reader=reader,
        largest=asked.largest,
        entities=asked.without if reader == "STAFF" else (),
    )


def of_seller(
    found: Explanation, without: Sequence[str], reader: Reader, name_of: NameOf
) -> AnyExplanationView:
    if reader == "STAFF":
        return explanation_view(found, without)
    if reader == "HOLDER":
        return own_explanation_view(found, without, name_of)
    return public_explanation_view(found, without, name_of)


def of_buyer(
    found: Explanation, without: Sequence[str], reader: Reader, name_of: NameOf
) -> AnyConductExplanationView:
    if reader == "STAFF":
        return conduct_explanation_view(found, without)
    return own_conduct_explanation_view(found, without, name_of)


def _one_moment(db: Connection) -> Transaction:
    """All statements of it read of one moment."""
    return db.transaction(isolation="repeatable_read", readonly=True)
