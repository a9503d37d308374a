"""The numbers the business may change, version by version, and which version is in force when.

A service's policy is one dataclass, and each of its numbers one line: its name, its bound, and its
value in the version that is the default.

    @dataclass(frozen=True, slots=True, kw_only=True)
    class ReviewPolicy(Policy):
        review_window: Annotated[timedelta, days(1, 100)] = 15 * DAY
        review_pause_cap: Annotated[timedelta, days("review_window", 365)] = 120 * DAY

    AE_2025_1 = ReviewPolicy(version="ae-2025-1")
    AE_30D = replace(AE_2025_1, version="ae-30d", review_window=30 * DAY)
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, NamedTuple, get_args, get_origin, get_type_hints

from shared_events.fields import Id
from shared_runtime.decider import PolicyUnknown

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
ALWAYS = datetime.min.replace(tzinfo=UTC)
LONGEST = 36_500 * DAY
"""What is to last longer than a century has no end that could be written down."""

type Number = int | timedelta
type Start = tuple[datetime, str]
"""From when on a version is the one for what is new."""


@dataclass(frozen=True, slots=True)
class Bound:
    """Between which numbers another one has to be, both included; None: there is no such end.

    An end may be the name of another number of the same version. `over`: the least one itself is
    not enough.
    """

    least: Number | str | None
    greatest: Number | str | None = None
    over: bool = False

    def allows(self, value: Any, policy: object) -> bool:  # noqa: ANN401 - of the kind of its ends
        least, greatest = (_number(end, policy) for end in (self.least, self.greatest))
        enough = least is None or (value > least if self.over else value >= least)
        return enough and (greatest is None or value <= greatest)

    def __str__(self) -> str:
        least, greatest = ("any" if end is None else end for end in (self.least, self.greatest))
        return f"{'over ' if self.over else ''}{least} .. {greatest}"


@dataclass(frozen=True, slots=True)
class Among(Bound):
    """Of which words one is, or some are chosen."""

    words: frozenset[str] = frozenset()

    def allows(self, value: Any, policy: object) -> bool:  # noqa: ANN401, ARG002 - as any bound
        return ({value} if isinstance(value, str) else set(value)) <= self.words

    def __str__(self) -> str:
        return ", ".join(sorted(self.words))


def _number(end: Number | str | None, policy: object) -> Any:  # noqa: ANN401
    return getattr(policy, end) if isinstance(end, str) else end


def days(least: int | str | None, greatest: int | str | None = None) -> Bound:
    return Bound(_in(DAY, least), _in(DAY, greatest))


def hours(least: int | str | None, greatest: int | str | None = None) -> Bound:
    return Bound(_in(HOUR, least), _in(HOUR, greatest))


def count(least: int | str | None, greatest: int | str | None = None) -> Bound:
    return Bound(least, greatest)


def among(words: Iterable[str]) -> Bound:
    return Among(None, words=frozenset(words))


def over(least: int | str) -> Bound:
    return Bound(least, over=True)


def _in(unit: timedelta, number: int | str | None) -> Number | str | None:
    return number * unit if isinstance(number, int) else number


class Fault(NamedTuple):
    """What is wrong with one entry of a policy, in words."""

    name: str
    said: str


class FaultyPolicyError(ValueError):
    """A version that is not loaded, with all that is wrong with it."""

    def __init__(self, version: str, faults: Sequence[Fault]) -> None:
        told = "; ".join(f"{each.name} is {each.said}" for each in faults)
        super().__init__(f"policy {version}: {told}")
        self.faults = faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One published version. Raises `FaultyPolicyError` if a number is outside of a bound, or a
    word is none of those that there are.

    A published version is never changed: streams that began with it keep it to their end.
    """

    bounds: ClassVar[Mapping[str, tuple[Bound, ...]]] = {}
    version: Id

    def __init_subclass__(cls) -> None:
        """Reads the bounds from the types, once. Raises TypeError if a number has none."""
        cls.bounds = {
            name: bounds_of(name, kind)
            for name, kind in get_type_hints(cls, include_extras=True).items()
        }

    def __post_init__(self) -> None:
        if faults := [*self.faults()]:
            raise FaultyPolicyError(self.version, faults)

    def faults(self) -> Iterator[Fault]:
        """All that keeps this version from being loaded. What a number is not, a service adds."""
        for name, bounds in self.bounds.items():
            value = getattr(self, name)
            if isinstance(value, timedelta) and value > LONGEST:
                yield Fault(name, f"{value}, allowed at most {LONGEST}")
            for bound in bounds:
                if not bound.allows(value, self):
                    yield Fault(name, f"{value}, allowed {bound}")


def bounds_of(name: str, kind: Any) -> tuple[Bound, ...]:  # noqa: ANN401 - annotations have no type
    notes = get_args(kind)[1:] if get_origin(kind) is Annotated else ()
    bounds = tuple(note for note in notes if isinstance(note, Bound))
    bare = get_args(kind)[0] if notes else kind
    if not bounds and bare in (int, timedelta):
        raise TypeError(f"{name} is a number without a bound")
    return bounds


@dataclass(slots=True)
class Policies[P: Policy]:
    """Every version that is known by now, by name, and since when each is the one for new streams.

    What is known only grows: a version never changes, so whoever has asked for one gets the same.
    """

    by_version: Mapping[str, P]
    schedule: Sequence[tuple[datetime, P]]

    def __repr__(self) -> str:
        """By their names: whoever prints a command is not told all numbers of all of them."""
        return f"Policies({', '.join(self.by_version)})"

    def of(self, version: str) -> P:
        """The version a stream began with. Raises `PolicyUnknown`."""
        if policy := self.by_version.get(version):
            return policy
        raise PolicyUnknown(policy_version=version)

    def in_force(self, now: datetime) -> P:
        """The version a new stream begins with. Raises `PolicyUnknown` before the first one."""
        for since, policy in reversed(self.schedule):
            if since <= now:
                return policy
        raise PolicyUnknown(policy_version="")

    def learn(self, versions: Iterable[P], starts: Iterable[Start]) -> None:
        """Versions and starts besides those of this release. Raises `PolicyUnknown` if a start
        names a version that is not known.
        """
        self.by_version = {**self.by_version, **{each.version: each for each in versions}}
        told = [(since, self.of(version)) for since, version in starts]
        known = [start for start in self.schedule if start not in told]
        self.schedule = sorted([*known, *told], key=lambda start: start[0])


def published[P: Policy](versions: Iterable[P], schedule: Iterable[Start]) -> Policies[P]:
    """The published versions, and the schedule in which they come into force.

    Raises `PolicyUnknown` if the schedule names a version that is not published, ValueError if
    two versions have one name.
    """
    told = [*versions]
    by_version = {policy.version: policy for policy in told}
    if len(by_version) < len(told):
        raise ValueError(f"two policies of one version: {[policy.version for policy in told]}")
    known = Policies(by_version=by_version, schedule=())
    ordered = sorted(schedule, key=lambda start: start[0])
    return Policies(by_version, [(since, known.of(version)) for since, version in ordered])
