"""Many returns at once: by time left, for the warehouse, for the desk, and in figures."""

from collections.abc import Callable

import pytest
from returns_service.testing.desk import Desk, eur
from returns_service.testing.shipments import DAY, RETURNS, Returning
from shared_runtime.testing_http import Client, Json, refusal


async def listed(who: Client, path: str = RETURNS, **query: str) -> Json:
    answered = await who.get(path, params=query)
    assert answered.status_code == 200, answered.text
    page: Json = answered.json()
    return page


async def order(desk: Desk, number: int, **changes: int) -> Returning:
    return await Returning(desk=desk, order_id=f"O-{number}").delivered(**changes)


async def test_a_seller_sees_first_what_is_due_soonest_and_what_happens_then(desk: Desk) -> None:
    first = await (await order(desk, 1)).asked()
    await desk.after(DAY)
    second = await (await order(desk, 2)).asked()
    items = (await listed(desk.seller))["items"]
    assert [f"{RETURNS}/{each['return_id']}" for each in items] == [first, second]
    assert items[0]["deadline"]["name"] == "RETURN_ANSWER"
    assert "silence approves" in items[0]["deadline"]["then"]
    newest = (await listed(desk.buyer))["items"]
    assert [f"{RETURNS}/{each['return_id']}" for each in newest] == [second, first]
    assert newest[0]["deadline"] is None


async def test_pages_follow_each_other_also_where_nothing_is_due(desk: Desk) -> None:
    paths = {await (await order(desk, number)).asked() for number in range(3)}
    page = await listed(desk.buyer, sort="due", limit="2")
    rest = await listed(desk.buyer, sort="due", limit="2", cursor=page["next_cursor"])
    found = [each["return_id"] for each in (*page["items"], *rest["items"])]
    assert sorted(f"{RETURNS}/{each}" for each in found) == sorted(paths)


async def test_a_list_is_of_what_stands_there(desk: Desk) -> None:
    asked = await order(desk, 1)
    await asked.asked()
    path = await asked.asked()
    await asked.does(desk.buyer, path, "cancellation")
    closed = (await listed(desk.seller, open="false"))["items"]
    assert [(each["status"], each["resolution"]) for each in closed] == [("CLOSED", "CANCELLED")]
    review = (await listed(desk.seller, status="REVIEW"))["items"]
    assert len(review) == 1
    both = await desk.seller.get(RETURNS, params={"open": "false", "sort": "due"})
    assert refusal(both) == "invalid-value"


async def test_a_warehouse_sees_what_comes_and_what_is_to_be_looked_at(desk: Desk) -> None:
    goods = await order(desk, 1)
    path = await goods.approved()
    body = {"units": ["1/1"], "tracking_id": "T-1"}
    await goods.does(desk.buyer, path, "shipment", body)
    (coming,) = (await listed(desk.seller, f"{RETURNS}/waiting", what="RECEIVE"))["items"]
    assert (coming["units"], coming["tracking_ids"]) == (["1/1"], ["T-1"])
    found = {"units": [{"unit": "1/1", "reception": "RECEIVED"}]}
    await goods.does(desk.feed, path, "receipt", found)
    of_seller = {"seller_id": "S-77"}
    (here,) = (await listed(desk.feed, f"{RETURNS}/waiting", **of_seller))["items"]
    assert here["waiting"] == "INSPECT"
    assert (await listed(desk.seller, f"{RETURNS}/waiting", what="RECEIVE"))["items"] == []
    assert refusal(await desk.feed.get(f"{RETURNS}/waiting")) == "invalid-value"


async def test_goods_that_came_unasked_wait_for_no_warehouse_before_they_are_approved(
    desk: Desk,
) -> None:
    goods = await order(desk, 1)
    path = await goods.asked()
    found = {"units": [{"unit": "1/1", "reception": "RECEIVED"}]}
    await goods.does(desk.seller, path, "receipt", found)
    assert (await listed(desk.seller, f"{RETURNS}/waiting"))["items"] == []
    await goods.does(desk.seller, path, "approval")
    (here,) = (await listed(desk.seller, f"{RETURNS}/waiting"))["items"]
    assert (here["waiting"], here["units"]) == ("INSPECT", ["1/1"])


async def test_the_desk_sees_what_it_has_to_decide(desk: Desk) -> None:
    dear = await order(desk, 1, total_ref_minor=200_000)
    path = await dear.asked()
    page = await listed(desk.agent, f"{RETURNS}/cases")
    assert [each["kinds"] for each in page["items"]] == [["REVIEW"]]
    assert page["counts"]["review"] == 1
    assert refusal(await desk.seller.get(f"{RETURNS}/cases")) == "role-not-allowed"
    await dear.does(desk.agent, path, "approval")
    assert (await listed(desk.agent, f"{RETURNS}/cases"))["items"] == []


