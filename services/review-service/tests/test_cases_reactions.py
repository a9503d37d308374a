"""What other services record, through a real log, and what becomes of orders and evaluations.

The other services' log is a database of its own. It is read as it is, or over Kafka.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any, cast
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from local_stack.databases import Database
from msgspec import Struct
from review_service.domain.completion import AttributeDelay, CompleteOrder, ReopenOrder
from review_service.domain.content import BuyerReview, SellerReview
from review_service.domain.double_blind import SubmitReview
from review_service.domain.flags import FlagReview
from review_service.domain.fulfilment import MarkDelivered, MarkPaid, MarkShipped
from review_service.domain.holding import HoldReview
from review_service.domain.order import Placed
from review_service.domain.order_rules import ORDERS
from review_service.domain.placing import PlaceOrder
from review_service.domain.policy import policies
from review_service.domain.rules import EVALUATIONS, EvaluationCommand
from review_service.domain.screening import RecordScreening
from review_service.domain.streams import evaluation_stream, order_stream
from review_service.domain.weight import WeightFacts
from review_service.domain.withdrawal import WithdrawReview
from review_service.fact_rows import lock_facts, share_facts
from review_service.facts import parties_of, read_facts
from review_service.reactions import reweighing
from review_service.reactions.from_other_services import TOPICS, on_other_services
from review_service.reactions.orders import on_own_orders
from review_service.reactions.timers import deadlines, on_deadlines
from review_service.reactions.with_later_facts import on_own_evaluations
from review_service.testing import change, in_words, say
from shared_events.dispute import DisputeClosed, DisputeOpened
from shared_events.orders import OrderLine
from shared_events.partition import PARTITIONS
from shared_events.registry import topic_of
from shared_events.reputation import (
    CaseDismissed,
    CaseOpened,
    MeasureApplied,
    MeasureLifted,
    ViolationAppealDecided,
    ViolationConfirmed,
)
from shared_events.returns import ClosedUnit, RefundIssued, ReturnClosed, UnitsAccepted
from shared_events.review import ReviewWeighted, Side
from shared_events.samples import sample
from shared_runtime.database import open_pool
from shared_runtime.decider import Actor
from shared_runtime.delivery import Source, Subscription
from shared_runtime.log import Ask, Decisions, PostgresLog, handle
from shared_runtime.relay import Relay, relay_subscription
from shared_runtime.sources import KafkaLog, OwnLog
from shared_runtime.subscription import Runner
from shared_runtime.tail import Tail
from shared_runtime.testing import ManualClock, facts
from shared_runtime.timers import fire_due

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
FEED = Actor(role="SYSTEM", id="market")
POLICIES = policies()
PATIENCE_SECONDS = 60
FORGET = "UPDATE es.cursor SET position = 0, chain_hash = decode(repeat('00', 32), 'hex')"
ADD_HEADS = """
    INSERT INTO es.head (topic, partition)
    SELECT topic, partition
    FROM unnest($1::text[]) AS topic, generate_series(0, $2 - 1) AS partition
    ON CONFLICT DO NOTHING
