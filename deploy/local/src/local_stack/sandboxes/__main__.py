"""`python -m local_stack.sandboxes serve`: until it is told to end."""

import asyncio
from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from shared_runtime.clock import offset_clock
from shared_runtime.http import serve, stopped_by_signals
from shared_runtime.telemetry import configure_logging

from local_stack.sandboxes.app import Sandboxes, sandbox_app
from local_stack.sandboxes.telling import Telling


class SandboxSettings(BaseSettings):
    """`returns_url`: where webhooks are taken. The secrets are those of returns-service."""

    model_config = SettingsConfigDict(env_prefix="AFTERSALES_", frozen=True, extra="ignore")

    host: str
    port: int
    clock_file: Path
    returns_url: str
    ports_key: SecretStr
    webhook_secret: SecretStr


async def run(settings: SandboxSettings) -> None:
    telling = Telling(
        secret=settings.webhook_secret.get_secret_value(), now=offset_clock(settings.clock_file)
    )
    sandboxes = Sandboxes(
        telling,
        doors=f"{settings.returns_url}/v1/webhooks",
        key=settings.ports_key.get_secret_value(),
    )
    async with stopped_by_signals() as stop:
        await serve(sandbox_app(sandboxes), host=settings.host, port=settings.port, stop=stop)


if __name__ == "__main__":
    configure_logging("INFO")
    asyncio.run(run(SandboxSettings.model_validate({})))
