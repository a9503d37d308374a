"""A review is found by its `ref` from the moment on that somebody has been told of it."""

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from review_service.api.bulk import NDJSON
from review_service.api.examples import LINE, line_of
from review_service.domain.streams import review_digest, review_id_of
from review_service.refs import NO_REVIEWS, Refs, find_review
from review_service.settings import LOCAL_REF_KEY
from review_service.testing.refs import review_ref
from shared_events.review import Side
from shared_runtime.testing import ManualClock

type Caller = Callable[..., httpx.AsyncClient]
type Work = Callable[[], Awaitable[None]]
type Send = Callable[[str, dict[str, Any]], Awaitable[httpx.Response]]

DIGEST = review_digest("O-1001", "SELLER")
REVIEW_ID = review_id_of("O-1001", "SELLER")
SIDES: tuple[Side, ...] = ("BUYER", "SELLER")
GOOD = {"rating": 5}


@pytest.fixture
async def send(caller: Caller, clock: ManualClock, work: Work) -> Send:
    """Has the seller of a completed order write, or take back what he wrote."""
    clock.at = datetime(2026, 1, 16, tzinfo=UTC)
    await bring(caller, LINE | {"reviews": []})
    await work()
    seller = caller("SELLER", "employee", seller_id="S-77")

    async def sent(path: str, body: dict[str, Any]) -> httpx.Response:
        return await seller.post(
            f"/v1/orders/O-1001/evaluation/reviews{path}",
            json=body,
            headers={"Idempotency-Key": str(uuid4())},
        )

    return sent


async def bring(caller: Caller, line: dict[str, Any]) -> str:
    brought = await caller("IMPORTER", "olist").post(
        "/v1/orders/bulk", content=line_of(line), headers={"Content-Type": NDJSON}
    )
    assert '"order":"accepted"' in brought.text
    return brought.text


async def test_a_review_is_found_as_soon_as_it_is_recorded(
    send: Send, pool: asyncpg.Pool, work: Work
) -> None:
    assert await find_review(pool, DIGEST) is None
    assert (await send("", GOOD)).status_code == 201
    assert await find_review(pool, DIGEST) == ("O-1001", "SELLER", True)
    before = await pool.fetch("SELECT * FROM facts.review")
    await work()  # the reaction to own events repeats it
    assert await pool.fetch("SELECT * FROM facts.review") == before


async def test_what_is_refused_leaves_no_ref(
    send: Send, clock: ManualClock, pool: asyncpg.Pool
) -> None:
    clock.advance(timedelta(days=15))
    assert (await send("", GOOD)).status_code == 409
    assert await find_review(pool, DIGEST) is None


async def test_a_dry_run_leaves_no_ref(send: Send, pool: asyncpg.Pool) -> None:
    assert (await send("?validate_only=true", GOOD)).status_code == 200
    assert await find_review(pool, DIGEST) is None


async def test_a_review_written_once_more_is_of_when_it_was_written_last(
    send: Send, clock: ManualClock, pool: asyncpg.Pool
) -> None:
    await send("", GOOD)
    clock.advance(timedelta(hours=1))
    assert (await send(f"/{REVIEW_ID}/withdrawal", {})).status_code == 201
    clock.advance(timedelta(hours=1))
    assert (await send("", GOOD)).status_code == 201
    assert await pool.fetchval("SELECT submitted_at FROM facts.review") == clock.at


async def test_where_there_is_none_another_one_is_given_to_be_read(
    send: Send, pool: asyncpg.Pool
) -> None:
    await send("", GOOD)
    for missing in ("0" * 32, "f" * 32, NO_REVIEWS):
        assert await find_review(pool, missing) == ("O-1001", "SELLER", False)


async def test_what_is_brought_in_bulk_is_found_at_once(
    caller: Caller, clock: ManualClock, pool: asyncpg.Pool
) -> None:
    clock.advance(timedelta(days=10))
    assert '"reviews":{"accepted":2' in await bring(caller, LINE)
    for side in SIDES:
        found = await find_review(pool, review_digest("O-1001", side))
        assert found == ("O-1001", side, True)
        read = await caller("AUDITOR", "aud-1").get(f"/v1/reviews/{review_ref('O-1001', side)}")
        assert read.json()["order_id"] == "O-1001"


# --- Names that nobody can work out


