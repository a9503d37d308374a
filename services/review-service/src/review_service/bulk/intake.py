"""Lines of text in, what became of each out; a batch is one read, one append, one transaction."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from msgspec import DecodeError, Struct
from shared_casework.people import person_on
from shared_events.envelope import Recorded
from shared_events.review import Side
from shared_runtime.decider import InvalidValue, Refused
from shared_runtime.keys import KeyStore
from shared_runtime.log import (
    ATTEMPTS_MAX,
    Decisions,
    Log,
    StreamsUnreadable,
    VersionConflict,
    database_of,
)
from shared_runtime.media import MediaFile, MediaStore
from shared_runtime.places import Places
from shared_runtime.problems import ConcurrentChange, Unavailable, encode_json, problem_body
from shared_runtime.sealing import PersonKey

from review_service.bulk.line import Line, RefusedLine, decode_line, writers
from review_service.bulk.reviewed import FollowedUp, PartName, RefusedReview, SoundReview
from review_service.bulk.story import (
    Besides,
    LineOutcome,
    LineTold,
    Teller,
    refuse,
    streams_of,
    tell,
)
from review_service.domain.policy import Policies
from review_service.fact_rows import write_reviews
from review_service.facts import Parties, read_facts
from review_service.pairs import lock_pairs, write_pairs

LINES_AT_ONCE = 20
"""After so many decided lines, about 20 ms, other requests have their turn."""
OF_A_LATER_RELEASE = (StreamsUnreadable, DecodeError)
"""What a stream raises that another release has written to."""
DECIDING_MAX = 4
"""So many uploads decide at once: each holds one of the connections that everything else needs, and
an upload can wait better than a person."""
DECIDING_OF_ONE_MAX = 3
"""Of those, one account's: another one's upload waits behind none of his."""
OUTCOMES: tuple[LineOutcome, ...] = ("accepted", "unchanged", "refused")


@dataclass(frozen=True, slots=True)
class Numbered:
    """A line of an upload: its number, and its text or why it has none."""

    number: int
    text: bytes | Refused


class PartAnswer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a part of a review."""

    part: PartName
    outcome: LineOutcome
    problem: dict[str, object] | None = None


class ReviewAnswer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a review, and of its parts. `by` is null where the review does not tell it."""

    by: Side | None
    outcome: LineOutcome
    problem: dict[str, object] | None = None
    parts: list[PartAnswer] = []


class LineAnswer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a line. `order_id` is null where the line does not tell it."""

    line: int
    order_id: str | None
    order: LineOutcome
    problem: dict[str, object] | None = None
    reviews: list[ReviewAnswer]


@dataclass(slots=True)
class UploadTally:
    """What became of an upload so far. Its size does not grow with the upload's."""

    lines: int = 0
    events: int = 0
    orders: Counter[LineOutcome] = field(default_factory=Counter[LineOutcome])
    reviews: Counter[LineOutcome] = field(default_factory=Counter[LineOutcome])
    parts: Counter[LineOutcome] = field(default_factory=Counter[LineOutcome])
    reached: dict[tuple[str, int], int] = field(default_factory=dict[tuple[str, int], int])

    def count(self, told: LineTold) -> None:
        self.lines += 1
        self.orders[told.order] += 1
        self.reviews.update(review.outcome for review in told.reviews)
        self.parts.update(part.outcome for review in told.reviews for part in review.parts)

    def count_events(self, recorded: Sequence[Recorded[Any]]) -> None:
        self.events += len(recorded)
        for each in recorded:
            self.reached[each.topic, each.partition] = each.position

    def summary(self) -> bytes:
        """The last line of the answer."""
        told = {
            "summary": {
                "lines": self.lines,
                "orders": {outcome: self.orders[outcome] for outcome in OUTCOMES},
                "reviews": {outcome: self.reviews[outcome] for outcome in OUTCOMES},
                "parts": {outcome: self.parts[outcome] for outcome in OUTCOMES},
                "events": self.events,
            },
            "tokens": [
                f"{topic}/{partition}:{position}"
                for (topic, partition), position in sorted(self.reached.items())
            ],
        }
        return encode_json(told) + b"\n"


class Intake:
    """Takes batches of lines into the log. Without `media` nobody has files."""

    def __init__(
        self,
        log: Log,
        policies: Policies,
        keys: KeyStore,
        now: Callable[[], datetime],
        media: MediaStore | None = None,
    ) -> None:
        self._log = log
        self._policies = policies
        self._keys = keys
        self._now = now
        self._media = media
        self._places = Places(DECIDING_MAX, DECIDING_OF_ONE_MAX)

    async def take(self, batch: Sequence[Numbered], teller: Teller, tally: UploadTally) -> bytes:
        """Decides and appends a batch; the answers, a line for each of its lines."""
        async with self._places.one(teller.orders.id):
            # Not before: what is decoded takes some times as much as what came.
            lines = [self._decoded(each) for each in batch]
            keys = await keys_of_writers(lines, self._keys)
            told = await self._append(lines, keys, teller, tally)
        for each in told:
            tally.count(each)
        return b"".join(
            _answer(numbered.number, line, outcome)
            for numbered, line, outcome in zip(batch, lines, told, strict=True)
        )

    def _decoded(self, numbered: Numbered) -> Line | RefusedLine:
        text = numbered.text
        if isinstance(text, Refused):
            return RefusedLine(why=text)
        return decode_line(text, self._now())

    async def _append(
        self,
        lines: Sequence[Line | RefusedLine],
        keys: Mapping[str, PersonKey],
        teller: Teller,
        tally: UploadTally,
    ) -> list[LineTold]:
        """Decides again when others were first on a stream; in the end line by line.

        A line that others never leave alone is refused, and one whose order has an event that
        this release cannot read; the upload goes on.
        """
        refused: Refused = ConcurrentChange()
        for _ in range(ATTEMPTS_MAX):
            besides = Besides(keys, await find_files(lines, self._media))
            try:
                async with self._log.transaction() as log:
                    decisions = Decisions(log)
                    told = await decide_lines(
                        lines, decisions, self._policies, teller, self._now(), besides=besides
                    )
                    await refer_files(lines, told, besides, self._media, log)
                    recorded = await decisions.append()
            except (VersionConflict, InvalidValue):  # others were first, or a file has just gone
                continue
            except OF_A_LATER_RELEASE:
                refused = Unavailable()
                break
            tally.count_events(recorded)
            return told
        if len(lines) == 1:
            return [refuse(lines[0], refused)]
        half = len(lines) // 2
        return [
            *await self._append(lines[:half], keys, teller, tally),
            *await self._append(lines[half:], keys, teller, tally),
        ]


