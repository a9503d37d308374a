"""What was given up is forgotten one day."""

from shared_runtime.migrate import date_discarded

revision = "0007_discarded"
down_revision = "0006_webhooks"


def upgrade() -> None:
    date_discarded()
