"""What becomes of a refund between the ledger and the bank."""

from datetime import datetime
from typing import Any

import pytest
from returns_service.domain.bouncing import BounceRefund
from returns_service.domain.failing import FailRefund, RetryRefund
from returns_service.domain.ledger_rules import LedgerCommand
from returns_service.domain.outside import UndoOutsideRefund
from returns_service.domain.reissuing import ReissueRefund
from returns_service.domain.resolving import ResolveRefund
from returns_service.testing import (
    AGENT,
    DAY,
    HOUR,
    NOW,
    ORDER_E,
    SELLER,
    TICK,
    asks,
    at,
    charged_back,
    goodwill,
    history,
    kinds,
    ledger_after,
    not_paid,
    opened,
    paid,
    played,
    refused,
    reissue,
    remedy,
    say,
    timed_out,
)
from returns_service.testing.stories import (
    BOUNCED,
    FAILED,
    LATE,
    OPEN,
    REISSUED,
    REQUESTED,
    SETTLED,
    TIMED_OUT,
    WAITING,
)
from shared_casework.overdue import NoteOverdue
from shared_events.common import DecisionOverdue
from shared_events.returns import (
    RefundBounced,
    RefundedUnit,
    RefundFailed,
    RefundIssued,
    RefundNotDue,
    RefundOverpaid,
    RefundRequested,
    RefundRetried,
    RefundSettled,
    RemedyAlreadyMet,
)
from shared_runtime.decider import (
    Actor,
    AlreadySubmitted,
    ConflictOfInterest,
    InvalidValue,
    WrongState,
)

IDS: dict[str, Any] = {
    "order_id": "O1",
    "seller_id": "S1",
    "buyer_id": "B1",
    "policy_version": "ae-2025-1",
}


def retry(refund_id: str = "f-1") -> RetryRefund:
    return RetryRefund(refund_id=refund_id)


def test_the_gateways_word_is_the_fact_that_others_read() -> None:
    played(say(paid("f-1")), after=history(*REQUESTED)).then(
        RefundSettled(
            **IDS, refund_id="f-1", gateway_ref="gw-f-1", told_by="GATEWAY", settled_at=NOW
        ),
        RefundIssued(
            **IDS,
            refund_id="f-1",
            source="RETURN",
            source_id="RT-1",
            borne_by="SELLER",
            units=[RefundedUnit(unit="1/1", amount_minor=5399)],
            currency="EUR",
            shipping_minor=0,
            goodwill_minor=0,
            label_cost_minor=0,
            total_minor=5399,
            refunded_total_minor=5399,
            remaining_minor=10799,
            issued_at=NOW,
        ),
    )


def test_a_word_told_again_is_heard_once() -> None:
    """G21."""
    both = (*SETTLED, say(asks("f-2", "1/2")), say(paid("f-2")))
    events = history(*both)
    (*_, issued) = events
    assert isinstance(issued, RefundIssued)
    assert issued.refunded_total_minor == 10798
    again = [paid("f-1"), refused("f-1"), not_paid("f-1"), retry(), paid("f-7")]
    played(*(say(each, NOW + 3 * DAY) for each in again), after=events).then_nothing()


# --- Tried again


def attempts(word: FailRefund, count: int) -> list[LedgerCommand]:
    """So many words of the gateway, each when its retry was due."""
    now, said = NOW, list[LedgerCommand]()
    wait = HOUR
    for attempt in range(1, count + 1):
        told = FailRefund(refund_id="f-1", attempt=attempt, code=word.code, kind=word.kind)
        said.append(say(told, now))
        now += wait
        wait = min(2 * wait, 24 * HOUR)
        said.append(say(retry(), now))
    return said[:-1]


def failures(*commands: LedgerCommand) -> list[RefundFailed]:
    return [each for each in history(*commands) if isinstance(each, RefundFailed)]


