"""Events in, every account's score folded again out; and where it is not what the service says.

Twice: from Kafka alone, and from the databases alone. Both, and the live answers, are as of one
instant, and are equal to the last micro-point, or the difference is named.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from typing import Any

import httpx
import msgspec
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from local_stack.errors import StackError
from msgspec import DecodeError, Struct
from reputation_service.domain.facts import ConflictingFact, day_of, micros
from reputation_service.domain.fold import Facts, State, fold, state_sha256
from reputation_service.domain.level import Evaluation, standing
from reputation_service.domain.observations import observe
from reputation_service.domain.policy import CONDUCT, ScorePolicy
from reputation_service.domain.read import Buckets
from shared_events import dispute, orders, returns, review
from shared_events.dispute import DisputeClosed, DisputeOpened, InquiryClosed
from shared_events.envelope import decode_wanted
from shared_events.orders import OrderCompleted, OrderReopened
from shared_events.registry import UnknownEventType, name_of
from shared_events.returns import ReturnClosed
from shared_events.review import ReviewWeighted
from shared_runtime.delivery import Connection

from shared_cli import bulk, reach
from shared_cli.kafka_history import history, position_told

TOPICS = (orders.TOPIC, review.TOPIC, dispute.TOPIC, returns.TOPIC)
OBSERVED = frozenset(
    name_of(event_type)
    for event_type in (
        *(ReviewWeighted, OrderCompleted, OrderReopened),
        *(DisputeOpened, DisputeClosed, InquiryClosed, ReturnClosed),
    )
)
"""The event types that a score reads; the others are passed over without a look at their data."""
NOTHING = sha256().hexdigest()
ROWS_MAX = 5_000
PAGE = 1_000
SNAPSHOTS_MAX = 5
TOLD_EVERY = 50_000
FIELDS = ("score_micro", "state_sha256", "real_level", "public_level")

HEADS = """
    SELECT topic, partition, position, recorded_at FROM es.head
    WHERE topic = ANY($1) AND position > 0
"""
NEXT = """
    SELECT topic, partition, position, body FROM es.event
    WHERE topic = $1 AND (partition, position) > ($2, $3) AND split_part(type, '.', 1) = ANY($4)
    ORDER BY partition, position LIMIT $5
"""
# Events that say that they were recorded by then, but were not there yet when the heads were read.
CAME_LATER = """
    SELECT EXISTS (
        SELECT 1 FROM es.head
        LEFT JOIN unnest($1::text[], $2::int[], $3::bigint[]) AS seen (topic, partition, position)
            USING (topic, partition)
        JOIN es.event USING (topic, partition)
        WHERE es.head.topic = ANY($5) AND es.event.recorded_at <= $4
          AND es.event.position > coalesce(seen.position, 0))
"""

type Say = Callable[[str], None]
type Scores = Mapping[str, "Score"]


class Score(Struct, frozen=True, kw_only=True):
    """An account as it is read at an instant; without a score where only conduct is known."""

    seller_id: str
    score_micro: int | None
    real_level: str | None
    public_level: str | None
    state_sha256: str


class ScorePage(Struct, frozen=True, kw_only=True):
    policy_id: str
    items: list[Score]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heads:
    """How far the logs had come at one moment, and the instant of the last recording by then."""

    tokens: dict[str, int]
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something about an account, as each side has it."""

    seller_id: str
    what: str
    by_side: dict[str, Any]

    def __str__(self) -> str:
        sides = ", ".join(f"{side} {_text(value)}" for side, value in self.by_side.items())
        return f"{self.seller_id}: {self.what}: {sides}"


@dataclass(slots=True, kw_only=True)
class Replayed:
    """What was folded and compared."""

    as_of: datetime
    events: dict[str, int]
    accounts: dict[str, int]
    state_sha256: dict[str, str]
    differences: list[Difference] = field(default_factory=list[Difference])


class NotReplayable(Exception):  # noqa: N818 - a state of the log
    """An event that no fold can take: it is broken, or contradicts another."""


