"""A dispute or an inquiry as somebody knows it in, what is due in it and why out.

These are told to people; the timers are `timers`. A party is told of the same, and besides: until
when an appeal may be answered, that the clock of a decision stands still, and what is late.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct

from dispute_service.domain.dispute_state import TO_DECIDE, Dispute
from dispute_service.domain.inquiry_state import Inquiry
from dispute_service.domain.overdue import owed
from dispute_service.domain.policy import DisputePolicy
from dispute_service.domain.terms import SHIPS_BACK
from dispute_service.domain.timers import NOTED, Deadline, Name, inquiry_deadlines, of_stage

type DueName = Name | Literal["APPEAL_ANSWER"]


class Due(Struct, frozen=True, kw_only=True):
    """What is due. `at` is None while the clock stands still, with so much left on it. `numbers`:
    those of the policy that it follows from, by name.
    """

    name: DueName
    at: datetime | None
    remaining_seconds: int | None = None
    numbers: tuple[str, ...]


class Rule(Struct, frozen=True, kw_only=True):
    """A deadline in words: what it counts from, and what happens when it passes."""

    says: str
    then: str


RULES: Mapping[DueName, Rule] = {
    "INQUIRY_ANSWER": Rule(
        says="The seller answers within this time from the question on.",
        then="The question counts as not answered in time. It stays open and can still be "
        "answered.",
    ),
    "INQUIRY_IDLE": Rule(
        says="A question stays open for this time after the last that was written about it.",
        then="The question is closed.",
    ),
    "DISPUTE_ANSWER": Rule(
        says="A seller who has not acted yet acts within this time from the opening on, or from "
        "a new proposal of the buyer's on.",
        then="What the buyer has asked for is granted as far as a rule may grant it. Where it may "
        "not, the platform takes the dispute over.",
    ),
    "DISPUTE_ESCALATE": Rule(
        says="The parties have this time from the opening on, or from a new proposal on to a "
        "seller who has not acted yet, to agree.",
        then="The platform takes the dispute over, and both lodge their evidence.",
    ),
    "EVIDENCE_DUE": Rule(
        says="Both parties have this time for their evidence, and once an extension.",
        then="What was lodged by then is submitted, and each sees the other's at one moment.",
    ),
    "REBUTTAL_DUE": Rule(
        says="Both parties have this time from the disclosure on to say what they think of it.",
        then="An adjudicator decides on what is there.",
    ),
    "DECISION_DUE": Rule(
        says="It is decided within this time. It stands still while a party is asked something.",
        then="The delay is counted in public, and somebody else is drawn. No party loses anything.",
    ),
    "INFO_DUE": Rule(
        says="The party that was asked has this time to answer.",
        then="The clock of the decision runs on, and the silence may be weighed.",
    ),
    "APPEAL_WINDOW": Rule(
        says="Either party may appeal within this time from the decision on.",
        then="The decision is final, and is carried out.",
    ),
    "APPEAL_ANSWER": Rule(
        says="The other party may answer an appeal within this time.",
        then="The appeal is decided without an answer.",
    ),
    "DISPUTE_APPEAL_DUE": Rule(
        says="An appeal is decided within this time, and not before both could say something. It "
        "stands still while a party is asked something.",
        then="The delay is counted in public, and somebody else is drawn. No party loses anything.",
    ),
    "PLATFORM_DEFAULT": Rule(
        says="What is not decided this long after it was due is ended without anybody.",
        then="What the buyer has asked for is granted as far as a rule may grant it, or the "
        "decision that was appealed stands. The marketplace bears it.",
    ),
    "EXECUTION_DUE": Rule(
        says="What was settled or decided is carried out within this time, and goods that go back "
        "have theirs besides.",
        then="The delay is counted in public, and staff see to it.",
    ),
}
NUMBERS: Mapping[DueName, tuple[str, ...]] = {
    "INQUIRY_ANSWER": ("inquiry_sla",),
    "INQUIRY_IDLE": ("inquiry_idle",),
    "DISPUTE_ANSWER": ("dispute_answer",),
    "DISPUTE_ESCALATE": ("dispute_negotiation",),
    "EVIDENCE_DUE": ("dispute_evidence",),
    "REBUTTAL_DUE": ("dispute_rebuttal",),
    "DECISION_DUE": ("dispute_decision",),
    "INFO_DUE": ("dispute_info",),
    "APPEAL_WINDOW": ("dispute_appeal_window",),
    "APPEAL_ANSWER": ("dispute_rebuttal",),
    "DISPUTE_APPEAL_DUE": ("dispute_appeal_sla", "dispute_appeal_window", "dispute_rebuttal"),
    "PLATFORM_DEFAULT": ("dispute_platform_default",),
    "EXECUTION_DUE": ("dispute_execution",),
}
BACK = ("return_ship_by", "return_transit_max", "return_receive")


def dues_of_inquiry(inquiry: Inquiry) -> list[Due]:
    return [due(name, at) for name, at in inquiry_deadlines(inquiry)]


def dues_of_dispute(dispute: Dispute, policy: DisputePolicy) -> list[Due]:
    """Also those that are past, as long as nothing has come of them."""
    told = [of_timer(dispute, deadline) for deadline in of_stage(dispute)]
    told += [
        due("APPEAL_ANSWER", appeal.answer_until)
        for appeal in dispute.unanswered
        if dispute.status == "APPEAL"
    ]
    if dispute.status in TO_DECIDE and dispute.question:
        return [*told, *standing_still(dispute, dispute.question.remaining_seconds)]
    if debt := owed(dispute):
        told.append(of_timer(dispute, Deadline(NOTED[debt[0]], debt[2])))
    if dispute.status in TO_DECIDE and dispute.decide_by:
        told.append(due("PLATFORM_DEFAULT", dispute.decide_by + policy.dispute_platform_default))
    return told


def of_timer(dispute: Dispute, deadline: Deadline) -> Due:
    numbers = NUMBERS[deadline.name]
    if deadline.name == "EVIDENCE_DUE" and dispute.extended:
        numbers += ("dispute_evidence_extension",)
    ordered = dispute.remedy
    if deadline.name == "EXECUTION_DUE" and ordered and ordered.outcome in SHIPS_BACK:
        numbers += BACK
    return Due(name=deadline.name, at=deadline.due, numbers=numbers)


def due(name: DueName, at: datetime) -> Due:
    return Due(name=name, at=at, numbers=NUMBERS[name])


def standing_still(dispute: Dispute, remaining_seconds: int) -> list[Due]:
    """The decision that waits for an answer."""
    name: DueName = "DECISION_DUE" if dispute.status == "REVIEW" else "DISPUTE_APPEAL_DUE"
    numbers = NUMBERS[name]
    return [Due(name=name, at=None, remaining_seconds=remaining_seconds, numbers=numbers)]


def seconds_of(policy: DisputePolicy, numbers: Sequence[str]) -> Mapping[str, int]:
    """How long each of these numbers is, in seconds."""
    found: dict[str, timedelta] = {name: getattr(policy, name) for name in numbers}
    return {name: int(length.total_seconds()) for name, length in found.items()}
