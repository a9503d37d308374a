"""Events of accounts in, out what caps a level and what keeps one: lots of points, and grants.

Only sellers have levels that are capped: the accounts of buyers bring nothing here.
"""

from typing import Any

from shared_events.envelope import Recorded
from shared_events.reputation import (
    ConductAssessed,
    PenaltyApplied,
    PenaltyReversed,
    ProtectionGranted,
)

from reputation_service.domain.facts import micros
from reputation_service.domain.level import CreditLot, Grant

APPLIED, REVERSED = 1, 2  # the versions of a lot


def lot_of(recorded: Recorded[Any]) -> CreditLot | None:
    """The lot or credit that an event brings, or takes back; neither end waits for an event."""
    recorded_at = micros(recorded.recorded_at)
    match recorded.event:
        case PenaltyApplied(account_kind="SELLER") as event:
            return CreditLot(
                entity_id=event.penalty_id,
                version=APPLIED,
                from_=micros(event.applied_at),
                until=micros(event.expires_at),
                points=event.points,
                recorded_at=recorded_at,
            )
        case PenaltyReversed(account_kind="SELLER") as event:
            return CreditLot(
                entity_id=event.penalty_id,
                version=REVERSED,
                from_=recorded_at,
                until=recorded_at,
                points=0,
                recorded_at=recorded_at,
            )
        case ConductAssessed(account_kind="SELLER", credit_until=until) as event if until:
            return CreditLot(
                entity_id=recorded.event_id,
                version=APPLIED,
                from_=micros(event.period_to),
                until=micros(until),
                points=-event.points_credited,
                recorded_at=recorded_at,
            )
        case _:
            return None


def grant_of(recorded: Recorded[Any]) -> Grant | None:
    """The protection that an event grants. It ends at its instant, whatever is recorded then."""
    match recorded.event:
        case ProtectionGranted(account_kind="SELLER", until=until):
            return Grant(
                recorded.event_id,
                micros(recorded.time),
                micros(until),
                micros(recorded.recorded_at),
            )
        case _:
            return None
