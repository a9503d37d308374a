"""Every refusal that a row of a command names is earned; every example is well-formed."""

from collections.abc import Iterator
from dataclasses import replace as with_numbers
from typing import Any

import pytest
from dispute_service.domain.adjudication import AssignAdjudicator
from dispute_service.domain.answering import AddInquiryMessage, AnswerInquiry
from dispute_service.domain.appeals import AnswerAppeal
from dispute_service.domain.inquiring import OpenInquiry
from dispute_service.domain.inquiry_end import CloseInquiry
from dispute_service.domain.inquiry_rules import INQUIRIES, INQUIRY_RULES
from dispute_service.domain.messages import AddDisputeMessage
from dispute_service.domain.opening import NamedLine
from dispute_service.domain.policy import AE_2025_1, ALWAYS, policies
from dispute_service.domain.proposals import AcceptProposal, RejectProposal
from dispute_service.domain.rules import DISPUTES, RULES
from dispute_service.domain.submission import ExtendEvidence, SubmitEvidence, SubmitRebuttal
from dispute_service.testing import (
    AGENT,
    BUYER,
    OPENING,
    ORDER,
    PIECES,
    SELLER,
    SENIOR,
    SYSTEM,
    at,
    history,
    ledger,
    say,
    words,
)
from dispute_service.testing.matrix import ACTORS, NONE, tried
from dispute_service.testing.stories import (
    APPEAL,
    APPEAL_ANSWERED,
    ASKED,
    COUNTERED,
    DECIDED,
    EVIDENCE,
    ONE_REBUTTED,
    OPEN,
    REVIEW,
    STORIES,
    appeal,
    contest,
    decision,
    opening,
    partial,
    photo,
    question,
    upheld,
)
from msgspec import Struct
from msgspec.structs import replace
from shared_runtime.decider import (
    Actor,
    InvalidValue,
    NotFound,
    NotYetEligible,
    Refused,
    TimeGoesBack,
    WindowClosed,
    WrongState,
)
from shared_runtime.rule import NO_LONGER_APPLIES, Sent
from shared_runtime.rules import Row
from shared_runtime.shape import require_shape

ROWS: list[Row[Any, Any, Any]] = [*RULES, *INQUIRY_RULES]
ANSWERED_ANYWHERE = {InvalidValue, NotFound}
STRANGER = Actor(role="SELLER", id="S2")
MEMBER = Actor(role="AGENT", id="agent-7", org_id="acme")
ACME = {"party_orgs": frozenset({"acme"})}
ONE_EACH = policies(
    [(ALWAYS, "one")],
    [
        with_numbers(
            AE_2025_1,
            version="one",
            dispute_proposals_max=1,
            dispute_blind_offers_max=0,
            dispute_messages_max=1,
            dispute_evidence_max=1,
        )
    ],
)
UNDER_ONE = tuple(
    say(each.said, now=each.now, actor=each.actor, policies=ONE_EACH)
    for each in (*COUNTERED, say(photo("b1"), now=at(5, 9)))
)

type Said = Sent[Any, Any]

