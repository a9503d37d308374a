"""A stack and refunds in, what became of them out: the provider misbehaves, and the worker dies.

The refunds are asked for at once, in the log of returns-service, by the service's own rules. Its
worker is killed every few seconds and started again, and the stack's time moves on whenever there
is nothing left to do in it. At the end every day is reconciled. What counts is the provider's own
book beside the ledgers.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import batched
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
from local_stack.sandbox_kit import Sandbox
from local_stack.services import Service, Stack
from returns_service.domain.known import Known
from returns_service.domain.ledger_rules import LEDGERS
from returns_service.domain.opening import OpenLedger
from returns_service.domain.policy import policies
from returns_service.domain.requesting import AskedUnit, RequestRefund
from returns_service.domain.streams import ledger_stream
from shared_casework.order_facts import OrderFacts
from shared_events.orders import OrderLine
from shared_runtime.decider import Actor
from shared_runtime.log import Ask, Decisions, PostgresLog
from shared_runtime.rule import By, Sent

from shared_cli import clock

RATES = {
    "time_out_before": 100,
    "time_out_after": 150,
    "forget": 50,
    "delay": 200,
    "delay_seconds": 7200,
    "lose": 50,
    "repeat": 100,
}
"""In per mille. A time-out in five: of these, and of one answer in twenty that is lost besides, the
refund is made and nobody hears of it. One webhook in ten is told twice, one in twenty never."""
ANSWER_SECONDS = 2.5
"""How long the worker waits for an answer here, so that not all of the time is spent on waiting."""
AT_ONCE = 48
"""So many requests are under way: what is slow because one machine does all of it is no fault."""
CHUNK = 250
LOOK_SECONDS = 0.25
STEP = timedelta(hours=6)
DAYS_MAX = 90
PATIENCE_SECONDS = 3600.0
RECONCILED_SECONDS = 300.0
FEED = Actor(role="SYSTEM", id="torture")
SELLERS = 40

SETTLED = """
    SELECT count(*) FROM es.event WHERE type = 'RefundSettled.v1' AND stream_id LIKE $1
"""
EVENTS = """
    SELECT type, count(*) FROM es.event WHERE stream_id LIKE $1 GROUP BY type
"""
IDLE = """
    SELECT NOT EXISTS (SELECT FROM ports.errand WHERE due_at <= $1)
       AND NOT EXISTS (SELECT FROM es.timer WHERE due_at <= $1)
       AND NOT EXISTS (
           SELECT FROM es.head AS head JOIN es.cursor AS cursor USING (topic, partition)
           WHERE cursor.subscription IN ('payments', 'timers') AND cursor.position < head.position)
"""
"""Nothing is left to do at this instant, and the log is read to its end."""
ISSUED = """
    SELECT (convert_from(body, 'UTF8')::jsonb -> 'data' ->> 'total_minor')::bigint FROM es.event
    WHERE type = 'RefundIssued.v1' AND stream_id LIKE $1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedTorture:
    """`kill_every`: seconds between two deaths of the worker."""

    refunds: int
    seed: int
    kill_every: float = 4.0


@dataclass(slots=True, kw_only=True)
class Figures:
    """What became of it. `met`: how many calls met which fault. `doubles`: refunds that the
    provider has paid more than once. `reconciled`: settled by the comparison of a day alone.
    """

    refunds: int
    seed: int
    settled: int = 0
    doubles: int = 0
    unpaid: int = 0
    different: int = 0
    overpaid: int = 0
    asked_minor: int = 0
    paid_minor: int = 0
    issued_minor: int = 0
    reconciled: int = 0
    unclear: int = 0
    kills: int = 0
    calls: int = 0
    met: dict[str, int] = field(default_factory=dict[str, int])
    failed_attempts: int = 0
    seconds: float = 0.0
    stack_days: float = 0.0

    @property
    def is_good(self) -> bool:
        """Nobody was paid twice, everybody once, and both books say so."""
        wrong = self.doubles + self.unpaid + self.different + self.overpaid + self.unclear
        same = self.asked_minor == self.paid_minor == self.issued_minor
        return wrong == 0 and same and self.settled == self.refunds


