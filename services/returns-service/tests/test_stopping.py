"""Which refunds under way the gateway is asked to stop: those that there is no room for."""

from returns_service.domain.asking import STOPPED, after_stopping
from returns_service.domain.failing import FailRefund
from returns_service.domain.ledger_state import Unopened
from returns_service.domain.stopping import to_stop
from returns_service.domain.streams import anew_id_of
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


# --- Asked for anew


def stopped(refund_id: str) -> FailRefund:
    return FailRefund(refund_id=refund_id, attempt=1, code=STOPPED, kind="REFUSED")


def test_a_provider_that_stops_all_by_itself_is_not_asked_anew_for_ever() -> None:
    """Given a refund that was stopped and asked for anew, with nothing less to give: when that is
    stopped too, then it is the desk's.
    """
    said = asks("f-1", "1/1")
    once = (opened(), say(said), say(stopped("f-1")))
    anew = after_stopping(ledger_after(*once), "f-1", {"f-1": said})
    assert anew
    assert (anew.refund_id, anew.reissues) == (anew_id_of("f-1"), "f-1")
    twice = (*once, say(anew), say(stopped(anew.refund_id)))
    assert after_stopping(ledger_after(*twice), anew.refund_id, {"f-1": said}) is None
    assert ledger_after(*twice).refunds[anew.refund_id].is_owed


def test_what_is_stopped_again_because_there_is_less_to_give_is_asked_anew_again() -> None:
    said = asks("f-1", "1/1")
    less = (opened(), say(said), say(charged_back("cb-1", 13000)), say(stopped("f-1")))
    anew = after_stopping(ledger_after(*less), "f-1", {"f-1": said})
    assert anew
    still_less = (*less, say(anew), say(charged_back("cb-2", 1000)), say(stopped(anew.refund_id)))
    again = after_stopping(ledger_after(*still_less), anew.refund_id, {"f-1": said})
    assert again
    assert again.reissues == anew.refund_id
