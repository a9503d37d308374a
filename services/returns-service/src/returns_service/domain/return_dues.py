"""How a return stands in; what is due in it, for whom, and what happens by itself then, out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from msgspec import Struct

from returns_service.domain.known import Sender
from returns_service.domain.return_state import Return
from returns_service.domain.return_timers import Deadline, Name, return_deadlines

type Acting = Literal["BUYER", "SELLER", "AGENT", "CARRIER", "MARKETPLACE"]


class Due(Struct, frozen=True, kw_only=True):
    """Who has to do something by then (`acts`), and what comes of it if he does not."""

    acts: Acting
    then: str


DUES: Mapping[Name, Due] = {
    "DRAFT_END": Due(acts="BUYER", then="The withdrawal counts only once it is confirmed."),
    "RETURN_ANSWER": Due(acts="SELLER", then="The seller's silence approves the return."),
    "OFFER_DUE": Due(acts="BUYER", then="The offer is over, and the return goes on."),
    "LABEL_DUE": Due(
        acts="MARKETPLACE",
        then="The buyer may send the goods with any carrier, and they are covered.",
    ),
    "SHIP_BY": Due(acts="BUYER", then="What was not sent by then leaves the return."),
    "TRANSIT_MAX": Due(acts="CARRIER", then="The goods count as lost."),
    "INSPECT_DUE": Due(acts="SELLER", then="The goods are accepted as they should be."),
    "WITHDRAWAL_REFUND": Due(
        acts="SELLER", then="The money goes back for all that is on its way or there."
    ),
    "STOCK_ANSWER": Due(acts="SELLER", then="There is no replacement: the money goes back."),
    "DIFFERENCE_DUE": Due(acts="BUYER", then="There is no exchange: the money goes back."),
    "REPLACEMENT_DUE": Due(acts="SELLER", then="There is no exchange: the money goes back."),
    "REPLACEMENT_ARRIVED": Due(acts="CARRIER", then="The replacement counts as delivered."),
    "ORIGINAL_DUE": Due(acts="BUYER", then="It is noted that the original was kept."),
    "CONTEST_END": Due(acts="BUYER", then="What was decided stands."),
    "SEND_BACK": Due(acts="SELLER", then="Who keeps the goods pays for them."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NextDue:
    """`units`: of these pieces; none are all."""

    name: Name
    due: datetime
    acts: Acting
    units: list[str]
    then: str


def dues_of(matter: Return, by: Sender) -> list[NextDue]:
    """Soonest first; also those that are past, as long as nothing has come of them."""
    found = return_deadlines(matter, by.known.policies, by.known.contests)
    return [due_view(matter, each) for each in sorted(found, key=lambda each: each.due)]


def due_view(matter: Return, deadline: Deadline) -> NextDue:
    acts, then = acts_in(matter, deadline), DUES[deadline.name].then
    if acts == "AGENT":
        then = "The review passes to the seller."
    return NextDue(
        name=deadline.name, due=deadline.due, acts=acts, units=[*deadline.units], then=then
    )


def acts_in(matter: Return, deadline: Deadline) -> Acting:
    if deadline.name == "RETURN_ANSWER" and matter.review and matter.review.by == "AGENT":
        return "AGENT"
    return DUES[deadline.name].acts
