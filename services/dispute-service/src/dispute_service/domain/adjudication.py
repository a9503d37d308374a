"""Who decides in, what he still has to ask; the clock of the decision stops while he waits."""

from datetime import datetime, timedelta
from typing import Annotated

from msgspec import Struct
from shared_casework.impartial import Stakes, require_impartial
from shared_casework.parties import PARTY
from shared_casework.values import refuse, utc
from shared_events.dispute import (
    AdjudicatorAssigned,
    DisputeEvent,
    InfoLapsed,
    InfoProvided,
    InfoRequested,
    Level,
)
from shared_events.fields import NOTE_LENGTH_MAX, TEXT_LENGTH_MAX, Id, Party
from shared_runtime.decider import (
    Actor,
    ConflictOfInterest,
    LimitReached,
    SubjectErased,
    WrongState,
)
from shared_runtime.rule import Guard, Window
from shared_runtime.shape import Words

from dispute_service.domain.dispute_state import TO_DECIDE, Dispute
from dispute_service.domain.evidence import EvidenceIds
from dispute_service.domain.known import PERSON, Known, Sender, party_of
from dispute_service.domain.matter import (
    ASSIGNED,
    IMPARTIAL,
    DisputeRule,
    nothing_such,
    of_matter,
    require_own,
)


class AssignAdjudicator(Struct, frozen=True, kw_only=True):
    """Whom the draw has brought, at which level, of which organisation or seller."""

    adjudicator_id: Id
    level: Level
    org_id: Id | None = None
    seller_id: Id | None = None


class RequestInfo(Struct, frozen=True, kw_only=True):
    """A question to one party, which both read: sealed for each."""

    of: Party
    question_for_buyer: Annotated[
        str, Words(NOTE_LENGTH_MAX, sealed_for="BUYER", said_as="question")
    ]
    question_for_seller: Annotated[
        str, Words(NOTE_LENGTH_MAX, sealed_for="SELLER", said_as="question")
    ]


class ProvideInfo(Struct, frozen=True, kw_only=True):
    """The answer, with what he has to show for it."""

    text: Annotated[str, Words(TEXT_LENGTH_MAX)]
    evidence_ids: EvidenceIds = ()


class LapseInfo(Struct, frozen=True):
    """The time for an answer is over."""


def assign_adjudicator(dispute: Dispute, said: AssignAdjudicator, by: Sender) -> list[DisputeEvent]:
    """In the place of who had it; the decision is due when it was. Of an appeal a SENIOR who did
    not decide.
    """
    if dispute.status == "APPEAL" and said.level != "SENIOR":
        raise refuse("level", "SENIOR: it is an appeal")
    due = utc(by.now) if dispute.decide_by is None else dispute.decide_by
    return [
        AdjudicatorAssigned(
            **dispute.ids,
            adjudicator_id=said.adjudicator_id,
            level=said.level,
            decide_by=due,
        )
    ]


def assigned_to_outsider(dispute: Dispute, said: AssignAdjudicator, by: Sender) -> None:
    """to nobody with a stake in it, nor who has decided it; and by nobody such"""
    stakes = in_appeal_too(dispute, by)
    require_impartial(by.actor, stakes)
    judge = Actor(
        role=said.level,
        id=said.adjudicator_id,
        org_id=said.org_id,
        seller_id=said.seller_id,
    )
    require_impartial(judge, stakes)


def in_appeal_too(dispute: Dispute, by: Sender) -> Stakes:
    """Who may not decide what comes next: of an appeal also who has decided."""
    stakes = of_matter(dispute, None, by)
    if dispute.decision is None:
        return stakes
    deciders = stakes.deciders | {dispute.decision.decided_by}
    return Stakes(parties=stakes.parties, organisations=stakes.organisations, deciders=deciders)


def is_assigned(dispute: Dispute, said: AssignAdjudicator, _: Sender) -> bool:
    now = dispute.adjudicator
    return now is not None and (now.adjudicator_id, now.level) == (said.adjudicator_id, said.level)


ASSIGN_ADJUDICATOR = DisputeRule(
    AssignAdjudicator,
    assign_adjudicator,
    roles=("SYSTEM", "SENIOR"),
    impartial=Guard(assigned_to_outsider, ConflictOfInterest),
    repeated=is_assigned,
    states=TO_DECIDE,
    lapses=True,
    events=(AdjudicatorAssigned,),
    example=AssignAdjudicator(adjudicator_id="senior-9", level="SENIOR", org_id="desk"),
)


