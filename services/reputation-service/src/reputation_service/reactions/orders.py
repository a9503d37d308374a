"""Orders in; the accounts of those who buy and sell for the first time out."""

from collections.abc import Iterable, Sequence
from typing import Any

from shared_events import orders
from shared_events.envelope import Recorded
from shared_events.fields import Party
from shared_events.orders import OrderPlaced
from shared_runtime.decider import Actor
from shared_runtime.delivery import Connection, Subscription
from shared_runtime.log import Ask, Decisions, PostgresLog
from shared_runtime.rows import of_kind
from shared_runtime.rule import By, Sent
from shared_runtime.subscription import decide_or_log, decoded

from reputation_service.domain.account_opening import OpenAccount
from reputation_service.domain.account_rules import ACCOUNTS, AccountCommand
from reputation_service.domain.known import Known
from reputation_service.domain.points_policy import Policies
from reputation_service.domain.streams import account_stream
from reputation_service.fact_rows import ORDER_EVENTS, write_orders
from reputation_service.matters import ACCOUNTS as ACCOUNT_ROWS
from reputation_service.matters import holder, write_matters

ORDERING = Actor(role="SYSTEM", id="orders")


def on_orders(
    own_log: PostgresLog, policies: Policies, topics: tuple[str, ...] = (orders.TOPIC,)
) -> Subscription:
    """Everybody has an account from his first order on."""

    async def apply(batch: Sequence[Recorded[Any]], db: Connection) -> None:
        await write_orders(batch, db)
        decisions = Decisions(own_log.within(db))
        placed = of_kind(batch, OrderPlaced)
        await open_accounts(decisions, [*new_people(placed)], policies, db)
        await write_matters(decisions.planned, db)
        await decisions.append()

    return Subscription(name="orders", topics=topics, apply=decoded(ORDER_EVENTS, apply))


type Person = tuple[Party, str, Recorded[Any]]
"""Whose account, and what tells that he has one."""


def new_people(placed: Iterable[Recorded[Any]]) -> Iterable[Person]:
    for recorded in placed:
        yield "SELLER", recorded.event.seller_id, recorded
        yield "BUYER", recorded.event.buyer_id, recorded


async def open_accounts(
    decisions: Decisions, people: Sequence[Person], policies: Policies, db: Connection
) -> None:
    """Of those who have none yet; of each the first that is told of him opens it."""
    first: dict[str, Person] = {}
    for kind, holder_id, recorded in people:
        first.setdefault(holder(kind, holder_id), (kind, holder_id, recorded))
    known = await ACCOUNT_ROWS.read(first, db) if first else {}
    asks = [asking(told, policies) for who, told in first.items() if who not in known]
    await decisions.read(ask.stream for ask in asks)
    for ask in asks:
        decide_or_log(decisions, ACCOUNTS, ask)


def asking(told: Person, policies: Policies) -> Ask[AccountCommand]:
    kind, holder_id, recorded = told
    by = By(actor=ORDERING, now=recorded.time, known=Known(policies=policies))
    return Ask(
        stream=account_stream(kind, holder_id),
        command=Sent(OpenAccount(kind=kind, holder_id=holder_id), by),
        cause=recorded.event_id,
        correlation=holder_id,
        traceparent=recorded.traceparent,
    )
