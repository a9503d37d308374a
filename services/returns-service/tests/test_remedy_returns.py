"""What a dispute has ordered is carried out by a return: one of its own, or one that is there."""

from typing import Any

import pytest
from returns_service.domain.cancelling import CancelReturn
from returns_service.domain.remedy_returns import AttachRemedy, OpenRemedyReturn, WithGoods
from returns_service.testing import BUYER, SYSTEM
from returns_service.testing.returns import (
    IDS,
    A,
    accepted,
    at,
    authorized,
    kinds,
    pieces_of,
    played,
    received,
    requested,
    return_of,
    reviewed,
    say,
    shipped,
    withdrawn,
)
from shared_events.dispute import Liable
from shared_events.returns import (
    RemedyAttached,
    ReturnAuthorized,
    ReturnClosed,
    ReturnEvent,
    ReturnExpired,
    ReturnRequested,
)
from shared_runtime.decider import InvalidValue, RoleNotAllowed

U, V = "1/1", "1/2"
CLAIM = requested(U, kind="CLAIM", reason="MISSING_PARTS", asked_minor=1000)


def remedy(*units: str, **told: Any) -> OpenRemedyReturn:  # noqa: ANN401 - any field
    said: dict[str, Any] = {
        "outcome": "RETURN_AND_REFUND",
        "reason": "NOT_AS_DESCRIBED",
        "liable": "SELLER",
        "seller_at_fault": True,
    }
    return OpenRemedyReturn(return_id="RT-1", remedy_id="RM-1", units=units, **(said | told))


def attach(*units: str, **told: Any) -> AttachRemedy:  # noqa: ANN401 - any field
    said: dict[str, Any] = {"reason": "COUNTERFEIT", "liable": "SELLER", "seller_at_fault": True}
    return AttachRemedy(remedy_id="RM-1", units=units, **(said | told))


def opened(said: OpenRemedyReturn, **known: Any) -> tuple[ReturnRequested, ReturnAuthorized]:  # noqa: ANN401
    first, second = played(say(said, at(90), SYSTEM, **known)).events
    assert isinstance(first, ReturnRequested)
    assert isinstance(second, ReturnAuthorized)
    return first, second


@pytest.mark.parametrize(
    ("outcome", "kind", "wants", "goods_back"),
    [
        ("RETURN_AND_REFUND", "RETURN", "REFUND", True),
        ("EXCHANGE", "EXCHANGE", "EXCHANGE", True),
        ("REPLACEMENT_NO_RETURN", "CLAIM", "REPLACEMENT", False),
    ],
)
def test_a_remedy_opens_a_return_outside_of_all_windows(
    outcome: WithGoods, kind: str, wants: str, goods_back: bool
) -> None:
    asked, given = opened(remedy(U, V, outcome=outcome), erased=True)
    assert (asked.origin, asked.kind, asked.wants, asked.remedy_id) == (
        "DISPUTE",
        kind,
        wants,
        "RM-1",
    )
    assert (asked.liable, asked.seller_at_fault) == ("SELLER", True)
    assert (given.lane, given.by, given.goods_back) == ("STANDARD", "RULE", goods_back)
    assert given.rule_trace == ["D1:pass:DISPUTE"]
    assert (given.stock_due is not None) == (kind == "CLAIM")
    told = return_of([asked, given])
    assert (told.remedy_id, told.forced, told.seller_at_fault) == ("RM-1", True, True)


@pytest.mark.parametrize(
    ("liable", "fault", "payer"),
    [("PLATFORM", False, "PLATFORM"), ("CARRIER", False, "SELLER"), ("NONE", False, "BUYER")],
)
def test_its_label_is_paid_by_whom_the_dispute_has_found(
    liable: Liable, fault: bool, payer: str
) -> None:
    _, given = opened(remedy(U, liable=liable, seller_at_fault=fault))
    assert given.label_paid_by == payer


def test_it_takes_the_pieces_that_no_return_has_though_a_dispute_has_them() -> None:
    pieces = pieces_of(A, in_return={U: "RT-9"}, in_dispute={V: "D-1"})
    asked, _ = opened(remedy(U, V), pieces=pieces)
    assert asked.units == [V]
    none = played(say(remedy(U), at(90), SYSTEM, pieces=pieces))
    assert (none.events, none.refused) == ([], None)


