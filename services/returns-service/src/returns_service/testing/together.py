"""An order with its ledger and its returns in memory, for stories in tests: what goods ask of the
ledger is asked, the provider pays at once, and what the ledger answers ends returns.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from msgspec import Struct
from shared_casework.order_facts import OrderFacts
from shared_events.returns import (
    ExchangeDelivered,
    RefundEvent,
    RefundIssued,
    RefundNotDue,
    RefundRequested,
    RefundSettled,
    RemedyAlreadyMet,
    ReturnEvent,
)
from shared_runtime.decider import Actor
from shared_runtime.rule import By, Sent

from returns_service.domain.confirming import ConfirmRefund
from returns_service.domain.ending import CloseReturn
from returns_service.domain.known import GivenBack, Known, PieceFacts, RefundFacts
from returns_service.domain.ledger_rules import LEDGERS
from returns_service.domain.ledger_state import Ledger
from returns_service.domain.opening import OpenLedger
from returns_service.domain.policy import policies
from returns_service.domain.return_rules import RETURNS
from returns_service.domain.return_state import Piece, Return
from returns_service.domain.steps import ToLedger, steps_of
from returns_service.testing import BUYER, SYSTEM, at

ANSWERS = (RefundIssued, RefundNotDue, RemedyAlreadyMet)


@dataclass
class Together:
    """Carrier and stock answer when a story says so."""

    order: OrderFacts
    ledger: list[RefundEvent] = field(default_factory=list[RefundEvent])
    returns: dict[str, list[ReturnEvent]] = field(default_factory=dict[str, list[ReturnEvent]])

    def __post_init__(self) -> None:
        self.to_ledger(OpenLedger(), at(1))

    def say(
        self, said: Struct, now: datetime, actor: Actor = BUYER, return_id: str = "RT-1"
    ) -> list[ReturnEvent]:
        """What comes of it in the return; what comes of that is done besides."""
        history = self.returns.get(return_id, [])
        known = self.known(return_id)
        by = By(actor=actor, now=now, known=known)
        events = RETURNS.decide(RETURNS.fold(history), Sent(said, by))
        for event in events:
            history = [*history, event]
            self.returns[return_id] = history
            matter = RETURNS.fold(history)
            assert isinstance(matter, Return)
            for step in steps_of(f"{return_id}-{len(history)}", event, matter):
                if isinstance(step, ToLedger):
                    self.to_ledger(step.said, now)
        return events

    def to_ledger(self, said: Struct, now: datetime, actor: Actor = SYSTEM) -> list[RefundEvent]:
        known = Known(policies=policies(), order=self.order)
        by = By(actor=actor, now=now, known=known)
        events = LEDGERS.decide(LEDGERS.fold(self.ledger), Sent(said, by))
        self.ledger += events
        settled = {each.refund_id for each in events if isinstance(each, RefundSettled)}
        for event in events:
            if isinstance(event, RefundRequested) and event.refund_id not in settled:
                paid = ConfirmRefund(refund_id=event.refund_id, gateway_ref="gw")
                self.to_ledger(paid, now)
            if isinstance(event, ANSWERS):
                for state in self.states():
                    self.say(CloseReturn(), now, SYSTEM, state.return_id)
        return events

    # --- What each would know of the others

    def states(self) -> list[Return]:
        folded = (RETURNS.fold(history) for history in self.returns.values())
        return [state for state in folded if isinstance(state, Return)]

    @property
    def book(self) -> Ledger:
        state = LEDGERS.fold(self.ledger)
        assert isinstance(state, Ledger)
        return state

    def known(self, return_id: str) -> Known:
        refunds = [
            event
            for event in self.ledger
            if isinstance(event, RefundIssued | RefundNotDue) and event.source_id == return_id
        ]
        issued = [event for event in refunds if isinstance(event, RefundIssued)]
        return Known(
            policies=policies(),
            order=self.order,
            pieces=tuple(self.pieces()),
            ledger=self.book.remaining,
            refunds=RefundFacts(
                answered=frozenset(unit for event in refunds for unit in units_of(event)),
                given=tuple(
                    GivenBack(
                        units={each.unit: each.amount_minor for each in event.units},
                        shipping_minor=event.shipping_minor,
                    )
                    for event in issued
                ),
                total_minor=sum(event.total_minor for event in issued),
            ),
        )

    def pieces(self) -> Iterator[PieceFacts]:
        arrived = {
            unit: event.delivered_at
            for history in self.returns.values()
            for event in history
            if isinstance(event, ExchangeDelivered)
            for unit in event.new_units
        }
        for money in self.book.money.units:
            if money.replaced:
                continue
            held: dict[str, Any] = {}
            for state in self.states():
                piece = state.pieces.get(money.unit)
                if piece and is_held(state, piece):
                    held["in_return"] = state.return_id
                if piece and piece.left == "KEPT":
                    held["kept_by"] = state.offers[-1].offer_id
            yield PieceFacts(
                unit=money.unit,
                paid_minor=money.paid_minor,
                delivered_at=arrived.get(money.unit),
                **held,
            )


def is_held(state: Return, piece: Piece) -> bool:
    """Whether the return has it, as a claim would say."""
    if piece.is_out:
        return False
    given_up = piece.acceptance == "REJECTED" or (piece.where == "LOST" and not piece.covered)
    return not (given_up and state.closed)


def units_of(event: RefundIssued | RefundNotDue) -> list[str]:
    return [each if isinstance(each, str) else each.unit for each in event.units]
