"""Events in, rows out: what scores, lists and exports are read from, a file for each."""

from reputation_service.projections.cases import VIOLATION_CASES
from reputation_service.projections.erasures import ERASURES
from reputation_service.projections.rates import RATES
from reputation_service.projections.reasons import STATEMENTS
from reputation_service.projections.scores import SCORE

KAFKA_PROJECTIONS = (SCORE, RATES)
"""Of what the other services tell."""
OWN_PROJECTIONS = (VIOLATION_CASES, STATEMENTS, ERASURES)
PROJECTIONS = (*KAFKA_PROJECTIONS, *OWN_PROJECTIONS)

__all__ = [
    "ERASURES",
    "KAFKA_PROJECTIONS",
    "OWN_PROJECTIONS",
    "PROJECTIONS",
    "RATES",
    "SCORE",
    "STATEMENTS",
    "VIOLATION_CASES",
]
