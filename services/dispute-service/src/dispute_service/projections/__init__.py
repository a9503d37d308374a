"""Events in, rows out: what this service's lists and figures are read from, a file for each."""

from dispute_service.projections.adjudication import ADJUDICATION_CASES
from dispute_service.projections.decided import DECIDED_DISPUTES
from dispute_service.projections.disputes import LISTED_DISPUTES
from dispute_service.projections.inquiries import LISTED_INQUIRIES

PROJECTIONS = (LISTED_DISPUTES, LISTED_INQUIRIES, ADJUDICATION_CASES, DECIDED_DISPUTES)

__all__ = [
    "ADJUDICATION_CASES",
    "DECIDED_DISPUTES",
    "LISTED_DISPUTES",
    "LISTED_INQUIRIES",
    "PROJECTIONS",
]
