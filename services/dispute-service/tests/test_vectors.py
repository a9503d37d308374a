"""The published vectors: what they expect of a dispute is what its rules decide, to the letter."""

from pathlib import Path

import pytest
from shared_cli.dispute_vectors import check_file

REPOSITORY = Path(__file__).resolve().parents[3]
FOLDER = REPOSITORY.parent / "shared" / "vectors" / "disputes"
FILES = sorted(FOLDER.glob("*.json"))

pytestmark = pytest.mark.skipif(
    not FILES, reason="the vectors are not beside the repository: ../shared/vectors/disputes"
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_vector_file_agrees(path: Path) -> None:
    checked = check_file(path)
    assert checked.differences == []
    assert checked.values > 250