async def find_files(
    lines: Iterable[Line | RefusedLine], media: MediaStore | None
) -> Mapping[str, MediaFile]:
    """All that reviews in these lines name, in one round trip."""
    named = {each for line in lines if isinstance(line, Line) for each in files_named(line)}
    return await media.find(named) if media and named else {}


async def refer_files(
    lines: Sequence[Line | RefusedLine],
    told: Sequence[LineTold],
    besides: Besides,
    media: MediaStore | None,
    log: Log,
) -> None:
    """The files that are recorded stay. Raises `InvalidValue` for one that has gone meanwhile."""
    if media is None or not besides.files:
        return
    needed = {
        file
        for line, each in zip(lines, told, strict=True)
        if isinstance(line, Line) and each.order != "refused"
        for file in files_of(line, each, besides)
    }
    if needed:
        await media.refer(needed, database_of(log))


def files_of(line: Line, told: LineTold, besides: Besides) -> Iterator[str]:
    """Those that something recorded here refers to from now on."""
    for review, became in zip(line.reviews, told.reviews, strict=True):
        if isinstance(review, RefusedReview):
            continue
        owner = person_on(review.by, line.order)
        if became.outcome == "accepted":
            yield from (file.media_id for file in besides.clean(review.media, owner))
        if isinstance(added := review.parts.get("follow_up"), FollowedUp):
            yield from (file.media_id for file in besides.clean(added.media, owner))


def files_named(line: Line) -> Iterator[str]:
    """All that its reviews name."""
    for review in line.reviews:
        if isinstance(review, SoundReview):
            yield from review.media
            if isinstance(added := review.parts.get("follow_up"), FollowedUp):
                yield from added.media


async def keys_of_writers(
    lines: Iterable[Line | RefusedLine], keys: KeyStore
) -> Mapping[str, PersonKey]:
    """The keys of all who write something, in one round trip."""
    wanted = {who for line in lines if isinstance(line, Line) for who in writers(line)}
    return await keys.keys_of(wanted) if wanted else {}


def counts_about(line: Line) -> datetime:
    """When the reviews of an order begin to count, more or less."""
    completed = line.life.completed
    return completed.at if completed else line.order.placed_at


async def decide_lines(
    lines: Sequence[Line | RefusedLine],
    decisions: Decisions,
    policies: Policies,
    teller: Teller,
    now: datetime,
    *,
    besides: Besides,
) -> list[LineTold]:
    """Decides lines in turn, each on what the ones before left.

    In the transaction of the append: who has reviewed whom is kept for the lines that come next,
    and each review is found from then on.
    """
    read = [line for line in lines if isinstance(line, Line)]
    await decisions.read(stream for line in read for stream in streams_of(line))
    parties = {line.order_id: Parties.of(line.order) for line in read}
    db = database_of(decisions.log)
    if db is not None:
        await lock_pairs(((each.buyer_id, each.seller_id) for each in parties.values()), db)
    facts = await read_facts(parties, {line.order_id: counts_about(line) for line in read}, db)
    told: list[LineTold] = []
    for number, line in enumerate(lines, 1):
        told.append(
            refuse(line, line.why)
            if isinstance(line, RefusedLine)
            else tell(line, decisions, policies, teller, now, facts=facts, besides=besides)
        )
        if number % LINES_AT_ONCE == 0:
            await asyncio.sleep(0)
    await write_pairs(decisions.planned, db)
    await write_reviews(decisions.planned, db)
    return told


def _answer(number: int, line: Line | RefusedLine, told: LineTold) -> bytes:
    answer = LineAnswer(
        line=number,
        order_id=line.order_id,
        order=told.order,
        problem=_problem(told.problem),
        reviews=[
            ReviewAnswer(
                by=review.by,
                outcome=review.outcome,
                problem=_problem(review.problem),
                parts=[
                    PartAnswer(part=part.name, outcome=part.outcome, problem=_problem(part.problem))
                    for part in review.parts
                ],
            )
            for review in told.reviews
        ],
    )
    return encode_json(answer) + b"\n"


def _problem(refused: Refused | None) -> dict[str, object] | None:
    return None if refused is None else problem_body(refused)
