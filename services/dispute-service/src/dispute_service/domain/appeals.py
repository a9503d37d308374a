"""A decision that a party does not accept in; looked at once more by somebody else, final out."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Struct
from msgspec.structs import replace
from shared_casework.appeals import in_time
from shared_casework.parties import PARTY
from shared_casework.values import utc
from shared_events.dispute import (
    AppealAnswered,
    AppealGround,
    AppealWaived,
    DisputeAppealDecided,
    DisputeAppealed,
    DisputeClosed,
    DisputeDecided,
    DisputeEvent,
    DisputeFinalized,
    RemedyOrdered,
)
from shared_events.fields import TEXT_LENGTH_MAX, Id, Party
from shared_events.sealed import same_text
from shared_runtime.decider import (
    AlreadyAppealed,
    AlreadySubmitted,
    EvidenceRequired,
    WrongState,
)
from shared_runtime.rule import Guard, Window
from shared_runtime.shape import Made, Words

from dispute_service.domain.dispute_state import APPEALABLE, OTHER, Dispute
from dispute_service.domain.evidence import EvidenceIds
from dispute_service.domain.known import PERSON, Sender, party_of
from dispute_service.domain.matter import (
    DisputeRule,
    nothing_such,
    require_own,
    taken,
)
from dispute_service.domain.remedies import Verdict, finalized
from dispute_service.domain.terms import Terms

NEW_EVIDENCE = "NEW_EVIDENCE"


class WaiveAppeal(Struct, frozen=True):
    """He takes the decision as it is."""


class AppealDispute(Struct, frozen=True, kw_only=True):
    """What was wrong with the decision; with NEW_EVIDENCE something that was not there before."""

    appeal_id: Annotated[Id, Made("appeal")]
    ground: AppealGround
    text: Annotated[str, Words(TEXT_LENGTH_MAX)]
    evidence_ids: EvidenceIds = ()


class AnswerAppeal(Struct, frozen=True, kw_only=True):
    """The other party's word on it."""

    appeal_id: Id
    text: Annotated[str, Words(TEXT_LENGTH_MAX)]
    evidence_ids: EvidenceIds = ()


class FinalizeDecision(Struct, frozen=True):
    """The time to appeal is over."""


def decision_of(dispute: Dispute) -> DisputeDecided:
    assert dispute.decision
    return dispute.decision


def verdict_of(decided: DisputeDecided | DisputeAppealDecided) -> Verdict:
    return Verdict(
        basis="DECISION",
        terms=Terms(
            outcome=decided.outcome,
            lines=tuple(decided.lines),
            amount_minor=decided.amount_minor,
            replacement_sku=decided.replacement_sku,
        ),
        liable=decided.liable,
        buyer_abuse=decided.buyer_abuse,
        seller_fault_pct=decided.seller_fault_pct,
        after_appeal=isinstance(decided, DisputeAppealDecided),
    )


def while_appealable(dispute: Dispute, _: object, __: Sender) -> Window:
    return in_time(dispute.decision.appeal_until) if dispute.decision else Window()


def require_unwaived(dispute: Dispute, side: Party) -> None:
    """Once for each: who has appealed has nothing to waive, who has waived nothing to appeal."""
    if appeal := dispute.appeals.get(side):
        raise AlreadyAppealed(existing_id=appeal.appeal_id)
    if side in dispute.waived:
        raise AlreadySubmitted(existing_id=dispute.dispute_id)


def waive_appeal(dispute: Dispute, _: WaiveAppeal, by: Sender) -> list[DisputeEvent]:
    """Where both have, the decision is final at once."""
    side = party_of(by)
    require_unwaived(dispute, side)
    waived = AppealWaived(**dispute.ids, by_role=side)
    if dispute.status == "APPEAL" or OTHER[side] not in dispute.waived:
        return [waived]
    return [waived, *finalized(dispute, verdict_of(decision_of(dispute)), by)]


WAIVE_APPEAL = DisputeRule(
    WaiveAppeal,
    waive_appeal,
    roles=("BUYER", "SELLER"),
    party=PARTY,
    barred=PERSON,
    states=APPEALABLE,
    window=while_appealable,
    refuses=(AlreadyAppealed, AlreadySubmitted),
    events=(AppealWaived, DisputeFinalized, RemedyOrdered, DisputeClosed),
    example=WaiveAppeal(),
)


