"""A version of the policy and an instant in, that it decides what is new from then on out.

A version that nobody knows yet comes with all of its entries; it is read whole, or refused with all
that is wrong with it. What has begun under another version keeps that to its end.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct
from shared_casework.policy_sets import read_set, written_set
from shared_casework.values import utc
from shared_events.fields import Id, Instant
from shared_events.returns import POLICY_LENGTH_MAX, ReturnPolicyActivated
from shared_runtime.decider import AlreadySubmitted, Decider, FieldError, InvalidValue
from shared_runtime.rule import Rule, Sent
from shared_runtime.rules import Rules

from returns_service.domain.known import Known, Sender
from returns_service.domain.policy import AE_2025_1, ReturnsPolicy

NOTICE = timedelta(minutes=1)
"""Every process of the service has heard of a version by then."""


class Versions(Struct, frozen=True):
    """All that was activated so far, oldest first."""

    activated: tuple[ReturnPolicyActivated, ...] = ()

    @property
    def status(self) -> Literal["OPEN"]:
        return "OPEN"


class VersionsRule[C: Struct](
    Rule[Versions, Versions, Literal["OPEN"], C, Known, ReturnPolicyActivated]
):
    """A command about the versions of the policy. There is one place where they are."""

    def find(self, state: Versions, said: C, by: Sender) -> Versions:  # noqa: ARG002
        return state

    def matters(self, state: Versions, by: Sender) -> Iterable[Versions]:  # noqa: ARG002
        return [state]


class ActivatePolicy(Struct, frozen=True, kw_only=True):
    """`entries`: every entry of the version, as the policies page writes them; none of a version
    that is known.
    """

    policy_version: Id
    since: Instant
    entries: Annotated[dict[str, Any], Meta(description="Every entry of a new version.")] | None = (
        None
    )


def shape_of_activation(said: ActivatePolicy, by: Sender) -> Iterator[FieldError]:
    earliest = utc(by.now) + NOTICE
    if said.since < earliest:
        yield FieldError(field="since", bound=f"{earliest.isoformat()} or later")


def is_activated(versions: Versions, said: ActivatePolicy, _: Sender) -> bool:
    told = (said.policy_version, utc(said.since))
    return any((each.policy_version, each.since) == told for each in versions.activated)


def activate(_: Versions, said: ActivatePolicy, by: Sender) -> list[ReturnPolicyActivated]:
    return [
        ReturnPolicyActivated(
            policy_version=said.policy_version, since=utc(said.since), entries=entries_of(said, by)
        )
    ]


def entries_of(said: ActivatePolicy, by: Sender) -> str | None:
    """Of a version that was not known before, as they are kept. Raises `InvalidValue`,
    `PolicyUnknown`, and `AlreadySubmitted` where there is another one of this name.
    """
    policies = by.known.policies
    if said.entries is None:
        policies.of(said.policy_version)
        return None
    given = version_of(said.policy_version, said.entries)
    if known := policies.by_version.get(said.policy_version):
        if known != given:
            raise AlreadySubmitted(existing_id=said.policy_version)
        return None
    told = msgspec.json.encode(entries_as_written(given), order="deterministic").decode()
    if len(told) > POLICY_LENGTH_MAX:
        bound = f"at most {POLICY_LENGTH_MAX} characters"
        raise InvalidValue(errors=[FieldError(field="entries", bound=bound)])
    return told


def version_of(name: str, entries: dict[str, Any]) -> ReturnsPolicy:
    """Raises `InvalidValue` that names all that is wrong."""
    return read_set(ReturnsPolicy, {"version": name, **entries})


def entries_as_written(policy: ReturnsPolicy) -> dict[str, Any]:
    """By name; the version has its name beside them."""
    return {name: told for name, told in written_set(policy).items() if name != "version"}


ACTIVATE_POLICY = VersionsRule(
    ActivatePolicy,
    activate,
    roles=("SENIOR",),
    human=True,
    shape=shape_of_activation,
    repeated=is_activated,
    refuses=(AlreadySubmitted,),
    events=(ReturnPolicyActivated,),
    example=ActivatePolicy(
        policy_version=AE_2025_1.version, since=datetime(2027, 1, 1, tzinfo=UTC)
    ),
)

POLICY_RULES = Rules[Versions, Known, ReturnPolicyActivated](ACTIVATE_POLICY)


def evolve(state: Versions, event: ReturnPolicyActivated) -> Versions:
    return Versions((*state.activated, event))


VERSIONS = Decider[Versions, Sent[Any, Known], ReturnPolicyActivated](
    initial=Versions(), decide=POLICY_RULES.decide, evolve=evolve
)
