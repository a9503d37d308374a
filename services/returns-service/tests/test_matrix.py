"""Every command, in every place, by every role: the one that was looked through and committed."""

from pathlib import Path

from returns_service.testing.matrix import table

MATRIX = Path(__file__).with_name("matrix.txt")
COMMAND = f"`.venv/bin/python -m returns_service.testing.matrix > {MATRIX.name}` writes it anew"


def test_every_command_is_answered_as_the_table_says() -> None:
    assert table() == MATRIX.read_text(), COMMAND
