"""Returns over HTTP: who may ask, who answers, what each sees, and what comes of it."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace
from returns_service.testing.desk import Desk, eur
from returns_service.testing.orders import ids_of, order_placed
from returns_service.testing.shipments import (
    ASKED,
    DAY,
    LABEL,
    ONE,
    RETURNS,
    WITHDRAWALS,
    Returning,
)
from shared_casework.order_locks import lock_orders
from shared_events.dispute import AdjudicatorAssigned, DisputedUnits, DisputeOpened
from shared_runtime.testing import waits_for
from shared_runtime.testing_http import Client, done, refusal, send, uploaded

BOTH_STEPS = {"DeclareWithdrawal", "ConfirmWithdrawal"}
AT_ONCE = 50
"""How many pairs of requests race."""


@pytest.fixture
async def order(desk: Desk) -> Returning:
    """One that has come."""
    return await Returning(desk=desk).delivered()


def allowed(view: dict[str, Any]) -> set[str]:
    actions: list[dict[str, Any]] = view["available_actions"]
    return {each["action"] for each in actions if each["allowed"]}


# --- Asking


async def test_a_buyer_asks_and_sees_who_decides_and_until_when(
    desk: Desk, order: Returning
) -> None:
    path = await order.asked()
    seen = await order.seen_by(desk.buyer, path)
    assert (seen["status"], seen["review"]["by"]) == ("REVIEW", "SELLER")
    assert [each["unit"] for each in seen["units"]] == ["1/1"]
    assert seen["text"] == ASKED["text"]
    assert seen["rule_trace"][-1].startswith("D6:pass")
    assert seen["deadlines"][0]["name"] == "RETURN_ANSWER"
    assert await order.types(path) == ["ReturnRequested", "ReturnReviewRequired"]


async def test_a_cheap_return_is_authorized_at_once(order: Returning) -> None:
    cheap = await Returning(desk=order.desk, order_id="O-2").delivered(total_ref_minor=500)
    told = done(await cheap.tries_to_ask())
    assert (told["status"], told["lane"]) == ("AUTHORIZED", "STANDARD")
    assert told["authorization"]["by"] == "RULE"


async def test_a_return_is_not_there_for_others_and_the_seller_is_shown_no_trace(
    desk: Desk, order: Returning
) -> None:
    path = await order.asked()
    assert (await order.seen_by(desk.seller, path))["rule_trace"] == []
    assert (await order.seen_by(desk.agent, path))["rule_trace"]
    other = Returning(desk=desk, order_id="O-9")
    assert refusal(await other.tries_to_ask()) == "not-found"


async def test_the_same_request_again_is_the_same_return(desk: Desk, order: Returning) -> None:
    body = {"order_id": order.order_id} | ASKED
    first = await send(desk.buyer, RETURNS, body, key="once")
    again = await send(desk.buyer, RETURNS, body, key="once")
    assert first.json()["return_id"] == again.json()["return_id"]
    assert again.headers["Idempotent-Replayed"] == "true"


async def test_what_an_importer_brings_of_a_return_is_no_earlier_than_what_is_there(
    desk: Desk, order: Returning, caller: Callable[..., Client]
) -> None:
    path, importer = await order.asked(), caller("IMPORTER", "history")
    for at, answer in ((desk.clock() - DAY, "time-goes-back"), (desk.clock(), None)):
        body = {"on_behalf_of": "SELLER", "at": at.isoformat()}
        told = await send(importer, f"{path}/approval", body)
        assert (refusal(told) if told.is_error else None) == answer


async def test_a_rehearsal_records_nothing(desk: Desk, order: Returning) -> None:
    body = {"order_id": order.order_id} | ASKED
    told = await send(desk.buyer, RETURNS, body, dry=True)
    assert [each["type"] for each in told.json()["events"]] == [
        "ReturnRequested.v1",
        "ReturnReviewRequired.v1",
    ]
    assert done(await order.tries_to_ask())["status"] == "REVIEW"


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"lines": [{"line_id": "1", "quantity": 3}]}, "quantity-exceeded"),
        ({"lines": [{"line_id": "1", "quantity": 0}]}, "invalid-value"),
        ({"lines": [{"line_id": "7", "quantity": 1}]}, "invalid-value"),
        ({"lines": [*ONE, *ONE]}, "invalid-value"),
        ({"kind": "CLAIM", "amount": eur(500), "reason": "MISSING_PARTS"}, "evidence-required"),
        ({"kind": "CLAIM", "amount": eur(500), "reason": "CHANGE_OF_MIND"}, "invalid-value"),
        (
            {
                "kind": "CLAIM",
                "amount": {"amount": 500, "currency": "GBP"},
                "reason": "MISSING_PARTS",
            },
            "invalid-value",
        ),
    ],
)
async def test_what_makes_no_sense_is_refused_and_nothing_begins(
    desk: Desk, order: Returning, changes: dict[str, object], name: str
) -> None:
    assert refusal(await order.tries_to_ask(**changes)) == name
    assert await desk.pool.fetchval("SELECT count(*) FROM facts.goods_return") == 0


async def test_g12_of_two_requests_at_once_one_takes_the_pieces(desk: Desk) -> None:
    two = [{"line_id": "1", "quantity": 2}]
    orders = [Returning(desk=desk, order_id=f"O-{number}") for number in range(AT_ONCE)]
    (line,) = order_placed("O-1", desk.clock()).lines
    for order in orders:
        await order.delivered(lines=[replace(line, quantity=3)])
    for order in orders:
        answers = await asyncio.gather(order.tries_to_ask(lines=two), order.tries_to_ask(lines=two))
        won = [each for each in answers if each.status_code == 201]
        lost = [each for each in answers if each.status_code != 201]
        assert [len(done(each)["units"]) for each in won] == [2]
        assert [refusal(each) for each in lost] == ["quantity-exceeded"]
        assert lost[0].json()["free"] == 1


async def test_i17_a_return_is_decided_on_while_nobody_else_decides_on_its_order(
    desk: Desk, order: Returning
) -> None:
    """Else two would see the same piece free."""
    lock = partial(lock_orders, [order.order_id])
    assert await waits_for(lock, order.tries_to_ask(), desk.pool)


# --- The answer


async def test_a_seller_approves_and_the_buyer_may_send(desk: Desk, order: Returning) -> None:
    path = await order.asked()
    tests = (await order.seen_by(desk.buyer, path))["rule_trace"]
    assert {"ApproveReturn", "DeclineReturn"} <= allowed(await order.seen_by(desk.seller, path))
    told = await order.does(desk.seller, path, "approval")
    assert (told["status"], told["authorization"]["by"]) == ("AUTHORIZED", "SELLER")
    buyers = await order.seen_by(desk.buyer, path)
    assert "ShipBack" in allowed(buyers)
    assert buyers["rule_trace"] == tests, "each is told once"
    body = {"units": ["1/1"], "tracking_id": "T-1"}
    sent = await order.does(desk.buyer, path, "shipment", body)
    assert (sent["status"], sent["units"][0]["tracking_id"]) == ("IN_TRANSIT", "T-1")


async def test_a_decision_names_the_version_that_was_seen(desk: Desk, order: Returning) -> None:
    path = await order.asked()
    unseen = await send(desk.seller, f"{path}/approval", {})
    assert refusal(unseen) == "precondition-required"
    stale = await send(desk.seller, f"{path}/approval", {}, version='"1"')
    assert refusal(stale) == "stale-version"


async def test_a_refusal_is_read_by_the_buyer_who_contests_it(desk: Desk, order: Returning) -> None:
    path = await order.asked()
    note = {"code": "NOT_AS_CLAIMED", "note": "The colour is as shown."}
    told = await order.does(desk.seller, path, "refusal", note)
    assert told["status"] == "DECLINED"
    seen = await order.seen_by(desk.buyer, path)
    assert seen["refusal"]["note"] == note["note"]
    body = {"ground": "DECLINED", "units": ["1/1"], "text": "It is not."}
    contested = await order.does(desk.buyer, path, "contest", body)
    assert contested["end"]["resolution"] == "CONTESTED"


async def test_the_file_of_a_contested_return_is_for_who_decides_on_it_alone(
    desk: Desk, order: Returning, caller: Callable[..., Client]
) -> None:
    path = await order.asked(media=[await uploaded(desk.buyer)])
    of_staff = (desk.agent, caller("SENIOR", "senior-1"))
    readers = (desk.buyer, desk.seller, desk.auditor)

    async def filed(who: Client) -> int | str:
        """How many are in the file, or why it is not shown; as many as in the return."""
        told = await who.get(f"{path}/file")
        many = len((await order.seen_by(who, path))["media"])
        if told.is_error:
            assert many == 0
            return refusal(told)
        assert len(told.json()["items"]) == many
        return many

    assert [await filed(who) for who in (*readers, *of_staff)] == [1] * 5
    await order.does(desk.seller, path, "refusal", {"code": "OTHER", "note": "It is worn."})
    said = {"ground": "DECLINED", "units": ["1/1"], "text": "It is not."}
    await order.does(desk.buyer, path, "contest", said)
    assert [await filed(who) for who in of_staff] == ["role-not-allowed"] * 2
    now = desk.clock()
    ids = ids_of(order_placed("O-1", now))
    opened = DisputeOpened(
        **ids,
        dispute_id="D-O-1",
        return_id=path.rpartition("/")[2],
        reason="SELLER_REFUSED_RETURN",
        lines=[DisputedUnits(line_id="1", quantity=1, units="1/1")],
        proposal_id="p-1",
        outcome="RETURN_AND_REFUND",
        currency="EUR",
        ceiling_minor=2500,
        held_minor=2500,
        opened_at=now,
        answer_due=now,
        auto_escalate_at=now,
        buyer_may_escalate_at=now,
        seller_may_escalate_at=now,
    )
    assigned = AdjudicatorAssigned(
        **ids, dispute_id="D-O-1", adjudicator_id="agent-1", level="AGENT", decide_by=now + DAY
    )
    await desk.tell("dispute-D-O-1", opened, assigned)
    assert [await filed(who) for who in of_staff] == [1, "role-not-allowed"]
    assert [await filed(who) for who in readers] == [1, 1, 1]
    assert refusal(await order.tries_to_ask(lines=[{"line_id": "1", "quantity": 2}])) in {
        "quantity-exceeded",
        "limit-reached",
    }


async def test_an_offer_that_is_taken_is_paid_and_ends_the_return(
    desk: Desk, order: Returning
) -> None:
    path = await order.asked()
    offered = await order.does(desk.seller, path, "offers", {"amount": eur(700)})
    (offer,) = offered["offers"]
    answer = f"offers/{offer['offer_id']}/answer"
    told = await order.does(desk.buyer, path, answer, {"accept": True})
    assert told["units"][0]["left"] == "KEPT"
    (asked,) = await desk.requests()
    assert (asked.source, asked.total_minor) == ("OFFER", 700)
    await desk.pays()
    end = await order.seen_by(desk.buyer, path)
    assert (end["status"], end["end"]["resolution"]) == ("CLOSED", "KEPT")
    assert end["refunded"] == eur(700)


async def test_a_cancelled_return_gives_its_pieces_free(desk: Desk, order: Returning) -> None:
    two = [{"line_id": "1", "quantity": 2}]
    path = await order.asked(lines=two)
    assert refusal(await order.tries_to_ask()) == "quantity-exceeded"
    await order.does(desk.buyer, path, "cancellation")
    assert await order.types(path) == [
        "ReturnRequested",
        "ReturnReviewRequired",
        "ReturnCancelled",
        "ReturnClosed",
    ]
    assert done(await order.tries_to_ask(lines=two))["status"] == "REVIEW"


# --- Withdrawal


async def test_a_withdrawal_has_two_steps_and_an_acknowledgement_to_the_second(
    desk: Desk, order: Returning
) -> None:
    body = {"order_id": order.order_id, "lines": ONE}
    declared = done(await send(desk.buyer, WITHDRAWALS, body))
    assert (declared["status"], declared["units"]) == ("DRAFT", [])
    reason = await send(desk.buyer, WITHDRAWALS, body | {"reason": "CHANGE_OF_MIND"})
    assert refusal(reason) == "invalid-value"
    path = f"{WITHDRAWALS}/{declared['return_id']}/confirmation"
    words = "I withdraw from the contract about the shoes."
    confirmed = done(await send(desk.buyer, path, {"content": words}))
    assert (confirmed["status"], confirmed["lane"]) == ("AUTHORIZED", "STATUTORY")
    acknowledged = confirmed["withdrawal"]["acknowledgement"]
    assert acknowledged["content"] == words
    assert acknowledged["received_at"].startswith(desk.clock().strftime("%Y-%m-%dT%H:%M:%S"))
    assert "." not in acknowledged["received_at"]


# --- By a link, without an account


@pytest.fixture
def guest(caller: Callable[..., Client]) -> Client:
    """B-5, who has come by the link of order O-1."""
    return caller("BUYER", "B-5", withdrawal_of="O-1")


async def test_i21_a_link_is_good_for_the_two_steps_and_for_what_comes_of_them(
    desk: Desk, order: Returning, guest: Client
) -> None:
    told = await order.seen_by(guest, "/v1/orders/O-1/return-eligibility")
    assert [each["withdrawing"]["allowed"] for each in told["units"]] == [True, True]
    declared = done(await send(guest, WITHDRAWALS, {"order_id": "O-1", "lines": ONE}))
    actions = {each["action"] for each in declared["available_actions"]}
    assert (actions, allowed(declared)) == (BOTH_STEPS, {"ConfirmWithdrawal"})
    path = f"{WITHDRAWALS}/{declared['return_id']}/confirmation"
    confirmed = done(await send(guest, path, {"content": "I withdraw."}))
    assert confirmed["withdrawal"]["acknowledgement"]["content"] == "I withdraw."
    at = f"{RETURNS}/{declared['return_id']}"
    await order.does(desk.feed, at, "labels", LABEL)
    seen = await order.seen_by(guest, at)
    assert (seen["label"]["tracking_id"], allowed(seen)) == ("T-1", set())
    assert "ShipBack" in allowed(await order.seen_by(desk.buyer, at))


async def test_i21_a_link_leads_to_nothing_of_another_order(
    desk: Desk, order: Returning, caller: Callable[..., Client]
) -> None:
    """Of the same buyer, whose account is good for both."""
    declared = done(await send(desk.buyer, WITHDRAWALS, {"order_id": "O-1", "lines": ONE}))
    await Returning(desk=desk, order_id="O-2").delivered()
    other = caller("BUYER", "B-5", withdrawal_of="O-2")
    path = f"{WITHDRAWALS}/{declared['return_id']}/confirmation"
    answers = [
        await send(other, WITHDRAWALS, {"order_id": "O-1", "lines": ONE}),
        await send(other, path, {"content": "I withdraw."}),
        await other.get(f"{RETURNS}/{declared['return_id']}"),
        await other.get("/v1/orders/O-1/return-eligibility"),
    ]
    assert [refusal(each) for each in answers] == ["not-found"] * 4
    assert await order.types(f"{RETURNS}/{declared['return_id']}") == ["WithdrawalDeclared"]
    assert done(await send(other, WITHDRAWALS, {"order_id": "O-2", "lines": ONE}))


async def test_i21_a_link_of_an_order_is_good_for_nobody_but_its_buyer(
    order: Returning, caller: Callable[..., Client]
) -> None:
    for role, sub in (("BUYER", "B-6"), ("BUYER", "S-77")):
        other = caller(role, sub, withdrawal_of=order.order_id)
        answers = [
            await send(other, WITHDRAWALS, {"order_id": "O-1", "lines": ONE}),
            await other.get("/v1/orders/O-1/return-eligibility"),
        ]
        assert [refusal(each) for each in answers] == ["not-found"] * 2


async def test_i21_a_link_shows_a_withdrawal_and_no_other_return(
    order: Returning, guest: Client
) -> None:
    path = await order.asked()
    assert refusal(await guest.get(path)) == "not-found"
    assert refusal(await guest.get(f"{RETURNS}/RT-none")) == "not-found"
    assert refusal(await guest.get(f"{path}/events")) == "scope-not-allowed"


# --- The way of the goods


async def test_scans_come_twice_and_in_any_order(desk: Desk, order: Returning) -> None:
    path = await order.approved()
    await order.scanned(path, "DELIVERED_BACK", "1/1")
    version = (await desk.buyer.get(path)).headers["ETag"]
    await desk.after(DAY)
    late = {"kind": "HANDED_OVER", "units": ["1/1"], "scanned_at": desk.clock().isoformat()}
    answered = await send(desk.feed, f"{path}/scans", late)
    assert answered.status_code == 200
    assert (await desk.buyer.get(path)).headers["ETag"] == version


async def test_a_party_tells_no_scans(desk: Desk, order: Returning) -> None:
    path = await order.approved()
    body = {"kind": "HANDED_OVER", "units": ["1/1"], "scanned_at": desk.clock().isoformat()}
    assert refusal(await send(desk.buyer, f"{path}/scans", body)) == "role-not-allowed"
