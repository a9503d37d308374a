"""A stream's events in, a page of its history out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared_events.envelope import Recorded
from shared_runtime.decider import Actor, Role
from shared_runtime.reading import Cursors


@dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    """What has happened, as it was recorded. `version` counts what the reader may see."""

    version: int
    id: str
    type: str
    time: datetime
    actor: str
    data: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    items: list[EventView]
    next_cursor: str | None


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


def event_page(
    history: Sequence[Recorded[Any]], of: str, limit: int, cursor: str | None, cursors: Cursors
) -> EventPage:
    """A page of a history, oldest first. `of` names the list to its cursors."""
    last = cursors.last(of, cursor)
    start = int(last[0]) if last else 0
    end = min(start + limit, len(history))
    return EventPage(
        items=event_views(history[start:end], start + 1),
        next_cursor=cursors.text(of, [end]) if end < len(history) else None,
    )


def event_views(history: Iterable[Recorded[Any]], first: int) -> list[EventView]:
    return [
        EventView(
            version=version,
            id=recorded.event_id,
            type=recorded.type,
            time=recorded.time,
            actor=recorded.actor,
            data=recorded.event,
        )
        for version, recorded in enumerate(history, first)
    ]
