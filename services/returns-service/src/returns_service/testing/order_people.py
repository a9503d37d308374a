"""What buyers, sellers, carriers and warehouses may do with an order's returns, at random."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from shared_events.dispute import ContestGround
from shared_events.returns import AskedKind, Reception
from shared_runtime.decider import Actor

from returns_service.domain.approving import ApproveReturn
from returns_service.domain.cancelling import CancelReturn
from returns_service.domain.contesting import ContestReturn
from returns_service.domain.declining import DeclineReturn
from returns_service.domain.exchanging import RecordReplacementDelivered, ShipReplacement
from returns_service.domain.inspecting import InspectedUnit, InspectUnits
from returns_service.domain.losing import RecordLoss
from returns_service.domain.offering import AnswerOffer, OfferPartialRefund
from returns_service.domain.receiving import FoundUnit, ReceiveUnits
from returns_service.domain.recovering import ConfirmUnrecovered
from returns_service.domain.reserving import RecordDifferencePaid
from returns_service.domain.return_request import RequestReturn
from returns_service.domain.return_state import Return
from returns_service.domain.scanning import RecordScan
from returns_service.domain.sending_back import SendBackUnits, WaiveGoods
from returns_service.domain.shipping_back import ShipBack
from returns_service.domain.streams import return_stream
from returns_service.domain.tables import AskedReason
from returns_service.domain.wanted import WantedLine
from returns_service.domain.withdrawing import ConfirmWithdrawal, DeclareWithdrawal
from returns_service.testing import AGENT, BUYER, DAY, SELLER, SYSTEM
from returns_service.testing.order_play import Play
from returns_service.testing.returns import FILE, words

RETURNS_MAX = 4
PHOTO: dict[str, Any] = {"photos": (words("photo"),), "photos_sha256": (FILE,)}
MEDIA: dict[str, Any] = {"media": (words("photo"),), "media_sha256": (FILE,)}
type Act = tuple[Struct, Actor]
"""What is said, and by whom."""


class People(Play):
    def begins(self) -> None:
        if len(self.world.rows) >= RETURNS_MAX:
            return
        many = {each.line_id: each.quantity for each in self.world.order.lines}
        lines = tuple(
            WantedLine(line_id=line_id, quantity=self.rng.randint(1, many[line_id]))
            for line_id in self.some([*many])
        )
        return_id = self.new("RT")
        said: Struct
        if self.world.order.stage in ("PAID", "SHIPPED") or self.chance(20):
            said = DeclareWithdrawal(return_id=return_id, lines=lines)
        else:
            said = self.a_request(return_id, lines)
        self.notes(said)
        self.world.to_return(return_id, said, BUYER)

    def a_request(self, return_id: str, lines: tuple[WantedLine, ...]) -> RequestReturn:
        kinds: list[AskedKind] = ["RETURN", "RETURN", "EXCHANGE", "EXCHANGE", "CLAIM"]
        kind = self.rng.choice(kinds)
        more: dict[str, Any] = {"wants": "REFUND" if kind == "RETURN" else kind}
        reasons: list[AskedReason] = ["DAMAGED", "DEFECTIVE", "NOT_AS_DESCRIBED", "MISSING_PARTS"]
        if kind == "CLAIM":
            more["wants"] = self.rng.choice(["REFUND", "REPLACEMENT"])
            more["amount_minor"] = (
                self.rng.choice([1, 400, 1060]) if more["wants"] == "REFUND" else None
            )
        else:
            reasons.extend(("CHANGE_OF_MIND", "SIZE_MISFIT", "DAMAGED"))
        if kind == "EXCHANGE" and self.chance(50):
            more["replacement_sku"] = "size-43"
        return RequestReturn(
            return_id=return_id,
            kind=kind,
            lines=lines,
            reason=self.rng.choice(reasons),
            currency="EUR" if more.get("amount_minor") else None,
            text=words(),
            **MEDIA,
            **more,
        )

    def somebody_acts(self) -> None:
        begun = [
            return_id
            for return_id, matter in self.world.returns.items()
            if matter.pieces or matter.status == "DRAFT"
        ]
        if not begun:
            self.begins()
            return
        return_id = self.rng.choice(begun)
        matter = self.world.states[return_stream(return_id)]
        for _ in range(3):
            said, actor = self.an_act(matter)
            if events := self.world.to_return(return_id, said, actor):
                self.notes(f"{return_id} {said} -> {[type(each).__name__ for each in events]}")
                return

    def an_act(self, matter: Return) -> Act:
        return self.rng.choice(self.acts_on(matter))

    def acts_on(self, matter: Return) -> Sequence[Act]:
        if matter.status == "DRAFT":
            content = ConfirmWithdrawal(content=words("content"), content_sha256=FILE)
            return [(content, BUYER), (content, BUYER), (CancelReturn(), BUYER)]
        deciding: list[Act] = [
            (ApproveReturn(), SELLER),
            (ApproveReturn(), SELLER),
            (DeclineReturn(code="OTHER", note=words("note")), SELLER),
            (self.an_offer(), SELLER),
            (CancelReturn(), BUYER),
        ]
        if matter.offer:
            accept = self.chance(60)
            deciding += [(AnswerOffer(offer_id=matter.offer.offer_id, accept=accept), BUYER)] * 4
        if matter.review:
            return deciding
        units = self.some([*matter.pieces])
        moving = [*self.of_goods(units, matter), *self.of_replacing(units)]
        if new := [piece.unit for piece in matter.live if piece.replacement]:
            moving += self.of_replacing(tuple(new)) * 2
        return [*moving, self.rng.choice(deciding)]

    def of_goods(self, units: tuple[str, ...], matter: Return) -> list[Act]:
        own = self.chance(30)
        tracking = "OWN" if own else f"T-{matter.return_id}"
        then = self.world.now - self.rng.choice([0, 1, 30]) * DAY
        scans = [
            (RecordScan(kind=kind, units=units, scanned_at=then, tracking_id=tracking), SYSTEM)
            for kind in ("HANDED_OVER", "DELIVERED_BACK")
        ]
        receptions: list[Reception] = ["RECEIVED", "RECEIVED", "RECEIVED", "WRONG_ITEM", "SHORT"]
        reception = self.rng.choice(receptions)
        found = tuple(FoundUnit(unit=unit, reception=reception) for unit in units)
        judge = self.rng.choice([SELLER, SYSTEM])
        grounds: list[ContestGround] = ["DECLINED", "REJECTED", "LOST", "DEDUCTION"]
        ground = self.rng.choice(grounds)
        proof = FILE if self.chance(50) else None
        return [
            *scans,
            *scans,
            (ShipBack(units=units, tracking_id=tracking, proof_sha256=proof), BUYER),
            (ReceiveUnits(units=found, **PHOTO), judge),
            (ReceiveUnits(units=found, **PHOTO), judge),
            (self.a_verdict(units), judge),
            (self.a_verdict(units), judge),
            (RecordLoss(units=units, told=True), SYSTEM),
            (ContestReturn(ground=ground, units=units, text=words("contest")), BUYER),
            (ContestReturn(ground=ground, units=units, text=words("contest")), BUYER),
            (SendBackUnits(units=units, tracking_id="T-back"), SELLER),
            (WaiveGoods(units=units), BUYER),
            (ConfirmUnrecovered(units=units), AGENT),
        ]

    def of_replacing(self, units: tuple[str, ...]) -> list[Act]:
        return [
            (RecordDifferencePaid(payment_ref=self.new("pay")), SYSTEM),
            (ShipReplacement(units=units, tracking_id="T-new"), SELLER),
            (ShipReplacement(units=units, tracking_id="T-new"), SELLER),
            (ShipReplacement(units=units, tracking_id="T-new"), SYSTEM),
            (RecordReplacementDelivered(units=units), self.rng.choice([BUYER, SYSTEM])),
            (RecordReplacementDelivered(units=units), self.rng.choice([BUYER, SYSTEM])),
        ]

    def a_verdict(self, units: tuple[str, ...]) -> InspectUnits:
        told: dict[str, Any] = self.rng.choice(
            [
                {"verdict": "ACCEPTED", "grade": "A"},
                {"verdict": "ACCEPTED", "grade": "A"},
                {"verdict": "ACCEPTED", "grade": "C", "deduction_milli": 250},
                {"verdict": "REJECTED", "reason": "USED"},
                {"verdict": "REJECTED", "reason": "WRONG_ITEM"},
                {"verdict": "REJECTED", "reason": "LATE"},
            ]
        )
        return InspectUnits(
            units=tuple(InspectedUnit(unit=unit, **told) for unit in units), **PHOTO
        )

    def an_offer(self) -> OfferPartialRefund:
        amount = self.rng.choice([1, 350, 1060])
        return OfferPartialRefund(offer_id=self.new("OF"), amount_minor=amount, currency="EUR")
