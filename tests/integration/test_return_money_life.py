"""The money of returns on whole services, and a provider that refuses it, says nothing, or sends it
back.

Each story ends with all that has happened to the return and to the money of its order. All of them
are lived side by side.
"""

import pytest
from local_stack.auditing import audit
from local_stack.lives import Story
from local_stack.returning import DAY, HOUR, Lives, Returning
from local_stack.services import Stack

RETURNED = (
    *("ReturnRequested", "ReturnAuthorized", "LabelIssued", "ReturnScanned", "ReturnScanned"),
    *("UnitsAccepted", "ReturnClosed"),
)
PAID = ("RefundSettled", "RefundIssued")
WHOLE = {"1/1": 1000}


def is_accepted(order: Returning) -> Story:
    """Money is due."""
    yield from order.ordered()
    yield from order.asks(reason="DEFECTIVE")
    yield from order.come_back()
    order.accepted()


def it_is_refused_and_goes_another_way(order: Returning) -> Story:
    """The return waits for it."""
    order.companies.plan("payments", order.order_id, refuse="ACCOUNT_CLOSED")
    yield from is_accepted(order)
    yield order.until_money("RefundFailed")
    assert order.events() == [*RETURNED[:-1]]
    order.reissues()
    yield from order.ends("REFUNDED", *RETURNED)
    order.gave(("RETURN", "FAILED_FINAL", WHOLE), ("RETURN", "SETTLED", WHOLE), left={"1/1": 0})
    assert order.money() == [
        *("RefundLedgerOpened", "RefundRequested", "RefundFailed"),
        *("RefundRequested", *PAID),
    ]


def it_is_paid_after_five_time_outs(order: Returning) -> Story:
    """Each time nobody knows whether it was paid: it stays reserved, and is looked for first."""
    order.companies.plan("payments", order.order_id, calls=["TIME_OUT_BEFORE"] * 5)
    yield from is_accepted(order)
    for number, hours in enumerate((1, 2, 4, 8, 16), 1):
        yield order.until_money("RefundFailed", number)
        order.gave(("RETURN", "FAILED", WHOLE), left={"1/1": 0})
        yield hours * HOUR
    yield from order.ends("REFUNDED", *RETURNED)
    order.gave(("RETURN", "SETTLED", WHOLE), left={"1/1": 0})
    assert order.money() == [
        *("RefundLedgerOpened", "RefundRequested"),
        *(("RefundFailed", "RefundRetried") * 4),
        *("RefundFailed", "DecisionOverdue", "RefundRetried", *PAID),
    ]
    assert len(order.companies.book("payments", order.refunds[0])) == 1


def it_bounces(order: Returning) -> Story:
    """The bank has sent it back when the return is over: that stays so, and the desk pays again."""
    a_day = DAY.total_seconds()
    order.companies.plan("payments", order.order_id, bounce_after_seconds=a_day)
    yield from is_accepted(order)
    yield from order.ends("REFUNDED", *RETURNED)
    yield DAY
    yield order.until_money("RefundBounced")
    order.gave(("RETURN", "BOUNCED", WHOLE), left=WHOLE)
    order.reissues()
    yield order.until_paid(2)
    yield from order.ends("REFUNDED", *RETURNED)
    order.gave(("RETURN", "BOUNCED", WHOLE), ("RETURN", "SETTLED", WHOLE), left={"1/1": 0})
    assert order.money() == [
        *("RefundLedgerOpened", "RefundRequested", *PAID, "RefundBounced"),
        *("RefundRequested", *PAID),
    ]


STORIES = {
    tell.__name__: tell
    for tell in (
        it_is_refused_and_goes_another_way,
        it_is_paid_after_five_time_outs,
        it_bounces,
    )
}


@pytest.fixture(scope="module")
def lived(lives: Lives) -> dict[str, Exception]:
    return lives(STORIES)


@pytest.mark.parametrize("story", STORIES)
def test_the_money_of_a_return(lived: dict[str, Exception], story: str) -> None:
    if failure := lived.get(story):
        raise failure


@pytest.mark.usefixtures("lived")
def test_after_all_these_lives_what_is_kept_follows_from_the_logs(stack: Stack) -> None:
    audit(stack, "verify")
    audit(stack, "replay")
