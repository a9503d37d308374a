"""The files that people add to what they ask, and photos of goods."""

from shared_runtime.migrate import create_media

revision = "0005_media"
down_revision = "0004_returns"


def upgrade() -> None:
    create_media()
