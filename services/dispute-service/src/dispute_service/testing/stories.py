"""Disputes of order A, told command by command, up to each place where they can stand."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from dispute_service.domain.adjudication import (
    AssignAdjudicator,
    ProvideInfo,
    RequestInfo,
)
from dispute_service.domain.appeal_decision import DecideDisputeAppeal
from dispute_service.domain.appeals import AnswerAppeal, AppealDispute, WaiveAppeal
from dispute_service.domain.contest import OpenContest
from dispute_service.domain.decisions import DecideDispute
from dispute_service.domain.escalation import EscalateDispute
from dispute_service.domain.evidence import LodgeEvidence, ShareEvidence
from dispute_service.domain.opening import NamedLine, OpenDispute
from dispute_service.domain.proposals import AcceptProposal, Propose, RejectProposal
from dispute_service.domain.remedies import ConfirmExecution
from dispute_service.domain.rules import DisputeCommand
from dispute_service.domain.streams import remedy_id_of
from dispute_service.domain.submission import (
    StartAdjudication,
    SubmitEvidence,
    SubmitRebuttal,
)
from dispute_service.testing import (
    AGENT,
    ALL,
    BUYER,
    FILE,
    OPENING,
    SELLER,
    SENIOR,
    SYSTEM,
    at,
    say,
    words,
)


class Story(NamedTuple):
    """What was said, and an instant at which more can be."""

    commands: tuple[DisputeCommand, ...]
    now: datetime


def photo(evidence_id: str) -> LodgeEvidence:
    return LodgeEvidence(evidence_id=evidence_id, kind="PHOTO", media=words("media"), sha256=FILE)


def partial(proposal_id: str, amount_minor: int) -> Propose:
    return Propose(
        proposal_id=proposal_id,
        outcome="REFUND_PARTIAL",
        lines=ALL,
        amount_minor=amount_minor,
        currency="EUR",
    )


REMEDY = remedy_id_of("D1")
opening = OpenDispute(
    dispute_id="D1",
    reason="NOT_AS_DESCRIBED",
    lines=(NamedLine(line_id="1", quantity=3),),
    proposal_id="p1",
    outcome="REFUND_PARTIAL",
    amount_minor=2000,
    currency="EUR",
    text=words("complaint"),
)
contest = OpenContest(
    dispute_id="D1",
    return_id="RT9",
    units=("1/1",),
    ground="REJECTED",
    seller_at_fault=True,
    barred_ids=("agent-9",),
    file_sha256=FILE,
    proposal_id="p1",
)
question = RequestInfo(
    of="BUYER", question_for_buyer=words("question"), question_for_seller=words("question")
)
decision = DecideDispute(
    outcome="REFUND_PARTIAL",
    lines=ALL,
    amount_minor=3000,
    currency="EUR",
    liable="SELLER",
    seller_fault_pct=100,
    rule_ids=("D-7",),
    evidence_ids=("b1",),
    facts_for_buyer=words("facts"),
    facts_for_seller=words("facts"),
    explanation="What was sent is not what was offered.",
)
upheld = DecideDisputeAppeal(
    result="UPHELD", **{name: getattr(decision, name) for name in decision.__struct_fields__}
)
appeal = AppealDispute(appeal_id="ap1", ground="PROCEDURE", text=words("appeal"))
done = ConfirmExecution(remedy_id=REMEDY, result="REFUNDED", amount_minor=2000)

OPEN = (say(opening, now=OPENING),)
REJECTED = (*OPEN, say(RejectProposal(proposal_id="p1"), now=at(5, 9), actor=SELLER))
COUNTERED = (*OPEN, say(partial("p2", 1000), now=at(5, 9), actor=SELLER))
CONTEST = (say(contest, now=OPENING, actor=SYSTEM),)
EVIDENCE = (
    *REJECTED,
    say(EscalateDispute(), now=at(8), actor=BUYER),
    say(photo("b1"), now=at(8), actor=BUYER),
    say(photo("s1"), now=at(8), actor=SELLER),
)
SHARED = (*EVIDENCE, say(ShareEvidence(evidence_ids=("b1",)), now=at(8)))
ONE_IN = (*EVIDENCE, say(SubmitEvidence(), now=at(9)))
REBUTTAL = (*ONE_IN, say(SubmitEvidence(), now=at(10), actor=SELLER))
ONE_REBUTTED = (
    *REBUTTAL,
    say(SubmitRebuttal(text=words("rebuttal")), now=at(11), actor=SELLER),
)
UNASSIGNED = (*ONE_REBUTTED, say(StartAdjudication(), now=at(12), actor=SYSTEM))
REVIEW = (
    *UNASSIGNED,
    say(
        AssignAdjudicator(adjudicator_id="agent-1", level="AGENT", org_id="desk"),
        now=at(12),
        actor=SYSTEM,
    ),
)
ASKED = (*REVIEW, say(question, now=at(13), actor=AGENT))
ANSWERED = (*ASKED, say(ProvideInfo(text=words("answer")), now=at(14)))
DECIDED = (*REVIEW, say(decision, now=at(14), actor=AGENT))
WAIVED = (*DECIDED, say(WaiveAppeal(), now=at(15)))
APPEAL = (
    *DECIDED,
    say(appeal, now=at(15)),
    say(
        AssignAdjudicator(adjudicator_id="senior-1", level="SENIOR", org_id="desk"),
        now=at(15),
        actor=SYSTEM,
    ),
)
APPEAL_ANSWERED = (
    *APPEAL,
    say(AnswerAppeal(appeal_id="ap1", text=words("reply")), now=at(16), actor=SELLER),
)
EXECUTING = (*OPEN, say(AcceptProposal(proposal_id="p1"), now=at(7), actor=SELLER))
CLOSED = (*EXECUTING, say(done, now=at(9), actor=SYSTEM))
APPEAL_DECIDED = (*APPEAL_ANSWERED, say(upheld, now=at(21), actor=SENIOR))

STORIES: Mapping[str, Story] = {
    "silent": Story(OPEN, at(5, 9)),
    "silent day 4": Story(OPEN, at(9)),
    "default due": Story(OPEN, at(10)),
    "countered": Story(COUNTERED, at(6)),
    "negotiated": Story(COUNTERED, at(12)),
    "contest": Story(CONTEST, at(5, 9)),
    "evidence": Story(EVIDENCE, at(8, 9)),
    "shared": Story(SHARED, at(8, 9)),
    "one in": Story(ONE_IN, at(9, 9)),
    "evidence due": Story(ONE_IN, at(13)),
    "rebuttal": Story(REBUTTAL, at(10, 9)),
    "rebuttal due": Story(REBUTTAL, at(12)),
    "unassigned": Story(UNASSIGNED, at(12, 9)),
    "review": Story(REVIEW, at(12, 9)),
    "asked": Story(ASKED, at(13, 9)),
    "asked due": Story(ASKED, at(16)),
    "nobody decides": Story(REVIEW, at(19) + 30 * (at(2) - at(1))),
    "decided": Story(DECIDED, at(14, 9)),
    "buyer waived": Story(WAIVED, at(15, 9)),
    "appeal over": Story(DECIDED, at(21)),
    "appeal": Story(APPEAL, at(15, 9)),
    "appeal answered": Story(APPEAL_ANSWERED, at(21)),
    "nobody decides it": Story(APPEAL, at(25) + 30 * (at(2) - at(1))),
    "executing": Story(EXECUTING, at(7, 9)),
    "closed": Story(CLOSED, at(9, 9)),
}
"""Every place where a dispute can stand, with what its clocks say."""
