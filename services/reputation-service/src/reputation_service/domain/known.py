"""What a decision about an account or a case needs to know besides its stream."""

from datetime import datetime

from msgspec import Struct
from shared_runtime.decider import SubjectErased
from shared_runtime.rule import By, Guard

from reputation_service.domain.points_policy import Policies


class ClaimFacts(Struct, frozen=True, kw_only=True):
    """What a buyer has claimed in the span that counts: disputes that he lost by his own fault, of
    so many orders. `warned`: by a measure, before.
    """

    lost: int = 0
    orders: int = 0
    warned: bool = False


class Known(Struct, frozen=True, kw_only=True):
    """Policies, and what other streams tell.

    `party_orgs`: the organisations that may not decide. `erased`: the accused is gone.
    `is_safety_case`: the named case is a safety case, open or confirmed. `open_ids`: the person's
    matters that are open; `open_until`: when time closes the first of them. `has_account`: of whom
    a case is opened; `claimed_by`: the case that was opened for the same cause; `claims`: of a
    buyer.
    """

    policies: Policies
    party_orgs: frozenset[str] = frozenset()
    erased: bool = False
    is_safety_case: bool = False
    open_ids: frozenset[str] = frozenset()
    open_until: datetime | None = None
    has_account: bool = False
    claimed_by: str | None = None
    claims: ClaimFacts = ClaimFacts()


type Sender = By[Known]


def by_somebody(_: object, __: object, by: Sender) -> None:
    """nobody who was erased"""
    if by.known.erased:
        raise SubjectErased


PERSON = Guard[object, object, Known](by_somebody, SubjectErased)
