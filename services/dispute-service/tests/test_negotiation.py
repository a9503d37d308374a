"""Proposals, blind offers, messages, silence and escalation."""

from dataclasses import replace as with_numbers
from datetime import datetime
from typing import Any

import pytest
from dispute_service.domain.blind_offers import MakeBlindOffer
from dispute_service.domain.escalation import EscalateDispute
from dispute_service.domain.messages import AddDisputeMessage
from dispute_service.domain.opening import OpenDispute
from dispute_service.domain.policy import AE_2025_1, ALWAYS, policies
from dispute_service.domain.proposals import AcceptProposal, Propose, RejectProposal
from dispute_service.domain.rules import DisputeCommand
from dispute_service.domain.silence import GiveDefaultJudgement, facts_of_silence
from dispute_service.domain.withdrawal import WithdrawDispute
from dispute_service.testing import (
    AGENT,
    ALL,
    BUYER,
    HOUR,
    OPENING,
    ORDER,
    PIECES,
    SELLER,
    SENIOR,
    STRANGER,
    SYSTEM,
    TICK,
    at,
    history,
    kinds,
    ledger,
    played,
    say,
    words,
)
from dispute_service.testing.stories import (
    CONTEST,
    COUNTERED,
    EVIDENCE,
    OPEN,
    REJECTED,
    REVIEW,
    opening,
    partial,
    photo,
)
from msgspec import Struct
from msgspec.structs import replace
from shared_events.common import StatementOfReasonsIssued
from shared_events.dispute import (
    DefaultJudgementGiven,
    DisputedLine,
    DisputeEscalated,
    DisputeReason,
    DisputeSettled,
    Outcome,
    ProposalMade,
    RemedyOrdered,
)
from shared_runtime.decider import (
    Actor,
    AmountExceedsCeiling,
    InvalidValue,
    LimitReached,
    NotAParty,
    NotYetEligible,
    Role,
    RoleNotAllowed,
    StaleProposal,
    SubjectErased,
    WindowClosed,
    WrongState,
)

DUE = at(10)
silence = GiveDefaultJudgement(facts=words("facts"))
default = say(silence, now=DUE, actor=SYSTEM)
TWO = (DisputedLine(line_id="1", quantity=2),)


def first[E](events: list[Any], kind: type[E]) -> E:
    return next(event for event in events if isinstance(event, kind))


def opened(said: OpenDispute = opening, **known: Any) -> DisputeCommand:  # noqa: ANN401
    return say(said, now=OPENING, **known)


# --- Proposals


def test_a_proposal_replaces_the_partys_own_and_an_old_one_cannot_be_accepted() -> None:
    newer = say(partial("p3", 900), now=at(6), actor=SELLER)
    accept = say(AcceptProposal(proposal_id="p2"), now=at(6))
    played(*COUNTERED, newer, accept).then_refused(StaleProposal, current_proposal_id="p3")
    reject = say(RejectProposal(proposal_id="p2"), now=at(6))
    played(*COUNTERED, newer, reject).then_refused(StaleProposal, current_proposal_id="p3")


@pytest.mark.parametrize("named", ["p1", "p9"])
def test_only_the_other_partys_proposal_can_be_answered(named: str) -> None:
    for answer in (AcceptProposal(proposal_id=named), RejectProposal(proposal_id=named)):
        played(*COUNTERED, say(answer, now=at(6))).then_refused(WrongState, state="NEGOTIATING")


def test_equal_proposals_are_a_settlement() -> None:
    match = say(partial("p3", 2000), now=at(6), actor=SELLER)
    done = played(*COUNTERED, match)
    assert kinds(done.events)[-3:] == ["ProposalMade", "DisputeSettled", "RemedyOrdered"]
    assert first(done.events, DisputeSettled).how == "MATCHED"
    ordered = first(done.events, RemedyOrdered)
    assert (ordered.amount_minor, ordered.liable, ordered.basis) == (2000, "NONE", "SETTLEMENT")
    assert ordered.lines[0].units == "1/1,1/2,1/3"


