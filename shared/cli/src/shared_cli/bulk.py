"""Bulk lines in, what became of every one out: some hundred a request, two requests in flight."""

import asyncio
import itertools
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import quote

import httpx
import msgspec
from local_stack.errors import StackError
from msgspec import Raw, Struct

from shared_cli.bulk_line import Answer, decode_answer

LINES_A_REQUEST = 500
REQUESTS_IN_FLIGHT = 2
REQUEST_SECONDS = 120.0
PATIENCE_SECONDS = 30.0  # without an answer to a single line: the service does not come back
PAUSE_SECONDS = 0.5
FINAL_SECONDS = 300.0
DETAIL_LENGTH = 500
TOLD_EVERY_SECONDS = 2.0
LATER = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS)
"""The service cannot yet, or a gateway wants it slower."""

type Say = Callable[[str], None]
type Refusal = Callable[[bytes, Answer], None]
"""Is told each line of which something was refused, with the answer."""


class _Order(Struct):
    seller_id: str


class _Told(Struct):
    """What of a line is of interest here."""

    order: _Order


class _Sent(Struct):
    reviews: list[Raw] = []


@dataclass(slots=True, kw_only=True)
class Taken:
    """What became of the lines that were answered.

    `orders` and `reviews` by outcome, refusals by rule; `unjudged` are the reviews of orders that
    were refused. `tokens`: the highest position appended, by `<topic>/<partition>`. `seller_id`
    is one of those whose orders are there.
    """

    lines: int = 0
    orders: Counter[str] = field(default_factory=Counter[str])
    orders_refused: Counter[str] = field(default_factory=Counter[str])
    reviews: Counter[str] = field(default_factory=Counter[str])
    reviews_refused: Counter[str] = field(default_factory=Counter[str])
    parts: Counter[str] = field(default_factory=Counter[str])
    parts_refused: Counter[str] = field(default_factory=Counter[str])
    unjudged: int = 0
    events: int = 0
    tokens: dict[str, int] = field(default_factory=dict[str, int])
    seller_id: str | None = None

    def take(self, line: bytes, answer: Answer) -> None:
        """Counts what became of a line."""
        self.lines += 1
        self.orders[answer.order or "refused"] += 1
        if self.seller_id is None and (answer.order or "refused") != "refused":
            self.seller_id = msgspec.json.decode(line, type=_Told).order.seller_id
        if answer.order == "refused":
            self.orders_refused[answer.problem.rule if answer.problem else "unknown"] += 1
            self.unjudged += _reviews_of(line) - len(answer.reviews)
        for review in answer.reviews:
            self.reviews[review.outcome] += 1
            if review.outcome == "refused":
                self.reviews_refused[review.problem.rule if review.problem else "unknown"] += 1
            for part in review.parts:
                self.parts[part.outcome] += 1
                if part.outcome == "refused":
                    self.parts_refused[part.problem.rule if part.problem else "unknown"] += 1

    def close(self, answer: Answer) -> None:
        """Takes the last word about a request."""
        assert answer.summary is not None
        self.events += answer.summary.events
        for token in answer.tokens:
            place, _, position = token.rpartition(":")
            self.tokens[place] = max(self.tokens.get(place, 0), int(position))


def _reviews_of(line: bytes) -> int:
    """How many reviews a line has that may make no sense."""
    try:
        return len(msgspec.json.decode(line, type=_Sent).reviews)
    except msgspec.DecodeError:
        return 0


def client(headers: dict[str, str]) -> httpx.AsyncClient:
    """For the requests of this module."""
    return httpx.AsyncClient(timeout=REQUEST_SECONDS, headers=headers)


async def send(
    web: httpx.AsyncClient,
    review_url: str,
    lines: Iterable[bytes],
    say: Say,
    refusal: Refusal | None = None,
) -> Taken:
    """Sends all lines and counts the answers. Lines are drawn as they are sent.

    A request that breaks off is sent again from the first line without an answer: lines are
    idempotent by their ids. Raises StackError when the service refuses or does not come back, and
    whatever `lines` raises.
    """
    taken = Taken()
    batches = itertools.batched(lines, LINES_A_REQUEST, strict=False)
    meter = _Meter(say)

    async def work() -> None:
        for batch in batches:  # one iterator for all: each batch goes to whoever is free
            await _deliver(web, review_url, deque(batch), taken, refusal)
            meter.show(taken)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(REQUESTS_IN_FLIGHT):
                group.create_task(work())
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return taken


