"""Both sides write by HTTP, neither sees the other's before the reveal, and then all do."""

import json
from collections.abc import Awaitable, Callable, Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from review_service.api.bulk import NDJSON
from review_service.api.examples import LINE, line_of
from review_service.domain.streams import review_id_of
from review_service.testing.refs import review_ref
from shared_events.partition import partition_of
from shared_events.review import Side
from shared_runtime.testing import ManualClock

type Caller = Callable[..., httpx.AsyncClient]
type Work = Callable[[], Awaitable[None]]

ORDERS = "/v1/orders"
COMPLETED = datetime(2026, 1, 15, 18, tzinfo=UTC)
CLOSING = COMPLETED + timedelta(days=15)
FIVE = {"quality": 5, "logistics": 4, "service": 5, "incentive": "NONE"}
R1 = review_id_of("O1", "BUYER")
GOOD = {"rating": 5}


async def post(
    client: httpx.AsyncClient, path: str, body: object, **headers: str
) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post(
        f"{ORDERS}/{path}", json=body, headers={"Idempotency-Key": str(uuid4())} | named
    )


async def review(
    client: httpx.AsyncClient, body: dict[str, Any], order_id: str = "O1", **headers: str
) -> httpx.Response:
    return await post(client, f"{order_id}/evaluation/reviews", body, **headers)


async def look(client: httpx.AsyncClient, order_id: str = "O1") -> dict[str, Any]:
    answered = await client.get(f"{ORDERS}/{order_id}/evaluation")
    assert answered.status_code == 200, answered.text
    told: dict[str, Any] = answered.json()
    return told


async def events(client: httpx.AsyncClient, order_id: str = "O1") -> list[str]:
    answered = await client.get(f"{ORDERS}/{order_id}/evaluation/events")
    return [event["type"].partition(".")[0] for event in answered.json()["items"]]


def slug(answered: httpx.Response) -> tuple[int, str]:
    assert answered.headers["Content-Type"] == "application/problem+json", answered.text
    return answered.status_code, answered.json()["type"].removeprefix("/problems/")


def wrong(answered: httpx.Response) -> dict[str, str]:
    assert slug(answered) == (422, "invalid-value")
    return {error["field"]: error["bound"] for error in answered.json()["errors"]}


def actions(told: dict[str, Any]) -> dict[str, str | None]:
    return {action["action"]: action["reason_if_not"] for action in told["available_actions"]}


def writing(told: dict[str, Any]) -> dict[str, str | None]:
    offered = actions(told)
    return {name: offered[name] for name in ("SubmitReview", "AmendReview")}


@pytest.fixture
def importer(caller: Caller) -> httpx.AsyncClient:
    return caller("IMPORTER", "olist")


type Bring = Callable[..., Awaitable[None]]


@pytest.fixture
def bring(importer: httpx.AsyncClient, clock: ManualClock) -> Bring:
    """Orders that have just been completed, or have come so far."""

    async def bring(*order_ids: str, without: tuple[str, ...] = ()) -> None:
        clock.at = max(clock.at, COMPLETED)
        lines: list[str] = []
        for order_id in order_ids:
            told = deepcopy(LINE)
            told["order"]["order_id"] = order_id
            lines.append(line_of({k: v for k, v in told.items() if k not in ("reviews", *without)}))
        answered = await importer.post(
            f"{ORDERS}/bulk",
            content="".join(lines),
            headers={"Content-Type": NDJSON},
        )
        assert answered.text.count('"order":"accepted"') == len(order_ids)

    return bring


