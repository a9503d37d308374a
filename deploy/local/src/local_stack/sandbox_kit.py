"""The sandboxes without a stack around them, and somebody who tells them what to do: for tests."""

import contextlib
import time
from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from local_stack import companies, processes
from local_stack.starting import inherited, starter

PATIENCE_SECONDS = 30.0
LOOK_SECONDS = 0.02
BOOK_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A running process of sandboxes. `clock_file`: how far its time is ahead."""

    url: str
    clock_file: Path

    def plan(self, company: str, subject: str, **plan: Any) -> None:  # noqa: ANN401 - JSON
        """What is to happen to one subject, from its next call on."""
        self._tell("PUT", f"{company}/plans/{subject}", plan)

    def rates(self, company: str, **rates: float) -> None:
        self._tell("PUT", f"{company}/rates", rates)

    def forget_keys_after(self, company: str, seconds: float) -> None:
        self._tell("PUT", f"{company}/keys", {"seconds": seconds})

    def behave(self) -> None:
        for company in ("payments", "carrier", "stock"):
            self._tell("DELETE", f"{company}/plans")

    def article(self, sku: str, *, stock: int, price_minor: int) -> None:
        self._tell("PUT", f"stock/articles/{sku}", {"stock": stock, "price_minor": price_minor})

    def scan(self, tracking_id: str, kind: str, at: datetime | None = None) -> None:
        """The carrier has scanned a parcel, now or then, and tells it."""
        scanned = {"tracking_id": tracking_id, "kind": kind}
        self._tell(
            "POST", "carrier/scans", scanned | ({"scanned_at": at.isoformat()} if at else {})
        )

    def lose(self, tracking_id: str) -> None:
        """The carrier says that a parcel is lost."""
        self._tell("POST", "carrier/losses", {"tracking_id": tracking_id})

    def tell_again(self, refund_id: str) -> None:
        """Has the webhook of a refund, by the provider's id, sent once more."""
        self._tell("POST", f"payments/webhooks/{refund_id}")

    def book(self, company: str, reference: str | None = None) -> list[dict[str, Any]]:
        """All that it has made, or what was made of one reference."""
        shown = httpx.get(f"{self.url}/control/{company}/book", timeout=BOOK_SECONDS)
        made: list[dict[str, Any]] = shown.json()
        return [each for each in made if reference in (None, each["reference"])]

    def met(self, company: str) -> dict[str, int]:
        """How many calls met which fault, so far."""
        counted: dict[str, int] = httpx.get(f"{self.url}/control/{company}/met").json()
        return counted

    def move_to(self, instant: datetime) -> None:
        """Its clock is at this instant, and from there goes on."""
        ahead = instant - datetime.now(UTC)
        unfinished = self.clock_file.with_suffix(".new")
        unfinished.write_text(str(ahead.total_seconds()))
        unfinished.rename(self.clock_file)  # its clock reads the old time or the new one
        deadline = time.monotonic() + PATIENCE_SECONDS
        while abs(self._now() - instant).total_seconds() > PATIENCE_SECONDS:
            assert time.monotonic() < deadline, "its clock does not follow"
            time.sleep(LOOK_SECONDS)

    def _now(self) -> datetime:
        told: str = httpx.get(f"{self.url}/control/clock").json()["now"]
        return datetime.fromisoformat(told)

    def _tell(self, method: str, path: str, body: Any = None) -> None:  # noqa: ANN401 - JSON
        told = httpx.request(method, f"{self.url}/control/{path}", json=body)
        assert told.is_success, f"{path}: {told.text}"


@contextlib.contextmanager
def sandbox_process(folder: Path, *, returns_url: str) -> Generator[Sandbox]:
    """Started on a free port, ready; stopped at the end. Its webhooks go to `returns_url`."""
    port = processes.free_port()
    sandbox = Sandbox(url=f"http://127.0.0.1:{port}", clock_file=folder / "clock")

    def is_ready() -> bool:
        try:
            return httpx.get(f"{sandbox.url}/readyz", timeout=2).is_success
        except httpx.TransportError:
            return False

    with starter(folder, modules=(companies.PACKAGE,)) as start:
        process = start(
            "sandbox",
            companies.PACKAGE,
            "serve",
            log=folder / "sandbox.log",
            env=inherited()
            | companies.environment_of_sandboxes(
                url=sandbox.url, clock_file=str(sandbox.clock_file), returns_url=returns_url
            ),
        )
        processes.wait_until(is_ready, process, seconds=PATIENCE_SECONDS, ready="ready")
        yield sandbox
