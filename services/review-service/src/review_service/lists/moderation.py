"""The queue of moderation: rows in, pages out; and who works on what, for a while.

A lease is no fact of the business and is in no log: who has a case may be forgotten at any time,
and the worst that follows is that two people look at it. What is decided is the aggregate's.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import asyncpg
import msgspec
from shared_events.review import Side
from shared_runtime.clock import Clock
from shared_runtime.delivery import Connection, Generation, TakenOver, enter_tables
from shared_runtime.fields import INSTANT_MIN
from shared_runtime.problems import Unavailable
from shared_runtime.projections import live_subscription

from review_service.projections import MODERATION_CASES
from review_service.projections.moderation import (
    ModerationCase,
    OpenAppeal,
    OpenFlag,
    OpenHold,
)

LEASE_TERM = timedelta(minutes=15)
COUNTS_FRESH = timedelta(seconds=10)
ATTEMPTS_MAX = 20
"""Each that fails has lost a case to another moderator, who has one now."""

type CaseKind = Literal["FLAG", "HOLD", "APPEAL"]
COLUMN_OF: dict[CaseKind, str] = {"FLAG": "flagged", "HOLD": "held", "APPEAL": "appealed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseView:
    """Who has the case, and until when if it is not decided before."""

    moderator_id: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ModerationCaseView:
    """What is open about one side's review, named like the review. The queue knows no stars."""

    case_id: str
    order_id: str
    side: Side
    seller_id: str
    review_id: str
    opened_at: datetime
    due_at: datetime
    overdue: bool
    flags: list[OpenFlag]
    hold: OpenHold | None
    appeals: list[OpenAppeal]
    lease: LeaseView | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseCounts:
    """Of all open cases, some seconds ago at most. One case may have several matters."""

    cases: int
    flags: int
    holds: int
    appeals: int
    overdue: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModerationCasePage:
    items: list[ModerationCaseView]
    next_cursor: str | None
    counts: CaseCounts


# A lease is good until its end or until somebody decides on the case, whichever is first.
CASES = """
    SELECT row_to_json(held_case), lease.moderator_id, lease.until
    FROM (
        SELECT * FROM read.moderation_case
        WHERE opened_at IS NOT NULL{conditions} AND (opened_at, case_id) > ($2, $3)
            AND seller_id <> ALL ($5::text[]) AND buyer_id <> ALL ($5::text[])
        ORDER BY opened_at, case_id LIMIT $1
    ) AS held_case
    LEFT JOIN moderation.lease AS lease ON lease.case_id = held_case.case_id
        AND lease.until > $4 AND lease.decisions = held_case.decisions
    ORDER BY held_case.opened_at, held_case.case_id
"""
COUNTS = """
    SELECT count(*) AS cases, count(*) FILTER (WHERE flagged) AS flags,
           count(*) FILTER (WHERE held) AS holds, count(*) FILTER (WHERE appealed) AS appeals,
           count(*) FILTER (WHERE due_at <= $1) AS overdue
    FROM read.moderation_case WHERE opened_at IS NOT NULL
"""
BEFORE_ALL = (INSTANT_MIN, "")
ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('moderator ' || $1, 0))"
OWN_CASE = """
    SELECT row_to_json(held_case), lease.moderator_id, lease.until
    FROM moderation.lease AS lease JOIN moderation_case AS held_case USING (case_id)
    WHERE lease.moderator_id = $1 AND lease.until > $2
        AND lease.decisions = held_case.decisions AND held_case.opened_at IS NOT NULL
"""
NEXT_CASE = """
    SELECT row_to_json(held_case) FROM moderation_case AS held_case
    WHERE opened_at IS NOT NULL AND NOT barred ?| $1::text[] AND (appealed OR $2)
        AND NOT EXISTS (
            SELECT 1 FROM moderation.lease AS lease
            WHERE lease.case_id = held_case.case_id AND lease.until > $3
                AND lease.decisions = held_case.decisions)
        {conditions}
    ORDER BY opened_at, case_id LIMIT 1
    FOR UPDATE OF held_case SKIP LOCKED
"""
# Somebody may have leased the case between our look at leases and our lock of its row.
LEASE = """
    INSERT INTO moderation.lease AS lease (case_id, moderator_id, decisions, until)
    VALUES ($1, $2, $3, $4)
    ON CONFLICT (case_id) DO UPDATE SET
        moderator_id = excluded.moderator_id, decisions = excluded.decisions,
        until = excluded.until
    WHERE lease.until <= $5 OR lease.decisions <> excluded.decisions
    RETURNING 1
"""
# After the lease, and passing over what others are just taking over: nobody waits for two rows.
FORGET_FORMER = """
    DELETE FROM moderation.lease WHERE case_id IN (
        SELECT case_id FROM moderation.lease WHERE moderator_id = $1 AND case_id <> $2
        FOR UPDATE SKIP LOCKED)
"""
GIVE_BACK = """
    DELETE FROM moderation.lease
    WHERE case_id = $1 AND moderator_id = $2 AND until > $3 RETURNING 1
"""