def test_what_differs_in_anything_is_no_settlement() -> None:
    for other in (
        partial("p3", 2001),
        replace(partial("p3", 2000), lines=TWO),
        Propose(proposal_id="p3", outcome="REFUND_FULL", lines=ALL),
    ):
        done = played(*COUNTERED, say(other, now=at(6), actor=SELLER))
        assert kinds(done.events)[-1] == "ProposalMade"


def test_proposing_the_same_again_changes_nothing() -> None:
    again = say(partial("p9", 1000), now=at(6), actor=SELLER)
    assert played(again, after=history(*COUNTERED)).events == []


def test_an_accepted_proposal_is_ordered_or_ends_it_where_nothing_was_proposed() -> None:
    done = played(say(AcceptProposal(proposal_id="p2"), now=at(6)), after=history(*COUNTERED))
    assert kinds(done.events) == ["ProposalAccepted", "DisputeSettled", "RemedyOrdered"]
    nothing = say(Propose(proposal_id="p3", outcome="REJECTED", lines=ALL), now=at(6), actor=SELLER)
    accept = say(AcceptProposal(proposal_id="p3"), now=at(7))
    done = played(nothing, accept, after=history(*OPEN))
    assert kinds(done.events)[1:] == ["ProposalAccepted", "DisputeSettled", "DisputeClosed"]


def test_what_is_no_longer_there_cannot_be_accepted() -> None:
    accept = AcceptProposal(proposal_id="p2")
    less = say(accept, now=at(6), ledger=ledger(1000))
    played(*COUNTERED, less).then_refused(AmountExceedsCeiling, ceiling_minor=1000, currency="EUR")
    assert played(*COUNTERED, say(accept, now=at(6), ledger=ledger(1001))).refused is None
    full = say(Propose(proposal_id="p3", outcome="REFUND_FULL", lines=ALL), now=at(6), actor=SELLER)
    nothing_left = say(AcceptProposal(proposal_id="p3"), now=at(6), ledger=ledger(0))
    assert played(*COUNTERED, full, nothing_left).refused is None  # it was met before


@pytest.mark.parametrize(
    ("story", "said", "actor"),
    [
        (OPEN, partial("p2", 16198), SELLER),
        (OPEN, partial("p1", 500), SELLER),
        (OPEN, replace(partial("p2", 500), lines=()), SELLER),
        (OPEN, replace(partial("p2", 5), lines=(DisputedLine(line_id="1", quantity=4),)), SELLER),
        (OPEN, replace(partial("p2", 5), lines=(DisputedLine(line_id="9", quantity=1),)), SELLER),
        (OPEN, replace(partial("p2", 5), lines=(*TWO, *TWO)), SELLER),
        (OPEN, replace(partial("p2", 500), currency="USD"), SELLER),
        (OPEN, Propose(proposal_id="p2", outcome="REJECTED", lines=ALL), BUYER),
        (CONTEST, Propose(proposal_id="p2", outcome="EXCHANGE", lines=ALL[:0]), SELLER),
    ],
)
def test_a_proposal_that_makes_no_sense_here_is_refused(
    story: tuple[DisputeCommand, ...], said: Propose, actor: Actor
) -> None:
    done = played(*story, say(said, now=at(6), actor=actor))
    assert isinstance(done.refused, InvalidValue | AmountExceedsCeiling)


def test_goods_that_the_buyer_does_not_have_do_not_go_back() -> None:
    one = (DisputedLine(line_id="1", quantity=1),)
    back = Propose(proposal_id="p2", outcome="RETURN_AND_REFUND", lines=one)
    for actor in (BUYER, SELLER):
        played(*CONTEST, say(back, now=at(6), actor=actor)).then_refused(InvalidValue)
    lost = opened(replace(opening, reason="NOT_RECEIVED"), order=replace(ORDER, deliver_by=at(1)))
    whole = replace(back, lines=ALL)
    played(lost, say(whole, now=at(6), actor=BUYER)).then_refused(InvalidValue)
    assert played(lost, say(whole, now=at(6), actor=SELLER)).refused is None


def test_a_proposal_about_fewer_pieces_means_the_lowest() -> None:
    two = replace(partial("p2", 1000), lines=TWO)
    accept = say(AcceptProposal(proposal_id="p2"), now=at(6))
    done = played(*OPEN, say(two, now=at(6), actor=SELLER), accept)
    assert first(done.events, RemedyOrdered).lines[0].units == "1/1,1/2"


