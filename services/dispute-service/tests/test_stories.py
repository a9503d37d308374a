"""Disputes and questions told over HTTP from their first word to their last, weeks apart."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Literal
from uuid import uuid4

import pytest
from dispute_service.domain.streams import contest_id_of, dispute_stream, remedy_id_of
from dispute_service.testing import returned
from dispute_service.testing.desk import (
    ALL,
    DAY,
    DECISION,
    OPENING,
    REJECTED,
    TICK,
    Case,
    Desk,
    eur,
    partial,
)
from shared_events.reputation import MeasureApplied, SubjectErased
from shared_runtime.log import PostgresLog, read_stream
from shared_runtime.rows import columns
from shared_runtime.testing_http import Client, Json, done, refusal, send, types_at
from shared_runtime.timers import ARM

type Tell = Callable[..., Awaitable[None]]

IN_EVIDENCE = ["DisputeOpened", "ProposalRejected", "DisputeEscalated"]
IN_REBUTTAL = [
    *IN_EVIDENCE,
    *("EvidenceLodged", "EvidenceSubmitted"),
    *("EvidenceLodged", "EvidenceSubmitted", "EvidenceDisclosed"),
]
IN_REVIEW = [
    *IN_REBUTTAL,
    *("RebuttalSubmitted", "RebuttalSubmitted", "AdjudicationStarted", "AdjudicatorAssigned"),
]
TO_BOTH = ["StatementOfReasonsIssued", "StatementOfReasonsIssued"]
SETTLED = ["ProposalAccepted", "DisputeSettled", "RemedyOrdered"]
REPLY = {"text": "The picture was of another model."}


async def refunded(desk: Desk, tell: Tell, case: Case, amount_minor: int) -> None:
    """The money that the remedy gives has come."""
    remedy_id = remedy_id_of(case.dispute_id)
    asked = returned.refund_requested(desk.clock(), remedy_id, "f-1", amount_minor)
    given = returned.refund_issued(desk.clock(), remedy_id, "f-1", amount_minor)
    await tell(f"refunds-{desk.order_id}", asked, given)


async def end_of(case: Case, desk: Desk) -> Json:
    shown = await case.seen_by(desk.buyer)
    assert shown["stage"] == "CLOSED"
    end: Json = shown["end"]
    return {name: end[name] for name in ("how", "result", "liable")} | {
        "refunded": end["refunded"]["amount"]
    }


# --- Between the parties


async def test_settled_by_the_sellers_first_answer(desk: Desk, tell: Tell) -> None:
    case = await desk.opened()
    await desk.after(DAY)
    proposal = await case.proposal_of("BUYER", desk.seller)
    settled = await case.do(desk.seller, f"proposals/{proposal}/acceptance")
    assert (settled["stage"], settled["remedy"]["outcome"]) == ("EXECUTING", "REFUND_PARTIAL")
    await desk.after(2 * DAY)
    await refunded(desk, tell, case, 1000)
    assert await end_of(case, desk) == {
        "how": "SETTLED",
        "result": "REFUNDED",
        "liable": "NONE",
        "refunded": 1000,
    }
    assert await case.types(desk.auditor) == ["DisputeOpened", *SETTLED, "DisputeClosed"]


async def test_a_seller_who_stays_silent_is_judged_by_rule_and_a_return_carries_it_out(
    desk: Desk, tell: Tell
) -> None:
    case = await desk.opened()
    shown = await case.seen_by(desk.seller)
    assert shown["if_silent"]["outcome"] == "RETURN_AND_REFUND"  # 1000 of 2500 is more than a fifth
    await desk.after(5 * DAY - TICK)
    assert (await case.seen_by(desk.buyer))["stage"] == "NEGOTIATING"
    await desk.after(TICK)
    assert (await case.seen_by(desk.buyer))["remedy"]["outcome"] == "RETURN_AND_REFUND"
    (why,) = (await case.seen_by(desk.seller))["reasons"]
    assert (why["automated_decision"], why["rule_ids"]) == ("FULLY", ["silence"])
    assert "act of yours" in why["facts"]
    remedy_id = remedy_id_of(case.dispute_id)
    await tell("return-R-1", returned.requested(desk.clock(), remedy_id))
    await desk.after(14 * DAY)
    await tell("return-R-1", returned.closed(desk.clock(), remedy_id))
    assert await end_of(case, desk) == {
        "how": "DEFAULT",
        "result": "REFUNDED",
        "liable": "SELLER",
        "refunded": 2500,
    }
    assert await case.types(desk.auditor) == [
        *("DisputeOpened", "DefaultJudgementGiven", "RemedyOrdered", "StatementOfReasonsIssued"),
        "DisputeClosed",
    ]


async def test_two_offers_that_nobody_sees_meet_in_the_middle(desk: Desk, tell: Tell) -> None:
    case = await desk.opened()
    await case.do(desk.seller, "blind-offers", {"amount": eur(700)})
    made = await case.do(desk.buyer, "blind-offers", {"amount": eur(701)})
    assert (made["stage"], made["blind_offers"]) == ("NEGOTIATING", [eur(701)])
    await desk.after(DAY)
    met = await case.do(desk.seller, "blind-offers", {"amount": eur(1000)})
    assert met["remedy"]["amount"] == eur(850)
    await desk.work()
    await refunded(desk, tell, case, 850)
    assert await case.types(desk.auditor) == [
        *("DisputeOpened", "BlindOfferMade", "BlindOfferMade", "BlindOfferMade"),
        *("DisputeSettled", "RemedyOrdered", "DisputeClosed"),
    ]
    assert await case.types(desk.buyer) == [
        *("DisputeOpened", "BlindOfferMade", "DisputeSettled", "RemedyOrdered", "DisputeClosed")
    ]


async def test_offers_that_do_not_meet_tell_nothing_and_it_goes_to_people_by_itself(
    desk: Desk,
) -> None:
    case = await desk.opened()
    await case.do(desk.seller, "blind-offers", {"amount": eur(700)})
    await case.do(desk.buyer, "blind-offers", {"amount": eur(701)})
    await desk.after(7 * DAY - TICK)
    assert (await case.seen_by(desk.buyer))["stage"] == "NEGOTIATING"
    await desk.after(TICK)
    shown = await case.seen_by(desk.buyer)
    assert (shown["stage"], shown["held"]) == ("EVIDENCE", eur(2500))
    assert await case.types(desk.buyer) == ["DisputeOpened", "BlindOfferMade", "DisputeEscalated"]
    rule, told = await case.rule(desk.seller, "blind-offers", {"amount": eur(701)})
    assert (rule, told["state"]) == ("wrong-state", "EVIDENCE")
    await case.do(desk.buyer, "withdrawal")
    assert await case.types(desk.auditor) == [
        *("DisputeOpened", "BlindOfferMade", "BlindOfferMade", "DisputeEscalated"),
        *("DisputeWithdrawn", "DisputeClosed"),
    ]


async def test_withdrawn_and_opened_again_within_its_window(desk: Desk) -> None:
    case = await desk.opened()
    await case.do(desk.seller, "messages", {"text": "May we send you the right one?"})
    ended = await case.do(desk.buyer, "withdrawal")
    assert (ended["end"]["how"], ended["end"]["result"]) == ("WITHDRAWN", "WITHDRAWN")
    assert await case.types(desk.auditor) == [
        *("DisputeOpened", "DisputeMessageAdded", "DisputeWithdrawn", "DisputeClosed")
    ]
    again = await desk.opened()
    assert (await again.seen_by(desk.seller))["lines"] == [
        {"line_id": "1", "quantity": 1, "units": ["1/1"]}
    ]


# --- Decided by people


@pytest.mark.usefixtures("judges")
async def test_decided_for_the_buyer_and_final_after_a_week(desk: Desk, tell: Tell) -> None:
    case = await desk.decided()
    await desk.after(7 * DAY - TICK)
    assert (await case.seen_by(desk.buyer))["stage"] == "DECIDED"
    await desk.after(TICK)
    await refunded(desk, tell, case, 1500)
    assert await end_of(case, desk) == {
        "how": "DECIDED",
        "result": "REFUNDED",
        "liable": "SELLER",
        "refunded": 1500,
    }
    for side in (desk.buyer, desk.seller):
        (why,) = (await case.seen_by(side))["reasons"]
        assert why["facts"] == DECISION["facts"]
    assert await case.types(desk.auditor) == [
        *IN_REVIEW,
        *("DisputeDecided", *TO_BOTH, "DisputeFinalized", "RemedyOrdered", "DisputeClosed"),
    ]


@pytest.mark.usefixtures("judges")
async def test_decided_for_the_seller_and_closed_at_once_when_both_accept_that(desk: Desk) -> None:
    case = await desk.decided(REJECTED)
    await case.do(desk.buyer, "appeals/waiver")
    await case.do(desk.seller, "appeals/waiver")
    assert await end_of(case, desk) == {
        "how": "DECIDED",
        "result": "NO_REMEDY",
        "liable": "NONE",
        "refunded": 0,
    }
    assert await case.types(desk.auditor) == [
        *IN_REVIEW,
        *("DisputeDecided", "StatementOfReasonsIssued", "AppealWaived", "AppealWaived"),
        *("DisputeFinalized", "DisputeClosed"),
    ]


@pytest.mark.usefixtures("judges")
async def test_decided_as_the_fault_of_both(desk: Desk, tell: Tell) -> None:
    case = await desk.decided(DECISION | {"amount": eur(1250), "seller_fault_pct": 50})
    shown = await case.seen_by(desk.seller)
    assert shown["decisions"][0]["seller_fault_pct"] == 50
    await desk.after(7 * DAY)
    await refunded(desk, tell, case, 1250)
    history = (await desk.auditor.get(f"{case.path}/events?limit=100")).json()["items"]
    assert history[-1]["data"]["seller_fault_pct"] == 50
    assert await case.types(desk.auditor) == [
        *IN_REVIEW,
        *("DisputeDecided", *TO_BOTH, "DisputeFinalized", "RemedyOrdered", "DisputeClosed"),
    ]


@pytest.mark.usefixtures("judges")
async def test_decided_as_a_buyers_abuse_which_only_a_liable_buyer_can_be_told(desk: Desk) -> None:
    case = await desk.in_review()
    evidence = (await case.seen_by(desk.agent))["evidence"][0]["evidence_id"]
    abuse = REJECTED | {"buyer_abuse": True, "evidence_ids": [evidence]}
    version = (await desk.agent.get(case.path)).headers["ETag"]
    told = await case.tried(desk.agent, "decision", abuse, version=version)
    assert refusal(told) == "invalid-value"
    assert {each["field"] for each in told.json()["errors"]} == {"buyer_abuse"}
    await case.judged(desk.agent, "decision", abuse | {"liable": "BUYER"})
    await desk.after(7 * DAY)
    assert (await end_of(case, desk))["liable"] == "BUYER"
    history = (await desk.auditor.get(f"{case.path}/events?limit=100")).json()["items"]
    assert history[-1]["data"]["buyer_abuse"] is True
    assert await case.types(desk.auditor) == [
        *IN_REVIEW,
        *("DisputeDecided", "StatementOfReasonsIssued", "DisputeFinalized", "DisputeClosed"),
    ]


@pytest.mark.usefixtures("judges")
async def test_appealed_by_both_answered_by_both_and_reversed_by_a_senior(desk: Desk) -> None:
    case = await desk.decided()
    for side in (desk.buyer, desk.seller):
        await case.do(side, "appeals", {"ground": "MANIFEST_ERROR", "text": "It is the other way."})
    await desk.work()
    buyers, sellers = (await case.seen_by(desk.senior))["appeals"]
    await case.do(desk.seller, f"appeals/{buyers['appeal_id']}/answer", REPLY)
    await desk.after(2 * DAY - TICK)
    evidence = (await case.seen_by(desk.senior))["evidence"][0]["evidence_id"]
    reversed_ = REJECTED | {"result": "REVERSED", "evidence_ids": [evidence]}
    version = (await desk.senior.get(case.path)).headers["ETag"]
    early = await case.tried(desk.senior, "appeals/decision", reversed_, version=version)
    assert refusal(early) == "not-yet-eligible"  # the buyer may still answer
    await case.do(desk.buyer, f"appeals/{sellers['appeal_id']}/answer", REPLY)
    await case.judged(desk.senior, "appeals/decision", reversed_)
    assert await end_of(case, desk) == {
        "how": "DECIDED",
        "result": "NO_REMEDY",
        "liable": "NONE",
        "refunded": 0,
    }
    assert await case.types(desk.auditor) == [
        *IN_REVIEW,
        *("DisputeDecided", *TO_BOTH),
        *("DisputeAppealed", "DisputeAppealed", "AdjudicatorAssigned"),
        *("AppealAnswered", "AppealAnswered"),
        *("DisputeAppealDecided", "DisputeFinalized", "DisputeClosed", "StatementOfReasonsIssued"),
    ]


@pytest.mark.usefixtures("judges")
async def test_a_party_who_is_asked_stops_the_clock_until_he_answers(desk: Desk) -> None:
    case = await desk.in_review()
    due = (await case.seen_by(desk.agent))["decide_by"]
    question = {"of": "SELLER", "question": "Which carrier had the parcel?"}
    await desk.after(DAY)
    await case.judged(desk.agent, "information-requests", question)
    for side in (desk.buyer, desk.seller):
        (asked,) = (await case.seen_by(side))["questions"]
        assert asked["question"] == question["question"]
    rule, _ = await case.rule(desk.buyer, "information-requests/answer", {"text": "I know it."})
    assert rule == "wrong-state"
    await desk.after(2 * DAY)
    shown = await case.do(desk.seller, "information-requests/answer", {"text": "The blue one."})
    assert shown["decide_by"] > due
    await case.judged(desk.agent, "information-requests", question)
    await desk.after(3 * DAY)
    assert [each["lapsed"] for each in (await case.seen_by(desk.seller))["questions"]] == [
        False,
        True,
    ]
    assert (await case.types(desk.auditor))[len(IN_REVIEW) :] == [
        *("InfoRequested", "InfoProvided", "InfoRequested", "InfoLapsed")
    ]


async def test_nobody_decides_it_and_the_marketplace_bears_it(desk: Desk, tell: Tell) -> None:
    case = await desk.in_review()
    await desk.after(7 * DAY)
    assert (await case.types(desk.auditor))[-1] == "DecisionOverdue"
    assert "DecisionOverdue" not in await case.types(desk.buyer)
    await desk.after(30 * DAY - TICK)
    assert (await case.seen_by(desk.buyer))["stage"] == "REVIEW"
    await desk.after(TICK)
    shown = await case.seen_by(desk.buyer)
    assert (shown["remedy"]["outcome"], shown["remedy"]["liable"]) == (
        "RETURN_AND_REFUND",
        "PLATFORM",
    )
    remedy_id = remedy_id_of(case.dispute_id)
    await tell("return-R-1", returned.requested(desk.clock(), remedy_id))
    await tell(
        "return-R-1",
        returned.closed(desk.clock(), remedy_id, resolution="EXPIRED", refunded_minor=0),
    )
    assert await end_of(case, desk) == {
        "how": "PLATFORM",
        "result": "NOT_RETURNED",
        "liable": "PLATFORM",
        "refunded": 0,
    }
    assert await case.types(desk.auditor) == [
        *IN_REVIEW[:-1],
        *("DecisionOverdue", "PlatformDefaultGiven", "DisputeFinalized", "RemedyOrdered"),
        "DisputeClosed",
    ]


async def test_of_a_buyer_under_a_measure_a_person_decides_and_the_seller_cannot_tell(
    desk: Desk, tell: Tell
) -> None:
    measure = MeasureApplied(
        account_kind="BUYER",
        buyer_id="B-5",
        policy_version="ae-2025-1",
        measure_id="M-1",
        measure="MANUAL_ONLY",
        cause_id="C-1",
        starts_at=desk.clock(),
    )
    await tell("buyer-B-5", measure)
    case = await desk.opened()
    assert (await case.seen_by(desk.buyer))["if_silent"] is None
    assert (await case.seen_by(desk.seller))["if_silent"]["outcome"] == "RETURN_AND_REFUND"
    await desk.after(5 * DAY)
    assert await case.types(desk.auditor) == ["DisputeOpened", "DisputeEscalated"]


async def test_that_nothing_came_is_for_people_where_a_delivery_is_known(desk: Desk) -> None:
    await desk.after(30 * DAY)
    case = await desk.opened(reason="NOT_RECEIVED", outcome="REFUND_FULL", amount=None)
    assert (await case.seen_by(desk.seller))["if_silent"] is None
    await desk.after(5 * DAY)
    assert await case.types(desk.auditor) == ["DisputeOpened", "DisputeEscalated"]


# --- Carried out


async def test_a_refund_that_fails_closes_nothing_until_another_one_has_come(
    desk: Desk, tell: Tell
) -> None:
    case = await desk.opened()
    proposal = await case.proposal_of("BUYER", desk.seller)
    await case.do(desk.seller, f"proposals/{proposal}/acceptance")
    await desk.work()
    remedy_id, ledger = remedy_id_of(case.dispute_id), f"refunds-{desk.order_id}"
    asked = returned.refund_requested(desk.clock(), remedy_id, "f-1", 1000)
    await tell(ledger, asked, returned.refund_failed("f-1"))
    assert (await case.seen_by(desk.buyer))["stage"] == "EXECUTING"
    await desk.after(14 * DAY)
    assert (await case.types(desk.auditor))[-1] == "DecisionOverdue"
    again = returned.refund_requested(desk.clock(), remedy_id, "f-2", 1000, reissues="f-1")
    await tell(ledger, again, returned.refund_issued(desk.clock(), remedy_id, "f-2", 1000))
    assert (await end_of(case, desk))["refunded"] == 1000
    assert await case.types(desk.auditor) == [
        *("DisputeOpened", *SETTLED, "DecisionOverdue", "DisputeClosed")
    ]


async def test_what_was_given_before_is_not_given_twice(desk: Desk, tell: Tell) -> None:
    case = await desk.opened()
    proposal = await case.proposal_of("BUYER", desk.seller)
    await case.do(desk.seller, f"proposals/{proposal}/acceptance")
    await desk.work()
    await tell(f"refunds-{desk.order_id}", returned.already_met(remedy_id_of(case.dispute_id)))
    assert (await end_of(case, desk))["result"] == "ALREADY_MET"
    assert await case.types(desk.auditor) == ["DisputeOpened", *SETTLED, "DisputeClosed"]


async def test_a_counter_proposal_that_the_buyer_matches_is_a_settlement(desk: Desk) -> None:
    case = await desk.opened()
    await case.do(desk.seller, "proposals", partial(600))
    matched = await case.do(desk.buyer, "proposals", partial(600))
    assert matched["remedy"]["amount"] == eur(600)
    assert await case.types(desk.auditor) == [
        *("DisputeOpened", "ProposalMade", "ProposalMade", "DisputeSettled", "RemedyOrdered")
    ]


async def test_a_refusal_that_the_buyer_accepts_ends_it_with_nothing(desk: Desk) -> None:
    case = await desk.opened()
    await case.do(desk.seller, "proposals", {"outcome": "REJECTED", "lines": ALL})
    refused = await case.proposal_of("SELLER", desk.buyer)
    ended = await case.do(desk.buyer, f"proposals/{refused}/acceptance")
    assert ended["end"]["result"] == "NO_REMEDY"
    assert await case.types(desk.auditor) == [
        *("DisputeOpened", "ProposalMade", "ProposalAccepted", "DisputeSettled", "DisputeClosed")
    ]


# --- Who decides


@pytest.mark.usefixtures("judges")
async def test_who_decides_is_drawn_and_another_one_is_when_he_is_late(desk: Desk) -> None:
    case = await desk.in_review()
    assert (await case.seen_by(desk.senior))["adjudicator_id"] == "agent-1"
    await desk.on_duty("agent-2")
    await desk.after(7 * DAY)
    assert (await case.seen_by(desk.senior))["adjudicator_id"] == "agent-2"
    assert (await case.types(desk.auditor))[-2:] == ["DecisionOverdue", "AdjudicatorAssigned"]


async def test_while_nobody_is_there_it_waits_for_whoever_comes(desk: Desk) -> None:
    case = await desk.in_review()
    assert (await case.seen_by(desk.senior))["adjudicator_id"] is None
    await desk.after(timedelta(hours=3))
    assert (await case.types(desk.auditor))[-1] == "AdjudicationStarted"
    await desk.on_duty("agent-1")
    assert (await case.seen_by(desk.senior))["adjudicator_id"] == "agent-1"


async def test_no_party_and_nobody_of_its_organisation_or_its_shop_is_drawn(
    desk: Desk, caller: Callable[..., Client]
) -> None:
    case = await desk.in_rebuttal()
    of_acme = caller("BUYER", "B-5", org_id="acme")
    await case.do(of_acme, "rebuttal", {"text": "That is another box."})
    await case.do(desk.seller, "rebuttal", {"text": "That is another box."})
    await desk.work()
    await desk.on_duty("B-5")
    await desk.on_duty("S-77")
    await desk.on_duty("clerk", seller_id="S-77")
    await desk.on_duty("colleague", org_id="acme")
    await desk.on_duty("of-the-shop", org_id="S-77")
    assert (await case.seen_by(desk.senior))["adjudicator_id"] is None
    await desk.on_duty("somebody", org_id="desk")
    assert (await case.seen_by(desk.senior))["adjudicator_id"] == "somebody"


async def test_of_an_appeal_another_senior_is_drawn_never_who_has_decided(
    desk: Desk, caller: Callable[..., Client]
) -> None:
    await desk.on_duty("senior-1", "SENIOR")
    case = await desk.in_review()
    evidence = (await case.seen_by(desk.senior))["evidence"][0]["evidence_id"]
    await case.judged(desk.senior, "decision", DECISION | {"evidence_ids": [evidence]})
    await case.do(desk.buyer, "appeals", {"ground": "PROCEDURE", "text": "I was not asked."})
    await desk.work()
    await desk.on_duty("agent-1")
    assert (await case.seen_by(desk.senior))["adjudicator_id"] is None
    await desk.on_duty("senior-2", "SENIOR")
    shown = await case.seen_by(caller("SENIOR", "senior-2"))
    assert (shown["adjudicator_id"], shown["adjudicator_level"]) == ("senior-2", "SENIOR")


async def test_cases_go_round_among_those_on_duty(
    desk: Desk, delivered: Callable[..., Awaitable[str]]
) -> None:
    await desk.on_duty("agent-1")
    await desk.on_duty("agent-2")
    drawn: list[str] = []
    for number in range(2, 5):
        await delivered(f"O-{number}")
        case = await desk.of_order(f"O-{number}").in_review()
        drawn.append((await case.seen_by(desk.senior))["adjudicator_id"])
    assert drawn == ["agent-1", "agent-2", "agent-1"]


@pytest.mark.usefixtures("judges")
async def test_a_senior_assigns_by_hand_and_whoever_has_it_writes_to_both(
    desk: Desk, caller: Callable[..., Client]
) -> None:
    case = await desk.in_review()
    named = {"adjudicator_id": "agent-2", "level": "AGENT"}
    await case.judged(desk.senior, "assignment", named)
    text = {"text": "Please send the label."}
    assert (await case.rule(desk.agent, "messages", text))[0] == "role-not-allowed"
    await case.do(caller("AGENT", "agent-2"), "messages", text)
    for side in (desk.buyer, desk.seller):
        (message,) = (await case.seen_by(side))["messages"]
        assert (message["by"], message["text"]) == ("ADJUDICATOR", text["text"])
    rule, told = await case.rule(desk.buyer, "messages", {"text": ""})
    assert (rule, told["errors"][0]["field"]) == ("invalid-value", "text")


@pytest.mark.usefixtures("judges")
async def test_who_was_assigned_by_hand_is_not_replaced_by_a_draw_that_comes_late(
    desk: Desk,
) -> None:
    case = await desk.in_review()
    named = {"adjudicator_id": "agent-2", "level": "AGENT"}
    await case.judged(desk.senior, "assignment", named)
    # As one that was due before its cause had gone.
    late = (dispute_stream(case.dispute_id), "ASSIGN/1", desk.clock(), str(uuid4()))
    await desk.pool.execute(ARM, *columns([late], 4))
    await desk.work()
    assert (await case.seen_by(desk.senior))["adjudicator_id"] == "agent-2"


async def test_who_works_for_a_party_is_assigned_by_no_hand_whatever_is_said_of_him(
    desk: Desk,
) -> None:
    case = await desk.in_review()
    await desk.on_duty("clerk", seller_id="S-77")
    named = {"adjudicator_id": "clerk", "level": "AGENT", "org_id": "elsewhere"}
    version = (await desk.senior.get(case.path)).headers["ETag"]
    told = await case.tried(desk.senior, "assignment", named, version=version)
    assert told.json()["ground"] == "PARTY"


async def test_an_importers_organisation_is_no_partys(
    desk: Desk, caller: Callable[..., Client]
) -> None:
    case = await desk.in_rebuttal()
    importer = caller("IMPORTER", "history", org_id="desk")
    for side in ("BUYER", "SELLER"):
        await case.do(importer, "rebuttal", {"text": "That is it.", "on_behalf_of": side})
    await desk.work()
    await desk.on_duty("agent-1", org_id="desk")
    assert (await case.seen_by(desk.senior))["adjudicator_id"] == "agent-1"


async def test_what_an_importer_brings_of_a_dispute_is_no_earlier_than_what_is_there(
    desk: Desk, caller: Callable[..., Client]
) -> None:
    case = await desk.in_rebuttal()
    importer = caller("IMPORTER", "history")
    for at, answer in ((desk.clock() - DAY, "time-goes-back"), (desk.clock(), None)):
        body = {"text": "That is it.", "on_behalf_of": "BUYER", "at": at.isoformat()}
        told = await case.tried(importer, "rebuttal", body)
        assert (refusal(told) if told.is_error else None) == answer


# --- Questions

ASKING = {"topic": "PRODUCT", "line_ids": ["1"], "text": "Is it leather?"}


async def asked(desk: Desk) -> str:
    told = done(await send(desk.buyer, "/v1/inquiries", {"order_id": desk.order_id} | ASKING))
    await desk.work()
    return f"/v1/inquiries/{told['inquiry_id']}"


async def test_a_question_that_is_answered_in_time_is_closed_when_it_is_idle(desk: Desk) -> None:
    at = await asked(desk)
    await desk.after(DAY - TICK)
    shown = done(await send(desk.seller, f"{at}/answer", {"text": "It is not."}))
    assert (shown["state"], shown["within_sla"]) == ("ANSWERED", True)
    done(await send(desk.buyer, f"{at}/messages", {"text": "What is it then?"}))
    await desk.after(7 * DAY - TICK)
    assert (await desk.buyer.get(at)).json()["state"] == "ANSWERED"
    await desk.after(TICK)
    assert (await desk.buyer.get(at)).json()["closed_because"] == "IDLE"
    assert await types_at(desk.auditor, at) == [
        *("InquiryOpened", "InquiryAnswered", "InquiryMessageAdded", "InquiryClosed")
    ]


async def test_a_question_that_nobody_answers_is_overdue_once_and_can_still_be(desk: Desk) -> None:
    at = await asked(desk)
    await desk.after(DAY)
    assert (await desk.seller.get(at)).json()["overdue"] is True
    await desk.after(DAY)
    shown = done(await send(desk.seller, f"{at}/answer", {"text": "It is not."}))
    assert (shown["state"], shown["within_sla"]) == ("ANSWERED", False)
    done(await send(desk.buyer, f"{at}/closing"))
    assert await types_at(desk.auditor, at) == [
        *("InquiryOpened", "InquiryOverdue", "InquiryAnswered", "InquiryClosed")
    ]


async def test_a_question_becomes_a_dispute_and_is_closed_with_its_id(desk: Desk) -> None:
    at = await asked(desk)
    case = await desk.opened(inquiry_id=at.rpartition("/")[2])
    shown = (await desk.buyer.get(at)).json()
    assert (shown["closed_because"], shown["dispute_id"]) == ("CONVERTED", case.dispute_id)
    assert await types_at(desk.auditor, at) == ["InquiryOpened", "InquiryClosed"]
    told = await send(
        desk.buyer,
        "/v1/disputes",
        {"order_id": desk.order_id, "inquiry_id": "another"}
        | {name: (await case.seen_by(desk.buyer))[name] for name in ("reason",)}
        | {"outcome": "REFUND_FULL", "lines": ALL, "text": "It is plastic."},
    )
    assert refusal(told) == "invalid-value"


# --- Returns that their buyers object to


def contest_of(event_id: str) -> Case:
    return Case(f"/v1/disputes/{contest_id_of(event_id)}")


async def test_a_contest_opens_a_dispute_with_the_file_of_the_return(
    desk: Desk, tell: Tell, others: PostgresLog
) -> None:
    await tell("return-R-1", returned.requested(desk.clock()))
    await tell("return-R-1", returned.contested(desk.clock()))
    case = contest_of((await read_stream(others, "return-R-1"))[-1].event_id)
    shown = await case.seen_by(desk.buyer)
    assert (shown["reason"], shown["ground"], shown["return_id"]) == (
        *("SELLER_REFUSED_RETURN", "DECLINED"),
        "R-1",
    )
    assert [each["kind"] for each in shown["evidence"]] == ["RETURN_FILE"]
    refused = await case.proposal_of("SELLER", desk.buyer)
    await case.do(desk.buyer, f"proposals/{refused}/acceptance")
    assert await case.types(desk.auditor) == [
        *("DisputeOpened", "EvidenceLodged", "EvidenceShared"),
        *("ProposalAccepted", "DisputeSettled", "DisputeClosed"),
    ]


async def test_a_contest_waits_while_another_dispute_has_the_piece(
    desk: Desk, tell: Tell, others: PostgresLog
) -> None:
    before = await desk.opened()
    await tell("return-R-1", returned.requested(desk.clock()))
    await tell("return-R-1", returned.contested(desk.clock()))
    case = contest_of((await read_stream(others, "return-R-1"))[-1].event_id)
    assert (await desk.buyer.get(case.path)).status_code == 404
    await desk.after(timedelta(hours=5))
    assert (await desk.buyer.get(case.path)).status_code == 404
    await before.do(desk.buyer, "withdrawal")
    await desk.work()
    assert (await case.seen_by(desk.buyer))["stage"] == "NEGOTIATING"
    await desk.after(7 * DAY)  # no default: what he did with the return is an act of the seller
    assert await case.types(desk.auditor) == [
        *("DisputeOpened", "EvidenceLodged", "EvidenceShared", "DisputeEscalated")
    ]


async def test_two_contests_of_one_piece_come_one_after_the_other(
    desk: Desk, tell: Tell, others: PostgresLog
) -> None:
    cases: list[Case] = []
    for return_id in ("R-1", "R-2"):
        asking = returned.requested(desk.clock(), return_id=return_id)
        await tell(f"return-{return_id}", asking)
        await tell(f"return-{return_id}", returned.contested(desk.clock(), return_id=return_id))
        last = (await read_stream(others, f"return-{return_id}"))[-1]
        cases.append(contest_of(last.event_id))
    first, second = cases
    assert (await desk.buyer.get(second.path)).status_code == 404
    await first.do(desk.buyer, "withdrawal")
    await desk.work()
    assert (await second.seen_by(desk.seller))["return_id"] == "R-2"


async def test_a_contest_of_an_order_that_is_not_known_yet_waits_for_it(
    desk: Desk,
    tell: Tell,
    others: PostgresLog,
    delivered: Callable[..., Awaitable[str]],
) -> None:
    told = returned.contested(desk.clock(), order_id="O-2", return_id="R-2")
    await tell("return-R-2", told)
    case = contest_of((await read_stream(others, "return-R-2"))[-1].event_id)
    await desk.after(timedelta(hours=2))
    assert (await desk.buyer.get(case.path)).status_code == 404
    await delivered("O-2")
    await desk.after(timedelta(hours=1))
    assert (await case.seen_by(desk.buyer))["order_id"] == "O-2"


@pytest.mark.usefixtures("judges")
async def test_who_decided_the_dispute_behind_a_return_does_not_judge_the_contest_of_it(
    desk: Desk, tell: Tell, others: PostgresLog
) -> None:
    back = DECISION | {"outcome": "RETURN_AND_REFUND", "amount": None}
    before = await desk.decided(back)
    await desk.after(7 * DAY)
    remedy_id = remedy_id_of(before.dispute_id)
    await tell("return-R-1", returned.requested(desk.clock(), remedy_id))
    await tell("return-R-1", returned.contested(desk.clock(), remedy_id, ground="REJECTED"))
    case = contest_of((await read_stream(others, "return-R-1"))[-1].event_id)
    end = returned.closed(desk.clock(), remedy_id, resolution="CONTESTED", refunded_minor=0)
    await tell("return-R-1", end)
    assert (await end_of(before, desk))["result"] == "RETURN_REJECTED"
    for days in (7, 5, 2):  # nobody says anything
        await desk.after(days * DAY)
    shown = await case.seen_by(desk.senior)
    assert (shown["stage"], shown["adjudicator_id"]) == ("REVIEW", "senior-1")
    await desk.on_duty("agent-1")
    await desk.after(7 * DAY)
    assert (await case.seen_by(desk.senior))["adjudicator_id"] == "senior-1"
    await desk.on_duty("agent-2")
    assert (await case.seen_by(desk.senior))["adjudicator_id"] == "agent-2"


# --- Somebody who was erased


@pytest.mark.parametrize(("kind", "account"), [("BUYER", "B-5"), ("SELLER", "S-77")])
async def test_who_was_erased_can_do_nothing_more_and_the_dispute_still_ends(
    desk: Desk, tell: Tell, kind: Literal["BUYER", "SELLER"], account: str
) -> None:
    case = await desk.opened()
    erased = SubjectErased(
        policy_version="ae-2025-1",
        account_kind=kind,
        buyer_id=account if kind == "BUYER" else None,
        seller_id=account if kind == "SELLER" else None,
        erased_at=desk.clock(),
    )
    await tell(f"{kind.lower()}-{account}", erased)
    gone = desk.buyer if kind == "BUYER" else desk.seller
    proposal = await case.proposal_of("BUYER", gone)
    commands: list[tuple[str, Json]] = [
        ("messages", {"text": "Is anybody there?"}),
        ("blind-offers", {"amount": eur(700)}),
        ("proposals", partial(500)),
        ("escalation", {}),
        (f"proposals/{proposal}/acceptance", {}),
    ]
    for door, body in commands:
        rule, _ = await case.rule(gone, door, body)
        assert rule == "subject-erased", door
    assert (await case.seen_by(gone))["text"] == (None if kind == "BUYER" else OPENING["text"])
    offered = (await case.seen_by(gone))["available_actions"]
    assert not any(each["allowed"] for each in offered)
    await desk.after(5 * DAY)
    remedy_id = remedy_id_of(case.dispute_id)
    await tell("return-R-1", returned.requested(desk.clock(), remedy_id))
    await tell("return-R-1", returned.closed(desk.clock(), remedy_id))
    assert await case.types(desk.auditor) == [
        *("DisputeOpened", "DefaultJudgementGiven", "RemedyOrdered", "StatementOfReasonsIssued"),
        "DisputeClosed",
    ]
