"""Every command, in every place, by every role: the one that was looked through and committed."""

from pathlib import Path

from returns_service.testing import matrix, return_matrix

HERE = Path(__file__).parent
COMMAND = "`.venv/bin/python -m returns_service.testing.%s > %s` writes it anew"


def test_every_command_to_a_ledger_is_answered_as_the_table_says() -> None:
    written = HERE / "matrix.txt"
    assert matrix.table() == written.read_text(), COMMAND % ("matrix", written.name)


def test_every_command_to_a_return_is_answered_as_the_table_says() -> None:
    written = HERE / "return_matrix.txt"
    assert return_matrix.table() == written.read_text(), COMMAND % ("return_matrix", written.name)
