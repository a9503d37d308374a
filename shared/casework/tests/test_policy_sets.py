"""A policy that people write is complete, within its bounds, or refused with all that is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Literal

import pytest
from shared_casework.policy import DAY, Policy, count, days, hours
from shared_casework.policy_sets import MISSING, UNKNOWN, read_set, written_set
from shared_runtime.decider import FieldError, InvalidValue


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopPolicy(Policy):
    answer: Annotated[timedelta, days(1, 15)] = 5 * DAY
    idle: Annotated[timedelta, hours(48, 1440), hours("answer")] = 7 * DAY
    fast_minor: Annotated[int, count(0)] = 10_000
    reasons: frozenset[Literal["DAMAGED", "WRONG_ITEM"]] = frozenset({"DAMAGED"})
    on_cancel: Literal["LEDGER", "MARKETPLACE"] = "LEDGER"


FIRST = ShopPolicy(version="one")
WRITTEN: dict[str, object] = {
    "version": "one",
    "answer": "P5D",
    "idle": "P7D",
    "fast_minor": 10_000,
    "reasons": ["DAMAGED"],
    "on_cancel": "LEDGER",
}


def test_a_policy_is_written_and_read_again() -> None:
    assert written_set(FIRST) == WRITTEN
    assert read_set(ShopPolicy, WRITTEN) == FIRST
    other = replace(FIRST, version="two", idle=6 * DAY, on_cancel="MARKETPLACE")
    assert read_set(ShopPolicy, written_set(other)) == other


def test_hours_are_as_good_as_days() -> None:
    assert read_set(ShopPolicy, WRITTEN | {"answer": "PT120H"}) == FIRST


def test_a_set_names_every_entry_and_nothing_else() -> None:
    without = {name: told for name, told in WRITTEN.items() if name != "idle"}
    assert errors_of(without | {"idel": "P7D"}) == [
        FieldError(field="idle", bound=MISSING),
        FieldError(field="idel", bound=UNKNOWN),
    ]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("version", ""),
        ("version", "a/b" * 40),
        ("answer", 5),
        ("answer", "5 days"),
        ("fast_minor", "10000"),
        ("fast_minor", 1.5),
        ("reasons", ["DAMAGED", "UGLY"]),
        ("on_cancel", None),
    ],
)
def test_an_entry_of_another_kind_is_named(name: str, told: object) -> None:
    assert [error.field for error in errors_of(WRITTEN | {name: told})] == [name]


def test_all_numbers_outside_of_their_bounds_are_named_at_once() -> None:
    errors = errors_of(WRITTEN | {"answer": "P16D", "fast_minor": -1})
    assert [error.field for error in errors] == ["answer", "idle", "fast_minor"]
    assert errors[2].bound == "-1, allowed 0 .. any"


def errors_of(told: Mapping[str, object]) -> list[FieldError]:
    with pytest.raises(InvalidValue) as refused:
        read_set(ShopPolicy, told)
    return refused.value.errors
