"""A photo, a receipt, a proof of delivery in; kept for the author alone, shown, or taken back."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct
from shared_casework.parties import PARTY
from shared_casework.values import utc
from shared_events.dispute import (
    DisputeEvent,
    EvidenceKind,
    EvidenceLodged,
    EvidenceRemoved,
    EvidenceShared,
)
from shared_events.fields import NOTE_LENGTH_MAX, Id, Instant, Party, Sha256
from shared_events.sealed import same_text
from shared_runtime.decider import EvidenceSealed, FieldError, LimitReached, WrongState
from shared_runtime.rule import Window
from shared_runtime.shape import ONCE, File, Made, Words

from dispute_service.domain.dispute_state import APPEALABLE, BEFORE_DECISION, Dispute
from dispute_service.domain.known import PERSON, Sender, party_of
from dispute_service.domain.matter import (
    DisputeRule,
    nothing_such,
    own_ids,
    taken,
    while_answering,
)

type EvidenceIds = Annotated[tuple[Id, ...], Meta(max_length=120), ONCE]
"""Of one party at most: `dispute_evidence_max` and `dispute_evidence_appeal_max` are below."""


class LodgeEvidence(Struct, frozen=True, kw_only=True):
    """`media`: the id of the file, `sha256` its digest. `captured_at`: when it was made."""

    evidence_id: Annotated[Id, Made("evidence")]
    kind: EvidenceKind
    media: Annotated[str, File("EVIDENCE", "sha256")]
    sha256: Sha256
    captured_at: Instant | None = None
    note: Annotated[str | None, Words(NOTE_LENGTH_MAX)] = None


class ShareEvidence(Struct, frozen=True, kw_only=True):
    """Shown to the other party now, for good."""

    evidence_ids: Annotated[EvidenceIds, Meta(min_length=1)]


class RemoveEvidence(Struct, frozen=True, kw_only=True):
    """Taken back, while nobody else has seen it."""

    evidence_id: Id


def lodge_evidence(dispute: Dispute, said: LodgeEvidence, by: Sender) -> list[DisputeEvent]:
    """Its author alone sees it until it is shared or disclosed. `dispute_evidence_max` of each
    party, and `dispute_evidence_appeal_max` more once there is a decision to appeal.
    """
    side = party_of(by)
    submitted = dispute.submissions.get(side)
    if submitted and not may_add(dispute, side, by.now):
        raise EvidenceSealed(sealed_at=submitted.submitted_at)
    policy = dispute.policy(by)
    limit = policy.dispute_evidence_max
    if dispute.status in APPEALABLE:
        limit += policy.dispute_evidence_appeal_max
    if len(dispute.lodged_by(side)) >= limit:
        raise LimitReached(limit=limit)
    return [
        EvidenceLodged(
            **dispute.ids,
            evidence_id=said.evidence_id,
            by_role=side,
            kind=said.kind,
            sha256=said.sha256,
            captured_at=said.captured_at,
            media=said.media,
            note=said.note,
            lodged_at=utc(by.now),
        )
    ]


def may_add(dispute: Dispute, side: Party, now: datetime) -> bool:
    """What he has submitted is sealed; he may add to it for what he is still to say."""
    if dispute.status in APPEALABLE:
        return True
    if (due := asked_until(dispute, side)) and now < due:
        return True
    due = dispute.rebuttal_due
    rebuts = dispute.status == "REBUTTAL" and side not in dispute.rebuttals
    return rebuts and due is not None and now < due


def asked_until(dispute: Dispute, side: Party) -> datetime | None:
    asked = dispute.question
    return asked.info_due if asked and asked.of_role == side else None


def lodging(dispute: Dispute, said: object, by: Sender) -> Window:
    """After the decision: as long as he may still appeal, answer an appeal, or is asked."""
    if dispute.status not in APPEALABLE:
        return while_answering(dispute, said, by)
    assert dispute.decision
    side = party_of(by)
    dues = [each.answer_until for each in dispute.unanswered if each.by_role != side]
    if due := asked_until(dispute, side):
        dues.append(due)
    return Window(latest=max([dispute.decision.appeal_until, *dues]))


def shape_of_evidence(said: LodgeEvidence, _: Sender) -> Iterator[FieldError]:
    if said.kind == "RETURN_FILE":
        yield FieldError(field="kind", bound="not the file of a return, which is nobody's")


def is_lodged(dispute: Dispute, said: LodgeEvidence, by: Sender) -> bool:
    if (piece := dispute.evidence.get(said.evidence_id)) is None:
        return False
    known = piece.lodged
    same = (known.by_role, known.kind, known.sha256) == (party_of(by), said.kind, said.sha256)
    if same and same_text(known.note, said.note):
        return True
    raise taken("evidence_id")


LODGE_EVIDENCE = DisputeRule(
    LodgeEvidence,
    lodge_evidence,
    roles=("BUYER", "SELLER"),
    shape=shape_of_evidence,
    party=PARTY,
    barred=PERSON,
    repeated=is_lodged,
    states=(*BEFORE_DECISION, *APPEALABLE),
    window=lodging,
    refuses=(EvidenceSealed, LimitReached),
    events=(EvidenceLodged,),
    example=LodgeEvidence(
        evidence_id="E-new", kind="PHOTO", media="file-1", sha256="0" * 64, note="The left side."
    ),
)


def share_evidence(dispute: Dispute, said: ShareEvidence, by: Sender) -> list[DisputeEvent]:
    """Counts as submitted in due time. Of what is shown already nothing is told again."""
    side = party_of(by)
    own = dispute.lodged_by(side)
    if any(evidence_id not in own for evidence_id in said.evidence_ids):
        raise nothing_such(dispute)
    hidden = [each for each in said.evidence_ids if not own[each].shown]
    if not hidden:
        return []
    return [EvidenceShared(**dispute.ids, by_role=side, evidence_ids=hidden, shared_at=utc(by.now))]


def sharing(dispute: Dispute, said: object, by: Sender) -> Window:
    if dispute.status == "EVIDENCE":
        return Window(latest=dispute.evidence_due)
    return while_answering(dispute, said, by)


def to_share(dispute: Dispute, by: Sender) -> Sequence[ShareEvidence]:
    own = dispute.lodged_by(party_of(by)).items()
    hidden = tuple(each for each, piece in own if not piece.shown)
    return [ShareEvidence(evidence_ids=hidden or ("none",))]


SHARE_EVIDENCE = DisputeRule(
    ShareEvidence,
    share_evidence,
    roles=("BUYER", "SELLER"),
    party=PARTY,
    barred=PERSON,
    states=("NEGOTIATING", "EVIDENCE"),
    window=sharing,
    refuses=(WrongState,),
    events=(EvidenceShared,),
    example=ShareEvidence(evidence_ids=("E-1",)),
    tries=to_share,
)


def remove_evidence(dispute: Dispute, said: RemoveEvidence, by: Sender) -> list[DisputeEvent]:
    """Of what has not been shared, submitted, or named in a rebuttal, an answer or an appeal."""
    piece = dispute.lodged_by(party_of(by)).get(said.evidence_id)
    if piece is None:
        raise nothing_such(dispute)
    if piece.sealed_at is not None:
        raise EvidenceSealed(sealed_at=piece.sealed_at)
    return [EvidenceRemoved(**dispute.ids, evidence_id=said.evidence_id)]


def to_remove(dispute: Dispute, by: Sender) -> Sequence[RemoveEvidence]:
    side = party_of(by)
    ids = own_ids(dispute, side, sealed=False) or own_ids(dispute, side, sealed=True) or ["none"]
    return [RemoveEvidence(evidence_id=ids[0])]


REMOVE_EVIDENCE = DisputeRule(
    RemoveEvidence,
    remove_evidence,
    roles=("BUYER", "SELLER"),
    party=PARTY,
    barred=PERSON,
    states=(*BEFORE_DECISION, *APPEALABLE),
    window=while_answering,
    refuses=(EvidenceSealed, WrongState),
    events=(EvidenceRemoved,),
    example=RemoveEvidence(evidence_id="E-1"),
    tries=to_remove,
)
