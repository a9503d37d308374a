"""What a return, an offer, a claim, a cancellation or a remedy asks for in, a refund of it out.

A machine asks: it is never refused for want of money, but given what is left. Each piece is asked
for once: one that finally failed or bounced is paid by its reissue alone. Only what is asked again
because others' money was undone, or because the gateway has stopped a refund, is asked twice.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct
from shared_casework.money import ENDS_A_UNIT, LedgerFacts
from shared_casework.values import refuse, require_currency, utc
from shared_events.dispute import Liable, Outcome
from shared_events.fields import Currency, Holds, Id, Milli, Minor, Unit
from shared_events.returns import (
    CostMoved,
    RefundEvent,
    RefundIssued,
    RefundNotDue,
    RefundRequested,
    RefundSettled,
    RemedyAlreadyMet,
)
from shared_runtime.decider import FieldError, Refused

from returns_service.domain.amounts import Amounts, WantedAmounts, after_deduction, given_of
from returns_service.domain.bearing import taken_along
from returns_service.domain.known import Sender
from returns_service.domain.ledger_fold import evolve
from returns_service.domain.ledger_state import TO_REISSUE, Ledger, in_order, makes_amends
from returns_service.domain.matter import Book, LedgerRule
from returns_service.domain.totals import (
    gave_for,
    nothing_due,
    outside_of_no_unit,
    settled,
    with_remaining,
)
from returns_service.domain.units import is_replacement_in, original_of

NOT_ASKED = "none"
"""In the place of the gateway's reference, where there was nothing to pay."""

type AskedBy = Literal[
    "RETURN",
    "OFFER",
    "WITHDRAWAL",
    "EXCHANGE_FALLBACK",
    "EXCHANGE_DIFFERENCE",
    "CLAIM",
    "DISPUTE",
    "CANCELLATION",
]
"""The sources of a refund that nobody asks for in person."""


type Standing = Literal["ACCEPTED", "COVERED", "ADVANCED"]


class NothingReceived(Refused):
    """No accepted unit stands behind this refund."""


class AskedUnit(Struct, frozen=True, kw_only=True):
    """`standing`: of a RETURN, what stands behind the refund of it: goods accepted, goods lost for
    which the platform answers, or an advance.
    """

    unit: Unit
    deduction_milli: Milli = 0
    standing: Standing | None = None


def each_unit_once(units: tuple[AskedUnit, ...]) -> bool:
    return len({each.unit for each in units}) == len(units)


class RequestRefund(Struct, frozen=True, kw_only=True):
    """`amount_minor`: one that was agreed or ordered; else what is left of the units, less their
    deductions. `label_cost_minor`: the whole cost of the return's label, if the buyer pays it.
    `difference_minor`: paid for a replacement that does not come. `reissues`: a refund that the
    gateway has stopped; `outside_id`: money of others that was undone.
    """

    refund_id: Id
    source: AskedBy
    source_id: Id
    remedy_id: Id | None = None
    units: Annotated[
        tuple[AskedUnit, ...], Meta(min_length=1), Holds(each_unit_once, "each unit once")
    ]
    currency: Currency | None = None
    amount_minor: Minor | None = None
    label_cost_minor: Minor = 0
    difference_minor: Minor = 0
    seller_at_fault: bool = False
    outcome: Outcome | None = None
    liable: Liable | None = None
    advance: bool = False
    reissues: Id | None = None
    outside_id: Id | None = None

    @property
    def asks_again(self) -> bool:
        return self.reissues is not None or self.outside_id is not None


def shape_of_request(said: RequestRefund, _: Sender) -> Iterator[FieldError]:
    if said.source == "DISPUTE" and said.remedy_id is None:
        yield FieldError(field="remedy_id", bound="there where a dispute asks")
    names_money = said.amount_minor is not None or said.label_cost_minor or said.difference_minor
    if names_money and said.currency is None:
        yield FieldError(field="currency", bound="there with an amount")


