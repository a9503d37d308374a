"""A period in, what each of its days has moved of the refunds' money out.

Days are those of UTC. Figures are what a provider's own account of a day is compared with.
"""

from dataclasses import dataclass
from datetime import date, datetime

import asyncpg
from shared_runtime.fields import Money

from returns_service.projections.refunds import MovementKind
from returns_service.queries.refunds import RefundReader

FIGURES = """
    SELECT (at AT TIME ZONE 'UTC')::date AS day, currency, kind, count(*), sum(amount_minor)::bigint
    FROM read.refund_movement WHERE at >= $1 AND at < $2{condition}
    GROUP BY day, currency, kind ORDER BY day, currency
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureView:
    count: int
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFigures:
    """What one day has moved, in one currency. `failed`: for good. `outside` was given back by
    others, and `undone` taken by them again. `overpaid`: found to have been given twice.
    """

    day: date
    currency: str
    settled: FigureView
    failed: FigureView
    bounced: FigureView
    outside: FigureView
    undone: FigureView
    overpaid: FigureView


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundFigures:
    """`until` is not in it. Days on which nothing has moved are left out."""

    since: datetime
    until: datetime
    days: list[DayFigures]


async def figures_of(
    pool: asyncpg.Pool, reader: RefundReader, since: datetime, until: datetime
) -> RefundFigures:
    condition, value = reader.condition(3)
    rows = await pool.fetch(FIGURES.format(condition=condition), since, until, value)
    days: dict[tuple[date, str], dict[MovementKind, tuple[int, int]]] = {}
    for day, currency, kind, count, amount in rows:
        days.setdefault((day, currency), {})[kind] = (count, amount)
    return RefundFigures(
        since=since,
        until=until,
        days=[day_view(day, currency, moved) for (day, currency), moved in days.items()],
    )


def day_view(day: date, currency: str, moved: dict[MovementKind, tuple[int, int]]) -> DayFigures:
    def figure(kind: MovementKind) -> FigureView:
        count, amount = moved.get(kind, (0, 0))
        return FigureView(count=count, amount=Money(amount=amount, currency=currency))

    return DayFigures(
        day=day,
        currency=currency,
        settled=figure("SETTLED"),
        failed=figure("FAILED"),
        bounced=figure("BOUNCED"),
        outside=figure("OUTSIDE"),
        undone=figure("UNDONE"),
        overpaid=figure("OVERPAID"),
    )
