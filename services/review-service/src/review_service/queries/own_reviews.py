"""Rows in, pages out: what a party has written and received, each as its reader may know it.

Which reviews there are comes from rows; what one says is the fold of the events that its reader may
know of.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

import asyncpg
from msgspec import Struct
from shared_events.review import EvaluationEvent, Side
from shared_runtime.decider import Actor
from shared_runtime.pages import Keyset, PageStart

from review_service.domain.evaluation_state import (
    EvaluationStatus,
    Open,
    Paused,
    Revealed,
    Unopened,
)
from review_service.domain.readers import read_by
from review_service.domain.subject import OTHER
from review_service.refs import RefOf
from review_service.views import ReviewView, review_view, subject_of

type Kind = Literal["WRITTEN", "RECEIVED"]

KINDS: Mapping[Kind, str] = {
    "WRITTEN": """
        SELECT order_id, seller_id, buyer_id, {side}_wrote_at AS at, 'WRITTEN' AS kind
        FROM read.own_reviews WHERE {side}_id = $2 AND {side}_wrote_at IS NOT NULL
    """,
    "RECEIVED": """
        SELECT order_id, seller_id, buyer_id, revealed_at AS at, 'RECEIVED' AS kind
        FROM read.own_reviews
        WHERE {side}_id = $2 AND {other}_wrote_at IS NOT NULL AND revealed_at IS NOT NULL
    """,
}
# Each kind is in the order of an index of its own, and no longer than a page.
PART = "(SELECT * FROM ({kind}) AS told WHERE true{behind} ORDER BY {order} LIMIT $1)"
PAGE = "SELECT * FROM ({parts}) AS listed ORDER BY {order} LIMIT $1"
NEWEST = Keyset(columns={"at": "timestamptz", "order_id": "text", "kind": "text"}, descending=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnReviewView:
    """A review that you wrote, or one about you once it is revealed.

    `at`: when you wrote it, or when it was revealed to you. `state` is that of the evaluation: both
    sides are revealed when both have written, at `closes_at` at the latest; while its clock stands
    still, it runs again at `cap_at` at the latest.
    """

    order_id: str
    seller_id: str
    buyer_id: str
    kind: Kind
    at: datetime
    state: EvaluationStatus
    closes_at: datetime | None
    cap_at: datetime | None
    revealed_at: datetime | None
    review: ReviewView


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnReviewPage:
    items: list[OwnReviewView]
    next_cursor: str | None


class OwnListed(NamedTuple):
    """A review of a page."""

    order_id: str
    seller_id: str
    buyer_id: str
    at: datetime
    kind: Kind


class WantedOwnReviews(Struct, frozen=True, kw_only=True):
    """Whose, and whether those alone that he wrote or that he received."""

    side: Side
    account: str
    kind: Kind | None = None

    @property
    def name(self) -> str:
        """What its cursors belong to."""
        return f"reviews of {self}"

    def sql(self, start: PageStart) -> tuple[str, list[Any]]:
        """The query of a page, and its parameters."""
        sides = {"side": self.side.lower(), "other": OTHER[self.side].lower()}
        behind, order = NEWEST.behind(start, 3), NEWEST.order()
        parts = [
            PART.format(kind=sql.format(**sides), behind=behind, order=order)
            for kind, sql in KINDS.items()
            if self.kind in (None, kind)
        ]
        page = PAGE.format(parts=" UNION ALL ".join(parts), order=order)
        return page, [start.rows_max, self.account, *NEWEST.values(start)]


async def listed_reviews(
    pool: asyncpg.Pool, wanted: WantedOwnReviews, start: PageStart
) -> tuple[Sequence[OwnListed], str | None]:
    """The reviews of a page, and the cursor of the next one."""
    sql, values = wanted.sql(start)
    found = [OwnListed(*row) for row in await pool.fetch(sql, *values)]
    return start.cut(found, lambda row: (row.at, row.order_id, row.kind))


def own_review_view(
    listed: OwnListed,
    actor: Actor,
    side: Side,
    history: Sequence[EvaluationEvent],
    ref_of: RefOf,
) -> OwnReviewView | None:
    """As its reader, who is on this side, may know it; None of one withdrawn this very moment."""
    reading = read_by(actor, history)
    state = reading.state
    subject = subject_of(reading, side if listed.kind == "WRITTEN" else OTHER[side])
    if subject is None or isinstance(state, Unopened):
        return None
    return OwnReviewView(
        order_id=listed.order_id,
        seller_id=listed.seller_id,
        buyer_id=listed.buyer_id,
        kind=listed.kind,
        at=listed.at,
        state=state.status,
        closes_at=state.closes_at if isinstance(state, Open) else None,
        cap_at=state.cap_at if isinstance(state, Paused) else None,
        revealed_at=state.revealed_at if isinstance(state, Revealed) else None,
        review=review_view(reading, subject, ref_of),
    )
