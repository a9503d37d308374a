"""Recorded events and the rows they are about in, the rows after them out.

`Rows.fold` brings events to rows; here a row also learns when an event was and by whom, an event
may be about no row at all, and no row goes away again.
"""

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct
from shared_events.envelope import Recorded
from shared_runtime.delivery import Connection
from shared_runtime.rows import Rows

# Facts of one order come from two topics, and two workers may hold them at once. Each would miss
# what the other has not committed yet. So they take turns, by the partition of the seller, in
# ascending order; the schema keeps a rebuild out of the live one's way.
TAKE_TURNS = """
    SELECT pg_advisory_xact_lock(hashtext(current_schema()), partition)
    FROM (SELECT DISTINCT unnest($1::int[]) AS partition ORDER BY partition) AS told
"""


async def take_turns[E](batch: Iterable[Recorded[E]], db: Connection) -> None:
    """Waits until nobody else writes rows of these sellers, until this transaction ends."""
    await db.execute(TAKE_TURNS, [recorded.partition for recorded in batch])


async def fold_recorded[R: Struct, E](
    rows: Rows[R],
    batch: Sequence[Recorded[E]],
    db: Connection,
    *,
    key_of: Callable[[E], str | None],
    evolve: Callable[[R | None, Recorded[E]], R | None],
) -> list[str]:
    """Brings each event to its row; the keys of the rows that have changed.

    None from `key_of`: it is about no row. None from `evolve`: nothing to keep yet.
    """
    about = [(key, told) for told in batch if (key := key_of(told.event)) is not None]
    held: dict[str, R | None] = {}
    held.update(await rows.read({key for key, _ in about}, db))
    changed: dict[str, R] = {}
    for key, recorded in about:
        before = held.get(key)
        after = evolve(before, recorded)
        if after is not None and after != before:
            held[key] = changed[key] = after
    await rows.write(changed.values(), db)
    return [*changed]
