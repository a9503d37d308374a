"""Environment in, one frozen object out: the platform's settings, which policy is in force, and the
companies that are asked.
"""

from functools import cached_property

from shared_casework.policy_settings import PolicySettings
from shared_runtime.media import MediaSettings

from returns_service.domain.policy import AE_2025_1, ALWAYS, Policies, policies
from returns_service.ports.settings import PortSettings


class ReturnsSettings(PolicySettings, MediaSettings, PortSettings):
    @cached_property  # what one part of a process learns, all of it knows
    def policies(self) -> Policies:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The published versions, and since when each is in force."""
        return policies([(ALWAYS, AE_2025_1.version), *self.starts])
