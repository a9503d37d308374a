"""Events in, rows out: the returns of each party, what is due next in them, and what waits for the
desk or the warehouse.

A row keeps the return as it stands, so that where it stands, and what is due, is told by the same
code that decides about it.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

from shared_events import returns
from shared_events.envelope import Recorded
from shared_events.returns import Lane, Resolution, ReturnEvent, ReturnKind, ReturnReason
from shared_runtime.delivery import Connection
from shared_runtime.projections import Projection
from shared_runtime.rows import Rows
from shared_runtime.worklist import CASE_COLUMNS, Case, OpenItem, queue, summed_up

from returns_service.domain.policy import Policies, policies
from returns_service.domain.return_dues import acts_in
from returns_service.domain.return_fold import evolve
from returns_service.domain.return_readers import READERS
from returns_service.domain.return_state import Return, ReturnStatus, Unbegun
from returns_service.domain.return_timers import Deadline, Name, return_deadlines
from returns_service.domain.streams import is_return
from returns_service.policy_versions import learn

type ReturnCaseKind = Literal["REVIEW", "ADVANCE", "LABEL", "KEPT"]
"""REVIEW: the desk decides. ADVANCE: the seller says that nothing stands behind one. LABEL, KEPT:
its delay was told, of a label, or of goods that are to be sent back.
"""
type Waiting = Literal["RECEIVE", "INSPECT"]
"""What a warehouse has to do with it."""

LISTED_RETURNS_DDL = f"""
    CREATE TABLE listed_return (
        {CASE_COLUMNS},
        order_id text NOT NULL,
        seller_id text NOT NULL,
        buyer_id text NOT NULL,
        kind text NOT NULL,
        lane text,
        reason text NOT NULL,
        status text NOT NULL,
        pieces integer NOT NULL,
        began_at timestamptz NOT NULL,
        closed_at timestamptz,
        resolution text,
        currency text,
        refunded_minor bigint,
        buyer_due timestamptz NOT NULL,
        buyer_due_name text,
        seller_due timestamptz NOT NULL,
        seller_due_name text,
        waiting text,
        waiting_due timestamptz,
        matter jsonb NOT NULL
    );
    CREATE INDEX listed_return_of_buyer ON listed_return (buyer_id, began_at, case_id);
    CREATE INDEX listed_return_of_buyer_due ON listed_return (buyer_id, buyer_due, case_id)
        WHERE closed_at IS NULL;
    CREATE INDEX listed_return_of_seller ON listed_return (seller_id, began_at, case_id);
    CREATE INDEX listed_return_of_seller_open ON listed_return (seller_id, began_at, case_id)
        WHERE closed_at IS NULL;
    CREATE INDEX listed_return_of_seller_due ON listed_return (seller_id, seller_due, case_id)
        WHERE closed_at IS NULL OR seller_due_name IS NOT NULL;
    CREATE INDEX listed_return_of_seller_in_status
        ON listed_return (seller_id, status, began_at, case_id);
    CREATE INDEX listed_return_of_seller_in_status_due
        ON listed_return (seller_id, status, seller_due, case_id)
        WHERE closed_at IS NULL OR seller_due_name IS NOT NULL;
    CREATE INDEX listed_return_of_order ON listed_return (order_id, began_at, case_id);
    CREATE INDEX listed_return_waiting
        ON listed_return (seller_id, waiting, waiting_due, case_id) WHERE waiting IS NOT NULL;
    CREATE INDEX listed_return_closed ON listed_return (closed_at) WHERE closed_at IS NOT NULL;
    CREATE INDEX listed_return_of_seller_closed ON listed_return (seller_id, closed_at)
        WHERE closed_at IS NOT NULL;
"""


NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""In the place of what is due, where nothing is: behind all that is."""


class ListedReturn(Case, frozen=True, kw_only=True):
    """`case_id`: the return. `buyer_due`, `seller_due`: when what is due next for each is due; it
    has a name, if there is any. `matter`: the return as it stands.
    """

    order_id: str
    seller_id: str
    buyer_id: str
    kind: ReturnKind
    lane: Lane | None = None
    reason: ReturnReason
    status: ReturnStatus
    pieces: int
    began_at: datetime
    closed_at: datetime | None = None
    resolution: Resolution | None = None
    currency: str | None = None
    refunded_minor: int | None = None
    buyer_due: datetime
    buyer_due_name: Name | None = None
    seller_due: datetime
    seller_due_name: Name | None = None
    waiting: Waiting | None = None
    waiting_due: datetime | None = None
    matter: Return


