"""Endpoints and what is to be sent to them: who wants to be told, of what, and how far that is.

A delivery is an event for an endpoint. It is tried until it is taken, less and less often and for
some days; whoever dies on the way leaves it there, and it is tried again under the same id. None of
it is a fact of the business: it is in no log, and forgotten after a while.
"""

import base64
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import asyncpg
from msgspec import Struct, convert
from shared_events.envelope import Recorded

from shared_runtime.clock import Clock
from shared_runtime.decider import Actor, LimitReached, NotFound, SubjectErased, WrongState
from shared_runtime.delivery import Connection
from shared_runtime.ids import derived_id
from shared_runtime.keys import KeyStore
from shared_runtime.log import Database, PostgresLog
from shared_runtime.pages import Keyset, PageStart
from shared_runtime.problems import IdempotencyMismatch
from shared_runtime.rows import columns
from shared_runtime.sealing import PersonKey, person

ENDPOINTS_MAX = 10
"""Of an account."""
FORMER_SIGNS_FOR = timedelta(days=1)
DELAYS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""From one attempt to the next: three days, as Standard Webhooks proposes."""
SPREAD_PARTS = 10
"""Up to a tenth of a delay is added: what has failed together does not come back together."""
LEASE_TERM = timedelta(seconds=60)
"""Longer than an attempt takes. Whoever has died on the way has had it for so long."""
KEPT_FOR = timedelta(days=30)
SETTLED_AFTER = timedelta(hours=1)
"""An endpoint that was deleted is in nobody's hands any more."""
PURGE_MAX = 5_000
ATTEMPTS_SHOWN_MAX = 20
PING = "Ping"
GONE = "HTTP_410"
FAULT = "FAULT"
"""The outcome of an attempt that failed here: it says nothing of the endpoint."""

type DeliveryState = Literal["WAITING", "DELIVERED", "FAILED", "WITHDRAWN"]
type OffBecause = Literal["OWNER", "FAILING", "GONE"]


class Endpoint(Struct, frozen=True, kw_only=True):
    """Whom one account wants to be told by, of what. No `types`: of all. `seller_ids`, `buyer_ids`:
    of a machine's, whose events it wants; none of both: everybody's.
    """

    endpoint_id: str
    account: str
    url: str
    types: list[str]
    seller_ids: list[str]
    buyer_ids: list[str]
    org_id: str | None
    seller_id: str
    secret: int
    former_until: datetime | None
    created_at: datetime
    since: datetime
    off_at: datetime | None
    off_because: OffBecause | None

    @property
    def is_machine(self) -> bool:
        return self.account.startswith("system:")

    @property
    def reader(self) -> Actor:
        """Who reads what is sent there."""
        if not self.is_machine:
            seller = self.seller_id
            return Actor(role="SELLER", id=seller, org_id=seller, seller_id=seller)
        sub = self.account.removeprefix("system:")
        return Actor(role="SYSTEM", id=sub, org_id=self.org_id, seller_id=self.seller_id)

    def listens_to(self, recorded: Recorded[Any]) -> bool:
        """Whether this is of those that it is for, and was recorded since it is there."""
        if recorded.recorded_at < self.since:
            return False
        if not self.is_machine:
            return recorded.key == self.seller_id
        if not self.seller_ids and not self.buyer_ids:
            return True
        event = recorded.event
        return (
            getattr(event, "seller_id", None) in self.seller_ids
            or getattr(event, "buyer_id", None) in self.buyer_ids
        )

    def wants(self, event_type: str) -> bool:
        return not self.types or event_type.partition(".")[0] in self.types

    def signs_with(self, now: datetime) -> list[int]:
        """The numbers of the secrets that sign now."""
        former = self.former_until is not None and now < self.former_until
        return [self.secret, self.secret - 1] if former else [self.secret]


class WantedEndpoint(Struct, frozen=True, kw_only=True):
    """What an account says of an endpoint."""

    url: str
    types: list[str]
    seller_ids: list[str]
    buyer_ids: list[str]


class Subscriber(Struct, frozen=True, kw_only=True):
    """An account, and who speaks for it."""

    account: str
    org_id: str | None
    seller_id: str


