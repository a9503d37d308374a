"""Refunds that are asked for in, what the payment provider makes of them out.

What is to be asked follows from the ledgers' events; each errand ends with a word that the ledger
is told, or goes on until there is one. Nothing here decides what is paid: the ledger does.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import asyncpg
from msgspec import Struct
from shared_events import returns
from shared_events.envelope import Recorded
from shared_events.returns import (
    OutsideRefundRecorded,
    RefundFailed,
    RefundRequested,
    RefundRetried,
    RefundSettled,
)
from shared_runtime.delivery import Connection, Subscription
from shared_runtime.errands import Begin, Errand, ErrandEnd, Errands, write_errands
from shared_runtime.log import Decisions, PostgresLog, read_stream
from shared_runtime.subscription import decoded

from returns_service.connectors.words import AnyWord, Hearing, asked_of, refund_of, say
from returns_service.domain.asking import STOPPED
from returns_service.domain.ledger_rules import LEDGERS
from returns_service.domain.ledger_state import Ledger, LedgerState, Refund, Unopened
from returns_service.domain.policy import Policies
from returns_service.domain.stopping import UNDER_WAY, to_stop
from returns_service.ports.line import Refused, Unknown
from returns_service.ports.opened import with_line
from returns_service.ports.payment import Absent, Paid, PaymentPort, Pending

PORT = "payment"
SEND = "SEND"
STOP = "STOP"
STOP_RANK = 1
"""What is to be stopped is not sent by an older errand, nor by a retry."""
KEY_SURE = timedelta(hours=1)
"""So young an attempt may be sent without a look: should it be there, its key is remembered."""
LOOK_AGAIN = timedelta(hours=1)
LOOK_AGAIN_MAX = timedelta(hours=24)
PAID_BEFORE = "PAID_BEFORE"
"""The code of a reissue that is not sent: the buyer has the money of another payment."""
HANDLED = (RefundRequested, RefundRetried, RefundSettled, RefundFailed, OutsideRefundRecorded)


# --- Events in, errands out


def on_refunds(own_log: PostgresLog) -> Subscription:
    """Keeps what is to be asked of the provider in line with the ledgers."""

    async def apply(batch: Sequence[Recorded[Any]], db: Connection) -> None:
        streams = sorted({each.stream for each in batch if takes_room(each.event)})
        histories = await own_log.within(db).read(streams) if streams else {}
        ledgers = {stream: folded(history) for stream, history in histories.items()}
        told = [errand for recorded in batch for errand in errands_of(recorded, ledgers)]
        await write_errands(PORT, told, db)

    return Subscription(name="payments", topics=(returns.TOPIC,), apply=decoded(HANDLED, apply))


def takes_room(event: object) -> bool:
    """Whether it may leave no room for what is under way."""
    return isinstance(event, OutsideRefundRecorded) or (
        isinstance(event, RefundSettled) and bool(event.late)
    )


def errands_of(
    recorded: Recorded[Any], ledgers: Mapping[str, LedgerState]
) -> Iterator[Begin | ErrandEnd]:
    event = recorded.event
    match event:
        case RefundRequested(refund_id=refund_id, total_minor=total) if total > 0:
            yield begun(recorded, refund_id, SEND)
        case RefundRetried(refund_id=refund_id):
            yield begun(recorded, refund_id, SEND)
        case RefundSettled(refund_id=refund_id) | RefundFailed(refund_id=refund_id, final=True):
            yield ErrandEnd(key=refund_id)
        case _:
            pass
    if takes_room(event):
        for refund_id in to_stop(ledgers[recorded.stream]):
            yield begun(recorded, refund_id, STOP, rank=STOP_RANK)


def begun(recorded: Recorded[Any], refund_id: str, task: str, rank: int = 0) -> Begin:
    return Begin(
        key=refund_id,
        stream=recorded.stream,
        task=task,
        rank=rank,
        due=recorded.time,
        cause=recorded.event_id,
    )


def folded(history: Sequence[Recorded[Any]]) -> LedgerState:
    return LEDGERS.fold(recorded.event for recorded in history)


# --- Errands in, words out


def is_surely_new(errand: Errand, refund: Refund, asked_at: datetime, now: datetime) -> bool:
    """Whether nobody can have sent it; or so lately that its key is known there."""
    return errand.tries == 1 and refund.attempt == 1 and now - asked_at < KEY_SURE


class PaidBefore(Struct, frozen=True, kw_only=True):
    """It was not sent: what it stands in the place of, `refund_id`, is paid at the provider."""

    refund_id: str
    word: Paid


type Told = AnyWord | PaidBefore


async def not_to_be_sent(ledger: Ledger, refund: Refund, port: PaymentPort) -> Told | None:
    """Why a reissue is not sent, if it is not: what it stands in the place of is paid after all, or
    may still be. That something never will be is a person's to say.
    """
    for before in ledger.before(refund.refund_id):
        if before.status == "SETTLED":
            continue  # there is room for this one all the same
        word = await port.look(asked_of(before))
        if isinstance(word, Paid):
            return PaidBefore(refund_id=before.refund_id, word=word)
        if isinstance(word, Pending | Unknown) and not is_ended_by_hand(before):
            return word
    return None


def is_ended_by_hand(refund: Refund) -> bool:
    failure = refund.failure
    return refund.status == "FAILED_FINAL" and failure is not None and failure.proof_ref is not None


async def word_for(
    errand: Errand, history: Sequence[Recorded[Any]], port: PaymentPort, now: datetime
) -> Told | None:
    """Asks the provider. None: there is nothing to ask, as the ledger stands."""
    ledger = folded(history)
    if isinstance(ledger, Unopened):
        return None
    refund = ledger.refunds.get(errand.key)
    if refund is None or refund.status not in UNDER_WAY:
        return None
    asked = asked_of(refund)
    if errand.task == STOP:
        return await port.stop(asked)
    if refund.status != "REQUESTED":
        return None  # its time to be tried again has not come
    asked_at = next((each.time for each in history if each.event_id == errand.cause), None)
    if asked_at is None or not is_surely_new(errand, refund, asked_at, now):
        word = await port.look(asked)
        if not isinstance(word, Absent):
            return word
    return await not_to_be_sent(ledger, refund, port) or await port.send(asked)


# --- Words in, commands out


def tell(
    decisions: Decisions, errand: Errand, word: Told | None, *, now: datetime, policies: Policies
) -> datetime | None:
    """Tells the ledger, whose stream was read; when to ask again, or None."""
    if word is None:
        return None
    heard = Hearing(cause=errand.cause, purpose=f"try {errand.tries}", now=now, policies=policies)
    if isinstance(word, PaidBefore):
        word = told_before(decisions, errand.stream, word, heard)
    say(decisions, errand.stream, errand.key, word, heard)
    refund = refund_of(decisions, errand.stream, errand.key)
    return next_look(errand, refund, word, now)


def next_look(
    errand: Errand, refund: Refund | None, word: AnyWord, now: datetime
) -> datetime | None:
    """When to ask again, after the ledger was told; None: that is its own business now."""
    if refund is None or refund.status not in UNDER_WAY:
        return None
    if isinstance(word, Pending) or errand.task == STOP:
        # What is stopped while the ledger waits to try again is told then: that brings it forward.
        doublings = min(errand.tries - 1, 5)
        return now + min(LOOK_AGAIN * (1 << doublings), LOOK_AGAIN_MAX)
    return None


def told_before(decisions: Decisions, stream: str, told: PaidBefore, heard: Hearing) -> Refused:
    """Tells of what is paid before; of the one in its place, that it never will be. If that is news
    the ledger counts it, and what is left is asked for anew. One that has bounced counts no more,
    whatever was paid besides: a person is to see why.
    """
    say(decisions, stream, told.refund_id, told.word, heard)
    before = refund_of(decisions, stream, told.refund_id)
    is_counted = before is not None and before.status == "SETTLED"
    return Refused(code=STOPPED if is_counted else PAID_BEFORE)


def payments(
    port: PaymentPort,
    *,
    pool: asyncpg.Pool,
    own_log: PostgresLog,
    policies: Policies,
    now: Callable[[], datetime],
    at_once: int,
) -> Errands[Told | None]:
    """The loop that asks the provider, `at_once` refunds at a time."""

    async def ask(errand: Errand) -> Told | None:
        return await word_for(errand, await read_stream(own_log, errand.stream), port, now())

    def tell_now(decisions: Decisions, errand: Errand, word: Told | None) -> datetime | None:
        return tell(decisions, errand, word, now=now(), policies=policies)

    return Errands(
        port=PORT, pool=pool, own_log=own_log, now=now, ask=ask, tell=tell_now, at_once=at_once
    )


async def ask_for_refunds(
    open_port: Callable[[], PaymentPort],
    loop_on: Callable[[PaymentPort], Errands[Told | None]],
    stop: asyncio.Event,
) -> None:
    """What the worker runs: with a line to the provider that lives as long as it does."""
    await with_line(open_port, loop_on, stop)
