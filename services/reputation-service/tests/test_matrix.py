"""The table of answers, place by place, is the one that was looked through and committed."""

from pathlib import Path

from reputation_service.testing.matrix import table

MATRIX = Path(__file__).with_name("matrix.txt")
COMMAND = f"`.venv/bin/python -m reputation_service.testing.matrix > {MATRIX.name}` writes it anew"


def test_every_command_is_answered_as_the_table_says() -> None:
    assert table() == MATRIX.read_text(), COMMAND
