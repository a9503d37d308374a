"""What a provider, its desk, a marketplace and disputes do of their own accord, at random."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from shared_events.dispute import DisputedUnits, Outcome, RemedyOrdered
from shared_events.envelope import Recorded
from shared_events.orders import OrderCancelled
from shared_events.returns import ReturnContested

from returns_service.connectors.words import DEFINITE, asked_of
from returns_service.dispute_rows import DisputeRow, dispute_row
from returns_service.domain.asking import IN_MONEY
from returns_service.domain.goodwill import GiveGoodwill
from returns_service.domain.inspecting import AcceptByDefault
from returns_service.domain.known import line_of
from returns_service.domain.outside import RecordOutsideRefund, UndoOutsideRefund
from returns_service.domain.reissuing import ReissueRefund
from returns_service.domain.resolving import ResolveRefund
from returns_service.domain.streams import return_stream
from returns_service.domain.withdrawing import AskForGoods
from returns_service.ports.payment import TheirRefund, word_about
from returns_service.reactions.from_other_services import cancellations
from returns_service.remedies import WaitingRemedy
from returns_service.testing import AGENT, DAY, SYSTEM
from returns_service.testing.order_log import ORDER_ID, POLICIES
from returns_service.testing.order_play import Play

OUTCOMES: Sequence[Outcome] = (
    "REFUND_FULL",
    "REFUND_PARTIAL",
    "RETURN_AND_REFUND",
    "EXCHANGE",
    "REPLACEMENT_NO_RETURN",
)


@dataclass(kw_only=True)
class Others(Play):
    """`grounds`: of the contests that have become disputes."""

    grounds: dict[str, str] = field(default_factory=dict[str, str])

    # --- The provider, of its own accord; and its desk

    def provider_turns(self) -> None:
        if told := self.provider.turns():
            self.provider_tells(told)

    def provider_tells(self, told: TheirRefund) -> None:
        ledger = self.world.ledger
        assert ledger
        word = word_about(asked_of(ledger.refunds[told.reference]), told)
        if isinstance(word, DEFINITE):
            self.notes(f"provider tells {word} of {told.reference}")
            self.world.hear(told.reference, word, self.world.new_id(), "told")

    def desk_acts(self) -> None:
        ledger = self.world.ledger
        assert ledger
        if not ledger.refunds or self.chance(30):
            amount = self.rng.choice([1, 300, 1000])
            said = GiveGoodwill(
                refund_id=self.new("G"), goodwill_minor=amount, currency="EUR", reason="DELAY"
            )
            self.notes(said)
            self.world.to_ledger(said, AGENT)
            return
        refund_id = self.rng.choice([*ledger.refunds])
        if self.chance(50):
            self.reissues(refund_id)
        else:
            paid = any(
                each.told.reference == refund_id and each.told.status == "PAID"
                for each in self.provider.book
            )
            word = ResolveRefund(refund_id=refund_id, paid=paid, proof_ref=self.new("proof"))
            self.notes(word)
            self.world.to_ledger(word, AGENT)

    def reissues(self, refund_id: str) -> list[Any]:
        said = ReissueRefund(refund_id=self.new("F"), failed_refund_id=refund_id)
        self.notes(said)
        return self.world.to_ledger(said, AGENT)

    def others_give(self) -> None:
        ledger = self.world.ledger
        assert ledger
        said: Struct
        if ledger.outside and self.chance(50):
            said = UndoOutsideRefund(outside_id=self.rng.choice([*ledger.outside]))
        else:
            units = [each.unit for each in ledger.money.units if not each.replaced]
            named = self.some(units) if self.chance(50) else ()
            said = RecordOutsideRefund(
                outside_id=self.new("cb"),
                kind="CHARGEBACK",
                units=named,
                amount_minor=self.rng.choice([1, 300, 300, 1060, self.world.order.total_minor]),
                currency="EUR",
            )
        self.notes(said)
        self.world.to_ledger(said, SYSTEM)

    def staff_or_others_act(self) -> None:
        self.rng.choice([self.desk_acts, self.desk_acts, self.others_give])()

    # --- The order

    def order_goes_on(self) -> None:
        of, now = self.world.order, self.world.now
        if of.stage == "PAID":
            if self.chance(40):
                self.cancels()
                return
            self.world.order = replace(of, stage="SHIPPED", shipped_at=now)
            self.notes("the order is shipped")
            self.tells_withdrawals(AskForGoods())
        elif of.stage == "SHIPPED":
            self.world.order = replace(of, stage="DELIVERED", delivered_at=now, received_at=now)
        elif of.stage == "DELIVERED":
            self.world.order = replace(of, stage="COMPLETED", completed_at=now, completion_no=1)

    def cancels(self) -> None:
        of, now = self.world.order, self.world.now
        self.world.order = replace(of, stage="CANCELLED", cancelled_at=now, cancelled_by="SELLER")
        self.notes("the order is cancelled")
        told = OrderCancelled(
            order_id=ORDER_ID,
            seller_id=of.seller_id,
            buyer_id=of.buyer_id,
            policy_version="ae-2025-1",
            cancelled_at=now,
            by="SELLER",
            reason="OUT_OF_STOCK",
        )
        recorded = recorded_of(told, self.world.new_id(), now)
        world = self.world
        for ask in cancellations(world.decisions, [recorded], POLICIES):
            world.asks_ledger(ask)
        self.tells_withdrawals(AcceptByDefault())

    def tells_withdrawals(self, said: Struct) -> None:
        for return_id, row in [*self.world.rows.items()]:
            if row.kind == "WITHDRAWAL" and row.is_open:
                self.world.to_return(return_id, said, SYSTEM)

    # --- Disputes

    def disputes(self) -> None:
        world = self.world
        if self.opens_contests() and self.chance(50):
            return
        open_ones = [each for each in world.disputes.values() if each.closed_at is None]
        if not open_ones or self.chance(30):
            taken = {
                unit for each in world.disputes.values() if each.is_open for unit in each.units
            }
            free = [each.unit for each in world.known().pieces if each.unit not in taken]
            if free and world.order.stage not in ("PAID", "CANCELLED"):
                name = self.new("D")
                row = DisputeRow(dispute_id=name, order_id=ORDER_ID, units=[*self.some(free)])
                world.disputes[name] = row
                self.notes(row)
            return
        self.decides(self.rng.choice(open_ones))

    def opens_contests(self) -> bool:
        """Every contest becomes a dispute."""
        world, found = self.world, False
        for return_id in world.rows:
            for each in world.history(return_stream(return_id)):
                if (
                    isinstance(each.event, ReturnContested)
                    and f"D-{each.event_id}" not in self.grounds
                ):
                    name = f"D-{each.event_id}"
                    self.grounds[name] = each.event.ground
                    world.disputes[name] = DisputeRow(
                        dispute_id=name,
                        order_id=ORDER_ID,
                        units=[*each.event.units],
                        return_id=return_id,
                    )
                    self.notes(world.disputes[name])
                    found = True
        return found

    def decides(self, row: DisputeRow) -> None:
        if row.is_open and self.chance(70):
            self.orders_remedy(row)
        else:
            self.notes(f"{row.dispute_id} closes")
            self.world.closes(row.dispute_id)

    def orders_remedy(self, row: DisputeRow) -> None:
        world = self.world
        goods_are_away = self.grounds.get(row.dispute_id, "DECLINED") != "DECLINED"
        outcome = self.rng.choice(IN_MONEY if goods_are_away else OUTCOMES)
        lines = [DisputedUnits(line_id=line_of(unit), quantity=1, units=unit) for unit in row.units]
        told = RemedyOrdered(
            order_id=ORDER_ID,
            seller_id="S1",
            buyer_id="B1",
            policy_version="ae-2025-1",
            dispute_id=row.dispute_id,
            remedy_id=f"RM-{row.dispute_id}",
            basis="SETTLEMENT",
            reason="DAMAGED",
            outcome=outcome,
            currency="EUR",
            amount_minor=self.rng.choice([1, 500, 1500]) if outcome == "REFUND_PARTIAL" else None,
            lines=lines,
            liable=self.rng.choice(["SELLER", "PLATFORM", "CARRIER", "NONE"]),
            seller_at_fault=self.chance(50),
            execute_by=world.now + 30 * DAY,
        )
        self.notes(f"{outcome} ordered for {row.units}")
        after = dispute_row(row, told)
        assert after
        world.disputes[row.dispute_id] = after
        world.waits(WaitingRemedy(event_id=world.new_id(), ordered_at=world.now, told=told))

    def remedies(self) -> None:
        due = [each for each, (_, due) in self.world.remedies.items() if due <= self.world.now]
        if due:
            self.notes(f"{due[0]} is carried out")
            self.world.carry_out(due[0])


def recorded_of(event: Any, event_id: str, now: datetime) -> Recorded[Any]:  # noqa: ANN401
    """As another service has recorded it."""
    return Recorded(
        topic="orders",
        partition=0,
        position=0,
        event_id=event_id,
        stream=f"order-{event.order_id}",
        version=1,
        type=type(event).__name__,
        time=now,
        recorded_at=now,
        key=event.order_id,
        actor="SYSTEM:orders",
        correlation_id=event.order_id,
        causation_id=event_id,
        event=event,
    )
