"""A stream's events in, a page of its history out, for somebody who may not know of all of them.

What is hidden from a reader is not in his history, and may come into the middle of it: at the
reveal of what was written, say. A page is the next one only as long as nothing has come in before
it; else the reader has to start again, and is told so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from msgspec import Struct
from msgspec.structs import replace
from shared_events.envelope import Recorded
from shared_events.registry import tag_of

from shared_runtime.decider import Actor, FieldError, InvalidValue, Role
from shared_runtime.reading import Cursors


@dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    """What has happened, as it was recorded. It has no number: that would change when something
    hidden comes to light before it, or tell that there is something hidden.
    """

    id: str
    type: str
    time: datetime
    actor: str
    data: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    items: list[EventView]
    next_cursor: str | None


EXAMPLE_ID = "01945c3a-7f1e-5c55-9f59-0d6b1d0f4a11"
"""Of the events that the reference shows."""
STAFF = "staff"
STAFF_ROLES: tuple[Role, ...] = ("MODERATOR", "ANALYST", "SENIOR", "AGENT", "AUDITOR")
"""Those first who see more: whoever has several roles reads what he may decide on."""


def signed(recorded: Recorded[Any], reader: Actor) -> str:
    """Who did it, as a reader may know it: to parties staff have no names, nor has a seller's
    member one to the buyer.
    """
    by = recorded.actor
    role = by.partition(":")[0].upper()
    if reader.role in ("BUYER", "SELLER") and role in STAFF_ROLES:
        return STAFF
    if reader.role == "BUYER" and role == "SELLER":
        return f"seller:{recorded.event.seller_id}"
    return by


class Known(Protocol):
    """What somebody may know of a stream: of which events, and as he may read them."""

    @property
    def knows(self) -> tuple[bool, ...]: ...
    @property
    def events(self) -> tuple[Any, ...]: ...


class Reading(Known, Protocol):
    """That, with who he is to the matter (none: he has no part in it), how the matter stands for
    him, and the version that he sees.
    """

    @property
    def reader(self) -> object | None: ...
    @property
    def state(self) -> Any: ...  # noqa: ANN401 - of any kind
    @property
    def version(self) -> int: ...


def readable_history(
    history: Sequence[Recorded[Any]], reading: Known, reader: Actor
) -> list[Recorded[Any]]:
    """What somebody may read of what has happened, as he may read it."""
    known = [recorded for recorded, knows in zip(history, reading.knows, strict=True) if knows]
    return [
        replace(recorded, event=event, actor=signed(recorded, reader))
        for recorded, event in zip(known, reading.events, strict=True)
    ]


def event_page(
    history: Sequence[Recorded[Any]], of: str, limit: int, cursor: str | None, cursors: Cursors
) -> EventPage:
    """A page of a history as its reader may know it, oldest first. `of` names it to its cursors.

    A cursor is how many events have been shown, and the last of them. Raises `InvalidValue` if
    another one has come to stand there.
    """
    start = _shown(history, cursors.last(of, cursor))
    page = history[start : start + limit]
    end = start + len(page)
    more = cursors.text(of, [end, page[-1].event_id]) if end < len(history) else None
    return EventPage(items=event_views(page), next_cursor=more)


def _shown(history: Sequence[Recorded[Any]], last: Sequence[str | int] | None) -> int:
    """How many events the pages before had."""
    if last is None:
        return 0
    count, event_id = int(last[0]), last[1]
    if count > len(history) or history[count - 1].event_id != event_id:
        bound = "there are more events before it by now: start again, without it"
        raise InvalidValue(errors=[FieldError(field="cursor", bound=bound)])
    return count


def event_views(history: Iterable[Recorded[Any]]) -> list[EventView]:
    return [
        EventView(
            id=recorded.event_id,
            type=recorded.type,
            time=recorded.time,
            actor=recorded.actor,
            data=recorded.event,
        )
        for recorded in history
    ]


def example_event(event: Struct, *, at: datetime, actor: str) -> Recorded[Any]:
    """An event as the examples of the reference have it: recorded, but in no log."""
    return Recorded(
        topic="",
        partition=0,
        position=1,
        event_id=EXAMPLE_ID,
        stream="",
        version=1,
        type=tag_of(event),
        time=at,
        recorded_at=at,
        key="",
        actor=actor,
        correlation_id="",
        causation_id="",
        event=event,
    )


def example_page(event: Struct, *, at: datetime, actor: str) -> EventPage:
    """A history of this event alone."""
    shown = event_views([example_event(event, at=at, actor=actor)])
    return EventPage(items=shown, next_cursor=None)
