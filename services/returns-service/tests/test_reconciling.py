"""A day of the provider's book beside the ledgers: what was lost is found, the rest is named."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from local_stack import companies
from local_stack.sandbox_kit import Sandbox
from returns_service.connectors.reconciling import GRACE, Incomplete
from returns_service.ports.payment import READS_MAX
from returns_service.queries.reconciliations import Report, ReportedRefund
from returns_service.testing import paid
from returns_service.testing.till import Till
from shared_runtime.clock import system_clock
from shared_runtime.log import PostgresLog
from shared_runtime.skew import SKEW_MAX
from shared_runtime.testing import ManualClock

HOUR, DAY, TICK = timedelta(hours=1), timedelta(days=1), timedelta(microseconds=1)

type Ids = tuple[str, str, str, str]


@pytest.fixture(autouse=True)
async def own_day(till: Till, sandbox: Sandbox) -> None:
    """One that no other test has refunds of."""
    till.desk.clock.at += DAYS_USED.pop() * DAY
    sandbox.move_to(till.desk.clock())


DAYS_USED = [*range(40, 4000, 40)]


def today(till: Till) -> date:
    return till.desk.clock().date()


def named(lines: list[ReportedRefund]) -> list[str]:
    return [each.refund_id for each in lines]


def is_clean(report: Report) -> bool:
    return not report.to_look_into


def make(sandbox: Sandbox, reference: str, order: str, amount: int = 5399) -> dict[str, Any]:
    """A refund at the provider that returns-service has not asked for."""
    answered = httpx.post(
        f"{sandbox.url}/payments/v1/refunds",
        json={
            "reference": reference,
            "order_ref": order,
            "amount_minor": amount,
            "currency": "EUR",
        },
        headers={
            "Authorization": f"Bearer {companies.KEY}",
            "Idempotency-Key": uuid4().hex,
        },
    )
    made: dict[str, Any] = answered.json()
    return made


async def test_what_both_sides_know_agrees(till: Till, ids: Ids) -> None:
    order, f1, f2, _ = ids
    await till.order(order)
    await till.request(order, f1, "1/1")
    await till.request(order, f2, "1/2")
    await till.work()
    report = await till.compared(today(till))
    assert is_clean(report)
    assert (report.listed, report.agreed, report.agreed_minor) == (2, 2, {"EUR": 10798})
    assert report.settled == []


async def test_a_payment_of_which_nobody_has_heard_is_found_and_recorded(
    till: Till, sandbox: Sandbox, ids: Ids
) -> None:
    order, f1, f2, _ = ids
    sandbox.plan("payments", f1, calls=["TIME_OUT_AFTER"])
    sandbox.plan("payments", f2, delay_seconds=60, lose=True)
    await till.order(order)
    await till.request(order, f1, "1/1")
    await till.request(order, f2, "1/2")
    await till.work()
    sandbox.move_to(till.desk.clock() + HOUR / 2)
    report = await till.compared(today(till))
    assert sorted(named(report.settled)) == [f1, f2]
    assert (report.agreed, is_clean(report)) == (2, True)
    assert (await till.desk.kinds(order)).count("RefundIssued") == 2
    again = await till.compared(today(till))
    assert (again.agreed, again.settled) == (2, [])


async def test_a_bounce_of_which_nobody_has_heard_is_found(
    till: Till, sandbox: Sandbox, ids: Ids
) -> None:
    order, f1, *_ = ids
    sandbox.plan("payments", f1, bounce_after_seconds=3 * 86400, lose=True)
    await till.order(order)
    await till.request(order, f1, "1/1")
    await till.work()
    sandbox.move_to(till.desk.clock() + 3 * DAY + HOUR)
    report = await till.compared(today(till) + 3 * DAY)
    assert named(report.settled) == [f1]
    assert (await till.desk.kinds(order))[-1] == "RefundBounced"
    (line,) = report.settled
    assert (line.theirs, line.ours) == ("BOUNCED", "BOUNCED")


async def test_what_waits_on_both_sides_is_no_difference(
    till: Till, sandbox: Sandbox, ids: Ids
) -> None:
    order, f1, *_ = ids
    sandbox.plan("payments", f1, delay_seconds=86400)
    await till.order(order)
    await till.request(order, f1, "1/1")
    await till.work()
    report = await till.compared(today(till))
    assert (report.waiting, report.agreed, is_clean(report)) == (1, 0, True)


async def test_what_the_provider_alone_knows_is_named(
    till: Till, sandbox: Sandbox, ids: Ids
) -> None:
    order, f1, f2, _ = ids
    await till.order(order)
    made = make(sandbox, f1, order), make(sandbox, f2, f"{order}-unknown")
    report = await till.compared(today(till))
    assert named(report.only_theirs) == [f1, f2]
    assert report.only_theirs[0].gateway_refs == [made[0]["id"]]
    assert (report.only_theirs[0].theirs, report.only_theirs[0].ours) == ("PAID", None)
    assert await till.desk.kinds(order) == ["RefundLedgerOpened"]


async def test_a_name_that_no_ledger_can_have_is_named_and_holds_up_no_day(
    till: Till, sandbox: Sandbox, ids: Ids
) -> None:
    order, f1, f2, _ = ids
    await till.order(order)
    await till.request(order, f1, "1/1")
    await till.work()
    make(sandbox, f"{f2}\0", order)
    make(sandbox, f2, f"{order}\0\n")
    path = f"/v1/reconciliations/{today(till)}"
    await till.desk.agent.put(path)
    await compare_all(till)
    shown = (await till.desk.agent.get(path)).json()
    mark = "\N{REPLACEMENT CHARACTER}"
    told = {(each["refund_id"], each["order_id"]) for each in shown["only_theirs"]}
    assert told == {(f"{f2}{mark}", order), (f2, f"{order}{mark}{mark}")}
    assert shown["agreed"] == 1


async def test_what_the_ledger_alone_knows_is_named(till: Till, ids: Ids) -> None:
    order, f1, *_ = ids
    await till.order(order)
    await till.request(order, f1, "1/1")
    await till.desk.says(order, paid(f1))
    report = await till.compared(today(till))
    assert named(report.only_ours) == [f1]
    (line,) = report.only_ours
    assert (line.theirs, line.ours, line.amount_minor) == (None, "SETTLED", 5399)


async def test_what_was_paid_there_a_day_before_it_was_heard_here_is_no_difference(
    till: Till, sandbox: Sandbox, ids: Ids
) -> None:
    order, f1, *_ = ids
    sandbox.plan("payments", f1, calls=["TIME_OUT_AFTER"])
    await till.order(order)
    await till.request(order, f1, "1/1")
    await till.work()
    await till.after(DAY)
    assert (await till.desk.kinds(order))[-1] == "RefundIssued"
    sandbox.plan("payments", f1, calls=["ERROR_BEFORE", "UNREADABLE"])
    report = await till.compared(today(till))
    assert (report.listed, is_clean(report)) == (0, True)


async def test_another_amount_is_named(till: Till, sandbox: Sandbox, ids: Ids) -> None:
    order, f1, *_ = ids
    await till.order(order)
    sandbox.plan("payments", f1, calls=["NONE", "TIME_OUT_BEFORE"])
    make(sandbox, f1, order, amount=539900)
    await till.request(order, f1, "1/1")
    await till.work()
    report = await till.compared(today(till))
    assert named(report.different) == [f1]
    assert "RefundIssued" not in await till.desk.kinds(order)


async def test_another_end_is_named(till: Till, sandbox: Sandbox, ids: Ids) -> None:
    order, f1, *_ = ids
    sandbox.plan("payments", f1, refuse="CARD_CLOSED", delay_seconds=60, lose=True)
    await till.order(order)
    await till.request(order, f1, "1/1")
    await till.work()
    await till.desk.says(order, paid(f1))
    sandbox.move_to(till.desk.clock() + HOUR)
    report = await till.compared(today(till))
    (line,) = report.different
    assert (line.theirs, line.ours) == ("REFUSED", "SETTLED")


async def test_what_the_provider_has_paid_twice_is_named_and_counts_once(
    till: Till, sandbox: Sandbox, ids: Ids
) -> None:
    order, f1, *_ = ids
    await till.order(order)
    await till.request(order, f1, "1/1")
    await till.work()
    second = make(sandbox, f1, order)
    report = await till.compared(today(till))
    (line,) = report.paid_twice
    assert line.gateway_refs[-1] == second["id"]
    assert len(line.gateway_refs) == 2
    assert (report.agreed, await till.desk.kinds(order)) == (
        0,
        ["RefundLedgerOpened", "RefundRequested", "RefundSettled", "RefundIssued"],
    )


async def test_what_the_provider_has_paid_again_on_another_day_is_named(
    till: Till, sandbox: Sandbox, ids: Ids
) -> None:
    order, f1, *_ = ids
    await till.order(order)
    await till.request(order, f1, "1/1")
    await till.work()
    (first,) = sandbox.book("payments", f1)
    till.desk.clock.advance(DAY)
    sandbox.move_to(till.desk.clock())
    second = make(sandbox, f1, order)
    report = await till.compared(today(till))
    (line,) = report.paid_twice
    assert line.gateway_refs == [first["id"], second["id"]]


async def test_of_two_that_came_back_on_a_day_the_ledger_hears_of_both(
    till: Till, sandbox: Sandbox, ids: Ids
) -> None:
    """Given a refund that is paid twice, when both payments bounce and no webhook tells of it."""
    order, f1, *_ = ids
    sandbox.plan("payments", f1, bounce_after_seconds=DAY.total_seconds(), lose=True)
    await till.order(order)
    second = make(sandbox, f1, order)
    await till.request(order, f1, "1/1")
    await till.work()
    (*_, ours) = sandbox.book("payments", f1)
    await till.desk.says(order, paid(f1, ours["id"]))
    till.desk.clock.advance(DAY + HOUR)
    sandbox.move_to(till.desk.clock())
    report = await till.compared(today(till))
    (line,) = report.paid_twice
    assert line.gateway_refs == [second["id"], ours["id"]]
    assert (await till.desk.kinds(order))[-1] == "RefundBounced"


async def test_a_second_payment_that_takes_days_keeps_no_refund_open(
    till: Till, sandbox: Sandbox, ids: Ids
) -> None:
    """The provider has paid, which nobody knows, and is asked once more."""
    order, f1, *_ = ids
    await till.order(order)
    make(sandbox, f1, order)
    sandbox.plan("payments", f1, delay_seconds=3 * DAY.total_seconds(), lose=True)
    await till.request(order, f1, "1/1")
    await till.work()
    assert (await till.desk.kinds(order))[-1] == "RefundRequested"
    await till.after(HOUR)
    assert (await till.desk.kinds(order))[-2:] == ["RefundSettled", "RefundIssued"]
    assert len(sandbox.book("payments", f1)) == 2


async def test_of_several_the_one_that_is_paid_is_told(
    till: Till, sandbox: Sandbox, ids: Ids
) -> None:
    order, f1, *_ = ids
    sandbox.plan("payments", f1, calls=["TIME_OUT_BEFORE"], refuse="CARD_CLOSED")
    await till.order(order)
    await till.request(order, f1, "1/1")
    await till.work()
    make(sandbox, f1, order)
    sandbox.plan("payments", f1)
    make(sandbox, f1, order)
    report = await till.compared(today(till))
    assert named(report.settled) == [f1]
    assert (await till.desk.kinds(order))[-1] == "RefundIssued"


async def test_a_day_is_compared_whole_or_not_at_all(
    till: Till, sandbox: Sandbox, ids: Ids
) -> None:
    order, f1, *_ = ids
    await till.order(order)
    await till.request(order, f1, "1/1")
    await till.work()
    day = today(till)
    sandbox.plan("payments", f"day {day}", calls=["ERROR_BEFORE"] * READS_MAX)
    with pytest.raises(Incomplete):
        await till.compared(day)
    assert (await till.compared(day)).agreed == 1


# --- By itself, and when it is asked for


async def kept(till: Till) -> dict[date, bool]:
    """The days that are known, and whether they were compared."""
    rows = await till.desk.pool.fetch("SELECT day, compared_at FROM ports.reconciliation")
    return {row["day"]: row["compared_at"] is not None for row in rows}


async def compare_all(till: Till) -> None:
    books = till.books()
    while await books.turn():
        pass


async def test_each_day_is_compared_an_hour_after_its_end(till: Till) -> None:
    day = today(till)
    midnight = till.desk.clock().replace(hour=0, minute=0, second=0, microsecond=0) + DAY
    till.desk.clock.at = midnight + GRACE - TICK
    await compare_all(till)
    assert day not in await kept(till)
    till.desk.clock.at = midnight + GRACE
    await compare_all(till)
    assert (await kept(till))[day]


async def test_days_that_were_missed_are_made_up_for(till: Till) -> None:
    day = today(till)
    till.desk.clock.advance(DAY)
    await compare_all(till)
    till.desk.clock.advance(5 * DAY)
    await compare_all(till)
    known = await kept(till)
    assert all(known[day + n * DAY] for n in range(6))
    assert max(known) == day + 5 * DAY


async def test_a_day_that_was_asked_for_before_its_end_is_compared_again_after_it(
    till: Till, ids: Ids
) -> None:
    order, f1, *_ = ids
    day = today(till)
    agent, path = till.desk.agent, f"/v1/reconciliations/{day}"
    assert (await agent.get(path)).status_code == 404
    assert (await agent.put(path)).json()["state"] == "ASKED"
    assert (await agent.get(path)).json()["state"] == "ASKED"
    await compare_all(till)
    assert (await agent.get(path)).json()["listed"] == 0
    await till.order(order)
    await till.request(order, f1, "1/1")
    await till.work()
    await till.after(2 * DAY)
    await compare_all(till)
    shown = (await till.desk.auditor.get(path)).json()
    assert (shown["state"], shown["clean"], shown["listed"]) == ("COMPARED", True, 1)
    assert shown["agreed_amounts"] == [{"amount": 5399, "currency": "EUR"}]


async def test_who_may_ask_and_for_which_days(till: Till) -> None:
    day = today(till)
    desk = till.desk
    assert (await desk.auditor.put(f"/v1/reconciliations/{day}")).status_code == 403
    assert (await desk.seller.get(f"/v1/reconciliations/{day}")).status_code == 403
    assert (await desk.buyer.get(f"/v1/reconciliations/{day}")).status_code == 403
    assert (await desk.agent.put(f"/v1/reconciliations/{day + DAY}")).status_code == 422
    assert (await desk.agent.put("/v1/reconciliations/1999-12-31")).status_code == 422
    assert (await desk.agent.put("/v1/reconciliations/yesterday")).status_code == 422


async def test_i14_by_a_clock_that_is_a_day_ahead_no_day_is_over_or_compared(
    till: Till, caller_ahead: Callable[..., httpx.AsyncClient]
) -> None:
    agent, day = caller_ahead("AGENT", "agent-1"), system_clock().date()
    path = "/v1/reconciliations"
    assert (await agent.put(f"{path}/{day + DAY}")).status_code == 422
    assert (await agent.put(f"{path}/{day}")).status_code == 200
    asked_at = await till.desk.parts.pool.fetchval("SELECT asked_at FROM ports.reconciliation")
    books = till.books()
    books.now = ManualClock(system_clock() + DAY)
    books.own_log = PostgresLog(
        till.desk.parts.pool, source="/returns-service", now=books.now, skew_max=SKEW_MAX
    )
    compared_at = (await books.compare(today(till))).compared_at
    assert [asked_at, compared_at] == [pytest.approx(system_clock(), abs=HOUR)] * 2


async def test_what_is_shown_names_each_refund(till: Till, sandbox: Sandbox, ids: Ids) -> None:
    order, f1, *_ = ids
    await till.order(order)
    made = make(sandbox, f1, order)
    path = f"/v1/reconciliations/{today(till)}"
    await till.desk.agent.put(path)
    await compare_all(till)
    shown = (await till.desk.agent.get(path)).json()
    assert shown["clean"] is False
    assert shown["only_theirs"] == [
        {
            "refund_id": f1,
            "order_id": order,
            "gateway_refs": [made["id"]],
            "amount": {"amount": 5399, "currency": "EUR"},
            "theirs": "PAID",
            "ours": None,
        }
    ]