# What the table of places does not show: who is not to, what is used up, what is no longer there.
BESIDES: list[tuple[tuple[Said, ...], Said]] = [
    ((), say(opening, now=OPENING, order=replace(ORDER, stage="CANCELLED"))),
    ((), say(opening, now=at(1))),
    ((), say(opening, now=at(90))),
    ((), say(opening, now=OPENING, open_disputes=3)),
    ((), say(replace(opening, lines=(NamedLine(line_id="1", quantity=4),)), now=OPENING)),
    ((), say(replace(opening, amount_minor=99_999), now=OPENING)),
    ((), say(opening, now=OPENING, erased=True)),
    (
        (),
        say(
            contest,
            now=OPENING,
            actor=SYSTEM,
            units=(replace(PIECES[0], in_dispute="D0"), *PIECES[1:]),
        ),
    ),
    (OPEN, say(partial("p2", 99_999), now=at(6), actor=SELLER)),
    (COUNTERED, say(AcceptProposal(proposal_id="p2"), now=at(6), ledger=ledger(1))),
    (
        (*COUNTERED, say(partial("p3", 7), now=at(6), actor=SELLER)),
        say(AcceptProposal(proposal_id="p2"), now=at(6)),
    ),
    (
        (*COUNTERED, say(partial("p3", 7), now=at(6), actor=SELLER)),
        say(RejectProposal(proposal_id="p2"), now=at(6)),
    ),
    (REVIEW, say(replace(decision, amount_minor=99_999), now=at(13), actor=AGENT)),
    (REVIEW, say(decision, now=at(13), actor=MEMBER, **ACME)),
    (REVIEW, say(question, now=at(13), actor=MEMBER, **ACME)),
    (
        REVIEW,
        say(
            AddDisputeMessage(message_id="m", text_for_buyer=words(), text_for_seller=words()),
            now=at(13),
            actor=MEMBER,
            **ACME,
        ),
    ),
    (
        REVIEW,
        say(question, now=at(13), actor=AGENT, erased_parties=frozenset({"BUYER"})),
    ),
    (
        REVIEW,
        say(AssignAdjudicator(adjudicator_id="S1", level="AGENT"), now=at(13), actor=SENIOR),
    ),
    (EVIDENCE[:3], say(SubmitEvidence(), now=at(9))),
    (
        (*EVIDENCE, say(ExtendEvidence(), now=at(9))),
        say(ExtendEvidence(), now=at(9)),
    ),
    (ONE_REBUTTED, say(SubmitRebuttal(text=words()), now=at(11), actor=SELLER)),
    (
        APPEAL_ANSWERED,
        say(AnswerAppeal(appeal_id="ap1", text=words()), now=at(16), actor=SELLER),
    ),
    (DECIDED, say(replace(appeal, ground="NEW_EVIDENCE"), now=at(15))),
    (APPEAL, say(upheld, now=at(16), actor=SENIOR)),
    (APPEAL_ANSWERED, say(upheld, now=at(21), actor=Actor(role="SENIOR", id="agent-1"))),
    (APPEAL_ANSWERED, say(upheld, now=at(21), actor=Actor(role="SENIOR", id="senior-9"))),
    (APPEAL_ANSWERED, say(upheld, now=at(21), actor=SENIOR, ledger=ledger(1))),
]
INQUIRY = (say(OpenInquiry(inquiry_id="I1", topic="OTHER", text=words()), now=at(2)),)
CLOSED_INQUIRY = (*INQUIRY, say(CloseInquiry(), now=at(3)))
OF_INQUIRIES: list[tuple[tuple[Said, ...], Said]] = [
    ((), say(INQUIRY[0].said, now=at(2), order=replace(ORDER, stage="PLACED"))),
    ((), say(INQUIRY[0].said, now=at(2), open_inquiries=3)),
    (INQUIRY, say(OpenInquiry(inquiry_id="I1", topic="OTHER", text=words("x")), now=at(2))),
    (CLOSED_INQUIRY, say(AnswerInquiry(text=words()), now=at(4), actor=SELLER)),
    (CLOSED_INQUIRY, say(AddInquiryMessage(message_id="m", text=words()), now=at(4))),
    (CLOSED_INQUIRY, say(CloseInquiry(), now=at(4))),
    (INQUIRY, say(CloseInquiry(reason="IDLE"), now=at(4), actor=AGENT)),
]


def owed_by(row: Row[Any, Any, Any]) -> set[type[Refused]]:
    """What the row names, but for what the log asks, and what is nothing from a machine."""
    named = set(row.all_refusals) - {TimeGoesBack} - ANSWERED_ANYWHERE
    if row.lapses and row.roles == ("SYSTEM",):
        named -= set(NO_LONGER_APPLIES)
    if row.early and not row.lapses:
        named -= {WindowClosed} if row.name == "DecideDisputeAppeal" else set()
    if row.name == "CloseInquiry":
        named -= {NotYetEligible, WindowClosed}  # its buyer has no window
    return named


