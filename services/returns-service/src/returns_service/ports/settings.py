"""Environment in, where each company is and what opens it out."""

from typing import Self

from pydantic import Field, SecretStr, model_validator
from shared_runtime.settings import Settings

from returns_service.ports.webhooks import check_secret

LOCAL_SANDBOX = "http://127.0.0.1:8131"
LOCAL_KEY = "local: whoever is on this machine may ask the sandboxes"
LOCAL_WEBHOOK_SECRET = "whsec_bG9jYWw6IGFueWJvZHkgaGVyZSBtYXkgdGVsbCB0aGluZ3M="  # noqa: S105


class PortSettings(Settings):
    """AFTERSALES_PAYMENT_URL, _KEY and _WEBHOOK_SECRET, and the same of CARRIER and STOCK (which
    sends no webhooks). Each is needed unless AFTERSALES_ENV is `local`.

    AFTERSALES_PORT_SECONDS: how long an answer is waited for. AFTERSALES_PORT_AT_ONCE: how many
    requests to a company may be under way.
    """

    payment_url: str = f"{LOCAL_SANDBOX}/payments"
    payment_key: SecretStr | None = None
    payment_webhook_secret: SecretStr | None = None
    carrier_url: str = f"{LOCAL_SANDBOX}/carrier"
    carrier_key: SecretStr | None = None
    carrier_webhook_secret: SecretStr | None = None
    stock_url: str = f"{LOCAL_SANDBOX}/stock"
    stock_key: SecretStr | None = None
    port_seconds: float = Field(default=10.0, gt=0, le=30)
    port_at_once: int = Field(default=64, ge=1, le=1000)

    @property
    def payment_secret(self) -> str:
        """What the payment provider signs webhooks with."""
        return told(self.payment_webhook_secret, LOCAL_WEBHOOK_SECRET)

    @property
    def carrier_secret(self) -> str:
        return told(self.carrier_webhook_secret, LOCAL_WEBHOOK_SECRET)

    @model_validator(mode="after")
    def _companies(self) -> Self:
        secrets = {
            "PAYMENT_WEBHOOK_SECRET": self.payment_webhook_secret,
            "CARRIER_WEBHOOK_SECRET": self.carrier_webhook_secret,
        }
        for name, secret in secrets.items():
            if secret is not None:
                _check(name, secret)
        if self.env == "local":
            return self
        keys = {
            "PAYMENT_KEY": self.payment_key,
            "CARRIER_KEY": self.carrier_key,
            "STOCK_KEY": self.stock_key,
        }
        for name, secret in (keys | secrets).items():
            if secret is None or not secret.get_secret_value():
                raise ValueError(f"AFTERSALES_{name} is needed unless AFTERSALES_ENV=local")
        urls = {
            "PAYMENT_URL": self.payment_url,
            "CARRIER_URL": self.carrier_url,
            "STOCK_URL": self.stock_url,
        }
        for name, url in urls.items():
            if not url.startswith("https://"):
                raise ValueError(f"AFTERSALES_{name} must be https://… unless AFTERSALES_ENV=local")
        return self


def told(secret: SecretStr | None, local: str) -> str:
    return secret.get_secret_value() if secret is not None else local


def _check(name: str, secret: SecretStr) -> None:
    try:
        check_secret(secret.get_secret_value())
    except ValueError as wrong:
        raise ValueError(f"AFTERSALES_{name}: {wrong}") from None
