"""A stack at work for as long as one likes: what must not grow does not (`make soak MINUTES=30`).

Orders come in singly and in bulk with their reviews, are read, some sellers are told of theirs by
webhook, buyers send photos and use none, ask for returns, which a carrier is asked for labels of,
and dispute, which nobody answers; reviews are flagged and moderated; and the clock is moved on, so
that within one run ninety days pass: deadlines are armed and fire, answers are kept and forgotten.

Sixty times the memory of each process of the services is looked at, and the rows and the bytes of
each table. What is seen is kept in a file, which `--judge` judges once more; how, says `flatness`.

Exit code 0 when nothing grows, 1 when something does (it is named).
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import msgspec
from local_stack.errors import StackError
from local_stack.oracle import check_log, order, reviewed
from local_stack.receiver import receiving
from local_stack.services import Stack, ephemeral_stack
from PIL import Image
from shared_cli import bulk, clock
from shared_runtime import idempotency, webhooks
from shared_runtime.connections import KEEP_ALIVE_SECONDS
from shared_runtime.media import UNREFERENCED_LIFETIME

from bench.flatness import HEADING, Sample, Size, judged, keep, kept

MINUTES = 30.0
PASSES = timedelta(days=90)
SAMPLES = 60
TURN_SECONDS = 1.0
BULK = 10
SELLERS = 50
TOLD = 5
"""So many of the sellers have an endpoint of a webhook."""
SELDOM = 5
"""Every so many turns there is a dispute, and a review is flagged."""
RETURNED_AFTER = 20
"""So many turns later a buyer asks for a return: all that has to know his order knows it."""
TABLES = """
    SELECT class.oid::regclass::text, pg_total_relation_size(class.oid)::bigint
    FROM pg_class AS class JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
    WHERE class.relkind = 'r' AND namespace.nspname NOT IN ('pg_catalog', 'information_schema')
