"""An appeal in, the decision as it stands or another one in its place, final, out."""

from collections.abc import Sequence

from msgspec.structs import replace
from shared_casework.impartial import require_impartial
from shared_casework.values import refuse
from shared_events.common import StatementOfReasonsIssued
from shared_events.dispute import (
    AppealResult,
    DisputeAppealDecided,
    DisputeClosed,
    DisputeDecided,
    DisputeEvent,
    DisputeFinalized,
    RemedyOrdered,
)
from shared_runtime.decider import AmountExceedsCeiling, ConflictOfInterest
from shared_runtime.rule import Guard, Window

from dispute_service.domain.adjudication import in_appeal_too
from dispute_service.domain.appeals import decision_of, verdict_of
from dispute_service.domain.decisions import (
    DECISION,
    MAY_DECIDE,
    REASONED,
    Decision,
    facts_against,
    fields_of,
    on_these_lines,
    require_decidable,
    shape_of_decision,
)
from dispute_service.domain.dispute_state import SIDES, Dispute
from dispute_service.domain.known import Sender
from dispute_service.domain.matter import DisputeRule
from dispute_service.domain.remedies import finalized
from dispute_service.domain.statements import told_why


class DecideDisputeAppeal(Decision, frozen=True, kw_only=True):
    """Of all appeals together: the decision stands (UPHELD), or another one takes its place."""

    result: AppealResult


def decide_dispute_appeal(
    dispute: Dispute, said: DecideDisputeAppeal, by: Sender
) -> list[DisputeEvent]:
    """By a SENIOR who did not decide, once all have said what they may still say. There is no
    further appeal inside of the platform.
    """
    require_decidable(dispute, said, by)
    decided = DisputeAppealDecided(
        **dispute.ids,
        **fields_of(dispute, said, by),
        appeal_ids=[appeal.appeal_id for appeal in dispute.appeals.values()],
        result=said.result,
    )
    if (said.result == "UPHELD") != (outcome_of(decided) == outcome_of(decision_of(dispute))):
        raise refuse("result", "UPHELD with the same decision, and with no other")
    told = told_why(
        dispute,
        by,
        "DecideDisputeAppeal",
        facts_against(said),
        rule_ids=said.rule_ids,
        explanation=said.explanation or "",
    )
    return [decided, *finalized(dispute, verdict_of(decided), by), *told]


def outcome_of(decided: DisputeDecided | DisputeAppealDecided) -> tuple[object, ...]:
    """What a decision comes to, apart from its reasons."""
    return (
        decided.outcome,
        decided.amount_minor,
        tuple(decided.lines),
        decided.replacement_sku,
        decided.liable,
        decided.seller_fault_pct,
        decided.buyer_abuse,
    )


def decided_by_another(dispute: Dispute, _: object, by: Sender) -> None:
    """nobody with a stake in it, nor who decided first"""
    require_impartial(by.actor, in_appeal_too(dispute, by))


def once_all_have_spoken(dispute: Dispute, _: object, __: Sender) -> Window:
    """Not before each has appealed, waived or run out of time; nor before each appeal is answered
    or may not be any more.
    """
    if dispute.decision is None:
        return Window()
    waits = [appeal.answer_until for appeal in dispute.unanswered]
    if any(side not in dispute.appeals and side not in dispute.waived for side in SIDES):
        waits.append(dispute.decision.appeal_until)
    return Window(earliest=max(waits, default=None))


def as_decided(dispute: Dispute, _: Sender) -> Sequence[DecideDisputeAppeal]:
    """The decision once more."""
    told = on_these_lines(UPHELD, dispute)
    if (stands := dispute.decision) is None:
        return [told]
    return [
        replace(
            told,
            outcome=stands.outcome,
            lines=tuple(stands.lines),
            amount_minor=stands.amount_minor,
            currency=stands.currency if stands.amount_minor else None,
            replacement_sku=stands.replacement_sku,
            liable=stands.liable,
            seller_fault_pct=stands.seller_fault_pct,
            buyer_abuse=stands.buyer_abuse,
        )
    ]


UPHELD = DecideDisputeAppeal(
    result="UPHELD",
    **{name: getattr(DECISION, name) for name in DECISION.__struct_fields__},
)
DECIDE_DISPUTE_APPEAL = DisputeRule(
    DecideDisputeAppeal,
    decide_dispute_appeal,
    roles=("SENIOR",),
    shape=shape_of_decision,
    human=True,
    impartial=Guard(decided_by_another, ConflictOfInterest),
    reasons=REASONED,
    states=("APPEAL",),
    stands=MAY_DECIDE,
    window=once_all_have_spoken,
    early=True,
    refuses=(AmountExceedsCeiling,),
    events=(
        DisputeAppealDecided,
        DisputeFinalized,
        RemedyOrdered,
        DisputeClosed,
        StatementOfReasonsIssued,
    ),
    example=UPHELD,
    tries=as_decided,
)
