"""Who is calling and whose a matter is in, as whom he reads it out."""

from collections.abc import Collection
from typing import Annotated

from fastapi import Depends
from shared_casework.callers import PARTIES, party
from shared_casework.parties import Account
from shared_runtime.auth import Caller, require
from shared_runtime.decider import Actor, NotFound, Role

from reputation_service.domain.readers import Reader

STAFF: tuple[Role, ...] = ("SENIOR", "ANALYST", "AUDITOR")
"""Who decides cases, and who reads everything."""
ALL_STAFF: tuple[Role, ...] = (*STAFF, "PRIVACY", "SYSTEM")
SCORE_STAFF: tuple[Role, ...] = ("AGENT", "MODERATOR", *STAFF)
"""Who reads what is behind a score: also those who decide other things about its events."""
EVERYBODY: tuple[Role, ...] = (
    *PARTIES,
    *SCORE_STAFF,
    "SYSTEM",
    "IMPORTER",
    "PRIVACY",
    "STOREFRONT",
)

type CaseReader = Annotated[Caller, Depends(require(*PARTIES, *STAFF))]
type AccountReader = Annotated[Caller, Depends(require(*PARTIES, *ALL_STAFF))]
type MeasuresReader = Annotated[Caller, Depends(require(*PARTIES, *STAFF, "SYSTEM"))]
type AStaffMember = Annotated[Caller, Depends(require(*STAFF))]
type AScoreReader = Annotated[Caller, Depends(require(*SCORE_STAFF))]
type AReaderOfBuyers = Annotated[Caller, Depends(require("BUYER", *SCORE_STAFF))]
"""Who may be told how a buyer stands, if it is he, and staff: for all others there is nothing."""
type AReaderOfSellers = Annotated[Caller, Depends(require("SELLER", *SCORE_STAFF))]
"""The same of what is behind a seller's score."""
type Anybody = Annotated[Caller, Depends(require(*EVERYBODY))]


def reader(caller: Caller, parties: Collection[Account], staff: tuple[Role, ...] = STAFF) -> Actor:
    """As whom somebody reads. Raises `NotFound` for a buyer or a seller who is somebody else."""
    if actor := party(caller, parties):
        return actor
    if caller.roles.isdisjoint(staff):
        raise NotFound
    return caller.actor(*staff)


def reads_as_staff(caller: Caller) -> bool:
    """A party is a party first, whatever other roles he has."""
    return not caller.roles.isdisjoint(SCORE_STAFF) and caller.roles.isdisjoint(PARTIES)


def reader_of_buyer(caller: Caller, buyer_id: str) -> Reader:
    """As whom somebody reads of a buyer, of whom nothing is public."""
    if "BUYER" in caller.roles and caller.sub == buyer_id:
        return "HOLDER"
    belongs = buyer_id in (caller.sub, caller.org_id)
    return "STAFF" if reads_as_staff(caller) and not belongs else "PUBLIC"


def reader_of(caller: Caller, seller_id: str) -> Reader:
    """As whom somebody reads of a seller; no member of the seller's sees as staff what the seller
    does not.
    """
    if "SELLER" in caller.roles and caller.seller_id == seller_id:
        return "HOLDER"
    belongs = seller_id in (caller.seller_id, caller.org_id)
    return "STAFF" if reads_as_staff(caller) and not belongs else "PUBLIC"
