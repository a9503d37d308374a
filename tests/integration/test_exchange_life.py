"""Exchanges and claims on whole services: another piece in the place of one that comes back, or
that does not.

Each story ends with all that has happened to its return, and with the ledger of its order. All of
them are lived side by side.
"""

import pytest
from local_stack.lives import Story
from local_stack.returning import DAY, SIZES, Lives, Returning

ASKED = ("ReturnRequested", "ReturnAuthorized", "LabelIssued")
ON_ITS_WAY = (*ASKED, "ReturnScanned")
BACK = (*ON_ITS_WAY, "ReturnScanned")
REPLACED = ("ReplacementReserved", "ExchangeShipped", "ExchangeDelivered")


def in_the_standard_lane(order: Returning) -> Story:
    """The other one costs more: it goes out when that is paid, and is worth that much more."""
    yield from order.ordered()
    order.companies.article(order.sku, stock=1, price_minor=1200)
    yield from order.asks(
        kind="EXCHANGE", reason="DEFECTIVE", wants="EXCHANGE", replacement_sku=order.sku
    )
    yield from order.come_back()
    order.accepted()
    yield order.until("ReplacementReserved")
    sent = {"units": ["1/1"], "tracking_id": "T-new"}
    assert not order.seller.tries(f"{order.at}/replacement/shipment", sent)
    order.feed.post(f"{order.at}/replacement/payment", {"payment_ref": "P-2"})
    yield from order.replaced("1/1.r1")
    yield from order.ends(
        "EXCHANGED",
        *(*BACK, "UnitsAccepted", "ReplacementReserved", "DifferencePaid"),
        *("ExchangeShipped", "ExchangeDelivered", "ReturnClosed"),
    )
    yield order.until_moved()
    order.gave(left={"1/1": 0, "1/1.r1": 1200})


def in_the_fast_lane(order: Returning) -> Story:
    """The other one goes out as soon as the carrier has the first."""
    yield from order.ordered()
    yield from order.asks(kind="EXCHANGE", reason="SIZE_MISFIT", wants="EXCHANGE", **SIZES)
    yield from order.labelled()
    yield from order.scanned("HANDED_OVER")
    yield from order.replaced("1/1.r1")
    order.gave(left={"1/1": 1000})  # no money moves before the first one is there
    yield from order.scanned("DELIVERED_BACK")
    order.accepted()
    yield from order.ends(
        "EXCHANGED", *ON_ITS_WAY, *REPLACED, "ReturnScanned", "UnitsAccepted", "ReturnClosed"
    )
    yield order.until_moved()
    order.gave(left={"1/1": 0, "1/1.r1": 1000})


def there_is_no_other_one(order: Returning) -> Story:
    """Then there is money."""
    yield from order.ordered()
    order.companies.article(order.sku, stock=0, price_minor=1000)
    yield from order.asks(
        kind="EXCHANGE", reason="DEFECTIVE", wants="EXCHANGE", replacement_sku=order.sku
    )
    yield from order.come_back()
    order.accepted()
    yield from order.ends("REFUNDED", *BACK, "UnitsAccepted", "ExchangeFellBack", "ReturnClosed")
    order.gave(("EXCHANGE_FALLBACK", "SETTLED", {"1/1": 1000}), left={"1/1": 0})


def the_other_one_is_kept_and_the_first_never_comes(order: Returning) -> Story:
    """Sent on by a carrier of the buyer's own, who has lost it: noted, and nobody is charged."""
    yield from order.ordered()
    yield from order.asks(kind="EXCHANGE", reason="SIZE_MISFIT", wants="EXCHANGE", **SIZES)
    yield from order.labelled()
    own = {"units": ["1/1"], "tracking_id": f"{order.order_id}-own"}
    order.buyer.post(f"{order.at}/shipment", own)
    scan = {"kind": "HANDED_OVER", "scanned_at": order.moment(), **own}
    order.feed.post(f"{order.at}/scans", scan)
    yield from order.replaced("1/1.r1")
    yield 45 * DAY
    yield from order.ends(
        "EXCHANGED",
        *(*ASKED, "ReturnShipped", "ReturnScanned", *REPLACED),
        *("UnitsLost", "ExchangeUnreturned", "ReturnClosed"),
    )
    order.gave(left={"1/1": 1000})


def the_other_one_comes_back_in_turn(order: Returning) -> Story:
    """Its money is what was paid for the first."""
    yield from order.ordered()
    yield from order.asks(kind="EXCHANGE", reason="DEFECTIVE", wants="EXCHANGE")
    yield from order.come_back()
    order.accepted()
    yield from order.replaced("1/1.r1")
    yield from order.ends("EXCHANGED", *BACK, "UnitsAccepted", *REPLACED, "ReturnClosed")
    yield order.until_moved()
    yield from order.asks(reason="DEFECTIVE")
    yield from order.come_back()
    order.accepted("1/1.r1")
    yield from order.ends("REFUNDED", *BACK, "UnitsAccepted", "ReturnClosed")
    order.gave(("RETURN", "SETTLED", {"1/1.r1": 1000}), left={"1/1": 0, "1/1.r1": 0})


def a_claim_of_another_one(order: Returning) -> Story:
    """The seller sends it, and wants nothing back."""
    yield from order.ordered()
    photos = order.photos(order.buyer)
    yield from order.asks(kind="CLAIM", reason="DAMAGED", wants="REPLACEMENT", media=photos)
    order.seller.judge(order.at, "approval", {})
    yield from order.replaced("1/1.r1")
    yield from order.ends(
        "REPLACED",
        *("ReturnRequested", "ReturnReviewRequired", "ReturnAuthorized"),
        *(*REPLACED, "ReturnClosed"),
    )
    yield order.until_moved()
    order.gave(left={"1/1": 0, "1/1.r1": 1000})


STORIES = {
    tell.__name__: tell
    for tell in (
        in_the_standard_lane,
        in_the_fast_lane,
        there_is_no_other_one,
        the_other_one_is_kept_and_the_first_never_comes,
        the_other_one_comes_back_in_turn,
        a_claim_of_another_one,
    )
}


@pytest.fixture(scope="module")
def lived(lives: Lives) -> dict[str, Exception]:
    return lives(STORIES)


@pytest.mark.parametrize("story", STORIES)
def test_an_exchange(lived: dict[str, Exception], story: str) -> None:
    if failure := lived.get(story):
        raise failure
