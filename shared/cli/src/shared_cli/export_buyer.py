"""A buyer in, all that the four services tell him of himself out, a line for each piece.

Asked with a token of his own, page by page, so that what he may not know is in no line: who reads
an export knows what he could read by himself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
from local_stack.errors import StackError
from msgspec import Raw, Struct

from shared_cli.export_pages import PAGE_LINES, Refused, Sink, check

WHO = "/v1/buyers/{buyer_id}/score"
"""Told to him and to no other buyer: so it is asked first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class One:
    """A page of a service. `path` has the names of ids that were told before."""

    service: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Many:
    """A list of a service. `each`: what is asked of each of its items besides, by its ids."""

    service: str
    path: str
    query: Mapping[str, str] | None = None
    each: "tuple[One | Many, ...]" = ()


AS_BUYER = {"side": "BUYER"}
ASKED: tuple[One | Many, ...] = (
    One(service="reputation", path=WHO),
    One(service="reputation", path="/v1/buyers/{buyer_id}/points"),
    Many(service="reputation", path="/v1/buyers/{buyer_id}/points/events"),
    One(service="reputation", path="/v1/buyers/{buyer_id}/measures"),
    Many(
        service="reputation",
        path="/v1/buyers/{buyer_id}/cases",
        each=(
            One(service="reputation", path="/v1/cases/{case_id}"),
            Many(service="reputation", path="/v1/cases/{case_id}/events"),
        ),
    ),
    Many(
        service="review",
        path="/v1/me/orders",
        query=AS_BUYER,
        each=(
            One(service="review", path="/v1/orders/{order_id}"),
            Many(service="review", path="/v1/orders/{order_id}/events"),
            One(service="review", path="/v1/orders/{order_id}/evaluation"),
            Many(service="review", path="/v1/orders/{order_id}/evaluation/events"),
            One(service="returns", path="/v1/orders/{order_id}/refunds"),
            Many(service="returns", path="/v1/orders/{order_id}/refunds/events"),
        ),
    ),
    Many(service="review", path="/v1/me/reviews", query=AS_BUYER | {"kind": "WRITTEN"}),
    Many(service="review", path="/v1/me/reviews", query=AS_BUYER | {"kind": "RECEIVED"}),
    Many(
        service="dispute",
        path="/v1/inquiries",
        query=AS_BUYER,
        each=(
            One(service="dispute", path="/v1/inquiries/{inquiry_id}"),
            Many(service="dispute", path="/v1/inquiries/{inquiry_id}/events"),
        ),
    ),
    Many(
        service="dispute",
        path="/v1/disputes",
        query=AS_BUYER,
        each=(
            One(service="dispute", path="/v1/disputes/{dispute_id}"),
            Many(service="dispute", path="/v1/disputes/{dispute_id}/events"),
        ),
    ),
    Many(
        service="returns",
        path="/v1/returns",
        query=AS_BUYER,
        each=(
            One(service="returns", path="/v1/returns/{return_id}"),
            Many(service="returns", path="/v1/returns/{return_id}/events"),
        ),
    ),
)


class Piece(Struct, frozen=True):
    """A line: which service told what, and where it is asked for."""

    service: str
    path: str
    told: Raw


class _Page(Struct):
    items: list[Raw]
    next_cursor: str | None


def export(web: httpx.Client, urls: Mapping[str, str], buyer_id: str, sink: Sink) -> None:
    """Writes a page at a time. Raises `Refused`, and StackError when a service does not answer."""
    if _asked(web, urls, "reputation", _path(WHO, {"buyer_id": buyer_id}), {}) is None:
        raise Refused(f"the token is not of the buyer {buyer_id}")
    for what in ASKED:
        for page in _pieces(web, urls, what, {"buyer_id": buyer_id}):
            sink.write([msgspec.json.encode(piece) for piece in page])


def _pieces(
    web: httpx.Client, urls: Mapping[str, str], what: One | Many, ids: Mapping[str, Any]
) -> Iterator[list[Piece]]:
    """Page by page; nothing where there is nothing."""
    path = _path(what.path, ids)
    if isinstance(what, One):
        if (told := _asked(web, urls, what.service, path, {})) is not None:
            yield [Piece(what.service, path, Raw(told))]
        return
    query = {"limit": str(PAGE_LINES), **(what.query or {})}
    cursor: str | None = None
    while True:
        asked = query | ({"cursor": cursor} if cursor else {})
        if (told := _asked(web, urls, what.service, path, asked)) is None:
            return
        page = msgspec.json.decode(told, type=_Page)
        yield [Piece(what.service, path, item) for item in page.items]
        for item in page.items:
            of_item: dict[str, Any] = msgspec.json.decode(item)
            for besides in what.each:
                yield from _pieces(web, urls, besides, {**ids, **of_item})
        if (cursor := page.next_cursor) is None:
            return


def _path(template: str, ids: Mapping[str, Any]) -> str:
    """An id may have letters in it that mean something else in a path."""
    quoted = {name: quote(id_, safe="") for name, id_ in ids.items() if isinstance(id_, str)}
    return template.format_map(quoted)


def _asked(
    web: httpx.Client, urls: Mapping[str, str], service: str, path: str, query: Mapping[str, str]
) -> bytes | None:
    """The answer; None where nothing is known there. Raises `Refused` or StackError."""
    try:
        answer = web.get(f"{urls[service]}{path}", params=query)
    except httpx.TransportError as failure:
        raise StackError(f"{service}-service does not answer: {failure}") from failure
    if answer.status_code == HTTPStatus.NOT_FOUND:
        return None
    check(f"{service}-service", answer.status_code, answer.text, None)
    return answer.content
