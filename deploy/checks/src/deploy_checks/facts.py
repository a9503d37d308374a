"""The code of the services in, what has to be deployed for it out.

Topics, who writes and reads them, consumer groups, connections, secrets and the time that a process
takes to end are facts of the code: whatever is deployed is made from them or compared with them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import asyncpg
from dispute_service.app import SERVICE as DISPUTE
from local_stack import blocking
from local_stack.topics import FEEDS
from reputation_service.app import SERVICE as REPUTATION
from returns_service.app import SERVICE as RETURNS
from review_service.app import SERVICE as REVIEW
from shared_runtime.clock import system_clock
from shared_runtime.keys import Kek, Keks, PostgresKeyStore
from shared_runtime.log import PostgresLog
from shared_runtime.sealing import KEY_BYTES
from shared_runtime.service import Parts, Service
from shared_runtime.worker import Workload

type AnyService = Service[Any]

SERVICES: dict[str, AnyService] = {
    "review": REVIEW,
    "dispute": DISPUTE,
    "returns": RETURNS,
    "reputation": REPUTATION,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Flows:
    """What a service has to do with Kafka. `groups`: its consumer groups, with their topics."""

    writes: tuple[str, ...]
    reads: tuple[str, ...]
    groups: dict[str, tuple[str, ...]]

    @property
    def feeds(self) -> tuple[str, ...]:
        return tuple(topic for topic in self.reads if topic in FEEDS)


@cache
def flows_of(name: str) -> Flows:
    """Of the workload as it runs, and of no list beside it."""
    service = SERVICES[name]
    load = workload_of(service)
    named = [(each.name, each.topics) for each in (*load.on_kafka, *load.feeds)]
    named += [(each.name, each.topics) for each in load.kafka_projections]
    groups = {f"{service.name}.{name}": topics for name, topics in named}
    return Flows(
        writes=tuple(sorted(load.own_topics)),
        reads=_named({topic for topics in groups.values() for topic in topics}),
        groups=dict(sorted(groups.items())),
    )


def workload_of(service: AnyService) -> Workload:
    """What its worker does. Nothing is asked for anything while that is put together."""

    async def put_together() -> Workload:
        settings = service.settings.model_construct(env="local", jwks_url="", issuer="")
        pool = asyncpg.create_pool(min_size=0)
        log = PostgresLog(pool, source=f"/{service.name}", now=system_clock)
        keks = Keks(current=Kek(id="none", secret=bytes(KEY_BYTES)))
        keys = PostgresKeyStore(pool, keks) if service.seals else None
        return service.workload(
            Parts(settings=settings, pool=pool, log=log, now=system_clock, key_store=keys)
        )

    return blocking.run(put_together())


def _named(topics: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(topics))
