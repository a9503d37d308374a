"""Events of other services in, rows and what they tell of an order out; who has reviewed whom."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import asyncpg
import pytest
from msgspec import Struct
from msgspec.structs import replace
from review_service.domain.known import Measure
from review_service.domain.weight import PairReview
from review_service.fact_rows import (
    Accusation,
    Delay,
    Dispute,
    accusation,
    dispute,
    goods_return,
    refund,
)
from review_service.facts import NOTHING, FactsOf, Parties, read_known
from review_service.pairs import EACH_SIGN_MAX, Pairs, read_pairs, sign_of, write_pairs
from shared_casework.people import InForce, Lifted, in_force
from shared_events.dispute import DisputeClosed, DisputeOpened
from shared_events.reputation import (
    CaseDismissed,
    CaseOpened,
    MeasureApplied,
    ViolationAppealDecided,
    ViolationConfirmed,
)
from shared_events.returns import ClosedUnit, RefundIssued, ReturnClosed, UnitsAccepted
from shared_events.review import ReviewWeighted
from shared_events.samples import sample
from shared_runtime.log import Planned
from shared_runtime.testing import facts

AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)


def told[E: Struct](kind: type[E], **fields: Any) -> E:  # noqa: ANN401
    told_of: E = replace(cast("E", sample(kind)), **fields)
    return told_of


# --- Rows


def test_a_dispute_is_open_from_its_opening_until_before_its_end() -> None:
    opened = dispute(None, told(DisputeOpened, opened_at=AT))
    assert not opened.is_open(AT - TICK)
    assert opened.is_open(AT)
    assert opened.is_open(AT + 99 * DAY)
    closed = dispute(opened, told(DisputeClosed, opened_at=AT, closed_at=AT + DAY))
    assert closed.is_open(AT + DAY - TICK)
    assert not closed.is_open(AT + DAY)


def test_a_dispute_whose_opening_was_left_out_is_known_by_its_end() -> None:
    closed = told(DisputeClosed, opened_at=AT, closed_at=AT + DAY, dispute_id="d1")
    row = dispute(None, closed)
    assert (row.dispute_id, row.opened_at, row.closed_at) == ("d1", AT, AT + DAY)


def test_a_return_corroborates_once_units_were_accepted_or_refunded() -> None:
    units = [ClosedUnit(unit="1/1", result="DECLINED")]
    declined = told(ReturnClosed, units=units, refunded_minor=0, resolution="DECLINED")
    assert not goods_return(None, declined).corroborates
    accepted = goods_return(None, told(UnitsAccepted))
    assert accepted.corroborates
    assert goods_return(accepted, declined).corroborates
    assert goods_return(None, replace(declined, refunded_minor=1)).corroborates


def test_only_the_first_refund_is_kept() -> None:
    first = refund(None, told(RefundIssued, issued_at=AT))
    assert refund(first, told(RefundIssued, issued_at=AT + DAY)) is first


def test_a_measure_is_in_force_until_it_ends_or_is_lifted() -> None:
    applied = told(MeasureApplied, starts_at=AT, ends_at=AT + 9 * DAY, measure_id="m1")
    row = in_force(None, applied)
    assert row is not None
    assert [row.is_in_force(at) for at in (AT - TICK, AT, AT + 9 * DAY)] == [False, True, False]
    lifted = in_force(row, Lifted(measure_id="m1", by_reversal=False, at=AT + DAY))
    assert lifted is not None
    assert lifted.is_in_force(AT + DAY - TICK)
    assert not lifted.is_in_force(AT + DAY)


def test_a_measure_takes_what_was_written_before_its_end_and_a_reversal_gives_it_back() -> None:
    row = InForce(measure_id="m1", person="buyer:B1", starts_at=AT)
    assert row.takes(AT - 300 * DAY)
    ended = in_force(row, Lifted(measure_id="m1", by_reversal=False, at=AT + DAY))
    assert ended is not None
    assert ended.takes(AT + DAY - TICK)
    assert not ended.takes(AT + DAY)
    reversed_ = in_force(row, Lifted(measure_id="m1", by_reversal=True, at=AT + DAY))
    assert reversed_ is not None
    assert not reversed_.takes(AT - 300 * DAY)


def test_what_lifts_a_measure_that_is_not_known_leaves_nothing() -> None:
    assert in_force(None, Lifted(measure_id="m1", by_reversal=True, at=AT)) is None


@pytest.mark.parametrize(
    ("events", "standing"),
    [
        ([CaseOpened], "OPEN"),
        ([CaseOpened, CaseDismissed], "GONE"),
        ([CaseOpened, ViolationConfirmed], "CONFIRMED"),
    ],
)
def test_where_an_accusation_stands(events: list[type[Any]], standing: str) -> None:
    row: Accusation | None = None
    for kind in events:
        row = accusation(row, told(kind, case_id="c1"))
    assert row is not None
    assert row.standing == standing


@pytest.mark.parametrize(
    ("outcome", "standing"),
    [("UPHELD", "CONFIRMED"), ("REDUCED", "CONFIRMED"), ("REVERSED", "GONE")],
)
def test_only_a_reversal_ends_a_confirmed_violation(outcome: str, standing: str) -> None:
    confirmed = accusation(None, told(ViolationConfirmed, case_id="c1"))
    row = accusation(confirmed, told(ViolationAppealDecided, case_id="c1", outcome=outcome))
    assert row is not None
    assert row.standing == standing


# --- What is known of an order


def test_disputes_are_open_as_of_an_instant_in_the_order_of_their_opening() -> None:
    known = FactsOf(
        disputes=(
            Dispute(dispute_id="d2", order_id="O1", opened_at=AT + 2 * DAY),
            Dispute(dispute_id="d1", order_id="O1", opened_at=AT, closed_at=AT + 4 * DAY),
        )
    )
    assert known.open_disputes(AT + DAY) == ("d1",)
    assert known.open_disputes(AT + 3 * DAY) == ("d1", "d2")
    assert known.open_disputes(AT + 4 * DAY) == ("d2",)


def test_the_measure_in_force_on_a_side_is_named_with_its_end() -> None:
    lost = InForce(measure_id="m1", person="buyer:B1", starts_at=AT, ends_at=AT + DAY)
    known = FactsOf(rights_lost={"BUYER": (lost,)})
    assert known.measure_on("BUYER", AT) == Measure(measure_id="m1", until=AT + DAY)
    assert known.measure_on("BUYER", AT + DAY) is None
    assert known.measure_on("SELLER", AT) is None


def test_a_declared_incident_goes_before_the_judgement_of_a_dispute() -> None:
    carrier = Dispute(dispute_id="d1", order_id="O1", opened_at=AT, by_carrier=True)
    assert NOTHING.carriage() is None
    assert FactsOf(disputes=(carrier,)).carriage() == ("CARRIER", "d1")
    storm = Delay(order_id="O1", incident_id="storm", liable="FORCE_MAJEURE")
    assert FactsOf(disputes=(carrier,), delay=storm).carriage() == ("FORCE_MAJEURE", "storm")


async def test_orders_that_nothing_is_known_of_are_left_out(pool: asyncpg.Pool) -> None:
    await pool.execute(
        "INSERT INTO facts.refund (order_id, issued_at) VALUES ('O1', $1), ('O9', $1)", AT
    )
    await pool.execute("INSERT INTO facts.erased (person, erased_at) VALUES ('seller:S3', $1)", AT)
    parties = {f"O{n}": Parties(buyer_id=f"B{n}", seller_id=f"S{n}") for n in (1, 2, 3)}
    known = await read_known(parties, pool)
    assert known.keys() == {"O1", "O3"}
    assert known["O1"].refund is not None
    assert known["O3"].erased == {"SELLER"}


# --- Pairs


def weighted(order_id: str, **fields: Any) -> ReviewWeighted:  # noqa: ANN401
    plain = {
        "order_id": order_id,
        "buyer_id": "B1",
        "seller_id": "S1",
        "side": "BUYER",
        "seq": 1,
        "quality": 5,
        "logistics": 5,
        "service": 5,
        "rating": None,
        "weight_milli": 1000,
        "counted_at": AT,
    }
    return told(ReviewWeighted, **(plain | fields))


def planned(*events: ReviewWeighted) -> list[Planned]:
    return [each for e in events for each in facts(f"evaluation-{e.order_id}", e, at=AT)]


GOOD = PairReview(sign="GOOD", counted_at=AT)


@pytest.mark.parametrize(
    ("stars", "sign"), [(15, "GOOD"), (12, "GOOD"), (11, "NEUTRAL"), (8, "NEUTRAL"), (7, "BAD")]
)
def test_the_sign_of_a_review_is_that_of_the_sum_of_its_stars(stars: int, sign: str) -> None:
    quality = min(5, stars - 2)
    logistics = min(5, stars - quality - 1)
    event = weighted(
        "O1", quality=quality, logistics=logistics, service=stars - quality - logistics
    )
    assert sign_of(event) == sign


async def of_pair(pool: asyncpg.Pool, order_id: str = "O9", at: datetime = AT) -> Any:  # noqa: ANN401
    read = await read_pairs({order_id: ("B1", "S1")}, {order_id: at}, pool)
    return read.of(order_id, "B1", "S1")


async def test_the_reviews_of_a_pair_that_count_are_kept(pool: asyncpg.Pool) -> None:
    others = weighted("O2", seller_id="S2"), weighted("O3", side="SELLER", buyer_id="B1")
    await write_pairs(planned(weighted("O1"), *others), pool)
    assert await of_pair(pool) == (GOOD,)
    assert await of_pair(pool, order_id="O1") == ()
    assert await of_pair(pool, at=AT - TICK) == (GOOD,)


async def test_of_many_reviews_of_a_pair_the_nearest_are_read(pool: asyncpg.Pool) -> None:
    days = [weighted(f"O{n}", counted_at=AT + n * DAY) for n in range(-40, 40)]
    await write_pairs(planned(*days), pool)
    read = [told.counted_at for told in await of_pair(pool, order_id="O-other")]
    assert len(read) == EACH_SIGN_MAX
    assert max(abs(each - AT) for each in read) <= EACH_SIGN_MAX // 2 * DAY


async def test_the_last_weight_of_a_review_says_whether_it_counts(pool: asyncpg.Pool) -> None:
    await write_pairs(planned(weighted("O1", seq=2, weight_milli=0)), pool)
    assert await of_pair(pool) == ()
    await write_pairs(planned(weighted("O1", seq=1)), pool)
    assert await of_pair(pool) == ()
    await write_pairs(planned(weighted("O1", seq=3, quality=1, logistics=1, service=1)), pool)
    assert await of_pair(pool) == (PairReview(sign="BAD", counted_at=AT),)


def test_what_is_decided_meanwhile_is_seen_by_the_next_of_the_pair() -> None:
    pairs, so_far = Pairs(), planned(weighted("O1"))
    pairs.take_in(so_far)
    assert pairs.of("O2", "B1", "S1") == (GOOD,)
    assert pairs.of("O1", "B1", "S1") == ()
    so_far += planned(weighted("O1", seq=2, weight_milli=0), weighted("O3"))
    pairs.take_in(so_far)
    assert pairs.of("O2", "B1", "S1") == (GOOD,)
    del so_far[1:]
    pairs.take_in(so_far)
    assert pairs.of("O3", "B1", "S1") == (GOOD,)
    pairs.take_in([])
    assert pairs.of("O2", "B1", "S1") == ()
