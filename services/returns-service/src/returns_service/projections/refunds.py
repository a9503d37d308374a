"""Events in, rows out: all refunds of all orders, and every movement of their money.

A refund is a row as long as there is one. It is a case while it needs a person: it has failed for
good or bounced and none stands in its place, or its delay was told. A movement is a row for ever,
dated by what has happened, so that what a day has moved can be counted again at any time.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Literal, get_args

from msgspec import Struct
from msgspec.structs import replace
from shared_events import returns
from shared_events.common import DecisionOverdue
from shared_events.envelope import Recorded
from shared_events.fields import Code, Id
from shared_events.returns import (
    Bearer,
    CostMoved,
    OutsideRefundRecorded,
    OutsideRefundUndone,
    RefundBounced,
    RefundedUnit,
    RefundFailed,
    RefundIssued,
    RefundNotDue,
    RefundOverpaid,
    RefundRequested,
    RefundRetried,
    RefundSettled,
    RefundSource,
    RefundWay,
    RemedyAlreadyMet,
)
from shared_runtime.delivery import Connection
from shared_runtime.projections import Projection
from shared_runtime.rows import Rows, columns
from shared_runtime.worklist import CASE_COLUMNS, Case, OpenItem, queue, summed_up

from returns_service.domain.ledger_state import TO_REISSUE, UNPAID, RefundStatus
from returns_service.domain.stopping import UNDER_WAY

type RefundCaseKind = Literal["FAILED", "BOUNCED", "LATE"]
"""LATE: its delay was told, and nothing has come of it yet."""
type MovementKind = Literal["SETTLED", "FAILED", "BOUNCED", "OUTSIDE", "UNDONE", "OVERPAID"]

LISTED_REFUNDS_DDL = f"""
    CREATE TABLE listed_refund (
        {CASE_COLUMNS},
        order_id text NOT NULL,
        seller_id text NOT NULL,
        buyer_id text NOT NULL,
        source text NOT NULL,
        source_id text NOT NULL,
        remedy_id text,
        way text NOT NULL,
        borne_by text NOT NULL,
        reason text,
        currency text NOT NULL,
        total_minor bigint NOT NULL,
        platform_minor bigint NOT NULL,
        units jsonb NOT NULL,
        shipping_minor bigint NOT NULL,
        goodwill_minor bigint NOT NULL,
        difference_minor bigint NOT NULL,
        label_cost_minor bigint NOT NULL,
        state text NOT NULL,
        attempt integer NOT NULL,
        code text,
        gateway_ref text,
        reissues text,
        reissued_by text,
        not_due boolean NOT NULL,
        overdue_at timestamptz NOT NULL,
        owed_until timestamptz,
        late_since timestamptz,
        requested_at timestamptz NOT NULL,
        settled_at timestamptz,
        failed_at timestamptz,
        bounced_at timestamptz
    );
    CREATE INDEX listed_refund_newest ON listed_refund (requested_at, case_id);
    CREATE INDEX listed_refund_in_state ON listed_refund (state, requested_at, case_id);
    CREATE INDEX listed_refund_owed ON listed_refund (owed_until, case_id)
        WHERE owed_until IS NOT NULL;
    CREATE INDEX listed_refund_of_seller ON listed_refund (seller_id, requested_at, case_id);
    CREATE INDEX listed_refund_of_seller_in_state
        ON listed_refund (seller_id, state, requested_at, case_id);
    CREATE INDEX listed_refund_of_seller_owed ON listed_refund (seller_id, owed_until, case_id)
        WHERE owed_until IS NOT NULL;
    CREATE INDEX listed_refund_settled ON listed_refund (settled_at)
        WHERE settled_at IS NOT NULL;
    {queue("listed_refund")}

    CREATE TABLE refund_movement (
        event_id uuid PRIMARY KEY,
        at timestamptz NOT NULL,
        kind text NOT NULL,
        order_id text NOT NULL,
        seller_id text NOT NULL,
        parties text[] NOT NULL,
        currency text NOT NULL,
        amount_minor bigint NOT NULL
    );
    CREATE INDEX refund_movement_at ON refund_movement (at);
    CREATE INDEX refund_movement_of_seller ON refund_movement (seller_id, at);
