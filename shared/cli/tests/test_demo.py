"""The demo marketplace: the same for the same seed, and every name tells a story that is true."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from statistics import mean

import msgspec
import pytest
from shared_cli.bulk_line import BuyerReview, Line, SellerReview
from shared_cli.demo import marketplace
from shared_cli.demo_stories import STORIES

NOW = datetime(2026, 7, 1, 12, 0, 0, 5, tzinfo=UTC)
DAY = timedelta(days=1)
HALF_A_YEAR = 180 * DAY


@pytest.fixture(scope="module")
def lines() -> list[Line]:
    return [msgspec.json.decode(line, type=Line) for line in marketplace(7, 3_000, NOW)]


@pytest.fixture(scope="module")
def sold(lines: list[Line]) -> dict[str, list[Line]]:
    by_seller: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        by_seller[line.order.seller_id].append(line)
    return by_seller


def reviews(sold: Iterable[Line]) -> list[BuyerReview]:
    return [each for line in sold for each in line.reviews if isinstance(each, BuyerReview)]


def stars(sold: Iterable[Line], dimension: str = "quality") -> float:
    given: list[int] = [getattr(review, dimension) for review in reviews(sold)]
    return mean(given)


def between(sold: Iterable[Line], since: int, until: int) -> list[Line]:
    """Placed from so many days before the end to so many."""
    return [s for s in sold if NOW - since * DAY <= s.order.placed_at < NOW - until * DAY]


def test_the_same_seed_tells_the_same_story_to_the_last_byte() -> None:
    assert list(marketplace(7, 300, NOW)) == list(marketplace(7, 300, NOW))
    assert list(marketplace(7, 300, NOW)) != list(marketplace(8, 300, NOW))


@pytest.mark.parametrize("orders", [0, 1, 33, 34, 500, 3_000])
def test_there_are_as_many_orders_as_asked_for(orders: int) -> None:
    assert len(list(marketplace(7, orders, NOW))) == orders


def test_every_seller_sells_and_every_order_has_an_id_of_its_own(
    lines: list[Line], sold: dict[str, list[Line]]
) -> None:
    assert set(sold) == {story.seller_id for story in STORIES}
    assert len({line.order.order_id for line in lines}) == len(lines)


def test_it_is_told_from_the_beginning_and_ends_now(lines: list[Line]) -> None:
    placed = [line.order.placed_at for line in lines]
    assert placed == sorted(placed)
    assert NOW - 541 * DAY < placed[0] < NOW - 520 * DAY
    assert max(instant for line in lines for instant in instants(line)) <= NOW


def instants(line: Line) -> list[datetime]:
    steps = (line.paid, line.shipped, line.delivered, line.completed, line.cancelled)
    return [line.order.placed_at, *(step.at for step in steps if step)]


def test_no_step_is_taken_before_the_one_before_it(lines: list[Line]) -> None:
    assert all(instants(line) == sorted(instants(line)) for line in lines)


def test_reviews_come_within_their_window_of_completed_orders(lines: list[Line]) -> None:
    for line in lines:
        for review in line.reviews:
            assert line.completed
            assert line.completed.at <= review.at < line.completed.at + 15 * DAY


def test_every_total_is_the_sum_of_its_parts(lines: list[Line]) -> None:
    for line in lines:
        order = line.order
        goods = sum(each.quantity * each.unit_price.amount for each in order.lines)
        discount = order.order_discount.amount if order.order_discount else 0
        assert order.total.amount == goods - discount + order.shipping.amount


def test_both_sides_review_and_seldom_all_is_said(lines: list[Line]) -> None:
    sides = Counter(tuple(sorted({type(r).__name__ for r in line.reviews})) for line in lines)
    assert set(sides) == {
        (),
        (BuyerReview.__name__,),
        (SellerReview.__name__,),
        (BuyerReview.__name__, SellerReview.__name__),
    }
    assert all(count > 200 for count in sides.values())


def test_some_orders_are_cancelled_and_the_newest_are_under_way(lines: list[Line]) -> None:
    assert 100 < sum(line.cancelled is not None for line in lines) < 400
    under_way = [line for line in lines if not line.completed and not line.cancelled]
    assert 10 < len(under_way) < 100
    assert all(line.order.placed_at > NOW - 25 * DAY for line in under_way)
    reached = {(line.paid is None, line.shipped is None, line.delivered is None) for line in lines}
    assert len(reached) == 4


def test_buyers_seldom_come_back(lines: list[Line]) -> None:
    orders = Counter(line.order.buyer_id for line in lines)
    assert 0.85 < sum(count == 1 for count in orders.values()) / len(orders) < 0.99


def test_the_good_one_is_good_and_the_careless_one_is_not(sold: dict[str, list[Line]]) -> None:
    assert stars(sold["steady-books"]) > 4.4
    assert stars(sold["careless-lamps"]) < 2.3


def test_the_slow_one_sells_good_things_late(sold: dict[str, list[Line]]) -> None:
    slow = sold["slow-ceramics"]
    assert stars(slow) - stars(slow, "logistics") > 1.2
    delivered = [s for s in slow if s.delivered and s.order.deliver_by]
    late = [s for s in delivered if s.delivered and s.delivered.at > (s.order.deliver_by or NOW)]
    assert len(late) > 0.45 * len(delivered)


def test_the_rude_one_loses_stars_for_service_alone(sold: dict[str, list[Line]]) -> None:
    rude = sold["rude-repairs"]
    assert stars(rude) - stars(rude, "service") > 1.5


def test_one_recovers_and_one_turns_bad(sold: dict[str, list[Line]]) -> None:
    recovering, fading = sold["recovering-shoes"], sold["fading-phones"]
    assert stars(between(recovering, 541, 240)) < 2.5
    assert stars(between(recovering, 240, 0)) > 4.3
    assert stars(between(fading, 541, 100)) > 4.3
    assert stars(between(fading, 100, 0)) < 2.7


def test_the_burst_is_of_new_accounts_within_a_week(sold: dict[str, list[Line]]) -> None:
    victim = sold["burst-bags"]
    hostile = [
        s
        for s in victim
        if any(isinstance(r, BuyerReview) and r.quality == r.logistics == 1 for r in s.reviews)
        and s.order.buyer_registered_at
        and s.order.placed_at - s.order.buyer_registered_at < DAY
    ]
    assert len(hostile) == 30
    told = [review.at for review in reviews(hostile)]
    assert max(told) - min(told) < 7 * DAY
    assert stars([s for s in victim if s not in hostile]) > 4.3


def test_the_newcomers_are_new_and_the_dormant_one_sleeps(sold: dict[str, list[Line]]) -> None:
    for newcomer in ("newcomer-candles", "newcomer-kites"):
        assert all(s.order.placed_at > NOW - 61 * DAY for s in sold[newcomer])
    assert all(s.order.placed_at < NOW - 390 * DAY for s in sold["dormant-gardens"])
    assert len(reviews(sold["newcomer-candles"])) < 10 <= len(reviews(sold["dormant-gardens"]))


def test_cheap_orders_are_below_what_a_review_must_be_worth(sold: dict[str, list[Line]]) -> None:
    assert all(s.order.total_ref.amount < 500 for s in sold["cheap-stickers"])
    others = [s for name, each in sold.items() if name != "cheap-stickers" for s in each]
    assert all(s.order.total_ref.amount >= 500 for s in others)


def test_gifts_are_declared(sold: dict[str, list[Line]]) -> None:
    declared = [r.incentive != "NONE" for r in reviews(sold["gifted-gadgets"])]
    assert mean(declared) > 0.7
    assert not any(r.incentive != "NONE" for r in reviews(sold["steady-books"]))


def test_some_sellers_are_big_some_small_some_seldom_reviewed(sold: dict[str, list[Line]]) -> None:
    assert len(sold["big-bazaar"]) > 20 * len(sold["small-violins"])
    assert len(reviews(sold["quiet-quilts"])) < 0.25 * len(sold["quiet-quilts"])
    cancelled = [s.cancelled is not None for s in sold["sold-out-toys"]]
    assert mean(cancelled) > 0.25
