"""The legal withdrawal: in two steps, without a reason, and never declined."""

from typing import Any

from msgspec.structs import replace
from returns_service.domain.cancelling import CancelReturn
from returns_service.domain.inspecting import AcceptByDefault
from returns_service.domain.known import BuyerFacts, Draft
from returns_service.domain.wanted import WantedLine
from returns_service.domain.withdrawing import AskForGoods, ConfirmWithdrawal, DeclareWithdrawal
from returns_service.testing import SELLER, SYSTEM, TICK
from returns_service.testing.returns import (
    DAY,
    FILE,
    A,
    B,
    accepted,
    at,
    handed_over,
    kinds,
    knowing,
    pieces_of,
    played,
    return_of,
    say,
    withdrawn,
    words,
)
from shared_casework.order_facts import OrderFacts
from shared_events.returns import (
    ReturnAuthorized,
    ReturnEvent,
    UnitsAccepted,
    WithdrawalConfirmed,
)
from shared_runtime.decider import (
    AlreadySubmitted,
    DuplicateOpen,
    InvalidValue,
    NotReturnable,
    QuantityExceeded,
    RoleNotAllowed,
    WindowClosed,
    WrongState,
)

PAID = replace(
    A,
    stage="PAID",
    shipped_at=None,
    delivered_at=None,
    received_at=None,
    completed_at=None,
    completion_no=0,
)


def declare(quantity: int = 1, line_id: str = "1") -> DeclareWithdrawal:
    lines = (WantedLine(line_id=line_id, quantity=quantity),)
    return DeclareWithdrawal(return_id="RT-1", lines=lines)


CONFIRM = ConfirmWithdrawal(content=words("content"), content_sha256=FILE)


def declared(now: Any = at(10, 12), of: OrderFacts = A, quantity: int = 1) -> list[ReturnEvent]:  # noqa: ANN401, B008
    done = played(say(declare(quantity), now, of=of))
    assert done.refused is None, done.refused
    return [*done.events]


def test_g38_it_is_declared_and_confirmed_and_needs_no_reason() -> None:
    (draft,) = declared()
    assert kinds([draft]) == ["WithdrawalDeclared"]
    assert return_of([draft]).status == "DRAFT"
    now = at(10, 12, 2, 7)
    done = played(say(CONFIRM, now), after=[draft])
    confirmed, given = done.events
    assert isinstance(confirmed, WithdrawalConfirmed)
    assert isinstance(given, ReturnAuthorized)
    assert (confirmed.confirmed_at, confirmed.refund_due) == (now, at(24, 12, 2, 7))
    assert (confirmed.units, confirmed.content_sha256) == (["1/1"], FILE)
    assert (given.lane, given.by, given.label_paid_by) == ("STATUTORY", "RULE", "BUYER")
    assert (given.ship_by, given.label_due) == (now + 21 * DAY, None)
    assert given.rule_trace == ["D1:fail:BUYER", "D2:pass:WITHDRAWAL"]


def test_law_25_nothing_of_value_or_trust_is_looked_at() -> None:
    nobody = BuyerFacts(measures=frozenset({"MANUAL_ONLY"}), exposure_ref_minor=10**9)
    done = played(say(declare(), at(10), buyer=nobody), say(CONFIRM, at(10), buyer=nobody))
    assert return_of(done.events).lane == "STATUTORY"


def test_case_31_the_second_step_is_in_time_though_the_window_has_ended_meanwhile() -> None:
    draft = declared(at(22, 9, 50))
    confirmed, _ = played(say(CONFIRM, at(22, 10, 10)), after=draft).events
    assert isinstance(confirmed, WithdrawalConfirmed)
    assert confirmed.refund_due == at(36, 10, 10)


def test_the_window_is_that_of_the_law_and_ends_to_the_microsecond() -> None:
    assert declared(at(22) - TICK)
    done = played(say(declare(), at(22)))
    done.then_refused(WindowClosed, closed_at=at(22))
    uninformed = replace(A, withdrawal_informed=False)
    assert declared(at(22) + 365 * DAY - TICK, uninformed)
    assert isinstance(
        played(say(declare(), at(22) + 365 * DAY, of=uninformed)).refused, WindowClosed
    )


def test_what_has_not_been_delivered_can_be_withdrawn_from_at_any_time() -> None:
    assert declared(at(1) + 400 * DAY, PAID)
    placed = replace(PAID, stage="PLACED")
    assert isinstance(played(say(declare(), at(2), of=placed)).refused, WrongState)


def test_it_is_confirmed_within_a_day() -> None:
    draft = declared(at(10))
    assert played(say(CONFIRM, at(11) - TICK), after=draft).events
    played(say(CONFIRM, at(11)), after=draft).then_refused(WindowClosed, closed_at=at(11))
    timer = played(say(CancelReturn(), at(11), SYSTEM), after=draft)
    assert kinds(timer.events) == ["ReturnCancelled", "ReturnClosed"]
    early = played(say(CancelReturn(), at(11) - TICK, SYSTEM), after=draft)
    assert early.events == []


