"""What is known of one dispute.

NEGOTIATING -> EVIDENCE -> REBUTTAL -> REVIEW -> DECIDED -> (APPEAL) -> EXECUTING -> CLOSED

A settlement, a default judgement or a platform default goes straight to EXECUTING; what ends
without a remedy goes straight to CLOSED.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal, TypedDict

from msgspec import Struct
from shared_casework.parties import Account, parties_of
from shared_events.common import Overdue
from shared_events.dispute import (
    AdjudicatorAssigned,
    AppealAnswered,
    ContestGround,
    DisputeAppealDecided,
    DisputeAppealed,
    DisputeClosed,
    DisputeDecided,
    DisputedLine,
    DisputedUnits,
    DisputeFinalized,
    DisputeMessageAdded,
    DisputeOpened,
    DisputeReason,
    EvidenceLodged,
    EvidenceSubmitted,
    InfoRequested,
    RebuttalSubmitted,
    RemedyOrdered,
    Stage,
)
from shared_events.fields import Party

from dispute_service.domain.known import Sender, line_of
from dispute_service.domain.policy import DisputePolicy
from dispute_service.domain.terms import GOODS_AWAY, Terms

type Status = Stage | Literal["EXECUTING", "CLOSED"]

SIDES: tuple[Party, ...] = ("BUYER", "SELLER")
OTHER: Mapping[Party, Party] = {"BUYER": "SELLER", "SELLER": "BUYER"}
BEFORE_DECISION: tuple[Status, ...] = ("NEGOTIATING", "EVIDENCE", "REBUTTAL", "REVIEW")
TO_DECIDE: tuple[Status, ...] = ("REVIEW", "APPEAL")
"""An adjudicator has it."""
APPEALABLE: tuple[Status, ...] = ("DECIDED", "APPEAL")


class Unopened(Struct, frozen=True):
    @property
    def status(self) -> Literal["NONE"]:
        return "NONE"


class Proposal(Struct, frozen=True, kw_only=True):
    proposal_id: str
    by_role: Party
    terms: Terms


class Evidence(Struct, frozen=True, kw_only=True):
    """A piece of evidence. `shown`: to both. `sealed_at`: since when it can't be taken back;
    `after_decision`: lodged for an appeal, or for the answer to one.
    """

    lodged: EvidenceLodged
    shown: bool = False
    sealed_at: datetime | None = None
    after_decision: bool = False


class Ids(TypedDict):
    """What every event about a dispute says."""

    order_id: str
    seller_id: str
    buyer_id: str
    policy_version: str
    dispute_id: str


class Dispute(Struct, frozen=True, kw_only=True):
    """`reached`: how far it came; it stays there while its remedy is carried out.

    `current`: the proposal that each side stands by; `authors`: of all that were ever made.
    `grantable`: what a silent seller is judged by. `seller_acted`: he can't be silent any more;
    `responded_at`: when he did, if it was in the dispute itself. `decide_by`: of the decision, then
    of the appeal; while a question is open, what it was before. `finalized`: what a decision, or
    nobody's, has come to.
    """

    opened: DisputeOpened
    status: Status = "NEGOTIATING"
    reached: Stage = "NEGOTIATING"
    current: dict[Party, Proposal]
    authors: dict[str, Party]
    rejected: frozenset[tuple[Party, str]] = frozenset()
    grantable: Proposal
    rearmed: int = 0
    answer_due: datetime
    auto_escalate_at: datetime
    held_minor: int
    seller_acted: bool
    responded_at: datetime | None = None
    offers: dict[Party, tuple[int, ...]] = {}
    messages: dict[str, DisputeMessageAdded] = {}
    evidence: dict[str, Evidence] = {}
    evidence_due: datetime | None = None
    extended: bool = False
    submissions: dict[Party, EvidenceSubmitted] = {}
    rebuttal_due: datetime | None = None
    rebuttals: dict[Party, RebuttalSubmitted] = {}
    decide_by: datetime | None = None
    adjudicator: AdjudicatorAssigned | None = None
    question: InfoRequested | None = None
    questions: int = 0
    decision: DisputeDecided | None = None
    waived: frozenset[Party] = frozenset()
    appeals: dict[Party, DisputeAppealed] = {}
    answers: dict[str, AppealAnswered] = {}
    appeal_decision: DisputeAppealDecided | None = None
    finalized: DisputeFinalized | None = None
    remedy: RemedyOrdered | None = None
    closed: DisputeClosed | None = None
    overdue: frozenset[tuple[Overdue, str, datetime]] = frozenset()

    @property
    def ids(self) -> Ids:
        told = self.opened
        return Ids(
            order_id=told.order_id,
            seller_id=told.seller_id,
            buyer_id=told.buyer_id,
            policy_version=told.policy_version,
            dispute_id=told.dispute_id,
        )

    @property
    def dispute_id(self) -> str:
        return self.opened.dispute_id

    @property
    def currency(self) -> str:
        return self.opened.currency

    @property
    def reason(self) -> DisputeReason:
        return self.opened.reason

    @property
    def ground(self) -> ContestGround | None:
        return self.opened.ground

    @property
    def goods_away(self) -> bool:
        """The buyer does not have the goods any more: nothing can go back."""
        return self.ground in GOODS_AWAY

    @property
    def parties(self) -> frozenset[Account]:
        return parties_of(buyer_id=self.opened.buyer_id, seller_id=self.opened.seller_id)

    @property
    def lines(self) -> tuple[DisputedLine, ...]:
        return tuple(
            DisputedLine(line_id=each.line_id, quantity=each.quantity) for each in self.opened.lines
        )

    @property
    def quantities(self) -> dict[str, int]:
        return {line.line_id: line.quantity for line in self.opened.lines}

    @property
    def last_decision(self) -> DisputeDecided | DisputeAppealDecided | None:
        return self.appeal_decision or self.decision

    @property
    def unanswered(self) -> tuple[DisputeAppealed, ...]:
        return tuple(each for each in self.appeals.values() if each.appeal_id not in self.answers)

    def lodged_by(self, side: Party) -> dict[str, Evidence]:
        return {
            evidence_id: each
            for evidence_id, each in self.evidence.items()
            if each.lodged.by_role == side
        }

    def named(self, lines: Iterable[DisputedLine]) -> list[DisputedUnits]:
        """The pieces that terms about these lines mean: the lowest."""
        of_line = {line.line_id: line.units.split(",") for line in self.opened.lines}
        return [units_in(of_line[line.line_id][: line.quantity]) for line in lines if line.quantity]

    def units(self, lines: Iterable[DisputedLine]) -> list[str]:
        return [unit for line in self.named(lines) for unit in line.units.split(",")]

    def policy(self, by: Sender) -> DisputePolicy:
        """The one that the stream began with."""
        return by.known.policies.of(self.opened.policy_version)


type DisputeState = Unopened | Dispute


def units_in(units: list[str]) -> DisputedUnits:
    """Pieces of one line, as events have them."""
    return DisputedUnits(line_id=line_of(units[0]), quantity=len(units), units=",".join(units))