class Attempt(Struct, frozen=True, kw_only=True):
    """`outcome`: `HTTP_200`, or what was met in the place of an answer."""

    at: datetime
    outcome: str
    milliseconds: int


class EventDelivery(Struct, frozen=True, kw_only=True):
    """An event on its way to an endpoint, or there; the latest attempts first. `number` rises with
    time.
    """

    delivery_id: str
    number: int
    type: str
    event_id: str | None
    order_id: str | None
    state: DeliveryState
    created_at: datetime
    due_at: datetime | None
    attempts: list[Attempt]


class Notification(Struct, frozen=True, kw_only=True):
    """An event that an endpoint is to be told."""

    endpoint_id: str
    stream: str
    version: int
    event_id: str
    type: str
    order_id: str | None


class Taken(Struct, frozen=True, kw_only=True):
    """A delivery in the hands of somebody who sends it. `tries`: which of all his is."""

    delivery_id: str
    stream_id: str | None
    version: int | None
    created_at: datetime
    tries: int
    failures: int
    begun_at: datetime
    endpoint: Endpoint


class Next(Struct, frozen=True, kw_only=True):
    """What becomes of a delivery; `off`: and of its endpoint, if nothing else was taken there since
    somebody first set out with it; `gone`: whatever was.
    """

    state: DeliveryState
    due_at: datetime | None = None
    off: bool = False
    gone: bool = False


def next_of(taken: Taken, outcome: str, now: datetime) -> Next:
    """What follows from an attempt."""
    if outcome.startswith("HTTP_2"):
        return Next(state="DELIVERED")
    if outcome == GONE:
        return Next(state="FAILED", off=True, gone=True)
    if taken.failures < len(DELAYS):
        delay = DELAYS[taken.failures]
        return Next(state="WAITING", due_at=now + delay + _spread(taken.delivery_id, delay))
    return Next(state="FAILED", off=outcome != FAULT)


def _spread(delivery_id: str, delay: timedelta) -> timedelta:
    """Of each another part, and always the same."""
    return delay * (int(delivery_id[:4], 16) / 0xFFFF) / SPREAD_PARTS


def secret_of(key: PersonKey, number: int) -> str:
    """As Standard Webhooks writes it. An endpoint has a key, from which all its secrets come."""
    return f"whsec_{base64.b64encode(key.derived(f'webhook {number}')).decode()}"


def holder_of(endpoint_id: str) -> str:
    """Whose key it is, as the key store names an endpoint."""
    return f"webhook:{endpoint_id}"


def account_of_seller(seller_id: str) -> str:
    return person("seller", seller_id)


def account_of_machine(sub: str) -> str:
    return f"system:{sub}"