def test_a_party_makes_twenty_proposals_the_first_of_them_the_complaint() -> None:
    asks = [say(partial(f"q{n}", 2001 + n), now=at(5, 9)) for n in range(20)]
    done = played(*OPEN, *asks[:19])
    assert done.refused is None
    played(*OPEN, *asks).then_refused(LimitReached, limit=20)
    offers = [say(partial(f"s{n}", 1 + n), now=at(5, 9), actor=SELLER) for n in range(21)]
    assert played(*OPEN, *offers[:20]).refused is None
    played(*OPEN, *offers).then_refused(LimitReached, limit=20)


def test_a_proposal_above_what_is_held_raises_it_and_one_below_does_not_lower_it() -> None:
    done = played(
        *OPEN,
        say(partial("p2", 2001), now=at(6)),
        say(partial("p3", 500), now=at(6), actor=SELLER),
        say(Propose(proposal_id="p4", outcome="REFUND_FULL", lines=ALL), now=at(6)),
    )
    made = [event for event in done.events if isinstance(event, ProposalMade)]
    assert [event.held_minor for event in made] == [2001, None, 16198]


def test_parties_may_settle_until_the_decision() -> None:
    accept = say(AcceptProposal(proposal_id="p1"), now=at(14), actor=SELLER)
    assert kinds(played(*REVIEW, accept).events)[-1] == "RemedyOrdered"


def test_a_rejected_proposal_stays_and_can_still_be_matched() -> None:
    again = say(RejectProposal(proposal_id="p1"), now=at(6), actor=SELLER)
    assert played(again, after=history(*REJECTED)).events == []
    match = say(partial("p2", 2000), now=at(6), actor=SELLER)
    assert kinds(played(*REJECTED, match).events)[-1] == "RemedyOrdered"


# --- Blind offers


def offer(amount: int, actor: Actor, currency: str = "EUR", **known: Any) -> DisputeCommand:  # noqa: ANN401
    said = MakeBlindOffer(amount_minor=amount, currency=currency)
    return say(said, now=at(6), actor=actor, **known)


def test_no_overlap_reveals_nothing_and_an_overlap_settles_on_the_middle() -> None:
    done = played(*OPEN, offer(2000, BUYER), offer(1500, SELLER))
    assert kinds(done.events) == ["DisputeOpened", "BlindOfferMade", "BlindOfferMade"]
    done = played(*OPEN, offer(2000, BUYER), offer(1500, SELLER), offer(2501, SELLER))
    settled = first(done.events, DisputeSettled)
    assert (settled.how, settled.outcome, settled.amount_minor) == (
        "BLIND_OVERLAP",
        "REFUND_PARTIAL",
        2250,
    )


def test_equal_offers_overlap() -> None:
    done = played(*OPEN, offer(2000, SELLER), offer(2000, BUYER))
    assert first(done.events, DisputeSettled).amount_minor == 2000
    done = played(*OPEN, offer(1999, SELLER), offer(2000, BUYER))
    assert kinds(done.events)[-1] == "BlindOfferMade"


def test_the_last_offer_of_each_counts_and_each_has_three() -> None:
    offers = [offer(amount, BUYER) for amount in (100, 9000, 8000, 7000)]
    played(*OPEN, *offers).then_refused(LimitReached, limit=3)
    done = played(*OPEN, *offers[:3], offer(200, SELLER))
    assert kinds(done.events)[-1] == "BlindOfferMade"  # not with the first of the buyer


def test_both_name_all_there_is() -> None:
    done = played(*OPEN, offer(16198, SELLER), offer(16198, BUYER))
    assert first(done.events, DisputeSettled).outcome == "REFUND_FULL"
    less = played(*OPEN, offer(5000, SELLER), offer(1000, BUYER, ledger=ledger(3000)))
    assert first(less.events, DisputeSettled).outcome == "REFUND_FULL"  # less is left by now


