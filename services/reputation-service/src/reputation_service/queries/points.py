"""Rows in, pages out: cases to decide and those of a person, hints, erasures, statements."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import asyncpg
import msgspec
from shared_events.common import Redress, StatementOfReasonsIssued
from shared_events.fields import Party
from shared_events.reputation import ViolationRule
from shared_runtime.pages import Keyset, PageStart
from shared_runtime.worklist import Counts, Wanted, WorkList

from reputation_service.domain.case_state import CaseStatus
from reputation_service.domain.public_reasons import submission
from reputation_service.points_views import ReasonsView, reasons_view
from reputation_service.projections import VIOLATION_CASES
from reputation_service.projections.cases import CaseKind, ViolationCase
from reputation_service.projections.erasures import ErasureStatus

KINDS: tuple[CaseKind, ...] = ("DECISION", "APPEAL")
CASES = WorkList(
    name="violations",
    projection=VIOLATION_CASES,
    table="violation_case",
    row=ViolationCase,
    kinds=KINDS,
)
OF_OTHER_ORGANISATIONS = """
    NOT EXISTS (SELECT FROM facts.person_org AS acting
        WHERE acting.person = lower(violation_case.account_kind) || ':' || violation_case.account_id
            AND acting.org_id = {})
"""
NEWEST = Keyset(columns={"began_at": "timestamptz", "case_id": "text"}, descending=True)
OWN_PAGE = f"""
    SELECT row_to_json(told) FROM (
        SELECT * FROM read.violation_case WHERE account_kind = $2 AND account_id = $3{{behind}}
        ORDER BY {NEWEST.order()} LIMIT $1
    ) AS told ORDER BY {NEWEST.order()}
"""  # noqa: S608 - names of the code
HINT_ORDER = Keyset(columns={"noticed_at": "timestamptz", "hint_id": "text"}, descending=True)
HINT_PAGE = f"""
    SELECT * FROM facts.hint WHERE true{{behind}} ORDER BY {HINT_ORDER.order()} LIMIT $1
"""  # noqa: S608 - names of the code
ISSUED = Keyset(columns={"issued_at": "timestamptz", "sor_id": "text"})
EXPORT_PAGE = f"""
    SELECT told::text AS told, issued_at, sor_id,
        (SELECT rule FROM read.violation_case AS of_case
         WHERE of_case.case_id = coalesce(told ->> 'case_id', told ->> 'subject_id')) AS rule
    FROM read.statement WHERE issued_at >= $2 AND issued_at < $3{{behind}}
    ORDER BY {ISSUED.order()} LIMIT $1
"""  # noqa: S608 - names of the code
ONE_STATEMENT = """
    SELECT told::text AS told, recipient_role, recipient_id FROM read.statement WHERE sor_id = $1
"""

IN_TURN = Keyset(columns={"asked_at": "timestamptz", "account": "text"})
ERASURE_PAGE = f"""
    SELECT * FROM read.erasure WHERE status = $2{{behind}} ORDER BY {IN_TURN.order()} LIMIT $1
