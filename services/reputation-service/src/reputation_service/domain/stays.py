"""An appeal in; points that do not count for the worst measures meanwhile out."""

from msgspec import Struct
from shared_events.fields import Id
from shared_events.reputation import (
    AccountEvent,
    AppealOutcome,
    LevelChanged,
    MeasureApplied,
    MeasureLifted,
    PenaltyStayed,
    PenaltyUnstayed,
)
from shared_runtime.decider import WrongState
from shared_runtime.rule import Guard

from reputation_service.domain.account_matter import AccountRule
from reputation_service.domain.account_state import Account
from reputation_service.domain.known import Known, Sender


class StayPenalty(Struct, frozen=True, kw_only=True):
    """The decision behind it is appealed. `safety`: of a case in which nobody can wait."""

    penalty_id: Id
    appeal_id: Id
    safety: bool = False


class UnstayPenalty(Struct, frozen=True, kw_only=True):
    """The appeal was decided, and the points stand."""

    penalty_id: Id
    outcome: AppealOutcome


def stay_penalty(account: Account, said: StayPenalty, _: Sender) -> list[AccountEvent]:
    """The balance keeps counting them; what comes with the worse levels does not."""
    return [PenaltyStayed(**account.ids, penalty_id=said.penalty_id, appeal_id=said.appeal_id)]


def is_active(account: Account, penalty_id: str, by: Sender, *, stayed: bool) -> bool:
    lot = account.ledger.lots.get(penalty_id)
    return lot is not None and lot.counts(by.now) and lot.stayed == stayed


def is_stayable(account: Account, said: StayPenalty, by: Sender) -> None:
    """the points count, unstayed, and not for the safety of others"""
    if said.safety or not is_active(account, said.penalty_id, by, stayed=False):
        raise WrongState(state=account.status)


STAY_PENALTY = AccountRule(
    StayPenalty,
    stay_penalty,
    roles=("SYSTEM",),
    stands=Guard[Account, StayPenalty, Known](is_stayable, WrongState),
    lapses=True,
    events=(PenaltyStayed, LevelChanged, MeasureApplied, MeasureLifted),
    example=StayPenalty(penalty_id="P-1", appeal_id="A-1"),
)


def unstay_penalty(account: Account, said: UnstayPenalty, _: Sender) -> list[AccountEvent]:
    return [PenaltyUnstayed(**account.ids, penalty_id=said.penalty_id, outcome=said.outcome)]


def is_stayed(account: Account, said: UnstayPenalty, by: Sender) -> None:
    """the points count, and are stayed"""
    if not is_active(account, said.penalty_id, by, stayed=True):
        raise WrongState(state=account.status)


UNSTAY_PENALTY = AccountRule(
    UnstayPenalty,
    unstay_penalty,
    roles=("SYSTEM",),
    stands=Guard[Account, UnstayPenalty, Known](is_stayed, WrongState),
    lapses=True,
    events=(PenaltyUnstayed, LevelChanged, MeasureApplied, MeasureLifted),
    example=UnstayPenalty(penalty_id="P-1", outcome="UPHELD"),
)
