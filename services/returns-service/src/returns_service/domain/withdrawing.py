"""A buyer's legal withdrawal, in two steps and without a reason, in; a return of the pieces that
nobody can decline out.
"""

from collections import Counter
from datetime import datetime
from typing import Annotated

from msgspec import Struct
from msgspec.structs import replace
from shared_casework.parties import PARTY
from shared_casework.values import utc
from shared_events.fields import Id, Sha256
from shared_events.returns import (
    ReturnAuthorized,
    ReturnedLine,
    ReturnEvent,
    WithdrawalConfirmed,
    WithdrawalDeclared,
)
from shared_runtime.decider import (
    AlreadySubmitted,
    DuplicateOpen,
    NotReturnable,
    QuantityExceeded,
    WindowClosed,
    WrongState,
)
from shared_runtime.rule import Guard, Window
from shared_runtime.shape import Made, Words

from returns_service.domain.authorizing import Authorization, Fault, authorized
from returns_service.domain.known import PERSON, Known, Sender
from returns_service.domain.lanes import Request, admitted, decided
from returns_service.domain.policy import ReturnsPolicy
from returns_service.domain.return_matter import Opening, OpeningRule, ReturnRule
from returns_service.domain.return_request import Lines, came_unasked
from returns_service.domain.return_state import Return
from returns_service.domain.wanted import (
    WantedLine,
    against_withdrawing,
    categories_of,
    require_lines,
    taken_of,
)

CONTENT_LENGTH_MAX = 10_000
NO_REASON = Fault(reason="WITHDRAWAL", sellers_fault=False)


class DeclareWithdrawal(Struct, frozen=True, kw_only=True):
    """From how many pieces of which lines. No reason is asked or taken."""

    return_id: Annotated[Id, Made("return")]
    lines: Lines


def declare_withdrawal(opening: Opening, said: DeclareWithdrawal, by: Sender) -> list[ReturnEvent]:
    """The first step: no piece is taken yet. It can be confirmed for `return_withdrawal_confirm`,
    even if the window ends meanwhile.
    """
    order = opening.order
    require_lines(order, said.lines)
    policy = by.known.policies.in_force(by.now)
    if not order.withdrawal_right:
        raise NotReturnable
    for category in categories_of(order, said.lines).values():
        if admitted("WITHDRAWAL", "WITHDRAWAL", category, photo=False, policy=policy).refused:
            raise NotReturnable(category=category)
    against = against_withdrawing(order, policy, by.now)
    try:
        taken_of(by.known, said.lines, against)
    except QuantityExceeded:
        require_no_draft(by)
        raise
    require_no_draft(by)
    now = utc(by.now)
    return [
        WithdrawalDeclared(
            order_id=order.order_id,
            seller_id=order.seller_id,
            buyer_id=order.buyer_id,
            policy_version=policy.version,
            return_id=said.return_id,
            lines=[
                ReturnedLine(line_id=line.line_id, quantity=line.quantity) for line in said.lines
            ],
            declared_at=now,
            confirm_by=now + policy.return_withdrawal_confirm,
        )
    ]


def require_no_draft(by: Sender) -> None:
    """An order has one at a time. Raises `DuplicateOpen`."""
    draft = by.known.draft
    if draft and by.now < draft.confirm_by:
        raise DuplicateOpen(existing_id=draft.return_id)


def is_declared(opening: Opening, said: DeclareWithdrawal, _: Sender) -> bool:
    """Once for each id."""
    if opening.begun is None:
        return False
    declared = opening.begun.declared
    told = Counter({line.line_id: line.quantity for line in declared.lines} if declared else {})
    if told == Counter({line.line_id: line.quantity for line in said.lines}):
        return True
    raise AlreadySubmitted(existing_id=opening.begun.return_id)


DECLARE_WITHDRAWAL = OpeningRule(
    DeclareWithdrawal,
    declare_withdrawal,
    roles=("BUYER",),
    scopes=("withdrawal",),
    party=PARTY,
    barred=PERSON,
    repeated=is_declared,
    states=("PAID", "SHIPPED", "DELIVERED", "COMPLETED"),
    refuses=(NotReturnable, WindowClosed, QuantityExceeded, DuplicateOpen, AlreadySubmitted),
    events=(WithdrawalDeclared,),
    example=DeclareWithdrawal(return_id="RT-1", lines=(WantedLine(line_id="1", quantity=1),)),
)


