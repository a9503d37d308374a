"""Who is calling and the parties of a matter in, who he is to them out.

A party is a party first, whatever other roles he has. To everybody else but staff and the feeds
the matter is not there.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import Depends, Query
from pydantic import Field
from shared_events.fields import Party
from shared_runtime.auth import Caller, require
from shared_runtime.decider import (
    Actor,
    FieldError,
    InvalidValue,
    NotFound,
    Role,
    RoleNotAllowed,
)
from shared_runtime.fields import Body, Instant

from shared_casework.parties import Account, is_party

PARTIES: tuple[Role, ...] = ("BUYER", "SELLER")
STAFF: tuple[Role, ...] = ("SENIOR", "AGENT", "AUDITOR")
"""Who judges between parties, and who reads everything."""
FEEDS: tuple[Role, ...] = ("SYSTEM", "IMPORTER")
"""Who tells what has happened elsewhere."""
AHEAD_MAX = timedelta(minutes=5)
"""How far the clock of whoever tells may be ahead of ours."""

type StatedAt = Annotated[
    Instant | None, Field(description="When it happened, if an importer tells; else it is now.")
]
type OnBehalfOf = Annotated[
    Literal["BUYER", "SELLER"] | None, Field(description="Whose it is, if an importer brings it.")
]
type AReader = Annotated[Caller, Depends(require(*PARTIES, *STAFF))]
type APartyOfOrders = Annotated[Caller, Depends(require(*PARTIES))]
type AStaffMember = Annotated[Caller, Depends(require(*STAFF))]
type AskedSide = Annotated[
    Party | None, Query(description="For somebody who buys and sells: as which. Else his role.")
]


class PersonBody(Body):
    """What a party sends. An importer says on whose behalf, and when it was."""

    on_behalf_of: OnBehalfOf = None
    at: StatedAt = None


class ToldBody(Body):
    """What a connector tells. It says when that was, if not now."""

    at: Annotated[
        Instant | None,
        Field(description="When it happened, if a feed or an importer tells; else it is now."),
    ] = None


def party(caller: Caller, parties: Collection[Account]) -> Actor | None:
    """The buyer or the seller of a matter; None if the caller is neither."""
    for role in PARTIES:
        if role in caller.roles and is_party(actor := caller.actor(role), parties):
            return actor
    return None


def asks_as(caller: Caller, asked: Party | None) -> tuple[Party, str]:
    """As which side he asks for what is his own, and the id that orders know him by. Raises
    `RoleNotAllowed`.
    """
    side: Party = asked or ("BUYER" if "BUYER" in caller.roles else "SELLER")
    if side not in caller.roles:
        raise RoleNotAllowed(allowed_roles=[side])
    return side, caller.sub if side == "BUYER" else caller.seller_id


def author(caller: Caller, parties: Collection[Account], body: PersonBody) -> Actor:
    """The party that the caller is, or that an importer brings something for."""
    if body.on_behalf_of is not None:
        if "IMPORTER" not in caller.roles:
            raise _invalid("on_behalf_of", "an importer says it")
        return caller.actor("IMPORTER", on_behalf_of=body.on_behalf_of)
    if actor := party(caller, parties):
        return actor
    if "IMPORTER" in caller.roles:
        raise _invalid("on_behalf_of", "required of an importer")
    raise NotFound


def stated(at: datetime | None, now: datetime, *, may_state: bool, field: str = "at") -> datetime:
    """When it happened: as a feed or an importer says, else now."""
    if at is None:
        return now
    if not may_state:
        raise _invalid(field, "a feed or an importer says it")
    if at > now + AHEAD_MAX:
        raise _invalid(field, "not after now")
    return at


def feed_actor(caller: Caller) -> Actor | None:
    """A connector, or an importer who speaks for one; None if the caller is neither."""
    if "SYSTEM" in caller.roles:
        return caller.actor("SYSTEM")
    if "IMPORTER" in caller.roles:
        return caller.actor("IMPORTER", on_behalf_of="SYSTEM")
    return None


def actor_of(
    caller: Caller, parties: Collection[Account], roles: Sequence[Role], body: PersonBody
) -> Actor:
    """Who comes to a door for these roles: as a party if it is for parties; else as staff. Raises
    `NotFound` for a buyer or a seller of other matters.
    """
    staff: list[Role] = [role for role in roles if role in caller.roles and role not in PARTIES]
    of_parties = any(role in PARTIES for role in roles)
    if of_parties and (party(caller, parties) or not staff):
        return author(caller, parties, body)
    return caller.actor(*staff)


def reader(caller: Caller, parties: Collection[Account]) -> Actor:
    """As whom somebody reads. Raises `NotFound` for a buyer or a seller of other matters."""
    if actor := party(caller, parties):
        return actor
    if caller.roles.isdisjoint(STAFF):
        raise NotFound
    return caller.actor(*STAFF)


def _invalid(field: str, bound: str) -> InvalidValue:
    return InvalidValue(errors=[FieldError(field=field, bound=bound)])
