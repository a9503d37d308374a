"""What is known of one account: its points, what follows from them, and whether it stands.

ACTIVE -> NOTICE (30 days) -> TERMINATED      NOTICE -> ACTIVE      any -> ERASED
"""

from datetime import datetime
from typing import Literal, TypedDict

from msgspec import Struct
from shared_casework.parties import Account as Holder
from shared_events.common import MatterFact
from shared_events.fields import Party
from shared_events.reputation import (
    AccountOpened,
    Level,
    MeasureApplied,
    TerminationNoticeGiven,
)

from reputation_service.domain.known import Sender
from reputation_service.domain.points import Ledger, best, level_of
from reputation_service.domain.points_policy import PointsPolicy

type Status = Literal["ACTIVE", "NOTICE", "TERMINATED", "ERASED"]
STANDING: tuple[Status, ...] = ("ACTIVE", "NOTICE")


class Unopened(Struct, frozen=True):
    @property
    def status(self) -> Literal["NONE"]:
        return "NONE"


class Protection(Struct, frozen=True, kw_only=True):
    """Until then the public level is no worse than the real one was at the grant."""

    until: datetime
    level: Level


class Ids(TypedDict):
    """What every event about an account says."""

    account_kind: Party
    seller_id: str | None
    buyer_id: str | None
    policy_version: str


class Account(Struct, frozen=True, kw_only=True):
    """`level`: as it was told last. `measures`: those applied and not lifted, by their id, of
    `measures_ever` in all. `warned`: a WARNING was among them. `conduct_from`: since when a period
    of conduct runs. `notice`: of the termination. `waits_for`: what an erasure that was asked for
    is deferred by; `waits_until`: when time closes the first of it.
    """

    opened: AccountOpened
    status: Status = "ACTIVE"
    ledger: Ledger
    level: Level = "NORMAL"
    measures: dict[str, MeasureApplied] = {}
    measures_ever: int = 0
    warned: bool = False
    protections: tuple[Protection, ...] = ()
    conduct_from: datetime | None = None
    notice: TerminationNoticeGiven | None = None
    waits_for: frozenset[str] | None = None
    waits_until: datetime | None = None

    @property
    def kind(self) -> Party:
        return self.opened.account_kind

    @property
    def holder_id(self) -> str:
        told = self.opened
        holder = told.buyer_id if told.account_kind == "BUYER" else told.seller_id
        assert holder is not None
        return holder

    @property
    def parties(self) -> frozenset[Holder]:
        return frozenset({Holder(self.kind, self.holder_id)})

    @property
    def ids(self) -> Ids:
        told = self.opened
        return Ids(
            account_kind=told.account_kind,
            seller_id=told.seller_id,
            buyer_id=told.buyer_id,
            policy_version=told.policy_version,
        )

    @property
    def about(self) -> MatterFact:
        return MatterFact(**self.ids)

    def policy(self, by: Sender) -> PointsPolicy:
        """The one that the stream began with."""
        return by.known.policies.of(self.opened.policy_version)

    def measures_at(self, at: datetime) -> list[MeasureApplied]:
        """Those in force. One that has an end is over then, told or not."""
        applied = self.measures.values()
        return [each for each in applied if each.ends_at is None or at < each.ends_at]

    def suspension(self, at: datetime) -> MeasureApplied | None:
        """The one in force."""
        suspended = (each for each in self.measures_at(at) if each.measure == "SUSPENSION")
        return next(suspended, None)

    def real_level(self, at: datetime, policy: PointsPolicy) -> Level:
        return level_of(self.ledger.balance(at), policy)

    def public_level(self, at: datetime, policy: PointsPolicy) -> Level:
        """No protection hides that an account is CRITICAL."""
        real = self.real_level(at, policy)
        if real == "CRITICAL":
            return real
        return best([real, *(each.level for each in self.protections if at < each.until)])


type AccountState = Unopened | Account
