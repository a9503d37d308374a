"""Evidence: lodged, shown, sealed, disclosed at one instant, and rebutted."""

from datetime import datetime
from typing import Any

import pytest
from dispute_service.domain.adjudication import ProvideInfo
from dispute_service.domain.appeals import AnswerAppeal
from dispute_service.domain.evidence import LodgeEvidence, RemoveEvidence, ShareEvidence
from dispute_service.domain.rules import DisputeCommand
from dispute_service.domain.submission import (
    DiscloseEvidence,
    ExtendEvidence,
    StartAdjudication,
    SubmitEvidence,
    SubmitRebuttal,
)
from dispute_service.testing import (
    BUYER,
    SELLER,
    SYSTEM,
    TICK,
    at,
    history,
    kinds,
    played,
    say,
    words,
)
from dispute_service.testing.stories import (
    APPEAL,
    APPEAL_ANSWERED,
    ASKED,
    DECIDED,
    EVIDENCE,
    ONE_IN,
    OPEN,
    REBUTTAL,
    REJECTED,
    REVIEW,
    SHARED,
    UNASSIGNED,
    photo,
)
from msgspec import Struct
from msgspec.structs import replace
from shared_runtime.decider import (
    Actor,
    AlreadySubmitted,
    EvidenceRequired,
    EvidenceSealed,
    InvalidValue,
    LimitReached,
    NotAParty,
    WindowClosed,
    WrongState,
)

DUE = at(13)
ESCALATED = EVIDENCE[:3]
"""EVIDENCE, and nobody has lodged anything."""


def lodge(name: str, now: datetime, actor: Actor = BUYER) -> DisputeCommand:
    return say(photo(name), now=now, actor=actor)


def rebut(*names: str) -> SubmitRebuttal:
    return SubmitRebuttal(text=words("rebuttal"), evidence_ids=names)


disclose = say(DiscloseEvidence(), now=DUE, actor=SYSTEM)


def after(story: tuple[DisputeCommand, ...], *commands: DisputeCommand) -> list[Any]:
    """The events of commands that are taken."""
    done = played(*commands, after=history(*story))
    assert done.refused is None, done.refused
    return done.events


# --- Lodging


def test_a_party_lodges_twenty_pieces_and_a_removed_one_frees_its_place() -> None:
    pieces = [lodge(f"b{n}", at(6)) for n in range(21)]
    assert len(after(REJECTED, *pieces[:20])) == 20
    played(*REJECTED, *pieces).then_refused(LimitReached, limit=20)
    removed = say(RemoveEvidence(evidence_id="b3"), now=at(6))
    assert kinds(after(REJECTED, *pieces[:20], removed, pieces[20]))[-1] == "EvidenceLodged"
    assert after(REJECTED, *pieces[:20], lodge("s1", at(6), SELLER))


def test_a_piece_sent_twice_is_one_and_its_id_is_nobody_elses() -> None:
    twice = (lodge("b1", at(6)), lodge("b1", at(7)))
    assert kinds(after(REJECTED, *twice)) == ["EvidenceLodged"]
    played(*REJECTED, twice[0], lodge("b1", at(7), SELLER)).then_refused(InvalidValue)
    video = say(replace(photo("b1"), kind="VIDEO"), now=at(7))
    played(*REJECTED, twice[0], video).then_refused(InvalidValue)


def test_the_file_of_a_return_is_nobodys_to_lodge() -> None:
    file = say(replace(photo("b1"), kind="RETURN_FILE"), now=at(6))
    played(*REJECTED, file).then_refused(InvalidValue)


def test_what_was_submitted_is_sealed_but_for_what_one_is_still_to_say() -> None:
    played(*ONE_IN, lodge("b2", at(9))).then_refused(EvidenceSealed, sealed_at=at(9))
    assert after(ONE_IN, lodge("s2", at(9), SELLER))
    due = at(12)
    assert after(REBUTTAL, lodge("b2", due - TICK))
    played(*REBUTTAL, lodge("b2", due)).then_refused(EvidenceSealed, sealed_at=at(9))
    rebutted = say(rebut(), now=at(11))
    played(*REBUTTAL, rebutted, lodge("b2", at(11))).then_refused(EvidenceSealed)
    played(*REVIEW, lodge("b2", at(13))).then_refused(EvidenceSealed)


def test_who_is_asked_may_lodge_until_the_answer_is_due() -> None:
    due = at(16)
    assert after(ASKED, lodge("b2", due - TICK))
    played(*ASKED, lodge("b2", due)).then_refused(EvidenceSealed, sealed_at=at(9))
    played(*ASKED, lodge("s2", at(14), SELLER)).then_refused(EvidenceSealed, sealed_at=at(10))


def test_for_an_appeal_there_are_five_places_more_until_it_is_too_late() -> None:
    over = at(21)
    pieces = [lodge(f"b{n}", at(15)) for n in range(2, 27)]
    assert after(DECIDED, *pieces[:24])
    played(*DECIDED, *pieces).then_refused(LimitReached, limit=25)
    assert after(DECIDED, lodge("b2", over - TICK))
    played(*DECIDED, lodge("b2", over)).then_refused(WindowClosed, closed_at=over)


