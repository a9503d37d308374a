"""What other services tell and what is decided here, from event to event: on real tables."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from msgspec import Struct
from reputation_service.domain.account_rules import ACCOUNTS
from reputation_service.domain.account_state import Account
from reputation_service.domain.case_appeals import AppealViolation, DecideViolationAppeal
from reputation_service.domain.case_rules import CASES
from reputation_service.domain.confirming import ConfirmViolation
from reputation_service.domain.erasing import RequestErasure
from reputation_service.domain.known import Known
from reputation_service.domain.points_policy import policies
from reputation_service.domain.streams import account_stream, case_stream
from reputation_service.facts import read_facts
from reputation_service.matters import lock_people, write_matters
from reputation_service.testing import told, words
from shared_runtime.decider import Actor
from shared_runtime.log import AlsoWrite, Ask, PostgresLog, database_of, handle, read_stream
from shared_runtime.rule import By, Sent
from shared_runtime.sealing import person
from shared_runtime.service import Parts, Service
from shared_runtime.sources import OwnLog
from shared_runtime.subscription import Runner
from shared_runtime.tail import Tail
from shared_runtime.testing import InMemoryKeyStore, ManualClock, facts, take_all_at_once, waits_for

DAY = timedelta(days=1)
SELLER = account_stream("SELLER", told.SELLER_ID)
BUYER = account_stream("BUYER", told.BUYER_ID)
SENIOR = Actor(role="SENIOR", id="SE1")
PRIVACY = Actor(role="PRIVACY", id="PR1")

type Tell = Callable[..., Awaitable[None]]
type Work = Callable[[], Awaitable[None]]


@pytest.fixture
async def at_work(tell: Tell, clock: ManualClock) -> None:
    """Both have an account, by an order."""
    await tell("order-O-1", told.placed("O-1", clock()))


async def account(log: PostgresLog, stream: str) -> Account:
    state = ACCOUNTS.fold(each.event for each in await read_stream(log, stream))
    assert isinstance(state, Account)
    return state


async def types(log: PostgresLog, stream: str) -> list[str]:
    return [type(each.event).__name__ for each in await read_stream(log, stream)]


async def case_ids(pool: asyncpg.Pool) -> list[str]:
    rows = await pool.fetch("SELECT case_id FROM facts.violation_case ORDER BY case_id")
    return [case_id for (case_id,) in rows]


async def decide(
    parts: Parts[Any],
    stream: str,
    said: Struct,
    actor: Actor,
    **known: Any,  # noqa: ANN401
) -> None:
    by = By(actor=actor, now=parts.now(), known=Known(policies=policies(), **known))
    decider: Any = CASES if stream.startswith("case-") else ACCOUNTS

    async def write(log: Any, told: Any) -> None:  # noqa: ANN401
        await write_matters([each for _, planned in told for each in planned], database_of(log))

    ask = Ask(
        stream=stream,
        command=Sent(said, by),
        cause=f"00000000-0000-4000-8000-{abs(hash((stream, repr(said)))) % 10**12:012d}",
        correlation="test",
    )
    await handle(parts.log, decider, ask, also_write=AlsoWrite(write=write, about=None))


@pytest.mark.usefixtures("at_work")
async def test_everybody_has_an_account_from_his_first_order_on(
    parts: Parts[Any], tell: Tell, clock: ManualClock
) -> None:
    for stream in (SELLER, BUYER):
        assert await types(parts.log, stream) == ["AccountOpened"]
    await tell("order-O-2", told.placed("O-2", clock()))
    assert await types(parts.log, SELLER) == ["AccountOpened"]


@pytest.mark.usefixtures("at_work")
async def test_a_silent_seller_loses_two_points_for_ninety_days(
    parts: Parts[Any], tell: Tell, work: Work, clock: ManualClock, pool: asyncpg.Pool
) -> None:
    await tell("dispute-D-1", told.by_default("D-1", clock()))
    (case_id,) = await case_ids(pool)
    assert await types(parts.log, case_stream(case_id)) == ["CaseOpened"]
    clock.advance(7 * DAY)
    await work()
    assert await types(parts.log, case_stream(case_id)) == [
        "CaseOpened",
        "ViolationConfirmed",
        "StatementOfReasonsIssued",
    ]
    after = await account(parts.log, SELLER)
    assert after.ledger.balance(clock()) == 98
    assert [each.measure for each in after.measures.values()] == ["WARNING"]
    clock.advance(90 * DAY)
    await work()
    ended = await account(parts.log, SELLER)
    assert (ended.ledger.balance(clock()), ended.measures) == (100, {})
    assert (await types(parts.log, SELLER))[-2:] == ["PenaltyExpired", "MeasureLifted"]


@pytest.mark.usefixtures("at_work")
async def test_of_one_dispute_there_is_one_case_however_often_it_is_told(
    tell: Tell, clock: ManualClock, pool: asyncpg.Pool
) -> None:
    await tell("dispute-D-1", told.by_default("D-1", clock()), told.by_default("D-1", clock()))
    assert len(await case_ids(pool)) == 1


async def test_whoever_is_told_of_before_his_order_has_an_account_then(
    parts: Parts[Any], tell: Tell, clock: ManualClock, pool: asyncpg.Pool
) -> None:
    await tell("dispute-D-1", told.by_default("D-1", clock()))
    assert await types(parts.log, SELLER) == ["AccountOpened"]
    assert len(await case_ids(pool)) == 1
    await tell("order-O-1", told.placed("O-1", clock()))
    assert await types(parts.log, SELLER) == ["AccountOpened"]


@pytest.mark.usefixtures("at_work")
async def test_an_empty_box_is_a_case_once_somebody_has_looked_and_else_a_hint(
    tell: Tell, pool: asyncpg.Pool
) -> None:
    await tell("return-R-1", told.unrecovered("R-1", confirmed=False))
    assert await case_ids(pool) == []
    hints = await pool.fetch("SELECT rule, cause_key FROM facts.hint")
    assert [tuple(each) for each in hints] == [("EMPTY_BOX_RETURN", "R-1")]
    await tell("return-R-1", told.unrecovered("R-1", confirmed=True))
    assert len(await case_ids(pool)) == 1


@pytest.mark.usefixtures("at_work")
async def test_an_appeal_that_is_won_gives_the_points_back(
    parts: Parts[Any], tell: Tell, work: Work, clock: ManualClock, pool: asyncpg.Pool
) -> None:
    await tell("return-R-1", told.return_closed("R-1", clock(), timely=False))
    (case_id,) = await case_ids(pool)
    clock.advance(7 * DAY)
    await work()
    assert (await account(parts.log, SELLER)).ledger.balance(clock()) == 99
    seller = Actor(role="SELLER", id=told.SELLER_ID)
    appeal = AppealViolation(appeal_id="A1", text=words())
    await decide(parts, case_stream(case_id), appeal, seller)
    await work()
    (lot,) = (await account(parts.log, SELLER)).ledger.lots.values()
    assert lot.stayed
    won = DecideViolationAppeal(
        outcome="REVERSED", rule_ids=("R",), facts=words(), explanation="It was in time."
    )
    await decide(parts, case_stream(case_id), won, SENIOR)
    await work()
    after = await account(parts.log, SELLER)
    assert after.ledger.balance(clock()) == 100
    assert (await types(parts.log, SELLER))[-1] == "PenaltyReversed"


@pytest.mark.usefixtures("at_work")
async def test_an_account_without_credit_is_looked_at_and_given_notice(
    parts: Parts[Any], tell: Tell, work: Work, clock: ManualClock, pool: asyncpg.Pool
) -> None:
    counterfeit: dict[str, Any] = {"reason": "COUNTERFEIT", "liable": "SELLER"}
    for number in range(3):
        closed = told.dispute_closed(f"D-{number}", clock(), **counterfeit)
        await tell(f"dispute-D-{number}", closed)
    clock.advance(7 * DAY)
    confirm = ConfirmViolation(points=24, rule_ids=("R",), facts=words(), explanation="Fake.")
    for case_id in await case_ids(pool):
        await decide(parts, case_stream(case_id), confirm, SENIOR)
    await work()
    critical = await account(parts.log, SELLER)
    assert (critical.ledger.balance(clock()), critical.level) == (28, "CRITICAL")
    (review,) = await pool.fetch(
        "SELECT case_id FROM facts.violation_case WHERE rule = 'SUSPENSION_REVIEW'"
    )
    clock.advance(7 * DAY)
    none = ConfirmViolation(points=0, rule_ids=("R",), facts=words(), explanation="Closed.")
    await decide(parts, case_stream(review["case_id"]), none, SENIOR)
    await work()
    assert (await account(parts.log, SELLER)).status == "NOTICE"
    clock.advance(30 * DAY)
    await work()
    assert (await account(parts.log, SELLER)).status == "TERMINATED"


@pytest.mark.usefixtures("at_work")
@pytest.mark.parametrize(("orders", "points"), [(50, 2), (49, 0)])
async def test_a_period_of_fifty_orders_without_violations_earns_points(  # noqa: PLR0917 - what pytest gives
    parts: Parts[Any],
    tell: Tell,
    work: Work,
    clock: ManualClock,
    pool: asyncpg.Pool,
    others: PostgresLog,
    orders: int,
    points: int,
) -> None:
    fake = told.dispute_closed("D-1", clock(), reason="COUNTERFEIT", liable="SELLER")
    await tell("dispute-D-1", fake)
    (case_id,) = await case_ids(pool)
    clock.advance(7 * DAY)
    confirm = ConfirmViolation(points=12, rule_ids=("R",), facts=words(), explanation="Fake.")
    await decide(parts, case_stream(case_id), confirm, SENIOR)
    await work()
    for number in range(orders):
        order_id = f"O-9{number}"
        sold = (told.placed(order_id, clock()), told.completed(order_id, clock() + DAY))
        await others.append(facts(f"order-{order_id}", *sold, at=clock()))
    clock.advance(90 * DAY)
    await work()
    credits_ = (await account(parts.log, SELLER)).ledger.credits
    assert sum(each.points for each in credits_) == points
    assert "ConductAssessed" in await types(parts.log, SELLER)


@pytest.mark.usefixtures("at_work")
async def test_an_erasure_waits_for_what_is_open_and_then_destroys_the_key(  # noqa: PLR0917 - what pytest gives
    parts: Parts[Any],
    tell: Tell,
    work: Work,
    clock: ManualClock,
    pool: asyncpg.Pool,
    key_store: InMemoryKeyStore,
) -> None:
    await tell("dispute-D-1", told.dispute_opened("D-1"))
    await tell("return-R-1", told.return_requested("R-1"))
    who = f"buyer:{told.BUYER_ID}"
    known = (await read_facts([who], pool))[who]
    assert known.open_ids == {"D-1", "R-1"}
    await decide(parts, BUYER, RequestErasure(), PRIVACY, open_ids=known.open_ids)
    await work()
    await tell("dispute-D-1", told.dispute_closed("D-1", clock()))
    assert (await account(parts.log, BUYER)).waits_for == frozenset({"R-1"})
    assert await key_store.destroyed_at(who) is None
    await tell("return-R-1", told.return_closed("R-1", clock()))
    assert (await account(parts.log, BUYER)).status == "ERASED"
    assert await key_store.destroyed_at(who) is not None


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.usefixtures("at_work")
async def test_who_claims_too_much_is_noticed_from_the_claim_on_that_is_one_too_many(
    work: Work, clock: ManualClock, pool: asyncpg.Pool, others: PostgresLog, at_once: bool
) -> None:
    for number in range(1, 7):
        clock.advance(DAY)
        lost = told.dispute_closed(f"D-{number}", clock(), liable="BUYER")
        await others.append(facts(f"dispute-D-{number}", lost, at=clock()))
        if not at_once:
            await work()
    await work()
    hints = await pool.fetch("SELECT rule, cause_key FROM facts.hint ORDER BY cause_key")
    assert [tuple(each) for each in hints] == [("FALSE_CLAIMS", f"D-{n}") for n in (4, 5, 6)]


FACTS = ("sold", "lost_claim", "open_matter", "hint")


async def all_facts(pool: asyncpg.Pool) -> list[list[tuple[Any, ...]]]:
    """What is kept of other services' events, without what is decided here."""
    tables = [await pool.fetch(f"SELECT * FROM facts.{each} ORDER BY 1") for each in FACTS]  # noqa: S608 - ours
    return [[tuple(row) for row in table] for table in tables]


