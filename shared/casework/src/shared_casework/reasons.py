"""A decision and whom it goes against in, the statement of reasons that each of them is owed out.

What a statement says is what Article 17 of the Digital Services Act asks for, in the words of the
public database of statements.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal, Protocol
from uuid import UUID, uuid5

from msgspec import Struct
from shared_events.common import (
    AccountDecision,
    MatterFact,
    Monetary,
    Provision,
    Redress,
    StatementOfReasonsIssued,
    Visibility,
)
from shared_events.fields import Party
from shared_runtime.decider import ReasonsMissing
from shared_runtime.rule import By, Guard

from shared_casework.matters import ids_of

DECISIONS = UUID("a4a3c1f0-6f0b-5d55-9a39-1c2f7d0e8b46")
"""The namespace of the ids of decisions."""

type SubjectKind = Literal["REVIEW", "DISPUTE", "RETURN", "VIOLATION", "MEASURE"]
type LegalGround = Literal["ILLEGAL_CONTENT", "INCOMPATIBLE_CONTENT"]
type Source = Literal["NOTICE", "OWN_INITIATIVE", "COMPLAINT"]
type Automation = Literal["FULLY", "PARTIALLY", "NOT"]


class Recipient(Struct, frozen=True, kw_only=True):
    """Somebody whom a decision goes against. `facts` is sealed for him."""

    role: Party
    id: str
    facts: str


class Ruling(Struct, frozen=True, kw_only=True):
    """What was decided, and why. At least one of the four restrictions is there.

    `applies_from`: where that is later than the decision.
    `appeal_command` is what an appeal is sent as, while `appeal_until` lies ahead; without an
    instant there is no appeal inside of the platform.
    """

    decision_id: UUID
    decided_at: datetime
    subject_kind: SubjectKind
    subject_id: str
    visibility: Visibility | None = None
    monetary: Monetary | None = None
    provision: Provision | None = None
    account: AccountDecision | None = None
    ground: LegalGround = "INCOMPATIBLE_CONTENT"
    rule_ids: tuple[str, ...]
    explanation: str
    source_type: Source
    automated_detection: bool = False
    automated_decision: Automation = "NOT"
    applies_from: datetime | None = None
    end_date: datetime | None = None
    appeal_until: datetime | None = None
    appeal_command: str | None = None

    def __post_init__(self) -> None:
        assert any((self.visibility, self.monetary, self.provision, self.account)), "restricts what"
        assert not self.appeal_until or self.appeal_command, "an appeal is sent as something"


def decision_id(matter: str, decision: str, at: datetime) -> UUID:
    """A decision is told from all others by the matter, its kind and its instant."""
    return uuid5(DECISIONS, f"{matter}/{decision}/{at.astimezone(UTC).isoformat()}")


def statements(
    about: MatterFact, ruling: Ruling, recipients: Iterable[Recipient]
) -> list[StatementOfReasonsIssued]:
    """One for each person whom the ruling goes against. `about`: what every event of it says."""
    return [statement(about, ruling, recipient) for recipient in recipients]


def statement(about: MatterFact, ruling: Ruling, recipient: Recipient) -> StatementOfReasonsIssued:
    return StatementOfReasonsIssued(
        **ids_of(about),
        # By what he is and his id: a buyer and a seller may have the same one.
        sor_id=str(uuid5(ruling.decision_id, f"{recipient.role}:{recipient.id}")),
        subject_kind=ruling.subject_kind,
        subject_id=ruling.subject_id,
        recipient_role=recipient.role,
        recipient_id=recipient.id,
        decision_visibility=ruling.visibility,
        decision_monetary=ruling.monetary,
        decision_provision=ruling.provision,
        decision_account=ruling.account,
        decision_ground=ruling.ground,
        rule_ids=[*ruling.rule_ids],
        explanation=ruling.explanation,
        facts=recipient.facts,
        source_type=ruling.source_type,
        automated_detection=ruling.automated_detection,
        automated_decision=ruling.automated_decision,
        application_date=(ruling.applies_from or ruling.decided_at).astimezone(UTC),
        end_date=ruling.end_date,
        appeal_until=ruling.appeal_until,
        appeal_command=ruling.appeal_command if ruling.appeal_until else None,
        redress=redress_of(ruling),
    )


def redress_of(ruling: Ruling) -> list[Redress]:
    """Where somebody can turn. Courts and the bodies outside of them are there in any case."""
    inside: list[Redress] = ["INTERNAL_APPEAL"] if ruling.appeal_until else []
    return [*inside, "OUT_OF_COURT", "COURT"]


def require_reasons(**given: object) -> None:
    """Raises `ReasonsMissing` that names those that are empty: `rule_ids=…, facts=…`."""
    if missing := [name for name, reason in given.items() if not reason]:
        raise ReasonsMissing(missing=missing)


class Reasoned(Protocol):
    """A decision with its reasons. `facts` are sealed for whoever is told."""

    @property
    def rule_ids(self) -> tuple[str, ...]: ...
    @property
    def facts(self) -> str | None: ...
    @property
    def explanation(self) -> str | None: ...


def with_reasons(_: object, said: Reasoned, __: By[Any]) -> None:
    require_reasons(rule_ids=said.rule_ids, facts=said.facts, explanation=said.explanation)


REASONS = Guard(with_reasons, ReasonsMissing)
"""Rules, facts and plain words."""
