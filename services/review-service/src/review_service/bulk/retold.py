"""The two streams of an order in, the line that tells them again out.

Brought to another place by `POST /v1/orders/bulk`, it gives the same public reviews there. What is
said of a review before it is revealed is nobody's to take away, nor is what is held or withdrawn:
such a review is not in the line. Of what was said more than once it has the words that stand now.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct, field
from shared_events.envelope import Recorded
from shared_events.orders import OrderEvent
from shared_events.review import (
    EvaluationEvent,
    FollowUpAppended,
    ReplyPublished,
    ReviewHeld,
    ReviewRestricted,
    ReviewWithdrawn,
    Side,
)
from shared_runtime.decider import Actor

from review_service.bulk.line import Cancelled, Completed, Delivered, Life, Paid, Shipped
from review_service.bulk.reviewed import (
    BuyerReviewed,
    FollowedUp,
    Replied,
    Reviewed,
    SellerReviewed,
    WasRestricted,
)
from review_service.domain.content import BuyerReview, SellerReview
from review_service.domain.evaluation_state import Revealed
from review_service.domain.order import Placed
from review_service.domain.order_rules import ORDERS
from review_service.domain.readers import read_by
from review_service.domain.review_state import Review, part_of
from review_service.domain.subject import SIDES
from review_service.told_order import REFERENCE_CURRENCY, ToldMoney, ToldOrder, ToldProduct

type History[E] = Sequence[Recorded[E]]
type OpenedTexts = Mapping[str, str | None]
"""Sealed texts, and what they say; None where nobody can read them any more."""


class RetoldLine(Life, frozen=True, kw_only=True):
    """A line of bulk intake: the order with its revealed reviews."""

    reviews: list[Reviewed] = field(default_factory=list[Reviewed])


class Retold(Struct, frozen=True, kw_only=True):
    """An order as its streams tell it, before its texts are opened."""

    order: Placed
    reviews: Mapping[Side, Review]
    said_at: Mapping[tuple[Side, type], datetime]

    @property
    def written_at(self) -> list[datetime]:
        return [review.submitted_at for review in self.reviews.values()]

    @property
    def sealed(self) -> Iterator[str]:
        """All that is to be opened."""
        for review in self.reviews.values():
            yield from filter(None, (review.content.text, review.reply and review.reply.text))
            if isinstance(review.content, BuyerReview):
                yield from review.content.media
            if review.follow_up:
                yield review.follow_up.text
                yield from review.follow_up.media or ()
            if review.reasons and review.reasons.facts:
                yield review.reasons.facts


def retold(
    order: History[OrderEvent], evaluation: History[EvaluationEvent], actor: Actor
) -> Retold:
    """What this actor may take away of an order that has been placed."""
    placed = ORDERS.fold(recorded.event for recorded in order)
    assert isinstance(placed, Placed)
    state = read_by(actor, [recorded.event for recorded in evaluation]).state
    reviews = state.sheet.reviews if isinstance(state, Revealed) else {}
    return Retold(
        order=placed,
        reviews={
            side: reviews[side]
            for side in SIDES
            if side in reviews
            and not isinstance(reviews[side].standing, ReviewHeld | ReviewWithdrawn)
        },
        said_at=dict(_said_at(evaluation)),
    )


def _said_at(history: Iterable[Recorded[Any]]) -> Iterator[tuple[tuple[Side, type], datetime]]:
    """When a reply and a follow-up were published, and a review was restricted last."""
    for recorded in history:
        match recorded.event:
            case ReplyPublished(side=side) | FollowUpAppended(side=side) as event:
                yield (side, type(event)), recorded.time
            case ReviewRestricted(side=side, measures=measures) if part_of(measures) is None:
                yield (side, ReviewRestricted), recorded.time
            case _:
                pass


def line_of(told: Retold, opened: OpenedTexts) -> RetoldLine:
    """The line, with what people wrote in the clear."""
    order = told.order
    stands = order.stage != "CANCELLED" or order.delivered
    delivered = order.delivered if stands else None
    completion = order.completions[-1] if order.stage == "COMPLETED" else None
    # One that completed by itself does so again, when its time has come.
    declared = (
        completion if completion and (completion.how != "AUTOMATIC" or not delivered) else None
    )
    paid, shipped, cancelled = order.paid, order.shipped, order.cancelled
    return RetoldLine(
        order=_told_order(order),
        paid=Paid(at=paid.paid_at, payment_ref=paid.payment_ref) if paid else None,
        shipped=Shipped(
            at=shipped.shipped_at, deliver_by=shipped.deliver_by, tracking_id=shipped.tracking_id
        )
        if shipped
        else None,
        delivered=Delivered(at=delivered.delivered_at, signed=delivered.signed)
        if delivered
        else None,
        completed=Completed(at=declared.completed_at) if declared else None,
        cancelled=Cancelled(at=cancelled.cancelled_at, by=cancelled.by, reason=cancelled.reason)
        if cancelled
        else None,
        reviews=[_review(told, side, review, opened) for side, review in told.reviews.items()],
    )


def _told_order(order: Placed) -> ToldOrder:
    placed = order.placed

    def money(amount: int) -> ToldMoney:
        return ToldMoney(amount=amount, currency=placed.currency)

    discount = placed.order_discount_minor
    return ToldOrder(
        order_id=placed.order_id,
        seller_id=placed.seller_id,
        buyer_id=placed.buyer_id,
        marketplace_id=placed.marketplace_id,
        country=placed.country,
        currency=placed.currency,
        placed_at=placed.placed_at,
        lines=[
            ToldProduct(
                line_id=line.line_id,
                sku=line.sku,
                category=line.category,
                quantity=line.quantity,
                unit_price=money(line.unit_price_minor),
                line_discount=money(line.line_discount_minor) if line.line_discount_minor else None,
            )
            for line in placed.lines
        ],
        order_discount=money(discount) if discount else None,
        shipping=money(placed.shipping_minor),
        total=money(placed.total_minor),
        total_ref=ToldMoney(amount=placed.total_ref_minor, currency=REFERENCE_CURRENCY),
        dispatch_by=placed.dispatch_by,
        deliver_by=placed.deliver_by,
        buyer_registered_at=placed.buyer_registered_at,
        withdrawal_right=placed.withdrawal_right,
        withdrawal_informed=placed.withdrawal_informed,
    )


def _review(told: Retold, side: Side, review: Review, opened: OpenedTexts) -> Reviewed:
    content = review.content
    text = opened.get(content.text) if content.text else None
    reply = _reply(told, side, review, opened)
    restricted = _restricted(told, side, review, opened)
    if isinstance(content, SellerReview):
        return SellerReviewed(
            at=review.submitted_at,
            rating=content.rating,
            text=text,
            reply=reply,
            restricted=restricted,
        )
    return BuyerReviewed(
        at=review.submitted_at,
        quality=content.quality,
        logistics=content.logistics,
        service=content.service,
        incentive=content.incentive,
        text=text,
        media=_files(content.media, opened),
        reply=reply,
        follow_up=_follow_up(told, side, review, opened),
        restricted=restricted,
    )


def _reply(told: Retold, side: Side, review: Review, opened: OpenedTexts) -> Replied | None:
    if review.reply is None or "REPLY" in review.hidden:
        return None
    text = opened.get(review.reply.text)
    return Replied(at=told.said_at[side, ReplyPublished], text=text) if text else None


def _follow_up(told: Retold, side: Side, review: Review, opened: OpenedTexts) -> FollowedUp | None:
    added = review.follow_up
    if added is None or "FOLLOW_UP" in review.hidden or not (text := opened.get(added.text)):
        return None
    return FollowedUp(
        at=told.said_at[side, FollowUpAppended], text=text, media=_files(added.media or (), opened)
    )


def _restricted(
    told: Retold, side: Side, review: Review, opened: OpenedTexts
) -> WasRestricted | None:
    standing = review.standing
    if not isinstance(standing, ReviewRestricted):
        return None
    facts = opened.get(review.reasons.facts) if review.reasons and review.reasons.facts else None
    words = {"facts": facts} if facts else {}
    return WasRestricted(
        at=told.said_at[side, ReviewRestricted],
        ground=standing.ground,
        measures=tuple(standing.measures),
        rule_ids=tuple(standing.rule_ids),
        **words,
    )


def _files(sealed: Sequence[str], opened: OpenedTexts) -> tuple[str, ...]:
    return tuple(media_id for each in sealed if (media_id := opened.get(each)))
