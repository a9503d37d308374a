"""What has happened in a sandbox in, signed webhooks out, repeated until they are taken."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx
import msgspec
import structlog
from msgspec import Struct
from standardwebhooks import Webhook

from local_stack.sandboxes.faults import Plan

POST_SECONDS = 5.0
FIRST_PAUSE_SECONDS = 0.2
PAUSE_SECONDS_MAX = 10.0
ATTEMPTS_MAX = 20
AT_ONCE = 32

log = structlog.get_logger()


class Message(Struct, frozen=True, kw_only=True):
    """One webhook: its id is the same however often it is sent."""

    message_id: str
    url: str
    body: bytes
    due: datetime


@dataclass(slots=True)
class Telling:
    """What is still to be told. Attempts are signed with the machine's time, as they are sent: how
    old a signature is has nothing to do with the stack's clock. `happened` is set when there is
    more to tell.
    """

    secret: str
    now: Callable[[], datetime]
    waiting: list[Message] = field(default_factory=list[Message])
    happened: asyncio.Event = field(default_factory=asyncio.Event)
    _told: int = 0
    _sending: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    def tell(self, url: str, kind: str, about: Struct, plan: Plan) -> None:
        """Has it told as the plan says: not at all, twice, late."""
        if plan.lose or not url:
            return
        at = self.now()
        self._told += 1
        message = {"type": kind, "timestamp": at, "data": about}
        told = Message(
            message_id=f"msg_{self._told:08}",
            url=url,
            body=msgspec.json.encode(message),
            due=at + timedelta(seconds=plan.late_seconds),
        )
        self.waiting += [told] * plan.copies
        self.happened.set()

    def send_due(self, client: httpx.AsyncClient) -> None:
        """Begins to send what is due by the stack's clock."""
        now = self.now()
        due = [each for each in self.waiting if each.due <= now]
        self.waiting = [each for each in self.waiting if each.due > now]
        for told in due:
            task = asyncio.create_task(self._send(client, told))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _send(self, client: httpx.AsyncClient, told: Message) -> None:
        pause = FIRST_PAUSE_SECONDS
        for _ in range(ATTEMPTS_MAX):
            async with self._turns:
                if await self._taken(client, told):
                    return
            await asyncio.sleep(pause)
            pause = min(2 * pause, PAUSE_SECONDS_MAX)
        log.warning("webhook given up", message=told.message_id, url=told.url)

    async def _taken(self, client: httpx.AsyncClient, told: Message) -> bool:
        headers = signed(self.secret, told.message_id, told.body, datetime.now(UTC))
        try:
            answered = await client.post(
                told.url, content=told.body, headers=headers, timeout=POST_SECONDS
            )
        except httpx.TransportError:
            return False
        return answered.is_success


def signed(secret: str, message_id: str, body: bytes, at: datetime) -> dict[str, str]:
    """The headers of a webhook, as Standard Webhooks has them."""
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, at, body.decode()),
    }
