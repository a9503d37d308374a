"""A file of requests for returns in, the differences between it and what the service's own tables
make of them out.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import msgspec
from msgspec import Struct
from returns_service.domain.known import BuyerFacts
from returns_service.domain.lanes import Request, by_silence, decided, payer_of, sending
from returns_service.domain.policy import ReturnsPolicy
from returns_service.domain.rule_table import Match
from returns_service.domain.tables import SELLERS_FAULT, ReturnMeasure, Verdict
from shared_events.dispute import Liable
from shared_events.returns import ReturnKind, ReturnReason, Reviewer, Wants

from shared_cli.checked import Checked, Expectation, checked

NOW = datetime(2025, 3, 3, 12, tzinfo=UTC)
"""When they are asked for: nothing depends on it."""
DAYS = "_days"
MILLI = ("return.claim_silence_max",)


class VectorRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request as a vector has it. `wants` and amounts: of a claim; `liable` and whose fault it
    is: of a remedy; `shipped`: of the order of a withdrawal.
    """

    origin: str
    kind: ReturnKind
    reason: ReturnReason
    value_ref_minor: int
    measures: frozenset[str]
    fast_returns_on_order: int
    exposure_ref_minor: int
    days_since_rejected_advance: int | None
    photo: bool
    sizes: bool
    wants: Wants = "REFUND"
    asked_minor: int | None = None
    paid_minor: int = 0
    seller_at_fault: bool | None = None
    liable: Liable = "NONE"
    shipped: bool = True

    @property
    def buyer(self) -> BuyerFacts:
        days = self.days_since_rejected_advance
        known: tuple[ReturnMeasure, ...] = get_args(ReturnMeasure.__value__)
        return BuyerFacts(
            measures=frozenset(each for each in known if each in self.measures),
            exposure_ref_minor=self.exposure_ref_minor,
            advance_rejected_at=None if days is None else NOW - timedelta(days=days),
        )

    @property
    def request(self) -> Request:
        return Request(
            origin="DISPUTE" if self.origin == "DISPUTE" else "BUYER",
            kind=self.kind,
            reason=self.reason,
            value_ref_minor=self.value_ref_minor,
            asked_at=NOW,
            buyer=self.buyer,
            fast_returns=self.fast_returns_on_order,
            photo=self.photo,
            sizes=self.sizes,
        )


class VectorRow(Struct, frozen=True):
    request: VectorRequest
    expect: dict[str, Any]


class RowsFile(Struct, frozen=True):
    policy: dict[str, int | str | frozenset[str]]
    rows: list[VectorRow]


def check_file(path: Path) -> Checked:
    """Decides everything that a vector file expects. Raises NotAVectorFile."""
    return checked(path, expectations)


def expectations(data: dict[str, Any]) -> Iterator[Expectation]:
    file = msgspec.convert(data, RowsFile)
    policy = policy_of(file.policy)
    for number, row in enumerate(file.rows, start=1):
        asked = row.request
        match = decided(asked.request, policy)
        where = f"row {number} {asked.kind} {asked.reason}"
        computed = answer(asked, match, policy)
        for name in sorted(row.expect.keys() | computed.keys()):
            yield f"{where}.{name}", row.expect.get(name), computed.get(name)
        yield f"{where}, end of the trace", match.code, match.trace[-1].partition(":")[0]


def answer(asked: VectorRequest, match: Match[Verdict], policy: ReturnsPolicy) -> dict[str, Any]:
    """All that follows from a request."""
    lane, reviewer = match.then.lane, match.then.review_by
    told: dict[str, Any] = {"matched": match.code, "authorized": lane is not None}
    if lane is not None:
        told["lane"] = lane
        if asked.kind != "CLAIM" and asked.shipped:
            told |= way_back(asked, match, policy)
        return told
    assert reviewer
    told |= reviewed(reviewer, policy) | {"seller_silent": silence(asked, policy)}
    if reviewer == "AGENT":
        told["agent_silent"] = reviewed("SELLER", policy)
    return told


def way_back(asked: VectorRequest, match: Match[Verdict], policy: ReturnsPolicy) -> dict[str, Any]:
    lane = match.then.lane
    assert lane
    at_fault = asked.seller_at_fault
    payer = payer_of(
        lane,
        asked.reason,
        policy,
        sellers_fault=asked.reason in SELLERS_FAULT if at_fault is None else at_fault,
        liable=asked.liable,
    )
    told = sending(lane, payer, NOW, policy)
    label = {} if told.label_due is None else {"label_due_days": (told.label_due - NOW).days}
    return {"label_paid_by": payer, "ship_by_days": (told.ship_by - NOW).days, **label}


def reviewed(reviewer: Reviewer, policy: ReturnsPolicy) -> dict[str, Any]:
    span = policy.return_manual_answer if reviewer == "AGENT" else policy.return_seller_answer
    return {"review_by": reviewer, "answer_days": span.days}


def silence(asked: VectorRequest, policy: ReturnsPolicy) -> dict[str, Any]:
    kind = by_silence(
        kind=asked.kind,
        reason=asked.reason,
        wants=asked.wants,
        asked_minor=asked.asked_minor,
        paid_minor=asked.paid_minor,
        buyer=asked.buyer,
        policy=policy,
    ).then
    amount = {"amount_minor": asked.asked_minor} if kind == "CLAIM" else {}
    return {"kind": kind, **amount}


def policy_of(told: Mapping[str, int | str | frozenset[str]]) -> ReturnsPolicy:
    """The policy of a file, in days, counts, words and units of the reference currency."""
    numbers: dict[str, Any] = {}
    for key, value in told.items():
        name = key.replace(".", "_")
        if name.endswith(DAYS) and isinstance(value, int):
            numbers[name.removesuffix(DAYS)] = timedelta(days=value)
        elif key in MILLI:
            numbers[f"{name}_milli"] = value
        elif key != "policy_version":
            numbers[name] = value
    version = str(told.get("policy_version", "vector"))
    try:
        return ReturnsPolicy(version=version, **numbers)
    except (TypeError, ValueError) as fault:
        raise msgspec.ValidationError(f"policy {version}: {fault}") from fault