def listed(
    known: Policies, row: ListedReturn | None, recorded: Recorded[ReturnEvent]
) -> ListedReturn:
    matter = evolve(row.matter if row else Unbegun(), recorded.event)
    assert isinstance(matter, Return)
    since = row.opened_at if row and row.opened_at else recorded.time
    told = row_of(matter, row.began_at if row else recorded.time, known)
    return summed_up(told, [*open_items(matter, since)])


def row_of(matter: Return, began_at: datetime, known: Policies) -> ListedReturn:
    """`known`: the version that it began with, and others."""
    dues = sorted(return_deadlines(matter, known, {}), key=lambda each: each.due)
    buyer, seller = next_for(matter, dues, "BUYER"), next_for(matter, dues, "SELLER")
    waiting, waiting_due = waits(matter)
    closed, parties = matter.closed, [matter.ids["buyer_id"], matter.ids["seller_id"]]
    return ListedReturn(
        case_id=matter.return_id,
        kinds=[],
        parties=parties,
        barred=parties,
        order_id=matter.ids["order_id"],
        seller_id=matter.ids["seller_id"],
        buyer_id=matter.ids["buyer_id"],
        kind=matter.kind,
        lane=matter.lane,
        reason=matter.reason,
        status=matter.status,
        pieces=len(matter.pieces),
        began_at=began_at,
        closed_at=closed.closed_at if closed else None,
        resolution=closed.resolution if closed else None,
        currency=closed.currency if closed else None,
        refunded_minor=closed.refunded_minor if closed else None,
        buyer_due=buyer.due if buyer else NEVER,
        buyer_due_name=buyer.name if buyer else None,
        seller_due=seller.due if seller else NEVER,
        seller_due_name=seller.name if seller else None,
        waiting=waiting,
        waiting_due=waiting_due,
        matter=matter,
    )


def next_for(matter: Return, dues: Sequence[Deadline], side: str) -> Deadline | None:
    return next((each for each in dues if acts_in(matter, each) == side), None)


def waits(matter: Return) -> tuple[Waiting | None, datetime | None]:
    """What is to be looked at comes before what is only on its way. What came unasked is neither,
    while nobody has said that it may come.
    """
    here = [p.inspect_by for p in matter.live if p.is_pending and p.is_in and p.inspect_by]
    if here:
        return "INSPECT", min(here)
    coming = [p for p in matter.live if p.is_pending and p.where == "IN_TRANSIT"]
    dues = [due for p in coming if (due := p.inspect_by or p.lost_at)]
    return ("RECEIVE", min(dues, default=NEVER)) if coming else (None, None)


def open_items(matter: Return, since: datetime) -> Iterator[OpenItem]:
    """What staff have to do about it."""
    if matter.review and matter.review.by == "AGENT":
        yield OpenItem(kind="REVIEW", since=since, due=matter.review.answer_due)
    if matter.has_advance_to_confirm:
        yield OpenItem(kind="ADVANCE", since=since, due=None)
    told = {what: due for what, _, due in matter.overdue}
    if "LABEL" in told and matter.status == "AUTHORIZED" and matter.label is None:
        yield OpenItem(kind="LABEL", since=since, due=told["LABEL"])
    kept = any(p.send_back_until and not (p.sent_back or p.waived) for p in matter.pieces.values())
    if "SEND_BACK" in told and kept:
        yield OpenItem(kind="KEPT", since=since, due=told["SEND_BACK"])


ROWS = Rows(table="listed_return", key="case_id", row=ListedReturn)


async def list_returns(batch: Sequence[Recorded[Any]], db: Connection) -> None:
    """A version that people have activated is read from where that was recorded: a list that is
    built by another process, or anew, knows of it too.
    """
    of = [recorded for recorded in batch if is_return(recorded.stream)]
    known = policies()
    if any(each.event.policy_version not in known.by_version for each in of):
        await learn(known, db)
    await ROWS.fold_recorded(
        of, db, key_of=lambda event: event.return_id, evolve=partial(listed, known)
    )


LISTED_RETURNS = Projection(
    name="listed_returns",
    version=3,
    topics=(returns.TOPIC,),
    handles=tuple(READERS),
    tables=("listed_return",),
    ddl=LISTED_RETURNS_DDL + queue("listed_return"),
    apply=list_returns,
)
