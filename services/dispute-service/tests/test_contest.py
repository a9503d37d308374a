"""A contest: a dispute about what was done with a return, opened for its buyer."""

import pytest
from dispute_service.domain.contest import contest_of
from dispute_service.domain.proposals import AcceptProposal
from dispute_service.domain.streams import file_id_of, refusal_id_of
from dispute_service.testing import (
    BUYER,
    FILE,
    OPENING,
    ORDER,
    PIECES,
    SELLER,
    SYSTEM,
    at,
    kinds,
    ledger,
    played,
    say,
)
from dispute_service.testing.stories import CONTEST, contest
from msgspec.structs import replace
from shared_events.dispute import (
    ContestGround,
    DisputeOpened,
    EvidenceLodged,
    EvidenceShared,
    Outcome,
    RemedyOrdered,
)
from shared_events.returns import ReturnContested
from shared_events.samples import sample
from shared_runtime.decider import QuantityExceeded, RoleNotAllowed


@pytest.mark.parametrize(
    ("ground", "outcome"),
    [
        ("DECLINED", "RETURN_AND_REFUND"),
        ("REJECTED", "REFUND_FULL"),
        ("LOST", "REFUND_FULL"),
        ("DEDUCTION", "REFUND_FULL"),
    ],
)
def test_what_is_asked_follows_from_where_the_goods_are(
    ground: ContestGround, outcome: Outcome
) -> None:
    done = played(say(replace(contest, ground=ground), now=OPENING, actor=SYSTEM))
    told, file, shared = done.events
    assert isinstance(told, DisputeOpened)
    assert (told.reason, told.ground, told.outcome) == ("SELLER_REFUSED_RETURN", ground, outcome)
    assert (told.held_minor, told.refusal_id) == (5399, refusal_id_of("RT9"))
    assert (told.file_sha256, told.seller_at_fault, told.barred_ids) == (FILE, True, ["agent-9"])
    assert isinstance(file, EvidenceLodged)
    assert (file.kind, file.by_role, file.sha256) == ("RETURN_FILE", "SYSTEM", FILE)
    assert isinstance(shared, EvidenceShared)
    assert file.evidence_id == file_id_of("RT9")
    assert shared.evidence_ids == [file.evidence_id]


def test_it_is_opened_whatever_the_windows_say_and_though_the_order_was_cancelled() -> None:
    late = at(5) + 400 * (at(2) - at(1))
    cancelled = replace(ORDER, stage="CANCELLED")
    done = played(say(contest, now=late, actor=SYSTEM, order=cancelled, open_disputes=9))
    assert kinds(done.events) == ["DisputeOpened", "EvidenceLodged", "EvidenceShared"]


def test_a_buyer_contests_where_the_return_is() -> None:
    played(say(contest, now=OPENING, actor=BUYER)).then_refused(RoleNotAllowed)


def test_while_another_dispute_has_a_piece_it_is_asked_again_and_never_dropped() -> None:
    held = (replace(PIECES[0], in_dispute="D0"), *PIECES[1:])
    asked = say(contest, now=OPENING, actor=SYSTEM, units=held)
    played(asked).then_refused(QuantityExceeded, line_id="1", free=0)
    two = replace(contest, units=("1/1", "1/2"))
    both = say(two, now=OPENING, actor=SYSTEM, units=held)
    played(both).then_refused(QuantityExceeded, line_id="1", free=1)
    returned = (replace(PIECES[0], in_return="RT9", ended_by="D0"), *PIECES[1:])
    assert played(say(contest, now=OPENING, actor=SYSTEM, units=returned)).events


def test_it_is_opened_once() -> None:
    again = say(contest, now=at(6), actor=SYSTEM)
    assert kinds(played(*CONTEST, again).events) == kinds(played(*CONTEST).events)


def test_the_refusal_stands_as_the_sellers_proposal_and_is_no_answer_of_his() -> None:
    accepted = say(AcceptProposal(proposal_id=refusal_id_of("RT9")), now=at(6))
    closed = played(*CONTEST, accepted).events[-1]
    assert (closed.how, closed.result, closed.resolved_by_seller) == ("SETTLED", "NO_REMEDY", False)
    assert closed.first_response_seconds is None


@pytest.mark.parametrize("at_fault", [True, False])
def test_a_settlement_of_it_is_the_sellers_fault_as_the_return_says(at_fault: bool) -> None:
    opening = say(replace(contest, seller_at_fault=at_fault), now=OPENING, actor=SYSTEM)

    accepted = say(AcceptProposal(proposal_id="p1"), now=at(6), actor=SELLER, ledger=ledger(5399))
    ordered = played(opening, accepted).events[-1]
    assert isinstance(ordered, RemedyOrdered)
    assert ordered.seller_at_fault is at_fault


def contested(declined_by: str | None = "agent-9") -> ReturnContested:
    """As returns-service tells it."""
    known = sample(ReturnContested)
    assert isinstance(known, ReturnContested)
    return replace(
        known,
        return_id="RT9",
        units=["1/1"],
        ground="DECLINED",
        declined_by=declined_by,
        file_sha256=FILE,
    )


def test_an_event_asks_for_the_same_contest_whenever_it_comes() -> None:
    asked = contest_of("event-1", contested(), ("senior-9", "agent-9"))
    assert asked == contest_of("event-1", contested(), ("senior-9", "agent-9"))
    assert asked.dispute_id != contest_of("event-2", contested(), ()).dispute_id
    assert (asked.return_id, asked.units, asked.ground) == ("RT9", ("1/1",), "DECLINED")
    assert asked.barred_ids == ("agent-9", "senior-9")
    assert contest_of("event-1", contested(declined_by=None), ()).barred_ids == ()
    assert kinds(played(say(asked, now=OPENING, actor=SYSTEM)).events)[0] == "DisputeOpened"