async def test_two_reviews_are_revealed_together(
    bring: Bring, buyer: httpx.AsyncClient, seller: httpx.AsyncClient, clock: ManualClock
) -> None:
    await bring("O1")
    told = await look(buyer)
    assert (told["state"], told["closes_at"]) == ("OPEN", "2026-01-30T18:00:00Z")
    assert writing(told) == {"SubmitReview": None, "AmendReview": "wrong-state"}
    clock.advance(timedelta(hours=1))
    written = await review(buyer, FIVE)
    assert written.status_code == 201
    assert "review.events" not in written.headers["Consistency-Token"]  # parties see no places
    (own,) = written.json()["reviews"]
    assert (own["review_id"], own["by"], own["quality"], own["version"]) == (R1, "BUYER", 5, 1)
    assert own["weight_milli"] is None
    clock.advance(timedelta(hours=1))
    answered = await review(seller, GOOD)
    assert answered.status_code == 201
    for client in (buyer, seller):
        told = await look(client)
        assert (told["state"], told["revealed_at"]) == ("REVEALED", "2026-01-15T20:00:00Z")
        assert [(each["by"], each["weight_milli"]) for each in told["reviews"]] == [
            ("BUYER", 1000),
            ("SELLER", 1000),
        ]
        assert told["reviews"][0]["reasons"] == [{"code": "FULL", "effect_milli": 1000}]
        assert await events(client) == [
            "EvaluationOpened",
            "ReviewSubmitted",
            "ReviewSubmitted",
            "ReviewsRevealed",
            "ReviewWeighted",
            "ReviewWeighted",
        ]


async def test_one_review_is_revealed_when_the_window_closes(
    bring: Bring,
    buyer: httpx.AsyncClient,
    seller: httpx.AsyncClient,
    clock: ManualClock,
    work: Work,
) -> None:
    await bring("O1", "O2")
    await review(buyer, FIVE)
    await work()
    clock.at = CLOSING - timedelta(microseconds=1)
    assert (await review(buyer, FIVE, "O2", If_Match='"1"')).status_code == 201
    clock.at = CLOSING
    assert slug(await review(seller, GOOD)) == (409, "window-closed")
    clock.advance(timedelta(minutes=7))
    await work()
    told = await look(seller)
    assert (told["state"], told["revealed_at"]) == ("REVEALED", "2026-01-30T18:00:00Z")
    assert [each["by"] for each in told["reviews"]] == ["BUYER"]
    late = await review(seller, GOOD)
    assert slug(late) == (409, "window-closed")
    assert late.json()["closed_at"] == "2026-01-30T18:00:00Z"


async def test_an_evaluation_that_nobody_wrote_in_closes_empty(
    bring: Bring, buyer: httpx.AsyncClient, clock: ManualClock, work: Work
) -> None:
    await bring("O1")
    await work()
    clock.at = CLOSING
    await work()
    told = await look(buyer)
    assert (told["state"], told["closed_because"], told["reviews"]) == ("CLOSED", "EXPIRED", [])
    assert writing(told) == {"SubmitReview": "window-closed", "AmendReview": "wrong-state"}


async def test_a_review_is_amended_until_the_reveal(
    bring: Bring, buyer: httpx.AsyncClient, seller: httpx.AsyncClient
) -> None:
    await bring("O1")
    await review(buyer, FIVE)
    path = f"O1/evaluation/reviews/{R1}/amendments"
    one = {"quality": 1, "logistics": 1, "service": 1, "incentive": "PAYMENT"}
    amended = await post(buyer, path, one, If_Match='"2"')
    assert (amended.status_code, amended.headers["ETag"]) == (201, '"3"')
    (own,) = amended.json()["reviews"]
    assert (own["version"], own["quality"], own["incentive"]) == (2, 1, "PAYMENT")
    assert slug(await post(buyer, path, FIVE, If_Match='"2"')) == (412, "stale-version")
    assert (await post(buyer, path, one)).status_code == 200
    assert slug(await post(buyer, path.replace(R1, "R2"), FIVE)) == (404, "not-found")
    await review(seller, GOOD)
    sealed = await post(buyer, path, FIVE)
    assert slug(sealed) == (409, "evidence-sealed")
    assert (await look(seller))["reviews"][0]["reasons"] == [
        {"code": "INCENTIVIZED", "effect_milli": 0}
    ]


async def test_a_side_writes_one_review(bring: Bring, buyer: httpx.AsyncClient) -> None:
    await bring("O1")
    await review(buyer, FIVE)
    assert (await review(buyer, FIVE)).status_code == 200
    second = await review(buyer, FIVE | {"quality": 1})
    assert slug(second) == (409, "already-submitted")
    assert second.json()["existing_id"] == R1


