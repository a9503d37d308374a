"""What a decision about an order's money needs to know besides its stream."""

from msgspec import Struct
from shared_casework.order_facts import OrderFacts
from shared_runtime.decider import SubjectErased
from shared_runtime.rule import By, Guard

from returns_service.domain.policy import Policies


class Known(Struct, frozen=True, kw_only=True):
    """Policies, and what other streams tell.

    `erased`: the sender. `party_orgs`: the organisations that may not decide.
    """

    policies: Policies
    order: OrderFacts | None = None
    erased: bool = False
    party_orgs: frozenset[str] = frozenset()


type Sender = By[Known]


def by_somebody(_: object, __: object, by: Sender) -> None:
    """nobody who was erased"""
    if by.known.erased:
        raise SubjectErased


PERSON = Guard[object, object, Known](by_somebody, SubjectErased)
