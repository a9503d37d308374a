"""A seller's offer of money for goods that stay with the buyer in, the buyer's answer out."""

from collections.abc import Iterator, Sequence
from typing import Annotated

from msgspec import Struct
from shared_casework.parties import PARTY
from shared_casework.values import refuse, require_currency, utc
from shared_events.fields import Currency, Id, Minor
from shared_events.returns import (
    LabelVoided,
    OfferAccepted,
    OfferDeclined,
    PartialOfferMade,
    ReturnClosed,
    ReturnEvent,
)
from shared_runtime.decider import (
    AlreadySubmitted,
    AmountExceedsCeiling,
    FieldError,
    LimitReached,
    StaleProposal,
    WrongState,
)
from shared_runtime.rule import NO_WINDOW, Guard, Window
from shared_runtime.shape import Made

from returns_service.domain.closing import currency_of
from returns_service.domain.known import PERSON, Known, Sender
from returns_service.domain.return_matter import ReturnRule, goods_there, void_label
from returns_service.domain.return_state import Return


class OfferPartialRefund(Struct, frozen=True, kw_only=True):
    """So much for all pieces of the return, if the buyer keeps them."""

    offer_id: Annotated[Id, Made("offer")]
    amount_minor: Minor
    currency: Currency


def offer_partial_refund(matter: Return, said: OfferPartialRefund, by: Sender) -> list[ReturnEvent]:
    """Each above the last, `return_offers_max` in all. The seller's own deadline runs on."""
    currency, policy = currency_of(matter, by), matter.policy(by)
    require_currency(said.currency, currency)
    if len(matter.offers) >= policy.return_offers_max:
        raise LimitReached(limit=policy.return_offers_max)
    if matter.offers and said.amount_minor <= matter.offers[-1].amount_minor:
        raise refuse("amount_minor", f"above the last offer: {matter.offers[-1].amount_minor}")
    left = by.known.left_of(piece.unit for piece in matter.live)
    if said.amount_minor > left:
        raise AmountExceedsCeiling(ceiling_minor=left, currency=currency)
    return [
        PartialOfferMade(
            **matter.ids,
            offer_id=said.offer_id,
            currency=currency,
            amount_minor=said.amount_minor,
            answer_due=utc(by.now) + policy.return_offer_answer,
        )
    ]


def at_least_1(said: OfferPartialRefund, _: Sender) -> Iterator[FieldError]:
    if said.amount_minor == 0:
        yield FieldError(field="amount_minor", bound="at least 1")


def is_offered(matter: Return, said: OfferPartialRefund, _: Sender) -> bool:
    """Once for each id."""
    told = next((each for each in matter.offers if each.offer_id == said.offer_id), None)
    if told and told.amount_minor != said.amount_minor:
        raise AlreadySubmitted(existing_id=told.offer_id)
    return told is not None


def before_sending(matter: Return, _: object, by: Sender) -> None:
    """the buyer has the goods, no other offer is open, and it is no withdrawal"""
    if matter.kind == "WITHDRAWAL" or not has_goods(matter, by) or matter.offer:
        raise WrongState(state=matter.status)


def has_goods(matter: Return, by: Sender) -> bool:
    """None was sent, and none is with the seller unasked: what is elsewhere can't be kept."""
    return matter.is_unsent and not goods_there(matter, by)


def while_he_answers(matter: Return, _: OfferPartialRefund, __: Sender) -> Window:
    if matter.review is None or matter.review.by == "AGENT":
        return NO_WINDOW
    return Window(latest=matter.review.answer_due)


def offered_above(matter: Return, by: Sender) -> Sequence[OfferPartialRefund]:
    """The least that he could still offer."""
    least = matter.offers[-1].amount_minor + 1 if matter.offers else 1
    currency = currency_of(matter, by)
    return [OfferPartialRefund(offer_id="OF-1", amount_minor=least, currency=currency)]