# --- The second step


class ConfirmWithdrawal(Struct, frozen=True, kw_only=True):
    """The words of the declaration as they were sent, and their digest: both are acknowledged."""

    content: Annotated[str, Words(CONTENT_LENGTH_MAX)]
    content_sha256: Sha256


def confirm_withdrawal(matter: Return, said: ConfirmWithdrawal, by: Sender) -> list[ReturnEvent]:
    """Of the pieces that no return has by now. What is not shipped does not go back, and what the
    seller has already is only looked at.
    """
    order, declared = by.known.order, matter.declared
    assert order
    assert declared
    policy = matter.policy(by)
    wanted = [WantedLine(line_id=each.line_id, quantity=each.quantity) for each in declared.lines]
    against = against_withdrawing(order, policy, declared.declared_at)
    units = taken_of(by.known, wanted, against)
    now = utc(by.now)
    confirmed = WithdrawalConfirmed(
        **matter.ids,
        units=units,
        content=said.content,
        content_sha256=said.content_sha256,
        confirmed_at=now,
        refund_due=now + policy.return_withdrawal_refund,
    )
    request = Request(kind="WITHDRAWAL", reason="WITHDRAWAL", value_ref_minor=0, asked_at=by.now)
    match = decided(request, policy)
    assert match.then.lane
    authorization = Authorization(
        kind="WITHDRAWAL",
        lane=match.then.lane,
        by="RULE",
        units=units,
        units_in=came_unasked(units, by),
        goods_back=is_shipped(by),
        fault=NO_REASON,
        currency=order.currency,
        rule_trace=match.trace,
    )
    return [confirmed, *authorized(matter.ids, authorization, by, policy)]


def is_shipped(by: Sender) -> bool:
    order = by.known.order
    return order is not None and order.shipped_at is not None


def is_confirmed(matter: Return, _: ConfirmWithdrawal, __: Sender) -> bool:
    return matter.confirmed is not None


def until_confirm_by(matter: Return, _: ConfirmWithdrawal, __: Sender) -> Window:
    return Window(latest=matter.declared.confirm_by if matter.declared else None)


CONFIRM_WITHDRAWAL = ReturnRule(
    ConfirmWithdrawal,
    confirm_withdrawal,
    roles=("BUYER",),
    scopes=("withdrawal",),
    party=PARTY,
    barred=PERSON,
    repeated=is_confirmed,
    states=("DRAFT",),
    window=until_confirm_by,
    refuses=(QuantityExceeded,),
    events=(WithdrawalConfirmed, ReturnAuthorized),
    example=ConfirmWithdrawal(content="I withdraw from this contract.", content_sha256="0" * 64),
)


# --- What was shipped after all


class AskForGoods(Struct, frozen=True):
    """The order was shipped, though its buyer has withdrawn."""


def ask_for_goods(matter: Return, _: AskForGoods, by: Sender) -> list[ReturnEvent]:
    """The goods have to reach the buyer first."""
    policy, last = matter.policy(by), matter.authorized
    assert last
    asked = replace(
        last,
        by="RULE",
        units=[piece.unit for piece in matter.live if piece.is_pending],
        goods_back=True,
        ship_by=ship_by_of_undelivered(by, policy),
    )
    return [asked]


def ship_by_of_undelivered(by: Sender, policy: ReturnsPolicy) -> datetime:
    return utc(by.now) + policy.return_transit_max + policy.return_ship_by_statutory


def has_nothing_to_send(matter: Return, _: AskForGoods, __: Sender) -> None:
    """a withdrawal of goods that were not shipped, and that nobody has paid back yet"""
    pending = any(piece.is_pending for piece in matter.live)
    if matter.kind != "WITHDRAWAL" or matter.goods_back or not pending:
        raise WrongState(state=matter.status)


ASK_FOR_GOODS = ReturnRule(
    AskForGoods,
    ask_for_goods,
    roles=("SYSTEM",),
    states=("AUTHORIZED",),
    stands=Guard[Return, AskForGoods, Known](has_nothing_to_send, WrongState),
    lapses=True,
    events=(ReturnAuthorized,),
    example=AskForGoods(),
)
