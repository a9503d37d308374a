"""Penalties, credits and an instant in, the balance and its level out.

Sums over what was recorded: whatever the order, and whether or not a timer told that something
has ended, the answer is the same.
"""

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace
from shared_events.reputation import Level, Severity, ViolationRule

from reputation_service.domain.points_policy import PointsPolicy

LEVELS: tuple[Level, ...] = ("NORMAL", "REDUCED", "RESTRICTED", "CRITICAL")
"""The best first."""
BALANCE_MAX = 100


class Lot(Struct, frozen=True, kw_only=True):
    """The points of one penalty. `expired`: its end was told; `reduced`: another one with fewer
    points takes its place.
    """

    penalty_id: str
    case_id: str
    rule: ViolationRule
    points: int
    severity: Severity
    applied_at: datetime
    expires_at: datetime
    stayed: bool = False
    reversed_at: datetime | None = None
    reduced: bool = False
    expired: bool = False

    def counts(self, at: datetime) -> bool:
        lasts = self.applied_at <= at < self.expires_at
        return lasts and (self.reversed_at is None or at < self.reversed_at)


class Credit(Struct, frozen=True, kw_only=True):
    """Points for good conduct. `expired`: their end was told."""

    points: int
    credited_at: datetime
    until: datetime
    expired: bool = False

    def counts(self, at: datetime) -> bool:
        return self.credited_at <= at < self.until


class Ledger(Struct, frozen=True, kw_only=True):
    """All points of an account that were ever given or taken. `start`: before any were."""

    start: int
    lots: dict[str, Lot] = {}
    credits: tuple[Credit, ...] = ()

    def with_lot(self, lot: Lot) -> "Ledger":
        return replace(self, lots=self.lots | {lot.penalty_id: lot})

    def without_lot(self, penalty_id: str) -> "Ledger":
        left = {key: lot for key, lot in self.lots.items() if key != penalty_id}
        return replace(self, lots=left)

    def with_credit(self, credit: Credit) -> "Ledger":
        return replace(self, credits=(*self.credits, credit))

    def active(self, at: datetime) -> list[Lot]:
        return [lot for lot in self.lots.values() if lot.counts(at)]

    def active_points(self, at: datetime) -> int:
        return sum(lot.points for lot in self.active(at))

    def credited(self, at: datetime) -> int:
        """The credits in force."""
        return sum(credit.points for credit in self.credits if credit.counts(at))

    def balance(self, at: datetime) -> int:
        return self.balance_of(self.active(at), at)

    def balance_of(self, lots: Iterable[Lot], at: datetime) -> int:
        points = self.start - sum(lot.points for lot in lots) + self.credited(at)
        return min(max(points, 0), BALANCE_MAX)

    def was_full(self, since: datetime, until: datetime) -> bool:
        """Whether the balance came back to where it starts, after `since` and by `until`.

        It changes only where a lot or a credit begins or ends.
        """
        return any(since < at <= until and self.balance(at) >= self.start for at in self.changes())

    def changes(self) -> Iterable[datetime]:
        for lot in self.lots.values():
            yield from (lot.applied_at, lot.expires_at)
            if lot.reversed_at:
                yield lot.reversed_at
        for credit in self.credits:
            yield from (credit.credited_at, credit.until)


def level_of(balance: int, policy: PointsPolicy) -> Level:
    if balance >= policy.credit_normal:
        return "NORMAL"
    if balance >= policy.credit_reduced:
        return "REDUCED"
    return "RESTRICTED" if balance >= policy.credit_restricted else "CRITICAL"


def best(levels: Iterable[Level]) -> Level:
    return min(levels, key=LEVELS.index)