def request_refund(book: Book, said: RequestRefund, by: Sender) -> list[RefundEvent]:
    """Clipped to what is left. Of nothing that is left, nothing is due; of a total of 0 that a
    label, a deduction or a price of 0 leaves, the gateway is not asked. A difference is of no
    piece: it is given whatever there is to give of those.
    """
    ledger = book.open_ledger
    known = {each.unit for each in ledger.money.units}
    require_currency(said.currency, ledger.currency)
    require_of_order(ledger, said, known)
    named = to_answer(ledger, said)
    still_out = [each for each in named if each not in known]
    here = in_order(ledger.money, named)
    events: list[RefundEvent] = []
    if here or said.difference_minor:
        events += answer(ledger, said, here, by)
    if still_out:
        events.append(original_out(ledger, said, still_out))
    return events


def require_of_order(ledger: Ledger, said: RequestRefund, known: Collection[str]) -> None:
    """Raises `InvalidValue` unless each is a piece of the order, or to take the place of one."""
    for each in said.units:
        if each.unit not in known and not is_replacement_in(each.unit, known):
            raise refuse("units", "pieces of the order")
    if said.refund_id in ledger.outside:
        raise refuse("refund_id", "not that of money given outside")
    if said.reissues is not None and not asks_the_same(
        said, ledger.refunds[said.reissues].requested
    ):
        raise refuse("reissues", "a refund of the same source, for the same units")


def asks_the_same(said: RequestRefund, stopped: RefundRequested) -> bool:
    one = (said.source, said.source_id, said.remedy_id)
    units = {each.unit for each in stopped.units}
    return one == (stopped.source, stopped.source_id, stopped.remedy_id) and units >= {
        each.unit for each in said.units
    }


def to_answer(ledger: Ledger, said: RequestRefund) -> list[str]:
    """The units that this is an answer for. Raises `NothingReceived`."""
    named = [each.unit for each in said.units]
    if said.source == "RETURN":
        named = [each.unit for each in said.units if each.standing]
        if not named:
            raise NothingReceived
    if said.source != "DISPUTE" or said.asks_again:
        return named
    assert said.remedy_id
    answered = ledger.answered.get(said.remedy_id, frozenset())
    return [unit for unit in named if unit not in answered]


def answer(
    ledger: Ledger, said: RequestRefund, units: Sequence[str], by: Sender
) -> list[RefundEvent]:
    """For units that the ledger knows, in its order."""
    remaining = ledger.remaining
    left = {unit: remaining.units[unit] for unit in still_asked(ledger, said, units)}
    deductions = {each.unit: each.deduction_milli for each in said.units}
    of_units = {unit: after_deduction(left.get(unit, 0), deductions[unit]) for unit in units}
    whole = sum(of_units.values())
    shipping = shipping_due(ledger, said, whole, remaining) if left else 0
    left_minor = min(sum(left.values()) + shipping, remaining.order_minor)
    if left_minor + said.difference_minor == 0 and was_paid_for(ledger, units):
        blocked = sum(left.values()) + shipping > 0
        return nothing_left(ledger, said, units, outside_of_no_unit(ledger) if blocked else [])
    asked = WantedAmounts(
        of_units=of_units,
        units_minor=whole if said.amount_minor is None else said.amount_minor - shipping,
        shipping_minor=shipping,
        difference_minor=said.difference_minor,
        label_cost_minor=label_due(ledger, said),
    )
    return refund_of(ledger, said, given_of(asked, remaining), by)


def still_asked(ledger: Ledger, said: RequestRefund, units: Sequence[str]) -> list[str]:
    """Goods come back once: nothing more is due for a unit that a refund of goods has named."""
    if said.source not in ENDS_A_UNIT or said.asks_again:
        return [*units]
    returned = {each.unit for each in ledger.money.units if each.returned}
    return [unit for unit in units if unit not in returned]


def shipping_due(ledger: Ledger, said: RequestRefund, of_units: int, remaining: LedgerFacts) -> int:
    """With the last unit of the order. Of an amount, what it exceeds its units by."""
    if not remaining.left <= {each.unit for each in said.units}:
        return 0
    if said.amount_minor is None:
        return remaining.shipping_minor if brings_shipping(ledger, said) else 0
    if said.source != "DISPUTE" and said.outside_id is None:
        return 0
    return min(max(0, said.amount_minor - of_units), remaining.shipping_minor)


def brings_shipping(ledger: Ledger, said: RequestRefund) -> bool:
    return (
        ledger.amends
        or makes_amends(said.source, said.seller_at_fault)
        or said.source == "CANCELLATION"
        or (said.source == "DISPUTE" and said.outcome == "REFUND_FULL")
    )


