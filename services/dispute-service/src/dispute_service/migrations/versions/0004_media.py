"""The files that people add to what they ask, and as evidence."""

from shared_runtime.migrate import create_media

revision = "0004_media"
down_revision = "0003_adjudicators"


def upgrade() -> None:
    create_media()
