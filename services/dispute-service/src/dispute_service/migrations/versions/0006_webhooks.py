"""Who is told by webhook of what has happened: kept in no log and rebuilt from none."""

from shared_runtime.migrate import create_webhooks

revision = "0006_webhooks"
down_revision = "0005_together"


def upgrade() -> None:
    create_webhooks()
