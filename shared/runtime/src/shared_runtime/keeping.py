"""A topic of others in, whether what people wrote may lie there for so long out.

An erasure does not reach what others announce: it is over when Kafka has deleted that, and when no
backup has the person's key any more. Where Kafka keeps it longer than backups are kept, nothing
that is to be sealed is taken from there.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaTimeoutError, TopicAuthorizationFailedError, for_code

from shared_runtime.brokers import client_of
from shared_runtime.settings import Settings

LOOK_SECONDS = 60.0
ANSWER_SECONDS_MAX = 5.0  # less than a statement may take: the cursor is locked meanwhile
DAY_MS = 24 * 60 * 60 * 1000
NOT_TOLD = "how long {} is kept is not told: we may not describe its configuration"


class KeptTooLong(Exception):  # noqa: N818 - a state of the topic
    """The message says for how long, or that it is not to be known."""


@dataclass(slots=True)
class Keeping:
    """For how long topics keep what is in them, asked of Kafka when that was long ago."""

    settings: Settings
    _told: dict[str, tuple[float, str | None]] = field(
        default_factory=dict[str, "tuple[float, str | None]"]
    )

    async def check(self, topic: str) -> None:
        """Raises `KeptTooLong`; KafkaError or OSError while Kafka does not answer."""
        now = asyncio.get_running_loop().time()
        asked_at, wrong = self._told.get(topic, (float("-inf"), None))
        if now - asked_at >= LOOK_SECONDS:
            wrong = await self._ask(topic)
            self._told[topic] = now, wrong
        if wrong is not None:
            raise KeptTooLong(wrong)

    async def _ask(self, topic: str) -> str | None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                configs = await _configs_of(self.settings, topic)
        except TopicAuthorizationFailedError:
            return NOT_TOLD.format(topic)
        except TimeoutError as late:
            raise KafkaTimeoutError(f"how long {topic} is kept is not told") from late
        days_max = self.settings.keys_backup_days
        kept_ms = kept_at_most(configs)
        if kept_ms is not None and kept_ms <= days_max * DAY_MS:
            return None
        kept = "for ever" if kept_ms is None else f"for {kept_ms / DAY_MS:.1f} days"
        return f"{topic} is kept {kept}, backups of keys for {days_max} days"


def kept_at_most(configs: Mapping[str, str]) -> int | None:
    """After how many milliseconds the last record of a file is deleted, and the file with it, that
    goes on for `segment.ms` behind its first one; None if it never is.
    """
    retention = int(configs["retention.ms"])
    if retention < 0 or "delete" not in configs["cleanup.policy"].split(","):
        return None
    return retention + int(configs["segment.ms"])


async def _configs_of(settings: Settings, topic: str) -> Mapping[str, str]:
    admin = AIOKafkaAdminClient(**client_of(settings.brokers))
    try:
        await admin.start()
        [told] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    finally:
        await admin.close()
    [(code, why, _, _, configs)] = told.resources
    if code:
        raise for_code(code)(why)
    return {name: value for name, value, *_ in configs}
