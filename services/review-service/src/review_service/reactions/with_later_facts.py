"""Own events in; what was decided without facts that were just coming, made good.

A command is decided on facts that are read before it is appended. Whatever is recorded is looked
at once more with the facts of then: where nothing is known of an order, that costs nothing, and
where all was known, nothing comes of it.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from shared_events import review
from shared_events.envelope import Recorded
from shared_events.review import EvaluationOpened, ReviewFlagged, ReviewSubmitted, ReviewWeighted
from shared_runtime.decider import Actor
from shared_runtime.delivery import Connection, Subscription
from shared_runtime.log import Decisions, PostgresLog
from shared_runtime.rows import of_kind
from shared_runtime.subscription import decide_or_log, decoded

from review_service.domain.policy import Policies
from review_service.domain.revision import GrantRevision
from review_service.domain.rules import EVALUATIONS
from review_service.fact_rows import share_facts, write_flags, write_reviews
from review_service.facts import Parties, read_known
from review_service.pairs import write_pairs
from review_service.reactions.asks import (
    Asks,
    Because,
    KnownOrder,
    ask_to_grant,
    ask_to_pause,
    ask_to_reattribute,
    ask_to_resume,
    ask_to_reweigh,
    read_orders,
)

NAME = "again"
"""Of its cursors and metrics, which keep it."""
FACTS = Actor(role="SYSTEM", id="facts")


def on_opened(because: Because) -> Asks:
    """The disputes that go on, or have gone on, while the evaluation runs."""
    asks: Asks = []
    disputes = because.order.facts.disputes
    for dispute in sorted(disputes, key=lambda dispute: dispute.opened_at):
        closed_at = dispute.closed_at
        if closed_at is not None and closed_at <= because.now:
            continue
        asks.append(ask_to_pause(because, dispute))
        if closed_at is not None:
            asks.append(ask_to_resume(because.at(closed_at), dispute.dispute_id))
    return asks


def on_written(because: Because) -> Asks:
    """What is to be said of reviews that have been submitted or weighed."""
    asks = ask_to_reattribute(because)
    if isinstance(because.recorded.event, ReviewWeighted):
        asks += ask_to_reweigh(because)
        asks += [ask_to_grant(because.at(at), grant) for grant, at in grants(because.order)]
    return asks


def grants(order: KnownOrder) -> Iterator[tuple[GrantRevision, datetime]]:
    """What was made good when the review was out already, and when."""
    if order.revealed_at is None:
        return
    for dispute in order.facts.disputes:
        closed_at = dispute.closed_at
        if dispute.resolved_by_seller and closed_at and closed_at >= order.revealed_at:
            yield GrantRevision(cause="DISPUTE", cause_id=dispute.dispute_id), closed_at
    for each in order.facts.returns:
        if each.made_good_at and each.made_good_at >= order.revealed_at:
            yield GrantRevision(cause="RETURN", cause_id=each.return_id), each.made_good_at


def once_each(batch: Sequence[Recorded[Any]]) -> list[Recorded[Any]]:
    """The openings, and the last of what was written for each order."""
    openings = of_kind(batch, EvaluationOpened)
    last = {
        recorded.event.order_id: recorded
        for recorded in of_kind(batch, ReviewSubmitted, ReviewWeighted)
    }
    return [*openings, *last.values()]


def on_own_evaluations(own_log: PostgresLog, policies: Policies) -> Subscription:
    """Makes reviews known by their ids, and looks again at what was decided on their orders."""

    async def apply(batch: Sequence[Recorded[Any]], db: Connection) -> None:
        await share_facts([recorded.event.order_id for recorded in batch], db)
        await write_reviews(batch, db)
        await write_flags(of_kind(batch, ReviewFlagged), db)
        await write_pairs(batch, db)
        parties = {recorded.event.order_id: Parties.of(recorded.event) for recorded in batch}
        decisions = Decisions(own_log.within(db))
        known = await read_known(parties, db)
        known_orders = await read_orders(decisions, known, policies)
        for recorded in once_each(batch):
            if (order := known_orders.get(recorded.event.order_id)) is None:
                continue
            because = Because(recorded=recorded, order=order, actor=FACTS, now=recorded.time)
            look = on_opened if isinstance(recorded.event, EvaluationOpened) else on_written
            for ask in look(because):
                decide_or_log(decisions, EVALUATIONS, ask)
        await decisions.append()

    handled = (EvaluationOpened, ReviewSubmitted, ReviewWeighted, ReviewFlagged)
    return Subscription(name=NAME, topics=(review.TOPIC,), apply=decoded(handled, apply))
