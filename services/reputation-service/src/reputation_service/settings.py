"""Environment in, settings and the score policy out."""

from pathlib import Path
from typing import Self

import msgspec
from pydantic import model_validator
from shared_casework.policy_settings import PolicySettings
from shared_runtime.decider import InvalidValue
from shared_runtime.media import MediaSettings

from reputation_service.domain.points_policy import AE_2025_1, ALWAYS, Policies, policies
from reputation_service.domain.policy import DEFAULT, ScorePolicy, policy_from

POLICY_BYTES_MAX = 64 * 1024


class ReputationSettings(PolicySettings, MediaSettings):
    """`score_policy`: a JSON file with the numbers that scores are read with; absent: the default.

    It changes how buckets are read, not what is in them: its SLAs, which decide what is observed,
    are the default's.
    """

    score_policy: Path | None = None

    @property
    def policies(self) -> Policies:
        """The published versions of the policy of points, and since when each is in force."""
        return policies([(ALWAYS, AE_2025_1.version), *self.starts])

    @property
    def policy(self) -> ScorePolicy:
        return DEFAULT if self.score_policy is None else load_policy(self.score_policy)

    @model_validator(mode="after")
    def _policy_is_readable(self) -> Self:
        assert self.policy  # reading it is the check
        return self


def load_policy(file: Path) -> ScorePolicy:
    """The policy of a JSON file. Raises ValueError that says all that is wrong with it."""
    try:
        with file.open("rb") as opened:
            data = msgspec.json.decode(opened.read(POLICY_BYTES_MAX), type=dict[str, object])
        policy = policy_from(data)
    except OSError as failure:
        raise ValueError(f"AFTERSALES_SCORE_POLICY: {failure.strerror}") from failure
    except msgspec.MsgspecError as failure:
        raise ValueError(f"AFTERSALES_SCORE_POLICY: {failure}") from failure
    except InvalidValue as refused:
        wrong = "; ".join(f"{error.field}: {error.bound}" for error in refused.errors)
        raise ValueError(f"AFTERSALES_SCORE_POLICY: {wrong}") from refused
    if policy.sla != DEFAULT.sla:
        raise ValueError(
            "AFTERSALES_SCORE_POLICY: sla decides what is observed, and this release observes "
            "by the default's only"
        )
    return policy
