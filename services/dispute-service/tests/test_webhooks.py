"""Who has himself told by webhook is told of a dispute what he may read, and no sooner."""

from collections.abc import Sequence
from typing import Any

import pytest
from dispute_service.app import READS
from dispute_service.domain.rules import DisputeCommand
from dispute_service.testing import BUYER, SELLER, STRANGER, at, history
from dispute_service.testing.stories import EVIDENCE, ONE_IN, REBUTTAL, STORIES
from shared_events.dispute import EvidenceLodged
from shared_events.envelope import Recorded
from shared_runtime.decider import Actor
from shared_runtime.testing import as_recorded, told_in_turn
from shared_runtime.webhook_events import message

MARKET = Actor(role="SYSTEM", id="market")
SELLERS_MACHINE = Actor(role="SYSTEM", id="erp", org_id="S1")


def recorded(*story: DisputeCommand) -> list[Recorded[Any]]:
    return as_recorded("dispute-D1", history(*story), at=at(1))


def kinds(told: Sequence[Recorded[Any]]) -> list[str]:
    return [type(each.event).__name__ for each in told]


def told(reader: Actor, *story: DisputeCommand) -> list[str]:
    return [kind for step in told_in_turn(recorded(*story), reader, READS) for kind in kinds(step)]


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
@pytest.mark.parametrize("reader", [BUYER, SELLER, MARKET, SELLERS_MACHINE])
def test_whatever_happens_each_is_told_once_what_he_may_read(
    reader: Actor,
    story: Any,  # noqa: ANN401 - of any length
) -> None:
    told_in_turn(recorded(*story.commands), reader, READS)


def test_evidence_is_told_to_the_other_when_it_is_disclosed() -> None:
    for story in (EVIDENCE, ONE_IN):
        assert is_told_of_b1(told_in_turn(recorded(*story), BUYER, READS)) == [True]
        assert is_told_of_b1(told_in_turn(recorded(*story), SELLER, READS)) == []
    steps = told_in_turn(recorded(*REBUTTAL), SELLER, READS)
    assert is_told_of_b1(steps) == [False]
    (disclosed,) = (step for step in steps if "EvidenceDisclosed" in kinds(step))
    assert is_told_of_b1([disclosed]) == [False]


def is_told_of_b1(steps: Sequence[Sequence[Recorded[Any]]]) -> list[bool]:
    """Of each time that the buyer's piece of evidence is told of: whether by itself."""
    return [
        len(step) == 1
        for step in steps
        for each in step
        if isinstance(each.event, EvidenceLodged) and each.event.evidence_id == "b1"
    ]


def test_a_machine_of_a_party_is_told_what_the_party_is() -> None:
    for story in (EVIDENCE, ONE_IN, REBUTTAL):
        assert told(SELLERS_MACHINE, *story) == told(SELLER, *story)
    assert is_told_of_b1(told_in_turn(recorded(*EVIDENCE), MARKET, READS)) == [True]


def test_of_others_disputes_a_seller_is_told_nothing() -> None:
    assert told(STRANGER, *REBUTTAL) == []
    assert told(Actor(role="SELLER", id="S2", org_id="S2", seller_id="S2"), *REBUTTAL) == []


def test_what_is_sent_has_no_words() -> None:
    for each in READS("dispute-D1", recorded(*REBUTTAL), SELLER):
        sent = message(each)
        assert sent.data is not None
        assert "text" not in sent.data.data
