"""What commands are about: an evaluation, or one side's review in it; whose matter that is.

Before the reveal a party finds his own review alone: the other's is as if it were not there.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Literal, TypedDict

from msgspec import Struct
from shared_casework.impartial import Stakes, require_impartial
from shared_casework.parties import Account, account_of, is_involved, is_party, parties_of
from shared_events.review import (
    EvaluationEvent,
    Flagger,
    Part,
    ReviewFlagged,
    ReviewHeld,
    ReviewRestricted,
    ReviewWithdrawn,
    Side,
)
from shared_runtime.decider import Actor, NotAParty, NotFound, Role, SubjectErased
from shared_runtime.rule import Guard, Rule, Window

from review_service.domain.evaluation_state import (
    Closed,
    Evaluation,
    EvaluationStatus,
    Opened,
    Revealed,
    Sheet,
    Unopened,
)
from review_service.domain.known import Known, Sender
from review_service.domain.review_state import Clear, Review
from review_service.domain.reweighing import weighed

type ReviewStatus = Literal["SUBMITTED", "VISIBLE", "HELD", "RESTRICTED", "WITHDRAWN"]
type Status = ReviewStatus | Literal["CLOSED"]

SIDES: tuple[Side, ...] = ("BUYER", "SELLER")
OTHER: Mapping[Side, Side] = {"BUYER": "SELLER", "SELLER": "BUYER"}
WATCHERS: tuple[Role, ...] = ("MODERATOR", "ANALYST", "SYSTEM")
"""Who may act on a review before it is revealed: they are no party, and hold back what is fake."""


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

    state: Opened
    side: Side
    review: Review

    @property
    def sheet(self) -> Sheet:
        return self.state.sheet

    @property
    def status(self) -> Status:
        return "CLOSED" if isinstance(self.state, Closed) else self.standing

    @property
    def standing(self) -> ReviewStatus:
        """Where the review itself stands, whatever has become of its evaluation."""
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
    def ids(self) -> ReviewIds:
        return ReviewIds(
            order_id=self.sheet.order_id,
            seller_id=self.sheet.seller_id,
            buyer_id=self.sheet.buyer_id,
            policy_version=self.sheet.policy_version,
            review_id=self.review.review_id,
            side=self.side,
        )

    def writer_of(self, part: Part | None) -> Side:
        """Whose words they are: a reply is the other side's."""
        return OTHER[self.side] if part == "REPLY" else self.side

    def account_of(self, side: Side) -> str:
        return self.sheet.buyer_id if side == "BUYER" else self.sheet.seller_id

    def is_shown(self, part: Part) -> bool:
        """Whether everybody can read this part, under its review."""
        standing = self.review.standing
        seen = isinstance(standing, Clear) or (
            isinstance(standing, ReviewRestricted) and "HIDE_REVIEW" not in standing.measures
        )
        return seen and isinstance(self.state, Revealed) and self.review.has(part)


# --- Whose matter it is


def accounts(sheet: Sheet) -> frozenset[Account]:
    return parties_of(buyer_id=sheet.buyer_id, seller_id=sheet.seller_id)


def writes_for(sheet: Sheet, side: Side, actor: Actor) -> bool:
    return actor.acts_as == side and is_party(actor, accounts(sheet))


def is_there_for(state: Evaluation, side: Side, actor: Actor) -> bool:
    """Whether that side has written a review, as far as he may know."""
    if isinstance(state, Unopened) or side not in state.sheet.reviews:
        return False
    return may_know_of(state, side, actor)


def may_know_of(state: Opened, side: Side, actor: Actor) -> bool:
    """Whether he may know what that side writes, if it does: after the reveal everybody may;
    before it its author, and whoever may act on it then, a SENIOR where there is an appeal. Who is
    a party or belongs to one is never of these, whatever his role.
    """
    if isinstance(state, Revealed) or writes_for(state.sheet, side, actor):
        return True
    if is_involved(actor, accounts(state.sheet)):
        return False
    review = state.sheet.reviews.get(side)
    appealed = review is not None and bool(review.appeals)
    return actor.acts_as in WATCHERS or (actor.acts_as == "SENIOR" and appealed)


def sender_of(actor: Actor) -> tuple[Flagger, str]:
    """Whose flag or appeal it is: as `flagger_of` has it."""
    role = actor.acts_as
    assert role in ("BUYER", "SELLER", "MODERATOR", "ANALYST", "SYSTEM")
    return role, account_of(actor).id


def flagger_of(flagged: ReviewFlagged) -> tuple[Flagger, str]:
    return flagged.flagger_role, flagged.flagger_id


