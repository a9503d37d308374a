"""What a reader may know of a return in, what he sees of it and can do about it now out.

Texts and files are sealed here, and the edge opens them. What staff wrote is sealed once for each
party: each reads his own, staff the buyer's.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from pydantic.json_schema import SkipJsonSchema
from shared_casework.readers import Reader
from shared_events.common import StatementOfReasonsIssued
from shared_events.dispute import ContestGround
from shared_events.returns import (
    DeclineCode,
    Grade,
    LabelIssued,
    Lane,
    Payer,
    RejectReason,
    Resolution,
    ReturnAuthorized,
    ReturnClosed,
    ReturnDeclined,
    ReturnKind,
    ReturnReason,
    Reviewer,
    UnitResult,
    UnitsReceived,
    UnitsRejected,
    Wants,
    WithdrawalConfirmed,
)
from shared_runtime.fields import Money
from shared_runtime.rules import Action

from returns_service.domain.known import Sender, line_of
from returns_service.domain.return_dues import NextDue, dues_of
from returns_service.domain.return_readers import ReturnReading
from returns_service.domain.return_rules import RETURN_RULES
from returns_service.domain.return_state import (
    Acceptance,
    Left,
    Piece,
    Return,
    ReturnStatus,
    Whereabouts,
)
from returns_service.views import is_offered

RECEIVED_NOT_ACCEPTED = "This confirms that your declaration was received, and when."


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaLink:
    """A file, and where it can be had for a short while."""

    media_id: str
    url: str


type MediaShown = MediaLink | SkipJsonSchema[str] | None
"""Sealed here, which nobody is shown; opened, a link; null when the writer's key is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplacementView:
    """The piece in the place of one. `to_pay`, `to_get`: the difference of all that were reserved
    with it; `owes`: its buyer has it to pay, by `pay_by`.
    """

    unit: str
    sku: str
    to_pay: Money
    to_get: Money
    owes: bool
    pay_by: datetime | None
    ship_by: datetime | None
    shipped_at: datetime | None
    delivered_at: datetime | None
    original_due: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnedUnitView:
    """One piece. `stage`: how far it has come; null once it has left the return (`left`).

    `result`: what became of it, once the return is closed. `advance_lost`: nothing stands behind
    the money that went out for it; true once that is confirmed. The buyer is not shown it.
    """

    unit: str
    line_id: str
    stage: ReturnStatus | None
    where: Whereabouts
    acceptance: Acceptance
    left: Left | None
    contested_as: ContestGround | None
    tracking_id: str | None
    handed_over: bool
    delivered_back: bool
    grade: Grade | None
    deduction_milli: int
    rejected: RejectReason | None
    contest_until: datetime | None
    send_back_until: datetime | None
    sent_back: bool
    waived: bool
    advance_lost: bool | None
    replacement: ReplacementView | None
    result: UnitResult | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewView:
    """Who decides, and until when."""

    by: Reviewer
    answer_due: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationView:
    """`by`: a rule, somebody, or somebody's silence."""

    by: str
    lane: Lane
    goods_back: bool
    amount: Money | None
    ship_by: datetime | None
    label_due: datetime | None
    label_paid_by: Payer


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalView:
    by: Reviewer
    code: DeclineCode
    note: str | None
    contest_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelView:
    label_id: str
    carrier: str
    tracking_id: str
    paid_by: Payer
    cost: Money
    void: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferView:
    """`open`: it waits for the buyer's answer, until `answer_due`."""

    offer_id: str
    amount: Money
    answer_due: datetime
    open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AcknowledgementView:
    """That a withdrawal has come, to the second: what it says, and that nobody has to accept it."""

    content: str | None
    content_sha256: str
    received_at: datetime
    says: str = RECEIVED_NOT_ACCEPTED


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawalView:
    """`confirm_by`: it counts only once it is confirmed, by then."""

    lines: dict[str, int]
    declared_at: datetime
    confirm_by: datetime
    refund_due: datetime | None
    acknowledgement: AcknowledgementView | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnStatementView:
    """Why a decision went against somebody, and what he can do."""

    sor_id: str
    recipient_role: str
    rule_ids: list[str]
    explanation: str
    facts: str | None
    appeal_until: datetime | None
    appeal_command: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnEndView:
    resolution: Resolution
    refunded: Money
    closed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnView:
    """A return as somebody may know it. `rule_trace`: the tests that were made, in their order.

    `refunded`: what the ledger has given for it so far. `deadlines`: what is due, soonest first,
    and what happens by itself then.
    """

    return_id: str
    order_id: str
    seller_id: str
    buyer_id: str
    policy_version: str
    kind: ReturnKind
    lane: Lane | None
    status: ReturnStatus
    reason: ReturnReason
    wants: Wants
    remedy_ids: list[str]
    replacement_sku: str | None
    asked: Money | None
    text: str | None
    media: list[MediaShown]
    photos: list[MediaShown]
    units: list[ReturnedUnitView]
    rule_trace: list[str]
    review: ReviewView | None
    authorization: AuthorizationView | None
    refusal: RefusalView | None
    withdrawal: WithdrawalView | None
    label: LabelView | None
    offers: list[OfferView]
    surplus: int
    refunded: Money
    statements: list[ReturnStatementView]
    end: ReturnEndView | None
    deadlines: list[NextDue]
    available_actions: list[Action]


