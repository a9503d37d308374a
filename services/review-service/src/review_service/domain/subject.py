"""A command about a review in, the review and where it stands out, or the first refusals.

Before the reveal a party finds his own review alone: the other's is as if it were not there.
"""

from typing import Literal, TypedDict

from msgspec import Struct
from shared_events.review import ReviewHeld, ReviewRestricted, ReviewWithdrawn, Side
from shared_runtime.decider import Actor, NotAParty, WrongState

from review_service.domain.commands import AboutReview, ByPersonAboutReview
from review_service.domain.evaluation_state import (
    Closed,
    Evaluation,
    Known,
    Revealed,
    Sheet,
    Unopened,
)
from review_service.domain.guards import Shape, is_involved, is_party, require_human, require_role
from review_service.domain.review_state import Clear, Written
from review_service.domain.roles import HUMAN, ROLES

type Status = Literal["SUBMITTED", "VISIBLE", "HELD", "RESTRICTED", "WITHDRAWN", "CLOSED"]


class ReviewIds(TypedDict):
    """What every event about a review says."""

    order_id: str
    seller_id: str
    buyer_id: str
    policy_version: str
    review_id: str
    side: Side


class Subject(Struct, frozen=True, kw_only=True):
    """One side's review, in the evaluation it belongs to."""

    state: Known
    side: Side
    review: Written

    @property
    def sheet(self) -> Sheet:
        return self.state.sheet

    @property
    def status(self) -> Status:
        if isinstance(self.state, Closed):
            return "CLOSED"
        match self.review.standing:
            case Clear():
                return "VISIBLE" if isinstance(self.state, Revealed) else "SUBMITTED"
            case ReviewHeld():
                return "HELD"
            case ReviewRestricted():
                return "RESTRICTED"
            case ReviewWithdrawn():
                return "WITHDRAWN"

    @property
    def author_id(self) -> str:
        return self.sheet.buyer_id if self.side == "BUYER" else self.sheet.seller_id

    @property
    def ids(self) -> ReviewIds:
        return ReviewIds(
            order_id=self.sheet.order_id,
            seller_id=self.sheet.seller_id,
            buyer_id=self.sheet.buyer_id,
            policy_version=self.sheet.policy_version,
            review_id=self.review.review_id,
            side=self.side,
        )

    def require(self, *statuses: Status) -> None:
        if self.status not in statuses:
            raise WrongState(state=self.status)


def about(
    state: Evaluation, command: AboutReview | ByPersonAboutReview, shape: Shape | None = None
) -> Subject:
    """The review that a command is about, for somebody who may send such a command."""
    shape = shape or Shape()
    shape.instant("now", command.now)
    shape.id("review_id", command.review_id)
    shape.check()
    subject = find(state, command.review_id, command.actor)
    if isinstance(command, HUMAN):
        require_human(command.actor)
    require_role(command, ROLES[type(command)])
    return subject


def find(state: Evaluation, review_id: str, actor: Actor) -> Subject:
    if not isinstance(state, Unopened):
        for side, review in state.sheet.reviews.items():
            if review.review_id == review_id and may_know(state, side, actor):
                return Subject(state=state, side=side, review=review)
    raise WrongState(state="NONE")


def may_know(state: Known, side: Side, actor: Actor) -> bool:
    """Whether this actor may know that the side has written."""
    if isinstance(state, Revealed) or writes_for(state.sheet, side, actor):
        return True
    is_party = actor.acts_as in ("BUYER", "SELLER") or is_involved(
        actor, buyer_id=state.sheet.buyer_id, seller_id=state.sheet.seller_id
    )
    return not is_party


def writes_for(sheet: Sheet, side: Side, actor: Actor) -> bool:
    own = actor.acts_as == side
    return own and is_party(actor, buyer_id=sheet.buyer_id, seller_id=sheet.seller_id)


def require_author(subject: Subject, actor: Actor) -> None:
    if not writes_for(subject.sheet, subject.side, actor):
        raise NotAParty


def require_reviewed(subject: Subject, actor: Actor) -> None:
    """Refuses all but the party that the review is of."""
    reviewed: Side = "SELLER" if subject.side == "BUYER" else "BUYER"
    if not writes_for(subject.sheet, reviewed, actor):
        raise NotAParty
