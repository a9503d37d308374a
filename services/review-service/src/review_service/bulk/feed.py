"""CloudEvents of the topic `marketplace.orders` in, recorded events out: the same lines again.

A line that is refused is told in the log of the process, with its place in the topic, and the
feed goes on: the marketplace's record is not ours to mend, and a later one may. A line with what
somebody wrote waits, and all of its key behind it, while the topic is kept too long for that.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec
import structlog
from msgspec import Raw, Struct
from prometheus_client import Counter
from shared_runtime.decider import Refused
from shared_runtime.delivery import Apply, Connection, Delivery, Subscription
from shared_runtime.keeping import Keeping
from shared_runtime.keys import KeyStore
from shared_runtime.log import Decisions, PostgresLog
from shared_runtime.media import MediaStore

from review_service.bulk.intake import decide_lines, find_files, keys_of_writers, refer_files
from review_service.bulk.line import Line, MalformedLine, RefusedLine, decode_line, writers
from review_service.bulk.story import Besides, LineTold, importer
from review_service.domain.policy import Policies

TOPIC = "marketplace.orders"
ORDER = "marketplace.order"
"""The `type` of the CloudEvents that are ours to read."""

log = structlog.get_logger()
refused_total = Counter("aftersales_feed_refused", "Lines of the feed refused.", ["rule"])


class CloudEvent(Struct, frozen=True):
    """What we look at; its other attributes are the producer's own."""

    type: str
    data: Raw = Raw()


_decode = msgspec.json.Decoder(CloudEvent).decode


def marketplace_feed(
    own_log: PostgresLog,
    policies: Policies,
    keys: KeyStore,
    now: Callable[[], datetime],
    media: MediaStore | None = None,
    *,
    keeping: Keeping,
) -> Subscription:
    """The orders that the marketplace announces. Without `media` nobody has files."""
    apply = _apply(own_log, policies, keys, now, media, keeping=keeping)
    return Subscription(name="marketplace", topics=(TOPIC,), apply=apply)


def _apply(
    own_log: PostgresLog,
    policies: Policies,
    keys: KeyStore,
    now: Callable[[], datetime],
    media: MediaStore | None,
    *,
    keeping: Keeping,
) -> Apply:
    teller = importer(TOPIC)

    async def apply(deliveries: Sequence[Delivery], db: Connection) -> None:
        ours = [
            (delivery, line)
            for delivery in deliveries
            if (line := _line(delivery.body, now())) is not None
        ]
        for topic in {delivery.topic for delivery, line in ours if _is_written_on(line)}:
            await keeping.check(topic)
        decisions = Decisions(own_log.within(db))
        lines = [line for _, line in ours]
        written_with = await keys_of_writers(lines, keys)
        besides = Besides(written_with, await find_files(lines, media))
        told = await decide_lines(lines, decisions, policies, teller, now(), besides=besides)
        for (delivery, _), each in zip(ours, told, strict=True):
            _tell_refusals(delivery, each)
        await refer_files(lines, told, besides, media, decisions.log)
        await decisions.append()

    return apply


def _line(body: bytes, now: datetime) -> Line | RefusedLine | None:
    """None for an event of another type."""
    try:
        event = _decode(body)
    except (ValueError, RecursionError):
        return RefusedLine(why=MalformedLine())
    return decode_line(event.data, now) if event.type == ORDER else None


def _is_written_on(line: Line | RefusedLine) -> bool:
    """Whether it has what is to be sealed."""
    return isinstance(line, Line) and any(writers(line))


def _tell_refusals(delivery: Delivery, told: LineTold) -> None:
    # A review of a refused order shares its fate: it is told once.
    reviews: list[tuple[str | None, Refused | None]] = []
    if told.problem is None:
        for review in told.reviews:
            reviews.append((review.by, review.problem))
            reviews += [(f"{review.by}/{part.name}", part.problem) for part in review.parts]
    for part, refused in (("ORDER", told.problem), *reviews):
        if refused is not None:
            refused_total.labels(refused.slug()).inc()
            log.warning(
                "told in vain",
                rule=refused.slug(),
                part=part,
                topic=delivery.topic,
                partition=delivery.partition,
                position=delivery.position,
            )
