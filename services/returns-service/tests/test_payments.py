"""Refunds and a payment provider that does not do as it should: the cases of the table by number.

The provider is the sandbox in a process of its own; the worker is turned by hand.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from local_stack.sandbox_kit import Sandbox
from local_stack.sandboxes.telling import signed
from local_stack.service_kit import Check
from msgspec.structs import replace
from returns_service.domain.outside import RecordOutsideRefund, UndoOutsideRefund
from returns_service.domain.reissuing import ReissueRefund
from returns_service.domain.resolving import ResolveRefund
from returns_service.ports.settings import LOCAL_WEBHOOK_SECRET
from returns_service.testing import asks
from returns_service.testing.till import Till
from shared_events.orders import OrderLine
from shared_events.returns import RefundBounced, RefundIssued
from shared_runtime.decider import InvalidValue

HOUR, DAY = timedelta(hours=1), timedelta(days=1)

type Ids = tuple[str, str, str, str]
type Tells = Callable[..., Awaitable[httpx.Response]]


async def test_a_refund_that_is_asked_for_is_paid(till: Till, sandbox: Sandbox, ids: Ids) -> None:
    order, f1, *_ = ids
    await till.order(order)
    await till.request(order, f1, "1/1")
    await till.work()
    assert (await till.desk.kinds(order))[1:] == [
        "RefundRequested",
        "RefundSettled",
        "RefundIssued",
    ]
    (made,) = sandbox.book("payments", f1)
    assert (made["amount_minor"], made["currency"], made["order_ref"]) == (5399, "EUR", order)


async def test_g20_five_time_outs_and_then_it_is_found_paid_once(
    till: Till, sandbox: Sandbox, ids: Ids
) -> None:
    order, f1, *_ = ids
    sandbox.plan("payments", f1, calls=["TIME_OUT_AFTER", *["TIME_OUT_BEFORE"] * 4])
    await till.order(order)
    await till.request(order, f1, "1/1")
    await till.work()
    for hours in (1, 2, 4, 8):
        await till.after(hours * HOUR)
    assert await till.failures(order) == [("UNKNOWN", "NO_ANSWER", n) for n in range(1, 6)]
    kinds = await till.desk.kinds(order)
    assert kinds.count("DecisionOverdue") == 1
    assert kinds[-1] == "DecisionOverdue"
    await till.after(16 * HOUR)
    assert (await till.desk.kinds(order))[-2:] == ["RefundSettled", "RefundIssued"]
    assert len(sandbox.book("payments", f1)) == 1


async def test_i19_a_key_that_was_forgotten_pays_nothing_twice(
    till: Till, sandbox: Sandbox, ids: Ids
) -> None:
    order, f1, *_ = ids
    sandbox.forget_keys_after("payments", 0)
    sandbox.plan("payments", f1, calls=["TIME_OUT_AFTER", "TIME_OUT_BEFORE", "ERROR_BEFORE"])
    await till.order(order)
    await till.request(order, f1, "1/1")
    await till.work()
    for _ in range(4):
        await till.after(2 * DAY)
    assert (await till.desk.kinds(order))[-1] == "RefundIssued"
    assert len(sandbox.book("payments", f1)) == 1


async def test_i19_a_worker_that_dies_after_it_has_sent_pays_nothing_twice(
    till: Till, sandbox: Sandbox, ids: Ids
) -> None:
    """Whatever the provider remembers: the next one looks first."""
    order, f1, *_ = ids
    sandbox.forget_keys_after("payments", 0)
    sandbox.plan("payments", f1, calls=["TIME_OUT_AFTER"])
    await till.order(order)
    await till.request(order, f1, "1/1")
    dying = asyncio.create_task(till.loop().turn())
    while not await asyncio.to_thread(sandbox.book, "payments", f1):
        assert not dying.done()
    dying.cancel()
    await till.work()
    assert (await till.desk.kinds(order))[-1] == "RefundIssued"
    assert len(sandbox.book("payments", f1)) == 1


async def test_a_result_that_takes_days_is_asked_for_again(
    till: Till, sandbox: Sandbox, ids: Ids
) -> None:
    order, f1, *_ = ids
    sandbox.plan("payments", f1, delay_seconds=3 * 86400, lose=True)
    await till.order(order)
    await till.request(order, f1, "1/1")
    await till.work()
    assert (await till.desk.kinds(order))[-1] == "RefundRequested"
    sandbox.move_to(till.desk.clock() + 4 * DAY)
    await till.after(4 * DAY)
    assert (await till.desk.kinds(order))[-2:] == ["RefundSettled", "RefundIssued"]


async def test_a_no_for_now_is_tried_again_later(till: Till, sandbox: Sandbox, ids: Ids) -> None:
    order, f1, *_ = ids
    sandbox.plan("payments", f1, not_now="BALANCE_TOO_LOW")
    await till.order(order)
    await till.request(order, f1, "1/1")
    await till.work()
    assert await till.failures(order) == [("RETRYABLE", "BALANCE_TOO_LOW", 1)]
    await till.after(HOUR)
    assert (await till.desk.kinds(order))[-1] == "RefundIssued"


async def test_g21_a_word_that_was_heard_already_changes_nothing(
    till: Till, sandbox: Sandbox, ids: Ids, tells: Tells
) -> None:
    order, f1, f2, _ = ids
    await till.order(order)
    await till.request(order, f1, "1/1")
    await till.request(order, f2, "1/2")
    await till.work()
    before = await till.desk.history(order)
    assert isinstance(before[-1], RefundIssued)
    assert before[-1].refunded_total_minor == 10798
    till.desk.clock.advance(3 * DAY)
    (made,) = sandbox.book("payments", f1)
    assert (await tells("refund.paid", made)).json() == {"recorded": 0}
    assert (await tells("refund.paid", made | {"id": "re_other"})).json() == {"recorded": 0}
    assert await till.desk.history(order) == before


async def test_g22_a_refund_that_is_refused_is_never_shown_as_done(
    till: Till, sandbox: Sandbox, ids: Ids
) -> None:
    order, f1, f2, _ = ids
    sandbox.plan("payments", f1, refuse="CARD_CLOSED")
    await till.order(order)
    await till.request(order, f1, "1/1")
    await till.work()
    assert await till.failures(order) == [("REFUSED", "CARD_CLOSED", 1)]
    assert "RefundIssued" not in await till.desk.kinds(order)
    again = ReissueRefund(refund_id=f2, failed_refund_id=f1, way="BANK_TRANSFER", consented=True)
    with pytest.raises(InvalidValue):
        await till.says(order, replace(again, consented=False))
    assert await till.says(order, again) == ["RefundRequested"]
    await till.work()
    assert (await till.desk.kinds(order))[-2:] == ["RefundSettled", "RefundIssued"]
    (made,) = sandbox.book("payments", f2)
    assert (made["way"], made["amount_minor"]) == ("BANK_TRANSFER", 5399)


async def test_g23_what_the_bank_sends_back_is_owed_again(
    till: Till, sandbox: Sandbox, ids: Ids, tells: Tells
) -> None:
    order, f1, _, f3 = ids
    sandbox.plan("payments", f1, bounce_after_seconds=6 * 86400)
    await till.order(order)
    await till.request(order, f1, "1/1")
    await till.work()
    sandbox.move_to(till.desk.clock() + 6 * DAY + HOUR)
    await till.after(6 * DAY)
    (made,) = sandbox.book("payments", f1)
    assert made["status"] == "BOUNCED"
    assert (await tells("refund.bounced", made)).json() == {"recorded": 1}
    assert (await till.desk.kinds(order))[-1] == "RefundBounced"
    again = ReissueRefund(refund_id=f3, failed_refund_id=f1, way="BANK_TRANSFER", consented=True)
    await till.says(order, again)
    await till.work()
    last = (await till.desk.history(order))[-1]
    assert isinstance(last, RefundIssued)
    assert (last.total_minor, last.refunded_total_minor) == (5399, 5399)


async def test_g23_a_bounce_that_is_heard_before_the_payment_is_not_lost(
    till: Till, sandbox: Sandbox, ids: Ids, tells: Tells
) -> None:
    order, f1, *_ = ids
    sandbox.plan("payments", f1, delay_seconds=60)
    await till.order(order)
    await till.request(order, f1, "1/1")
    await till.work()
    (made,) = sandbox.book("payments", f1)
    bounced = made | {"status": "BOUNCED", "code": "ACCOUNT_CLOSED"}
    assert (await tells("refund.bounced", bounced)).json() == {"recorded": 3}
    assert (await tells("refund.paid", made | {"status": "PAID"})).json() == {"recorded": 0}
    kinds = await till.desk.kinds(order)
    assert kinds[-3:] == ["RefundSettled", "RefundIssued", "RefundBounced"]


async def test_a_second_payment_that_comes_back_leaves_the_refund_paid(
    till: Till, sandbox: Sandbox, ids: Ids, tells: Tells
) -> None:
    order, f1, *_ = ids
    await till.order(order)
    await till.request(order, f1, "1/1")
    await till.work()
    (made,) = sandbox.book("payments", f1)
    back = {"status": "BOUNCED", "code": "ACCOUNT_CLOSED"}
    assert (await tells("refund.paid", made | {"id": "re_other"})).json() == {"recorded": 0}
    other = made | back | {"id": "re_other"}
    assert (await tells("refund.bounced", other)).json() == {"recorded": 0}
    assert (await till.desk.kinds(order))[-1] == "RefundIssued"
    assert (await tells("refund.bounced", made | back)).json() == {"recorded": 1}
    bounced = (await till.desk.history(order))[-1]
    assert isinstance(bounced, RefundBounced)
    assert bounced.gateway_ref == made["id"]


def charged_back(amount: int) -> RecordOutsideRefund:
    return RecordOutsideRefund(
        outside_id="cb-1", kind="CHARGEBACK", amount_minor=amount, currency="EUR"
    )


async def test_g24_what_the_bank_has_taken_back_is_not_sent_until_it_is_undone(
    till: Till, sandbox: Sandbox, ids: Ids
) -> None:
    order, f1, *_ = ids
    await till.order(order)
    await till.desk.says(order, charged_back(16198))
    await till.desk.cancelled(order)
    await till.work()
    assert (await till.desk.kinds(order))[-1] == "RefundNotDue"
    await till.desk.says(order, UndoOutsideRefund(outside_id="cb-1"))
    await till.work()
    last = (await till.desk.history(order))[-1]
    assert isinstance(last, RefundIssued)
    assert last.total_minor == 16198
    assert len([each for each in sandbox.book("payments") if each["order_ref"] == order]) == 1
    assert sandbox.book("payments", f1) == []


@pytest.mark.parametrize("sent", [True, False])
async def test_a_refund_that_there_is_no_room_for_is_stopped(
    till: Till, sandbox: Sandbox, ids: Ids, *, sent: bool
) -> None:
    order, f1, *_ = ids
    sandbox.plan("payments", f1, delay_seconds=86400)
    await till.order(order)
    await till.request(order, f1, "1/1")
    if sent:
        await till.work()
    await till.desk.says(order, charged_back(12000))
    await till.work()
    assert await till.failures(order) == [("REFUSED", "STOPPED", 1)]
    assert [each["status"] for each in sandbox.book("payments", f1)] == ["CANCELLED"] * sent
    assert "RefundOverpaid" not in await till.desk.kinds(order)


async def test_what_was_paid_before_it_could_be_stopped_counts(
    till: Till, sandbox: Sandbox, ids: Ids
) -> None:
    order, f1, *_ = ids
    sandbox.plan("payments", f1, calls=["TIME_OUT_AFTER"])
    await till.order(order)
    await till.request(order, f1, "1/1")
    await till.work()
    await till.desk.says(order, charged_back(12000))
    await till.work()
    assert (await till.desk.kinds(order))[-3:] == [
        "RefundSettled",
        "RefundIssued",
        "RefundOverpaid",
    ]


async def test_what_is_to_be_stopped_while_it_waits_for_a_retry_is_not_sent_again(
    till: Till, sandbox: Sandbox, ids: Ids
) -> None:
    order, f1, *_ = ids
    sandbox.plan("payments", f1, calls=["TIME_OUT_BEFORE", *["TIME_OUT_BEFORE"] * 2])
    await till.order(order)
    await till.request(order, f1, "1/1")
    await till.work()
    await till.desk.says(order, charged_back(12000))
    await till.work()  # it does not answer either: it stays to be stopped
    for _ in range(3):
        await till.after(DAY)
    assert (await till.failures(order))[-1][:2] == ("REFUSED", "STOPPED")
    assert sandbox.book("payments", f1) == []


async def test_what_the_desk_has_ended_is_not_sent(till: Till, sandbox: Sandbox, ids: Ids) -> None:
    order, f1, *_ = ids
    sandbox.plan("payments", f1, calls=["TIME_OUT_BEFORE"])
    await till.order(order)
    await till.request(order, f1, "1/1")
    await till.work()
    never = ResolveRefund(refund_id=f1, paid=False, proof_ref="desk-1")
    assert await till.says(order, never) == ["RefundFailed"]
    await till.after(DAY)
    assert sandbox.book("payments", f1) == []


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """`asked`: what is given back for each piece."""

    currency: str
    price: int
    discount: int
    asked: tuple[int, ...]


YEN = Bought(currency="JPY", price=1000, discount=100, asked=(966, 967, 967))
DINARS = Bought(currency="KWD", price=12345, discount=1001, asked=(11844, 11845))


@pytest.mark.parametrize("bought", [YEN, DINARS])
async def test_g17_g18_the_provider_is_asked_for_the_minor_units_of_the_currency(
    till: Till, sandbox: Sandbox, ids: Ids, bought: Bought
) -> None:
    order, f1, *_ = ids
    line = OrderLine(
        line_id="1",
        sku="sku-1",
        category="shoes",
        quantity=len(bought.asked),
        unit_price_minor=bought.price,
        line_discount_minor=0,
    )
    total = sum(bought.asked)
    await till.order(
        order,
        lines=[line],
        order_discount_minor=bought.discount,
        currency=bought.currency,
        total_minor=total,
        total_ref_minor=total,
    )
    for n, amount in enumerate(bought.asked, 1):
        refund_id = f"{f1}-{n}"
        returned = {"currency": bought.currency, "source_id": f"R-{n}"}
        await till.request(order, refund_id, f"1/{n}", **returned)
        await till.work()
        (made,) = sandbox.book("payments", refund_id)
        assert (made["amount_minor"], made["currency"]) == (amount, bought.currency)


async def test_many_refunds_are_under_way_at_once(till: Till, sandbox: Sandbox) -> None:
    """One slow answer holds nobody up."""
    name = uuid4().hex[:10]
    orders = [f"O-{name}-{n}" for n in range(12)]
    for n, order in enumerate(orders):
        await till.order(order)
        sandbox.plan("payments", f"f-{order}", calls=["TIME_OUT_AFTER"] if n % 2 else [])
        await till.desk.says(order, asks(f"f-{order}", "1/1"))
    began = asyncio.get_running_loop().time()
    await till.loop().turn()
    assert asyncio.get_running_loop().time() - began < 6 * 0.5
    await till.after(HOUR)
    for order in orders:
        assert (await till.desk.kinds(order))[-1] == "RefundIssued"
        assert len(sandbox.book("payments", f"f-{order}")) == 1


# --- The door


@pytest.fixture
async def tells(api: FastAPI, documented: Check) -> AsyncIterator[Tells]:
    """The provider tells of a refund; `wrong` headers in the place of good ones."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(api),
        base_url="http://service",
        event_hooks={"response": [documented]},
    ) as client:

        async def tell(
            kind: str,
            refund: dict[str, Any],
            *,
            wrong: dict[str, str] | None = None,
            at: datetime | None = None,
            secret: str = LOCAL_WEBHOOK_SECRET,
        ) -> httpx.Response:
            body = httpx.Request("POST", "http://x", json={"type": kind, "data": refund}).content
            when = at or datetime.now(UTC)
            headers = signed(secret, "msg_1", body, when) | (wrong or {})
            return await client.post(
                "/v1/webhooks/payments",
                content=body,
                headers={name: value for name, value in headers.items() if value},
            )

        yield tell