def return_view(reading: ReturnReading, by: Sender) -> ReturnView:
    matter = reading.state
    assert isinstance(matter, Return)
    asked, currency = matter.requested, currency_in(matter, by)
    minor = asked.asked_minor if asked else None
    return ReturnView(
        return_id=matter.return_id,
        order_id=matter.ids["order_id"],
        seller_id=matter.ids["seller_id"],
        buyer_id=matter.ids["buyer_id"],
        policy_version=matter.ids["policy_version"],
        kind=matter.kind,
        lane=matter.lane,
        status=matter.status,
        reason=matter.reason,
        wants=matter.wants,
        remedy_ids=[each.remedy_id for each in matter.remedies],
        replacement_sku=asked.replacement_sku if asked else None,
        asked=None if minor is None else Money(amount=minor, currency=currency),
        text=asked.text if asked else None,
        media=[*((asked and asked.media) or ())],
        photos=[*photos_in(reading)],
        units=[unit_view(matter, piece, currency) for piece in matter.pieces.values()],
        rule_trace=trace_of(reading),
        review=shown(
            matter.review, lambda told: ReviewView(by=told.by, answer_due=told.answer_due)
        ),
        authorization=shown(matter.authorized, lambda told: authorization_view(told, matter)),
        refusal=shown(matter.declined, lambda told: refusal_view(told, reading.reader)),
        withdrawal=withdrawal_view(matter),
        label=shown(matter.label, lambda told: label_view(told, void=matter.label_void)),
        offers=[
            OfferView(
                offer_id=each.offer_id,
                amount=Money(amount=each.amount_minor, currency=each.currency),
                answer_due=each.answer_due,
                open=each == matter.offer,
            )
            for each in matter.offers
        ],
        surplus=sum(each.surplus for each in reading.events if isinstance(each, UnitsReceived)),
        refunded=Money(amount=by.known.refunds.total_minor, currency=currency),
        statements=[
            statement_view(each)
            for each in reading.events
            if isinstance(each, StatementOfReasonsIssued)
        ],
        end=shown(matter.closed, end_view),
        deadlines=dues_of(matter, by),
        available_actions=RETURN_RULES.offered(matter, by) if is_offered(by) else [],
    )


def shown[T, V](told: T | None, view: Callable[[T], V]) -> V | None:
    """Nothing of what is not there."""
    return None if told is None else view(told)


def currency_in(matter: Return, by: Sender) -> str:
    if matter.requested:
        return matter.requested.currency
    assert by.known.order
    return by.known.order.currency


def trace_of(reading: ReturnReading) -> list[str]:
    """What has led to where it stands, as far as a rule has decided. An authorization tells again
    by which tests it came to be asked for.
    """
    told: list[str] = []
    for event in reading.events:
        trace: list[str] = getattr(event, "rule_trace", None) or []
        if trace[: len(told)] == told:
            told = trace
        elif told[-len(trace) :] != trace:
            told = [*told, *trace]
    return told


def photos_in(reading: ReturnReading) -> Iterable[MediaShown]:
    """Of what was found in the parcels."""
    for event in reading.events:
        if isinstance(event, UnitsReceived | UnitsRejected):
            yield from event.photos or ()


