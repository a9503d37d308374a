"""A request is approved, declined, or settled by an offer; and what silence brings."""

from typing import Any

import pytest
from returns_service.domain.approving import ApproveReturn
from returns_service.domain.cancelling import CancelReturn
from returns_service.domain.contesting import ContestReturn
from returns_service.domain.declining import DeclineReturn
from returns_service.domain.known import BuyerFacts
from returns_service.domain.labelling import IssueLabel
from returns_service.domain.offering import AnswerOffer, LapseOffer, OfferPartialRefund
from returns_service.testing import AGENT, SELLER, SENIOR, SYSTEM, TICK
from returns_service.testing.returns import (
    DAY,
    IDS,
    A,
    accepted,
    at,
    authorized,
    fast,
    kinds,
    labelled,
    pieces_of,
    played,
    received,
    refunded,
    rejected,
    requested,
    return_of,
    reviewed,
    say,
    shipped,
    words,
)
from shared_casework.overdue import NoteOverdue
from shared_events.common import StatementOfReasonsIssued
from shared_events.returns import (
    ExchangeFellBack,
    LabelIssued,
    OfferAccepted,
    PartialOfferMade,
    ReturnAuthorized,
    ReturnClosed,
    ReturnContested,
    ReturnDeclined,
    ReturnEvent,
    ReturnReviewRequired,
    UnitsLost,
)
from shared_runtime.decider import (
    Actor,
    AlreadySubmitted,
    AmountExceedsCeiling,
    ConflictOfInterest,
    HumanRequired,
    InvalidValue,
    LimitReached,
    ReasonsMissing,
    RoleNotAllowed,
    StaleProposal,
    WindowClosed,
    WrongState,
)

U = "1/1"
ASKED: tuple[ReturnEvent, ...] = (requested(U), reviewed())
AT_DESK: tuple[ReturnEvent, ...] = (requested(U), reviewed(at(5), by="AGENT"))
CLAIM = requested(U, kind="CLAIM", reason="MISSING_PARTS", asked_minor=1000)
SWAP = requested(U, kind="CLAIM", reason="MISSING_PARTS", wants="REPLACEMENT")
APPROVE = ApproveReturn()
NOTE = DeclineReturn(code="NOT_AS_CLAIMED", note=words("note"))
REASONED = DeclineReturn(
    code="NOT_AS_CLAIMED",
    note_for_buyer=words("note"),
    note_for_seller=words("note"),
    rule_ids=("R-4",),
    facts_for_buyer=words("facts"),
    explanation="What was sent is what was offered.",
)
UNASKED = received(U, day=4, unasked=True, inspect_by=None)


def authorization(events: list[ReturnEvent]) -> ReturnAuthorized:
    (told,) = events
    assert isinstance(told, ReturnAuthorized)
    return told


# --- Approving


def test_the_seller_approves_what_he_reviews_until_his_time_is_over() -> None:
    told = authorization(played(say(APPROVE, at(4), SELLER), after=ASKED).events)
    assert (told.by, told.lane, told.kind, told.units) == ("SELLER", "STANDARD", "RETURN", [U])
    assert told.decision_seconds == 86_400
    assert (told.label_paid_by, told.label_due, told.ship_by) == ("SELLER", at(7), at(17))
    assert played(say(APPROVE, at(8) - TICK, SELLER), after=ASKED).events
    late = played(say(APPROVE, at(8), SELLER), after=ASKED)
    late.then_refused(WindowClosed, closed_at=at(8))


def test_his_silence_is_a_yes() -> None:
    told = authorization(played(say(APPROVE, at(8), SYSTEM), after=ASKED).events)
    assert (told.by, told.decision_seconds) == ("SILENCE", 432_000)
    assert played(say(APPROVE, at(8) - TICK, SYSTEM), after=ASKED).events == []
    done = [*ASKED, told]
    assert played(say(APPROVE, at(9), SYSTEM), after=done).events == []
    assert (return_of(done).late, return_of(done).forced) == (True, True)


