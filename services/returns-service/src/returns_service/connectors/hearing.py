"""What a company has answered about a return in, the command that it comes to decided."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import asyncpg
from msgspec import Struct
from shared_runtime.decider import Actor
from shared_runtime.errands import Errand, Errands
from shared_runtime.log import Ask, Decisions, PostgresLog, read_stream
from shared_runtime.rule import By, Sent
from shared_runtime.subscription import decide_or_log

from returns_service.domain.known import Known
from returns_service.domain.policy import Policies
from returns_service.domain.return_rules import RETURNS
from returns_service.domain.return_state import Return
from returns_service.facts import NOTHING, read_facts

AGAIN_AFTER = timedelta(minutes=1)
AGAIN_MAX = timedelta(hours=6)


class Found(Struct, frozen=True, kw_only=True):
    """The return that an errand is about, and what is known besides."""

    matter: Return
    known: Known


class PortAnswer[A](Struct, frozen=True, kw_only=True):
    """An answer, with what was known when it was asked for. None: there was nothing to ask."""

    answer: A | None
    found: Found


class Teller(Struct, frozen=True, kw_only=True):
    """Who tells, and when."""

    actor: Actor
    now: datetime


async def find(
    errand: Errand,
    *,
    pool: asyncpg.Pool,
    own_log: PostgresLog,
    policies: Policies,
    now: Callable[[], datetime],
) -> Found:
    history = await read_stream(own_log, errand.stream)
    matter = RETURNS.fold(recorded.event for recorded in history)
    assert isinstance(matter, Return)
    order_id = matter.ids["order_id"]
    of_order = (await read_facts([order_id], pool)).get(order_id, NOTHING)
    known = of_order.known_of_return(now(), policies, return_id=matter.return_id, history=history)
    return Found(matter=matter, known=known)


def asked_about_returns[P, A](
    port: str,
    line: P,
    *,
    word_for: Callable[[Errand, Found, P], Awaitable[A | None]],
    tell: Callable[[Decisions, Errand, PortAnswer[A], datetime], datetime | None],
    at_once: int,
    known: dict[str, Any],
) -> Errands[PortAnswer[A]]:
    """Errands of this port, each asked on the line with its return as it is then. `known`: `pool`,
    `own_log`, `policies` and the clock `now`.
    """
    now: Callable[[], datetime] = known["now"]

    async def ask(errand: Errand) -> PortAnswer[A]:
        found = await find(errand, **known)
        return PortAnswer(answer=await word_for(errand, found, line), found=found)

    def told(decisions: Decisions, errand: Errand, word: PortAnswer[A]) -> datetime | None:
        return tell(decisions, errand, word, now())

    return Errands(
        port=port,
        pool=known["pool"],
        own_log=known["own_log"],
        now=now,
        ask=ask,
        tell=told,
        at_once=at_once,
    )


def decide(
    decisions: Decisions, errand: Errand, said: Struct, told: PortAnswer[Any], by: Teller
) -> None:
    sender = By(actor=by.actor, now=by.now, known=told.found.known)
    ask = Ask(
        stream=errand.stream,
        command=Sent(said, sender),
        cause=errand.cause,
        correlation=told.found.matter.ids["order_id"],
        purpose=f"{errand.key}/try {errand.tries}",
    )
    decide_or_log(decisions, RETURNS, ask)


def again(errand: Errand, now: datetime) -> datetime:
    """When to ask again: twice as long from time to time."""
    return now + min(AGAIN_AFTER * (1 << min(errand.tries - 1, 10)), AGAIN_MAX)
