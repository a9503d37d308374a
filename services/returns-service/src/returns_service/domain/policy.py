"""The numbers of returns and refunds: name, bound and value of each, and the versions."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any, Literal, get_args

from shared_casework import policy
from shared_casework.policy import (
    ALWAYS,
    DAY,
    HOUR,
    Fault,
    Start,
    among,
    count,
    days,
    hours,
    over,
    published,
)
from shared_casework.return_times import ReturnTimes
from shared_events.returns import ReturnReason

from returns_service.domain.rule_check import UnsoundTable
from returns_service.domain.tables import ASKED_REASONS, TABLES, Tables, require_tables
from returns_service.domain.windows import WindowRow, faults_of

__all__ = ["AE_30D", "AE_2025_1", "ALWAYS", "PUBLISHED", "Policies", "ReturnsPolicy", "policies"]


type OnCancel = Literal["LEDGER", "MARKETPLACE"]
"""Who gives the money of a cancelled order back."""
FAST_REASONS: frozenset[ReturnReason] = frozenset({"DAMAGED", "WRONG_ITEM", "SIZE_MISFIT"})
EXCLUDED = frozenset({"HYGIENE_UNSEALED", "PERISHABLE", "MADE_TO_ORDER", "DIGITAL"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnsPolicy(ReturnTimes):
    """Amounts that end with `_ref` are minor units of the reference currency, that of
    `goodwill_agent_max_ref` for each order.
    """

    refund_legal: Annotated[timedelta, days(1, 14)] = 14 * DAY
    refund_retry: Annotated[timedelta, hours(1, 24)] = HOUR
    refund_max_attempts: Annotated[int, count(1, 20)] = 5
    refund_retry_cap: Annotated[timedelta, hours("refund_retry", 24)] = 24 * HOUR
    refund_on_cancel: Annotated[OnCancel, among(get_args(OnCancel.__value__))] = "LEDGER"
    goodwill_agent_max_ref: Annotated[int, count(0)] = 5000
    return_window: Annotated[timedelta, days(7, 365)] = 15 * DAY
    return_seller_answer: Annotated[timedelta, days(1, 7)] = 5 * DAY
    return_manual_answer: Annotated[timedelta, days(1, 5)] = 2 * DAY
    return_ship_by_statutory: Annotated[timedelta, days(21)] = 21 * DAY
    return_late_ship: Annotated[timedelta, days(0, 365)] = 60 * DAY
    return_label_due: Annotated[timedelta, days(1, 10)] = 3 * DAY
    return_offer_answer: Annotated[timedelta, days(1, 7)] = 3 * DAY
    return_offers_max: Annotated[int, count(1, 10)] = 3
    return_inspect: Annotated[timedelta, hours(12, 120)] = 48 * HOUR
    return_max_deduction_milli: Annotated[int, count(0, 500)] = 500
    return_contest: Annotated[timedelta, days(3, 30)] = 7 * DAY
    return_send_back: Annotated[timedelta, days(3, 30)] = 10 * DAY
    return_claim_silence_max_milli: Annotated[int, count(0, 500)] = 200
    return_withdrawal: Annotated[timedelta, days(21)] = 21 * DAY
    return_withdrawal_uninformed: Annotated[timedelta, days(365)] = 365 * DAY
    return_withdrawal_confirm: Annotated[timedelta, hours(1, 72)] = 24 * HOUR
    return_withdrawal_refund: Annotated[timedelta, days(1, 14)] = 14 * DAY
    return_fast_reasons: Annotated[frozenset[ReturnReason], among(ASKED_REASONS)] = FAST_REASONS
    return_fast_value_ref: Annotated[int, count(0)] = 10_000
    return_fast_per_order: Annotated[int, count(0, 9)] = 1
    return_fast_exposure_ref: Annotated[int, count("return_fast_value_ref")] = 30_000
    return_fast_reject_span: Annotated[timedelta, days(0, 365)] = 180 * DAY
    return_auto_value_ref: Annotated[int, count(0)] = 2000
    return_manual_value_ref: Annotated[int, over("return_fast_value_ref")] = 50_000
    return_excluded_categories: frozenset[str] = EXCLUDED
    return_replacement_ship: Annotated[timedelta, days(1, 30)] = 7 * DAY
    return_stock_answer: Annotated[timedelta, hours(1, 168)] = 48 * HOUR
    return_pay_difference: Annotated[timedelta, days(1, 30)] = 7 * DAY
    return_original_due: Annotated[timedelta, days(7, 60)] = 14 * DAY
    return_windows: tuple[WindowRow, ...] = ()
    return_tables: Tables = TABLES

    def faults(self) -> Iterator[Fault]:
        """And of its tables, once its numbers are within their bounds."""
        faults = [*ReturnTimes.faults(self)]
        yield from faults
        if not faults:
            yield from faults_of(self.return_windows)
            try:
                require_tables(self.return_tables, self.value)
            except UnsoundTable as unsound:
                yield Fault("return_tables", str(unsound))

    def value(self, key: str) -> Any:  # noqa: ANN401 - a number, a duration or words
        """Of a key as the tables name it: `return.auto_value_ref`. Raises `KeyError`."""
        name = key.replace(".", "_", 1)
        if name not in self.bounds or not key.startswith("return."):
            raise KeyError(key)
        return getattr(self, name)

    def window_of(self, category: str, country: str) -> timedelta:
        """How long goods of a category may be asked back that went to this country."""
        for row in self.return_windows:
            if row.is_for(category, country):
                return row.window
        return self.return_window


AE_2025_1 = ReturnsPolicy(version="ae-2025-1")
AE_30D = replace(AE_2025_1, version="ae-30d")
PUBLISHED = (AE_2025_1, AE_30D)

type Policies = policy.Policies[ReturnsPolicy]


def policies(
    schedule: Iterable[Start] = ((ALWAYS, AE_2025_1.version),),
    versions: Iterable[ReturnsPolicy] = PUBLISHED,
) -> Policies:
    """The published versions. Raises `PolicyUnknown` if the schedule names one that is not."""
    return published(versions, schedule)
