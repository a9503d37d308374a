"""The ledger of an order over HTTP: who reads what of it, and what people and banks do to it."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import httpx
import pytest
from returns_service.domain.bouncing import BounceRefund
from returns_service.testing import paid, refused, timed_out
from returns_service.testing.desk import Desk, eur, ledger_path
from returns_service.testing.orders import cancelled, order_placed, remedy, seller_erased
from shared_events.dispute import DisputedUnits
from shared_events.orders import OrderLine
from shared_runtime.log import VersionConflict
from shared_runtime.testing_http import Json, done, refusal, send

type Caller = Callable[..., httpx.AsyncClient]

LEDGER = ledger_path("O-1")
DAY = timedelta(days=1)
CHARGEBACK: Json = {"outside_id": "cb-1", "kind": "CHARGEBACK", "amount": eur(1000)}
LATE = {"reason": "LATE_ANSWER"}


def line(line_id: str, quantity: int, price: int) -> OrderLine:
    return OrderLine(
        line_id=line_id,
        sku=f"sku-{line_id}",
        category="shoes",
        quantity=quantity,
        unit_price_minor=price,
        line_discount_minor=0,
    )


ORDER_A: dict[str, Any] = {
    "lines": [line("1", 3, 5999)],
    "order_discount_minor": 1799,
    "shipping_minor": 0,
    "total_minor": 16198,
    "total_ref_minor": 16198,
}
ORDER_E: dict[str, Any] = {
    "lines": [line("1", 1, 8999)],
    "shipping_minor": 590,
    "total_minor": 9589,
    "total_ref_minor": 9589,
}
ALL_THREE = [DisputedUnits(line_id="1", quantity=3, units="1/1,1/2,1/3")]


async def sums(desk: Desk, who: httpx.AsyncClient) -> dict[str, int]:
    told = (await desk.seen_by(who))["sums"]
    return {name: money["amount"] for name, money in told.items() if money and money["amount"]}


async def goodwill(
    who: httpx.AsyncClient, amount: Json, path: str = LEDGER, **said: str
) -> httpx.Response:
    """About the version that there is."""
    version = (await who.get(path)).headers.get("ETag", '"0"')
    return await send(who, f"{path}/goodwill", {"goodwill": amount} | said, version=version)


# --- Reading


async def test_a_buyer_reads_what_was_paid_and_what_is_given_of_it(desk: Desk) -> None:
    await desk.paid()
    await desk.ordered()
    assert await sums(desk, desk.buyer) == {"paid": 5499, "refundable": 2999, "requested": 2500}
    await desk.pays()
    shown = await desk.seen_by(desk.buyer)
    assert await sums(desk, desk.buyer) == {
        "paid": 5499,
        "refundable": 2999,
        "settled": 2500,
        "borne_by_seller": 2500,
    }
    (of_line,) = shown["lines"]
    assert (of_line["paid"], of_line["given"], of_line["refundable"]) == (
        eur(5000),
        eur(2500),
        eur(2500),
    )
    assert [(each["unit"], each["refundable"]["amount"]) for each in of_line["units"]] == [
        ("1/1", 0),
        ("1/2", 2500),
    ]
    assert shown["shipping"] == {"paid": eur(499), "given": eur(0), "refundable": eur(499)}
    (refund,) = shown["refunds"]
    assert (refund["state"], refund["source"], refund["source_id"]) == (
        "SETTLED",
        "DISPUTE",
        "R-O-1",
    )
    assert refund["units"] == [{"unit": "1/1", "amount": eur(2500)}]
    assert refund["settled_at"] == desk.clock().isoformat().replace("+00:00", "Z")
    assert shown["available_actions"] == refund["available_actions"] == []
    assert await desk.types(desk.buyer) == [
        *("RefundLedgerOpened", "RefundRequested", "RefundSettled", "RefundIssued")
    ]


async def test_to_strangers_and_without_a_payment_there_is_no_ledger(
    desk: Desk, caller: Caller
) -> None:
    await desk.paid()
    others = (
        caller("BUYER", "B-6"),
        caller("SELLER", "S-9"),
        caller("AGENT", "B-5"),  # who has bought here himself
        caller("AUDITOR", "auditor-2", seller_id="S-77"),
    )
    for who in others:
        for path in (LEDGER, f"{LEDGER}/events"):
            assert (await who.get(path)).status_code == HTTPStatus.NOT_FOUND
    await desk.tell("order-O-2", order_placed("O-2", desk.clock()))
    for order_id in ("O-2", "O-3"):
        assert (await desk.buyer.get(ledger_path(order_id))).status_code == HTTPStatus.NOT_FOUND
    moderator = caller("MODERATOR", "mod-1")
    assert refusal(await moderator.get(LEDGER)) == "role-not-allowed"


async def test_each_reads_what_is_for_him(desk: Desk, caller: Caller) -> None:
    """That staff are late is for staff, what was given twice for who bears it."""
    await desk.paid()
    await desk.ordered()
    (asked,) = await desk.requests()
    await desk.after(14 * DAY)
    await desk.says("O-1", refused(asked.refund_id))
    await desk.judged(desk.agent, LEDGER, f"{asked.refund_id}/reissue", {})
    await desk.pays()
    await desk.says("O-1", paid(asked.refund_id))
    all_of_them = [
        *("RefundLedgerOpened", "RefundRequested", "DecisionOverdue", "RefundFailed"),
        *("RefundRequested", "RefundSettled", "RefundIssued"),
        *("RefundSettled", "RefundIssued", "RefundOverpaid"),
    ]
    importer, connector = caller("IMPORTER", "history"), caller("SYSTEM", "psp")
    for who in (desk.agent, desk.auditor, importer, connector):
        assert await desk.types(who) == all_of_them
        assert (await desk.seen_by(who))["sums"]["overpaid"] == eur(2500)
        assert (await who.get(LEDGER)).headers["ETag"] == '"10"'
    told = [each for each in all_of_them if each != "DecisionOverdue"]
    assert await desk.types(desk.seller) == told
    assert (await desk.seen_by(desk.seller))["sums"]["overpaid"] == eur(2500)
    assert await desk.types(desk.buyer) == told[:-1]
    assert (await desk.seen_by(desk.buyer))["sums"]["overpaid"] is None
    assert (await desk.buyer.get(LEDGER)).headers["ETag"] == '"8"'


async def test_parties_are_not_told_who_of_the_staff_it_was(desk: Desk) -> None:
    await desk.paid()
    await desk.gives(desk.agent, 500, **LATE)
    seen = {
        who: (await client.get(f"{LEDGER}/events")).json()["items"][-1]["actor"]
        for who, client in (("buyer", desk.buyer), ("auditor", desk.auditor))
    }
    assert seen == {"buyer": "staff", "auditor": "agent:agent-1"}


async def test_a_history_is_read_page_by_page(desk: Desk) -> None:
    await desk.paid()
    await desk.ordered()
    await desk.pays()
    first = (await desk.buyer.get(f"{LEDGER}/events", params={"limit": 3})).json()
    more = {"limit": 3, "cursor": first["next_cursor"]}
    second = (await desk.buyer.get(f"{LEDGER}/events", params=more)).json()
    assert (len(first["items"]), len(second["items"]), second["next_cursor"]) == (3, 1, None)
    foreign = await desk.seller.get(f"{ledger_path('O-2')}/events", params=more)
    assert foreign.status_code == HTTPStatus.NOT_FOUND


# --- Goodwill


async def test_g05_a_seller_gives_what_he_likes_up_to_what_is_left(desk: Desk) -> None:
    """One cent more than the order has cost, then all of it."""
    await desk.paid(**ORDER_A)
    too_much = await goodwill(desk.seller, eur(16199))
    assert refusal(too_much) == "amount-exceeds-ceiling"
    assert (too_much.json()["ceiling_minor"], too_much.json()["currency"]) == (16198, "EUR")
    shown = done(await goodwill(desk.seller, eur(16198)))
    assert shown["sums"]["refundable"] == eur(0)
    (refund,) = shown["refunds"]
    assert (refund["source"], refund["goodwill"], refund["borne_by"]) == (
        "GOODWILL",
        eur(16198),
        "SELLER",
    )


async def test_g06_the_exact_rest_is_given_and_then_nothing(desk: Desk) -> None:
    """After a dispute's 5000, 11198 are left."""
    await desk.paid(**ORDER_A)
    await desk.ordered(outcome="REFUND_PARTIAL", amount_minor=5000, lines=ALL_THREE)
    (refund,) = (await desk.seen_by(desk.seller))["refunds"]
    assert [each["amount"]["amount"] for each in refund["units"]] == [1667, 1666, 1667]
    done(await goodwill(desk.seller, eur(11198)))
    assert await sums(desk, desk.seller) == {"paid": 16198, "requested": 16198}
    nothing_left = await goodwill(desk.seller, eur(1))
    assert refusal(nothing_left) == "already-refunded"
    assert len(nothing_left.json()["refund_ids"]) == 2


