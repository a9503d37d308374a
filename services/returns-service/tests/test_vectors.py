"""The published vectors: what they expect of a ledger is what its rules decide, to the cent."""

from pathlib import Path

import pytest
from shared_cli.refund_vectors import check_file

REPOSITORY = Path(__file__).resolve().parents[3]
FOLDER = REPOSITORY.parent / "shared" / "vectors" / "refunds"
# File 11 is of who decides a request for a return.
FILES = [path for path in sorted(FOLDER.glob("*.json")) if not path.name.startswith("11-")]

pytestmark = pytest.mark.skipif(
    not FILES, reason="the vectors are not beside the repository: ../shared/vectors/refunds"
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_vector_file_agrees(path: Path) -> None:
    checked = check_file(path)
    assert checked.differences == []
    assert checked.values > 150
