"""Whole histories come in by the line: judged as of then, taken once, answered one by one."""

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable, Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError
from review_service.api import bulk
from review_service.api.bodies import OrderBody
from review_service.api.bulk import NDJSON
from review_service.api.examples import LINE, line_of
from review_service.bulk.intake import Intake, Numbered, UploadTally
from review_service.bulk.line import LINE_BYTES_MAX, Line, decode_line
from review_service.bulk.reviewed import TEXT
from review_service.bulk.story import importer as teller
from review_service.domain.policy import policies
from review_service.settings import ReviewSettings
from shared_events.characters import ID, SEEN
from shared_events.codes import COUNTRY
from shared_events.envelope import Recorded
from shared_runtime.ids import derived_id
from shared_runtime.log import Planned, PostgresLog, Reply, StreamsUnreadable, VersionConflict
from shared_runtime.service import Parts
from shared_runtime.testing import InMemoryKeyStore, ManualClock

type Answers = list[dict[str, Any]]
type Caller = Callable[..., httpx.AsyncClient]
type Work = Callable[[], Awaitable[None]]
PATH = bulk.PATH
SUMMARY = -1


def line(order_id: str = "O1", **parts: object) -> dict[str, Any]:
    """A whole history; a part is replaced, or left out where it is None."""
    told: dict[str, Any] = deepcopy(LINE) | parts
    told["order"] |= {"order_id": order_id}
    return {name: value for name, value in told.items() if value is not None}


def altered(path: str, value: object) -> dict[str, Any]:
    """The history with another value in one place; `...` leaves the place out."""
    told = line()
    *parents, last = [int(step) if step.isdecimal() else step for step in path.split(".")]
    place: Any = told
    for step in parents:
        place = place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return told


def body(*lines: object) -> bytes:
    return b"".join(each if isinstance(each, bytes) else line_of(each).encode() for each in lines)


async def send(client: httpx.AsyncClient, content: bytes, kind: str = NDJSON) -> Answers:
    """The answers, the summary last."""
    answered = await client.post(PATH, content=content, headers={"Content-Type": kind})
    assert answered.status_code == 200, answered.text
    assert answered.headers["Content-Type"] == NDJSON
    return [json.loads(each) for each in answered.content.splitlines()]


def rule(answer: dict[str, Any]) -> tuple[str, str | None]:
    problem = answer.get("problem")
    return answer.get("order") or answer["outcome"], problem and slug(problem)


def slug(problem: dict[str, Any]) -> str:
    kind: str = problem["type"]
    return kind.removeprefix("/problems/")


def wrong(answer: dict[str, Any]) -> dict[str, str]:
    """The fields of a line that are invalid, and their bounds."""
    assert rule(answer) == ("refused", "invalid-value")
    return {error["field"]: error["bound"] for error in answer["problem"]["errors"]}


async def recorded(pool: asyncpg.Pool) -> list[str]:
    rows = await pool.fetch(
        "SELECT stream_id, type FROM es.event ORDER BY stream_id, stream_version"
    )
    return [f"{row['stream_id'].partition('-')[0]} {row['type'].partition('.')[0]}" for row in rows]


WHOLE = [
    "evaluation EvaluationOpened",
    "evaluation ReviewSubmitted",
    "evaluation ReviewSubmitted",
    "evaluation ReviewsRevealed",
    "evaluation ReviewWeighted",
    "evaluation ReviewWeighted",
    "order OrderPlaced",
    "order OrderPaid",
    "order OrderShipped",
    "order OrderDelivered",
    "order OrderCompleted",
]


@pytest.fixture
def importer(caller: Caller, clock: ManualClock) -> httpx.AsyncClient:
    clock.at = datetime(2026, 3, 1, tzinfo=UTC)
    return caller("IMPORTER", "olist")


