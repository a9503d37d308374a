"""What no history of a dispute can break: whoever does what, or nothing, and whoever was erased."""

from collections import Counter
from collections.abc import Sequence
from typing import cast

from dispute_service.domain.dispute_state import Dispute
from dispute_service.domain.policy import policies
from dispute_service.domain.rules import DISPUTES, RULES
from dispute_service.domain.statements import against
from dispute_service.domain.timers import asked_of_dispute, dispute_deadlines
from dispute_service.domain.withdrawal import WithdrawDispute
from dispute_service.testing import DAY, SYSTEM, kinds, say
from dispute_service.testing.lives import (
    PEOPLE,
    TOLD,
    Act,
    Life,
    after,
    attempts,
    in_silence,
    lived,
    met,
)
from dispute_service.testing.stories import STORIES, Story
from hypothesis import given
from hypothesis import strategies as st
from shared_events.common import StatementOfReasonsIssued
from shared_events.dispute import (
    BlindOfferMade,
    DefaultJudgementGiven,
    DisputeAppealDecided,
    DisputeClosed,
    DisputeDecided,
    DisputeEscalated,
    DisputeEvent,
    DisputeFinalized,
    EvidenceLodged,
    PlatformDefaultGiven,
    ProposalAccepted,
    ProposalMade,
    ProposalRejected,
)
from shared_events.fields import Party
from shared_events.registry import decode_data, encode_data, tag_of
from shared_runtime.decider import Refused

ACTS_OF_SELLER = (
    ProposalMade,
    ProposalAccepted,
    ProposalRejected,
    BlindOfferMade,
    EvidenceLodged,
    DisputeEscalated,
)

stories = st.sampled_from(list(STORIES.values()))
acts = st.lists(
    st.builds(
        Act,
        who=st.integers(0, 3),
        which=st.integers(0, 90),
        hours=st.sampled_from([0, 1, 12, 24, 48, 72, 120]),
    ),
    max_size=12,
)
nobody = frozenset[Party]()
erasures = st.sampled_from(
    [nobody, frozenset({"BUYER"}), frozenset({"SELLER"}), frozenset({"BUYER", "SELLER"})]
)


def ended(story: Story, doing: Sequence[Act], erased: frozenset[Party] = nobody) -> Life:
    return in_silence(lived(story.commands, doing, erased))


@given(stories, acts, erasures)
def test_every_dispute_is_closed_in_the_end_whoever_is_silent_or_erased(
    story: Story, doing: list[Act], erased: frozenset[Party]
) -> None:
    life = ended(story, doing, erased)
    assert isinstance(life.state, Dispute)
    assert life.state.status == "CLOSED"


@given(stories, acts)
def test_it_ends_in_one_way_and_its_end_is_last(story: Story, doing: list[Act]) -> None:
    events = ended(story, doing).events
    told = Counter(kinds(events))
    ways = told["DisputeSettled"] + told["DefaultJudgementGiven"] + told["DisputeFinalized"]
    assert ways + told["DisputeWithdrawn"] == 1
    assert told["RemedyOrdered"] <= 1
    assert told["DisputeClosed"] == 1
    last = [each for each in events if not isinstance(each, StatementOfReasonsIssued)][-1]
    assert isinstance(last, DisputeClosed)
    for event in events:
        if isinstance(event, PlatformDefaultGiven):
            (final,) = [each for each in events if isinstance(each, DisputeFinalized)]
            assert (final.liable, final.buyer_abuse) == ("PLATFORM", False)


@given(stories, acts)
def test_a_seller_is_judged_for_his_silence_alone(story: Story, doing: list[Act]) -> None:
    events = ended(story, doing).events
    if not any(isinstance(each, DefaultJudgementGiven) for each in events):
        return
    assert not any(isinstance(each, ACTS_OF_SELLER) and each.by_role == "SELLER" for each in events)


@given(stories, acts)
def test_a_decision_rests_on_what_both_have_seen_and_an_appeal_on_somebody_else(
    story: Story, doing: list[Act]
) -> None:
    life = ended(story, doing)
    assert isinstance(life.state, Dispute)
    first = life.state.decision
    for event in life.events:
        if isinstance(event, DisputeDecided | DisputeAppealDecided):
            assert all(life.state.evidence[each].shown for each in event.evidence_ids)
        if isinstance(event, DisputeAppealDecided):
            assert first
            assert event.decided_by != first.decided_by


@given(stories, acts)
def test_whom_a_decision_goes_against_is_told_why_once(story: Story, doing: list[Act]) -> None:
    life = ended(story, doing)
    assert isinstance(life.state, Dispute)
    owed: list[str] = []
    for event in life.events:
        match event:
            case DisputeDecided() | DisputeAppealDecided():
                owed += against(event.outcome)
            case DefaultJudgementGiven():
                owed.append("SELLER")
            case PlatformDefaultGiven(stage="APPEAL"):
                owed += life.state.appeals
            case _:
                pass
    told = [each for each in life.events if isinstance(each, StatementOfReasonsIssued)]
    assert Counter(each.recipient_role for each in told) == Counter(owed)
    assert len({each.sor_id for each in told}) == len(told)


@given(stories, acts)
def test_a_history_told_again_leads_to_the_same(story: Story, doing: list[Act]) -> None:
    life = lived(story.commands, doing)
    assert DISPUTES.fold(life.events) == life.state
    copied = [decode_data(tag_of(event), encode_data(event)) for event in life.events]
    assert DISPUTES.fold(cast("list[DisputeEvent]", copied)) == life.state


@given(stories, acts)
def test_a_deadline_lies_ahead_and_is_met_once(story: Story, doing: list[Act]) -> None:
    life = lived(story.commands, doing)
    life = met(life, life.now)
    assert isinstance(life.state, Dispute)
    for name, due in dispute_deadlines(life.state, policies()):
        assert due > life.now
        said = asked_of_dispute(name, due, life.state, TOLD)
        assert said
        early = after(life, say(said, now=life.now, actor=SYSTEM))
        assert early.events == life.events
        fired = after(life, say(said, now=due, actor=SYSTEM))
        again = after(fired, say(said, now=due + DAY, actor=SYSTEM))
        assert again.events == fired.events


@given(stories, acts)
def test_what_is_offered_is_what_would_be_taken(story: Story, doing: list[Act]) -> None:
    life = lived(story.commands, doing)
    for actor in PEOPLE:
        by = say(WithdrawDispute(), now=life.now, actor=actor).by
        offered = {each.action: each.allowed for each in RULES.offered(life.state, by)}
        taken = dict.fromkeys(offered, False)
        for command in attempts(life, actor, 99):
            try:
                events = DISPUTES.decide(life.state, command)
            except Refused:
                continue
            taken[type(command.said).__name__] |= bool(events)
        # What may be taken in other words than the neutral ones is more than is offered.
        assert all(taken[name] for name, allowed in offered.items() if allowed)