def appeal_dispute(dispute: Dispute, said: AppealDispute, by: Sender) -> list[DisputeEvent]:
    """Stays what was decided. To be decided within `dispute_appeal_sla`, and not before the other
    party could appeal and answer too.
    """
    side = party_of(by)
    require_unwaived(dispute, side)
    require_own(dispute, said.evidence_ids, by)
    if said.ground == NEW_EVIDENCE and not any(
        dispute.evidence[each].after_decision for each in said.evidence_ids
    ):
        raise EvidenceRequired(needed=[NEW_EVIDENCE])
    policy, now = dispute.policy(by), utc(by.now)
    answerable = decision_of(dispute).appeal_until + policy.dispute_rebuttal
    return [
        DisputeAppealed(
            **dispute.ids,
            appeal_id=said.appeal_id,
            by_role=side,
            ground=said.ground,
            evidence_ids=[*said.evidence_ids],
            text=said.text,
            appealed_at=now,
            decide_by=max(now + policy.dispute_appeal_sla, answerable),
            answer_until=now + policy.dispute_rebuttal,
        )
    ]


def is_appealed(dispute: Dispute, said: AppealDispute, by: Sender) -> bool:
    for side, known in dispute.appeals.items():
        if known.appeal_id == said.appeal_id:
            same = side == party_of(by) and known.ground == said.ground
            if same and same_text(known.text, said.text):
                return True
            raise taken("appeal_id")
    return False


APPEAL = AppealDispute(
    appeal_id="A-new", ground="PROCEDURE", text="I was not asked about the second parcel."
)
APPEAL_DISPUTE = DisputeRule(
    AppealDispute,
    appeal_dispute,
    roles=("BUYER", "SELLER"),
    party=PARTY,
    barred=PERSON,
    repeated=is_appealed,
    states=APPEALABLE,
    window=while_appealable,
    refuses=(AlreadyAppealed, AlreadySubmitted, EvidenceRequired),
    events=(DisputeAppealed,),
    example=APPEAL,
)


def others_appeal(dispute: Dispute, appeal_id: str, side: Party) -> DisputeAppealed | None:
    appeal = dispute.appeals.get(OTHER[side])
    return appeal if appeal and appeal.appeal_id == appeal_id else None


def answer_appeal(dispute: Dispute, said: AnswerAppeal, by: Sender) -> list[DisputeEvent]:
    """Once, within `dispute_rebuttal`. What he shows both see."""
    side = party_of(by)
    if said.appeal_id in dispute.answers:
        raise AlreadySubmitted(existing_id=said.appeal_id)
    require_own(dispute, said.evidence_ids, by)
    return [
        AppealAnswered(
            **dispute.ids,
            appeal_id=said.appeal_id,
            by_role=side,
            evidence_ids=[*said.evidence_ids],
            text=said.text,
            answered_at=utc(by.now),
        )
    ]


def is_his_to_answer(dispute: Dispute, said: AnswerAppeal, by: Sender) -> None:
    """the other party's appeal"""
    if others_appeal(dispute, said.appeal_id, party_of(by)) is None:
        raise nothing_such(dispute)


def answering(dispute: Dispute, said: AnswerAppeal, by: Sender) -> Window:
    appeal = others_appeal(dispute, said.appeal_id, party_of(by))
    return Window(latest=appeal.answer_until if appeal else None)


def to_answer(dispute: Dispute, by: Sender) -> Sequence[AnswerAppeal]:
    appeal = dispute.appeals.get(OTHER[party_of(by)])
    return [replace(ANSWER, appeal_id=appeal.appeal_id if appeal else "none")]


ANSWER = AnswerAppeal(appeal_id="A-1", text="There was no second parcel.")
ANSWER_APPEAL = DisputeRule(
    AnswerAppeal,
    answer_appeal,
    roles=("BUYER", "SELLER"),
    party=PARTY,
    barred=PERSON,
    states=("APPEAL",),
    stands=Guard(is_his_to_answer, WrongState),
    window=answering,
    refuses=(AlreadySubmitted,),
    events=(AppealAnswered,),
    example=ANSWER,
    tries=to_answer,
)


def finalize_decision(dispute: Dispute, _: FinalizeDecision, by: Sender) -> list[DisputeEvent]:
    """Nobody has appealed: what was decided is done."""
    return finalized(dispute, verdict_of(decision_of(dispute)), by)


def once_unappealable(dispute: Dispute, _: object, __: Sender) -> Window:
    return Window(earliest=dispute.decision.appeal_until if dispute.decision else None)


FINALIZE_DECISION = DisputeRule(
    FinalizeDecision,
    finalize_decision,
    roles=("SYSTEM",),
    states=("DECIDED",),
    window=once_unappealable,
    early=True,
    lapses=True,
    events=(DisputeFinalized, RemedyOrdered, DisputeClosed),
    example=FinalizeDecision(),
)
