"""What rows say depends on the log alone: not on how it was cut into batches, nor on a rebuild."""

from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import product
from typing import Any

import asyncpg
from msgspec.structs import replace
from review_service.projections.public import FollowUp, PublicReview, usefulness
from shared_events.orders import OrderCompleted, OrderLine, OrderPlaced
from shared_events.review import (
    EvaluationOpened,
    FollowUpAppended,
    ModerationAppealDecided,
    ModerationAppealed,
    ReplyPublished,
    ReviewFlagged,
    ReviewHeld,
    ReviewKept,
    ReviewReleased,
    ReviewRestored,
    ReviewRestricted,
    ReviewRevised,
    ReviewsRevealed,
    ReviewSubmitted,
    ReviewWeighted,
    ReviewWithdrawn,
    WeightReason,
)
from shared_runtime.sealing import PersonKey
from shared_runtime.testing import InMemoryKeyStore, ManualClock

type Tell = Callable[..., Awaitable[None]]
type Work = Callable[[], Awaitable[None]]

DAY = timedelta(days=1)
AT = datetime(2026, 1, 15, tzinfo=UTC)
FULL = PublicReview(
    order_id="O1",
    seller_id="S-77",
    review_id="R1",
    quality=5,
    logistics=5,
    service=5,
    incentive="NONE",
    text="s1.…",
    media=["s1.…"] * 4,
    revealed_at=AT,
    weight_milli=800,
    reasons=[WeightReason(code="CORROBORATED", effect_milli=1000)],
    measures=[],
    hidden=[],
)


def story(at: datetime, buyer: PersonKey, seller: PersonKey) -> Iterator[partial[Any]]:
    """Nearly everything that may happen to a review, up to its withdrawal."""
    line = OrderLine(line_id="1", sku="LAMP", category="home", quantity=1, unit_price_minor=100)
    yield partial(
        OrderPlaced,
        marketplace_id="market",
        country="BR",
        currency="BRL",
        placed_at=at,
        lines=[line, replace_sku(line, "SHADE")],
        order_discount_minor=0,
        shipping_minor=0,
        total_minor=200,
        total_ref_minor=1000,
        withdrawal_right=True,
    )
    yield partial(
        OrderCompleted,
        completed_at=at,
        completion_no=1,
        how="FEED",
        total_ref_minor=1000,
        late=False,
    )
    yield partial(
        EvaluationOpened, completed_at=at, completion_no=1, opened_at=at, closes_at=at + 15 * DAY
    )
    yield partial(ReviewSubmitted, side="SELLER", submitted_at=at, rating=4, incentive="NONE")
    first = partial(
        ReviewSubmitted, submitted_at=at, quality=1, logistics=2, service=1, incentive="NONE"
    )
    yield first
    yield partial(ReviewWithdrawn, before_reveal=True)
    yield partial(first, text=buyer.unsealed("Broken."), media=[buyer.unsealed("M-1")])
    yield partial(ReviewHeld, ground="CAMPAIGN", hold_until=at + 3 * DAY)
    yield partial(
        ReviewsRevealed,
        trigger="BOTH_IN",
        revealed_at=at,
        review_ids=["R1", "R2"],
        sides=["BUYER", "SELLER"],
    )
    weighted = partial(
        ReviewWeighted,
        reasons=[WeightReason(code="FULL", effect_milli=1000)],
        counted_at=at,
        decided_by="RULE",
    )
    yield partial(weighted, seq=1, weight_milli=0, excluded_dimensions=[])
    yield partial(weighted, seq=1, weight_milli=1000, excluded_dimensions=[], side="SELLER")
    yield partial(ReviewReleased, how="HOLD_EXPIRED")
    yield partial(weighted, seq=2, weight_milli=1000, excluded_dimensions=["LOGISTICS"])
    flag = partial(
        ReviewFlagged,
        flagger_role="SELLER",
        flagger_id="S-77",
        reason="FAKE",
        decide_by=at + 5 * DAY,
    )
    yield partial(flag, flag_id="F1")
    yield partial(flag, flag_id="F2", side="SELLER")
    yield partial(
        ReviewKept,
        flag_ids=["F1"],
        rule_ids=["R-1"],
        decided_by="mod-1",
        appeal_until=at + 183 * DAY,
    )
    yield partial(
        ReplyPublished, reply_id="Y1", text=seller.unsealed("Sorry!"), editable_until=at + DAY
    )
    hidden = partial(
        ReviewRestricted,
        ground="FAKE",
        rule_ids=["R-1"],
        measures=["HIDE_REVIEW"],
        automated_detection=False,
        decided_by="mod-2",
        appeal_until=at + 183 * DAY,
        retain_until=at + 365 * DAY,
    )
    yield partial(flag, flag_id="F3", part="REPLY")
    yield partial(hidden, measures=["HIDE_REPLY"])
    yield partial(ReviewRestored, appeal_id="A3", part="REPLY")
    yield partial(
        ModerationAppealed,
        appeal_id="A1",
        appellant_id="S-77",
        against="KEPT",
        text=seller.unsealed("It is not true."),
        decide_by=at + 14 * DAY,
    )
    yield partial(
        ModerationAppealDecided,
        appeal_id="A1",
        outcome="REVERSED",
        rule_ids=["R-1"],
        decided_by="mod-2",
    )
    yield hidden
    yield partial(ReviewRestored, appeal_id="A2")
    yield partial(FollowUpAppended, followup_id="U1", text=buyer.unsealed("Works now."))
    yield partial(hidden, measures=["HIDE_FOLLOW_UP"])
    yield partial(
        ReviewRevised,
        quality=5,
        logistics=2,
        service=5,
        was_quality=1,
        was_logistics=2,
        was_service=1,
    )
    yield partial(ReviewWithdrawn, before_reveal=False)


