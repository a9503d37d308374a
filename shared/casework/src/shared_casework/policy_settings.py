"""Environment in, since when each version of a policy is in force out: alike in all services."""

from abc import abstractmethod
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, model_validator
from shared_runtime.decider import PolicyUnknown
from shared_runtime.settings import Settings

from shared_casework.policy import Policies, Start


class PolicyStart(BaseModel):
    """From `since` on, what is new begins with this published version."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    since: AwareDatetime
    version: str


class PolicySettings(Settings):
    """AFTERSALES_POLICY_SCHEDULE is JSON: [{"since": "2026-01-01T00:00:00Z", "version": "…"}].

    A service adds its `policies`: before the first start, and without any, its default version
    is in force.
    """

    policy_schedule: tuple[PolicyStart, ...] = ()

    @property
    def starts(self) -> list[Start]:
        return [(start.since, start.version) for start in self.policy_schedule]

    @property
    @abstractmethod
    def policies(self) -> Policies[Any]:
        """The published versions, and since when each is in force. Raises `PolicyUnknown`."""

    @model_validator(mode="after")
    def _published(self) -> Self:
        try:
            _ = self.policies
        except PolicyUnknown as unknown:
            version = unknown.policy_version
            raise ValueError(
                f"AFTERSALES_POLICY_SCHEDULE: no policy {version} is published"
            ) from None
        return self