async def test_g19_another_currency_than_the_order_s_is_none(desk: Desk) -> None:
    await desk.paid(**ORDER_A)
    before = await desk.kinds()
    pounds = await goodwill(desk.seller, {"amount": 1000, "currency": "GBP"})
    assert refusal(pounds) == "invalid-value"
    assert [each["field"] for each in pounds.json()["errors"]] == ["goodwill.currency"]
    outside = CHARGEBACK | {"amount": {"amount": 1, "currency": "USD"}}
    assert refusal(await send(desk.feed, f"{LEDGER}/outside", outside)) == "invalid-value"
    assert await desk.kinds() == before


@pytest.mark.parametrize(
    "amount",
    [
        {"amount": 0, "currency": "EUR"},
        {"amount": -1, "currency": "EUR"},
        {"amount": 1.5, "currency": "EUR"},
        {"amount": "5", "currency": "EUR"},
        {"amount": 10**18, "currency": "EUR"},
        {"amount": 5, "currency": "eur"},
        {"amount": 5, "currency": "XXY"},
        {"amount": 5},
        5,
        None,
    ],
)
async def test_what_is_no_amount_is_refused_and_nothing_has_changed(
    desk: Desk, amount: object
) -> None:
    await desk.paid()
    body: Json = {"goodwill": amount}
    answered = await send(desk.seller, f"{LEDGER}/goodwill", body, version='"1"')
    assert refusal(answered) == "invalid-value"
    assert await desk.kinds() == ["RefundLedgerOpened"]


