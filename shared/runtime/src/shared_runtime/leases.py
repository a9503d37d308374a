"""Who asks for work in, a case for a while out: each to one person, and to each person one.

    LEASES = Leases(CASES, pool)  # of a `WorkList`; with the migration `create_leases`

    who = Assignee(id=caller.sub, accounts=…, decides=("REQUEST",))
    at = await parts.instant()  # else a process that is ahead gives away what others hold
    assigned = await LEASES.next(who, at)  # until he has decided it, gives it back or is late

A lease is no fact of the business and is in no log: who has a case may be forgotten at any time,
and the worst that follows is that two people look at it. What is decided is the aggregate's.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from shared_runtime.decider import ConflictOfInterest, NotFound, Refused
from shared_runtime.delivery import Connection, TakenOver
from shared_runtime.log import Database
from shared_runtime.projections import in_live_tables
from shared_runtime.worklist import ALL, Case, Wanted, WorkList

LEASE_TERM = timedelta(minutes=15)

# A lease is good until its end or until somebody decides on the case, whichever is first.
LEASES = """
    SELECT case_id, holder, until, decisions FROM work.lease
    WHERE list = $1 AND case_id = ANY($2::text[]) AND until > $3
"""
OWN = """
    SELECT row_to_json(held), lease.until
    FROM work.lease AS lease JOIN read.{table} AS held USING (case_id)
    WHERE lease.list = $1 AND lease.holder = $2 AND lease.until > $3
        AND lease.decisions = held.decisions AND held.opened_at IS NOT NULL
"""
ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended($1 || ' ' || $2, 0))"
# Rows are locked in the table itself: through the view that readers have they cannot be.
NEXT = """
    SELECT row_to_json(free) FROM {table} AS free
    WHERE opened_at IS NOT NULL AND NOT barred && $1::text[] AND kinds && $2::text[]
        AND NOT EXISTS (
            SELECT FROM work.lease AS lease
            WHERE lease.list = $3 AND lease.case_id = free.case_id AND lease.until > $4
                AND lease.decisions = free.decisions){conditions}
    ORDER BY {order} LIMIT 1 FOR UPDATE OF free SKIP LOCKED
"""
ONE = """
    SELECT row_to_json(wanted) FROM {table} AS wanted
    WHERE case_id = $1 AND opened_at IS NOT NULL AND NOT parties && $2::text[] FOR UPDATE
"""
# Somebody may have leased the case between our look at leases and our lock of its row.
LEASE = """
    INSERT INTO work.lease AS lease (list, case_id, holder, decisions, until)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (list, case_id) DO UPDATE SET
        holder = excluded.holder, decisions = excluded.decisions, until = excluded.until
    WHERE lease.until <= $6 OR lease.decisions <> excluded.decisions
    RETURNING true
"""
# After the lease, and passing over what others are just taking over: nobody waits for two rows.
FORGET_FORMER = """
    DELETE FROM work.lease WHERE list = $1 AND case_id IN (
        SELECT case_id FROM work.lease WHERE list = $1 AND holder = $2 AND case_id <> $3
        FOR UPDATE SKIP LOCKED)
"""
GIVE_BACK = """
    DELETE FROM work.lease
    WHERE list = $1 AND case_id = $2 AND holder = $3 AND until > $4 RETURNING true
