"""What other services tell of orders and people in, rows of it out; and what was asked of ledgers.

Every row of a table of facts is the fold of one stream, so that no two workers write the same one.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct
from shared_casework.order_facts import OrderFacts, evolve
from shared_casework.people import Erased, InForce, erased, in_force, person_of, told_of
from shared_events.envelope import Recorded
from shared_events.orders import OrderCancelled, OrderPaid, OrderPlaced
from shared_events.reputation import SubjectErased
from shared_runtime.delivery import Connection
from shared_runtime.log import Database
from shared_runtime.rows import Rows, columns, of_kind

from returns_service.dispute_rows import DISPUTE_EVENTS, DISPUTES, dispute_row
from returns_service.domain.requesting import RequestRefund
from returns_service.domain.tables import ReturnMeasure

MEASURES: Mapping[ReturnMeasure, Rows[InForce]] = {
    "MANUAL_ONLY": Rows(table="facts.manual_only", key="measure_id", row=InForce),
    "NO_FAST_LANE": Rows(table="facts.no_fast_lane", key="measure_id", row=InForce),
}
ERASED = Rows(table="facts.erased", key="person", row=Erased)


async def write_facts(batch: Sequence[Recorded[Any]], db: Connection) -> None:
    """Brings events of the other services to the rows that they are about."""
    if of := of_kind(batch, SubjectErased):
        await ERASED.fold(of, db, key_of=person_of, evolve=erased)
    if of := of_kind(batch, *DISPUTE_EVENTS):
        await DISPUTES.fold(of, db, key_of=lambda event: event.dispute_id, evolve=dispute_row)
    for measure, rows in MEASURES.items():
        if of := [*told_of(measure, batch)]:
            await rows.fold(of, db, key_of=lambda event: event.measure_id, evolve=in_force)


# --- Orders that are to be paid


class OrderToPay(Struct, frozen=True, kw_only=True):
    order_id: str
    placed: OrderFacts


class PaidOrder(NamedTuple):
    """An order, and what has told that it is paid."""

    order: OrderFacts
    recorded: Recorded[OrderPaid]


TO_PAY = Rows(table="facts.order_to_pay", key="order_id", row=OrderToPay)
OF_PAYMENT: tuple[type[Struct], ...] = (OrderPlaced, OrderPaid, OrderCancelled)


async def paid_orders(batch: Sequence[Recorded[Any]], db: Connection) -> list[PaidOrder]:
    """Those that a batch tells of. An order comes from one stream, so its placing has come before;
    one that is paid, or never will be, is kept no longer.
    """
    told = of_kind(batch, *OF_PAYMENT)
    if not told:
        return []
    held = await TO_PAY.read({recorded.event.order_id for recorded in told}, db)
    waiting = {order_id: row.placed for order_id, row in held.items()}
    paid: list[PaidOrder] = []
    for recorded in told:
        event, order_id = recorded.event, recorded.event.order_id
        if isinstance(event, OrderPlaced):
            waiting[order_id] = evolve(None, event)
        elif (order := waiting.pop(order_id, None)) and isinstance(event, OrderPaid):
            paid.append(PaidOrder(evolve(order, event), recorded))
    new = (OrderToPay(order_id=order_id, placed=order) for order_id, order in waiting.items())
    await TO_PAY.write([row for row in new if row != held.get(row.order_id)], db)
    await TO_PAY.delete([order_id for order_id in held if order_id not in waiting], db)
    return paid


# --- What machines have asked of ledgers

KEEP_ASKED = """
    INSERT INTO facts.asked_refund (refund_id, order_id, said)
    SELECT refund_id, order_id, said::jsonb
    FROM unnest($1::text[], $2::text[], $3::text[]) AS asked (refund_id, order_id, said)
    ON CONFLICT DO NOTHING
"""
READ_ASKED = "SELECT refund_id, said::text FROM facts.asked_refund WHERE order_id = ANY($1)"

decode_said = msgspec.json.Decoder(RequestRefund).decode


async def keep_asked(asked: Iterable[tuple[str, RequestRefund]], db: Database) -> None:
    """`asked`: each with the order that it is of."""
    rows = [
        (said.refund_id, order_id, msgspec.json.encode(said).decode()) for order_id, said in asked
    ]
    if rows:
        await db.execute(KEEP_ASKED, *columns(rows, 3))


async def read_asked(order_ids: Collection[str], db: Database) -> Mapping[str, RequestRefund]:
    """What was asked for on these orders, by the ids of the refunds."""
    rows = await db.fetch(READ_ASKED, [*order_ids])
    return {refund_id: decode_said(said) for refund_id, said in rows}
