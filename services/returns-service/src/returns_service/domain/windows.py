"""How long goods may be asked back, by category and country, as data."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from msgspec import Struct
from shared_casework.policy import Fault

NAME = "return_windows"
LEAST, MOST = timedelta(days=7), timedelta(days=365)


class WindowRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of these categories, to these countries; none are all."""

    categories: frozenset[str] = frozenset()
    countries: frozenset[str] = frozenset()
    window: timedelta

    def is_for(self, category: str, country: str) -> bool:
        return (not self.categories or category in self.categories) and (
            not self.countries or country in self.countries
        )

    def covers(self, other: "WindowRow") -> bool:
        """Whether nothing is left for the other one, if it stands below."""
        return all(
            not own or (theirs and theirs <= own)
            for own, theirs in (
                (self.categories, other.categories),
                (self.countries, other.countries),
            )
        )


def faults_of(rows: Sequence[WindowRow]) -> Iterator[Fault]:
    """A window out of bounds, and a row that never decides."""
    for number, row in enumerate(rows):
        if not LEAST <= row.window <= MOST:
            yield Fault(NAME, f"{row.window} in row {number + 1}, allowed {LEAST} .. {MOST}")
        if any(above.covers(row) for above in rows[:number]):
            category = min(row.categories, default="any")
            country = min(row.countries, default="any")
            shown = f"category {category}, country {country}"
            yield Fault(NAME, f"unsound: row {number + 1} never decides: {shown}")
