"""A refund that the bank has sent back in, money that is owed again out."""

from shared_casework.values import utc
from shared_events.fields import Code, Id
from shared_events.returns import RefundBounced, RefundEvent

from returns_service.domain.known import Sender
from returns_service.domain.ledger_state import Ledger, Refund
from returns_service.domain.matter import NamesRefund, OneRefund, RefundRule
from returns_service.domain.totals import with_remaining


class BounceRefund(NamesRefund, frozen=True, kw_only=True):
    """The buyer's account is closed, say. `gateway_ref`: the gateway's own name for the payment
    that came back, where it names one.
    """

    gateway_ref: Id | None = None
    code: Code


def bounce_refund(one: OneRefund, said: BounceRefund, by: Sender) -> list[RefundEvent]:
    """It counts no more. It is paid by its reissue; one that was not due because this one had been
    paid after all is owed again. What the gateway has paid besides by mistake, and gets back, was
    never counted: the refund stays paid.
    """
    ledger, refund = one.ledger, one.refund
    if refund.total_minor == 0 or is_of_another(refund, said):
        return []  # no bank has ever seen it, or the buyer still has it
    bounced = RefundBounced(
        **ledger.ids,
        refund_id=refund.refund_id,
        gateway_ref=said.gateway_ref,
        code=said.code,
        currency=ledger.currency,
        total_minor=refund.total_minor,
        refunded_total_minor=ledger.refunded_minor - refund.total_minor,
        remaining_minor=0,
        owed_again=in_its_place(ledger, refund.refund_id),
        overdue_at=utc(by.now) + ledger.policy(by).refund_legal,
    )
    return [with_remaining(ledger, bounced)]


def is_of_another(refund: Refund, said: BounceRefund) -> bool:
    """Whether another payment came back than the one that counts. Where that cannot be told, it is
    the one that counts: what is owed is never thought to be paid.
    """
    return None not in (refund.payment, said.gateway_ref) and refund.payment != said.gateway_ref


def in_its_place(ledger: Ledger, refund_id: str) -> str | None:
    """The last of those that reissue it, if that was found not to be due."""
    first = ledger.first_of(refund_id)
    return next(
        (
            each.refund_id
            for each in ledger.refunds.values()
            if each.given_by is not None and ledger.first_of(each.refund_id) == first
        ),
        None,
    )


BOUNCE_REFUND = RefundRule(
    BounceRefund,
    bounce_refund,
    roles=("SYSTEM",),
    states=("SETTLED",),
    lapses=True,
    events=(RefundBounced,),
    example=BounceRefund(refund_id="f-1", code="ACCOUNT_CLOSED"),
)
