"""What a decision about a return knows of its order: which pieces are whose, and what they hold."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace
from returns_service.domain.known import (
    ContestEnd,
    DeclinedRequest,
    Draft,
    Known,
    PieceFacts,
)
from returns_service.domain.policy import policies
from returns_service.facts import FactsOf, read_facts
from returns_service.reactions.beside import kept_beside
from returns_service.reactions.from_other_services import on_other_services
from returns_service.return_rows import Happened, ReturnRow, row_of, write_returns
from returns_service.testing import paid
from returns_service.testing.desk import Desk
from returns_service.testing.orders import ids_of, order_placed, remedy
from returns_service.testing.returns import (
    IDS,
    accepted,
    at,
    authorized,
    contested,
    fast,
    handed_over,
    labelled,
    received,
    rejected,
    requested,
    shipped,
    withdrawn,
    words,
)
from shared_events.dispute import (
    AdjudicatorAssigned,
    DisputeClosed,
    DisputeDecided,
    DisputedUnits,
    DisputeOpened,
)
from shared_events.envelope import Recorded
from shared_events.reputation import MeasureApplied, MeasureLifted
from shared_events.returns import (
    ClosedUnit,
    ExchangeDelivered,
    ExchangeShipped,
    GoodsWaived,
    OfferAccepted,
    PartialOfferMade,
    ReplacementReserved,
    ReturnCancelled,
    ReturnClosed,
    ReturnDeclined,
    ReturnEvent,
    ReturnPolicyActivated,
    UnitsLost,
    UnitsSentBack,
)
from shared_runtime.delivery import Apply
from shared_runtime.log import read_stream
from shared_runtime.testing import delivery_of, facts

DAY = timedelta(days=1)
UNTIL = at(17)


def row(*events: ReturnEvent) -> ReturnRow:
    """Of a return whose events came a day apart, from 3 March on."""
    return row_of([Happened(event, at(3 + day)) for day, event in enumerate(events)])


def held(*events: ReturnEvent, on: datetime = at(10)) -> list[str]:  # noqa: B008
    return [each.unit for each in row(*events).held if each.is_held(on)]


def declined(*units: str) -> ReturnDeclined:
    return ReturnDeclined(
        **IDS, by="SELLER", code="OTHER", units=[*units], contest_until=at(11), decision_seconds=1
    )


def closed(result: Any, *units: str, kind: Any = "RETURN") -> ReturnClosed:  # noqa: ANN401
    return ReturnClosed(
        **IDS,
        kind=kind,
        reason="DAMAGED",
        resolution=result,
        units=[ClosedUnit(unit=unit, result=result) for unit in units],
        currency="EUR",
        refunded_minor=0,
        seller_at_fault=True,
        timely=True,
        forced=False,
        closed_at=at(12),
    )


ASKED = (requested("1/1", "1/2"), authorized("1/1", "1/2"))
OFFER: dict[str, Any] = {"offer_id": "o-1", "currency": "EUR", "amount_minor": 400}
OFFERED = PartialOfferMade(**IDS, **OFFER, answer_due=at(6))
TAKEN = OfferAccepted(**IDS, **OFFER, units=["1/1", "1/2"])


# --- What a return has


@pytest.mark.parametrize(
    "end",
    [
        [declined("1/1", "1/2")],
        [ReturnCancelled(**IDS, units=["1/1", "1/2"])],
        [OFFERED, TAKEN],
        [rejected("1/1", "1/2"), contested("1/1", "1/2")],
    ],
    ids=["declined", "cancelled", "kept", "contested"],
)
def test_a_return_has_its_pieces_until_it_lets_them_go(end: Sequence[ReturnEvent]) -> None:
    assert held(*ASKED) == ["1/1", "1/2"]
    assert held(*ASKED, *end) == []


def test_it_never_lets_go_what_was_accepted() -> None:
    done = (*ASKED, accepted("1/1", "1/2"), closed("REFUNDED", "1/1", "1/2"))
    assert held(*done, on=at(28)) == ["1/1", "1/2"]


def test_nor_does_it_let_go_what_was_accepted_with_a_deduction_that_is_contested() -> None:
    """Else another dispute about it would have it sent again, and its money given as well."""
    deducted = accepted("1/1", "1/2", deduction_milli=250, contest_until=UNTIL)
    objected = replace(contested("1/1"), ground="DEDUCTION")
    assert held(*ASKED, deducted, objected, on=UNTIL + 30 * DAY) == ["1/1", "1/2"]


def test_rejected_goods_are_free_once_they_are_back_and_beyond_contest() -> None:
    rejects = (*ASKED, received("1/1", "1/2"), rejected("1/1", reason="USED"))
    assert held(*rejects, on=UNTIL + 30 * DAY) == ["1/1", "1/2"]
    back = UnitsSentBack(**IDS, units=["1/1"], tracking_id="T-8")
    assert held(*rejects, back, on=UNTIL - timedelta(seconds=1)) == ["1/1", "1/2"]
    assert held(*rejects, back, on=UNTIL) == ["1/2"]
    waived = GoodsWaived(**IDS, units=["1/1"])
    assert held(*rejects, waived, on=UNTIL) == ["1/2"]


def test_goods_that_were_contested_are_to_be_sent_back_until_they_are_gone() -> None:
    goods = received("1/1", "1/2")
    objected = (*ASKED, goods, rejected("1/1", reason="USED"), contested("1/1"))
    assert row(*ASKED, goods, rejected("1/1", reason="USED")).to_send_back == []
    assert row(*objected).to_send_back == ["1/1"]
    back = UnitsSentBack(**IDS, units=["1/1"], tracking_id="T-8")
    for end in (back, GoodsWaived(**IDS, units=["1/1"]), accepted("1/1", by_default=True)):
        assert row(*objected, end).to_send_back == []
    short = (*ASKED, goods, rejected("1/1", reason="SHORT"), contested("1/1"))
    assert row(*short).to_send_back == []


def test_of_a_piece_that_was_not_in_the_parcel_nothing_is_to_come_back() -> None:
    short = (*ASKED, received("1/1"), rejected("1/1", reason="SHORT"))
    assert held(*short, on=UNTIL) == ["1/2"]


@pytest.mark.parametrize(("covered", "left"), [(True, ["1/1", "1/2"]), (False, ["1/2"])])
def test_a_lost_piece_is_free_again_unless_the_platform_pays(
    *, covered: bool, left: list[str]
) -> None:
    until = None if covered else UNTIL
    lost = UnitsLost(**IDS, units=["1/1"], covered=covered, contest_until=until)
    assert held(*ASKED, shipped("1/1", "1/2"), lost, on=UNTIL) == left


def test_a_paid_claim_lets_its_piece_go_when_it_is_closed() -> None:
    claim = (
        requested("1/1", kind="CLAIM"),
        authorized("1/1", kind="CLAIM", goods_back=False, amount_minor=300),
    )
    assert held(*claim) == ["1/1"]
    after = row(*claim, closed("KEPT", "1/1", kind="CLAIM"))
    assert after.held == []
    assert [(each.unit, each.by) for each in after.kept] == [("1/1", "RT-1")]
    assert not after.is_open


def test_a_declared_withdrawal_is_a_draft_that_has_nothing_yet() -> None:
    declared, *rest = withdrawn("1/1")
    assert (row(declared).confirm_by, row(declared).held) == (at(5), [])
    assert row(declared, *rest).confirm_by is None
    assert held(declared, *rest) == ["1/1"]


def test_of_two_drafts_the_one_that_can_still_be_confirmed_is_known() -> None:
    """The timer that ends the first one may be late."""
    over = row(withdrawn("1/1")[0])
    open_one = replace(over, return_id="RT-2", confirm_by=at(6))
    of_order = FactsOf(returns=(over, open_one))
    told = of_order.known_of_return(at(5, 11), policies()).draft
    assert told == Draft(return_id="RT-2", confirm_by=at(6))


# --- How far a buyer is trusted


def test_an_advance_is_at_stake_until_its_goods_are_looked_at() -> None:
    out = (*fast("1/1", "1/2"), handed_over("1/1"))
    assert row(*fast("1/1", "1/2")).exposure_ref_minor == 0
    assert row(*out).exposure_ref_minor == 5399
    assert row(*out, received("1/1")).exposure_ref_minor == 5399
    assert row(*out, received("1/1"), accepted("1/1")).exposure_ref_minor == 0
    assert row(*ASKED, handed_over("1/1")).exposure_ref_minor == 0


@pytest.mark.parametrize(("reason", "told"), [("WRONG_ITEM", at(7)), ("USED", None)])
def test_something_else_in_the_parcel_after_an_advance_is_remembered(
    reason: str, told: datetime | None
) -> None:
    box = (*fast("1/1"), handed_over("1/1"), received("1/1"), rejected("1/1", reason=reason))
    assert row(*box).advance_rejected_at == told
    assert row(*ASKED, received("1/1"), rejected("1/1", reason=reason)).advance_rejected_at is None


# --- From the tables, in one round trip


def of(order_id: str, return_id: str, later: timedelta, *events: Any) -> list[Struct]:  # noqa: ANN401
    """The events of a return of that order, of B-5 at S-77, so much later than they say: no
    deadline in them is past.
    """
    ids = ids_of(order_placed(order_id, at(1))) | {"return_id": return_id}
    return [moved(replace(event, **ids), later) for event in events]


def moved(event: Any, later: timedelta) -> Struct:  # noqa: ANN401 - any event
    told = {name: getattr(event, name) for name in event.__struct_fields__}
    times = {name: each + later for name, each in told.items() if isinstance(each, datetime)}
    shifted: Struct = replace(event, **times)
    return shifted


async def recorded(desk: Desk, return_id: str, *events: Any, order_id: str = "O-1") -> None:  # noqa: ANN401
    """A return has come to this, as whoever records it makes it known."""
    stream, log = f"return-{return_id}", desk.parts.log
    after = len((await log.read([stream])).get(stream, ()))
    told = of(order_id, return_id, desk.clock() - at(12), *events)
    planned = facts(stream, *told, at=desk.clock(), after=after, cause=f"{return_id}/{after}")
    async with desk.pool.acquire() as db, db.transaction():
        own = log.within(db)
        await write_returns(planned, own)
        await own.append(planned)
    await desk.work()


async def known(desk: Desk, return_id: str = "", order_id: str = "O-1") -> Known:
    found = (await read_facts([order_id], desk.pool))[order_id]
    stream = f"return-{return_id}"
    history = (await desk.parts.log.read([stream])).get(stream, ())
    return found.known_of_return(desk.clock(), desk.policies, return_id=return_id, history=history)


async def pieces(desk: Desk, order_id: str = "O-1") -> list[PieceFacts]:
    return [*(await known(desk, order_id=order_id)).pieces]


def opened(order_id: str = "O-1", **told: Any) -> DisputeOpened:  # noqa: ANN401 - any field
    said: dict[str, Any] = {
        "dispute_id": f"D-{order_id}",
        "reason": "DAMAGED",
        "lines": [DisputedUnits(line_id="1", quantity=1, units="1/1")],
        "proposal_id": "p-1",
        "outcome": "REFUND_FULL",
        "currency": "EUR",
        "ceiling_minor": 2500,
        "held_minor": 2500,
        "opened_at": at(5),
        "answer_due": at(10),
        "auto_escalate_at": at(12),
        "buyer_may_escalate_at": at(7),
        "seller_may_escalate_at": at(7),
    }
    return DisputeOpened(**ids_of(order_placed(order_id, at(1))), **(said | told))


def ended(order_id: str = "O-1", **told: Any) -> DisputeClosed:  # noqa: ANN401 - any field
    said: dict[str, Any] = {
        "dispute_id": f"D-{order_id}",
        "how": "DECIDED",
        "reason": "DAMAGED",
        "lines": [DisputedUnits(line_id="1", quantity=1, units="1/1")],
        "result": "NO_REMEDY",
        "currency": "EUR",
        "refunded_minor": 0,
        "liable": "NONE",
        "resolved_by_seller": False,
        "buyer_abuse": False,
        "seller_fault_pct": 0,
        "stage_reached": "REVIEW",
        "opened_at": at(5),
        "closed_at": at(20),
        "held_released_minor": 0,
    }
    return DisputeClosed(**ids_of(order_placed(order_id, at(1))), **(said | told))


def assigned(adjudicator_id: str) -> AdjudicatorAssigned:
    return AdjudicatorAssigned(
        **ids_of(order_placed("O-1", at(1))),
        dispute_id="D-O-1",
        adjudicator_id=adjudicator_id,
        level="AGENT",
        decide_by=at(20),
    )


def decided() -> DisputeDecided:
    return DisputeDecided(
        **ids_of(order_placed("O-1", at(1))),
        dispute_id="D-O-1",
        outcome="REJECTED",
        currency="EUR",
        lines=[],
        liable="NONE",
        seller_fault_pct=0,
        buyer_abuse=False,
        rule_ids=["D-7"],
        evidence_ids=[],
        decided_by="agent-2",
        facts_for_buyer=words("facts"),
        facts_for_seller=words("facts"),
        appeal_until=at(27),
    )


async def test_pieces_of_a_paid_order_are_free_with_what_was_paid_for_each(desk: Desk) -> None:
    await desk.paid()
    assert await pieces(desk) == [
        PieceFacts(unit="1/1", paid_minor=2500),
        PieceFacts(unit="1/2", paid_minor=2500),
    ]
    found = await known(desk)
    assert found.ledger
    assert found.ledger.order_minor == 5499
    assert found.ledger.units == {"1/1": 2500, "1/2": 2500}


async def test_a_return_has_its_pieces_from_the_moment_on_that_it_is_recorded(desk: Desk) -> None:
    await desk.paid()
    await recorded(desk, "RT-1", requested("1/1"), *fast("1/1")[1:])
    first, second = await pieces(desk)
    assert (first.in_return, second.in_return) == ("RT-1", None)
    assert (await known(desk)).fast_returns == 1
    assert (await known(desk, "RT-1")).fast_returns == 0


async def test_the_first_refusal_of_a_piece_and_a_second_request_are_known(desk: Desk) -> None:
    await desk.paid()
    await recorded(desk, "RT-1", requested("1/1"), declined("1/1"))
    (first, _) = await pieces(desk)
    assert first.declined == DeclinedRequest("RETURN", "NOT_AS_DESCRIBED")
    assert not first.asked_again
    await desk.after(DAY)
    await recorded(desk, "RT-2", requested("1/1", reason="DAMAGED"))
    (again, _) = await pieces(desk)
    assert again.declined == first.declined
    assert again.asked_again


async def test_a_dispute_has_a_piece_until_its_remedy_is_ordered(desk: Desk) -> None:
    await desk.paid()
    await desk.tell("dispute-D-O-1", opened())
    assert [each.in_dispute for each in await pieces(desk)] == ["D-O-1", None]
    await desk.ordered(outcome="REFUND_PARTIAL", amount_minor=300)
    (first, _) = await pieces(desk)
    assert (first.in_dispute, first.kept_by) == (None, "D-O-1")


async def test_a_contest_has_a_piece_before_its_dispute_is_known(desk: Desk) -> None:
    await desk.paid()
    goods = (received("1/1"), rejected("1/1"), contested("1/1"))
    await recorded(desk, "RT-1", requested("1/1"), authorized("1/1"), *goods)
    assert [each.in_contest for each in await pieces(desk)] == ["RT-1", None]
    await desk.tell("dispute-D-O-1", opened(return_id="RT-1"))
    (first, _) = await pieces(desk)
    assert (first.in_contest, first.in_dispute) == (None, "D-O-1")
    assert (await known(desk, "RT-1")).contests == {}
    await desk.tell("dispute-D-O-1", ended())
    assert (await known(desk, "RT-1")).contests == {
        "1/1": ContestEnd(closed_at=at(20), remedied=False)
    }


async def test_who_decides_on_a_contest_is_known_as_long_as_he_does(desk: Desk) -> None:
    await desk.paid()
    goods = (received("1/1"), rejected("1/1"), contested("1/1"))
    await recorded(desk, "RT-1", requested("1/1"), authorized("1/1"), *goods)

    async def deciding(*told: Struct) -> frozenset[str]:
        await desk.tell("dispute-D-O-1", *told)
        return (await read_facts(["O-1"], desk.pool))["O-1"].adjudicators_of("RT-1")

    assert await deciding(opened(return_id="RT-1")) == frozenset()
    assert await deciding(assigned("agent-1")) == {"agent-1"}
    assert await deciding(assigned("agent-2")) == {"agent-2"}
    assert await deciding(decided()) == frozenset()
    assert await deciding(assigned("senior-1")) == {"senior-1"}
    of_order = (await read_facts(["O-1"], desk.pool))["O-1"]
    assert of_order.adjudicators_of("RT-2") == frozenset()
    assert await deciding(ended(closed_at=desk.clock())) == frozenset()


async def test_what_was_contested_in_vain_is_no_other_return_s_until_its_goods_are_back(
    desk: Desk,
) -> None:
    await desk.paid()
    goods = (received("1/1"), rejected("1/1"), contested("1/1"))
    await recorded(desk, "RT-1", requested("1/1"), authorized("1/1"), *goods)
    over = ended(closed_at=desk.clock())
    await desk.tell("dispute-D-O-1", opened(return_id="RT-1"), over)
    assert [each.in_return for each in await pieces(desk)] == ["RT-1", None]
    back = UnitsSentBack(**IDS, units=["1/1"], tracking_id="T-8")
    await recorded(desk, "RT-1", back)
    assert [each.in_return for each in await pieces(desk)] == [None, None]


async def test_what_a_dispute_gave_a_remedy_for_has_nothing_to_go_back(desk: Desk) -> None:
    await desk.paid()
    goods = (received("1/1"), rejected("1/1"), contested("1/1"))
    await recorded(desk, "RT-1", requested("1/1"), authorized("1/1"), *goods)
    await desk.tell("dispute-D-O-1", opened(return_id="RT-1"))
    await desk.ordered(outcome="REFUND_PARTIAL", amount_minor=300)
    assert [each.in_return for each in await pieces(desk)] == [None, None]


async def test_a_replacement_is_in_the_place_of_its_original(desk: Desk) -> None:
    await desk.paid()
    swap = (
        requested("1/1", kind="EXCHANGE", wants="EXCHANGE"),
        authorized("1/1", kind="EXCHANGE"),
        accepted("1/1"),
        ReplacementReserved(
            **IDS,
            units=["1/1"],
            new_units=["1/1.r1"],
            sku="sku-2",
            currency="EUR",
            difference_minor=0,
            ship_by=at(20),
            cross_shipped=False,
        ),
        ExchangeShipped(
            **IDS,
            units=["1/1"],
            new_units=["1/1.r1"],
            tracking_id="T-9",
            currency="EUR",
            difference_minor=0,
            shipped_at=at(12),
        ),
    )
    await recorded(desk, "RT-1", *swap)
    (first, second) = await pieces(desk)
    assert (first.unit, first.paid_minor, first.delivered_at) == ("1/1.r1", 2500, None)
    assert (first.in_return, second.unit) == (None, "1/2")
    await recorded(
        desk, "RT-1", ExchangeDelivered(**IDS, new_units=["1/1.r1"], delivered_at=at(14))
    )
    (first, _) = await pieces(desk)
    assert first.delivered_at == desk.clock() + 2 * DAY


async def test_what_the_ledger_has_told_of_a_return_is_known(desk: Desk) -> None:
    await desk.paid()
    back = (requested("1/1"), authorized("1/1"), received("1/1"), accepted("1/1"))
    await recorded(desk, "RT-1", *back)
    (asked,) = await desk.requests()
    assert (asked.source, asked.source_id, asked.total_minor) == ("RETURN", "RT-1", 2500)
    assert (await known(desk, "RT-1")).refunds.answered == frozenset()
    await desk.says("O-1", paid(asked.refund_id))
    refunds = (await known(desk, "RT-1")).refunds
    assert (refunds.answered, refunds.total_minor) == (frozenset({"1/1"}), 2500)
    assert (await known(desk, "RT-2")).refunds.answered == frozenset()


async def test_measures_and_advances_of_a_buyer_count_on_all_his_orders(desk: Desk) -> None:
    await desk.paid()
    await desk.paid("O-2")
    await recorded(desk, "RT-1", *fast("1/1"), handed_over("1/1"))
    measure: dict[str, Any] = {
        "account_kind": "BUYER",
        "buyer_id": "B-5",
        "policy_version": "ae-2025-1",
        "measure_id": "m-1",
        "measure": "NO_FAST_LANE",
    }
    starts = desk.clock()
    applied = MeasureApplied(**measure, cause_id="c-1", starts_at=starts)
    await desk.tell("buyer-B-5", applied)
    buyer = (await known(desk, order_id="O-2")).buyer
    assert buyer.measures == frozenset({"NO_FAST_LANE"})
    assert buyer.exposure_ref_minor == 5399
    await desk.after(DAY)
    await desk.tell("buyer-B-5", MeasureLifted(**measure, reason="BY_HAND"))
    assert (await known(desk, order_id="O-2")).buyer.measures == frozenset()


async def test_the_file_of_a_return_is_the_digest_of_all_its_pictures(desk: Desk) -> None:
    await desk.paid()
    digests = ["a" * 64, "b" * 64]
    photo = replace(received("1/1"), photos=None, photos_sha256=[digests[1]])
    start = requested("1/1", media=None, media_sha256=[digests[0]])
    await recorded(desk, "RT-1", start, authorized("1/1"), labelled(), photo)
    events = (await desk.parts.log.read(["return-RT-1"]))["return-RT-1"]
    lines = f"{events[0].event_id} {digests[0]}\n{events[3].event_id} {digests[1]}\n"
    assert (await known(desk, "RT-1")).file_sha256 == sha256(lines.encode()).hexdigest()


# --- Databases that are restored


async def kept(desk: Desk, table: str) -> list[str]:
    rows = await desk.pool.fetch(f"SELECT to_jsonb(kept)::text AS told FROM facts.{table} AS kept")  # noqa: S608
    return sorted(row["told"] for row in rows)


async def lost(desk: Desk, table: str) -> list[str]:
    """The rows that it had, which have not come back with the events."""
    rows = await kept(desk, table)
    await desk.pool.execute(f"DELETE FROM facts.{table}")  # noqa: S608
    return rows


async def apply(desk: Desk, does: Apply, told: Iterable[Recorded[Any]]) -> None:
    async with desk.pool.acquire() as db, db.transaction():
        await does([delivery_of(each) for each in told], db)


async def test_what_returns_have_comes_back_with_their_events(desk: Desk) -> None:
    await desk.paid()
    await recorded(desk, "RT-1", requested("1/1"), *fast("1/1")[1:])
    await recorded(desk, "RT-2", requested("1/2"))
    rows = await lost(desk, "goods_return")
    for return_id in ("RT-1", "RT-2"):
        history = await read_stream(desk.parts.log, f"return-{return_id}")
        await apply(desk, kept_beside(desk.parts.log), history)
    assert len(rows) == 2
    assert await kept(desk, "goods_return") == rows


async def test_a_policy_that_was_activated_comes_back_with_its_event(desk: Desk) -> None:
    activated = ReturnPolicyActivated(policy_version="shop-1", since=at(20), entries="{}")
    told = await desk.told("returnpolicy-shop", activated)
    for _ in range(2):
        await apply(desk, kept_beside(desk.parts.log), told)
        (row,) = await lost(desk, "policy_start")
        assert json.loads(row)["policy_version"] == "shop-1"


async def test_what_was_asked_of_a_ledger_is_known_again_and_not_asked_again(desk: Desk) -> None:
    """The ledger has answered: its events have come back, and what asks is read once more."""
    await desk.paid()
    told = await desk.told("dispute-D-1", remedy("O-1", desk.clock()))
    await desk.work()
    ledger, rows = await desk.kinds(), await lost(desk, "asked_refund")
    elsewhere = on_other_services(desk.parts.log, desk.policies)
    for _ in range(2):
        await apply(desk, elsewhere.apply, told)
        await desk.work()
    assert (len(rows), ledger[-1]) == (1, "RefundRequested")
    assert (await kept(desk, "asked_refund"), await desk.kinds()) == (rows, ledger)
