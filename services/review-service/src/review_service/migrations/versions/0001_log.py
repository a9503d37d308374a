"""The log, its readers' cursors, parked keys and timers."""

from shared_runtime.migrate import create_log

revision = "0001_log"
down_revision = None


def upgrade() -> None:
    create_log(("orders.events", "review.events"))
