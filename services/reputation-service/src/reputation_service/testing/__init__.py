"""Accounts, cases and the people around them, and what they say, for sentences about points.

Seller S1 and buyer B1 have accounts since 2025-01-10T00Z, the day from which `at` counts. AN1 and
AN2 are analysts, SE1 and SE2 seniors.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from shared_events.fields import Party
from shared_events.reputation import AccountEvent, CaseEvent, ViolationRule
from shared_runtime.decider import Actor
from shared_runtime.rule import By, Sent
from shared_runtime.testing import Played, play

from reputation_service.domain.account_opening import OpenAccount
from reputation_service.domain.account_rules import ACCOUNTS, AccountCommand
from reputation_service.domain.case_opening import OpenCase
from reputation_service.domain.case_rules import CASES, CaseCommand
from reputation_service.domain.known import ClaimFacts, Known
from reputation_service.domain.penalties import ApplyPenalty
from reputation_service.domain.points_policy import policies
from reputation_service.domain.violations import VIOLATIONS

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)

BUYER = Actor(role="BUYER", id="B1")
SELLER = Actor(role="SELLER", id="clerk", org_id="S1")
ANALYST = Actor(role="ANALYST", id="AN1", org_id="desk")
ANOTHER = Actor(role="ANALYST", id="AN2", org_id="desk")
SENIOR = Actor(role="SENIOR", id="SE1", org_id="desk")
SENIOR_2 = Actor(role="SENIOR", id="SE2", org_id="desk")
PRIVACY = Actor(role="PRIVACY", id="PR1", org_id="desk")
AUDITOR = Actor(role="AUDITOR", id="auditor-1")
SYSTEM = Actor(role="SYSTEM", id="reputation")
MODERATOR = Actor(role="MODERATOR", id="moderator-1")

START = datetime(2025, 1, 10, tzinfo=UTC)
KNOWN = Known(
    policies=policies(),
    has_account=True,
    claims=ClaimFacts(lost=4, orders=9, warned=True),
)


def at(day: float = 0, seconds: float = 0) -> datetime:
    """So long after 2025-01-10T00Z."""
    return START + day * DAY + timedelta(seconds=seconds)


def words(about: str = "text") -> str:
    """What somebody wrote, as it is sealed."""
    return f"s1.key.{about}.event.text.words"


def say(said: Struct, *, now: datetime, actor: Actor = SYSTEM, **known: Any) -> Sent[Any, Known]:  # noqa: ANN401 - any fact
    """The command, with what is known besides, and what of it is to be otherwise."""
    return Sent(said, By(actor=actor, now=now, known=replace(KNOWN, **known)))


# --- Accounts


def opened(kind: Party = "SELLER", now: datetime = START, **known: Any) -> AccountCommand:  # noqa: ANN401
    holder_id = "S1" if kind == "SELLER" else "B1"
    return say(OpenAccount(kind=kind, holder_id=holder_id), now=now, **known)


def penalty(
    penalty_id: str,
    points: int,
    rule: ViolationRule = "FAKE_TRANSACTION",
    *,
    case_id: str | None = None,
) -> ApplyPenalty:
    severity = VIOLATIONS[rule].severity
    assert severity
    return ApplyPenalty(
        penalty_id=penalty_id,
        case_id=case_id or f"C-{penalty_id}",
        rule=rule,
        points=points,
        severity=severity,
        facts=words("facts"),
    )


def played(*commands: AccountCommand) -> Played[Any, AccountEvent]:
    return play(ACCOUNTS, commands)


def history(*commands: AccountCommand) -> tuple[AccountEvent, ...]:
    """The events of commands that are all taken."""
    events: list[AccountEvent] = []
    for command in commands:
        done = play(ACCOUNTS, [command], events)
        assert done.refused is None, f"{command.said}: {done.refused}"
        events += done.events
    return tuple(events)


# --- Cases


def suspected(rule: ViolationRule = "FAKE_TRANSACTION", **changes: Any) -> OpenCase:  # noqa: ANN401
    kind: Party = "SELLER" if "SELLER" in VIOLATIONS[rule].binds else "BUYER"
    told: dict[str, Any] = {
        "case_id": "C1",
        "account_kind": kind,
        "account_id": "S1" if kind == "SELLER" else "B1",
        "rule": rule,
        "cause_key": "K1",
        "evidence_event_ids": ("E1",),
        "detection": "ANALYST",
    }
    return OpenCase(**(told | changes))


def case_history(*commands: CaseCommand) -> tuple[CaseEvent, ...]:
    """The events of commands that are all taken."""
    events: list[CaseEvent] = []
    for command in commands:
        done = play(CASES, [command], events)
        assert done.refused is None, f"{command.said}: {done.refused}"
        events += done.events
    return tuple(events)


def case_played(*commands: CaseCommand) -> Played[Any, CaseEvent]:
    return play(CASES, commands)


def kinds(events: Sequence[AccountEvent] | Sequence[CaseEvent]) -> list[str]:
    return [type(event).__name__ for event in events]
