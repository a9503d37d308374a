"""Histories of accounts in, what an auditor compares of each at an instant out."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from msgspec import Struct
from shared_events.envelope import Recorded
from shared_events.reputation import (
    AccountOpened,
    AccountTerminated,
    ConductAssessed,
    CreditExpired,
    ErasureDeferred,
    Level,
    LevelChanged,
    Measure,
    MeasureApplied,
    MeasureLifted,
    PenaltyApplied,
    PenaltyExpired,
    PenaltyReversed,
    PenaltyStayed,
    PenaltyUnstayed,
    ProtectionEnded,
    ProtectionGranted,
    SubjectErased,
    TerminationCancelled,
    TerminationNoticeGiven,
)

from reputation_service.domain.account_fold import fold
from reputation_service.domain.account_state import Status, Unopened
from reputation_service.domain.points_policy import Policies

FOLDED: tuple[type[Struct], ...] = (
    *(AccountOpened, AccountTerminated, SubjectErased, ErasureDeferred),
    *(PenaltyApplied, PenaltyReversed, PenaltyExpired, PenaltyStayed, PenaltyUnstayed),
    *(ConductAssessed, CreditExpired, LevelChanged, MeasureApplied, MeasureLifted),
    *(ProtectionGranted, ProtectionEnded, TerminationNoticeGiven, TerminationCancelled),
)
"""What an account is folded from. Evaluations of a score and statements of reasons change nothing
of it."""


class BrokenHistory(Exception):  # noqa: N818 - a state of the log
    """Something has happened to an account that cannot have happened to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedAccount:
    """The points of an account at an instant, the level that they give and the one that others are
    shown, and the measures in force. `account`: its stream.
    """

    account: str
    status: Status
    balance: int
    level: Level
    public_level: Level
    measures: tuple[Measure, ...]


def audited(
    account: str, history: Iterable[Recorded[Any]], as_of: datetime, policies: Policies
) -> AuditedAccount | None:
    """By what was recorded then; None where there was no account yet. Raises `BrokenHistory`."""
    known = [each.event for each in history if each.recorded_at <= as_of]
    try:
        state = fold(known)
    except (AssertionError, KeyError) as failure:
        raise BrokenHistory(f"{account}: its events do not follow from each other") from failure
    if isinstance(state, Unopened):
        return None
    policy = policies.of(state.opened.policy_version)
    return AuditedAccount(
        account=account,
        status=state.status,
        balance=state.ledger.balance(as_of),
        level=state.real_level(as_of, policy),
        public_level=state.public_level(as_of, policy),
        measures=tuple(sorted(each.measure for each in state.measures_at(as_of))),
    )
