"""What both sides have to show in, disclosed to both at one instant; each may rebut the other."""

from typing import Annotated

from msgspec import Struct
from shared_casework.parties import PARTY
from shared_casework.values import utc
from shared_events.dispute import (
    AdjudicationStarted,
    DisputeEvent,
    EvidenceDisclosed,
    EvidenceExtended,
    EvidenceSubmitted,
    RebuttalSubmitted,
)
from shared_events.fields import TEXT_LENGTH_MAX, Party
from shared_runtime.decider import (
    AlreadySubmitted,
    EvidenceRequired,
    EvidenceSealed,
    LimitReached,
)
from shared_runtime.rule import Window
from shared_runtime.shape import Words

from dispute_service.domain.dispute_state import OTHER, SIDES, Dispute
from dispute_service.domain.evidence import EvidenceIds
from dispute_service.domain.known import PERSON, Sender, party_of
from dispute_service.domain.matter import DisputeRule, require_own

ANY_KIND = "ANY"
"""Some evidence, of whatever kind, or a word that there is none."""


class ExtendEvidence(Struct, frozen=True):
    """More time for both."""


class SubmitEvidence(Struct, frozen=True, kw_only=True):
    """All that he has lodged. `nothing`: that he has nothing to show is what he says."""

    nothing: bool = False


class DiscloseEvidence(Struct, frozen=True):
    """The time for evidence is over."""


class SubmitRebuttal(Struct, frozen=True, kw_only=True):
    """What he has to say to the other's evidence, and what more he has to show."""

    text: Annotated[str, Words(TEXT_LENGTH_MAX)]
    evidence_ids: EvidenceIds = ()


class StartAdjudication(Struct, frozen=True):
    """The time for rebuttals is over."""


def extend_evidence(dispute: Dispute, _: ExtendEvidence, by: Sender) -> list[DisputeEvent]:
    """By `dispute_evidence_extension`, once in a dispute; not by who has submitted."""
    side = party_of(by)
    if submitted := dispute.submissions.get(side):
        raise EvidenceSealed(sealed_at=submitted.submitted_at)
    if dispute.extended:
        raise LimitReached(limit=1)
    assert dispute.evidence_due
    due = dispute.evidence_due + dispute.policy(by).dispute_evidence_extension
    return [EvidenceExtended(**dispute.ids, by_role=side, evidence_due=due)]


def before_evidence_due(dispute: Dispute, _: object, __: Sender) -> Window:
    return Window(latest=dispute.evidence_due)


EXTEND_EVIDENCE = DisputeRule(
    ExtendEvidence,
    extend_evidence,
    roles=("BUYER", "SELLER"),
    party=PARTY,
    barred=PERSON,
    states=("EVIDENCE",),
    window=before_evidence_due,
    refuses=(EvidenceSealed, LimitReached),
    events=(EvidenceExtended,),
    example=ExtendEvidence(),
)


def submit_evidence(dispute: Dispute, said: SubmitEvidence, by: Sender) -> list[DisputeEvent]:
    """Seals what he has lodged. Both in, in due time: disclosed at once. What comes late is shown
    with the rest, or to both at once where that has been shown; a decision may do without it.
    """
    side = party_of(by)
    if side in dispute.submissions:
        raise AlreadySubmitted(existing_id=dispute.dispute_id)
    own = [*dispute.lodged_by(side)]
    if not (own or said.nothing):
        raise EvidenceRequired(needed=[ANY_KIND])
    assert dispute.evidence_due
    in_time = dispute.status == "EVIDENCE" and by.now < dispute.evidence_due
    submitted = submission(dispute, side, own, by, late=not in_time)
    if not in_time or OTHER[side] not in dispute.submissions:
        return [submitted]
    return [submitted, disclosed(dispute, own, by)]


def submission(
    dispute: Dispute, side: Party, own: list[str], by: Sender, *, late: bool, auto: bool = False
) -> EvidenceSubmitted:
    return EvidenceSubmitted(
        **dispute.ids,
        by_role=side,
        evidence_ids=own,
        late=late,
        auto=auto,
        submitted_at=utc(by.now),
    )


