"""A file of vectors of accounts and cases in, the differences between it and what the service
decides out.

Everything is decided by the service's own rules: there is no second implementation here.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from reputation_service.domain.account_rules import ACCOUNTS
from reputation_service.domain.account_state import Account
from reputation_service.domain.case_rules import CASES
from reputation_service.domain.case_state import Case
from reputation_service.domain.measures import in_force
from reputation_service.domain.points_policy import Policies
from shared_events.common import StatementOfReasonsIssued
from shared_events.registry import name_of
from shared_events.reputation import MeasureApplied, MeasureLifted
from shared_runtime.decider import Refused

from shared_cli.checked import Checked, Expectation, checked
from shared_cli.points_command import Fields, policies_of, sent

COMPARED = ("closed_at", "eligible_from", "missing", "ground", "state")
"""Of a refusal, where shown."""
ABSENT = ("credit_until", "severity", "opened_by")
"""What is not there in a vector is not to be there."""
MEASURES = (MeasureApplied, MeasureLifted)
MEASURE_NAMES = ("MeasureApplied", "MeasureLifted")
STATEMENT = "StatementOfReasonsIssued"
OF_SUSPENSION = ("ends_at", "cause_id")
ONCE = ("ApplyPenalty", "ReversePenalty", "ExpirePenalty", "ExpireCredit")
"""Sent again, they add no event."""


class Step(Struct, frozen=True):
    command: dict[str, Any]
    events: list[dict[str, Any]] | None = None
    refusal: dict[str, Any] | None = None
    state: dict[str, Any] | None = None


class PointsCase(Struct, frozen=True):
    name: str
    stream: str
    account_kind: str
    account_id: str
    steps: list[Step]
    policy: dict[str, Any] | None = None
    as_of: list[dict[str, Any]] = []

    @property
    def whose(self) -> Fields:
        return {"account_kind": self.account_kind, "account_id": self.account_id}


class CasesFile(Struct, frozen=True):
    policy: dict[str, Any]
    cases: list[PointsCase]


class Life(Struct):
    """What has become of an account or a case so far: its events, each with its instant."""

    known: Policies
    decider: Any
    whose: Fields
    state: Any
    events: list[tuple[datetime, Any]] = []

    def state_at(self, until: datetime) -> Any:  # noqa: ANN401 - of either kind
        return self.decider.fold(event for at, event in self.events if at <= until)

    def answer(self, told: Fields) -> list[Any] | Refused:
        """What comes of a command now."""
        state = self.state
        account = state if isinstance(state, Account) else None
        try:
            events: list[Any] = self.decider.decide(
                state, sent(told, self.known, self.whose, account)
            )
        except Refused as refused:
            return refused
        return events

    def record(self, at: datetime, events: Sequence[Any]) -> None:
        for event in events:
            self.state = self.decider.evolve(self.state, event)
            self.events.append((at, event))


def check_file(path: Path) -> Checked:
    """Decides everything that a vector file expects. Raises NotAVectorFile."""
    return checked(path, expectations)


def expectations(data: dict[str, Any]) -> Iterator[Expectation]:
    file = msgspec.convert(data, CasesFile)
    for case in file.cases:
        decider = ACCOUNTS if case.stream == "account" else CASES
        known = policies_of(case.policy or file.policy)
        life = Life(known=known, decider=decider, whose=case.whose, state=decider.initial)
        for number, step in enumerate(case.steps, start=1):
            where = f"{case.name}, step {number} {step.command['type']}"
            yield from of_step(where, step, life)
        for asked in case.as_of:
            yield from as_of(f"{case.name}, as of {asked['at']}", asked, life)


def of_step(where: str, step: Step, life: Life) -> Iterator[Expectation]:
    given = life.answer(step.command)
    if step.refusal is not None:
        yield where, step.refusal["name"], in_words(given)
        if isinstance(given, Refused):
            yield from of_refusal(where, step.refusal, given)
        return
    if isinstance(given, Refused):
        yield where, names(step.events or []), in_words(given)
        return
    yield from of_events(where, step.events or [], given, life)
    at = msgspec.convert(step.command["now"], datetime)
    life.record(at, given)
    if step.state is not None:
        yield from of_state(where, step.state, life, at)
    if step.command["type"] in ONCE:
        yield f"{where} again", [], in_words(life.answer(step.command))


def of_refusal(where: str, told: Fields, given: Refused) -> Iterator[Expectation]:
    members: Fields = msgspec.to_builtins(given.members())
    for name in COMPARED:
        if name in told:
            yield f"{where}.{name}", told[name], members.get(name)


def of_events(
    where: str, told: list[dict[str, Any]], given: list[Any], life: Life
) -> Iterator[Expectation]:
    """In their order, but for the measures, which have none, and the statements, which are
    counted.
    """
    first = [each for each in told if each["type"] not in (*MEASURE_NAMES, STATEMENT)]
    computed = [
        each for each in given if not isinstance(each, (*MEASURES, StatementOfReasonsIssued))
    ]
    yield where, names(first), in_words(computed)
    for number, (event, decided) in enumerate(zip(first, computed, strict=False), start=1):
        at = f"{where}, event {number} {event['type']}"
        fields = msgspec.to_builtins(decided)
        for name in sorted((event.keys() - {"type"}) | ({*ABSENT} & fields.keys())):
            yield f"{at}.{name}", event.get(name), fields.get(name)
    measures = [each for each in told if each["type"] in MEASURE_NAMES]
    changed = [each for each in given if isinstance(each, MEASURES)]
    yield (
        f"{where}, measures",
        sorted(of_measure(each) for each in measures),
        sorted(of_measure({"type": name_of(type(each)), **as_told(each)}) for each in changed),
    )
    yield f"{where}, lifts what is in force", [], unknown(changed, life)
    statements = [each for each in told if each["type"] == STATEMENT]
    issued = [each for each in given if isinstance(each, StatementOfReasonsIssued)]
    yield (
        f"{where}, statements",
        [[each["recipient_role"], each["recipient_id"]] for each in statements],
        [[each.recipient_role, each.recipient_id] for each in issued],
    )


def of_measure(told: Fields) -> list[Any]:
    """What is compared of it: of a suspension also its end and its ground."""
    more = OF_SUSPENSION if told["measure"] == "SUSPENSION" else ()
    names_ = ("type", "measure", "reason", "starts_at", *more)
    return [str(told[name]) if told.get(name) is not None else "" for name in names_]


def as_told(event: Struct) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(event)
    fields.pop("type")
    return fields


def unknown(changed: Sequence[MeasureApplied | MeasureLifted], life: Life) -> list[str]:
    """Measures that are lifted and were not in force."""
    state = life.state
    held = {*state.measures} if isinstance(state, Account) else set[str]()
    lifted = {each.measure_id for each in changed if isinstance(each, MeasureLifted)}
    applied = {each.measure_id for each in changed if isinstance(each, MeasureApplied)}
    return sorted(lifted - held - applied)


def of_state(where: str, told: Fields, life: Life, at: datetime) -> Iterator[Expectation]:
    state = life.state
    if isinstance(state, Case):
        yield f"{where}, status", told["status"], state.status
        return
    assert isinstance(state, Account)
    policy = life.known.of(state.opened.policy_version)
    computed = {
        "balance": state.ledger.balance(at),
        "active_points": state.ledger.active_points(at),
        "level": state.level,
        "public_level": state.public_level(at, policy),
        "status": state.status,
        "measures": sorted(each.measure for each in state.measures.values()),
    }
    for name in sorted(told):
        yield f"{where}, state.{name}", told[name], computed[name]


def as_of(where: str, asked: Fields, life: Life) -> Iterator[Expectation]:
    """By what was recorded until then; of the balance also by all that is recorded now."""
    at = msgspec.convert(asked["at"], datetime)
    then, now = life.state_at(at), life.state
    assert isinstance(then, Account)
    assert isinstance(now, Account)
    policy = life.known.of(then.opened.policy_version)
    yield f"{where}, balance", asked["balance"], now.ledger.balance(at)
    yield f"{where}, balance known then", asked["balance"], then.ledger.balance(at)
    yield f"{where}, active_points", asked["active_points"], now.ledger.active_points(at)
    yield f"{where}, level", asked["level"], now.real_level(at, policy)
    yield f"{where}, measures", asked["measures"], in_force(then, at, policy)


def names(told: Sequence[Fields]) -> list[str]:
    return [each["type"] for each in told]


def in_words(given: list[Any] | Refused) -> list[str] | str:
    if isinstance(given, Refused):
        return given.slug()
    events: list[Struct] = given
    return [name_of(type(each)) for each in events]
