"""Two who act at once, the same twice, and the last instant: the first in the stream wins."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from dispute_service.domain.streams import contest_id_of, dispute_stream, remedy_id_of
from dispute_service.reactions.from_other_services import on_other_services
from dispute_service.testing import returned
from dispute_service.testing.desk import (
    DAY,
    DECISION,
    OPENING,
    TICK,
    Case,
    Desk,
    eur,
    partial,
)
from shared_casework.order_locks import lock_orders, share_orders
from shared_runtime.log import Database, PostgresLog, read_stream
from shared_runtime.service import Parts
from shared_runtime.testing import delivery_of, take_all_at_once, waits_for
from shared_runtime.testing_http import Json, done, refusal, send

type Tell = Callable[..., Awaitable[None]]
type Answer = Awaitable[httpx.Response]

AT_ONCE = ("the first", "the second", "both at once")
"""Who is first: each of them, in turn; and whoever comes first."""
MANY = 20


async def in_order(order: str, one: Answer, other: Answer) -> tuple[httpx.Response, httpx.Response]:
    """Both answers, whichever was asked for first."""
    match order:
        case "the first":
            return await one, await other
        case "the second":
            later = await other
            return await one, later
        case _:
            both = await asyncio.gather(one, other)
            return both[0], both[1]


def opening(desk: Desk, **changes: object) -> Json:
    return {"order_id": desk.order_id} | OPENING | changes


# --- Two who act at once


@pytest.mark.parametrize("order", AT_ONCE)
async def test_of_an_acceptance_and_another_proposal_the_first_wins(desk: Desk, order: str) -> None:
    case = await desk.opened()
    proposal = await case.proposal_of("BUYER", desk.seller)
    accepted, countered = await in_order(
        order,
        case.tried(desk.seller, f"proposals/{proposal}/acceptance"),
        case.tried(desk.buyer, "proposals", partial(900)),
    )
    if accepted.status_code == 201:
        assert refusal(countered) == "wrong-state"
        assert order != "the second"
    else:
        done(countered)
        assert refusal(accepted) == "stale-proposal"
        current = await case.proposal_of("BUYER", desk.seller)
        assert accepted.json()["current_proposal_id"] == current
        assert order != "the first"


@pytest.mark.usefixtures("judges")
@pytest.mark.parametrize("order", AT_ONCE)
async def test_of_a_withdrawal_and_a_decision_the_first_wins(desk: Desk, order: str) -> None:
    case = await desk.in_review()
    read = await desk.agent.get(case.path)
    evidence = read.json()["evidence"][0]["evidence_id"]
    decision = DECISION | {"evidence_ids": [evidence]}
    withdrawn, decided = await in_order(
        order,
        case.tried(desk.buyer, "withdrawal"),
        case.tried(desk.agent, "decision", decision, version=read.headers["ETag"]),
    )
    if withdrawn.status_code == 201:
        assert refusal(decided) == "stale-version"
        assert order != "the second"
    else:
        done(decided)
        assert refusal(withdrawn) == "wrong-state"
        assert order != "the first"


@pytest.mark.parametrize("order", AT_ONCE)
async def test_of_an_escalation_and_a_settlement_both_happen_or_the_settlement_alone(
    desk: Desk, order: str
) -> None:
    case = await desk.opened()
    await case.do(desk.seller, "proposals", partial(600))
    await desk.after(3 * DAY)
    proposal = await case.proposal_of("SELLER", desk.buyer)
    escalated, settled = await in_order(
        order,
        case.tried(desk.buyer, "escalation"),
        case.tried(desk.buyer, f"proposals/{proposal}/acceptance"),
    )
    done(settled)
    happened = await case.types(desk.auditor)
    if escalated.status_code == 201:
        assert happened.index("DisputeEscalated") < happened.index("DisputeSettled")
        assert order != "the second"
    else:
        assert refusal(escalated) == "wrong-state"
        assert order != "the first"
    assert (await case.seen_by(desk.buyer))["stage"] == "EXECUTING"


@pytest.mark.usefixtures("judges")
async def test_of_one_adjudicators_two_windows_the_first_decision_stands(desk: Desk) -> None:
    case = await desk.in_review()
    read = await desk.agent.get(case.path)
    evidence = read.json()["evidence"][0]["evidence_id"]
    told = await asyncio.gather(
        *(
            case.tried(
                desk.agent,
                "decision",
                DECISION | {"amount": eur(amount), "evidence_ids": [evidence]},
                version=read.headers["ETag"],
            )
            for amount in (1000, 2000)
        )
    )
    assert sorted(each.status_code for each in told) == [201, 412]
    (decision,) = (await case.seen_by(desk.senior))["decisions"]
    (won,) = [each.json()["decisions"] for each in told if each.status_code == 201]
    assert won == [decision]


async def test_an_adjudicator_says_which_version_he_has_seen(desk: Desk) -> None:
    await desk.on_duty("agent-1")
    case = await desk.in_review()
    told = await case.tried(desk.agent, "decision", DECISION)
    assert refusal(told) == "precondition-required"


@pytest.mark.parametrize(("buyers", "settled"), [(700, True), (701, False)])
async def test_two_offers_at_once_meet_once_or_not_at_all(
    desk: Desk, buyers: int, settled: bool
) -> None:
    case = await desk.opened()
    told = await asyncio.gather(
        case.tried(desk.buyer, "blind-offers", {"amount": eur(buyers)}),
        case.tried(desk.seller, "blind-offers", {"amount": eur(700)}),
    )
    assert [each.status_code for each in told] == [201, 201]
    happened = await case.types(desk.auditor)
    assert happened.count("BlindOfferMade") == 2
    assert happened.count("DisputeSettled") == settled
    if settled:
        assert (await case.seen_by(desk.buyer))["remedy"]["amount"] == eur(700)


# --- Openings: a piece is in one open dispute


async def test_i17_of_many_openings_of_one_piece_at_once_one_is_done(desk: Desk) -> None:
    lines = [{"line_id": "1", "quantity": 1, "units": ["1/1"]}]
    told = await asyncio.gather(
        *(send(desk.buyer, "/v1/disputes", opening(desk, lines=lines)) for _ in range(MANY))
    )
    assert [each.status_code for each in told].count(201) == 1
    refused = {(refusal(each), each.json()["free"]) for each in told if each.is_error}
    assert refused == {("quantity-exceeded", 0)}


async def test_i17_by_their_number_each_opening_gets_a_piece_of_its_own(desk: Desk) -> None:
    told = await asyncio.gather(
        *(send(desk.buyer, "/v1/disputes", opening(desk)) for _ in range(MANY))
    )
    won = [each.json()["lines"][0]["units"] for each in told if each.status_code == 201]
    assert sorted(won) == [["1/1"], ["1/2"]]
    assert {refusal(each) for each in told if each.is_error} == {"quantity-exceeded"}


async def test_i17_a_piece_is_free_again_when_its_dispute_is_withdrawn(desk: Desk) -> None:
    both = {"lines": [{"line_id": "1", "quantity": 2}], "outcome": "REFUND_FULL", "amount": None}
    case = await desk.opened(**both)
    told = await send(desk.buyer, "/v1/disputes", opening(desk, **both))
    assert (refusal(told), told.json()["free"]) == ("quantity-exceeded", 0)
    await case.do(desk.buyer, "withdrawal")
    again = await desk.opened(**both)
    proposal = await again.proposal_of("BUYER", desk.seller)
    await again.do(desk.seller, f"proposals/{proposal}/acceptance")
    told = await send(desk.buyer, "/v1/disputes", opening(desk))
    assert (refusal(told), told.json()["existing_id"]) == ("already-submitted", again.dispute_id)


ASKING = {"topic": "PRODUCT", "text": "Is it leather?"}


async def test_i17_of_many_questions_at_once_as_many_are_open_as_may_be(desk: Desk) -> None:
    told = await asyncio.gather(
        *(
            send(desk.buyer, "/v1/inquiries", {"order_id": desk.order_id} | ASKING)
            for _ in range(MANY)
        )
    )
    assert [each.status_code for each in told].count(201) == 3
    assert {refusal(each) for each in told if each.is_error} == {"limit-reached"}


async def waits(doing: Awaitable[None], pool: asyncpg.Pool, order_id: str) -> bool:
    """Whether something is done only after whoever has the order has let it go."""
    return await waits_for(lambda db: lock_orders([order_id], db), doing, pool)


async def test_i17_what_returns_tell_of_an_order_waits_for_whoever_opens_something_on_it(
    desk: Desk, tell: Tell
) -> None:
    telling = tell("return-R-1", returned.requested(desk.clock()))
    assert await waits(telling, desk.pool, desk.order_id)
    lines = [{"line_id": "1", "quantity": 1, "units": ["1/1"]}]
    told = await send(desk.buyer, "/v1/disputes", opening(desk, lines=lines))
    assert refusal(told) == "quantity-exceeded"


async def test_i17_a_contest_waits_for_whoever_opens_something_on_its_order(
    desk: Desk, tell: Tell, others: PostgresLog
) -> None:
    before = await desk.opened()
    await tell("return-R-1", returned.requested(desk.clock()))
    await tell("return-R-1", returned.contested(desk.clock()))
    await before.do(desk.buyer, "withdrawal")
    assert await waits(desk.work(), desk.pool, desk.order_id)
    contested = (await read_stream(others, "return-R-1"))[-1].event_id
    case = Case(f"/v1/disputes/{contest_id_of(contested)}")
    assert (await case.seen_by(desk.seller))["ground"] == "DECLINED"


@pytest.mark.parametrize("second", [lock_orders, share_orders])
async def test_locks_of_orders_are_taken_in_one_order(
    pool: asyncpg.Pool, second: Callable[[Iterable[str], Database], Awaitable[None]]
) -> None:
    await take_all_at_once(lock_orders, [f"O-{n}" for n in range(16)], pool, other=second)


# --- The same again


async def test_the_same_request_at_once_and_again_is_done_once(desk: Desk) -> None:
    told = await asyncio.gather(
        *(send(desk.buyer, "/v1/disputes", opening(desk), key="once") for _ in range(5))
    )
    assert {each.status_code for each in told} == {201}
    assert len({each.json()["dispute_id"] for each in told}) == 1
    case = Case(f"/v1/disputes/{told[0].json()['dispute_id']}")
    assert await case.types(desk.auditor) == ["DisputeOpened"]
    other = await send(desk.buyer, "/v1/disputes", opening(desk, text="Another."), key="once")
    assert refusal(other) == "idempotency-mismatch"


async def test_a_deadline_that_fires_twice_does_nothing_more(desk: Desk) -> None:
    case = await desk.opened()
    await desk.after(5 * DAY)
    happened = await case.types(desk.auditor)
    stream = dispute_stream(case.dispute_id)
    (first, *_) = (await desk.auditor.get(f"{case.path}/events")).json()["items"]
    for name in ("DISPUTE_ANSWER", "DISPUTE_ESCALATE", "EVIDENCE_DUE", "ASSIGN/1", "CONTEST/1"):
        await desk.pool.execute(
            "INSERT INTO es.timer (stream_id, name, due_at, armed_by) VALUES ($1, $2, $3, $4)",
            *(stream, name, desk.clock(), first["id"]),
        )
    await desk.work()
    assert await case.types(desk.auditor) == happened
    assert await desk.pool.fetchval("SELECT count(*) FROM es.timer WHERE name <> $1", "none") == 1


async def test_what_returns_tell_twice_changes_nothing_more(
    desk: Desk, tell: Tell, others: PostgresLog, parts: Parts[Any]
) -> None:
    case = await desk.opened()
    proposal = await case.proposal_of("BUYER", desk.seller)
    await case.do(desk.seller, f"proposals/{proposal}/acceptance")
    await desk.work()
    remedy_id = remedy_id_of(case.dispute_id)
    ledger = f"refunds-{desk.order_id}"
    await tell(
        ledger,
        returned.refund_requested(desk.clock(), remedy_id, "f-1", 1000),
        returned.refund_issued(desk.clock(), remedy_id, "f-1", 1000),
    )
    await tell("return-R-1", returned.requested(desk.clock()))
    await tell("return-R-1", returned.contested(desk.clock()))
    known = [*await facts_in(desk.pool), await case.types(desk.auditor)]
    told = await others.read([ledger, "return-R-1"])
    again = on_other_services(parts.log, parts.settings.policies)
    for stream in (ledger, "return-R-1"):
        deliveries = [delivery_of(recorded) for recorded in told[stream]]
        async with desk.pool.acquire() as db, db.transaction():
            await again.apply(deliveries, db)
        await desk.work()
    assert [*await facts_in(desk.pool), await case.types(desk.auditor)] == known


async def facts_in(pool: asyncpg.Pool) -> list[list[asyncpg.Record]]:
    tables = ("dispute", "goods_return", "money", "remedy", "waiting_contest")
    return [await pool.fetch(f"SELECT * FROM facts.{each} ORDER BY 1") for each in tables]  # noqa: S608


# --- The last instant


@pytest.mark.parametrize(("early", "rule"), [(TICK, None), (timedelta(0), "window-closed")])
async def test_until_the_last_instant_a_silent_seller_may_act_though_the_timer_is_late(
    desk: Desk, early: timedelta, rule: str | None
) -> None:
    case = await desk.opened()
    desk.clock.advance(5 * DAY - early)
    told = await case.tried(desk.seller, "proposals", partial(500))
    assert (refusal(told) if told.is_error else None) == rule
    await desk.work()
    stage = "EXECUTING" if rule else "NEGOTIATING"
    assert (await case.seen_by(desk.buyer))["stage"] == stage


@pytest.mark.parametrize(("early", "in_time"), [(TICK, True), (timedelta(0), False)])
async def test_evidence_of_the_last_instant_counts_and_what_is_later_is_late(
    desk: Desk, early: timedelta, in_time: bool
) -> None:
    case = await desk.in_evidence()
    lodged = await case.shows(desk.seller)
    desk.clock.advance(5 * DAY - early)
    told = await case.tried(desk.seller, "evidence/sharing", {"evidence_ids": [lodged]})
    assert (refusal(told) if told.is_error else None) == (None if in_time else "window-closed")
    at_last = await case.shows(desk.buyer)
    told = await case.tried(desk.buyer, "evidence/extension")
    assert (refusal(told) if told.is_error else None) == (None if in_time else "window-closed")
    await desk.after(3 * DAY + early if in_time else early)
    shown = [each["evidence_id"] for each in (await case.seen_by(desk.seller))["evidence"]]
    assert (at_last in shown) is in_time
    assert lodged in shown


@pytest.mark.usefixtures("judges")
@pytest.mark.parametrize(("early", "rule"), [(TICK, None), (timedelta(0), "window-closed")])
async def test_until_the_last_instant_a_decision_may_be_appealed_though_the_timer_is_late(
    desk: Desk, early: timedelta, rule: str | None
) -> None:
    case = await desk.decided()
    desk.clock.advance(7 * DAY - early)
    appeal = {"ground": "PROCEDURE", "text": "I was not asked."}
    told = await case.tried(desk.seller, "appeals", appeal)
    assert (refusal(told) if told.is_error else None) == rule
    await desk.after(TICK)
    stage = "EXECUTING" if rule else "APPEAL"
    assert (await case.seen_by(desk.buyer))["stage"] == stage
    if rule:
        told = await case.tried(desk.seller, "appeals", appeal)
        assert refusal(told) == "wrong-state"


# --- Money


@pytest.mark.parametrize(("amount", "rule"), [(2499, None), (2500, "amount-exceeds-ceiling")])
async def test_a_part_is_less_than_all_there_is(desk: Desk, amount: int, rule: str | None) -> None:
    told = await send(desk.buyer, "/v1/disputes", opening(desk, amount=eur(amount)))
    assert (refusal(told) if told.is_error else None) == rule
    if rule:
        assert (told.json()["ceiling_minor"], told.json()["currency"]) == (2500, "EUR")


async def test_the_last_piece_brings_the_shipping_along(desk: Desk) -> None:
    lines = [{"line_id": "1", "quantity": 2}]
    told = await send(desk.buyer, "/v1/disputes", opening(desk, lines=lines, amount=eur(5499)))
    assert told.json()["ceiling_minor"] == 5499
    done(await send(desk.buyer, "/v1/disputes", opening(desk, lines=lines, amount=eur(5498))))


@pytest.mark.usefixtures("judges")
async def test_money_of_another_currency_is_refused_by_its_name(desk: Desk) -> None:
    dollars = {"amount": 100, "currency": "USD"}
    told = await send(desk.buyer, "/v1/disputes", opening(desk, amount=dollars))
    assert named_in(told) == {"amount.currency"}
    case = await desk.in_review()
    told = await case.tried(desk.seller, "proposals", partial(100) | {"amount": dollars})
    assert named_in(told) == {"amount.currency"}
    read = await desk.agent.get(case.path)
    decision = DECISION | {
        "amount": dollars,
        "evidence_ids": [read.json()["evidence"][0]["evidence_id"]],
    }
    told = await case.tried(desk.agent, "decision", decision, version=read.headers["ETag"])
    assert named_in(told) == {"amount.currency"}


async def test_an_offer_of_another_currency_is_refused_by_its_name(desk: Desk) -> None:
    case = await desk.opened()
    dollars = {"amount": {"amount": 100, "currency": "USD"}}
    assert named_in(await case.tried(desk.buyer, "blind-offers", dollars)) == {"amount.currency"}
    rule, _ = await case.rule(desk.buyer, "blind-offers", {"amount": eur(2501)})
    assert rule == "amount-exceeds-ceiling"
    await case.do(desk.buyer, "blind-offers", {"amount": eur(2500)})


def named_in(told: httpx.Response) -> set[str]:
    assert refusal(told) == "invalid-value"
    return {each["field"] for each in told.json()["errors"]}


async def test_yen_have_no_smaller_part(
    desk: Desk, delivered: Callable[..., Awaitable[str]]
) -> None:
    def yen(amount: int) -> Json:
        return {"amount": amount, "currency": "JPY"}

    there = desk.of_order(await delivered("O-2", currency="JPY"))
    case = await there.opened(amount=yen(2499))
    await case.do(desk.seller, "blind-offers", {"amount": yen(1001)})
    met = await case.do(desk.buyer, "blind-offers", {"amount": yen(1000)})
    assert met["remedy"]["amount"] == yen(1000)


# --- What comes before its cause


async def test_before_its_ledger_is_told_an_order_has_what_was_paid_for_it(
    desk: Desk, tell: Tell, delivered: Callable[..., Awaitable[str]]
) -> None:
    there = desk.of_order(await delivered("O-2", ledger=False))
    told = await send(desk.buyer, "/v1/disputes", opening(there, amount=eur(2500)))
    assert (refusal(told), told.json()["ceiling_minor"]) == ("amount-exceeds-ceiling", 2500)
    case = await there.opened()
    await tell("refunds-O-2", returned.ledger("O-2"))
    told = await case.tried(desk.seller, "proposals", partial(2500))
    assert (refusal(told), told.json()["ceiling_minor"]) == ("amount-exceeds-ceiling", 2500)


async def test_a_ledger_that_is_told_before_its_order_leads_to_the_same(
    desk: Desk,
    tell: Tell,
    delivered: Callable[..., Awaitable[str]],
    rebuilt: Callable[[], Awaitable[bool]],
) -> None:
    await tell("refunds-O-2", returned.ledger("O-2"))
    there = desk.of_order(await delivered("O-2", ledger=False))
    case = await there.opened()
    shown = await case.seen_by(desk.buyer)
    assert (shown["held"], shown["lines"][0]["units"]) == (eur(1000), ["1/1"])
    assert await rebuilt()