def test_goods_that_the_seller_has_already_are_only_looked_at() -> None:
    there = pieces_of(A, came_unasked={U: True})
    _, given = opened(remedy(U), pieces=there)
    assert (given.ship_by, given.inspect_by) == (None, at(92))


def test_it_is_a_machines_and_once() -> None:
    first = played(say(remedy(U), at(90), SYSTEM)).events
    assert played(say(remedy(U), at(91), SYSTEM), after=first).events == []
    assert isinstance(played(say(remedy(U), at(90), BUYER)).refused, RoleNotAllowed)


# --- A return that is there


def test_pieces_that_are_on_their_way_stay_there() -> None:
    history = (requested(U, V, reason="CHANGE_OF_MIND"), authorized(U, V), shipped(U))
    (told,) = played(say(attach(U), at(6), SYSTEM), after=history).events
    assert isinstance(told, RemedyAttached)
    after = return_of([*history, told])
    assert (after.kind, after.remedy_id, after.status) == ("RETURN", "RM-1", "AUTHORIZED")
    assert [after.seller_at_fault_for(unit) for unit in (U, V)] == [True, False]


def test_what_nobody_has_decided_is_authorized_at_once() -> None:
    told, given = played(say(attach(U), at(6), SYSTEM), after=(requested(U), reviewed())).events
    assert isinstance(given, ReturnAuthorized)
    assert (given.by, given.lane, given.rule_trace) == ("RULE", "STANDARD", ["D1:pass:DISPUTE"])
    assert kinds([told]) == ["RemedyAttached"]


@pytest.mark.parametrize(
    "history",
    [
        (CLAIM, reviewed()),
        (CLAIM, authorized(U, kind="CLAIM", goods_back=False, ship_by=None, amount_minor=1000)),
    ],
)
def test_a_claim_of_money_becomes_a_return_of_the_goods(history: tuple[ReturnEvent, ...]) -> None:
    _, given = played(say(attach(U), at(6), SYSTEM), after=history).events
    assert isinstance(given, ReturnAuthorized)
    assert (given.kind, given.goods_back, given.ship_by) == ("RETURN", True, at(19))
    told = return_of([*history, given])
    assert (told.status, told.kind, told.wants) == ("AUTHORIZED", "RETURN", "REFUND")


def test_a_claim_that_waits_for_a_replacement_goes_on() -> None:
    history = (
        requested(U, kind="CLAIM", wants="REPLACEMENT"),
        authorized(U, kind="CLAIM", goods_back=False, ship_by=None),
    )
    done = played(say(attach(U), at(6), SYSTEM), after=history)
    assert kinds(done.events) == ["RemedyAttached"]


def test_what_is_accepted_or_has_left_is_not_attached() -> None:
    whole = (requested(U, V), authorized(U, V), shipped(U), received(U), accepted(U))
    (told,) = played(say(attach(U, V), at(12), SYSTEM), after=whole).events
    assert isinstance(told, RemedyAttached)
    assert told.units == [V]
    assert played(say(attach(U), at(12), SYSTEM), after=whole).events == []
    again = played(say(attach(U, V), at(13), SYSTEM), after=[*whole, told])
    assert again.events == []
    gone = played(say(CancelReturn(), at(4)), after=(requested(U), reviewed())).events
    after = [requested(U), reviewed(), *gone]
    assert played(say(attach(U), at(12), SYSTEM), after=after).events == []
    foreign = played(say(attach("9/1"), at(12), SYSTEM), after=whole)
    assert isinstance(foreign.refused, InvalidValue)


def test_case_50_a_withdrawal_that_is_never_sent_ends_the_remedy_without_goods() -> None:
    history = withdrawn(U)
    (told,) = played(say(attach(U), at(6), SYSTEM), after=history).events
    expired = ReturnExpired(**IDS, units=[U], ship_by=at(25))
    after = return_of([*history, told, expired])
    assert after.pieces[U].where == "EXPIRED"
    assert after.remedy_id == "RM-1"


def test_a_buyer_may_cancel_what_a_dispute_has_won_him() -> None:
    first = played(say(remedy(U), at(90), SYSTEM)).events
    *_, closed = played(say(CancelReturn(), at(91)), after=first).events
    assert isinstance(closed, ReturnClosed)
    assert (closed.resolution, closed.remedy_id, closed.forced) == ("CANCELLED", "RM-1", True)
