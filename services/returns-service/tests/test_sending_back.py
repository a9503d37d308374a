"""Goods that nobody wanted go back, or are kept: for nothing, or for their price."""

from datetime import datetime
from typing import Any

import pytest
from msgspec import Struct
from returns_service.domain.known import ContestEnd
from returns_service.domain.sending_back import AcceptKept, SendBackUnits, WaiveGoods
from returns_service.testing import BUYER, SELLER, SYSTEM, TICK
from returns_service.testing.returns import (
    IDS,
    A,
    accepted,
    at,
    authorized,
    closed,
    contested,
    fast,
    handed_over,
    kinds,
    pieces_of,
    played,
    received,
    rejected,
    requested,
    return_of,
    reviewed,
    say,
    shipped,
)
from shared_events.common import DecisionOverdue
from shared_events.returns import (
    ExchangeShipped,
    GoodsWaived,
    ReplacementReserved,
    ReturnCancelled,
    ReturnClosed,
    ReturnEvent,
    UnitsAccepted,
    UnitsSentBack,
)
from shared_runtime.decider import (
    Actor,
    InvalidValue,
    NotAParty,
    NotYetEligible,
    RoleNotAllowed,
    WindowClosed,
    WrongState,
)

U, V = "1/1", "1/2"
IN = (requested(U), authorized(U), shipped(U), received(U))
USED = (*IN, rejected(U))  # contest_until 03-17, send_back_until 03-27
FOREIGN = (*IN, rejected(U, reason="NOT_OURS"))
ASKED = (requested(U), reviewed(), received(U, unasked=True, inspect_by=None))
CANCELLED = (
    *ASKED,
    ReturnCancelled(**IDS, units=[U], send_back_until=at(20)),
    closed(U, result="CANCELLED"),
)
CONTESTED = (*USED, contested(U))
LOST_CASE: dict[str, Any] = {"contests": {U: ContestEnd(closed_at=at(40), remedied=False)}}
WON_CASE: dict[str, Any] = {"contests": {U: ContestEnd(closed_at=at(40), remedied=True)}}
SEND = SendBackUnits(units=(U,), tracking_id="T-3")
WAIVE = WaiveGoods(units=(U,))
BOTH = ((SEND, SELLER), (WAIVE, BUYER))


def told(
    said: Struct,
    now: datetime,
    *before: ReturnEvent,
    actor: Actor = SELLER,
    **known: Any,  # noqa: ANN401 - any fact
) -> list[ReturnEvent]:
    done = played(say(said, now, actor, **known), after=before)
    assert done.refused is None, done.refused
    return done.events


def keeps(now: datetime, *before: ReturnEvent, **known: Any) -> list[ReturnEvent]:  # noqa: ANN401
    return told(AcceptKept(), now, *before, actor=SYSTEM, **known)


def test_rejected_goods_that_went_back_end_their_return() -> None:
    """Case 53, the twin."""
    done = told(SEND, at(20), *USED)
    assert kinds(done) == ["UnitsSentBack", "ReturnClosed"]
    assert done[0] == UnitsSentBack(**IDS, units=[U], tracking_id="T-3")
    closed = done[1]
    assert isinstance(closed, ReturnClosed)
    assert (closed.resolution, closed.timely) == ("REJECTED", True)
    assert kinds(told(SEND, at(20), *USED, actor=SYSTEM)) == ["UnitsSentBack", "ReturnClosed"]


def test_who_does_not_want_his_goods_back_ends_his_return() -> None:
    done = told(WAIVE, at(20), *USED, actor=BUYER)
    assert kinds(done) == ["GoodsWaived", "ReturnClosed"]
    assert done[0] == GoodsWaived(**IDS, units=[U])


@pytest.mark.parametrize(("said", "actor"), BOTH)
def test_rejected_goods_go_back_between_the_contest_and_ten_days_later(
    said: Struct, actor: Actor
) -> None:
    command = say(said, at(17) - TICK, actor)
    played(command, after=USED).then_refused(NotYetEligible, eligible_from=at(17))
    assert told(said, at(17), *USED, actor=actor)
    assert told(said, at(27) - TICK, *USED, actor=actor)
    late = say(said, at(27), actor)
    played(late, after=USED).then_refused(WindowClosed, closed_at=at(27))


@pytest.mark.parametrize(("said", "actor"), BOTH)
def test_contested_goods_go_back_once_their_dispute_gave_nothing(
    said: Struct, actor: Actor
) -> None:
    open_still = say(said, at(30), actor)
    played(open_still, after=CONTESTED).then_refused(NotYetEligible, eligible_from=None)
    assert told(said, at(40), *CONTESTED, actor=actor, **LOST_CASE)
    assert told(said, at(50) - TICK, *CONTESTED, actor=actor, **LOST_CASE)
    late = say(said, at(50), actor, **LOST_CASE)
    played(late, after=CONTESTED).then_refused(WindowClosed, closed_at=at(50))
    won = say(said, at(41), actor, **WON_CASE)
    played(won, after=CONTESTED).then_refused(WrongState)


def test_unasked_goods_go_back_at_once() -> None:
    done = told(SEND, at(10), *ASKED)
    assert kinds(done) == ["UnitsSentBack"]
    after = return_of((*ASKED, *done))
    assert (after.status, after.goods_in) == ("REVIEW", [])
    assert kinds(told(SEND, at(20) - TICK, *CANCELLED)) == ["UnitsSentBack"]
    played(say(SEND, at(20), SELLER), after=CANCELLED).then_refused(WindowClosed, closed_at=at(20))


