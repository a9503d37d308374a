from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.admin.config_resource import ConfigResource

class OffsetAndMetadata(NamedTuple):
    offset: int
    metadata: str

class RecordsToDelete:
    def __init__(self, before_offset: int) -> None: ...

class NewTopic:
    def __init__(
        self,
        name: str,
        num_partitions: int,
        replication_factor: int,
        topic_configs: Mapping[str, str] | None = None,
    ) -> None: ...

class DescribedConfigs:
    # error code, error message, resource type, resource name, configs: name, value, …
    resources: Sequence[tuple[int, str | None, int, str, Sequence[tuple[str, str, object]]]]

class AlteredConfigs:
    # error code, error message, resource type, resource name
    resources: Sequence[tuple[int, str | None, int, str]]

class AIOKafkaAdminClient:
    def __init__(self, *, bootstrap_servers: str, request_timeout_ms: int = 40000) -> None: ...
    async def start(self) -> None: ...
    async def close(self) -> None: ...
    async def create_topics(
        self,
        new_topics: Sequence[NewTopic],
        timeout_ms: int | None = None,
        validate_only: bool = False,
    ) -> Any: ...
    async def delete_topics(
        self, topics: Sequence[str], timeout_ms: int | None = None
    ) -> object: ...
    async def list_topics(self) -> list[str]: ...
    async def describe_topics(
        self, topics: Sequence[str] | None = None
    ) -> list[dict[str, Any]]: ...
    async def describe_configs(
        self, config_resources: Sequence[ConfigResource]
    ) -> Sequence[DescribedConfigs]: ...
    async def alter_configs(
        self, config_resources: Sequence[ConfigResource]
    ) -> Sequence[AlteredConfigs]: ...
    async def describe_cluster(self) -> dict[str, object]: ...
    async def delete_records(
        self, records_to_delete: Mapping[TopicPartition, RecordsToDelete]
    ) -> dict[TopicPartition, int]: ...
    async def list_consumer_group_offsets(
        self, group_id: str
    ) -> dict[TopicPartition, OffsetAndMetadata]: ...