@pytest.fixture
async def waiting(till: Till, sandbox: Sandbox, ids: Ids) -> dict[str, Any]:
    """f1, which the provider will pay tomorrow; as it tells of it then."""
    order, f1, *_ = ids
    sandbox.plan("payments", f1, delay_seconds=86400)
    await till.order(order)
    await till.request(order, f1, "1/1")
    await till.work()
    (made,) = sandbox.book("payments", f1)
    return made | {"status": "PAID"}


OTHER_SECRET = "whsec_" + "b3RoZXIgc2VjcmV0IG9mIHNvbWVib2R5IGVsc2U="


async def test_i20_g25_unsigned_wrong_and_old_words_are_not_believed(
    till: Till, ids: Ids, waiting: dict[str, Any], tells: Tells
) -> None:
    before = await till.desk.history(ids[0])
    answers = [
        await tells("refund.paid", waiting, wrong={"webhook-signature": ""}),
        await tells("refund.paid", waiting, wrong={"webhook-signature": "v1,AAAA"}),
        await tells("refund.paid", waiting, wrong={"webhook-id": "msg_2"}),
        await tells("refund.paid", waiting, wrong={"webhook-timestamp": ""}),
        await tells("refund.paid", waiting, at=datetime.now(UTC) - timedelta(minutes=6)),
        await tells("refund.paid", waiting, at=datetime.now(UTC) + timedelta(minutes=6)),
        await tells("refund.paid", waiting, secret=OTHER_SECRET),
    ]
    assert [each.status_code for each in answers] == [401] * 7
    assert await till.desk.history(ids[0]) == before