@pytest.mark.parametrize(("currency", "price"), [("JPY", 5800), ("KWD", 23689)])
async def test_currencies_without_decimals_and_with_three_are_whole_minor_units(
    desk: Desk, currency: str, price: int
) -> None:
    lines = [line("1", 1, price)]
    whole: dict[str, Any] = {
        "lines": lines,
        "shipping_minor": 0,
        "total_minor": price,
        "currency": currency,
    }
    await desk.paid(**whole)
    shown = done(await goodwill(desk.seller, {"amount": price, "currency": currency}))
    assert shown["refunds"][0]["total"] == {"amount": price, "currency": currency}


async def test_who_gives_says_which_version_he_has_seen(desk: Desk) -> None:
    await desk.paid()
    at, body = f"{LEDGER}/goodwill", {"goodwill": eur(500)}
    assert refusal(await send(desk.seller, at, body)) == "precondition-required"
    done(await send(desk.seller, at, body, version='"1"'))
    stale = await send(desk.seller, at, body, version='"1"')
    assert refusal(stale) == "stale-version"
    assert (stale.json()["expected"], stale.json()["actual"]) == (1, 2)


async def test_the_same_request_twice_gives_once(desk: Desk) -> None:
    await desk.paid()
    at, body, key = f"{LEDGER}/goodwill", {"goodwill": eur(500)}, str(uuid4())
    first = await send(desk.seller, at, body, key=key, version='"1"')
    await desk.pays()
    again = await send(desk.seller, at, body, key=key, version='"1"')
    assert again.headers["Idempotent-Replayed"] == "true"
    assert done(first)["refunds"][0]["state"] == "REQUESTED"
    assert done(again)["refunds"][0]["state"] == "SETTLED"  # as it is by now
    other = await send(desk.seller, at, {"goodwill": eur(501)}, key=key, version='"1"')
    assert refusal(other) == "idempotency-mismatch"
    assert len(await desk.requests()) == 1


async def test_a_rehearsal_tells_what_would_come_of_it_and_records_nothing(desk: Desk) -> None:
    await desk.paid()
    body = {"goodwill": eur(500)}
    dry = await send(desk.seller, f"{LEDGER}/goodwill", body, version='"1"', dry=True)
    (event,) = dry.json()["events"]
    assert (event["type"], event["total_minor"]) == ("RefundRequested.v1", 500)
    assert await desk.kinds() == ["RefundLedgerOpened"]


