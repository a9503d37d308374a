"""What a buyer is told before he asks is what he would be answered."""

from itertools import product
from typing import Any, get_args

import pytest
from msgspec.structs import replace
from returns_service.domain.eligibility import Asking, PieceForecast, eligibility
from returns_service.domain.known import BuyerFacts, DeclinedRequest, Known
from returns_service.domain.return_request import WANTED, RequestReturn
from returns_service.domain.tables import ASKED_REASONS, SELLERS_FAULT, ReturnMeasure
from returns_service.domain.wanted import WantedLine
from returns_service.domain.withdrawing import DeclareWithdrawal
from returns_service.testing import BUYER, TICK
from returns_service.testing.returns import DAY, E, at, knowing, pieces_of, played, say, words
from shared_casework.order_facts import Stage
from shared_events.returns import AskedKind, ReturnAuthorized, ReturnReviewRequired
from shared_runtime.decider import InvalidValue
from shared_runtime.rule import By

PIECE = "1/1"
ONE = (WantedLine(line_id="1", quantity=1),)
SIZES = ("size_ordered", "size_felt", "size_measured")
NOT_THERE_YET: dict[str, Any] = {"delivered_at": None, "received_at": None, "completed_at": None}
DECLINED = DeclinedRequest("RETURN", "DAMAGED")
STANDS: list[dict[str, Any]] = [
    {},
    {"in_return": "RT-9"},
    {"in_dispute": "D-9"},
    {"in_contest": "RT-9"},
    {"kept_by": "o-9"},
    {"declined": DECLINED},
    {"declined": DECLINED, "asked_again": True},
]
"""What may be known of a piece."""
ENDS_OF_WINDOW = [at(16) - TICK, at(16)]
ENDS_OF_WITHDRAWAL = [at(22) - TICK, at(22), at(22) + 365 * DAY - TICK, at(22) + 365 * DAY]
NOT_THERE: tuple[Stage, ...] = ("PLACED", "PAID", "SHIPPED", "CANCELLED")
THERE: tuple[Stage, ...] = ("SHIPPED", "DELIVERED", "COMPLETED", "CANCELLED")
ORDERS = [
    *(replace(E, stage=stage, **NOT_THERE_YET) for stage in NOT_THERE),
    *(replace(E, stage=stage) for stage in THERE),
]
MEASURES: list[frozenset[ReturnMeasure]] = [
    frozenset(),
    frozenset({"MANUAL_ONLY"}),
    frozenset({"NO_FAST_LANE"}),
]
ASKINGS = [
    Asking(kind=kind, reason=reason, proof=proof)
    for kind, reason, proof in product(get_args(AskedKind.__value__), ASKED_REASONS, (True, False))
    if kind != "CLAIM" or reason in SELLERS_FAULT
]


def told(asking: Asking | None, known: Known, now: Any) -> PieceForecast:  # noqa: ANN401 - an instant
    (piece,) = eligibility(asking, By(actor=BUYER, now=now, known=known))
    return piece


def request_of(asking: Asking) -> RequestReturn:
    wants = WANTED[asking.kind][-1]
    shown: dict[str, Any] = {}
    if asking.proof:
        shown = {"media": (words("media"),), "media_sha256": ("0" * 64,)}
        shown |= dict.fromkeys(SIZES, "42")
    return RequestReturn(
        return_id="RT-1", kind=asking.kind, lines=ONE, reason=asking.reason, wants=wants, **shown
    )


def slug(refused: Any) -> str | None:  # noqa: ANN401 - a refusal, or none
    return refused.slug() if refused else None


@pytest.mark.parametrize("asking", ASKINGS, ids=str)
def test_what_is_foretold_of_a_request_is_its_answer(asking: Asking) -> None:
    for order, stands, now in product(ORDERS, STANDS, ENDS_OF_WINDOW):
        known = knowing(
            order, pieces=pieces_of(order, **{f: {PIECE: v} for f, v in stands.items()})
        )
        foretold = told(asking, known, now)
        command = say(request_of(asking), now, of=order, pieces=known.pieces)
        assert slug(foretold.asking.why_not) == slug(played(command).refused), (order, stands, now)


@pytest.mark.parametrize("total_ref", [2000, 2001, 10_000, 10_001, 49_999, 50_000])
def test_who_decides_and_by_which_tests_is_foretold_too(total_ref: int) -> None:
    order = replace(E, total_ref_minor=total_ref, total_minor=8999, shipping_minor=0)
    for asking, in_force in product(ASKINGS, MEASURES):
        buyer = BuyerFacts(measures=in_force)
        done = played(say(request_of(asking), at(3), of=order, buyer=buyer))
        if done.refused:
            continue
        forecast = told(asking, knowing(order, buyer=buyer), at(3)).forecast
        assert forecast
        _, answer = done.events
        if isinstance(answer, ReturnAuthorized):
            assert (forecast.lane, forecast.review_by) == (answer.lane, None)
            assert forecast.label_paid_by == answer.label_paid_by
        else:
            assert isinstance(answer, ReturnReviewRequired)
            assert (forecast.lane, forecast.review_by) == (None, answer.by)
        assert [*forecast.trace] == answer.rule_trace


def test_what_is_foretold_of_a_withdrawal_is_its_answer() -> None:
    for order, stands, now in product(ORDERS, STANDS, ENDS_OF_WITHDRAWAL):
        for changes in ({}, {"withdrawal_right": False}, {"withdrawal_informed": False}):
            changed = replace(order, **changes)
            facts = {field: {PIECE: value} for field, value in stands.items()}
            known = knowing(changed, pieces=pieces_of(changed, **facts))
            foretold = told(None, known, now).withdrawing
            command = say(
                DeclareWithdrawal(return_id="RT-1", lines=ONE), now, of=changed, pieces=known.pieces
            )
            assert slug(foretold.why_not) == slug(played(command).refused), (changed, stands, now)


def test_a_claim_of_what_is_nobody_s_fault_is_not_foretold() -> None:
    with pytest.raises(InvalidValue) as refused:
        told(Asking(kind="CLAIM", reason="CHANGE_OF_MIND", proof=True), knowing(E), at(3))
    assert [each.field for each in refused.value.errors] == ["reason"]