@dataclass(slots=True)
class Torture:
    """One run on a stack, of which it moves the time and kills a worker."""

    stack: Stack
    wanted: WantedTorture
    say: Callable[[str], None]
    name: str = field(default_factory=lambda: uuid4().hex[:8])

    def run(self) -> Figures:
        """Until all are settled and reconciled; raises AssertionError if they never are."""
        return asyncio.run(self._run())

    async def _run(self) -> Figures:
        figures = Figures(refunds=self.wanted.refunds, seed=self.wanted.seed)
        began, began_at = time.monotonic(), self._now()
        sandbox = self._sandbox()
        met_before = Counter(sandbox.met("payments"))
        worker = self._worker()
        db = await asyncpg.connect(self.stack.description.databases["returns"].app_url)
        try:
            sandbox.rates("payments", seed=self.wanted.seed, **RATES)
            self.stack.services["returns-worker"].kill()
            figures.asked_minor = await self._ask_for_all(db)
            self.say(f"{self.wanted.refunds} refunds are asked for")
            worker.start()
            worker.wait_ready()
            await self._until_settled(db, worker, figures)
            self.say(f"all are settled, after {figures.kills} kills; reconciling")
            await self._reconcile(began_at.date(), figures)
            await self._count(db, sandbox, figures)
        finally:
            sandbox.behave()
            await db.close()
            worker.kill()
            self.stack.services["returns-worker"].start()
        met = Counter(sandbox.met("payments")) - met_before
        figures.calls, figures.met = met.total(), dict(met)
        figures.seconds = time.monotonic() - began
        figures.stack_days = (self._now() - began_at).total_seconds() / 86400
        return figures

    def _sandbox(self) -> Sandbox:
        told = self.stack.description
        return Sandbox(url=told.sandbox_url, clock_file=Path(told.clock_file))

    def _worker(self) -> Service:
        usual = self.stack.services["returns-worker"]
        told = {
            "AFTERSALES_PORT_SECONDS": str(ANSWER_SECONDS),
            "AFTERSALES_PORT_AT_ONCE": str(AT_ONCE),
        }
        return replace(usual, env={**usual.env, **told})

    def _now(self) -> datetime:
        return datetime.now(UTC) + clock.offset(Path(self.stack.description.clock_file))

    @property
    def _streams(self) -> str:
        return ledger_stream(f"{self.name}-%")

    async def _ask_for_all(self, db: asyncpg.Connection) -> int:
        """Ledgers with a refund each, in the log; how much they are together."""
        log = PostgresLog(db, source="/returns-service", now=self._now)
        asked = 0
        for some in batched(orders_of(self.wanted, self.name, self._now()), CHUNK, strict=False):
            async with db.transaction():
                decisions = Decisions(log.within(db))
                await decisions.read(ledger_stream(order.order_id) for order in some)
                for order in some:
                    for said in (OpenLedger(), refund_of(order)):
                        decisions.decide(LEDGERS, ask_of(order, said, self._now()))
                    asked += order.total_minor
                await decisions.append()
        return asked

    async def _until_settled(
        self, db: asyncpg.Connection, worker: Service, figures: Figures
    ) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        file = Path(self.stack.description.clock_file)
        began_at = self._now()
        while figures.settled < self.wanted.refunds:
            kill_at = time.monotonic() + self.wanted.kill_every
            while time.monotonic() < kill_at:
                assert time.monotonic() < deadline, f"{figures.settled} settled, and no more"
                await asyncio.sleep(LOOK_SECONDS)
                if await db.fetchval(IDLE, self._now()):
                    assert self._now() - began_at < timedelta(days=DAYS_MAX), "it never ends"
                    clock.move(file, STEP)
            worker.kill()
            figures.kills += 1
            worker.start()
            worker.wait_ready()  # killed every few seconds of its work, not of its start
            figures.settled = await db.fetchval(SETTLED, self._streams)

    async def _reconcile(self, first: date, figures: Figures) -> None:
        """Every day of the run, today as well."""
        base = self.stack.description.urls["returns"]
        who = {"Authorization": f"Bearer {self.stack.token('AGENT', 'torture')}"}
        async with httpx.AsyncClient(base_url=base, headers=who, timeout=30) as web:
            for day in days(first, self._now().date()):
                before = (await web.get(f"/v1/reconciliations/{day}")).json()
                (await web.put(f"/v1/reconciliations/{day}")).raise_for_status()
                report = await _compared(web, day)
                figures.reconciled += len(before.get("settled", ())) + len(report["settled"])
                figures.unclear += sum(
                    each["order_id"].startswith(self.name)
                    for name in TO_LOOK_INTO
                    for each in report[name]
                )

    async def _count(self, db: asyncpg.Connection, sandbox: Sandbox, figures: Figures) -> None:
        """By the provider's own book, and by the log."""
        book = [
            each for each in sandbox.book("payments") if each["order_ref"].startswith(self.name)
        ]
        paid = [each for each in book if each["status"] == "PAID"]
        times = Counter(each["reference"] for each in paid)
        figures.doubles = sum(count > 1 for count in times.values())
        figures.unpaid = self.wanted.refunds - len(times)
        figures.paid_minor = sum(each["amount_minor"] for each in paid)
        figures.different = len(book) - len({each["reference"] for each in book})
        happened = {row["type"]: row["count"] for row in await db.fetch(EVENTS, self._streams)}
        figures.settled = happened["RefundSettled.v1"]
        figures.overpaid = happened.get("RefundOverpaid.v1", 0)
        figures.failed_attempts = happened.get("RefundFailed.v1", 0)
        issued = await db.fetch(ISSUED, self._streams)
        figures.issued_minor = sum(total for (total,) in issued)


