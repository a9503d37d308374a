"""Photos and videos: sent as they are, with their type."""

from typing import Literal, Protocol
from urllib.parse import quote

import httpx

from aftersales_client.answers import Answer, answer_with, check

type Purpose = Literal["REVIEW", "EVIDENCE"]


class Client(Protocol):
    """An AuthenticatedClient of any of the services."""

    def get_httpx_client(self) -> httpx.Client: ...


def upload(
    client: Client,
    content: bytes,
    content_type: str,
    *,
    purpose: Purpose,
    idempotency_key: str,
    name: str | None = None,
) -> Answer[str]:
    """The id of the file, by which what is written refers to it. Raises `Refused`."""
    headers = {"Content-Type": content_type, "Idempotency-Key": idempotency_key}
    if name is not None:
        headers["File-Name"] = quote(name)
    answered = client.get_httpx_client().post(
        "/v1/media", params={"purpose": purpose}, content=content, headers=headers
    )
    check(answered)
    media_id: str = answered.json()["media_id"]
    return answer_with(media_id, answered)
