"""Returns on whole services, from the request to the last cent: orders come over Kafka, deadlines
by the stack's clock, labels, scans and money from companies of their own.

Each story ends with all that has happened to its return, and with the ledger of its order. All of
them are lived side by side.
"""

import pytest
from local_stack.lives import Story, Until
from local_stack.returning import DAY, HOUR, WITHDRAWN, Lives, Returning

ASKED = ("ReturnRequested", "ReturnAuthorized", "LabelIssued")
ON_ITS_WAY = (*ASKED, "ReturnScanned")
BACK = (*ON_ITS_WAY, "ReturnScanned")


def in_the_standard_lane(order: Returning) -> Story:
    """By a rule. Scans come the wrong way round and twice; the buyer pays for the label."""
    yield from order.ordered()
    order.companies.plan("carrier", order.order_id, copies=2)
    yield from order.asks(reason="CHANGE_OF_MIND")
    yield from order.labelled()
    yield from order.scanned("DELIVERED_BACK")
    order.companies.scan(order.parcel, "HANDED_OVER")
    order.accepted()
    yield from order.ends("REFUNDED", *ON_ITS_WAY, "UnitsAccepted", "ReturnClosed")
    order.gave(("RETURN", "SETTLED", {"1/1": 610}), left={"1/1": 390})


def in_the_fast_lane(order: Returning) -> Story:
    """The money is there before the goods are."""
    yield from order.ordered()
    yield from order.asks(reason="DAMAGED", media=order.photos(order.buyer))
    yield from order.labelled()
    yield from order.scanned("HANDED_OVER")
    yield order.until_paid()
    yield from order.scanned("DELIVERED_BACK")
    order.received("RECEIVED")
    order.accepted()
    yield from order.ends("REFUNDED", *BACK, "UnitsReceived", "UnitsAccepted", "ReturnClosed")
    order.gave(("RETURN", "SETTLED", {"1/1": 1000}), left={"1/1": 0})


def a_claim_of_money_that_nobody_answers(order: Returning) -> Story:
    """A little for missing parts is given by the seller's silence; the goods stay."""
    yield from order.ordered()
    yield from order.asks(
        kind="CLAIM",
        reason="MISSING_PARTS",
        amount={"amount": 200, "currency": "EUR"},
        media=order.photos(order.buyer),
    )
    yield 5 * DAY
    yield from order.ends(
        "KEPT", "ReturnRequested", "ReturnReviewRequired", "ReturnAuthorized", "ReturnClosed"
    )
    order.gave(("CLAIM", "SETTLED", {"1/1": 200}), left={"1/1": 800})


def a_withdrawal_on_the_last_day(order: Returning) -> Story:
    """Confirmed when the time for it is over; paid when it has to be, though nobody has looked."""
    yield from order.ordered()
    yield 21 * DAY - HOUR
    yield from order.declares_withdrawal(order.buyer)
    yield 2 * HOUR
    told = order.confirms_withdrawal(order.buyer)
    assert told["withdrawal"]["acknowledgement"]["content"] == WITHDRAWN
    yield from order.labelled()
    yield from order.scanned("HANDED_OVER")
    yield 14 * DAY
    yield from order.ends(
        "REFUNDED",
        *("WithdrawalDeclared", "WithdrawalConfirmed", "ReturnAuthorized", "LabelIssued"),
        *("ReturnScanned", "UnitsAccepted", "ReturnClosed"),
    )
    order.gave(("WITHDRAWAL", "SETTLED", {"1/1": 610}), left={"1/1": 390})


def a_withdrawal_by_a_link(order: Returning) -> Story:
    """Without an account: the link that names the order is good for this, and for nothing else."""
    guest = order.by_link
    yield from order.ordered()
    eligible = guest.get(f"/v1/orders/{order.order_id}/return-eligibility")["units"]
    assert [each["withdrawing"]["allowed"] for each in eligible] == [True]
    yield from order.declares_withdrawal(guest)
    order.confirms_withdrawal(guest)
    yield from order.labelled()
    seen = guest.get(order.at)
    assert seen["withdrawal"]["acknowledgement"]["content"] == WITHDRAWN
    assert seen["label"]["tracking_id"] == order.parcel
    assert guest.look(order.ledger).json()["type"] == "/problems/scope-not-allowed"
    yield from order.come_back()
    order.received("RECEIVED")
    order.accepted()
    yield from order.ends(
        "REFUNDED",
        *("WithdrawalDeclared", "WithdrawalConfirmed", "ReturnAuthorized", "LabelIssued"),
        *("ReturnScanned", "ReturnScanned", "UnitsReceived", "UnitsAccepted", "ReturnClosed"),
    )
    order.gave(("WITHDRAWAL", "SETTLED", {"1/1": 610}), left={"1/1": 390})


def one_piece_comes_and_the_other_is_lost(order: Returning) -> Story:
    """On the way under a label: nobody but the platform answers for it."""
    yield from order.ordered(quantity=2, price_minor=500)
    yield from order.asks(reason="DEFECTIVE", lines=[{"line_id": "1", "quantity": 2}])
    yield from order.labelled()
    yield from order.scanned("HANDED_OVER")
    order.received("RECEIVED")
    assert order.auditor.get(order.at)["status"] == "PARTLY_RECEIVED"
    order.accepted()
    yield order.until_paid()
    order.companies.lose(order.parcel)
    yield from order.ends(
        "REFUNDED",
        *(*ON_ITS_WAY, "UnitsReceived", "UnitsAccepted", "UnitsLost", "UnitsAccepted"),
        "ReturnClosed",
    )
    order.gave(
        ("RETURN", "SETTLED", {"1/1": 500}),
        ("RETURN", "SETTLED", {"1/2": 500}),
        left={"1/1": 0, "1/2": 0},
    )


