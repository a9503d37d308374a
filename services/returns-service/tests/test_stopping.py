"""Which refunds under way the gateway is asked to stop: those that there is no room for."""

from returns_service.domain.ledger_state import Unopened
from returns_service.domain.stopping import to_stop
from returns_service.testing import (
    AGENT,
    SELLER,
    asks,
    at,
    charged_back,
    goodwill,
    ledger_after,
    opened,
    paid,
    refused,
    reissue,
    say,
    timed_out,
)
from returns_service.testing.stories import (
    ALL_GIVEN,
    BOUNCED,
    LATE,
    OUTSIDE,
    REISSUED,
    REQUESTED,
    SETTLED,
)

TWO = (opened(), say(asks("f-1", "1/1")), say(asks("f-2", "1/2")))


def test_while_there_is_room_nothing_is_stopped() -> None:
    assert to_stop(Unopened()) == []
    for story in (REQUESTED, REISSUED, SETTLED, ALL_GIVEN, OUTSIDE):
        assert to_stop(ledger_after(*story)) == []


def test_what_others_have_given_for_a_piece_stops_the_refund_of_it_and_of_no_other() -> None:
    assert to_stop(ledger_after(*TWO, say(charged_back("cb-1", 1, "1/2")))) == ["f-2"]
    assert to_stop(ledger_after(*TWO, say(charged_back("cb-1", 5400, "1/3")))) == []


def test_what_others_have_given_for_the_order_stops_what_was_asked_for_last() -> None:
    """16198 were paid, 10798 are under way."""
    assert to_stop(ledger_after(*TWO, say(charged_back("cb-1", 5400)))) == []
    assert to_stop(ledger_after(*TWO, say(charged_back("cb-1", 5401)))) == ["f-2"]
    assert to_stop(ledger_after(*TWO, say(charged_back("cb-1", 16198)))) == ["f-1", "f-2"]


def test_what_was_asked_for_later_may_still_fit() -> None:
    story = (*TWO, say(goodwill("g-1", 100), at(10), SELLER), say(charged_back("cb-1", 10700)))
    assert to_stop(ledger_after(*story)) == ["f-2", "g-1"]
    story = (*TWO, say(goodwill("g-1", 100), at(10), SELLER), say(charged_back("cb-1", 10699)))
    assert to_stop(ledger_after(*story)) == ["f-2"]


def test_one_without_an_answer_is_under_way_and_one_that_failed_or_was_paid_is_not() -> None:
    all_back = say(charged_back("cb-1", 16198))
    assert to_stop(ledger_after(*REQUESTED, say(timed_out("f-1")), all_back)) == ["f-1"]
    assert to_stop(ledger_after(*REQUESTED, say(refused("f-1")), all_back)) == []
    assert to_stop(ledger_after(*REQUESTED, say(paid("f-1")), all_back)) == []


def test_a_late_word_stops_the_reissue() -> None:
    assert to_stop(ledger_after(*REISSUED)) == []
    assert to_stop(ledger_after(*LATE)) == ["f-3"]


def test_a_bounced_refund_does_not_stop_its_reissue() -> None:

    assert to_stop(ledger_after(*BOUNCED, say(reissue("f-3", "f-1"), at(5), AGENT))) == []
