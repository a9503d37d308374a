"""What else there was to a review comes in with it: each part by itself, and each one once."""

import io
import json
from collections.abc import Awaitable, Callable
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from msgspec import Raw
from PIL import Image
from review_service.api.bulk import NDJSON, PATH
from review_service.api.examples import LINE, line_of
from review_service.bulk.reviewed import RefusedReview, SoundReview, decode_review
from shared_runtime.testing import InMemoryKeyStore, ManualClock

type Caller = Callable[..., httpx.AsyncClient]
type Work = Callable[[], Awaitable[None]]
type Json = dict[str, Any]

NOW = datetime(2026, 6, 1, tzinfo=UTC)
BUYER, SELLER = LINE["reviews"]
REVEALED = "2026-01-17T10:00:00Z"
"""When the second of them was written."""
CLOSED = "2026-01-30T18:00:00Z"
"""When a review alone is revealed."""
REPLY = {"at": "2026-01-18T10:00:00Z", "text": "Thank you."}
FOLLOW_UP = {"at": "2026-03-01T10:00:00Z", "text": "It still shines."}
RESTRICTED = {
    "at": "2026-03-02T10:00:00Z",
    "ground": "PERSONAL_DATA",
    "measures": ["HIDE_TEXT"],
    "facts": "It gives a street.",
}
TOLD = BUYER | {
    "title": "Bright",
    "text": "Reads well.",
    "reply": REPLY,
    "follow_up": FOLLOW_UP,
    "restricted": RESTRICTED,
}


@pytest.fixture
def importer(caller: Caller, clock: ManualClock) -> httpx.AsyncClient:
    clock.at = NOW
    return caller("IMPORTER", "migration")


def line(*reviews: Json, order_id: str = "O1") -> Json:
    told: Json = deepcopy(LINE) | {"reviews": list(reviews)}
    told["order"]["order_id"] = order_id
    return told


async def send(client: httpx.AsyncClient, *lines: Json) -> list[Json]:
    content = "".join(map(line_of, lines))
    answered = await client.post(PATH, content=content, headers={"Content-Type": NDJSON})
    assert answered.status_code == 200, answered.text
    return [json.loads(each) for each in answered.content.splitlines()]


def parts_of(answer: Json, review: int = 0) -> dict[str, str]:
    """What became of the parts, and which rule refused them."""
    return {
        part["part"]: part["problem"]["type"].rpartition("/")[2]
        if "problem" in part
        else part["outcome"]
        for part in answer["reviews"][review].get("parts", [])
    }


def errors_of(answer: Json, part: str) -> list[tuple[str, str]]:
    [told] = [each for each in answer["reviews"][0]["parts"] if each["part"] == part]
    return [(error["field"], error["bound"]) for error in told["problem"]["errors"]]


async def dated(pool: asyncpg.Pool) -> dict[str, str]:
    """When what was last recorded of each kind happened."""
    rows = await pool.fetch("SELECT type, body FROM es.event ORDER BY stream_id, stream_version")
    return {
        row["type"].partition(".")[0]: json.loads(row["body"])["time"].replace(".000000", "")
        for row in rows
    }


ACCEPTED = dict.fromkeys(("reply", "follow_up", "restricted"), "accepted")


async def test_a_review_brings_what_was_said_of_it_and_that_it_was_hidden(
    importer: httpx.AsyncClient, pool: asyncpg.Pool, caller: Caller
) -> None:
    answer, summary = await send(importer, line(TOLD, SELLER))
    assert parts_of(answer) == ACCEPTED
    assert summary["summary"]["parts"] == {"accepted": 3, "unchanged": 0, "refused": 0}
    times = await dated(pool)
    assert times["ReviewsRevealed"] == REVEALED
    assert times["ReplyPublished"] == REPLY["at"]
    assert times["FollowUpAppended"] == FOLLOW_UP["at"]
    assert times["ReviewRestricted"] == RESTRICTED["at"]
    seen = await caller("BUYER", "B-5").get("/v1/orders/O1/evaluation")
    [buyers] = [each for each in seen.json()["reviews"] if each["by"] == "BUYER"]
    assert buyers["text"] == "Bright\n\nReads well."
    assert (buyers["reply"]["text"], buyers["follow_up"]["text"]) == (
        REPLY["text"],
        FOLLOW_UP["text"],
    )
    assert buyers["status"] == "RESTRICTED"
    assert buyers["restriction"]["facts"] == RESTRICTED["facts"]
    bodies = [row["body"] for row in await pool.fetch("SELECT body FROM es.event")]
    assert not [body for body in bodies if b"shines" in body or b"street" in body]  # sealed


