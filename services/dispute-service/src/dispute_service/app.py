"""The parts of dispute-service, put together."""

from shared_casework.order_rows import ORDER_FACTS
from shared_events import dispute
from shared_runtime.service import Service
from shared_runtime.settings import Settings
from shared_runtime.worker import Workload

DESCRIPTION = """
Disputes between buyers and sellers. This release keeps the facts of every order, with which
disputes will be decided; opening one comes with a later release.
"""

PROJECTIONS = (ORDER_FACTS,)

SERVICE = Service(
    name="dispute-service",
    package="dispute_service",
    description=DESCRIPTION,
    settings=Settings,
    projections=PROJECTIONS,
    routers=lambda _: [],
    workload=lambda _: Workload(own_topics=(dispute.TOPIC,), kafka_projections=PROJECTIONS),
)
