"""The life of an order, row by row of its command table."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from msgspec import Struct
from msgspec.structs import replace
from review_service.domain.completion import (
    AttributeDelay,
    CancelOrder,
    CompleteOrder,
    ReopenOrder,
)
from review_service.domain.fulfilment import MarkDelivered, MarkPaid, MarkShipped
from review_service.domain.order_rules import ORDERS, OrderCommand
from review_service.domain.placing import PlaceOrder
from review_service.testing import change, say
from shared_events.characters import ID
from shared_events.codes import COUNTRY
from shared_events.orders import (
    OrderCancelled,
    OrderCompleted,
    OrderDelayAttributed,
    OrderDelivered,
    OrderLine,
    OrderPaid,
    OrderPlaced,
    OrderReopened,
    OrderShipped,
)
from shared_runtime.decider import (
    Actor,
    AlreadySubmitted,
    FieldError,
    InvalidValue,
    NotAParty,
    Role,
    RoleNotAllowed,
    TimeGoesBack,
    WrongState,
)
from shared_runtime.testing import Scenario

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
PLACED = datetime(2025, 2, 1, 12, tzinfo=UTC)
FEED = Actor(role="SYSTEM", id="feed")
TIMER = Actor(role="SYSTEM", id="timer")
BUYER = Actor(role="BUYER", id="B1")
IMPORTER = Actor(role="IMPORTER", id="olist", on_behalf_of="SYSTEM")


def told(said: Struct, now: datetime, actor: Actor = FEED) -> OrderCommand:
    return say(said, now=now, actor=actor)


order = Scenario(ORDERS)
line = OrderLine(
    line_id="1",
    sku="S",
    category="toys",
    quantity=3,
    unit_price_minor=1000,
    line_discount_minor=300,
)
place = told(
    PlaceOrder(
        order_id="O1",
        seller_id="S1",
        buyer_id="B1",
        marketplace_id="M1",
        country="BR",
        currency="BRL",
        placed_at=PLACED,
        lines=(line,),
        order_discount_minor=100,
        shipping_minor=500,
        total_minor=3100,
        total_ref_minor=600,
        dispatch_by=PLACED + 3 * DAY,
        deliver_by=PLACED + 10 * DAY,
        buyer_registered_at=PLACED - 100 * DAY,
        withdrawal_right=True,
    ),
    PLACED,
)
pay = told(MarkPaid(payment_ref="P1"), PLACED + 1 * DAY)
ship = told(MarkShipped(tracking_id="T1"), PLACED + 2 * DAY)
deliver = told(MarkDelivered(signed=True), PLACED + 5 * DAY)
confirm = told(CompleteOrder(), PLACED + 6 * DAY, BUYER)
declare = told(CompleteOrder(by_feed=True), PLACED + 6 * DAY)
expire = told(CompleteOrder(), PLACED + 12 * DAY, TIMER)
cancel = told(CancelOrder(by="SELLER", reason="OUT_OF_STOCK"), PLACED + 7 * DAY)
reopen = told(ReopenOrder(reason="CARRIER_CORRECTION"), PLACED + 8 * DAY)
delay = told(AttributeDelay(incident_id="I1", liable="CARRIER"), PLACED + 9 * DAY)

placed = OrderPlaced(
    order_id="O1",
    seller_id="S1",
    buyer_id="B1",
    policy_version="ae-2025-1",
    marketplace_id="M1",
    country="BR",
    currency="BRL",
    placed_at=PLACED,
    lines=[line],
    order_discount_minor=100,
    shipping_minor=500,
    total_minor=3100,
    total_ref_minor=600,
    dispatch_by=PLACED + 3 * DAY,
    deliver_by=PLACED + 10 * DAY,
    buyer_registered_at=PLACED - 100 * DAY,
    withdrawal_right=True,
)
paid = OrderPaid(
    order_id="O1",
    seller_id="S1",
    buyer_id="B1",
    policy_version="ae-2025-1",
    paid_at=pay.now,
    payment_ref="P1",
)
shipped = OrderShipped(
    order_id="O1",
    seller_id="S1",
    buyer_id="B1",
    policy_version="ae-2025-1",
    shipped_at=ship.now,
    late_dispatch=False,
    tracking_id="T1",
)
delivered = OrderDelivered(
    order_id="O1",
    seller_id="S1",
    buyer_id="B1",
    policy_version="ae-2025-1",
    delivered_at=deliver.now,
    late=False,
    signed=True,
    auto_complete_at=deliver.now + 7 * DAY,
)
completed = OrderCompleted(
    order_id="O1",
    seller_id="S1",
    buyer_id="B1",
    policy_version="ae-2025-1",
    completed_at=declare.now,
    completion_no=1,
    how="FEED",
    total_ref_minor=600,
    late=False,
)
cancelled = OrderCancelled(
    order_id="O1",
    seller_id="S1",
    buyer_id="B1",
    policy_version="ae-2025-1",
    cancelled_at=cancel.now,
    by="SELLER",
    reason="OUT_OF_STOCK",
)
reopened = OrderReopened(
    order_id="O1",
    seller_id="S1",
    buyer_id="B1",
    policy_version="ae-2025-1",
    reopened_at=reopen.now,
    completion_no=1,
    reason="CARRIER_CORRECTION",
)
delayed = OrderDelayAttributed(
    order_id="O1",
    seller_id="S1",
    buyer_id="B1",
    policy_version="ae-2025-1",
    incident_id="I1",
    liable="CARRIER",
)

to_paid = (placed, paid)
to_shipped = (placed, paid, shipped)
to_delivered = (placed, paid, shipped, delivered)
to_completed = (placed, paid, shipped, delivered, completed)
HISTORIES = {
    "NONE": (),
    "PLACED": (placed,),
    "PAID": to_paid,
    "SHIPPED": to_shipped,
    "DELIVERED": to_delivered,
    "COMPLETED": to_completed,
    "CANCELLED": (placed, cancelled),
}


def test_an_order_lives_from_placing_to_completion() -> None:
    order.when(place, pay, ship, deliver, declare).then(placed, paid, shipped, delivered, completed)


def test_an_importer_is_judged_as_the_feed() -> None:
    order.when(change(place, actor=IMPORTER)).then(placed)


@pytest.mark.parametrize(
    ("step", "stages"),
    [
        (pay, {"PLACED"}),
        (ship, {"PAID"}),
        (deliver, {"SHIPPED"}),
        (confirm, {"SHIPPED", "DELIVERED"}),
        (declare, {"SHIPPED", "DELIVERED"}),
        (cancel, {"PLACED", "PAID", "SHIPPED", "DELIVERED"}),
        (reopen, {"COMPLETED"}),
        (
            change(delay, actor=Actor(role="MODERATOR", id="M")),
            {"SHIPPED", "DELIVERED", "COMPLETED"},
        ),
    ],
)
def test_a_step_is_taken_from_the_stages_of_its_row_alone(
    step: OrderCommand, stages: set[str]
) -> None:
    later = change(step, now=PLACED + 20 * DAY)
    for stage, history in HISTORIES.items():
        played = order.given(*history).when(later)
        if stage in stages:
            assert len(played.events) == 1
        else:
            assert isinstance(played.refused, WrongState | AlreadySubmitted)


def test_a_step_from_the_wrong_stage_is_told_where_the_order_stands() -> None:
    order.given(placed).when(ship).then_refused(
        WrongState, state="PLACED", allowed_actions=["MarkPaid", "CancelOrder"]
    )
    order.when(pay).then_refused(WrongState, state="NONE", allowed_actions=["PlaceOrder"])


@pytest.mark.parametrize(
    ("step", "roles"),
    [
        (place, ["SYSTEM"]),
        (pay, ["SYSTEM"]),
        (ship, ["SYSTEM"]),
        (deliver, ["SYSTEM"]),
        (declare, ["BUYER", "SYSTEM"]),
        (cancel, ["SYSTEM"]),
        (reopen, ["SYSTEM"]),
        (delay, ["SYSTEM", "MODERATOR"]),
    ],
)
@pytest.mark.parametrize("role", ["BUYER", "SELLER", "AGENT", "MODERATOR", "AUDITOR"])
def test_only_the_roles_of_a_row_may_send_its_command(
    step: OrderCommand, roles: list[Role], role: Role
) -> None:
    asked = change(step, actor=Actor(role=role, id="B1"))
    played = order.given(*to_shipped).when(asked)
    if role in roles:
        assert not isinstance(played.refused, RoleNotAllowed)
    else:
        played.then_refused(RoleNotAllowed, allowed_roles=roles)


def test_a_buyer_confirms_his_own_order() -> None:
    confirmed = change(completed, how="BUYER_CONFIRMED")
    order.given(*to_delivered).when(confirm).then(confirmed)
    order.given(*to_shipped).when(confirm).then(confirmed)
    order.given(*to_delivered).when(
        change(confirm, actor=Actor(role="BUYER", id="B2"))
    ).then_refused(NotAParty)


# Steps told again.


@pytest.mark.parametrize("step", [place, pay, ship, deliver, declare])
@pytest.mark.parametrize("history", [to_completed, (*to_completed, reopened)])
def test_a_step_told_again_changes_nothing(
    step: OrderCommand, history: tuple[OrderPlaced, ...]
) -> None:
    order.given(*history).when(step).then_nothing()


def test_not_to_say_whether_the_buyer_was_informed_is_to_say_that_he_was() -> None:
    informed = change(place, withdrawal_informed=True)
    order.when(informed).then(replace(placed, withdrawal_informed=True))
    order.given(placed).when(informed).then_nothing()
    order.given(replace(placed, withdrawal_informed=True)).when(place).then_nothing()
    uninformed = replace(placed, withdrawal_informed=False)
    order.when(change(place, withdrawal_informed=False)).then(uninformed)
    order.given(uninformed).when(place).then_refused(AlreadySubmitted, existing_id="O1")


def test_a_cancellation_or_reopening_told_again_changes_nothing() -> None:
    order.given(placed, cancelled).when(cancel).then_nothing()
    order.given(*to_completed, reopened).when(reopen).then_nothing()


@pytest.mark.parametrize(
    "step",
    [
        change(place, shipping_minor=501, total_minor=3101),
        change(place, withdrawal_right=False),
        change(place, withdrawal_informed=False),
        change(place, placed_at=PLACED - TICK),
        change(pay, payment_ref="P2"),
        change(pay, now=pay.now + TICK),
        change(ship, tracking_id="T2"),
        change(ship, deliver_by=PLACED + 11 * DAY),
        change(ship, now=ship.now + TICK),
        change(deliver, signed=False),
        change(deliver, now=deliver.now + TICK),
        change(declare, now=declare.now + TICK),
    ],
)
def test_a_step_told_differently_is_refused(step: OrderCommand) -> None:
    order.given(*to_completed).when(step).then_refused(AlreadySubmitted, existing_id="O1")


@pytest.mark.parametrize(
    "step",
    [change(cancel, by="BUYER"), change(cancel, reason="X"), change(cancel, now=PLACED)],
)
def test_a_cancellation_told_differently_is_refused(step: OrderCommand) -> None:
    order.given(placed, cancelled).when(step).then_refused(AlreadySubmitted, existing_id="O1")


@pytest.mark.parametrize(
    ("stage", "step", "last_at"),
    [
        ("PLACED", pay, PLACED),
        ("PAID", ship, pay.now),
        ("SHIPPED", declare, ship.now),
        ("SHIPPED", confirm, ship.now),
        ("DELIVERED", declare, deliver.now),
        ("DELIVERED", cancel, deliver.now),
        ("COMPLETED", reopen, declare.now),
    ],
)
def test_a_step_cannot_come_before_the_one_it_follows(
    stage: str, step: OrderCommand, last_at: datetime
) -> None:
    early = change(step, now=last_at - TICK)
    order.given(*HISTORIES[stage]).when(early).then_refused(TimeGoesBack, last_at=last_at)


def test_a_step_may_come_at_the_instant_of_the_one_it_follows() -> None:
    order.given(*to_delivered).when(change(declare, now=deliver.now)).then(
        change(completed, completed_at=deliver.now)
    )


# Late or not.


def test_dispatch_is_late_after_the_promised_instant() -> None:
    assert placed.dispatch_by is not None
    for now, late in [(placed.dispatch_by, False), (placed.dispatch_by + TICK, True)]:
        told = change(shipped, shipped_at=now, late_dispatch=late)
        order.given(*to_paid).when(change(ship, now=now)).then(told)


def test_delivery_is_late_after_the_promised_instant() -> None:
    assert placed.deliver_by is not None
    for now, late in [(placed.deliver_by, False), (placed.deliver_by + TICK, True)]:
        told = change(delivered, delivered_at=now, late=late, auto_complete_at=now + 7 * DAY)
        order.given(*to_shipped).when(change(deliver, now=now)).then(told)


def test_nothing_is_late_when_nothing_was_promised() -> None:
    bare = change(place, dispatch_by=None, deliver_by=None)
    far = PLACED + 900 * DAY
    played = order.when(bare, pay, change(ship, now=far), change(deliver, now=far))
    assert [getattr(event, "late", None) for event in played.events[2:]] == [None, False]
    assert getattr(played.events[2], "late_dispatch", None) is False


def test_shipping_replaces_the_promised_delivery() -> None:
    promise = ship.now + DAY
    sent = change(shipped, deliver_by=promise)
    played = order.given(*to_paid).when(
        change(ship, deliver_by=promise), change(deliver, now=promise + TICK)
    )
    assert played.events[0] == sent
    assert getattr(played.events[1], "late", None) is True


def test_a_completion_without_a_delivery_serves_as_one() -> None:
    assert placed.deliver_by is not None
    for now, late in [(placed.deliver_by, False), (placed.deliver_by + TICK, True)]:
        told = change(completed, completed_at=now, late=late)
        order.given(*to_shipped).when(change(declare, now=now)).then(told)


def test_a_completion_is_as_late_as_its_delivery() -> None:
    late = change(delivered, late=True)
    order.given(*to_shipped, late).when(declare).then(change(completed, late=True))


# Completion by itself.


def test_an_order_completes_by_itself_at_its_instant() -> None:
    automatic = change(completed, how="AUTOMATIC", completed_at=expire.now)
    order.given(*to_delivered).when(change(expire, now=expire.now - TICK)).then_nothing()
    order.given(*to_delivered).when(expire).then(automatic)


def test_an_open_dispute_keeps_an_order_from_completing_by_itself() -> None:
    order.given(*to_delivered).when(change(expire, open_disputes=("d1",))).then_nothing()


@pytest.mark.parametrize("stage", ["NONE", "PLACED", "PAID", "SHIPPED", "COMPLETED", "CANCELLED"])
def test_a_completion_timer_that_no_longer_applies_changes_nothing(stage: str) -> None:
    order.given(*HISTORIES[stage]).when(expire).then_nothing()


def test_a_feed_is_obeyed_although_a_dispute_is_open() -> None:
    order.given(*to_delivered).when(change(declare, open_disputes=("d1",))).then(completed)


def test_an_instant_is_the_same_whatever_its_offset() -> None:
    """Corner case 10: completed late in the evening, west of Greenwich."""
    local = datetime(2025, 3, 20, 23, 30, tzinfo=timezone(timedelta(hours=-3)))
    played = order.given(*to_shipped).when(change(declare, now=local))
    completed_at = getattr(played.events[0], "completed_at", None)
    assert completed_at == datetime(2025, 3, 21, 2, 30, tzinfo=UTC)
    assert completed_at is not None
    assert completed_at.utcoffset() == timedelta(0)


# Reopening.


def test_a_reopened_order_completes_a_second_time() -> None:
    again = change(declare, now=PLACED + 12 * DAY)
    second = change(completed, completed_at=again.now, completion_no=2, late=True)
    order.given(*to_completed).when(reopen, again).then(reopened, second)


def test_a_payment_that_bounced_leaves_the_delivery_where_it_was() -> None:
    again = change(declare, now=PLACED + 12 * DAY)
    bounced = change(reopened, reason="PAYMENT_REVERSED")
    second = change(completed, completed_at=again.now, completion_no=2, late=False)
    order.given(*to_completed, bounced).when(again).then(second)


def test_goods_of_a_bounced_payment_may_be_delivered_once_more() -> None:
    bounced = change(reopened, reason="PAYMENT_REVERSED")
    again = change(deliver, now=PLACED + 9 * DAY)
    order.given(*to_completed, bounced).when(again).then(
        change(delivered, delivered_at=again.now, auto_complete_at=again.now + 7 * DAY)
    )


def test_a_reopened_order_can_be_delivered_reopened_and_cancelled_again() -> None:
    later = [PLACED + n * DAY for n in (10, 11, 12, 13)]
    played = order.given(*to_completed, reopened).when(
        change(deliver, now=later[0]),
        change(declare, now=later[1]),
        change(reopen, now=later[2]),
        change(cancel, now=later[3]),
    )
    played.then(
        change(delivered, delivered_at=later[0], auto_complete_at=later[0] + 7 * DAY),
        change(completed, completed_at=later[1], completion_no=2),
        change(reopened, reopened_at=later[2], completion_no=2),
        change(cancelled, cancelled_at=later[3]),
    )


# Delay.


def test_a_delay_is_attributed_once() -> None:
    order.given(*to_shipped).when(delay).then(delayed)
    order.given(*to_shipped, delayed).when(delay, change(delay, incident_id="I2")).then_nothing()


def test_a_moderator_who_names_another_incident_is_told_so() -> None:
    moderator = Actor(role="MODERATOR", id="M")
    order.given(*to_shipped, delayed).when(change(delay, actor=moderator)).then_nothing()
    order.given(*to_shipped, delayed).when(
        change(delay, actor=moderator, incident_id="I2")
    ).then_refused(AlreadySubmitted)


@pytest.mark.parametrize("stage", ["NONE", "PLACED", "PAID", "CANCELLED"])
def test_an_incident_that_touches_no_order_on_its_way_changes_nothing(stage: str) -> None:
    order.given(*HISTORIES[stage]).when(delay).then_nothing()


# Shape.

MANY = tuple(msgspec.structs.replace(line, line_id=str(n), quantity=1) for n in range(501))


@pytest.mark.parametrize(
    ("command", "field"),
    [
        (change(place, order_id="x" * 65), "order_id"),
        (change(place, order_id=""), "order_id"),
        (change(place, seller_id="a\nb"), "seller_id"),
        (change(place, buyer_id="S1"), "buyer_id"),
        (change(place, marketplace_id="\x00"), "marketplace_id"),
        (change(place, country="br"), "country"),
        (change(place, country="BRA"), "country"),
        (change(place, country="ÄÖ"), "country"),
        (change(place, country="XX"), "country"),
        (change(place, currency="BR"), "currency"),
        (change(place, currency="BR1"), "currency"),
        (change(place, currency="BRX"), "currency"),
        (change(place, placed_at=PLACED.replace(tzinfo=None)), "placed_at"),
        (change(place, placed_at=PLACED + TICK), "placed_at"),
        (change(place, now=PLACED.replace(tzinfo=None)), "now"),
        (change(place, deliver_by=PLACED.replace(tzinfo=None)), "deliver_by"),
        (change(place, order_discount_minor=-1), "order_discount_minor"),
        (change(place, order_discount_minor=3201, total_minor=0), "order_discount_minor"),
        (change(place, shipping_minor=-1), "shipping_minor"),
        (change(place, total_minor=2**53), "total_minor"),
        (change(place, total_ref_minor=-1), "total_ref_minor"),
        (change(place, total_ref_minor=2**53), "total_ref_minor"),
        (change(place, total_minor=3101), "total_minor"),
        (change(place, lines=()), "lines"),
        (change(place, lines=MANY), "lines"),
        (change(place, lines=(line, line)), "lines"),
        (change(place, lines=(change(line, line_id="x" * 65),)), "lines[0].line_id"),
        (change(place, lines=(change(line, line_id="1/2"),)), "lines[0].line_id"),
        (change(place, lines=(change(line, sku=""),)), "lines[0].sku"),
        (change(place, lines=(change(line, sku=".."),)), "lines[0].sku"),
        (change(place, lines=(change(line, category="home, garden"),)), "lines[0].category"),
        (change(place, lines=(change(line, category="\t"),)), "lines[0].category"),
        (change(place, lines=(change(line, quantity=0),)), "lines[0].quantity"),
        (change(place, lines=(change(line, quantity=1000),)), "lines[0].quantity"),
        (change(place, lines=(change(line, unit_price_minor=-1),)), "lines[0].unit_price_minor"),
        (
            change(place, lines=(change(line, line_discount_minor=3001),)),
            "lines[0].line_discount_minor",
        ),
        (change(pay, payment_ref=""), "payment_ref"),
        (change(pay, payment_ref="P\\1"), "payment_ref"),
        (change(pay, now=pay.now.replace(tzinfo=None)), "now"),
        (change(ship, tracking_id="x" * 65), "tracking_id"),
        (change(ship, deliver_by=PLACED.replace(tzinfo=None)), "deliver_by"),
        (change(cancel, reason=""), "reason"),
        (change(delay, incident_id=""), "incident_id"),
        (change(expire, now=expire.now.replace(tzinfo=None)), "now"),
    ],
)
def test_a_field_out_of_range_is_named(command: OrderCommand, field: str) -> None:
    played = order.when(command)
    assert isinstance(played.refused, InvalidValue)
    assert field in {error.field for error in played.refused.errors}


def test_every_field_out_of_range_is_named_at_once() -> None:
    bad = change(place, order_id="", country="?")
    order.when(bad).then_refused(
        InvalidValue,
        errors=[
            FieldError(field="order_id", bound=ID),
            FieldError(field="country", bound=COUNTRY),
        ],
    )


def test_nobody_is_paid_for_buying() -> None:
    given = change(place, order_discount_minor=3200, total_minor=0)
    assert order.when(given).refused is None
    order.when(change(given, order_discount_minor=3201)).then_refused(
        InvalidValue,
        errors=[
            FieldError(
                field="order_discount_minor",
                bound="not more than the lines and the shipping cost, 3200",
            )
        ],
    )
    whole = change(place, lines=(change(line, line_discount_minor=3000),), total_minor=400)
    assert order.when(whole).refused is None


def test_ids_are_in_the_letters_of_any_script() -> None:
    lines = (change(line, line_id="٣", sku="لمبة-٤", category="हिन्दी"),)
    named = change(place, order_id="注文番号7", seller_id="Größe & Söhne", lines=lines)
    assert order.when(named).refused is None


def test_the_shape_is_checked_before_the_sender() -> None:
    order.when(change(place, order_id="", actor=BUYER)).then_refused(InvalidValue)


def test_an_order_at_every_bound_is_taken() -> None:
    lines = tuple(change(line, line_id=f"{n:064}", line_discount_minor=3000) for n in range(500))
    largest = change(place, lines=lines, order_discount_minor=0, total_minor=500)
    assert order.when(largest).refused is None
