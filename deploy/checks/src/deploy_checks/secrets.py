"""The names of what an operator keeps secret, and settings that are read as a process reads them.

The values here are of the right shape and open nothing.
"""

import os
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

from shared_runtime.settings import Settings

from deploy_checks.facts import SERVICES

DATABASE = "postgresql://aftersales_app:p@{}-rw:5432/{}"
SECRETS: Mapping[str, str] = {
    "aftersales_database_url": DATABASE.format("database", "aftersales"),
    "aftersales_keys_url": DATABASE.format("keys", "aftersales_keys"),
    "aftersales_kek": "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "aftersales_cursor_key": "c" * 32,
    "aftersales_token_key": "t" * 32,
    "aftersales_media_key": "m" * 32,
}
"""Of each service: the Secret `<service>-secrets`."""
OF_REVIEWS: Mapping[str, str] = {"aftersales_ref_key": "r" * 32}
"""Of review-service besides."""
OF_COMPANIES: Mapping[str, str] = {
    "aftersales_payment_key": "p",
    "aftersales_payment_webhook_secret": "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
    "aftersales_carrier_key": "c",
    "aftersales_carrier_webhook_secret": "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
    "aftersales_stock_key": "s",
}
"""Of returns-service besides."""
BY_PASSWORD: Mapping[str, str] = {
    "aftersales_kafka_username": "u",
    "aftersales_kafka_password": "p",
}
"""Of each service besides, where Kafka knows it by these."""
OWNER = ("aftersales_migration_url", "aftersales_keys_migration_url")
"""Of each service's migration: the Secret `<service>-owner`."""
GATEWAY = "gateway-tls"
"""The gateway's certificate: of nobody here, in no store of ours (cert-manager makes it)."""
STORE = "aftersales"
"""Where External Secrets finds what it makes, each under the name of its Secret."""
OF_A_SERVICE = ("secrets", "owner", "kafka", "kafka-ca", "database-ca", "keys-ca")
OF_DATABASES = ("database-owner", "database-app-role", "keys-owner", "keys-app-role")
BACKUPS = ("backups", "keys-backups")

_environment = Lock()


def made_by_hand() -> frozenset[str]:
    """The Secrets of whoever has no store."""
    own = {f"{service}-{kind}" for service in SERVICES for kind in (*OF_A_SERVICE, *OF_DATABASES)}
    return frozenset({*own, *BACKUPS})


def secrets_of(service: str) -> dict[str, str]:
    besides = {"review": OF_REVIEWS, "returns": OF_COMPANIES}
    return {**SECRETS, **besides.get(service, {})}


def loaded(
    service: str, environment: Mapping[str, str], secrets: Mapping[str, str] | None = None
) -> Settings:
    """The settings of a process in production that is told this, with its secrets in files: those
    that are given, else some that open nothing.

    Raises pydantic.ValidationError naming all that is wrong.
    """
    given = None if secrets is None else frozenset(secrets.items())
    return _loaded(service, frozenset(environment.items()), given)


@cache
def _loaded(
    service: str,
    environment: frozenset[tuple[str, str]],
    given: frozenset[tuple[str, str]] | None,
) -> Settings:
    """Hundreds of combinations tell their processes the same."""
    secrets = secrets_of(service) if given is None else dict(given)
    if given is None and ("AFTERSALES_KAFKA_SECURITY", "SASL_SSL") in environment:
        secrets.update(BY_PASSWORD)
    with tempfile.TemporaryDirectory() as folder, _environment:
        for name, value in secrets.items():
            (Path(folder) / name).write_text(value)
        before = dict(os.environ)
        try:
            for name in [name for name in os.environ if name.startswith("AFTERSALES_")]:
                del os.environ[name]
            os.environ.update(environment)
            kind: Any = SERVICES[service].settings
            settings: Settings = kind(_secrets_dir=folder)
            return settings
        finally:
            os.environ.clear()
            os.environ.update(before)
