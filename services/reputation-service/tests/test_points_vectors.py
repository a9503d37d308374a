"""The published vectors: what they expect of accounts and cases is what the rules decide."""

from pathlib import Path

import pytest
from shared_cli.points_vectors import check_file

REPOSITORY = Path(__file__).resolve().parents[3]
FOLDER = REPOSITORY.parent / "shared" / "vectors" / "points"
FILES = sorted(FOLDER.glob("*.json"))
VALUES = 30_192

pytestmark = pytest.mark.skipif(
    not FILES, reason="the vectors are not beside the repository: ../shared/vectors/points"
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_vector_file_agrees(path: Path) -> None:
    checked = check_file(path)
    assert checked.differences == []
    assert checked.values > 150


def test_all_of_them_are_that_many_values() -> None:
    assert sum(check_file(path).values for path in FILES) == VALUES
