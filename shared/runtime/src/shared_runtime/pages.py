"""A list in an order of its own in, pages out that neither skip nor repeat a row.

A page ends in a cursor: where its last row stands in the order of the list. Who goes on is given
what comes behind that place, whatever has come and gone meanwhile.

    NEWEST = Keyset(columns={"at": "timestamptz", "id": "text"}, descending=True)

    async def thing_page(pool: asyncpg.Pool, start: PageStart) -> ThingPage:
        query = f"SELECT * FROM thing WHERE true{NEWEST.behind(start, 2)}"
        query += f" ORDER BY {NEWEST.order()} LIMIT $1"
        rows = await pool.fetch(query, start.rows_max, *NEWEST.values(start))
        page, next_cursor = start.cut(rows, lambda row: (row["at"], row["id"]))
        return ThingPage(items=[thing_view(row) for row in page], next_cursor=next_cursor)

    @router.get("/v1/things")
    async def things(asked: PageAsked) -> Response:
        start = asked.start(cursors, "things")
        await wait_for(asked.token, projected)
        return answer(await thing_page(pool, start))
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from inspect import signature
from typing import Annotated, Any, Literal

from fastapi import Depends

from shared_runtime.decider import FieldError, InvalidValue
from shared_runtime.reading import PAGE_SIZE, ConsistencyToken, Cursors, CursorText, Limit

type Key = Sequence[datetime | int | str]
"""Where a row stands in the order of its list: the values of the columns of the order."""
type Column = Literal["timestamptz", "bigint", "text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageStart:
    """Where a page begins, and how many rows it has at most. `after`: the last row before it."""

    limit: int
    after: Sequence[int | str] | None
    cursor: Callable[[Sequence[int | str]], str]

    @property
    def rows_max(self) -> int:
        """How many rows to ask for: one more than are shown tells whether any follow."""
        return self.limit + 1

    def cut[R](self, rows: Sequence[R], key: Callable[[R], Key]) -> tuple[Sequence[R], str | None]:
        """The rows of the page, and the cursor of the next one if there is one."""
        page = rows[: self.limit]
        if len(rows) <= self.limit:
            return page, None
        return page, self.cursor([_told(value) for value in key(page[-1])])


@dataclass(frozen=True, slots=True, kw_only=True)
class PageQuery:
    """What a client says of the page that it wants. A list with filters adds its own to these."""

    token: ConsistencyToken
    limit: Limit = PAGE_SIZE
    cursor: CursorText = None

    def start(self, cursors: Cursors, of: str) -> PageStart:
        """`of` names the list, filters included. Raises `InvalidValue` for a foreign cursor."""
        return PageStart(
            limit=self.limit,
            after=cursors.last(of, self.cursor),
            cursor=partial(cursors.text, of),
        )


def query_of[Q](kind: type[Q]) -> Callable[..., Awaitable[Q]]:
    """A dependency: a class of parameters, made of those of the request.

    FastAPI makes a class in a thread, as whatever is no coroutine: that takes longer than the rest.
    """

    async def made(**parameters: Any) -> Q:  # noqa: ANN401 - whatever the class has
        return kind(**parameters)

    made.__signature__ = signature(kind)  # type: ignore[attr-defined]  # as FastAPI reads it
    return made


def check_period(since: datetime | None, until: datetime | None) -> None:
    """Of a list that is asked for from one instant on, before another. Raises `InvalidValue`."""
    if since is not None and until is not None and since >= until:
        raise InvalidValue(errors=[FieldError(field="since", bound="before until")])


type PageAsked = Annotated[PageQuery, Depends(query_of(PageQuery))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyset:
    """The columns that a list is in the order of, with their types. The last tells equals apart."""

    columns: Mapping[str, Column]
    descending: bool = False

    def order(self, table: str = "") -> str:
        """What stands behind ORDER BY. `table` ends in a dot."""
        direction = " DESC" if self.descending else ""
        return ", ".join(f"{table}{column}{direction}" for column in self.columns)

    def behind(self, start: PageStart, number: int) -> str:
        """The condition on the rows of the page, whose first parameter has this number."""
        if start.after is None:
            return ""
        values = ", ".join(
            f"CAST(${n} AS {kind})" for n, kind in enumerate(self.columns.values(), number)
        )
        return f" AND ({', '.join(self.columns)}) {'<' if self.descending else '>'} ({values})"

    def values(self, start: PageStart) -> list[datetime | int | str]:
        """The parameters of that condition."""
        if start.after is None:
            return []
        return [
            datetime.fromisoformat(str(value)) if kind == "timestamptz" else value
            for value, kind in zip(start.after, self.columns.values(), strict=True)
        ]


def _told(value: datetime | int | str) -> int | str:
    return value.isoformat() if isinstance(value, datetime) else value