def test_what_is_not_paid_is_tried_again_four_times_and_is_then_free_again() -> None:
    """Worked case 40."""
    told = failures(*REQUESTED, *attempts(not_paid("f-1"), 5))
    waits = [each.retry_at for each in told]
    hours = [0, 1, 3, 7]
    assert waits[:4] == [NOW + (since + 2**n) * HOUR for n, since in enumerate(hours)]
    assert [each.final for each in told] == [False] * 4 + [True]
    assert waits[4] is None
    story = (*REQUESTED, *attempts(not_paid("f-1"), 5))
    assert ledger_after(*story).remaining.units["1/1"] == 5399
    later = NOW + 2 * DAY
    done = ledger_after(*story, say(reissue("f-2", "f-1"), later, AGENT), say(paid("f-2"), later))
    assert done.refunded_minor == 5399


def test_a_time_out_is_never_a_no() -> None:
    """Worked case 40b and G20."""
    story = (*REQUESTED, *attempts(timed_out("f-1"), 5))
    told = failures(*story)
    assert [each.final for each in told] == [False] * 5
    assert told[4].retry_at == NOW + (15 + 16) * HOUR
    assert ledger_after(*story).remaining.units["1/1"] == 0
    delays = [each for each in history(*story) if isinstance(each, DecisionOverdue)]
    assert delays == [DecisionOverdue(**IDS, what="REFUND", ref_id="f-1", due_at=at(11, 1))]
    found = (*story, say(paid("f-1"), NOW + 2 * DAY))
    assert ledger_after(*found).refunded_minor == 5399


def test_the_wait_doubles_to_a_day_and_the_delay_is_told_once() -> None:
    story = (*REQUESTED, *attempts(timed_out("f-1"), 40))
    told = failures(*story)
    last = told[-1].retry_at
    assert last
    assert told[-2].retry_at == last - 24 * HOUR
    assert kinds(history(*story)).count("DecisionOverdue") == 1


def test_the_first_definite_no_after_the_last_attempt_is_final() -> None:
    story = (*REQUESTED, *attempts(timed_out("f-1"), 5), say(retry(), NOW + 31 * HOUR))
    played(say(not_paid("f-1", 6), NOW + 32 * HOUR), after=history(*story)).then(
        RefundFailed(**IDS, refund_id="f-1", code="DOWN", kind="RETRYABLE", attempt=6, final=True)
    )


def test_a_refusal_is_final_at_once() -> None:
    (told,) = failures(*FAILED)
    assert (told.final, told.retry_at, told.attempt) == (True, None, 1)


def test_it_is_tried_again_at_its_time_and_once() -> None:
    waiting = history(*WAITING)
    played(say(retry(), NOW + HOUR - TICK), after=waiting).then_nothing()
    due = [say(retry(), NOW + HOUR), say(retry(), NOW + HOUR)]
    played(*due, after=waiting).then(RefundRetried(**IDS, refund_id="f-1", attempt=2))


def test_a_word_about_an_attempt_that_is_over_is_not_one_about_the_next() -> None:
    retried = history(*WAITING, say(retry(), NOW + HOUR))
    played(say(not_paid("f-1", 1), NOW + HOUR), after=retried).then_nothing()
    assert played(say(not_paid("f-1", 2), NOW + HOUR), after=retried).events


# --- The desk


def resolved(*, is_paid: bool, now: datetime = NOW, actor: Actor = AGENT) -> LedgerCommand:
    said = ResolveRefund(refund_id="f-1", paid=is_paid, proof_ref="desk-1")
    return say(said, now, actor)


def test_the_providers_desk_says_that_it_is_paid() -> None:
    events = played(resolved(is_paid=True), after=history(*TIMED_OUT)).events
    assert kinds(events) == ["RefundSettled", "RefundIssued"]
    (settled, _) = events
    assert isinstance(settled, RefundSettled)
    assert (settled.gateway_ref, settled.late) == ("desk-1", None)


