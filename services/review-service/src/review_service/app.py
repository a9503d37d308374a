"""The parts of review-service, put together."""

from collections.abc import Sequence

from fastapi import APIRouter
from shared_events import orders, review
from shared_runtime.commands import commands_on
from shared_runtime.reading import Cursors
from shared_runtime.service import Parts, Service
from shared_runtime.worker import Workload

from review_service import queries
from review_service.api import bulk
from review_service.api.bulk import bulk_api
from review_service.api.evaluations import evaluations_api
from review_service.api.orders import orders_api
from review_service.api.sellers import sellers_api
from review_service.bulk.feed import marketplace_feed
from review_service.bulk.intake import Intake
from review_service.bulk.story import rules
from review_service.projections import PROJECTIONS
from review_service.reactions import EVALUATIONS, deadlines, on_deadlines, on_own_orders
from review_service.settings import ReviewSettings

DESCRIPTION = """
Orders, and what buyers and sellers say of each other once they are complete.

A marketplace tells of its orders, one by one or in bulk. A completed order opens its evaluation:
for some days the buyer and the seller may each write a review, hidden from the other until both
have written or the time is over. Then they are revealed together, and begin to count.
"""


def routers(parts: Parts[ReviewSettings]) -> Sequence[APIRouter]:
    policies = parts.settings.policies
    commands = commands_on(parts.log, parts.pool)
    cursors = Cursors(parts.settings.cursor_secret)
    opened = queries.opened_up_to(parts.pool, EVALUATIONS)
    return [
        bulk_api(Intake(parts.log, rules(policies), parts.now)),
        orders_api(parts.log, commands, policies, cursors, parts.now),
        evaluations_api(parts.log, commands, policies, cursors, parts.now, opened_up_to=opened),
        sellers_api(parts.pool, cursors),
    ]


def workload(parts: Parts[ReviewSettings]) -> Workload:
    policies = parts.settings.policies
    return Workload(
        own_topics=(orders.TOPIC, review.TOPIC),
        on_own_log=(on_own_orders(parts.log, policies), deadlines()),
        feeds=(marketplace_feed(parts.log, rules(policies), parts.now),),
        own_projections=PROJECTIONS,
        fire=on_deadlines(policies),
    )


SERVICE = Service(
    name="review-service",
    package="review_service",
    description=DESCRIPTION,
    settings=ReviewSettings,
    projections=PROJECTIONS,
    routers=routers,
    workload=workload,
    streamed=frozenset({bulk.PATH}),
)