def asked_everywhere(row: Row[Any, Any, Any]) -> Iterator[tuple[tuple[Said, ...], Said]]:
    """By each role, in each place, by a stranger, by who was erased, and with nothing left."""
    for story in (NONE | dict(STORIES)).values():
        state = DISPUTES.fold(history(*story.commands))
        for actor in ACTORS:
            yield story.commands, tried(row, actor, story, state)
        if story.commands and set(row.roles) & {"BUYER", "SELLER"}:
            side = BUYER if "BUYER" in row.roles else SELLER
            command = tried(row, side, story, state)
            yield story.commands, say(command.said, now=story.now, actor=side, erased=True)
            yield story.commands, say(command.said, now=story.now, actor=side, ledger=ledger(0))
            for role in ("BUYER", "SELLER"):
                other = Actor(role=role, id="somebody")
                yield story.commands, say(command.said, now=story.now, actor=other)
    for side in (BUYER, SELLER):
        now = at(6)
        state = DISPUTES.fold(history(*UNDER_ONE))
        if side.role in row.roles:
            by = say(row.example, now=now, actor=side, policies=ONE_EACH).by
            told = row.tries(state, by) if row.tries and row.command not in OPENS else [row.example]
            for said in told:
                yield UNDER_ONE, say(said, now=now, actor=side, policies=ONE_EACH)
                yield (
                    (*UNDER_ONE, say(said, now=now, actor=side, policies=ONE_EACH)),
                    say(renamed(said), now=now, actor=side, policies=ONE_EACH),
                )


OPENS = {type(opening), type(contest)}


def renamed(said: Struct) -> Struct:
    """The same once more, under another id."""
    fields = [name for name in said.__struct_fields__ if name in ("message_id", "evidence_id")]
    return replace(said, **dict.fromkeys(fields, "another"))


def refusals_of(row: Row[Any, Any, Any]) -> set[type[Refused]]:
    earned: set[type[Refused]] = set()
    besides = [each for each in BESIDES if type(each[1].said) is row.command]
    for story, command in (*asked_everywhere(row), *besides):
        events: list[Any] = []
        for each in story:
            try:
                state = DISPUTES.fold(events)
                events += DISPUTES.decide(state, each)
            except Refused:
                break
        try:
            DISPUTES.decide(DISPUTES.fold(events), command)
        except Refused as refused:
            earned.add(type(refused))
    return earned


def inquiry_refusals_of(row: Row[Any, Any, Any]) -> set[type[Refused]]:
    earned: set[type[Refused]] = set()
    cases = [each for each in OF_INQUIRIES if type(each[1].said) is row.command]
    strangers = [Actor(role="BUYER", id="B2"), STRANGER, AGENT]
    places: list[tuple[Said, ...]] = [(), INQUIRY, CLOSED_INQUIRY]
    for actor in (BUYER, SELLER, *strangers):
        for story in places:
            cases.append((story, say(row.example, now=at(4), actor=actor)))
            cases.append((story, say(row.example, now=at(4), actor=actor, erased=True)))
    for story, command in cases:
        events: list[Any] = []
        for each in story:
            events += INQUIRIES.decide(INQUIRIES.fold(events), each)
        try:
            INQUIRIES.decide(INQUIRIES.fold(events), command)
        except Refused as refused:
            earned.add(type(refused))
    return earned


@pytest.mark.parametrize("row", [*RULES], ids=lambda row: row.name)
def test_every_refusal_that_a_command_names_is_earned_and_no_other(row: Row[Any, Any, Any]) -> None:
    earned = refusals_of(row)
    assert owed_by(row) <= earned, f"never: {owed_by(row) - earned}"
    assert earned <= set(row.all_refusals) | ANSWERED_ANYWHERE


@pytest.mark.parametrize("row", [*INQUIRY_RULES], ids=lambda row: row.name)
def test_every_refusal_of_an_inquirys_command_is_earned_and_no_other(
    row: Row[Any, Any, Any],
) -> None:
    earned = inquiry_refusals_of(row)
    assert owed_by(row) <= earned, f"never: {owed_by(row) - earned}"
    assert earned <= set(row.all_refusals) | ANSWERED_ANYWHERE


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_example_of_a_command_is_well_formed(row: Row[Any, Any, Any]) -> None:
    actor = next(each for each in ACTORS if each.role in row.roles)
    by = say(row.example, now=at(6), actor=actor).by
    require_shape(row.example, by.now, row.shape(row.example, by) if row.shape else ())


def test_a_refusal_of_the_state_says_what_is_possible() -> None:
    state = DISPUTES.fold(history(*ASKED))
    with pytest.raises(WrongState) as refused:
        DISPUTES.decide(state, say(appeal, now=at(13)))
    assert refused.value.allowed_actions == [
        "Propose",
        "AddDisputeMessage",
        "LodgeEvidence",
        "ProvideInfo",
        "WithdrawDispute",
    ]