def test_an_offer_is_of_what_there_is() -> None:
    played(*OPEN, offer(16199, SELLER)).then_refused(AmountExceedsCeiling, ceiling_minor=16198)
    played(*OPEN, offer(0, SELLER)).then_refused(InvalidValue)
    played(*OPEN, offer(1, SELLER, "GBP")).then_refused(InvalidValue)
    played(*EVIDENCE, offer(1, SELLER)).then_refused(WrongState)


# --- Messages


def message(number: int) -> AddDisputeMessage:
    return AddDisputeMessage(message_id=f"m{number}", text=words(f"m{number}"))


def test_words_are_no_act_of_a_silent_seller() -> None:
    done = played(*OPEN, say(message(1), now=at(9), actor=SELLER), default)
    assert "DefaultJudgementGiven" in kinds(done.events)


def test_each_party_has_a_hundred_messages() -> None:
    told = [say(message(n), now=at(6)) for n in range(101)]
    assert played(*OPEN, *told[:100]).refused is None
    played(*OPEN, *told).then_refused(LimitReached, limit=100)
    assert played(*OPEN, *told[:100], say(message(200), now=at(6), actor=SELLER)).refused is None


def test_a_message_sent_twice_is_one_and_its_id_is_nobody_elses() -> None:
    once = played(*OPEN, say(message(1), now=at(6)))
    assert played(*OPEN, say(message(1), now=at(6)), say(message(1), now=at(7))).events == (
        once.events
    )
    other = replace(message(1), text=words("other"))
    played(*OPEN, say(message(1), now=at(6)), say(other, now=at(7))).then_refused(InvalidValue)


def test_an_adjudicator_writes_to_each_and_only_who_is_assigned() -> None:
    both = AddDisputeMessage(message_id="m1", text_for_buyer=words(), text_for_seller=words())
    done = played(*REVIEW, say(both, now=at(13), actor=AGENT))
    assert done.events[-1].by_role == "ADJUDICATOR"
    played(*REVIEW, say(both, now=at(13), actor=SENIOR)).then_refused(RoleNotAllowed)
    played(*OPEN, say(both, now=at(6), actor=AGENT)).then_refused(RoleNotAllowed)
    played(*REVIEW, say(both, now=at(13), actor=BUYER)).then_refused(InvalidValue)
    played(*REVIEW, say(message(1), now=at(13), actor=AGENT)).then_refused(InvalidValue)


# --- Silence


def test_a_silent_seller_is_judged_at_the_limit_and_told_why() -> None:
    early = say(silence, now=DUE - TICK, actor=SYSTEM)
    assert played(early, after=history(*OPEN)).events == []
    done = played(default, after=history(*OPEN))
    assert kinds(done.events) == [
        "DefaultJudgementGiven",
        "RemedyOrdered",
        "StatementOfReasonsIssued",
    ]
    ordered = first(done.events, RemedyOrdered)
    assert (ordered.basis, ordered.liable, ordered.seller_at_fault) == ("DEFAULT", "SELLER", True)
    told = first(done.events, StatementOfReasonsIssued)
    assert (told.recipient_role, told.automated_decision) == ("SELLER", "FULLY")
    assert (told.rule_ids, told.redress) == (["silence"], ["OUT_OF_COURT", "COURT"])
    assert (told.decision_monetary, told.appeal_until) == ("OTHER", None)
    assert played(default, default, after=history(*OPEN)).events == done.events


ACTS: list[Struct] = [
    partial("p2", 1000),
    RejectProposal(proposal_id="p1"),
    MakeBlindOffer(amount_minor=1, currency="EUR"),
    photo("s1"),
]


@pytest.mark.parametrize("act", ACTS, ids=lambda act: type(act).__name__)
def test_any_act_before_the_limit_ends_the_silence_and_none_at_the_limit(act: Struct) -> None:
    late = say(act, now=DUE, actor=SELLER)
    played(*OPEN, late).then_refused(WindowClosed, closed_at=DUE)
    in_time = say(act, now=DUE - TICK, actor=SELLER)
    assert played(default, after=history(*OPEN, in_time)).events == []


@pytest.mark.parametrize(
    "act",
    [partial("p2", 1000), EscalateDispute(), WithdrawDispute(), photo("b1")],
    ids=lambda act: type(act).__name__,
)
def test_once_it_is_due_the_buyer_too_only_waits_for_it(act: Struct) -> None:
    played(*OPEN, say(act, now=DUE)).then_refused(WindowClosed, closed_at=DUE)
    assert played(*OPEN, say(act, now=DUE - TICK)).refused is None