async def test_all_that_was_asked_back_of_an_order_is_listed_for_its_parties_and_the_desk(
    desk: Desk, caller: Callable[..., Client]
) -> None:
    goods = await order(desk, 1)
    first = await goods.asked()
    await goods.does(desk.seller, first, "refusal", {"code": "OTHER", "note": "It was worn."})
    await desk.after(DAY)
    second = await goods.asked()
    await (await order(desk, 2)).asked()
    path = "/v1/orders/O-1/returns"
    for reader in (desk.buyer, desk.seller, desk.agent, desk.feed):
        items = (await listed(reader, path))["items"]
        assert [f"{RETURNS}/{each['return_id']}" for each in items] == [second, first]
    page = await listed(desk.buyer, path, limit="1")
    (last,) = (await listed(desk.buyer, path, cursor=page["next_cursor"]))["items"]
    assert f"{RETURNS}/{last['return_id']}" == first
    assert refusal(await caller("BUYER", "B-6").get(path)) == "not-found"
    assert refusal(await desk.agent.get("/v1/orders/O-9/returns")) == "not-found"
    by_link = caller("BUYER", "B-5", withdrawal_of="O-1")
    assert refusal(await by_link.get(path)) == "scope-not-allowed"


async def test_figures_tell_how_returns_have_ended(desk: Desk) -> None:
    goods = await order(desk, 1)
    path = await goods.asked()
    offered = await goods.does(desk.seller, path, "offers", {"amount": eur(700)})
    answer = f"offers/{offered['offers'][0]['offer_id']}/answer"
    await goods.does(desk.buyer, path, answer, {"accept": True})
    await desk.pays()
    await desk.after(DAY)
    (figure,) = (await listed(desk.seller, f"{RETURNS}/statistics"))["figures"]
    assert (figure["resolution"], figure["returns"], figure["refunded_minor"]) == ("KEPT", 1, 700)


@pytest.mark.parametrize(
    ("reason", "lane", "payer"),
    [("DAMAGED", "FAST", "SELLER"), ("NOT_AS_DESCRIBED", None, "SELLER")],
)
async def test_a_buyer_sees_before_he_asks_how_it_would_be_decided(
    desk: Desk, reason: str, lane: str | None, payer: str
) -> None:
    goods = await order(desk, 1)
    path = "/v1/orders/O-1/return-eligibility"
    (first, second) = (await listed(desk.buyer, path, reason=reason))["units"]
    assert first["asking"]["allowed"]
    assert first["withdrawing"]["allowed"]
    assert first["asking"]["until"]
    assert (first["forecast"]["lane"], first["forecast"]["label_paid_by"]) == (lane, payer)
    assert first["forecast"]["rule_trace"]
    await goods.asked()
    (first, second) = (await listed(desk.seller, path, reason=reason))["units"]
    assert (first["asking"]["reason_if_not"], second["asking"]["allowed"]) == (
        "quantity-exceeded",
        True,
    )
    assert second["forecast"] is None, "how far the buyer is trusted is nothing to the seller"
    await desk.after(15 * DAY)
    (_, second) = (await listed(desk.buyer, path))["units"]
    assert second["asking"]["reason_if_not"] == "window-closed"
    assert second["forecast"] is None


async def test_goods_that_are_to_be_sent_back_are_due_though_the_return_is_over(desk: Desk) -> None:
    """Whoever forgets them pays for them."""
    goods = await order(desk, 1)
    path = await goods.asked()
    found = {"units": [{"unit": "1/1", "reception": "RECEIVED"}]}
    await goods.does(desk.seller, path, "receipt", found)
    await goods.does(desk.seller, path, "refusal", {"code": "OTHER", "note": "It was worn."})
    await desk.after(7 * DAY)
    other = await (await order(desk, 2)).asked()
    items = (await listed(desk.seller))["items"]
    assert [f"{RETURNS}/{each['return_id']}" for each in items] == [other, path]
    assert (items[1]["status"], items[1]["deadline"]["name"]) == ("CLOSED", "SEND_BACK")
    assert "pays for them" in items[1]["deadline"]["then"]
    (only_open,) = (await listed(desk.seller, sort="due", open="true"))["items"]
    assert f"{RETURNS}/{only_open['return_id']}" == other
    back = {"units": ["1/1"], "tracking_id": "T-3"}
    await goods.does(desk.seller, path, "goods/shipment", back)
    assert len((await listed(desk.seller))["items"]) == 1
