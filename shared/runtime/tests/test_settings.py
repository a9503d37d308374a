"""The environment and files of secrets in, settings that are safe where they are used out."""

import json
from base64 import b64encode
from pathlib import Path

import pytest
from shared_runtime.clock import offset_clock, system_clock
from shared_runtime.settings import Settings, load

ENVIRONMENT = {
    "AFTERSALES_DATABASE_URL": "postgres://app@db/review",
    "AFTERSALES_KAFKA": "broker:9092",
    "AFTERSALES_JWKS_URL": "https://issuer.example/jwks",
    "AFTERSALES_ISSUER": "https://issuer.example",
    "AFTERSALES_CURSOR_KEY": "k" * 32,
    "AFTERSALES_TOKEN_KEY": "t" * 32,
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AFTERSALES_SECRETS_DIR", str(tmp_path))
    return monkeypatch


def test_settings_come_from_the_environment(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("AFTERSALES_PORT", "8101")
    settings = load(Settings)
    assert (settings.env, settings.port, settings.audience) == ("production", 8101, "aftersales")


def test_origins_are_named_one_by_one(environment: pytest.MonkeyPatch) -> None:
    assert load(Settings).cors_origins == ()
    environment.setenv(
        "AFTERSALES_CORS_ORIGINS", '["https://shop.example", "https://b.example:8443"]'
    )
    assert load(Settings).cors_origins == ("https://shop.example", "https://b.example:8443")
    environment.setenv("AFTERSALES_ENV", "local")
    environment.setenv("AFTERSALES_CORS_ORIGINS", '["http://localhost:3000"]')
    assert load(Settings).cors_origins == ("http://localhost:3000",)


def test_secrets_come_from_files(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.delenv("AFTERSALES_CURSOR_KEY")
    (tmp_path / "aftersales_cursor_key").write_text("s" * 40)
    assert load(Settings).cursor_secret == b"s" * 40
    assert "s" * 40 not in repr(load(Settings))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("CLOCK_FILE", "/clock", "AFTERSALES_CLOCK_FILE"),
        ("CURSOR_KEY", "short", "AFTERSALES_CURSOR_KEY"),
        ("CURSOR_KEY", "", "AFTERSALES_CURSOR_KEY"),
        ("TOKEN_KEY", "short", "AFTERSALES_TOKEN_KEY"),
        ("TOKEN_KEY", "", "AFTERSALES_TOKEN_KEY"),
        ("JWKS_URL", "http://issuer.example/jwks", "AFTERSALES_JWKS_URL"),
        ("ENV", "staging", "env"),
        ("CORS_ORIGINS", '["*"]', "AFTERSALES_CORS_ORIGINS"),
        ("CORS_ORIGINS", '["https://shop.example/"]', "AFTERSALES_CORS_ORIGINS"),
        ("CORS_ORIGINS", '["http://shop.example"]', "AFTERSALES_CORS_ORIGINS"),
        ("CORS_ORIGINS", '["http://localhost:3000"]', "AFTERSALES_CORS_ORIGINS"),
        ("KAFKA_SECURITY", "PLAINTEXT", "AFTERSALES_KAFKA_UNENCRYPTED"),
        ("KAFKA_SECURITY", "SASL_PLAINTEXT", "kafka_security"),
        ("KAFKA_SECURITY", "SASL_SSL", "AFTERSALES_KAFKA_USERNAME"),
        ("KAFKA_CERTIFICATE", "/tls/user.crt", "AFTERSALES_KAFKA_KEY"),
        ("CONNECTIONS", "1", "connections"),
    ],
)
def test_unsafe_settings_are_refused(
    environment: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    environment.setenv(f"AFTERSALES_{name}", value)
    with pytest.raises(ValueError, match=said):
        load(Settings)


def kek(number: int) -> str:
    return f"k{number}:{b64encode(bytes([number]) * 32).decode()}"


def test_key_encryption_keys_come_from_the_environment(environment: pytest.MonkeyPatch) -> None:
    assert load(Settings).keks is None
    environment.setenv("AFTERSALES_KEK", kek(3))
    environment.setenv("AFTERSALES_PREVIOUS_KEKS", json.dumps([kek(2), kek(1)]))
    settings = load(Settings)
    assert settings.keks is not None
    assert [each.id for each in (settings.keks.current, *settings.keks.previous)] == [
        "k3",
        "k2",
        "k1",
    ]
    assert not any(kek(number).partition(":")[2] in repr(settings) for number in (1, 2, 3))


@pytest.mark.parametrize(
    ("current", "previous", "said"),
    [
        ("k3", [], "AFTERSALES_KEK: <id>:<base64 of 32 bytes> is wanted"),
        ("k3:c2hvcnQ=", [], "AFTERSALES_KEK: <id>"),
        (kek(3), ["k2:c2hvcnQ="], "AFTERSALES_PREVIOUS_KEKS: <id>"),
        (kek(3), [kek(3)], "AFTERSALES_PREVIOUS_KEKS: every key-encryption key has its own id"),
    ],
)
def test_a_malformed_key_encryption_key_is_told_and_not_shown(
    environment: pytest.MonkeyPatch, current: str, previous: list[str], said: str
) -> None:
    environment.setenv("AFTERSALES_KEK", current)
    environment.setenv("AFTERSALES_PREVIOUS_KEKS", json.dumps(previous))
    with pytest.raises(ValueError, match=said) as told:
        load(Settings)
    assert "c2hvcnQ=" not in str(told.value)


def test_kafka_is_spoken_to_in_the_clear_only_on_one_machine_or_if_that_is_said_twice(
    environment: pytest.MonkeyPatch,
) -> None:
    assert load(Settings).brokers.security == "SSL"
    environment.setenv("AFTERSALES_KAFKA_SECURITY", "PLAINTEXT")
    environment.setenv("AFTERSALES_KAFKA_UNENCRYPTED", "true")
    assert load(Settings).brokers.security == "PLAINTEXT"
    environment.setenv("AFTERSALES_KAFKA_CA", "/tls/ca.crt")
    with pytest.raises(ValueError, match="takes no certificates"):
        load(Settings)
    for name in ("SECURITY", "UNENCRYPTED", "CA"):
        environment.delenv(f"AFTERSALES_KAFKA_{name}")
    environment.setenv("AFTERSALES_ENV", "local")
    assert load(Settings).brokers.security == "PLAINTEXT"


def test_a_broker_knows_us_by_a_password_from_a_file(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment.setenv("AFTERSALES_KAFKA_SECURITY", "SASL_SSL")
    environment.setenv("AFTERSALES_KAFKA_USERNAME", "review-service")
    (tmp_path / "aftersales_kafka_password").write_text("p" * 40)
    account = load(Settings).brokers.account
    assert account is not None
    assert (account.mechanism, account.password) == ("SCRAM-SHA-512", "p" * 40)
    assert "p" * 40 not in f"{load(Settings)!r} {load(Settings).brokers!r}"


def test_on_a_developers_machine_the_clock_may_be_moved(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment.setenv("AFTERSALES_ENV", "local")
    environment.setenv("AFTERSALES_CLOCK_FILE", str(tmp_path / "clock"))
    environment.delenv("AFTERSALES_CURSOR_KEY")
    settings = load(Settings)
    assert settings.clock_file is not None
    assert abs((offset_clock(settings.clock_file)() - system_clock()).total_seconds()) < 5
    settings.clock_file.write_text("1296000\n")
    ahead = offset_clock(settings.clock_file)() - system_clock()
    assert round(ahead.total_seconds() / 86_400) == 15
