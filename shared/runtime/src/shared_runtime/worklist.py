"""Rows in which something may be open in; pages of those that are, and how many there are, out.

A case is a row of a projection. The service's fold says what is open in it, since when and by when,
whom it is not shown to and who may not decide it; what that means, nothing here knows.

    class ReturnCase(Case, frozen=True, kw_only=True):  # and the service's own columns
        order_id: str

    RETURN_CASE_DDL = f"CREATE TABLE return_case ({CASE_COLUMNS}, order_id text NOT NULL);"
    RETURN_CASE_DDL += queue("return_case")
    ROWS = Rows(table="return_case", key="case_id", row=ReturnCase)  # its fold ends in `summed_up`

    CASES = WorkList(
        name="returns", projection=…, table="return_case", row=ReturnCase, kinds=("REQUEST", …)
    )
    cases, more = await CASES.page(pool, start, Wanted(overdue=True), hidden_from=…, now=now())
    counts = await Counter(CASES, pool, now).counts()
    tasks=(partial(count_open, (CASES,), pool, now),)  # of the worker: its metrics

Whoever wants work is given the next case for a while by `shared_runtime.leases`. Where somebody is
drawn instead, and that is recorded, the row has a column for it, and the list needs no leases:
`Wanted(only={"adjudicator_id = {}": "AG-1"})` are the cases of one adjudicator.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import structlog
from msgspec import Struct
from msgspec.structs import replace
from prometheus_client import Gauge

from shared_runtime.clock import Clock
from shared_runtime.delivery import WORLD_FAILURES
from shared_runtime.pages import Keyset, PageStart
from shared_runtime.pausing import pause
from shared_runtime.projections import Projection

COUNTS_FRESH = timedelta(seconds=10)
COUNT_SECONDS = 30.0
OLDEST_FIRST = Keyset(columns={"opened_at": "timestamptz", "case_id": "text"})

log = structlog.get_logger()
open_cases = Gauge("aftersales_open_cases", "Cases that wait for somebody.", ["list"])
overdue_cases = Gauge(
    "aftersales_overdue_cases", "Cases in which somebody should have decided by now.", ["list"]
)

CASE_COLUMNS = """
    case_id text PRIMARY KEY,
    kinds text[] NOT NULL,
    opened_at timestamptz,
    due_at timestamptz,
    parties text[] NOT NULL,
    barred text[] NOT NULL,
    decisions bigint NOT NULL
"""


def queue(table: str) -> str:
    """The index of the open cases: what pages, counts and the next case are read from."""
    return f"""
        CREATE INDEX {table}_queue ON {table} (opened_at, case_id)
            INCLUDE (due_at, kinds) WHERE opened_at IS NOT NULL;
    """


PAGE = """
    SELECT row_to_json(open_case) FROM (
        SELECT * FROM read.{table} WHERE opened_at IS NOT NULL
            AND NOT parties && $2::text[]{conditions}
        ORDER BY {order} LIMIT $1
    ) AS open_case ORDER BY {order}
"""
COUNTS = """
    SELECT count(*) AS cases, count(*) FILTER (WHERE due_at <= $1) AS overdue{of_kinds}
    FROM read.{table} WHERE opened_at IS NOT NULL
"""


class Case(Struct, frozen=True, kw_only=True):
    """What a row tells the list. Nothing is open in one without `opened_at`.

    `due_at`: by when the most urgent of what is open has to be decided, if there is a time for it.
    `parties` are the accounts that it is not shown to, `barred` those that may not decide it, all
    parties among them. `decisions` counts what has been decided so far.
    """

    case_id: str
    kinds: list[str]
    opened_at: datetime | None = None
    due_at: datetime | None = None
    parties: list[str]
    barred: list[str]
    decisions: int = 0


class OpenItem(Struct, frozen=True, kw_only=True):
    """One thing that is open in a case. `barred`: who may not decide it, besides the parties."""

    kind: str
    since: datetime
    due: datetime | None
    barred: Collection[str] = ()


def summed_up[C: Case](case: C, items: Collection[OpenItem]) -> C:
    """The case with what follows from all that is open in it."""
    return replace(
        case,
        kinds=sorted({item.kind for item in items}),
        opened_at=min((item.since for item in items), default=None),
        due_at=min((item.due for item in items if item.due), default=None),
        barred=sorted({*case.parties, *(who for item in items for who in item.barred)}),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which of the open cases: with an item of this kind, past their time, and `only` those for
    which these conditions on the service's own columns hold, with `{}` in the place of the value.
    """

    kind: str | None = None
    overdue: bool = False
    only: Mapping[str, object] = field(default_factory=dict[str, object])

    def conditions(self, number: int, now: datetime) -> tuple[str, list[object]]:
        """What stands behind WHERE, with parameters from this number on; and these."""
        asked = {**self.only}
        if self.kind is not None:
            asked["{} = ANY(kinds)"] = self.kind
        if self.overdue:
            asked["due_at <= {}"] = now
        told = [f" AND {condition.format(f'${n}')}" for n, condition in enumerate(asked, number)]
        return "".join(told), [*asked.values()]