def test_the_providers_desk_says_that_it_was_never_paid() -> None:
    not_out = resolved(is_paid=False)
    failed = RefundFailed(
        **IDS,
        refund_id="f-1",
        code="desk",
        kind="UNKNOWN",
        attempt=1,
        final=True,
        proof_ref="desk-1",
    )
    played(not_out, not_out, after=history(*TIMED_OUT)).then(failed)
    other = (*TIMED_OUT, not_out)
    played(resolved(is_paid=True), after=history(*other)).then_refused(WrongState)


def test_what_was_answered_is_not_the_desks_to_say() -> None:
    for story in (WAITING, FAILED, SETTLED, BOUNCED, OPEN):
        played(resolved(is_paid=False), after=history(*story)).then_refused(WrongState)


def test_what_nobody_answers_is_the_desks_from_its_limit_on() -> None:
    story, limit = history(*REQUESTED), at(2) + 14 * DAY
    early = resolved(is_paid=False, now=limit - TICK)
    played(early, after=story).then_refused(WrongState, state="REQUESTED")
    assert played(resolved(is_paid=False, now=limit), after=story).events


@pytest.mark.parametrize("said", [resolved(is_paid=True).said, reissue("f-3", "f-1")])
def test_who_belongs_to_a_party_decides_nothing_about_its_money(said: ResolveRefund) -> None:
    seller = Actor(role="AGENT", id="S1", seller_id="S1")
    played(say(said, NOW, seller), after=history(*TIMED_OUT)).then_refused(ConflictOfInterest)


# --- Paid another way


def test_what_failed_for_good_is_paid_another_way_with_the_buyers_consent() -> None:
    """Worked case 48 and G22."""
    by_transfer = ReissueRefund(refund_id="f-2", failed_refund_id="f-1", way="BANK_TRANSFER")
    story = history(*FAILED)
    played(say(by_transfer, NOW, AGENT), after=story).then_refused(InvalidValue)
    agreed = ReissueRefund(
        refund_id="f-2", failed_refund_id="f-1", way="BANK_TRANSFER", consented=True
    )
    (reissued,) = played(say(agreed, NOW, AGENT), after=story).events
    assert isinstance(reissued, RefundRequested)
    assert (reissued.reissues, reissued.way, reissued.total_minor) == ("f-1", "BANK_TRANSFER", 5399)
    assert reissued.overdue_at == NOW + 14 * DAY


def test_it_is_reissued_once() -> None:
    story = history(*REISSUED)
    played(say(reissue("f-3", "f-1"), NOW, AGENT), after=story).then_nothing()
    other = played(say(reissue("f-4", "f-1"), NOW, AGENT), after=story)
    other.then_refused(AlreadySubmitted, existing_id="f-3")


def test_only_what_the_buyer_has_not_got_is_reissued() -> None:
    for story in (OPEN, REQUESTED, WAITING, TIMED_OUT, SETTLED):
        done = played(say(reissue("f-3", "f-1"), NOW, AGENT), after=history(*story))
        done.then_refused(WrongState)


def test_a_reissue_is_clipped_to_what_others_have_left() -> None:
    taken = (*FAILED, say(remedy("f-2", "1/1", amount_minor=4000)))
    (reissued,) = played(say(reissue("f-3", "f-1"), NOW, AGENT), after=history(*taken)).events
    assert isinstance(reissued, RefundRequested)
    assert (reissued.total_minor, reissued.clipped_from_minor) == (1399, 5399)


def test_a_reissue_of_what_others_have_given_is_not_due() -> None:
    taken = (*FAILED, say(remedy("f-2", "1/1")))
    twice = say(reissue("f-3", "f-1"), NOW, AGENT)
    events = played(twice, twice, after=history(*taken)).events
    assert kinds(events) == ["RefundNotDue"]
    (told,) = events
    assert isinstance(told, RefundNotDue)
    assert (told.reissues, told.refund_ids) == ("f-1", ["f-2"])


