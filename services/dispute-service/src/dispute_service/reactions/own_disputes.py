"""Own events in, what they ask of other streams of this service out."""

from collections.abc import Sequence
from typing import Any

from shared_events import dispute
from shared_events.dispute import DisputeClosed, DisputeOpened, RemedyOrdered
from shared_events.envelope import Recorded
from shared_runtime.decider import Actor
from shared_runtime.delivery import Connection, Subscription
from shared_runtime.log import Ask, Decisions, PostgresLog
from shared_runtime.rule import By, Sent
from shared_runtime.subscription import decide_or_log, decoded

from dispute_service.contests import wake_contests
from dispute_service.domain.inquiry_end import conversion_of
from dispute_service.domain.inquiry_rules import INQUIRIES, InquiryCommand
from dispute_service.domain.known import Known
from dispute_service.domain.policy import Policies
from dispute_service.domain.streams import inquiry_stream
from dispute_service.matters import write_matters

DISPUTES = Actor(role="SYSTEM", id="disputes")


def on_own_disputes(own_log: PostgresLog, policies: Policies) -> Subscription:
    """An inquiry that has become a dispute is closed; what waited for a unit is tried again."""

    async def apply(batch: Sequence[Recorded[Any]], db: Connection) -> None:
        asks = [ask for recorded in batch if (ask := conversion(recorded, policies))]
        ended = [each for each in batch if isinstance(each.event, RemedyOrdered | DisputeClosed)]
        if ended:
            order_ids = {each.event.order_id for each in ended}
            await wake_contests(order_ids, max(each.time for each in ended), db)
        decisions = Decisions(own_log.within(db))
        for ask in await decisions.unanswered(asks):
            decide_or_log(decisions, INQUIRIES, ask)
        await write_matters(decisions.planned, db)
        await decisions.append()

    handled = (DisputeOpened, RemedyOrdered, DisputeClosed)
    return Subscription(name="disputes", topics=(dispute.TOPIC,), apply=decoded(handled, apply))


def conversion(recorded: Recorded[Any], policies: Policies) -> Ask[InquiryCommand] | None:
    """What a dispute asks of the inquiry that it came of."""
    opened = recorded.event
    if not isinstance(opened, DisputeOpened) or opened.inquiry_id is None:
        return None
    by = By(actor=DISPUTES, now=recorded.time, known=Known(policies=policies))
    return Ask(
        stream=inquiry_stream(opened.inquiry_id),
        command=Sent(conversion_of(opened), by),
        cause=recorded.event_id,
        correlation=opened.order_id,
        traceparent=recorded.traceparent,
    )
