"""The payment gateway's word that a refund was not paid, or no word at all in, what comes next out.

A time-out is never a no: the money stays reserved until somebody knows.
"""

from datetime import timedelta
from typing import Literal

from shared_casework.values import utc
from shared_events.common import DecisionOverdue
from shared_events.fields import Code, Count
from shared_events.returns import RefundEvent, RefundFailed, RefundRetried
from shared_runtime.rule import Window

from returns_service.domain.known import Sender
from returns_service.domain.matter import NamesRefund, OneRefund, RefundRule
from returns_service.domain.policy import ReturnsPolicy


class FailRefund(NamesRefund, frozen=True, kw_only=True):
    """REFUSED: it has not paid and never will. RETRYABLE: it has not paid. UNKNOWN: no answer.

    `attempt`: which one the word is about; a word about an earlier one has been heard.
    """

    attempt: Count
    code: Code
    kind: Literal["REFUSED", "RETRYABLE", "UNKNOWN"]


def fail_refund(one: OneRefund, said: FailRefund, by: Sender) -> list[RefundEvent]:
    """Tried again after `refund_retry`, twice as long each time, at most `refund_retry_cap`. A
    definite no at `refund_max_attempts` or later is final; silence there is told to staff, once.
    """
    now, ledger, attempt = utc(by.now), one.ledger, one.refund.attempt
    policy = ledger.policy(by)
    at_last = attempt >= policy.refund_max_attempts
    final = said.kind == "REFUSED" or (said.kind == "RETRYABLE" and at_last)
    failed = RefundFailed(
        **ledger.ids,
        refund_id=said.refund_id,
        code=said.code,
        kind=said.kind,
        attempt=attempt,
        final=final,
        retry_at=None if final else now + wait_after(attempt, policy),
    )
    if said.kind != "UNKNOWN" or attempt != policy.refund_max_attempts:
        return [failed]
    delay = DecisionOverdue(**ledger.ids, what="REFUND", ref_id=said.refund_id, due_at=now)
    return [failed, delay]


def wait_after(attempt: int, policy: ReturnsPolicy) -> timedelta:
    cap = policy.refund_retry_cap
    # Doubling for ever would leave the range of a duration: by now it is at the cap.
    doublings = min(attempt - 1, (cap // policy.refund_retry).bit_length())
    return min(policy.refund_retry * (1 << doublings), cap)


def is_heard(one: OneRefund, said: FailRefund, _: Sender) -> bool:
    return one.found is not None and one.found.attempt != said.attempt


FAIL_REFUND = RefundRule(
    FailRefund,
    fail_refund,
    roles=("SYSTEM",),
    repeated=is_heard,
    states=("REQUESTED",),
    lapses=True,
    events=(RefundFailed, DecisionOverdue),
    example=FailRefund(refund_id="f-1", attempt=1, code="CARD_CLOSED", kind="REFUSED"),
)


# --- Another try


class RetryRefund(NamesRefund, frozen=True, kw_only=True):
    """The time to try again has come. The gateway is asked first whether it knows the refund."""


def retry_refund(one: OneRefund, said: RetryRefund, _: Sender) -> list[RefundEvent]:
    attempt = one.refund.attempt + 1
    return [RefundRetried(**one.ledger.ids, refund_id=said.refund_id, attempt=attempt)]


def once_due(one: OneRefund, _: RetryRefund, __: Sender) -> Window:
    failure = one.refund.failure
    return Window(earliest=failure.retry_at if failure else None)


RETRY_REFUND = RefundRule(
    RetryRefund,
    retry_refund,
    roles=("SYSTEM",),
    states=("FAILED",),
    window=once_due,
    early=True,
    lapses=True,
    events=(RefundRetried,),
    example=RetryRefund(refund_id="f-1"),
)
