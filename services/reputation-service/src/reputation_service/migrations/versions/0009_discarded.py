"""What was given up is forgotten one day."""

from shared_runtime.migrate import date_discarded

revision = "0009_discarded"
down_revision = "0008_webhooks"


def upgrade() -> None:
    date_discarded()
