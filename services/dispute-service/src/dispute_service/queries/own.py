"""Rows in, pages out: the matters of a party, those that are due soonest or the newest first."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import asyncpg
import msgspec
from msgspec import Struct
from shared_events.fields import Party
from shared_runtime.pages import Keyset, PageStart

from dispute_service.domain.deadlines import RULES, DueName

type Sort = Literal["due", "newest"]

PAGE = "SELECT row_to_json(listed) FROM ({page}) AS listed ORDER BY {order}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NextDue:
    """What is due next, when, and what happens when that passes."""

    name: DueName
    due: datetime
    then: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Whose, in which order, and which of them. Of those that are due there are open ones alone."""

    side: Party
    account: str
    sort: Sort
    stage: str | None = None
    is_open: bool | None = None

    @property
    def conditions(self) -> str:
        if self.sort == "due" or self.is_open is True:
            return " AND closed_at IS NULL"
        return "" if self.is_open is None else " AND closed_at IS NOT NULL"


class OwnMatters[R: Struct]:
    """A table of a projection in which each row belongs to a buyer and a seller.

    `due`: the column that says when something is due for a side, None once closed.
    """

    def __init__(
        self, *, table: str, key: str, stage: str, due: Mapping[Party, str], row: type[R]
    ) -> None:
        self._table = table
        self._key = key
        self._stage = stage
        self._due = due
        self._newest = Keyset(columns={"opened_at": "timestamptz", key: "text"}, descending=True)
        self._soonest = {
            side: Keyset(columns={column: "timestamptz", key: "text"})
            for side, column in due.items()
        }
        self._decode = msgspec.json.Decoder(row).decode

    def name(self, wanted: Wanted) -> str:
        """What the cursors of a list belong to."""
        return f"{self._table} {wanted}"

    def sql(self, wanted: Wanted, start: PageStart) -> tuple[str, list[object]]:
        """The query of a page, and its parameters."""
        values: list[object] = [start.rows_max, wanted.account]
        conditions, order = wanted.conditions, self._order(wanted)
        if wanted.stage is not None:
            values.append(wanted.stage)
            conditions += f" AND {self._stage} = ${len(values)}"
        conditions += order.behind(start, len(values) + 1)
        # Names come from the code, never from a request.
        page = f"SELECT * FROM read.{self._table} WHERE {wanted.side.lower()}_id = $2{conditions}"  # noqa: S608
        page += f" ORDER BY {order.order()} LIMIT $1"
        return PAGE.format(page=page, order=order.order()), [*values, *order.values(start)]

    async def page(
        self, pool: asyncpg.Pool, wanted: Wanted, start: PageStart
    ) -> tuple[list[R], str | None]:
        """The rows of a page, and the cursor of the next one."""
        sql, values = self.sql(wanted, start)
        rows = [self._decode(told) for (told,) in await pool.fetch(sql, *values)]
        page, more = start.cut(rows, lambda row: self._place(wanted, row))
        return [*page], more

    def _order(self, wanted: Wanted) -> Keyset:
        return self._newest if wanted.sort == "newest" else self._soonest[wanted.side]

    def _place(self, wanted: Wanted, row: R) -> list[datetime | str]:
        return [getattr(row, column) for column in self._order(wanted).columns]


def next_due_view(due: tuple[DueName, datetime] | None) -> NextDue | None:
    if due is None:
        return None
    name, at = due
    return NextDue(name=name, due=at, then=RULES[name].then)
