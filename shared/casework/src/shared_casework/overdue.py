"""A decision that should have been taken by now in, a fact for the public figures out.

Staff are late; no party loses anything by it. Each service says what may be pending in a stream
of its own:

    NOTE_OVERDUE: OverdueRule[Dispute, Known, DisputeEvent] = note_overdue(pending)
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from msgspec import Struct
from shared_events.common import DecisionOverdue, MatterFact, Overdue
from shared_events.fields import Id, Instant
from shared_runtime.rule import NO_WINDOW, By, Rule, Window

from shared_casework.matters import ids_of

type Status = Literal["PENDING", "NONE"]
type Deadline = tuple[Overdue, str, datetime]
"""What is overdue, the id of it, and since when: told once."""


class NoteOverdue(Struct, frozen=True, kw_only=True):
    """A decision is still owed at its deadline."""

    what: Overdue
    ref_id: Id
    due_at: Instant


class Pending(Struct, frozen=True, kw_only=True):
    """A decision that is still owed, by `due_at`. `about`: what every event of its matter says.

    `noted`: the deadlines of the stream that have been told as overdue, as `deadline_of` has them.
    """

    about: MatterFact
    due_at: datetime
    noted: frozenset[Deadline] = frozenset()

    @property
    def status(self) -> Status:
        return "PENDING"


class NotPending(Struct, frozen=True):
    """Nothing of that name is undecided, or its deadline is another one by now."""

    @property
    def status(self) -> Status:
        return "NONE"


def deadline_of(told: NoteOverdue | DecisionOverdue) -> Deadline:
    return told.what, told.ref_id, told.due_at.astimezone(UTC)


type Find[St] = Callable[[St, NoteOverdue], Pending | None]
"""What is named, if it is still undecided."""


@dataclass(frozen=True, kw_only=True)
class OverdueRule[St, K, E](Rule[St, Pending | NotPending, Status, NoteOverdue, K, E]):
    """A timer's: it may fire late, twice, or when nothing is owed any more."""

    pending: Find[St]

    def find(self, state: St, said: NoteOverdue, by: By[K]) -> Pending | NotPending:  # noqa: ARG002
        found = self.pending(state, said)
        return found if found and found.due_at == said.due_at else NotPending()

    def matters(self, state: St, by: By[K]) -> Iterable[Pending]:  # noqa: ARG002
        return ()  # timers are offered nothing


def note_overdue[St, K, E](pending: Find[St]) -> OverdueRule[St, K, E]:
    """The rule of NoteOverdue: once for each deadline, and never before it."""
    return OverdueRule(
        NoteOverdue,
        overdue,
        roles=("SYSTEM",),
        repeated=is_noted,
        states=("PENDING",),
        window=from_the_deadline,
        early=True,
        lapses=True,
        events=(DecisionOverdue,),
        example=EXAMPLE,
        pending=pending,
    )


def is_noted(matter: Pending | NotPending, said: NoteOverdue, _: By[Any]) -> bool:
    return isinstance(matter, Pending) and deadline_of(said) in matter.noted


def from_the_deadline(matter: Pending | NotPending, _: NoteOverdue, __: By[Any]) -> Window:
    return Window(earliest=matter.due_at) if isinstance(matter, Pending) else NO_WINDOW


def overdue(matter: Pending | NotPending, said: NoteOverdue, _: By[Any]) -> list[Any]:
    """Told once that it is late, in public figures. No party loses anything by it."""
    assert isinstance(matter, Pending)
    what, ref_id, due_at = deadline_of(said)
    return [DecisionOverdue(**ids_of(matter.about), what=what, ref_id=ref_id, due_at=due_at)]


EXAMPLE = NoteOverdue(
    what="DISPUTE_DECISION", ref_id="D-12", due_at=datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
)
