"""What other streams tell of orders, people and reviews in, rows out.

Every row of a table of facts is the fold of one stream, so that no two workers write the same one.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace
from shared_casework.order_locks import lock_orders, share_orders
from shared_casework.people import Erased, InForce, erased, in_force, person_of, person_on, told_of
from shared_events.dispute import DisputeClosed, DisputeOpened
from shared_events.envelope import Recorded
from shared_events.orders import OrderDelayAttributed
from shared_events.reputation import (
    CaseDismissed,
    CaseOpened,
    Measure,
    SubjectErased,
    ViolationAppealDecided,
    ViolationConfirmed,
)
from shared_events.returns import RefundIssued, ReturnClosed, UnitsAccepted
from shared_events.review import Carriage, Flagger, ReviewFlagged, ReviewSubmitted
from shared_runtime.delivery import Connection
from shared_runtime.log import Database, Planned
from shared_runtime.rows import Rows, columns, of_kind

MADE_GOOD = ("REFUNDED", "EXCHANGED", "REPLACED", "KEPT")
RIGHT_LOST: Measure = "RATING_RIGHT_LOST"

type CaseStanding = Literal["OPEN", "CONFIRMED", "GONE"]

LOCK = 0x66616374
ALONE = f"SELECT pg_advisory_xact_lock({LOCK})"
"""Taken before facts are written that may be about any order (of a case, a measure, an erasure),
until what they lead to has been appended: nobody decides on facts meanwhile."""
TOGETHER = f"SELECT pg_advisory_xact_lock_shared({LOCK})"
"""Taken by whoever is about orders that he can name, which he locks then: facts of an order are
written by one at a time, and looked at again when what was decided without them can be seen."""


async def lock_facts(
    order_ids: Iterable[str], db: Connection, *, of_any_order: bool = False
) -> None:
    """Waits until nobody else writes facts of these orders, or decides on them again, until the
    transaction ends. `of_any_order`: until nobody does so of any.
    """
    if of_any_order:
        await db.execute(ALONE)
    else:
        await db.execute(TOGETHER)
        await lock_orders(order_ids, db)


async def share_facts(order_ids: Iterable[str], db: Connection) -> None:
    """Waits until nobody writes facts of these orders, until the transaction ends."""
    await db.execute(TOGETHER)
    await share_orders(order_ids, db)


class Dispute(Struct, frozen=True, kw_only=True):
    """`against_seller`: settled or decided so, with something for the buyer."""

    dispute_id: str
    order_id: str
    opened_at: datetime
    closed_at: datetime | None = None
    resolved_by_seller: bool = False
    against_seller: bool = False
    by_carrier: bool = False
    buyer_abuse: bool = False

    def is_open(self, at: datetime) -> bool:
        return self.opened_at <= at and (self.closed_at is None or at < self.closed_at)


def dispute(row: Dispute | None, event: DisputeOpened | DisputeClosed) -> Dispute:
    opened = row or Dispute(
        dispute_id=event.dispute_id, order_id=event.order_id, opened_at=event.opened_at
    )
    match event:
        case DisputeOpened():
            return opened
        case DisputeClosed():
            return replace(
                opened,
                closed_at=event.closed_at,
                resolved_by_seller=event.resolved_by_seller,
                against_seller=is_against_seller(event),
                by_carrier=event.liable == "CARRIER",
                buyer_abuse=event.buyer_abuse,
            )


def is_against_seller(event: DisputeClosed) -> bool:
    match event.how:
        case "SETTLED":
            return event.outcome != "REJECTED"
        case "DEFAULT":
            return True
        case "DECIDED":
            return event.liable == "SELLER"
        case "WITHDRAWN" | "PLATFORM":
            return False


class GoodsReturn(Struct, frozen=True, kw_only=True):
    """`made_good_at`: closed so that the buyer may revise, and not forced upon the seller."""

    return_id: str
    order_id: str
    corroborates: bool = False
    made_good_at: datetime | None = None


def goods_return(row: GoodsReturn | None, event: UnitsAccepted | ReturnClosed) -> GoodsReturn:
    known = row or GoodsReturn(return_id=event.return_id, order_id=event.order_id)
    match event:
        case UnitsAccepted():
            return replace(known, corroborates=True)
        case ReturnClosed():
            made_good = event.resolution in MADE_GOOD and not event.forced
            refunded = any(unit.result == "REFUNDED" for unit in event.units)
            return replace(
                known,
                corroborates=known.corroborates or refunded or event.refunded_minor > 0,
                made_good_at=event.closed_at if made_good else None,
            )


class Refund(Struct, frozen=True, kw_only=True):
    """The first that was issued: how many there are, and how much, is no matter of reviews."""

    order_id: str
    issued_at: datetime


def refund(row: Refund | None, event: RefundIssued) -> Refund:
    return row or Refund(order_id=event.order_id, issued_at=event.issued_at)


class Delay(Struct, frozen=True, kw_only=True):
    order_id: str
    incident_id: str
    liable: Carriage


def delay(row: Delay | None, event: OrderDelayAttributed) -> Delay:
    return row or Delay(order_id=event.order_id, incident_id=event.incident_id, liable=event.liable)


class Accusation(Struct, frozen=True, kw_only=True):
    """A case that names reviews."""

    case_id: str
    standing: CaseStanding


type AccusationEvent = CaseOpened | CaseDismissed | ViolationConfirmed | ViolationAppealDecided


def accusation(row: Accusation | None, event: AccusationEvent) -> Accusation | None:
    match event:
        case CaseOpened():
            return row or Accusation(case_id=event.case_id, standing="OPEN")
        case CaseDismissed():
            return Accusation(case_id=event.case_id, standing="GONE")
        case ViolationConfirmed():
            return Accusation(case_id=event.case_id, standing="CONFIRMED")
        case ViolationAppealDecided():
            gone = event.outcome == "REVERSED"
            return Accusation(case_id=event.case_id, standing="GONE") if gone else row


DISPUTES = Rows(table="facts.dispute", key="dispute_id", row=Dispute)
RETURNS = Rows(table="facts.goods_return", key="return_id", row=GoodsReturn)
REFUNDS = Rows(table="facts.refund", key="order_id", row=Refund)
DELAYS = Rows(table="facts.delay", key="order_id", row=Delay)
RIGHTS_LOST = Rows(table="facts.right_lost", key="measure_id", row=InForce)
ACCUSATIONS = Rows(table="facts.accusation", key="case_id", row=Accusation)
ERASED = Rows(table="facts.erased", key="person", row=Erased)

ACCUSE = """
    INSERT INTO facts.accused_review (review_id, case_id)
    SELECT DISTINCT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING
"""


async def write_facts(batch: Sequence[Recorded[Any]], db: Connection) -> None:
    """Brings events of the other services, and delays, to the rows that they are about."""
    if told := of_kind(batch, DisputeOpened, DisputeClosed):
        await DISPUTES.fold(told, db, key_of=lambda event: event.dispute_id, evolve=dispute)
    if told := of_kind(batch, UnitsAccepted, ReturnClosed):
        await RETURNS.fold(told, db, key_of=lambda event: event.return_id, evolve=goods_return)
    if told := of_kind(batch, RefundIssued):
        await REFUNDS.fold(told, db, key_of=lambda event: event.order_id, evolve=refund)
    if told := of_kind(batch, OrderDelayAttributed):
        await DELAYS.fold(told, db, key_of=lambda event: event.order_id, evolve=delay)
    if told := of_kind(batch, SubjectErased):
        await ERASED.fold(told, db, key_of=person_of, evolve=erased)
    if told := [*told_of(RIGHT_LOST, batch)]:
        await RIGHTS_LOST.fold(told, db, key_of=lambda event: event.measure_id, evolve=in_force)
    cases = of_kind(batch, CaseOpened, CaseDismissed, ViolationConfirmed, ViolationAppealDecided)
    if cases:
        await ACCUSATIONS.fold(cases, db, key_of=lambda event: event.case_id, evolve=accusation)
        accused = [
            (review_id, recorded.event.case_id)
            for recorded in of_kind(cases, CaseOpened, ViolationConfirmed)
            for review_id in recorded.event.review_ids
        ]
        await db.execute(ACCUSE, *columns(accused, 2))


# --- Reviews by their ids and authors

ADD_REVIEWS = """
    INSERT INTO facts.review AS review
        (order_id, side, review_id, buyer_id, seller_id, author, submitted_at)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
                         $7::timestamptz[])
    ON CONFLICT (order_id, side, review_id) DO UPDATE SET submitted_at = excluded.submitted_at
    WHERE review.submitted_at < excluded.submitted_at
"""


async def write_reviews(told: Iterable[Planned | Recorded[Any]], db: Database | None) -> None:
    """Makes reviews known by their ids, their refs and their authors: in the transaction that
    records them, so that whoever is told of one finds it. Told again, it changes nothing; one that
    was withdrawn before the reveal and written once more is of when it was written last.
    """
    rows = {
        (review.order_id, review.side, review.review_id): (
            review.order_id,
            review.side,
            review.review_id,
            review.buyer_id,
            review.seller_id,
            person_on(review.side, review),
            review.submitted_at,
        )
        for each in told
        if isinstance(review := each.event, ReviewSubmitted)
    }
    if rows and db is not None:
        # Sorted: two writers of the same rows wait for each other in one order.
        await db.execute(ADD_REVIEWS, *columns(sorted(rows.values()), 7))


# --- Flags by who raised them

ADD_FLAGS = """
    INSERT INTO facts.flag (flag_id, flagger, flagged_at)
    SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[])
    ON CONFLICT DO NOTHING
"""


async def write_flags(flags: Iterable[Planned | Recorded[Any]], db: Database | None) -> None:
    """Makes known who has flagged when: in the transaction that records a flag, so that whoever
    counts those of its sender finds it. Told again, it changes nothing.
    """
    rows = [
        (flagged.flag_id, flagger(flagged.flagger_role, flagged.flagger_id), each.time)
        for each in flags
        if isinstance(flagged := each.event, ReviewFlagged)
    ]
    if rows and db is not None:
        await db.execute(ADD_FLAGS, *columns(rows, 3))


def flagger(role: Flagger, account: str) -> str:
    """Whose flags count together: those of a seller's members do."""
    return f"{role.lower()}:{account}"