# --- Pieces


def unit_view(matter: Return, piece: Piece, currency: str) -> ReturnedUnitView:
    closed = matter.closed.units if matter.closed else []
    ends: dict[str, UnitResult] = {each.unit: each.result for each in closed}
    return ReturnedUnitView(
        unit=piece.unit,
        line_id=line_of(piece.unit),
        stage=None if piece.is_out else matter.stage_of(piece),
        where=piece.where,
        acceptance=piece.acceptance,
        left=piece.left,
        contested_as=piece.contested_as,
        tracking_id=piece.tracking_id,
        handed_over=piece.handed_over,
        delivered_back=piece.delivered_back,
        grade=piece.grade,
        deduction_milli=piece.deduction_milli,
        rejected=piece.rejected,
        contest_until=piece.contest_until,
        send_back_until=piece.send_back_until,
        sent_back=piece.sent_back,
        waived=piece.waived,
        advance_lost=piece.unrecovered,
        replacement=replacement_view(matter, piece, currency),
        result=ends.get(piece.unit),
    )


def replacement_view(matter: Return, piece: Piece, currency: str) -> ReplacementView | None:
    if (new := piece.replacement) is None:
        return None
    reserved = matter.reservations[new.reservation]
    return ReplacementView(
        unit=new.new_unit,
        sku=new.sku,
        to_pay=Money(amount=max(0, reserved.difference_minor), currency=currency),
        to_get=Money(amount=max(0, -reserved.difference_minor), currency=currency),
        owes=new.owes,
        pay_by=new.pay_by,
        ship_by=new.ship_by,
        shipped_at=new.shipped_at,
        delivered_at=new.delivered_at,
        original_due=new.original_due,
    )


# --- Decisions


def authorization_view(told: ReturnAuthorized, matter: Return) -> AuthorizationView:
    amount = told.amount_minor
    return AuthorizationView(
        by=told.by,
        lane=told.lane,
        goods_back=matter.goods_back,
        amount=None if amount is None else Money(amount=amount, currency=told.currency),
        ship_by=matter.ship_by,
        label_due=matter.label_due,
        label_paid_by=told.label_paid_by,
    )


def refusal_view(told: ReturnDeclined, reader: Reader | None) -> RefusalView:
    by_desk = told.note_for_seller if reader == "SELLER" else told.note_for_buyer
    return RefusalView(
        by=told.by,
        code=told.code,
        note=told.note if told.by == "SELLER" else by_desk,
        contest_until=told.contest_until,
    )


def label_view(told: LabelIssued, *, void: bool) -> LabelView:
    return LabelView(
        label_id=told.label_id,
        carrier=told.carrier,
        tracking_id=told.tracking_id,
        paid_by=told.paid_by,
        cost=Money(amount=told.cost_minor, currency=told.currency),
        void=void,
    )


def end_view(told: ReturnClosed) -> ReturnEndView:
    return ReturnEndView(
        resolution=told.resolution,
        refunded=Money(amount=told.refunded_minor, currency=told.currency),
        closed_at=told.closed_at,
    )


def withdrawal_view(matter: Return) -> WithdrawalView | None:
    declared, confirmed = matter.declared, matter.confirmed
    if declared is None:
        return None
    return WithdrawalView(
        lines={each.line_id: each.quantity for each in declared.lines},
        declared_at=declared.declared_at,
        confirm_by=declared.confirm_by,
        refund_due=confirmed.refund_due if confirmed else None,
        acknowledgement=shown(confirmed, acknowledgement_view),
    )


def acknowledgement_view(told: WithdrawalConfirmed) -> AcknowledgementView:
    return AcknowledgementView(
        content=told.content,
        content_sha256=told.content_sha256,
        received_at=told.confirmed_at.replace(microsecond=0),
    )


def statement_view(told: StatementOfReasonsIssued) -> ReturnStatementView:
    return ReturnStatementView(
        sor_id=told.sor_id,
        recipient_role=told.recipient_role,
        rule_ids=told.rule_ids,
        explanation=told.explanation,
        facts=told.facts,
        appeal_until=told.appeal_until,
        appeal_command=told.appeal_command,
    )
