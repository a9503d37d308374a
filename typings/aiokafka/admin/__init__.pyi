from collections.abc import Mapping, Sequence
from typing import Any

class NewTopic:
    def __init__(
        self,
        name: str,
        num_partitions: int,
        replication_factor: int,
        topic_configs: Mapping[str, str] | None = None,
    ) -> None: ...

class AIOKafkaAdminClient:
    def __init__(self, *, bootstrap_servers: str, request_timeout_ms: int = 40000) -> None: ...
    async def start(self) -> None: ...
    async def close(self) -> None: ...
    async def create_topics(
        self,
        new_topics: Sequence[NewTopic],
        timeout_ms: int | None = None,
        validate_only: bool = False,
    ) -> object: ...
    async def delete_topics(
        self, topics: Sequence[str], timeout_ms: int | None = None
    ) -> object: ...
    async def list_topics(self) -> list[str]: ...
    async def describe_topics(
        self, topics: Sequence[str] | None = None
    ) -> list[dict[str, Any]]: ...
    async def describe_cluster(self) -> dict[str, object]: ...
