"""What may be done besides, and what may be read of it: of that no other life here has a need."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from local_stack.lives import Story
from local_stack.people import Person, complete_order, now, until
from local_stack.returning import DAY, Lives, Returning, photo
from local_stack.services import Stack
from reputation_service.domain.policy import DEFAULT, policy_data
from shared_cli import clock

MARK = uuid4().hex[:8]
ORDER_ID, SELLER_ID, BUYER_ID = f"O-{MARK}", f"S-{MARK}", f"B-{MARK}"
ORDER = f"/v1/orders/{ORDER_ID}"
ONE = [{"line_id": "1", "quantity": 1}]
IN_DAYS_TO_COME = "2100-01-01T00:00:00Z"
WHY = {"rule_ids": ["R-3"], "facts": "It names a street.", "explanation": "No addresses here."}


def of_order(stack: Stack, service: str) -> tuple[Person, Person, Person]:
    """Its buyer, its seller, and who reads everything."""
    return (
        Person(stack, "BUYER", BUYER_ID, service),
        Person(stack, "SELLER", SELLER_ID, service),
        Person(stack, "AUDITOR", f"auditor-{MARK}", service),
    )


def read(who: Person, *paths: str) -> None:
    for path in paths:
        answered = who.look(path)
        assert answered.is_success, f"{path}: {answered.text}"


@pytest.fixture(scope="module", autouse=True)
def ordered(stack: Stack) -> None:
    complete_order(stack, ORDER_ID, SELLER_ID, BUYER_ID)


def test_of_orders_and_reviews(stack: Stack) -> None:
    buyer, seller, auditor = of_order(stack, "review")
    market, other = Person(stack, "SYSTEM", "market"), Person(stack, "BUYER", f"other-{MARK}")
    moderator = Person(stack, "MODERATOR", f"moderator-{MARK}")
    evaluation = f"{ORDER}/evaluation"
    until(lambda: buyer.get(evaluation)["state"] == "OPEN", "it may be reviewed")
    read(buyer, "/v1/reviewable-orders")

    # The buyer thinks better of it before the seller has said anything, the seller afterwards.
    stars = {"quality": 1, "logistics": 1, "service": 1, "incentive": "NONE", "text": "Dark."}
    media_id = buyer.upload("REVIEW", photo())
    written = buyer.post(f"{evaluation}/reviews", stars | {"media": [media_id]})
    mine = f"{evaluation}/reviews/{written['reviews'][0]['review_id']}"
    buyer.post(f"{mine}/amendments", stars | {"quality": 5, "text": "Bright, once it was lit."})
    both = seller.post(f"{evaluation}/reviews", {"rating": 5})
    seller.post(f"{mine}/reply", {"text": "Thank yuo."})
    seller.post(f"{mine}/reply/edits", {"text": "Thank you."})
    (ref,) = (each["ref"] for each in both["reviews"] if each["by"] == "BUYER")
    known = f"/v1/reviews/{ref}"

    # Somebody finds it useful, and then does not.
    listed = f"/v1/sellers/{SELLER_ID}/reviews"
    until(lambda: bool(other.get(listed)["items"]), "it is listed")
    other.post(f"{known}/votes", {"helpful": True})
    assert other.get(f"{known}/votes/mine")["helpful"]
    other.delete(f"{known}/votes/mine")
    buyer.send("POST", f"/v1/media/{media_id}/links", {})
    read(buyer, "/v1/me/orders", "/v1/me/reviews", f"/v1/media/{media_id}")

    # A moderator is given it, and gives it back.
    seller.post(f"{known}/flags", {"reason": "OFF_TOPIC"})
    given = "/v1/moderation/assignments"
    until(lambda: moderator.send("POST", given, {"case_id": ref}).is_success, "it is a case")
    read(moderator, "/v1/moderation/assignments/mine", "/v1/moderation/cases")
    moderator.delete(f"/v1/moderation/assignments/{ref}")
    measures = {"ground": "PERSONAL_DATA", "measures": ["HIDE_TEXT"]}
    moderator.judge(known, "restrictions", WHY | measures)
    appeal = buyer.post(f"{known}/appeals", {"text": "It is a shop's."})
    read(buyer, f"{known}/appeals/{appeal['appeal_id']}")

    # The carrier was late through nobody's fault, and had not delivered it after all.
    market.post(f"{ORDER}/delay-attribution", {"incident_id": "STORM", "liable": "FORCE_MAJEURE"})
    market.post(f"{ORDER}/reopening", {"reason": "CARRIER_CORRECTION"})
    buyer.post(f"{ORDER}/completion", {})
    of_product = "?marketplace_id=market"
    read(other, f"/v1/products/lamp/ratings{of_product}", f"/v1/products/lamp/reviews{of_product}")
    read(other, f"/v1/sellers/{SELLER_ID}/ratings", "/v1/neutrality")
    read(auditor, ORDER, f"{ORDER}/events", "/v1/histories?limit=5")
    read(auditor, "/v1/log", "/v1/log/orders.events/0?from=1")


def test_of_questions_and_disputes(stack: Stack) -> None:
    buyer, seller, auditor = of_order(stack, "dispute")
    agent = Person(stack, "AGENT", f"agent-{MARK}", "dispute")
    senior = Person(stack, "SENIOR", f"senior-{MARK}", "dispute")

    def assigned() -> bool:
        seen = {"If-Match": senior.look(at).headers["ETag"]}
        to = {"adjudicator_id": f"agent-{MARK}", "level": "AGENT"}
        return senior.send("POST", f"{at}/assignment", to, **seen).is_success

    question = {"order_id": ORDER_ID, "topic": "PRODUCT", "text": "Is it green?"}
    until(lambda: buyer.tries("/v1/inquiries", question), "the order is known")
    inquiry_id = buyer.post("/v1/inquiries", question)["inquiry_id"]
    asked = f"/v1/inquiries/{inquiry_id}"
    buyer.post(f"{asked}/messages", {"text": "Or blue?"})
    read(seller, "/v1/inquiries", asked, f"{asked}/deadlines", f"{asked}/events")

    complaint = {
        "order_id": ORDER_ID,
        "reason": "DAMAGED",
        "lines": ONE,
        "outcome": "REFUND_FULL",
        "text": "It came in pieces.",
    }
    until(lambda: buyer.tries("/v1/disputes", complaint), "the order is known to be complete")
    dispute_id = buyer.post("/v1/disputes", complaint)["dispute_id"]
    at = f"/v1/disputes/{dispute_id}"
    half = {"outcome": "REFUND_PARTIAL", "amount": {"amount": 500, "currency": "EUR"}}
    seller.post(f"{at}/messages", {"text": "Was it packed?"})
    seller.post(f"{at}/proposals", half | {"lines": ONE})
    for proposal in seller.get(at)["proposals"]:
        if proposal["by"] == "BUYER":
            seller.post(f"{at}/proposals/{proposal['proposal_id']}/rejection", {})
    shown = {"kind": "PHOTO", "media": buyer.upload("EVIDENCE", photo()), "note": "The left side."}
    (lodged,) = buyer.post(f"{at}/evidence", shown)["evidence"]
    buyer.post(f"{at}/evidence/{lodged['evidence_id']}/removal", {})
    (lodged,) = buyer.post(f"{at}/evidence", shown)["evidence"]
    buyer.post(f"{at}/evidence/sharing", {"evidence_ids": [lodged["evidence_id"]]})

    # The platform is asked, and asks back.
    clock.move(Path(stack.description.clock_file), 3 * DAY)
    until(lambda: buyer.tries(f"{at}/escalation", {}), "it is late enough")
    buyer.post(f"{at}/escalation", {})
    until(lambda: buyer.get(at)["stage"] == "EVIDENCE", "both may show more")
    buyer.post(f"{at}/evidence/extension", {})
    buyer.post(f"{at}/evidence/submission", {})
    seller.post(f"{at}/evidence/submission", {"nothing": True})
    for who in (buyer, seller):
        who.post(f"{at}/rebuttal", {"text": "It is as I said."})
    until(lambda: buyer.get(at)["stage"] == "REVIEW", "somebody has to decide")
    until(assigned, "the agent has it, whoever was drawn")
    agent.put("/v1/adjudication/duty", {})
    read(agent, "/v1/adjudication/duty")
    agent.judge(at, "information-requests", {"of": "SELLER", "question": "Which carrier was it?"})
    seller.post(f"{at}/information-requests/answer", {"text": "The one of the invoice."})
    agent.delete("/v1/adjudication/duty")
    read(agent, "/v1/calendar", *(f"{at}/{each}" for each in ("case-file", "outcomes", "similar")))
    read(auditor, f"{at}/deadlines", "/v1/adjudication/cases", "/v1/adjudication/statistics")


# --- Returns


def called_off(order: Returning) -> Story:
    yield from order.ordered()
    yield from order.asks(reason="DEFECTIVE")
    order.buyer.post(f"{order.at}/cancellation", {})
    read(order.auditor, f"/v1/orders/{order.order_id}/returns", f"{order.at}/file")


def kept_for_less(order: Returning) -> Story:
    """The second offer is good enough."""
    yield from order.ordered(price_minor=3000)
    yield from order.asks(reason="NOT_AS_DESCRIBED")
    yield order.until("ReturnReviewRequired")
    for amount, is_enough in ((200, False), (300, True)):
        offer = {"amount": {"amount": amount, "currency": "EUR"}}
        made = order.seller.post(f"{order.at}/offers", offer)["offers"]
        (offer_id,) = (each["offer_id"] for each in made if each["amount"]["amount"] == amount)
        order.buyer.post(f"{order.at}/offers/{offer_id}/answer", {"accept": is_enough})
    yield order.until_paid()
    yield order.until("ReturnClosed")
    read(order.auditor, "/v1/returns/cases", "/v1/returns/statistics")


def lost_under_a_label_of_another_carrier(order: Returning) -> Story:
    """Of which the marketplace itself tells."""
    yield from order.ordered()
    order.companies.plan("carrier", order.order_id, refuse="NO_SUCH_ADDRESS")
    yield from order.asks(reason="DEFECTIVE")
    label = {"label_id": f"L-{order.order_id}", "carrier": "DHL", "tracking_id": order.order_id}
    order.feed.post(f"{order.at}/labels", label | {"cost": {"amount": 390, "currency": "EUR"}})
    units = {"units": ["1/1"]}
    scan = {"kind": "HANDED_OVER", "scanned_at": order.moment()}
    order.feed.post(f"{order.at}/scans", units | scan)
    read(order.seller, "/v1/returns/waiting")
    order.feed.post(f"{order.at}/losses", units)
    yield order.until_paid()
    yield order.until("ReturnClosed")


def rejected_and_not_wanted_back(order: Returning) -> Story:
    yield from order.ordered()
    yield from order.asks(reason="CHANGE_OF_MIND")
    yield from order.come_back()
    order.rejected("USED")
    yield 7 * DAY  # in which he may still object
    yield from order.tells(order.buyer, f"{order.at}/goods/waiver", {"units": ["1/1"]})


def paid_by_what_the_desk_finds_out(order: Returning) -> Story:
    """The provider says nothing for weeks."""
    yield from order.ordered()
    order.companies.plan("payments", order.order_id, delay_seconds=(90 * DAY).total_seconds())
    yield from order.asks(reason="CHANGE_OF_MIND")
    yield from order.come_back()
    order.accepted()
    yield 15 * DAY
    yield order.until_money("DecisionOverdue")
    (refund_id,) = order.refunds
    found = {"paid": True, "proof_ref": "desk-4711"}
    order.agent.judge(order.ledger, f"{refund_id}/resolution", found)
    read(order.auditor, f"{order.ledger}/events", "/v1/refunds/figures", "/v1/refunds/cases")
    day = f"{now(order.stack):%Y-%m-%d}"
    order.agent.put(f"/v1/reconciliations/{day}", {})
    read(order.agent, f"/v1/reconciliations/{day}")


STORIES = {
    tell.__name__: tell
    for tell in (
        called_off,
        kept_for_less,
        lost_under_a_label_of_another_carrier,
        rejected_and_not_wanted_back,
        paid_by_what_the_desk_finds_out,
    )
}


@pytest.fixture(scope="module")
def lived(lives: Lives) -> dict[str, Exception]:
    return lives(STORIES)


@pytest.mark.parametrize("story", STORIES)
def test_of_returns(lived: dict[str, Exception], story: str) -> None:
    if failure := lived.get(story):
        raise failure


def test_of_policies_of_returns(stack: Stack) -> None:
    """In force in days to come."""
    senior = Person(stack, "SENIOR", f"senior-{MARK}", "returns")
    (first, *_) = senior.get("/v1/policies")["items"]
    version = {"policy_version": first["policy_version"], "since": IN_DAYS_TO_COME}
    senior.post("/v1/policies/activations", version)
    read(senior, f"/v1/policies/{first['policy_version']}")


# --- Standing


@pytest.mark.parametrize("kind", ["SELLER", "BUYER"])
def test_of_accounts(stack: Stack, kind: str) -> None:
    account_id = {"SELLER": SELLER_ID, "BUYER": BUYER_ID}[kind]
    at = f"/v1/{kind.lower()}s/{account_id}"
    holder = Person(stack, kind, account_id, "reputation")
    analyst = Person(stack, "ANALYST", f"analyst-{MARK}", "reputation")
    senior = Person(stack, "SENIOR", f"senior-{MARK}", "reputation")
    auditor = Person(stack, "AUDITOR", f"auditor-{MARK}", "reputation")
    until(lambda: holder.look(f"{at}/points").is_success, "the account is known")
    suspicion = {
        "account_kind": kind,
        "account_id": account_id,
        "rule": "COUNTERFEIT" if kind == "SELLER" else "EMPTY_BOX_RETURN",
        "cause_key": f"charger-{MARK}",
        "evidence_event_ids": ["01956f2e-7c00-7000-8000-00000000002a"],
        "detection": "ANALYST",
        "safety": True,
    }
    case_id = analyst.post("/v1/cases", suspicion)["case_id"]

    def judges(what: str, body: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """On the account as it stands."""
        seen = senior.look(f"{at}/points").headers["ETag"]
        return senior.post(f"{at}/{what}", body, **{"If-Match": seen})

    ends_at = f"{now(stack) + 20 * DAY:%Y-%m-%dT%H:%M:%SZ}"
    suspended = judges("suspensions", WHY | {"case_id": case_id, "ends_at": ends_at})
    (measure,) = suspended["measures"]
    judges(f"measures/{measure['measure_id']}/lifting", {})
    judges("protections", {"until": ends_at, "reason": "WAREHOUSE_FLOOD"})
    read(auditor, "/v1/cases", f"/v1/cases/{case_id}/events")
    senior.judge(f"/v1/cases/{case_id}", "dismissal", {"reason": "UNFOUNDED"})
    of_points = ("cases", "measures", "points", "points/events", "rates")
    of_score = ("score", "score/explain", "score/history", "score/raise")
    read(holder, *(f"{at}/{each}" for each in (*of_points, *of_score)))
    (statement, *_) = holder.get(f"{at}/points")["statements"]
    read(holder, f"/v1/statements/{statement['sor_id']}")
    read(auditor, "/v1/statements/export", "/v1/accounts", "/v1/scores", "/v1/sellers")
    read(auditor, "/v1/erasures", "/v1/hints")


def test_of_policies_of_scores(stack: Stack) -> None:
    """With the numbers that hold: nobody's score is another one by it."""
    analyst = Person(stack, "ANALYST", f"analyst-{MARK}", "reputation")
    senior = Person(stack, "SENIOR", f"senior-{MARK}", "reputation")
    policy_id = f"same-{MARK}"
    one = f"/v1/policies/{policy_id}"
    analyst.post("/v1/policies", policy_data(DEFAULT) | {"policy_id": policy_id})
    analyst.post(f"{one}/what-if", {})
    until(lambda: analyst.get(one)["state"] == "TRIED", "it was tried")
    senior.post(f"{one}/activations", {"begins_at": f"{now(stack) + DAY:%Y-%m-%dT00:00:00Z}"})
    read(senior, one, f"{one}/what-if", "/v1/policies")
