"""A figure that the other party never sees in; the middle, where two of them meet, out."""

from collections.abc import Iterator

from msgspec import Struct
from shared_casework.parties import PARTY
from shared_casework.values import require_currency, utc
from shared_events.dispute import (
    BlindOfferMade,
    DisputeEvent,
    DisputeSettled,
    RemedyOrdered,
)
from shared_events.fields import Currency, Minor, Party
from shared_runtime.decider import AmountExceedsCeiling, FieldError, LimitReached

from dispute_service.domain.dispute_state import OTHER, Dispute
from dispute_service.domain.known import PERSON, Sender, ceiling_of, party_of
from dispute_service.domain.matter import DisputeRule, while_answering
from dispute_service.domain.remedies import settled
from dispute_service.domain.terms import Terms


class MakeBlindOffer(Struct, frozen=True, kw_only=True):
    """The least that a buyer accepts for all that is in dispute; the most that a seller offers."""

    amount_minor: Minor
    currency: Currency


def make_blind_offer(dispute: Dispute, said: MakeBlindOffer, by: Sender) -> list[DisputeEvent]:
    """The last of each side counts, `dispute_blind_offers_max` of each. Where they meet, the middle
    is settled on; where they do not, nobody learns anything. From the middle each can tell the
    other's.
    """
    require_currency(said.currency, dispute.currency)
    side, made = party_of(by), dispute.offers.get(party_of(by), ())
    limit = dispute.policy(by).dispute_blind_offers_max
    if len(made) >= limit:
        raise LimitReached(limit=limit)
    ceiling = ceiling_of(dispute.units(dispute.lines), by)
    if said.amount_minor > ceiling:
        raise AmountExceedsCeiling(ceiling_minor=ceiling, currency=dispute.currency)
    offer = BlindOfferMade(
        **dispute.ids,
        by_role=side,
        offer_no=len(made) + 1,
        currency=dispute.currency,
        amount_minor=said.amount_minor,
        made_at=utc(by.now),
    )
    middle = middle_of(dispute, side, said.amount_minor)
    if middle is None:
        return [offer]
    return [offer, *settled(dispute, "BLIND_OVERLAP", refund_of(middle, ceiling, dispute), by)]


def middle_of(dispute: Dispute, side: Party, amount_minor: int) -> int | None:
    """Half way between the two last offers, if the seller's is not below the buyer's."""
    others = dispute.offers.get(OTHER[side])
    if not others:
        return None
    least, most = (amount_minor, others[-1]) if side == "BUYER" else (others[-1], amount_minor)
    return (least + most) // 2 if least <= most else None


def refund_of(amount_minor: int, ceiling_minor: int, dispute: Dispute) -> Terms:
    # What was offered before may be more than is left by now.
    if amount_minor >= ceiling_minor:
        return Terms(outcome="REFUND_FULL", lines=dispute.lines)
    return Terms(outcome="REFUND_PARTIAL", lines=dispute.lines, amount_minor=amount_minor)


def shape_of_offer(said: MakeBlindOffer, _: Sender) -> Iterator[FieldError]:
    if said.amount_minor == 0:
        yield FieldError(field="amount_minor", bound="at least 1")


MAKE_BLIND_OFFER = DisputeRule(
    MakeBlindOffer,
    make_blind_offer,
    roles=("BUYER", "SELLER"),
    shape=shape_of_offer,
    party=PARTY,
    barred=PERSON,
    states=("NEGOTIATING",),
    window=while_answering,
    refuses=(LimitReached, AmountExceedsCeiling),
    events=(BlindOfferMade, DisputeSettled, RemedyOrdered),
    example=MakeBlindOffer(amount_minor=1, currency="EUR"),
    tries=lambda dispute, _: [MakeBlindOffer(amount_minor=1, currency=dispute.currency)],
)
