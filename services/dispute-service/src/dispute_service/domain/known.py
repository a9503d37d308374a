"""What a decision about a dispute or an inquiry needs to know besides its stream."""

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct
from shared_casework.money import LedgerFacts
from shared_casework.order_facts import OrderFacts
from shared_events.fields import Party
from shared_runtime.decider import SubjectErased
from shared_runtime.rule import By, Guard

from dispute_service.domain.policy import Policies


class UnitFacts(Struct, frozen=True, kw_only=True):
    """One piece of an order as it is now, a replacement in the place of what it replaced.

    `in_dispute`, `in_return`: the open one that has it. `ended_by`: the dispute of it that came to
    an end, other than by its withdrawal; `withdrawn`: how many did. `shipped_at`, `delivered_at`
    are of a replacement; `arrival_assumed`: nobody told of that delivery.
    """

    unit: str
    in_dispute: str | None = None
    in_return: str | None = None
    ended_by: str | None = None
    withdrawn: int = 0
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    arrival_assumed: bool = False

    @property
    def line_id(self) -> str:
        return line_of(self.unit)

    @property
    def is_replacement(self) -> bool:
        return ".r" in self.unit.rpartition("/")[2]


class Known(Struct, frozen=True, kw_only=True):
    """Policies, and what other streams tell.

    `order`, its `units` in their order and its `ledger`. `open_disputes`, `withdrawn_disputes`,
    `open_inquiries`, `all_inquiries`: how many the order has; `inquiry_ids`: all of its buyer's.
    `manual_only`: a person decides what this buyer claims. `erased`: the sender; `erased_parties`:
    of the matter. `party_orgs`: the organisations that may not decide.
    """

    policies: Policies
    order: OrderFacts | None = None
    units: tuple[UnitFacts, ...] = ()
    ledger: LedgerFacts | None = None
    open_disputes: int = 0
    withdrawn_disputes: int = 0
    open_inquiries: int = 0
    all_inquiries: int = 0
    inquiry_ids: frozenset[str] = frozenset()
    manual_only: bool = False
    erased: bool = False
    erased_parties: frozenset[Party] = frozenset()
    party_orgs: frozenset[str] = frozenset()


type Sender = By[Known]


def ceiling_of(units: Iterable[str], by: Sender) -> int:
    assert by.known.ledger is not None
    return by.known.ledger.ceiling_minor(units)


def line_of(unit: str) -> str:
    return unit.rpartition("/")[0]


def party_of(by: Sender) -> Party:
    """The side that somebody acts for, where the roles of the command are parties alone."""
    role = by.actor.acts_as
    assert role in ("BUYER", "SELLER")
    return role


def by_somebody(_: object, __: object, by: Sender) -> None:
    """nobody who was erased"""
    if by.known.erased:
        raise SubjectErased


PERSON = Guard[object, object, Known](by_somebody, SubjectErased)
