"""A shop is not sent again what it has, and never shown what nobody may read any more."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import httpx
import pytest
from shared_events.review import ReviewsRevealed, ReviewSubmitted, ReviewWeighted, WeightReason
from shared_runtime.testing import InMemoryKeyStore, ManualClock

type Caller = Callable[..., httpx.AsyncClient]
type Tell = Callable[..., Awaitable[None]]
type Work = Callable[[], Awaitable[None]]

REVIEWS, RATINGS = "/v1/sellers/S-77/reviews", "/v1/sellers/S-77/ratings"
OF_PRODUCT = "?marketplace_id=market"
EVERYWHERE = (
    REVIEWS,
    RATINGS,
    f"/v1/products/LAMP-4/reviews{OF_PRODUCT}",
    f"/v1/products/LAMP-4/ratings{OF_PRODUCT}",
)


@pytest.fixture
def shop(caller: Caller) -> httpx.AsyncClient:
    return caller("STOREFRONT", "www")


@pytest.fixture
def written(tell: Tell, clock: ManualClock, work: Work, key_store: InMemoryKeyStore) -> Any:  # noqa: ANN401
    async def written(order_id: str) -> None:
        ana = await key_store.key_of("buyer:B-5")
        await tell(
            order_id,
            partial(
                ReviewSubmitted,
                submitted_at=clock.at,
                quality=5,
                logistics=4,
                service=5,
                incentive="NONE",
                text=ana.unsealed("Bright."),
            ),
            partial(
                ReviewsRevealed,
                trigger="WINDOW_CLOSED",
                revealed_at=clock.at,
                review_ids=["R1"],
                sides=["BUYER"],
            ),
            partial(
                ReviewWeighted,
                seq=1,
                weight_milli=1000,
                reasons=[WeightReason(code="FULL", effect_milli=1000)],
                excluded_dimensions=[],
                counted_at=clock.at,
                decided_by="RULE",
            ),
        )
        await work()

    return written


async def ask(shop: httpx.AsyncClient, path: str, etag: str) -> httpx.Response:
    return await shop.get(path, headers={"If-None-Match": etag})


async def test_what_a_shop_has_is_not_sent_again_until_it_changes(
    shop: httpx.AsyncClient, written: Callable[[str], Awaitable[None]]
) -> None:
    await written("O1")
    for path in EVERYWHERE:
        first = await shop.get(path)
        etag = first.headers["ETag"]
        assert first.headers["Cache-Control"] == "private, no-cache"
        for seen in (etag, etag.removeprefix("W/"), f'"other", {etag}', "*"):
            again = await ask(shop, path, seen)
            assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
        for other in ('"other"', "", etag.removeprefix("W/").strip('"')):
            whole = await ask(shop, path, other)
            assert (whole.status_code, whole.json()) == (200, first.json())
    etags = [(await shop.get(path)).headers["ETag"] for path in (REVIEWS, RATINGS)]
    await written("O2")
    for path, etag in zip((REVIEWS, RATINGS), etags, strict=True):
        assert (await ask(shop, path, etag)).status_code == 200


async def test_what_was_written_by_somebody_who_is_forgotten_is_not_what_a_shop_may_keep(
    shop: httpx.AsyncClient,
    written: Callable[[str], Awaitable[None]],
    key_store: InMemoryKeyStore,
) -> None:
    """I12: of the rows nothing has changed."""
    await written("O1")
    first = await shop.get(REVIEWS)
    assert first.json()["items"][0]["text"] == "Bright."
    await key_store.destroy("buyer:B-5")
    after = await ask(shop, REVIEWS, first.headers["ETag"])
    assert (after.status_code, after.json()["items"][0]["text"]) == (200, None)


async def test_what_is_ones_own_is_kept_nowhere(caller: Caller) -> None:
    for path in ("/v1/me/orders", "/v1/me/reviews", "/v1/reviewable-orders"):
        told = await caller("BUYER", "B-5").get(path)
        assert told.headers["Cache-Control"] == "private, no-store"
        assert "ETag" not in told.headers