TO_LOOK_INTO = ("only_theirs", "only_ours", "different", "paid_twice")


async def _compared(web: httpx.AsyncClient, day: date) -> dict[str, Any]:
    deadline = time.monotonic() + RECONCILED_SECONDS
    while True:
        report: dict[str, Any] = (await web.get(f"/v1/reconciliations/{day}")).json()
        if report["state"] == "COMPARED":
            return report
        assert time.monotonic() < deadline, f"{day} is not compared"
        await asyncio.sleep(LOOK_SECONDS)


def days(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += timedelta(days=1)


# --- The refunds


def orders_of(wanted: WantedTorture, name: str, now: datetime) -> Iterator[OrderFacts]:
    """Orders of one piece each, at a price that follows from the seed."""
    chance = Random(wanted.seed)  # noqa: S311 - repeatable, not secret
    for number in range(wanted.refunds):
        price = chance.randint(1, 50_000)
        line = OrderLine(
            line_id="1",
            sku="sku-1",
            category="shoes",
            quantity=1,
            unit_price_minor=price,
            line_discount_minor=0,
        )
        yield OrderFacts(
            order_id=f"{name}-{number}",
            seller_id=f"{name}-S{number % SELLERS}",
            buyer_id=f"{name}-B{number}",
            marketplace_id="market",
            country="DE",
            stage="COMPLETED",
            currency="EUR",
            lines=[line],
            order_discount_minor=0,
            shipping_minor=0,
            total_minor=price,
            total_ref_minor=price,
            withdrawal_right=True,
            withdrawal_informed=True,
            placed_at=now,
            paid_at=now,
        )


def refund_of(order: OrderFacts) -> RequestRefund:
    """All of it, for its piece that came back."""
    return RequestRefund(
        refund_id=f"f-{order.order_id}",
        source="RETURN",
        source_id=f"R-{order.order_id}",
        units=(AskedUnit(unit="1/1", standing="ACCEPTED"),),
        currency=order.currency,
    )


def ask_of(order: OrderFacts, said: Any, now: datetime) -> Ask[Any]:  # noqa: ANN401 - any command
    by = By(actor=FEED, now=now, known=Known(policies=policies(), order=order))
    return Ask(
        stream=ledger_stream(order.order_id),
        command=Sent(said, by),
        cause=str(uuid4()),
        correlation=order.order_id,
    )


# --- Told


def lines_of(figures: Figures) -> Sequence[str]:
    """The figures as a page of text."""
    met = ", ".join(f"{fault} {count:,}" for fault, count in sorted(figures.met.items()))
    return [
        f"refunds               {figures.refunds:,} (seed {figures.seed})",
        f"settled               {figures.settled:,}",
        f"paid twice            {figures.doubles}",
        f"made more than once   {figures.different}",
        f"not paid              {figures.unpaid}",
        f"overpaid              {figures.overpaid}",
        (
            f"asked, paid, issued   {figures.asked_minor:,} {figures.paid_minor:,} "
            f"{figures.issued_minor:,} (minor units)"
        ),
        f"settled by a day      {figures.reconciled:,}",
        f"unclear after that    {figures.unclear}",
        f"calls                 {figures.calls:,}: {met}",
        f"failed attempts       {figures.failed_attempts:,}",
        f"kills of the worker   {figures.kills}",
        (
            f"duration              {figures.seconds:,.0f} s, "
            f"{figures.stack_days:.1f} days of the stack"
        ),
    ]
