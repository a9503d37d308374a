"""Which policy is in force is a setting; what a policy says is not."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError
from review_service.domain.policy import AE_30D, AE_2025_1
from review_service.settings import LOCAL_REF_KEY, ReviewSettings
from shared_runtime.settings import load

SINCE = datetime(2026, 3, 10, tzinfo=UTC)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "ENV": "local",
        "DATABASE_URL": "postgresql://review",
        "KAFKA": "localhost:9092",
        "JWKS_URL": "file:///jwks.json",
        "ISSUER": "https://issuer",
    }.items():
        monkeypatch.setenv(f"AFTERSALES_{name}", value)


def scheduled(monkeypatch: pytest.MonkeyPatch, schedule: str) -> ReviewSettings:
    monkeypatch.setenv("AFTERSALES_POLICY_SCHEDULE", schedule)
    return load(ReviewSettings)


def test_the_default_policy_is_always_in_force() -> None:
    assert load(ReviewSettings).policies.in_force(datetime(1970, 1, 1, tzinfo=UTC)) == AE_2025_1


def test_another_policy_is_in_force_from_its_start_on(monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = '[{"since": "2026-03-10T00:00:00Z", "version": "ae-30d"}]'
    policies = scheduled(monkeypatch, schedule).policies
    assert policies.in_force(SINCE - timedelta(microseconds=1)) == AE_2025_1
    assert policies.in_force(SINCE) == AE_30D


@pytest.mark.parametrize(
    "schedule",
    [
        '[{"since": "2026-03-10T00:00:00Z", "version": "ae-1999"}]',
        '[{"since": "2026-03-10T00:00:00", "version": "ae-30d"}]',
        '[{"version": "ae-30d"}]',
        '[{"since": "2026-03-10T00:00:00Z", "version": "ae-30d", "window": 5}]',
    ],
)
def test_a_schedule_that_makes_no_sense_keeps_the_service_from_starting(
    monkeypatch: pytest.MonkeyPatch, schedule: str
) -> None:
    with pytest.raises(ValidationError):
        scheduled(monkeypatch, schedule)


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "ENV": "production",
        "JWKS_URL": "https://issuer/jwks.json",
        "MEDIA_URL": "s3://files",
        **{f"{name}_KEY": name[0] * 32 for name in ("CURSOR", "TOKEN", "MEDIA", "REF")},
    }.items():
        monkeypatch.setenv(f"AFTERSALES_{name}", value)


def test_reviews_are_named_under_a_key_of_its_own(production: None) -> None:  # noqa: ARG001
    settings = load(ReviewSettings)
    assert settings.ref_secret == b"R" * 32
    assert "R" * 32 not in repr(settings)


@pytest.mark.parametrize("key", [None, "", "R" * 31])
def test_without_a_key_that_is_long_enough_reviews_are_named_on_one_machine_alone(
    production: None,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
    key: str | None,
) -> None:
    if key is None:
        monkeypatch.delenv("AFTERSALES_REF_KEY")
    else:
        monkeypatch.setenv("AFTERSALES_REF_KEY", key)
    with pytest.raises(ValidationError, match="AFTERSALES_REF_KEY needs 32 bytes"):
        load(ReviewSettings)


def test_on_one_machine_the_key_is_no_secret() -> None:
    assert load(ReviewSettings).ref_secret == LOCAL_REF_KEY.encode()
