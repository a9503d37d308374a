"""The versions of the policy: which there are, what is in one, and which is in force from when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, get_args

from fastapi import Depends, Response
from msgspec import Struct
from shared_casework.callers import PersonBody
from shared_events.returns import POLICY_STREAM
from shared_runtime.auth import Caller, require
from shared_runtime.commands import CommandRequest
from shared_runtime.decider import NotFound, Role
from shared_runtime.documents import answered, commanded
from shared_runtime.doors import Arrival, Door, View, doors_api
from shared_runtime.fields import Body, IdStr
from shared_runtime.log import AlsoWrite, Log, Planned, database_of
from shared_runtime.media import MediaFile
from shared_runtime.problems import refusals
from shared_runtime.reading import answer
from shared_runtime.routers import Router
from shared_runtime.rule import By, Sent
from shared_runtime.sealing import PersonKey
from shared_runtime.shape import Purpose

from returns_service.api.ledgers import Ledgers
from returns_service.domain.activating import ACTIVATE_POLICY, VERSIONS, entries_as_written
from returns_service.domain.known import Known
from returns_service.domain.policy import AE_2025_1, ALWAYS, Policies
from returns_service.policy_versions import write_starts

PATH = "/v1/policies"

type AnyRole = Annotated[Caller, Depends(require(*get_args(Role.__value__)))]


class VersionView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`since`: from when on what is new begins with it, each time that it came into force; of the
    first one, none: it always was. `in_force`: it is the one that what begins now gets.
    """

    policy_version: str
    since: list[datetime] = []
    always: bool = False
    in_force: bool = False


class VersionsView(Struct, frozen=True, kw_only=True):
    items: list[VersionView]


class EntriesView(Struct, frozen=True, kw_only=True):
    """Every entry: spans of time as ISO 8601, tables as they are asked from above."""

    policy_version: str
    entries: dict[str, Any]


def versions_view(policies: Policies, now: datetime) -> VersionsView:
    in_force = policies.in_force(now).version
    return VersionsView(
        items=[
            VersionView(
                policy_version=version,
                since=[
                    since
                    for since, policy in policies.schedule
                    if policy.version == version and since > ALWAYS
                ],
                always=any(start == (ALWAYS, policy) for start in policies.schedule),
                in_force=version == in_force,
            )
            for version, policy in policies.by_version.items()
        ]
    )


_ENTRIES = EntriesView(policy_version=AE_2025_1.version, entries=entries_as_written(AE_2025_1))
_VERSIONS = VersionsView(
    items=[VersionView(policy_version=AE_2025_1.version, always=True, in_force=True)]
)

ACTIVATING = (
    Door(
        f"{PATH}/activations",
        ACTIVATE_POLICY,
        "Have a version of the policy decide what is new from an instant on",
        description="A new version comes with every entry; one that is known, by its name alone. "
        "With `validate_only` it is only read: a number out of bounds, a rule that never decides, "
        "a request that no rule takes are named, and nothing changes. What has begun keeps its "
        "version.",
        shows=commanded(VersionsView, _VERSIONS),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyPlace:
    """Somebody before the versions of the policy."""

    ledgers: Ledgers
    by: By[Known]

    @property
    def gives(self) -> Mapping[str, object]:
        return {}

    async def key(self, sealed_for: str, said: Mapping[str, object]) -> PersonKey:  # noqa: ARG002
        raise AssertionError("nothing in a policy is sealed")

    async def files(self, ids: Sequence[str], purpose: Purpose) -> Sequence[MediaFile]:  # noqa: ARG002
        raise AssertionError("a policy has no files")

    async def run(
        self,
        request: CommandRequest,
        said: Struct,
        view: View | None,  # noqa: ARG002 - all versions are shown
        files: Sequence[MediaFile],  # noqa: ARG002
    ) -> Response:
        policies, now = self.ledgers.policies, self.ledgers.now
        return await self.ledgers.commands.run(
            request,
            VERSIONS,
            Sent(said, self.by),
            stream=POLICY_STREAM,
            correlation=POLICY_STREAM,
            view=lambda _: versions_view(policies, now()),
            status=201,
            also_write=AlsoWrite(write=make_known, about=None),
        )


async def make_known(log: Log, told: Sequence[tuple[None, Sequence[Planned]]]) -> None:
    db = database_of(log)
    assert db is not None
    await write_starts([each for _, planned in told for each in planned], db)


@dataclass(frozen=True, slots=True)
class ToVersions:
    ledgers: Ledgers
    gives: frozenset[str] = frozenset()
    body: type[Body] = PersonBody
    also: tuple[Role, ...] = ()

    async def __call__(self, arrival: Arrival) -> PolicyPlace:
        by = By(
            actor=arrival.caller.actor(*ACTIVATE_POLICY.roles),
            now=self.ledgers.now(),
            known=Known(policies=self.ledgers.policies),
        )
        return PolicyPlace(ledgers=self.ledgers, by=by)


def policies_api(ledgers: Ledgers) -> list[Router]:
    router = Router(PATH, tags=["policies"])

    @router.get(
        "",
        summary="The versions of the policy, and which is in force from when",
        description="For everybody.",
        responses=answered(VersionsView, example=_VERSIONS),
    )
    async def list_policies(_: AnyRole) -> Response:
        return answer(versions_view(ledgers.policies, ledgers.now()))

    @router.get(
        "/{policy_version}",
        summary="Every number and every rule of a version",
        description="For everybody: whoever is decided upon may know by what.",
        responses=refusals(NotFound) | answered(EntriesView, example=_ENTRIES),
    )
    async def get_policy(policy_version: IdStr, _: AnyRole) -> Response:
        if (policy := ledgers.policies.by_version.get(policy_version)) is None:
            raise NotFound
        return answer(
            EntriesView(policy_version=policy_version, entries=entries_as_written(policy))
        )

    return [*[doors_api(ACTIVATING, ToVersions(ledgers), "policies")], router]