def test_what_is_not_due_any_more_is_owed_no_more() -> None:
    taken = (*FAILED, say(remedy("f-2", "1/1")))
    answered = (*taken, say(reissue("f-3", "f-1"), NOW, AGENT))
    assert ledger_after(*taken).refunds["f-1"].is_owed
    assert not ledger_after(*answered).refunds["f-1"].is_owed
    again = played(say(reissue("f-4", "f-1"), NOW, AGENT), after=history(*answered))
    assert kinds(again.events) == ["RefundNotDue"], "whoever asks again hears it again"


def test_a_remedy_that_others_have_given_meanwhile_is_met() -> None:
    story = (*OPEN, say(remedy("f-1", "1/1")), say(refused("f-1")), say(asks("f-2", "1/1")))
    twice = say(reissue("f-3", "f-1"), NOW, AGENT)
    (told,) = played(twice, twice, after=history(*story)).events
    assert isinstance(told, RemedyAlreadyMet)
    assert (told.reissues, told.refund_ids) == ("f-1", ["f-2"])
    assert not ledger_after(*story, twice).refunds["f-1"].is_owed


def test_that_a_remedy_is_met_is_told_again_of_what_was_to_be_reissued() -> None:
    """Else a refund of a piece that was spoken of before would be owed for ever."""
    story = (*OPEN, say(charged_back("cb-1", 12000)), say(remedy("f-1", "1/1")))
    bounced = (*story, say(paid("f-1")), say(BounceRefund(refund_id="f-1", code="CLOSED")))
    undone = (*bounced, say(UndoOutsideRefund(outside_id="cb-1")), say(asks("f-2", "1/1")))
    met = (*undone, say(remedy("f-3", "1/1", outside_id="cb-1", amount_minor=1201)))
    assert kinds(history(*met))[-1] == "RemedyAlreadyMet"
    last = history(*met, say(reissue("f-4", "f-1"), NOW, AGENT))[-1]
    assert isinstance(last, RemedyAlreadyMet)
    assert (last.reissues, last.units) == ("f-1", ["1/1"])
    told = history(*met, say(reissue("f-4", "f-1"), NOW, AGENT))
    played(say(reissue("f-5", "f-1"), NOW, AGENT), after=told).then_nothing()


def test_goodwill_shipping_and_a_difference_are_reissued_too() -> None:
    given = (*OPEN, say(goodwill("f-1", 500), NOW, SELLER), say(refused("f-1")))
    assert reissued_of(given).goodwill_minor == 500
    whole = (opened(ORDER_E), say(remedy("f-1", "1/1")), say(refused("f-1")))
    assert reissued_of(whole).shipping_minor == 590
    fallback = asks("f-1", "1/1", source="EXCHANGE_FALLBACK", difference_minor=600)
    back = reissued_of((*OPEN, say(fallback), say(refused("f-1"))))
    assert (back.difference_minor, back.total_minor) == (600, 5999)


def reissued_of(story: tuple[LedgerCommand, ...]) -> RefundRequested:
    (told,) = played(say(reissue("f-3", "f-1"), NOW, AGENT), after=history(*story)).events
    assert isinstance(told, RefundRequested)
    return told


# --- Late, twice, sent back


def test_a_word_that_comes_late_counts_and_names_what_was_given_twice() -> None:
    late = [each for each in history(*LATE) if isinstance(each, RefundSettled)]
    assert [each.late for each in late] == [True]
    assert "RefundOverpaid" not in kinds(history(*LATE))  # the reissue is still under way
    (*_, named) = played(say(paid("f-3")), after=history(*LATE)).events
    assert named == RefundOverpaid(
        **IDS, currency="EUR", amount_minor=5399, refund_ids=["f-1", "f-3"]
    )


def test_a_difference_that_is_paid_twice_is_named_too() -> None:
    given = (*OPEN, say(remedy("f-0", "1/1")))
    fallback = asks("f-1", "1/1", source="EXCHANGE_FALLBACK", difference_minor=600)
    story = (*given, say(fallback), say(refused("f-1")), say(reissue("f-2", "f-1"), NOW, AGENT))
    (*_, named) = history(*story, say(paid("f-2")), say(paid("f-1")))
    assert isinstance(named, RefundOverpaid)
    assert (named.amount_minor, named.refund_ids) == (600, ["f-1", "f-2"])