"""


@dataclass(kw_only=True, eq=False)
class AlreadyAssigned(Refused):
    """Somebody else has it."""

    until: datetime


class NothingToDecide(Refused):
    """Nothing is open there that you may decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who has a case, and until when if it is not decided before."""

    holder: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignee:
    """Who asks for work. `accounts`: all ids that he is known by; `decides`: the kinds of open
    items that he may decide.
    """

    id: str
    accounts: Collection[str]
    decides: Collection[str]

    def may_decide(self, case: Case) -> bool:
        return self.is_impartial(case) and not set(self.decides).isdisjoint(case.kinds)

    def is_impartial(self, case: Case) -> bool:
        return set(self.accounts).isdisjoint(case.barred)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned[C: Case]:
    """A case with its lease, and whether it was given just now."""

    case: C
    lease: Lease
    is_new: bool


class _Taken(TakenOver):
    """Somebody else has the case now."""


class Leases[C: Case]:
    """Who works on which case: one at a time for each person."""

    def __init__(self, cases: WorkList[C], pool: asyncpg.Pool) -> None:
        self._cases = cases
        self._pool = pool

    async def of(
        self, cases: Iterable[C], now: datetime, db: Database | None = None
    ) -> dict[str, Lease]:
        """The leases of these cases that are good now, by case."""
        decisions = {case.case_id: case.decisions for case in cases}
        rows = await (db or self._pool).fetch(LEASES, self._cases.name, [*decisions], now)
        return {
            row["case_id"]: Lease(holder=row["holder"], until=row["until"])
            for row in rows
            if row["decisions"] == decisions[row["case_id"]]
        }

    async def mine(self, holder: str, now: datetime) -> Assigned[C] | None:
        """The case that he has."""
        return await self._own(self._pool, holder, now)

    async def next(self, who: Assignee, now: datetime, wanted: Wanted = ALL) -> Assigned[C] | None:
        """The case that he has, or the oldest that nobody has and he may decide.

        None if there is none. Raises `Unavailable` if others were faster again and again.
        """

        async def look(db: Connection) -> Assigned[C] | None:
            if own := await self._own(db, who.id, now):
                return own
            conditions, values = wanted.conditions(5, now)
            told = await db.fetchval(
                self._cases.query(NEXT, conditions),
                [*who.accounts],
                [*who.decides],
                self._cases.name,
                now,
                *values,
            )
            return None if told is None else await self._lease(db, who, told, now)

        return await self._one_at_a_time(who, look)

    async def take(self, who: Assignee, case_id: str, now: datetime) -> Assigned[C]:
        """This case. The one that he had is free again.

        Raises `NotFound` if nothing is open there or he is a party of it, `ConflictOfInterest`,
        `NothingToDecide`, and `AlreadyAssigned` if somebody else has it.
        """

        async def look(db: Connection) -> Assigned[C]:
            own = await self._own(db, who.id, now)
            if own and own.case.case_id == case_id:
                return own
            told = await db.fetchval(self._cases.query(ONE), case_id, [*who.accounts])
            if told is None:
                raise NotFound
            case = self._cases.decode(told)
            if not who.is_impartial(case):
                raise ConflictOfInterest(ground="BARRED")
            if not who.may_decide(case):
                raise NothingToDecide
            if lease := (await self.of([case], now, db)).get(case_id):
                raise AlreadyAssigned(until=lease.until)
            return await self._lease(db, who, told, now)

        return await self._one_at_a_time(who, look)

    async def give_back(self, holder: str, case_id: str, now: datetime) -> bool:
        """Whether he had it."""
        return bool(await self._pool.fetchval(GIVE_BACK, self._cases.name, case_id, holder, now))

    async def _one_at_a_time[T](
        self, who: Assignee, look: Callable[[Connection], Awaitable[T]]
    ) -> T:
        """In a transaction in which nothing else is done for him. Tried again when somebody was
        faster, or when the table was built anew.
        """

        async def alone(db: Connection) -> T:
            await db.execute(ONE_AT_A_TIME, self._cases.name, who.id)
            return await look(db)

        return await in_live_tables(self._pool, self._cases.projection, alone)

    async def _own(self, db: Database, holder: str, now: datetime) -> Assigned[C] | None:
        row = await db.fetchrow(self._cases.query(OWN), self._cases.name, holder, now)
        if row is None:
            return None
        lease = Lease(holder=holder, until=row["until"])
        return Assigned(case=self._cases.decode(row[0]), lease=lease, is_new=False)

    async def _lease(self, db: Connection, who: Assignee, told: str, now: datetime) -> Assigned[C]:
        case, until = self._cases.decode(told), now + LEASE_TERM
        leased = (self._cases.name, case.case_id, who.id, case.decisions, until, now)
        if not await db.fetchval(LEASE, *leased):
            raise _Taken
        await db.execute(FORGET_FORMER, self._cases.name, who.id, case.case_id)
        return Assigned(case=case, lease=Lease(holder=who.id, until=until), is_new=True)
