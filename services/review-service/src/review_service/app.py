"""The parts of review-service, put together."""

from collections.abc import Sequence
from functools import partial

from shared_casework.telling import reads_of
from shared_events import orders, review
from shared_runtime import media_api
from shared_runtime.commands import commands_on
from shared_runtime.delivery import Connection
from shared_runtime.erasure import erasure
from shared_runtime.erasure_api import erasure_router
from shared_runtime.keeping import Keeping
from shared_runtime.log_api import log_router
from shared_runtime.media import Links, MediaStore
from shared_runtime.media_api import media_of, media_router, media_tasks
from shared_runtime.projections import Projection
from shared_runtime.reading import Cursors
from shared_runtime.routers import Router
from shared_runtime.sealing import Keys, Opener
from shared_runtime.service import Parts, Service
from shared_runtime.webhook_events import on_events
from shared_runtime.webhook_sending import webhook_tasks
from shared_runtime.webhooks_api import webhook_routers
from shared_runtime.worker import Workload
from shared_runtime.worklist import count_open

from review_service.api import bulk
from review_service.bulk.feed import marketplace_feed
from review_service.bulk.intake import Intake
from review_service.domain.order_rules import ORDER_RULES
from review_service.domain.rules import RULES
from review_service.openings import opened_up_to
from review_service.order_views import readable_order
from review_service.projections import PROJECTIONS, REVIEW_LANGUAGES
from review_service.projections.review_languages import forget_languages, with_keys
from review_service.queries.moderation import CASES
from review_service.reactions.from_other_services import on_other_services
from review_service.reactions.orders import OPENING, on_own_orders
from review_service.reactions.reweighing import reweigh_the_rest
from review_service.reactions.timers import deadlines, on_deadlines
from review_service.reactions.with_later_facts import on_own_evaluations
from review_service.refs import Refs
from review_service.settings import ReviewSettings
from review_service.views import readable_evaluation
from review_service.votes import forget_votes
from review_service.words import WORDS

DESCRIPTION = """
Orders, and what buyers and sellers say of each other once they are complete.

A marketplace tells of its orders, one by one or in bulk. A completed order opens its evaluation:
for some days the buyer and the seller may each write a review, hidden from the other until both
have written or the time is over. Then they are revealed together, and begin to count.
"""

TOPICS = (orders.TOPIC, review.TOPIC)
READS = reads_of({"order": readable_order, "evaluation": readable_evaluation})
"""What who is told by webhook may know of a stream, by what its name begins with."""

TAGS = {
    "webhook-endpoints": "Where a shop has itself told of what happens, and how that went.",
    "privacy": "People who are to be forgotten.",
    "orders": "The life of an order, as a marketplace tells of it step by step.",
    "bulk": "Whole histories of orders and their reviews, a line each.",
    "evaluations": "What the parties of an order write about each other.",
    "me": "What is one's own, whichever order it is of.",
    "moderation": "Reports, decisions and appeals about reviews, and the queue of what is open.",
    "votes": "Whether a review was of help to its readers.",
    "products": "What everybody may read of a product.",
    "sellers": "What everybody may read of a seller.",
    "neutrality": "Whether reviews are treated alike, whatever their stars.",
}


def routers(parts: Parts[ReviewSettings]) -> Sequence[Router]:
    # Of no use to a worker: a tenth of its start.
    from review_service.api.doors import evaluation_doors  # noqa: PLC0415
    from review_service.api.evaluations import Evaluations  # noqa: PLC0415
    from review_service.api.me import me_api  # noqa: PLC0415
    from review_service.api.orders import Orders, orders_api  # noqa: PLC0415
    from review_service.api.reads import evaluation_reads, review_reads  # noqa: PLC0415

    policies = parts.settings.policies
    commands = commands_on(parts.log, parts.pool)
    cursors = Cursors(parts.settings.cursor_secret)
    opened = opened_up_to(parts.pool, OPENING)
    links = Links(parts.settings.media_secret, parts.now)
    files = media_of(parts, links)
    opener = Opener(parts.keys, links.url)
    refs = Refs(parts.settings.ref_secret)
    evaluations = Evaluations(
        log=parts.log,
        pool=parts.pool,
        commands=commands,
        policies=policies,
        cursors=cursors,
        now=parts.now,
        keys=parts.keys,
        opener=opener,
        media=files,
        refs=refs,
    )
    placed = Orders(
        log=parts.log, commands=commands, policies=policies, cursors=cursors, now=parts.now
    )
    return [
        bulk.bulk_api(Intake(parts.log, policies, parts.keys, parts.now, files)),
        *orders_api(placed),
        *evaluation_doors(evaluations),
        evaluation_reads(evaluations, opened_up_to=opened),
        review_reads(evaluations),
        me_api(evaluations),
        media_router(files, links),
        erasure_router(parts.keys),
        log_router(parts.pool),
        *webhook_routers(parts.webhooks, TOPICS, cursors, local=parts.settings.is_local),
        *lists(parts, cursors, opener, refs),
    ]


