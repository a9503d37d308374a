"""Own events in, what they ask of the ledger that they are of, and of what waits for it, out."""

from collections.abc import Sequence
from typing import Any

from shared_events import returns
from shared_events.envelope import Recorded
from shared_events.returns import OutsideRefundUndone, RefundFailed, RefundLedgerOpened
from shared_runtime.decider import Actor
from shared_runtime.delivery import Connection, Subscription
from shared_runtime.log import Decisions, PostgresLog
from shared_runtime.rows import of_kind
from shared_runtime.subscription import decoded

from returns_service.domain.asking import RequestsById, after_stopping, after_undoing
from returns_service.domain.ledger_rules import LEDGERS
from returns_service.domain.policy import Policies
from returns_service.fact_rows import read_asked
from returns_service.reactions.requests import Asks, Because, request
from returns_service.remedies import wake_remedies

REFUNDS = Actor(role="SYSTEM", id="refunds")


def on_own_refunds(own_log: PostgresLog, policies: Policies) -> Subscription:
    """A ledger that is open lets remedies go on. What was not given because of money that others
    had given is asked for again when that is undone; what the gateway has stopped, anew.
    """

    async def apply(batch: Sequence[Recorded[Any]], db: Connection) -> None:
        if opened := of_kind(batch, RefundLedgerOpened):
            streams = [recorded.stream for recorded in opened]
            await wake_remedies(streams, max(each.time for each in opened), db)
        causes = of_kind(batch, OutsideRefundUndone, RefundFailed)
        if not causes:
            return
        decisions = Decisions(own_log.within(db))
        await decisions.read({recorded.stream for recorded in causes})
        asked = await read_asked({recorded.event.order_id for recorded in causes}, db)
        for recorded in causes:
            await request(decisions, asks_after(recorded, decisions, asked, policies), db)
        await decisions.append()

    handled = (RefundLedgerOpened, OutsideRefundUndone, RefundFailed)
    return Subscription(name="refunds", topics=(returns.TOPIC,), apply=decoded(handled, apply))


def asks_after(
    recorded: Recorded[OutsideRefundUndone | RefundFailed],
    decisions: Decisions,
    asked: RequestsById,
    policies: Policies,
) -> Asks:
    """What one such event asks for, after what the ones before it have brought about."""
    stream, event = recorded.stream, recorded.event
    because = Because(
        actor=REFUNDS,
        event_id=recorded.event_id,
        time=recorded.time,
        order_id=event.order_id,
        policies=policies,
    )
    match event:
        case OutsideRefundUndone(outside_id=outside_id):
            again = after_undoing(decisions.events(stream), outside_id, asked)
            return [because.ask(said, purpose=said.refund_id) for said in again]
        case RefundFailed(refund_id=refund_id):
            anew = after_stopping(decisions.state(LEDGERS, stream), refund_id, asked)
            return [because.ask(anew)] if anew else []
