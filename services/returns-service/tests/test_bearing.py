"""Who bears an advance for goods that are not recovered: the platform, and once."""

from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace
from returns_service.domain.bearing import MoveCost
from returns_service.domain.bouncing import BounceRefund
from returns_service.domain.ledger_readers import ledger_read_by
from returns_service.domain.ledger_rules import LedgerCommand
from returns_service.domain.outside import UndoOutsideRefund
from returns_service.domain.requesting import AskedUnit, RequestRefund
from returns_service.testing import (
    AGENT,
    BUYER,
    NOW,
    ORDER_B,
    SELLER,
    asks,
    at,
    charged_back,
    history,
    ledger_after,
    opened,
    paid,
    played,
    refused,
    reissue,
    remedy,
    say,
)
from returns_service.testing.stories import OPEN
from returns_service.views import ledger_view
from shared_events.returns import CostMoved, RefundedUnit, RefundRequested
from shared_runtime.decider import WrongState
from shared_runtime.rule import By

BOTH = ("1/1", "1/2")
ADVANCE: RequestRefund = replace(
    asks("f-1", *BOTH, advance=True),
    units=tuple(AskedUnit(unit=unit, standing="ADVANCED") for unit in BOTH),
)
ASKED = (*OPEN, say(ADVANCE, at(2)))
PAID = (*ASKED, say(paid("f-1"), at(3)))


def lost(*units: str, **told: Any) -> MoveCost:  # noqa: ANN401 - any field
    whole: dict[str, Any] = {"return_id": "RT-1", "borne_by": "PLATFORM"} | told
    return MoveCost(units=units, **whole)


def came_after_all(*units: str) -> MoveCost:
    return lost(*units, borne_by="SELLER")


def borne(*commands: LedgerCommand) -> tuple[int, int]:
    """By the seller, and by the platform: of all that is settled."""
    by = By(actor=SELLER, now=NOW, known=commands[0].by.known)
    sums = ledger_view(ledger_read_by(SELLER, history(*commands)), by).sums
    return sums.borne_by_seller.amount, sums.borne_by_platform.amount


def moves(*commands: LedgerCommand) -> list[int]:
    return [each.total_minor for each in history(*commands) if isinstance(each, CostMoved)]


# --- To the platform


def test_what_an_advance_gave_for_lost_goods_is_the_platforms() -> None:
    events = history(*PAID, say(lost("1/1"), at(6)))
    last = events[-1]
    assert isinstance(last, CostMoved)
    assert (last.refund_id, last.borne_by, last.total_minor) == ("f-1", "PLATFORM", 5399)
    assert last.units == [RefundedUnit(unit="1/1", amount_minor=5399)]


def test_what_the_platform_bears_more_the_seller_bears_less() -> None:
    assert borne(*PAID) == (10798, 0)
    assert borne(*PAID, say(lost("1/1"), at(6))) == (5399, 5399)
    assert borne(*PAID, say(lost(*BOTH), at(6))) == (0, 10798)


def test_it_moves_once_however_often_it_is_told() -> None:
    told = (*PAID, say(lost("1/1"), at(6)))
    played(say(lost("1/1"), at(7)), after=history(*told)).then_nothing()
    both = (*told, say(lost(*BOTH), at(7)))
    assert moves(*both) == [5399, 5399]
    assert borne(*both) == (0, 10798)


def test_shipping_that_came_with_it_moves_with_the_first_of_its_pieces() -> None:
    whole = ("1/1", "1/2", "2/1")
    asked = asks("f-1", *whole, seller_at_fault=True)
    given = (opened(ORDER_B), say(asked, at(2)), say(paid("f-1"), at(3)))
    one, rest = say(lost("1/1"), at(6)), say(lost(*whole), at(7))
    assert moves(*given, one, rest) == [1060 + 490, 1061 + 678]
    assert borne(*given, one, rest) == (0, 3289)


def test_before_it_is_paid_nobody_bears_it() -> None:
    told = (*ASKED, say(lost(*BOTH), at(3)))
    assert borne(*told) == (0, 0)
    assert borne(*told, say(paid("f-1"), at(4))) == (0, 10798)


def test_of_another_return_or_of_what_the_platform_bears_anyway_nothing_moves() -> None:
    after = history(*PAID)
    played(say(lost("1/1", return_id="RT-2"), at(6)), after=after).then_nothing()
    played(say(lost("1/3"), at(6)), after=after).then_nothing()
    of_platform = remedy("f-1", "1/1", liable="PLATFORM")
    given = (*OPEN, say(of_platform, at(2)), say(paid("f-1"), at(3)))
    again = say(lost("1/1", remedy_ids=("D-1",)), at(6))
    played(again, after=history(*given)).then_nothing()
    assert borne(*given) == (0, 5399)


