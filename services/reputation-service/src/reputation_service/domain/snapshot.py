"""A weekly evaluation in, a snapshot on the seller's stream out, when his score or level changed.

It documents what was shown. No fold reads it, so that it can never disagree with one.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from shared_events.reputation import AccountEvent, ScoreEvaluated
from shared_runtime.decider import Actor, Decider

from reputation_service.domain.policy import Band

type Snapshot = ScoreEvaluated | None
"""The newest one, if there is any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateScore:
    """How a seller stands at the first instant of `day`."""

    now: datetime
    actor: Actor
    seller_id: str
    day: int
    policy_id: str
    state_sha256: str
    score_micro: int
    level: Band
    public_level: Band
    balance: int

    def at(self, now: datetime) -> Self:
        return replace(self, now=now)


def evolve(newest: Snapshot, event: AccountEvent) -> Snapshot:
    return event if isinstance(event, ScoreEvaluated) else newest


def decide(newest: Snapshot, command: EvaluateScore) -> list[AccountEvent]:
    """Evaluations are made in the order of their days, and each day's once."""
    if newest is not None and (command.day <= newest.day or _is_unchanged(newest, command)):
        return []
    return [
        ScoreEvaluated(
            seller_id=command.seller_id,
            day=command.day,
            policy_id=command.policy_id,
            state_sha256=command.state_sha256,
            score_micro=command.score_micro,
            level=command.level,
            public_level=command.public_level,
            balance=command.balance,
        )
    ]


def _is_unchanged(newest: ScoreEvaluated, command: EvaluateScore) -> bool:
    shown = (newest.score_micro, newest.level, newest.public_level)
    return shown == (command.score_micro, command.level, command.public_level)


SNAPSHOTS = Decider[Snapshot, EvaluateScore, AccountEvent](
    initial=None, decide=decide, evolve=evolve
)
