"""Files that parties bring as evidence: from the upload to whoever may see them."""

from collections.abc import Awaitable, Callable
from hashlib import sha256

import asyncpg
import httpx
from dispute_service.testing.desk import Desk
from shared_runtime.testing_http import Client, done, picture, refusal, send, uploaded

type Work = Callable[[], Awaitable[None]]

REFERRED = "SELECT referenced_at IS NOT NULL FROM media.file WHERE media_id = $1"


def photo(media_id: str) -> dict[str, str]:
    return {"kind": "PHOTO", "media": media_id}


async def test_a_photo_is_kept_with_its_digest_and_seen_by_the_other_once_it_is_shared(
    desk: Desk,
) -> None:
    case = await desk.opened()
    media_id = await uploaded(desk.buyer)
    lodged = (await case.do(desk.buyer, "evidence", photo(media_id)))["evidence"][0]
    assert lodged["media"]["media_id"] == media_id
    content = await downloaded(desk.buyer, lodged["media"]["url"])
    assert lodged["sha256"] == sha256(content).hexdigest()
    history = (await desk.auditor.get(f"{case.path}/events")).json()["items"]
    assert history[-1]["data"]["sha256"] == lodged["sha256"]
    assert (await case.seen_by(desk.seller))["evidence"] == []
    await case.do(desk.buyer, "evidence/sharing", {"evidence_ids": [lodged["evidence_id"]]})
    (shown,) = (await case.seen_by(desk.seller))["evidence"]
    assert await downloaded(desk.seller, shown["media"]["url"]) == content


async def downloaded(client: Client, url: str) -> bytes:
    told = await client.get(url)
    assert told.status_code == 200, told.text
    return told.content


async def test_a_file_of_somebody_else_is_none(desk: Desk, pool: asyncpg.Pool) -> None:
    case = await desk.opened()
    media_id = await uploaded(desk.seller)
    told = await case.tried(desk.buyer, "evidence", photo(media_id))
    assert (refusal(told), told.json()["errors"][0]["field"]) == ("invalid-value", "media")
    unknown = await case.tried(desk.buyer, "evidence", photo("nothing"))
    assert unknown.json()["errors"] == told.json()["errors"]
    assert await pool.fetchval(REFERRED, media_id) is False
    for path in (f"/v1/media/{media_id}", f"/v1/media/{media_id}/links"):
        reading = desk.buyer.get(path) if "links" not in path else send(desk.buyer, path)
        assert refusal(await reading) == "not-found"


async def test_a_file_that_was_sent_for_a_review_is_no_evidence(desk: Desk) -> None:
    case = await desk.opened()
    sent = await desk.buyer.post(
        "/v1/media?purpose=REVIEW",
        content=picture(),
        headers={"Content-Type": "image/png", "Idempotency-Key": "once"},
    )
    told = await case.tried(desk.buyer, "evidence", photo(str(done(sent)["media_id"])))
    assert refusal(told) == "invalid-value"


async def test_a_rehearsal_keeps_no_file(desk: Desk, pool: asyncpg.Pool) -> None:
    case = await desk.opened()
    media_id = await uploaded(desk.buyer)
    tried: httpx.Response = await case.tried(desk.buyer, "evidence", photo(media_id), dry=True)
    assert tried.status_code == 200
    assert await pool.fetchval(REFERRED, media_id) is False
    await case.do(desk.buyer, "evidence", photo(media_id))
    assert await pool.fetchval(REFERRED, media_id) is True


async def test_a_question_has_files_too(desk: Desk) -> None:
    asking = {"order_id": desk.order_id, "topic": "PRODUCT", "text": "Is it this one?"}
    media_id = await uploaded(desk.buyer)
    asked = done(await send(desk.buyer, "/v1/inquiries", asking | {"media": [media_id]}))
    assert [each["media_id"] for each in asked["media"]] == [media_id]
    seen = (await desk.seller.get(f"/v1/inquiries/{asked['inquiry_id']}")).json()
    assert (await downloaded(desk.seller, seen["media"][0]["url"]))[1:4] == b"PNG"
    others = await send(
        *(desk.seller, f"/v1/inquiries/{asked['inquiry_id']}/messages"),
        {"text": "See there.", "auto": True, "media": [media_id]},
    )
    assert refusal(others) == "invalid-value"