class OtherPolicy(Exception):  # noqa: N818 - the name says what was met
    """The live service reads its scores with this policy, not with ours."""


class Replay:
    """Facts from one side, and how many events brought them."""

    def __init__(self, policy: ScorePolicy) -> None:
        self.facts = Facts()
        self.events = 0
        self._policy = policy

    def take(self, topic: str, partition: int, position: int, body: bytes) -> None:
        """Takes an event in, if a score reads it; as often as it comes. Raises `NotReplayable`."""
        try:
            recorded = decode_wanted(OBSERVED, topic, partition, position, body)
            if recorded is not None:
                self.events += 1
                self.facts.extend(observe(recorded, self._policy.sla))
        except (DecodeError, UnknownEventType, ConflictingFact) as failure:
            raise NotReplayable(
                f"{topic}/{partition}:{position} {type(failure).__name__}: {failure}"
            ) from failure


async def from_kafka(bootstrap: str, topics: Iterable[str], policy: ScorePolicy) -> Replay:
    """Folds what is in the topics now. Raises `NotReplayable`, or KafkaError."""
    replay = Replay(policy)
    reached: dict[TopicPartition, int] = {}
    async with history(bootstrap, list(topics)) as kafka:
        async for place, records in kafka.batches():
            for record in records:
                position = position_told(record)
                if position is None:
                    raise NotReplayable(f"{place.topic}/{place.partition}: a record of no position")
                if position > reached.get(place, 0):  # or it is a duplicate
                    reached[place] = position
                    replay.take(*place, position, record.value or b"")
    return replay


async def from_databases(
    databases: Mapping[str, str], topics: Iterable[str], policy: ScorePolicy
) -> Replay:
    """Folds what is in the logs now. Raises `NotReplayable`, or StackError."""
    replay = Replay(policy)
    for service, url in databases.items():
        async with reach.connected(service, url) as db:
            for topic in topics:
                await _fold_topic(db, topic, replay)
    return replay


async def _fold_topic(db: Connection, topic: str, replay: Replay) -> None:
    last = (-1, 0)
    while rows := await db.fetch(NEXT, topic, *last, list(OBSERVED), ROWS_MAX):
        for row in rows:
            replay.take(*row)
        last = rows[-1]["partition"], rows[-1]["position"]


def scores(facts: Facts, as_of: datetime, policy: ScorePolicy) -> tuple[Scores, State]:
    """Every account of which something is known at an instant; and the buckets of all."""

    @cache
    def state(at: Evaluation) -> State:
        return fold(facts.in_force(at.as_of, at.day))

    instant = micros(as_of)
    known = state(Evaluation(instant, day_of(instant)))

    def account(seller_id: str, buckets: Buckets) -> Score:
        digest = state_sha256({seller_id: buckets})
        if set(buckets) == {CONDUCT}:
            return Score(
                seller_id=seller_id,
                score_micro=None,
                real_level=None,
                public_level=None,
                state_sha256=digest,
            )
        found = standing(lambda at: state(at).get(seller_id, {}), instant, (), (), policy)
        return Score(
            seller_id=seller_id,
            score_micro=found.score.score_micro,
            real_level=found.level.real,
            public_level=found.level.public,
            state_sha256=digest,
        )

    return {seller_id: account(seller_id, of) for seller_id, of in known.items()}, known


def differences(sides: Mapping[str, Scores]) -> Iterator[Difference]:
    """Accounts that are not the same on all sides, in the order of their ids."""
    for seller_id in sorted({seller_id for scores in sides.values() for seller_id in scores}):
        found = {side: scores.get(seller_id) for side, scores in sides.items()}
        if len(set(found.values())) == 1:
            continue
        if not all(found.values()):
            known = {side: score is not None for side, score in found.items()}
            yield Difference(seller_id=seller_id, what="is known", by_side=known)
            continue
        for name in FIELDS:
            values = {side: getattr(score, name) for side, score in found.items()}
            if len(set(values.values())) > 1:
                yield Difference(seller_id=seller_id, what=name, by_side=values)
                break