OFFER_PARTIAL_REFUND = ReturnRule(
    OfferPartialRefund,
    offer_partial_refund,
    roles=("SELLER",),
    shape=at_least_1,
    party=PARTY,
    barred=PERSON,
    repeated=is_offered,
    states=("REVIEW", "AUTHORIZED"),
    stands=Guard[Return, object, Known](before_sending, WrongState),
    window=while_he_answers,
    refuses=(AlreadySubmitted, LimitReached, AmountExceedsCeiling),
    events=(PartialOfferMade,),
    example=OfferPartialRefund(offer_id="OF-1", amount_minor=700, currency="EUR"),
    tries=offered_above,
)


# --- The buyer's answer


class AnswerOffer(Struct, frozen=True, kw_only=True):
    """Whether he keeps the goods for that."""

    offer_id: Id
    accept: bool


def answer_offer(matter: Return, said: AnswerOffer, _: Sender) -> list[ReturnEvent]:
    """Accepted, the amount is spread over the pieces, and they stay where they are."""
    offer = matter.offer
    assert offer
    if not said.accept:
        return [OfferDeclined(**matter.ids, offer_id=offer.offer_id, lapsed=False)]
    accepted = OfferAccepted(
        **matter.ids,
        offer_id=offer.offer_id,
        currency=offer.currency,
        amount_minor=offer.amount_minor,
        units=[piece.unit for piece in matter.live],
    )
    return [accepted, *void_label(matter)]


def on_the_open_offer(matter: Return, said: AnswerOffer, by: Sender) -> None:
    """the offer that is open, while he has the goods"""
    if matter.offer is None or not has_goods(matter, by):
        raise WrongState(state=matter.status)
    if matter.offer.offer_id == said.offer_id:
        return
    if any(each.offer_id == said.offer_id for each in matter.offers):
        raise StaleProposal(current_proposal_id=matter.offer.offer_id)
    raise WrongState(state=matter.status)


def until_the_offers_end(matter: Return, _: AnswerOffer, __: Sender) -> Window:
    return Window(latest=matter.offer.answer_due if matter.offer else None)


def answers_to_the_open_one(matter: Return, _: Sender) -> Sequence[AnswerOffer]:
    offer_id = matter.offer.offer_id if matter.offer else "OF-1"
    return [AnswerOffer(offer_id=offer_id, accept=True)]


ANSWER_OFFER = ReturnRule(
    AnswerOffer,
    answer_offer,
    roles=("BUYER",),
    party=PARTY,
    barred=PERSON,
    states=("REVIEW", "AUTHORIZED"),
    stands=Guard[Return, AnswerOffer, Known](on_the_open_offer, StaleProposal, WrongState),
    window=until_the_offers_end,
    events=(OfferAccepted, LabelVoided, OfferDeclined, ReturnClosed),
    example=AnswerOffer(offer_id="OF-1", accept=True),
    tries=answers_to_the_open_one,
)


class LapseOffer(Struct, frozen=True):
    """The buyer has not answered."""


def lapse_offer(matter: Return, _: LapseOffer, __: Sender) -> list[ReturnEvent]:
    """The return goes on as before."""
    assert matter.offer
    return [OfferDeclined(**matter.ids, offer_id=matter.offer.offer_id, lapsed=True)]


def while_open(matter: Return, _: LapseOffer, __: Sender) -> None:
    """an offer is open"""
    if matter.offer is None:
        raise WrongState(state=matter.status)


def once_unanswered(matter: Return, _: LapseOffer, __: Sender) -> Window:
    return Window(earliest=matter.offer.answer_due if matter.offer else None)


LAPSE_OFFER = ReturnRule(
    LapseOffer,
    lapse_offer,
    roles=("SYSTEM",),
    stands=Guard[Return, LapseOffer, Known](while_open, WrongState),
    window=once_unanswered,
    early=True,
    lapses=True,
    events=(OfferDeclined,),
    example=LapseOffer(),
)
