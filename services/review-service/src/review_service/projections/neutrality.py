"""Events in, rows out: how each buyer's review was treated, and how large each seller is.

What the public figures are summed up from. The stars are those of the reveal, so that nothing
which comes later moves a review from one group to another. Flags and appeals of a reply or a
follow-up count with those of their review; a part that is hidden does not hide the review.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import cast, get_args

from msgspec import Struct
from msgspec.structs import replace
from shared_events import orders, review
from shared_events.common import DecisionOverdue
from shared_events.envelope import Recorded
from shared_events.orders import OrderCompleted, OrderReopened
from shared_events.review import (
    ModerationAppealDecided,
    ModerationAppealed,
    ReviewAmended,
    ReviewFlagged,
    ReviewHeld,
    ReviewReleased,
    ReviewRestored,
    ReviewRestricted,
    ReviewsRevealed,
    ReviewSubmitted,
    ReviewWithdrawn,
)
from shared_runtime.delivery import Connection
from shared_runtime.projections import Projection
from shared_runtime.rows import Rows

from review_service.domain.review_state import part_of
from review_service.projections.stars import overall_stars

NEUTRALITY_DDL = """
    CREATE TABLE treated_reviews (
        order_id text PRIMARY KEY,
        seller_id text NOT NULL,
        stars bigint NOT NULL,
        submitted_at timestamptz NOT NULL,
        revealed_at timestamptz,
        visible_at timestamptz,
        held boolean NOT NULL,
        restricted boolean NOT NULL,
        flags bigint NOT NULL,
        appeals bigint NOT NULL,
        appeals_reversed bigint NOT NULL,
        flags_overdue bigint NOT NULL,
        appeals_overdue bigint NOT NULL,
        is_held boolean NOT NULL,
        is_hidden boolean NOT NULL
    );
    CREATE INDEX treated_reviews_by_reveal ON treated_reviews (revealed_at);
    CREATE TABLE seller_sizes (seller_id text PRIMARY KEY, orders_completed bigint NOT NULL);
"""
ADD_ORDERS = """
    INSERT INTO seller_sizes AS size (seller_id, orders_completed)
    SELECT * FROM unnest($1::text[], $2::bigint[])
    ON CONFLICT (seller_id) DO UPDATE SET
        orders_completed = size.orders_completed + excluded.orders_completed
"""


class TreatedReview(Struct, frozen=True, kw_only=True):
    """`held` and `restricted`: it was, at some time; `is_…`: it is. `visible_at`: the first time
    that everybody could read it. `…_overdue`: how many were not decided in time.
    """

    order_id: str
    seller_id: str
    stars: int
    submitted_at: datetime
    revealed_at: datetime | None = None
    visible_at: datetime | None = None
    held: bool = False
    restricted: bool = False
    flags: int = 0
    appeals: int = 0
    appeals_reversed: int = 0
    flags_overdue: int = 0
    appeals_overdue: int = 0
    is_held: bool = False
    is_hidden: bool = False


type TreatmentEvent = (
    ReviewSubmitted
    | ReviewAmended
    | ReviewsRevealed
    | ReviewWithdrawn
    | ReviewFlagged
    | ReviewHeld
    | ReviewReleased
    | ReviewRestricted
    | ReviewRestored
    | ModerationAppealed
    | ModerationAppealDecided
    | DecisionOverdue
)
type SizeEvent = OrderCompleted | OrderReopened
ROWS = Rows(table="treated_reviews", key="order_id", row=TreatedReview)


async def neutrality(batch: Sequence[Recorded[TreatmentEvent | SizeEvent]], db: Connection) -> None:
    treated: list[Recorded[TreatmentEvent]] = []
    sizes: Counter[str] = Counter()
    for recorded in batch:
        match recorded.event:
            case OrderCompleted(seller_id=seller_id):
                sizes[seller_id] += 1
            case OrderReopened(seller_id=seller_id):
                sizes[seller_id] -= 1
            case _:
                treated.append(cast("Recorded[TreatmentEvent]", recorded))
    await ROWS.fold_recorded(treated, db, key_of=order_of_the_buyers, evolve=evolve)
    if sizes:
        await db.execute(ADD_ORDERS, [*sizes.keys()], [*sizes.values()])


def order_of_the_buyers(event: TreatmentEvent) -> str | None:
    """None for what is told of a seller's review alone."""
    if isinstance(event, ReviewsRevealed):
        return event.order_id if "BUYER" in event.sides else None
    return event.order_id if event.side == "BUYER" else None


def evolve(
    before: TreatedReview | None, recorded: Recorded[TreatmentEvent]
) -> TreatedReview | None:
    event = recorded.event
    if isinstance(event, ReviewSubmitted):
        return TreatedReview(
            order_id=event.order_id,
            seller_id=event.seller_id,
            stars=overall(event),
            submitted_at=event.submitted_at,
        )
    if before is None:
        return None
    after = evolve_known(before, event)
    is_visible = after.revealed_at and not after.is_held and not after.is_hidden
    if is_visible and after.visible_at is None:
        at = event.revealed_at if isinstance(event, ReviewsRevealed) else recorded.time
        return replace(after, visible_at=at)
    return after


def evolve_known(  # noqa: C901, PLR0911, PLR0912 - one arm for each event
    treated: TreatedReview, event: TreatmentEvent
) -> TreatedReview:
    match event:
        case ReviewAmended():
            return replace(treated, stars=overall(event))
        case ReviewsRevealed():
            return replace(treated, revealed_at=event.revealed_at)
        case ReviewFlagged():
            return replace(treated, flags=treated.flags + 1)
        case ReviewHeld():
            return replace(treated, held=True, is_held=True)
        case ReviewReleased():
            return replace(treated, is_held=False)
        case ReviewRestricted(measures=measures) if part_of(measures):
            return treated
        case ReviewRestricted():
            hides = "HIDE_REVIEW" in event.measures
            return replace(treated, restricted=True, is_held=False, is_hidden=hides)
        case ReviewRestored(part=None):
            return replace(treated, is_hidden=False)
        case ReviewWithdrawn():  # what was never read will not be
            return replace(treated, is_hidden=True)
        case ModerationAppealed():
            return replace(treated, appeals=treated.appeals + 1)
        case ModerationAppealDecided(outcome="REVERSED"):
            return replace(treated, appeals_reversed=treated.appeals_reversed + 1)
        case DecisionOverdue(what="FLAG"):
            return replace(treated, flags_overdue=treated.flags_overdue + 1)
        case DecisionOverdue(what="MODERATION_APPEAL"):
            return replace(treated, appeals_overdue=treated.appeals_overdue + 1)
        case _:
            return treated


def overall(event: ReviewSubmitted | ReviewAmended) -> int:
    assert event.quality is not None
    assert event.logistics is not None
    assert event.service is not None
    return overall_stars(event.quality, event.logistics, event.service)


NEUTRALITY = Projection(
    name="neutrality",
    version=3,
    topics=(orders.TOPIC, review.TOPIC),
    handles=(*get_args(TreatmentEvent.__value__), *get_args(SizeEvent.__value__)),
    tables=("treated_reviews", "seller_sizes"),
    ddl=NEUTRALITY_DDL,
    apply=neutrality,
)