async def test_the_same_again_changes_nothing(
    importer: httpx.AsyncClient, pool: asyncpg.Pool, work: Work
) -> None:
    told = line(TOLD, SELLER | {"reply": REPLY | {"text": "Paid at once."}})
    first, _ = await send(importer, told)
    await work()
    events = await pool.fetchval("SELECT count(*) FROM es.event")
    again, summary = await send(importer, told)
    assert [parts_of(first), parts_of(first, 1)] == [ACCEPTED, {"reply": "accepted"}]
    assert set(parts_of(again).values()) == {"unchanged"}
    assert parts_of(again, 1) == {"reply": "unchanged"}
    assert (again["order"], summary["summary"]["events"]) == ("unchanged", 0)
    assert await pool.fetchval("SELECT count(*) FROM es.event") == events


async def test_what_was_said_before_the_reveal_is_said_at_it(
    importer: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    early = TOLD | {"reply": REPLY | {"at": "2026-01-16T11:00:00Z"}}
    answer, _ = await send(importer, line(early))
    assert parts_of(answer) == ACCEPTED
    times = await dated(pool)
    assert (times["ReviewsRevealed"], times["ReplyPublished"]) == (CLOSED, CLOSED)


async def test_a_reply_to_what_is_not_revealed_waits_for_the_line_to_come_again(
    importer: httpx.AsyncClient, clock: ManualClock, work: Work
) -> None:
    clock.at = datetime(2026, 1, 20, tzinfo=UTC)
    told = line(BUYER | {"reply": REPLY})
    answer, _ = await send(importer, told)
    assert parts_of(answer) == {"reply": "not-found"}
    clock.at = datetime(2026, 2, 1, tzinfo=UTC)
    await work()
    again, _ = await send(importer, told)
    assert (again["reviews"][0]["outcome"], parts_of(again)) == ("unchanged", {"reply": "accepted"})


LATE = {"at": "2026-02-20T10:00:00Z", "text": "Thank you."}
REFUSED: list[tuple[str, Json, str]] = [
    ("reply", LATE, "window-closed"),
    ("reply", REPLY | {"text": "x" * 2001}, "invalid-value"),
    ("reply", REPLY | {"text": "a\u0000b"}, "invalid-value"),
    ("reply", REPLY | {"at": "2026-01-18"}, "invalid-value"),
    ("reply", REPLY | {"at": "2026-07-01T10:00:00Z"}, "invalid-value"),
    ("reply", REPLY | {"by": "me"}, "invalid-value"),
    ("follow_up", {"text": "no instant"}, "invalid-value"),
    ("follow_up", FOLLOW_UP | {"media": ["x"] * 11}, "invalid-value"),
    ("restricted", RESTRICTED | {"ground": "DULL"}, "invalid-value"),
    ("restricted", RESTRICTED | {"measures": []}, "invalid-value"),
    ("restricted", RESTRICTED | {"measures": ["HIDE_TEXT", "HIDE_REPLY"]}, "invalid-value"),
    ("media", ["nobody's"], "invalid-value"),  # type: ignore[list-item]  # of a list
]


async def test_a_part_that_is_refused_is_named_and_costs_neither_the_review_nor_the_others(
    importer: httpx.AsyncClient,
) -> None:
    lines = [
        line(TOLD | {name: part}, SELLER, order_id=f"O{n}")
        for n, (name, part, _) in enumerate(REFUSED)
    ]
    for n, told in enumerate(lines):
        told["order"]["buyer_id"] = f"B-{n}"
    *answers, summary = await send(importer, *lines)
    for answer, (name, part, rule) in zip(answers, REFUSED, strict=True):
        assert answer["order"] == "accepted"
        assert [review["outcome"] for review in answer["reviews"]] == ["accepted"] * 2
        assert parts_of(answer) == ACCEPTED | {name: rule}, part
        if rule == "invalid-value":
            assert errors_of(answer, name)[0][0].startswith(f"reviews[0].{name}"), part
    assert summary["summary"]["parts"]["refused"] == len(REFUSED)


async def test_the_parts_of_a_refused_review_share_its_fate_and_are_not_told(
    importer: httpx.AsyncClient,
) -> None:
    answer, summary = await send(importer, line(TOLD | {"quality": 6}, SELLER))
    assert [review["outcome"] for review in answer["reviews"]] == ["refused", "accepted"]
    assert parts_of(answer) == {}
    assert summary["summary"]["parts"] == {"accepted": 0, "unchanged": 0, "refused": 0}


async def test_what_somebody_said_who_was_erased_is_refused_alone(
    importer: httpx.AsyncClient, key_store: InMemoryKeyStore
) -> None:
    await key_store.destroy("seller:S-77")
    answer, _ = await send(importer, line(TOLD))
    assert parts_of(answer) == ACCEPTED | {"reply": "subject-erased"}


async def photo(client: httpx.AsyncClient, purpose: str = "REVIEW") -> str:
    picture = io.BytesIO()
    Image.new("RGB", (20, 10)).save(picture, "PNG")
    uploaded = await client.post(
        f"/v1/media?purpose={purpose}",
        content=picture.getvalue(),
        headers={"Content-Type": "image/png", "Idempotency-Key": str(uuid4())},
    )
    assert uploaded.status_code == 201, uploaded.text
    media_id: str = uploaded.json()["media_id"]
    return media_id


async def test_files_that_are_the_writers_come_with_the_review_and_stay(
    importer: httpx.AsyncClient, pool: asyncpg.Pool, caller: Caller
) -> None:
    buyer = caller("BUYER", "B-5")
    of_review, of_follow_up, unused = [await photo(buyer) for _ in range(3)]
    told = line(
        BUYER | {"media": [of_review], "follow_up": FOLLOW_UP | {"media": [of_follow_up]}}, SELLER
    )
    answer, _ = await send(importer, told)
    assert parts_of(answer) == {"media": "accepted", "follow_up": "accepted"}
    seen = await buyer.get("/v1/orders/O1/evaluation")
    [shown] = [each for each in seen.json()["reviews"] if each["by"] == "BUYER"]
    assert [each["media_id"] for each in shown["media"]] == [of_review]
    assert [each["media_id"] for each in shown["follow_up"]["media"]] == [of_follow_up]
    kept = await pool.fetch("SELECT media_id FROM media.file WHERE referenced_at IS NOT NULL")
    assert {row["media_id"] for row in kept} == {of_review, of_follow_up} - {unused}
    again, summary = await send(importer, told)
    assert parts_of(again) == {"media": "unchanged", "follow_up": "unchanged"}
    assert summary["summary"]["events"] == 0


async def test_a_file_that_is_not_the_writers_for_a_review_is_named_and_the_others_come(
    importer: httpx.AsyncClient, caller: Caller
) -> None:
    buyer, other = caller("BUYER", "B-5"), caller("BUYER", "B-6")
    good, evidence, foreign = (
        await photo(buyer),
        await photo(buyer, "EVIDENCE"),
        await photo(other),
    )
    media = [good, evidence, foreign, "none", good]
    answer, _ = await send(importer, line(BUYER | {"media": media}, SELLER))
    assert answer["reviews"][0]["outcome"] == "accepted"
    named = [field for field, _ in errors_of(answer, "media")]
    assert named == [f"reviews[0].media[{n}]" for n in (1, 2, 3, 4)]
    seen = await buyer.get("/v1/orders/O1/evaluation")
    [shown] = [each for each in seen.json()["reviews"] if each["by"] == "BUYER"]
    assert [each["media_id"] for each in shown["media"]] == [good]


# --- Read by itself


def read(review: object) -> SoundReview | RefusedReview:
    return decode_review(Raw(json.dumps(review).encode()), 0, NOW)


def test_a_title_is_the_first_paragraph() -> None:
    for title, text, whole in (
        ("Bright", "Reads well.", "Bright\n\nReads well."),
        ("Bright", None, "Bright"),
        (None, "Reads well.", "Reads well."),
        (None, None, None),
    ):
        sound = read(BUYER | {"title": title, "text": text})
        assert isinstance(sound, SoundReview)
        assert sound.text == whole


@pytest.mark.parametrize(("length", "taken"), [(4997, True), (4998, False)])
def test_a_title_and_its_text_are_as_long_as_a_text_may_be(length: int, taken: bool) -> None:
    told = BUYER | {"title": "T", "text": "x" * length}
    assert isinstance(read(told), SoundReview) is taken


def test_a_part_that_makes_no_sense_is_left_out_with_its_reason() -> None:
    sound = read(TOLD | {"reply": 5, "media": "photo", "restricted": {}})
    assert isinstance(sound, SoundReview)
    assert {part.name for part in sound.refused} == {"reply", "media", "restricted"}
    assert set(sound.parts) == {"follow_up"}


def test_a_seller_has_no_files_and_no_follow_up() -> None:
    assert isinstance(read(SELLER | {"follow_up": FOLLOW_UP}), RefusedReview)
    assert isinstance(read(SELLER | {"media": []}), RefusedReview)