def another_thing_comes_back(order: Returning) -> Story:
    """It is not paid; it is the buyer's, and may be sent back when all is over."""
    yield from order.ordered()
    yield from order.asks(reason="DEFECTIVE")
    yield from order.come_back()
    order.received("WRONG_ITEM")
    order.rejected("WRONG_ITEM")
    yield 7 * DAY
    rejected = (*BACK, "UnitsReceived", "UnitsRejected", "ReturnClosed")
    yield from order.ends("REJECTED", *rejected)
    sent = {"units": ["1/1"], "tracking_id": "T-back"}
    yield from order.tells(order.seller, f"{order.at}/goods/shipment", sent)
    yield from order.ends("REJECTED", *rejected, "UnitsSentBack")
    order.gave(left={"1/1": 1000})


def an_empty_box_after_an_advance(order: Returning) -> Story:
    """The money is gone; once the desk believes the seller, it is owed to him."""
    yield from order.ordered()
    yield from order.asks(reason="DAMAGED", media=order.photos(order.buyer))
    yield from order.come_back()
    yield order.until_paid()
    order.received("SHORT")
    order.rejected("SHORT")
    order.agent.judge(order.at, "advances/confirmation", {"units": ["1/1"]})
    yield 7 * DAY
    yield from order.ends(
        "REJECTED",
        *(*BACK, "UnitsReceived", "UnitsRejected", "AdvanceUnrecovered", "AdvanceUnrecovered"),
        "ReturnClosed",
    )
    order.gave(("RETURN", "SETTLED", {"1/1": 1000}), left={"1/1": 0})


def rejected_goods_go_back_to_the_buyer(order: Returning) -> Story:
    yield from order.ordered()
    yield from order.asks(reason="CHANGE_OF_MIND")
    yield from order.come_back()
    order.rejected("USED")
    sent = {"units": ["1/1"], "tracking_id": "T-back"}
    back = f"{order.at}/goods/shipment"
    assert not order.seller.tries(back, sent)  # the buyer may still object
    yield 7 * DAY
    yield from order.tells(order.seller, back, sent)
    yield from order.ends("REJECTED", *BACK, "UnitsRejected", "UnitsSentBack", "ReturnClosed")
    order.gave(left={"1/1": 1000})


def the_seller_says_nothing_and_looks_at_nothing(order: Returning) -> Story:
    """His silence is a yes, twice."""
    yield from order.ordered(price_minor=3000)
    yield from order.asks(reason="NOT_AS_DESCRIBED")
    yield 5 * DAY
    yield from order.come_back()
    yield 5 * DAY
    yield from order.ends(
        "REFUNDED",
        *("ReturnRequested", "ReturnReviewRequired", "ReturnAuthorized", "LabelIssued"),
        *("ReturnScanned", "ReturnScanned", "UnitsAccepted", "ReturnClosed"),
    )
    order.gave(("RETURN", "SETTLED", {"1/1": 3000}), left={"1/1": 0})


def the_desk_says_nothing(order: Returning) -> Story:
    """The seller decides in its place."""
    yield from order.ordered(price_minor=50_000)
    yield from order.asks(reason="NOT_AS_DESCRIBED")
    yield 2 * DAY
    yield Until(lambda: order.events().count("ReturnReviewRequired") == 2, order.events)
    no = {"code": "NOT_AS_CLAIMED", "note": "It is what the picture shows."}
    order.seller.judge(order.at, "refusal", no)
    yield 7 * DAY
    yield from order.ends(
        "DECLINED",
        *("ReturnRequested", "ReturnReviewRequired", "DecisionOverdue", "ReturnReviewRequired"),
        *("ReturnDeclined", "ReturnClosed"),
    )
    order.gave(left={"1/1": 50_000})


def the_buyer_never_sends_it(order: Returning) -> Story:
    yield from order.ordered()
    yield from order.asks(reason="DEFECTIVE")
    yield from order.labelled()
    yield 10 * DAY
    yield from order.ends("EXPIRED", *ASKED, "ReturnExpired", "ReturnClosed")
    order.gave(left={"1/1": 1000})


STORIES = {
    tell.__name__: tell
    for tell in (
        in_the_standard_lane,
        in_the_fast_lane,
        a_claim_of_money_that_nobody_answers,
        a_withdrawal_on_the_last_day,
        a_withdrawal_by_a_link,
        one_piece_comes_and_the_other_is_lost,
        another_thing_comes_back,
        an_empty_box_after_an_advance,
        rejected_goods_go_back_to_the_buyer,
        the_seller_says_nothing_and_looks_at_nothing,
        the_desk_says_nothing,
        the_buyer_never_sends_it,
    )
}


@pytest.fixture(scope="module")
def lived(lives: Lives) -> dict[str, Exception]:
    return lives(STORIES)


@pytest.mark.parametrize("story", STORIES)
def test_a_return(lived: dict[str, Exception], story: str) -> None:
    if failure := lived.get(story):
        raise failure