"""
GOOD = BuyerReview(quality=5, logistics=5, service=5)
BAD = BuyerReview(quality=1, logistics=1, service=1)
RATED = SellerReview(rating=4)
SUSPECTED = say(
    RecordScreening(review_id="", factor_milli=100, campaign=True, terms=(), calibration="c1"),
    now=NOW,
    actor=FEED,
)


def placing(order_id: str, buyer_id: str, seller_id: str, at: datetime) -> PlaceOrder:
    line = OrderLine(line_id="1", sku="S", category="toys", quantity=1, unit_price_minor=6000)
    return PlaceOrder(
        order_id=order_id,
        seller_id=seller_id,
        buyer_id=buyer_id,
        marketplace_id="M1",
        country="BR",
        currency="BRL",
        placed_at=at,
        lines=(line,),
        order_discount_minor=0,
        shipping_minor=0,
        total_minor=6000,
        total_ref_minor=1100,
        withdrawal_right=True,
    )


@dataclass
class World:
    """review-service by hand, and a log that stands for all the other services."""

    pool: asyncpg.Pool
    log: PostgresLog
    clock: ManualClock
    others: PostgresLog
    topics: tuple[str, ...]
    own: list[Runner]
    elsewhere: Runner
    versions: dict[str, int] = field(default_factory=dict[str, int])

    async def order(self, said: Struct, order_id: str, *, actor: Actor = FEED) -> None:
        """A step of its life, at this moment."""
        command = say(said, now=self.clock.at, actor=actor)
        await self._handle(ORDERS, order_stream(order_id), order_id, command)

    async def evaluation(self, command: EvaluationCommand, order_id: str) -> None:
        await self._handle(EVALUATIONS, evaluation_stream(order_id), order_id, command)

    async def _handle(self, decider: Any, stream: str, order_id: str, command: Any) -> None:  # noqa: ANN401
        ask = Ask(stream=stream, command=command, cause=str(uuid4()), correlation=order_id)
        await handle(self.log, decider, ask)

    async def deliver(
        self,
        order_id: str,
        *,
        buyer: str = "B1",
        seller: str = "S1",
        promised: datetime | None = None,
    ) -> None:
        """An order that arrives at this moment."""
        at = self.clock.at
        await self.order(placing(order_id, buyer, seller, at), order_id)
        await self.order(MarkPaid(payment_ref="P1"), order_id)
        await self.order(MarkShipped(deliver_by=promised), order_id)
        await self.order(MarkDelivered(signed=True), order_id)

    async def complete(self, order_id: str) -> None:
        await self.order(CompleteOrder(by_feed=True), order_id)

    async def arrive(self, order_id: str, *, buyer: str = "B1", seller: str = "S1") -> None:
        """An order that arrives and is complete at this moment, with its evaluation open."""
        await self.deliver(order_id, buyer=buyer, seller=seller)
        await self.complete(order_id)
        await self.work()

    async def placed(self, order_id: str) -> Placed:
        history = (await self.log.read([order_stream(order_id)]))[order_stream(order_id)]
        order = ORDERS.fold(each.event for each in history)
        assert isinstance(order, Placed)
        return order

    async def write(self, order_id: str, content: BuyerReview | SellerReview) -> None:
        """A review `<order>-B` or `<order>-S`, on the facts of this moment."""
        order = await self.placed(order_id)
        told = await self.facts(order_id)
        await self.evaluation(self.submission(order, content, told), order_id)

    async def facts(self, order_id: str) -> WeightFacts:
        """What is known of an order at this moment."""
        order = await self.placed(order_id)
        told = await read_facts(parties_of({order_id: order}), {order_id: self.clock.at}, self.pool)
        return told.facts(order, self.clock.at)

    def submission(
        self, order: Placed, content: BuyerReview | SellerReview, told: WeightFacts
    ) -> EvaluationCommand:
        side: Side = "BUYER" if isinstance(content, BuyerReview) else "SELLER"
        account = order.placed.buyer_id if side == "BUYER" else order.placed.seller_id
        return say(
            SubmitReview(review_id=f"{order.placed.order_id}-{side[0]}", **in_words(content)),
            facts=told,
            now=self.clock.at,
            actor=Actor(role=side, id=account),
        )

    async def reveal(self, order_id: str, content: BuyerReview = BAD) -> None:
        await self.write(order_id, RATED)
        await self.write(order_id, content)
        await self.work()

    async def suspect(self, order_id: str) -> None:
        """A detector takes the buyer's review for part of a campaign."""
        told = await self.facts(order_id)
        command = change(SUSPECTED, review_id=f"{order_id}-B", facts=told, now=self.clock.at)
        await self.evaluation(command, order_id)
        await self.work()

    async def tell(self, stream: str, *events: Struct, at: datetime | None = None) -> None:
        """Others record something, and it is read, and all is done that there is to do."""
        await self.publish(stream, *events, at=at)
        await self.work()

    async def publish(self, stream: str, *events: Struct, at: datetime | None = None) -> None:
        after = self.versions.get(stream, 0)
        planned = facts(stream, *events, at=at or self.clock.at, after=after, cause=str(uuid4()))
        await self.others.append(planned)
        self.versions[stream] = after + len(events)

    async def work(self) -> None:
        fire = on_deadlines(POLICIES)
        while True:
            done = [await runner.turn() for runner in (*self.own, self.elsewhere)]
            fired = await fire_due(self.pool, self.log, fire, self.clock)
            if not any((*done, fired)):
                break

    async def history(self, order_id: str) -> list[Struct]:
        stream = evaluation_stream(order_id)
        return [each.event for each in (await self.log.read([stream])).get(stream, [])]

    async def kinds(self, order_id: str) -> list[str]:
        return [type(event).__name__ for event in await self.history(order_id)]

    async def weight(self, order_id: str, side: str = "BUYER") -> tuple[int, tuple[str, ...]]:
        """How much a review counts by now, and why."""
        last = [
            event
            for event in await self.history(order_id)
            if isinstance(event, ReviewWeighted) and event.side == side
        ][-1]
        return last.weight_milli, tuple(reason.code for reason in last.reasons)


def runner(subscription: Subscription, source: Source, pool: asyncpg.Pool) -> Runner:
    return Runner(subscription=subscription, source=source, pool=pool)


@pytest.fixture
async def others(
    make_database: Callable[..., Database], template: str, clock: ManualClock
) -> AsyncIterator[PostgresLog]:
    made = make_database(template)
    owner = await asyncpg.connect(made.owner_url)
    await owner.execute(ADD_HEADS, list(TOPICS), PARTITIONS)
    await owner.close()
    async with await open_pool(made.app_url) as pool:
        yield PostgresLog(pool, source="/others", now=clock)


@pytest.fixture
async def world(pool: asyncpg.Pool, clock: ManualClock, others: PostgresLog) -> World:
    clock.at = NOW
    assert isinstance(others.db, asyncpg.Pool)
    return await started(
        pool, clock, others, OwnLog(others.db, TOPICS, tail=Tail(idle_seconds=0)), TOPICS
    )


async def started(
    pool: asyncpg.Pool,
    clock: ManualClock,
    others: PostgresLog,
    source: Source,
    topics: tuple[str, ...],
) -> World:
    log = PostgresLog(pool, source="/review-service", now=clock)
    subscriptions = (
        on_own_orders(log, POLICIES),
        on_own_evaluations(log, POLICIES),
        deadlines(),
    )
    own = [
        runner(each, OwnLog(pool, each.topics, tail=Tail(idle_seconds=0)), pool)
        for each in subscriptions
    ]
    elsewhere = runner(on_other_services(log, POLICIES, topics), source, pool)
    for each in (*own, elsewhere):
        await each.start()
    return World(
        pool=pool,
        log=log,
        clock=clock,
        others=others,
        topics=topics,
        own=own,
        elsewhere=elsewhere,
    )


# --- What others record


def of_order[E: Struct](kind: type[E], order_id: str, **fields: Any) -> E:  # noqa: ANN401
    told: E = change(
        cast("E", sample(kind)),
        order_id=order_id,
        **({"seller_id": "S1", "buyer_id": "B1"} | fields),
    )
    return told


