"""A buyer's wish to send pieces of an order back in, a return of them out, decided in the same
commit where a rule can decide it.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct
from shared_casework.files import with_digests
from shared_casework.order_facts import OrderFacts
from shared_casework.parties import PARTY
from shared_casework.values import require_currency, utc
from shared_events.fields import (
    LINES_MAX,
    MEDIA_MAX,
    TEXT_LENGTH_MAX,
    Code,
    Currency,
    Holds,
    Id,
    Minor,
    Sha256,
)
from shared_events.returns import (
    AskedKind,
    ReturnAuthorized,
    ReturnEvent,
    ReturnRequested,
    ReturnReviewRequired,
    Wants,
)
from shared_events.sealed import same_text
from shared_runtime.decider import (
    AlreadySubmitted,
    AmountExceedsCeiling,
    EvidenceRequired,
    FieldError,
    LimitReached,
    NotReturnable,
    QuantityExceeded,
    Refused,
    WindowClosed,
)
from shared_runtime.rule import NO_WINDOW, Window
from shared_runtime.shape import Files, Made, Words

from returns_service.domain.authorizing import Authorization, Fault, authorized
from returns_service.domain.known import PERSON, DeclinedRequest, Sender
from returns_service.domain.lanes import Request, admitted, decided
from returns_service.domain.policy import ReturnsPolicy
from returns_service.domain.return_matter import Opening, OpeningRule
from returns_service.domain.return_state import Ids, Return
from returns_service.domain.rule_table import Match
from returns_service.domain.tables import SELLERS_FAULT, Admitted, AskedReason, Verdict
from returns_service.domain.wanted import (
    WantedLine,
    against_asking,
    categories_of,
    each_line_once,
    require_lines,
    taken_of,
)

type Lines = Annotated[
    tuple[WantedLine, ...],
    Meta(min_length=1, max_length=LINES_MAX),
    Holds(each_line_once, "each line once"),
]
WANTED: dict[AskedKind, tuple[Wants, ...]] = {
    "RETURN": ("REFUND",),
    "EXCHANGE": ("EXCHANGE",),
    "CLAIM": ("REFUND", "REPLACEMENT"),
}


class RequestReturn(Struct, frozen=True, kw_only=True):
    """Which pieces, why, and what the buyer wants for them. `amount_minor`: of a claim that wants
    money. What was ordered, felt and measured tells of a size that does not fit.
    """

    return_id: Annotated[Id, Made("return")]
    kind: AskedKind
    lines: Lines
    reason: AskedReason
    wants: Wants
    replacement_sku: Id | None = None
    size_ordered: Code | None = None
    size_felt: Code | None = None
    size_measured: Code | None = None
    amount_minor: Minor | None = None
    currency: Currency | None = None
    text: Annotated[str | None, Words(TEXT_LENGTH_MAX)] = None
    media: Annotated[tuple[str, ...], Files("EVIDENCE", MEDIA_MAX)] = ()
    media_sha256: tuple[Sha256, ...] = ()

    @property
    def sizes(self) -> bool:
        return all((self.size_ordered, self.size_felt, self.size_measured))


def request_return(opening: Opening, said: RequestReturn, by: Sender) -> list[ReturnEvent]:
    """Of the lowest pieces of each line that are free and whose window is open."""
    order = opening.order
    require_currency(said.currency, order.currency)
    require_lines(order, said.lines)
    policy = by.known.policies.in_force(by.now)
    require_admitted(order, said, policy)
    asked = DeclinedRequest(said.kind, said.reason)
    against = against_asking(by.known, order, policy, asked, by.now)
    units = taken_of(by.known, said.lines, against)
    left = by.known.left_of(units)
    if said.amount_minor is not None and said.amount_minor > left:
        raise AmountExceedsCeiling(ceiling_minor=left, currency=order.currency)
    ids = Ids(
        order_id=order.order_id,
        seller_id=order.seller_id,
        buyer_id=order.buyer_id,
        policy_version=policy.version,
        return_id=said.return_id,
    )
    value = in_reference(left, order)
    requested = ReturnRequested(
        **ids,
        kind=said.kind,
        origin="BUYER",
        reason=said.reason,
        wants=said.wants,
        units=units,
        value_ref_minor=value,
        replacement_sku=said.replacement_sku,
        currency=order.currency,
        asked_minor=said.amount_minor,
        size_ordered=said.size_ordered,
        size_felt=said.size_felt,
        size_measured=said.size_measured,
        text=said.text,
        media=[*said.media] or None,
        media_sha256=[*said.media_sha256] or None,
        requested_at=utc(by.now),
    )
    match = decided(request_of(said, value, by), policy)
    return [requested, *answer(requested, ids, match, by, policy)]


def request_of(said: RequestReturn, value_ref_minor: int, by: Sender) -> Request:
    return Request(
        kind=said.kind,
        reason=said.reason,
        value_ref_minor=value_ref_minor,
        asked_at=by.now,
        buyer=by.known.buyer,
        fast_returns=by.known.fast_returns,
        photo=bool(said.media),
        sizes=said.sizes,
    )


def answer(
    requested: ReturnRequested,
    ids: Ids,
    match: Match[Verdict],
    by: Sender,
    policy: ReturnsPolicy,
) -> list[ReturnEvent]:
    """What the tables make of it."""
    if match.then.review_by:
        return [reviewed(ids, match, utc(by.now), policy)]
    assert match.then.lane
    said = Authorization(
        kind=requested.kind,
        lane=match.then.lane,
        by="RULE",
        units=requested.units,
        units_in=came_unasked(requested.units, by),
        goods_back=True,
        fault=Fault(reason=requested.reason, sellers_fault=requested.reason in SELLERS_FAULT),
        currency=requested.currency,
        rule_trace=match.trace,
    )
    return [*authorized(ids, said, by, policy)]


def reviewed(
    ids: Ids, match: Match[Verdict], now: datetime, policy: ReturnsPolicy
) -> ReturnReviewRequired:
    reviewer = match.then.review_by
    assert reviewer
    span = policy.return_manual_answer if reviewer == "AGENT" else policy.return_seller_answer
    return ReturnReviewRequired(
        **ids, by=reviewer, answer_due=now + span, rule_trace=[*match.trace]
    )


def came_unasked(units: list[str], by: Sender) -> list[str]:
    """Those of which goods are in the seller's hands already."""
    there = {piece.unit for piece in by.known.pieces if piece.came_unasked}
    return [unit for unit in units if unit in there]


