"""What the carrier's scanner tells of goods on their way back: in any order, late, and twice."""

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from returns_service.domain.scanning import RecordScan
from returns_service.testing import BUYER, SYSTEM, TICK
from returns_service.testing.returns import (
    DAY,
    FILE,
    IDS,
    accepted,
    at,
    authorized,
    delivered_back,
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
    withdrawn,
)
from returns_service.testing.returns import A as ORDER
from shared_events.returns import (
    OfferDeclined,
    PartialOfferMade,
    ReturnCancelled,
    ReturnEvent,
    ReturnExpired,
    ReturnScanned,
    UnitsAccepted,
    UnitsLost,
    UnitsRevived,
)
from shared_runtime.decider import InvalidValue, RoleNotAllowed

U, V = "1/1", "1/2"
BEGUN = (requested(U, V), authorized(U, V))
EXPIRED = ReturnExpired(**IDS, units=[U, V], ship_by=at(17))
NOT_COVERED = UnitsLost(**IDS, units=[U], covered=False, contest_until=at(60))
COVERED = UnitsLost(**IDS, units=[U], covered=True)
TAKEN = pieces_of(ORDER, in_return={U: "RT-9"})


def scan(kind: Any, *units: str, day: int = 5, tracking_id: str | None = "T-1") -> RecordScan:  # noqa: ANN401
    return RecordScan(kind=kind, units=units or (U,), scanned_at=at(day), tracking_id=tracking_id)


def told(
    said: RecordScan,
    now: datetime,
    *history: ReturnEvent,
    **known: Any,  # noqa: ANN401
) -> list[ReturnEvent]:
    done = played(say(said, now, SYSTEM, **known), after=history)
    assert done.refused is None
    return done.events


def test_goods_that_are_handed_over_count_as_lost_after_the_longest_transit() -> None:
    done = told(scan("HANDED_OVER", day=5), at(6), *BEGUN)
    assert done == [
        ReturnScanned(
            **IDS,
            kind="HANDED_OVER",
            units=[U],
            tracking_id="T-1",
            scanned_at=at(5),
            lost_at=at(5) + 45 * DAY,
        )
    ]
    (late,) = told(scan("HANDED_OVER", day=5), at(5) + 50 * DAY, *BEGUN, shipped(U))
    assert isinstance(late, ReturnScanned)
    assert late.lost_at == at(5) + 50 * DAY, "never before now"


def test_goods_that_are_back_are_looked_at_within_five_days_of_the_word() -> None:
    (back,) = told(scan("DELIVERED_BACK", day=9), at(10), *BEGUN, shipped(U))
    assert isinstance(back, ReturnScanned)
    assert (back.inspect_by, back.lost_at) == (at(15), None)


def test_an_offer_lapses_with_the_first_scan() -> None:
    offer = PartialOfferMade(
        **IDS, offer_id="o-1", currency="EUR", amount_minor=700, answer_due=at(9)
    )
    done = told(scan("HANDED_OVER"), at(6), *BEGUN, offer)
    assert kinds(done) == ["OfferDeclined", "ReturnScanned"]
    assert done[0] == OfferDeclined(**IDS, offer_id="o-1", lapsed=True)


@pytest.mark.parametrize(
    ("said", "history"),
    [
        (scan("HANDED_OVER"), (*BEGUN, handed_over(U))),
        (scan("HANDED_OVER"), (*BEGUN, delivered_back(U))),
        (scan("HANDED_OVER"), (*BEGUN, received(U))),
        (scan("DELIVERED_BACK"), (*BEGUN, delivered_back(U))),
        (scan("DELIVERED_BACK"), (*BEGUN, received(U))),
        (scan("DELIVERED_BACK"), (*BEGUN, received(U), accepted(U))),
        (scan("DELIVERED_BACK"), (*BEGUN, received(U), rejected(U))),
        (scan("HANDED_OVER"), (requested(U), reviewed())),
        (scan("HANDED_OVER"), (*BEGUN, ReturnCancelled(**IDS, units=[U, V]))),
        (
            scan("HANDED_OVER"),
            (requested(U, kind="CLAIM"), authorized(U, kind="CLAIM", goods_back=False)),
        ),
        (scan("HANDED_OVER"), (*BEGUN, shipped(U), NOT_COVERED)),
        (scan("HANDED_OVER", day=17), (*BEGUN, EXPIRED)),
        (scan("HANDED_OVER", day=17), BEGUN),
    ],
)
def test_a_scan_that_tells_nothing_new_or_of_nothing_here_is_nothing(
    said: RecordScan, history: tuple[ReturnEvent, ...]
) -> None:
    assert told(said, at(18), *history) == []


def test_a_scan_of_several_is_of_those_that_it_tells_something_of() -> None:
    (done,) = told(scan("HANDED_OVER", U, V), at(6), *BEGUN, handed_over(U))
    assert isinstance(done, ReturnScanned)
    assert done.units == [V]