@pytest.mark.parametrize(
    ("reason", "asked", "amount", "given"),
    [
        ("DAMAGED", "REFUND_FULL", None, "RETURN_AND_REFUND"),
        ("DAMAGED", "EXCHANGE", None, "RETURN_AND_REFUND"),
        ("DAMAGED", "REPLACEMENT_NO_RETURN", None, "RETURN_AND_REFUND"),
        ("DAMAGED", "RETURN_AND_REFUND", None, "RETURN_AND_REFUND"),
        ("DAMAGED", "REFUND_PARTIAL", 3239, "REFUND_PARTIAL"),
        ("DAMAGED", "REFUND_PARTIAL", 3240, "RETURN_AND_REFUND"),
        ("NOT_RECEIVED", "REFUND_PARTIAL", 5, "REFUND_FULL"),
        ("NOT_RECEIVED", "REPLACEMENT_NO_RETURN", None, "REFUND_FULL"),
    ],
)
def test_what_a_rule_grants(
    reason: DisputeReason, asked: Outcome, amount: int | None, given: Outcome
) -> None:
    said = replace(
        opening,
        reason=reason,
        outcome=asked,
        amount_minor=amount,
        currency="EUR" if amount else None,
    )
    never_came = replace(ORDER, deliver_by=at(1), delivered_at=None, confirmed_at=None)
    order = never_came if reason == "NOT_RECEIVED" else ORDER
    judge = say(silence, now=DUE, actor=SYSTEM, order=order)
    judged = first(played(opened(said, order=order), judge).events, DefaultJudgementGiven)
    assert judged.outcome == given
    assert judged.amount_minor == (amount if given == "REFUND_PARTIAL" else None)


@pytest.mark.parametrize(
    "known",
    [
        {"order": replace(ORDER, deliver_by=at(1))},
        {"order": replace(ORDER, delivered_at=None, confirmed_at=at(3), deliver_by=at(1))},
    ],
)
def test_where_a_delivery_is_known_people_decide_whether_it_came(known: dict[str, Any]) -> None:
    lost = opened(replace(opening, reason="NOT_RECEIVED"), **known)
    done = played(say(silence, now=DUE, actor=SYSTEM, **known), after=history(lost))
    assert kinds(done.events) == ["DisputeEscalated"]


def test_of_a_replacement_its_own_delivery_counts_and_an_assumed_one_does_not() -> None:
    sent = replace(PIECES[0], unit="1/1.r1", shipped_at=at(1) - 20 * (at(2) - at(1)))
    came = replace(sent, delivered_at=at(4))
    money = ledger(16198)
    money = replace(money, units={"1/1.r1": 5399})
    one = replace(opening, reason="NOT_RECEIVED", lines=(replace(opening.lines[0], quantity=1),))
    for piece, ends in [
        (sent, "StatementOfReasonsIssued"),
        (came, "DisputeEscalated"),
        (replace(came, arrival_assumed=True), "StatementOfReasonsIssued"),
    ]:
        known: dict[str, Any] = {"units": (piece,), "ledger": money}
        done = played(opened(one, **known), say(silence, now=DUE, actor=SYSTEM, **known))
        assert kinds(done.events)[-1] == ends


def test_what_a_person_is_to_decide_about_this_buyer_no_rule_grants() -> None:
    judge = say(silence, now=DUE, actor=SYSTEM, manual_only=True)
    done = played(judge, after=history(*OPEN))
    assert kinds(done.events) == ["DisputeEscalated"]
    assert done.events[0].by_role == "SYSTEM"


