"""A weekly evaluation in, a snapshot on the seller's stream out, when his score or level changed.

It documents what was shown. No fold reads it, so that it can never disagree with one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from msgspec import Struct
from shared_events.fields import Id, Sha256
from shared_events.reputation import (
    AccountEvent,
    Balance,
    Band,
    Day,
    ScoreEvaluated,
    ScoreMicro,
)
from shared_runtime.rule import By, Rule

type Status = Literal["NEW", "EVALUATED"]


class Snapshot(Struct, frozen=True, kw_only=True):
    """What a seller's stream tells of his evaluations: the newest one, if there is any."""

    newest: ScoreEvaluated | None = None

    @property
    def status(self) -> Status:
        return "EVALUATED" if self.newest else "NEW"


def evolve(snapshot: Snapshot, event: AccountEvent) -> Snapshot:
    return Snapshot(newest=event) if isinstance(event, ScoreEvaluated) else snapshot


class EvaluateScore(Struct, frozen=True, kw_only=True):
    """How a seller stands at the first instant of `day`."""

    seller_id: Id
    day: Day
    policy_id: Id
    state_sha256: Sha256
    score_micro: ScoreMicro
    level: Band
    public_level: Band
    balance: Balance


def evaluate_score(_: Snapshot, said: EvaluateScore, __: By[None]) -> list[AccountEvent]:
    """Recorded when his score or a level changed; in the order of days, and each day's once."""
    return [
        ScoreEvaluated(
            seller_id=said.seller_id,
            day=said.day,
            policy_id=said.policy_id,
            state_sha256=said.state_sha256,
            score_micro=said.score_micro,
            level=said.level,
            public_level=said.public_level,
            balance=said.balance,
        )
    ]


def tells_nothing_new(snapshot: Snapshot, said: EvaluateScore, _: By[None]) -> bool:
    newest = snapshot.newest
    return newest is not None and (said.day <= newest.day or shows_the_same(newest, said))


def shows_the_same(newest: ScoreEvaluated, said: EvaluateScore) -> bool:
    shown = (newest.score_micro, newest.level, newest.public_level)
    return shown == (said.score_micro, said.level, said.public_level)


@dataclass(frozen=True)
class SellerRule[C: Struct](Rule[Snapshot, Snapshot, Status, C, None, AccountEvent]):
    """A command to a seller's stream."""

    def find(self, state: Snapshot, said: C, by: By[None]) -> Snapshot:  # noqa: ARG002
        return state

    def matters(self, state: Snapshot, by: By[None]) -> Iterable[Snapshot]:  # noqa: ARG002
        return [state]


EVALUATE_SCORE = SellerRule(
    EvaluateScore,
    evaluate_score,
    roles=("SYSTEM",),
    repeated=tells_nothing_new,
    lapses=True,
    events=(ScoreEvaluated,),
    example=EvaluateScore(
        seller_id="S-77",
        day=20_454,
        policy_id="default-1",
        state_sha256="0" * 64,
        score_micro=66_000_000,
        level="GREEN",
        public_level="GREEN",
        balance=100,
    ),
)
