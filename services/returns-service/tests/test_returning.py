"""A return from its request to its end, over the edges of the service: goods, money, deadlines."""

import json
from datetime import timedelta

import pytest
from returns_service.testing.desk import Desk
from returns_service.testing.orders import order_placed, remedy
from returns_service.testing.shipments import DAY, LABEL, ONE, WITHDRAWALS, Returning
from shared_events.dispute import DisputedUnits
from shared_events.orders import OrderShipped
from shared_runtime.testing_http import done, refusal, send

TWO = [{"line_id": "1", "quantity": 2}]
RECEIVED = {"units": [{"unit": "1/1", "reception": "RECEIVED"}]}
ACCEPTED = {"units": [{"unit": "1/1", "verdict": "ACCEPTED", "grade": "A"}]}


@pytest.fixture
async def order(desk: Desk) -> Returning:
    """One that has come."""
    return await Returning(desk=desk).delivered()


async def received(order: Returning, path: str) -> None:
    body = {"units": ["1/1"], "tracking_id": "T-1"}
    await order.does(order.desk.buyer, path, "shipment", body)
    await order.does(order.desk.seller, path, "receipt", RECEIVED)


# --- Goods that come back


async def test_goods_that_are_accepted_are_paid_and_end_the_return(
    desk: Desk, order: Returning
) -> None:
    path = await order.approved()
    await received(order, path)
    told = await order.does(desk.seller, path, "inspection", ACCEPTED)
    assert told["status"] == "RESOLVING"
    assert [each.total_minor for each in await desk.requests()] == [2500]
    await desk.pays()
    assert await order.types(path) == [
        "ReturnRequested",
        "ReturnReviewRequired",
        "ReturnAuthorized",
        "ReturnShipped",
        "UnitsReceived",
        "UnitsAccepted",
        "ReturnClosed",
    ]
    end = (await order.seen_by(desk.buyer, path))["end"]
    assert (end["resolution"], end["refunded"]["amount"]) == ("REFUNDED", 2500)


async def test_the_last_piece_brings_the_shipping_where_the_seller_was_at_fault(
    desk: Desk, order: Returning
) -> None:
    path = await order.approved(lines=TWO)
    await received(order, path)
    await order.does(desk.seller, path, "inspection", ACCEPTED)
    both = {"units": [{"unit": "1/2", "reception": "RECEIVED"}]}
    body = {"units": ["1/2"], "tracking_id": "T-2"}
    await order.does(desk.buyer, path, "shipment", body)
    await order.does(desk.seller, path, "receipt", both)
    rest = {"units": [{"unit": "1/2", "verdict": "ACCEPTED", "grade": "B"}]}
    await order.does(desk.seller, path, "inspection", rest)
    assert [each.total_minor for each in await desk.requests()] == [2500, 2999]


async def test_a_seller_who_does_not_answer_has_approved(desk: Desk, order: Returning) -> None:
    path = await order.asked()
    await desk.after(5 * DAY)
    seen = await order.seen_by(desk.buyer, path)
    assert (seen["status"], seen["authorization"]["by"]) == ("AUTHORIZED", "SILENCE")


async def test_goods_that_nobody_inspects_are_accepted(desk: Desk, order: Returning) -> None:
    path = await order.approved()
    await received(order, path)
    await desk.after(timedelta(hours=48))
    assert (await order.types(path))[-1] == "UnitsAccepted"
    assert [each.total_minor for each in await desk.requests()] == [2500]


async def test_goods_that_are_never_sent_leave_the_return(desk: Desk, order: Returning) -> None:
    path = await order.approved()
    await desk.after(3 * DAY)
    await desk.after(10 * DAY)
    assert (await order.types(path))[-3:] == ["DecisionOverdue", "ReturnExpired", "ReturnClosed"]
    assert await desk.requests() == []
    assert done(await order.tries_to_ask(lines=TWO))["status"] == "REVIEW"


async def test_goods_lost_under_the_label_are_paid_and_others_are_not(
    desk: Desk, order: Returning
) -> None:
    path = await order.approved()
    await order.does(desk.feed, path, "labels", LABEL)
    await order.scanned(path, "HANDED_OVER", "1/1", tracking_id="T-1")
    await order.does(desk.feed, path, "losses", {"units": ["1/1"]})
    assert (await order.types(path))[-2:] == ["UnitsLost", "UnitsAccepted"]
    assert [each.total_minor for each in await desk.requests()] == [2500]


async def test_rejected_goods_that_are_kept_are_paid(desk: Desk, order: Returning) -> None:
    path = await order.approved()
    await received(order, path)
    body = {"units": [{"unit": "1/1", "verdict": "REJECTED", "reason": "USED"}]}
    assert refusal(await order.tries(desk.seller, path, "inspection", body)) == "evidence-required"
    seen = await order.seen_by(desk.seller, path)
    assert seen["units"][0]["acceptance"] == "PENDING"


async def test_an_advance_that_is_not_recovered_is_borne_by_the_platform(
    desk: Desk, order: Returning
) -> None:
    sizes = {"size_ordered": "42", "size_felt": "SMALL", "size_measured": "26.5"}
    path = await order.asked(reason="SIZE_MISFIT", **sizes)
    await order.scanned(path, "HANDED_OVER", "1/1")
    await desk.pays()
    await desk.after(DAY)

    async def borne() -> list[tuple[int, int]]:
        """By seller and platform: in the ledger, in the list and in the file."""
        sums = (await desk.seen_by(desk.seller))["sums"]
        (listed,) = (await desk.seller.get("/v1/refunds")).json()["items"]
        (line,) = (await desk.seller.get("/v1/refunds/export?format=ndjson")).text.splitlines()
        told = json.loads(line)
        platform = listed["platform_bears"]["amount"]
        return [
            (sums["borne_by_seller"]["amount"], sums["borne_by_platform"]["amount"]),
            (listed["total"]["amount"] - platform, platform),
            (told["total_minor"] - told["platform_minor"], told["platform_minor"]),
        ]

    assert await borne() == [(2500, 0)] * 3
    await order.does(desk.feed, path, "losses", {"units": ["1/1"]})
    assert await borne() == [(0, 2500)] * 3
    assert (await desk.types(desk.seller))[-1] == "CostMoved"
    assert (await desk.types(desk.buyer))[-1] == "RefundIssued"