def test_case_60_silence_gives_small_money_for_missing_parts_alone() -> None:
    asked = (CLAIM, reviewed())
    told = authorization(played(say(APPROVE, at(8), SYSTEM), after=asked).events)
    assert (told.kind, told.amount_minor, told.goods_back) == ("CLAIM", 1000, False)
    assert (told.ship_by, told.label_due) == (None, None)
    tests = ["D3:fail:REFUND", "D3:pass:MISSING_PARTS", "D3:pass:1000<=1079", "D3:pass:none"]
    assert told.rule_trace == [*reviewed().rule_trace, *tests]
    more = (requested(U, kind="CLAIM", reason="MISSING_PARTS", asked_minor=1080), reviewed())
    told = authorization(played(say(APPROVE, at(8), SYSTEM), after=more).events)
    assert (told.kind, told.amount_minor, told.goods_back) == ("RETURN", None, True)
    assert told.rule_trace[-2:] == ["D3:fail:1080<=1079", "D3:pass:else"]
    swap = (SWAP, reviewed())
    told = authorization(played(say(APPROVE, at(8), SYSTEM), after=swap).events)
    assert (told.kind, told.by, told.goods_back) == ("EXCHANGE", "SILENCE", True)


def test_case_61_the_desks_silence_passes_it_on_to_the_seller() -> None:
    manual: dict[str, Any] = {"buyer": BuyerFacts(measures=frozenset({"MANUAL_ONLY"}))}
    asked = (CLAIM, reviewed(at(5), by="AGENT"))
    done = played(say(APPROVE, at(5), SYSTEM, **manual), after=asked)
    overdue, review = done.events
    assert kinds([overdue]) == ["DecisionOverdue"]
    assert isinstance(review, ReturnReviewRequired)
    assert (review.by, review.answer_due) == ("SELLER", at(10))
    after = [*asked, *done.events]
    told = authorization(played(say(APPROVE, at(10), SYSTEM, **manual), after=after).events)
    assert (told.kind, told.decision_seconds) == ("RETURN", 432_000)


def test_the_desk_decides_where_it_reviews_and_the_seller_may_say_yes_at_any_time() -> None:
    assert authorization(played(say(APPROVE, at(4), AGENT), after=AT_DESK).events).by == "AGENT"
    assert authorization(played(say(APPROVE, at(4), SENIOR), after=AT_DESK).events).by == "AGENT"
    assert authorization(played(say(APPROVE, at(6), SELLER), after=AT_DESK).events).by == "SELLER"
    assert isinstance(played(say(APPROVE, at(5), AGENT), after=AT_DESK).refused, WindowClosed)
    not_his = played(say(APPROVE, at(4), AGENT), after=ASKED)
    not_his.then_refused(RoleNotAllowed, allowed_roles=["SELLER"])
    involved = Actor(role="AGENT", id="agent-9", seller_id="S1")
    done = played(say(APPROVE, at(4), involved), after=AT_DESK)
    done.then_refused(ConflictOfInterest, ground="PARTY")


def test_a_claim_is_given_what_was_asked_or_more() -> None:
    asked = (CLAIM, reviewed())
    assert (
        authorization(played(say(APPROVE, at(4), SELLER), after=asked).events).amount_minor == 1000
    )

    def approve(amount: int, currency: str = "EUR") -> Any:  # noqa: ANN401
        said = ApproveReturn(amount_minor=amount, currency=currency)
        return played(say(said, at(4), SELLER), after=asked)

    assert authorization(approve(5399).events).amount_minor == 5399
    approve(5400).then_refused(AmountExceedsCeiling, ceiling_minor=5399, currency="EUR")
    assert approve(999).refused.errors[0].bound.startswith("1000..5399")
    assert approve(1000, "USD").refused.errors[0].field == "currency"
    for_nothing = ApproveReturn(amount_minor=5, currency="EUR")
    assert isinstance(played(say(for_nothing, at(4), SELLER), after=ASKED).refused, InvalidValue)


