"""What was read and what became of it in, sums that must add up out."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from shared_cli.bulk import Taken
from shared_cli.olist import RowAccount


class Sum(NamedTuple):
    """A number and the parts that it is made of."""

    what: str
    total: int
    parts: Mapping[str, int]

    @property
    def adds_up(self) -> bool:
        return self.total == sum(self.parts.values())

    def __str__(self) -> str:
        shown = {name: count for name, count in self.parts.items() if count} or self.parts
        parts = " + ".join(f"{count:,} {name}" for name, count in shown.items())
        return f"{self.total:,} {self.what} = {parts}"


def sums(read: RowAccount, taken: Taken) -> list[Sum]:
    """Every row read and every order and review sent, each once under what became of it.

    Raises AssertionError if one does not add up.
    """
    with_items = read.completed + read.not_completed.total()
    further = read.orders_sent - with_items
    made = [
        Sum(
            "rows of orders",
            read.orders,
            {"completed": read.completed}
            | _each("not completed", read.not_completed)
            | _each("without items", read.without_items)
            | {"repeated": read.repeated},
        ),
        Sum(
            "orders sent",
            read.orders_sent,
            {"with items": with_items, f"more by splitting {read.split} by seller": further},
        ),
        Sum(
            "orders sent",
            read.orders_sent,
            {"accepted": taken.orders["accepted"], "already there": taken.orders["unchanged"]}
            | _each("refused", taken.orders_refused),
        ),
        Sum(
            "rows of items",
            read.items,
            {"in orders sent": read.items_sent, "of unknown orders": read.items_of_unknown_orders},
        ),
        Sum(
            "rows of reviews",
            read.reviews,
            {
                "counted": read.reviews_counted,
                "superseded by an earlier one of the order": read.reviews_superseded,
                "of orders without items": read.reviews_without_items,
                "of unknown orders": read.reviews_of_unknown_orders,
                "unanswered": read.reviews_unanswered,
            },
        ),
        Sum(
            "reviews sent",
            read.reviews_sent,
            {
                "counted": read.reviews_counted,
                "more for the sub-orders": read.reviews_sent - read.reviews_counted,
            },
        ),
        Sum(
            "reviews sent",
            read.reviews_sent,
            {"accepted": taken.reviews["accepted"], "already there": taken.reviews["unchanged"]}
            | _each("refused", taken.reviews_refused)
            | {"with an order that was refused": taken.unjudged},
        ),
    ]
    wrong = [str(each) for each in made if not each.adds_up]
    assert not wrong, f"the import lost count: {wrong}"
    return made


def as_json(read: RowAccount, taken: Taken) -> dict[str, Any]:
    """The same numbers by name, and the sums as they are shown."""
    return {
        "changed": taken.events > 0,
        "events": taken.events,
        "orders": {
            "read": read.orders,
            "completed": read.completed,
            "not_completed": dict(read.not_completed),
            "without_items": dict(read.without_items),
            "repeated": read.repeated,
            "split_by_seller": read.split,
            "sent": read.orders_sent,
            "accepted": taken.orders["accepted"],
            "already_there": taken.orders["unchanged"],
            "refused": dict(taken.orders_refused),
        },
        "items": {
            "read": read.items,
            "sent": read.items_sent,
            "of_unknown_orders": read.items_of_unknown_orders,
        },
        "reviews": {
            "read": read.reviews,
            "counted": read.reviews_counted,
            "superseded": read.reviews_superseded,
            "of_orders_without_items": read.reviews_without_items,
            "of_unknown_orders": read.reviews_of_unknown_orders,
            "unanswered": read.reviews_unanswered,
            "sent": read.reviews_sent,
            "accepted": taken.reviews["accepted"],
            "already_there": taken.reviews["unchanged"],
            "refused": dict(taken.reviews_refused),
            "with_a_refused_order": taken.unjudged,
        },
        "times": {
            "orders_lifted": read.orders_lifted,
            "instants_lifted": read.instants_lifted,
            "instants_missing": read.instants_missing,
        },
        "sums": [str(each) for each in sums(read, taken)],
    }


def _each(what: str, counts: Mapping[str, int]) -> dict[str, int]:
    return {f"{what} ({name})": count for name, count in sorted(counts.items())}
