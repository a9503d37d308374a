"""Environment in, one frozen object out; secrets from files.

A service may add its own fields in a subclass. What is unsafe outside of a developer's machine
has a default, or is allowed at all, only where AFTERSALES_ENV is `local`.
"""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, Self, cast

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared_runtime.brokers import Account, Brokers, Certificates, Mechanism, Security
from shared_runtime.crowd import OPEN_MAX, SPARE
from shared_runtime.database import CONNECTIONS_MAX, CONNECTIONS_MIN, KEYS_CONNECTIONS_MAX
from shared_runtime.keys import Kek, Keks

ORIGIN = re.compile(r"https://[a-z0-9.-]+(:[0-9]{1,5})?")
LOCAL_ORIGIN = re.compile(r"http://(localhost|127\.0\.0\.1)(:[0-9]{1,5})?")
SECRETS_DIR = Path("/run/secrets")
KEY_LENGTH_MIN = 32
LOCAL_VEIL = "local: who sees the logs of one machine may see the places in them"
LOCAL_CURSOR_KEY = "local: the pages of a list on one machine are no secret"


class Settings(BaseSettings):
    """What every process of a service is told.

    A field is read from AFTERSALES_<NAME>, else from the file `aftersales_<name>` in the folder of
    secrets (AFTERSALES_SECRETS_DIR, usually /run/secrets).
    """

    model_config = SettingsConfigDict(
        env_prefix="AFTERSALES_",
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,  # a message about a bad secret must not show it
    )

    env: Literal["local", "production"] = "production"
    database_url: SecretStr
    migration_url: SecretStr | None = None
    keys_url: SecretStr | None = None
    keys_migration_url: SecretStr | None = None
    kek: SecretStr | None = None
    previous_keks: tuple[SecretStr, ...] = ()
    kafka: str = Field(min_length=1)
    kafka_security: Security | None = None
    kafka_unencrypted: bool = False
    kafka_ca: Path | None = None
    kafka_certificate: Path | None = None
    kafka_key: Path | None = None
    kafka_mechanism: Mechanism = "SCRAM-SHA-512"
    kafka_username: str | None = None
    kafka_password: SecretStr | None = None
    jwks_url: str
    issuer: str = Field(min_length=1)
    audience: str = Field(default="aftersales", min_length=1)
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    worker_port: int = Field(default=8001, ge=0, le=65535)
    metrics_port: int = Field(default=8002, ge=0, le=65535)
    clock_file: Path | None = None
    cursor_key: SecretStr | None = None
    token_key: SecretStr | None = None
    cors_origins: tuple[str, ...] = ()
    sources: Mapping[str, str] = {}
    source_token_file: Path | None = None
    client_connections: int = Field(default=OPEN_MAX, ge=SPARE)
    connections: int = Field(default=CONNECTIONS_MAX, ge=CONNECTIONS_MIN)
    keys_connections: int = Field(default=KEYS_CONNECTIONS_MAX, ge=1)
    keys_backup_days: int = Field(default=14, ge=1)
    traces_url: str | None = None
    traces_share: float = Field(default=0.01, ge=0, le=1)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @property
    def is_local(self) -> bool:
        """Whether all is on a developer's machine."""
        return self.env == "local"

    @property
    def brokers(self) -> Brokers:
        """Kafka, with what secures the way there: TLS, unless it is said or all is on one machine.

        Raises ValueError.
        """
        usual: Security = "PLAINTEXT" if self.env == "local" else "SSL"
        security = self.kafka_security or usual
        account = self._kafka_account() if security == "SASL_SSL" else None
        files = (self.kafka_ca, self.kafka_certificate, self.kafka_key)
        if security == "PLAINTEXT":
            if self.env != "local" and not self.kafka_unencrypted:
                raise ValueError(
                    "AFTERSALES_KAFKA_SECURITY=PLAINTEXT: all that is said can be read and altered "
                    "on its way; where that is wanted, AFTERSALES_KAFKA_UNENCRYPTED=true says so"
                )
            if any(files):
                raise ValueError("AFTERSALES_KAFKA_SECURITY=PLAINTEXT takes no certificates")
        if (self.kafka_certificate is None) != (self.kafka_key is None):
            raise ValueError("AFTERSALES_KAFKA_CERTIFICATE and AFTERSALES_KAFKA_KEY go together")
        authority, certificate, key = files
        return Brokers(
            addresses=self.kafka,
            security=security,
            certificates=Certificates(authority=authority, certificate=certificate, key=key),
            account=account,
        )

    def _kafka_account(self) -> Account:
        if not self.kafka_username or self.kafka_password is None:
            raise ValueError(
                "AFTERSALES_KAFKA_SECURITY=SASL_SSL: AFTERSALES_KAFKA_USERNAME and "
                "AFTERSALES_KAFKA_PASSWORD are needed"
            )
        return Account(
            mechanism=self.kafka_mechanism,
            username=self.kafka_username,
            password=self.kafka_password.get_secret_value(),
        )

    @property
    def cursor_secret(self) -> bytes:
        """The key that encrypts the cursors of lists."""
        return secret_of(self.cursor_key, LOCAL_CURSOR_KEY)

    @property
    def token_secret(self) -> bytes:
        """The key that hides places in logs from parties: the same in all services."""
        return secret_of(self.token_key, LOCAL_VEIL)

    @property
    def keks(self) -> Keks | None:
        """What wraps the keys of people: `<id>:<base64 of 32 bytes>` each. Raises ValueError."""
        if self.kek is None:
            return None
        current = _kek("KEK", self.kek)
        previous = tuple(_kek("PREVIOUS_KEKS", each) for each in self.previous_keks)
        if len({kek.id for kek in (current, *previous)}) < 1 + len(previous):
            raise ValueError("AFTERSALES_PREVIOUS_KEKS: every key-encryption key has its own id")
        return Keks(current=current, previous=previous)

    @model_validator(mode="after")
    def _can_seal(self) -> Self:
        _ = self.keks
        return self

    @model_validator(mode="after")
    def _knows_its_sources(self) -> Self:
        if self.sources and self.source_token_file is None:
            raise ValueError("AFTERSALES_SOURCES needs AFTERSALES_SOURCE_TOKEN_FILE")
        schemes = ("https://", "http://") if self.env == "local" else ("https://",)
        if not all(url.startswith(schemes) for url in self.sources.values()):
            raise ValueError("AFTERSALES_SOURCES: https://…, unless AFTERSALES_ENV=local")
        return self

    @model_validator(mode="after")
    def _can_reach_kafka(self) -> Self:
        _ = self.brokers
        return self

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if not self.jwks_url.startswith(("file:///", "https://")):
            raise ValueError("AFTERSALES_JWKS_URL must be file:///… or https://…")
        for origin in self.cors_origins:
            local = self.env == "local" and LOCAL_ORIGIN.fullmatch(origin)
            if not (local or ORIGIN.fullmatch(origin)):
                raise ValueError(
                    "AFTERSALES_CORS_ORIGINS: each is https:// and a host, perhaps a port, as a "
                    "browser says it: no path, no slash behind it, no *"
                )
        if self.env == "local":
            return self
        if self.clock_file is not None:
            raise ValueError("AFTERSALES_CLOCK_FILE moves the clock: AFTERSALES_ENV=local only")
        for name, key, secret in (
            ("CURSOR_KEY", self.cursor_key, self.cursor_secret),
            ("TOKEN_KEY", self.token_key, self.token_secret),
        ):
            if key is None:
                raise ValueError(f"AFTERSALES_{name} is needed unless AFTERSALES_ENV=local")
            if len(secret) < KEY_LENGTH_MIN:
                raise ValueError(f"AFTERSALES_{name} needs {KEY_LENGTH_MIN} bytes or more")
        return self


def secret_of(told: SecretStr | None, local: str) -> bytes:
    """What was told; else the one that is no secret. An empty one was told, and is too short."""
    return (local if told is None else told.get_secret_value()).encode()


def _kek(name: str, told: SecretStr) -> Kek:
    try:
        return Kek.parse(told.get_secret_value())
    except ValueError as wrong:
        raise ValueError(f"AFTERSALES_{name}: {wrong}") from None


def load[T: Settings](kind: type[T]) -> T:
    """The settings of this process. Raises pydantic.ValidationError naming all that is wrong."""
    folder = Path(os.environ.get("AFTERSALES_SECRETS_DIR", SECRETS_DIR))
    read = cast("Callable[..., T]", kind)  # its fields come from the environment
    return read(_secrets_dir=folder) if folder.is_dir() else read()
