"""Somebody who acts and the accounts of a matter in, whether the matter is his own out.

The ids of buyers and those of sellers are two spaces: the same id may be in both, and mean two
people. So an account is its kind and its id, and is never compared by the id alone.
"""

from collections.abc import Collection
from typing import Any, Literal, NamedTuple, Protocol, get_args

from shared_events.fields import Party
from shared_runtime.decider import Actor, NotAParty
from shared_runtime.rule import By, Guard

type AccountKind = Literal["BUYER", "SELLER", "STAFF"]

KINDS: tuple[AccountKind, ...] = get_args(AccountKind.__value__)
PARTIES = ("BUYER", "SELLER")
SIDES: tuple[Party, ...] = get_args(Party.__value__)


class Account(NamedTuple):
    """A buyer's, a seller's with all its members, or the own one of a member of staff."""

    kind: AccountKind
    id: str


def parties_of(*, buyer_id: str, seller_id: str) -> frozenset[Account]:
    """The two parties of an order and of whatever becomes of it."""
    return frozenset({Account("BUYER", buyer_id), Account("SELLER", seller_id)})


def seller_of(actor: Actor) -> str:
    """The one seller that somebody belongs to.

    A token with a seller's id is of that account alone: that its own subject is the id of another
    seller is chance. A token without one is of its subject.
    """
    member_of = actor.org_id if actor.role == "SELLER" else None
    return actor.seller_id or member_of or actor.id


def account_of(actor: Actor) -> Account:
    """Whose act it is: the account of the role that he acts in.

    An importer's acts are those of a party that only the command names.
    """
    match actor.acts_as:
        case "BUYER":
            return Account("BUYER", actor.id)
        case "SELLER":
            return Account("SELLER", seller_of(actor))
        case _:
            return Account("STAFF", actor.id)


def accounts_of(actor: Actor) -> frozenset[Account]:
    """All accounts that he has or belongs to, whatever role he acts in now.

    A machine has no account of its own, but it may belong to a seller, or to an organisation that
    buys and sells.
    """
    known: set[Account] = set()
    if actor.is_human:
        known |= {Account("BUYER", actor.id), Account("STAFF", actor.id)}
    if actor.is_human or seller_of(actor) != actor.id:
        known.add(Account("SELLER", seller_of(actor)))
    if actor.org_id and actor.role != "SELLER":  # a seller's organisation is his account
        known |= {Account("BUYER", actor.org_id), Account("SELLER", actor.org_id)}
    return frozenset(known)


def is_party(actor: Actor, parties: Collection[Account]) -> bool:
    """Whether a BUYER or a SELLER is one of these. Other roles are no parties, and not asked.

    An importer speaks for whoever the party was: the history that he brings names it.
    """
    return actor.role not in PARTIES or account_of(actor) in parties


def side_for(actor: Actor, parties: Collection[Account]) -> Party | None:
    """The side that somebody acts for, himself or by an importer; None for those who are no party.

    An importer speaks for whoever the party was.
    """
    if not is_party(actor, parties):
        return None
    return next((side for side in SIDES if actor.acts_as == side), None)


def is_involved(actor: Actor, parties: Collection[Account]) -> bool:
    """Whether he is one of these or belongs to one, whatever role he acts in."""
    return not accounts_of(actor).isdisjoint(parties)


def require_party(actor: Actor, parties: Collection[Account]) -> None:
    """Raises `NotAParty` where `is_party` says no."""
    if not is_party(actor, parties):
        raise NotAParty


class OfParties(Protocol):
    """A matter that says whose it is."""

    @property
    def parties(self) -> frozenset[Account]: ...


def by_party(matter: OfParties, _: object, by: By[Any]) -> None:
    require_party(by.actor, matter.parties)


PARTY = Guard(by_party, NotAParty)
"""Of the parties, none but those of this matter."""
