"""Own events in, deadlines out; passed deadlines in, commands out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct
from shared_casework.overdue import NoteOverdue
from shared_events import orders as order_facts
from shared_events import review
from shared_events.orders import OrderCancelled, OrderCompleted, OrderDelivered, OrderEvent
from shared_events.review import (
    EvaluationClosed,
    EvaluationEvent,
    EvaluationOpened,
    EvaluationPaused,
    EvaluationResumed,
    ModerationAppealDecided,
    ModerationAppealed,
    ReviewFlagged,
    ReviewHeld,
    ReviewKept,
    ReviewReleased,
    ReviewRestricted,
    ReviewScreened,
    ReviewsRevealed,
    ReviewWithdrawn,
)
from shared_runtime.delivery import Subscription
from shared_runtime.log import Ask, Decisions, database_of
from shared_runtime.rule import By, Sent
from shared_runtime.subscription import decide_or_log
from shared_runtime.timers import TIMER, Arm, Cancel, DueTimer, Fire, TimerName, timer_subscription

from review_service.domain.closing_clock import ResumeEvaluation
from review_service.domain.completion import CompleteOrder
from review_service.domain.double_blind import CloseEvaluation
from review_service.domain.holding import ReleaseReview
from review_service.domain.known import Known, Sender, facts_of
from review_service.domain.order import Placed
from review_service.domain.order_rules import ORDERS, OrderCommand
from review_service.domain.policy import Policies
from review_service.domain.review_state import part_of
from review_service.domain.rules import EVALUATIONS, EvaluationCommand
from review_service.domain.screening import LiftCampaignWeight
from review_service.domain.streams import order_id_of, order_stream
from review_service.facts import parties_of, read_facts
from review_service.pairs import Pair, lock_pairs, write_pairs
from review_service.reactions.asks import reweighing

AUTO_COMPLETE = TimerName("AUTO_COMPLETE")
EVALUATION_CLOSE = TimerName("EVALUATION_CLOSE")
PAUSE_CAP = TimerName("PAUSE_CAP")
# The kinds of those that are of one review, flag or appeal.
HOLD_END = "HOLD_END"
CAMPAIGN_END = "CAMPAIGN_END"
FLAG_DUE = "FLAG_DUE"
MODERATION_APPEAL_DUE = "MODERATION_APPEAL_DUE"
REWEIGH = "REWEIGH_"
"""The side of the review follows. No deadline, but due at once: its author has lost the right to
rate, or got it back. He may have written a thousand, and timers take some hundreds at a time.
"""

ARMING = (
    OrderDelivered,
    OrderCompleted,
    OrderCancelled,
    EvaluationOpened,
    EvaluationPaused,
    EvaluationResumed,
    EvaluationClosed,
    ReviewsRevealed,
    ReviewHeld,
    ReviewReleased,
    ReviewRestricted,
    ReviewWithdrawn,
    ReviewScreened,
    ReviewFlagged,
    ReviewKept,
    ModerationAppealed,
    ModerationAppealDecided,
)


def timers_of(  # noqa: PLR0911 - one arm for each event
    event: OrderEvent | EvaluationEvent,
) -> list[Arm | Cancel]:
    """The deadlines of the event's own stream that it sets or takes away."""
    match event:
        case OrderDelivered(auto_complete_at=due):
            return [Arm(name=AUTO_COMPLETE, due=due)]
        case OrderCompleted() | OrderCancelled():
            return [Cancel(name=AUTO_COMPLETE)]
        case EvaluationOpened(closes_at=due):
            return [Arm(name=EVALUATION_CLOSE, due=due)]
        case EvaluationPaused(cap_at=due):
            return [Cancel(name=EVALUATION_CLOSE), Arm(name=PAUSE_CAP, due=due)]
        case EvaluationResumed(closes_at=due) if due is not None:
            return [Cancel(name=PAUSE_CAP), Arm(name=EVALUATION_CLOSE, due=due)]
        case ReviewsRevealed() | EvaluationClosed():
            return [Cancel(name=EVALUATION_CLOSE), Cancel(name=PAUSE_CAP)]
        case _:
            return scrutiny_timers_of(event)