def disclosed(dispute: Dispute, more: list[str], by: Sender) -> EvidenceDisclosed:
    """All that was submitted, `more` of it just now, and what belongs to no side."""
    nobodys = [each for each, piece in dispute.evidence.items() if piece.lodged.by_role == "SYSTEM"]
    before = [each for told in dispute.submissions.values() for each in told.evidence_ids]
    return EvidenceDisclosed(
        **dispute.ids,
        evidence_ids=[*nobodys, *before, *more],
        rebuttal_due=utc(by.now) + dispute.policy(by).dispute_rebuttal,
    )


SUBMIT_EVIDENCE = DisputeRule(
    SubmitEvidence,
    submit_evidence,
    roles=("BUYER", "SELLER"),
    party=PARTY,
    barred=PERSON,
    states=("EVIDENCE", "REBUTTAL", "REVIEW", "APPEAL"),
    refuses=(AlreadySubmitted, EvidenceRequired),
    events=(EvidenceSubmitted, EvidenceDisclosed),
    example=SubmitEvidence(nothing=True),
)


def disclose_evidence(dispute: Dispute, _: DiscloseEvidence, by: Sender) -> list[DisputeEvent]:
    """For who has not submitted, what he lodged in due time is; what came later stays lodged."""
    assert dispute.evidence_due
    events: list[DisputeEvent] = []
    more: list[str] = []
    for side in SIDES:
        if side in dispute.submissions:
            continue
        own = [
            each
            for each, piece in dispute.lodged_by(side).items()
            if piece.lodged.lodged_at < dispute.evidence_due
        ]
        if own:
            events.append(submission(dispute, side, own, by, late=False, auto=True))
            more += own
    return [*events, disclosed(dispute, more, by)]


def from_evidence_due(dispute: Dispute, _: object, __: Sender) -> Window:
    return Window(earliest=dispute.evidence_due)


DISCLOSE_EVIDENCE = DisputeRule(
    DiscloseEvidence,
    disclose_evidence,
    roles=("SYSTEM",),
    states=("EVIDENCE",),
    window=from_evidence_due,
    early=True,
    lapses=True,
    events=(EvidenceSubmitted, EvidenceDisclosed),
    example=DiscloseEvidence(),
)


def submit_rebuttal(dispute: Dispute, said: SubmitRebuttal, by: Sender) -> list[DisputeEvent]:
    """Once for each party. Both in: it goes to an adjudicator, and each reads the other's."""
    side = party_of(by)
    if side in dispute.rebuttals:
        raise AlreadySubmitted(existing_id=dispute.dispute_id)
    require_own(dispute, said.evidence_ids, by)
    rebuttal = RebuttalSubmitted(
        **dispute.ids,
        by_role=side,
        evidence_ids=[*said.evidence_ids],
        text=said.text,
        submitted_at=utc(by.now),
    )
    if OTHER[side] not in dispute.rebuttals:
        return [rebuttal]
    return [rebuttal, started(dispute, by)]


def started(dispute: Dispute, by: Sender) -> AdjudicationStarted:
    return AdjudicationStarted(
        **dispute.ids, decide_by=utc(by.now) + dispute.policy(by).dispute_decision
    )


def before_rebuttal_due(dispute: Dispute, _: object, __: Sender) -> Window:
    return Window(latest=dispute.rebuttal_due)


SUBMIT_REBUTTAL = DisputeRule(
    SubmitRebuttal,
    submit_rebuttal,
    roles=("BUYER", "SELLER"),
    party=PARTY,
    barred=PERSON,
    states=("REBUTTAL",),
    window=before_rebuttal_due,
    refuses=(AlreadySubmitted,),
    events=(RebuttalSubmitted, AdjudicationStarted),
    example=SubmitRebuttal(text="That picture is of another box: the label has no number."),
)


def start_adjudication(dispute: Dispute, _: StartAdjudication, by: Sender) -> list[DisputeEvent]:
    """To be decided within `dispute_decision`."""
    return [started(dispute, by)]


def from_rebuttal_due(dispute: Dispute, _: object, __: Sender) -> Window:
    return Window(earliest=dispute.rebuttal_due)


START_ADJUDICATION = DisputeRule(
    StartAdjudication,
    start_adjudication,
    roles=("SYSTEM",),
    states=("REBUTTAL",),
    window=from_rebuttal_due,
    early=True,
    lapses=True,
    events=(AdjudicationStarted,),
    example=StartAdjudication(),
)
