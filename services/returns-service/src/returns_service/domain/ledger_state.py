"""What is known of the money of one order that is given back.

NONE -> OPEN (the ledger)

REQUESTED -> SETTLED (-> BOUNCED)        a refund
REQUESTED -> FAILED -> REQUESTED         its retries
REQUESTED, FAILED -> FAILED_FINAL (-> SETTLED: the answer came late)
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, TypedDict

from msgspec import Struct
from shared_casework.money import LedgerFacts, Money
from shared_casework.overdue import Deadline
from shared_casework.parties import Account, parties_of
from shared_events.returns import (
    RefundFailed,
    RefundLedgerOpened,
    RefundRequested,
    RefundSource,
)

from returns_service.domain.known import Sender
from returns_service.domain.policy import ReturnsPolicy

type LedgerStatus = Literal["NONE", "OPEN"]
type RefundStatus = Literal["REQUESTED", "FAILED", "FAILED_FINAL", "SETTLED", "BOUNCED"]
type OutsideStatus = Literal["RECORDED", "UNDONE"]

TO_REISSUE: tuple[RefundStatus, ...] = ("FAILED_FINAL", "BOUNCED")
"""The buyer has not got it, and will not by itself."""
UNPAID: tuple[RefundStatus, ...] = ("REQUESTED", "FAILED", "FAILED_FINAL", "BOUNCED")


class Unopened(Struct, frozen=True):
    @property
    def status(self) -> Literal["NONE"]:
        return "NONE"


class Absorbed(Struct, frozen=True, kw_only=True):
    """What of a refund that was the seller's the platform bears, by piece."""

    units: dict[str, int] = {}
    shipping_minor: int = 0

    @property
    def total_minor(self) -> int:
        return sum(self.units.values()) + self.shipping_minor


class Refund(Struct, frozen=True, kw_only=True):
    """`failure`: the last one. `word`: the reference of who has said that it is paid, or that it
    never was. `payment`: the gateway's own name for what it has paid, if it has said so itself.
    `reissued_by`: the one in its place; `given_by`: what had given it all when one was
    asked for. `absorbed`: goods for it are not recovered.
    """

    requested: RefundRequested
    status: RefundStatus = "REQUESTED"
    attempt: int = 1
    failure: RefundFailed | None = None
    word: str | None = None
    payment: str | None = None
    overdue_at: datetime
    reissued_by: str | None = None
    given_by: tuple[str, ...] | None = None
    absorbed: Absorbed = Absorbed()

    @property
    def refund_id(self) -> str:
        return self.requested.refund_id

    @property
    def total_minor(self) -> int:
        return self.requested.total_minor

    @property
    def platform_minor(self) -> int:
        """What of it the platform bears; the rest is the seller's."""
        all_of_it = self.requested.borne_by == "PLATFORM"
        return self.total_minor if all_of_it else self.absorbed.total_minor

    @property
    def is_owed(self) -> bool:
        """The buyer waits for it, no other one stands in its place, and none has given it."""
        is_answered = self.reissued_by is not None or self.given_by is not None
        return self.status in UNPAID and not is_answered


class Ids(TypedDict):
    """What every event about an order's refunds says."""

    order_id: str
    seller_id: str
    buyer_id: str
    policy_version: str


class Ledger(Struct, frozen=True, kw_only=True):
    """All money of an order that is given back, whoever ordered it.

    `outside`: what others gave, by its id. `not_due`: requests that nothing came of. `answered`:
    the units for which a remedy was, by its id; `met`: those for which nothing was left. `amends`:
    a refund so far was of a withdrawal or the seller's fault, so that shipping goes back with the
    last unit. `overdue`: what was told to be.
    """

    opened: RefundLedgerOpened
    money: Money
    refunds: dict[str, Refund] = {}
    outside: dict[str, OutsideStatus] = {}
    not_due: frozenset[str] = frozenset()
    answered: dict[str, frozenset[str]] = {}
    met: dict[str, frozenset[str]] = {}
    amends: bool = False
    overdue: frozenset[Deadline] = frozenset()

    @property
    def status(self) -> Literal["OPEN"]:
        return "OPEN"

    @property
    def ids(self) -> Ids:
        told = self.opened
        return Ids(
            order_id=told.order_id,
            seller_id=told.seller_id,
            buyer_id=told.buyer_id,
            policy_version=told.policy_version,
        )

    @property
    def currency(self) -> str:
        return self.opened.currency

    @property
    def parties(self) -> frozenset[Account]:
        return parties_of(buyer_id=self.opened.buyer_id, seller_id=self.opened.seller_id)

    @property
    def remaining(self) -> LedgerFacts:
        return self.money.remaining

    @property
    def refunded_minor(self) -> int:
        """All that has been paid and did not bounce."""
        paid = (each for each in self.refunds.values() if each.status == "SETTLED")
        return sum(each.total_minor for each in paid)

    @property
    def outside_minor(self) -> int:
        """What others have given and nobody has taken back."""
        given = (each for each in self.money.given if each.given_id in self.outside)
        return sum(each.total_minor for each in given if each.counts)

    def label_deducted(self, source_id: str, reissuing: str | None) -> int:
        """What the refunds of a return have deducted so far, those that failed too; but for one
        that another stands in the place of, or is about to.
        """
        return sum(
            each.requested.label_cost_minor
            for each in self.refunds.values()
            if each.requested.source_id == source_id
            and each.reissued_by is None
            and each.refund_id != reissuing
        )

    def desk_gave(self) -> int:
        """The goodwill of the desk that has not failed or bounced."""
        return self.money.parts(
            given
            for given in self.money.given
            if given.counts and is_of_desk(self.refunds.get(given.given_id))
        ).other_minor

    def before(self, refund_id: str) -> list[Refund]:
        """Those that this one stands in the place of, the last one first."""
        found: list[Refund] = []
        while reissued := self.refunds[refund_id].requested.reissues:
            refund_id = reissued
            found.append(self.refunds[refund_id])
        return found

    def first_of(self, refund_id: str) -> str:
        """The refund that this one stands in the place of, after however many others."""
        before = self.before(refund_id)
        return before[-1].refund_id if before else refund_id

    def has_answered(self, refund_id: str) -> bool:
        """Whether a request of this id has had its answer."""
        return refund_id in self.refunds or refund_id in self.not_due

    def policy(self, by: Sender) -> ReturnsPolicy:
        """The one that the stream began with."""
        return by.known.policies.of(self.opened.policy_version)


type LedgerState = Unopened | Ledger


def is_of_desk(refund: Refund | None) -> bool:
    asked = refund and refund.requested
    return bool(asked and asked.source == "GOODWILL" and asked.borne_by == "PLATFORM")


def makes_amends(source: RefundSource, seller_at_fault: bool) -> bool:
    """Whether shipping goes back with what is asked so, or with a later refund of the order."""
    return source == "WITHDRAWAL" or seller_at_fault


def in_order(money: Money, units: Iterable[str]) -> list[str]:
    """In the order of the lines; those that the ledger does not know are left out."""
    named = set(units)
    return [each.unit for each in money.units if each.unit in named]