def test_whose_answer_to_an_appeal_is_still_due_may_lodge_for_it() -> None:
    last = replace(APPEAL[-2].said, appeal_id="late")
    late = (*DECIDED, say(last, now=at(21) - TICK))
    until = at(23) - TICK
    assert after(late, lodge("s2", until - TICK, SELLER))
    played(*late, lodge("s2", until, SELLER)).then_refused(WindowClosed, closed_at=until)
    played(*late, lodge("b2", at(22))).then_refused(WindowClosed, closed_at=at(21))
    played(*APPEAL_ANSWERED, lodge("s2", at(21), SELLER)).then_refused(WindowClosed)


def test_who_has_submitted_nothing_may_lodge_until_the_decision() -> None:
    alone = say(SubmitEvidence(), now=at(9), actor=SELLER)
    seller_only = (*ESCALATED, lodge("s1", at(8), SELLER), alone)
    reviewed = (
        *seller_only,
        disclose,
        say(StartAdjudication(), now=at(15), actor=SYSTEM),
    )
    events = after(reviewed, lodge("b1", at(16)), say(SubmitEvidence(), now=at(16)))
    assert (events[-1].late, events[-1].evidence_ids) == (True, ["b1"])


# --- Shared, removed


def test_what_is_shared_is_shown_for_good_and_once() -> None:
    assert after(SHARED, say(ShareEvidence(evidence_ids=("b1",)), now=at(9))) == []
    gone = say(RemoveEvidence(evidence_id="b1"), now=at(9))
    played(*SHARED, gone).then_refused(EvidenceSealed, sealed_at=at(8))
    both = say(ShareEvidence(evidence_ids=("b1", "b2")), now=at(9))
    assert after(SHARED, lodge("b2", at(9)), both)[-1].evidence_ids == ["b2"]


@pytest.mark.parametrize("name", ["s1", "none"])
def test_nobody_shares_or_removes_what_is_not_his(name: str) -> None:
    for said in (ShareEvidence(evidence_ids=(name,)), RemoveEvidence(evidence_id=name)):
        played(*EVIDENCE, say(said, now=at(9))).then_refused(WrongState, state="EVIDENCE")


def test_nothing_is_shared_from_the_limit_on() -> None:
    share = ShareEvidence(evidence_ids=("b1",))
    assert after(EVIDENCE, say(share, now=DUE - TICK))
    played(*EVIDENCE, say(share, now=DUE)).then_refused(WindowClosed, closed_at=DUE)
    played(*REBUTTAL, say(share, now=at(10))).then_refused(WrongState, state="REBUTTAL")


def test_what_nobody_has_seen_can_be_taken_back() -> None:
    assert kinds(after(EVIDENCE, say(RemoveEvidence(evidence_id="b1"), now=at(9)))) == [
        "EvidenceRemoved"
    ]
    named = say(rebut("b4"), now=at(11))
    gone = say(RemoveEvidence(evidence_id="b4"), now=at(11))
    played(*REBUTTAL, lodge("b4", at(11)), named, gone).then_refused(
        EvidenceSealed, sealed_at=at(11)
    )


# --- Submitted and disclosed


def test_the_time_for_evidence_is_extended_once_for_both_and_not_by_who_has_submitted() -> None:
    extend = ExtendEvidence()
    (told,) = after(EVIDENCE, say(extend, now=DUE - TICK))
    assert told.evidence_due == at(16)
    played(*EVIDENCE, say(extend, now=DUE)).then_refused(WindowClosed, closed_at=DUE)
    twice = (say(extend, now=at(9)), say(extend, now=at(9), actor=SELLER))
    played(*EVIDENCE, *twice).then_refused(LimitReached, limit=1)
    played(*ONE_IN, say(extend, now=at(9))).then_refused(EvidenceSealed, sealed_at=at(9))
    assert after(EVIDENCE, twice[0], disclose) == after(EVIDENCE, twice[0])


def test_nothing_is_said_to_be_nothing() -> None:
    nothing = say(SubmitEvidence(nothing=True), now=at(9))
    played(*ESCALATED, say(SubmitEvidence(), now=at(9))).then_refused(EvidenceRequired)
    (told,) = after(ESCALATED, nothing)
    assert (told.evidence_ids, told.late) == ([], False)
    played(*ESCALATED, nothing, nothing).then_refused(AlreadySubmitted)


def test_both_in_due_time_are_disclosed_at_one_instant() -> None:
    events = after(ONE_IN, say(SubmitEvidence(), now=at(10), actor=SELLER))
    assert kinds(events) == ["EvidenceSubmitted", "EvidenceDisclosed"]
    assert sorted(events[1].evidence_ids) == ["b1", "s1"]
    assert events[1].rebuttal_due == at(12)


