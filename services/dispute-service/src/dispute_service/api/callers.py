"""Who is calling in, as whom he reads the work list out."""

from shared_casework.callers import STAFF
from shared_casework.parties import accounts_of
from shared_runtime.auth import Caller

from dispute_service.queries.adjudication import CaseReader


def case_reader(caller: Caller) -> CaseReader:
    """Who reads, with all ids that he is known by."""
    accounts = {own.id for own in accounts_of(caller.actor(*STAFF))}
    return CaseReader(id=caller.sub, accounts=accounts, org_id=caller.org_id)
