"""Environment in, one frozen object out: the platform's settings, and which policy is in force."""

from shared_casework.policy_settings import PolicySettings
from shared_runtime.media import MediaSettings

from dispute_service.domain.policy import AE_2025_1, ALWAYS, Policies, policies


class DisputeSettings(PolicySettings, MediaSettings):
    @property
    def policies(self) -> Policies:
        """The published versions, and since when each is in force."""
        return policies([(ALWAYS, AE_2025_1.version), *self.starts])