def test_a_claim_of_a_replacement_waits_for_the_stock() -> None:
    told = authorization(played(say(APPROVE, at(4), SELLER), after=(SWAP, reviewed())).events)
    assert (told.kind, told.stock_due, told.goods_back) == ("CLAIM", at(6), False)


def test_g28_goods_that_came_before_the_yes_are_looked_at_next() -> None:
    asked = (*ASKED, UNASKED)
    told = authorization(played(say(APPROVE, at(5), SELLER), after=asked).events)
    assert (told.ship_by, told.inspect_by) == (None, at(7))
    assert return_of([*asked, told]).status == "RECEIVED"


def test_of_two_pieces_one_of_which_is_there_each_has_its_own_date() -> None:
    asked = (requested(U, "1/2"), reviewed(), UNASKED)
    away, there = played(say(APPROVE, at(5), SELLER), after=asked).events
    assert isinstance(away, ReturnAuthorized)
    assert isinstance(there, ReturnAuthorized)
    assert (away.units, away.ship_by, away.inspect_by) == (["1/2"], at(18), None)
    assert (there.units, there.ship_by, there.inspect_by) == ([U], None, at(7))
    assert return_of([*asked, away, there]).status == "PARTLY_RECEIVED"


THERE: dict[str, Any] = {"pieces": pieces_of(A, came_unasked={U: True})}
"""They came to another return, which was declined, and nobody has sent them back."""


@pytest.mark.parametrize(("now", "actor"), [(at(5), SELLER), (at(8), SYSTEM)])
def test_goods_that_came_to_a_return_before_this_one_are_not_asked_for_again(
    now: Any,  # noqa: ANN401 - an instant
    actor: Actor,
) -> None:
    """Who has not got them could send nothing, and the seller would have goods and money."""
    asked = (requested(U, "1/2"), reviewed())
    away, there = played(say(APPROVE, now, actor, **THERE), after=asked).events
    assert isinstance(away, ReturnAuthorized)
    assert isinstance(there, ReturnAuthorized)
    assert (away.units, away.inspect_by) == (["1/2"], None)
    assert (there.units, there.ship_by) == ([U], None)
    assert there.inspect_by == now + 2 * DAY
    claim = (CLAIM, reviewed())
    assert authorization(played(say(APPROVE, now, actor, **THERE), after=claim).events).goods_back
    kept = played(say(offer(), at(4), SELLER, **THERE), after=ASKED)
    assert isinstance(kept.refused, WrongState), "the buyer has nothing to keep"


def test_a_claim_whose_goods_have_come_is_a_return_of_them() -> None:
    claim = (CLAIM, reviewed(), UNASKED)
    assert authorization(played(say(APPROVE, at(5), SELLER), after=claim).events).kind == "RETURN"
    assert authorization(played(say(APPROVE, at(8), SYSTEM), after=claim).events).kind == "RETURN"


def test_goods_that_came_unasked_can_be_taken_back_after_all_while_nobody_else_has_them() -> None:
    cancelled = played(say(CancelReturn(), at(5)), after=(*ASKED, UNASKED)).events
    after = [*ASKED, UNASKED, *cancelled]
    assert kinds(cancelled) == ["ReturnCancelled", "ReturnClosed"]
    told = authorization(played(say(APPROVE, at(6), SELLER), after=after).events)
    assert (told.units, told.inspect_by) == ([U], at(8))
    assert return_of([*after, told]).status == "CLOSED", "the end is told once"
    elsewhere = pieces_of(A, in_return={U: "RT-2"})
    taken = played(say(APPROVE, at(6), SELLER, pieces=elsewhere), after=after)
    assert isinstance(taken.refused, WrongState)
    late = played(say(APPROVE, at(15), SELLER), after=after)
    late.then_refused(WindowClosed, closed_at=at(15))
    assert isinstance(played(say(APPROVE, at(6), AGENT), after=after).refused, RoleNotAllowed)
    assert played(say(APPROVE, at(6), SYSTEM), after=after).events == []


def test_what_is_decided_is_not_decided_again() -> None:
    done = (requested(U), authorized(U))
    assert isinstance(played(say(APPROVE, at(6), SELLER), after=done).refused, WrongState)