@pytest.mark.parametrize("order_id", ["O-1001", "1", "注文", "x" * 64])
@pytest.mark.parametrize("side", SIDES)
def test_a_ref_is_always_the_same_and_leads_back(order_id: str, side: Side) -> None:
    digest = review_digest(order_id, side)
    refs = [Refs(b"one key") for _ in range(2)]
    (told,) = {each.of(order_id, side) for each in refs}
    assert re.fullmatch("[0-9a-f]{32}", told)
    assert [each.digest(told) for each in refs] == [digest] * 2
    assert refs[0].of(order_id, side) == told  # whatever it was asked in between
    assert told != digest


def test_with_another_key_all_refs_are_others_and_those_of_before_lead_nowhere() -> None:
    one, other = Refs(b"one key"), Refs(b"other key")
    reviews: list[tuple[str, Side]] = [
        (f"{number}", side) for number in range(100) for side in SIDES
    ]
    digests = {review_digest(*each) for each in reviews}
    refs = {one.of(*each) for each in reviews}
    assert len(refs | {other.of(*each) for each in reviews}) == 2 * len(reviews)
    assert digests.isdisjoint(refs)
    assert {one.digest(ref) for ref in refs} == digests
    assert digests.isdisjoint(other.digest(ref) for ref in refs)


MISSING = "0" * 32
OURS = review_ref("O-1001", "BUYER")
NONE_OF_OURS = (
    *(review_digest("O-1001", "BUYER"), review_id_of("O-1001", "BUYER"), "O-1001"),
    *(Refs(b"other key").of("O-1001", "BUYER"), OURS.upper(), OURS[:-1], f"{OURS}0"),
    *("a", "é", "\uff10" * 32, "f" * 32, "z" * 32, "f" * 64),
)


def test_nothing_but_a_whole_ref_is_looked_under() -> None:
    refs = Refs(LOCAL_REF_KEY.encode())
    for ref in ("", " ", f"{OURS} ", f"{OURS}\n", "00 " * 16, *NONE_OF_OURS):
        assert refs.digest(ref) != review_digest("O-1001", "BUYER")
    assert refs.digest(OURS.upper()) == refs.digest(f"{OURS}\n") == NO_REVIEWS


async def test_what_is_no_ref_is_answered_as_that_of_a_review_that_is_not_there(
    caller: Caller, clock: ManualClock, work: Work
) -> None:
    clock.advance(timedelta(days=10))
    await bring(caller, LINE)
    await work()
    reader, moderator = caller("BUYER", "B-9"), caller("MODERATOR", "mod-1")
    asked: list[tuple[httpx.AsyncClient, str, str, dict[str, Any] | None]] = [
        (moderator, "GET", "/v1/reviews/{}", None),
        (moderator, "POST", "/v1/reviews/{}/holds", {"ground": "FAKE"}),
        (moderator, "DELETE", "/v1/moderation/assignments/{}", None),
        (moderator, "POST", "/v1/moderation/assignments", {"case_id": "{}"}),
        (reader, "POST", "/v1/reviews/{}/flags", {"reason": "FAKE"}),
        (reader, "GET", "/v1/reviews/{}/flags/F-1", None),
        (reader, "POST", "/v1/reviews/{}/appeals", {"text": "It is not."}),
        (reader, "GET", "/v1/reviews/{}/appeals/A-1", None),
        (reader, "POST", "/v1/reviews/{}/votes", {"helpful": True}),
        (reader, "GET", "/v1/reviews/{}/votes/mine", None),
        (reader, "DELETE", "/v1/reviews/{}/votes/mine", None),
    ]
    for client, method, path, body in asked:

        async def told(ref: str, *what: Any) -> tuple[int, str]:  # noqa: ANN401
            client, method, path, body = what
            answered: httpx.Response = await client.request(
                method,
                path.format(ref),
                json=body and {n: ref if v == "{}" else v for n, v in body.items()},
                headers={"Idempotency-Key": str(uuid4())},
            )
            problem: dict[str, Any] = answered.json() if answered.content else {}
            return answered.status_code, str({**problem, "instance": None})

        missing = await told(MISSING, client, method, path, body)
        assert missing[0] == 404
        for ref in NONE_OF_OURS:
            assert await told(ref, client, method, path, body) == missing, (method, path, ref)
