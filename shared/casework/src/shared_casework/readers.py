"""Somebody and the accounts of a matter in, as what he reads of it out."""

from collections.abc import Collection
from typing import Literal

from shared_events.fields import Party
from shared_runtime.decider import Actor

from shared_casework.parties import Account, is_involved, is_party

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
