"""Events in, every account's score and points folded again out; and where they are not what the
service says.

Twice: from Kafka alone, and from the databases alone. Both, and the live answers, are as of one
instant, and are equal to the last micro-point, or the difference is named.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from http import HTTPStatus
from random import Random
from typing import Any

import httpx
import msgspec
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from local_stack.errors import StackError
from msgspec import DecodeError, Struct
from reputation_service.domain.audited import FOLDED, AuditedAccount, BrokenHistory
from reputation_service.domain.facts import ConflictingFact, instant, micros
from reputation_service.domain.fold import state_sha256
from reputation_service.domain.points_policy import policies
from reputation_service.domain.policy import ScorePolicy
from reputation_service.domain.read import Buckets
from reputation_service.domain.replay import CREDITED, OBSERVED, RULED
from reputation_service.domain.replay import Replayed as Known
from shared_events import dispute, orders, reputation, returns, review
from shared_events.envelope import decode_wanted
from shared_events.registry import UnknownEventType, name_of
from shared_runtime.decider import PolicyUnknown
from shared_runtime.delivery import Connection

from shared_cli import bulk, reach
from shared_cli.kafka_history import history, position_told

TOPICS = (orders.TOPIC, review.TOPIC, dispute.TOPIC, returns.TOPIC, reputation.TOPIC)
WANTED = frozenset(name_of(event_type) for event_type in (*OBSERVED, *CREDITED, *RULED, *FOLDED))
"""The event types that scores and points follow from; the others are passed over without a look at
their data.
"""
NOTHING = sha256().hexdigest()
ROWS_MAX = 5_000
SNAPSHOTS_MAX = 5
TOLD_EVERY = 50_000
OF_SCORES = ("score_micro", "state_sha256", "real_level", "public_level")
OF_POINTS = ("status", "balance", "level", "public_level", "measures")

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
type Points = Mapping[str, AuditedAccount]
"""By the streams of accounts."""


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


class PointsPage(Struct, frozen=True, kw_only=True):
    items: list[AuditedAccount]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What the service answers, and by which policy."""

    policy_id: str
    scores: Scores
    points: Points


