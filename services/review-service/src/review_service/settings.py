"""Environment in, one frozen object out: the platform's settings, and which policy is in force."""

from typing import Self

from pydantic import SecretStr, model_validator
from shared_casework.policy_settings import PolicySettings
from shared_runtime.media import MediaSettings
from shared_runtime.settings import KEY_LENGTH_MIN, secret_of

from review_service.domain.policy import AE_2025_1, ALWAYS, Policies, policies

LOCAL_REF_KEY = "local: which reviews of one machine are of which orders is no secret"


class ReviewSettings(PolicySettings, MediaSettings):
    ref_key: SecretStr | None = None

    @property
    def policies(self) -> Policies:
        """The published versions, and since when each is in force."""
        return policies([(ALWAYS, AE_2025_1.version), *self.starts])

    @property
    def ref_secret(self) -> bytes:
        """The key of the `ref`s of reviews: with another one, all of them change."""
        return secret_of(self.ref_key, LOCAL_REF_KEY)

    @model_validator(mode="after")
    def _safe_refs(self) -> Self:
        if self.env == "local":
            return self
        if len(self.ref_secret) < KEY_LENGTH_MIN or self.ref_key is None:
            raise ValueError(f"AFTERSALES_REF_KEY needs {KEY_LENGTH_MIN} bytes or more")
        return self
