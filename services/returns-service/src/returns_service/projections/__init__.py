"""Events in, rows out: what this service's lists and figures are read from, a file for each."""

from returns_service.projections.refunds import LISTED_REFUNDS
from returns_service.projections.returns import LISTED_RETURNS

PROJECTIONS = (LISTED_REFUNDS, LISTED_RETURNS)

__all__ = ["LISTED_REFUNDS", "LISTED_RETURNS", "PROJECTIONS"]
