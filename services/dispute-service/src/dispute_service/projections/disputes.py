"""Events in, rows out: the disputes of each party, and what is due next in them.

A row tells a side what it may know: what the other one has submitted or rebutted shows only in
that one's own list, until both may know of it. That the seller has acted shows in what is due; what
he did is not here.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, get_args

from msgspec import Struct
from msgspec.structs import replace
from shared_events import dispute
from shared_events.dispute import (
    AdjudicationStarted,
    AppealAnswered,
    BlindOfferMade,
    ContestGround,
    DisputeAppealed,
    DisputeClosed,
    DisputeDecided,
    DisputeEscalated,
    DisputeOpened,
    DisputeReason,
    EvidenceDisclosed,
    EvidenceExtended,
    EvidenceLodged,
    EvidenceSubmitted,
    InfoLapsed,
    InfoProvided,
    InfoRequested,
    ProposalAccepted,
    ProposalMade,
    ProposalRejected,
    RebuttalSubmitted,
    RemedyOrdered,
)
from shared_events.envelope import Recorded
from shared_events.fields import Party
from shared_runtime.delivery import Connection
from shared_runtime.projections import Projection
from shared_runtime.rows import Rows

from dispute_service.domain.deadlines import DueName
from dispute_service.domain.dispute_state import OTHER, SIDES, Status

type WaitsFor = Party | Literal["ADJUDICATOR", "MARKETPLACE"]
type DueAt = tuple[DueName, datetime]

# Soonest first or newest first, page by page, of all stages or of one: a seller may have very many.
LISTED_DISPUTES_DDL = """
    CREATE TABLE listed_dispute (
        dispute_id text PRIMARY KEY,
        order_id text NOT NULL,
        seller_id text NOT NULL,
        buyer_id text NOT NULL,
        reason text NOT NULL,
        ground text,
        stage text NOT NULL,
        currency text NOT NULL,
        held_minor bigint NOT NULL,
        opened_at timestamptz NOT NULL,
        closed_at timestamptz,
        seller_acted boolean NOT NULL,
        answer_due timestamptz NOT NULL,
        escalates_at timestamptz NOT NULL,
        stage_due timestamptz,
        asked text,
        asked_until timestamptz,
        submitted text[] NOT NULL,
        rebutted text[] NOT NULL,
        answers_until jsonb NOT NULL,
        buyer_due timestamptz,
        seller_due timestamptz
    );
    CREATE INDEX listed_dispute_of_buyer_due ON listed_dispute (buyer_id, buyer_due, dispute_id)
        WHERE closed_at IS NULL;
    CREATE INDEX listed_dispute_of_buyer ON listed_dispute (buyer_id, opened_at, dispute_id);
    CREATE INDEX listed_dispute_of_seller_due ON listed_dispute (seller_id, seller_due, dispute_id)
        WHERE closed_at IS NULL;
    CREATE INDEX listed_dispute_of_seller_in_stage_due
        ON listed_dispute (seller_id, stage, seller_due, dispute_id) WHERE closed_at IS NULL;
    CREATE INDEX listed_dispute_of_seller ON listed_dispute (seller_id, opened_at, dispute_id);
    CREATE INDEX listed_dispute_of_seller_open
        ON listed_dispute (seller_id, opened_at, dispute_id) WHERE closed_at IS NULL;
    CREATE INDEX listed_dispute_of_seller_in_stage
        ON listed_dispute (seller_id, stage, opened_at, dispute_id);
