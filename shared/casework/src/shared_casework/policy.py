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

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, get_args, get_origin, get_type_hints

from shared_runtime.decider import PolicyUnknown

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
ALWAYS = datetime.min.replace(tzinfo=UTC)

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


def _number(end: Number | str | None, policy: object) -> Any:  # noqa: ANN401
    return getattr(policy, end) if isinstance(end, str) else end


def days(least: int | str | None, greatest: int | str | None = None) -> Bound:
    return Bound(_in(DAY, least), _in(DAY, greatest))


def hours(least: int | str | None, greatest: int | str | None = None) -> Bound:
    return Bound(_in(HOUR, least), _in(HOUR, greatest))


def count(least: int | str | None, greatest: int | str | None = None) -> Bound:
    return Bound(least, greatest)


def over(least: int | str) -> Bound:
    return Bound(least, over=True)


def _in(unit: timedelta, number: int | str | None) -> Number | str | None:
    return number * unit if isinstance(number, int) else number


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One published version. Raises ValueError if a number is outside of a bound.

    A published version is never changed: streams that began with it keep it to their end.
    """

    bounds: ClassVar[Mapping[str, tuple[Bound, ...]]] = {}
    version: str

    def __init_subclass__(cls) -> None:
        """Reads the bounds from the types, once. Raises TypeError if a number has none."""
        cls.bounds = {
            name: bounds_of(name, kind)
            for name, kind in get_type_hints(cls, include_extras=True).items()
        }

    def __post_init__(self) -> None:
        for name, bounds in self.bounds.items():
            value = getattr(self, name)
            for bound in bounds:
                if not bound.allows(value, self):
                    raise ValueError(f"policy {self.version}: {name} is {value}, allowed {bound}")


def bounds_of(name: str, kind: Any) -> tuple[Bound, ...]:  # noqa: ANN401 - annotations have no type
    notes = get_args(kind)[1:] if get_origin(kind) is Annotated else ()
    bounds = tuple(note for note in notes if isinstance(note, Bound))
    bare = get_args(kind)[0] if notes else kind
    if not bounds and bare in (int, timedelta):
        raise TypeError(f"{name} is a number without a bound")
    return bounds


@dataclass(frozen=True, slots=True)
class Policies[P: Policy]:
    """Every published version by name, and since when each is the one for new streams."""

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