"""
# What has a term, and the instant that it begins at.
KEPT: Mapping[str, tuple[str, timedelta]] = {
    "es.reply": ("SELECT min(created_at) FROM es.reply", idempotency.KEPT_FOR),
    "es.timer": ("SELECT min(due_at) FROM es.timer", timedelta()),
    "webhook.delivery": ("SELECT min(created_at) FROM webhook.delivery", webhooks.KEPT_FOR),
    "media.file": (
        "SELECT min(uploaded_at) FROM media.file WHERE referenced_at IS NULL",
        UNREFERENCED_LIFETIME,
    ),
}
EVENTS = "SELECT coalesce(sum(position), 0)::bigint FROM es.head"


@dataclass(slots=True)
class Soaked:
    """What was done. `told`: how often a shop was, by webhook."""

    placed: set[str] = field(default_factory=set[str])
    returns: int = 0
    disputes: int = 0
    photos: int = 0
    moderated: int = 0
    told: int = 0

    def line(self) -> str:
        return (
            f"{len(self.placed):,} orders, {self.returns:,} returns, {self.disputes:,} disputes, "
            f"{self.photos:,} photos, {self.moderated:,} cases moderated, {self.told:,} times told "
            "by webhook"
        )


class Traffic:
    """A second's work: an order by itself, some in bulk with all that follows, a return, and reads.

    `shop`: where sellers are told of their orders.
    """

    def __init__(self, stack: Stack, soaked: Soaked, shop: str) -> None:
        self._stack = stack
        self._soaked = soaked
        self._shop = shop
        self._number = 0
        self._photo = _photo()
        self._system = {"Authorization": f"Bearer {stack.token('SYSTEM', 'soak')}"}
        self._importer = {"Authorization": f"Bearer {stack.token('IMPORTER', 'soak')}"}
        self._auditor = {"Authorization": f"Bearer {stack.token('AUDITOR', 'soak')}"}

    @property
    def turns(self) -> int:
        return self._number

    async def begin(self, web: httpx.AsyncClient) -> None:
        """Some sellers say where they are to be told."""
        url = f"{self._stack.description.urls['review']}/v1/webhook-endpoints"
        for number in range(TOLD):
            who = self._keyed("SELLER", f"soak-seller-{number}")
            (await web.post(url, json={"url": self._shop}, headers=who)).raise_for_status()

    async def turn(self, web: httpx.AsyncClient) -> None:
        self._number += 1
        urls, seller = self._stack.description.urls, f"soak-seller-{self._number % SELLERS}"
        order_id = f"soak-{self._number}"
        headers = {**self._system, "Idempotency-Key": str(uuid4())}
        placed = await web.post(
            f"{urls['review']}/v1/orders", json=order(order_id), headers=headers
        )
        placed.raise_for_status()
        self._soaked.placed.add(order_id)
        lines = [msgspec.json.encode(self._line(each, seller)) for each in range(BULK)]
        sent = await web.post(
            f"{urls['review']}/v1/orders/bulk",
            content=b"\n".join(lines),
            headers={**self._importer, "Content-Type": "application/x-ndjson"},
        )
        sent.raise_for_status()
        for path in (f"/v1/sellers/{seller}/score", f"/v1/sellers/{seller}/score/explain"):
            await web.get(f"{urls['reputation']}{path}", headers=self._auditor)
        reviews = await web.get(
            f"{urls['review']}/v1/sellers/{seller}/reviews", headers=self._auditor
        )
        await self._upload(web, f"buyer-of-{order_id}")
        if self._number > RETURNED_AFTER:
            known = f"soak-{self._number - RETURNED_AFTER}"
            await self._return(web, f"{known}-0")
            if self._number % SELDOM == 0:
                await self._dispute(web, f"{known}-1")
        if self._number % SELDOM == 1:
            await self._flag(web, seller, reviews.json()["items"])
            await self._moderate(web)

    async def _return(self, web: httpx.AsyncClient, order_id: str) -> None:
        asked = {
            "order_id": order_id,
            "kind": "RETURN",
            "lines": [{"line_id": "1", "quantity": 1}],
            "reason": "CHANGE_OF_MIND",
            "wants": "REFUND",
        }
        # In a short run his time for it may be over.
        self._soaked.returns += await self._buyer_asks(web, "returns", "/v1/returns", asked)

    async def _buyer_asks(
        self, web: httpx.AsyncClient, service: str, path: str, asked: Mapping[str, object]
    ) -> bool:
        """Whether the buyer of the order is given a new one of these."""
        url = f"{self._stack.description.urls[service]}{path}"
        who = self._keyed("BUYER", f"buyer-of-{asked['order_id']}")
        return (await web.post(url, json=asked, headers=who)).is_success

    async def _dispute(self, web: httpx.AsyncClient, order_id: str) -> None:
        """Nobody answers: what becomes of it is left to its deadlines."""
        asked = {
            "order_id": order_id,
            "reason": "DAMAGED",
            "lines": [{"line_id": "1", "quantity": 1}],
            "outcome": "REFUND_FULL",
            "text": "It came in pieces.",
        }
        self._soaked.disputes += await self._buyer_asks(web, "dispute", "/v1/disputes", asked)

    async def _upload(self, web: httpx.AsyncClient, buyer: str) -> None:
        """A photo that he does not use then."""
        url = f"{self._stack.description.urls['review']}/v1/media?purpose=REVIEW"
        who = self._keyed("BUYER", buyer) | {"Content-Type": "image/jpeg"}
        taken = await web.post(url, content=self._photo, headers=who)
        self._soaked.photos += taken.is_success

    async def _flag(
        self, web: httpx.AsyncClient, seller: str, reviews: Sequence[Mapping[str, str]]
    ) -> None:
        """The newest of his reviews, once it is shown."""
        for review in reviews[:1]:
            url = f"{self._stack.description.urls['review']}/v1/reviews/{review['ref']}/flags"
            who = self._keyed("SELLER", seller)
            await web.post(url, json={"reason": "OFF_TOPIC"}, headers=who)

    async def _moderate(self, web: httpx.AsyncClient) -> None:
        """Takes a case, and decides it."""
        of_review, who = self._stack.description.urls["review"], self._keyed("MODERATOR", "soak")
        assigned = await web.post(f"{of_review}/v1/moderation/assignments", headers=who)
        if assigned.status_code != HTTPStatus.CREATED:
            return
        case = assigned.json()
        review = f"{of_review}/v1/reviews/{case['case_id']}"
        version = (await web.get(review, headers=who)).headers["ETag"]
        flags = [each["flag_id"] for each in case["flags"]]
        kept = await web.post(
            f"{review}/keeps",
            json={"flag_ids": flags, "rule_ids": ["R-3"]},
            headers=who | {"If-Match": version},
        )
        self._soaked.moderated += kept.is_success

    def _keyed(self, role: str, sub: str) -> dict[str, str]:
        token = self._stack.token(role, sub)
        return {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid4())}

    def _now(self) -> datetime:
        return datetime.now(UTC) + clock.offset(Path(self._stack.description.clock_file))

    def _line(self, number: int, seller: str) -> dict[str, object]:
        """An order that was completed a day ago, and its review."""
        order_id = f"soak-{self._number}-{number}"
        self._soaked.placed.add(order_id)
        return reviewed(
            order(order_id) | {"seller_id": seller},
            self._now() - timedelta(days=1),
            1 + number % 5,
            f"Number {number} holds what it promises.",
        )


def _photo() -> bytes:
    data = BytesIO()
    Image.new("RGB", (60, 40), (200, 30, 30)).save(data, "JPEG")
    return data.getvalue()


async def look(stack: Stack, seconds: float, turns: int) -> Sample:
    """How large everything is."""
    processes = {name: process for name, process in stack.services.items() if name != "sandbox"}
    databases = stack.description.databases
    keys = {f"{name} keys": each for name, each in stack.description.key_databases.items()}
    tables: dict[str, Size] = {}
    late: dict[str, float] = {}
    events = 0
    ahead = clock.offset(Path(stack.description.clock_file))
    for name, database in (databases | keys).items():
        db = await asyncpg.connect(database.owner_url)
        try:
            tables |= {f"{name} {table}": size for table, size in (await _sizes(db)).items()}
            if name in databases:
                events += await db.fetchval(EVENTS)
                late |= {f"{name} {table}": by for table, by in await _late(db, ahead)}
        finally:
            await db.close()
    return Sample(
        seconds=seconds,
        turns=turns,
        events=events,
        memory={name: memory_of(each.pid) for name, each in processes.items()},
        tables=tables,
        clock=ahead.total_seconds(),
        late=late,
    )


async def _sizes(db: asyncpg.Connection) -> dict[str, Size]:
    tables = await db.fetch(TABLES)
    return {
        name: Size(await db.fetchval(f"SELECT count(*) FROM {name}"), bytes_)  # noqa: S608
        for name, bytes_ in tables
    }


async def _late(db: asyncpg.Connection, ahead: timedelta) -> list[tuple[str, float]]:
    """For how many seconds the oldest rows have been there too long."""
    now = datetime.now(UTC) + ahead
    oldest = [(table, term, await db.fetchval(sql)) for table, (sql, term) in KEPT.items()]
    return [(table, (now - at - term).total_seconds()) for table, term, at in oldest if at]


def memory_of(pid: int) -> float:
    """Bytes that a process has in memory and shares with no other."""
    told = Path(f"/proc/{pid}/smaps_rollup").read_text()
    kilobytes = [
        int(line.split()[1])
        for line in told.splitlines()
        if line.startswith(("Private_Clean:", "Private_Dirty:"))
    ]
    return 1024.0 * sum(kilobytes)


async def soak(stack: Stack, minutes: float, file: Path) -> Soaked:
    """Keeps a stack at work, and looks at it now and then; what is seen is kept in a file."""
    soaked = Soaked()
    with receiving() as shop:
        traffic = Traffic(stack, soaked, shop.url)
        await _keep_at_work(stack, traffic, minutes, file)
        soaked.told = len(shop.received)
    return soaked


async def _keep_at_work(stack: Stack, traffic: Traffic, minutes: float, file: Path) -> None:
    began = time.monotonic()
    pause = minutes * 60 / SAMPLES
    # Whoever keeps a connection for as long as a service does may send just as it is closed.
    limits = httpx.Limits(keepalive_expiry=KEEP_ALIVE_SECONDS / 2)
    async with httpx.AsyncClient(timeout=bulk.REQUEST_SECONDS, limits=limits) as web:
        await traffic.begin(web)
        for number in range(1, SAMPLES + 1):
            while time.monotonic() - began < number * pause:
                turned = time.monotonic()
                await traffic.turn(web)
                await asyncio.sleep(max(0.0, turned + TURN_SECONDS - time.monotonic()))
            sample = await look(stack, time.monotonic() - began, traffic.turns)
            keep(sample, file)
            clock.move(Path(stack.description.clock_file), PASSES / SAMPLES)
            sys.stderr.write(f"{number} of {SAMPLES}: {sample.events:,} events\n")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="soak", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--samples", type=Path, help="where what is seen is kept")
    parser.add_argument("--judge", type=Path, help="what was kept, once more; nothing is run")
    asked = parser.parse_args(arguments)
    if asked.judge:
        return _tell(asked.judge)
    file = asked.samples or Path(tempfile.mkdtemp(prefix="soak-")) / "samples"
    file.unlink(missing_ok=True)
    try:
        with ephemeral_stack() as stack:
            soaked = asyncio.run(soak(stack, asked.minutes, file))
            check_log(stack, soaked.placed)
            ended = stack.ended()
    except StackError as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    code = _tell(file)
    sys.stdout.write(f"{soaked.line()}\nsamples: {file}\n")
    for process in ended:
        sys.stdout.write(f"ended by itself: {process.name}\n")
    return 1 if ended else code


def _tell(file: Path) -> int:
    """What was seen, and whether something grows."""
    samples = kept(file)
    all_judged = judged(samples)
    growing = [each for each in all_judged if each.grows]
    sys.stdout.write(f"{HEADING}\n")
    for each in all_judged:
        if max(each.sizes) > 0:
            sys.stdout.write(f"{each.line()}\n")
    sys.stdout.write(f"{samples[-1].events:,} events in {samples[-1].seconds / 60:,.0f} minutes\n")
    for each in growing:
        sys.stdout.write(f"grows: {each.name}, {each.unit}: {each.grows}\n")
    return 1 if growing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
