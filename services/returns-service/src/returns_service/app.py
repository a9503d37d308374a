"""The parts of returns-service, put together."""

from shared_casework.order_rows import ORDER_FACTS
from shared_events import returns
from shared_runtime.service import Service
from shared_runtime.settings import Settings
from shared_runtime.worker import Workload

from returns_service.domain.ledger_rules import LEDGER_RULES

DESCRIPTION = """
Returns, exchanges and refunds. This release keeps the facts of every order, and has the rules of
its refund ledger: what was paid for each piece, and what is given back of it, whoever orders it.
The routes that ask the ledger, and returns themselves, come with a later release.
"""

PROJECTIONS = (ORDER_FACTS,)

SERVICE = Service(
    name="returns-service",
    package="returns_service",
    description=DESCRIPTION,
    settings=Settings,
    projections=PROJECTIONS,
    routers=lambda _: [],
    workload=lambda _: Workload(own_topics=(returns.TOPIC,), kafka_projections=PROJECTIONS),
    commands={"Refund ledgers": LEDGER_RULES},
)
