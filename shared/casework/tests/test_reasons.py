"""Everybody whom a decision goes against is told why, and where he can turn."""

from datetime import UTC, datetime, timedelta, timezone
from typing import TypedDict

import pytest
from msgspec.structs import replace
from shared_casework.reasons import (
    Recipient,
    Ruling,
    decision_id,
    require_reasons,
    statement,
    statements,
)
from shared_events.common import MatterFact, StatementOfReasonsIssued
from shared_runtime.decider import ReasonsMissing

AT = datetime(2025, 3, 10, 8, tzinfo=UTC)
DAY = timedelta(days=1)
DISPUTE = MatterFact(
    order_id="O1", seller_id="S1", buyer_id="B1", dispute_id="D1", policy_version="ae-2025-1"
)
DECISION = decision_id("dispute-D1", "DecideDispute", AT)
ruling = Ruling(
    decision_id=DECISION,
    decided_at=AT,
    subject_kind="DISPUTE",
    subject_id="D1",
    monetary="OTHER",
    rule_ids=("RU-7",),
    explanation="The goods were not as described.",
    source_type="COMPLAINT",
    appeal_until=AT + 7 * DAY,
    appeal_command="AppealDispute",
)
seller = Recipient(role="SELLER", id="S1", facts="s1.key.digest.e1.facts.cipher")
buyer = Recipient(role="BUYER", id="B1", facts="s1.other.digest.e1.facts.cipher")


def test_a_statement_says_what_was_decided_why_and_where_to_turn() -> None:
    told = statement(DISPUTE, ruling, seller)
    assert told == StatementOfReasonsIssued(
        order_id="O1",
        seller_id="S1",
        buyer_id="B1",
        dispute_id="D1",
        policy_version="ae-2025-1",
        sor_id=told.sor_id,
        subject_kind="DISPUTE",
        subject_id="D1",
        recipient_role="SELLER",
        recipient_id="S1",
        decision_monetary="OTHER",
        decision_ground="INCOMPATIBLE_CONTENT",
        rule_ids=["RU-7"],
        explanation="The goods were not as described.",
        facts=seller.facts,
        source_type="COMPLAINT",
        automated_detection=False,
        automated_decision="NOT",
        application_date=AT,
        appeal_until=AT + 7 * DAY,
        appeal_command="AppealDispute",
        redress=["INTERNAL_APPEAL", "OUT_OF_COURT", "COURT"],
    )


def test_without_an_appeal_inside_the_ways_outside_remain() -> None:
    silence = replace(ruling, appeal_until=None, automated_decision="FULLY", rule_ids=("silence",))
    told = statement(DISPUTE, silence, seller)
    assert (told.appeal_until, told.appeal_command) == (None, None)
    assert told.redress == ["OUT_OF_COURT", "COURT"]


def test_each_person_has_one_statement_with_facts_sealed_for_him() -> None:
    told = statements(DISPUTE, ruling, [seller, buyer])
    assert [(each.recipient_id, each.facts) for each in told] == [
        ("S1", seller.facts),
        ("B1", buyer.facts),
    ]


def test_a_statement_has_one_id_for_each_decision_and_person() -> None:
    told = statement(DISPUTE, ruling, seller)
    assert statement(DISPUTE, ruling, seller).sor_id == told.sor_id
    later = replace(ruling, decision_id=decision_id("dispute-D1", "DecideDispute", AT + DAY))
    others = [
        statement(DISPUTE, later, seller),
        statement(DISPUTE, ruling, replace(seller, id="S2")),
        statement(DISPUTE, ruling, replace(buyer, id="S1")),  # a buyer of the same id
    ]
    assert len({told.sor_id, *(other.sor_id for other in others)}) == 4


def test_a_decision_is_the_same_whatever_the_offset_of_its_instant() -> None:
    there = AT.astimezone(timezone(timedelta(hours=3)))
    assert decision_id("dispute-D1", "DecideDispute", there) == DECISION
    assert decision_id("dispute-D2", "DecideDispute", AT) != DECISION
    assert decision_id("dispute-D1", "DecideDisputeAppeal", AT) != DECISION
    assert statement(DISPUTE, replace(ruling, decided_at=there), seller).application_date == AT


def test_a_ruling_restricts_something() -> None:
    with pytest.raises(AssertionError, match="restricts what"):
        replace(ruling, monetary=None)


class Given(TypedDict, total=False):
    rule_ids: tuple[str, ...]
    facts: str
    explanation: str


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        (Given(), []),
        (Given(rule_ids=()), ["rule_ids"]),
        (Given(facts=""), ["facts"]),
        (Given(explanation=""), ["explanation"]),
        (Given(rule_ids=(), facts="", explanation=""), ["rule_ids", "facts", "explanation"]),
    ],
)
def test_a_decision_needs_its_reasons_and_is_told_which_lack(
    given: Given, missing: list[str]
) -> None:
    complete = Given(rule_ids=("RU-7",), facts=seller.facts, explanation="Because.")
    if not missing:
        require_reasons(**(complete | given))
        return
    with pytest.raises(ReasonsMissing) as refused:
        require_reasons(**(complete | given))
    assert refused.value.missing == missing
