"""A decision and who appeals it in, a refusal or nothing out: three checks that all appeals share.

In time, once for each person and decision, and decided by somebody else. What an appeal is about,
and what comes of it, is each service's.
"""

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace
from shared_runtime.decider import AlreadyAppealed
from shared_runtime.rule import Window

from shared_casework.impartial import Stakes
from shared_casework.parties import Account


class Lodged(Struct, frozen=True, kw_only=True):
    """An appeal that was taken. `decision`: which decision it is against, by its id."""

    appeal_id: str
    by: Account
    decision: str


def in_time(appeal_until: datetime) -> Window:
    """The `window` of a rule of appeals. `appeal_until` is the first instant that is too late."""
    return Window(latest=appeal_until)


def require_first(lodged: Iterable[Lodged], by: Account, decision: str) -> None:
    """Raises `AlreadyAppealed` if this person has appealed this decision.

    For what decides: an appeal that comes too late is told so first.
    """
    for appeal in lodged:
        if (appeal.by, appeal.decision) == (by, decision):
            raise AlreadyAppealed(existing_id=appeal.appeal_id)


def in_appeal(stakes: Stakes, decided_by: str) -> Stakes:
    """Who has a stake in an appeal: those of the matter, and who took the decision first."""
    return replace(stakes, deciders=stakes.deciders | {decided_by})
