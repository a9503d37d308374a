"""What is written about the APIs and the locks is what they are."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from dispute_service.app import SERVICE as DISPUTE
from reputation_service.app import SERVICE as REPUTATION
from returns_service.app import SERVICE as RETURNS
from review_service.app import SERVICE as REVIEW
from shared_runtime.reference import HEADER, commands_page
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


COMMANDS = FOLDER.parent / "commands.md"


def test_the_page_of_commands_is_of_this_release() -> None:
    services = (REVIEW, DISPUTE, RETURNS, REPUTATION)
    pages = [commands_page(service.name, service.commands) for service in services]
    assert COMMANDS.read_text() == HEADER + "".join(pages), "`make docs` writes it anew"


SOURCES = Path(__file__).parents[1]
LOCKS = SOURCES / "docs" / "locks.md"
TAKES = re.compile(r"pg_(?:try_)?advisory_(?:xact_)?lock")
NAMED = re.compile(
    r'(\w+) = f?"+\s*SELECT pg_(?:try_)?advisory_(?:xact_)?lock'
    r'|pg_(?:try_)?advisory_(?:xact_)?lock\(\$1\)", (\w+)\)'
)


def test_every_advisory_lock_of_the_code_is_on_the_page_of_them() -> None:
    code = [*SOURCES.glob("s*/*/src/**/*.py"), *SOURCES.glob("deploy/*/src/**/*.py")]
    taken = [text for file in code if TAKES.search(text := file.read_text())]
    names = {name for text in taken for pair in NAMED.findall(text) for name in pair if name}
    assert sum(len(TAKES.findall(text)) for text in taken) == sum(
        len(NAMED.findall(text)) for text in taken
    ), "a lock is taken by a constant with a name"
    page = LOCKS.read_text()
    assert [name for name in sorted(names) if f"| `{name}` |" not in page] == []