def was_paid_for(ledger: Ledger, units: Sequence[str]) -> bool:
    """For them, or for what they are in the place of."""
    pieces = {original_of(unit) for unit in units}
    return any(
        each.paid_minor + each.moved_minor
        for each in ledger.money.units
        if original_of(each.unit) in pieces
    )


def label_due(ledger: Ledger, said: RequestRefund) -> int:
    deducted = ledger.label_deducted(said.source_id, said.reissues)
    return max(0, said.label_cost_minor - deducted)


# --- The answer


def refund_of(ledger: Ledger, said: RequestRefund, given: Amounts, by: Sender) -> list[RefundEvent]:
    now = utc(by.now)
    requested = with_remaining(
        ledger,
        RefundRequested(
            **ledger.ids,
            refund_id=said.refund_id,
            source=said.source,
            source_id=said.source_id,
            remedy_id=said.remedy_id,
            reissues=said.reissues,
            outside_id=said.outside_id,
            way="ORIGINAL",
            borne_by="PLATFORM" if said.liable == "PLATFORM" else "SELLER",
            units=given.units,
            currency=ledger.currency,
            shipping_minor=given.shipping_minor,
            goodwill_minor=0,
            difference_minor=given.difference_minor or None,
            label_cost_minor=given.label_cost_minor,
            total_minor=given.total_minor,
            clipped_from_minor=given.clipped_from_minor,
            seller_at_fault=said.seller_at_fault,
            advance=said.advance,
            remaining_minor=0,
            overdue_at=now + ledger.policy(by).refund_legal,
        ),
    )
    if requested.total_minor > 0:
        return [requested, *taken_along(ledger, requested)]
    after = evolve(ledger, requested)
    assert isinstance(after, Ledger)
    return [requested, *settled(after, requested, NOT_ASKED, now)]


def nothing_left(
    ledger: Ledger, said: RequestRefund, units: Sequence[str], besides: Sequence[str]
) -> list[RefundEvent]:
    """`besides`: what leaves nothing though it is of none of these units."""
    givers = {*gave_for(ledger, units), *besides}
    return nothing_due(
        ledger,
        refund_id=said.refund_id,
        source=said.source,
        source_id=said.source_id,
        remedy_id=said.remedy_id,
        reissues=said.reissues,
        units=units,
        refund_ids=[each.given_id for each in ledger.money.given if each.given_id in givers],
    )


def original_out(ledger: Ledger, said: RequestRefund, units: Sequence[str]) -> RefundNotDue:
    """What was sent ahead has no money of its own until its original is accepted."""
    return RefundNotDue(
        **ledger.ids,
        refund_id=said.refund_id,
        source=said.source,
        source_id=said.source_id,
        remedy_id=said.remedy_id,
        units=[*units],
        refund_ids=[],
        why="ORIGINAL_OUT",
    )


# --- What has had its answer


def is_answered(book: Book, said: RequestRefund, _: Sender) -> bool:
    """The same refund, whatever is said of it; one that stands in a place that is taken, or that
    is not free yet; and what is asked again because of money that nobody has taken back.
    """
    ledger = book.ledger
    if ledger is None:
        return False
    if ledger.has_answered(said.refund_id):
        return True
    if said.reissues is not None:
        stopped = ledger.refunds.get(said.reissues)
        return stopped is None or stopped.status not in TO_REISSUE or not stopped.is_owed
    return said.outside_id is not None and ledger.outside.get(said.outside_id) != "UNDONE"


REQUEST_REFUND = LedgerRule(
    RequestRefund,
    request_refund,
    roles=("SYSTEM",),
    shape=shape_of_request,
    repeated=is_answered,
    states=("OPEN",),
    refuses=(NothingReceived,),
    events=(
        RefundRequested,
        RefundSettled,
        RefundIssued,
        RefundNotDue,
        RemedyAlreadyMet,
        CostMoved,
    ),
    example=RequestRefund(
        refund_id="f-1",
        source="RETURN",
        source_id="RT-1",
        units=(AskedUnit(unit="1/1", standing="ACCEPTED"),),
    ),
)
