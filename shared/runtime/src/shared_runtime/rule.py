"""A command, who may send it, from where and until when: one row.

What a row says is what the decider checks, what its route requires, what its page documents, and
what is offered to those who ask what they can do. The table of them is `shared_runtime.rules`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from functools import cached_property
from typing import NamedTuple, Protocol, Self

from msgspec import Struct
from msgspec.structs import replace

from shared_runtime.decider import (
    Actor,
    AlreadySubmitted,
    FieldError,
    HumanRequired,
    NotFound,
    NotYetEligible,
    Refused,
    Role,
    RoleNotAllowed,
    TimeGoesBack,
    TokenScope,
    WindowClosed,
    WrongState,
)


class By[K](Struct, frozen=True, kw_only=True):
    """Who asks, when, and what is known besides the stream: policies, facts of other streams."""

    actor: Actor
    now: datetime
    known: K


class Sent[C: Struct, K](Struct, frozen=True):
    """What is said, and by whom."""

    said: C
    by: By[K]

    @property
    def now(self) -> datetime:
        return self.by.now

    @property
    def actor(self) -> Actor:
        return self.by.actor

    def at(self, now: datetime) -> Self:
        """The same, said at another instant."""
        return replace(self, by=replace(self.by, now=now))


class HasStatus(Protocol):
    """What a command is about, and where it stands, in one word of the design."""

    @property
    def status(self) -> str: ...


class Window(NamedTuple):
    """Half-open; None where time sets no limit."""

    earliest: datetime | None = None
    latest: datetime | None = None


NO_WINDOW = Window()
MACHINE: Role = "SYSTEM"
NO_LONGER_APPLIES = (NotFound, WrongState, NotYetEligible, WindowClosed, AlreadySubmitted)
"""How a command is refused that is too late, too early or said before: where it `lapses`, a machine
is answered nothing instead.
"""


class Guard[T, C, K]:
    """A check of its own, and how it refuses."""

    def __init__(self, check: Callable[[T, C, By[K]], object], *refuses: type[Refused]) -> None:
        self._check = check
        self.refuses = refuses
        self.says = check.__doc__
        """Whom or what it lets pass, for the page of commands."""

    def __call__(self, matter: T, said: C, by: By[K]) -> None:
        self._check(matter, said, by)


@dataclass(frozen=True)
class Rule[St, T: HasStatus, S: str, C: Struct, K, E](ABC):
    """One command to a stream in state `St`, about a matter `T` that stands in one of `S`.

    A service has a kind of rule for each kind of matter: it says how that is found. The slots are
    in the order in which they are asked. `shape`: what no field alone can tell. `human`: a person
    must decide it. `party`, `impartial`, `barred`, `reasons`: whose matter it is, who may not
    judge it, who is erased or under a measure, which reasons it needs. `repeated`: nothing is left
    to do, or it was said otherwise before, which it refuses. `scopes`: whose tokens may ask for it
    without an account. `states`: none are all; `stands`: what
    they cannot tell. `window`: None waits for somebody's act. `early`: it can be asked before the
    window. `refuses`: what `decide` does besides. `lapses`: from a timer or a consumer, too late or
    once more is nothing. `events`: what it may record.
    """

    command: type[C]
    decide: Callable[[T, C, By[K]], list[E]]
    _: KW_ONLY
    roles: tuple[Role, ...]
    scopes: tuple[TokenScope, ...] = ()
    shape: Callable[[C, By[K]], Iterable[FieldError]] | None = None
    human: bool = False
    party: Guard[T, C, K] | None = None
    impartial: Guard[T, C, K] | None = None
    barred: Guard[T, C, K] | None = None
    reasons: Guard[T, C, K] | None = None
    repeated: Callable[[T, C, By[K]], bool] | None = None
    states: tuple[S, ...] = ()
    stands: Guard[T, C, K] | None = None
    window: Callable[[T, C, By[K]], Window | None] | None = None
    early: bool = False
    refuses: tuple[type[Refused], ...] = ()
    lapses: bool = False
    events: tuple[type[Struct], ...]
    example: C
    """Well-formed: for the reader of the page, and tried on whoever asks what he can do."""
    tries: Callable[[T, By[K]], Sequence[C]] | None = None
    """What is tried instead, where the example would be refused for what it names."""

    @abstractmethod
    def find(self, state: St, said: C, by: By[K]) -> T:
        """What the command is about. Raises `NotFound` where there is none for him."""

    @abstractmethod
    def matters(self, state: St, by: By[K]) -> Iterable[T]:
        """All that such a command of his may be about."""

    @property
    def name(self) -> str:
        return self.command.__name__

    def is_offered_to(self, actor: Actor) -> bool:
        """Whether such a one may ever send it."""
        confined = actor.scopes and actor.scopes.isdisjoint(self.scopes)
        return actor.acts_as in self.roles and not confined

    @cached_property
    def guards(self) -> list[Guard[T, C, K]]:
        return [each for each in (self.party, self.impartial, self.barred, self.reasons) if each]

    @property
    def all_refusals(self) -> list[type[Refused]]:
        """Besides `InvalidValue` and `NotFound`, which everything may answer."""
        asked = [*self.guards, *([self.stands] if self.stands else [])]
        never = NO_LONGER_APPLIES if self.lapses and self.roles == (MACHINE,) else ()
        refusals = [
            *([HumanRequired] if self.human else []),
            RoleNotAllowed,
            *(refusal for guard in asked for refusal in guard.refuses),
            *([WrongState] if self.states else []),
            *([NotYetEligible] if self.early else []),
            *([WindowClosed] if self.window else []),
            TimeGoesBack,
            *self.refuses,
        ]
        return [refusal for refusal in refusals if refusal not in never]

    def then(self, matter: T, events: list[E], by: By[K]) -> list[E]:  # noqa: ARG002
        """What comes of it, with what follows for every command of this kind."""
        return events

    def window_of(self, matter: T, said: C, by: By[K]) -> Window | None:
        return self.window(matter, said, by) if self.window else NO_WINDOW

    def run(self, matter: T, said: C, by: By[K]) -> list[E]:
        """What comes of it, if no check refuses it."""
        if self.human and not by.actor.is_human:
            raise HumanRequired
        if by.actor.acts_as not in self.roles:
            raise RoleNotAllowed(allowed_roles=[*self.roles])
        for guard in self.guards:
            guard(matter, said, by)
        if self.repeated and self.repeated(matter, said, by):
            return []
        if self.states and matter.status not in self.states:
            raise WrongState(state=matter.status)
        if self.stands:
            self.stands(matter, said, by)
        if (window := self.window_of(matter, said, by)) is None:
            raise NotYetEligible
        earliest, latest = window
        if self.early and earliest and by.now < earliest:
            raise NotYetEligible(eligible_from=earliest)
        if latest and by.now >= latest:
            raise WindowClosed(closed_at=latest)
        return self.decide(matter, said, by)