async def test_there_is_nothing_to_review_before_the_order_is_complete(
    bring: Bring, buyer: httpx.AsyncClient, seller: httpx.AsyncClient
) -> None:
    await bring("O1", without=("completed",))
    told = await look(seller)
    assert (told["state"], told["reviews"]) == ("NONE", [])
    assert writing(told) == {"SubmitReview": "not-yet-eligible", "AmendReview": "wrong-state"}
    assert await events(seller) == []
    assert slug(await review(buyer, FIVE)) == (409, "not-yet-eligible")
    amendment = await post(buyer, f"O1/evaluation/reviews/{R1}/amendments", FIVE)
    assert slug(amendment) == (404, "not-found")


async def test_a_review_of_a_cancelled_order_is_never_shown(
    bring: Bring,
    buyer: httpx.AsyncClient,
    seller: httpx.AsyncClient,
    caller: Caller,
    work: Work,
) -> None:
    await bring("O1")
    await review(buyer, FIVE)
    feed = caller("SYSTEM", "market")
    await post(feed, "O1/reopening", {"reason": "PAYMENT_REVERSED"})
    await work()
    told = await look(seller)
    assert (told["state"], told["closes_at"]) == ("PAUSED", None)
    assert [each["cause"] for each in told["paused_by"]] == ["ORDER_REOPENED"]
    await post(feed, "O1/cancellation", {"by": "PLATFORM", "reason": "UNPAID"})
    await work()
    told = await look(seller)
    assert (told["state"], told["closed_because"]) == ("CLOSED", "ORDER_CANCELLED")
    assert told["reviews"] == []
    assert await events(seller) == ["EvaluationOpened", "EvaluationPaused", "EvaluationClosed"]
    assert [each["review_id"] for each in (await look(buyer))["reviews"]] == [R1]
    assert slug(await review(seller, GOOD)) == (409, "wrong-state")


async def test_of_an_order_that_was_cancelled_before_it_was_complete_nobody_writes(
    bring: Bring, buyer: httpx.AsyncClient, caller: Caller, work: Work
) -> None:
    await bring("O1", without=("completed",))
    assert slug(await review(buyer, FIVE)) == (409, "not-yet-eligible")
    cancellation = {"by": "SELLER", "reason": "OUT_OF_STOCK"}
    await post(caller("SYSTEM", "market"), "O1/cancellation", cancellation)
    await work()
    refused = await review(buyer, FIVE)
    assert (slug(refused), refused.json()["state"]) == ((409, "wrong-state"), "CANCELLED")
    assert writing(await look(buyer)) == {
        "SubmitReview": "wrong-state",
        "AmendReview": "wrong-state",
    }


async def test_a_sellers_token_is_of_the_account_that_it_names_alone(
    bring: Bring, caller: Caller
) -> None:
    await bring("O1")
    namesake = caller("SELLER", "S-77", seller_id="S-9")
    assert slug(await review(namesake, GOOD)) == (404, "not-found")
    assert (await review(caller("SELLER", "S-77"), GOOD)).status_code == 201


async def test_an_importer_writes_for_either_side_as_of_then(
    bring: Bring, importer: httpx.AsyncClient, buyer: httpx.AsyncClient, clock: ManualClock
) -> None:
    await bring("O1", "O2")
    clock.at = datetime(2026, 3, 1, tzinfo=UTC)
    then = {"at": "2026-01-20T00:00:00Z"}
    assert wrong(await review(importer, FIVE | then)) == {"on_behalf_of": "required of an importer"}
    assert wrong(await review(buyer, FIVE | {"on_behalf_of": "BUYER"})) == {
        "on_behalf_of": "an importer says it"
    }
    assert wrong(await review(buyer, FIVE | then)) == {"at": "a feed or an importer says it"}
    for_buyer, for_seller = {"on_behalf_of": "BUYER"}, {"on_behalf_of": "SELLER"}
    mixed = await review(importer, FIVE | then | for_seller)
    assert wrong(mixed) == {"review": "a seller gives rating"}
    early = await review(importer, FIVE | for_buyer | {"at": "2026-01-15T17:59:59Z"})
    assert slug(early) == (409, "not-yet-eligible")
    assert (await review(importer, FIVE | then | for_buyer)).status_code == 201
    earlier = await review(importer, GOOD | for_seller | {"at": "2026-01-19T00:00:00Z"})
    assert slug(earlier) == (422, "time-goes-back")
    assert (await review(importer, GOOD | then | for_seller)).json()["state"] == "REVEALED"
    sixteenth = FIVE | for_buyer | {"at": "2026-01-31T00:00:00Z"}
    assert slug(await review(importer, sixteenth, "O2")) == (409, "window-closed")
    ahead = FIVE | for_buyer | {"at": "2026-03-01T00:05:01Z"}
    assert wrong(await review(importer, ahead, "O2")) == {"at": "not after now"}


