"""The parts of dispute-service, put together."""

from collections.abc import Sequence
from functools import partial

from shared_casework.order_rows import ORDER_FACTS
from shared_casework.telling import page_of, reads_of
from shared_events import dispute
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

from dispute_service.domain.inquiry_rules import INQUIRY_RULES
from dispute_service.domain.readers import inquiry_read_by, read_by
from dispute_service.domain.rules import RULES
from dispute_service.matters import OF_MATTERS, write_matters
from dispute_service.projections import PROJECTIONS
from dispute_service.queries.adjudication import CASES
from dispute_service.reactions.from_other_services import on_other_services
from dispute_service.reactions.own_disputes import on_own_disputes
from dispute_service.reactions.timers import deadlines, on_deadlines
from dispute_service.settings import DisputeSettings
from dispute_service.words import WORDS

DESCRIPTION = """
Questions and disputes about orders.

A buyer asks the seller, or opens a dispute on pieces of an order. The two may settle it between
them, in the open or by offers that neither sees; else both lodge evidence, which is disclosed to
both at one moment, and a person decides with reasons that may be appealed. What was settled or
decided is ordered from returns-service, which carries it out.
"""

TOPICS = (dispute.TOPIC,)
READS = reads_of(
    {"dispute": partial(page_of, read_by), "inquiry": partial(page_of, inquiry_read_by)}
)
"""What who is told by webhook may know of a stream, by what its name begins with."""

TAGS = {
    "webhook-endpoints": "Where a shop has itself told of what happens, and how that went.",
    "privacy": "People who are to be forgotten.",
    "inquiries": "What a buyer asks a seller about an order, before any dispute.",
    "disputes": "What the parties of an order cannot agree on: proposals, evidence, appeals.",
    "adjudication": "What staff do: who is there, what is to be decided, asked, decided and why.",
}


def routers(parts: Parts[DisputeSettings]) -> Sequence[Router]:
    # Of no use to a worker: a tenth of its start.
    from dispute_service.api.adjudication import adjudication_api  # noqa: PLC0415
    from dispute_service.api.case_file import case_file_api  # noqa: PLC0415
    from dispute_service.api.deadlines import deadlines_api  # noqa: PLC0415
    from dispute_service.api.doors import matter_doors  # noqa: PLC0415
    from dispute_service.api.lists import lists_api  # noqa: PLC0415
    from dispute_service.api.matters import Matters  # noqa: PLC0415
    from dispute_service.api.reads import dispute_reads, inquiry_reads  # noqa: PLC0415

    links = Links(parts.settings.media_secret, parts.now)
    files = media_of(parts, links)
    matters = Matters(
        log=parts.log,
        pool=parts.pool,
        commands=commands_on(parts.log, parts.pool),
        policies=parts.settings.policies,
        cursors=Cursors(parts.settings.cursor_secret),
        now=parts.now,
        keys=parts.keys,
        opener=Opener(parts.keys, links.url),
        media=files,
    )
    return [
        *matter_doors(matters),
        dispute_reads(matters),
        inquiry_reads(matters),
        *lists_api(matters),
        *deadlines_api(matters),
        adjudication_api(matters, parts.instant),
        case_file_api(matters),
        media_router(files, links),
        erasure_router(parts.keys),
        log_router(parts.pool),
        *webhook_routers(parts.webhooks, TOPICS, matters.cursors, local=parts.settings.is_local),
    ]


def workload(parts: Parts[DisputeSettings]) -> Workload:
    policies = parts.settings.policies
    files = media_of(parts, Links(parts.settings.media_secret, parts.now))
    return Workload(
        own_topics=TOPICS,
        beside=decoded(OF_MATTERS, write_matters),
        on_own_log=(
            on_own_disputes(parts.log, policies),
            on_events(TOPICS, parts.log, READS, parts.now),
            deadlines(parts.log, policies),
        ),
        on_kafka=(
            on_other_services(parts.log, policies),
            erasure(parts.keys, files.delete_of, parts.webhooks.forget),
        ),
        own_projections=PROJECTIONS,
        kafka_projections=(ORDER_FACTS,),
        fire=on_deadlines(policies, parts.keys),
        tasks=(
            *media_tasks(files),
            *webhook_tasks(parts.webhooks, READS, local=parts.settings.is_local),
            partial(count_open, (CASES,), parts.pool, parts.now),
        ),
    )


SERVICE = Service(
    name="dispute-service",
    package="dispute_service",
    description=DESCRIPTION,
    settings=DisputeSettings,
    projections=(ORDER_FACTS, *PROJECTIONS),
    routers=routers,
    workload=workload,
    tags=TAGS,
    words=WORDS,
    streamed=frozenset({media_api.PATH}),
    seals=True,
    commands={"Inquiries": INQUIRY_RULES, "Disputes": RULES},
)
