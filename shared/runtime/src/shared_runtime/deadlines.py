"""The history of a stream in, the timers that it has after it out.

The deadlines of a stream follow from its state: whatever happened to it, those that are set are
those that its state has.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from shared_events.envelope import Recorded

from shared_runtime.decider import Decider
from shared_runtime.delivery import Connection
from shared_runtime.rows import columns
from shared_runtime.timers import ARM, TimerName

type Armed = dict[str, tuple[datetime, str]]
"""By the names of timers: when they are due, and the event that has set them."""
type Deadline = tuple[TimerName | str, datetime]
"""The name of a timer, and when it is due."""

# Whatever else is set for these streams has lost its cause, but for kinds that follow from no
# state.
CLEAR = """
    DELETE FROM es.timer
    WHERE stream_id = ANY($1::text[]) AND split_part(name, '/', 1) <> ALL($4::text[])
        AND NOT EXISTS (
            SELECT FROM unnest($2::text[], $3::text[]) AS kept (stream_id, name)
            WHERE kept.stream_id = es.timer.stream_id AND kept.name = es.timer.name)
"""


def armed_by[S, E: Struct](
    history: Sequence[Recorded[E]],
    decider: Decider[S, Any, E],
    deadlines_of: Callable[[S], Sequence[Deadline]],
) -> tuple[Armed, S]:
    """And the state. A deadline that stays where it is was set by the event that had set it."""
    armed: Armed = {}
    state = decider.initial
    for recorded in history:
        state = decider.evolve(state, recorded.event)
        before = armed
        armed = {
            name: before[name]
            if name in before and before[name][0] == due
            else (due, recorded.event_id)
            for name, due in ((str(name), due) for name, due in deadlines_of(state))
        }
    return armed, state


async def set_timers(
    timers: Mapping[str, Armed], db: Connection, *, besides: Sequence[str] = ()
) -> None:
    """Has streams, by name, these timers and no others; `besides` are kinds that are left alone."""
    armed = [
        (stream, name, due, event_id)
        for stream, of_stream in timers.items()
        for name, (due, event_id) in of_stream.items()
    ]
    streams, names, _, _ = columns(armed, 4)
    await db.execute(CLEAR, [*timers], streams, names, [*besides])
    if armed:
        await db.execute(ARM, *columns(armed, 4))
