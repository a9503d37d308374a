"""A file of refund vectors in, the differences between it and what the service decides out.

Everything is decided by the service's own rules: there is no second implementation here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from returns_service.domain.ledger_rules import LEDGERS
from returns_service.domain.ledger_state import LedgerState, Refund, Unopened
from returns_service.domain.policy import Policies
from returns_service.domain.totals import outside_of_no_unit
from shared_casework.order_facts import OrderFacts
from shared_events.registry import name_of
from shared_events.returns import RefundEvent, RefundOverpaid
from shared_runtime.decider import Refused

from shared_cli.checked import Checked, Expectation, checked
from shared_cli.refund_command import Fields, order_of, policies_of, sent

COMPARED = ("ceiling_minor", "currency", "refund_ids", "existing_id")
"""Of a refusal, where shown."""
ABSENT = (
    "clipped_from_minor",
    "remedy_id",
    "reissues",
    "retry_at",
    "reason",
    "difference_minor",
    "late",
    "outside_id",
)
"""What is not there in a vector is not to be there."""
SETS = ("refund_ids", "units")
BY_UNIT = ("RefundRequested", "RefundIssued")
"""Their units are compared by their amounts, those at 0 left out."""


NOT_DUE = ("RefundNotDue", "RemedyAlreadyMet")


class Step(Struct, frozen=True):
    command: dict[str, Any]
    events: list[dict[str, Any]] | None = None
    refusal: dict[str, Any] | None = None
    left: dict[str, Any] | None = None


class Ceiling(Struct, frozen=True):
    units: list[str]
    ceiling_minor: int


class AtEnd(Struct, frozen=True):
    refunds: dict[str, str]
    settled_minor: int
    outside_minor: int
    overpaid_minor: int
    ceilings: list[Ceiling]


class Case(Struct, frozen=True):
    name: str
    order: dict[str, Any]
    steps: list[Step]
    at_end: AtEnd
    policy: dict[str, Any] | None = None


class CasesFile(Struct, frozen=True):
    policy: dict[str, Any]
    cases: list[Case]


class Life(Struct):
    """What has become of a ledger so far."""

    known: Policies
    order: OrderFacts
    state: LedgerState = Unopened()
    overpaid_minor: int = 0

    def answer(self, told: Fields) -> list[RefundEvent] | Refused:
        """What comes of a command now."""
        try:
            return LEDGERS.decide(self.state, sent(told, self.known, self.order))
        except Refused as refused:
            return refused

    def record(self, events: Iterable[RefundEvent]) -> None:
        for event in events:
            self.state = LEDGERS.evolve(self.state, event)
            if isinstance(event, RefundOverpaid):
                self.overpaid_minor += event.amount_minor


def check_file(path: Path) -> Checked:
    """Decides everything that a vector file expects. Raises NotAVectorFile."""
    return checked(path, expectations)


def expectations(data: dict[str, Any]) -> Iterator[Expectation]:
    file = msgspec.convert(data, CasesFile)
    for case in file.cases:
        life = Life(known=policies_of(case.policy or file.policy), order=order_of(case.order))
        taken: list[tuple[str, Fields]] = []
        for number, step in enumerate(case.steps, start=1):
            where = f"{case.name}, step {number} {step.command['type']}"
            told = with_attempt(step.command, life.state)
            given = life.answer(told)
            yield from of_step(where, step, given, besides_in(life.state))
            if not isinstance(given, Refused):
                taken.append((where, told))
                life.record(given)
            yield from left_after(where, step, life.state)
        yield from of_end(case, life)
        for where, told in taken:
            again = life.answer(told)
            yield f"{where} again", [], [] if isinstance(again, Refused) else in_words(again)


def with_attempt(told: Fields, state: LedgerState) -> Fields:
    """The word of a gateway is about the attempt that is under way."""
    refunds: Mapping[str, Refund] = {} if isinstance(state, Unopened) else state.refunds
    refund = refunds.get(told.get("refund_id", ""))
    return {"attempt": refund.attempt if refund else 1, **told}


def in_words(given: list[RefundEvent] | Refused) -> list[str] | str:
    return given.slug() if isinstance(given, Refused) else [name_of(type(each)) for each in given]


def besides_in(state: LedgerState) -> list[str]:
    return [] if isinstance(state, Unopened) else outside_of_no_unit(state)


def of_step(
    where: str, step: Step, given: list[RefundEvent] | Refused, besides: Sequence[str]
) -> Iterator[Expectation]:
    if step.refusal is not None:
        yield where, step.refusal["name"], in_words(given)
        if isinstance(given, Refused):
            members: Fields = msgspec.to_builtins(given.members())
            for name in COMPARED:
                if name in step.refusal:
                    told = compared(name, step.refusal[name])
                    yield f"{where}.{name}", told, compared(name, members.get(name))
        return
    told = step.events or []
    yield where, [event["type"] for event in told], in_words(given)
    if isinstance(given, Refused):
        return
    for number, (event, computed) in enumerate(zip(told, given, strict=False), start=1):
        at = f"{where}, event {number} {event['type']}"
        yield from of_event(at, event, without(besides, event, msgspec.to_builtins(computed)))


def without(besides: Sequence[str], told: Fields, computed: Fields) -> Fields:
    """Of what is not due, the ledger also names outside money of no unit that leaves nothing of the
    order, so that it is found once that is taken back; the vectors name it where nothing else gave.
    And it says what was to be reissued, of which the vectors know nothing.
    """
    if told["type"] not in NOT_DUE:
        return computed
    expected: list[str] = told["refund_ids"]
    names = [each for each in computed["refund_ids"] if each in expected or each not in besides]
    return {**computed, "refund_ids": names, "reissues": None}


def of_event(where: str, told: Fields, computed: Fields) -> Iterator[Expectation]:
    absent = {*ABSENT} & computed.keys()
    if computed.get("proof_ref"):
        absent -= {"kind", "code"}
    for name in sorted((told.keys() - {"type"}) | absent):
        if told["type"] in BY_UNIT and name == "units":
            yield f"{where}.units", by_unit(told[name]), by_unit(computed[name])
        else:
            expected = compared(name, told.get(name))
            yield f"{where}.{name}", expected, compared(name, computed.get(name))


def by_unit(units: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    return {each["unit"]: each["amount_minor"] for each in units if each["amount_minor"]}


def compared(name: str, value: Any) -> Any:  # noqa: ANN401 - of any type
    """Lists whose order says nothing in one order."""
    if name not in SETS or value is None:
        return value
    each: Sequence[Any] = [*value]
    return sorted(each, key=in_bytes)


def in_bytes(value: Any) -> bytes:  # noqa: ANN401 - of any type
    return msgspec.json.encode(value, order="sorted")


def left_after(where: str, step: Step, state: LedgerState) -> Iterator[Expectation]:
    if step.left is None or isinstance(state, Unopened):
        return
    remaining = state.remaining
    yield f"{where}, left of units", step.left["units"], dict(remaining.units)
    for name in ("shipping_minor", "order_minor"):
        yield f"{where}, left.{name}", step.left[name], getattr(remaining, name)


def of_end(case: Case, life: Life) -> Iterator[Expectation]:
    where, told, state = f"{case.name}, at the end", case.at_end, life.state
    if isinstance(state, Unopened):
        return
    stand = {refund_id: refund.status for refund_id, refund in state.refunds.items()}
    yield f"{where}, refunds", told.refunds, stand
    yield f"{where}, settled_minor", told.settled_minor, state.refunded_minor
    yield f"{where}, outside_minor", told.outside_minor, state.outside_minor
    yield f"{where}, overpaid_minor", told.overpaid_minor, life.overpaid_minor
    for asked in told.ceilings:
        ceiling = state.remaining.ceiling_minor(asked.units)
        yield f"{where}, ceiling of {', '.join(asked.units)}", asked.ceiling_minor, ceiling