def request_info(dispute: Dispute, said: RequestInfo, by: Sender) -> list[DisputeEvent]:
    """Stops the clock of the decision until there is an answer, for `dispute_info`; one question at
    a time, `dispute_info_max` in a dispute.
    """
    policy = dispute.policy(by)
    if dispute.question:
        raise LimitReached(limit=1)
    if dispute.questions >= policy.dispute_info_max:
        raise LimitReached(limit=policy.dispute_info_max)
    assert dispute.decide_by
    left = (dispute.decide_by - by.now).total_seconds()
    return [
        InfoRequested(
            **dispute.ids,
            of_role=said.of,
            question_for_buyer=said.question_for_buyer,
            question_for_seller=said.question_for_seller,
            info_due=utc(by.now) + policy.dispute_info,
            remaining_seconds=max(int(left), 0),
        )
    ]


def of_somebody(_: Dispute, said: RequestInfo, by: Sender) -> None:
    """of nobody who was erased"""
    if said.of in by.known.erased_parties:
        raise SubjectErased


REQUEST_INFO = DisputeRule(
    RequestInfo,
    request_info,
    roles=("AGENT", "SENIOR"),
    impartial=IMPARTIAL,
    barred=Guard[Dispute, RequestInfo, Known](of_somebody, SubjectErased),
    states=TO_DECIDE,
    stands=ASSIGNED,
    refuses=(LimitReached,),
    events=(InfoRequested,),
    example=RequestInfo(
        of="SELLER",
        question_for_buyer="Which carrier had the parcel?",
        question_for_seller="Which carrier had the parcel?",
    ),
)


def provide_info(dispute: Dispute, said: ProvideInfo, by: Sender) -> list[DisputeEvent]:
    """The clock runs on with what was left of it. What he shows both see."""
    require_own(dispute, said.evidence_ids, by)
    return [
        InfoProvided(
            **dispute.ids,
            evidence_ids=[*said.evidence_ids],
            text=said.text,
            provided_at=utc(by.now),
            decide_by=running_again(dispute, by),
        )
    ]


def running_again(dispute: Dispute, by: Sender) -> datetime:
    """When the decision is due now; never before an appeal that came in between has its time."""
    asked = dispute.question
    assert asked
    due = utc(by.now) + timedelta(seconds=asked.remaining_seconds)
    return max([due, *(appeal.decide_by for appeal in dispute.appeals.values())])


def is_asked(dispute: Dispute, _: object, by: Sender) -> None:
    """he was asked, and has not answered yet"""
    if dispute.question is None or dispute.question.of_role != party_of(by):
        raise nothing_such(dispute)


def before_info_due(dispute: Dispute, _: object, __: Sender) -> Window:
    return Window(latest=dispute.question.info_due if dispute.question else None)


PROVIDE_INFO = DisputeRule(
    ProvideInfo,
    provide_info,
    roles=("BUYER", "SELLER"),
    party=PARTY,
    barred=PERSON,
    states=TO_DECIDE,
    stands=Guard(is_asked, WrongState),
    window=before_info_due,
    events=(InfoProvided,),
    example=ProvideInfo(text="The one of the invoice, on the second of March."),
)


def lapse_info(dispute: Dispute, _: LapseInfo, by: Sender) -> list[DisputeEvent]:
    """The clock runs on; the silence may be weighed."""
    return [InfoLapsed(**dispute.ids, decide_by=running_again(dispute, by))]


def is_waiting(dispute: Dispute, _: object, __: Sender) -> None:
    """a question is open"""
    if dispute.question is None:
        raise nothing_such(dispute)


def from_info_due(dispute: Dispute, _: object, __: Sender) -> Window:
    return Window(earliest=dispute.question.info_due if dispute.question else None)


LAPSE_INFO = DisputeRule(
    LapseInfo,
    lapse_info,
    roles=("SYSTEM",),
    states=TO_DECIDE,
    stands=Guard(is_waiting, WrongState),
    window=from_info_due,
    early=True,
    lapses=True,
    events=(InfoLapsed,),
    example=LapseInfo(),
)