# --- Declining


def test_the_seller_declines_with_a_code_and_his_words() -> None:
    (told,) = played(say(NOTE, at(4), SELLER), after=ASKED).events
    assert isinstance(told, ReturnDeclined)
    assert (told.by, told.note, told.decided_by) == ("SELLER", words("note"), None)
    assert (told.contest_until, told.send_back_until) == (at(11), None)
    assert return_of([*ASKED, told]).status == "DECLINED"
    assert isinstance(played(say(NOTE, at(8), SELLER), after=ASKED).refused, WindowClosed)


def test_goods_that_are_in_go_back_once_it_cannot_be_contested() -> None:
    (told,) = played(say(NOTE, at(4), SELLER), after=(*ASKED, UNASKED)).events
    assert isinstance(told, ReturnDeclined)
    assert told.send_back_until == at(21)


def test_the_desks_has_reasons_for_the_buyer() -> None:
    declined, why = played(say(REASONED, at(4), AGENT), after=AT_DESK).events
    assert isinstance(declined, ReturnDeclined)
    assert (declined.by, declined.decided_by, declined.note) == ("AGENT", "agent-1", None)
    assert isinstance(why, StatementOfReasonsIssued)
    assert (why.recipient_role, why.recipient_id) == ("BUYER", "B1")
    assert (why.appeal_command, why.appeal_until) == ("ContestReturn", at(11))
    bare = played(say(NOTE, at(4), AGENT), after=AT_DESK)
    bare.then_refused(ReasonsMissing, missing=["rule_ids", "facts", "explanation"])


def test_who_reviews_it_declines_it_and_nobody_else() -> None:
    done = played(say(NOTE, at(4), SELLER), after=AT_DESK)
    done.then_refused(RoleNotAllowed, allowed_roles=["AGENT", "SENIOR"])
    other = played(say(REASONED, at(4), AGENT), after=ASKED)
    other.then_refused(RoleNotAllowed, allowed_roles=["SELLER"])
    machine = Actor(role="SYSTEM", id="rule", on_behalf_of="AGENT")
    assert isinstance(played(say(REASONED, at(4), machine), after=AT_DESK).refused, HumanRequired)
    conflicted = say(REASONED, at(4), AGENT, party_orgs=frozenset({"desk"}))
    played(conflicted, after=AT_DESK).then_refused(ConflictOfInterest, ground="ORGANISATION")


# --- Offers


def offer(amount: int = 700, offer_id: str = "o-1") -> OfferPartialRefund:
    return OfferPartialRefund(offer_id=offer_id, amount_minor=amount, currency="EUR")


OFFERED: tuple[ReturnEvent, ...] = (
    *ASKED,
    *played(say(offer(), at(4), SELLER), after=ASKED).events,
)


def test_g33_an_offer_is_open_for_three_days_and_ends_the_return_where_it_is_taken() -> None:
    begun = (requested(U), authorized(U), labelled())
    (made,) = played(say(offer(400), at(4), SELLER), after=begun).events
    assert isinstance(made, PartialOfferMade)
    assert made.answer_due == at(7)
    taken = AnswerOffer(offer_id="o-1", accept=True)
    done = played(say(taken, at(5)), after=[*begun, made])
    assert kinds(done.events) == ["OfferAccepted", "LabelVoided"]
    assert isinstance(done.events[0], OfferAccepted)
    assert (done.events[0].amount_minor, done.events[0].units) == (400, [U])
    sent = played(say(offer(400), at(6), SELLER), after=[*begun, shipped(U)])
    assert isinstance(sent.refused, WrongState)


def test_an_offer_that_the_ledger_has_answered_already_ends_the_return_at_once() -> None:
    taken = say(AnswerOffer(offer_id="o-1", accept=True), at(5), refunds=refunded(U, total=700))
    *_, closed = played(taken, after=OFFERED).events
    assert isinstance(closed, ReturnClosed)
    assert (closed.resolution, closed.refunded_minor) == ("KEPT", 700)