def test_a_draft_takes_no_piece_and_there_is_one_for_an_order() -> None:
    other = Draft(return_id="RT-8", confirm_by=at(11))
    done = played(say(declare(), at(10), draft=other))
    done.then_refused(DuplicateOpen, existing_id="RT-8")
    too_many = played(say(declare(4), at(10), draft=other))
    too_many.then_refused(DuplicateOpen, existing_id="RT-8")
    assert isinstance(played(say(declare(), at(22), draft=other)).refused, WindowClosed)
    assert played(say(declare(), at(11), draft=other)).events, "its timer is late, and it is over"


def test_the_second_step_takes_the_pieces_that_no_return_has_by_then() -> None:
    draft = declared(at(10), quantity=2)
    meanwhile = pieces_of(A, in_return={"1/1": "RT-9"})
    confirmed, _ = played(say(CONFIRM, at(10, 11), pieces=meanwhile), after=draft).events
    assert isinstance(confirmed, WithdrawalConfirmed)
    assert confirmed.units == ["1/2", "1/3"]
    more = pieces_of(A, in_return={"1/1": "RT-9", "1/2": "RT-9"})
    done = played(say(CONFIRM, at(10, 11), pieces=more), after=draft)
    done.then_refused(QuantityExceeded, line_id="1", free=1)


def test_neither_a_dispute_nor_money_that_was_given_keeps_anybody_from_it() -> None:
    kept = pieces_of(A, kept_by={"1/1": "o-1"}, in_dispute={"1/1": "D-1"})
    ledger = knowing().ledger
    assert ledger
    nothing = replace(ledger, units=dict.fromkeys(ledger.units, 0))
    assert played(say(declare(), at(10), pieces=kept, ledger=nothing)).events


def test_what_may_not_be_withdrawn_from_is_named() -> None:
    without = replace(A, withdrawal_right=False)
    done = played(say(declare(), at(10), of=without))
    assert isinstance(done.refused, NotReturnable)
    assert done.refused.category is None
    first, second = B.lines
    sealed = replace(B, lines=[first, replace(second, category="HYGIENE_UNSEALED")])
    done = played(say(declare(line_id="2"), at(10), of=sealed))
    done.then_refused(NotReturnable, category="HYGIENE_UNSEALED")
    assert played(say(declare(), at(10), of=sealed)).events, "of the other line"
    assert isinstance(played(say(declare(line_id="9"), at(10))).refused, InvalidValue)


def test_each_step_is_once() -> None:
    draft = declared(at(10))
    assert played(say(declare(), at(10, 11)), after=draft).events == []
    played(say(declare(2), at(10, 11)), after=draft).then_refused(
        AlreadySubmitted, existing_id="RT-1"
    )
    whole = [*draft, *played(say(CONFIRM, at(10, 11)), after=draft).events]
    assert played(say(CONFIRM, at(20)), after=whole).events == []
    assert isinstance(played(say(CONFIRM, at(10), SELLER), after=draft).refused, RoleNotAllowed)


def test_of_what_was_never_shipped_nothing_goes_back() -> None:
    draft = declared(at(10), PAID)
    done = played(say(CONFIRM, at(10, 11), of=PAID), after=draft)
    _, given = done.events
    assert isinstance(given, ReturnAuthorized)
    assert (given.goods_back, given.ship_by) == (False, None)
    told = return_of([*draft, *done.events])
    assert (told.status, told.goods_back) == ("AUTHORIZED", False)


def test_goods_that_the_seller_has_already_are_only_looked_at() -> None:
    """He declined the return that they came for, and could keep them: nobody can send them."""
    there = pieces_of(A, came_unasked={"1/1": True})
    draft = declared(at(10), quantity=2)
    done = played(say(CONFIRM, at(10, 11), pieces=there), after=draft)
    _, away, here = done.events
    assert isinstance(away, ReturnAuthorized)
    assert isinstance(here, ReturnAuthorized)
    assert (away.units, away.inspect_by) == (["1/2"], None)
    assert (here.units, here.ship_by, here.inspect_by) == (["1/1"], None, at(12, 11))
    whole = [*draft, *done.events]
    (paid,) = played(say(AcceptByDefault(), at(12, 11), SYSTEM), after=whole).events
    assert isinstance(paid, UnitsAccepted)
    assert [each.unit for each in paid.units] == ["1/1"]


def test_what_was_shipped_after_all_is_asked_back() -> None:
    """It has to arrive first."""
    before = withdrawn("1/1", goods_back=False)
    done = played(say(AskForGoods(), at(5), SYSTEM), after=before)
    (asked,) = done.events
    assert isinstance(asked, ReturnAuthorized)
    assert (asked.units, asked.goods_back) == (["1/1"], True)
    assert asked.ship_by == at(5) + 45 * DAY + 21 * DAY
    again = played(say(AskForGoods(), at(6), SYSTEM), after=[*before, asked])
    assert again.events == []
    paid = played(say(AskForGoods(), at(6), SYSTEM), after=[*before, accepted("1/1")])
    assert paid.events == []


def test_a_confirmed_one_can_be_cancelled_until_the_goods_are_on_their_way() -> None:
    done = played(say(CancelReturn(), at(5)), after=withdrawn("1/1"))
    assert kinds(done.events) == ["ReturnCancelled", "ReturnClosed"]
    sent = (*withdrawn("1/1"), handed_over("1/1"))
    assert isinstance(played(say(CancelReturn(), at(6)), after=sent).refused, WrongState)