def in_reference(amount_minor: int, order: OrderFacts) -> int:
    """In the policy's reference currency, cut."""
    if order.total_minor == 0:
        return 0
    return amount_minor * order.total_ref_minor // order.total_minor


def require_admitted(order: OrderFacts, said: RequestReturn, policy: ReturnsPolicy) -> None:
    """Raises `EvidenceRequired` and `NotReturnable`."""
    for category in categories_of(order, said.lines).values():
        told = admitted(said.kind, said.reason, category, photo=bool(said.media), policy=policy)
        if refused := barrier_in(told, category):
            raise refused


def barrier_in(told: Admitted, category: str) -> Refused | None:
    match told.refused:
        case "EVIDENCE_REQUIRED":
            return EvidenceRequired(needed=["PHOTO"])
        case "NOT_RETURNABLE":
            return NotReturnable(category=category)
        case None:
            return None


# --- Who may, and when


def shape_of_request(said: RequestReturn, _: Sender) -> Iterator[FieldError]:
    if said.wants not in WANTED[said.kind]:
        yield FieldError(field="wants", bound=" or ".join(WANTED[said.kind]))
    yield from reason_of_claim(said.kind, said.reason)
    wants_money = said.kind == "CLAIM" and said.wants == "REFUND"
    if wants_money != bool(said.amount_minor):
        yield FieldError(field="amount_minor", bound="at least 1, of a claim that wants money")
    if said.amount_minor is not None and said.currency is None:
        yield FieldError(field="currency", bound="there with an amount")
    if said.replacement_sku is not None and said.wants == "REFUND":
        yield FieldError(field="replacement_sku", bound="of who wants another piece")
    yield from with_digests(said)


def reason_of_claim(kind: AskedKind, reason: AskedReason) -> Iterator[FieldError]:
    if kind == "CLAIM" and reason not in SELLERS_FAULT:
        yield FieldError(field="reason", bound="of a claim, one that is the seller's fault")


def is_requested(opening: Opening, said: RequestReturn, _: Sender) -> bool:
    """Once for each id."""
    if opening.begun is None:
        return False
    if says_the_same(opening.begun, said):
        return True
    raise AlreadySubmitted(existing_id=opening.begun.return_id)


def says_the_same(begun: Return, said: RequestReturn) -> bool:
    told = begun.requested
    if told is None:
        return False
    quantities: dict[str, int] = {}
    for unit in told.units:
        line_id = unit.rpartition("/")[0]
        quantities[line_id] = quantities.get(line_id, 0) + 1
    return (
        (told.kind, told.reason, told.wants, told.asked_minor, quantities)
        == (
            said.kind,
            said.reason,
            said.wants,
            said.amount_minor,
            {line.line_id: line.quantity for line in said.lines},
        )
        and same_text(told.text, said.text)
        and (told.media_sha256 or []) == [*said.media_sha256]
    )


def once_arrived(opening: Opening, _: RequestReturn, __: Sender) -> Window | None:
    """None waits for somebody to say that it was delivered; each piece has its own end."""
    return None if opening.order.received_at is None else NO_WINDOW


REQUEST_RETURN = OpeningRule(
    RequestReturn,
    request_return,
    roles=("BUYER",),
    shape=shape_of_request,
    party=PARTY,
    barred=PERSON,
    repeated=is_requested,
    states=("PLACED", "PAID", "SHIPPED", "DELIVERED", "COMPLETED"),
    window=once_arrived,
    early=True,
    refuses=(
        EvidenceRequired,
        NotReturnable,
        WindowClosed,
        LimitReached,
        AlreadySubmitted,
        QuantityExceeded,
        AmountExceedsCeiling,
    ),
    events=(ReturnRequested, ReturnAuthorized, ReturnReviewRequired),
    example=RequestReturn(
        return_id="RT-1",
        kind="RETURN",
        lines=(WantedLine(line_id="1", quantity=1),),
        reason="NOT_AS_DESCRIBED",
        wants="REFUND",
        text="The picture shows leather. This is not leather.",
    ),
)
