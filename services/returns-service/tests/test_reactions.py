"""What orders, disputes and passed deadlines ask of a ledger, in whatever order they come."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import asyncpg
import pytest
from msgspec import Struct
from returns_service.domain.asking import STOPPED
from returns_service.domain.failing import FailRefund
from returns_service.domain.outside import RecordOutsideRefund, UndoOutsideRefund
from returns_service.domain.policy import AE_2025_1, ALWAYS, Policies, policies
from returns_service.reactions.from_other_services import on_other_services
from returns_service.reactions.ordered import again_after
from returns_service.testing import paid, refused, timed_out
from returns_service.testing.desk import Desk
from returns_service.testing.orders import (
    cancelled,
    order_paid,
    order_placed,
    remedy,
)
from shared_casework.order_locks import lock_orders
from shared_events.returns import RefundLedgerOpened, RefundNotDue, RemedyAlreadyMet
from shared_runtime.testing import comes_to_wait, delivery_of, waits_for

HOUR, DAY, TICK = timedelta(hours=1), timedelta(days=1), timedelta(microseconds=1)
UNDO = UndoOutsideRefund(outside_id="cb-1")


def charged_back(amount: int, *units: str) -> RecordOutsideRefund:
    return RecordOutsideRefund(
        outside_id="cb-1", kind="CHARGEBACK", units=units, amount_minor=amount, currency="EUR"
    )


async def waiting(pool: asyncpg.Pool) -> list[str]:
    rows = await pool.fetch("SELECT remedy_id FROM facts.waiting_remedy ORDER BY remedy_id")
    return [row["remedy_id"] for row in rows]


async def hear(desk: Desk, stream: str, *events: Struct, policies: Policies | None = None) -> None:
    """What a worker does with these events, in one batch."""
    elsewhere = on_other_services(desk.parts.log, policies or desk.policies)
    batch = [delivery_of(recorded) for recorded in await desk.told(stream, *events)]
    async with desk.pool.acquire() as db, db.transaction():
        await elsewhere.apply(batch, db)


# --- Orders


async def test_a_paid_order_has_a_ledger_and_one_that_is_not_paid_has_none(desk: Desk) -> None:
    placed = order_placed("O-1", desk.clock())
    await desk.tell("order-O-1", placed)
    assert await desk.history() == []
    await desk.tell("order-O-1", order_paid(placed, desk.clock()))
    (opened,) = await desk.history()
    assert isinstance(opened, RefundLedgerOpened)
    assert {each.unit: each.paid_minor for each in opened.units} == {"1/1": 2500, "1/2": 2500}
    assert (opened.shipping_minor, opened.total_minor) == (499, 5499)


async def test_an_order_told_twice_has_one_ledger(desk: Desk) -> None:
    await desk.paid()
    placed = order_placed("O-1", desk.clock())
    await hear(desk, "order-O-1", placed, order_paid(placed, desk.clock()))
    assert await desk.kinds() == ["RefundLedgerOpened"]


async def test_only_orders_that_are_to_be_paid_are_kept(desk: Desk) -> None:
    one, two, three = (order_placed(f"O-{n}", desk.clock()) for n in (1, 2, 3))
    for placed in (one, two, three):
        await desk.tell(f"order-{placed.order_id}", placed)
    await desk.tell("order-O-2", order_paid(two, desk.clock()))
    await desk.tell("order-O-3", cancelled(three, desk.clock()))
    kept = await desk.pool.fetch("SELECT order_id FROM facts.order_to_pay")
    assert [row["order_id"] for row in kept] == ["O-1"]
    assert await desk.history("O-3") == []


async def test_a_cancelled_order_gives_all_that_is_left_shipping_too(desk: Desk) -> None:
    await desk.paid()
    await desk.says("O-1", charged_back(1000, "1/1"))
    await desk.cancelled()
    (request,) = await desk.requests()
    assert (request.source, request.source_id) == ("CANCELLATION", "O-1")
    assert {each.unit: each.amount_minor for each in request.units} == {"1/1": 1500, "1/2": 2500}
    assert (request.shipping_minor, request.remaining_minor) == (499, 0)


async def test_where_the_marketplace_gives_it_back_a_cancellation_asks_for_nothing(
    desk: Desk,
) -> None:
    theirs = replace(AE_2025_1, version="theirs", refund_on_cancel="MARKETPLACE")
    placed, now = order_placed("O-1", desk.clock()), desk.clock()
    await hear(
        desk,
        "order-O-1",
        *(placed, order_paid(placed, now), cancelled(placed, now)),
        policies=policies([(ALWAYS, "theirs")], [theirs]),
    )
    assert await desk.kinds() == ["RefundLedgerOpened"]


# --- Remedies


async def test_the_money_that_a_dispute_orders_is_asked_for_once(desk: Desk) -> None:
    await desk.paid()
    await desk.ordered()
    await desk.ordered()
    (request,) = await desk.requests()
    assert (request.source, request.source_id, request.remedy_id) == ("DISPUTE", "R-O-1", "R-O-1")
    assert (request.total_minor, request.borne_by) == (2500, "SELLER")
    assert request.seller_at_fault
    assert await waiting(desk.pool) == []


async def test_a_part_is_its_amount_and_borne_by_the_platform_if_that_is_liable(desk: Desk) -> None:
    await desk.paid()
    await desk.ordered(outcome="REFUND_PARTIAL", amount_minor=700, liable="PLATFORM")
    (request,) = await desk.requests()
    assert (request.total_minor, request.borne_by) == (700, "PLATFORM")


async def test_a_remedy_that_comes_before_the_payment_waits_for_the_ledger(desk: Desk) -> None:
    await desk.ordered()
    assert await waiting(desk.pool) == ["R-O-1"]
    await desk.paid()
    assert await desk.kinds() == ["RefundLedgerOpened", "RefundRequested"]
    assert await waiting(desk.pool) == []


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [("RETURN_AND_REFUND", "RETURN"), ("EXCHANGE", "EXCHANGE"), ("REPLACEMENT_NO_RETURN", "CLAIM")],
)
async def test_a_remedy_with_goods_opens_a_return_and_asks_for_no_money(
    desk: Desk, outcome: str, kind: str
) -> None:
    await desk.paid()
    await desk.ordered(outcome=outcome)
    assert await waiting(desk.pool) == []
    rows = await desk.pool.fetch("SELECT kind, held->0->>'unit' AS unit FROM facts.goods_return")
    assert [tuple(row) for row in rows] == [(kind, "1/1")]
    assert await desk.kinds() == ["RefundLedgerOpened"]


async def test_a_payment_and_a_remedy_that_come_at_once_meet(desk: Desk) -> None:
    orders = [f"O-{n}" for n in range(8)]
    comes: list[Awaitable[None]] = []
    for order_id in orders:
        placed = order_placed(order_id, desk.clock())
        comes += [
            hear(desk, f"dispute-D-{order_id}", remedy(order_id, desk.clock())),
            hear(desk, f"order-{order_id}", placed, order_paid(placed, desk.clock())),
        ]
    await asyncio.gather(*comes)
    await desk.work()
    for order_id in orders:
        assert await desk.kinds(order_id) == ["RefundLedgerOpened", "RefundRequested"]


async def test_i17_a_ledger_is_opened_and_looked_at_by_one_at_a_time(desk: Desk) -> None:
    """Else a remedy that finds no ledger yet would not be told that there is one by now."""
    lock = partial(lock_orders, ["O-1"])
    placed = order_placed("O-1", desk.clock())
    comes = hear(desk, "order-O-1", placed, order_paid(placed, desk.clock()))
    assert await waits_for(lock, comes, desk.pool)
    assert await waits_for(lock, desk.ordered(), desk.pool)


async def test_i17_a_remedy_that_is_tried_again_looks_for_its_ledger_alone(desk: Desk) -> None:
    await desk.ordered()
    again = desk.after(timedelta(minutes=10))
    assert await waits_for(partial(lock_orders, ["O-1"]), again, desk.pool)


async def test_locks_a_ledger_that_is_opened_wakes_its_remedies_and_waits_for_none(
    desk: Desk,
) -> None:
    """One that is being tried just now waits for the order's lock: they would wait for ever."""
    await desk.ordered()
    placed = order_placed("O-1", desk.clock())
    async with desk.pool.acquire() as trying, trying.transaction():
        tried = await trying.fetch("SELECT FROM es.timer WHERE name LIKE 'REMEDY/%' FOR UPDATE")
        assert tried
        await hear(desk, "order-O-1", placed, order_paid(placed, desk.clock()))
        waking = asyncio.ensure_future(desk.work())
        assert not await comes_to_wait(waking, desk.pool), "it waits for a remedy"
    await waking
    assert await desk.kinds() == ["RefundLedgerOpened"]


