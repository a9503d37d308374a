"""A remedy that somebody proposes, orders or decides in; whether it makes sense, and what of it a
rule may grant, out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Protocol

from msgspec import Meta, Struct
from shared_casework.values import refuse
from shared_events.dispute import ContestGround, DisputedLine, DisputeReason, Outcome
from shared_events.fields import LINES_MAX, Currency, Id, Minor
from shared_runtime.decider import AmountExceedsCeiling, FieldError

from dispute_service.domain.policy import DisputePolicy

type Lines = Annotated[tuple[DisputedLine, ...], Meta(max_length=LINES_MAX)]

SHIPS_BACK: tuple[Outcome, ...] = ("RETURN_AND_REFUND", "EXCHANGE")
"""The goods go back."""
REPLACES: tuple[Outcome, ...] = ("EXCHANGE", "REPLACEMENT_NO_RETURN")
GOODS_AWAY: tuple[ContestGround, ...] = ("REJECTED", "LOST", "DEDUCTION")
"""What is contested where the buyer does not have the goods any more."""
MILLI = 1000

AMOUNT = "at least 1 with REFUND_PARTIAL, else absent"
MONEY = "there with an amount, and alone with one"
REPLACEMENT = "absent unless something is sent in the place of it"


class Terms(Struct, frozen=True, kw_only=True):
    """Equal ones are a settlement. `lines` are sorted; `amount_minor` is there with REFUND_PARTIAL.

    `replacement_sku`: None is the same article.
    """

    outcome: Outcome
    lines: tuple[DisputedLine, ...]
    amount_minor: int | None = None
    replacement_sku: str | None = None


class Said(Protocol):
    """What a command says of terms."""

    @property
    def outcome(self) -> Outcome: ...
    @property
    def amount_minor(self) -> Minor | None: ...
    @property
    def currency(self) -> Currency | None: ...
    @property
    def replacement_sku(self) -> Id | None: ...


def faults_of(said: Said) -> Iterator[FieldError]:
    """What can be told without knowing the dispute."""
    partial = said.outcome == "REFUND_PARTIAL"
    if partial != (said.amount_minor is not None) or said.amount_minor == 0:
        yield FieldError(field="amount_minor", bound=AMOUNT)
    elif partial != (said.currency is not None):
        yield FieldError(field="currency", bound=MONEY)
    if said.replacement_sku is not None and said.outcome not in REPLACES:
        yield FieldError(field="replacement_sku", bound=REPLACEMENT)


def sorted_lines(lines: Iterable[DisputedLine]) -> tuple[DisputedLine, ...]:
    return tuple(sorted(lines, key=lambda line: line.line_id))


def require_lines(lines: Sequence[DisputedLine], disputed: Mapping[str, int]) -> None:
    """Raises `InvalidValue` unless each is a line of the dispute, once, and not too many of it."""
    named = {line.line_id for line in lines}
    if len(named) < len(lines) or any(
        not 1 <= line.quantity <= disputed.get(line.line_id, 0) for line in lines
    ):
        raise refuse("lines", "what is disputed, each line once")


def require_below(terms: Terms, ceiling_minor: int, currency: str) -> None:
    """Raises `AmountExceedsCeiling`: what is all there is, is no part of it."""
    if terms.amount_minor is not None and terms.amount_minor >= ceiling_minor:
        raise AmountExceedsCeiling(ceiling_minor=ceiling_minor, currency=currency)


def held_for(terms: Terms, ceiling_minor: int) -> int:
    """What the payout is to wait with, so that these terms can be met."""
    if terms.outcome == "REJECTED":
        return 0
    return ceiling_minor if terms.amount_minor is None else terms.amount_minor


def granted(
    terms: Terms,
    reason: DisputeReason,
    ground: ContestGround | None,
    ceiling_minor: int,
    policy: DisputePolicy,
) -> Terms:
    """What a rule grants of a proposal where nobody decides: goods that the buyer has go back."""
    if reason == "NOT_RECEIVED":
        return Terms(outcome="REFUND_FULL", lines=terms.lines)
    if ground in GOODS_AWAY:
        if terms.outcome == "REPLACEMENT_NO_RETURN":
            return Terms(outcome="REFUND_FULL", lines=terms.lines)
        return terms
    amount = terms.amount_minor
    most = policy.dispute_default_partial_max_milli * ceiling_minor
    if amount is not None and amount * MILLI <= most:
        return terms
    return Terms(outcome="RETURN_AND_REFUND", lines=terms.lines)
