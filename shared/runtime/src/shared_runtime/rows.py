"""Events and the rows they are about in, the rows after them out: a table of folds.

    @dataclass(frozen=True, slots=True, kw_only=True)
    class OrderFacts: ...

    ORDER_FACTS = Rows(table="order_facts", key="order_id", row=OrderFacts)
    await ORDER_FACTS.fold(batch, db, key_of=lambda event: event.order_id, evolve=evolve)

A batch costs one read and one write, however many events it has. The table's columns are named
like the fields of the dataclass; a field of another type than `COLUMN_TYPES` is stored as jsonb.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import asyncpg
import msgspec
from shared_events.envelope import Recorded

from shared_runtime.delivery import Connection

COLUMN_TYPES: dict[object, str] = {
    str: "text",
    int: "bigint",
    bool: "boolean",
    datetime: "timestamptz",
}
JSON = "jsonb"


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    type: str
    hint: Any


class Rows[R]:
    """A table in which each row is the fold of the events about its key."""

    def __init__(self, *, table: str, key: str, row: type[R]) -> None:
        # A frozen dataclass: there is no bound for "any dataclass" that a type checker takes.
        row_fields: Any = fields(row)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        hints = get_type_hints(row)
        self._row = row
        self._columns = [_column(field.name, hints[field.name]) for field in row_fields]
        names = [column.name for column in self._columns]
        # Names come from the code's own dataclasses, never from a request.
        listed = ", ".join(names)
        arrays = ", ".join(f"${n}::{c.type}[]" for n, c in enumerate(self._columns, 1))
        kept = ", ".join(f"{name} = excluded.{name}" for name in names if name != key)
        self._read = f"SELECT {listed} FROM {table} WHERE {key} = ANY($1)"  # noqa: S608
        self._write = (
            f"INSERT INTO {table} ({listed}) SELECT * FROM unnest({arrays}) "  # noqa: S608
            f"ON CONFLICT ({key}) DO UPDATE SET {kept}"
        )
        self._key = names.index(key)

    async def read(self, keys: Iterable[str], db: Connection) -> dict[str, R]:
        """The rows that are there, by key."""
        found = await db.fetch(self._read, list(keys))
        return {str(row[self._key]): self._decode(row) for row in found}

    async def write(self, rows: Iterable[R], db: Connection) -> None:
        """Puts whole rows in the place of those with their keys."""
        told = [self._encode(row) for row in rows]
        if told:
            await db.execute(self._write, *zip(*told, strict=True))

    async def fold[E](
        self,
        batch: Sequence[Recorded[E]],
        db: Connection,
        *,
        key_of: Callable[[E], str],
        evolve: Callable[[R | None, E], R | None],
    ) -> None:
        """Brings each event to the row it is about. None from `evolve`: nothing to keep yet."""
        rows: dict[str, R | None] = {}
        rows.update(await self.read({key_of(recorded.event) for recorded in batch}, db))
        changed: set[str] = set()
        for recorded in batch:
            key = key_of(recorded.event)
            before = rows.get(key)
            after = evolve(before, recorded.event)
            if after != before:
                rows[key] = after
                changed.add(key)
        await self.write((row for key in changed if (row := rows[key]) is not None), db)

    def _decode(self, row: asyncpg.Record) -> R:
        told = {
            column.name: value
            if column.type != JSON or value is None
            else msgspec.json.decode(value, type=column.hint)
            for column, value in zip(self._columns, row, strict=True)
        }
        return self._row(**told)

    def _encode(self, row: R) -> list[Any]:
        values = [getattr(row, column.name) for column in self._columns]
        return [
            value if column.type != JSON or value is None else msgspec.json.encode(value).decode()
            for column, value in zip(self._columns, values, strict=True)
        ]


def _column(name: str, hint: Any) -> _Column:  # noqa: ANN401 - a type hint has no type
    plain = hint
    if get_origin(hint) is UnionType:
        (plain,) = [member for member in get_args(hint) if member is not type(None)]
    if (value := getattr(plain, "__value__", None)) is not None:  # type X = Literal[...]
        plain = value
    if get_args(plain) and all(isinstance(member, str) for member in get_args(plain)):
        plain = str
    return _Column(name, COLUMN_TYPES.get(plain, JSON), hint)
