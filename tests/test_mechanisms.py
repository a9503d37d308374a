"""The lines that `make mechanisms` breaks are where it looks for them."""

from pathlib import Path

import pytest

from tests.mechanisms import BROKEN, Broken

REPOSITORY = Path(__file__).parents[1]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.mechanism)
def test_each_mechanism_is_in_its_file_once(broken: Broken) -> None:
    assert (REPOSITORY / broken.file).read_text().count(broken.line) == 1
    assert f"test_{broken.promise.lower()}_" in (REPOSITORY / broken.tests).read_text()
