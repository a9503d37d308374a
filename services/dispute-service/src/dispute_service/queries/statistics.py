"""Rows in, figures out: what was decided by people, and what appeals made of it.

Counted are first decisions. Shares are per thousand, rounded half up, and null of nothing: of late
ones of all, of reversed ones of those that were appealed and decided again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg
from shared_casework.figures import milli
from shared_events.dispute import DisputeReason

PERIOD_DEFAULT = timedelta(days=365)

FIGURES = """
    SELECT reason, decided_by, count(*) AS decided, count(*) FILTER (WHERE late) AS late,
           count(*) FILTER (WHERE appealed) AS appealed,
           count(appeal_result) AS answered,
           count(*) FILTER (WHERE appeal_result = 'REVERSED') AS reversed,
           count(*) FILTER (WHERE appeal_result = 'MODIFIED') AS modified
    FROM read.decided_dispute WHERE decided_at >= $1 AND decided_at < $2
    GROUP BY GROUPING SETS ((reason), (decided_by)) ORDER BY reason, decided_by
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionFigures:
    """How a group of decisions was taken, and what appeals made of it."""

    decided: int
    late: int
    late_milli: int | None
    appealed: int
    reversed: int
    modified: int
    reversed_milli: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FiguresOfReason(DecisionFigures):
    reason: DisputeReason


@dataclass(frozen=True, slots=True, kw_only=True)
class FiguresOfAdjudicator(DecisionFigures):
    adjudicator_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjudicationStatistics:
    """Of what was first decided from `since` on and before `until`."""

    since: datetime
    until: datetime
    by_reason: list[FiguresOfReason]
    by_adjudicator: list[FiguresOfAdjudicator]


async def statistics(
    pool: asyncpg.Pool, since: datetime, until: datetime
) -> AdjudicationStatistics:
    rows = await pool.fetch(FIGURES, since, until)
    return AdjudicationStatistics(
        since=since,
        until=until,
        by_reason=[
            FiguresOfReason(reason=row["reason"], **figures(row)) for row in rows if row["reason"]
        ],
        by_adjudicator=[
            FiguresOfAdjudicator(adjudicator_id=row["decided_by"], **figures(row))
            for row in rows
            if row["decided_by"]
        ],
    )


def figures(row: asyncpg.Record) -> dict[str, Any]:
    counted = {name: row[name] for name in ("decided", "late", "appealed", "reversed", "modified")}
    return counted | {
        "late_milli": milli(row["late"], row["decided"]),
        "reversed_milli": milli(row["reversed"], row["answered"]),
    }
