"""An order reviewed by both sides, one piece of it disputed and one sent back, and in the seller's
score: the client for Python.
"""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aftersales_client import Answer, Refused, expect, new_key, patient, reputation, review, upload
from aftersales_client import dispute as disputes
from aftersales_client import returns as goods
from aftersales_client.dispute.api.disputes import list_disputes, open_dispute
from aftersales_client.dispute.models import (
    DisputePage,
    DisputeView,
    NamedLineBody,
    OpenDisputeBody,
)
from aftersales_client.reputation.api.sellers import get_score
from aftersales_client.reputation.models import ScoreView
from aftersales_client.returns.api.refunds import get_refund_ledger
from aftersales_client.returns.api.returns import (
    get_return_eligibility,
    list_returns,
    request_return,
)
from aftersales_client.returns.models import (
    EligibilityView,
    LedgerView,
    RequestReturnBody,
    ReturnPage,
    ReturnView,
    WantedLineBody,
)
from aftersales_client.review.api.evaluations import get_evaluation, submit_review
from aftersales_client.review.api.orders import (
    complete_order,
    mark_delivered,
    mark_paid,
    mark_shipped,
    place_order,
)
from aftersales_client.review.models import (
    CompleteOrderBody,
    EvaluationView,
    MarkDeliveredBody,
    MarkPaidBody,
    MarkShippedBody,
    Money,
    OrderBody,
    OrderLineBody,
    OrderView,
    SubmitReviewBody,
)
from aftersales_client.review.types import UNSET

PATIENCE_SECONDS = 60
MARK = os.environ["MARK"]
ORDER_ID, SELLER_ID, BUYER_ID = f"O-{MARK}", f"S-{MARK}", f"B-{MARK}"


def at_review(role: str) -> review.AuthenticatedClient:
    return review.AuthenticatedClient(
        base_url=os.environ["AFTERSALES_REVIEW_URL"],
        token=os.environ[f"TOKEN_{role}"],
        httpx_args=patient(),
    )


def euro(amount: int) -> Money:
    return Money(amount=amount, currency="EUR")


def refused(ask: Callable[[], object]) -> Refused:
    try:
        ask()
    except Refused as why:
        return why
    raise AssertionError("it was not refused")


