"""Environment in, one frozen object out; secrets from files.

A service may add its own fields in a subclass. What is unsafe outside of a developer's machine
has a default, or is allowed at all, only where AFTERSALES_ENV is `local`.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Self, cast

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared_runtime.keys import Kek, Keks

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
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @property
    def cursor_secret(self) -> bytes:
        """The key that encrypts the cursors of lists."""
        key = self.cursor_key.get_secret_value() if self.cursor_key else LOCAL_CURSOR_KEY
        return key.encode()

    @property
    def token_secret(self) -> bytes:
        """The key that hides places in logs from parties: the same in all services."""
        key = self.token_key.get_secret_value() if self.token_key else LOCAL_VEIL
        return key.encode()

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
    def _safe(self) -> Self:
        if not self.jwks_url.startswith(("file:///", "https://")):
            raise ValueError("AFTERSALES_JWKS_URL must be file:///… or https://…")
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
