"""How an account stands in, its deadlines and what each of them asks for out.

A timer only sends its command: it may fire late, twice, or after its cause has gone.
"""

from datetime import datetime
from typing import Literal, NamedTuple

from msgspec import Struct

from reputation_service.domain.account_state import Account, AccountState, Unopened
from reputation_service.domain.conduct import AssessConduct, ExpireCredit
from reputation_service.domain.erasing import RequestErasure
from reputation_service.domain.penalties import ExpirePenalty
from reputation_service.domain.points_policy import Policies
from reputation_service.domain.protection import EndProtection, protected_until
from reputation_service.domain.suspension import LiftMeasure
from reputation_service.domain.termination import TerminateAccount, effective_at

type Name = Literal[
    "PENALTY_END",
    "CONDUCT",
    "CREDIT_END",
    "MEASURE_END",
    "TERMINATION",
    "PROTECTION_END",
    "ERASURE",
]


class Deadline(NamedTuple):
    """An instant at which something is asked for by itself."""

    name: Name
    due: datetime


class Period(Struct, frozen=True):
    """What a seller did in a period of conduct."""

    orders_completed: int
    violations: int


def account_deadlines(state: AccountState, policies: Policies) -> list[Deadline]:
    """The next of each kind."""
    if isinstance(state, Unopened):
        return []
    dues: dict[Name, list[datetime | None]] = {
        "PENALTY_END": [
            lot.expires_at
            for lot in state.ledger.lots.values()
            if lot.reversed_at is None and not lot.expired
        ],
        "CREDIT_END": [each.until for each in state.ledger.credits if not each.expired],
        "MEASURE_END": [each.ends_at for each in state.measures.values()],
        "CONDUCT": [assess_due(state, policies)],
        "TERMINATION": [effective_at(state) if state.status == "NOTICE" else None],
        "PROTECTION_END": [protected_until(state)],
        "ERASURE": [state.waits_until],
    }
    return [
        Deadline(name, min(set_))
        for name, told in dues.items()
        if (set_ := [at for at in told if at])
    ]


def assess_due(account: Account, policies: Policies) -> datetime | None:
    since = account.conduct_from
    if since is None or account.kind != "SELLER":
        return None
    return since + policies.of(account.opened.policy_version).conduct_period


def asked_of_account(  # noqa: PLR0911 - one arm for each kind
    name: str, due: datetime, account: Account, period: Period
) -> list[Struct]:
    """The commands of a passed deadline, one for each of what it is about."""
    match name:
        case "PENALTY_END":
            lots = account.ledger.lots.values()
            ended = [lot for lot in lots if lot.expires_at <= due and not lot.expired]
            return [ExpirePenalty(penalty_id=lot.penalty_id) for lot in ended]
        case "CREDIT_END":
            credits_ = [each for each in account.ledger.credits if not each.expired]
            return [ExpireCredit(credit_until=each.until) for each in credits_ if each.until <= due]
        case "MEASURE_END":
            measures = account.measures.values()
            ended_ = [each for each in measures if each.ends_at and each.ends_at <= due]
            return [LiftMeasure(measure_id=each.measure_id) for each in ended_]
        case "CONDUCT":
            return [
                AssessConduct(
                    orders_completed=period.orders_completed, violations=period.violations
                )
            ]
        case "TERMINATION":
            return [TerminateAccount()]
        case "ERASURE":
            return [RequestErasure()]
        case _:
            return [EndProtection()]