"""


class ListedRefund(Case, frozen=True, kw_only=True):
    """One refund, by its id. `reason`: of the desk's goodwill. `units`, `shipping_minor`,
    `goodwill_minor`, `difference_minor`: what its total is of; `label_cost_minor`: by which it is
    less. `borne_by`: as it was asked for; `platform_minor`: what of it the platform bears by now.
    `code`: of its last failure. `owed_until`: by when the buyer is to have it, as long as he has
    not, no other one stands in its place and it is due (`not_due`). `late_since`: when that he
    waits too long was told.
    """

    order_id: str
    seller_id: str
    buyer_id: str
    source: RefundSource
    source_id: str
    remedy_id: str | None = None
    way: RefundWay
    borne_by: Bearer
    reason: Code | None = None
    currency: str
    total_minor: int
    platform_minor: int
    units: list[RefundedUnit]
    shipping_minor: int
    goodwill_minor: int
    difference_minor: int
    label_cost_minor: int
    state: RefundStatus = "REQUESTED"
    attempt: int = 1
    code: str | None = None
    gateway_ref: str | None = None
    reissues: str | None = None
    reissued_by: str | None = None
    not_due: bool = False
    overdue_at: datetime
    owed_until: datetime | None = None
    late_since: datetime | None = None
    requested_at: datetime
    settled_at: datetime | None = None
    failed_at: datetime | None = None
    bounced_at: datetime | None = None


class Reissued(Struct, frozen=True, kw_only=True):
    """What a request tells of the refund that it stands in the place of."""

    refund_id: Id
    by: Id


class Owed(Struct, frozen=True, kw_only=True):
    """Whether a refund that failed or bounced is due, as its reissue has found, or found once."""

    refund_id: Id
    is_due: bool


type OfRefund = (
    RefundRequested
    | Reissued
    | Owed
    | RefundSettled
    | RefundFailed
    | RefundRetried
    | RefundBounced
    | CostMoved
    | DecisionOverdue
)
type OfMoney = RefundIssued | OutsideRefundRecorded | OutsideRefundUndone | RefundOverpaid
HANDLED: tuple[type[Struct], ...] = (
    RefundRequested,
    RefundNotDue,
    RemedyAlreadyMet,
    RefundSettled,
    RefundFailed,
    RefundRetried,
    RefundBounced,
    CostMoved,
    DecisionOverdue,
    *get_args(OfMoney.__value__),
)
ROWS = Rows(table="listed_refund", key="case_id", row=ListedRefund)


async def listed_refunds(batch: Sequence[Recorded[Any]], db: Connection) -> None:
    of_refunds = [*told_of_refunds(batch)]
    await ROWS.fold_recorded(of_refunds, db, key_of=refund_of, evolve=evolve)
    await write_movements(batch, db)


# --- Refunds


def told_of_refunds(batch: Iterable[Recorded[Any]]) -> Iterator[Recorded[OfRefund]]:
    """What stands in the place of another refund, or does not any more, is told to that one too."""
    for recorded in batch:
        if isinstance(recorded.event, get_args(OfRefund.__value__)):
            yield recorded
        for told in told_of_others(recorded.event):
            yield replace(recorded, event=told)


def told_of_others(event: object) -> Iterator[Reissued | Owed]:
    match event:
        case RefundRequested(reissues=str(refund_id)):
            yield Reissued(refund_id=refund_id, by=event.refund_id)
        case RefundNotDue(reissues=str(refund_id)) | RemedyAlreadyMet(reissues=str(refund_id)):
            yield Owed(refund_id=refund_id, is_due=False)
        case RefundBounced(owed_again=str(refund_id)):
            yield Owed(refund_id=refund_id, is_due=True)
        case OutsideRefundUndone(owed_again=list(refund_ids)):
            for each in refund_ids:
                yield Owed(refund_id=each, is_due=True)
        case _:
            pass


def refund_of(event: OfRefund) -> str | None:
    if isinstance(event, DecisionOverdue):
        return event.ref_id if event.what == "REFUND" else None
    return event.refund_id


def evolve(before: ListedRefund | None, recorded: Recorded[OfRefund]) -> ListedRefund | None:
    event, at = recorded.event, recorded.time
    if isinstance(event, RefundRequested):
        row: ListedRefund | None = requested(event, at)
    else:
        row = before and after(before, event, at)
    return row and summed_up(with_debt(row), [*open_items(row)])


def requested(event: RefundRequested, at: datetime) -> ListedRefund:
    parties = [event.buyer_id, event.seller_id]
    return ListedRefund(
        case_id=event.refund_id,
        kinds=[],
        parties=parties,
        barred=parties,
        order_id=event.order_id,
        seller_id=event.seller_id,
        buyer_id=event.buyer_id,
        source=event.source,
        source_id=event.source_id,
        remedy_id=event.remedy_id,
        way=event.way,
        borne_by=event.borne_by,
        reason=event.reason,
        currency=event.currency,
        total_minor=event.total_minor,
        platform_minor=event.total_minor if event.borne_by == "PLATFORM" else 0,
        units=event.units,
        shipping_minor=event.shipping_minor,
        goodwill_minor=event.goodwill_minor,
        difference_minor=event.difference_minor or 0,
        label_cost_minor=event.label_cost_minor,
        reissues=event.reissues,
        overdue_at=event.overdue_at,
        requested_at=at,
    )


def after(row: ListedRefund, event: OfRefund, at: datetime) -> ListedRefund:  # noqa: PLR0911
    match event:
        case Reissued(by=reissued_by):
            return replace(row, reissued_by=reissued_by, not_due=False)
        case Owed(is_due=is_due):
            return replace(row, not_due=not is_due)
        case RefundSettled(gateway_ref=word, settled_at=settled_at):
            return replace(row, state="SETTLED", gateway_ref=word, settled_at=settled_at)
        case RefundFailed(final=True, code=code, proof_ref=word):
            return replace(row, state="FAILED_FINAL", code=code, gateway_ref=word, failed_at=at)
        case RefundFailed(code=code):
            return replace(row, state="FAILED", code=code)
        case RefundRetried(attempt=attempt):
            return replace(row, state="REQUESTED", attempt=attempt)
        case RefundBounced(overdue_at=overdue_at):
            return replace(
                row, state="BOUNCED", bounced_at=at, overdue_at=overdue_at, late_since=None
            )
        case CostMoved(total_minor=moved):
            more = moved if event.borne_by == "PLATFORM" else -moved
            return replace(row, platform_minor=row.platform_minor + more)
        case DecisionOverdue():
            return replace(row, late_since=row.late_since or at)
        case _:
            return row


def with_debt(row: ListedRefund) -> ListedRefund:
    is_owed = row.state in UNPAID and not is_answered(row)
    return replace(row, owed_until=row.overdue_at if is_owed else None)


def is_answered(row: ListedRefund) -> bool:
    """Another one stands in its place, or others have given it."""
    return row.reissued_by is not None or row.not_due


def open_items(row: ListedRefund) -> Iterator[OpenItem]:
    """What needs a person, since when, and by when the buyer is to have his money."""
    if row.state in TO_REISSUE and not is_answered(row):
        bounced = row.state == "BOUNCED"
        since = row.bounced_at if bounced else row.failed_at
        assert since is not None
        kind: RefundCaseKind = "BOUNCED" if bounced else "FAILED"
        yield OpenItem(kind=kind, since=since, due=row.overdue_at)
    if row.late_since and row.state in UNDER_WAY:
        yield OpenItem(kind="LATE", since=row.late_since, due=row.overdue_at)


# --- Movements

ADD_MOVEMENTS = """
    INSERT INTO refund_movement
        (event_id, at, kind, order_id, seller_id, parties, currency, amount_minor)
    SELECT event_id, at, kind, order_id, seller_id, ARRAY[buyer_id, seller_id], currency, amount
    FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[],
                $7::text[], $8::bigint[])
        AS moved (event_id, at, kind, order_id, seller_id, buyer_id, currency, amount)
    ON CONFLICT DO NOTHING
