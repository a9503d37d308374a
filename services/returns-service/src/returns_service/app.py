"""The parts of returns-service, put together."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from shared_casework.order_rows import ORDER_FACTS
from shared_casework.telling import page_of, reads_of
from shared_events import returns
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
from shared_runtime.webhook_events import on_events
from shared_runtime.webhook_sending import webhook_tasks
from shared_runtime.webhooks_api import webhook_routers
from shared_runtime.worker import Task, Workload
from shared_runtime.worklist import count_open

from returns_service.connectors.labels import ask_for_labels
from returns_service.connectors.payments import ask_for_refunds, on_refunds, payments
from returns_service.connectors.reconciling import Reconciling, reconcile
from returns_service.connectors.replacements import ask_for_stock
from returns_service.domain.activating import POLICY_RULES
from returns_service.domain.ledger_readers import ledger_read_by
from returns_service.domain.ledger_rules import LEDGER_RULES
from returns_service.domain.return_readers import return_read_by
from returns_service.domain.return_rules import RETURN_RULES
from returns_service.policy_versions import following, learn
from returns_service.ports.opened import carrier_port, payment_port, stock_port
from returns_service.projections import PROJECTIONS
from returns_service.queries.cases import CASES as REFUND_CASES
from returns_service.queries.returns import CASES as RETURN_CASES
from returns_service.reactions.beside import kept_beside
from returns_service.reactions.from_other_services import on_other_services
from returns_service.reactions.own_refunds import on_own_refunds
from returns_service.reactions.own_returns import on_own_returns
from returns_service.reactions.timers import deadlines, on_deadlines
from returns_service.settings import ReturnsSettings
from returns_service.words import WORDS

DESCRIPTION = """
Returns, exchanges, claims and withdrawals, and all money of an order that is given back.