async def live_scores(
    web: httpx.AsyncClient, url: str, as_of: datetime, policy: ScorePolicy
) -> Scores:
    """What the service answers of every account. Raises `OtherPolicy` and StackError."""
    found: dict[str, Score] = {}
    query: dict[str, str | int] = {"as_of": _rfc3339(as_of), "limit": PAGE}
    while True:
        answer = await web.get(f"{url}/v1/scores", params=query)
        if answer.status_code != HTTPStatus.OK:
            raise StackError(
                f"reputation-service refuses ({answer.status_code}): {answer.text[:200]}"
            )
        page = msgspec.json.decode(answer.content, type=ScorePage)
        if page.policy_id != policy.policy_id:
            raise OtherPolicy(page.policy_id)
        # An account whose facts were all taken back by then is one of whom nothing is known.
        found |= {s.seller_id: s for s in page.items if s.state_sha256 != NOTHING}
        if page.next_cursor is None:
            return found
        query["cursor"] = page.next_cursor


async def replay(
    *,
    bootstrap: str,
    databases: Mapping[str, str],
    reputation_url: str,
    headers: dict[str, str],
    policy: ScorePolicy,
    say: Say,
) -> Replayed:
    """Folds both sides and asks the live service. Raises `NotReplayable`, `OtherPolicy` and
    StackError.
    """
    heads = await read_heads(databases)
    as_of = heads.recorded_at
    async with bulk.client(headers) as web:
        for _ in range(SNAPSHOTS_MAX):
            say(f"as of {_rfc3339(as_of)}: waiting until the service has come so far")
            with reach.reaching("reputation-service"):
                await bulk.wait_until_ranked(web, reputation_url, heads.tokens)
                live = await live_scores(web, reputation_url, as_of, policy)
            say(f"{len(live):,} accounts live; folding the databases")
            folded = {"databases": await from_databases(databases, TOPICS, policy)}
            say(f"{folded['databases'].events:,} events that a score reads; folding Kafka")
            with reach.reaching("Kafka", KafkaError):
                folded["Kafka"] = await from_kafka(bootstrap, TOPICS, policy)
            if not await came_later(databases, heads, as_of):
                break
            heads = await read_heads(databases)
        else:
            raise StackError(f"events recorded by {_rfc3339(as_of)} keep coming in")
    return compared(live, folded, as_of, policy)


def compared(
    live: Scores, folded: Mapping[str, Replay], as_of: datetime, policy: ScorePolicy
) -> Replayed:
    """The scores of both folds beside the live ones."""
    sides = {"live": live}
    digests: dict[str, str] = {}
    for side, replayed in folded.items():
        sides[side], state = scores(replayed.facts, as_of, policy)
        digests[side] = state_sha256(state)
    return Replayed(
        as_of=as_of,
        events={side: replayed.events for side, replayed in folded.items()},
        accounts={side: len(found) for side, found in sides.items()},
        state_sha256=digests,
        differences=list(differences(sides)),
    )


async def read_heads(databases: Mapping[str, str]) -> Heads:
    """How far the logs of these databases have come. Raises StackError."""
    tokens: dict[str, int] = {}
    recorded_at = datetime.fromtimestamp(0, UTC)
    for service, url in databases.items():
        async with reach.connected(service, url) as db:
            for topic, partition, position, recorded in await db.fetch(HEADS, TOPICS):
                tokens[f"{topic}/{partition}"] = position
                recorded_at = max(recorded_at, recorded)
    return Heads(tokens=tokens, recorded_at=recorded_at)


async def came_later(databases: Mapping[str, str], heads: Heads, as_of: datetime) -> bool:
    """Whether an event behind these heads says that it was recorded by then."""
    places = [token.rpartition("/") for token in heads.tokens]
    columns = (
        [topic for topic, _, _ in places],
        [int(partition) for _, _, partition in places],
        list(heads.tokens.values()),
    )
    for service, url in databases.items():
        async with reach.connected(service, url) as db:
            if await db.fetchval(CAME_LATER, *columns, as_of, TOPICS):
                return True
    return False


def _rfc3339(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