def test_an_excess_goes_away_with_what_bounces() -> None:
    twice = (*LATE, say(paid("f-3"), at(6)))
    assert ledger_after(*twice).money.overpaid_minor == 5399
    back = (*twice, say(BounceRefund(refund_id="f-3", code="CLOSED"), at(7)))
    ledger = ledger_after(*back)
    assert (ledger.money.overpaid_minor, ledger.remaining.units["1/1"]) == (0, 0)
    not_due = played(say(reissue("f-4", "f-3"), NOW, AGENT), after=history(*back)).events
    assert kinds(not_due) == ["RefundNotDue"]


def test_what_was_not_due_because_of_a_late_word_is_owed_again_once_that_bounces_too() -> None:
    twice = (*LATE, say(paid("f-3"), at(6)))
    back = (*twice, say(BounceRefund(refund_id="f-3", code="CLOSED"), at(7)))
    settled = (*back, say(reissue("f-4", "f-3"), at(8), AGENT))
    assert not any(each.is_owed for each in ledger_after(*settled).refunds.values())
    none_left = (*settled, say(BounceRefund(refund_id="f-1", code="CLOSED"), at(9)))
    last = history(*none_left)[-1]
    assert isinstance(last, RefundBounced)
    assert last.owed_again == "f-3"
    owed = [each.refund_id for each in ledger_after(*none_left).refunds.values() if each.is_owed]
    assert owed == ["f-3"]
    anew = history(*none_left, say(reissue("f-5", "f-3"), at(10), AGENT))[-1]
    assert isinstance(anew, RefundRequested)
    assert (anew.reissues, anew.total_minor) == ("f-3", 5399)


def test_what_the_bank_sends_back_counts_no_more_and_is_reissued() -> None:
    """G23."""
    bounce = say(BounceRefund(refund_id="f-1", code="CLOSED"))
    played(bounce, bounce, after=history(*SETTLED)).then(
        RefundBounced(
            **IDS,
            refund_id="f-1",
            code="CLOSED",
            currency="EUR",
            total_minor=5399,
            refunded_total_minor=0,
            remaining_minor=16198,
            overdue_at=NOW + 14 * DAY,
        )
    )
    again = (*BOUNCED, say(reissue("f-3", "f-1"), NOW, AGENT), say(paid("f-3")))
    assert ledger_after(*again).refunded_minor == 5399


def test_what_no_bank_has_seen_cannot_bounce() -> None:
    free = asks("f-1", "1/1", deduction_milli=1000)
    bounce = say(BounceRefund(refund_id="f-1", code="CLOSED"))
    played(bounce, after=history(*OPEN, say(free))).then_nothing()


# --- Late for the buyer


def note(due: datetime, refund_id: str = "f-1") -> NoteOverdue:
    return NoteOverdue(what="REFUND", ref_id=refund_id, due_at=due)


def test_a_delay_is_noted_at_its_instant_and_once() -> None:
    story, due = history(*REQUESTED), at(2) + 14 * DAY
    played(say(note(due), due - TICK), after=story).then_nothing()
    told = DecisionOverdue(**IDS, what="REFUND", ref_id="f-1", due_at=due)
    played(say(note(due), due), say(note(due), due + DAY), after=story).then(told)


def test_a_refund_is_owed_until_it_is_settled_or_another_stands_in_its_place() -> None:
    due = at(2) + 14 * DAY
    for story, owed in ((WAITING, 1), (FAILED, 1), (SETTLED, 0), (REISSUED, 0), (BOUNCED, 0)):
        told = played(say(note(due), due), after=history(*story)).events
        assert len(told) == owed
    later = at(4) + 14 * DAY
    assert played(say(note(later), later), after=history(*BOUNCED)).events
