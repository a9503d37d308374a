"""A request under review in, its authorization out: by who reviews it, or by silence.

A seller's silence is a yes. The desk's is none: its review is passed on to the seller, and the
delay is told.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from shared_casework.parties import PARTY
from shared_casework.values import refuse, require_currency, utc
from shared_events.common import DecisionOverdue
from shared_events.fields import Currency, Minor
from shared_events.returns import (
    ReturnAuthorized,
    ReturnEvent,
    ReturnKind,
    ReturnReviewRequired,
)
from shared_runtime.decider import AmountExceedsCeiling, RoleNotAllowed, WrongState
from shared_runtime.rule import MACHINE, NO_WINDOW, Guard, Window

from returns_service.domain.authorizing import Authorization, Authorizer, authorized, fault_of
from returns_service.domain.closing import currency_of
from returns_service.domain.known import PERSON, Known, Sender
from returns_service.domain.lanes import by_silence
from returns_service.domain.return_matter import OF_RETURN, STAFF, ReturnRule, goods_there
from returns_service.domain.return_state import Return


class ApproveReturn(Struct, frozen=True, kw_only=True):
    """`amount_minor`: of a claim of money, what is given; what was asked, or more."""

    amount_minor: Minor | None = None
    currency: Currency | None = None


def approve_return(matter: Return, said: ApproveReturn, by: Sender) -> list[ReturnEvent]:
    """As it was asked for. Goods that came unasked are looked at next; they may be approved also
    after the end of the return, if nobody else has them.
    """
    if matter.review is None:
        return [*approved_unasked(matter, by)]
    match by.actor.acts_as:
        case "SYSTEM" if matter.review.by == "AGENT":
            return passed_on(matter, by)
        case "SYSTEM":
            kind, tests = kind_by_silence(matter, by)
            return [*approved(matter, "SILENCE", kind, by, tests=tests)]
        case role:
            require_amount(matter, said, by)
            whose: Authorizer = "SELLER" if role == "SELLER" else "AGENT"
            kind = with_goods(matter) if goods_there(matter, by) else matter.kind
            return [*approved(matter, whose, kind, by, amount_minor=said.amount_minor)]


def approved(
    matter: Return,
    by_whom: Authorizer,
    kind: ReturnKind,
    by: Sender,
    *,
    amount_minor: int | None = None,
    tests: Sequence[str] = (),
) -> list[ReturnAuthorized]:
    """`tests`: those that were made besides the ones of the request."""
    assert matter.requested
    assert matter.review
    is_claim = kind == "CLAIM"
    asked = matter.requested.asked_minor
    return authorized(
        matter.ids,
        Authorization(
            kind=kind,
            lane="STANDARD",
            by=by_whom,
            units=[piece.unit for piece in matter.live],
            units_in=goods_there(matter, by),
            goods_back=not is_claim,
            fault=fault_of(matter),
            currency=matter.requested.currency,
            amount_minor=(amount_minor or asked) if is_claim else None,
            waits_for_stock=is_claim and matter.wants == "REPLACEMENT",
            rule_trace=[*matter.review.rule_trace, *tests],
            decision_seconds=seconds_since(reviewed_since(matter, by), by),
        ),
        by,
        matter.policy(by),
    )


def approved_unasked(matter: Return, by: Sender) -> list[ReturnAuthorized]:
    units = unasked_and_free(matter, by)
    until = [piece.send_back_until for piece in matter.named(units) if piece.send_back_until]
    since = max(until) - matter.policy(by).return_send_back if until else by.now
    return authorized(
        matter.ids,
        Authorization(
            kind=with_goods(matter),
            lane="STANDARD",
            by="SELLER",
            units=units,
            units_in=units,
            goods_back=True,
            fault=fault_of(matter),
            currency=currency_of(matter, by),
            rule_trace=(),
            decision_seconds=seconds_since(since, by),
        ),
        by,
        matter.policy(by),
    )


def passed_on(matter: Return, by: Sender) -> list[ReturnEvent]:
    """The desk was silent: the seller decides."""
    assert matter.review
    due = matter.review.answer_due
    return [
        DecisionOverdue(**matter.ids, what="RETURN_REVIEW", ref_id=matter.return_id, due_at=due),
        ReturnReviewRequired(
            **matter.ids,
            by="SELLER",
            answer_due=utc(by.now) + matter.policy(by).return_seller_answer,
            rule_trace=matter.review.rule_trace,
        ),
    ]


def with_goods(matter: Return) -> ReturnKind:
    """Of a claim whose goods have come all the same, what brings them back."""
    if matter.kind != "CLAIM":
        return matter.kind
    return "EXCHANGE" if matter.wants == "REPLACEMENT" else "RETURN"


def kind_by_silence(matter: Return, by: Sender) -> tuple[ReturnKind, Sequence[str]]:
    """And the tests that were made for that."""
    assert matter.requested
    if goods_there(matter, by):
        return with_goods(matter), ()
    units = {piece.unit for piece in matter.live}
    paid = sum(piece.paid_minor for piece in by.known.pieces if piece.unit in units)
    match = by_silence(
        kind=matter.kind,
        reason=matter.reason,
        wants=matter.wants,
        asked_minor=matter.requested.asked_minor,
        paid_minor=paid,
        buyer=by.known.buyer,
        policy=matter.policy(by),
    )
    return match.then, match.trace


def require_amount(matter: Return, said: ApproveReturn, by: Sender) -> None:
    """Raises `InvalidValue` for less than was asked, and where no money was asked;
    `AmountExceedsCeiling` for more than is left.
    """
    assert matter.requested
    if said.amount_minor is None:
        return
    currency, asked = matter.requested.currency, matter.requested.asked_minor
    require_currency(said.currency, currency)
    if asked is None:
        raise refuse("amount_minor", "of a claim that wants money")
    left = by.known.left_of(piece.unit for piece in matter.live)
    if said.amount_minor > left:
        raise AmountExceedsCeiling(ceiling_minor=left, currency=currency)
    if said.amount_minor < asked:
        raise refuse("amount_minor", f"{asked}..{left}; less is offered by OfferPartialRefund")


# --- How long it took


def reviewed_since(matter: Return, by: Sender) -> datetime:
    """Since when the review is that of who has it."""
    assert matter.review
    policy = matter.policy(by)
    is_desks = matter.review.by == "AGENT"
    span = policy.return_manual_answer if is_desks else policy.return_seller_answer
    return matter.review.answer_due - span


def seconds_since(since: datetime, by: Sender) -> int:
    return max(0, int((by.now - since).total_seconds()))


# --- Who may, and when


def unasked_and_free(matter: Return, by: Sender) -> list[str]:
    """Pieces that came though nobody had asked for them, and that nobody else has."""
    if matter.review:
        return []
    return [unit for unit in matter.goods_in if by.known.is_free(unit, matter.return_id)]


def by_reviewer(matter: Return, _: ApproveReturn, by: Sender) -> None:
    """the seller at any time, the desk where it reviews, silence once it is due; of goods that came
    unasked, the seller
    """
    review, role = matter.review, by.actor.acts_as
    if role == MACHINE:
        applies = review is not None and review.answer_due <= by.now
    else:
        applies = review is not None or bool(unasked_and_free(matter, by))
    if not applies:
        raise WrongState(state=matter.status)
    if role in STAFF and (review is None or review.by != "AGENT"):
        raise RoleNotAllowed(allowed_roles=["SELLER"])


def while_reviewed(matter: Return, _: ApproveReturn, by: Sender) -> Window:
    """Until the deadline; while the desk has it, the seller's has no end."""
    if matter.review is None:
        until = [
            piece.send_back_until
            for piece in matter.named(unasked_and_free(matter, by))
            if piece.send_back_until
        ]
        return Window(latest=min(until, default=None))
    sellers = by.actor.acts_as == "SELLER" and matter.review.by == "AGENT"
    no_end = sellers or by.actor.acts_as == MACHINE
    return NO_WINDOW if no_end else Window(latest=matter.review.answer_due)


APPROVE_RETURN = ReturnRule(
    ApproveReturn,
    approve_return,
    roles=("SELLER", "AGENT", "SENIOR", "SYSTEM"),
    party=PARTY,
    impartial=OF_RETURN,
    barred=PERSON,
    stands=Guard[Return, ApproveReturn, Known](by_reviewer, WrongState, RoleNotAllowed),
    window=while_reviewed,
    refuses=(AmountExceedsCeiling,),
    lapses=True,
    events=(ReturnAuthorized, ReturnReviewRequired, DecisionOverdue),
    example=ApproveReturn(),
)