@pytest.mark.usefixtures("at_work")
async def test_whoever_reads_all_again_has_the_same_facts_and_decides_nothing_anew(  # noqa: PLR0917 - what pytest gives
    parts: Parts[Any],
    service: Service[Any],
    tell: Tell,
    clock: ManualClock,
    pool: asyncpg.Pool,
    others: PostgresLog,
) -> None:
    await tell("order-O-1", told.completed("O-1", clock()))
    await tell("dispute-D-1", told.dispute_opened("D-1"))
    await tell("dispute-D-2", told.dispute_opened("D-2"), told.by_default("D-2", clock()))
    await tell("dispute-D-3", told.dispute_closed("D-3", clock(), liable="BUYER"))
    await tell("return-R-1", told.return_requested("R-1"), told.return_closed("R-1", clock()))
    await tell("return-R-2", told.return_requested("R-2"), told.unrecovered("R-2", confirmed=False))
    before, recorded = await all_facts(pool), await pool.fetch("SELECT * FROM es.head")
    assert all(before)
    for each in FACTS:
        await pool.execute(f"DELETE FROM facts.{each}")  # noqa: S608 - ours
    await pool.execute("DELETE FROM es.cursor WHERE subscription IN ('orders', 'elsewhere')")
    assert isinstance(others.db, asyncpg.Pool)
    for subscription in service.workload(parts).on_kafka:
        source = OwnLog(others.db, subscription.topics, tail=Tail(idle_seconds=0))
        runner = Runner(subscription=subscription, source=source, pool=pool)
        await runner.start()
        while await runner.turn():
            pass
    assert await all_facts(pool) == before
    assert await pool.fetch("SELECT * FROM es.head") == recorded


@pytest.mark.usefixtures("at_work")
async def test_i17_a_case_that_others_bring_about_waits_for_whoever_opens_one_of_the_same_person(
    tell: Tell, clock: ManualClock, pool: asyncpg.Pool
) -> None:
    telling = tell("dispute-D-1", told.by_default("D-1", clock()))
    assert await waits_for(
        lambda db: lock_people([person("seller", told.SELLER_ID)], db), telling, pool
    )
    assert len(await case_ids(pool)) == 1


async def test_locks_of_people_are_taken_in_one_order(pool: asyncpg.Pool) -> None:
    await take_all_at_once(lock_people, [f"SELLER/S-{n}" for n in range(16)], pool)
