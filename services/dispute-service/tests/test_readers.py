"""Who may know what of a dispute: by the table, and whatever happens."""

from typing import Any, get_args

import msgspec
import pytest
from dispute_service.domain.blind_offers import MakeBlindOffer
from dispute_service.domain.dispute_state import Dispute
from dispute_service.domain.evidence import RemoveEvidence
from dispute_service.domain.inquiring import OpenInquiry
from dispute_service.domain.inquiry_rules import INQUIRIES
from dispute_service.domain.readers import (
    INQUIRY_READERS,
    READERS,
    SOMEBODY,
    Reading,
    inquiry_read_by,
    read_by,
)
from dispute_service.domain.rules import RULES, DisputeCommand
from dispute_service.domain.submission import DiscloseEvidence, SubmitRebuttal
from dispute_service.domain.withdrawal import WithdrawDispute
from dispute_service.testing import (
    AGENT,
    AUDITOR,
    BUYER,
    SELLER,
    SENIOR,
    STRANGER,
    SYSTEM,
    at,
    history,
    kinds,
    say,
    words,
)
from dispute_service.testing.lives import Act, lived
from dispute_service.testing.stories import (
    APPEAL_DECIDED,
    CONTEST,
    DECIDED,
    EVIDENCE,
    ONE_IN,
    ONE_REBUTTED,
    OPEN,
    REBUTTAL,
    REVIEW,
    SHARED,
    STORIES,
    UNASSIGNED,
    Story,
    photo,
)
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from shared_events.common import StatementOfReasonsIssued
from shared_events.dispute import (
    BlindOfferMade,
    DisputeEvent,
    EvidenceLodged,
    EvidenceSubmitted,
    InquiryEvent,
    RebuttalSubmitted,
)
from shared_runtime.decider import Actor
from shared_runtime.testing import play

PARTIES = (BUYER, SELLER)
DECIDERS = ("agent-1", "senior-1", "agent-9")
stories = st.sampled_from(list(STORIES.values()))
acts = st.lists(
    st.builds(
        Act,
        who=st.integers(0, 3),
        which=st.integers(0, 90),
        hours=st.sampled_from([0, 1, 24, 48, 72]),
    ),
    max_size=12,
)


def reading(actor: Actor, *story: DisputeCommand) -> Reading:
    return read_by(actor, history(*story))


def dispute(reading: Reading) -> Dispute:
    assert isinstance(reading.state, Dispute)
    return reading.state


# --- The table


def test_of_every_event_it_is_said_who_may_know_it() -> None:
    assert set(READERS) == set(get_args(DisputeEvent.__value__))
    assert set(INQUIRY_READERS) == set(get_args(InquiryEvent.__value__))


def test_a_piece_of_evidence_is_its_authors_until_it_is_shown() -> None:
    for story, shown in [(EVIDENCE, False), (SHARED, True), (ONE_IN, False), (REBUTTAL, True)]:
        assert ("b1" in dispute(reading(SELLER, *story)).evidence) is shown
        assert "b1" in dispute(reading(BUYER, *story)).evidence
        assert ("b1" in dispute(reading(AGENT, *story)).evidence) is shown
        assert "b1" in dispute(reading(AUDITOR, *story)).evidence


def test_what_was_taken_back_nobody_else_hears_of() -> None:
    gone = (*EVIDENCE, say(RemoveEvidence(evidence_id="b1"), now=at(9)))
    assert kinds(reading(BUYER, *gone).events)[-1] == "EvidenceRemoved"
    assert "EvidenceRemoved" not in kinds(reading(SELLER, *gone).events)
    assert reading(SELLER, *gone).version == reading(SELLER, *EVIDENCE).version


def test_that_one_has_submitted_the_other_learns_with_the_disclosure() -> None:
    assert dispute(reading(SELLER, *ONE_IN)).submissions == {}
    assert set(dispute(reading(SELLER, *REBUTTAL)).submissions) == {"BUYER", "SELLER"}
    due = (*ONE_IN, say(DiscloseEvidence(), now=at(13), actor=SYSTEM))
    assert set(dispute(reading(BUYER, *due)).submissions) == {"BUYER", "SELLER"}


def test_a_rebuttal_is_read_once_an_adjudicator_has_it() -> None:
    assert dispute(reading(BUYER, *ONE_REBUTTED)).rebuttals == {}
    assert set(dispute(reading(SELLER, *ONE_REBUTTED)).rebuttals) == {"SELLER"}
    assert set(dispute(reading(BUYER, *UNASSIGNED)).rebuttals) == {"SELLER"}
    named = (
        *REBUTTAL,
        say(photo("b7"), now=at(11)),
        say(SubmitRebuttal(text=words(), evidence_ids=("b7",)), now=at(11)),
    )
    assert "b7" not in dispute(reading(SELLER, *named)).evidence
    started = (*named, say(SubmitRebuttal(text=words()), now=at(11), actor=SELLER))
    assert "b7" in dispute(reading(SELLER, *started)).evidence


def test_a_blind_offer_is_its_authors_for_ever() -> None:
    offered = (*OPEN, say(MakeBlindOffer(amount_minor=7, currency="EUR"), now=at(6), actor=SELLER))
    assert dispute(reading(SELLER, *offered)).offers == {"SELLER": (7,)}
    for actor in (BUYER, AGENT, SENIOR):
        assert dispute(reading(actor, *offered)).offers == {}
    assert dispute(reading(AUDITOR, *offered)).offers == {"SELLER": (7,)}


