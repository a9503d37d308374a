"""What events say about whom: every row of the table of observations, both sides of each edge."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec import Struct
from reputation_service.domain.facts import Fact, Observed, OrderFact, Origin, micros
from reputation_service.domain.ledger import order_timeline
from reputation_service.domain.observations import (
    closed_return,
    dispute,
    inquiry,
    observation_day,
    observe,
    order,
    promptness,
)
from reputation_service.domain.policy import SlaRules
from shared_events.dispute import DisputeClosed, DisputeOpened, InquiryClosed
from shared_events.envelope import Recorded
from shared_events.orders import OrderCompleted, OrderPaid, OrderReopened
from shared_events.registry import tag_of
from shared_events.reputation import SubjectErased
from shared_events.returns import ReturnClosed
from shared_events.review import ReviewWeighted, WeightReason

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
DAY = 20_454
HOUR = 3600
SLA = SlaRules()
IDS: dict[str, Any] = {
    "order_id": "o1",
    "seller_id": "S1",
    "buyer_id": "B1",
    "policy_version": "p1",
}
ORIGIN = Origin("some.events", 5, 17)


def recorded(event: Struct, at: datetime = AT) -> Recorded[Any]:
    return Recorded(
        topic=ORIGIN.topic,
        partition=ORIGIN.partition,
        position=ORIGIN.position,
        event_id="e1",
        stream="stream",
        version=1,
        type=tag_of(event),
        time=at,
        recorded_at=at,
        key="S1",
        actor="system:test",
        correlation_id="o1",
        causation_id="c1",
        event=event,
    )


def observed(event: Struct, at: datetime = AT) -> list[Observed]:
    return observe(recorded(event, at), SLA)


def observations(event: Struct) -> list[Fact]:
    return [fact for fact in observed(event) if isinstance(fact, Fact)]


def weighted(**fields: Any) -> ReviewWeighted:  # noqa: ANN401 - any field of the event
    said: dict[str, Any] = {
        "review_id": "r1",
        "side": "BUYER",
        "seq": 1,
        "quality": 5,
        "logistics": 3,
        "service": 1,
        "weight_milli": 1000,
        "reasons": [WeightReason(code="FULL", effect_milli=1000)],
        "excluded_dimensions": [],
        "counted_at": AT,
        "decided_by": "RULE",
    }
    return ReviewWeighted(**(IDS | said | fields))


# --- Reviews ---------------------------------------------------------------------------------


def test_a_buyers_review_is_three_observations_about_the_seller() -> None:
    facts = observed(weighted(seq=3, weight_milli=400))
    assert facts == [
        Fact("S1", dimension, "r1", 3, DAY, 400, k, micros(AT), ("FULL",), ORIGIN)
        for dimension, k in [("quality", 4), ("logistics", 2), ("service", 0)]
    ]


def test_an_excluded_dimension_weighs_nothing_and_says_why() -> None:
    facts = observations(weighted(excluded_dimensions=["LOGISTICS"]))
    told = {fact.dimension: (fact.weight_milli, fact.reasons) for fact in facts}
    assert told == {
        "quality": (1000, ("FULL",)),
        "logistics": (0, ("REATTRIBUTED",)),
        "service": (1000, ("FULL",)),
    }


def test_a_removed_review_is_remembered_as_weighing_nothing() -> None:
    held = [WeightReason(code="HELD", effect_milli=0)]
    removed = weighted(weight_milli=0, reasons=held, excluded_dimensions=["LOGISTICS"], seq=2)
    facts = [(fact.weight_milli, fact.reasons) for fact in observations(removed)]
    assert facts == [(0, ("HELD",))] * 3


def test_a_sellers_review_is_about_the_buyers_conduct() -> None:
    facts = observed(weighted(side="SELLER", quality=None, logistics=None, service=None, rating=2))
    assert facts == [Fact("B1", "conduct", "r1", 1, DAY, 1000, 1, micros(AT), ("FULL",), ORIGIN)]


def test_an_observation_never_lies_after_its_recording() -> None:
    later = AT + timedelta(days=3)
    assert [fact.day for fact in observed(weighted(counted_at=later))] == [DAY] * 3
    assert [fact.day for fact in observed(weighted(), later)] == [DAY] * 3
    assert observation_day(micros(later), micros(AT)) == DAY
    midnight = AT.replace(hour=0)
    assert observed(weighted(counted_at=midnight))[0].day == DAY
    assert observed(weighted(counted_at=midnight - timedelta(microseconds=1)))[0].day == DAY - 1


# --- Promptness ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hours", "k"),
    [
        (0, 4),
        (125, 4),
        (125.01, 3),
        (175, 3),
        (175.01, 2),
        (225, 2),
        (225.01, 1),
        (275, 1),
        (275.01, 0),
        (9999, 0),
    ],
)
def test_promptness_falls_step_by_step_after_the_sla(hours: float, k: int) -> None:
    assert promptness(round(hours * HOUR), 100 * HOUR) == k


@pytest.mark.parametrize(("halves", "k"), [(0, 0), (1, 2), (2, 4)])
def test_promptness_is_halved_or_lost_by_the_way_of_deciding(halves: int, k: int) -> None:
    assert promptness(0, HOUR, halves) == k


# --- Inquiries -------------------------------------------------------------------------------


def closed_inquiry(**fields: Any) -> InquiryClosed:  # noqa: ANN401 - any field of the event
    said: dict[str, Any] = {
        "inquiry_id": "i1",
        "type": "InquiryClosed.v1",
        "reason": "IDLE",
        "answered": True,
        "within_sla": True,
        "response_seconds": HOUR,
        "sla_seconds": 24 * HOUR,
        "closed_at": AT,
    }
    return msgspec.convert(IDS | said | fields, InquiryClosed)


def test_an_answered_inquiry_is_as_good_as_it_was_prompt() -> None:
    (fact,) = observed(closed_inquiry())
    assert fact == Fact("S1", "inquiries", "i1", 1, DAY, 1000, 4, micros(AT), (), ORIGIN)
    slow = inquiry(
        inquiry_id="i1",
        reason="IDLE",
        answered=True,
        response_seconds=48 * HOUR,
        sla_seconds=24 * HOUR,
    )
    assert slow[0].k == 2


def test_an_unanswered_inquiry_is_bad_unless_it_resolved_itself_or_was_not_yet_due() -> None:
    for reason, overdue, expected in [
        ("IDLE", None, [0]),
        ("IDLE", True, [0]),
        ("CONVERTED", True, [0]),
        ("CONVERTED", False, []),
        ("RESOLVED", True, []),
    ]:
        said = inquiry(
            inquiry_id="i1",
            reason=reason,
            answered=False,
            response_seconds=None,
            sla_seconds=HOUR,
            overdue=overdue,
        )
        assert [each.k for each in said] == expected


# --- Disputes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "weight_and_k"),
    [
        ({"how": "WITHDRAWN"}, None),
        ({"how": "PLATFORM", "liable": "PLATFORM"}, None),
        ({"how": "DEFAULT"}, (3000, 0)),
        ({"how": "DEFAULT", "resolved_by_seller": True}, (3000, 0)),
        ({"resolved_by_seller": True, "first_response_seconds": 96 * HOUR}, (1000, 4)),
        ({"resolved_by_seller": True, "first_response_seconds": 96 * HOUR + 1}, (1000, 3)),
        ({"resolved_by_seller": True, "first_response_seconds": None}, (1000, 3)),
        ({"liable": "SELLER", "seller_fault_pct": 100}, (2000, 0)),
        ({"liable": "SELLER", "seller_fault_pct": 88}, (2000, 0)),
        ({"liable": "SELLER", "seller_fault_pct": 87}, (2000, 1)),
        ({"liable": "SELLER", "seller_fault_pct": 50}, (2000, 2)),
        ({"liable": "SELLER", "seller_fault_pct": 0}, (2000, 4)),
        ({"liable": "SELLER", "resolved_by_seller": True}, (1000, 4)),
        ({"liable": "BUYER"}, (250, 4)),
        ({"liable": "CARRIER", "first_response_seconds": 96 * HOUR}, (250, 2)),
        ({"liable": "NOBODY", "first_response_seconds": None}, None),
    ],
)
def test_a_dispute_is_what_the_seller_did_with_it(
    fields: dict[str, Any], weight_and_k: tuple[int, int] | None
) -> None:
    usual: dict[str, Any] = {
        "dispute_id": "d1",
        "how": "DECIDED",
        "liable": "BUYER",
        "resolved_by_seller": False,
        "seller_fault_pct": 0,
        "first_response_seconds": HOUR,
        "sla_seconds": 48 * HOUR,
    }
    said = dispute(**(usual | fields))
    assert [(each.weight_milli, each.k) for each in said] == (
        [weight_and_k] if weight_and_k else []
    )


def test_a_closed_dispute_is_observed_once_and_a_withdrawn_one_only_as_a_fact_of_its_order() -> (
    None
):
    said: dict[str, Any] = {
        "type": "DisputeClosed.v1",
        "dispute_id": "d1",
        "how": "DECIDED",
        "reason": "DAMAGED",
        "lines": [{"line_id": "1", "quantity": 1, "units": "1/1"}],
        "result": "REFUNDED",
        "currency": "BRL",
        "refunded_minor": 100,
        "liable": "SELLER",
        "resolved_by_seller": False,
        "buyer_abuse": False,
        "seller_fault_pct": 100,
        "stage_reached": "DECIDED",
        "opened_at": AT,
        "closed_at": AT,
        "held_released_minor": 0,
    }
    lost = msgspec.convert(IDS | said, DisputeClosed)
    assert observed(lost) == [Fact("S1", "dispute", "d1", 1, DAY, 2000, 0, micros(AT), (), ORIGIN)]
    withdrawn = msgspec.convert(IDS | said | {"how": "WITHDRAWN"}, DisputeClosed)
    assert observed(withdrawn) == [
        OrderFact("S1", "o1", "DISPUTE_WITHDRAWN", "d1", 0, micros(AT), ORIGIN)
    ]


# --- Returns ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "k"),
    [
        ({}, 4),
        ({"timely": False}, 2),
        ({"forced": True}, 0),
        ({"decision_seconds": None}, 4),
        ({"decision_seconds": 144 * HOUR}, 2),
        ({"kind": "WITHDRAWAL"}, None),
        ({"kind": "WITHDRAWAL", "timely": False}, 2),
        ({"remedy_id": "m1"}, None),
        ({"resolution": "CANCELLED"}, None),
        ({"resolution": "EXPIRED"}, None),
        ({"resolution": "CONTESTED"}, None),
    ],
)
def test_a_return_is_as_good_as_its_decision_was_prompt_and_free(
    fields: dict[str, Any], k: int | None
) -> None:
    usual: dict[str, Any] = {
        "return_id": "t1",
        "kind": "DEFECT",
        "resolution": "REFUNDED",
        "timely": True,
        "forced": False,
        "decision_seconds": HOUR,
        "remedy_id": None,
        "sla_seconds": 72 * HOUR,
    }
    said = closed_return(**(usual | fields))
    assert [(each.weight_milli, each.k) for each in said] == ([(1000, k)] if k is not None else [])


def test_a_closed_return_is_observed_as_of_its_closing() -> None:
    said: dict[str, Any] = {
        "type": "ReturnClosed.v1",
        "return_id": "t1",
        "kind": "RETURN",
        "reason": "DEFECTIVE",
        "resolution": "REFUNDED",
        "units": [],
        "currency": "BRL",
        "refunded_minor": 100,
        "seller_at_fault": True,
        "timely": True,
        "forced": False,
        "closed_at": AT - timedelta(days=1),
    }
    closed = msgspec.convert(IDS | said, ReturnClosed)
    assert observed(closed) == [
        Fact("S1", "returns", "t1", 1, DAY - 1, 1000, 4, micros(AT), (), ORIGIN)
    ]


# --- Orders ----------------------------------------------------------------------------------


def completed(number: int = 1) -> OrderCompleted:
    return OrderCompleted(
        **IDS,
        completed_at=AT,
        completion_no=number,
        how="FEED",
        total_ref_minor=100,
        late=False,
    )


def test_an_order_without_a_dispute_is_a_small_good_thing() -> None:
    (fact,) = observed(completed())
    assert fact == OrderFact("S1", "o1", "COMPLETED", 1, DAY, micros(AT), ORIGIN)
    assert isinstance(fact, OrderFact)
    (step,) = order_timeline([fact])
    assert (step.dimension, step.entity_id, step.weight_milli, step.k) == (
        "dispute",
        "order:o1",
        250,
        4,
    )


def _of(kind: Any, ref: int | str, day: int = DAY) -> OrderFact:  # noqa: ANN401 - its literals
    return OrderFact("S1", "o1", kind, ref, day, 0)


def test_an_orders_worth_is_a_function_of_the_set_of_its_facts() -> None:
    first, second = _of("COMPLETED", 1, DAY), _of("COMPLETED", 2, DAY + 9)
    undone, opened = _of("REOPENED", 1), _of("DISPUTE_OPENED", "d1")
    withdrawn, other = _of("DISPUTE_WITHDRAWN", "d1"), _of("DISPUTE_OPENED", "d2")
    worth = {
        (first,): DAY,
        (): None,
        (undone,): None,
        (first, undone): None,
        (undone, first): None,
        (first, undone, second): DAY + 9,
        (second, first): DAY + 9,
        (first, second, _of("REOPENED", 2)): None,
        (first, opened): None,
        (withdrawn, first, opened): DAY,
        (first, opened, withdrawn, other): None,
        (withdrawn, first): DAY,
    }
    for facts, day in worth.items():
        found = order(facts)
        assert (found and found.day) == day
        assert found is None or found[1:3] == (250, 4)


def test_events_about_an_order_become_its_facts() -> None:
    reopened = OrderReopened(**IDS, reopened_at=AT, completion_no=1, reason="CARRIER_CORRECTION")
    assert observed(reopened) == [OrderFact("S1", "o1", "REOPENED", 1, 0, micros(AT), ORIGIN)]
    opened = msgspec.convert(
        IDS
        | {
            "type": "DisputeOpened.v1",
            "dispute_id": "d1",
            "reason": "DAMAGED",
            "lines": [{"line_id": "l1", "quantity": 1, "units": "l1/1"}],
            "proposal_id": "q1",
            "outcome": "REFUND_FULL",
            "currency": "BRL",
            "ceiling_minor": 100,
            "held_minor": 100,
            "opened_at": AT,
            "answer_due": AT,
            "auto_escalate_at": AT,
            "buyer_may_escalate_at": AT,
            "seller_may_escalate_at": AT,
        },
        DisputeOpened,
    )
    assert observed(opened) == [
        OrderFact("S1", "o1", "DISPUTE_OPENED", "d1", 0, micros(AT), ORIGIN)
    ]


def test_what_no_score_reads_is_no_fact() -> None:
    paid = OrderPaid(**IDS, paid_at=AT, payment_ref="x")
    assert observed(paid) == []


def test_r11_erasing_a_person_changes_nothing_here() -> None:
    erased = SubjectErased(account_kind="BUYER", buyer_id="B1", policy_version="p1", erased_at=AT)
    assert observed(erased) == []
