"""A time without violations in, points that are earned back out; and their end."""

from datetime import datetime, timedelta
from typing import Annotated

from msgspec import Meta, Struct
from shared_casework.values import utc
from shared_events.fields import Instant
from shared_events.reputation import (
    AccountEvent,
    ConductAssessed,
    CreditExpired,
    LevelChanged,
    MeasureApplied,
    MeasureLifted,
)
from shared_runtime.decider import WrongState
from shared_runtime.rule import Guard, Window

from reputation_service.domain.account_fold import running_at
from reputation_service.domain.account_matter import AccountRule
from reputation_service.domain.account_state import Account
from reputation_service.domain.known import Known, Sender
from reputation_service.domain.points import Credit

YEAR = timedelta(days=365)
FOLLOWS = (LevelChanged, MeasureApplied, MeasureLifted)
type Several = Annotated[int, Meta(ge=0)]


class AssessConduct(Struct, frozen=True, kw_only=True):
    """What a seller did in the period: orders that he completed, violations that were confirmed."""

    orders_completed: Several
    violations: Several


class ExpireCredit(Struct, frozen=True, kw_only=True):
    """The points that were earned back until then."""

    credit_until: Instant


def assess_conduct(account: Account, said: AssessConduct, by: Sender) -> list[AccountEvent]:
    """No more than the year allows, nor than what is missing. The next period follows at once."""
    policy, now = account.policy(by), utc(by.now)
    since = account.conduct_from
    assert since
    points = earned(account, said, by)
    until = now + policy.credit_term_severe if points else None
    ledger = account.ledger
    if until:
        ledger = ledger.with_credit(Credit(points=points, credited_at=now, until=until))
    return [
        ConductAssessed(
            **account.ids,
            period_from=since,
            period_to=now,
            orders_completed=said.orders_completed,
            violations=said.violations,
            points_credited=points,
            credit_until=until,
            balance_after=ledger.balance(now),
            next_at=now + policy.conduct_period,
        )
    ]


def earned(account: Account, said: AssessConduct, by: Sender) -> int:
    policy, ledger, now = account.policy(by), account.ledger, by.now
    if said.violations or said.orders_completed < policy.conduct_min_orders:
        return 0
    of_year = sum(each.points for each in ledger.credits if each.credited_at > now - YEAR)
    missing = ledger.active_points(now) - ledger.credited(now)
    return max(0, min(policy.conduct_points, policy.conduct_cap_year - of_year, missing))


def runs(account: Account, _: AssessConduct, by: Sender) -> None:
    """of a seller, while something is missing and a period runs"""
    full = account.ledger.balance(by.now) >= account.ledger.start
    if account.kind != "SELLER" or full or running_at(account, by.now) is None:
        raise WrongState(state=account.status)


def once_over(account: Account, _: AssessConduct, by: Sender) -> Window:
    return Window(earliest=assess_at(account, by))


def assess_at(account: Account, by: Sender) -> datetime | None:
    """When the period that runs is over."""
    since = account.conduct_from
    return since and since + account.policy(by).conduct_period


ASSESS_CONDUCT = AccountRule(
    AssessConduct,
    assess_conduct,
    roles=("SYSTEM",),
    stands=Guard[Account, AssessConduct, Known](runs, WrongState),
    window=once_over,
    early=True,
    lapses=True,
    events=(ConductAssessed, *FOLLOWS),
    example=AssessConduct(orders_completed=64, violations=0),
)


def expire_credit(account: Account, said: ExpireCredit, by: Sender) -> list[AccountEvent]:
    """Told once. The balance did not wait for it."""
    credit = credit_of(account, said)
    assert credit
    return [
        CreditExpired(
            **account.ids,
            credited_at=credit.credited_at,
            points=credit.points,
            expired_at=utc(by.now),
            balance_after=account.ledger.balance(by.now),
        )
    ]


def credit_of(account: Account, said: ExpireCredit) -> Credit | None:
    return next((each for each in account.ledger.credits if each.until == said.credit_until), None)


def is_given(account: Account, said: ExpireCredit, _: Sender) -> None:
    """such points were given, and their end was not told"""
    credit = credit_of(account, said)
    if credit is None or credit.expired:
        raise WrongState(state=account.status)


def from_its_end(_: Account, said: ExpireCredit, __: Sender) -> Window:
    return Window(earliest=said.credit_until)


EXPIRE_CREDIT = AccountRule(
    ExpireCredit,
    expire_credit,
    roles=("SYSTEM",),
    stands=Guard[Account, ExpireCredit, Known](is_given, WrongState),
    window=from_its_end,
    early=True,
    lapses=True,
    events=(CreditExpired, *FOLLOWS),
    example=ExpireCredit(credit_until=datetime.fromisoformat("2026-04-10T00:00:00Z")),
)
