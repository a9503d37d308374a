"""Who works on which case, in the table of all work lists. Leases of before are forgotten."""

from alembic import op
from shared_runtime.migrate import create_leases

revision = "0005_leases"
down_revision = "0004_media"


def upgrade() -> None:
    op.execute("DROP SCHEMA moderation CASCADE")
    create_leases()
