"""Events of disputes and returns in; facts, cases and hints, and erasures that waited, out."""

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct
from shared_events import dispute, returns
from shared_events.envelope import Recorded
from shared_events.reputation import LevelChanged
from shared_runtime.delivery import Connection, Subscription
from shared_runtime.log import Decisions, PostgresLog
from shared_runtime.rows import of_kind
from shared_runtime.subscription import decoded

from reputation_service.domain.automatic import FOLLOWED
from reputation_service.domain.points_policy import Policies
from reputation_service.fact_rows import CLOSING, OPENING, write_lost, write_open
from reputation_service.matters import write_matters
from reputation_service.reactions.erasures import Closed, Holder, repeat_erasures
from reputation_service.reactions.suspecting import suspect

TOPICS = (dispute.TOPIC, returns.TOPIC)
SUSPICIOUS: tuple[type[Struct], ...] = tuple(kind for kind in FOLLOWED if kind is not LevelChanged)
HANDLED: tuple[type[Struct], ...] = tuple({*OPENING, *CLOSING, *SUSPICIOUS})


def on_other_services(
    own_log: PostgresLog, policies: Policies, topics: tuple[str, ...] = TOPICS
) -> Subscription:
    """What disputes and returns tell of people."""

    async def apply(batch: Sequence[Recorded[Any]], db: Connection) -> None:
        await write_open(batch, db)
        await write_lost(batch, db)
        decisions = Decisions(own_log.within(db))
        await suspect(decisions, of_kind(batch, *SUSPICIOUS), policies, db)
        # What is open of a person by now includes what was just opened.
        await write_matters(decisions.planned, db)
        told = len(decisions.planned)
        await repeat_erasures(decisions, closed_in(of_kind(batch, *CLOSING)), policies, db)
        await write_matters(decisions.planned[told:], db)
        await decisions.append()

    return Subscription(name="elsewhere", topics=topics, apply=decoded(HANDLED, apply))


def closed_in(batch: Iterable[Recorded[Any]]) -> dict[Holder, Closed]:
    """Of both parties of what was closed."""
    closed: dict[Holder, Closed] = {}
    for recorded in batch:
        closed["SELLER", recorded.event.seller_id] = (recorded.event_id, recorded.time)
        closed["BUYER", recorded.event.buyer_id] = (recorded.event_id, recorded.time)
    return closed
