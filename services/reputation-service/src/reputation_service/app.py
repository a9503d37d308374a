"""The parts of reputation-service, put together."""

from collections.abc import Sequence
from functools import partial

from fastapi import APIRouter
from shared_events import reputation
from shared_runtime.reading import Cursors
from shared_runtime.service import Parts, Service
from shared_runtime.worker import Workload

from reputation_service.domain.rules import RULES
from reputation_service.projections import PROJECTIONS
from reputation_service.ranking import run_ranking
from reputation_service.references import References
from reputation_service.settings import ReputationSettings
from reputation_service.snapshots import run_snapshots

DESCRIPTION = """
The score of every seller, from what was recorded of orders, reviews, disputes, inquiries and
returns: as of any instant, with the share of every event, to the last bit the same for everyone
who recomputes it.

Credit points, cases, measures and protections come with a later release: until then no level is
capped by points or kept by a protection.
"""

TAGS = {
    "sellers": "Scores and levels, the ranking by them, and what each is made of.",
    "audit": "Every account, for those who recompute the scores.",
}


def routers(parts: Parts[ReputationSettings]) -> Sequence[APIRouter]:
    from reputation_service.api.scores import (  # noqa: PLC0415 - of no use to a worker, a sixth of its start
        accounts_api,
        explanation_api,
        ranking_api,
        score_api,
    )

    secret = parts.settings.cursor_secret
    cursors, references = Cursors(secret), References(secret)
    policy = parts.settings.policy
    return [
        ranking_api(parts.pool, cursors),
        score_api(parts.pool, policy, parts.now),
        explanation_api(parts.pool, policy, references, parts.now),
        accounts_api(parts.pool, policy, cursors, parts.now),
    ]


def workload(parts: Parts[ReputationSettings]) -> Workload:
    policy = parts.settings.policy
    return Workload(
        own_topics=(reputation.TOPIC,),
        kafka_projections=PROJECTIONS,
        tasks=(
            partial(run_ranking, parts.pool, policy, parts.now),
            partial(run_snapshots, parts.pool, parts.log, policy, parts.now),
        ),
    )


SERVICE = Service(
    name="reputation-service",
    package="reputation_service",
    description=DESCRIPTION,
    settings=ReputationSettings,
    projections=PROJECTIONS,
    routers=routers,
    workload=workload,
    tags=TAGS,
    commands={"Sellers": RULES},
)