@pytest.mark.parametrize(
    ("tries", "seconds"), [(1, 5), (2, 10), (7, 320), (8, 600), (9, 600), (1_000, 600)]
)
def test_a_remedy_whose_ledger_is_not_open_is_tried_less_and_less_often(
    tries: int, seconds: int
) -> None:
    assert again_after(tries) == timedelta(seconds=seconds)


# --- Money of others, undone


async def test_what_was_not_due_because_of_others_money_is_asked_again_when_that_is_undone(
    desk: Desk,
) -> None:
    await desk.paid()
    await desk.says("O-1", charged_back(5499))
    await desk.ordered()
    assert isinstance((await desk.history())[-1], RemedyAlreadyMet)
    await desk.says("O-1", UNDO)
    (request,) = await desk.requests()
    assert (request.total_minor, request.outside_id) == (2500, "cb-1")
    assert request.remedy_id == "R-O-1"
    assert await desk.says("O-1", UNDO) == []
    assert len(await desk.requests()) == 1


async def test_a_part_that_was_not_due_is_asked_again_as_that_part(desk: Desk) -> None:
    await desk.paid()
    await desk.says("O-1", charged_back(5499))
    await desk.ordered(outcome="REFUND_PARTIAL", amount_minor=700)
    await desk.says("O-1", UNDO)
    assert [each.total_minor for each in await desk.requests()] == [700]


