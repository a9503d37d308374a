"""What the provider's desk says of a refund that nobody has answered in, its end out."""

from collections.abc import Sequence

from shared_casework.values import utc
from shared_events.fields import Id
from shared_events.returns import (
    RefundEvent,
    RefundFailed,
    RefundIssued,
    RefundOverpaid,
    RefundSettled,
)
from shared_runtime.decider import WrongState
from shared_runtime.rule import Guard

from returns_service.domain.known import PERSON, Known, Sender
from returns_service.domain.matter import IMPARTIAL, NamesRefund, OneRefund, RefundRule
from returns_service.domain.totals import settled

DESK = "desk"
"""The code of a failure that the provider's desk has told."""


class ResolveRefund(NamesRefund, frozen=True, kw_only=True):
    """`paid`: whether the money is out. `proof_ref`: where it says so."""

    paid: bool
    proof_ref: Id


def resolve_refund(one: OneRefund, said: ResolveRefund, by: Sender) -> list[RefundEvent]:
    """Final either way. What was thereby given twice is told."""
    now = utc(by.now)
    if said.paid:
        return settled(one.ledger, one.refund.requested, said.proof_ref, now, told_by="DESK")
    return [
        RefundFailed(
            **one.ledger.ids,
            refund_id=said.refund_id,
            code=DESK,
            kind="UNKNOWN",
            attempt=one.refund.attempt,
            final=True,
            proof_ref=said.proof_ref,
        )
    ]


def is_resolved(one: OneRefund, said: ResolveRefund, _: Sender) -> bool:
    """The same word from the same place."""
    ended = "SETTLED" if said.paid else "FAILED_FINAL"
    return one.status == ended and one.refund.word == said.proof_ref


def unanswered(one: OneRefund, _: ResolveRefund, by: Sender) -> None:
    """of which the gateway has told nothing: not at all by `overdue_at`, or nothing definite"""
    refund = one.refund
    if refund.status == "REQUESTED":
        if by.now < refund.overdue_at:
            raise WrongState(state=one.status)
    elif refund.failure is None or refund.failure.kind != "UNKNOWN":
        raise WrongState(state=one.status)


def of_refund(one: OneRefund, _: Sender) -> Sequence[ResolveRefund]:
    return [ResolveRefund(refund_id=one.refund.refund_id, paid=False, proof_ref="desk-new")]


RESOLVE_REFUND = RefundRule(
    ResolveRefund,
    resolve_refund,
    roles=("AGENT", "SENIOR"),
    human=True,
    impartial=IMPARTIAL,
    barred=PERSON,
    repeated=is_resolved,
    states=("REQUESTED", "FAILED"),
    stands=Guard[OneRefund, ResolveRefund, Known](unanswered, WrongState),
    events=(RefundSettled, RefundIssued, RefundOverpaid, RefundFailed),
    example=ResolveRefund(refund_id="f-1", paid=True, proof_ref="desk-4711"),
    tries=of_refund,
)