A buyer asks for pieces of an order to go back; what a rule can decide is decided at once, with the
tests that were made. Goods are followed piece by piece, by what people and the carrier tell of
them; where somebody is silent, what is then due happens by itself. Money goes out by the refund
ledger of the order alone, whoever orders it: no two refunds give the same money, and all together
never give more than was paid.
"""

TOPICS = (returns.TOPIC,)
READS = reads_of(
    {"return": partial(page_of, return_read_by), "refunds": partial(page_of, ledger_read_by)}
)
"""What who is told by webhook may know of a stream, by what its name begins with."""

TAGS = {
    "webhook-endpoints": "Where a shop has itself told of what happens, and how that went.",
    "privacy": "People who are to be forgotten.",
    "returns": "Pieces of an order that go back, are exchanged or claimed, from the request on.",
    "withdrawals": "Withdrawing from the contract, as the law has it: without a reason.",
    "refunds": "The money of an order that is given back: what for, by whom, how far it is.",
    "finance": "The refunds of many orders: lists, a file, figures, and those that need a person.",
    "policies": "The numbers and rules by which all of this is decided: anybody may read them.",
    "webhooks": "What companies tell of their own accord: signed by them, for nobody else.",
}


def routers(parts: Parts[ReturnsSettings]) -> Sequence[Router]:
    # Of no use to a worker: a tenth of its start.
    from returns_service.api.doors import ledger_doors  # noqa: PLC0415
    from returns_service.api.ledgers import Ledgers  # noqa: PLC0415
    from returns_service.api.lists import lists_api  # noqa: PLC0415
    from returns_service.api.policies import policies_api  # noqa: PLC0415
    from returns_service.api.reads import ledger_reads  # noqa: PLC0415
    from returns_service.api.reconciliations import reconciliations_api  # noqa: PLC0415
    from returns_service.api.return_doors import return_doors  # noqa: PLC0415
    from returns_service.api.return_lists import return_lists  # noqa: PLC0415
    from returns_service.api.return_reads import order_reads, return_reads  # noqa: PLC0415
    from returns_service.api.returns import Returns  # noqa: PLC0415
    from returns_service.api.scans import carrier_webhooks  # noqa: PLC0415
    from returns_service.api.webhooks import payment_webhooks  # noqa: PLC0415

    settings = parts.settings
    links = Links(settings.media_secret, parts.now)
    files = media_of(parts, links)
    desk: dict[str, Any] = {
        "log": parts.log,
        "pool": parts.pool,
        "commands": commands_on(parts.log, parts.pool),
        "policies": settings.policies,
        "cursors": Cursors(settings.cursor_secret),
        "now": parts.now,
        "opener": Opener(parts.keys, links.url),
    }
    ledgers = Ledgers(**desk)
    all_returns = Returns(**desk, keys=parts.keys, media=files)
    hearing: dict[str, Any] = {"policies": settings.policies, "now": parts.now}
    return [
        *return_doors(all_returns),
        return_lists(all_returns),
        return_reads(all_returns),
        order_reads(all_returns),
        *ledger_doors(ledgers),
        ledger_reads(ledgers),
        lists_api(ledgers),
        reconciliations_api(parts.pool, parts.instant),
        *policies_api(ledgers),
        media_router(files, links),
        erasure_router(parts.keys),
        log_router(parts.pool),
        *webhook_routers(parts.webhooks, TOPICS, ledgers.cursors, local=parts.settings.is_local),
        payment_webhooks(parts.log, secret=settings.payment_secret, **hearing),
        carrier_webhooks(parts.log, parts.pool, secret=settings.carrier_secret, **hearing),
    ]


def workload(parts: Parts[ReturnsSettings]) -> Workload:
    settings, policies = parts.settings, parts.settings.policies
    files = media_of(parts, Links(settings.media_secret, parts.now))
    open_port = partial(payment_port, settings)
    known: dict[str, Any] = {
        "pool": parts.pool,
        "own_log": parts.log,
        "policies": policies,
        "now": parts.now,
    }
    at_once = settings.port_at_once
    return Workload(
        own_topics=TOPICS,
        beside=kept_beside(parts.log),
        on_own_log=(
            on_own_refunds(parts.log, policies),
            on_own_returns(parts.log, policies),
            on_refunds(parts.log),
            on_events(TOPICS, parts.log, READS, parts.now),
            deadlines(parts.log, policies),
        ),
        on_kafka=(
            on_other_services(parts.log, policies),
            erasure(parts.keys, files.delete_of, parts.webhooks.forget),
        ),
        own_projections=PROJECTIONS,
        kafka_projections=(ORDER_FACTS,),
        fire=on_deadlines(policies),
        tasks=(
            *media_tasks(files),
            *webhook_tasks(parts.webhooks, READS, local=parts.settings.is_local),
            partial(count_open, (RETURN_CASES, REFUND_CASES), parts.pool, parts.now),
            partial(ask_for_refunds, open_port, partial(payments, at_once=at_once, **known)),
            partial(reconcile, open_port, partial(Reconciling, **known)),
            partial(ask_for_labels, partial(carrier_port, settings), at_once, known),
            partial(ask_for_stock, partial(stock_port, settings), at_once, known),
        ),
    )


async def learn_policies(parts: Parts[ReturnsSettings]) -> None:
    """What was activated before this process began: else it would decide by older versions, until
    it has heard of it.
    """
    await learn(parts.settings.policies, parts.pool)


def background(parts: Parts[ReturnsSettings]) -> Sequence[Task]:
    return [following(parts.settings.policies, parts.pool)]


SERVICE = Service(
    name="returns-service",
    package="returns_service",
    description=DESCRIPTION,
    settings=ReturnsSettings,
    projections=(ORDER_FACTS, *PROJECTIONS),
    routers=routers,
    workload=workload,
    tags=TAGS,
    words=WORDS,
    first=learn_policies,
    background=background,
    streamed=frozenset({media_api.PATH}),
    seals=True,
    commands={
        "Returns": RETURN_RULES,
        "Refund ledgers": LEDGER_RULES,
        "Policies": POLICY_RULES,
    },
)