def claimant(role: Flagger | None, account_id: str) -> frozenset[Account]:
    """The accounts that brought a matter up. Without a role, of whoever has the id."""
    match role:
        case "SYSTEM":
            return frozenset()
        case "BUYER" | "SELLER":
            return frozenset({Account(role, account_id)})
        case None:
            return frozenset({Account("BUYER", account_id), Account("SELLER", account_id)})
        case _:
            return frozenset({Account("STAFF", account_id)})


def claimants_of(flags: Iterable[ReviewFlagged]) -> frozenset[Account]:
    """The accounts that raised these."""
    return frozenset(account for flag in flags for account in claimant(*flagger_of(flag)))


def impartial(
    subject: Subject,
    by: Sender,
    claimants: frozenset[Account] = frozenset(),
    deciders: frozenset[str] = frozenset(),
) -> None:
    """Refuses whoever has a stake in the matter. `claimants` brought it up; `deciders` took the
    earlier decisions of it.
    """
    stakes = Stakes(
        parties=accounts(subject.sheet) | claimants,
        organisations=by.known.party_orgs,
        deciders=deciders,
    )
    require_impartial(by.actor, stakes)


# --- How a command finds its matter


class EvaluationRule[C: Struct](
    Rule[Evaluation, Evaluation, EvaluationStatus, C, Known, EvaluationEvent]
):
    """A command about the evaluation of an order, or about a review that is not there yet."""

    def find(self, state: Evaluation, said: C, by: Sender) -> Evaluation:  # noqa: ARG002
        return state

    def matters(self, state: Evaluation, by: Sender) -> Iterable[Evaluation]:  # noqa: ARG002
        return [state]


class ReviewRule[C: Struct](Rule[Evaluation, Subject, Status, C, Known, EvaluationEvent]):
    """A command about one side's review, by its id. What it makes of the weight follows."""

    def find(self, state: Evaluation, said: C, by: Sender) -> Subject:
        if not isinstance(state, Unopened):
            wanted: str = getattr(said, "review_id")  # noqa: B009 - all these commands have it
            for side, review in state.sheet.reviews.items():
                if review.review_id == wanted and may_know_of(state, side, by.actor):
                    return Subject(state=state, side=side, review=review)
        raise NotFound

    def matters(self, state: Evaluation, by: Sender) -> Iterable[Subject]:
        if isinstance(state, Unopened):
            return []
        return [
            Subject(state=state, side=side, review=state.sheet.reviews[side])
            for side in SIDES
            if is_there_for(state, side, by.actor)
        ]

    def then(
        self, matter: Subject, events: list[EvaluationEvent], by: Sender
    ) -> list[EvaluationEvent]:
        return weighed(matter.state, matter.side, events, by)


class BuyersReviewRule[C: Struct](ReviewRule[C]):
    """A command about the buyer's review, whatever its id."""

    def find(self, state: Evaluation, said: C, by: Sender) -> Subject:  # noqa: ARG002
        if not isinstance(state, Unopened) and is_there_for(state, "BUYER", by.actor):
            review = state.sheet.reviews["BUYER"]
            return Subject(state=state, side="BUYER", review=review)
        raise NotFound

    def matters(self, state: Evaluation, by: Sender) -> Iterable[Subject]:
        return [subject for subject in super().matters(state, by) if subject.side == "BUYER"]


# --- Guards


def by_author(subject: Subject, _: object, by: Sender) -> None:
    """who wrote it"""
    if not writes_for(subject.sheet, subject.side, by.actor):
        raise NotAParty


def by_reviewed(subject: Subject, _: object, by: Sender) -> None:
    """the reviewed party"""
    if not writes_for(subject.sheet, OTHER[subject.side], by.actor):
        raise NotAParty


def by_somebody(_: object, __: object, by: Sender) -> None:
    """nobody who was erased"""
    if by.known.erased:
        raise SubjectErased


def by_outsider(subject: Subject, _: object, by: Sender) -> None:
    """nobody with a stake in it"""
    impartial(subject, by)


AUTHOR = Guard[Subject, object, Known](by_author, NotAParty)
REVIEWED = Guard[Subject, object, Known](by_reviewed, NotAParty)
PERSON = Guard[object, object, Known](by_somebody, SubjectErased)


# --- From when till when


def from_reveal(subject: Subject, length: timedelta) -> Window:
    if not isinstance(subject.state, Revealed):
        return Window()
    at = subject.state.revealed_at
    return Window(at, at + length)


def up_to(until: datetime, length: timedelta) -> Window:
    return Window(until - length, until)
