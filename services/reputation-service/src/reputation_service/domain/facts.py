"""What is folded: observations as facts with a version, and the facts about one order.

Instants are integer microseconds and days integer days since 1970-01-01, both UTC. Tuples, not
dataclasses: a replay makes millions of them.
"""

from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
DAY_MICROS: Final = 86_400_000_000
K_MAX = 4


class Origin(NamedTuple):
    """Where in the log the fact stands."""

    topic: str
    partition: int
    position: int


NOWHERE: Final = Origin("", 0, 0)


class Fact(NamedTuple):
    """One version of one observation. Of an entity, only the highest version counts."""

    seller_id: str
    dimension: str
    entity_id: str
    version: int
    day: int
    weight_milli: int
    k: int
    recorded_at: int
    reasons: tuple[str, ...] = ()
    origin: Origin = NOWHERE


type OrderFactKind = Literal["COMPLETED", "REOPENED", "DISPUTE_OPENED", "DISPUTE_WITHDRAWN"]


class OrderFact(NamedTuple):
    """One of the facts that decide whether an order passed without a dispute.

    `ref` is the completion number or the dispute's id; `day` matters for COMPLETED alone.
    """

    seller_id: str
    order_id: str
    kind: OrderFactKind
    ref: int | str
    day: int
    recorded_at: int
    origin: Origin = NOWHERE


type Observed = Fact | OrderFact


class ConflictingFact(Exception):  # noqa: N818 - the name says what was met
    """Two different facts claim to be the same version: the contract is broken, park the key."""

    def __init__(self, held: Observed, other: Observed) -> None:
        super().__init__(f"{held} and {other}")
        self.held = held
        self.other = other


def micros(instant: datetime) -> int:
    """An aware instant as microseconds since 1970-01-01, exactly."""
    return (instant - EPOCH) // MICROSECOND


def instant(instant_micros: int) -> datetime:
    """Microseconds since 1970-01-01 as an aware instant, exactly."""
    return EPOCH + instant_micros * MICROSECOND


def day_of(instant_micros: int) -> int:
    """The UTC day of an instant."""
    return instant_micros // DAY_MICROS
