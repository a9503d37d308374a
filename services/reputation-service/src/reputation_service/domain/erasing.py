"""A person who is to be forgotten in; done, or deferred until nothing of his is open, out."""

from msgspec import Struct
from shared_casework.values import utc
from shared_events.reputation import (
    AccountEvent,
    ErasureDeferred,
    LevelChanged,
    MeasureApplied,
    MeasureLifted,
    SubjectErased,
)
from shared_runtime.decider import SubjectErased as Gone
from shared_runtime.rule import Guard

from reputation_service.domain.account_matter import AccountRule
from reputation_service.domain.account_state import Account
from reputation_service.domain.known import Known, Sender


class RequestErasure(Struct, frozen=True):
    """Every service is to destroy the person's key. Numbers stay."""


def request_erasure(account: Account, _: RequestErasure, by: Sender) -> list[AccountEvent]:
    """Once nothing of the person's is open: until then the ids of what is."""
    known = by.known
    if known.open_ids:
        open_ids = sorted(known.open_ids)
        return [ErasureDeferred(**account.ids, open_ids=open_ids, open_until=known.open_until)]
    return [SubjectErased(**account.ids, erased_at=utc(by.now))]


def is_here(account: Account, _: RequestErasure, by: Sender) -> None:
    """of nobody who was erased"""
    if account.status == "ERASED" and by.actor.is_human:
        raise Gone


def waits_already(account: Account, _: RequestErasure, by: Sender) -> bool:
    """For the same. The platform repeats only what somebody has asked for."""
    asked = account.waits_for is not None
    if not by.actor.is_human and not asked:
        return True
    waits_for, waits_until = by.known.open_ids, by.known.open_until
    return asked and (account.waits_for, account.waits_until) == (waits_for, waits_until)


REQUEST_ERASURE = AccountRule(
    RequestErasure,
    request_erasure,
    roles=("PRIVACY", "SYSTEM"),
    barred=Guard[Account, RequestErasure, Known](is_here, Gone),
    repeated=waits_already,
    lapses=True,
    events=(SubjectErased, ErasureDeferred, LevelChanged, MeasureApplied, MeasureLifted),
    example=RequestErasure(),
)
