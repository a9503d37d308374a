"""An account and what happens to it in, how it stands then out."""

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace
from shared_events.common import StatementOfReasonsIssued
from shared_events.reputation import (
    AccountEvent,
    AccountOpened,
    AccountTerminated,
    ConductAssessed,
    CreditExpired,
    ErasureDeferred,
    LevelChanged,
    MeasureApplied,
    MeasureLifted,
    PenaltyApplied,
    PenaltyExpired,
    PenaltyReversed,
    PenaltyStayed,
    PenaltyUnstayed,
    ProtectionEnded,
    ProtectionGranted,
    ScoreEvaluated,
    SubjectErased,
    TerminationCancelled,
    TerminationNoticeGiven,
)

from reputation_service.domain.account_state import Account, AccountState, Protection, Unopened
from reputation_service.domain.points import BALANCE_MAX, Credit, Ledger, Lot


def evolve(state: AccountState, event: AccountEvent) -> AccountState:
    """Of a seller's stream the evaluations of his score are passed over: no point depends on them,
    and one may be there before the account.
    """
    if isinstance(event, AccountOpened):
        return Account(opened=event, ledger=Ledger(start=event.balance))
    if isinstance(event, ScoreEvaluated | StatementOfReasonsIssued):
        return state
    assert isinstance(state, Account)
    return happened(state, event)


def fold(history: Iterable[AccountEvent]) -> AccountState:
    state: AccountState = Unopened()
    for event in history:
        state = evolve(state, event)
    return state


type Happened = (
    PenaltyApplied
    | PenaltyReversed
    | PenaltyExpired
    | PenaltyStayed
    | PenaltyUnstayed
    | ConductAssessed
    | CreditExpired
    | LevelChanged
    | MeasureApplied
    | MeasureLifted
    | ProtectionGranted
    | ProtectionEnded
    | TerminationNoticeGiven
    | TerminationCancelled
    | AccountTerminated
    | ErasureDeferred
    | SubjectErased
)


def happened(  # noqa: C901, PLR0911, PLR0912 - one arm for each event
    state: Account, event: Happened
) -> Account:
    match event:
        case PenaltyApplied():
            return applied(state, event)
        case PenaltyReversed(penalty_id=penalty_id, reversed_at=at, balance_after=after):
            reduced = event.reason == "APPEAL_REDUCED"
            changed = lot(state, penalty_id, stayed=False, reversed_at=at, reduced=reduced)
            return unless_full(changed, after)
        case PenaltyExpired(penalty_id=penalty_id, balance_after=after):
            return unless_full(lot(state, penalty_id, expired=True), after)
        case PenaltyStayed(penalty_id=penalty_id):
            return lot(state, penalty_id, stayed=True)
        case PenaltyUnstayed(penalty_id=penalty_id):
            return lot(state, penalty_id, stayed=False)
        case ConductAssessed():
            return assessed(state, event)
        case CreditExpired():
            return credit_expired(state, event)
        case LevelChanged(to=to):
            return replace(state, level=to)
        case MeasureApplied():
            return replace(
                state,
                measures=state.measures | {event.measure_id: event},
                measures_ever=state.measures_ever + 1,
                warned=state.warned or event.measure == "WARNING",
            )
        case MeasureLifted(measure_id=lifted):
            left = {key: each for key, each in state.measures.items() if key != lifted}
            return replace(state, measures=left)
        case ProtectionGranted(until=until, level=level):
            granted = Protection(until=until, level=level)
            return replace(state, protections=(*state.protections, granted))
        case ProtectionEnded():
            return replace(state, protections=())
        case TerminationNoticeGiven():
            return replace(state, status="NOTICE", notice=event)
        case TerminationCancelled():
            return replace(state, status="ACTIVE", notice=None)
        case AccountTerminated():
            return replace(state, status="TERMINATED")
        case ErasureDeferred(open_ids=open_ids, open_until=until):
            return replace(state, waits_for=frozenset(open_ids), waits_until=until)
        case SubjectErased():
            return replace(state, status="ERASED", waits_for=None, waits_until=None)


def applied(state: Account, event: PenaltyApplied) -> Account:
    since = running_at(state, event.applied_at)
    new = Lot(
        penalty_id=event.penalty_id,
        case_id=event.case_id,
        rule=event.rule,
        points=event.points,
        severity=event.severity,
        applied_at=event.applied_at,
        expires_at=event.expires_at,
    )
    changed = replace(state, ledger=state.ledger.with_lot(new))
    return begun(changed, since, event.applied_at, event.balance_after)


def assessed(state: Account, event: ConductAssessed) -> Account:
    ledger = state.ledger
    if event.credit_until is not None:
        credit = Credit(
            points=event.points_credited,
            credited_at=event.period_to,
            until=event.credit_until,
        )
        ledger = ledger.with_credit(credit)
    changed = replace(state, ledger=ledger, conduct_from=event.period_to)
    return unless_full(changed, event.balance_after)


def credit_expired(state: Account, event: CreditExpired) -> Account:
    since = running_at(state, event.expired_at)
    told = tuple(
        replace(each, expired=True) if each.credited_at == event.credited_at else each
        for each in state.ledger.credits
    )
    changed = replace(state, ledger=replace(state.ledger, credits=told))
    return begun(changed, since, event.expired_at, event.balance_after)


# --- A period of conduct: from where the balance falls to where it is back, told or not


def running_at(state: Account, at: datetime) -> datetime | None:
    """Since when a period runs at an instant; none once the balance has been back in between."""
    since = state.conduct_from
    return None if since is None or state.ledger.was_full(since, at) else since


def begun(state: Account, since: datetime | None, at: datetime, balance: int) -> Account:
    """The period that runs on, or else one from this event on."""
    return unless_full(replace(state, conduct_from=since or at), balance)


def unless_full(state: Account, balance: int) -> Account:
    return state if balance < BALANCE_MAX else replace(state, conduct_from=None)


def lot(state: Account, penalty_id: str, **fields: object) -> Account:
    changed = replace(state.ledger.lots[penalty_id], **fields)
    return replace(state, ledger=state.ledger.with_lot(changed))
