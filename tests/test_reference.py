"""What is written about the APIs is what they are."""

from collections.abc import Callable
from pathlib import Path

import pytest
from dispute_service.app import SERVICE as DISPUTE
from reputation_service.app import SERVICE as REPUTATION
from returns_service.app import SERVICE as RETURNS
from review_service.app import SERVICE as REVIEW
from shared_runtime.service import openapi_document

FOLDER = Path(__file__).parents[1] / "docs" / "reference" / "openapi"
DOCUMENTS: dict[str, Callable[[], str]] = {
    REVIEW.name: lambda: openapi_document(REVIEW),
    DISPUTE.name: lambda: openapi_document(DISPUTE),
    RETURNS.name: lambda: openapi_document(RETURNS),
    REPUTATION.name: lambda: openapi_document(REPUTATION),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_reference_of_an_api_is_of_this_release(name: str) -> None:
    committed = (FOLDER / f"{name}.json").read_text()
    assert committed == DOCUMENTS[name](), "`make docs` writes it anew"
