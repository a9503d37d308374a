"""The published vectors: what they expect of a ledger is what its rules decide, to the cent, and of
a request what the tables make of it.
"""

from pathlib import Path

import pytest
from shared_cli import returns_vectors
from shared_cli.refund_vectors import check_file

REPOSITORY = Path(__file__).resolve().parents[3]
FOLDER = REPOSITORY.parent / "shared" / "vectors" / "refunds"
WHO_DECIDES = FOLDER / "11-who-decides.json"
FILES = [path for path in sorted(FOLDER.glob("*.json")) if path != WHO_DECIDES]

pytestmark = pytest.mark.skipif(
    not FILES, reason="the vectors are not beside the repository: ../shared/vectors/refunds"
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_vector_file_agrees(path: Path) -> None:
    checked = check_file(path)
    assert checked.differences == []
    assert checked.values > 150


def test_who_decides_a_request_agrees() -> None:
    checked = returns_vectors.check_file(WHO_DECIDES)
    assert checked.differences == []
    assert checked.values > 1500
