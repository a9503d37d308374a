"""A vector file in, the differences between what it expects and what this release computes out.

Everything is computed with the service's own observations, fold and read: there is no second
implementation here. Files say what they are by their keys; see `FORMATS`.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import msgspec
from reputation_service.domain import observations
from reputation_service.domain.decay import decay_table, is_nearest
from reputation_service.domain.facts import ConflictingFact, OrderFact, OrderFactKind
from reputation_service.domain.policy import DIMENSIONS, HALF_LIFE_DAYS_MAX, STARS

from shared_cli.checked import Checked, Expectation, NotAVectorFile, checked
from shared_cli.vector_case import CaseFile, expectations

ORDER_FACT_KINDS: dict[str, OrderFactKind] = {
    "OrderCompleted": "COMPLETED",
    "OrderReopened": "REOPENED",
    "DisputeOpened": "DISPUTE_OPENED",
    "DisputeWithdrawn": "DISPUTE_WITHDRAWN",
    "DisputeClosed": "DISPUTE_WITHDRAWN",
}

type AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]


class DecayFile(msgspec.Struct, frozen=True):
    half_life_days: Annotated[int, msgspec.Meta(ge=1, le=HALF_LIFE_DAYS_MAX)]
    sha256: str
    weights: list[int] = msgspec.field(name="W")


class ObservationsFile(msgspec.Struct, frozen=True):
    """Rows of [t, S, h, k]."""

    rows: list[tuple[int, AtLeastOne, int, int]]


class Slas(msgspec.Struct, frozen=True):
    dispute: AtLeastOne
    returns: AtLeastOne


class OrderFactRow(msgspec.Struct, frozen=True):
    type: str
    recorded_at: int
    completion_no: int = 0
    dispute_id: str = ""
    day: int = 0


class OrderRow(msgspec.Struct, frozen=True):
    facts: list[OrderFactRow]
    expect: list[tuple[int, tuple[int, int, int] | None]]


class EventsFile(msgspec.Struct, frozen=True):
    """Rows of [type, data, contributions], and orders."""

    sla_seconds: Slas
    events: list[tuple[str, dict[str, Any], list[tuple[str, str, int, int, int]]]]
    orders: list[OrderRow]


class ReviewData(msgspec.Struct, frozen=True):
    review_id: str
    seq: int
    side: str
    weight_milli: int
    excluded_dimensions: list[str] = []
    quality: int | None = None
    logistics: int | None = None
    service: int | None = None


class InquiryData(msgspec.Struct, frozen=True):
    inquiry_id: str
    reason: str
    answered: bool
    sla_seconds: AtLeastOne
    response_seconds: int | None = None


class DisputeData(msgspec.Struct, frozen=True):
    dispute_id: str
    how: str
    liable: str
    resolved_by_seller: bool
    seller_fault_pct: int
    first_response_seconds: int | None = None


class ReturnData(msgspec.Struct, frozen=True):
    return_id: str
    kind: str
    resolution: str
    timely: bool
    forced: bool
    decision_seconds: int | None = None
    remedy_id: str | None = None


def check_file(path: Path) -> Checked:
    """Computes every value that a vector file expects. Raises NotAVectorFile."""
    try:
        return checked(path, _expectations)
    except ConflictingFact as failure:
        raise NotAVectorFile(f"{path}: {failure}") from failure


def _expectations(data: dict[str, Any]) -> Iterable[Expectation]:
    for keys, check in FORMATS:
        if keys <= data.keys():
            return check(data)
    raise msgspec.ValidationError("no vector file: neither a case nor a table")


def _case(data: dict[str, Any]) -> Iterable[Expectation]:
    return expectations(msgspec.convert(data, CaseFile))


def _decay(data: dict[str, Any]) -> Iterable[Expectation]:
    file = msgspec.convert(data, DecayFile)
    table = decay_table(file.half_life_days, len(file.weights))
    digest = sha256("".join(f"{weight}\n" for weight in table).encode())
    yield "sha256", file.sha256, digest.hexdigest()
    for age, (expected, computed) in enumerate(zip(file.weights, table, strict=True)):
        yield f"W[{age}]", expected, computed
        yield f"W[{age}] proved", True, is_nearest(expected, file.half_life_days, age)


def _observations(data: dict[str, Any]) -> Iterable[Expectation]:
    file = msgspec.convert(data, ObservationsFile)
    for seconds, sla, halves, k in file.rows:
        where = f"promptness(t={seconds}, S={sla}, h={halves})"
        yield where, k, observations.promptness(seconds, sla, halves)


def _events(data: dict[str, Any]) -> Iterable[Expectation]:
    file = msgspec.convert(data, EventsFile)
    for number, (name, fields, expected) in enumerate(file.events):
        said = _contributions(name, fields, file.sla_seconds)
        computed = [list(each[:5]) for each in said if each.dimension in DIMENSIONS]
        yield f"events[{number}] {name}", [list(each) for each in expected], computed
    for number, row in enumerate(file.orders):
        facts = [_order_fact(fact) for fact in row.facts]
        for as_of, worth in row.expect:
            found = observations.order(fact for fact in facts if fact.recorded_at <= as_of)
            where = f"orders[{number}] as of {as_of}"
            yield where, worth and list(worth), found and list(found[:3])


def _contributions(
    name: str, fields: dict[str, Any], slas: Slas
) -> Sequence[observations.Contribution]:
    match name:
        case "ReviewWeighted":
            return _review(msgspec.convert(fields, ReviewData))
        case "InquiryClosed":
            inquiry = msgspec.convert(fields, InquiryData)
            return observations.inquiry(**msgspec.structs.asdict(inquiry))
        case "DisputeClosed":
            dispute = msgspec.convert(fields, DisputeData)
            return observations.dispute(**msgspec.structs.asdict(dispute), sla_seconds=slas.dispute)
        case "ReturnClosed":
            closed = msgspec.convert(fields, ReturnData)
            return observations.closed_return(
                **msgspec.structs.asdict(closed), sla_seconds=slas.returns
            )
        case _:
            raise msgspec.ValidationError(f"no event that a score reads: {name}")


def _review(data: ReviewData) -> list[observations.Contribution]:
    if data.side != "BUYER":
        return []  # about the buyer, not the seller
    given = (data.quality, data.logistics, data.service)
    return observations.review(
        review_id=data.review_id,
        seq=data.seq,
        weight_milli=data.weight_milli,
        stars=dict(zip(STARS, given, strict=True)),
        excluded=data.excluded_dimensions,
    )


def _order_fact(row: OrderFactRow) -> OrderFact:
    kind = ORDER_FACT_KINDS.get(row.type)
    if kind is None:
        raise msgspec.ValidationError(f"no fact about an order: {row.type}")
    ref = row.dispute_id or row.completion_no
    return OrderFact("", "", kind, ref, row.day, row.recorded_at)


FORMATS: list[tuple[set[str], Callable[[dict[str, Any]], Iterable[Expectation]]]] = [
    ({"policy", "queries"}, _case),
    ({"W", "half_life_days", "sha256"}, _decay),
    ({"events", "orders", "sla_seconds"}, _events),
    ({"rows"}, _observations),
]
