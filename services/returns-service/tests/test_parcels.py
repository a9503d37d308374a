"""What the carrier and the stock answer and tell: labels, scans and losses, replacements."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import NAMESPACE_OID, uuid4, uuid5

import httpx
import msgspec
import pytest
from local_stack import companies
from local_stack.sandbox_kit import Sandbox
from returns_service.connectors.hearing import AGAIN_AFTER
from returns_service.connectors.labels import labels
from returns_service.connectors.parcels import Parcel, Parcels, ToldParcel, UnknownParcel
from returns_service.connectors.replacements import replacements
from returns_service.ports.carrier import AskedLabel, Label, Voided
from returns_service.ports.line import No, Unknown, line_to
from returns_service.ports.settings import LOCAL_WEBHOOK_SECRET
from returns_service.ports.stock import AskedPieces, OutOfStock, Released, Reserved, StockPort
from returns_service.testing.desk import Desk
from returns_service.testing.shipments import DAY, Returning
from returns_service.testing.shipments import LABEL as LABEL_MADE
from returns_service.wishes import CARRIER, LABEL, RELEASE, STOCK
from shared_casework.order_locks import lock_orders
from shared_runtime.testing import waits_for
from shared_runtime.testing_http import Json, refusal
from standardwebhooks import Webhook


class Carrier:
    """One that makes labels, and answers `silent` times with nothing first."""

    def __init__(self, silent: int = 0) -> None:
        self.silent = silent
        self.asked: list[tuple[AskedLabel, bool]] = []
        self.voided: list[str] = []

    async def label(self, asked: AskedLabel, *, sent_before: bool) -> Label | No:
        self.asked.append((asked, sent_before))
        if len(self.asked) <= self.silent:
            return Unknown(code="NO_ANSWER")
        return Label(carrier_ref="lb_1", carrier="DHL", tracking_id="T-1", cost_minor=390)

    async def void(self, carrier_ref: str) -> Voided:
        self.voided.append(carrier_ref)
        return Voided()


class Stock:
    """One that has the article at a price, or not; `until`: it takes its time to say so."""

    def __init__(
        self, price_minor: int | None, until: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self.price_minor = price_minor
        self.until = until
        self.asked: list[AskedPieces] = []
        self.released: list[tuple[str, int]] = []

    async def reserve(self, asked: AskedPieces, *, sent_before: bool) -> Reserved | OutOfStock:  # noqa: ARG002
        self.asked.append(asked)
        if self.until:
            await self.until()
        if self.price_minor is None:
            return OutOfStock()
        return Reserved(stock_ref="rs_1", price_minor=self.price_minor)

    async def release(self, reservation_id: str, *, kept: int) -> Released:
        self.released.append((reservation_id, kept))
        return Released()


def known(desk: Desk) -> Json:
    return {
        "pool": desk.pool,
        "own_log": desk.parts.log,
        "policies": desk.policies,
        "now": desk.clock,
    }


async def carrier_turns(desk: Desk, carrier: Carrier) -> None:
    loop = labels(carrier, 4, known(desk))  # type: ignore[arg-type]  # it answers as the port does
    await loop.turn()
    await desk.work()


async def stock_turns(desk: Desk, stock: Stock | StockPort) -> None:
    loop = replacements(stock, 4, known(desk))  # type: ignore[arg-type]  # as above
    await loop.turn()
    await desk.work()


async def told(desk: Desk, order: Returning, kind: str, **data: object) -> httpx.Response:
    """A webhook of the carrier about the parcel T-1."""
    scan = {
        "reference": "any",
        "order_ref": order.order_id,
        "tracking_id": "T-1",
        "kind": kind,
        "scanned_at": None if kind == "LOST" else desk.clock().isoformat(),
    } | data
    body = json.dumps({"type": "parcel.scanned", "data": scan})
    webhook_id, now = f"msg_{uuid4()}", datetime.now(UTC)
    signature = Webhook(LOCAL_WEBHOOK_SECRET).sign(webhook_id, now, body)
    headers = {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
        "content-type": "application/json",
    }
    answered = await desk.feed.post("/v1/webhooks/carrier", content=body, headers=headers)
    await desk.work()
    return answered


@pytest.fixture
async def order(desk: Desk) -> Returning:
    return await Returning(desk=desk).delivered()


async def errands(desk: Desk, port: str) -> list[str]:
    rows = await desk.pool.fetch("SELECT task FROM ports.errand WHERE port = $1", port)
    return [row["task"] for row in rows]


# --- Labels


async def test_an_approved_return_gets_its_label(desk: Desk, order: Returning) -> None:
    path = await order.approved()
    assert await errands(desk, CARRIER) == [LABEL]
    carrier = Carrier()
    await carrier_turns(desk, carrier)
    ((asked, sent_before),) = carrier.asked
    assert (asked.order_id, asked.pieces, asked.currency, sent_before) == ("O-1", 1, "EUR", False)
    label = (await order.seen_by(desk.buyer, path))["label"]
    assert (label["label_id"], label["tracking_id"], label["paid_by"]) == ("lb_1", "T-1", "SELLER")
    assert await errands(desk, CARRIER) == []


async def test_a_return_that_has_its_label_by_now_is_not_asked_about(
    desk: Desk, order: Returning
) -> None:
    """The worker reads of its approval behind that: it was away, or a history came in."""
    path = await order.asked()
    assert (await order.tries(desk.seller, path, "approval")).is_success
    assert (await order.tries(desk.feed, path, "labels", LABEL_MADE)).is_success
    await desk.work()
    assert await errands(desk, CARRIER) == []


async def test_a_carrier_that_does_not_answer_is_asked_again_and_looked_at_first(
    desk: Desk, order: Returning
) -> None:
    path = await order.approved()
    carrier = Carrier(silent=1)
    await carrier_turns(desk, carrier)
    assert (await order.seen_by(desk.buyer, path))["label"] is None
    desk.clock.advance(AGAIN_AFTER)
    await carrier_turns(desk, carrier)
    assert [sent_before for _, sent_before in carrier.asked] == [False, True]
    assert (await order.seen_by(desk.buyer, path))["label"]


async def test_no_label_is_made_for_what_was_cancelled_and_one_that_was_is_taken_back(
    desk: Desk, order: Returning
) -> None:
    path = await order.approved()
    await order.does(desk.buyer, path, "cancellation")
    carrier = Carrier()
    await carrier_turns(desk, carrier)
    assert carrier.asked == []
    path = await order.approved()
    await carrier_turns(desk, carrier)
    await order.does(desk.buyer, path, "cancellation")
    await carrier_turns(desk, carrier)
    assert carrier.voided == ["lb_1"]


# --- Scans


async def test_a_scan_tells_its_return_once_and_in_any_order(desk: Desk, order: Returning) -> None:
    path = await order.approved()
    await carrier_turns(desk, Carrier())
    assert (await told(desk, order, "DELIVERED_BACK")).json() == {"recorded": 1}
    assert (await told(desk, order, "HANDED_OVER")).json() == {"recorded": 0}
    assert (await told(desk, order, "DELIVERED_BACK")).json() == {"recorded": 0}
    assert (await order.types(path))[-1] == "ReturnScanned"


async def test_a_loss_under_the_label_is_covered(desk: Desk, order: Returning) -> None:
    path = await order.approved()
    await carrier_turns(desk, Carrier())
    await told(desk, order, "HANDED_OVER")
    assert (await told(desk, order, "LOST")).json() == {"recorded": 2}
    assert (await order.types(path))[-2:] == ["UnitsLost", "UnitsAccepted"]


async def test_a_parcel_of_no_return_is_not_found_and_an_unsigned_word_not_believed(
    desk: Desk, order: Returning
) -> None:
    await order.approved()
    assert (await told(desk, order, "HANDED_OVER", tracking_id="T-9")).status_code == 404
    body: dict[str, Any] = {"type": "parcel.scanned", "data": {}}
    assert (await desk.feed.post("/v1/webhooks/carrier", json=body)).status_code == 401
    for odd in ("O\0", "O/1", "O" * 65):
        assert refusal(await told(desk, order, "HANDED_OVER", order_ref=odd)) == "invalid-value"


@pytest.mark.parametrize("year", ["1969", "2200", "9999"])
async def test_no_parcel_is_scanned_in_another_age(desk: Desk, order: Returning, year: str) -> None:
    """What is due after it would be behind all time."""
    path = await order.approved()
    await carrier_turns(desk, Carrier())
    await order.does(desk.buyer, path, "shipment", {"units": ["1/1"], "tracking_id": "T-1"})
    at = f"{year}-12-31T12:00:00Z"
    answered = await told(desk, order, "HANDED_OVER", scanned_at=at)
    assert refusal(answered) == "invalid-value"
    assert (await order.types(path))[-1] == "ReturnShipped"


# --- Told at once


@pytest.fixture
async def orders(desk: Desk) -> list[tuple[Returning, str]]:
    """Returns of four orders, with the path of each; the buyer has named their parcels."""
    made: list[tuple[Returning, str]] = []
    for number in range(1, 5):
        order = await Returning(desk=desk, order_id=f"O-{number}").delivered()
        path = await order.approved()
        named: Json = {"units": ["1/1"], "tracking_id": f"T-{number}"}
        await order.does(desk.buyer, path, "shipment", named)
        made.append((order, path))
    return made


def word(desk: Desk, number: int, kind: Any = "HANDED_OVER", told_as: str = "") -> ToldParcel:  # noqa: ANN401
    """Of the parcel T-<number> of the order O-<number>; told twice under one id, it is one word."""
    parcel = Parcel(
        reference="any",
        order_ref=f"O-{number}",
        tracking_id=f"T-{number}",
        kind=kind,
        scanned_at=desk.clock(),
    )
    cause = str(uuid5(NAMESPACE_OID, f"{told_as or number}/{kind}"))
    return ToldParcel(told=parcel, cause=cause, now=desk.clock())


async def heard(desk: Desk, *words: ToldParcel) -> list[int | BaseException]:
    """What comes of words that are there at once."""
    parcels = Parcels(desk.parts.log, desk.pool, desk.policies)
    told = (parcels.hear(each) for each in words)
    return await asyncio.gather(*told, return_exceptions=True)


async def transactions(desk: Desk) -> list[int]:
    """How many scans were recorded in each."""
    rows = await desk.pool.fetch(
        "SELECT count(*) FROM es.event WHERE type = 'ReturnScanned.v1' GROUP BY xmin::text "
        "ORDER BY min(position)"
    )
    return sorted(row["count"] for row in rows)


async def test_what_is_told_at_once_is_recorded_together(
    desk: Desk, orders: list[tuple[Returning, str]]
) -> None:
    assert await heard(desk, *(word(desk, number) for number in range(1, 5))) == [1, 1, 1, 1]
    assert await transactions(desk) == [4]
    await desk.work()
    for order, path in orders:
        assert (await order.types(path))[-1] == "ReturnScanned"
        assert (await order.seen_by(desk.buyer, path))["status"] == "IN_TRANSIT"


async def test_of_what_is_told_at_once_each_is_answered_for_itself(
    desk: Desk,
    orders: list[tuple[Returning, str]],  # noqa: ARG001 - they are there
) -> None:
    """A parcel of no return, an order that is not known, and one word that came twice."""
    once = word(desk, 2)
    nobodys = msgspec.structs.replace(
        once, told=msgspec.structs.replace(once.told, tracking_id="T")
    )
    told = await heard(desk, word(desk, 1), once, nobodys, word(desk, 9), once, word(desk, 3))
    assert [each if isinstance(each, int) else type(each) for each in told] == [
        1,
        1,
        UnknownParcel,
        UnknownParcel,
        0,
        1,
    ]


async def test_what_is_told_at_once_of_one_order_is_heard_in_turn(
    desk: Desk, orders: list[tuple[Returning, str]]
) -> None:
    there = word(desk, 1, "DELIVERED_BACK")
    told = await heard(desk, word(desk, 2), there, word(desk, 1), word(desk, 1, told_as="again"))
    assert told == [1, 1, 0, 0], "nobody hands over what is there"
    (order, path), *_ = orders
    assert (await order.types(path))[-1] == "ReturnScanned"


@pytest.mark.usefixtures("orders")
async def test_i17_a_word_is_heard_while_nobody_decides_on_its_order(desk: Desk) -> None:
    """Else it would be judged by what was known of the other returns before."""
    lock = partial(lock_orders, ["O-1"])
    assert await waits_for(lock, heard(desk, word(desk, 1)), desk.pool)


async def test_a_word_that_cannot_be_recorded_keeps_nobody_elses_from_being(
    desk: Desk, orders: list[tuple[Returning, str]]
) -> None:
    """The time of one is none that a database can hold."""
    bad = word(desk, 2)
    bad = msgspec.structs.replace(bad, cause="no cause at all")
    told = await heard(desk, word(desk, 1), bad, word(desk, 3), word(desk, 4))
    assert [type(each) for each in told] == [int, ValueError, int, int]
    _, (order, path), *_ = orders
    assert (await order.types(path))[-1] == "ReturnShipped"


# --- Replacements


async def exchanged(desk: Desk, order: Returning, **changes: object) -> str:
    """An exchange whose goods are accepted."""
    path = await order.approved(kind="EXCHANGE", wants="EXCHANGE", **changes)
    body: Json = {"units": ["1/1"], "tracking_id": "T-1"}
    await order.does(desk.buyer, path, "shipment", body)
    found = {"units": [{"unit": "1/1", "reception": "RECEIVED"}]}
    await order.does(desk.seller, path, "receipt", found)
    accepted = {"units": [{"unit": "1/1", "verdict": "ACCEPTED", "grade": "A"}]}
    await order.does(desk.seller, path, "inspection", accepted)
    return path


async def test_a_dearer_article_is_shown_with_what_is_to_be_paid(
    desk: Desk, order: Returning
) -> None:
    path = await exchanged(desk, order, replacement_sku="sku-2")
    stock = Stock(price_minor=3200)
    await stock_turns(desk, stock)
    assert [(each.sku, each.quantity) for each in stock.asked] == [("sku-2", 1)]
    (unit,) = (await order.seen_by(desk.buyer, path))["units"]
    assert (unit["replacement"]["owes"], unit["replacement"]["to_pay"]["amount"]) == (True, 700)
    paid = await order.does(desk.feed, path, "replacement/payment", {"payment_ref": "P-2"})
    assert not paid["units"][0]["replacement"]["owes"]
    body = {"units": ["1/1"], "tracking_id": "T-7"}
    await order.does(desk.seller, path, "replacement/shipment", body)
    assert (await desk.kinds())[-1] == "UnitsReplaced"
    await order.does(desk.buyer, path, "replacement/delivery", {"units": ["1/1"]})
    end = (await order.seen_by(desk.buyer, path))["end"]
    assert (end["resolution"], end["refunded"]["amount"]) == ("EXCHANGED", 0)


async def test_the_same_article_costs_the_same(desk: Desk, order: Returning) -> None:
    path = await exchanged(desk, order)
    await stock_turns(desk, Stock(price_minor=9900))
    (unit,) = (await order.seen_by(desk.buyer, path))["units"]
    assert (unit["replacement"]["sku"], unit["replacement"]["owes"]) == ("sku-1", False)


async def test_an_article_that_there_is_none_of_becomes_a_refund(
    desk: Desk, order: Returning
) -> None:
    path = await exchanged(desk, order)
    assert await errands(desk, STOCK) == ["1/1"]
    await stock_turns(desk, Stock(price_minor=None))
    assert (await order.types(path))[-1] == "ExchangeFellBack"
    assert [each.source for each in await desk.requests()] == ["EXCHANGE_FALLBACK"]


@pytest.mark.parametrize("pays", [False, True])
async def test_what_the_stock_keeps_for_a_replacement_that_is_not_sent_goes_back(
    desk: Desk, order: Returning, sandbox: Sandbox, *, pays: bool
) -> None:
    """Nobody pays the difference, or nobody sends it; and the stock fails once."""
    sku = f"sku-{uuid4().hex[:8]}"
    sandbox.article(sku, stock=1, price_minor=3200)
    port = StockPort(line_to(f"{sandbox.url}/stock", companies.KEY, seconds=5))
    path = await exchanged(desk, order, replacement_sku=sku)
    await stock_turns(desk, port)
    if pays:
        await order.does(desk.feed, path, "replacement/payment", {"payment_ref": "P-2"})
    assert await errands(desk, STOCK) == []
    await desk.after(8 * DAY)
    assert (await order.types(path))[-1] == "ExchangeFellBack"
    assert await errands(desk, STOCK) == [RELEASE]
    sandbox.plan("stock", sku, calls=["NONE", "ERROR_BEFORE"])
    await stock_turns(desk, port)
    assert [each["status"] for each in sandbox.book("stock") if each["sku"] == sku] == ["RESERVED"]
    desk.clock.advance(AGAIN_AFTER)
    await stock_turns(desk, port)
    assert await errands(desk, STOCK) == []
    other = AskedPieces(reservation_id=uuid4().hex, sku=sku, quantity=1, currency="EUR")
    assert isinstance(await port.reserve(other, sent_before=False), Reserved)
    await port.close()


async def test_what_the_stock_keeps_too_late_goes_back_too(desk: Desk, order: Returning) -> None:
    """By the deadline of its answer there was none, and its money is on its way."""
    await exchanged(desk, order)
    stock = Stock(price_minor=2500, until=lambda: desk.after(2 * DAY))
    await stock_turns(desk, stock)
    assert (stock.released, await errands(desk, STOCK)) == ([], ["1/1"])
    await stock_turns(desk, stock)
    ((asked, kept),) = stock.released
    assert (asked, kept) == (stock.asked[0].reservation_id, 0)
    assert await errands(desk, STOCK) == []
