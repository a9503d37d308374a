"""The rows of all commands to one kind of stream in, its decider out, and what it offers.

The checks of every command run in the one order that all share: no command forgets one, and none
answers another first.

    RULES = Rules(PUBLISH_REPLY, FLAG_REVIEW, …)
    RULES.decide(state, Sent(PublishReply(…), By(actor=…, now=…, known=…)))
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from typing import Any

from msgspec import Struct

from shared_runtime.decider import NotAParty, Refused, WrongState
from shared_runtime.rule import (
    MACHINE,
    NO_LONGER_APPLIES,
    NO_WINDOW,
    By,
    HasStatus,
    Rule,
    Sent,
)
from shared_runtime.shape import require_shape

NOTHING_TO_DO = WrongState.slug()
NOT_HIS = NotAParty.slug()


@dataclass(frozen=True, slots=True)
class Action:
    """`reason_if_not` names the refusal; the window is absent where there is none."""

    action: str
    allowed: bool
    reason_if_not: str | None = None
    _: KW_ONLY
    earliest: datetime | None = None
    latest: datetime | None = None


# `Any`: each row ties its command to its matter and to what decides it; together they differ.
type Row[St, K, E] = Rule[St, Any, Any, Any, K, E]


class Rules[St, K, E]:
    """The rows of one kind of stream."""

    def __init__(self, *rows: Row[St, K, E]) -> None:
        self._rows = {row.command: row for row in rows}

    def __iter__(self) -> Iterator[Row[St, K, E]]:
        return iter(self._rows.values())

    def __getitem__(self, command: type[Struct]) -> Row[St, K, E]:
        return self._rows[command]

    def decide(self, state: St, sent: Sent[Any, K]) -> list[E]:
        """Shape first: nobody learns of a matter whose words make no sense."""
        said, by = sent.said, sent.by
        row = self._rows[type(said)]
        require_shape(said, by.now, row.shape(said, by) if row.shape else ())
        try:
            matter = row.find(state, said, by)
            return row.then(matter, row.run(matter, said, by), by)
        except NO_LONGER_APPLIES as refused:
            if row.lapses and by.actor.acts_as == MACHINE:
                return []
            if isinstance(refused, WrongState) and not refused.allowed_actions:
                refused.allowed_actions = self.allowed(state, by)
            raise

    def allowed(self, state: St, by: By[K]) -> list[str]:
        """The names of those offered that would be taken."""
        return [row.name for row in self._rows_of(by) if is_allowed(row, state, by)]

    def offered(self, state: St, by: By[K]) -> list[Action]:
        """One for each command that such a one may ever send; of several matters, the one for which
        it would be taken.
        """
        return [best(row, state, by) for row in self._rows_of(by)]

    def _rows_of(self, by: By[K]) -> Iterator[Row[St, K, E]]:
        return (row for row in self if row.is_offered_to(by.actor))


def tries[St, K, E](row: Row[St, K, E], state: St, by: By[K]) -> Iterator[tuple[Any, Struct]]:
    """All that is tried on whoever asks what he can do: each matter, and what is said of it."""
    for matter in row.matters(state, by):
        for said in row.tries(matter, by) if row.tries else [row.example]:
            yield matter, said


def is_allowed[St, K, E](row: Row[St, K, E], state: St, by: By[K]) -> bool:
    """Whether anything would be recorded. A no-op is nothing to offer."""
    for matter, said in tries(row, state, by):
        with suppress(Refused):
            if row.run(matter, said, by):
                return True
    return False


def best[St, K, E](row: Row[St, K, E], state: St, by: By[K]) -> Action:
    tried = [attempt(row, matter, said, by) for matter, said in tries(row, state, by)]
    his = [action for action in tried if action.reason_if_not != NOT_HIS]
    if not his:  # nothing is said of what is none of his
        return Action(row.name, False, NOTHING_TO_DO)
    return next((action for action in his if action.allowed), his[0])


def attempt[T: HasStatus, C: Struct, K, E](
    row: Rule[Any, T, Any, C, K, E], matter: T, said: C, by: By[K]
) -> Action:
    """Whether this would be taken, and when."""
    earliest, latest = NO_WINDOW
    try:
        reason = None if row.run(matter, said, by) else NOTHING_TO_DO
    except Refused as refused:
        reason = refused.slug()
    with suppress(Refused):  # no window where there is nothing to do it to
        earliest, latest = row.window_of(matter, said, by) or NO_WINDOW
    allowed = reason is None
    return Action(row.name, allowed, reason, earliest=earliest, latest=latest)