async def test_g25_a_good_word_is_recorded_once(
    till: Till, ids: Ids, waiting: dict[str, Any], tells: Tells
) -> None:
    first, again = await tells("refund.paid", waiting), await tells("refund.paid", waiting)
    assert (first.status_code, first.json()) == (200, {"recorded": 2})
    assert (again.status_code, again.json()) == (200, {"recorded": 0})
    assert (await till.desk.kinds(ids[0]))[-2:] == ["RefundSettled", "RefundIssued"]
    await till.after(DAY)
    assert (await till.desk.kinds(ids[0]))[-2:] == ["RefundSettled", "RefundIssued"]


async def test_a_word_about_another_amount_is_not_taken_for_this_refund(
    till: Till, ids: Ids, waiting: dict[str, Any], tells: Tells
) -> None:
    before = await till.desk.history(ids[0])
    for wrong in ({"amount_minor": 539900}, {"currency": "JPY"}, {"status": "PENDING"}):
        assert (await tells("refund.paid", waiting | wrong)).json() == {"recorded": 0}
    assert await till.desk.history(ids[0]) == before


async def test_a_refund_that_nobody_has_is_told_again_by_the_provider(
    waiting: dict[str, Any], tells: Tells
) -> None:
    for wrong in ({"reference": "nobody"}, {"order_ref": "nobody"}):
        assert (await tells("refund.paid", waiting | wrong)).status_code == 404