async def test_a_line_brings_an_order_and_all_that_came_of_it(
    importer: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    first, summary = await send(importer, body(line("O1")))
    assert first == {
        "line": 1,
        "order_id": "O1",
        "order": "accepted",
        "reviews": [
            {"by": "BUYER", "outcome": "accepted"},
            {"by": "SELLER", "outcome": "accepted"},
        ],
    }
    assert summary["summary"] == {
        "lines": 1,
        "orders": {"accepted": 1, "unchanged": 0, "refused": 0},
        "reviews": {"accepted": 2, "unchanged": 0, "refused": 0},
        "parts": {"accepted": 0, "unchanged": 0, "refused": 0},
        "events": 11,
    }
    assert [token.rpartition("/")[0] for token in summary["tokens"]] == [
        "orders.events",
        "review.events",
    ]
    assert await recorded(pool) == WHOLE


async def test_the_same_again_changes_nothing_and_says_so(
    importer: httpx.AsyncClient, pool: asyncpg.Pool, work: Work
) -> None:
    lines = body(*(line(f"O{n}") for n in range(3)))
    await send(importer, lines)
    await work()
    *answers, summary = await send(importer, lines)
    assert {rule(each) for each in answers} == {("unchanged", None)}
    assert {rule(review) for each in answers for review in each["reviews"]} == {("unchanged", None)}
    assert summary["summary"]["events"] == 0
    assert summary["tokens"] == []
    assert len(await recorded(pool)) == 3 * len(WHOLE)


async def test_what_people_wrote_comes_sealed_and_once(
    importer: httpx.AsyncClient, pool: asyncpg.Pool, caller: Caller
) -> None:
    told = line()
    told["reviews"][0]["text"], told["reviews"][1]["text"] = "Too bright.", "Paid late."
    assert rule((await send(importer, body(told)))[0]) == ("accepted", None)
    events = await pool.fetch("SELECT body FROM es.event")
    assert not any(b"bright" in event["body"] for event in events)
    seen = await caller("BUYER", "B-5").get("/v1/orders/O1/evaluation")
    assert [review["text"] for review in seen.json()["reviews"]] == ["Too bright.", "Paid late."]

    again, _ = await send(importer, body(told))
    assert [rule(review) for review in again["reviews"]] == [("unchanged", None)] * 2
    told["reviews"][0]["text"] = "Too dark."
    other, _ = await send(importer, body(told))
    assert [rule(review) for review in other["reviews"]] == [
        ("refused", "already-submitted"),
        ("unchanged", None),
    ]


async def test_what_somebody_wrote_who_was_erased_is_refused_and_the_rest_is_not(
    importer: httpx.AsyncClient, key_store: InMemoryKeyStore
) -> None:
    await key_store.destroy("buyer:B-5")
    told = line()
    told["reviews"][0]["text"], told["reviews"][1]["text"] = "Too bright.", "Paid late."
    answer, _ = await send(importer, body(told))
    assert rule(answer) == ("accepted", None)
    assert [rule(review) for review in answer["reviews"]] == [
        ("refused", "subject-erased"),
        ("accepted", None),
    ]


@pytest.mark.parametrize(
    ("left_out", "last"),
    [
        (("paid", "shipped", "delivered", "completed"), "OrderPlaced"),
        (("shipped", "delivered", "completed"), "OrderPaid"),
        (("delivered", "completed"), "OrderShipped"),
    ],
)
async def test_an_order_comes_in_in_the_state_that_it_reached(
    importer: httpx.AsyncClient, pool: asyncpg.Pool, left_out: tuple[str, ...], last: str
) -> None:
    first, _ = await send(importer, body(line("O1", **dict.fromkeys((*left_out, "reviews")))))
    assert rule(first) == ("accepted", None)
    assert (await recorded(pool))[-1] == f"order {last}"


async def test_a_cancelled_order_comes_in_cancelled(
    importer: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    cancelled = {"at": "2026-01-11T00:00:00Z", "by": "SELLER", "reason": "OUT_OF_STOCK"}
    told = line(cancelled=cancelled, shipped=None, delivered=None, completed=None)
    first, _ = await send(importer, body(told))
    assert rule(first) == ("accepted", None)
    assert {rule(review) for review in first["reviews"]} == {("refused", "wrong-state")}
    assert await recorded(pool) == ["order OrderPlaced", "order OrderPaid", "order OrderCancelled"]


async def test_deadlines_that_have_passed_since_are_met_in_the_same_commit(
    importer: httpx.AsyncClient, pool: asyncpg.Pool, work: Work
) -> None:
    await send(importer, body(line(completed=None, reviews=[])))
    assert (await recorded(pool))[:2] == [
        "evaluation EvaluationOpened",
        "evaluation EvaluationClosed",
    ]
    assert (await recorded(pool))[-1] == "order OrderCompleted"
    rows = await pool.fetch("SELECT DISTINCT xmin::text FROM es.event")
    assert len(rows) == 1
    delivered = datetime(2026, 1, 15, 14, tzinfo=UTC)
    times = await happened(pool)
    assert times["OrderCompleted"] == delivered + timedelta(days=7)
    assert times["EvaluationClosed"] == delivered + timedelta(days=22)
    events = len(await recorded(pool))
    await work()
    assert len(await recorded(pool)) == events


async def happened(pool: asyncpg.Pool) -> dict[str, datetime]:
    bodies = [json.loads(row["body"]) for row in await pool.fetch("SELECT body FROM es.event")]
    return {each["type"].partition(".")[0]: datetime.fromisoformat(each["time"]) for each in bodies}


async def test_the_worker_finds_nothing_left_to_do(
    importer: httpx.AsyncClient, parts: Parts[ReviewSettings], work: Work
) -> None:
    """The ids are those that its reaction and its timers would have given."""
    await send(importer, body(line(reviews=LINE["reviews"][:1])))
    await work()
    histories = await parts.log.read(["order-O1", "evaluation-O1"])
    completed = histories["order-O1"][-1]
    opened, _, revealed, weighted = histories["evaluation-O1"]
    assert opened.event_id == derived_id(completed.event_id, "evaluation-O1/0")
    timer = derived_id(opened.event_id, "EVALUATION_CLOSE")
    assert revealed.event_id == derived_id(timer, "evaluation-O1/0")
    assert weighted.event_id == derived_id(timer, "evaluation-O1/1")


async def test_a_review_on_day_sixteen_of_an_old_order_is_refused_like_any_other(
    importer: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    seller, buyer = LINE["reviews"][1], LINE["reviews"][0] | {"at": "2026-01-31T18:00:00Z"}
    first, summary = await send(importer, body(line(reviews=[buyer, seller])))
    assert rule(first) == ("accepted", None)
    late, in_time = first["reviews"]
    assert rule(late) == ("refused", "window-closed")
    assert late["problem"]["closed_at"] == "2026-01-30T18:00:00Z"
    assert rule(in_time) == ("accepted", None)
    assert summary["summary"]["reviews"] == {"accepted": 1, "unchanged": 0, "refused": 1}
    assert (await recorded(pool))[:4] == [
        "evaluation EvaluationOpened",
        "evaluation ReviewSubmitted",
        "evaluation ReviewsRevealed",
        "evaluation ReviewWeighted",
    ]


async def test_reviews_are_taken_as_they_were_written_and_answered_as_they_stand(
    importer: httpx.AsyncClient,
) -> None:
    buyer, seller = LINE["reviews"]
    twice = buyer | {"at": "2026-01-15T19:00:00Z", "quality": 1}
    first, _ = await send(importer, body(line(reviews=[seller, buyer, twice])))
    assert [(review["by"], rule(review)) for review in first["reviews"]] == [
        ("SELLER", ("accepted", None)),
        ("BUYER", ("refused", "already-submitted")),
        ("BUYER", ("accepted", None)),
    ]


async def test_a_review_out_of_range_is_refused_and_its_order_is_not(
    importer: httpx.AsyncClient,
) -> None:
    first, _ = await send(importer, body(altered("reviews.0.quality", 6)))
    assert rule(first) == ("accepted", None)
    assert [rule(review) for review in first["reviews"]] == [
        ("refused", "invalid-value"),
        ("accepted", None),
    ]
    (error,) = first["reviews"][0]["problem"]["errors"]
    assert error == {"field": "reviews[0].quality", "bound": HALVES}


EARLY = {"at": "2026-01-10T09:45:00Z"}


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"shipped": None, "delivered": None}, "wrong-state"),
        ({"completed": EARLY}, "time-goes-back"),
        ({"shipped": {"at": "2026-01-10T09:30:30Z"}}, "time-goes-back"),
        (
            {"cancelled": {"at": "2026-02-01T00:00:00Z", "by": "BUYER", "reason": "X"}},
            "wrong-state",
        ),
        # It had completed by itself by then.
        ({"completed": {"at": "2026-01-23T00:00:00Z"}}, "already-submitted"),
    ],
)
async def test_a_line_of_which_a_step_is_refused_changes_nothing_at_all(
    importer: httpx.AsyncClient, pool: asyncpg.Pool, told: dict[str, object], why: str
) -> None:
    refused, good, summary = await send(importer, body(line("O1", **told), line("O2")))
    assert rule(refused) == ("refused", why)
    assert [rule(review) for review in refused["reviews"]] == [("refused", why)] * 2
    assert rule(good) == ("accepted", None)
    assert summary["summary"]["orders"] == {"accepted": 1, "unchanged": 0, "refused": 1}
    assert not await pool.fetchval("SELECT count(*) FROM es.event WHERE stream_id LIKE '%-O1'")