def test_an_offer_is_answered_in_time_or_lapses() -> None:
    no = AnswerOffer(offer_id="o-1", accept=False)
    assert kinds(played(say(no, at(7) - TICK), after=OFFERED).events) == ["OfferDeclined"]
    assert isinstance(played(say(no, at(7)), after=OFFERED).refused, WindowClosed)
    assert played(say(LapseOffer(), at(7) - TICK, SYSTEM), after=OFFERED).events == []
    lapsed = played(say(LapseOffer(), at(7), SYSTEM), after=OFFERED).events
    assert kinds(lapsed) == ["OfferDeclined"]
    after = [*OFFERED, *lapsed]
    assert played(say(LapseOffer(), at(8), SYSTEM), after=after).events == []
    assert return_of(after).status == "REVIEW"


def test_the_sellers_own_time_runs_on() -> None:
    assert isinstance(played(say(offer(), at(8), SELLER), after=ASKED).refused, WindowClosed)
    assert authorization(played(say(APPROVE, at(8), SYSTEM), after=OFFERED).events)
    at_desk = played(say(offer(), at(6), SELLER), after=AT_DESK)
    assert kinds(at_desk.events) == ["PartialOfferMade"], "while the desk is late with it"


def test_each_offer_is_above_the_last_and_there_are_three() -> None:
    history: list[ReturnEvent] = [*OFFERED]
    assert isinstance(
        played(say(offer(800, "o-2"), at(4), SELLER), after=history).refused, WrongState
    )
    no = AnswerOffer(offer_id="o-1", accept=False)
    history += played(say(no, at(4)), after=history).events
    assert isinstance(
        played(say(offer(700, "o-2"), at(4), SELLER), after=history).refused, InvalidValue
    )
    for number in (2, 3):
        made = offer(700 + number, f"o-{number}")
        history += played(say(made, at(4), SELLER), after=history).events
        no = AnswerOffer(offer_id=f"o-{number}", accept=False)
        history += played(say(no, at(4)), after=history).events
    done = played(say(offer(900, "o-4"), at(4), SELLER), after=history)
    done.then_refused(LimitReached, limit=3)


def test_an_offer_is_of_what_is_left_and_in_the_orders_money() -> None:
    assert played(say(offer(5399), at(4), SELLER), after=ASKED).events
    over = played(say(offer(5400), at(4), SELLER), after=ASKED)
    over.then_refused(AmountExceedsCeiling, ceiling_minor=5399, currency="EUR")
    dollars = OfferPartialRefund(offer_id="o-1", amount_minor=1, currency="USD")
    assert isinstance(played(say(dollars, at(4), SELLER), after=ASKED).refused, InvalidValue)
    assert isinstance(played(say(offer(0), at(4), SELLER), after=ASKED).refused, InvalidValue)


def test_the_same_offer_again_is_nothing() -> None:
    assert played(say(offer(), at(5), SELLER), after=OFFERED).events == []
    other = played(say(offer(701), at(5), SELLER), after=OFFERED)
    other.then_refused(AlreadySubmitted, existing_id="o-1")


def test_an_offer_that_was_replaced_is_stale() -> None:
    no = AnswerOffer(offer_id="o-1", accept=False)
    history = [*OFFERED, *played(say(no, at(4)), after=OFFERED).events]
    history += played(say(offer(800, "o-2"), at(4), SELLER), after=history).events
    old = played(say(AnswerOffer(offer_id="o-1", accept=True), at(5)), after=history)
    old.then_refused(StaleProposal, current_proposal_id="o-2")
    none = played(say(AnswerOffer(offer_id="o-9", accept=True), at(5)), after=history)
    assert isinstance(none.refused, WrongState)


def test_goods_that_are_with_the_seller_cannot_be_kept_by_the_buyer() -> None:
    there = (*ASKED, UNASKED)
    assert isinstance(played(say(offer(), at(5), SELLER), after=there).refused, WrongState)
    came = (*OFFERED, UNASKED)
    taken = AnswerOffer(offer_id="o-1", accept=True)
    assert isinstance(played(say(taken, at(5)), after=came).refused, WrongState)


