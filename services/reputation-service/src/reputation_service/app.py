"""The parts of reputation-service, put together."""

from collections.abc import Sequence
from functools import partial

from shared_casework.telling import page_of, reads_of
from shared_events import reputation
from shared_runtime import media_api
from shared_runtime.commands import commands_on
from shared_runtime.erasure import erasure
from shared_runtime.erasure_api import erasure_router
from shared_runtime.log_api import log_router
from shared_runtime.media import Links
from shared_runtime.media_api import media_of, media_router, media_tasks
from shared_runtime.reading import Cursors
from shared_runtime.routers import Router
from shared_runtime.sealing import Opener
from shared_runtime.service import Parts, Service
from shared_runtime.subscription import decoded
from shared_runtime.webhook_events import on_events
from shared_runtime.webhook_sending import webhook_tasks
from shared_runtime.webhooks_api import webhook_routers
from shared_runtime.worker import Workload
from shared_runtime.worklist import count_open

from reputation_service.domain.account_rules import ACCOUNT_RULES
from reputation_service.domain.case_rules import CASE_RULES
from reputation_service.domain.points_readers import account_read_by, case_read_by
from reputation_service.domain.policy_commands import POLICY_RULES
from reputation_service.domain.rules import RULES
from reputation_service.matters import OF_ACCOUNT, OF_CASE, write_matters
from reputation_service.projections import KAFKA_PROJECTIONS, OWN_PROJECTIONS, PROJECTIONS
from reputation_service.queries.points import CASES
from reputation_service.ranking import run_ranking
from reputation_service.reactions.from_other_services import on_other_services
from reputation_service.reactions.orders import on_orders
from reputation_service.reactions.own_cases import on_own_cases
from reputation_service.reactions.timers import deadlines, on_deadlines
from reputation_service.references import References
from reputation_service.score_policies import ScorePolicies
from reputation_service.settings import ReputationSettings
from reputation_service.snapshots import run_snapshots
from reputation_service.trials import run_trials
from reputation_service.words import WORDS

DESCRIPTION = """
The score of every seller, from what was recorded of orders, reviews, disputes, inquiries and
returns: as of any instant, with the share of every event, to the last bit the same for everyone
who recomputes it.

Credit points of sellers and buyers, what costs them and what follows: a case is opened, the accused
is heard, a person decides with reasons that may be appealed. Measures follow from the points that
count, and end with them.
"""

TOPICS = (reputation.TOPIC,)
READS = reads_of(
    {
        "seller": partial(page_of, account_read_by),
        "buyer": partial(page_of, account_read_by),
        "case": partial(page_of, case_read_by),
    }
)
"""What who is told by webhook may know of a stream, by what its name begins with."""

TAGS = {
    "webhook-endpoints": "Where a shop has itself told of what happens, and how that went.",
    "cases": "Alleged violations: notice, statement, decision with reasons, appeal.",
    "statements": "Why something went against somebody, and what the public database gets of it.",
    "privacy": "People who are to be forgotten.",
    "sellers": "Scores and levels, the ranking by them, and what each is made of.",
    "buyers": "How buyers stand: as sellers rated them, their points, and what follows from those.",
    "policies": "The numbers that scores are read by: in force, drafted, tried, activated.",
    "audit": "Every account, for those who recompute scores and points.",
}