def test_what_a_remedy_of_the_return_gave_is_of_it_too() -> None:
    given = (*OPEN, say(remedy("f-1", "1/1"), at(2)), say(paid("f-1"), at(3)))
    assert moves(*given, say(lost("1/1", remedy_ids=("D-1",)), at(6))) == [5399]


def test_of_a_ledger_that_is_not_open_nothing_can_move() -> None:
    played(say(lost("1/1"))).then_refused(WrongState)


# --- Asked for again


@pytest.mark.parametrize("end", [refused("f-1"), BounceRefund(refund_id="f-1", code="CLOSED")])
def test_what_is_reissued_takes_it_along(end: Struct) -> None:
    before = PAID if isinstance(end, BounceRefund) else ASKED
    told = (*before, say(lost("1/1"), at(4)), say(end, at(5)))
    assert borne(*told) == (0, 0)
    again = (*told, say(reissue("f-2", "f-1"), at(6), AGENT))
    assert moves(*again) == [5399, 5399]
    assert borne(*again, say(paid("f-2"), at(7))) == (5399, 5399)
    anew = (*told, say(replace(ADVANCE, refund_id="f-2", reissues="f-1"), at(6)))
    assert borne(*anew, say(paid("f-2"), at(7))) == (5399, 5399)


def test_what_is_told_after_the_reissue_moves_there_alone() -> None:
    again = (*ASKED, say(refused("f-1"), at(3)), say(reissue("f-2", "f-1"), at(4), AGENT))
    (event,) = played(say(lost("1/1"), at(5)), after=history(*again)).events
    assert event.refund_id == "f-2"


def test_what_was_clipped_and_is_asked_for_again_is_the_platforms_too() -> None:
    given = (*OPEN, say(charged_back("cb-1", 11000), at(1)), say(ADVANCE, at(2)))
    told = (*given, say(paid("f-1"), at(3)), say(lost(*BOTH), at(4)))
    assert borne(*told) == (0, 5198)
    undone = (*told, say(UndoOutsideRefund(outside_id="cb-1"), at(5)))
    rest = replace(ADVANCE, refund_id="f-2", outside_id="cb-1", amount_minor=5600)
    assert borne(*undone, say(rest, at(6)), say(paid("f-2"), at(7))) == (0, 10798)


# --- It came after all


def test_for_goods_that_came_after_all_the_seller_bears_it_again() -> None:
    told = (*PAID, say(lost(*BOTH), at(6)), say(came_after_all("1/1"), at(8)))
    assert borne(*told) == (5399, 5399)
    played(say(came_after_all("1/1"), at(9)), after=history(*told)).then_nothing()
    last = history(*told, say(came_after_all("1/2"), at(9)))[-1]
    assert isinstance(last, CostMoved)
    assert (last.borne_by, last.total_minor) == ("SELLER", 5399)


def test_the_shipping_comes_back_with_the_last_of_its_pieces() -> None:
    whole = ("1/1", "1/2", "2/1")
    asked = asks("f-1", *whole, seller_at_fault=True)
    given = (opened(ORDER_B), say(asked, at(2)), say(paid("f-1"), at(3)), say(lost(*whole), at(4)))
    back = (*given, say(came_after_all("1/1"), at(5)), say(came_after_all("1/2", "2/1"), at(6)))
    assert moves(*back) == [3289, 1060, 1061 + 678 + 490]
    assert borne(*back) == (3289, 0)


def test_of_an_advance_that_was_recovered_from_the_beginning_nothing_moves_back() -> None:
    played(say(came_after_all("1/1"), at(6)), after=history(*PAID)).then_nothing()


# --- What it is not


def test_the_buyer_is_not_shown_that_an_advance_was_lost() -> None:
    events = history(*PAID, say(lost("1/1"), at(6)))
    shown = ledger_read_by(BUYER, events)
    assert not any(isinstance(each, CostMoved) for each in shown.events)
    assert ledger_read_by(SELLER, events).version == len(events)


def test_no_money_moves_by_it() -> None:
    before, after = ledger_after(*PAID), ledger_after(*PAID, say(lost("1/1"), at(6)))
    assert (after.remaining, after.refunded_minor) == (before.remaining, before.refunded_minor)
    requests = [each for each in history(*PAID) if isinstance(each, RefundRequested)]
    assert [each.borne_by for each in requests] == ["SELLER"]