@pytest.mark.parametrize(
    ("said", "actor"), [(NOTE, SELLER), (CancelReturn(), None)], ids=["declined", "cancelled"]
)
def test_what_is_done_instead_ends_an_offer(said: Any, actor: Actor | None) -> None:  # noqa: ANN401
    command = say(said, at(5), actor) if actor else say(said, at(5))
    assert kinds(played(command, after=OFFERED).events)[0] == "OfferDeclined"


# --- Labels


LABEL = IssueLabel(label_id="L-1", carrier="DHL", tracking_id="T-1", cost_minor=390, currency="EUR")


def test_who_has_waited_for_a_label_has_his_time_anew() -> None:
    (told,) = played(say(LABEL, at(6), SYSTEM), after=fast(U)).events
    assert isinstance(told, LabelIssued)
    assert (told.paid_by, told.ship_by) == ("SELLER", at(16))
    his_own = (requested(U), authorized(U, label_paid_by="BUYER"))
    (told,) = played(say(LABEL, at(6), SYSTEM), after=his_own).events
    assert isinstance(told, LabelIssued)
    assert told.ship_by is None


def test_there_is_one_label_and_only_for_goods_that_are_still_to_be_sent() -> None:
    begun = (requested(U), authorized(U))
    assert played(say(LABEL, at(6), SYSTEM), after=[*begun, labelled()]).events == []
    other = IssueLabel(
        label_id="L-2", carrier="DHL", tracking_id="T-2", cost_minor=390, currency="EUR"
    )
    assert played(say(other, at(6), SYSTEM), after=[*begun, labelled()]).events == []
    assert played(say(LABEL, at(6), SYSTEM), after=[*begun, shipped(U)]).events == []
    assert played(say(LABEL, at(6), SYSTEM), after=ASKED).events == []


def test_a_label_that_does_not_come_is_told_once() -> None:
    waiting = (requested(U), authorized(U, label_due=at(7)))
    late = NoteOverdue(what="LABEL", ref_id="RT-1", due_at=at(7))
    done = played(say(late, at(7), SYSTEM), after=waiting)
    assert kinds(done.events) == ["DecisionOverdue"]
    assert played(say(late, at(8), SYSTEM), after=[*waiting, *done.events]).events == []
    assert played(say(late, at(7) - TICK, SYSTEM), after=waiting).events == []
    assert played(say(late, at(7), SYSTEM), after=[*waiting, labelled()]).events == []


# --- Contesting


def contest(ground: Any, *units: str) -> ContestReturn:  # noqa: ANN401 - a word
    return ContestReturn(ground=ground, units=units, text=words("contest"))


IN = (requested(U, "1/2"), authorized(U, "1/2"), shipped(U, "1/2"), received(U, "1/2"))
LOST = UnitsLost(**IDS, units=[U], covered=False, contest_until=at(17))


@pytest.mark.parametrize(
    ("ground", "history"),
    [
        ("DECLINED", (*ASKED, *played(say(NOTE, at(4), SELLER), after=ASKED).events)),
        ("REJECTED", (*IN, rejected(U))),
        ("LOST", (*IN[:3], LOST)),
        ("DEDUCTION", (*IN, accepted(U, deduction_milli=250, contest_until=at(17)))),
    ],
)
def test_what_was_done_with_it_can_be_contested_on_its_own_ground(
    ground: str, history: tuple[ReturnEvent, ...]
) -> None:
    said = contest(ground, U)
    until = return_of(history).pieces[U].contest_until
    assert until
    told, *rest = played(say(said, until - TICK, file_sha256="a" * 64), after=history).events
    assert isinstance(told, ReturnContested)
    assert (told.units, told.ground, told.contest_until) == ([U], ground, until)
    assert (told.reason, told.seller_at_fault) == ("NOT_AS_DESCRIBED", True)
    assert told.file_sha256 == "a" * 64
    played(say(said, until), after=history).then_refused(WindowClosed, closed_at=until)
    for other in {"DECLINED", "REJECTED", "LOST", "DEDUCTION"} - {ground}:
        refused = played(say(contest(other, U), at(10)), after=history).refused
        assert isinstance(refused, WrongState)
    assert kinds(rest) in ([], ["ReturnClosed"])


