"""A rule that somebody may have broken in; whom it binds, and what breaking it costs, out."""

from collections.abc import Mapping

from msgspec import Struct
from shared_events.fields import Party
from shared_events.reputation import Severity, ViolationRule

BOTH: tuple[Party, ...] = ("BUYER", "SELLER")
REVIEW: ViolationRule = "SUSPENSION_REVIEW"
"""The one that costs no points: whether an account without credit is to be closed."""


class Violation(Struct, frozen=True, kw_only=True):
    """`automatic`: the platform may confirm it by itself, if the accused says nothing.
    `costs_rating`: a buyer who broke it rates nobody while its points count.
    """

    binds: tuple[Party, ...]
    least: int
    most: int
    severity: Severity | None
    automatic: bool = False
    costs_rating: bool = False


def severe(
    least: int, most: int, *, binds: tuple[Party, ...] = BOTH, costs_rating: bool = False
) -> Violation:
    return Violation(
        binds=binds, least=least, most=most, severity="SEVERE", costs_rating=costs_rating
    )


def medium(points: int, *, binds: tuple[Party, ...]) -> Violation:
    return Violation(binds=binds, least=points, most=points, severity="MEDIUM")


def automatic(points: int, *, binds: tuple[Party, ...]) -> Violation:
    return Violation(binds=binds, least=points, most=points, severity="MINOR", automatic=True)


VIOLATIONS: Mapping[ViolationRule, Violation] = {
    "FAKE_TRANSACTION": severe(12, 24, costs_rating=True),
    "SELF_RATING": severe(12, 24, costs_rating=True),
    "REVIEW_RING": severe(12, 24, costs_rating=True),
    "MALICIOUS_REVIEW": severe(12, 12, binds=("BUYER",), costs_rating=True),
    "EXTORTION": severe(12, 12, costs_rating=True),
    "REVIEW_SUPPRESSION": severe(12, 12, costs_rating=True),
    "EVIDENCE_FORGERY": severe(12, 12),
    "COUNTERFEIT": severe(12, 24, binds=("SELLER",)),
    "FALSE_CLAIMS": medium(6, binds=("BUYER",)),
    "EMPTY_BOX_RETURN": medium(6, binds=("BUYER",)),
    "UNRETURNED_EXCHANGE": automatic(2, binds=("BUYER",)),
    "UNANSWERED_DISPUTE": automatic(2, binds=("SELLER",)),
    "LATE_RETURN_HANDLING": automatic(1, binds=("SELLER",)),
    REVIEW: Violation(binds=BOTH, least=0, most=0, severity=None),
}
