"""A word of the payment provider in, commands to the ledger out: whoever has heard it.

An answer, a webhook and the list of a day say the same things, and each may be the first, late, or
told twice. So all of them come here, and the ledger judges.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from shared_runtime.decider import Actor
from shared_runtime.log import (
    Ask,
    Decisions,
    PostgresLog,
    StreamsUnreadable,
    decided_again,
)
from shared_runtime.rule import By, Sent
from shared_runtime.subscription import decide_or_log
from shared_runtime.together import Claim, Together

from returns_service.domain.asking import STOPPED
from returns_service.domain.bouncing import BounceRefund
from returns_service.domain.confirming import ConfirmRefund
from returns_service.domain.failing import FailRefund
from returns_service.domain.known import Known
from returns_service.domain.ledger_rules import LEDGERS
from returns_service.domain.ledger_state import Refund, Unopened
from returns_service.domain.policy import Policies
from returns_service.domain.streams import ledger_stream
from returns_service.ports.line import NotNow, Refused, Unknown
from returns_service.ports.payment import (
    Absent,
    AskedRefund,
    Bounced,
    Looked,
    Paid,
    Pending,
    TheirRefund,
    word_about,
)

PAYMENTS = Actor(role="SYSTEM", id="payments")

type AnyWord = Looked | NotNow


class Hearing(Struct, frozen=True, kw_only=True):
    """How a word was heard. `cause`: a UUID. `purpose`: what tells apart words of one cause."""

    cause: str
    purpose: str
    now: datetime
    policies: Policies


def commands_of(  # noqa: PLR0911 - one arm for each word
    word: AnyWord, refund: Refund
) -> list[Struct]:
    """What it asks of the ledger. A refund that has bounced was paid before, whether that was heard
    or not. One that is not there to be stopped never will be.
    """
    refund_id, attempt = refund.refund_id, refund.attempt
    match word:
        case Paid(gateway_ref=gateway_ref):
            return [ConfirmRefund(refund_id=refund_id, gateway_ref=gateway_ref)]
        case Bounced(gateway_ref=gateway_ref, code=code):
            return [
                ConfirmRefund(refund_id=refund_id, gateway_ref=gateway_ref),
                BounceRefund(refund_id=refund_id, gateway_ref=gateway_ref, code=code),
            ]
        case Refused(code=code):
            return [FailRefund(refund_id=refund_id, attempt=attempt, code=code, kind="REFUSED")]
        case Absent():
            return [FailRefund(refund_id=refund_id, attempt=attempt, code=STOPPED, kind="REFUSED")]
        case NotNow(code=code):
            return [FailRefund(refund_id=refund_id, attempt=attempt, code=code, kind="RETRYABLE")]
        case Unknown(code=code):
            return [FailRefund(refund_id=refund_id, attempt=attempt, code=code, kind="UNKNOWN")]
        case Pending():
            return []


def asked_of(refund: Refund) -> AskedRefund:
    told = refund.requested
    return AskedRefund(
        refund_id=told.refund_id,
        order_id=told.order_id,
        amount_minor=told.total_minor,
        currency=told.currency,
        way=told.way,
    )


def refund_of(decisions: Decisions, stream: str, refund_id: str) -> Refund | None:
    """As it stands, with what has been decided here."""
    ledger = decisions.state(LEDGERS, stream)
    return None if isinstance(ledger, Unopened) else ledger.refunds.get(refund_id)


def say(
    decisions: Decisions, stream: str, refund_id: str, word: AnyWord, heard: Hearing
) -> list[Any]:
    """Tells the ledger, whose stream was read, of a refund that it has; the events of that."""
    refund = refund_of(decisions, stream, refund_id)
    assert refund is not None, f"{stream} has no {refund_id}"
    by = By(actor=PAYMENTS, now=heard.now, known=Known(policies=heard.policies))
    events: list[Any] = []
    for number, command in enumerate(commands_of(word, refund)):
        ask = Ask(
            stream=stream,
            command=Sent(command, by),
            cause=heard.cause,
            correlation=refund.requested.order_id,
            purpose=f"{refund_id}/{heard.purpose}/{number}",
        )
        events += decide_or_log(decisions, LEDGERS, ask)
    return events


# --- Of its own accord


class UnknownRefund(Exception):  # noqa: N818 - it answers a question
    """No ledger has such a refund."""


DEFINITE = (Paid, Bounced, Refused)
"""What may be believed of a refund whoever tells it; that nobody knows is no news."""


class Words:
    """What the provider tells, in a webhook or in a list, goes to the ledgers; what it tells at
    once, in one transaction. Of one order, one word at a time.
    """

    def __init__(self, own_log: PostgresLog) -> None:
        self._log = own_log
        self._together = Together(
            "refunds", self._hear, claim=lambda word: Claim(own=frozenset({word[0].order_ref}))
        )

    async def hear(self, told: TheirRefund, heard: Hearing) -> int:
        """How many events came of it. Told again, none; none either of what is about another amount
        than was asked.

        Raises `UnknownRefund`; `VersionConflict` after `ATTEMPTS_MAX` lost races.
        """
        return await decided_again(lambda: self._together.ask((told, heard)))

    async def _hear(self, words: Sequence[tuple[TheirRefund, Hearing]]) -> list[int | Exception]:
        async with self._log.session() as session:
            decisions = Decisions(session)
            await decisions.read(ledger_stream(told.order_ref) for told, _ in words)
            answers = [answered(decisions, told, heard) for told, heard in words]
            await decisions.append()
        return answers


def answered(decisions: Decisions, told: TheirRefund, heard: Hearing) -> int | Exception:
    """How many events come of it; or that no ledger has it, or that this release cannot read it."""
    stream = ledger_stream(told.order_ref)
    try:
        refund = refund_of(decisions, stream, told.reference)
    except StreamsUnreadable as newer:
        return newer
    if refund is None:
        return UnknownRefund()
    word = word_about(asked_of(refund), told)
    if not isinstance(word, DEFINITE):
        return 0
    return len(say(decisions, stream, told.reference, word, heard))
