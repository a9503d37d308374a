"""What was given up is forgotten one day."""

from shared_runtime.migrate import date_discarded

revision = "0010_discarded"
down_revision = "0009_webhooks"


def upgrade() -> None:
    date_discarded()