def test_a_new_proposal_gives_a_silent_seller_time_again_but_twice_only() -> None:
    asks = [say(partial(f"q{n}", 2100 + n), now=at(5 + n)) for n in (1, 2, 3)]
    made = [event for event in played(*OPEN, *asks).events if isinstance(event, ProposalMade)]
    assert [event.answer_due for event in made] == [at(11), at(12), None]
    assert [event.auto_escalate_at for event in made] == [at(13), at(14), None]
    early = say(silence, now=at(12) - TICK, actor=SYSTEM)
    assert played(early, after=history(*OPEN, *asks)).events == []
    judge = say(silence, now=at(12), actor=SYSTEM)
    judged = first(played(*OPEN, *asks, judge).events, DefaultJudgementGiven)
    assert judged.proposal_id == "q2"  # the third gave him no time, so no rule grants it
    third = say(AcceptProposal(proposal_id="q3"), now=at(9), actor=SELLER)
    assert played(*OPEN, *asks, third).refused is None


def test_of_a_seller_who_has_acted_no_limit_moves() -> None:
    done = played(*COUNTERED, say(partial("p3", 2001), now=at(6)))
    assert done.events[-1].answer_due is None


def test_a_contest_knows_no_silence() -> None:
    assert played(default, after=history(*CONTEST)).events == []


def test_the_facts_of_the_statement_name_the_proposal_and_the_limit() -> None:
    state = played(*OPEN).state
    assert "p1" in facts_of_silence(state)
    assert "2025-03-10 08:00 UTC" in facts_of_silence(state)


# --- Escalation


def escalate(now: datetime, actor: Actor) -> DisputeCommand:
    return say(EscalateDispute(), now=now, actor=actor)


@pytest.mark.parametrize(("actor", "since"), [(BUYER, at(8)), (SELLER, at(10)), (SYSTEM, at(12))])
def test_each_escalates_from_his_instant_on(actor: Actor, since: datetime) -> None:
    early = played(escalate(since - TICK, actor), after=history(*REJECTED))
    if actor is SYSTEM:
        early.then_nothing()
    else:
        early.then_refused(NotYetEligible, eligible_from=since)
    done = played(escalate(since, actor), after=history(*REJECTED))
    told = first(done.events, DisputeEscalated)
    assert (told.by_role, told.evidence_due) == (actor.role, since + AE_2025_1.dispute_evidence)
    assert told.held_minor == 16198


def test_a_silent_seller_does_not_escalate_and_a_buyer_need_not_wait_for_him() -> None:
    played(*OPEN, escalate(at(9), SELLER)).then_refused(NotYetEligible, eligible_from=None)
    played(*OPEN, escalate(DUE, SELLER)).then_refused(WindowClosed, closed_at=DUE)
    done = played(escalate(at(8), BUYER), default, after=history(*OPEN))
    assert kinds(done.events) == ["DisputeEscalated"]
    assert played(escalate(at(12), SYSTEM), after=history(*OPEN)).events == []


def test_it_is_escalated_once() -> None:
    played(*EVIDENCE, escalate(at(9), BUYER)).then_refused(WrongState, state="EVIDENCE")
    assert played(escalate(at(12), SYSTEM), after=history(*EVIDENCE)).events == []


# --- Who


@pytest.mark.parametrize(
    "said",
    [partial("p9", 7), *ACTS[1:], EscalateDispute(), message(1)],
    ids=lambda said: type(said).__name__,
)
def test_of_all_parties_those_of_the_dispute_act_in_it(said: Struct) -> None:
    other: tuple[tuple[Role, str], ...] = (("BUYER", "B2"), ("SELLER", "S2"))
    for role, name in other:
        played(*OPEN, say(said, now=at(9), actor=Actor(role=role, id=name))).then_refused(NotAParty)
    played(*OPEN, say(said, now=at(9), actor=STRANGER)).then_refused(NotAParty)
    played(*OPEN, say(said, now=at(9), erased=True)).then_refused(SubjectErased)


# --- The policy's other numbers, on both sides


def test_the_numbers_of_a_version_of_its_own_are_those_that_count() -> None:
    version = with_numbers(AE_2025_1, version="mild", dispute_answer=48 * HOUR, dispute_rearm_max=0)
    mild = policies([(ALWAYS, "mild")], [version])
    done = played(
        say(opening, now=OPENING, policies=mild),
        say(partial("q1", 2100), now=at(5, 9), policies=mild),
    )
    assert done.events[0].answer_due == OPENING + 48 * HOUR
    assert done.events[1].answer_due is None  # nothing is armed again
    assert done.events[0].policy_version == "mild"
