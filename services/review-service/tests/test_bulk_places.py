"""So many uploads come in at once; who brings nothing, or reads nothing, keeps nobody waiting."""

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest
from fastapi import HTTPException
from review_service.api import bulk
from review_service.api.bulk import Exchange
from review_service.bulk.intake import Intake, Numbered, UploadTally
from review_service.bulk.story import Teller
from review_service.bulk.story import importer as teller
from shared_runtime.places import Places
from shared_runtime.problems import Unavailable
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

SECONDS_MAX = 10.0


class Noting(Intake):
    """Takes lines and records nothing."""

    def __init__(self) -> None:
        self.lines = 0

    async def take(self, batch: Sequence[Numbered], teller: Teller, tally: UploadTally) -> bytes:  # noqa: ARG002
        self.lines += len(batch)
        return b"{}\n"


class Client:
    """Sends the same part again and again, and ends when it is `done`; reads if it `reads`."""

    def __init__(self, part: bytes = b"", *, reads: bool = True) -> None:
        self.part = part
        self.done = asyncio.Event()
        self.reads = reads
        self.answered = b""

    async def receive(self) -> Message:
        if not self.part:
            await self.done.wait()
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": self.part, "more_body": not self.done.is_set()}

    async def send(self, message: Message) -> None:
        if not self.reads:
            await asyncio.Event().wait()
        self.answered += message.get("body", b"")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "QUIET_SECONDS", 0.2)
    monkeypatch.setattr(bulk, "QUIET_LOOK_SECONDS", 0.02)


def uploads(client: Client, places: Places, account: str = "olist") -> asyncio.Task[None]:
    exchange = Exchange(Noting(), teller(account), places)
    receive = cast("Receive", client.receive)
    return asyncio.create_task(exchange({"type": "http"}, receive, client.send))


async def outcome(task: asyncio.Task[None]) -> BaseException | None:
    await asyncio.wait({task}, timeout=SECONDS_MAX)
    return task.exception()


async def test_so_many_uploads_are_taken_at_once_and_fewer_of_one_account() -> None:
    places = Places(3, 2, patience_seconds=0)
    client = Client()
    under_way = [uploads(client, places) for _ in range(2)]
    await asyncio.sleep(0)
    assert isinstance(await outcome(uploads(client, places)), Unavailable)
    under_way.append(uploads(client, places, "another"))
    await asyncio.sleep(0)
    assert isinstance(await outcome(uploads(client, places, "a third")), Unavailable)
    client.done.set()
    assert [await outcome(task) for task in under_way] == [None, None, None]


@pytest.mark.parametrize("part", [b"", b"x"], ids=["says nothing", "brings no line to its end"])
async def test_who_brings_no_line_gives_his_place_to_who_waits(part: bytes) -> None:
    places = Places(1, 1, patience_seconds=SECONDS_MAX)
    quiet, waiting = Client(part), Client(b"{}\n")
    first = uploads(quiet, places)
    await asyncio.sleep(0)
    second = uploads(waiting, places, "another")
    told = await outcome(first)
    assert isinstance(told, HTTPException)
    assert told.status_code == 408
    waiting.done.set()
    assert await outcome(second) is None


async def test_who_brings_no_line_stays_while_nobody_waits() -> None:
    quiet = Client()
    first = uploads(quiet, Places(1, 1, patience_seconds=0))
    await asyncio.wait({first}, timeout=0.5)
    assert not first.done()
    quiet.done.set()
    assert await outcome(first) is None


async def test_who_brings_lines_stays_whoever_waits() -> None:
    places = Places(1, 1, patience_seconds=0.5)
    busy = Client(b"{}\n")
    first = uploads(busy, places)
    await asyncio.sleep(0)
    assert isinstance(await outcome(uploads(Client(), places, "another")), Unavailable)
    assert not first.done()
    busy.done.set()
    assert await outcome(first) is None


async def test_who_reads_no_answer_gives_his_place_to_who_waits() -> None:
    places = Places(1, 1, patience_seconds=SECONDS_MAX)
    waiting = Client(b"{}\n")
    first = uploads(Client(b"{}\n", reads=False), places)
    await asyncio.wait({first}, timeout=0.5)
    assert not first.done()
    second = uploads(waiting, places, "another")
    assert isinstance(await outcome(first), ClientDisconnect)
    waiting.done.set()
    assert await outcome(second) is None
