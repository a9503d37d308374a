"""What machines ask of ledgers in, refunds out; what was asked is kept."""

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct
from shared_runtime.decider import Actor
from shared_runtime.log import Ask, Database, Decisions
from shared_runtime.rule import By, Sent
from shared_runtime.subscription import decide_or_log

from returns_service.domain.known import Known
from returns_service.domain.ledger_rules import LEDGERS, LedgerCommand
from returns_service.domain.policy import Policies
from returns_service.domain.requesting import RequestRefund
from returns_service.domain.streams import ledger_stream
from returns_service.fact_rows import keep_asked

REFUND = "refund"
"""What an id is made for, of the event that asks for it."""
type Asks = list[Ask[LedgerCommand]]


class Because(Struct, frozen=True, kw_only=True):
    """Who asks, and what has told him to: the event, and when it happened."""

    actor: Actor
    event_id: str
    time: datetime
    order_id: str
    policies: Policies

    def ask(
        self, said: Struct, *, known: Known | None = None, purpose: str = ""
    ) -> Ask[LedgerCommand]:
        by = By(actor=self.actor, now=self.time, known=known or Known(policies=self.policies))
        return Ask(
            stream=ledger_stream(self.order_id),
            command=Sent(said, by),
            cause=self.event_id,
            correlation=self.order_id,
            purpose=purpose,
        )


async def request(decisions: Decisions, asks: Iterable[Ask[LedgerCommand]], db: Database) -> None:
    """Each once, on what the ones before have left. Also of one that was answered before (its event
    has come back after a restore) is kept what was asked.
    """
    asks = [*asks]
    for ask in await decisions.unanswered(asks):
        decide_or_log(decisions, LEDGERS, ask)
    asked = [
        (ask.correlation, ask.command.said)
        for ask in asks
        if isinstance(ask.command.said, RequestRefund)
    ]
    await keep_asked(asked, db)