def dispute_opened(
    order_id: str,
    dispute_id: str,
    at: datetime,
    **fields: Any,  # noqa: ANN401
) -> DisputeOpened:
    return of_order(DisputeOpened, order_id, dispute_id=dispute_id, opened_at=at, **fields)


def dispute_closed(
    order_id: str,
    dispute_id: str,
    opened_at: datetime,
    at: datetime,
    **fields: Any,  # noqa: ANN401
) -> DisputeClosed:
    plain = {
        "how": "WITHDRAWN",
        "outcome": None,
        "result": "WITHDRAWN",
        "liable": "NONE",
        "resolved_by_seller": False,
        "buyer_abuse": False,
        "opened_at": opened_at,
        "closed_at": at,
    }
    return of_order(DisputeClosed, order_id, dispute_id=dispute_id, **(plain | fields))


SETTLED = {"how": "SETTLED", "outcome": "REFUND_FULL", "result": "REFUNDED"}


def return_closed(order_id: str, return_id: str, at: datetime, **fields: Any) -> ReturnClosed:  # noqa: ANN401
    plain = {
        "resolution": "REFUNDED",
        "units": [ClosedUnit(unit="1/1", result="REFUNDED")],
        "refunded_minor": 6000,
        "forced": False,
        "closed_at": at,
    }
    return of_order(ReturnClosed, order_id, return_id=return_id, **(plain | fields))


def of_account[E: Struct](kind: type[E], **fields: Any) -> E:  # noqa: ANN401
    buyer = {"account_kind": "BUYER", "buyer_id": "B1", "seller_id": None}
    told: E = change(cast("E", sample(kind)), **(buyer | fields))
    return told


def right_lost(at: datetime, measure_id: str = "m1", **fields: Any) -> MeasureApplied:  # noqa: ANN401
    told = {"measure": "RATING_RIGHT_LOST", "starts_at": at, "ends_at": None}
    return of_account(MeasureApplied, measure_id=measure_id, **(told | fields))


def lifted(reason: str, measure_id: str = "m1", **fields: Any) -> MeasureLifted:  # noqa: ANN401
    told = {"measure": "RATING_RIGHT_LOST", "reason": reason}
    return of_account(MeasureLifted, measure_id=measure_id, **(told | fields))


# --- Disputes


async def test_a_dispute_stops_the_clock_of_an_evaluation_until_it_ends(world: World) -> None:
    await world.arrive("O1")
    opened_at = world.clock.advance(14 * DAY)
    await world.tell("dispute-d1", dispute_opened("O1", "d1", opened_at))
    closed_at = world.clock.advance(28 * DAY)
    await world.tell("dispute-d1", dispute_closed("O1", "d1", opened_at, closed_at))
    history: list[Any] = await world.history("O1")
    assert await world.kinds("O1") == ["EvaluationOpened", "EvaluationPaused", "EvaluationResumed"]
    assert history[1].remaining_seconds == 86_400
    assert history[2].closes_at == closed_at + 3 * DAY
    world.clock.advance(3 * DAY)
    await world.work()
    assert (await world.kinds("O1"))[-1] == "EvaluationClosed"


async def test_an_evaluation_opens_paused_by_a_dispute_that_is_open(world: World) -> None:
    await world.deliver("O1")
    await world.tell("dispute-d1", dispute_opened("O1", "d1", world.clock.at))
    world.clock.advance(DAY)
    await world.complete("O1")
    await world.work()
    assert await world.kinds("O1") == ["EvaluationOpened", "EvaluationPaused"]


async def test_an_order_waits_for_its_dispute_and_completes_when_that_ends(world: World) -> None:
    await world.deliver("O1")
    opened_at = world.clock.advance(DAY)
    await world.tell("dispute-d1", dispute_opened("O1", "d1", opened_at))
    await world.tell("dispute-d2", dispute_opened("O1", "d2", opened_at))
    world.clock.advance(10 * DAY)
    await world.work()
    assert (await world.placed("O1")).stage == "DELIVERED"
    await world.tell("dispute-d1", dispute_closed("O1", "d1", opened_at, world.clock.at))
    assert (await world.placed("O1")).stage == "DELIVERED"
    closed_at = world.clock.advance(DAY)
    await world.tell("dispute-d2", dispute_closed("O1", "d2", opened_at, closed_at))
    order = await world.placed("O1")
    assert [each.completed_at for each in order.completions] == [closed_at]
    assert await world.kinds("O1") == ["EvaluationOpened"]


async def test_an_order_whose_dispute_ended_just_before_its_time_completes_when_that_comes(
    world: World,
) -> None:
    """The timer has fired in vain: it was not known here yet that the dispute had ended."""
    await world.deliver("O1")
    await world.tell("dispute-d1", dispute_opened("O1", "d1", NOW))
    due = NOW + 7 * DAY
    world.clock.at = due
    await world.work()
    world.clock.at = due + timedelta(minutes=2)
    closing = dispute_closed("O1", "d1", NOW, due - timedelta(minutes=1))
    await world.tell("dispute-d1", closing, at=due - timedelta(minutes=1))
    order = await world.placed("O1")
    assert [each.completed_at for each in order.completions] == [due]


async def test_a_late_timer_does_not_see_a_dispute_that_came_after_its_time(world: World) -> None:
    await world.deliver("O1")
    due = NOW + 7 * DAY
    world.clock.at = due - DAY
    await world.work()
    world.clock.at = due + timedelta(minutes=10)
    opened_at = due + timedelta(minutes=5)
    await world.publish("dispute-d1", dispute_opened("O1", "d1", opened_at), at=opened_at)
    await world.elsewhere.turn()
    await world.work()
    assert [each.completed_at for each in (await world.placed("O1")).completions] == [due]
    history: list[Any] = await world.history("O1")
    assert await world.kinds("O1") == ["EvaluationOpened", "EvaluationPaused"]
    assert history[1].remaining_seconds == 15 * 86_400 - 300


