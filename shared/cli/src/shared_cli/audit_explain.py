"""The answer to "why this score?" in, a table of the events behind it out."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from rich.table import Table

MICRO = 1_000_000
NANO_OF_A_MICRO_POINT = 10  # 10^-9 of a mean are a tenth of a micro-point of 100
MICRO_POINTS = 100  # 10^-6 of a mean are a hundred of them
FULL_MILLI = 1000


class Event(Struct, frozen=True, kw_only=True):
    topic: str
    partition: int
    position: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}:{self.position}"


class Fact(Struct, frozen=True, kw_only=True):
    """What one event says: `weight_milli` of 1000 for `k` of 4."""

    entity_id: str
    dimension: str
    weight_milli: int
    k: int
    reasons: list[str]
    event: Event


class Share(Fact, frozen=True, kw_only=True):
    share_micro: int


class Dimension(Struct, frozen=True, kw_only=True):
    weight_milli: int
    prior_mean_micro: int
    mean_nano: int
    caution_nano: int
    total_micro: int
    events: int
    shares: list[Share]
    rest_micro: int


class Raise(Struct, frozen=True, kw_only=True):
    goal: str
    five_star_reviews: int | None


class Explanation(Struct, frozen=True, kw_only=True):
    """What is shown here of the service's answer; `--json` shows all of it."""

    seller_id: str
    policy_id: str
    as_of: datetime
    score_micro: int
    dimensions: dict[str, Dimension]
    excluded_events: int
    excluded: list[Fact]
    reduced_events: int
    reduced: list[Fact]
    what_would_raise: Raise | None


def points(micro: int) -> str:
    """Micro-points as points of 100, all digits: 61245383 is 61.245383."""
    whole, rest = divmod(abs(micro), MICRO)
    return f"{'-' if micro < 0 else ''}{whole}.{rest:06}"


def headline(found: Explanation) -> str:
    return (
        f"{found.seller_id}: {points(found.score_micro)} as of {found.as_of:%Y-%m-%dT%H:%M:%S.%fZ} "
        f"by policy {found.policy_id}"
    )


def dimensions_table(found: Explanation) -> Table:
    """How the means of the dimensions come about, in points of 100."""
    table = _table("dimension", "weight", "prior", "events' shares", "mean", "caution", "events")
    for name, dimension in found.dimensions.items():
        table.add_row(
            name,
            f"{dimension.weight_milli / FULL_MILLI:.3f}",
            points(MICRO_POINTS * dimension.prior_mean_micro),
            f"{'+' if dimension.total_micro > 0 else ''}{points(dimension.total_micro)}",
            points(dimension.mean_nano // NANO_OF_A_MICRO_POINT),
            points(-dimension.caution_nano // NANO_OF_A_MICRO_POINT),
            str(dimension.events),
        )
    return table


def shares_table(found: Explanation) -> Table:
    """The events of every dimension that move its mean most; the last row is all the others."""
    table = _table("dimension", "of", "event", "weight", "k of 4", "share in points", left=3)
    for name, dimension in found.dimensions.items():
        for share in dimension.shares:
            table.add_row(
                name,
                share.entity_id,
                str(share.event),
                str(share.weight_milli),
                str(share.k),
                points(share.share_micro),
            )
        if others := dimension.events - len(dimension.shares):
            table.add_row(name, f"{others} others", "", "", "", points(dimension.rest_micro))
    return table


def facts_table(facts: Sequence[Fact]) -> Table:
    """Events that count less than others, and why."""
    table = _table("dimension", "of", "event", "why", "weight", left=4)
    for fact in facts:
        reasons = ", ".join(fact.reasons)
        table.add_row(
            fact.dimension, fact.entity_id, str(fact.event), reasons, str(fact.weight_milli)
        )
    return table


def advice(found: Raise | None) -> str:
    if found is None:
        return "Nothing is above this level."
    if found.five_star_reviews is None:
        return f"Reviews alone do not reach {found.goal}."
    return f"{found.five_star_reviews} full reviews of five stars more reach {found.goal}."


def _table(*columns: str, left: int = 1) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number < left else "right", no_wrap=True)
    return table