async def test_a_warehouse_receives_for_the_seller(desk: Desk, order: Returning) -> None:
    path = await order.approved()
    await order.scanned(path, "DELIVERED_BACK", "1/1")
    told = await order.does(desk.feed, path, "receipt", RECEIVED)
    assert told["units"][0]["where"] == "RECEIVED"
    told = await order.does(desk.feed, path, "inspection", ACCEPTED)
    assert told["units"][0]["acceptance"] == "ACCEPTED"


# --- Exchanges


async def test_an_exchange_without_stock_is_refunded(desk: Desk, order: Returning) -> None:
    path = await order.approved(kind="EXCHANGE", wants="EXCHANGE", replacement_sku="sku-2")
    await received(order, path)
    await order.does(desk.seller, path, "inspection", ACCEPTED)
    assert await desk.requests() == []
    await desk.after(timedelta(hours=48))
    assert (await order.types(path))[-1] == "ExchangeFellBack"
    assert [each.source for each in await desk.requests()] == ["EXCHANGE_FALLBACK"]
    await desk.pays()
    end = (await order.seen_by(desk.buyer, path))["end"]
    assert (end["resolution"], end["refunded"]["amount"]) == ("REFUNDED", 2500)


# --- Withdrawals


async def withdrawn(order: Returning) -> str:
    body = {"order_id": order.order_id, "lines": ONE}
    declared = done(await send(order.desk.buyer, WITHDRAWALS, body))
    path = f"{WITHDRAWALS}/{declared['return_id']}/confirmation"
    done(await send(order.desk.buyer, path, {"content": "I withdraw."}))
    await order.desk.work()
    return f"/v1/returns/{declared['return_id']}"


async def test_a_withdrawal_that_is_not_confirmed_is_over_after_a_day(
    desk: Desk, order: Returning
) -> None:
    body = {"order_id": order.order_id, "lines": ONE}
    declared = done(await send(desk.buyer, WITHDRAWALS, body))
    assert refusal(await send(desk.buyer, WITHDRAWALS, body)) == "duplicate-open"
    await desk.after(DAY)
    path = f"/v1/returns/{declared['return_id']}"
    assert await order.types(path) == ["WithdrawalDeclared", "ReturnCancelled", "ReturnClosed"]
    assert done(await send(desk.buyer, WITHDRAWALS, body))["status"] == "DRAFT"


async def test_a_withdrawal_before_shipping_is_paid_when_the_order_is_cancelled(
    desk: Desk,
) -> None:
    order = Returning(desk=desk)
    await desk.paid()
    path = await withdrawn(order)
    assert not (await order.seen_by(desk.buyer, path))["authorization"]["goods_back"]
    await desk.cancelled()
    assert (await order.types(path))[-2:] == ["UnitsAccepted", "ReturnClosed"]
    assert [each.source for each in await desk.requests()] == ["CANCELLATION"]


async def test_what_is_shipped_after_a_withdrawal_is_to_come_back(desk: Desk) -> None:
    order = Returning(desk=desk)
    await desk.paid()
    path = await withdrawn(order)
    placed = order_placed("O-1", desk.clock())
    ids = {name: getattr(placed, name) for name in ("order_id", "seller_id", "buyer_id")}
    shipped = OrderShipped(
        **ids, policy_version="ae-2025-1", shipped_at=desk.clock(), late_dispatch=False
    )
    await desk.tell("order-O-1", shipped)
    seen = await order.seen_by(desk.buyer, path)
    assert seen["authorization"]["goods_back"]
    assert seen["authorization"]["ship_by"]


# --- Remedies


async def test_a_remedy_joins_the_return_that_has_the_piece_and_opens_one_for_the_other(
    desk: Desk, order: Returning
) -> None:
    path = await order.asked()
    both = [DisputedUnits(line_id="1", quantity=2, units="1/1,1/2")]
    told = remedy("O-1", desk.clock(), outcome="RETURN_AND_REFUND", lines=both)
    await desk.tell("dispute-D-O-1", told)
    assert await order.types(path) == [
        "ReturnRequested",
        "ReturnReviewRequired",
        "RemedyAttached",
        "ReturnAuthorized",
    ]
    ids = await desk.pool.fetch("SELECT return_id FROM facts.goods_return ORDER BY began_at")
    (_, other) = (f"/v1/returns/{row['return_id']}" for row in ids)
    seen = await order.seen_by(desk.buyer, other)
    assert (seen["remedy_ids"], [each["unit"] for each in seen["units"]]) == (["R-O-1"], ["1/2"])
    assert seen["status"] == "AUTHORIZED"


async def test_a_remedy_pays_for_goods_that_are_accepted_already(
    desk: Desk, order: Returning
) -> None:
    path = await order.approved()
    await received(order, path)
    await order.does(desk.seller, path, "inspection", ACCEPTED)
    await desk.pays()
    await desk.ordered(outcome="RETURN_AND_REFUND")
    assert (await desk.kinds())[-1] == "RemedyAlreadyMet"