async def test_what_the_seller_made_good_may_be_revised(world: World) -> None:
    await world.arrive("O1")
    await world.reveal("O1")
    at = world.clock.advance(DAY)
    await world.tell("dispute-d1", dispute_opened("O1", "d1", at))
    await world.tell(
        "dispute-d1", dispute_closed("O1", "d1", at, at, **SETTLED, resolved_by_seller=True)
    )
    assert "RevisionGranted" in await world.kinds("O1")
    assert await world.weight("O1") == (1000, ("CORROBORATED",))


@pytest.mark.parametrize(
    ("fields", "codes"),
    [
        (SETTLED, ("CORROBORATED",)),
        (SETTLED | {"outcome": "REJECTED", "result": "NO_REMEDY"}, ("SUSPECT",)),
        (SETTLED | {"how": "DEFAULT"}, ("CORROBORATED",)),
        (SETTLED | {"how": "DECIDED", "liable": "SELLER"}, ("CORROBORATED",)),
        (SETTLED | {"how": "DECIDED", "liable": "BUYER"}, ("SUSPECT",)),
        ({}, ("SUSPECT",)),
        ({"how": "DECIDED", "liable": "BUYER", "buyer_abuse": True}, ("BUYER_ABUSE", "SUSPECT")),
    ],
)
async def test_how_a_dispute_ended_tells_of_the_review(
    world: World, fields: dict[str, Any], codes: tuple[str, ...]
) -> None:
    await world.arrive("O1")
    await world.reveal("O1")
    await world.suspect("O1")
    await world.tell("dispute-d1", dispute_closed("O1", "d1", NOW, NOW, **fields))
    assert (await world.weight("O1"))[1] == codes


async def test_the_delivery_leaves_the_sellers_account_when_the_carrier_is_liable(
    world: World,
) -> None:
    await world.arrive("O1")
    await world.write("O1", BAD)
    await world.tell(
        "dispute-d1", dispute_closed("O1", "d1", NOW, NOW, how="DECIDED", liable="CARRIER")
    )
    assert "DimensionReattributed" in await world.kinds("O1")


@pytest.mark.parametrize("written", [True, False])
async def test_the_delivery_leaves_the_sellers_account_after_an_incident(
    world: World, written: bool
) -> None:
    await world.arrive("O1")
    incident = AttributeDelay(incident_id="storm", liable="FORCE_MAJEURE")
    if written:
        await world.write("O1", BAD)
    await world.order(incident, "O1")
    await world.work()
    if not written:
        await world.write("O1", BAD)
        await world.work()
    history: list[Any] = await world.history("O1")
    assert (history[-1].to, history[-1].cause_id) == ("FORCE_MAJEURE", "storm")


async def test_a_late_delivery_after_a_reopening_corroborates_what_was_written(
    world: World,
) -> None:
    await world.deliver("O1", promised=NOW + DAY)
    await world.complete("O1")
    await world.work()
    await world.reveal("O1")
    await world.suspect("O1")
    world.clock.advance(3 * DAY)
    await world.order(ReopenOrder(reason="CARRIER_CORRECTION"), "O1")
    await world.order(MarkDelivered(signed=True), "O1")
    await world.complete("O1")
    await world.work()
    assert await world.weight("O1") == (1000, ("CORROBORATED",))


# --- Returns and refunds


@pytest.mark.parametrize(
    ("stream", "event"),
    [
        ("return-r1", of_order(UnitsAccepted, "O1", return_id="r1")),
        ("return-r1", return_closed("O1", "r1", NOW)),
        ("refunds-O1", of_order(RefundIssued, "O1")),
    ],
)
async def test_goods_that_came_back_and_money_given_back_corroborate(
    world: World, stream: str, event: Struct
) -> None:
    await world.arrive("O1")
    await world.reveal("O1")
    await world.suspect("O1")
    assert (await world.weight("O1"))[1] == ("SUSPECT",)
    await world.tell(stream, event)
    assert await world.weight("O1") == (1000, ("CORROBORATED",))


@pytest.mark.parametrize(
    ("fields", "granted"),
    [
        ({}, True),
        ({"resolution": "EXCHANGED"}, True),
        ({"resolution": "REPLACED"}, True),
        ({"resolution": "KEPT"}, True),
        ({"resolution": "MIXED"}, False),
        ({"resolution": "DECLINED"}, False),
        ({"forced": True}, False),
    ],
)
async def test_a_return_that_the_seller_settled_lets_the_buyer_revise(
    world: World, fields: dict[str, Any], granted: bool
) -> None:
    await world.arrive("O1")
    await world.reveal("O1")
    await world.tell("return-r1", return_closed("O1", "r1", NOW, **fields))
    assert ("RevisionGranted" in await world.kinds("O1")) is granted


# --- Accounts and cases


async def test_who_loses_the_right_to_rate_counts_no_more_and_again_when_it_is_reversed(
    world: World,
) -> None:
    for number in range(3):
        await world.arrive(f"O{number}", seller=f"S{number}")
        await world.reveal(f"O{number}", GOOD)
    await world.arrive("O9", seller="S9")
    await world.tell("buyer-B1", right_lost(world.clock.at))
    for number in range(3):
        assert (await world.weight(f"O{number}"))[1] == ("RATING_RIGHT_LOST",)
        assert (await world.weight(f"O{number}", "SELLER"))[1] == ("FULL",)
    assert (await world.facts("O9")).rating_right_lost == {"BUYER"}
    await world.tell("buyer-B1", lifted("REVERSED"))
    for number in range(3):
        assert (await world.weight(f"O{number}"))[1] == ("FULL",)