def until_known[T](ask: Callable[[], Answer[T]]) -> Answer[T]:
    """The order comes to the other services over Kafka."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return ask()
        except Refused:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)


# The shop tells of it; told again with the same key, it is the same answer.
shop = at_review("SHOP")
order = OrderBody(
    order_id=ORDER_ID,
    seller_id=SELLER_ID,
    buyer_id=BUYER_ID,
    marketplace_id="market",
    country="DE",
    currency="EUR",
    placed_at=datetime.now(UTC) - timedelta(minutes=1),
    lines=[
        OrderLineBody(
            line_id="1", sku="LAMP-4", category="home", quantity=1, unit_price=euro(4990)
        ),
        OrderLineBody(line_id="2", sku="BULB-9", category="home", quantity=1, unit_price=euro(990)),
    ],
    shipping=euro(0),
    total=euro(5980),
    total_ref=Money(amount=7020, currency="USD"),
    withdrawal_right=True,
)
key = new_key()
placed = expect(OrderView, place_order.sync_detailed(client=shop, body=order, idempotency_key=key))
assert (placed.value.stage, placed.replayed) == ("PLACED", False)
again = expect(OrderView, place_order.sync_detailed(client=shop, body=order, idempotency_key=key))
assert (again.value, again.replayed) == (placed.value, True)
mark_paid.sync_detailed(
    ORDER_ID, client=shop, body=MarkPaidBody(payment_ref="P-1"), idempotency_key=new_key()
)
mark_shipped.sync_detailed(ORDER_ID, client=shop, body=MarkShippedBody(), idempotency_key=new_key())
delivered = expect(
    OrderView,
    mark_delivered.sync_detailed(
        ORDER_ID, client=shop, body=MarkDeliveredBody(signed=True), idempotency_key=new_key()
    ),
)
assert delivered.value.stage == "DELIVERED"

# The buyer has it, and reviews it; a second time he is told which review there is.
buyer = at_review("BUYER")
completed = expect(
    OrderView,
    complete_order.sync_detailed(
        ORDER_ID, client=buyer, body=CompleteOrderBody(), idempotency_key=new_key()
    ),
)
assert completed.consistency_token
opened = expect(
    EvaluationView,
    get_evaluation.sync_detailed(
        ORDER_ID, client=buyer, consistency_token=completed.consistency_token
    ),
)
assert opened.value.state == "OPEN"
photo = upload(
    buyer,
    Path(os.environ["PHOTO"]).read_bytes(),
    "image/jpeg",
    purpose="REVIEW",
    idempotency_key=new_key(),
    name="lamp, lit.jpg",
)
stars = SubmitReviewBody(
    quality=5,
    logistics=4,
    service=5,
    incentive="NONE",
    text="Bright enough to read by.",
    media=[photo.value],
)


def reviewed(
    by: review.AuthenticatedClient, body: SubmitReviewBody, if_match: str | None = None
) -> Answer[EvaluationView]:
    return expect(
        EvaluationView,
        submit_review.sync_detailed(
            ORDER_ID,
            client=by,
            body=body,
            idempotency_key=new_key(),
            if_match=if_match or UNSET,
        ),
    )


(written,) = reviewed(buyer, stars).value.reviews
assert len(written.media) == 1
other_stars = SubmitReviewBody(quality=1, logistics=1, service=1, incentive="NONE")
twice = refused(lambda: reviewed(buyer, other_stars)).problem
assert (twice.rule, twice.status) == ("already-submitted", 409)
assert twice.members["existing_id"] == written.review_id

# The seller decides on what he has seen, and on nothing newer.
seller = at_review("SELLER")
five = SubmitReviewBody(rating=5)
assert refused(lambda: reviewed(seller, five, '"99"')).problem.rule == "stale-version"
seen = expect(EvaluationView, get_evaluation.sync_detailed(ORDER_ID, client=seller))
both = reviewed(seller, five, seen.etag)
assert both.value.state == "REVEALED"

# What it says is wrong with a request is there to be read.
wrong = refused(lambda: reviewed(seller, SubmitReviewBody(rating=6))).problem
assert (wrong.rule, wrong.members["errors"][0]["field"]) == ("invalid-value", "rating")

# One piece is broken: the buyer opens a dispute, and finds it in his list.
at_dispute = disputes.AuthenticatedClient(
    base_url=os.environ["AFTERSALES_DISPUTE_URL"],
    token=os.environ["TOKEN_BUYER"],
    httpx_args=patient(),
)
complaint = OpenDisputeBody(
    order_id=ORDER_ID,
    reason="DAMAGED",
    lines=[NamedLineBody(line_id="1", quantity=1)],
    outcome="REFUND_FULL",
    text="It came in pieces.",
)
dispute = until_known(
    lambda: expect(
        DisputeView,
        open_dispute.sync_detailed(client=at_dispute, body=complaint, idempotency_key=new_key()),
    )
)
assert dispute.value.available_actions
assert dispute.consistency_token
listed = expect(
    DisputePage,
    list_disputes.sync_detailed(client=at_dispute, consistency_token=dispute.consistency_token),
)
assert [each.dispute_id for each in listed.value.items] == [dispute.value.dispute_id]

# The other piece is not wanted any more: the buyer asks whether he may send it back, and does.
at_returns = goods.AuthenticatedClient(
    base_url=os.environ["AFTERSALES_RETURNS_URL"],
    token=os.environ["TOKEN_BUYER"],
    httpx_args=patient(),
)
eligible = until_known(
    lambda: expect(
        EligibilityView, get_return_eligibility.sync_detailed(ORDER_ID, client=at_returns)
    )
)
assert eligible.value.order_id == ORDER_ID
wanted = RequestReturnBody(
    order_id=ORDER_ID,
    kind="RETURN",
    lines=[WantedLineBody(line_id="2", quantity=1)],
    reason="CHANGE_OF_MIND",
    wants="REFUND",
)
asked = until_known(
    lambda: expect(
        ReturnView,
        request_return.sync_detailed(client=at_returns, body=wanted, idempotency_key=new_key()),
    )
)
assert [each.unit for each in asked.value.units] == ["2/1"]
assert asked.consistency_token
own = expect(
    ReturnPage,
    list_returns.sync_detailed(client=at_returns, consistency_token=asked.consistency_token),
)
assert [each.return_id for each in own.value.items] == [asked.value.return_id]
ledger = until_known(
    lambda: expect(LedgerView, get_refund_ledger.sync_detailed(ORDER_ID, client=at_returns))
)
assert ledger.value.refunds == []  # nothing is given back before it is there

# Everybody reads the score, once the reviews are in it.
page = reputation.AuthenticatedClient(
    base_url=os.environ["AFTERSALES_REPUTATION_URL"],
    token=os.environ["TOKEN_PAGE"],
    httpx_args=patient(),
)
assert both.consistency_token
score = expect(
    ScoreView,
    get_score.sync_detailed(SELLER_ID, client=page, consistency_token=both.consistency_token),
)
assert score.value.seller_id == SELLER_ID
known = score.value.dimensions
assert (known["quality"].weeks, known["inquiries"].weeks) == (1, 0)
print(f"{SELLER_ID}: {score.value.public_level}")
