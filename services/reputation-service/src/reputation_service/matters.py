"""Events of accounts and cases in; which there are by now, and how they stand, out.

Of one cause there is one case. That is a rule across streams: it is decided under a lock of the
person, and what it is decided on is written in the transaction that records.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from shared_events.envelope import Recorded
from shared_events.fields import Party
from shared_events.reputation import (
    AccountFact,
    AccountOpened,
    CaseDismissed,
    CaseOpened,
    ErasureDeferred,
    MeasureApplied,
    SubjectErased,
    ViolationAppealDecided,
    ViolationAppealed,
    ViolationConfirmed,
    ViolationRule,
)
from shared_runtime.log import Database, Planned
from shared_runtime.rows import Rows
from shared_runtime.sealing import person

from reputation_service.domain.case_state import CaseStatus
from reputation_service.domain.streams import holder_id_of

PEOPLE = 0x706572736F6E
ONE_PERSON = f"""
    SELECT pg_advisory_xact_lock({PEOPLE} + number) FROM (
        SELECT DISTINCT abs(hashtext(person) % 1024) AS number
        FROM unnest($1::text[]) AS person ORDER BY number
    ) AS numbers
"""  # noqa: S608 - a constant of the code
"""Taken before a case of somebody is opened, until that is recorded: whoever opens the next sees
it. In ascending order, of 1024 numbers: whoever takes many waits for nobody who waits for him."""
UNDECIDED: tuple[CaseStatus, ...] = ("STATEMENT", "APPEALED")
STANDING: tuple[CaseStatus, ...] = ("STATEMENT", "CONFIRMED", "APPEALED")
"""Not dismissed, and not reversed."""
# Sorted: two writers of the same rows wait for each other in one order.
ADD_ORGS = """
    INSERT INTO facts.person_org (person, org_id)
    SELECT DISTINCT person, org_id
    FROM unnest($1::text[], $2::text[]) AS told (person, org_id) ORDER BY person, org_id
    ON CONFLICT DO NOTHING
"""


async def lock_people(persons: Iterable[str], db: Database) -> None:
    """Waits until nobody else opens a case of these, until the transaction ends."""
    await db.execute(ONE_PERSON, [*{*persons}])


async def write_orgs(orgs: Iterable[tuple[str, str]], db: Database) -> None:
    """Of each person, somebody of this organisation has acted for him: none of it decides."""
    if told := [*orgs]:
        await db.execute(ADD_ORGS, [who for who, _ in told], [org_id for _, org_id in told])


class AccountRow(Struct, frozen=True, kw_only=True):
    """`waits`: an erasure was asked for, and is deferred."""

    person: str
    warned: bool = False
    erased: bool = False
    waits: bool = False


class CaseRow(Struct, frozen=True, kw_only=True):
    """`appeal_until`: of a violation that is confirmed and was not appealed yet."""

    case_id: str
    person: str
    rule: ViolationRule
    cause_key: str
    safety: bool
    status: CaseStatus
    confirmed_at: datetime | None = None
    appeal_until: datetime | None = None

    def is_open(self, at: datetime) -> bool:
        """Something is to be decided, or may still be appealed."""
        appealable = self.appeal_until is not None and at < self.appeal_until
        return appealable or self.status in UNDECIDED


ACCOUNTS = Rows(table="facts.account", key="person", row=AccountRow)
CASES = Rows(table="facts.violation_case", key="case_id", row=CaseRow)

type OfAccount = AccountOpened | MeasureApplied | ErasureDeferred | SubjectErased
type OfCase = (
    CaseOpened | ViolationConfirmed | CaseDismissed | ViolationAppealed | ViolationAppealDecided
)
OF_ACCOUNT = (AccountOpened, MeasureApplied, ErasureDeferred, SubjectErased)
OF_CASE = (
    CaseOpened,
    ViolationConfirmed,
    CaseDismissed,
    ViolationAppealed,
    ViolationAppealDecided,
)


def person_of(event: AccountFact) -> str:
    """Whose account an event is about."""
    return holder(event.account_kind, holder_id_of(event))


def holder(kind: Party, holder_id: str) -> str:
    return person("buyer" if kind == "BUYER" else "seller", holder_id)


async def write_matters(planned: Sequence[Planned | Recorded[Any]], db: Database | None) -> None:
    """Makes known what is opened and decided: in the transaction that records it."""
    if db is None:
        return
    await write_accounts([each.event for each in planned if isinstance(each.event, OF_ACCOUNT)], db)
    await write_cases([each for each in planned if isinstance(each.event, OF_CASE)], db)


async def write_accounts(events: Sequence[OfAccount], db: Database) -> None:
    if not events:
        return
    rows = await ACCOUNTS.read({person_of(event) for event in events}, db)
    for event in events:
        who = person_of(event)
        rows[who] = account_after(rows.get(who) or AccountRow(person=who), event)
    await ACCOUNTS.write(rows.values(), db)


def account_after(row: AccountRow, event: OfAccount) -> AccountRow:
    match event:
        case MeasureApplied(measure=measure):
            return replace(row, warned=row.warned or measure == "WARNING")
        case ErasureDeferred():
            return replace(row, waits=True)
        case SubjectErased():
            return replace(row, waits=False, erased=True)
        case AccountOpened():
            return row


async def write_cases(planned: Sequence[Planned | Recorded[Any]], db: Database) -> None:
    if not planned:
        return
    events: list[tuple[OfCase, datetime]] = [(each.event, each.time) for each in planned]  # type: ignore[misc]  # asked for
    rows = await CASES.read({event.case_id for event, _ in events}, db)
    for event, at in events:
        if isinstance(event, CaseOpened):
            rows[event.case_id] = opened(event)
        else:
            rows[event.case_id] = case_after(rows[event.case_id], event, at)
    await CASES.write(rows.values(), db)


def opened(event: CaseOpened) -> CaseRow:
    return CaseRow(
        case_id=event.case_id,
        person=person_of(event),
        rule=event.rule,
        cause_key=event.cause_key,
        safety=event.safety,
        status="STATEMENT",
    )


def case_after(row: CaseRow, event: OfCase, at: datetime) -> CaseRow:
    match event:
        case ViolationConfirmed(appeal_until=until):
            return replace(row, status="CONFIRMED", confirmed_at=at, appeal_until=until)
        case CaseDismissed():
            return replace(row, status="DISMISSED")
        case ViolationAppealed():
            return replace(row, status="APPEALED", appeal_until=None)
        case ViolationAppealDecided(outcome="REVERSED"):
            return replace(row, status="REVERSED")
        case ViolationAppealDecided():
            return replace(row, status="CONFIRMED")
        case CaseOpened():
            return row
