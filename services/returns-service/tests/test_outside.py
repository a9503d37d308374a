"""Money that a bank or the marketplace gave back by itself."""

import pytest
from returns_service.domain.asking import after_undoing
from returns_service.domain.outside import RecordOutsideRefund, UndoOutsideRefund
from returns_service.domain.streams import again_id_of
from returns_service.testing import (
    AGENT,
    NOW,
    ORDER_B,
    ORDER_E,
    SELLER,
    asks,
    charged_back,
    goodwill,
    history,
    kinds,
    ledger_after,
    opened,
    paid,
    played,
    refused,
    reissue,
    say,
)
from returns_service.testing.stories import OPEN, REQUESTED, SETTLED, UNDONE
from shared_events.returns import (
    OutsideRefundRecorded,
    OutsideRefundUndone,
    RefundNotDue,
    RefundOverpaid,
    RefundRequested,
)
from shared_runtime.decider import InvalidValue, RoleNotAllowed, WrongState

UNDO = UndoOutsideRefund(outside_id="cb-1")


def shared(*said: RecordOutsideRefund) -> dict[str, int]:
    events = history(opened(ORDER_B), *map(say, said))
    (*_, last) = [each for each in events if isinstance(each, OutsideRefundRecorded)]
    return {each.unit: each.amount_minor for each in last.units or []}


def test_what_others_gave_counts_like_settled_money() -> None:
    """G24: a chargeback of all, then the goods come back, then it is undone."""
    withdrawal = asks("f-1", "1/1", source="WITHDRAWAL")
    story = (opened(ORDER_E), say(charged_back("cb-1", 9589)), say(withdrawal))
    recorded, not_due = history(*story)[1:]
    assert isinstance(recorded, OutsideRefundRecorded)
    assert (recorded.units, recorded.remaining_minor) == (None, 0)
    assert isinstance(not_due, RefundNotDue)
    assert (not_due.why, not_due.refund_ids) == ("GIVEN", ["cb-1"])
    (*_, undone) = history(*story, say(UNDO))
    assert isinstance(undone, OutsideRefundUndone)
    assert (undone.total_minor, undone.remaining_minor) == (9589, 9589)
    again = asks("f-2", "1/1", source="WITHDRAWAL", outside_id="cb-1")
    (*_, refund) = history(*story, say(UNDO), say(again))
    assert isinstance(refund, RefundRequested)
    assert refund.total_minor == 9589


def test_it_is_recorded_and_undone_once() -> None:
    record = say(charged_back("cb-1", 100))
    assert len(played(record, record, after=history(*OPEN)).events) == 1
    recorded = history(*OPEN, record)
    assert len(played(say(UNDO), say(UNDO), after=recorded).events) == 1
    played(say(UNDO), after=history(*OPEN)).then_nothing()
    played(say(charged_back("cb-9", 1)), after=history(*UNDONE)).then_nothing()


def test_it_is_of_its_units_where_they_are_named() -> None:
    assert shared(charged_back("cb-1", 1000, "1/2", "1/1")) == {"1/1": 500, "1/2": 500}
    assert shared(charged_back("cb-1", 1739, "1/2", "2/1")) == {"1/2": 1061, "2/1": 678}
    ledger = ledger_after(opened(ORDER_B), say(charged_back("cb-1", 678, "2/1")))
    assert ledger.remaining.units == {"1/1": 1060, "1/2": 1061, "2/1": 0}


def test_where_nothing_is_left_it_is_of_what_was_paid() -> None:
    first = charged_back("cb-1", 2121, "1/1", "1/2")
    assert shared(first, charged_back("cb-2", 2121, "1/1", "1/2")) == {"1/1": 1060, "1/2": 1061}


def test_what_was_paid_already_is_given_twice_and_that_is_named() -> None:
    events = played(say(charged_back("cb-1", 16198)), after=history(*SETTLED)).events
    assert kinds(events) == ["OutsideRefundRecorded", "RefundOverpaid"]
    (_, named) = events
    assert isinstance(named, RefundOverpaid)
    assert (named.amount_minor, named.refund_ids) == (5399, ["f-1", "cb-1"])


def test_what_is_under_way_is_given_twice_only_if_it_is_not_stopped() -> None:
    story = (*REQUESTED, say(charged_back("cb-1", 16198)))
    assert "RefundOverpaid" not in kinds(history(*story))
    assert kinds(history(*story, say(paid("f-1"))))[-1] == "RefundOverpaid"
    stopped = (*story, say(refused("f-1")))
    not_due = played(say(asks("f-2", "1/1", reissues="f-1")), after=history(*stopped)).events
    assert kinds(not_due) == ["RefundNotDue"]
    assert isinstance(not_due[0], RefundNotDue)
    assert not_due[0].reissues == "f-1"


def test_what_was_not_to_be_reissued_because_of_it_is_asked_for_again_when_it_is_undone() -> None:
    failed = (*REQUESTED, say(refused("f-1")), say(charged_back("cb-1", 16198)))
    not_due = (*failed, say(reissue("f-2", "f-1"), NOW, AGENT))
    undone = (*not_due, say(UNDO))
    (said,) = after_undoing(history(*undone), "cb-1", {"f-1": asks("f-1", "1/1")})
    assert said == asks(again_id_of("f-2", "cb-1"), "1/1", outside_id="cb-1")
    (*_, again) = history(*undone, say(said))
    assert isinstance(again, RefundRequested)
    assert again.total_minor == 5399
    assert after_undoing(history(*undone, say(said)), "cb-1", {"f-1": said}) == []


def test_goodwill_that_was_not_to_be_reissued_because_of_it_is_the_desks_again() -> None:
    failed = (*OPEN, say(goodwill("g-1", 500), NOW, SELLER), say(refused("g-1")))
    not_due = (*failed, say(charged_back("cb-1", 16198)), say(reissue("g-2", "g-1"), NOW, AGENT))
    assert not ledger_after(*not_due).refunds["g-1"].is_owed
    undone = (*not_due, say(UNDO))
    last = history(*undone)[-1]
    assert isinstance(last, OutsideRefundUndone)
    assert last.owed_again == ["g-1"]
    assert ledger_after(*undone).refunds["g-1"].is_owed
    (*_, anew) = history(*undone, say(reissue("g-3", "g-1"), NOW, AGENT))
    assert isinstance(anew, RefundRequested)
    assert anew.goodwill_minor == 500


@pytest.mark.parametrize(
    "said",
    [
        charged_back("cb-1", 100, "7/1"),
        charged_back("cb-1", 100, "1/1", "1/1"),
        charged_back("f-1", 100),
        RecordOutsideRefund(outside_id="x", kind="MARKETPLACE", amount_minor=1, currency="USD"),
    ],
)
def test_what_is_recorded_makes_sense(said: RecordOutsideRefund) -> None:
    played(say(said), after=history(*REQUESTED)).then_refused(InvalidValue)


def test_no_refund_has_the_name_of_money_given_outside() -> None:
    story = history(*OPEN, say(charged_back("cb-1", 100)))
    played(say(asks("cb-1", "1/1")), after=story).then_refused(InvalidValue)


def test_only_a_connector_tells_of_it_and_not_before_the_ledger_is_open() -> None:
    record = charged_back("cb-1", 100)
    played(say(record, NOW, AGENT), after=history(*OPEN)).then_refused(RoleNotAllowed)
    played(say(record)).then_refused(WrongState)
