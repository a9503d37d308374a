"""What is known of an order in, what its evaluation is asked on that account out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from shared_events.envelope import Recorded
from shared_events.review import ReviewScreened, ReviewsRevealed, ReviewSubmitted, Side, WeightCode
from shared_runtime.decider import Actor
from shared_runtime.log import Ask, Decisions
from shared_runtime.rule import By, Sent

from review_service.domain.attribution import ReattributeDimension
from review_service.domain.closing_clock import PauseEvaluation, ResumeEvaluation
from review_service.domain.codes import ReweighReview
from review_service.domain.known import Known, Sender
from review_service.domain.order import Placed
from review_service.domain.order_rules import ORDERS
from review_service.domain.policy import Policies
from review_service.domain.revision import GrantRevision
from review_service.domain.rules import EvaluationCommand
from review_service.domain.screening import LiftCampaignWeight
from review_service.domain.streams import evaluation_stream, order_stream
from review_service.domain.weight import WeightFacts
from review_service.fact_rows import Dispute
from review_service.facts import FactsOf

type Asks = list[Ask[EvaluationCommand]]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownOrder:
    """An order and all that is known of it. `reviews`: the ids of what the sides have written.

    `campaigns`: until when each review that a burst is suspected behind is thought to be of it.
    """

    order: Placed
    facts: FactsOf
    policies: Policies
    reviews: Mapping[Side, str]
    revealed_at: datetime | None
    campaigns: Mapping[str, datetime]

    @property
    def order_id(self) -> str:
        return self.order.placed.order_id

    def weight_facts(self, at: datetime) -> WeightFacts:
        # Without the pair's other reviews: those are judged once, at the reveal.
        return self.facts.facts(self.order, at)

    def by(self, actor: Actor, now: datetime) -> Sender:
        """Somebody who asks something of the order's evaluation."""
        known = Known(policies=self.policies, facts=self.weight_facts(now))
        return By(actor=actor, now=now, known=known)


def known_order(
    order: Placed, facts: FactsOf, policies: Policies, history: Iterable[Recorded[Any]]
) -> KnownOrder:
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
    return KnownOrder(
        order=order,
        facts=facts,
        policies=policies,
        reviews=reviews,
        revealed_at=revealed_at,
        campaigns=campaigns,
    )


async def read_orders(
    decisions: Decisions,
    facts: Mapping[str, FactsOf],
    policies: Policies,
) -> dict[str, KnownOrder]:
    """These orders with what is known of them; without those that were never placed here."""
    streams = [(order_stream(each), evaluation_stream(each)) for each in facts]
    await decisions.read(stream for both in streams for stream in both)
    orders: dict[str, KnownOrder] = {}
    for order_id, found in facts.items():
        order = decisions.state(ORDERS, order_stream(order_id))
        if isinstance(order, Placed):
            history = decisions.history(evaluation_stream(order_id))
            orders[order_id] = known_order(order, found, policies, history)
    return orders


class Because(Struct, frozen=True, kw_only=True):
    """Something recorded that asks for commands to an order's evaluation, in whose name and as of
    when. One cause may ask for several of them.
    """

    recorded: Recorded[Any]
    order: KnownOrder
    actor: Actor
    now: datetime

    def ask(self, said: Struct, purpose: str) -> Ask[EvaluationCommand]:
        return Ask(
            stream=evaluation_stream(self.order.order_id),
            command=Sent(said, self.order.by(self.actor, self.now)),
            cause=self.recorded.event_id,
            correlation=self.order.order_id,
            purpose=purpose,
            traceparent=self.recorded.traceparent,
        )

    def at(self, now: datetime) -> "Because":
        return replace(self, now=now)


def ask_to_pause(because: Because, dispute: Dispute) -> Ask[EvaluationCommand]:
    said = PauseEvaluation(cause="DISPUTE", cause_id=dispute.dispute_id)
    return because.at(dispute.opened_at).ask(said, f"pause/{dispute.dispute_id}")


def ask_to_resume(because: Because, dispute_id: str) -> Ask[EvaluationCommand]:
    return because.ask(ResumeEvaluation(cause_id=dispute_id), f"resume/{dispute_id}")


def ask_to_grant(because: Because, said: GrantRevision) -> Ask[EvaluationCommand]:
    return because.ask(said, f"grant/{said.cause_id}")


def ask_to_reattribute(because: Because) -> Asks:
    """The delivery goes on another account than the seller's, if anything says so."""
    if (carriage := because.order.facts.carriage()) is None:
        return []
    to, cause_id = carriage
    return [because.ask(ReattributeDimension(to=to, cause_id=cause_id), "reattribute")]


def ask_to_reweigh(because: Because, named: Sequence[str] | None = None) -> Asks:
    """Both reviews of an order weighed again, or those that are named."""
    facts = because.order.weight_facts(because.now)
    return [
        because.ask(reweighing(review_id, side, facts), f"reweigh/{side}")
        for side, review_id in because.order.reviews.items()
        if named is None or review_id in named
    ]


def reweighing(review_id: str, side: Side, facts: WeightFacts) -> ReweighReview:
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
    )


def ask_to_lift_campaign(because: Because, review_id: str) -> Ask[EvaluationCommand]:
    return because.ask(LiftCampaignWeight(review_id=review_id), f"lift/{review_id}")


def by_truth(codes: Mapping[WeightCode, bool], *, truth: bool) -> Iterator[WeightCode]:
    return (code for code, applies in codes.items() if applies is truth)