def test_that_the_seller_has_acted_shows_and_not_what_he_did() -> None:
    lodged = (*OPEN, say(photo("s1"), now=at(6), actor=SELLER))
    seen = dispute(reading(BUYER, *lodged))
    assert seen.seller_acted
    assert (seen.evidence, seen.responded_at) == ({}, None)


def test_to_the_parties_it_is_the_marketplace_that_decides() -> None:
    for actor in PARTIES:
        seen = dispute(reading(actor, *APPEAL_DECIDED))
        assert seen.decision
        assert seen.decision.decided_by == SOMEBODY
        assert seen.adjudicator is None
        assert dispute(reading(actor, *CONTEST)).opened.barred_ids is None
    staff = dispute(reading(AGENT, *DECIDED))
    assert staff.decision
    assert staff.decision.decided_by == "agent-1"
    assert dispute(reading(SENIOR, *REVIEW)).adjudicator


def test_how_long_a_seller_took_to_act_is_not_the_buyers_to_know() -> None:
    ended = (*SHARED, say(WithdrawDispute(), now=at(9)))
    for actor, told in [(BUYER, None), (SELLER, 3600), (AGENT, 3600)]:
        closed = dispute(reading(actor, *ended)).closed
        assert closed
        assert closed.first_response_seconds == told


def test_each_has_his_own_statement_of_reasons() -> None:
    def told(actor: Actor) -> list[str]:
        events = reading(actor, *DECIDED).events
        return [
            each.recipient_role for each in events if isinstance(each, StatementOfReasonsIssued)
        ]

    assert told(BUYER) == ["BUYER"]
    assert told(SELLER) == ["SELLER"]
    assert told(AGENT) == ["BUYER", "SELLER"]


def test_it_is_nothing_to_strangers_nor_to_staff_who_belong_to_a_party() -> None:
    insider = Actor(role="AGENT", id="agent-2", org_id="S1")
    auditor = Actor(role="AUDITOR", id="auditor-2", org_id="S1")
    moderator = Actor(role="MODERATOR", id="moderator-1")
    other = Actor(role="SELLER", id="S2")
    for actor in (STRANGER, other, insider, auditor, moderator):
        seen = reading(actor, *REVIEW)
        assert (seen.reader, seen.version) == (None, 0)
    assert read_by(BUYER, ()).reader is None


def test_an_inquiry_is_read_by_its_parties_and_by_who_may_decide() -> None:
    ask = OpenInquiry(inquiry_id="I1", topic="OTHER", text=words())
    events = play(INQUIRIES, [say(ask, now=at(2))]).events
    for actor in (BUYER, SELLER, AGENT, SENIOR, AUDITOR):
        assert inquiry_read_by(actor, events).version == 1
    assert inquiry_read_by(STRANGER, events).version == 0
    assert inquiry_read_by(BUYER, ()).reader is None


# --- Whatever happens


@given(stories, acts)
def test_no_party_folds_what_the_other_has_not_shown(story: Story, doing: list[Act]) -> None:
    life = lived(story.commands, doing)
    truth = life.state
    assert isinstance(truth, Dispute)
    for actor in PARTIES:
        seen = read_by(actor, life.events)
        others = [each for each in seen.events if getattr(each, "by_role", None) != actor.role]
        assert not any(isinstance(each, BlindOfferMade) for each in others)
        for event in others:
            if isinstance(event, EvidenceLodged) and event.by_role != "SYSTEM":
                assert truth.evidence[event.evidence_id].shown
            if isinstance(event, EvidenceSubmitted):
                assert truth.rebuttal_due
            if isinstance(event, RebuttalSubmitted):
                assert truth.decide_by
        hidden = [
            name
            for name, piece in truth.evidence.items()
            if not piece.shown and piece.lodged.by_role != actor.role
        ]
        assert not named_in(seen.state, [*hidden, *DECIDERS])


def named_in(state: Any, names: list[str]) -> list[str]:  # noqa: ANN401 - of either kind
    text = msgspec.json.encode(msgspec.to_builtins(state, str_keys=True)).decode()
    return [name for name in names if f'"{name}"' in text]


@given(stories, acts)
def test_nobody_unlearns_and_what_is_hidden_from_him_moves_no_version(
    story: Story, doing: list[Act]
) -> None:
    events = lived(story.commands, doing).events
    for actor in (*PARTIES, AGENT):
        before = read_by(actor, events[:-1])
        now = read_by(actor, events)
        left = iter(now.events)
        assert all(event in left for event in before.events)
        assert now.version >= before.version
    assert read_by(AUDITOR, events).version == len(events)


@given(stories, acts)
def test_what_a_party_is_offered_on_what_he_knows_is_what_he_could_do_in_truth(
    story: Story, doing: list[Act]
) -> None:
    life = lived(story.commands, doing)
    for actor in PARTIES:
        by = say(OPEN[0].said, now=life.now, actor=actor).by
        known = read_by(actor, life.events).state
        assert RULES.offered(known, by) == RULES.offered(life.state, by)


@pytest.mark.parametrize("actor", [BUYER, SELLER, AGENT, SENIOR, AUDITOR, SYSTEM])
@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_whatever_somebody_knows_can_be_folded(story: Story, actor: Actor) -> None:
    seen = reading(actor, *story.commands)
    assert isinstance(seen.state, Struct)
    assert dispute(seen).status == dispute(reading(AUDITOR, *story.commands)).status