def test_at_the_limit_it_is_late_and_shown_with_the_rest() -> None:
    in_time = after(ONE_IN, say(SubmitEvidence(), now=DUE - TICK, actor=SELLER))
    assert kinds(in_time) == ["EvidenceSubmitted", "EvidenceDisclosed"]
    late = say(SubmitEvidence(), now=DUE, actor=SELLER)
    (told,) = after(ONE_IN, late)
    assert told.late
    assert not played(*ONE_IN, late).state.evidence["s1"].shown
    assert kinds(after(ONE_IN, late, disclose)) == ["EvidenceSubmitted", "EvidenceDisclosed"]


def test_for_who_did_not_submit_what_he_lodged_in_due_time_is() -> None:
    early = say(DiscloseEvidence(), now=DUE - TICK, actor=SYSTEM)
    assert after(EVIDENCE, early) == []
    late = lodge("b2", DUE)
    submitted, other, told = after(EVIDENCE, late, disclose)[1:]
    assert (submitted.by_role, submitted.evidence_ids, submitted.auto) == ("BUYER", ["b1"], True)
    assert (other.by_role, other.late) == ("SELLER", False)
    assert sorted(told.evidence_ids) == ["b1", "s1"]
    assert after((*EVIDENCE, disclose), disclose) == []


def test_where_nobody_has_anything_there_is_nothing_to_disclose() -> None:
    (told,) = after(ESCALATED, disclose)
    assert told.evidence_ids == []


def test_evidence_belongs_to_its_stages() -> None:
    for story in (OPEN, DECIDED):
        said = say(SubmitEvidence(nothing=True), now=at(9) if story is OPEN else at(15))
        played(*story, said).then_refused(WrongState)
    played(*OPEN, say(ExtendEvidence(), now=at(6))).then_refused(WrongState)


# --- Rebutted


def test_both_rebuttals_start_the_review_and_show_what_they_name() -> None:
    story = (*REBUTTAL, lodge("b7", at(11)), say(rebut("b7"), now=at(11)))
    assert not played(*story).state.evidence["b7"].shown
    events = after(story, say(rebut(), now=at(11), actor=SELLER))
    assert kinds(events) == ["RebuttalSubmitted", "AdjudicationStarted"]
    assert events[1].decide_by == at(18)
    assert played(*story, say(rebut(), now=at(11), actor=SELLER)).state.evidence["b7"].shown


def test_a_rebuttal_is_made_once_in_time_and_with_evidence_of_ones_own() -> None:
    due = at(12)
    played(*REBUTTAL, say(rebut(), now=due)).then_refused(WindowClosed, closed_at=due)
    once = say(rebut(), now=due - TICK)
    assert after(REBUTTAL, once)
    played(*REBUTTAL, once, once).then_refused(AlreadySubmitted)
    played(*REBUTTAL, say(rebut("s1"), now=at(11))).then_refused(InvalidValue)
    played(*REVIEW, say(rebut(), now=at(13))).then_refused(WrongState)


def test_the_review_starts_by_itself_at_the_limit() -> None:
    start = StartAdjudication()
    assert after(REBUTTAL, say(start, now=at(12) - TICK, actor=SYSTEM)) == []
    (told,) = after(REBUTTAL, say(start, now=at(12), actor=SYSTEM))
    assert told.decide_by == at(19)
    assert after(UNASSIGNED, say(start, now=at(12), actor=SYSTEM)) == []


OWN: list[tuple[tuple[DisputeCommand, ...], Struct, Actor, datetime]] = [
    (ASKED, ProvideInfo(text=words(), evidence_ids=("s1",)), BUYER, at(14)),
    (APPEAL, AnswerAppeal(appeal_id="ap1", text=words(), evidence_ids=("b1",)), SELLER, at(16)),
]


@pytest.mark.parametrize(("story", "said", "actor", "now"), OWN, ids=["answer", "appeal"])
def test_what_one_shows_is_ones_own(
    story: tuple[DisputeCommand, ...], said: Struct, actor: Actor, now: datetime
) -> None:
    played(*story, say(said, now=now, actor=actor)).then_refused(InvalidValue)


@pytest.mark.parametrize(
    "said",
    [
        photo("x"),
        ShareEvidence(evidence_ids=("b1",)),
        RemoveEvidence(evidence_id="b1"),
        ExtendEvidence(),
        SubmitEvidence(),
    ],
    ids=lambda said: type(said).__name__,
)
def test_only_the_parties_bring_evidence(said: Struct) -> None:
    stranger = Actor(role="SELLER", id="S2")
    played(*EVIDENCE, say(said, now=at(9), actor=stranger)).then_refused(NotAParty)


def test_a_kind_of_evidence_is_kept_with_when_it_was_made() -> None:
    said = LodgeEvidence(
        evidence_id="b9",
        kind="TRACKING",
        media=words("media"),
        sha256="a" * 64,
        captured_at=at(2),
        note=words("note"),
    )
    (told,) = after(REJECTED, say(said, now=at(6)))
    assert (told.kind, told.captured_at, told.lodged_at) == ("TRACKING", at(2), at(6))