"""


async def write_movements(batch: Sequence[Recorded[Any]], db: Connection) -> None:
    """What has failed is as much as had been asked for: after the rows of the batch are written."""
    failed = {each.event.refund_id for each in batch if has_failed(each.event)}
    rows = await ROWS.read(failed, db) if failed else {}
    moved: list[tuple[Any, ...]] = []
    for recorded in batch:
        event = recorded.event
        if (movement := movement_of(event, rows)) is None:
            continue
        kind, amount, currency = movement
        ids = (event.order_id, event.seller_id, event.buyer_id)
        moved.append((recorded.event_id, recorded.time, kind, *ids, currency, amount))
    if moved:
        await db.execute(ADD_MOVEMENTS, *columns(moved, 8))


def has_failed(event: object) -> bool:
    return isinstance(event, RefundFailed) and event.final


def movement_of(  # noqa: PLR0911 - one arm for each event
    event: object, rows: dict[str, ListedRefund]
) -> tuple[MovementKind, int, str] | None:
    match event:
        case RefundIssued(total_minor=amount, currency=currency):
            return ("SETTLED", amount, currency) if amount else None
        case RefundFailed(final=True, refund_id=refund_id):
            return "FAILED", rows[refund_id].total_minor, rows[refund_id].currency
        case RefundBounced(total_minor=amount, currency=currency):
            return "BOUNCED", amount, currency
        case OutsideRefundRecorded(total_minor=amount, currency=currency):
            return "OUTSIDE", amount, currency
        case OutsideRefundUndone(total_minor=amount, currency=currency):
            return "UNDONE", amount, currency
        case RefundOverpaid(amount_minor=amount, currency=currency):
            return "OVERPAID", amount, currency
        case _:
            return None


LISTED_REFUNDS = Projection(
    name="listed_refunds",
    version=2,
    topics=(returns.TOPIC,),
    handles=HANDLED,
    tables=("listed_refund", "refund_movement"),
    ddl=LISTED_REFUNDS_DDL,
    apply=listed_refunds,
)
