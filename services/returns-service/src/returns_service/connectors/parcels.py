"""What the carrier tells of a parcel in, what comes of it in the return that it is of out."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

import asyncpg
from msgspec import Struct
from shared_casework.order_locks import lock_orders
from shared_events.fields import Id, Instant
from shared_runtime.decider import Actor
from shared_runtime.log import (
    Ask,
    Decisions,
    PostgresLog,
    StreamsUnreadable,
    decided_again,
    event_id_of,
)
from shared_runtime.rule import By, Sent
from shared_runtime.subscription import decide_or_log
from shared_runtime.together import Claim, Together

from returns_service.domain.losing import RecordLoss
from returns_service.domain.policy import Policies
from returns_service.domain.return_rules import RETURNS
from returns_service.domain.return_state import Return
from returns_service.domain.scanning import RecordScan
from returns_service.domain.streams import return_stream
from returns_service.facts import NOTHING, FactsOf, read_facts
from returns_service.return_rows import write_returns

CARRIER = Actor(role="SYSTEM", id="carrier")
ATTEMPTS_MAX = 5


class Parcel(Struct, frozen=True, kw_only=True):
    """`reference`: the return that the label was made for. `scanned_at`: absent of a loss."""

    reference: Id
    order_ref: Id
    tracking_id: Id
    kind: Literal["HANDED_OVER", "DELIVERED_BACK", "LOST"]
    scanned_at: Instant | None = None


class UnknownParcel(Exception):  # noqa: N818 - it answers a question
    """No return has it."""


class ToldParcel(Struct, frozen=True, kw_only=True):
    """A parcel that was told of, by which word of the carrier's, and when. `cause`: a UUID."""

    told: Parcel
    cause: str
    now: datetime


class Parcels:
    """What the carrier tells goes to the returns; what it tells at once, in one transaction.

    Of one order, one word at a time: what each has done is known to the next.
    """

    def __init__(self, own_log: PostgresLog, pool: asyncpg.Pool, policies: Policies) -> None:
        self._log = own_log
        self._pool = pool
        self._policies = policies
        self._together = Together(
            "parcels", self._hear, claim=lambda word: Claim(own=frozenset({word.told.order_ref}))
        )

    async def hear(self, word: ToldParcel) -> int:
        """Tells the return; how many events came of that. In any order, twice or late: what is
        known brings none.

        Raises `UnknownParcel`; `VersionConflict` after `ATTEMPTS_MAX` lost races.
        """
        return await decided_again(lambda: self._together.ask(word), ATTEMPTS_MAX)

    async def _hear(self, words: Sequence[ToldParcel]) -> list[int | Exception]:
        order_ids = [word.told.order_ref for word in words]
        async with self._pool.acquire() as db, db.transaction():
            await lock_orders(order_ids, db)
            decisions = Decisions(self._log.within(db))
            facts = await read_facts(order_ids, db)
            await decisions.read(
                return_stream(each.return_id) for known in facts.values() for each in known.returns
            )
            answers = [
                decided(decisions, word, facts.get(word.told.order_ref, NOTHING), self._policies)
                for word in words
            ]
            await write_returns(decisions.planned, decisions.log)
            await decisions.append()
        return answers


def decided(
    decisions: Decisions, word: ToldParcel, of_order: FactsOf, policies: Policies
) -> int | Exception:
    """How many events come of it; or that no return has it, or that this release cannot read it."""
    states = (decisions.state(RETURNS, return_stream(each.return_id)) for each in of_order.returns)
    try:
        matter = return_of(word.told, [each for each in states if isinstance(each, Return)])
    except (UnknownParcel, StreamsUnreadable) as unknown:
        return unknown
    stream = return_stream(matter.return_id)
    history = decisions.history(stream)
    known = of_order.known_of_return(
        word.now, policies, return_id=matter.return_id, history=history
    )
    ask = Ask(
        stream=stream,
        command=Sent(said_of(word.told, matter), By(actor=CARRIER, now=word.now, known=known)),
        cause=word.cause,
        correlation=word.told.order_ref,
    )
    if event_id_of(ask) in {each.event_id for each in history}:
        return 0
    return len(decide_or_log(decisions, RETURNS, ask))


def return_of(told: Parcel, returns: Iterable[Return]) -> Return:
    """The one that the label was made for, or whose buyer has named the parcel."""
    for matter in returns:
        named = any(each.tracking_id == told.tracking_id for each in matter.pieces.values())
        labelled = matter.label is not None and matter.label.tracking_id == told.tracking_id
        if named or labelled:
            return matter
    raise UnknownParcel


def said_of(told: Parcel, matter: Return) -> RecordScan | RecordLoss:
    units = units_in(told, matter)
    if told.kind == "LOST":
        return RecordLoss(units=units, told=True)
    assert told.scanned_at
    return RecordScan(
        kind=told.kind,
        units=units,
        scanned_at=told.scanned_at,
        tracking_id=told.tracking_id,
    )


def units_in(told: Parcel, matter: Return) -> tuple[str, ...]:
    """The pieces that were named with it; where none were, all that nobody has sent otherwise."""
    pieces = matter.pieces.values()
    named = [piece.unit for piece in pieces if piece.tracking_id == told.tracking_id]
    return tuple(named or [piece.unit for piece in pieces if piece.tracking_id is None])