async def test_before_the_payment_nothing_is_given(desk: Desk) -> None:
    await desk.tell("order-O-1", order_placed("O-1", desk.clock()))
    answered = await goodwill(desk.seller, eur(500))
    assert (refusal(answered), answered.json()["state"]) == ("wrong-state", "NONE")
    strange = await send(desk.feed, f"{ledger_path('O-9')}/outside", CHARGEBACK)
    assert refusal(strange) == "not-found"


async def test_the_desk_gives_with_a_reason_at_the_platform_s_cost_and_within_its_limit(
    desk: Desk,
) -> None:
    await desk.paid(**ORDER_A)
    assert refusal(await goodwill(desk.agent, eur(500))) == "invalid-value"
    too_much = await goodwill(desk.agent, eur(5001), **LATE)
    assert (refusal(too_much), too_much.json()["ceiling_minor"]) == ("amount-exceeds-ceiling", 5000)
    shown = done(await goodwill(desk.agent, eur(5000), **LATE))
    (refund,) = shown["refunds"]
    assert (refund["borne_by"], refund["reason"]) == ("PLATFORM", "LATE_ANSWER")


async def test_who_has_acted_for_a_party_gives_nothing_for_the_platform(
    desk: Desk, caller: Caller
) -> None:
    await desk.paid()
    clerk = caller("SELLER", "clerk", seller_id="S-77", org_id="acme")
    done(await goodwill(clerk, eur(100)))
    colleague = caller("AGENT", "agent-9", org_id="S-77")
    assert refusal(await goodwill(colleague, eur(1), **LATE)) == "conflict-of-interest"
    assert refusal(await goodwill(caller("AGENT", "B-5"), eur(1), **LATE)) in {
        "conflict-of-interest",
        "not-found",
    }


async def test_a_buyer_gives_himself_nothing_and_another_seller_finds_no_ledger(
    desk: Desk, caller: Caller
) -> None:
    await desk.paid()
    assert refusal(await goodwill(desk.buyer, eur(1))) == "role-not-allowed"
    other = await send(
        caller("SELLER", "S-9"), f"{LEDGER}/goodwill", {"goodwill": eur(1)}, version='"1"'
    )
    assert refusal(other) == "not-found"


async def test_an_importer_brings_what_a_seller_gave_when_he_gave_it(
    desk: Desk, caller: Caller
) -> None:
    await desk.paid()
    importer = caller("IMPORTER", "history")
    at = (desk.clock() + timedelta(minutes=1)).isoformat().replace("+00:00", "Z")
    body = {"goodwill": eur(500), "on_behalf_of": "SELLER", "at": at}
    done(await send(importer, f"{LEDGER}/goodwill", body))
    (request,) = await desk.requests()
    assert request.overdue_at == desk.clock() + timedelta(minutes=1) + 14 * DAY
    before = body | {"at": (desk.clock() - DAY).isoformat().replace("+00:00", "Z")}
    assert refusal(await send(importer, f"{LEDGER}/goodwill", before)) == "time-goes-back"


async def test_what_a_bank_tells_is_no_earlier_than_what_is_there(desk: Desk) -> None:
    await desk.paid()
    for at, answer in ((desk.clock() - DAY, "time-goes-back"), (desk.clock(), None)):
        told = await send(desk.feed, f"{LEDGER}/outside", CHARGEBACK | {"at": at.isoformat()})
        assert (refusal(told) if told.is_error else None) == answer


async def test_a_seller_who_was_erased_gives_nothing(desk: Desk) -> None:
    await desk.paid()
    await desk.tell("seller-S-77", seller_erased(desk.clock()))
    assert refusal(await goodwill(desk.seller, eur(1))) == "subject-erased"


# --- What has failed