"""


class ListedDispute(Struct, frozen=True, kw_only=True):
    """`stage_due`: when the stage that it is in ends, from EVIDENCE on. `asked`: the party that a
    question is open to. `submitted`, `rebutted`: who has; `answers_until`: who may still answer an
    appeal. `buyer_due`, `seller_due`: when what is due next for each is due; None once closed.
    """

    dispute_id: str
    order_id: str
    seller_id: str
    buyer_id: str
    reason: DisputeReason
    ground: ContestGround | None = None
    stage: Status = "NEGOTIATING"
    currency: str
    held_minor: int
    opened_at: datetime
    closed_at: datetime | None = None
    seller_acted: bool
    answer_due: datetime
    escalates_at: datetime
    stage_due: datetime | None = None
    asked: Party | None = None
    asked_until: datetime | None = None
    submitted: list[Party] = []
    rebutted: list[Party] = []
    answers_until: dict[Party, datetime] = {}
    buyer_due: datetime | None = None
    seller_due: datetime | None = None

    @property
    def is_silent(self) -> bool:
        """The seller has not acted yet, and something is granted if he does not."""
        return self.stage == "NEGOTIATING" and not self.seller_acted


type Act = (
    ProposalMade
    | ProposalAccepted
    | ProposalRejected
    | BlindOfferMade
    | EvidenceLodged
    | DisputeEscalated
)
"""By which a seller is silent no more."""
type Course = (
    EvidenceExtended
    | EvidenceSubmitted
    | EvidenceDisclosed
    | RebuttalSubmitted
    | AdjudicationStarted
    | InfoRequested
    | InfoProvided
    | InfoLapsed
    | DisputeDecided
    | DisputeAppealed
    | AppealAnswered
    | RemedyOrdered
    | DisputeClosed
)
type ListedEvent = DisputeOpened | Act | Course

ROWS = Rows(table="listed_dispute", key="dispute_id", row=ListedDispute)


async def listed_disputes(batch: Sequence[Recorded[ListedEvent]], db: Connection) -> None:
    await ROWS.fold(batch, db, key_of=lambda event: event.dispute_id, evolve=evolve)


def evolve(before: ListedDispute | None, event: ListedEvent) -> ListedDispute:
    if isinstance(event, DisputeOpened):
        return with_dues(opened(event))
    assert before is not None  # a stream begins with its opening, and comes in order
    match event:
        case (
            ProposalMade()
            | ProposalAccepted()
            | ProposalRejected()
            | BlindOfferMade()
            | EvidenceLodged()
            | DisputeEscalated()
        ):
            return with_dues(after_act(before, event))
        case _:
            return with_dues(in_course(before, event))


def opened(event: DisputeOpened) -> ListedDispute:
    return ListedDispute(
        dispute_id=event.dispute_id,
        order_id=event.order_id,
        seller_id=event.seller_id,
        buyer_id=event.buyer_id,
        reason=event.reason,
        ground=event.ground,
        currency=event.currency,
        held_minor=event.held_minor,
        opened_at=event.opened_at,
        seller_acted=event.refusal_id is not None,
        answer_due=event.answer_due,
        escalates_at=event.auto_escalate_at,
    )


def after_act(row: ListedDispute, event: Act) -> ListedDispute:
    acted = replace(row, seller_acted=row.seller_acted or event.by_role == "SELLER")
    match event:
        case ProposalMade():
            return replace(
                acted,
                answer_due=event.answer_due or row.answer_due,
                escalates_at=event.auto_escalate_at or row.escalates_at,
                held_minor=row.held_minor if event.held_minor is None else event.held_minor,
            )
        case DisputeEscalated(evidence_due=due, held_minor=held):
            return replace(acted, stage="EVIDENCE", stage_due=due, held_minor=held)
        case _:
            return acted


def in_course(  # noqa: C901, PLR0911 - one arm for each event
    row: ListedDispute, event: Course
) -> ListedDispute:
    match event:
        case EvidenceExtended(evidence_due=due):
            return replace(row, stage_due=due)
        case EvidenceSubmitted(by_role=side):
            return replace(row, submitted=[*row.submitted, side])
        case EvidenceDisclosed(rebuttal_due=due):
            return replace(row, stage="REBUTTAL", stage_due=due)
        case RebuttalSubmitted(by_role=side):
            return replace(row, rebutted=[*row.rebutted, side])
        case AdjudicationStarted(decide_by=due):
            return replace(row, stage="REVIEW", stage_due=due)
        case InfoRequested(of_role=side, info_due=due):
            return replace(row, asked=side, asked_until=due)
        case InfoProvided(decide_by=due) | InfoLapsed(decide_by=due):
            return replace(row, asked=None, asked_until=None, stage_due=due)
        case DisputeDecided(appeal_until=due):
            return replace(row, stage="DECIDED", stage_due=due)
        case DisputeAppealed(by_role=side, decide_by=due, answer_until=until):
            answers = row.answers_until | {OTHER[side]: until}
            return replace(row, stage="APPEAL", stage_due=due, answers_until=answers)
        case AppealAnswered(by_role=side):
            left = {each: until for each, until in row.answers_until.items() if each != side}
            return replace(row, answers_until=left)
        case RemedyOrdered(execute_by=due):
            return replace(row, stage="EXECUTING", stage_due=due, asked=None, asked_until=None)
        case DisputeClosed(closed_at=at):
            return replace(
                row, stage="CLOSED", closed_at=at, stage_due=None, asked=None, asked_until=None
            )


def with_dues(row: ListedDispute) -> ListedDispute:
    buyer, seller = dues(row, "BUYER"), dues(row, "SELLER")
    return replace(
        row, buyer_due=buyer[0][1] if buyer else None, seller_due=seller[0][1] if seller else None
    )


# --- What a row says to one side

STAGE_ENDS: dict[Status, DueName] = {
    "EVIDENCE": "EVIDENCE_DUE",
    "REBUTTAL": "REBUTTAL_DUE",
    "REVIEW": "DECISION_DUE",
    "DECIDED": "APPEAL_WINDOW",
    "APPEAL": "DISPUTE_APPEAL_DUE",
    "EXECUTING": "EXECUTION_DUE",
}


def next_due(row: ListedDispute, side: Party, now: datetime) -> DueAt | None:
    """What is due next, and when. It stays, also when its time is past, until what was due is done
    or something else follows of it; but an appeal that was not answered in time goes on without.
    """
    left = (each for each in dues(row, side) if each[0] != "APPEAL_ANSWER" or now < each[1])
    return next(left, None)


def dues(row: ListedDispute, side: Party) -> list[DueAt]:
    """All that is due to or from a side, soonest first; nothing once it is closed."""
    if row.stage == "CLOSED":
        return []
    if row.stage == "NEGOTIATING":
        if row.seller_acted:
            return [("DISPUTE_ESCALATE", row.escalates_at)]
        return [("DISPUTE_ANSWER", row.answer_due)]
    assert row.stage_due
    due: list[DueAt] = []
    if row.stage == "APPEAL" and side in row.answers_until:
        due.append(("APPEAL_ANSWER", row.answers_until[side]))
    if row.asked and row.asked_until:
        due.append(("INFO_DUE", row.asked_until))  # meanwhile the decision is not due
    else:
        due.append((STAGE_ENDS[row.stage], row.stage_due))
    return sorted(due, key=lambda each: each[1])


def waits_for(  # noqa: PLR0911 - one arm for each stage
    row: ListedDispute, side: Party, now: datetime
) -> list[WaitsFor]:
    """Who has something to do, as far as a side may know. Of the other one it knows no more than
    that the stage asks something of both.
    """
    match row.stage:
        case "NEGOTIATING":
            return [] if row.seller_acted else ["SELLER"]
        case "EVIDENCE":
            return [each for each in SIDES if each != side or side not in row.submitted]
        case "REBUTTAL":
            return [each for each in SIDES if each != side or side not in row.rebutted]
        case "REVIEW" | "APPEAL" if row.asked:
            return [row.asked]
        case "REVIEW":
            return ["ADJUDICATOR"]
        case "APPEAL":
            answers: list[WaitsFor] = [
                each for each in SIDES if now < row.answers_until.get(each, now)
            ]
            return [*answers, "ADJUDICATOR"]
        case "EXECUTING":
            return ["MARKETPLACE"]
        case "DECIDED" | "CLOSED":
            return []


LISTED_DISPUTES = Projection(
    name="listed_disputes",
    version=1,
    topics=(dispute.TOPIC,),
    handles=(DisputeOpened, *get_args(Act.__value__), *get_args(Course.__value__)),
    tables=("listed_dispute",),
    ddl=LISTED_DISPUTES_DDL,
    apply=listed_disputes,
)