decode = msgspec.json.Decoder(ModerationCase).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Moderator:
    """Who asks for work. `accounts`: all ids that he is known by; without `may_moderate` he
    decides appeals alone.
    """

    id: str
    accounts: Collection[str]
    may_moderate: bool


async def case_page(
    pool: asyncpg.Pool,
    *,
    kind: CaseKind | None,
    overdue: bool,
    strangers_to: Collection[str],
    limit: int,
    after: Sequence[str | int] | None,
    now: datetime,
) -> tuple[list[ModerationCaseView], list[str | int] | None]:
    """A page of the open cases, oldest first, and where it ends if more follow.

    Of orders of which one of `strangers_to` is a party there is none: before the reveal, a case
    tells that there is a review.
    """
    conditions = only(kind) + (" AND due_at <= $4" if overdue else "")
    opened_at, case_id = BEFORE_ALL if after is None else after
    last = datetime.fromisoformat(opened_at) if isinstance(opened_at, str) else opened_at
    query = CASES.format(conditions=conditions)
    rows = await pool.fetch(query, limit + 1, last, case_id, now, [*strangers_to])
    page = [case_view(*row, now=now) for row in rows[:limit]]
    if len(rows) <= limit:
        return page, None
    return page, [page[-1].opened_at.isoformat(), page[-1].case_id]


def only(kind: CaseKind | None) -> str:
    return f" AND {COLUMN_OF[kind]}" if kind else ""


class Counter:
    """How many cases there are of each kind, counted anew every ten seconds at most."""

    def __init__(self, pool: asyncpg.Pool, now: Clock) -> None:
        self._pool = pool
        self._now = now
        self._counted: tuple[datetime, CaseCounts] | None = None

    async def counts(self) -> CaseCounts:
        now = self._now()
        if self._counted is None or now - self._counted[0] >= COUNTS_FRESH:
            row = await self._pool.fetchrow(COUNTS, now)
            assert row is not None
            self._counted = now, CaseCounts(**row)
        return self._counted[1]


async def assign(
    pool: asyncpg.Pool, moderator: Moderator, now: datetime, *, kind: CaseKind | None = None
) -> tuple[ModerationCaseView, bool] | None:
    """The case that he has, or the oldest that nobody has and he may decide, and if it is new.

    None if there is none. Raises `Unavailable` if others were faster again and again.
    """
    for _ in range(ATTEMPTS_MAX):
        try:
            live = await live_subscription(pool, MODERATION_CASES)
            async with pool.acquire() as db, db.transaction():
                return await _assign(db, live.tables, moderator, now, kind)
        # Somebody has the case now; or the table was built anew: look at the new one.
        except (_Taken, TakenOver):
            continue
    raise Unavailable


class _Taken(Exception):  # noqa: N818 - a race that was lost
    """Somebody else has the case now."""


async def _assign(
    db: Connection,
    tables: Generation | None,
    moderator: Moderator,
    now: datetime,
    kind: CaseKind | None,
) -> tuple[ModerationCaseView, bool] | None:
    # Rows are locked in the table itself: through the view that readers have they cannot be.
    await enter_tables(db, tables)
    await db.execute(ONE_AT_A_TIME, moderator.id)
    if own := await db.fetchrow(OWN_CASE, moderator.id, now):
        return case_view(*own, now=now), False
    query = NEXT_CASE.format(conditions=only(kind))
    told = await db.fetchval(query, [*moderator.accounts], moderator.may_moderate, now)
    if told is None:
        return None
    case = decode(told)
    until = now + LEASE_TERM
    if not await db.fetchval(LEASE, case.case_id, moderator.id, case.decisions, until, now):
        raise _Taken
    await db.execute(FORGET_FORMER, moderator.id, case.case_id)
    return case_view(told, moderator.id, until, now=now), True


async def give_back(pool: asyncpg.Pool, moderator_id: str, case_id: str, now: datetime) -> bool:
    """Whether he had it."""
    return await pool.fetchval(GIVE_BACK, case_id, moderator_id, now) is not None


def case_view(
    told: str, moderator_id: str | None, until: datetime | None, *, now: datetime
) -> ModerationCaseView:
    case = decode(told)
    assert case.opened_at is not None
    assert case.due_at is not None
    lease = None
    if moderator_id is not None and until is not None:
        lease = LeaseView(moderator_id=moderator_id, until=until)
    return ModerationCaseView(
        case_id=case.case_id,
        order_id=case.order_id,
        side=case.side,
        seller_id=case.seller_id,
        review_id=case.review_id,
        opened_at=case.opened_at,
        due_at=case.due_at,
        overdue=case.due_at <= now,
        flags=case.flags,
        hold=case.hold,
        appeals=case.appeals,
        lease=lease,
    )