async def test_what_an_importer_brings_after_the_closing_goes_back_in_time(
    bring: Bring, importer: httpx.AsyncClient, clock: ManualClock, work: Work
) -> None:
    await bring("O1")
    clock.at = datetime(2026, 3, 1, tzinfo=UTC)
    await work()
    for_buyer = FIVE | {"on_behalf_of": "BUYER"}
    before = await review(importer, for_buyer | {"at": "2026-01-20T00:00:00Z"})
    assert slug(before) == (422, "time-goes-back")
    assert before.json()["last_at"] == "2026-01-30T18:00:00Z"
    after = await review(importer, for_buyer | {"at": "2026-01-31T00:00:00Z"})
    assert slug(after) == (409, "window-closed")


async def test_a_review_that_is_not_sound_is_refused(
    bring: Bring, buyer: httpx.AsyncClient, seller: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    await bring("O1")
    before = await pool.fetchval("SELECT count(*) FROM es.event")
    unless = "required, unless with a rating"
    cases: list[tuple[httpx.AsyncClient, dict[str, Any], dict[str, str] | None]] = [
        (
            buyer,
            {},
            {
                "quality": unless,
                "logistics": unless,
                "service": unless,
                "incentive": "required: NONE if you got nothing",
            },
        ),
        (buyer, FIVE | {"quality": 6}, {"quality": "at most 5"}),
        (buyer, FIVE | {"quality": "5"}, {"quality": "a whole number"}),
        (buyer, FIVE | {"texts": "good"}, {"texts": "unknown field"}),
        (buyer, FIVE | {"review_id": "mine"}, {"review_id": "unknown field"}),
        (buyer, FIVE | {"incentive": None}, {"incentive": "required: NONE if you got nothing"}),
        (buyer, FIVE | {"incentive": "CASH"}, None),
        (buyer, GOOD, {"review": "a buyer gives quality, logistics, service"}),
        (seller, FIVE, {"review": "a seller gives rating"}),
        (seller, GOOD | {"quality": 5}, {"quality": "not with a rating: it is the seller's"}),
        (seller, {"rating": 0}, {"rating": "1 or more"}),
    ]
    for client, body, fields in cases:
        told = wrong(await review(client, body))
        assert fields is None or told == fields
    assert await pool.fetchval("SELECT count(*) FROM es.event") == before


async def test_who_may_write_is_the_party_whatever_else_he_is(bring: Bring, caller: Caller) -> None:
    await bring("O1")
    both = caller("SELLER", "B-5", "BUYER", "AUDITOR", seller_id="S-1")
    assert [each["by"] for each in (await review(both, FIVE)).json()["reviews"]] == ["BUYER"]
    assert actions(await look(both)).keys() == {
        "SubmitReview",
        "AmendReview",
        "WithdrawReview",
        "PublishReply",
        "EditReply",
        "AppendFollowUp",
        "ReviseReview",
        "FlagReview",
        "AppealModeration",
    }
    for role in ("MODERATOR", "AUDITOR", "SYSTEM", "PRIVACY"):
        assert slug(await review(caller(role, "X"), FIVE)) == (403, "role-not-allowed")


async def test_a_dry_run_of_a_review_tells_of_that_review_alone(
    bring: Bring, buyer: httpx.AsyncClient, seller: httpx.AsyncClient
) -> None:
    await bring("O1")
    await review(buyer, FIVE)
    tried = await post(seller, "O1/evaluation/reviews?validate_only=true", GOOD)
    assert [event["type"] for event in tried.json()["events"]] == ["ReviewSubmitted.v1"]
    assert (await look(seller))["state"] == "OPEN"


async def test_no_token_tells_a_party_that_something_was_recorded(
    bring: Bring, buyer: httpx.AsyncClient, seller: httpx.AsyncClient, work: Work
) -> None:
    """Neither one made up, for a place that is there or not, nor what he is given himself."""
    await bring("O1")
    written = await review(buyer, FIVE)
    assert len(written.headers["Consistency-Token"]) > len("review.events/63:1")
    await work()
    partition = partition_of("S-77")
    for position in (1, 2, 3, 99):
        place = {"Consistency-Token": f"review.events/{partition}:{position}"}
        for path in (f"{ORDERS}/O1/evaluation", "/v1/sellers/S-77/reviews"):
            assert wrong(await seller.get(path, headers=place)) == {
                "Consistency-Token": "a token from a command's answer"
            }


async def test_what_is_offered_is_what_would_be_accepted(
    bring: Bring,
    buyer: httpx.AsyncClient,
    seller: httpx.AsyncClient,
    clock: ManualClock,
    work: Work,
) -> None:
    """Law 6: of each state, for each side."""
    await bring("fresh", "written", "revealed", "closed", "unfinished")
    await bring("early", without=("completed",))
    await work()

    async def check(order_id: str) -> None:
        for client, body in ((buyer, FIVE), (seller, GOOD)):
            offered = actions(await look(client, order_id))
            tried = await post(client, f"{order_id}/evaluation/reviews?validate_only=true", body)
            if tried.is_error:
                assert offered["SubmitReview"] == slug(tried)[1]
            else:  # the same again changes nothing, and is nothing to offer
                done = None if tried.json()["events"] else "already-submitted"
                assert offered["SubmitReview"] == done
            side: Side = "BUYER" if client is buyer else "SELLER"
            own = f"{order_id}/evaluation/reviews/{review_id_of(order_id, side)}"
            amended = await post(
                client,
                f"{own}/amendments?validate_only=true",
                {name: 2 if value in range(6) else value for name, value in body.items()},
            )
            # A review that is not there is not found; the action says which state that is.
            reason = (
                None if amended.is_success else slug(amended)[1].replace("not-found", "wrong-state")
            )
            assert offered["AmendReview"] == reason

    for order_id in ("written", "revealed"):
        await review(buyer, FIVE, order_id)
    await review(seller, GOOD, "revealed")
    for order_id in ("fresh", "written", "revealed", "early"):
        await check(order_id)
    clock.at = CLOSING
    await check("unfinished")
    await work()
    await check("closed")


@pytest.mark.usefixtures("impatient")
async def test_a_read_with_the_token_of_a_completion_waits_for_its_evaluation(
    bring: Bring, buyer: httpx.AsyncClient, work: Work
) -> None:
    await bring("O1", without=("completed",))
    done = await post(buyer, "O1/completion", {})
    token = {"Consistency-Token": done.headers["Consistency-Token"]}
    path = f"{ORDERS}/O1/evaluation"
    assert slug(await buyer.get(path, headers=token)) == (503, "not-yet-visible")
    await work()
    told = await buyer.get(path, headers=token)
    assert told.json()["state"] == "OPEN"
    written = await review(buyer, FIVE)
    own = {"Consistency-Token": written.headers["Consistency-Token"]}
    assert (await buyer.get(path, headers=own)).status_code == 200
    other = await buyer.get(path, headers={"Consistency-Token": "dispute.events/1:1"})
    assert wrong(other) == {"Consistency-Token": "a token from a command's answer"}


type Request = tuple[str, str, dict[str, Any] | None, dict[str, str]]


def requests_of_everything(order_id: str) -> Iterator[Request]:
    """Every route, in every way that might tell whether the buyer has written, or what."""
    of_order = f"/v1/orders/{order_id}"
    of_evaluation = f"{of_order}/evaluation"
    for path in ("/v1/orders", "/v1/orders/bulk"):
        yield "POST", path, {}, {"Content-Type": NDJSON}
    for step in (
        "payment",
        "shipment",
        "delivery",
        "completion",
        "cancellation",
        "reopening",
        "delay-attribution",
    ):
        yield "POST", f"{of_order}/{step}", {}, {}
    for path in (of_order, f"{of_order}/events", of_evaluation, f"{of_evaluation}/events"):
        yield "GET", path, None, {}
        yield "GET", f"{path}?limit=1", None, {}
    guessed = review_id_of(order_id, "BUYER")
    reviews = f"{of_evaluation}/reviews"
    for review_id in ("mine", "neutral", guessed):
        for version in (None, '"0"', '"1"', '"2"', '"3"', '"4"'):
            seen = {"If-Match": version} if version else {}
            yield "POST", f"{reviews}?validate_only=true", GOOD, seen
            yield "POST", f"{reviews}?validate_only=true", FIVE, seen
            if version not in (None, '"1"'):
                yield "POST", reviews, GOOD, seen
            yield "POST", f"{reviews}/{review_id}/amendments", GOOD, seen
            yield "POST", f"{reviews}/{review_id}/amendments?validate_only=true", GOOD, seen
    bad: list[dict[str, Any]] = [{}, {"rating": 9}, GOOD | {"at": "2026-01-16T00:00:00Z"}]
    for refused in bad:
        yield "POST", reviews, refused, {}
    yield from requests_of_later_commands(order_id)
    case_id = review_ref(order_id, "BUYER")
    yield "POST", "/v1/moderation/assignments", {"case_id": case_id}, {}
    yield "POST", "/v1/moderation/assignments", {}, {}
    yield "GET", "/v1/moderation/assignments/mine", None, {}
    yield "DELETE", f"/v1/moderation/assignments/{case_id}", None, {}
    yield from requests_of_webhooks()
    yield "POST", "/v1/media?purpose=REVIEW", {}, {}
    yield "GET", "/v1/media/none", None, {}
    yield "POST", "/v1/media/none/links", None, {}
    for path in (
        "/v1/sellers/S-77/reviews",
        "/v1/products/LAMP-4/reviews?marketplace_id=market",
        "/v1/sellers/S-77/ratings",
        "/v1/products/LAMP-4/ratings?marketplace_id=market",
        "/v1/reviewable-orders",
        "/v1/me/orders",
        "/v1/me/reviews",
        "/v1/neutrality",
        "/v1/moderation/cases",
        "/v1/erasures/BUYER/B-6",
        "/v1/histories",
        "/v1/histories?reviewed=true",
    ):
        yield "GET", path, None, {}


def requests_of_webhooks() -> Iterator[Request]:
    """What comes of them, test_webhooks.py looks at."""
    endpoints = "/v1/webhook-endpoints"
    yield "GET", endpoints, None, {}
    yield "POST", endpoints, {}, {}
    for path in ("", "/deliveries"):
        yield "GET", f"{endpoints}/none{path}", None, {}
    for path in ("", "/enabling", "/disabling", "/secrets", "/pings", "/deliveries/none/resend"):
        yield "POST", f"{endpoints}/none{path}", {"url": "https://shop.example"}, {}
    yield "DELETE", f"{endpoints}/none", None, {}


def requests_of_later_commands(order_id: str) -> Iterator[Request]:
    """What may be sent once both are revealed, on what the buyer has perhaps written."""
    reviews = f"/v1/orders/{order_id}/evaluation/reviews"
    later: list[tuple[str, dict[str, Any]]] = [
        ("withdrawal", {}),
        ("reply", {"text": "x"}),
        ("reply/edits", {"text": "x"}),
        ("follow-up", {"text": "x"}),
        ("revision-request", {}),
        ("revision", FIVE),
    ]
    for review_id in ("mine", "neutral", review_id_of(order_id, "BUYER")):
        for path, body in later:
            yield "POST", f"{reviews}/{review_id}/{path}", body, {}
            yield "POST", f"{reviews}/{review_id}/{path}?validate_only=true", body, {}
    of_review = f"/v1/reviews/{review_ref(order_id, 'BUYER')}"
    for path in ("", "/flags/F", "/appeals/A", "/votes/mine"):
        yield "GET", f"{of_review}{path}", None, {}
    yield "POST", f"{of_review}/votes", {"helpful": True}, {}
    yield "DELETE", f"{of_review}/votes/mine", None, {}
    for path, body in SCRUTINY:
        for version in (None, '"1"', '"2"', '"3"'):
            seen = {"If-Match": version} if version else {}
            yield "POST", f"{of_review}/{path}?validate_only=true", body, seen


SCRUTINY: list[tuple[str, dict[str, Any]]] = [
    ("flags", {"reason": "FAKE"}),
    ("appeals", {"text": "x"}),
    ("screenings", {"factor_milli": 500, "campaign": False, "terms": [], "calibration": "c"}),
    ("holds", {"ground": "FAKE"}),
    ("releases", {}),
    ("keeps", {"flag_ids": [], "rule_ids": ["R"]}),
    ("restrictions", {"ground": "FAKE", "rule_ids": ["R"], "measures": ["HIDE_TEXT"]}),
    ("appeals/A/decision", {"outcome": "UPHELD", "rule_ids": ["R"]}),
]
PARAMETERS = {
    "seller_id": "S-77",
    "sku": "LAMP-4",
    "review_id": "mine",
    "appeal_id": "A",
    "flag_id": "F",
    "media_id": "none",
    "endpoint_id": "none",
    "delivery_id": "none",
    "account_kind": "BUYER",
    "account_id": "B-6",
}


async def answers_about(client: httpx.AsyncClient, order_id: str) -> list[str]:
    """What everything answers, with the names of what was asked for taken out."""
    told: list[str] = []
    for method, path, body, headers in requests_of_everything(order_id):
        answered = await client.request(
            method, path, json=body, headers={"Idempotency-Key": str(uuid4())} | headers
        )
        lines = [f"{method} {path} {body} {headers}: {answered.status_code}"]
        lines.append(f"ETag {answered.headers.get('ETag')}")
        kind = answered.headers.get("Content-Type", NDJSON)
        page: dict[str, Any] = {} if NDJSON in kind else answered.json()
        for event in page.get("items", []):
            event.pop("id", None)
        if page.get("next_cursor"):
            page["next_cursor"] = "more"
        lines.append(json.dumps(page) if page else answered.text)
        guessed = review_id_of(order_id, "BUYER")
        whole = "\n".join(lines).replace(guessed, "GUESSED")
        for name in ORDERS_TOLD_APART:
            whole = whole.replace(review_id_of(name, "SELLER"), "OWN")
            whole = whole.replace(review_ref(name, "BUYER"), "REF").replace(name, "ORDER")
        told.append(whole)
    return told


ORDERS_TOLD_APART = ("O-light", "O-night", "O-over")
type Viewer = tuple[tuple[str, ...], str, str | None]
# MODERATOR, ANALYST and SYSTEM are not among them: they are no parties, and may hold back what is
# fake before anybody has read it.
VIEWERS: list[Viewer] = [
    (("SELLER",), "employee", "S-77"),
    (("BUYER",), "B-6", None),
    (("AGENT",), "A", None),
    (("SENIOR",), "A", None),
    (("AUDITOR",), "A", None),
]
# The seller's people among the staff, when a review waits in the queue that staff can read.
INSIDERS: list[Viewer] = [
    (("SELLER", "MODERATOR"), "employee", "S-77"),
    (("MODERATOR", "SENIOR"), "mod-3", "S-77"),
    (("ANALYST",), "S-77", None),
]


async def write_and_withdraw(
    client: httpx.AsyncClient, order_id: str, side: Side, body: dict[str, Any]
) -> None:
    assert (await review(client, body, order_id)).status_code == 201
    path = f"{order_id}/evaluation/reviews/{review_id_of(order_id, side)}/withdrawal"
    assert (await post(client, path, {})).status_code == 201


async def hold(client: httpx.AsyncClient, order_id: str) -> None:
    """Holds the buyer's review back."""
    path = f"/v1/reviews/{review_ref(order_id, 'BUYER')}/holds"
    key = {"Idempotency-Key": str(uuid4())}
    held = await client.post(path, json={"ground": "FAKE"}, headers=key)
    assert held.status_code == 201


async def versions_told(client: httpx.AsyncClient, order_id: str) -> list[str]:
    """What a buyer's commands answer as version: that which he reads then, and may send on."""
    reviews = f"{order_id}/evaluation/reviews"
    own = f"{reviews}/{review_id_of(order_id, 'BUYER')}"
    key = str(uuid4())
    told: list[str] = []
    for path, body, request in (
        (reviews, FIVE, key),
        (reviews, FIVE, str(uuid4())),  # changes nothing
        (reviews, FIVE, key),  # is answered as before
        (f"{own}/amendments", FIVE | {"quality": 1}, str(uuid4())),
        (f"{own}/withdrawal", {}, str(uuid4())),
        (reviews, FIVE, str(uuid4())),
    ):
        seen = await client.get(f"{ORDERS}/{order_id}/evaluation")
        sent = {"If-Match": seen.headers["ETag"]}
        answered = await post(client, path, body, Idempotency_Key=request, **sent)
        assert answered.is_success, answered.text
        assert answered.headers["ETag"] == await version_read(client, order_id)
        told.append(answered.headers["ETag"])
    return told


async def version_read(client: httpx.AsyncClient, order_id: str) -> str:
    read = await client.get(f"{ORDERS}/{order_id}/evaluation")
    return read.headers["ETag"]


async def test_the_version_that_an_answer_tells_is_the_one_that_its_sender_may_know(
    bring: Bring, buyer: httpx.AsyncClient, seller: httpx.AsyncClient
) -> None:
    await bring("O-light", "O-over")
    await write_and_withdraw(seller, "O-over", "SELLER", GOOD)
    over = await versions_told(buyer, "O-over")
    assert over == await versions_told(buyer, "O-light")
    assert over == ['"2"', '"2"', '"2"', '"3"', '"4"', '"5"']
    revealing = await review(seller, GOOD, "O-over")
    assert revealing.headers["ETag"] == await version_read(seller, "O-over")
    path = f"O-over/evaluation/reviews/{review_id_of('O-over', 'BUYER')}/follow-up"
    known = await version_read(buyer, "O-over")
    added = await post(buyer, path, {"text": "Still works."}, If_Match=known)
    assert added.status_code == 201
    assert added.headers["ETag"] == await version_read(buyer, "O-over") != known


async def test_before_the_reveal_nothing_tells_of_a_review_to_anybody_but_its_author(
    bring: Bring, buyer: httpx.AsyncClient, caller: Caller, api: FastAPI, work: Work
) -> None:
    """Law 9: of three orders, the buyer has written of one, and of another until he withdrew it.
    Nobody else can find out which.
    """
    await bring(*ORDERS_TOLD_APART)
    written = await review(buyer, FIVE, "O-night", If_Match='"1"')
    assert written.status_code == 201
    amended = await post(
        buyer,
        f"O-night/evaluation/reviews/{review_id_of('O-night', 'BUYER')}/amendments",
        FIVE | {"quality": 1},
    )
    assert amended.status_code == 201
    await write_and_withdraw(buyer, "O-over", "BUYER", FIVE)
    await work()
    for roles, sub, seller_id in (*VIEWERS, *INSIDERS):
        if (roles, sub, seller_id) == INSIDERS[0]:
            await hold(caller("MODERATOR", "mod-1"), "O-night")
            await work()
        role, *others = roles
        viewer = caller(role, sub, *others, seller_id=seller_id)
        light = await answers_about(viewer, "O-light")
        night = await answers_about(viewer, "O-night")
        over = await answers_about(viewer, "O-over")
        for one, *same in zip(light, night, over, strict=True):
            assert same == [one, one], roles
        if role == "SELLER":
            assert any('"state": "OPEN"' in each for each in night)
            assert any("ReviewSubmitted" in each for each in night)  # his own, as it would be
    asked_for = {
        (method, path.partition("?")[0]) for method, path, _, _ in requests_of_everything("O-light")
    }
    for path, told in api.openapi()["paths"].items():
        # The log itself is read whole by those who audit it, and by nobody else.
        if not path.startswith("/v1") or path.startswith("/v1/log"):
            continue
        for method in told:
            ref = review_ref("O-light", "BUYER")
            known = path.format(order_id="O-light", ref=ref, case_id=ref, **PARAMETERS)
            assert (method.upper(), known) in asked_for, "a route that is not looked at"
