"""Commands that arrive together are recorded together, with the answers of all."""

from shared_runtime.migrate import append_together

revision = "0005_together"
down_revision = "0004_media"


def upgrade() -> None:
    append_together()