async def test_what_is_told_besides_is_passed_over(waiting: dict[str, Any], tells: Tells) -> None:
    assert (await tells("payout.created", {})).json() == {"recorded": 0}
    assert (await tells("refund.paid", {})).status_code == 422
    assert (await tells("refund.paid", waiting | {"status": "NEW"})).status_code == 422
    for odd in ({"order_ref": "O\0"}, {"reference": "f" * 65}):
        assert (await tells("refund.paid", waiting | odd)).status_code == 422


async def test_a_refusal_that_is_told_twice_at_once_is_recorded_once(
    till: Till, ids: Ids, waiting: dict[str, Any], tells: Tells
) -> None:
    refused = waiting | {"status": "REFUSED", "code": "CARD_CLOSED"}
    answers = await asyncio.gather(*(tells("refund.refused", refused) for _ in range(6)))
    assert sorted(each.json()["recorded"] for each in answers) == [0] * 5 + [1]
    assert await till.failures(ids[0]) == [("REFUSED", "CARD_CLOSED", 1)]


async def test_what_is_told_of_several_orders_at_once_is_recorded_together(
    till: Till, sandbox: Sandbox, tells: Tells
) -> None:
    """Each is answered for itself: one is of a refund that nobody has."""
    name = uuid4().hex[:10]
    orders = [f"O-{name}-{n}" for n in range(4)]
    told: list[dict[str, Any]] = []
    for order in orders:
        sandbox.plan("payments", f"f-{order}", delay_seconds=86400)
        await till.order(order)
        await till.request(order, f"f-{order}", "1/1")
        await till.work()
        (made,) = sandbox.book("payments", f"f-{order}")
        told.append(made | {"status": "PAID"})
    told[2] |= {"reference": "nobody"}
    answers = await asyncio.gather(*(tells("refund.paid", each) for each in told))
    assert [each.status_code for each in answers] == [200, 200, 404, 200]
    paid = [(await till.desk.kinds(order))[-1] == "RefundIssued" for order in orders]
    assert paid == [True, True, False, True]
    together = await till.desk.pool.fetchval(
        "SELECT max(events) FROM (SELECT count(*) AS events FROM es.event "
        "WHERE type = 'RefundIssued.v1' GROUP BY xmin::text) AS transactions"
    )
    assert together > 1
