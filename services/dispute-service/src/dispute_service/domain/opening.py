"""A buyer's complaint about pieces of an order in, a dispute of them out."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated

from msgspec import Meta, Struct
from shared_casework.parties import PARTY
from shared_casework.values import refuse, require_currency, utc
from shared_events.dispute import (
    ContestGround,
    DisputedUnits,
    DisputeEvent,
    DisputeOpened,
    DisputeReason,
    Outcome,
)
from shared_events.fields import (
    LINES_MAX,
    TEXT_LENGTH_MAX,
    Currency,
    Id,
    Minor,
    Quantity,
    Unit,
)
from shared_events.sealed import same_text
from shared_runtime.decider import (
    AlreadySubmitted,
    AmountExceedsCeiling,
    FieldError,
    LimitReached,
    NotYetEligible,
    QuantityExceeded,
    WindowClosed,
)
from shared_runtime.shape import ONCE, Made, Words

from dispute_service.domain.known import PERSON, Sender, ceiling_of
from dispute_service.domain.matter import Opening, OpeningRule
from dispute_service.domain.terms import SHIPS_BACK, Terms, faults_of, held_for, require_below
from dispute_service.domain.units import disputable


class NamedLine(Struct, frozen=True, kw_only=True):
    """So many pieces of a line: these, or the lowest that may be disputed."""

    line_id: Id
    quantity: Quantity
    units: Annotated[tuple[Unit, ...] | None, ONCE] = None


class OpenDispute(Struct, frozen=True, kw_only=True):
    """What is wrong with which pieces, and what the buyer would accept for all of them."""

    dispute_id: Annotated[Id, Made("dispute")]
    reason: DisputeReason
    lines: Annotated[tuple[NamedLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
    proposal_id: Annotated[Id, Made("proposal")]
    outcome: Outcome
    amount_minor: Minor | None = None
    currency: Currency | None = None
    replacement_sku: Id | None = None
    text: Annotated[str, Words(TEXT_LENGTH_MAX)]
    inquiry_id: Id | None = None


def open_dispute(opening: Opening, said: OpenDispute, by: Sender) -> list[DisputeEvent]:
    """Of pieces that may be disputed by now, and by their number the lowest of them. The seller has
    `dispute_answer` to act; the payout waits with what is asked.
    """
    order = opening.order
    require_currency(said.currency, order.currency)
    if said.inquiry_id is not None and said.inquiry_id not in by.known.inquiry_ids:
        raise refuse("inquiry_id", "an inquiry of this order and buyer")
    lines = disputable(order, said.reason, said.lines, by)
    return [
        opened(
            opening,
            by,
            lines,
            terms=Terms(
                outcome=said.outcome,
                lines=(),
                amount_minor=said.amount_minor,
                replacement_sku=said.replacement_sku,
            ),
            dispute_id=said.dispute_id,
            proposal_id=said.proposal_id,
            reason=said.reason,
            text=said.text,
            inquiry_id=said.inquiry_id,
        )
    ]


class Contested(Struct, frozen=True, kw_only=True):
    """What a contest says of the return behind it."""

    return_id: str
    ground: ContestGround
    refusal_id: str
    file_sha256: str
    seller_at_fault: bool
    barred_ids: tuple[str, ...]


def opened(
    opening: Opening,
    by: Sender,
    lines: Sequence[DisputedUnits],
    *,
    terms: Terms,
    dispute_id: str,
    proposal_id: str,
    reason: DisputeReason,
    text: str | None = None,
    inquiry_id: str | None = None,
    contested: Contested | None = None,
) -> DisputeOpened:
    """Every deadline counts from here. Raises `AmountExceedsCeiling`."""
    order, now = opening.order, utc(by.now)
    policy = by.known.policies.in_force(by.now)
    ceiling = ceiling_of((unit for line in lines for unit in line.units.split(",")), by)
    require_below(terms, ceiling, order.currency)
    return DisputeOpened(
        order_id=order.order_id,
        seller_id=order.seller_id,
        buyer_id=order.buyer_id,
        policy_version=policy.version,
        dispute_id=dispute_id,
        inquiry_id=inquiry_id,
        return_id=contested.return_id if contested else None,
        reason=reason,
        ground=contested.ground if contested else None,
        lines=[*lines],
        proposal_id=proposal_id,
        outcome=terms.outcome,
        currency=order.currency,
        amount_minor=terms.amount_minor,
        replacement_sku=terms.replacement_sku,
        text=text,
        refusal_id=contested.refusal_id if contested else None,
        file_sha256=contested.file_sha256 if contested else None,
        seller_at_fault=contested.seller_at_fault if contested else None,
        barred_ids=[*contested.barred_ids] if contested else None,
        ceiling_minor=ceiling,
        held_minor=held_for(terms, ceiling),
        opened_at=now,
        answer_due=now + policy.dispute_answer,
        auto_escalate_at=now + policy.dispute_negotiation,
        buyer_may_escalate_at=now + policy.dispute_escalate_buyer,
        seller_may_escalate_at=now + policy.dispute_escalate_seller,
    )


def shape_of_opening(said: OpenDispute, _: Sender) -> Iterator[FieldError]:
    """What a buyer can't ask: that nothing be done, or that he send back what he never got."""
    yield from faults_of(said)
    if said.reason == "SELLER_REFUSED_RETURN":
        yield FieldError(field="reason", bound="a return that was refused is contested there")
    if said.outcome == "REJECTED":
        yield FieldError(field="outcome", bound="a remedy")
    if said.reason == "NOT_RECEIVED" and said.outcome in SHIPS_BACK:
        yield FieldError(field="outcome", bound="nothing that needs the goods")
    yield from faults_of_lines(said.lines)


def faults_of_lines(lines: Iterable[NamedLine]) -> Iterator[FieldError]:
    told = [*lines]
    if len({line.line_id for line in told}) < len(told):
        yield FieldError(field="lines", bound="each line once")
    for number, line in enumerate(told):
        if line.units is not None and len(line.units) != line.quantity:
            yield FieldError(field=f"lines[{number}].units", bound="as many as `quantity`")


def is_opened(opening: Opening, said: OpenDispute, _: Sender) -> bool:
    if (dispute := opening.dispute) is None:
        return False
    told = dispute.opened
    same = (told.proposal_id, told.reason, told.outcome, told.amount_minor) == (
        said.proposal_id,
        said.reason,
        said.outcome,
        said.amount_minor,
    )
    if same and same_text(told.text, said.text):
        return True
    raise AlreadySubmitted(existing_id=told.dispute_id)


EXAMPLE = OpenDispute(
    dispute_id="D-12",
    reason="NOT_AS_DESCRIBED",
    lines=(NamedLine(line_id="1", quantity=1),),
    proposal_id="P-1",
    outcome="RETURN_AND_REFUND",
    text="The picture shows leather. This is not leather.",
)
OPEN_DISPUTE = OpeningRule(
    OpenDispute,
    open_dispute,
    roles=("BUYER",),
    shape=shape_of_opening,
    party=PARTY,
    barred=PERSON,
    repeated=is_opened,
    states=("PLACED", "PAID", "SHIPPED", "DELIVERED", "COMPLETED"),
    refuses=(
        NotYetEligible,
        WindowClosed,
        LimitReached,
        AlreadySubmitted,
        QuantityExceeded,
        AmountExceedsCeiling,
    ),
    events=(DisputeOpened,),
    example=EXAMPLE,
)