async def test_what_a_refund_was_clipped_by_is_asked_again(desk: Desk) -> None:
    await desk.paid()
    await desk.says("O-1", charged_back(4499))
    await desk.ordered()
    await desk.says("O-1", UNDO)
    clipped, rest = await desk.requests()
    assert (clipped.total_minor, clipped.clipped_from_minor) == (1000, 2500)
    assert (rest.total_minor, rest.outside_id) == (1500, "cb-1")


async def test_of_two_that_are_undone_in_turn_each_gives_back_what_it_has_taken(desk: Desk) -> None:
    await desk.paid()
    other = RecordOutsideRefund(
        outside_id="cb-2", kind="DIRECT_DEBIT_RETURN", amount_minor=2250, currency="EUR"
    )
    await desk.says("O-1", charged_back(2749), other)
    await desk.ordered(outcome="REFUND_PARTIAL", amount_minor=2000)
    await desk.says("O-1", UNDO, UndoOutsideRefund(outside_id="cb-2"))
    totals = [each.total_minor for each in await desk.requests()]
    assert totals == [500, 1500]  # as much as was ordered, and no more


async def test_a_refund_clipped_for_another_reason_is_not_asked_again(desk: Desk) -> None:
    """The chargeback came after it."""
    await desk.paid()
    await desk.ordered(outcome="REFUND_PARTIAL", amount_minor=9000)
    await desk.says("O-1", charged_back(100), UNDO)
    assert [each.clipped_from_minor for each in await desk.requests()] == [9000]


async def test_a_cancellation_with_nothing_left_is_not_due_and_due_once_it_is(desk: Desk) -> None:
    await desk.paid()
    await desk.says("O-1", charged_back(5499))
    await desk.cancelled()
    assert isinstance((await desk.history())[-1], RefundNotDue)
    await desk.says("O-1", UNDO)
    (request,) = await desk.requests()
    assert (request.source, request.total_minor) == ("CANCELLATION", 5499)


# --- Stopped by the gateway


async def test_what_the_gateway_has_stopped_is_asked_anew_with_what_is_left(desk: Desk) -> None:
    await desk.paid()
    await desk.ordered()
    (first,) = await desk.requests()
    await desk.says("O-1", charged_back(4499))
    stopped = FailRefund(refund_id=first.refund_id, attempt=1, code=STOPPED, kind="REFUSED")
    await desk.says("O-1", stopped)
    _, anew = await desk.requests()
    assert (anew.reissues, anew.total_minor) == (first.refund_id, 1000)
    assert await desk.says("O-1", stopped) == []


async def test_what_the_gateway_has_refused_waits_for_a_person(desk: Desk) -> None:
    await desk.paid()
    await desk.ordered()
    (first,) = await desk.requests()
    await desk.says("O-1", refused(first.refund_id))
    assert len(await desk.requests()) == 1


# --- Deadlines


async def test_a_refund_without_an_answer_is_tried_again_and_told_when_it_is_late(
    desk: Desk,
) -> None:
    await desk.paid()
    await desk.ordered()
    (first,) = await desk.requests()
    await desk.says("O-1", timed_out(first.refund_id))
    await desk.after(HOUR - TICK)
    assert (await desk.kinds())[-1] == "RefundFailed"
    await desk.after(TICK)
    assert (await desk.kinds())[-1] == "RefundRetried"
    await desk.after(14 * DAY)
    assert (await desk.kinds())[-1] == "DecisionOverdue"
    await desk.says("O-1", paid(first.refund_id))
    await desk.after(30 * DAY)
    assert (await desk.kinds())[-2:] == ["RefundSettled", "RefundIssued"]


async def test_nothing_is_set_for_what_is_paid(desk: Desk) -> None:
    await desk.paid()
    await desk.ordered()
    assert await desk.pool.fetchval("SELECT count(*) FROM es.timer") == 1
    await desk.pays()
    assert await desk.pool.fetchval("SELECT count(*) FROM es.timer") == 0