async def wait_until_final(web: httpx.AsyncClient, reputation_url: str, taken: Taken) -> None:
    """Returns when every score contains all that was taken. The table of sellers may come later."""
    if taken.seller_id is not None:
        seller = quote(taken.seller_id, safe="")
        await _wait(web, f"{reputation_url}/v1/sellers/{seller}/score", taken.tokens)


async def wait_until_ranked(
    web: httpx.AsyncClient, reputation_url: str, tokens: Mapping[str, int]
) -> None:
    """Returns when the table of sellers too contains all up to the tokens (positions by place)."""
    await _wait(web, f"{reputation_url}/v1/sellers?limit=1", tokens)


async def _wait(web: httpx.AsyncClient, url: str, tokens: Mapping[str, int]) -> None:
    deadline = time.monotonic() + FINAL_SECONDS
    for place, position in sorted(tokens.items()):
        while True:
            answer = await web.get(url, headers={"Consistency-Token": f"{place}:{position}"})
            # A seller may have no score after all that the token stands for.
            if answer.is_success or '"/problems/not-found"' in answer.text:
                break
            if answer.status_code not in LATER:
                raise StackError(_refused("reputation-service", answer))
            if time.monotonic() > deadline:
                raise StackError(
                    f"the scores do not contain {place}:{position} after {FINAL_SECONDS:.0f} s: "
                    "does reputation-service's worker run?"
                )
            await asyncio.sleep(_retry_after(answer))


async def _deliver(
    web: httpx.AsyncClient,
    review_url: str,
    lines: deque[bytes],
    taken: Taken,
    refusal: Refusal | None,
) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while lines:
        unanswered = len(lines)
        try:
            await _post(web, review_url, lines, taken, refusal)
        except (httpx.TransportError, _Busy) as failure:
            now = time.monotonic()
            if len(lines) < unanswered:
                deadline = now + PATIENCE_SECONDS
            if now > deadline:
                raise StackError(f"review-service does not answer: {failure}") from failure
            await asyncio.sleep(PAUSE_SECONDS)


class _Busy(Exception):  # noqa: N818 - a state of the service
    """It asks to be tried again later."""


async def _post(
    web: httpx.AsyncClient,
    review_url: str,
    lines: deque[bytes],
    taken: Taken,
    refusal: Refusal | None,
) -> None:
    """Sends the lines; those that have been answered leave the queue."""
    async with web.stream(
        "POST",
        f"{review_url}/v1/orders/bulk",
        content=b"".join(lines),
        headers={"Content-Type": "application/x-ndjson"},
    ) as answer:
        if not answer.is_success:
            await answer.aread()
            if answer.status_code in LATER:
                raise _Busy(_refused("review-service", answer))
            raise StackError(_refused("review-service", answer))
        async for told in _lines_of(answer):
            became = decode_answer(told)
            if became.summary is not None:
                taken.close(became)
            else:
                line = lines.popleft()
                taken.take(line, became)
                if refusal is not None and became.problems:
                    refusal(line, became)


async def _lines_of(answer: httpx.Response) -> AsyncGenerator[bytes]:
    rest = b""
    async for chunk in answer.aiter_bytes():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line


def _retry_after(answer: httpx.Response) -> float:
    told = answer.headers.get("Retry-After", "")
    return float(told) if told.isdecimal() else PAUSE_SECONDS


def _refused(service: str, answer: httpx.Response) -> str:
    return f"{service} refuses ({answer.status_code}): {answer.text[:DETAIL_LENGTH]}"


class _Meter:
    """Tells now and then how far it has come, and how fast."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._began = self._told_at = time.monotonic()

    def show(self, taken: Taken) -> None:
        now = time.monotonic()
        if now - self._told_at >= TOLD_EVERY_SECONDS:
            self._told_at = now
            rate = taken.lines / (now - self._began)
            self._say(f"{taken.lines:,} orders, {rate:,.0f} orders/s")
