"""Who reads a list of cases about orders in, which of them there are for him out."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared_runtime.auth import Caller

from shared_casework.callers import STAFF
from shared_casework.parties import accounts_of

OF_OTHER_ORGANISATIONS = """
    NOT EXISTS (SELECT FROM facts.party_org AS acting
        WHERE acting.order_id = {table}.order_id AND acting.org_id = {{}})
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseReader:
    """Of orders that one of his accounts is a party of, or for whose party somebody of his
    organisation has acted, there is no case for him.
    """

    id: str
    accounts: Sequence[str]
    org_id: str | None

    def only(self, table: str) -> dict[str, object]:
        """What a work list is to ask for besides hiding his own (`Wanted.only`): the cases of
        `table`, each of an order, for whose parties nobody of his organisation has acted.
        """
        condition = OF_OTHER_ORGANISATIONS.format(table=table)
        return {} if self.org_id is None else {condition: self.org_id}


def case_reader(caller: Caller) -> CaseReader:
    """A member of staff, with all ids that he is known by."""
    accounts = sorted({own.id for own in accounts_of(caller.actor(*STAFF))})
    return CaseReader(id=caller.sub, accounts=accounts, org_id=caller.org_id)