async def test_what_somebody_has_written_is_weighed_again_in_portions(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much it is, no statement takes long; and who is judged anew begins anew."""
    monkeypatch.setattr(reweighing, "PORTION", 2)
    armed = "SELECT count(*) FROM es.timer WHERE name LIKE 'REWEIGH%'"
    for number in range(5):
        await world.arrive(f"O{number}", seller=f"S{number}")
        await world.reveal(f"O{number}", GOOD)
    async with world.pool.acquire() as db, db.transaction():
        for expected in (2, 2):
            await reweighing.begin_to_reweigh([("buyer:B1", world.clock.at, str(uuid4()))], db)
            assert await db.fetchval(armed) == expected
        for expected in (4, 5):
            assert await reweighing.reweigh_some(db)
            assert await db.fetchval(armed) == expected
        assert not await reweighing.reweigh_some(db)


async def test_a_measure_that_merely_ends_gives_nothing_back_but_lets_write_again(
    world: World,
) -> None:
    await world.arrive("O1")
    await world.reveal("O1", GOOD)
    await world.tell("buyer-B1", right_lost(world.clock.at))
    world.clock.advance(DAY)
    await world.tell("buyer-B1", lifted("EXPIRED"))
    assert (await world.weight("O1"))[1] == ("RATING_RIGHT_LOST",)
    world.clock.advance(20 * DAY)
    await world.arrive("O2")
    await world.reveal("O2", GOOD)
    assert "RATING_RIGHT_LOST" not in (await world.weight("O2"))[1]


async def test_what_is_written_once_more_after_a_measure_is_not_taken_by_it(world: World) -> None:
    await world.arrive("O1")
    await world.write("O1", GOOD)
    await world.work()
    await world.tell("buyer-B1", right_lost(world.clock.at))
    withdrawal = say(
        WithdrawReview(review_id="O1-B"),
        facts=WeightFacts(total_ref_minor=0, placed_at=world.clock.at),
        now=world.clock.at,
        actor=Actor(role="BUYER", id="B1"),
    )
    await world.evaluation(withdrawal, "O1")
    world.clock.advance(DAY)
    await world.tell("buyer-B1", lifted("EXPIRED"))
    await world.reveal("O1", GOOD)
    assert await world.weight("O1") == (1000, ("FULL",))


async def test_the_reviews_of_a_person_are_weighed_some_hundreds_at_a_time(world: World) -> None:
    for number in range(5):
        await world.arrive(f"O{number}", seller=f"S{number}")
        await world.reveal(f"O{number}", GOOD)
    await world.publish("buyer-B1", right_lost(world.clock.at))
    await world.elsewhere.turn()
    fire = on_deadlines(POLICIES)
    assert await fire_due(world.pool, world.log, fire, world.clock, limit=2) == 2
    await world.work()
    for number in range(5):
        assert (await world.weight(f"O{number}"))[1] == ("RATING_RIGHT_LOST",)


async def test_a_confirmed_violation_takes_its_reviews_out_until_it_is_reversed(
    world: World,
) -> None:
    await world.arrive("O1")
    await world.reveal("O1", GOOD)
    named = {"case_id": "c1", "review_ids": ["O1-B", "unheard of"]}
    await world.tell("case-c1", of_account(CaseOpened, **named))
    assert (await world.weight("O1"))[1] == ("FULL",)
    await world.tell("case-c1", of_account(ViolationConfirmed, **named))
    assert await world.weight("O1") == (0, ("FAKE_CONFIRMED",))
    assert (await world.weight("O1", "SELLER"))[1] == ("FULL",)
    await world.tell("case-c1", of_account(ViolationAppealDecided, **named, outcome="REDUCED"))
    assert await world.weight("O1") == (0, ("FAKE_CONFIRMED",))
    await world.tell("case-c1", of_account(ViolationAppealDecided, **named, outcome="REVERSED"))
    assert await world.weight("O1") == (1000, ("FULL",))


async def test_a_campaign_stays_suspected_while_a_case_is_open_and_no_longer(world: World) -> None:
    await world.arrive("O1")
    await world.reveal("O1")
    await world.suspect("O1")
    named = {"case_id": "c1", "review_ids": ["O1-B"]}
    await world.tell("case-c1", of_account(CaseOpened, **named))
    world.clock.advance(15 * DAY)
    await world.work()
    assert (await world.weight("O1"))[1] == ("SUSPECT",)
    await world.tell("case-c1", of_account(CaseDismissed, case_id="c1"))
    assert await world.weight("O1") == (1000, ("CAMPAIGN_UNPROVEN",))


async def test_a_campaign_that_nobody_proves_ends_in_time(world: World) -> None:
    await world.arrive("O1")
    await world.reveal("O1")
    await world.suspect("O1")
    named = {"case_id": "c1", "review_ids": ["O1-B"]}
    await world.tell("case-c1", of_account(CaseOpened, **named))
    over = world.clock.at + 14 * DAY
    world.clock.at = over
    await world.work()
    # Dismissed before that, as is told afterwards: the timer is set again.
    await world.tell("case-c1", of_account(CaseDismissed, case_id="c1"), at=over - HOUR)
    assert await world.weight("O1") == (1000, ("CAMPAIGN_UNPROVEN",))


# --- Deadlines that need to know


async def test_a_hold_ends_by_itself_and_gives_the_former_weight_back(world: World) -> None:
    await world.arrive("O1")
    await world.reveal("O1")
    hold = say(
        HoldReview(review_id="O1-B", ground="FAKE"),
        facts=await world.facts("O1"),
        now=world.clock.at,
        actor=FEED,
    )
    await world.evaluation(hold, "O1")
    await world.tell("refunds-O1", of_order(RefundIssued, "O1"))
    assert await world.weight("O1") == (0, ("HELD", "CORROBORATED"))
    world.clock.advance(72 * HOUR)
    await world.work()
    assert await world.weight("O1") == (1000, ("CORROBORATED",))


async def test_a_flag_that_nobody_decides_in_time_is_noted_once(world: World) -> None:
    await world.arrive("O1")
    await world.reveal("O1")
    for flag_id in ("f1", "f2"):
        flag = say(
            FlagReview(review_id="O1-B", flag_id=flag_id, reason="FAKE"),
            now=world.clock.at,
            actor=Actor(role="SELLER", id=flag_id),
        )
        await world.evaluation(flag, "O1")
    await world.work()
    world.clock.advance(5 * DAY)
    await world.work()
    await read_again(world)
    assert (await world.kinds("O1")).count("DecisionOverdue") == 2


@pytest.mark.parametrize("limit", [1, 500])
async def test_two_evaluations_of_a_pair_that_close_together_see_each_other(
    world: World, limit: int
) -> None:
    """In one batch of deadlines, or in two that follow each other without a pause."""
    for order_id in ("O1", "O2"):
        await world.arrive(order_id)
        await world.write(order_id, GOOD)
        world.clock.advance(HOUR)
    await world.work()
    world.clock.advance(20 * DAY)
    while await fire_due(world.pool, world.log, on_deadlines(POLICIES), world.clock, limit):
        pass
    assert (await world.weight("O1"))[1] == ("FULL",)
    assert (await world.weight("O2"))[1] == ("REPEAT_10D", "REPEAT_180D")


# --- Nothing is missed, whichever comes first


async def test_an_evaluation_that_opened_without_knowing_of_a_dispute_is_paused(
    world: World,
) -> None:
    await world.deliver("O1")
    await world.complete("O1")
    opening, again, _ = world.own
    opened_at = world.clock.at
    await world.publish("dispute-d1", dispute_opened("O1", "d1", opened_at))
    # The opening is decided, the dispute comes, and only then the opening is appended.
    await decided_meanwhile(opening, world.elsewhere)
    assert await world.kinds("O1") == ["EvaluationOpened"]
    await again.turn()
    assert await world.kinds("O1") == ["EvaluationOpened", "EvaluationPaused"]


async def decided_meanwhile(late: Runner, first: Runner) -> None:
    """One turn of `late` in which `first` takes its turn between the decision and the append."""
    told = late.subscription.apply

    async def apply(deliveries: Sequence[Any], db: Any) -> None:  # noqa: ANN401
        await told(deliveries, db)
        await first.turn()

    late.subscription = Subscription(
        name=late.subscription.name, topics=late.subscription.topics, apply=apply
    )
    await late.turn()
    late.subscription = Subscription(
        name=late.subscription.name, topics=late.subscription.topics, apply=told
    )


async def test_an_evaluation_that_opens_after_its_dispute_ended_counts_the_pause(
    world: World,
) -> None:
    await world.deliver("O1")
    await world.complete("O1")
    opened_at = NOW + DAY
    world.clock.at = closed_at = NOW + 3 * DAY
    await world.publish("dispute-d1", dispute_opened("O1", "d1", opened_at), at=opened_at)
    await world.publish(
        "dispute-d1", dispute_closed("O1", "d1", opened_at, closed_at), at=closed_at
    )
    await world.elsewhere.turn()
    await world.work()
    history: list[Any] = await world.history("O1")
    assert [type(each).__name__ for each in history] == [
        "EvaluationOpened",
        "EvaluationPaused",
        "EvaluationResumed",
    ]
    assert history[-1].closes_at == NOW + 17 * DAY


FACTS: dict[str, tuple[str, Struct, str]] = {
    "an abuse": (
        "dispute-d1",
        dispute_closed("O1", "d1", NOW, NOW, how="DECIDED", liable="BUYER", buyer_abuse=True),
        "BUYER_ABUSE",
    ),
    "a refund": ("refunds-O1", of_order(RefundIssued, "O1"), "CORROBORATED"),
    "a measure": ("buyer-B1", right_lost(NOW), "RATING_RIGHT_LOST"),
    "a violation": (
        "case-c1",
        of_account(ViolationConfirmed, case_id="c1", review_ids=["O1-B"]),
        "FAKE_CONFIRMED",
    ),
}


@pytest.mark.parametrize("name", FACTS)
async def test_a_fact_that_comes_between_the_decision_to_reveal_and_its_append_is_not_missed(
    world: World, name: str
) -> None:
    stream, event, code = FACTS[name]
    await world.arrive("O1")
    await world.write("O1", RATED)
    order, stale = await world.placed("O1"), await world.facts("O1")
    decisions = Decisions(world.log)
    await decisions.read([evaluation_stream("O1")])
    ask: Ask[EvaluationCommand] = Ask(
        stream=evaluation_stream("O1"),
        command=world.submission(order, BAD, stale),
        cause=str(uuid4()),
        correlation="O1",
    )
    decisions.decide(EVALUATIONS, ask)
    await world.publish(stream, event)
    await world.elsewhere.turn()
    await decisions.append()
    assert code not in (await world.weight("O1"))[1]
    await world.work()
    assert code in (await world.weight("O1"))[1]


async def test_who_looks_again_waits_for_facts_that_are_being_written(world: World) -> None:
    """Otherwise each would miss what the other has not committed yet."""
    await world.arrive("O1")
    await world.write("O1", RATED)
    await world.publish("refunds-O1", of_order(RefundIssued, "O1"))
    _, again, _ = world.own
    reached, go_on = asyncio.Event(), asyncio.Event()
    told = world.elsewhere.subscription.apply

    async def apply(deliveries: Sequence[Any], db: Any) -> None:  # noqa: ANN401
        await told(deliveries, db)  # it has met an evaluation that is not revealed
        reached.set()
        await go_on.wait()

    world.elsewhere.subscription = Subscription(
        name=world.elsewhere.subscription.name, topics=world.topics, apply=apply
    )
    slow = asyncio.create_task(world.elsewhere.turn())
    await reached.wait()
    await world.write("O1", BAD)
    looking = asyncio.create_task(again.turn())
    await until_waiting(world.pool)
    go_on.set()
    await asyncio.gather(slow, looking)
    assert (await world.weight("O1"))[1] == ("CORROBORATED",)


async def test_facts_of_one_order_are_not_waited_for_by_those_of_another(world: World) -> None:
    """Whoever is slow with one keeps only that one waiting."""
    for order_id in ("O1", "O2"):
        await world.arrive(order_id)
    async with world.pool.acquire() as db, db.transaction():
        await lock_facts(["O1"], db)
        await world.reveal("O2")
        await world.tell("refunds-O2", of_order(RefundIssued, "O2"))
        assert (await world.weight("O2"))[1] == ("CORROBORATED",)
        await world.publish("refunds-O1", of_order(RefundIssued, "O1"))
        told = asyncio.create_task(world.elsewhere.turn())
        await until_waiting(world.pool)
    assert await told


async def test_facts_that_may_be_about_any_order_wait_for_all_and_all_for_them(
    world: World,
) -> None:
    """A case leads to orders by the reviews that it names, which may just be coming."""
    await world.arrive("O1")
    async with world.pool.acquire() as db, db.transaction():
        await share_facts(["another"], db)
        await world.publish("case-C1", sample(CaseOpened))
        told = asyncio.create_task(world.elsewhere.turn())
        await until_waiting(world.pool)
    assert await told
    await world.write("O1", RATED)
    _, again, _ = world.own
    async with world.pool.acquire() as db, db.transaction():
        await lock_facts([], db, of_any_order=True)
        looking = asyncio.create_task(again.turn())
        await until_waiting(world.pool)
    assert await looking


async def until_waiting(pool: asyncpg.Pool) -> None:
    """Until somebody waits for the lock of the facts."""
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await pool.fetchval(waiting):
            pass


async def test_where_all_was_known_nothing_comes_of_a_second_look(world: World) -> None:
    await world.arrive("O1")
    await world.write("O1", RATED)
    await world.tell("refunds-O1", of_order(RefundIssued, "O1"))
    await world.write("O1", BAD)
    before = await world.kinds("O1")
    await world.work()
    assert await world.kinds("O1") == before
    assert await world.weight("O1") == (1000, ("CORROBORATED",))


async def test_a_grant_is_made_good_when_the_review_was_out_by_then(world: World) -> None:
    """The window had closed; the timer was late, and the return was told of before it fired."""
    await world.arrive("O1")
    await world.write("O1", BAD)
    closed = NOW + 15 * DAY + timedelta(minutes=5)
    world.clock.at = closed + timedelta(minutes=5)
    await world.publish("return-r1", return_closed("O1", "r1", closed), at=closed)
    await world.elsewhere.turn()
    await world.work()
    assert "RevisionGranted" in await world.kinds("O1")


# --- Whatever the order of topics


def streams_about(order_id: str) -> dict[str, list[Struct]]:
    """All that others record of one order: each stream in its order, streams in any."""
    whose = {"buyer_id": f"B{order_id}", "seller_id": f"S{order_id}"}
    account = {"buyer_id": f"B{order_id}"}
    both, one = [f"{order_id}-B", f"{order_id}-S"], [f"{order_id}-B"]
    case = {"case_id": f"{order_id}c1", "review_ids": both} | account
    false_case = {"case_id": f"{order_id}c2", "review_ids": one} | account
    d1, d2, r1, m1 = (f"{order_id}{name}" for name in ("d1", "d2", "r1", "m1"))
    abuse = {"how": "DECIDED", "liable": "CARRIER", "buyer_abuse": True}
    return {
        f"dispute-{d1}": [
            dispute_opened(order_id, d1, NOW, **whose),
            dispute_closed(order_id, d1, NOW, NOW, **SETTLED, **whose, resolved_by_seller=True),
        ],
        f"dispute-{d2}": [
            dispute_opened(order_id, d2, NOW, **whose),
            dispute_closed(order_id, d2, NOW, NOW, **abuse, **whose),
        ],
        f"return-{r1}": [
            of_order(UnitsAccepted, order_id, return_id=r1, **whose),
            return_closed(order_id, r1, NOW, **whose),
        ],
        f"refunds-{order_id}": [of_order(RefundIssued, order_id, **whose)],
        f"buyer-B{order_id}": [right_lost(NOW, m1, **account)],
        f"case-{order_id}c1": [
            of_account(CaseOpened, **case),
            of_account(ViolationConfirmed, **case),
        ],
        f"case-{order_id}c2": [
            of_account(ViolationConfirmed, **false_case),
            of_account(ViolationAppealDecided, **false_case, outcome="REVERSED"),
        ],
    }


OWN = "own"
TURNS = [OWN] * 3 + [stream for stream, events in streams_about("").items() for _ in events]
numbers = count()


@settings(
    max_examples=8,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    turns=st.permutations(TURNS),
    who=st.lists(st.sets(st.integers(0, 3)), min_size=len(TURNS), max_size=len(TURNS)),
)
async def test_in_whatever_order_topics_arrive_the_evaluation_ends_the_same(
    world: World, turns: list[str], who: list[set[int]]
) -> None:
    """`who` of the worker's subscriptions takes a turn after each of them."""
    order_id = f"P{next(numbers)}"
    world.clock.at = NOW
    await world.deliver(order_id, buyer=f"B{order_id}", seller=f"S{order_id}")
    left = dict(zip(streams_about(""), streams_about(order_id).items(), strict=True))
    own = iter(
        (world.complete, partial(world.write, content=RATED), partial(world.write, content=BAD))
    )
    for turn, turning in zip(turns, who, strict=True):
        if turn == OWN:
            await next(own)(order_id)
            await world.own[0].turn()
        else:
            stream, events = left[turn]
            await world.publish(stream, events.pop(0))
        for number in turning:
            await (*world.own, world.elsewhere)[number].turn()
    await world.work()
    expected = ("BUYER_ABUSE", "RATING_RIGHT_LOST", "FAKE_CONFIRMED", "CORROBORATED")
    assert await world.weight(order_id) == (0, expected)
    assert await world.weight(order_id, "SELLER") == (0, ("FAKE_CONFIRMED",))
    kinds = await world.kinds(order_id)
    assert kinds.count("DimensionReattributed") == 1
    assert kinds.count("RevisionGranted") == 1
    assert kinds.count("ReviewsRevealed") == 1
    told = await world.history(order_id)
    await read_again(world)
    assert await world.history(order_id) == told


async def read_again(world: World) -> None:
    """Every event once more, as if no cursor had ever moved."""
    await world.pool.execute(FORGET)
    for each in (*world.own, world.elsewhere):
        await each.start()
    await world.work()


# --- Over Kafka


@pytest.fixture
async def over_kafka(  # noqa: PLR0917 - fixtures
    pool: asyncpg.Pool,
    clock: ManualClock,
    kafka: str,
    make_database: Callable[..., Database],
    make_topics: Callable[..., list[str]],
    template: str,
) -> AsyncIterator[World]:
    """The same, but the other services' events come over topics of their own."""
    clock.at = NOW
    made = make_database(template)
    topics = tuple(make_topics(*TOPICS))
    named: dict[str, str] = dict(zip(TOPICS, topics, strict=True))
    owner = await asyncpg.connect(made.owner_url)
    await owner.execute(ADD_HEADS, list(topics), PARTITIONS)
    await owner.close()
    source = KafkaLog(kafka, f"review-service.{uuid4().hex}", topics)
    relay = Relay(kafka)
    async with await open_pool(made.app_url) as other_pool:
        others = PostgresLog(
            other_pool,
            source="/others",
            now=clock,
            topic_of=lambda stream: named.get(topic_of(stream), topic_of(stream)),
        )
        world = await started(pool, clock, others, source, topics)
        subscription = relay_subscription(relay, topics)
        relaying = runner(
            subscription, OwnLog(other_pool, topics, tail=Tail(idle_seconds=0)), other_pool
        )
        await relaying.start()
        world.own.append(relaying)
        yield world
        await source.close()
        await relay.close()


async def until_read(world: World) -> None:
    """Works until the cursors are where the other services' log ends."""
    assert isinstance(world.others.db, asyncpg.Pool)
    heads = "SELECT topic, partition, position FROM es.head WHERE topic = ANY($1) AND position > 0"
    reached = """
        SELECT topic, partition, position FROM es.cursor
        WHERE subscription = 'elsewhere' AND position > 0
    """
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            await world.work()
            written = {tuple(row) for row in await world.others.db.fetch(heads, world.topics)}
            if {tuple(row) for row in await world.pool.fetch(reached)} == written:
                return


async def test_what_other_services_record_arrives_over_kafka(over_kafka: World) -> None:
    world = over_kafka
    for order_id in ("O1", "O2", "O3"):
        await world.arrive(order_id, seller=f"S{order_id}")
        await world.publish(f"dispute-d{order_id}", dispute_opened(order_id, f"d{order_id}", NOW))
    await until_read(world)
    for order_id in ("O1", "O2", "O3"):
        assert await world.kinds(order_id) == ["EvaluationOpened", "EvaluationPaused"]
    at = world.clock.advance(DAY)
    closing = dispute_closed("O1", "dO1", NOW, at, **SETTLED, resolved_by_seller=True)
    await world.publish("dispute-dO1", closing)
    await world.publish("return-r1", return_closed("O2", "r1", at))
    await world.publish("buyer-B1", right_lost(at))
    await world.publish(
        "case-c1", of_account(ViolationConfirmed, case_id="c1", review_ids=["O3-S"])
    )
    for order_id in ("O1", "O2", "O3"):
        await world.reveal(order_id)
    await until_read(world)
    assert (await world.weight("O1"))[1] == ("RATING_RIGHT_LOST", "CORROBORATED")
    assert (await world.weight("O2"))[1] == ("RATING_RIGHT_LOST", "CORROBORATED")
    assert (await world.weight("O3"))[1] == ("RATING_RIGHT_LOST",)
    assert (await world.weight("O3", "SELLER"))[1] == ("FAKE_CONFIRMED",)