ENDPOINT = """
    endpoint_id::text AS endpoint_id, account, url, types, seller_ids, buyer_ids, org_id, seller_id,
    secret, former_until, endpoint.created_at, since, off_at, off_because
"""
ONE_ACCOUNT = "SELECT pg_advisory_xact_lock(hashtextextended('webhooks of ' || $1, 0))"
MADE = "SELECT made_as, deleted_at FROM webhook.endpoint WHERE endpoint_id = $1"
COUNT = "SELECT count(*) FROM webhook.endpoint WHERE account = $1 AND deleted_at IS NULL"
MAKE = """
    INSERT INTO webhook.endpoint (endpoint_id, account, made_as, url, types, seller_ids, buyer_ids,
                                  org_id, seller_id, created_at, since)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
"""
OWN = f"""
    SELECT {ENDPOINT} FROM webhook.endpoint
    WHERE account = $1 AND deleted_at IS NULL ORDER BY created_at, endpoint_id
"""  # noqa: S608 - a constant
ONE = f"""
    SELECT {ENDPOINT} FROM webhook.endpoint
    WHERE endpoint_id = $1 AND account = $2 AND deleted_at IS NULL
"""  # noqa: S608 - a constant
CHANGE = """
    UPDATE webhook.endpoint SET url = $3, types = $4, seller_ids = $5, buyer_ids = $6
    WHERE endpoint_id = $1 AND account = $2 AND deleted_at IS NULL
"""
ROTATE = """
    UPDATE webhook.endpoint SET secret = secret + 1, former_until = $4, rotated_by = $3
    WHERE endpoint_id = $1 AND account = $2 AND rotated_by IS DISTINCT FROM $3
        AND deleted_at IS NULL
"""
SWITCH_ON = """
    UPDATE webhook.endpoint SET off_at = NULL, off_because = NULL, since = $3
    WHERE endpoint_id = $1 AND account = $2 AND off_at IS NOT NULL AND deleted_at IS NULL
"""
SWITCH_OFF = """
    UPDATE webhook.endpoint SET off_at = $3, off_because = 'OWNER'
    WHERE endpoint_id = $1 AND account = $2 AND off_at IS NULL AND deleted_at IS NULL
"""
DELETE = """
    UPDATE webhook.endpoint SET deleted_at = $3
    WHERE endpoint_id = $1 AND account = $2 AND deleted_at IS NULL RETURNING true
"""
DELETE_ALL = """
    UPDATE webhook.endpoint SET deleted_at = $2
    WHERE account = $1 AND deleted_at IS NULL RETURNING endpoint_id::text
"""
LISTENING = f"""
    SELECT {ENDPOINT} FROM webhook.endpoint
    WHERE account = ANY($1::text[]) AND deleted_at IS NULL AND off_at IS NULL
    UNION ALL
    SELECT {ENDPOINT} FROM webhook.endpoint
    WHERE account LIKE 'system:%' AND deleted_at IS NULL AND off_at IS NULL
"""  # noqa: S608 - a constant
TELL = """
    INSERT INTO webhook.delivery
        (delivery_id, endpoint_id, stream_id, version, event_id, type, order_id, created_at, due_at)
    SELECT told.*, $8, $8
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::uuid[], $6::text[], $7::text[])
        AS told
    ON CONFLICT (delivery_id) DO NOTHING
"""
TELL_PING = """
    INSERT INTO webhook.delivery (delivery_id, endpoint_id, type, created_at, due_at)
    VALUES ($1, $2, $3, $4, $4) ON CONFLICT (delivery_id) DO NOTHING
"""
DELIVERY = """
    SELECT delivery_id::text AS delivery_id, number, type, event_id::text AS event_id, order_id,
           state, created_at, due_at
    FROM webhook.delivery WHERE endpoint_id = $1
"""
ATTEMPTS = """
    SELECT delivery_id::text AS delivery_id, at, outcome, milliseconds FROM (
        SELECT *, row_number() OVER (PARTITION BY delivery_id ORDER BY try DESC) AS place
        FROM webhook.attempt WHERE delivery_id = ANY($1::uuid[])
    ) AS tried
    WHERE place <= $2 ORDER BY delivery_id, place
"""
NEWEST = Keyset(columns={"number": "bigint"}, descending=True)
ASK_AGAIN = """
    UPDATE webhook.delivery
    SET state = 'WAITING', due_at = $3, failures = 0, begun_at = NULL, asked_by = $4
    WHERE delivery_id = $1 AND endpoint_id = $2 AND asked_by IS DISTINCT FROM $4
"""
# Of each account so many at a time: `place` says how many of its own a delivery would be behind.
NEXT = """
    SELECT delivery_id FROM (
        SELECT due.delivery_id, coalesce(busy.count, 0) + row_number() OVER (
            PARTITION BY endpoint.account ORDER BY due.due_at, due.number) AS place
        FROM webhook.endpoint AS endpoint
        LEFT JOIN unnest($2::text[], $3::int[]) AS busy (account, count)
            ON busy.account = endpoint.account
        CROSS JOIN LATERAL (
            SELECT delivery_id, due_at, number FROM webhook.delivery
            WHERE endpoint_id = endpoint.endpoint_id AND due_at <= $1
                AND (leased_until IS NULL OR leased_until <= $1)
            ORDER BY due_at, number LIMIT $4
        ) AS due
        WHERE endpoint.off_at IS NULL AND endpoint.deleted_at IS NULL
    ) AS next
    WHERE place <= $4 ORDER BY place LIMIT $5
"""
TAKE = f"""
    WITH taken AS (
        UPDATE webhook.delivery
        SET leased_until = $3, tries = tries + 1, begun_at = coalesce(begun_at, $2)
        WHERE delivery_id = ANY($1::uuid[]) AND due_at <= $2
            AND (leased_until IS NULL OR leased_until <= $2)
        RETURNING *
    )
    SELECT {ENDPOINT}, delivery_id::text AS delivery_id, stream_id, version,
           taken.created_at AS told_at, tries, failures, begun_at
    FROM taken JOIN webhook.endpoint AS endpoint USING (endpoint_id) ORDER BY number
"""  # noqa: S608 - a constant
# Who had it last says what became of it: whoever was taken for dead is not heard any more.
RECORD = """
    UPDATE webhook.delivery
    SET state = $3, due_at = $4, failures = failures + $5, leased_until = NULL
    WHERE delivery_id = $1 AND tries = $2 AND leased_until IS NOT NULL
    RETURNING endpoint_id
"""
TRIED = """
    INSERT INTO webhook.attempt (delivery_id, try, at, outcome, milliseconds)
    VALUES ($1, $2, $3, $4, $5)
"""
ANSWERED = "UPDATE webhook.endpoint SET answered_at = $2 WHERE endpoint_id = $1"
GIVE_UP = """
    UPDATE webhook.endpoint SET off_at = $2, off_because = $3
    WHERE endpoint_id = $1 AND off_at IS NULL
        AND ($4 OR answered_at IS NULL OR answered_at < $5)
    RETURNING true
"""
PURGE = """
    DELETE FROM webhook.delivery WHERE delivery_id IN (
        SELECT delivery_id FROM webhook.delivery WHERE created_at < $1
        ORDER BY created_at LIMIT $2)
"""
PURGE_DELETED = """
    DELETE FROM webhook.delivery WHERE delivery_id IN (
        SELECT delivery_id FROM webhook.endpoint JOIN webhook.delivery USING (endpoint_id)
        WHERE deleted_at < $1 LIMIT $2)
"""
PURGE_ENDPOINTS = """
    DELETE FROM webhook.endpoint AS endpoint
    WHERE deleted_at < $1 AND NOT EXISTS (
        SELECT FROM webhook.delivery WHERE endpoint_id = endpoint.endpoint_id)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhooks:
    """The endpoints of a service, and what is to be sent to them."""

    pool: asyncpg.Pool
    own_log: PostgresLog
    keys: KeyStore
    now: Clock

    def instant(self) -> Awaitable[datetime]:
        return self.own_log.instant(self.now)

    # --- Endpoints, for whose they are

    async def make(
        self, endpoint_id: str, fingerprint: bytes, who: Subscriber, wanted: WantedEndpoint
    ) -> Endpoint:
        """The endpoint of this id, made if there is none. Raises `LimitReached`; of one that was
        made otherwise `IdempotencyMismatch`, or was deleted `NotFound`.
        """
        now = await self.instant()
        async with self.pool.acquire() as db, db.transaction():
            await db.execute(ONE_ACCOUNT, who.account)
            made = await db.fetchrow(MADE, endpoint_id)
            if made is not None and made["made_as"] != fingerprint:
                raise IdempotencyMismatch
            if made is None:
                if await db.fetchval(COUNT, who.account) >= ENDPOINTS_MAX:
                    raise LimitReached(limit=ENDPOINTS_MAX)
                told = (wanted.url, wanted.types, wanted.seller_ids, wanted.buyer_ids)
                of = (who.org_id, who.seller_id)
                await db.execute(MAKE, endpoint_id, who.account, fingerprint, *told, *of, now)
            return await self.one(endpoint_id, who.account, db)

    async def all_of(self, account: str) -> list[Endpoint]:
        """All of an account, the oldest first: `ENDPOINTS_MAX` at most."""
        return [convert({**row}, Endpoint) for row in await self.pool.fetch(OWN, account)]

    async def one(self, endpoint_id: str, account: str, db: Database | None = None) -> Endpoint:
        """Raises `NotFound`."""
        row = None
        if _is_uuid(endpoint_id):
            row = await (db or self.pool).fetchrow(ONE, endpoint_id, account)
        if row is None:
            raise NotFound
        return convert({**row}, Endpoint)

    async def secret(self, endpoint: Endpoint) -> str:
        """The one that signs. Raises `NotFound` where the endpoint is just being deleted."""
        try:
            key = await self.keys.key_of(holder_of(endpoint.endpoint_id))
        except SubjectErased:
            raise NotFound from None
        return secret_of(key, endpoint.secret)

    async def change(self, endpoint_id: str, account: str, wanted: WantedEndpoint) -> Endpoint:
        """Raises `NotFound`."""
        told = (wanted.url, wanted.types, wanted.seller_ids, wanted.buyer_ids)
        return await self._changed(endpoint_id, account, CHANGE, *told)

    async def rotate(self, endpoint_id: str, account: str, request_id: UUID) -> Endpoint:
        """Has another secret sign; the one before goes on for `FORMER_SIGNS_FOR`, and none but
        these two. The same request again does nothing. Raises `NotFound`.
        """
        until = await self.instant() + FORMER_SIGNS_FOR
        return await self._changed(endpoint_id, account, ROTATE, request_id, until)

    async def switch_on(self, endpoint_id: str, account: str) -> Endpoint:
        """What waits there goes on, and what is recorded from now on comes. Raises `NotFound`."""
        return await self._changed(endpoint_id, account, SWITCH_ON, await self.instant())

    async def switch_off(self, endpoint_id: str, account: str) -> Endpoint:
        """Raises `NotFound`."""
        return await self._changed(endpoint_id, account, SWITCH_OFF, await self.instant())

    async def _changed(
        self, endpoint_id: str, account: str, statement: str, *values: object
    ) -> Endpoint:
        await self.one(endpoint_id, account)
        await self.pool.execute(statement, endpoint_id, account, *values)
        return await self.one(endpoint_id, account)

    async def delete(self, endpoint_id: str, account: str) -> None:
        """With its secrets; what is on its way is not sent any more. Raises `NotFound`."""
        await self.one(endpoint_id, account)
        await self.pool.execute(DELETE, endpoint_id, account, await self.instant())
        await self.keys.destroy(holder_of(endpoint_id))

    async def forget(self, account: str, db: Connection) -> None:
        """Deletes the endpoints of somebody who is erased: a `CleanUp`."""
        for (endpoint_id,) in await db.fetch(DELETE_ALL, account, await self.instant()):
            await self.keys.destroy(holder_of(endpoint_id))

    # --- Deliveries, for whose endpoint it is

    async def ping(self, endpoint: Endpoint, request_id: UUID) -> EventDelivery:
        """Raises `WrongState` where nothing is sent now."""
        if endpoint.off_at is not None:
            raise WrongState(state="OFF")
        delivery_id = derived_id(str(request_id), PING)
        now = await self.instant()
        await self.pool.execute(TELL_PING, delivery_id, endpoint.endpoint_id, PING, now)
        return await self.delivery(endpoint, delivery_id)

    async def delivery(self, endpoint: Endpoint, delivery_id: str) -> EventDelivery:
        """Raises `NotFound`."""
        if not _is_uuid(delivery_id):
            raise NotFound
        rows = await self.pool.fetch(
            f"{DELIVERY} AND delivery_id = $2", endpoint.endpoint_id, delivery_id
        )
        if not rows:
            raise NotFound
        (found,) = await self._with_attempts(rows)
        return found

    async def page(
        self, endpoint: Endpoint, start: PageStart, state: DeliveryState | None
    ) -> tuple[list[EventDelivery], str | None]:
        """The newest first, and where the next page begins."""
        query = f"{DELIVERY} AND ($3::text IS NULL OR state = $3){NEWEST.behind(start, 4)}"
        query += f" ORDER BY {NEWEST.order()} LIMIT $2"
        values = (endpoint.endpoint_id, start.rows_max, state, *NEWEST.values(start))
        rows = await self.pool.fetch(query, *values)
        page, next_cursor = start.cut(rows, lambda row: (row["number"],))
        return await self._with_attempts(page), next_cursor

    async def _with_attempts(self, rows: Sequence[asyncpg.Record]) -> list[EventDelivery]:
        attempts: dict[str, list[Attempt]] = {row["delivery_id"]: [] for row in rows}
        for row in await self.pool.fetch(ATTEMPTS, [*attempts], ATTEMPTS_SHOWN_MAX):
            attempts[row["delivery_id"]].append(convert({**row}, Attempt))
        return [
            convert({**row, "attempts": attempts[row["delivery_id"]]}, EventDelivery)
            for row in rows
        ]

    async def resend(self, endpoint: Endpoint, delivery_id: str, request_id: UUID) -> EventDelivery:
        """As if it had never been tried, under the same id; the same request again does nothing.
        Raises `NotFound`, `WrongState` where nothing is sent now.
        """
        await self.delivery(endpoint, delivery_id)
        if endpoint.off_at is not None:
            raise WrongState(state="OFF")
        now = await self.instant()
        await self.pool.execute(ASK_AGAIN, delivery_id, endpoint.endpoint_id, now, request_id)
        return await self.delivery(endpoint, delivery_id)

    # --- For whoever sends

    async def take(self, busy: Mapping[str, int], *, of_one: int, most: int) -> list[Taken]:
        """What is due, for `LEASE_TERM`: of each account so many that `of_one` of its are under
        way, with those that are. `busy`: how many that are now.
        """
        now = await self.instant()
        due = await self.pool.fetch(NEXT, now, [*busy], [*busy.values()], of_one, most)
        ids = [delivery_id for (delivery_id,) in due]
        if not ids:
            return []
        rows = await self.pool.fetch(TAKE, ids, now, now + LEASE_TERM)
        return [_taken(row) for row in rows]

    async def record(self, taken: Taken, attempt: Attempt) -> Next | None:
        """What becomes of it; None if somebody else has taken it since. `off`: whether its endpoint
        was switched off by it.
        """
        now = attempt.at
        told = next_of(taken, attempt.outcome, now)
        async with self.pool.acquire() as db, db.transaction():
            failed = int(told.state != "DELIVERED")
            place = (taken.delivery_id, taken.tries)
            if not await db.fetchval(RECORD, *place, told.state, told.due_at, failed):
                return None
            await db.execute(TRIED, *place, now, attempt.outcome, attempt.milliseconds)
            endpoint_id = taken.endpoint.endpoint_id
            if not failed:
                await db.execute(ANSWERED, endpoint_id, now)
                return told
            because: OffBecause = "GONE" if told.gone else "FAILING"
            off = told.off and await db.fetchval(
                GIVE_UP, endpoint_id, now, because, told.gone, taken.begun_at
            )
        return Next(state=told.state, due_at=told.due_at, off=bool(off), gone=told.gone)

    async def withdraw(self, taken: Taken) -> None:
        """Its reader may not know of it any more."""
        place = (taken.delivery_id, taken.tries)
        await self.pool.execute(RECORD, *place, "WITHDRAWN", None, 0)

    async def purge(self) -> int:
        """Forgets what is old, `PURGE_MAX` at most of each kind; how many there were."""
        now = await self.instant()
        old = await self.pool.execute(PURGE, now - KEPT_FOR, PURGE_MAX)
        settled = now - SETTLED_AFTER
        deleted = await self.pool.execute(PURGE_DELETED, settled, PURGE_MAX)
        await self.pool.execute(PURGE_ENDPOINTS, settled)
        return max(int(done.split()[-1]) for done in (old, deleted))


async def listening(sellers: Sequence[str], db: Database) -> list[Endpoint]:
    """The endpoints of these sellers, and of all machines, that are switched on."""
    accounts = [account_of_seller(each) for each in sellers]
    return [convert({**row}, Endpoint) for row in await db.fetch(LISTENING, accounts)]


async def tell(told: Sequence[Notification], now: datetime, db: Database) -> None:
    """Leaves deliveries to be sent: each event once for an endpoint, however often it is told."""
    rows = [
        (
            derived_id(each.endpoint_id, each.event_id),
            each.endpoint_id,
            each.stream,
            each.version,
            each.event_id,
            each.type,
            each.order_id,
        )
        for each in told
    ]
    if rows:
        await db.execute(TELL, *columns(rows, 7), now)


def _taken(row: asyncpg.Record) -> Taken:
    told = {**row}
    return Taken(
        delivery_id=told["delivery_id"],
        stream_id=told["stream_id"],
        version=told["version"],
        created_at=told["told_at"],
        tries=told["tries"],
        failures=told["failures"],
        begun_at=told["begun_at"],
        endpoint=convert(told, Endpoint),
    )


def _is_uuid(text: str) -> bool:
    with suppress(ValueError):
        return str(UUID(text)) == text
    return False
