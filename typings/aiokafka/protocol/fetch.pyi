from collections.abc import Mapping

class FetchRequest:
    def __init__(
        self,
        max_wait_time: int,
        min_bytes: int,
        max_bytes: int,
        isolation_level: int,
        topics: list[tuple[str, list[tuple[int, int, int]]]],
    ) -> None: ...
    def prepare(self, versions: Mapping[int, tuple[int, int]]) -> FetchRequestStruct: ...

class FetchRequestStruct:
    API_VERSION: int
    max_bytes: int
    session_id: int
    session_epoch: int
    topics: list[tuple[str, list[tuple[int, ...]]]]
    forgotten_topics_data: list[tuple[str, list[int]]]
    def encode(self) -> bytes: ...
