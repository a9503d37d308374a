"""Consumers of aiokafka, mended: one that may be stopped while Kafka is away, and one of that kind
that names each partition to a broker once, not in each of its requests.

A worker's readers follow some hundreds of partitions, of which few have anything new. In a session
(KIP-227) the broker keeps what it was asked last: a request says what has changed, an answer has
the partitions that have something. What goes wrong with a session ends it: the next request names
all partitions again and begins another.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, override

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.protocol.fetch import FetchRequest, FetchRequestStruct

from shared_runtime.delivery import Place

SESSIONS_SINCE = 7
"""The first version of the request that knows sessions."""
NO_SESSION = 0
FIRST_EPOCH = 0
"""Of a request that names all, ends the session that it names, and begins another."""
EPOCH_MAX = 2**31 - 1

TAKEN_FIRST_SECONDS = 3600.0
"""For ever, for a clock that wants a number."""

type Send = Callable[..., Awaitable[Any]]
type Entry = tuple[int, ...]
"""A partition of a request: its number, and where to read from."""


_stopping: set[asyncio.Task[None]] = set()
"""Somebody has to keep them until they have ended."""


class Consumer(AIOKafkaConsumer):
    """In all else an `AIOKafkaConsumer`. Stopped, that one cancels its requests and waits for them.
    One that has just failed, as all do while Kafka is away, ends as cancelled then, and whoever
    has stopped it seems to be cancelled himself.
    """

    @override
    async def stop(self) -> None:
        """Whoever waits no longer leaves it to end by itself."""
        stopping = asyncio.create_task(self._stop_and_disconnect())
        _stopping.add(stopping)
        stopping.add_done_callback(_stopping.discard)
        await asyncio.wait([stopping])
        stopping.result()

    async def _stop_and_disconnect(self) -> None:
        with suppress(KafkaError, asyncio.CancelledError):
            await super().stop()
        await self._client.close()  # it has not come to that if it has failed before


class SessionConsumer(Consumer):
    """In all else a `Consumer`."""

    @override
    def __init__(self, *topics: str, **configs: Any) -> None:
        super().__init__(*topics, **configs)
        self._with_brokers = Sessions(self._client.send)
        self._client.send = self._with_brokers.send

    @override
    async def start(self) -> None:
        """It has what all brokers answer once, and no more: none is asked again before all of its
        answer was taken. (The library waits for that a tenth of a second, and then asks for what
        other partitions have: whoever takes long over a batch had half a MiB of each partition
        besides. And it lets each broker answer as much as all may.)
        """
        await super().start()
        assert self._fetcher is not None
        told: dict[str, Any] = vars(self._fetcher)  # it has no other door to these
        told["_prefetch_backoff"] = TAKEN_FIRST_SECONDS
        told["_fetch_max_bytes"] //= max(1, len(self._client.cluster.brokers()))

    @property
    def has_failed(self) -> bool:
        """Whether it asks brokers for nothing any more, for good. (It does not say so by itself: it
        has nothing to give.)
        """
        return self._fetcher is not None and self._fetcher.error_future.done()

    @property
    def heard_at(self) -> float:
        """When a broker has last answered what was asked of it, by the loop's clock."""
        return self._with_brokers.heard_at


class Sessions:
    """What a client sends, with fetch requests in a session with each broker. (A consumer has one
    of them under way with a broker, never two.)
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._sessions: dict[int, Session] = defaultdict(Session)
        self.heard_at = float("-inf")

    async def send(self, node_id: int, request: object, **options: object) -> object:
        """As the client's own."""
        if not isinstance(request, FetchRequest):
            return await self._send(node_id, request, **options)
        session = self._sessions[node_id]
        try:
            answer = await self._send(node_id, _Shortened(request, session), **options)
        except BaseException:  # it is not known whether the broker has taken it
            session.begin_anew()
            raise
        self.heard_at = asyncio.get_running_loop().time()
        if answer.API_VERSION >= SESSIONS_SINCE:
            session.heard(answer.session_id, answer.error_code)
        return answer


class _Shortened:
    """A request, less what its session has told the broker before."""

    def __init__(self, request: FetchRequest, session: "Session") -> None:
        self._request = request
        self._session = session

    def prepare(self, versions: Mapping[int, tuple[int, int]]) -> FetchRequestStruct:
        """In the version that both sides know."""
        full = self._request.prepare(versions)
        return self._session.shorten(full) if full.API_VERSION >= SESSIONS_SINCE else full


class Session:
    """What one broker was told: which partitions, and from where to read each."""

    def __init__(self, epoch: int = FIRST_EPOCH) -> None:
        self._id = NO_SESSION
        self._epoch = epoch
        self._told: dict[Place, Entry] = {}

    def shorten(self, request: FetchRequestStruct) -> FetchRequestStruct:
        """The request, with what is other than the broker has it."""
        wanted = {
            (topic, entry[0]): entry for topic, entries in request.topics for entry in entries
        }
        request.session_id, request.session_epoch = self._id, self._epoch
        if self._epoch != FIRST_EPOCH:
            changed = (place for place, entry in wanted.items() if self._told.get(place) != entry)
            request.topics = _by_topic((place[0], wanted[place]) for place in changed)
            request.forgotten_topics_data = _by_topic(self._told.keys() - wanted.keys())
        self._told = wanted
        return request

    def heard(self, session_id: int, error_code: int) -> None:
        """Goes on with the session, or with none: the broker has no room for it, or has lost it."""
        if error_code or session_id == NO_SESSION:
            self._id, self._epoch = NO_SESSION, FIRST_EPOCH
        else:
            self._id = session_id
            self._epoch = self._epoch + 1 if self._epoch < EPOCH_MAX else FIRST_EPOCH + 1

    def begin_anew(self) -> None:
        """The next request names all."""
        self._epoch = FIRST_EPOCH


def _by_topic[T](places: Iterable[tuple[str, T]]) -> list[tuple[str, list[T]]]:
    topics: dict[str, list[T]] = defaultdict(list)
    for topic, entry in places:
        topics[topic].append(entry)
    return [*topics.items()]
