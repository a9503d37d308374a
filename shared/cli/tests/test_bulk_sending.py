"""Lines are sent until each has an answer, whatever happens to the connection meanwhile."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest
from local_stack.errors import StackError
from shared_cli import bulk

LINES = [b'{"order":{"seller_id":"S%d"}}\n' % n for n in range(7)]
ACCEPTED = '{"line":1,"order_id":"o","order":"accepted","reviews":[]}\n'
SUMMARY = '{"summary":{"lines":7,"events":63},"tokens":["orders.events/3:120"]}\n'
LATER = "HTTP/1.1 {}\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"

type Answer = Callable[[int], str]
"""What is sent back for a request of so many lines, before the connection is closed."""


@asynccontextmanager
async def service(*answers: Answer) -> AsyncGenerator[tuple[str, list[int]]]:
    """A service that gives these answers in turn; and how many lines each request had."""
    requests: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        header = await reader.readuntil(b"\r\n\r\n")
        length = int(header.lower().partition(b"content-length:")[2].split()[0])
        count = (await reader.readexactly(length)).count(b"\n")
        requests.append(count)
        writer.write(answers[len(requests) - 1](count).encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", requests


def whole(count: int) -> str:
    body = ACCEPTED * count + SUMMARY
    return f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}"


def broken(after: int) -> Answer:
    """The answer to the first lines, half of the next, and no more."""
    body = ACCEPTED * after + ACCEPTED[:10]
    return lambda _: f"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{body}"


async def send(url: str, lines: list[bytes]) -> bulk.Taken:
    async with bulk.client({}) as web:
        return await bulk.send(web, url, lines, lambda _: None)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "PAUSE_SECONDS", 0.0)


async def test_every_line_is_answered_and_counted() -> None:
    async with service(whole) as (url, requests):
        taken = await send(url, LINES)
    assert requests == [7]
    assert (taken.lines, taken.orders, taken.events) == (7, {"accepted": 7}, 63)
    assert (taken.tokens, taken.seller_id) == ({"orders.events/3": 120}, "S0")


async def test_a_request_that_breaks_off_is_continued_where_it_was_answered() -> None:
    async with service(broken(3), broken(0), whole) as (url, requests):
        taken = await send(url, LINES)
    assert requests == [7, 4, 4]
    assert (taken.lines, taken.orders) == (7, {"accepted": 7})


@pytest.mark.parametrize("status", ["503 Service Unavailable", "429 Too Many Requests"])
async def test_a_service_that_cannot_now_or_a_gateway_that_is_asked_too_often_is_asked_again(
    status: str,
) -> None:
    async with service(lambda _: LATER.format(status), whole) as (url, requests):
        taken = await send(url, LINES)
    assert requests == [7, 7]
    assert taken.lines == 7


async def test_a_service_that_refuses_the_caller_is_not_asked_twice() -> None:
    forbidden = "HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nforbidden"
    async with service(lambda _: forbidden) as (url, requests):
        with pytest.raises(StackError, match=r"review-service refuses \(403\): forbidden"):
            await send(url, LINES)
    assert requests == [7]


async def test_a_service_that_does_not_come_back_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bulk, "PATIENCE_SECONDS", 0.0)
    with pytest.raises(StackError, match="review-service does not answer"):
        await send("http://127.0.0.1:9", LINES)


async def test_lines_are_sent_in_requests_of_a_limited_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bulk, "LINES_A_REQUEST", 3)
    async with service(whole, whole, whole) as (url, requests):
        taken = await send(url, LINES)
    assert sorted(requests) == [1, 3, 3]
    assert (taken.lines, taken.events) == (7, 3 * 63)