async def test_an_order_that_is_told_differently_is_refused_and_stays_as_it_was(
    importer: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    other = altered("order.lines.0.sku", "LAMP-5")
    answers = await send(importer, body(line("O1"), other, line("O1")))
    assert [rule(each) for each in answers[:3]] == [
        ("accepted", None),
        ("refused", "already-submitted"),
        ("unchanged", None),
    ]
    assert await recorded(pool) == WHOLE
    again, _ = await send(importer, body(altered("paid.payment_ref", "P-2")))
    assert rule(again) == ("refused", "already-submitted")
    assert await recorded(pool) == WHOLE


async def test_a_later_line_tells_how_the_order_went_on(
    importer: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    begun = line(delivered=None, completed=None, reviews=None)
    answers = await send(importer, body(begun, line()))
    assert [rule(each) for each in answers[:2]] == [("accepted", None)] * 2
    assert await recorded(pool) == WHOLE


INSTANT = "an instant like 2026-01-15T12:30:00Z"
LONG, CONTROL = "x" * 65, "a\u0007b"
LIKE = "an instant like 2026-01-15T12:30:00Z, with at most 6 decimals"
YEARS = "from 1970 until 2200"
WRONG: list[tuple[str, object, str, str]] = [
    ("order.lines.0.quantity", "2", "order.lines[0].quantity", "a whole number"),
    ("order.lines.0.quantity", True, "order.lines[0].quantity", "a whole number"),
    ("order.lines.0.quantity", 1000, "order.lines[0].quantity", "1..999"),
    ("order.lines", [], "order.lines", "1 or more"),
    ("order.total", ..., "order.total", "required"),
    ("order.colour", "red", "order.colour", "unknown field"),
    ("returned", {}, "returned", "unknown field"),
    ("order.shipping.amount", -1, "order.shipping.amount", "0 or more"),
    ("order.shipping.amount", 12.5, "order.shipping.amount", "a whole number"),
    ("order.shipping.amount", 2**53, "order.shipping.amount", f"at most {2**53 - 1}"),
    ("order.shipping.currency", "EUR", "order.shipping.currency", "the order's currency"),
    ("order.total_ref.currency", "BRL", "order.total_ref.currency", "USD"),
    ("order.currency", "brl", "order.shipping.currency", "the order's currency"),
    ("order.country", "Brazil", "order.country", COUNTRY),
    (
        "order.total.amount",
        1,
        "order.total.amount",
        "the lines less discounts plus shipping, 10680",
    ),
    ("order.buyer_id", "S-77", "order.buyer_id", "not the seller's"),
    ("order.order_id", LONG, "order.order_id", ID),
    ("order.order_id", "", "order.order_id", ID),
    ("order.order_id", "a\u0000b", "order.order_id", ID),
    ("order.order_id", "a/b", "order.order_id", ID),
    ("order.order_id", "..", "order.order_id", ID),
    ("order.seller_id", "\u0000", "order.seller_id", ID),
    ("order.buyer_id", "B-5 ", "order.buyer_id", ID),
    ("order.lines.0.sku", "\u0000", "order.lines[0].sku", ID),
    ("order.lines.0.sku", CONTROL, "order.lines[0].sku", ID),
    ("paid.payment_ref", LONG, "paid.payment_ref", ID),
    (
        "cancelled",
        {"at": "2026-01-11T00:00:00Z", "by": "ME", "reason": "X"},
        "cancelled.by",
        "'BUYER', 'PLATFORM' or 'SELLER'",
    ),
    ("order.placed_at", "1969-12-31T00:00:00Z", "order.placed_at", YEARS),
    (
        "order.placed_at",
        "2026-01-10T06:30:00",
        "order.placed_at",
        INSTANT,
    ),
    ("order.placed_at", "2026-03-01T00:05:01Z", "order.placed_at", "not after now"),
    ("order.placed_at", 1768000000, "order.placed_at", INSTANT),
    ("order.placed_at", "2026-01-10T06:30:00.1234567Z", "order.placed_at", LIKE),
    ("order.placed_at", "2026-01-10t06:30:00z", "order.placed_at", LIKE),
    ("order.deliver_by", "2026-01-20T06:30:00.0000000Z", "order.deliver_by", LIKE),
    ("order.deliver_by", "2200-01-01T00:00:00Z", "order.deliver_by", YEARS),
    ("reviews", {}, "reviews", "a list"),
]


async def test_a_bad_line_is_refused_with_its_reason_and_the_rest_goes_on(
    importer: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    told = [altered(path, value) for path, value, _, _ in WRONG]
    *answers, good, summary = await send(importer, body(*told, line("good")))
    for number, (answer, (path, _, field, bound)) in enumerate(
        zip(answers, WRONG, strict=True), start=1
    ):
        assert answer["line"] == number
        assert (path, wrong(answer).get(field)) == (path, bound)
        if path not in ("order.order_id", "reviews"):
            assert answer["order_id"] == "O1"
            assert [review["by"] for review in answer["reviews"]] == ["BUYER", "SELLER"]
            assert {rule(review) for review in answer["reviews"]} == {("refused", "invalid-value")}
    assert rule(good) == ("accepted", None)
    assert summary["summary"]["orders"] == {
        "accepted": 1,
        "unchanged": 0,
        "refused": len(WRONG),
    }
    assert await recorded(pool) == WHOLE


INSTANTS = st.from_regex(
    r"20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](\.[0-9]{1,8})?"
    r"(Z|z|[+-][0-2][0-9]:?[0-5][0-9])?",
    fullmatch=True,
)


@given(INSTANTS)
@example("2026-01-10T06:30:00.123456Z")
@example("2026-01-10T06:30:00.1234567Z")
@example("2026-01-10T06:30:00.0000000Z")
@example("2026-01-10T03:30:00-03:00")
@example("2026-01-10T06:30:00-00:00")
@example("2026-01-10T24:00:00Z")
@example("2016-12-31T23:59:60Z")
def test_an_instant_is_the_same_or_is_none_by_either_door(said: str) -> None:
    """A line of an upload, which is an order of the feed too, and a body: nothing is cut off."""
    told = altered("order.deliver_by", said)
    by_line = decode_line(line_of(told).encode(), datetime(2100, 1, 1, tzinfo=UTC))
    try:
        by_body = OrderBody.model_validate(told["order"]).deliver_by
    except ValidationError:
        assert not isinstance(by_line, Line)
    else:
        assert isinstance(by_line, Line)
        assert by_line.life.order.deliver_by == by_body


BUYER, SELLER = LINE["reviews"]
HALVES = "1 to 5, in whole or half stars"
INCENTIVES = "'FREE_OR_DISCOUNTED', 'NONE', 'PAYMENT' or 'RELATED_PARTY'"
WRONG_REVIEWS: list[tuple[object, str, str]] = [
    (BUYER | {"at": "2027-01-01T00:00:00Z"}, "reviews[0].at", "not after now"),
    (BUYER | {"at": "2026-01-16"}, "reviews[0].at", INSTANT),
    (BUYER | {"at": "2026-01-16T10:00:00.1234567Z"}, "reviews[0].at", LIKE),
    (BUYER | {"rating": 5}, "reviews[0].rating", "unknown field"),
    (BUYER | {"colour": "red"}, "reviews[0].colour", "unknown field"),
    (BUYER | {"title": 5}, "reviews[0].title", "a text, or null"),
    (
        BUYER | {"title": "T", "text": "x" * 4998},
        "reviews[0].text",
        "with its title at most 5000 characters",
    ),
    (BUYER | {"quality": 4.25}, "reviews[0].quality", HALVES),
    (BUYER | {"quality": 0.5}, "reviews[0].quality", HALVES),
    (BUYER | {"service": 5.5, "halves": "DOWN"}, "reviews[0].service", HALVES),
    (BUYER | {"quality": "5"}, "reviews[0].quality", "a number"),
    (BUYER | {"halves": "EVEN"}, "reviews[0].halves", "'DOWN' or 'UP'"),
    (BUYER | {"incentive": "GIFT"}, "reviews[0].incentive", INCENTIVES),
    (BUYER | {"quality": 0}, "reviews[0].quality", HALVES),
    (BUYER | {"text": "x" * 5001}, "reviews[0].text", "at most 5000 characters"),
    (BUYER | {"text": ""}, "reviews[0].text", "1 character or more"),
    (BUYER | {"text": " \u2800"}, "reviews[0].text", SEEN),
    (
        BUYER | {"text": "a\u0000b"},
        "reviews[0].text",
        "no control characters but line ends and tabs: not U+0000",
    ),
    (
        {name: value for name, value in BUYER.items() if name != "quality"},
        "reviews[0].quality",
        "required",
    ),
]


async def test_a_review_that_makes_no_sense_leaves_its_order_and_the_other_review(
    importer: httpx.AsyncClient,
) -> None:
    told = [line(f"O{n}", reviews=[bad, SELLER]) for n, (bad, _, _) in enumerate(WRONG_REVIEWS)]
    *answers, summary = await send(importer, body(*told))
    for n, (answer, (bad, field, bound)) in enumerate(zip(answers, WRONG_REVIEWS, strict=True)):
        assert (answer["order_id"], rule(answer)) == (f"O{n}", ("accepted", None)), bad
        refused, taken = answer["reviews"]
        assert (refused["by"], rule(taken)) == ("BUYER", ("accepted", None))
        assert wrong(refused)[field] == bound
    assert summary["summary"]["orders"] == {
        "accepted": len(WRONG_REVIEWS),
        "unchanged": 0,
        "refused": 0,
    }
    assert summary["summary"]["reviews"] == {
        "accepted": len(WRONG_REVIEWS),
        "unchanged": 0,
        "refused": len(WRONG_REVIEWS),
    }
    again = [line(f"O{n}") for n in range(len(WRONG_REVIEWS))]
    *answers, _ = await send(importer, body(*again))
    assert {rule(review) for answer in answers for review in answer["reviews"]} == {
        ("refused", "time-goes-back"),
        ("unchanged", None),
    }


async def test_half_a_star_counts_as_the_whole_one_above_it_or_below(
    importer: httpx.AsyncClient, caller: Caller
) -> None:
    half = BUYER | {"quality": 4.5, "logistics": 1.5, "service": 4.0}
    told = [
        line("O1", reviews=[half, SELLER | {"rating": 2.5}]),
        line("O2", reviews=[half | {"halves": "DOWN"}, SELLER | {"rating": 2.5, "halves": "DOWN"}]),
    ]
    for again in (False, True):
        *answers, _ = await send(importer, body(*told))
        assert {rule(each) for answer in answers for each in answer["reviews"]} == {
            ("unchanged" if again else "accepted", None)
        }
    for order_id, of_buyer, of_seller in (("O1", (5, 2, 4), 3), ("O2", (4, 1, 4), 2)):
        seen = await caller("AUDITOR", "aud-1").get(f"/v1/orders/{order_id}/evaluation")
        reviews = {each["by"]: each for each in seen.json()["reviews"]}
        stars = tuple(reviews["BUYER"][name] for name in ("quality", "logistics", "service"))
        assert (stars, reviews["SELLER"]["rating"]) == (of_buyer, of_seller)


@pytest.mark.parametrize(
    ("bad", "field", "bound"),
    [
        (BUYER | {"by": "CARRIER"}, "reviews[0].by", "'BUYER' or 'SELLER'"),
        ("Bright.", "reviews[0]", "an object"),
        (None, "reviews[0]", "an object"),
    ],
)
async def test_a_review_of_nobody_is_answered_without_a_side(
    importer: httpx.AsyncClient, bad: object, field: str, bound: str
) -> None:
    answer, summary = await send(importer, body(line(reviews=[bad, SELLER])))
    assert rule(answer) == ("accepted", None)
    assert [review["by"] for review in answer["reviews"]] == [None, "SELLER"]
    assert wrong(answer["reviews"][0]) == {field: bound}
    assert summary["summary"]["reviews"] == {"accepted": 1, "unchanged": 0, "refused": 1}


async def test_a_review_that_is_no_text_leaves_its_order(importer: httpx.AsyncClient) -> None:
    text = body(line(reviews=[BUYER | {"text": "Bright"}, SELLER]))
    for broken in (b"\xff", b"\\ud83d"):
        answer, _ = await send(importer, text.replace(b"Bright", broken))
        assert rule(answer)[0] != "refused"
        assert wrong(answer["reviews"][0]) == {"reviews[0]": TEXT}


async def test_people_write_in_every_script(importer: httpx.AsyncClient, caller: Caller) -> None:
    texts = [
        "क्\u200dष",
        "👩\u200d🔧",
        "\U0001fae9",
        "Très bien\u00a0!",
        "良い。\u3000また",
        "\ufeffa\u00ad",
    ]
    told = [line(f"O{n}", reviews=[BUYER | {"text": text}]) for n, text in enumerate(texts)]
    *answers, _ = await send(importer, body(*told))
    assert {rule(each["reviews"][0]) for each in answers} == {("accepted", None)}
    async with caller("BUYER", "B-5") as buyer:
        for n, text in enumerate(texts):
            seen = await buyer.get(f"/v1/orders/O{n}/evaluation")
            assert [review["text"] for review in seen.json()["reviews"]] == [text]


async def test_a_review_that_comes_after_its_evaluation_has_been_closed_goes_back_in_time(
    importer: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    """What has been closed or revealed is known to others: it stays so, and the answer says why."""
    first, second, _ = await send(
        importer, body(line("O1", reviews=[]), line("O2", reviews=[BUYER]))
    )
    assert {rule(first), rule(second)} == {("accepted", None)}
    events = len(await recorded(pool))
    closed, revealed, _ = await send(importer, body(line("O1"), line("O2")))
    assert [rule(review) for review in closed["reviews"]] == [("refused", "time-goes-back")] * 2
    assert closed["reviews"][0]["problem"]["last_at"] == "2026-01-30T18:00:00Z"
    assert [rule(review) for review in revealed["reviews"]] == [
        ("unchanged", None),
        ("refused", "time-goes-back"),
    ]
    assert len(await recorded(pool)) == events


NOT_JSON: list[tuple[bytes, str]] = [
    (b"{", "malformed-line"),
    (b"nonsense", "malformed-line"),
    (line_of(LINE).encode().strip().replace(b"LAMP-4", b"LAMP-\xff"), "malformed-line"),
    (line_of(LINE).encode().strip().replace(b"LAMP-4", b"\\ud800"), "malformed-line"),
    (b"\xef\xbb\xbf{}", "malformed-line"),
    (b'{"a":' * 10_000, "invalid-value"),
    (b"[" * LINE_BYTES_MAX, "invalid-value"),
    (b"[]", "invalid-value"),
    (b"{}", "invalid-value"),
    (b"null", "invalid-value"),
    (b"7", "invalid-value"),
    (b" " * LINE_BYTES_MAX + b"7", "line-too-long"),
    (b"7" * 10_000_000, "line-too-long"),
]


async def test_what_is_no_line_is_refused_and_the_rest_goes_on(
    importer: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    texts = b"".join(text + b"\n" for text, _ in NOT_JSON)
    *answers, good, _ = await send(importer, texts + body(line()))
    for answer, (text, why) in zip(answers, NOT_JSON, strict=True):
        assert (text[:20], rule(answer)) == (text[:20], ("refused", why))
        assert (answer["order_id"], answer["reviews"]) == (None, [])
    assert (good["line"], rule(good)) == (len(NOT_JSON) + 1, ("accepted", None))
    assert await recorded(pool) == WHOLE


async def test_empty_lines_are_passed_over_and_counted_as_in_an_editor(
    importer: httpx.AsyncClient,
) -> None:
    text = b"\n" + body(line("O1")).replace(b"\n", b"\r\n") + b"  \r\n" + body(line("O2")).rstrip()
    *answers, summary = await send(importer, text)
    assert [(each["line"], rule(each)) for each in answers] == [
        (2, ("accepted", None)),
        (4, ("accepted", None)),
    ]
    assert summary["summary"]["lines"] == 2
    assert (await send(importer, b""))[SUMMARY]["summary"]["lines"] == 0


async def test_an_upload_that_ends_within_a_line_is_taken_up_to_there(
    importer: httpx.AsyncClient,
) -> None:
    *answers, summary = await send(importer, body(line("O1"), line("O2"))[:-40])
    assert [rule(each) for each in answers] == [("accepted", None), ("refused", "malformed-line")]
    assert summary["summary"]["orders"] == {"accepted": 1, "unchanged": 0, "refused": 1}


async def test_only_feeds_and_importers_come_in_by_this_door(caller: Caller) -> None:
    for role in ("BUYER", "SELLER", "MODERATOR", "AUDITOR"):
        answered = await caller(role, "X").post(
            PATH, content=body(line()), headers={"Content-Type": NDJSON}
        )
        assert (answered.status_code, slug(answered.json())) == (403, "role-not-allowed")


async def test_what_is_not_ndjson_is_not_looked_at(importer: httpx.AsyncClient) -> None:
    for kind in ("application/json", "text/plain", ""):
        answered = await importer.post(PATH, content=b"{}", headers={"Content-Type": kind})
        assert (answered.status_code, slug(answered.json())) == (415, "unsupported-media-type")
        assert answered.json()["detail"] == (
            "The body must be application/x-ndjson, without a Content-Encoding."
        )
    assert await send(importer, b"", "Application/X-NDJSON; charset=utf-8")


async def test_a_body_that_is_encoded_is_not_looked_at(importer: httpx.AsyncClient) -> None:
    packed = {"Content-Type": NDJSON, "Content-Encoding": "gzip"}
    answered = await importer.post(PATH, content=gzip.compress(body(line())), headers=packed)
    assert (answered.status_code, slug(answered.json())) == (415, "unsupported-media-type")
    plain = {"Content-Type": NDJSON, "Content-Encoding": "identity"}
    answered = await importer.post(PATH, content=body(line()), headers=plain)
    assert answered.status_code == 200


async def test_the_mark_that_editors_put_before_a_file_is_passed_over(
    importer: httpx.AsyncClient,
) -> None:
    *answers, _ = await send(importer, b"\xef\xbb\xbf" + body(line("O1"), line("O2")))
    assert [rule(each) for each in answers] == [("accepted", None)] * 2


async def test_a_feed_speaks_for_orders_and_for_nobodys_opinion(
    caller: Caller, clock: ManualClock
) -> None:
    clock.at = datetime(2026, 3, 1, tzinfo=UTC)
    first, _ = await send(caller("SYSTEM", "market"), body(line()))
    assert rule(first) == ("accepted", None)
    assert {rule(review) for review in first["reviews"]} == {("refused", "role-not-allowed")}


async def test_of_uploads_that_race_each_line_is_taken_once(
    importer: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    lines = [line(f"O{n}") for n in range(40)]
    racing = [send(importer, body(*lines)), send(importer, body(*reversed(lines)))]
    both = await asyncio.gather(*racing)
    told = [[rule(each)[0] for each in answers[:-1]] for answers in both]
    assert {tuple(sorted(pair)) for pair in zip(told[0], reversed(told[1]), strict=True)} == {
        ("accepted", "unchanged")
    }
    assert len(await recorded(pool)) == len(lines) * len(WHOLE)


class OthersFirst(PostgresLog):
    """A log on which others are always first on the streams of one order."""

    async def append(
        self, planned: Sequence[Planned], replies: Sequence[Reply] = ()
    ) -> list[Recorded[Any]]:
        if any(item.correlation == "O7" for item in planned):
            raise VersionConflict
        return await super().append(planned, replies)


class OfLaterRelease(PostgresLog):
    """A log in which one order has an event that this release does not know."""

    async def read(self, streams: Sequence[str]) -> dict[str, list[Recorded[Any]]]:
        if "order-O7" in streams:
            raise StreamsUnreadable({"order-O7": "OrderInsured.v1"})
        return await super().read(streams)


@pytest.mark.parametrize(
    ("log_type", "why"),
    [
        pytest.param(OthersFirst, "concurrent-change", id="always loses its race"),
        pytest.param(OfLaterRelease, "unavailable", id="has an event of a later release"),
    ],
)
async def test_a_line_of_an_order_that_cannot_be_decided_on_is_refused_and_the_rest_is_not(
    pool: asyncpg.Pool, clock: ManualClock, log_type: type[PostgresLog], why: str
) -> None:
    clock.at = datetime(2026, 3, 1, tzinfo=UTC)
    log = log_type(pool, source="/review-service", now=clock)
    lines = [Numbered(n, line_of(line(f"O{n}")).encode()) for n in range(20)]
    answers = await Intake(log, policies(), InMemoryKeyStore(), clock).take(
        lines, teller("olist"), UploadTally()
    )
    told = {each["order_id"]: rule(each) for each in map(json.loads, answers.splitlines())}
    assert told.pop("O7") == ("refused", why)
    assert set(told.values()) == {("accepted", None)}
    assert len(await recorded(pool)) == 19 * len(WHOLE)
