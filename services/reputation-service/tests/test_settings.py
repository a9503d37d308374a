"""The numbers that scores are read with come from a file, whole and right, or the default's."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from reputation_service.domain.policy import DEFAULT, policy_data
from reputation_service.settings import POLICY_BYTES_MAX, ReputationSettings
from shared_runtime.settings import load as load_settings

type Load = Callable[[dict[str, Any]], ReputationSettings]


def settings(score_policy: Path | None = None) -> ReputationSettings:
    return ReputationSettings(
        env="local",
        database_url=SecretStr("postgresql://nowhere/reputation"),
        kafka="nowhere:9092",
        jwks_url="file:///jwks.json",
        issuer="test",
        score_policy=score_policy,
    )


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Settings with a policy file: the default's numbers with these changes."""

    def write_and_load(changes: dict[str, Any]) -> ReputationSettings:
        file = tmp_path / "policy.json"
        file.write_text(json.dumps(policy_data(DEFAULT) | changes))
        return settings(file)

    return write_and_load


def test_without_a_file_the_policy_is_the_default() -> None:
    assert settings().policy == DEFAULT


def test_a_file_brings_other_numbers(load: Load) -> None:
    policy = load({"policy_id": "cautious-1", "z_milli": 2000}).policy
    assert (policy.policy_id, policy.z_milli) == ("cautious-1", 2000)


def test_the_environment_names_the_file(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load({"policy_id": "named"})
    for name, value in {
        "ENV": "local",
        "DATABASE_URL": "postgresql://nowhere/reputation",
        "KAFKA": "nowhere:9092",
        "JWKS_URL": "file:///jwks.json",
        "ISSUER": "test",
        "SCORE_POLICY": str(tmp_path / "policy.json"),
    }.items():
        monkeypatch.setenv(f"AFTERSALES_{name}", value)
    assert load_settings(ReputationSettings).policy.policy_id == "named"


def test_a_wrong_file_says_all_that_is_wrong(load: Load) -> None:
    with pytest.raises(ValidationError) as refused:
        load({"z_milli": -1, "evaluations": 0, "surprise": 1})
    for field in ("z_milli", "evaluations", "surprise"):
        assert field in str(refused.value)


def test_a_file_that_is_no_json_or_not_there_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    huge = tmp_path / "huge.json"
    huge.write_text(json.dumps({"x": "x" * POLICY_BYTES_MAX}))
    for file in (broken, huge, tmp_path / "absent.json", tmp_path):
        with pytest.raises(ValidationError, match="AFTERSALES_SCORE_POLICY"):
            settings(file)


def test_what_decides_what_is_observed_is_not_read_from_a_file(load: Load) -> None:
    with pytest.raises(ValidationError, match="sla"):
        load({"sla": {"dispute_seconds": 1, "return_seconds": 259_200}})
