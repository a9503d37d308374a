"""Commands over HTTP in, what came of them out: for tests of the API of any service."""

import io
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import httpx
from PIL import Image

type Client = httpx.AsyncClient
type Json = dict[str, Any]


async def send(
    client: Client,
    path: str,
    body: Json | None = None,
    *,
    key: str | None = None,
    version: str | None = None,
    dry: bool = False,
) -> httpx.Response:
    """A command, under a key of its own if none is named. `dry`: a rehearsal."""
    headers = {"Idempotency-Key": key or str(uuid4())}
    if version:
        headers["If-Match"] = version
    query = {"validate_only": "true"} if dry else {}
    return await client.post(path, json=body or {}, headers=headers, params=query)


def done(answered: httpx.Response) -> Json:
    """What was recorded, as its sender sees it."""
    assert answered.status_code == HTTPStatus.CREATED, answered.text
    shown: Json = answered.json()
    return shown


def refusal(answered: httpx.Response) -> str:
    """The rule that refused it."""
    assert answered.is_error, answered.text
    return str(answered.json()["type"]).rpartition("/")[2]


async def types_at(client: Client, path: str) -> list[str]:
    """The types of what has happened there, as far as the client may know."""
    told = await client.get(f"{path}/events", params={"limit": 100})
    assert told.status_code == HTTPStatus.OK, told.text
    return [each["type"].partition(".")[0] for each in told.json()["items"]]


def picture() -> bytes:
    drawn = io.BytesIO()
    Image.new("RGB", (20, 10)).save(drawn, "PNG")
    return drawn.getvalue()


async def uploaded(client: Client, content: bytes = b"") -> str:
    """The id of a picture that somebody has sent in as evidence."""
    answered = await client.post(
        "/v1/media?purpose=EVIDENCE",
        content=content or picture(),
        headers={"Content-Type": "image/png", "Idempotency-Key": str(uuid4())},
    )
    return str(done(answered)["media_id"])
