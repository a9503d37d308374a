"""What all appeals share: they come in time, and somebody else decides them.

What an appeal is about, who has lodged it already, and what comes of it, is each service's.
"""

from datetime import datetime

from msgspec.structs import replace
from shared_runtime.rule import Window

from shared_casework.impartial import Stakes


def in_time(appeal_until: datetime) -> Window:
    """The `window` of a rule of appeals. `appeal_until` is the first instant that is too late."""
    return Window(latest=appeal_until)


def in_appeal(stakes: Stakes, decided_by: str) -> Stakes:
    """Who has a stake in an appeal: those of the matter, and who took the decision first."""
    return replace(stakes, deciders=stakes.deciders | {decided_by})
