"""Goods that do not arrive: lost by the carrier, or never handed over."""

from datetime import datetime
from typing import Any

import pytest
from returns_service.domain.losing import RecordLoss
from returns_service.testing import BUYER, SYSTEM, TICK
from returns_service.testing.returns import (
    DAY,
    IDS,
    accepted,
    at,
    authorized,
    delivered_back,
    fast,
    handed_over,
    kinds,
    labelled,
    played,
    received,
    refunded,
    requested,
    return_of,
    say,
    shipped,
)
from shared_events.returns import (
    AdvanceUnrecovered,
    ExchangeDelivered,
    ExchangeShipped,
    ExchangeUnreturned,
    ReplacementReserved,
    ReturnClosed,
    ReturnEvent,
    ReturnExpired,
    UnitsAccepted,
    UnitsLost,
)
from shared_runtime.decider import InvalidValue, RoleNotAllowed

U = "1/1"
BEGUN = (requested(U), authorized(U, label_due=at(7)))
LABELLED = (*BEGUN, labelled(), shipped(U))
LOST_AT = at(5) + 45 * DAY
SWAP: dict[str, Any] = {"kind": "EXCHANGE", "wants": "EXCHANGE"}


def loses(
    now: datetime,
    *history: ReturnEvent,
    told: bool = False,
    units: tuple[str, ...] = (U,),
    **known: Any,  # noqa: ANN401 - any fact
) -> list[ReturnEvent]:
    done = played(say(RecordLoss(units=units, told=told), now, SYSTEM, **known), after=history)
    assert done.refused is None
    return done.events


def test_what_was_scanned_under_our_label_is_paid_as_if_it_had_come() -> None:
    lost, paid = loses(LOST_AT, *LABELLED, handed_over(U))
    assert lost == UnitsLost(**IDS, units=[U], covered=True)
    assert isinstance(paid, UnitsAccepted)
    assert (paid.units[0].grade, paid.by_default, paid.handling_seconds) == ("A", True, 0)
    after = return_of((*LABELLED, handed_over(U), lost, paid))
    assert (after.pieces[U].where, after.forced, after.late) == ("LOST", False, False)


def test_goods_are_lost_at_the_longest_transit_or_when_the_carrier_says_so() -> None:
    scanned = (*LABELLED, handed_over(U))
    assert loses(LOST_AT - TICK, *scanned) == []
    assert kinds(loses(at(20), *scanned, told=True)) == ["UnitsLost", "UnitsAccepted"]
    assert kinds(loses(at(20), *LABELLED, told=True)) == ["UnitsLost", "UnitsAccepted"]


def test_what_no_scanner_has_seen_under_our_label_was_never_handed_over() -> None:
    expired, closed = loses(LOST_AT, *LABELLED)
    assert expired == ReturnExpired(**IDS, units=[U], ship_by=at(17))
    assert isinstance(closed, ReturnClosed)
    assert closed.resolution == "EXPIRED"


@pytest.mark.parametrize(
    "history",
    [
        (*BEGUN, shipped(U), handed_over(U)),
        (*BEGUN, labelled(), shipped(U, tracking_id="OWN"), handed_over(U, tracking_id="OWN")),
        (*BEGUN, shipped(U)),
    ],
)
def test_what_travelled_with_another_carrier_is_the_buyers_loss_to_contest(
    history: tuple[ReturnEvent, ...],
) -> None:
    assert loses(LOST_AT, *history) == [
        UnitsLost(**IDS, units=[U], covered=False, contest_until=LOST_AT + 7 * DAY)
    ]


def test_who_waited_for_a_label_in_vain_is_covered_without_one() -> None:
    late = (*BEGUN, shipped(U, day=7), handed_over(U, day=7))
    assert kinds(loses(at(7) + 45 * DAY, *late)) == ["UnitsLost", "UnitsAccepted"]
    early = (*BEGUN, shipped(U, day=6), handed_over(U, day=7))
    assert kinds(loses(at(7) + 45 * DAY, *early)) == ["UnitsLost"], "the label was not due yet"
    (unseen,) = loses(at(7) + 45 * DAY, *BEGUN, shipped(U, day=7))
    assert isinstance(unseen, UnitsLost)
    assert unseen.covered is False
    assert kinds(loses(at(9), *BEGUN, shipped(U, day=7), told=True)) == [
        "UnitsLost",
        "UnitsAccepted",
    ]


@pytest.mark.parametrize(
    "history",
    [
        BEGUN,
        (*LABELLED, delivered_back(U)),
        (*LABELLED, received(U)),
        (*LABELLED, handed_over(U), UnitsLost(**IDS, units=[U], covered=True), accepted(U)),
    ],
)
def test_what_is_not_on_its_way_cannot_be_lost(history: tuple[ReturnEvent, ...]) -> None:
    assert loses(LOST_AT + DAY, *history) == []


def test_an_advance_for_what_is_lost_is_not_recovered() -> None:
    money = refunded(U, total=5889, shipping=490)
    done = loses(LOST_AT, *fast(U), handed_over(U), refunds=money)
    assert kinds(done) == ["UnitsLost", "AdvanceUnrecovered"]
    assert done[1] == AdvanceUnrecovered(
        **IDS, units=[U], currency="EUR", amount_minor=5889, confirmed=True
    )
    covered = loses(LOST_AT, *fast(U), labelled(), handed_over(U), refunds=money)
    assert kinds(covered) == ["UnitsLost", "UnitsAccepted", "ReturnClosed"]


def cross_shipped(original_due: datetime) -> tuple[ReturnEvent, ...]:
    return (
        *fast(U, **SWAP),
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
        ExchangeDelivered(
            **IDS, new_units=["1/1.r1"], delivered_at=at(8), original_due=original_due
        ),
    )


def test_a_lost_original_of_an_exchange_is_not_returned_once_it_is_due() -> None:
    assert kinds(loses(at(22) - TICK, *cross_shipped(at(22)), told=True)) == ["UnitsLost"]
    done = loses(at(22), *cross_shipped(at(22)), told=True)
    assert kinds(done) == ["UnitsLost", "ExchangeUnreturned", "ReturnClosed"]
    assert done[1] == ExchangeUnreturned(**IDS, units=[U], currency="EUR", amount_minor=5399)


def test_a_loss_is_told_by_carriers_and_timers_alone() -> None:
    said = RecordLoss(units=(U,))
    played(say(said, actor=BUYER), after=LABELLED).then_refused(RoleNotAllowed)
    unknown = RecordLoss(units=("1/3",))
    played(say(unknown, actor=SYSTEM), after=LABELLED).then_refused(InvalidValue)