def scrutiny_timers_of(  # noqa: C901, PLR0911 - one arm for each event
    event: OrderEvent | EvaluationEvent,
) -> list[Arm | Cancel]:
    """Those of a review's scrutiny. A flag that is closed with its review is not named there: its
    deadline passes, and nothing comes of it.
    """
    match event:
        case ReviewHeld(review_id=review_id, hold_until=due):
            return [Arm(name=TimerName(HOLD_END, review_id), due=due)]
        case ReviewReleased(review_id=review_id):
            return [Cancel(name=TimerName(HOLD_END, review_id))]
        case ReviewRestricted(measures=measures) if part_of(measures):
            return []
        case ReviewRestricted(review_id=review_id):
            # The campaign's end stays: an appeal may restore the review, whose weight is lifted.
            return [Cancel(name=TimerName(HOLD_END, review_id))]
        case ReviewWithdrawn(review_id=review_id, before_reveal=True):
            # Its author may write once more: the campaign is not over then.
            return [Cancel(name=TimerName(HOLD_END, review_id))]
        case ReviewWithdrawn(review_id=review_id):
            return [
                Cancel(name=TimerName(HOLD_END, review_id)),
                Cancel(name=TimerName(CAMPAIGN_END, review_id)),
            ]
        case ReviewScreened(review_id=review_id, campaign_until=due) if due is not None:
            return [Arm(name=TimerName(CAMPAIGN_END, review_id), due=due)]
        case ReviewFlagged(flag_id=flag_id, decide_by=due):
            return [Arm(name=TimerName(FLAG_DUE, flag_id), due=due)]
        case ReviewKept(flag_ids=flag_ids):
            return [Cancel(name=TimerName(FLAG_DUE, flag_id)) for flag_id in flag_ids]
        case ModerationAppealed(appeal_id=appeal_id, decide_by=due):
            return [Arm(name=TimerName(MODERATION_APPEAL_DUE, appeal_id), due=due)]
        case ModerationAppealDecided(appeal_id=appeal_id):
            return [Cancel(name=TimerName(MODERATION_APPEAL_DUE, appeal_id))]
        case _:
            return []


def on_order_timer(timer: DueTimer, known: Known) -> Ask[OrderCommand]:
    """AUTO_COMPLETE: nobody complained, so the order completes by itself."""
    assert timer.name == AUTO_COMPLETE
    return ask_of(timer, Sent(CompleteOrder(), By(actor=TIMER, now=timer.now, known=known)))


def on_evaluation_timer(timer: DueTimer, known: Known) -> Ask[EvaluationCommand]:
    """What the passed deadline of an evaluation, or of one of its reviews, asks for."""
    by = By(actor=TIMER, now=timer.now, known=known)
    return ask_of(timer, Sent(evaluation_command(timer, by), by))


def evaluation_command(timer: DueTimer, by: Sender) -> Struct:  # noqa: PLR0911 - one arm a kind
    kind, of = timer.name
    match kind:
        case "EVALUATION_CLOSE":
            return CloseEvaluation()
        case "PAUSE_CAP":
            return ResumeEvaluation()
        case "HOLD_END":
            return ReleaseReview(review_id=of)
        case "CAMPAIGN_END":
            return LiftCampaignWeight(review_id=of)
        case "REWEIGH_BUYER":
            return reweighing(of, "BUYER", facts_of(by))
        case "REWEIGH_SELLER":
            return reweighing(of, "SELLER", facts_of(by))
        case _:
            assert kind in (FLAG_DUE, MODERATION_APPEAL_DUE)
            return NoteOverdue(
                what="FLAG" if kind == FLAG_DUE else "MODERATION_APPEAL",
                ref_id=of,
                due_at=timer.due,
            )


def ask_of[C](timer: DueTimer, command: C) -> Ask[C]:
    return Ask(
        stream=timer.stream,
        command=command,
        cause=timer.cause,
        correlation=order_id_of(timer.stream),
    )


def deadlines() -> Subscription:
    """Sets and takes away the deadlines of orders and evaluations."""
    return timer_subscription((order_facts.TOPIC, review.TOPIC), ARMING, timers_of)


def on_deadlines(policies: Policies) -> Fire:
    """Decides on hundreds of passed deadlines at once."""

    async def fire(decisions: Decisions, timers: Sequence[DueTimer]) -> None:
        order_ids = {order_id_of(timer.stream) for timer in timers}
        names = {order_stream(order_id) for order_id in order_ids}
        await decisions.read({*names, *(timer.stream for timer in timers)})
        placed: dict[str, Placed] = {}
        for order_id in order_ids:
            order = decisions.state(ORDERS, order_stream(order_id))
            assert isinstance(order, Placed)  # an evaluation is of an order that was completed
            placed[order_id] = order
        db = database_of(decisions.log)
        if db is not None:
            await lock_pairs(pairs_revealed(timers, placed), db)
        dues = {order_id_of(timer.stream): timer.now for timer in timers}
        facts = await read_facts(parties_of(placed), dues, db)
        for timer in timers:
            order_id = order_id_of(timer.stream)
            if timer.name == AUTO_COMPLETE:
                open_disputes = facts.of(order_id).open_disputes(timer.now)
                asking = Known(policies=policies, open_disputes=open_disputes)
                decide_or_log(decisions, ORDERS, on_order_timer(timer, asking))
                continue
            facts.pairs.take_in(decisions.planned)
            known = facts.known(placed[order_id], timer.now, policies)
            decide_or_log(decisions, EVALUATIONS, on_evaluation_timer(timer, known))
        await write_pairs(decisions.planned, db)

    return fire


def pairs_revealed(timers: Iterable[DueTimer], placed: Mapping[str, Placed]) -> Iterator[Pair]:
    """The pairs whose reviews may begin to count."""
    for timer in timers:
        if timer.name == EVALUATION_CLOSE:
            order = placed[order_id_of(timer.stream)].placed
            yield order.buyer_id, order.seller_id
