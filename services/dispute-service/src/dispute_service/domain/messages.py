"""Words to the other party in; nothing decided out."""

from collections.abc import Iterator, Sequence
from typing import Annotated

from msgspec import Struct
from msgspec.structs import replace
from shared_casework.impartial import require_impartial
from shared_casework.parties import PARTIES, PARTY
from shared_events.dispute import DisputeEvent, DisputeMessageAdded
from shared_events.fields import NOTE_LENGTH_MAX, Id
from shared_events.sealed import same_text
from shared_runtime.decider import ConflictOfInterest, FieldError, LimitReached
from shared_runtime.rule import Guard
from shared_runtime.shape import Made, Words

from dispute_service.domain.dispute_state import BEFORE_DECISION, Dispute
from dispute_service.domain.known import PERSON, Sender
from dispute_service.domain.matter import ASSIGNED, DisputeRule, of_matter, taken


class AddDisputeMessage(Struct, frozen=True, kw_only=True):
    """A party says it once; an adjudicator's words are sealed for each of them."""

    message_id: Annotated[Id, Made("message")]
    text: Annotated[str | None, Words(NOTE_LENGTH_MAX)] = None
    text_for_buyer: Annotated[
        str | None, Words(NOTE_LENGTH_MAX, sealed_for="BUYER", said_as="text")
    ] = None
    text_for_seller: Annotated[
        str | None, Words(NOTE_LENGTH_MAX, sealed_for="SELLER", said_as="text")
    ] = None


def add_dispute_message(
    dispute: Dispute, said: AddDisputeMessage, by: Sender
) -> list[DisputeEvent]:
    """Both parties read it at once; it is no act of a seller who has to answer.
    `dispute_messages_max` of each party.
    """
    role = by.actor.acts_as
    author = role if role in ("BUYER", "SELLER") else "ADJUDICATOR"
    if author != "ADJUDICATOR":
        limit = dispute.policy(by).dispute_messages_max
        if sum(told.by_role == author for told in dispute.messages.values()) >= limit:
            raise LimitReached(limit=limit)
    return [
        DisputeMessageAdded(
            **dispute.ids,
            message_id=said.message_id,
            by_role=author,
            text=said.text,
            text_for_buyer=said.text_for_buyer,
            text_for_seller=said.text_for_seller,
        )
    ]


def shape_of_message(said: AddDisputeMessage, by: Sender) -> Iterator[FieldError]:
    party = by.actor.acts_as in PARTIES
    for field in ("text", "text_for_buyer", "text_for_seller"):
        own = field == "text"
        if (getattr(said, field) is not None) != (own == party):
            yield FieldError(field=field, bound="a party's text, or an adjudicator's for each")


def is_added(dispute: Dispute, said: AddDisputeMessage, _: Sender) -> bool:
    if (known := dispute.messages.get(said.message_id)) is None:
        return False
    told = (known.text, known.text_for_buyer, known.text_for_seller)
    again = (said.text, said.text_for_buyer, said.text_for_seller)
    if all(same_text(one, other) for one, other in zip(told, again, strict=True)):
        return True
    raise taken("message_id")


def of_role(_: Dispute, by: Sender) -> Sequence[AddDisputeMessage]:
    if by.actor.acts_as in PARTIES:
        return [replace(MESSAGE, message_id="M-new")]
    told = "Please write here what you have told each other elsewhere."
    return [AddDisputeMessage(message_id="M-new", text_for_buyer=told, text_for_seller=told)]


def by_staff_without_stake(dispute: Dispute, said: AddDisputeMessage, by: Sender) -> None:
    """of staff, nobody with a stake in it"""
    if by.actor.acts_as not in PARTIES:
        require_impartial(by.actor, of_matter(dispute, said, by))


MESSAGE = AddDisputeMessage(message_id="M-1", text="The parcel was opened when it came.")
ADD_DISPUTE_MESSAGE = DisputeRule(
    AddDisputeMessage,
    add_dispute_message,
    roles=("BUYER", "SELLER", "AGENT", "SENIOR"),
    shape=shape_of_message,
    party=PARTY,
    impartial=Guard(by_staff_without_stake, ConflictOfInterest),
    barred=PERSON,
    repeated=is_added,
    states=BEFORE_DECISION,
    stands=ASSIGNED,
    refuses=(LimitReached,),
    events=(DisputeMessageAdded,),
    example=MESSAGE,
    tries=of_role,
)
