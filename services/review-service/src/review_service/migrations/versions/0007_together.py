"""Commands that arrive together are recorded together, with the answers of all."""

from shared_runtime.migrate import append_together

revision = "0007_together"
down_revision = "0006_reweighing"


def upgrade() -> None:
    append_together()