def test_goods_that_were_handed_over_in_time_are_revived_after_they_expired() -> None:
    in_time = RecordScan(kind="HANDED_OVER", units=(U,), scanned_at=at(17) - TICK)
    revived, scanned = told(in_time, at(18), *BEGUN, EXPIRED)
    assert revived == UnitsRevived(**IDS, units=[U])
    assert isinstance(scanned, ReturnScanned)
    assert return_of((*BEGUN, EXPIRED, revived, scanned)).status == "IN_TRANSIT"
    assert told(in_time, at(18), *BEGUN, EXPIRED, pieces=TAKEN) == []


def test_a_withdrawals_goods_are_in_time_a_good_while_longer() -> None:
    due = at(25) + 60 * DAY
    gone = (*withdrawn(U), ReturnExpired(**IDS, units=[U], ship_by=at(25)))
    in_time = RecordScan(kind="HANDED_OVER", units=(U,), scanned_at=due - TICK)
    assert kinds(told(in_time, due, *gone)) == ["UnitsRevived", "ReturnScanned", "UnitsAccepted"]
    late = RecordScan(kind="HANDED_OVER", units=(U,), scanned_at=due)
    assert told(late, due, *gone) == []


@pytest.mark.parametrize("gone", [EXPIRED, NOT_COVERED])
def test_goods_that_were_given_up_are_looked_at_once_they_are_back(gone: ReturnEvent) -> None:
    history = (*BEGUN, shipped(U), gone)
    (back,) = told(scan("DELIVERED_BACK", day=50), at(51), *history)
    assert isinstance(back, ReturnScanned)
    assert back.inspect_by == at(56)
    piece = return_of((*history, back)).pieces[U]
    assert (piece.where, piece.is_back, piece.contest_until) == ("IN_TRANSIT", True, None)
    assert told(scan("DELIVERED_BACK", day=50), at(51), *history, pieces=TAKEN) == []


def test_of_goods_that_are_paid_already_their_way_is_only_noted() -> None:
    history = (*BEGUN, handed_over(U), COVERED, accepted(U, by_default=True))
    (noted,) = told(scan("DELIVERED_BACK", day=60), at(61), *history)
    assert isinstance(noted, ReturnScanned)
    assert noted.inspect_by is None
    after = (*history, noted)
    assert return_of(after).pieces[U].acceptance == "ACCEPTED"
    assert told(scan("DELIVERED_BACK", day=60), at(61), *after) == []


def test_a_withdrawal_is_accepted_at_the_scan_once_its_refund_is_due() -> None:
    before = told(scan("HANDED_OVER", day=17), at(18) - TICK, *withdrawn(U))
    assert kinds(before) == ["ReturnScanned"]
    done = told(scan("HANDED_OVER", day=17), at(18), *withdrawn(U))
    assert kinds(done) == ["ReturnScanned", "UnitsAccepted"]
    paid = done[1]
    assert isinstance(paid, UnitsAccepted)
    assert (paid.by_default, paid.units[0].grade, paid.handling_seconds) == (True, "A", 0)
    after = return_of((*withdrawn(U), *done))
    assert (after.pieces[U].where, after.forced) == ("IN_TRANSIT", False)


def test_a_fast_exchange_asks_the_stock_at_the_scan() -> None:
    swap = fast(U, kind="EXCHANGE", wants="EXCHANGE")
    (scanned,) = told(scan("HANDED_OVER"), at(6), *swap)
    assert isinstance(scanned, ReturnScanned)
    assert scanned.stock_due == at(8)
    (plain,) = told(scan("HANDED_OVER"), at(6), *fast(U))
    assert isinstance(plain, ReturnScanned)
    assert plain.stock_due is None


def test_carriers_alone_tell_of_scans_and_of_pieces_of_the_return() -> None:
    played(say(scan("HANDED_OVER"), actor=BUYER), after=BEGUN).then_refused(RoleNotAllowed)
    played(say(scan("HANDED_OVER", "1/3"), actor=SYSTEM), after=BEGUN).then_refused(InvalidValue)
    assert told(scan("HANDED_OVER"), at(6)) == [], "of a return that is not known"


@given(
    st.lists(
        st.sampled_from(
            [scan(kind, unit) for kind in ("HANDED_OVER", "DELIVERED_BACK") for unit in (U, V)]
        ),
        max_size=8,
    ),
    st.randoms(),
)
def test_scans_in_any_order_and_twice_lead_to_the_same_whereabouts(
    scans: list[RecordScan],
    random: Any,  # noqa: ANN401 - a source of chance
) -> None:
    shuffled = [*scans, *scans]
    random.shuffle(shuffled)

    def whereabouts(said: list[RecordScan]) -> list[object]:
        events: tuple[ReturnEvent, ...] = (*BEGUN, shipped(U, V, proof_sha256=FILE))
        for each in said:
            events = (*events, *told(each, at(6), *events))
        return [(p.where, p.delivered_back) for p in return_of(events).pieces.values()]

    assert whereabouts(scans) == whereabouts(shuffled)
