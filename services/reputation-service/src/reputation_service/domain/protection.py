"""A disaster that is nobody's fault in; a public level that does not fall for a while out."""

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct
from shared_casework.values import utc
from shared_events.fields import Code, Instant
from shared_events.reputation import (
    AccountEvent,
    LevelChanged,
    MeasureApplied,
    MeasureLifted,
    ProtectionEnded,
    ProtectionGranted,
)
from shared_runtime.decider import FieldError, LimitReached, WrongState
from shared_runtime.rule import Guard, Window

from reputation_service.domain.account_matter import HOLDER, IMPARTIAL, AccountRule
from reputation_service.domain.account_state import Account
from reputation_service.domain.known import Known, Sender
from reputation_service.domain.measures import after

FOLLOWS = (LevelChanged, MeasureApplied, MeasureLifted)


class GrantProtection(Struct, frozen=True, kw_only=True):
    """Until when, and why."""

    until: Instant
    reason: Code


class EndProtection(Struct, frozen=True):
    """The last protection is over."""


def grant_protection(account: Account, said: GrantProtection, by: Sender) -> list[AccountEvent]:
    """The real level goes on being worked out, and is shown to the holder."""
    policy, until = account.policy(by), utc(said.until)
    if until > by.now + policy.protection_max:
        raise LimitReached(limit=int(policy.protection_max.total_seconds()))
    real = account.real_level(by.now, policy)
    granted = ProtectionGranted(
        **account.ids, until=until, reason=said.reason, level=real, public_level=real
    )
    shown = after(account, [granted]).public_level(by.now, policy)
    return [
        ProtectionGranted(
            **account.ids, until=until, reason=said.reason, level=real, public_level=shown
        )
    ]


def still_to_come(said: GrantProtection, by: Sender) -> Iterator[FieldError]:
    if said.until <= by.now:
        yield FieldError(field="until", bound="later than now")


GRANT_PROTECTION = AccountRule(
    GrantProtection,
    grant_protection,
    roles=("SENIOR",),
    shape=still_to_come,
    human=True,
    impartial=IMPARTIAL,
    barred=HOLDER,
    states=("ACTIVE",),
    refuses=(LimitReached,),
    events=(ProtectionGranted, *FOLLOWS),
    example=GrantProtection(
        until=datetime.fromisoformat("2100-01-01T00:00:00Z"), reason="WAREHOUSE_FLOOD"
    ),
    tries=lambda account, by: [
        GrantProtection(until=by.now + account.policy(by).protection_max, reason="INCIDENT")
    ],
)


def end_protection(account: Account, _: EndProtection, by: Sender) -> list[AccountEvent]:
    """The real level shows again."""
    real = account.real_level(by.now, account.policy(by))
    return [ProtectionEnded(**account.ids, public_level=real)]


def is_protected(account: Account, _: EndProtection, __: Sender) -> None:
    """a protection was granted, and its end was not told"""
    if not account.protections:
        raise WrongState(state=account.status)


def from_the_last_end(account: Account, _: EndProtection, __: Sender) -> Window:
    return Window(earliest=protected_until(account))


def protected_until(account: Account) -> datetime | None:
    return max((each.until for each in account.protections), default=None)


END_PROTECTION = AccountRule(
    EndProtection,
    end_protection,
    roles=("SYSTEM",),
    stands=Guard[Account, EndProtection, Known](is_protected, WrongState),
    window=from_the_last_end,
    early=True,
    lapses=True,
    events=(ProtectionEnded, *FOLLOWS),
    example=EndProtection(),
)
