"""The payment provider's book: refunds asked of it in, what becomes of them out.

PENDING -> PAID (-> BOUNCED)      PENDING -> REFUSED      PENDING -> CANCELLED
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from heapq import heappop, heappush
from typing import Annotated, Literal

from msgspec import Meta
from msgspec.structs import replace

from local_stack.sandboxes.answers import Answer, answered, refused
from local_stack.sandboxes.book import Book, Currency, Name, Page, Thing, Wanted
from local_stack.sandboxes.faults import Control, Plan

PAGE_MAX = 100

type Status = Literal["PENDING", "PAID", "REFUSED", "CANCELLED", "BOUNCED"]


class WantedRefund(Wanted, frozen=True, kw_only=True):
    """`amount_minor`: in minor units of the currency, whatever their number of decimals."""

    order_ref: Name
    amount_minor: Annotated[int, Meta(ge=1)]
    currency: Currency
    way: Literal["ORIGINAL", "BANK_TRANSFER", "STORE_CREDIT", "OTHER"] = "ORIGINAL"

    @property
    def subjects(self) -> tuple[str, ...]:
        return self.reference, self.order_ref


class Refund(Thing, frozen=True, kw_only=True):
    """`changed_at`: when it came to its status. `days`: on which something happened to it (UTC)."""

    order_ref: str
    amount_minor: int
    currency: str
    way: str
    status: Status
    code: str | None = None
    changed_at: datetime
    days: tuple[date, ...]

    @property
    def subjects(self) -> tuple[str, ...]:
        return self.reference, self.order_ref


class Payments(Book[WantedRefund, Refund]):
    """`tell`: has a webhook sent. `ring`: says that something is going to happen. `due`: what, and
    when.
    """

    plural, ending, prefix, wants = "refunds", "cancel", "re", WantedRefund

    def __init__(
        self,
        control: Control,
        now: Callable[[], datetime],
        tell: Callable[[str, Refund, Plan], None],
        ring: Callable[[], None],
    ) -> None:
        super().__init__(control, now)
        self._tell = tell
        self._ring = ring
        self.due: list[tuple[datetime, str]] = []
        self._no_for_now: dict[str, int] = {}

    def make(self, wanted: WantedRefund, plan: Plan, thing_id: str) -> Refund | Answer:
        """A no for now is not remembered: the same may be asked again."""
        if self._not_now(wanted.reference, plan):
            return refused(402, plan.not_now or "", final=False)
        now = self.now()
        heappush(self.due, (now + timedelta(seconds=plan.delay_seconds), thing_id))
        self._ring()
        return Refund(
            id=thing_id,
            reference=wanted.reference,
            order_ref=wanted.order_ref,
            amount_minor=wanted.amount_minor,
            currency=wanted.currency,
            way=wanted.way,
            status="PENDING",
            created_at=now,
            changed_at=now,
            days=(now.date(),),
        )

    def end(self, thing: Refund, _: bytes, /) -> Refund | Answer:
        """Stops one that is not paid yet."""
        if thing.status == "CANCELLED":
            return thing
        if thing.status != "PENDING":
            return refused(409, thing.status)
        return self._change(thing, "CANCELLED", self.now(), "STOPPED")

    def settle(self) -> None:
        now = self.now()
        while self.due and self.due[0][0] <= now:
            at, refund_id = heappop(self.due)
            self._happen(self.things[refund_id], at)

    def sought(self, query: Mapping[str, str]) -> tuple[str, ...]:
        return (f"day {query['day']}",) if "day" in query else super().sought(query)

    def find(self, query: Mapping[str, str]) -> Answer:
        """Those of a reference; or those to which something happened on a day, in the order of
        their ids, page by page.
        """
        if "day" not in query:
            return super().find(query)
        self.settle()
        try:
            day, limit = date.fromisoformat(query["day"]), int(query.get("limit", PAGE_MAX))
        except ValueError:
            return refused(422, "INVALID")
        cursor = query.get("cursor", "")
        later = [each for each in self.things.values() if day in each.days and each.id > cursor]
        size = max(1, min(limit, PAGE_MAX))
        following = later[size - 1].id if len(later) > size else None
        return answered(Page(items=later[:size], next_cursor=following))

    def tell_again(self, refund_id: str) -> bool:
        """Whether there is such a refund; how it stands is told once more."""
        refund = self.things.get(refund_id)
        if refund is None:
            return False
        self._tell(f"refund.{refund.status.lower()}", refund, self.plan_of(refund))
        return True

    def _happen(self, refund: Refund, at: datetime) -> None:
        plan = self.plan_of(refund)
        if refund.status == "PENDING" and plan.refuse is not None:
            self._change(refund, "REFUSED", at, plan.refuse)
        elif refund.status == "PENDING":
            self._change(refund, "PAID", at)
            if plan.bounce_after_seconds is not None:
                back_at = at + timedelta(seconds=plan.bounce_after_seconds)
                heappush(self.due, (back_at, refund.id))
        elif refund.status == "PAID":
            self._change(refund, "BOUNCED", at, plan.bounce_code)

    def _change(
        self, refund: Refund, status: Status, at: datetime, code: str | None = None
    ) -> Refund:
        days = tuple(sorted({*refund.days, at.date()}))
        changed = replace(refund, status=status, code=code, changed_at=at, days=days)
        self.things[refund.id] = changed
        self._tell(f"refund.{status.lower()}", changed, self.plan_of(changed))
        return changed

    def _not_now(self, reference: str, plan: Plan) -> bool:
        if plan.not_now is None:
            return False
        times = self._no_for_now[reference] = self._no_for_now.get(reference, 0) + 1
        return times <= plan.not_now_times
