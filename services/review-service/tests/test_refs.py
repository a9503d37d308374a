"""A review is found by its `ref` from the moment on that somebody has been told of it."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from review_service.api.bulk import NDJSON
from review_service.api.examples import LINE, line_of
from review_service.domain.content import SellerReview
from review_service.domain.double_blind import SubmitReview
from review_service.domain.rules import EVALUATIONS, EvaluationCommand
from review_service.domain.streams import evaluation_stream, review_id_of, review_ref
from review_service.domain.weight import WeightFacts
from review_service.domain.withdrawal import WithdrawReview
from review_service.refs import find_ref, note_reviews
from review_service.settings import ReviewSettings
from review_service.testing import in_words, say
from shared_events.review import EvaluationOpened, Side
from shared_runtime.decider import Actor, Refused
from shared_runtime.log import Ask, handle
from shared_runtime.service import Parts
from shared_runtime.testing import ManualClock

type Caller = Callable[..., httpx.AsyncClient]
type Tell = Callable[..., Awaitable[None]]
type Work = Callable[[], Awaitable[None]]
type Decide = Callable[[EvaluationCommand], Awaitable[None]]

REF = review_ref("O1", "SELLER")


@pytest.fixture
def decide(parts: Parts[ReviewSettings]) -> Decide:
    """Has a command about O1 decided and recorded, as the routes do."""

    async def run(command: EvaluationCommand) -> None:
        ask = Ask(
            stream=evaluation_stream("O1"),
            command=command,
            cause=str(uuid4()),
            correlation="O1",
        )
        await handle(parts.log, EVALUATIONS, ask, note=note_reviews)

    return run


def opened(clock: ManualClock) -> partial[Any]:
    return partial(
        EvaluationOpened,
        completed_at=clock.at,
        completion_no=1,
        opened_at=clock.at,
        closes_at=clock.at + timedelta(days=15),
    )


def submission(clock: ManualClock) -> EvaluationCommand:
    content = in_words(SellerReview(rating=5))
    said = SubmitReview(review_id=review_id_of("O1", "SELLER"), **content)
    return say(said, facts=FACTS, now=clock.at, actor=SELLER)


SELLER = Actor(role="SELLER", id="S-77", org_id="S-77")
FACTS = WeightFacts(
    placed_at=datetime(2026, 1, 1, tzinfo=UTC), buyer_registered_at=None, total_ref_minor=1000
)
SIDES: tuple[Side, ...] = ("BUYER", "SELLER")


async def test_a_review_is_found_as_soon_as_it_is_recorded(
    clock: ManualClock, tell: Tell, decide: Decide, pool: asyncpg.Pool, work: Work
) -> None:
    await tell("O1", opened(clock))
    assert await find_ref(pool, REF) is None
    await decide(submission(clock))
    assert await find_ref(pool, REF) == ("O1", "SELLER", True)
    before = await pool.fetch("SELECT * FROM facts.review")
    await work()  # the reaction to own events repeats it
    assert await pool.fetch("SELECT * FROM facts.review") == before


async def test_what_is_refused_leaves_no_ref(
    clock: ManualClock, tell: Tell, decide: Decide, pool: asyncpg.Pool
) -> None:
    await tell("O1", opened(clock))
    clock.advance(timedelta(days=15))
    with pytest.raises(Refused):
        await decide(submission(clock))
    assert await find_ref(pool, REF) is None


async def test_a_review_written_once_more_is_of_when_it_was_written_last(
    clock: ManualClock, tell: Tell, decide: Decide, pool: asyncpg.Pool
) -> None:
    await tell("O1", opened(clock))
    await decide(submission(clock))
    review_id = review_id_of("O1", "SELLER")
    clock.advance(timedelta(hours=1))
    withdrawal = WithdrawReview(review_id=review_id)
    await decide(say(withdrawal, facts=FACTS, now=clock.at, actor=SELLER))
    clock.advance(timedelta(hours=1))
    await decide(submission(clock))
    assert await pool.fetchval("SELECT submitted_at FROM facts.review") == clock.at


async def test_where_there_is_none_another_one_is_given_to_be_read(
    clock: ManualClock, tell: Tell, decide: Decide, pool: asyncpg.Pool
) -> None:
    await tell("O1", opened(clock))
    await decide(submission(clock))
    for missing in ("0" * 32, "f" * 32, "", "é"):
        assert await find_ref(pool, missing) == ("O1", "SELLER", False)


async def test_what_is_brought_in_bulk_is_found_at_once(
    caller: Caller, clock: ManualClock, pool: asyncpg.Pool
) -> None:
    clock.advance(timedelta(days=10))
    brought = await caller("IMPORTER", "olist").post(
        "/v1/orders/bulk", content=line_of(LINE), headers={"Content-Type": NDJSON}
    )
    assert '"reviews":{"accepted":2' in brought.text
    for side in SIDES:
        ref = review_ref("O-1001", side)
        assert await find_ref(pool, ref) == ("O-1001", side, True)
        read = await caller("AUDITOR", "aud-1").get(f"/v1/reviews/{ref}")
        assert read.json()["order_id"] == "O-1001"
