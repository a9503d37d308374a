"""The carrier's book: labels asked of it in, parcels and what is told of them out."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from local_stack.sandboxes.answers import Answer, refused
from local_stack.sandboxes.book import Book, Currency, Name, Thing, Wanted
from local_stack.sandboxes.faults import Control, Plan

CARRIER = "sandbox-post"
COST_MINOR = 390


class WantedLabel(Wanted, frozen=True, kw_only=True):
    """`pieces`: how many the parcel holds."""

    order_ref: Name
    pieces: Annotated[int, Meta(ge=1)]
    currency: Currency

    @property
    def subjects(self) -> tuple[str, ...]:
        return self.reference, self.order_ref


class Label(Thing, frozen=True, kw_only=True):
    order_ref: str
    carrier: str
    tracking_id: str
    cost_minor: int
    currency: str
    status: Literal["CREATED", "USED", "VOIDED", "LOST"]

    @property
    def subjects(self) -> tuple[str, ...]:
        return self.reference, self.order_ref


class Scan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be told of a parcel: of now, or of whenever it says."""

    tracking_id: Name
    kind: Literal["HANDED_OVER", "DELIVERED_BACK"]
    scanned_at: datetime | None = None


class Loss(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    tracking_id: Name


class Parcel(Struct, frozen=True, kw_only=True):
    """What a webhook tells of a parcel. `scanned_at`: absent of one that is lost."""

    reference: str
    order_ref: str
    tracking_id: str
    kind: Literal["HANDED_OVER", "DELIVERED_BACK", "LOST"]
    scanned_at: datetime | None = None


class Carrier(Book[WantedLabel, Label]):
    """`tell`: has a webhook sent."""

    plural, ending, prefix, wants = "labels", "void", "lb", WantedLabel

    def __init__(
        self,
        control: Control,
        now: Callable[[], datetime],
        tell: Callable[[str, Parcel, Plan], None],
    ) -> None:
        super().__init__(control, now)
        self._tell = tell
        self._by_tracking: dict[str, str] = {}

    def make(self, wanted: WantedLabel, plan: Plan, thing_id: str) -> Label | Answer:
        if plan.refuse is not None:
            return refused(422, plan.refuse)
        tracking_id = f"SP{thing_id[3:]}"
        self._by_tracking[tracking_id] = thing_id
        return Label(
            id=thing_id,
            reference=wanted.reference,
            order_ref=wanted.order_ref,
            carrier=CARRIER,
            tracking_id=tracking_id,
            cost_minor=COST_MINOR,
            currency=wanted.currency,
            status="CREATED",
            created_at=self.now(),
        )

    def end(self, thing: Label, _: bytes, /) -> Label | Answer:
        """One that was not used."""
        if thing.status in ("CREATED", "VOIDED"):
            return replace(thing, status="VOIDED")
        return refused(409, thing.status)

    def scan(self, scan: Scan) -> bool:
        """Whether there is such a parcel; its scan is told."""
        label = self._found(scan.tracking_id)
        if label is None:
            return False
        self.things[label.id] = replace(label, status="USED")
        self._tell(
            "parcel.scanned",
            Parcel(
                reference=label.reference,
                order_ref=label.order_ref,
                tracking_id=label.tracking_id,
                kind=scan.kind,
                scanned_at=scan.scanned_at or self.now(),
            ),
            self.plan_of(label),
        )
        return True

    def lose(self, loss: Loss) -> bool:
        """Whether there is such a parcel; that it is lost is told."""
        label = self._found(loss.tracking_id)
        if label is None:
            return False
        self.things[label.id] = replace(label, status="LOST")
        lost = Parcel(
            reference=label.reference,
            order_ref=label.order_ref,
            tracking_id=label.tracking_id,
            kind="LOST",
        )
        self._tell("parcel.lost", lost, self.plan_of(label))
        return True

    def _found(self, tracking_id: str) -> Label | None:
        label_id = self._by_tracking.get(tracking_id)
        return self.things[label_id] if label_id else None
