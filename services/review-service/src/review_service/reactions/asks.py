"""What is known of an order in, what its evaluation is asked on that account out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared_events.envelope import Recorded
from shared_events.orders import OrderEvent
from shared_events.review import ReviewScreened, ReviewsRevealed, ReviewSubmitted, Side, WeightCode
from shared_runtime.decider import Actor, Decider
from shared_runtime.log import Ask, Decisions

from review_service.domain.commands import (
    Asked,
    EvaluationCommand,
    GrantRevision,
    LiftCampaignWeight,
    OrderCommand,
    OrderFacts,
    PauseEvaluation,
    ReattributeDimension,
    ResumeEvaluation,
    ReweighReview,
)
from review_service.domain.order import Order, Placed
from review_service.domain.streams import evaluation_stream, order_stream
from review_service.fact_rows import Dispute
from review_service.facts import Known

type Asks = list[Ask[EvaluationCommand]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """An order and all that is known of it. `reviews`: the ids of what the sides have written.

    `campaigns`: until when each review that a burst is suspected behind is thought to be of it.
    """

    order: Placed
    known: Known
    reviews: Mapping[Side, str]
    revealed_at: datetime | None
    campaigns: Mapping[str, datetime]

    @property
    def order_id(self) -> str:
        return self.order.placed.order_id

    def facts(self, at: datetime) -> OrderFacts:
        # Without the pair's other reviews: those are judged once, at the reveal.
        return self.known.facts(self.order, at)


def matter_of(order: Placed, known: Known, history: Iterable[Recorded[Any]]) -> Matter:
    reviews: dict[Side, str] = {}
    campaigns: dict[str, datetime] = {}
    revealed_at: datetime | None = None
    for recorded in history:
        match recorded.event:
            case ReviewSubmitted(side=side, review_id=review_id):
                reviews[side] = review_id
            case ReviewScreened(review_id=review_id, campaign_until=until) if until:
                campaigns[review_id] = until
            case ReviewsRevealed(revealed_at=at):
                revealed_at = at
            case _:
                pass
    return Matter(
        order=order,
        known=known,
        reviews=reviews,
        revealed_at=revealed_at,
        campaigns=campaigns,
    )


async def read_matters(
    decisions: Decisions,
    known: Mapping[str, Known],
    order_decider: Decider[Order, OrderCommand, OrderEvent],
) -> dict[str, Matter]:
    """The matters of these orders; an order that was never placed here is none."""
    streams = [(order_stream(each), evaluation_stream(each)) for each in known]
    await decisions.read(stream for both in streams for stream in both)
    matters: dict[str, Matter] = {}
    for order_id, found in known.items():
        order = decisions.state(order_decider, order_stream(order_id))
        if isinstance(order, Placed):
            history = decisions.history(evaluation_stream(order_id))
            matters[order_id] = matter_of(order, found, history)
    return matters


def asked(
    recorded: Recorded[Any], order_id: str, purpose: str, command: EvaluationCommand
) -> Ask[EvaluationCommand]:
    """A command that something recorded asks for. One cause may ask for several of them."""
    return Ask(
        stream=evaluation_stream(order_id),
        command=command,
        cause=recorded.event_id,
        correlation=order_id,
        purpose=purpose,
    )


def paused(recorded: Recorded[Any], dispute: Dispute, actor: Actor) -> Ask[EvaluationCommand]:
    command = PauseEvaluation(
        cause="DISPUTE", cause_id=dispute.dispute_id, now=dispute.opened_at, actor=actor
    )
    return asked(recorded, dispute.order_id, f"pause/{dispute.dispute_id}", command)


def resumed(
    recorded: Recorded[Any], order_id: str, dispute_id: str, now: datetime, actor: Actor
) -> Ask[EvaluationCommand]:
    command = ResumeEvaluation(cause_id=dispute_id, now=now, actor=actor)
    return asked(recorded, order_id, f"resume/{dispute_id}", command)


def granted(
    recorded: Recorded[Any], order_id: str, command: GrantRevision
) -> Ask[EvaluationCommand]:
    return asked(recorded, order_id, f"grant/{command.cause_id}", command)


def reattributed(recorded: Recorded[Any], matter: Matter, now: datetime, actor: Actor) -> Asks:
    """The delivery goes on another account than the seller's, if anything says so."""
    if (carriage := matter.known.carriage()) is None:
        return []
    to, cause_id = carriage
    facts = matter.facts(now)
    command = ReattributeDimension(to=to, cause_id=cause_id, facts=facts, now=now, actor=actor)
    return [asked(recorded, matter.order_id, "reattribute", command)]


def reweighed(
    recorded: Recorded[Any],
    matter: Matter,
    now: datetime,
    actor: Actor,
    named: Sequence[str] | None = None,
) -> Asks:
    """Both reviews of an order weighed again, or those that are named."""
    facts = matter.facts(now)
    return [
        asked(
            recorded,
            matter.order_id,
            f"reweigh/{side}",
            reweighing(review_id, side, facts, now, actor),
        )
        for side, review_id in matter.reviews.items()
        if named is None or review_id in named
    ]


def reweighing(
    review_id: str, side: Side, facts: OrderFacts, now: datetime, actor: Actor
) -> ReweighReview:
    codes: dict[WeightCode, bool] = {
        "BUYER_ABUSE": side == "BUYER" and facts.buyer_abuse,
        "RATING_RIGHT_LOST": side in facts.rating_right_lost,
        "FAKE_CONFIRMED": review_id in facts.fake_confirmed,
    }
    corroborated = side == "BUYER" and (facts.corroborated or facts.late)
    return ReweighReview(
        review_id=review_id,
        add=(*by_truth(codes, truth=True), *(("CORROBORATED",) if corroborated else ())),
        remove=tuple(by_truth(codes, truth=False)),
        facts=facts,
        now=now,
        actor=actor,
    )


def by_truth(codes: Mapping[WeightCode, bool], *, truth: bool) -> Iterator[WeightCode]:
    return (code for code, applies in codes.items() if applies is truth)


def campaign_lifted(
    recorded: Recorded[Any], matter: Matter, review_id: str, by: Asked
) -> Ask[EvaluationCommand]:
    command = LiftCampaignWeight(
        review_id=review_id, facts=matter.facts(by.now), now=by.now, actor=by.actor
    )
    return asked(recorded, matter.order_id, f"lift/{review_id}", command)
