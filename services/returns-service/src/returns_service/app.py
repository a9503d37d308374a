"""The parts of returns-service, put together."""

from shared_casework.order_rows import ORDER_FACTS
from shared_events import returns
from shared_runtime.service import Service
from shared_runtime.settings import Settings
from shared_runtime.worker import Workload

DESCRIPTION = """
Returns, exchanges and refunds. This release keeps the facts of every order, with which returns
will be decided; asking for one comes with a later release.
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
)