"""  # noqa: S608 - names of the code

PEOPLE = "SELECT person FROM facts.account WHERE person > $1 ORDER BY person LIMIT $2"

decode_case = msgspec.json.Decoder(ViolationCase).decode
decode_statement = msgspec.json.Decoder(StatementOfReasonsIssued).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedCaseView:
    """`decidable_at`: not before, so that the accused can speak; `due_at`: by when it is."""

    case_id: str
    account_kind: Party
    account_id: str
    rule: ViolationRule
    status: CaseStatus
    points: int
    safety: bool
    began_at: datetime
    kinds: list[str]
    decidable_at: datetime
    due_at: datetime | None
    overdue: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseCounts:
    """Of all cases in which something is to be decided, some seconds ago at most."""

    cases: int
    decisions: int
    appeals: int
    overdue: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CasePage:
    items: list[ListedCaseView]
    next_cursor: str | None
    counts: CaseCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCasePage:
    items: list[ListedCaseView]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HintView:
    """Something that an analyst may look at. Nobody else is told of it."""

    hint_id: str
    account_kind: Party
    account_id: str
    rule: ViolationRule
    cause_key: str
    event_id: str
    noticed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HintPage:
    items: list[HintView]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedStatement:
    """`submission`: as the public database takes it. `redress` is told to the recipient, and has
    no field there.
    """

    submission: dict[str, Any]
    redress: list[Redress]
    appeal_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportPage:
    items: list[ExportedStatement]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureView:
    """Who is to be forgotten, asked for since `asked_at`. `waits_for`: the ids of the disputes,
    returns, refunds and cases of his that are open; `waits_until`: when time closes the first of
    them, a case that may be appealed until then.
    """

    account_kind: Party
    account_id: str
    status: ErasureStatus
    asked_at: datetime
    waits_for: list[str]
    waits_until: datetime | None
    erased_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasurePage:
    items: list[ErasureView]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementFound:
    recipient_role: Party
    recipient_id: str
    view: ReasonsView


def wanted_cases(*, org_id: str | None, kind: CaseKind | None, overdue: bool) -> Wanted:
    only: dict[str, object] = {} if org_id is None else {OF_OTHER_ORGANISATIONS: org_id}
    return Wanted(kind=kind, overdue=overdue, only=only)


async def case_page(
    pool: asyncpg.Pool,
    start: PageStart,
    wanted: Wanted,
    *,
    accounts: Collection[str],
    counts: Counts,
    now: datetime,
) -> CasePage:
    """What is to be decided, the oldest first; none of whoever reads it."""
    cases, more = await CASES.page(pool, start, wanted, hidden_from=accounts, now=now)
    return CasePage(
        items=[listed(case, now) for case in cases],
        next_cursor=more,
        counts=CaseCounts(
            cases=counts.cases,
            decisions=counts.of_kind["DECISION"],
            appeals=counts.of_kind["APPEAL"],
            overdue=counts.overdue,
        ),
    )


def listed(case: ViolationCase, now: datetime) -> ListedCaseView:
    return ListedCaseView(
        case_id=case.case_id,
        account_kind=case.account_kind,
        account_id=case.account_id,
        rule=case.rule,
        status=case.status,
        points=case.points,
        safety=case.safety,
        began_at=case.began_at,
        kinds=case.kinds,
        decidable_at=case.decidable_at,
        due_at=case.due_at,
        overdue=case.due_at is not None and case.due_at <= now,
    )


async def own_case_page(
    pool: asyncpg.Pool, start: PageStart, side: Party, account_id: str, now: datetime
) -> OwnCasePage:
    """All cases against somebody, the newest first."""
    query = OWN_PAGE.format(behind=NEWEST.behind(start, 4))
    rows = await pool.fetch(query, start.rows_max, side, account_id, *NEWEST.values(start))
    cases = [decode_case(told) for (told,) in rows]
    page, more = start.cut(cases, lambda case: (case.began_at, case.case_id))
    return OwnCasePage(items=[listed(case, now) for case in page], next_cursor=more)


async def hint_page(pool: asyncpg.Pool, start: PageStart) -> HintPage:
    query = HINT_PAGE.format(behind=HINT_ORDER.behind(start, 2))
    rows = await pool.fetch(query, start.rows_max, *HINT_ORDER.values(start))
    page, more = start.cut(rows, lambda row: (row["noticed_at"], row["hint_id"]))
    return HintPage(items=[HintView(**row) for row in page], next_cursor=more)


async def people_after(pool: asyncpg.Pool, person: str, limit: int) -> list[str]:
    """Those who have an account, in the order of their names."""
    return [row[0] for row in await pool.fetch(PEOPLE, person, limit)]


async def erasure_page(pool: asyncpg.Pool, start: PageStart, status: ErasureStatus) -> ErasurePage:
    """Those of this status, the first that was asked for first."""
    query = ERASURE_PAGE.format(behind=IN_TURN.behind(start, 3))
    rows = await pool.fetch(query, start.rows_max, status, *IN_TURN.values(start))
    page, more = start.cut(rows, lambda row: (row["asked_at"], row["account"]))
    return ErasurePage(items=[erasure_view(row) for row in page], next_cursor=more)


def erasure_view(row: asyncpg.Record) -> ErasureView:
    return ErasureView(**{each.name: row[each.name] for each in fields(ErasureView)})


async def export_page(
    pool: asyncpg.Pool, start: PageStart, since: datetime, until: datetime
) -> ExportPage:
    """What was issued in a span of time, the oldest first."""
    query = EXPORT_PAGE.format(behind=ISSUED.behind(start, 4))
    rows = await pool.fetch(query, start.rows_max, since, until, *ISSUED.values(start))
    page, more = start.cut(rows, lambda row: (row["issued_at"], row["sor_id"]))
    return ExportPage(
        items=[exported(decode_statement(row["told"]), row["rule"]) for row in page],
        next_cursor=more,
    )


def exported(told: StatementOfReasonsIssued, rule: ViolationRule | None) -> ExportedStatement:
    return ExportedStatement(
        submission=submission(told, rule),
        redress=[*(told.redress or ())],
        appeal_until=told.appeal_until,
    )


async def find_statement(pool: asyncpg.Pool, sor_id: str) -> StatementFound | None:
    row = await pool.fetchrow(ONE_STATEMENT, sor_id)
    if row is None:
        return None
    return StatementFound(
        recipient_role=row["recipient_role"],
        recipient_id=row["recipient_id"],
        view=reasons_view(decode_statement(row["told"])),
    )
