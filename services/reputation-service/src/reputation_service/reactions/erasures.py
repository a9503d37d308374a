"""Matters that close in; erasures that waited for them, asked for again, out."""

from collections.abc import Mapping
from datetime import datetime

from shared_events.fields import Party
from shared_runtime.decider import Actor
from shared_runtime.log import Ask, Database, Decisions
from shared_runtime.rule import By, Sent
from shared_runtime.subscription import decide_or_log

from reputation_service.domain.account_rules import ACCOUNTS
from reputation_service.domain.erasing import RequestErasure
from reputation_service.domain.points_policy import Policies
from reputation_service.domain.streams import account_stream
from reputation_service.facts import read_facts
from reputation_service.matters import holder

WAITING = Actor(role="SYSTEM", id="erasures")
type Holder = tuple[Party, str]
type Closed = tuple[str, datetime]
"""The event that has closed something, and when."""


async def repeat_erasures(
    decisions: Decisions, closed: Mapping[Holder, Closed], policies: Policies, db: Database
) -> None:
    """Of those who wait; with what is still open of each by now."""
    if not closed:
        return
    facts = await read_facts([holder(*who) for who in closed], db)
    waiting = [who for who in closed if facts[holder(*who)].waits]
    await decisions.read(account_stream(*who) for who in waiting)
    for kind, holder_id in waiting:
        cause, now = closed[kind, holder_id]
        known = facts[holder(kind, holder_id)].known(policies, now)
        ask = Ask(
            stream=account_stream(kind, holder_id),
            command=Sent(RequestErasure(), By(actor=WAITING, now=now, known=known)),
            cause=cause,
            correlation=holder_id,
            purpose="erasure",
        )
        decide_or_log(decisions, ACCOUNTS, ask)