def lists(
    parts: Parts[ReviewSettings], cursors: Cursors, opener: Opener, refs: Refs
) -> Sequence[Router]:
    """What is read of many orders at once."""
    # Of no use to a worker either.
    from review_service.api.histories import histories_api  # noqa: PLC0415
    from review_service.api.moderation import moderation_api  # noqa: PLC0415
    from review_service.api.neutrality import neutrality_api  # noqa: PLC0415
    from review_service.api.products import products_api  # noqa: PLC0415
    from review_service.api.public_reviews import PublicReviews  # noqa: PLC0415
    from review_service.api.reviewable import reviewable_api  # noqa: PLC0415
    from review_service.api.sellers import sellers_api  # noqa: PLC0415
    from review_service.api.votes import votes_api  # noqa: PLC0415

    public = PublicReviews(
        pool=parts.pool, cursors=cursors, open_texts=opener.response, ref_of=refs.of
    )
    return [
        sellers_api(public),
        products_api(public),
        reviewable_api(parts.pool, cursors, parts.now),
        moderation_api(parts.pool, cursors, parts.now, parts.instant, opener.response, refs=refs),
        neutrality_api(parts.pool, parts.now),
        votes_api(parts.pool, parts.settings.policies, parts.instant, refs),
        histories_api(parts.pool, parts.log, cursors, opener),
    ]


def own_projections(keys: Keys) -> Sequence[Projection]:
    """As a worker has them, which opens texts to tell their language."""
    return [with_keys(keys) if each is REVIEW_LANGUAGES else each for each in PROJECTIONS]


async def forget(files: MediaStore, person: str, db: Connection) -> None:
    """Of whom there are no words any more, nothing is left that follows from them either."""
    await files.delete_of(person, db)
    await forget_votes(person, db)
    await forget_languages(person, db)


def workload(parts: Parts[ReviewSettings]) -> Workload:
    policies = parts.settings.policies
    files = media_of(parts, Links(parts.settings.media_secret, parts.now))
    keeping = Keeping(parts.settings)
    feed = marketplace_feed(parts.log, policies, parts.keys, parts.now, files, keeping=keeping)
    return Workload(
        own_topics=TOPICS,
        on_own_log=(
            on_own_orders(parts.log, policies),
            on_own_evaluations(parts.log, policies),
            on_events(TOPICS, parts.log, READS, parts.now),
            deadlines(),
        ),
        on_kafka=(
            on_other_services(parts.log, policies),
            # No table has a text that is opened: what is left of a person are files, votes and
            # what his words were in, and where he has himself told.
            erasure(parts.keys, partial(forget, files), parts.webhooks.forget),
        ),
        feeds=(feed,),
        own_projections=own_projections(parts.keys),
        fire=on_deadlines(policies),
        tasks=(
            *media_tasks(files),
            *webhook_tasks(parts.webhooks, READS, local=parts.settings.is_local),
            partial(reweigh_the_rest, parts.pool),
            partial(count_open, (CASES,), parts.pool, parts.now),
        ),
    )


SERVICE = Service(
    name="review-service",
    package="review_service",
    description=DESCRIPTION,
    settings=ReviewSettings,
    projections=PROJECTIONS,
    routers=routers,
    workload=workload,
    tags=TAGS,
    words=WORDS,
    streamed=frozenset({bulk.PATH, media_api.PATH}),
    seals=True,
    commands={"Orders": ORDER_RULES, "Evaluations of orders": RULES},
)