async def test_what_has_failed_is_given_once_more_another_way_with_consent(desk: Desk) -> None:
    await desk.paid()
    await desk.ordered()
    (asked,) = await desk.requests()
    door = f"{asked.refund_id}/reissue"
    early = await send(desk.agent, f"{LEDGER}/{door}", {}, version='"2"')
    assert (refusal(early), early.json()["state"]) == ("wrong-state", "REQUESTED")
    await desk.says("O-1", refused(asked.refund_id))
    assert (await sums(desk, desk.agent))["failed"] == 2500
    (refund,) = (await desk.seen_by(desk.agent))["refunds"]
    assert refund["failure"]["code"] == "CARD_CLOSED"
    assert {each["action"]: each["allowed"] for each in refund["available_actions"]} == {
        "ResolveRefund": False,
        "ReissueRefund": True,
    }
    unasked = await send(desk.agent, f"{LEDGER}/{door}", {"way": "BANK_TRANSFER"}, version='"3"')
    assert refusal(unasked) == "invalid-value"
    body = {"way": "BANK_TRANSFER", "consented": True}
    shown = await desk.judged(desk.agent, LEDGER, door, body)
    first, second = shown["refunds"]
    assert (first["reissued_by"], second["reissues"]) == (second["refund_id"], first["refund_id"])
    assert (second["way"], second["total"]) == ("BANK_TRANSFER", eur(2500))
    twice = await send(desk.agent, f"{LEDGER}/{door}", body, version='"4"')
    assert refusal(twice) == "already-submitted"
    assert await sums(desk, desk.agent) == {"paid": 5499, "refundable": 2999, "requested": 2500}


async def test_what_the_bank_has_sent_back_is_owed_again(desk: Desk) -> None:
    await desk.paid()
    await desk.ordered()
    await desk.pays()
    (asked,) = await desk.requests()
    await desk.says("O-1", BounceRefund(refund_id=asked.refund_id, code="ACCOUNT_CLOSED"))
    assert await sums(desk, desk.buyer) == {"paid": 5499, "refundable": 5499, "bounced": 2500}
    await desk.judged(desk.agent, LEDGER, f"{asked.refund_id}/reissue", {})
    await desk.pays()
    assert (await sums(desk, desk.buyer))["settled"] == 2500


@pytest.mark.parametrize(("is_paid", "state"), [(True, "SETTLED"), (False, "FAILED_FINAL")])
async def test_the_provider_s_desk_says_what_became_of_a_refund_without_an_answer(
    desk: Desk, is_paid: bool, state: str
) -> None:
    await desk.paid()
    await desk.ordered()
    (asked,) = await desk.requests()
    await desk.says("O-1", timed_out(asked.refund_id))
    assert (await sums(desk, desk.agent))["requested"] == 2500  # a time-out is never a no
    word = {"paid": is_paid, "proof_ref": "case-4711"}
    shown = await desk.judged(desk.agent, LEDGER, f"{asked.refund_id}/resolution", word)
    assert (shown["refunds"][0]["state"], shown["refunds"][0]["gateway_ref"]) == (
        state,
        "case-4711",
    )
    assert refusal(
        await send(desk.seller, f"{LEDGER}/{asked.refund_id}/resolution", word, version='"3"')
    ) == ("role-not-allowed")


# --- Money of others


async def test_what_a_bank_has_given_back_counts_until_it_is_taken_again(
    desk: Desk, caller: Caller
) -> None:
    await desk.paid()
    of_piece = CHARGEBACK | {"units": ["1/1"], "amount": eur(2500)}
    shown = done(await send(desk.feed, f"{LEDGER}/outside", of_piece))
    assert shown["outside"] == [
        {
            "outside_id": "cb-1",
            "state": "RECORDED",
            "total": eur(2500),
            "units": [{"unit": "1/1", "amount": eur(2500)}],
        }
    ]
    assert await sums(desk, desk.buyer) == {"paid": 5499, "refundable": 2999, "outside": 2500}
    again = await send(desk.feed, f"{LEDGER}/outside", of_piece)
    assert again.status_code == HTTPStatus.OK
    await desk.ordered()
    (not_due,) = (await desk.seen_by(desk.buyer))["not_due"]
    assert (not_due["given_by"], not_due["why"]) == (["cb-1"], "GIVEN")
    undoing = f"{LEDGER}/outside/cb-1/undoing"
    done(await send(caller("IMPORTER", "history"), undoing))
    await desk.work()
    assert await sums(desk, desk.buyer) == {"paid": 5499, "refundable": 2999, "requested": 2500}
    unknown = await send(desk.feed, f"{LEDGER}/outside/cb-9/undoing")
    assert unknown.status_code == HTTPStatus.OK
    assert (await sums(desk, desk.buyer))["requested"] == 2500


