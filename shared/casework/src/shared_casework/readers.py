"""Somebody and the accounts of a matter in, as what he reads of it out."""

from collections.abc import Collection
from typing import Literal

from shared_events.fields import Party
from shared_runtime.decider import Actor

from shared_casework.parties import PARTIES, Account, accounts_of, is_involved, is_party

type Reader = Party | Literal["STAFF", "EVERYTHING"]
"""STAFF decides disputes and refunds; an auditor and the service itself read everything."""


def reader_of(actor: Actor, parties: Collection[Account]) -> Reader | None:
    """As what somebody reads; None if it is nothing to him. Staff who belong to a party are none:
    they would read what the other one has not shown.
    """
    match actor.acts_as:
        case "BUYER" | "SELLER" as side:
            return side if is_party(actor, parties) else None
        case "AGENT" | "SENIOR":
            return None if is_involved(actor, parties) else "STAFF"
        case "AUDITOR":
            return None if is_involved(actor, parties) else "EVERYTHING"
        case "SYSTEM":
            return "EVERYTHING"
        case _:
            return None


def as_party(actor: Actor, parties: Collection[Account]) -> Actor | None:
    """As whom somebody reads a matter who reads many: a buyer or a seller his own, None others'. A
    machine of a party as that party: it would read what the other one has not shown.
    """
    if actor.acts_as in PARTIES:
        return actor if is_party(actor, parties) else None
    own = sorted(accounts_of(actor) & frozenset(parties))
    if not own:
        return actor
    kind, account = own[0]
    if kind == "BUYER":
        return Actor(role="BUYER", id=account)
    return Actor(role="SELLER", id=account, org_id=account, seller_id=account)
