"""Rows in, figures out: how disputes like one that is to be decided were decided before.

Alike are those of the same reason whose lines have a category in common, and whose amount is in the
same band. No parties are told of, and nobody who decided.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from msgspec import Struct
from shared_casework.figures import milli
from shared_events.dispute import DisputeReason, Outcome
from shared_runtime.log import Database

SIMILAR_OF = 5_000
"""Among so many of the latest decisions of a reason they are looked for."""
BANDS = (5_000, 20_000, 100_000)
"""Where bands of amounts end, in minor units of the reference currency."""

# What the lines are of, and how much they are in the reference currency, is told by their orders.
OF_ORDERS = """
    SELECT decided.*,
           ARRAY(SELECT DISTINCT line->>'category' FROM jsonb_array_elements(told.lines) AS line
                 WHERE line->>'line_id' = ANY(decided.line_ids)) AS categories,
           width_bucket(decided.ceiling_minor::numeric * told.total_ref_minor
                        / greatest(told.total_minor, 1), $1::numeric[]) AS band
    FROM ({decided}) AS decided JOIN read.order_facts AS told USING (order_id)
"""
THIS = "SELECT * FROM read.decided_dispute WHERE dispute_id = $2"
LATEST = """
    SELECT * FROM read.decided_dispute
    WHERE reason = (SELECT reason FROM this) AND decided_at IS NOT NULL AND dispute_id <> $2
    ORDER BY decided_at DESC LIMIT $3
"""
SIMILAR = f"""
    WITH this AS ({OF_ORDERS.format(decided=THIS)}),
    alike AS (
        SELECT past.* FROM ({OF_ORDERS.format(decided=LATEST)}) AS past, this
        WHERE past.categories && this.categories AND past.band = this.band),
    by_outcome AS (
        SELECT outcome, count(*) AS decided, count(*) FILTER (WHERE appealed) AS appealed,
               count(appeal_result) AS answered,
               count(*) FILTER (WHERE appeal_result = 'REVERSED') AS reversed,
               count(*) FILTER (WHERE appeal_result = 'MODIFIED') AS modified,
               percentile_disc(0.5) WITHIN GROUP (
                   ORDER BY 1000 * amount_minor / greatest(ceiling_minor, 1))
                   FILTER (WHERE amount_minor IS NOT NULL) AS median_milli
        FROM alike GROUP BY outcome ORDER BY count(*) DESC, outcome)
    SELECT json_build_object(
        'reason', (SELECT reason FROM this), 'categories', (SELECT categories FROM this),
        'band', (SELECT band FROM this), 'outcomes', (SELECT json_agg(told) FROM by_outcome AS told)
    )::text
"""  # noqa: S608 - statements of this file


class OutcomeRow(Struct, frozen=True, kw_only=True):
    outcome: Outcome
    decided: int
    appealed: int
    answered: int
    reversed: int
    modified: int
    median_milli: int | None = None


class SimilarRows(Struct, frozen=True, kw_only=True):
    """The answer of `SIMILAR`; without a reason the dispute or its order is not known there yet."""

    reason: DisputeReason | None = None
    categories: list[str] | None = None
    band: int | None = None
    outcomes: list[OutcomeRow] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarOutcome:
    """`median_milli`: of REFUND_PARTIAL the share of all that could be given, per thousand, that
    half of them gave at most. `reversed_milli`: of those that were decided again.
    """

    outcome: Outcome
    decided: int
    appealed: int
    reversed: int
    modified: int
    reversed_milli: int | None
    median_milli: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarDecisions:
    """How disputes of the same reason were decided, with a category in common and an amount of the
    same band: from `amount_from` on and below `amount_below`, in minor units of the reference
    currency.
    """

    reason: DisputeReason
    categories: list[str]
    amount_from: int
    amount_below: int | None
    decided: int
    outcomes: list[SimilarOutcome]


async def similar_to(dispute_id: str, db: Database) -> SimilarDecisions | None:
    """Of the latest decisions; None while the dispute or its order is not known there yet."""
    told = msgspec.json.decode(
        await db.fetchval(SIMILAR, [*BANDS], dispute_id, SIMILAR_OF), type=SimilarRows
    )
    if told.reason is None or told.band is None:
        return None
    outcomes = told.outcomes or []
    return SimilarDecisions(
        reason=told.reason,
        categories=sorted(told.categories or []),
        amount_from=(0, *BANDS)[told.band],
        amount_below=(*BANDS, None)[told.band],
        decided=sum(each.decided for each in outcomes),
        outcomes=similar_outcomes(outcomes),
    )


def similar_outcomes(rows: Sequence[OutcomeRow]) -> list[SimilarOutcome]:
    return [
        SimilarOutcome(
            outcome=each.outcome,
            decided=each.decided,
            appealed=each.appealed,
            reversed=each.reversed,
            modified=each.modified,
            reversed_milli=milli(each.reversed, each.answered),
            median_milli=each.median_milli,
        )
        for each in rows
    ]
