"""Days that were compared with the provider's book in, what came of each out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

import asyncpg
import msgspec
from msgspec import Struct
from shared_runtime.fields import Money

from returns_service.domain.ledger_state import RefundStatus

READ = "SELECT report::text FROM ports.reconciliation WHERE day = $1"

type TheirStatus = Literal["PENDING", "PAID", "REFUSED", "CANCELLED", "BOUNCED"]
"""How a refund stands in the provider's book."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciledRefund:
    """`gateway_refs`: the provider's names for it; several if it was made more than once there.
    `theirs`, `ours`: how it stands there and here; null where it is not known.
    """

    refund_id: str
    order_id: str
    gateway_refs: list[str]
    amount: Money
    theirs: TheirStatus | None
    ours: RefundStatus | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """A day (UTC) of the provider's book, beside ours. `state`: ASKED until it has been compared;
    all else is of then.

    `listed`: how many refunds the provider lists. `agreed`: how many stand there as here, and their
    amounts; `settled` are those of them that had been lost and were recorded by this comparison.
    `waiting`: under way on both sides. The rest is to be looked into: `only_theirs`, `only_ours`,
    that one side alone knows; `different`, of another amount or with another end; `paid_twice`.
    `clean`: there is nothing to look into.
    """

    day: date
    state: Literal["ASKED", "COMPARED"]
    compared_at: datetime | None = None
    clean: bool | None = None
    listed: int = 0
    agreed: int = 0
    agreed_amounts: Sequence[Money] = ()
    waiting: int = 0
    settled: Sequence[ReconciledRefund] = ()
    only_theirs: Sequence[ReconciledRefund] = ()
    only_ours: Sequence[ReconciledRefund] = ()
    different: Sequence[ReconciledRefund] = ()
    paid_twice: Sequence[ReconciledRefund] = ()


class ReportedRefund(Struct, frozen=True, kw_only=True):
    """A refund of a report."""

    refund_id: str
    order_id: str
    gateway_refs: list[str]
    amount_minor: int
    currency: str
    theirs: TheirStatus | None
    ours: RefundStatus | None


class Report(Struct, frozen=True, kw_only=True):
    """A comparison as it is kept; what its members are is said of `Reconciliation`."""

    day: date
    compared_at: datetime
    listed: int
    agreed: int
    agreed_minor: dict[str, int]
    waiting: int
    settled: list[ReportedRefund]
    only_theirs: list[ReportedRefund]
    only_ours: list[ReportedRefund]
    different: list[ReportedRefund]
    paid_twice: list[ReportedRefund]

    @property
    def to_look_into(self) -> list[ReportedRefund]:
        return [*self.only_theirs, *self.only_ours, *self.different, *self.paid_twice]


async def reconciliation_of(day: date, pool: asyncpg.Pool) -> Reconciliation | None:
    """None of a day that nobody has asked for, and that has not come by itself."""
    row = await pool.fetchrow(READ, day)
    if row is None:
        return None
    if row["report"] is None:
        return Reconciliation(day=day, state="ASKED")
    return reconciliation_view(msgspec.json.decode(row["report"], type=Report))


def reconciliation_view(kept: Report) -> Reconciliation:
    amounts = sorted(kept.agreed_minor.items())
    return Reconciliation(
        day=kept.day,
        state="COMPARED",
        compared_at=kept.compared_at,
        clean=not kept.to_look_into,
        listed=kept.listed,
        agreed=kept.agreed,
        agreed_amounts=[Money(amount=minor, currency=currency) for currency, minor in amounts],
        waiting=kept.waiting,
        settled=refunds_of(kept.settled),
        only_theirs=refunds_of(kept.only_theirs),
        only_ours=refunds_of(kept.only_ours),
        different=refunds_of(kept.different),
        paid_twice=refunds_of(kept.paid_twice),
    )


def refunds_of(lines: Sequence[ReportedRefund]) -> list[ReconciledRefund]:
    return [
        ReconciledRefund(
            refund_id=line.refund_id,
            order_id=line.order_id,
            gateway_refs=line.gateway_refs,
            amount=Money(amount=line.amount_minor, currency=line.currency),
            theirs=line.theirs,
            ours=line.ours,
        )
        for line in lines
    ]
