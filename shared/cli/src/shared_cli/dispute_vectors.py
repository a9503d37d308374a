"""A file of dispute vectors in, the differences between it and what the service decides out.

Everything is decided by the service's own rules: there is no second implementation here. A file is
a list of cases, or a table of states, commands and actors.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from dispute_service.domain.dispute_state import OTHER, Dispute, DisputeState, Unopened
from dispute_service.domain.policy import Policies
from dispute_service.domain.rules import DISPUTES
from msgspec import Struct
from shared_events.common import StatementOfReasonsIssued
from shared_events.dispute import DisputeEvent
from shared_events.fields import Party
from shared_events.registry import name_of
from shared_runtime.decider import Refused

from shared_cli.checked import Checked, Expectation, checked
from shared_cli.dispute_command import Fields, policies_of, real_id, sent

OPEN = "?"
"""An answer that the text leaves open: not compared."""
UNTOLD = frozenset({"name", "fields", "allowed_roles", "state"})
"""Of a refusal these are not compared, or apart."""
ABSENT: Mapping[str, tuple[str, ...]] = {
    "DisputeOpened": ("amount_minor",),
    "ProposalMade": ("amount_minor", "answer_due", "auto_escalate_at", "held_minor"),
    "DisputeSettled": ("amount_minor",),
    "DefaultJudgementGiven": ("amount_minor",),
    "DisputeDecided": ("amount_minor",),
    "DisputeAppealDecided": ("amount_minor",),
    "DisputeFinalized": ("amount_minor",),
    "RemedyOrdered": ("amount_minor",),
    "PlatformDefaultGiven": ("amount_minor", "proposal_id"),
    "DisputeClosed": ("first_response_seconds", "outcome"),
}
"""What is not there in a vector is not to be there."""
SETS = ("evidence_ids", "lines", "missing")


class Step(Struct, frozen=True):
    command: dict[str, Any]
    events: list[dict[str, Any]] | None = None
    refusal: dict[str, Any] | None = None
    stage: str | None = None


class Case(Struct, frozen=True):
    name: str
    steps: list[Step]
    policy: dict[str, Any] | None = None


class CasesFile(Struct, frozen=True):
    policy: dict[str, Any]
    cases: list[Case]


class TableState(Struct, frozen=True):
    commands: list[dict[str, Any]]
    try_at: str


class TableFile(Struct, frozen=True):
    policy: dict[str, Any]
    actors: dict[str, str]
    states: dict[str, TableState]
    rows: list[tuple[str, str, dict[str, list[str] | str]]]


def check_file(path: Path) -> Checked:
    """Decides everything that a vector file expects. Raises NotAVectorFile."""
    return checked(path, expectations)


def expectations(data: dict[str, Any]) -> Iterable[Expectation]:
    if "cases" in data:
        return of_cases(msgspec.convert(data, CasesFile))
    return of_table(msgspec.convert(data, TableFile))


def answer(
    told: Fields, known: Policies, state: DisputeState
) -> tuple[list[DisputeEvent] | Refused, DisputeState]:
    """What comes of a command, without the statements of reasons; and the state after it."""
    try:
        events = DISPUTES.decide(state, sent(told, known, state))
    except Refused as refused:
        return refused, state
    for event in events:
        state = DISPUTES.evolve(state, event)
    return [each for each in events if not isinstance(each, StatementOfReasonsIssued)], state


def in_words(given: list[DisputeEvent] | Refused) -> list[str] | str:
    return given.slug() if isinstance(given, Refused) else [name_of(type(each)) for each in given]


# --- Cases


def of_cases(file: CasesFile) -> Iterator[Expectation]:
    for case in file.cases:
        known = policies_of(case.policy or file.policy)
        state: DisputeState = Unopened()
        for number, step in enumerate(case.steps, start=1):
            where = f"{case.name}, step {number} {step.command['type']}"
            given, state = answer(step.command, known, state)
            yield from of_step(where, step, given, state)


def of_step(
    where: str, step: Step, given: list[DisputeEvent] | Refused, state: DisputeState
) -> Iterator[Expectation]:
    if step.refusal is not None:
        yield where, step.refusal["name"], in_words(given)
        if isinstance(given, Refused):
            members: dict[str, Any] = msgspec.to_builtins(given.members())
            yield from of_refusal(where, step.refusal, members)
        return
    told = step.events or []
    yield where, [event["type"] for event in told], in_words(given)
    if isinstance(given, Refused):
        return
    for number, (event, computed) in enumerate(zip(told, given, strict=False), start=1):
        yield from of_event(f"{where}, event {number} {event['type']}", event, computed)
    if step.stage is not None:
        yield f"{where}, stage", step.stage, state.status


def of_refusal(where: str, refusal: Fields, members: Fields) -> Iterator[Expectation]:
    for name in refusal.keys() - UNTOLD:
        yield f"{where}.{name}", compared(name, refusal[name]), compared(name, members.get(name))
    if refusal["name"] == "not-yet-eligible":
        yield f"{where}.eligible_from", refusal.get("eligible_from"), members.get("eligible_from")


def of_event(where: str, told: Fields, event: DisputeEvent) -> Iterator[Expectation]:
    computed: dict[str, Any] = msgspec.to_builtins(event)
    names = (told.keys() - {"type"}) | set(ABSENT.get(told["type"], ()))
    for name in sorted(names):
        expected = compared(name, told.get(name))
        yield f"{where}.{name}", expected, compared(name, computed.get(name))


def compared(name: str, value: Any) -> Any:  # noqa: ANN401 - of any type
    """Ids as the service makes them; lists whose order says nothing in one order."""
    if isinstance(value, str):
        return real_id(value) if name.endswith("_id") else value
    if name not in SETS or value is None:
        return value
    each: Sequence[Any] = [real_id(one) if isinstance(one, str) else one for one in value]
    return sorted(each, key=in_bytes)


def in_bytes(value: Any) -> bytes:  # noqa: ANN401 - of any type
    return msgspec.json.encode(value, order="sorted")


# --- The table


def of_table(file: TableFile) -> Iterator[Expectation]:
    known = policies_of(file.policy)
    reached = {name: state_after(state, known) for name, state in file.states.items()}
    for state_name, command, answers in file.rows:
        state = reached[state_name]
        at = file.states[state_name].try_at
        for role, expected in answers.items():
            if expected == OPEN:
                continue
            actor = {"role": role, "id": file.actors[role]}
            told = {"type": command, "now": at, "actor": actor, **body(command, role, state)}
            given, _ = answer(told, known, state)
            yield f"{state_name}, {command} by {role}", expected, in_words(given)


def state_after(told: TableState, known: Policies) -> DisputeState:
    state: DisputeState = Unopened()
    for command in told.commands:
        given, state = answer(command, known, state)
        if isinstance(given, Refused):
            raise msgspec.ValidationError(f"a state's own command is refused: {given}")
    return state


def body(command: str, role: str, state: DisputeState) -> dict[str, Any]:
    """The neutral body of a command."""
    assert isinstance(state, Dispute)
    lines = [msgspec.to_builtins(line) for line in state.lines]
    side: Party = "SELLER" if role == "SELLER" else "BUYER"
    others = state.current.get(OTHER[side])
    shown = [each for each, piece in state.evidence.items() if piece.shown][:1]
    own = "s1" if side == "SELLER" else "b1"
    partial = {"outcome": "REFUND_PARTIAL", "lines": lines, "liable": "SELLER"}
    decision = partial | {
        "amount_minor": 3000,
        "seller_fault_pct": 100,
        "rule_ids": ["RU-7"],
        "evidence_ids": shown,
        "explanation": "because",
    }
    appeal = state.appeals.get(OTHER[side])
    bodies: dict[str, dict[str, Any]] = {
        "Propose": partial | {"amount_minor": 1000, "proposal_id": "p-new"},
        "AcceptProposal": {"proposal_id": others.proposal_id if others else "none"},
        "RejectProposal": {"proposal_id": others.proposal_id if others else "none"},
        "MakeBlindOffer": {"amount_minor": 100 if side == "SELLER" else 9000},
        "AddDisputeMessage": {"message_id": "m-new"},
        "LodgeEvidence": {"evidence_id": "e-new", "kind": "PHOTO", "sha256": "0" * 64},
        "ShareEvidence": {"evidence_ids": [own]},
        "RemoveEvidence": {"evidence_id": own},
        "SubmitEvidence": {"nothing": True},
        "SubmitRebuttal": {"evidence_ids": []},
        "ProvideInfo": {"evidence_ids": []},
        "AssignAdjudicator": {"adjudicator_id": "SE7", "level": "SENIOR"},
        "RequestInfo": {"of": "SELLER"},
        "DecideDispute": decision,
        "DecideDisputeAppeal": as_decided(state, decision),
        "AppealDispute": {"appeal_id": "a-new", "ground": "PROCEDURE", "evidence_ids": []},
        "AnswerAppeal": {"appeal_id": appeal.appeal_id if appeal else "none", "evidence_ids": []},
        "ConfirmExecution": {"result": "REFUNDED", "amount_minor": 2000},
    }
    return {"ceiling_minor": 16197, **bodies.get(command, {})}


def as_decided(state: Dispute, decision: dict[str, Any]) -> dict[str, Any]:
    """UPHELD, with the fields of the decision if there is one."""
    stands: dict[str, Any] = msgspec.to_builtins(state.decision) if state.decision else {}
    return {"result": "UPHELD"} | decision | {key: stands[key] for key in decision if key in stands}
