"""Environment in, one frozen object out: the platform's settings, and which policy is in force."""

from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, model_validator
from shared_runtime.decider import PolicyUnknown
from shared_runtime.media import MediaSettings

from review_service.domain.policy import AE_2025_1, ALWAYS, Policies, policies


class PolicyStart(BaseModel):
    """From `since` on, new orders and evaluations begin with this published version."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    since: AwareDatetime
    version: str


class ReviewSettings(MediaSettings):
    """AFTERSALES_POLICY_SCHEDULE is JSON: [{"since": "2026-01-01T00:00:00Z", "version": "…"}].

    Before the first start, and without any, the default version is in force.
    """

    policy_schedule: tuple[PolicyStart, ...] = ()

    @property
    def policies(self) -> Policies:
        """The published versions, and since when each is in force."""
        starts = [(start.since, start.version) for start in self.policy_schedule]
        return policies([(ALWAYS, AE_2025_1.version), *starts])

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
