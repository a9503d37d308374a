"""The answer to "why this score?" in, a table of the events behind it out."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

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


def dimensions_table(found: Explanation) -> list[str]:
    """How the means of the dimensions come about, in points of 100."""
    rows = [
        (
            name,
            f"{dimension.weight_milli / FULL_MILLI:.3f}",
            points(MICRO_POINTS * dimension.prior_mean_micro),
            points(dimension.total_micro),
            points(dimension.mean_nano // NANO_OF_A_MICRO_POINT),
            points(-dimension.caution_nano // NANO_OF_A_MICRO_POINT),
            str(dimension.events),
        )
        for name, dimension in found.dimensions.items()
    ]
    header = ("dimension", "weight", "prior", "events' shares", "mean", "caution", "events")
    return table([header, *rows], left=1)


def shares_table(found: Explanation) -> list[str]:
    """The events of every dimension that move its mean most, and the sum of all the others."""
    rows = [("dimension", "of", "event", "weight", "k of 4", "share in points")]
    for name, dimension in found.dimensions.items():
        rows += [
            (
                name,
                share.entity_id,
                str(share.event),
                str(share.weight_milli),
                str(share.k),
                points(share.share_micro),
            )
            for share in dimension.shares
        ]
        if others := dimension.events - len(dimension.shares):
            rows.append((name, f"{others} others", "", "", "", points(dimension.rest_micro)))
    return table(rows, left=3)


def facts_table(facts: Sequence[Fact]) -> list[str]:
    """Events that count less than others, and why."""
    rows = [
        (
            fact.dimension,
            fact.entity_id,
            str(fact.event),
            ", ".join(fact.reasons),
            str(fact.weight_milli),
        )
        for fact in facts
    ]
    return table([("dimension", "of", "event", "why", "weight"), *rows], left=4)


def table(rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """Lines with aligned columns, the first `left` of them to the left. Nothing is cut off: what
    is not read at a terminal is searched.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if number < left else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def advice(found: Raise | None) -> str:
    if found is None:
        return "Nothing is above this level."
    if found.five_star_reviews is None:
        return f"Reviews alone do not reach {found.goal}."
    return f"{found.five_star_reviews} full reviews of five stars more reach {found.goal}."
