"""State and command in, events or a refusal out: all that a domain needs of the runtime."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from functools import cache, reduce
from typing import Literal, Protocol, Self

from msgspec import Struct

type Role = Literal[
    "BUYER",
    "SELLER",
    "AGENT",
    "SENIOR",
    "MODERATOR",
    "ANALYST",
    "AUDITOR",
    "SYSTEM",
    "IMPORTER",
    "PRIVACY",
    "STOREFRONT",
    "CONSUMER",
]
type TokenScope = Literal["withdrawal"]
"""What somebody without an account is given a token for."""


class Actor(Struct, frozen=True, kw_only=True):
    """Who asks. An IMPORTER acts `on_behalf_of` another role and is judged as that role.

    `seller_id`: the seller account that he belongs to, whatever the role that he acts in. `scopes`:
    all that he may do, if there are any.
    """

    role: Role
    id: str
    org_id: str | None = None
    seller_id: str | None = None
    on_behalf_of: Role | None = None
    scopes: frozenset[TokenScope] = frozenset()

    @property
    def acts_as(self) -> Role:
        return self.on_behalf_of or self.role

    @property
    def is_human(self) -> bool:
        """False for SYSTEM, also when somebody acts on its behalf."""
        return "SYSTEM" not in (self.role, self.on_behalf_of)

    def __str__(self) -> str:
        """As the envelope's `actor` has it: `buyer:B1`, `system:timer`, `importer:olist`."""
        return f"{self.role.lower()}:{self.id}"


class Command(Protocol):
    """What every command carries: when it is asked, and by whom."""

    @property
    def now(self) -> datetime: ...
    @property
    def actor(self) -> Actor: ...
    def at(self, now: datetime) -> Self:
        """The same, asked at another instant."""
        ...


class Refused(Exception):  # noqa: N818 - a refusal is an answer, not an error
    """The business says no. A subclass is one rule: name, message (docstring), members (fields)."""

    @classmethod
    def slug(cls) -> str:
        """The name of the rule in a problem's `type`: `WindowClosed` -> `window-closed`."""
        return _hyphenated(cls.__name__)

    @classmethod
    def message(cls) -> str:
        return (cls.__doc__ or cls.__name__).strip().splitlines()[0]

    def members(self) -> dict[str, object]:
        """The extra members of the problem, by name; absent ones are left out."""
        if not is_dataclass(self):
            return {}
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def __str__(self) -> str:
        members = ", ".join(f"{name}={value}" for name, value in self.members().items())
        return f"{self.slug()}({members})"


@cache
def _hyphenated(name: str) -> str:
    return re.sub(r"(?<=.)(?=[A-Z])", "-", name).lower()


@dataclass(frozen=True, slots=True)
class Decider[S, C, E]:
    """The whole of an aggregate: where it starts, what it decides, how a fact changes it.

    `decide(state, command)` returns the events to record (none: nothing changes) or raises
    `Refused`. `evolve(state, event)` never judges. Both are pure.
    """

    initial: S
    decide: Callable[[S, C], list[E]]
    evolve: Callable[[S, E], S]

    def fold(self, history: Iterable[E]) -> S:
        """The state that a history leads to."""
        return reduce(self.evolve, history, self.initial)


def events_of[S, C, E](decider: Decider[S, C, E], commands: Iterable[C]) -> list[E]:
    """What comes of commands that are sent one after the other."""
    history: list[E] = []
    for command in commands:
        history += decider.decide(decider.fold(history), command)
    return history


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """One field that is out of range, and the bound it breaks in words."""

    field: str
    bound: str


@dataclass(kw_only=True, eq=False)
class InvalidValue(Refused):
    """A field is missing or out of range."""

    errors: list[FieldError] = field(default_factory=list[FieldError])


class NotFound(Refused):
    """No such object for you."""


@dataclass(kw_only=True, eq=False)
class RoleNotAllowed(Refused):
    """Your role cannot do this."""

    allowed_roles: list[Role]


@dataclass(kw_only=True, eq=False)
class ScopeNotAllowed(Refused):
    """Your token is not good for this."""

    scopes: list[TokenScope]


class NotAParty(Refused):
    """You are not a party here."""


@dataclass(kw_only=True, eq=False)
class ConflictOfInterest(Refused):
    """You may not decide this matter."""

    ground: str


class HumanRequired(Refused):
    """A person must decide this."""


class SubjectErased(Refused):
    """The person concerned was erased."""


@dataclass(kw_only=True, eq=False)
class MeasureInForce(Refused):
    """A measure on your account forbids this."""

    measure_id: str
    until: datetime | None = None


@dataclass(kw_only=True, eq=False)
class PolicyUnknown(Refused):
    """Unknown policy version."""

    policy_version: str


@dataclass(kw_only=True, eq=False)
class TimeGoesBack(Refused):
    """What you tell is dated before the last thing that is known of this."""

    last_at: datetime


@dataclass(kw_only=True, eq=False)
class WrongState(Refused):
    """Not possible in this state."""

    state: str
    allowed_actions: list[str] = field(default_factory=list[str])


@dataclass(kw_only=True, eq=False)
class WindowClosed(Refused):
    """The time for this has passed."""

    closed_at: datetime


@dataclass(kw_only=True, eq=False)
class NotYetEligible(Refused):
    """Too early."""

    eligible_from: datetime | None = None


@dataclass(kw_only=True, eq=False)
class AlreadySubmitted(Refused):
    """You have done this already."""

    existing_id: str


@dataclass(kw_only=True, eq=False)
class LimitReached(Refused):
    """The allowed number is used up."""

    limit: int


@dataclass(kw_only=True, eq=False)
class StaleProposal(Refused):
    """That proposal was replaced."""

    current_proposal_id: str


@dataclass(kw_only=True, eq=False)
class QuantityExceeded(Refused):
    """More units than are free."""

    line_id: str
    free: int


@dataclass(kw_only=True, eq=False)
class AmountExceedsCeiling(Refused):
    """More money than may be given."""

    ceiling_minor: int
    currency: str


@dataclass(kw_only=True, eq=False)
class EvidenceRequired(Refused):
    """Evidence of this kind is needed."""

    needed: list[str]


@dataclass(kw_only=True, eq=False)
class EvidenceSealed(Refused):
    """Submitted matter cannot be changed."""

    sealed_at: datetime


@dataclass(kw_only=True, eq=False)
class RateLimited(Refused):
    """Too many in this period."""

    retry_at: datetime


@dataclass(kw_only=True, eq=False)
class AlreadyAppealed(Refused):
    """One appeal per party."""

    existing_id: str


@dataclass(kw_only=True, eq=False)
class ReasonsMissing(Refused):
    """A decision needs rule, facts and evidence."""

    missing: list[str]


@dataclass(kw_only=True, eq=False)
class DuplicateOpen(Refused):
    """An open matter covers this."""

    existing_id: str


@dataclass(kw_only=True, eq=False)
class NotReturnable(Refused):
    """This is excluded from return for this reason."""

    category: str | None = None