ALL = Wanted()


class WorkList[C: Case]:
    """The open cases of a projection's table, the oldest first."""

    def __init__(
        self, *, name: str, projection: Projection, table: str, row: type[C], kinds: Sequence[str]
    ) -> None:
        self.name = name
        self.projection = projection
        self.table = table
        self.kinds = kinds
        self.decode: Callable[[str], C] = msgspec.json.Decoder(row).decode

    def query(self, text: str, conditions: str = "") -> str:
        """A statement about the table. Names come from the code, never from a request."""
        return text.format(table=self.table, order=OLDEST_FIRST.order(), conditions=conditions)

    async def page(
        self,
        pool: asyncpg.Pool,
        start: PageStart,
        wanted: Wanted = ALL,
        *,
        hidden_from: Collection[str],
        now: datetime,
    ) -> tuple[list[C], str | None]:
        """A page, and the cursor of the next. Without the cases that one of `hidden_from` is a
        party of.
        """
        conditions, values = wanted.conditions(3, now)
        conditions += OLDEST_FIRST.behind(start, 3 + len(values))
        rows = await pool.fetch(
            self.query(PAGE, conditions),
            start.rows_max,
            [*hidden_from],
            *values,
            *OLDEST_FIRST.values(start),
        )
        cases, more = start.cut([self.decode(told) for (told,) in rows], place_of)
        return [*cases], more


def place_of(case: Case) -> tuple[datetime, str]:
    assert case.opened_at is not None
    return case.opened_at, case.case_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Of all open cases. One case may have items of several kinds."""

    cases: int
    overdue: int
    of_kind: Mapping[str, int]


async def count_open(
    lists: Sequence[WorkList[Any]], pool: asyncpg.Pool, now: Clock, stop: asyncio.Event
) -> None:
    """Tells the metrics now and then how much waits for people, until `stop`."""
    counters = {each.name: Counter(each, pool, now) for each in lists}
    while not stop.is_set():
        try:
            for name, counter in counters.items():
                counts = await counter.counts()
                open_cases.labels(name).set(counts.cases)
                overdue_cases.labels(name).set(counts.overdue)
        except WORLD_FAILURES as failure:
            log.warning("cases not counted", failure=type(failure).__name__)
        await pause(stop, COUNT_SECONDS)


class Counter[C: Case]:
    """How many open cases there are, counted anew every ten seconds at most."""

    def __init__(self, cases: WorkList[C], pool: asyncpg.Pool, now: Clock) -> None:
        self._cases = cases
        self._pool = pool
        self._now = now
        self._counted: tuple[datetime, Counts] | None = None

    async def counts(self) -> Counts:
        now = self._now()
        if self._counted is None or now - self._counted[0] >= COUNTS_FRESH:
            self._counted = now, await self._count(now)
        return self._counted[1]

    async def _count(self, now: datetime) -> Counts:
        kinds = self._cases.kinds
        of_kinds = "".join(
            f", count(*) FILTER (WHERE '{kind}' = ANY(kinds)) AS {kind}" for kind in kinds
        )
        query = COUNTS.format(table=self._cases.table, of_kinds=of_kinds)
        row = await self._pool.fetchrow(query, now)
        assert row is not None
        cases, overdue, *of_kind = row
        return Counts(cases=cases, overdue=overdue, of_kind=dict(zip(kinds, of_kind, strict=True)))