@dataclass(frozen=True, slots=True, kw_only=True)
class Heads:
    """How far the logs had come at one moment, and the instant of the last recording by then."""

    tokens: dict[str, int]
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something about an account, as each side has it. `account`: its id, for a score; for points
    its stream, which says whether it sells or buys.
    """

    account: str
    what: str
    by_side: dict[str, Any]

    def __str__(self) -> str:
        sides = ", ".join(f"{side} {_text(value)}" for side, value in self.by_side.items())
        return f"{self.account}: {self.what}: {sides}"


@dataclass(slots=True, kw_only=True)
class Replayed:
    """What was folded and compared: `accounts` with a score or conduct, `with_points` with points
    to lose; the scores of all also as of so many instants of the `past`.
    """

    as_of: datetime
    events: dict[str, int]
    accounts: dict[str, int]
    with_points: dict[str, int]
    state_sha256: dict[str, str]
    past: int = 0
    differences: list[Difference] = field(default_factory=list[Difference])


class Past(Struct, frozen=True, kw_only=True):
    """So many instants before the last, by chance: the same for the same `seed`."""

    instants: int = 0
    seed: int = 1

    def before(self, last: datetime, known: Known) -> list[datetime]:
        """After the first thing that counts was recorded."""
        first = min((fact.recorded_at for fact in known.facts.received()), default=micros(last))
        chance = Random(self.seed)  # noqa: S311 - it is to be repeated
        return [instant(chance.randint(first, micros(last))) for _ in range(self.instants)]


NO_PAST = Past()


class NotReplayable(Exception):  # noqa: N818 - a state of the log
    """An event that no fold can take: it is broken, or contradicts another."""


class OtherPolicy(Exception):  # noqa: N818 - the name says what was met
    """The live service reads its scores with this policy; by the log another one holds."""


class Replay:
    """What one side tells, and how many events brought it."""

    def __init__(self, policy: ScorePolicy) -> None:
        self.known = Known(policy.sla)
        self.events = 0

    def take(self, topic: str, partition: int, position: int, body: bytes) -> None:
        """Takes an event in, if anything follows from it, as often as it comes. Raises
        `NotReplayable`.
        """
        try:
            recorded = decode_wanted(WANTED, topic, partition, position, body)
            if recorded is not None:
                self.events += 1
                self.known.take(recorded)
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
    while rows := await db.fetch(NEXT, topic, *last, list(WANTED), ROWS_MAX):
        for row in rows:
            replay.take(*row)
        last = rows[-1]["partition"], rows[-1]["position"]


def scores(
    known: Known, as_of: datetime, policy: ScorePolicy
) -> tuple[Scores, Mapping[str, Buckets]]:
    """Every account of which something is known at an instant; and the buckets of all."""
    found: dict[str, Score] = {}
    state: dict[str, Buckets] = {}
    for account in known.accounts(micros(as_of), policy):
        standing = account.standing() if account.sells else None
        found[account.seller_id] = Score(
            seller_id=account.seller_id,
            score_micro=standing.score.score_micro if standing else None,
            real_level=standing.level.real if standing else None,
            public_level=standing.level.public if standing else None,
            state_sha256=account.state_sha256,
        )
        state[account.seller_id] = account.buckets
    return found, state


def points(known: Known, as_of: datetime) -> Points:
    """Every account that was opened by an instant. Raises `NotReplayable`."""
    try:
        return {each.account: each for each in known.audited(as_of, policies())}
    except BrokenHistory as failure:
        raise NotReplayable(str(failure)) from failure
    except PolicyUnknown as failure:
        raise NotReplayable(f"no points policy {failure.policy_version} here") from failure


def differences[A](
    sides: Mapping[str, Mapping[str, A]], compared: Sequence[str]
) -> Iterator[Difference]:
    """Accounts that are not the same on all sides, in the order of their ids."""
    for account in sorted({account for accounts in sides.values() for account in accounts}):
        found = {side: accounts.get(account) for side, accounts in sides.items()}
        if len(set(found.values())) == 1:
            continue
        if not all(found.values()):
            known = {side: one is not None for side, one in found.items()}
            yield Difference(account=account, what="is known", by_side=known)
            continue
        for name in compared:
            values = {side: getattr(one, name) for side, one in found.items()}
            if len(set(values.values())) > 1:
                yield Difference(account=account, what=name, by_side=values)
                break


async def live_answers(web: httpx.AsyncClient, url: str, as_of: datetime) -> Live:
    """What the service answers of every account. Raises StackError."""
    policy_id, found = await live_scores(web, url, as_of)
    held: dict[str, AuditedAccount] = {}
    async for told in pages(web, f"{url}/v1/accounts", as_of, PointsPage):
        held |= {each.account: each for each in told.items}
    return Live(policy_id=policy_id, scores=found, points=held)


async def live_scores(
    web: httpx.AsyncClient, url: str, as_of: datetime
) -> tuple[str, dict[str, Score]]:
    """The policy that it reads by, and what it answers of every score. Raises StackError."""
    found: dict[str, Score] = {}
    policy_id = ""
    async for page in pages(web, f"{url}/v1/scores", as_of, ScorePage):
        policy_id = page.policy_id
        # An account whose facts were all taken back by then is one of whom nothing is known.
        found |= {s.seller_id: s for s in page.items if s.state_sha256 != NOTHING}
    return policy_id, found


async def pages[P: (ScorePage, PointsPage)](
    web: httpx.AsyncClient, url: str, as_of: datetime, kind: type[P]
) -> AsyncIterator[P]:
    """A list of the service from its beginning to its end. Raises StackError."""
    query: dict[str, str | int] = {"as_of": _rfc3339(as_of)}
    while True:
        answer = await web.get(url, params=query)
        if answer.status_code != HTTPStatus.OK:
            raise StackError(
                f"reputation-service refuses ({answer.status_code}): {answer.text[:200]}"
            )
        page = msgspec.json.decode(answer.content, type=kind)
        yield page
        if page.next_cursor is None:
            return
        query["cursor"] = page.next_cursor


async def replay(
    *,
    bootstrap: str,
    databases: Mapping[str, str],
    reputation_url: str,
    headers: dict[str, str],
    policy: ScorePolicy,
    say: Say,
    past: Past = NO_PAST,
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
                live = await live_answers(web, reputation_url, as_of)
            say(f"{len(live.scores):,} accounts live; folding the databases")
            folded = {"databases": await from_databases(databases, TOPICS, policy)}
            say(f"{folded['databases'].events:,} events that anything follows from; folding Kafka")
            with reach.reaching("Kafka", KafkaError):
                folded["Kafka"] = await from_kafka(bootstrap, TOPICS, policy)
            if not await came_later(databases, heads, as_of):
                break
            heads = await read_heads(databases)
        else:
            raise StackError(f"events recorded by {_rfc3339(as_of)} keep coming in")
    for replayed in folded.values():
        if replayed.known.policy_at(policy)(micros(as_of)).policy_id != live.policy_id:
            raise OtherPolicy(live.policy_id)
    found = compared(live, folded, as_of, policy)
    known = folded["databases"].known
    async with bulk.client(headers) as web:
        for at in past.before(as_of, known):
            say(f"as of {_rfc3339(at)}")
            found.differences += await at_instant(web, reputation_url, known, at, policy)
            found.past += 1
    return found


async def at_instant(
    web: httpx.AsyncClient, url: str, known: Known, at: datetime, policy: ScorePolicy
) -> list[Difference]:
    """Where what the service answers of an instant is not what was recorded until then."""
    _, live = await live_scores(web, url, at)
    sides = {"live": live, "databases": scores(known, at, policy)[0]}
    return [
        replace(each, what=f"{each.what} as of {_rfc3339(at)}")
        for each in differences(sides, OF_SCORES)
    ]


def compared(
    live: Live, folded: Mapping[str, Replay], as_of: datetime, policy: ScorePolicy
) -> Replayed:
    """The scores and points of both folds beside the live ones. Raises `NotReplayable`."""
    sides, held = {"live": live.scores}, {"live": live.points}
    digests: dict[str, str] = {}
    for side, replayed in folded.items():
        sides[side], state = scores(replayed.known, as_of, policy)
        held[side] = points(replayed.known, as_of)
        digests[side] = state_sha256(state)
    return Replayed(
        as_of=as_of,
        events={side: replayed.events for side, replayed in folded.items()},
        accounts={side: len(found) for side, found in sides.items()},
        with_points={side: len(found) for side, found in held.items()},
        state_sha256=digests,
        differences=[*differences(sides, OF_SCORES), *differences(held, OF_POINTS)],
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
