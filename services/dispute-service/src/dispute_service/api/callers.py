"""Who is calling and the parties of a matter in, as whom he reads it out."""

from collections.abc import Collection
from typing import Annotated

from fastapi import Depends
from shared_casework.callers import PARTIES, party
from shared_casework.parties import Account, accounts_of
from shared_runtime.auth import Caller, require
from shared_runtime.decider import Actor, NotFound, Role

from dispute_service.queries.adjudication import CaseReader

STAFF: tuple[Role, ...] = ("SENIOR", "AGENT", "AUDITOR")
type Reader = Annotated[Caller, Depends(require(*PARTIES, *STAFF))]
type APartyOfOrders = Annotated[Caller, Depends(require(*PARTIES))]
type AStaffMember = Annotated[Caller, Depends(require(*STAFF))]


def reader(caller: Caller, parties: Collection[Account]) -> Actor:
    """As whom somebody reads. Raises `NotFound` for a buyer or a seller of other orders."""
    if actor := party(caller, parties):
        return actor
    if caller.roles.isdisjoint(STAFF):
        raise NotFound
    return caller.actor(*STAFF)


def case_reader(caller: Caller) -> CaseReader:
    """Who reads, with all ids that he is known by."""
    accounts = {own.id for own in accounts_of(caller.actor(*STAFF))}
    return CaseReader(id=caller.sub, accounts=accounts, org_id=caller.org_id)
