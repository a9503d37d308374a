"""The money of a piece goes over to the one in its place."""

import pytest
from returns_service.domain.replacing import Pair, ReplaceUnits
from returns_service.testing import (
    ORDER_B,
    asks,
    history,
    ledger_after,
    line,
    opened,
    order,
    played,
    replaced,
    say,
)
from returns_service.testing.stories import OPEN
from shared_events.returns import ReplacedUnit, UnitsReplaced
from shared_runtime.decider import InvalidValue, WrongState


def moved(*said: ReplaceUnits) -> list[tuple[int, int]]:
    (*_, last) = history(*OPEN, *map(say, said))
    assert isinstance(last, UnitsReplaced)
    return [(each.moved_minor, each.added_minor) for each in last.pairs]


def test_what_is_left_of_the_old_piece_is_the_new_ones() -> None:
    """Worked case 29."""
    (_, told) = history(*OPEN, say(replaced("1/1")))
    assert isinstance(told, UnitsReplaced)
    assert told.pairs == [
        ReplacedUnit(old_unit="1/1", new_unit="1/1.r1", moved_minor=5399, added_minor=0)
    ]
    remaining = ledger_after(*OPEN, say(replaced("1/1"))).remaining
    assert list(remaining.units.items())[:2] == [("1/1", 0), ("1/1.r1", 5399)]
    assert remaining.order_minor == 16198


def test_a_difference_that_was_paid_is_added_in_proportion() -> None:
    assert moved(replaced("1/2", "1/3", difference=1001)) == [(5399, 500), (5400, 501)]
    assert moved(replaced("1/1", difference=-400)) == [(5399, 0)]
    story = (*OPEN, say(replaced("1/1", difference=600)))
    assert ledger_after(*story).remaining.order_minor == 16798


def test_where_nothing_is_left_of_any_it_is_added_equally() -> None:
    free = order(line("1", 2, 0), line("2", 1, 100))
    (_, told) = history(opened(free), say(replaced("1/1", "1/2", difference=101)))
    assert isinstance(told, UnitsReplaced)
    assert [each.added_minor for each in told.pairs] == [51, 50]


def test_a_replacement_is_replaced_in_its_turn() -> None:
    assert moved(replaced("1/1", difference=250), replaced("1/1.r1")) == [(5649, 0)]


def test_the_same_replacement_moves_once() -> None:
    twice = say(replaced("1/1", difference=100))
    assert len(played(twice, twice, after=history(*OPEN)).events) == 1
    more = played(say(replaced("1/1", "1/2")), after=history(*OPEN, twice)).events
    (told,) = more
    assert [each.new_unit for each in told.pairs] == ["1/2.r1"]


def test_a_piece_sent_in_the_place_of_one_sent_ahead_waits_for_the_first() -> None:
    played(say(replaced("1/1.r1")), after=history(*OPEN)).then_refused(WrongState)
    played(say(replaced("1/1"))).then_refused(WrongState)


@pytest.mark.parametrize(
    "pairs",
    [
        (),
        (("7/1", "7/1.r1"),),
        (("1/1", "1/2"),),
        (("1/1", "1/1.r2"),),
        (("1/1", "1/1.r1"), ("1/1", "1/1.r1")),
        (("1/1", "1/1.r1"), ("1/1.r1", "1/1.r2")),
    ],
)
def test_a_piece_is_replaced_by_the_next_in_its_place(pairs: tuple[tuple[str, str], ...]) -> None:
    said = ReplaceUnits(
        return_id="RT-1",
        pairs=tuple(Pair(old_unit=old, new_unit=new) for old, new in pairs),
        difference_minor=0,
        currency="EUR",
    )
    played(say(said), after=history(*OPEN)).then_refused(InvalidValue)


def test_shipping_waits_for_the_replacement() -> None:
    first = asks("f-1", "1/2", "2/1", seller_at_fault=True)
    story = (opened(ORDER_B), say(replaced("1/1")), say(first))
    assert ledger_after(*story).remaining.shipping_minor == 490
    back = (*story, say(asks("f-2", "1/1.r1")))
    assert ledger_after(*back).remaining.order_minor == 0