def routers(parts: Parts[ReputationSettings]) -> Sequence[Router]:
    from reputation_service.api.buyers import buyers_api  # noqa: PLC0415 - likewise
    from reputation_service.api.course import course_api  # noqa: PLC0415 - likewise
    from reputation_service.api.doors import matter_doors  # noqa: PLC0415
    from reputation_service.api.explanations import explanation_api  # noqa: PLC0415 - likewise
    from reputation_service.api.lists import (  # noqa: PLC0415
        case_lists,
        erasure_lists,
        own_lists,
        statements_api,
    )
    from reputation_service.api.matters import Matters  # noqa: PLC0415
    from reputation_service.api.policies import PolicyDrafts, policies_api  # noqa: PLC0415 - likewise
    from reputation_service.api.rates import rates_api  # noqa: PLC0415 - likewise
    from reputation_service.api.reads import (  # noqa: PLC0415
        buyer_reads,
        case_reads,
        seller_reads,
    )
    from reputation_service.api.scores import (  # noqa: PLC0415 - of no use to a worker, a sixth of its start
        accounts_api,
        points_audit_api,
        ranking_api,
        score_api,
    )

    secret = parts.settings.cursor_secret
    cursors, references = Cursors(secret), References(secret)
    score_policies = ScorePolicies(parts.log, parts.settings.policy)
    commands = commands_on(parts.log, parts.pool)
    links = Links(parts.settings.media_secret, parts.now)
    files = media_of(parts, links)
    matters = Matters(
        log=parts.log,
        pool=parts.pool,
        commands=commands,
        policies=parts.settings.policies,
        cursors=cursors,
        now=parts.now,
        keys=parts.keys,
        opener=Opener(parts.keys, links.url),
        media=files,
    )
    return [
        *matter_doors(matters),
        case_reads(matters),
        seller_reads(matters),
        buyer_reads(matters),
        case_lists(matters),
        own_lists(matters, "SELLER", "seller"),
        own_lists(matters, "BUYER", "buyer"),
        erasure_lists(matters),
        statements_api(matters),
        media_router(files, links),
        erasure_router(parts.keys),
        log_router(parts.pool),
        *webhook_routers(parts.webhooks, TOPICS, cursors, local=parts.settings.is_local),
        ranking_api(parts.pool, cursors),
        policies_api(
            PolicyDrafts(
                pool=parts.pool,
                policies=score_policies,
                commands=commands,
                now=parts.now,
            ),
            cursors,
        ),
        score_api(parts.pool, score_policies, parts.now),
        course_api(parts.pool, score_policies, parts.now),
        buyers_api(parts.pool, score_policies, parts.now),
        rates_api(parts.pool, parts.now),
        explanation_api(parts.pool, score_policies, references, parts.now),
        accounts_api(parts.pool, score_policies, cursors, parts.now),
        points_audit_api(parts.log, parts.pool, parts.settings.policies, cursors, parts.now),
    ]


def workload(parts: Parts[ReputationSettings]) -> Workload:
    policies = parts.settings.policies
    score_policies = ScorePolicies(parts.log, parts.settings.policy)
    files = media_of(parts, Links(parts.settings.media_secret, parts.now))
    return Workload(
        own_topics=TOPICS,
        beside=decoded((*OF_ACCOUNT, *OF_CASE), write_matters),
        on_own_log=(
            on_own_cases(parts.log, policies, parts.keys),
            on_events(TOPICS, parts.log, READS, parts.now),
            deadlines(parts.log, policies),
            erasure(parts.keys, files.delete_of, parts.webhooks.forget),
        ),
        on_kafka=(
            on_orders(parts.log, policies),
            on_other_services(parts.log, policies),
        ),
        own_projections=OWN_PROJECTIONS,
        kafka_projections=KAFKA_PROJECTIONS,
        fire=on_deadlines(policies, parts.keys),
        tasks=(
            partial(run_trials, parts.pool, score_policies, parts.now),
            partial(run_ranking, parts.pool, score_policies, parts.now),
            partial(run_snapshots, parts.pool, parts.log, score_policies, parts.now),
            *media_tasks(files),
            *webhook_tasks(parts.webhooks, READS, local=parts.settings.is_local),
            partial(count_open, (CASES,), parts.pool, parts.now),
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
    words=WORDS,
    streamed=frozenset({media_api.PATH}),
    seals=True,
    commands={
        "Sellers": RULES,
        "Accounts": ACCOUNT_RULES,
        "Cases": CASE_RULES,
        "Policies of the score": POLICY_RULES,
    },
)