def test_a_deduction_is_contested_once_it_lessens_money_not_while_another_piece_is_to_come() -> (
    None
):
    """Else the contest would take the piece out of its exchange, and nothing would come of it."""
    swap: dict[str, Any] = {"kind": "EXCHANGE"}
    waiting: tuple[ReturnEvent, ...] = (
        requested(U, wants="EXCHANGE", **swap),
        authorized(U, **swap),
        received(U),
        accepted(U, deduction_milli=250, contest_until=at(17)),
    )
    said = say(contest("DEDUCTION", U), at(12))
    assert isinstance(played(said, after=waiting).refused, WrongState)
    fallen = (*waiting, ExchangeFellBack(**IDS, units=[U], reason="OUT_OF_STOCK"))
    assert "ReturnContested" in kinds(played(said, after=fallen).events)


def test_only_the_contested_pieces_leave_and_the_last_of_them_ends_it() -> None:
    one_open = (*IN, rejected(U))
    done = played(say(contest("REJECTED", U), at(12)), after=one_open)
    assert kinds(done.events) == ["ReturnContested"]
    assert return_of([*one_open, *done.events]).status == "RECEIVED"
    both = (*IN, rejected(U, "1/2"))
    done = played(say(contest("REJECTED", U, "1/2"), at(12)), after=both)
    assert kinds(done.events) == ["ReturnContested", "ReturnClosed"]


def test_a_contest_is_once_and_of_pieces_of_this_return() -> None:
    both = (*IN, rejected(U))
    first = played(say(contest("REJECTED", U), at(12)), after=both).events
    again = played(say(contest("REJECTED", U), at(12)), after=[*both, *first])
    assert again.events == []
    foreign = played(say(contest("REJECTED", "9/1"), at(12)), after=both)
    assert isinstance(foreign.refused, InvalidValue)
    waiting = played(say(contest("REJECTED", "1/2"), at(12)), after=both)
    assert isinstance(waiting.refused, WrongState)


def test_the_desk_that_declined_is_named_to_who_decides_the_contest() -> None:
    declined = played(say(REASONED, at(4), AGENT), after=AT_DESK).events
    after = [*AT_DESK, *declined]
    told, closed = played(say(contest("DECLINED", U), at(5)), after=after).events
    assert isinstance(told, ReturnContested)
    assert told.declined_by == "agent-1"
    assert isinstance(closed, ReturnClosed)
    assert closed.resolution == "CONTESTED"


def test_g51_a_contested_deduction_waits_for_the_money_of_the_rest() -> None:
    whole = (requested(U), authorized(U), shipped(U), received(U))
    history = (*whole, accepted(U, deduction_milli=250, contest_until=at(17)))
    said = contest("DEDUCTION", U)
    assert kinds(played(say(said, at(12)), after=history).events) == ["ReturnContested"]
    paid = refunded(U, total=4050)
    *_, closed = played(say(said, at(12), refunds=paid), after=history).events
    assert isinstance(closed, ReturnClosed)
    assert (closed.resolution, closed.refunded_minor) == ("CONTESTED", 4050)


# --- Cancelling


def test_g11_what_is_cancelled_is_over() -> None:
    done = played(say(CancelReturn(), at(4)), after=ASKED)
    *_, closed = done.events
    assert isinstance(closed, ReturnClosed)
    assert (closed.resolution, closed.refunded_minor, closed.lane) == ("CANCELLED", 0, None)
    labelled_one = (requested(U), authorized(U), labelled())
    done = played(say(CancelReturn(), at(6)), after=labelled_one)
    assert kinds(done.events) == ["ReturnCancelled", "LabelVoided", "ReturnClosed"]
    sent = played(say(CancelReturn(), at(6)), after=[*labelled_one, shipped(U)])
    assert isinstance(sent.refused, WrongState)
