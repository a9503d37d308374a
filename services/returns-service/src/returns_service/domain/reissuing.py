"""A refund that the buyer has not got in, another one in its place out."""

from collections.abc import Iterator, Sequence
from typing import Annotated

from msgspec import Struct
from msgspec.structs import replace
from shared_casework.values import utc
from shared_events.fields import Id
from shared_events.returns import (
    CostMoved,
    RefundEvent,
    RefundNotDue,
    RefundRequested,
    RefundWay,
    RemedyAlreadyMet,
)
from shared_runtime.decider import AlreadySubmitted, FieldError
from shared_runtime.shape import Made

from returns_service.domain.amounts import Amounts, WantedAmounts, given_of
from returns_service.domain.bearing import taken_along
from returns_service.domain.known import PERSON, Sender
from returns_service.domain.ledger_state import TO_REISSUE, Ledger, LedgerState
from returns_service.domain.matter import IMPARTIAL, AnyRefundRule, OneRefund, one_refund
from returns_service.domain.totals import gave_for, nothing_due, with_remaining


class ReissueRefund(Struct, frozen=True, kw_only=True):
    """`refund_id`: the new one's. `consented`: the buyer agrees to another way than the one by
    which his money came.
    """

    refund_id: Annotated[Id, Made("refund")]
    failed_refund_id: Id
    way: RefundWay = "ORIGINAL"
    consented: bool = False


class ReissueRule(AnyRefundRule[ReissueRefund]):
    def find(self, state: LedgerState, said: ReissueRefund, by: Sender) -> OneRefund:
        return one_refund(state, said.failed_refund_id, by)


def shape_of_reissue(said: ReissueRefund, _: Sender) -> Iterator[FieldError]:
    if said.way != "ORIGINAL" and not said.consented:
        yield FieldError(field="consented", bound="true, for another way than the original one")


def reissue_refund(one: OneRefund, said: ReissueRefund, by: Sender) -> list[RefundEvent]:
    """All of the failed one that others have not given by now; once. Where that is nothing, it is
    owed no more.
    """
    ledger, failed = one.ledger, one.refund.requested
    given = again(ledger, failed)
    if given.total_minor == 0:
        units = [each.unit for each in failed.units]
        return nothing_due(
            ledger,
            refund_id=said.refund_id,
            source=failed.source,
            source_id=failed.source_id,
            remedy_id=failed.remedy_id,
            reissues=failed.refund_id,
            units=units,
            refund_ids=gave_for(ledger, units),
        )
    reissued = replace(
        failed,
        refund_id=said.refund_id,
        reissues=failed.refund_id,
        outside_id=None,
        way=said.way,
        units=given.units,
        shipping_minor=given.shipping_minor,
        goodwill_minor=given.goodwill_minor,
        total_minor=given.total_minor,
        clipped_from_minor=given.clipped_from_minor,
        overdue_at=utc(by.now) + ledger.policy(by).refund_legal,
    )
    return [with_remaining(ledger, reissued), *taken_along(ledger, reissued)]


def again(ledger: Ledger, failed: RefundRequested) -> Amounts:
    """The amounts of the failed one, no part more than what is left of it."""
    remaining = ledger.remaining
    return given_of(
        WantedAmounts(
            of_units={
                each.unit: min(each.amount_minor, remaining.units[each.unit])
                for each in failed.units
            },
            units_minor=sum(each.amount_minor for each in failed.units),
            shipping_minor=failed.shipping_minor,
            goodwill_minor=failed.goodwill_minor,
            difference_minor=failed.difference_minor or 0,
        ),
        remaining,
    )


def is_reissued(one: OneRefund, said: ReissueRefund, _: Sender) -> bool:
    """The same reissue. Raises `AlreadySubmitted` where another one stands in its place."""
    if one.book.ledger and one.ledger.has_answered(said.refund_id):
        return True
    if one.found and one.found.reissued_by:
        raise AlreadySubmitted(existing_id=one.found.reissued_by)
    return False


def of_refund(one: OneRefund, _: Sender) -> Sequence[ReissueRefund]:
    return [ReissueRefund(refund_id="f-new", failed_refund_id=one.refund.refund_id)]


REISSUE_REFUND = ReissueRule(
    ReissueRefund,
    reissue_refund,
    roles=("AGENT", "SENIOR"),
    shape=shape_of_reissue,
    human=True,
    impartial=IMPARTIAL,
    barred=PERSON,
    repeated=is_reissued,
    states=TO_REISSUE,
    refuses=(AlreadySubmitted,),
    events=(RefundRequested, RefundNotDue, RemedyAlreadyMet, CostMoved),
    example=ReissueRefund(
        refund_id="f-3", failed_refund_id="f-1", way="BANK_TRANSFER", consented=True
    ),
    tries=of_refund,
)