def replace_sku(line: OrderLine, sku: str) -> OrderLine:
    return OrderLine(
        line_id="2",
        sku=sku,
        category=line.category,
        quantity=line.quantity,
        unit_price_minor=line.unit_price_minor,
    )


async def test_rows_projected_event_by_event_equal_those_built_at_once(
    clock: ManualClock,
    tell: Tell,
    work: Work,
    rebuilt: Callable[[], Awaitable[bool]],
    key_store: InMemoryKeyStore,
) -> None:
    """One order is projected step by step, each of the others stops at one of the steps."""
    buyer, seller = await key_store.key_of("buyer:B-5"), await key_store.key_of("seller:S-77")
    steps = [*story(clock.at, buyer, seller)]
    for end in range(1, len(steps)):
        await tell(f"until-{end}", *steps[:end])
    for step in steps:
        await tell("O1", step)
        await work()
    assert await rebuilt()


async def test_what_its_author_has_withdrawn_is_in_no_row_any_more(
    clock: ManualClock,
    tell: Tell,
    work: Work,
    key_store: InMemoryKeyStore,
    pool: asyncpg.Pool,
) -> None:
    buyer, seller = await key_store.key_of("buyer:B-5"), await key_store.key_of("seller:S-77")
    await tell("O1", *story(clock.at, buyer, seller))
    await work()
    (row,) = await pool.fetch("SELECT * FROM read.public_reviews")
    assert not row["listed"]
    assert "s1." not in str([*row.values()])
    assert await pool.fetch("SELECT * FROM read.product_reviews") == []


def test_usefulness_does_not_depend_on_stars() -> None:
    """Law 14's sense: of all combinations, one figure."""
    told = {
        usefulness(replace(FULL, quality=quality, logistics=logistics, service=service))
        for quality, logistics, service in product(range(1, 6), repeat=3)
    }
    assert told == {800 + 400 + 3 * 100 + 300}


def test_what_is_hidden_is_of_no_use() -> None:
    assert usefulness(replace(FULL, measures=["HIDE_TEXT"])) == 800 + 300 + 300
    assert usefulness(replace(FULL, measures=["HIDE_MEDIA"])) == 800 + 400 + 300
    followed = replace(FULL, follow_up=FollowUp(text="s1.…", media=[], appended_at=AT))
    assert usefulness(followed) == usefulness(FULL) + 200
    assert usefulness(replace(followed, hidden=["FOLLOW_UP"])) == usefulness(FULL)
