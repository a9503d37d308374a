"""The payment gateway's word that a refund is paid in, the fact that others read of it out."""

from shared_casework.values import utc
from shared_events.fields import Id
from shared_events.returns import RefundEvent, RefundIssued, RefundOverpaid, RefundSettled

from returns_service.domain.known import Sender
from returns_service.domain.matter import NamesRefund, OneRefund, RefundRule
from returns_service.domain.totals import settled


class ConfirmRefund(NamesRefund, frozen=True, kw_only=True):
    """`gateway_ref`: the gateway's own name for the payment."""

    gateway_ref: Id


def confirm_refund(one: OneRefund, said: ConfirmRefund, by: Sender) -> list[RefundEvent]:
    """Also after it had failed for good: then it is late, and what was thereby given twice is
    told. Nobody takes it from the buyer.
    """
    late = one.status == "FAILED_FINAL"
    return settled(
        one.ledger,
        one.refund.requested,
        said.gateway_ref,
        utc(by.now),
        told_by="GATEWAY",
        late=late,
    )


CONFIRM_REFUND = RefundRule(
    ConfirmRefund,
    confirm_refund,
    roles=("SYSTEM",),
    states=("REQUESTED", "FAILED", "FAILED_FINAL"),
    lapses=True,
    events=(RefundSettled, RefundIssued, RefundOverpaid),
    example=ConfirmRefund(refund_id="f-1", gateway_ref="gw-71"),
)