def test_goods_that_are_not_the_buyers_may_go_back_at_any_time() -> None:
    assert kinds(told(SEND, at(60), *FOREIGN)) == ["UnitsSentBack", "ReturnClosed"]


SWAPPED = (
    *fast(U, kind="EXCHANGE", wants="EXCHANGE"),
    handed_over(U),
    ReplacementReserved(
        **IDS,
        units=[U],
        new_units=["1/1.r1"],
        sku="sku-1",
        currency="EUR",
        difference_minor=0,
        ship_by=at(13),
        cross_shipped=True,
    ),
    ExchangeShipped(
        **IDS,
        units=[U],
        new_units=["1/1.r1"],
        tracking_id="T-9",
        currency="EUR",
        difference_minor=0,
        shipped_at=at(6),
    ),
    received(U),
    rejected(U),
)


@pytest.mark.parametrize(
    "history",
    [
        IN,
        (*IN, accepted(U)),
        (*IN, rejected(U, reason="SHORT")),
        (requested(U), reviewed(), received(U, unasked=True, as_found={U: "SHORT"})),
        (*fast(U), handed_over(U), received(U), rejected(U)),
        SWAPPED,
        (*USED, UnitsSentBack(**IDS, units=[U], tracking_id="T-3")),
        (*USED, GoodsWaived(**IDS, units=[U])),
    ],
)
def test_there_is_nothing_to_send_back_of_what_is_paid_kept_or_gone(
    history: tuple[ReturnEvent, ...],
) -> None:
    for said, actor in BOTH:
        command = say(said, at(20), actor)
        played(command, after=history).then_refused(WrongState)
    assert told(SEND, at(20), *history, actor=SYSTEM) == []
    assert keeps(at(90), *history) == []


def test_the_seller_sends_back_and_the_buyer_waives() -> None:
    for said, wrong, stranger in (
        (SEND, BUYER, Actor(role="SELLER", id="S2")),
        (WAIVE, SELLER, Actor(role="BUYER", id="B2")),
    ):
        played(say(said, at(20), wrong), after=USED).then_refused(RoleNotAllowed)
        played(say(said, at(20), stranger), after=USED).then_refused(NotAParty)
    unknown = SendBackUnits(units=(V,), tracking_id="T-3")
    played(say(unknown, at(20), SELLER), after=USED).then_refused(InvalidValue)


def test_who_keeps_rejected_goods_pays_for_them() -> None:
    """Case 53."""
    assert keeps(at(27) - TICK, *USED) == []
    (done,) = keeps(at(27), *USED)
    assert isinstance(done, UnitsAccepted)
    assert (done.by_default, done.units[0].grade, done.units[0].deduction_milli) == (True, "A", 0)
    after = return_of((*USED, done))
    assert (after.status, after.late, after.forced) == ("RESOLVING", True, False)
    assert keeps(at(28), *USED, done) == []


def test_goods_that_were_contested_in_vain_and_kept_are_paid() -> None:
    assert keeps(at(60), *CONTESTED) == []
    assert keeps(at(50) - TICK, *CONTESTED, **LOST_CASE) == []
    assert kinds(keeps(at(50), *CONTESTED, **LOST_CASE)) == ["UnitsAccepted"]
    assert keeps(at(60), *CONTESTED, **WON_CASE) == []
    taken = pieces_of(A, in_return={U: "RT-9"})
    elsewhere = keeps(at(50), *CONTESTED, pieces=taken, **LOST_CASE)
    assert kinds(elsewhere) == ["DecisionOverdue", "ReturnClosed"], "nor is it paid twice"


def test_unasked_goods_that_were_kept_are_paid_unless_another_return_has_them() -> None:
    assert keeps(at(20) - TICK, *CANCELLED) == []
    assert kinds(keeps(at(20), *CANCELLED)) == ["UnitsAccepted"]
    done = (*CANCELLED, *keeps(at(20), *CANCELLED))
    assert return_of(done).pieces[U].left is None
    taken = pieces_of(A, in_return={U: "RT-9"})
    assert kinds(keeps(at(20), *CANCELLED, pieces=taken)) == ["DecisionOverdue"]


def test_that_goods_which_are_not_the_buyers_are_still_there_is_told_once() -> None:
    noted = DecisionOverdue(**IDS, what="SEND_BACK", ref_id="RT-1", due_at=at(27))
    over = (*FOREIGN, closed(U, result="REJECTED", day=17))
    assert keeps(at(27) - TICK, *over) == []
    assert keeps(at(27), *over) == [noted]
    assert keeps(at(28), *over, noted) == []
    wrong = (requested(U), reviewed(), received(U, unasked=True, as_found={U: "WRONG_ITEM"}))
    strange = (*wrong, *CANCELLED[-2:])
    assert kinds(keeps(at(20), *strange)) == ["DecisionOverdue"]


def test_what_is_kept_is_told_apart_piece_by_piece() -> None:
    both = (
        requested(U, V),
        authorized(U, V),
        received(U, V),
        rejected(U),
        rejected(V, reason="WRONG_ITEM"),
    )
    done = keeps(at(27), *both)
    assert kinds(done) == ["UnitsAccepted", "DecisionOverdue"]