async def test_people_enter_no_money_of_others(desk: Desk) -> None:
    await desk.paid()
    for who in (desk.buyer, desk.seller, desk.agent, desk.auditor):
        for at in (f"{LEDGER}/outside", f"{LEDGER}/outside/cb-1/undoing"):
            assert refusal(await send(who, at, CHARGEBACK)) in {"role-not-allowed", "invalid-value"}
    assert await desk.kinds() == ["RefundLedgerOpened"]


async def test_pieces_that_the_order_has_not_are_none_of_the_bank_s(desk: Desk) -> None:
    await desk.paid()
    for units in (["1/3"], ["7/1"], ["1/1", "1/1"], ["x"]):
        answered = await send(desk.feed, f"{LEDGER}/outside", CHARGEBACK | {"units": units})
        assert refusal(answered) == "invalid-value"
    assert await desk.kinds() == ["RefundLedgerOpened"]


# --- Two who give the same money


async def test_g08_shipping_is_given_once_with_a_remedy_that_is_told_twice(desk: Desk) -> None:
    await desk.paid(**ORDER_E)
    await desk.ordered()
    await desk.ordered()
    (refund,) = (await desk.seen_by(desk.buyer))["refunds"]
    assert (refund["total"], refund["shipping"]) == (eur(9589), eur(590))
    assert await sums(desk, desk.buyer) == {"paid": 9589, "requested": 9589}


async def test_g46_a_dispute_gives_what_a_goodwill_during_it_has_left(desk: Desk) -> None:
    await desk.paid(**ORDER_A)
    done(await goodwill(desk.seller, eur(2000)))
    await desk.ordered(lines=ALL_THREE)
    _, of_dispute = (await desk.seen_by(desk.buyer))["refunds"]
    assert (of_dispute["total"], of_dispute["clipped_from"]) == (eur(14198), eur(16198))
    assert await sums(desk, desk.buyer) == {"paid": 16198, "requested": 16198}


async def test_g14_what_was_given_before_is_not_given_by_a_dispute_too(desk: Desk) -> None:
    """Another document about the same sale gives no second credit."""
    await desk.paid(**ORDER_A)
    done(await goodwill(desk.seller, eur(16198)))
    await desk.pays()
    await desk.ordered(lines=ALL_THREE)
    shown = await desk.seen_by(desk.buyer)
    (given,) = shown["refunds"]
    assert [each["given_by"] for each in shown["not_due"]] == [[given["refund_id"]]]
    assert await sums(desk, desk.buyer) == {
        "paid": 16198,
        "settled": 16198,
        "borne_by_seller": 16198,
    }


async def test_fifty_who_give_at_once_never_give_more_than_was_paid(desk: Desk) -> None:
    """54 of 100 each would fit; each gives 700."""
    await desk.paid()

    async def one() -> str:
        while True:
            answered = await goodwill(desk.seller, eur(700))
            if answered.status_code == HTTPStatus.CREATED:
                return "given"
            rule = refusal(answered)
            if rule not in {"stale-version", "concurrent-change"}:
                return rule

    came = await asyncio.gather(*(one() for _ in range(50)))
    assert sorted(set(came)) == ["amount-exceeds-ceiling", "given"]
    assert came.count("given") == 5499 // 700
    assert [each.total_minor for each in await desk.requests()] == [700] * 7
    assert (await desk.requests())[-1].remaining_minor == 5499 - 4900


async def work_through_races(desk: Desk) -> None:
    """As a worker does: what lost a race against somebody is done again."""
    while True:
        try:
            await desk.work()
        except VersionConflict:
            continue
        else:
            return


async def test_people_and_machines_who_give_at_once_share_what_there_is(desk: Desk) -> None:
    await desk.paid()
    now = desk.clock()
    await desk.told("dispute-D-O-1", remedy("O-1", now))
    await desk.told("order-O-1", cancelled(order_placed("O-1", now), now))
    given = (goodwill(desk.seller, eur(amount)) for amount in (1000, 1500))
    await asyncio.gather(*given, work_through_races(desk))
    assert await sums(desk, desk.auditor) == {"paid": 5499, "requested": 5499}
    assert all(each.remaining_minor >= 0 for each in await desk.requests())
