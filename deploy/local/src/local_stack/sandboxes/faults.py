"""What a sandbox was told in, how it misbehaves out.

Drawn by chance, it follows from the seed, the subject and the number of the call alone: the same
run meets the same faults, in whatever order its requests come.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from msgspec import Struct

type CallFault = Literal[
    "NONE",
    "TIME_OUT_BEFORE",  # nothing is done, and nothing answered
    "TIME_OUT_AFTER",  # it is done: the answer is lost
    "ERROR_BEFORE",  # nothing is done; 500
    "ERROR_AFTER",  # it is done; 500
    "UNREADABLE",  # it is done; the answer is no JSON
    "IN_PROGRESS",  # it is done; 409, as if another call of that key were under way
]
PER_MILLE = 1000


class Plan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to happen to one subject: an order, a refund, a return, a sku.

    `calls`: to its next calls, one after the other; later ones go well. `refuse`: the code of a
    definite no. `not_now`: the code of a no for now, `not_now_times` times. `delay_seconds`: until
    the result is there, by the stack's clock. `bounce_after_seconds`: the bank sends it back so
    long after it was paid. `forget`: its idempotency key is not remembered at all.

    Of what is told by webhook: `lose` all, send `copies` of each, `late_seconds` after it happened.
    """

    calls: tuple[CallFault, ...] = ()
    refuse: str | None = None
    not_now: str | None = None
    not_now_times: int = 1
    delay_seconds: float = 0
    bounce_after_seconds: float | None = None
    bounce_code: str = "ACCOUNT_CLOSED"
    forget: bool = False
    lose: bool = False
    copies: int = 1
    late_seconds: float = 0


class Rates(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often each fault is drawn for what has no plan, in per mille, and from which seed."""

    seed: int = 0
    time_out_before: int = 0
    time_out_after: int = 0
    error_before: int = 0
    error_after: int = 0
    unreadable: int = 0
    refuse: int = 0
    not_now: int = 0
    delay: int = 0
    delay_seconds: float = 0
    bounce: int = 0
    bounce_after_seconds: float = 0
    forget: int = 0
    lose: int = 0
    repeat: int = 0
    late: int = 0
    late_seconds: float = 0


class Keys(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long an idempotency key is remembered, by the stack's clock."""

    seconds: float = 24 * 3600


@dataclass(slots=True)
class Control:
    """What one sandbox has been told, how many calls each subject has had, how many met what."""

    rates: Rates = field(default_factory=Rates)
    keys: Keys = field(default_factory=Keys)
    plans: dict[str, Plan] = field(default_factory=dict[str, Plan])
    calls: dict[str, int] = field(default_factory=dict[str, int])
    met: Counter[CallFault] = field(default_factory=Counter[CallFault])

    def plan(self, subject: str, plan: Plan) -> None:
        """From its next call on."""
        self.plans[subject] = plan
        self.calls.pop(subject, None)

    def behave(self) -> None:
        """From now on all goes well; what has been made stays."""
        self.rates, self.keys = Rates(), Keys()
        self.plans.clear()
        self.calls.clear()

    def plan_of(self, *subjects: str) -> Plan:
        """The plan of the first of these that has one; else drawn for the first."""
        told = (self.plans[each] for each in subjects if each in self.plans)
        return next(told, None) or drawn(self.rates, subjects[0])

    def meets(self, *subjects: str) -> CallFault:
        """What happens to this call, which is thereby counted."""
        fault = self._meets(subjects)
        self.met[fault] += 1
        return fault

    def _meets(self, subjects: Sequence[str]) -> CallFault:
        planned = next((each for each in subjects if each in self.plans), None)
        counted = planned or subjects[0]
        number = self.calls[counted] = self.calls.get(counted, 0) + 1
        if planned is None:
            return drawn_call(self.rates, counted, number)
        calls = self.plans[planned].calls
        return calls[number - 1] if number <= len(calls) else "NONE"


def drawn_call(rates: Rates, subject: str, number: int) -> CallFault:
    shares: tuple[tuple[CallFault, int], ...] = (
        ("TIME_OUT_BEFORE", rates.time_out_before),
        ("TIME_OUT_AFTER", rates.time_out_after),
        ("ERROR_BEFORE", rates.error_before),
        ("ERROR_AFTER", rates.error_after),
        ("UNREADABLE", rates.unreadable),
    )
    thrown = _dice(rates, subject, f"call {number}").randrange(PER_MILLE)
    for fault, share in shares:
        if thrown < share:
            return fault
        thrown -= share
    return "NONE"


def drawn(rates: Rates, subject: str) -> Plan:
    """One throw for each thing that may go wrong."""

    def hit(what: str, share: int) -> bool:
        return _dice(rates, subject, what).randrange(PER_MILLE) < share

    return Plan(
        refuse="DO_NOT_HONOUR" if hit("refuse", rates.refuse) else None,
        not_now="BALANCE_TOO_LOW" if hit("not now", rates.not_now) else None,
        delay_seconds=rates.delay_seconds if hit("delay", rates.delay) else 0,
        bounce_after_seconds=rates.bounce_after_seconds if hit("bounce", rates.bounce) else None,
        forget=hit("forget", rates.forget),
        lose=hit("lose", rates.lose),
        copies=2 if hit("repeat", rates.repeat) else 1,
        late_seconds=rates.late_seconds if hit("late", rates.late) else 0,
    )


def _dice(rates: Rates, subject: str, what: str) -> Random:
    return Random(f"{rates.seed}/{subject}/{what}")  # noqa: S311 - repeatable, not secret
