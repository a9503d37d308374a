"""What is written about the APIs and the locks is what they are."""

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest
from deploy_checks.metrics import there_are
from dispute_service.app import SERVICE as DISPUTE
from reputation_service.app import SERVICE as REPUTATION
from returns_service.app import SERVICE as RETURNS
from review_service.app import SERVICE as REVIEW
from shared_runtime.decider import Decider
from shared_runtime.reference import HEADER, commands_page
from shared_runtime.rule import Rule
from shared_runtime.service import Service, openapi_document

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
SERVICES = (REVIEW, DISPUTE, RETURNS, REPUTATION)


def test_the_page_of_commands_is_of_this_release() -> None:
    pages = [commands_page(service.name, service.commands) for service in SERVICES]
    assert COMMANDS.read_text() == HEADER + "".join(pages), "`make docs` writes it anew"


def named_in_domain(service: Service[Any], kind: type[Any]) -> list[Any]:
    """What the modules of a service's domain have a name for."""
    domain = import_module(f"{service.package}.domain")
    names = [f"{domain.__name__}.{each.name}" for each in iter_modules(domain.__path__)]
    named = [each for name in names for each in vars(import_module(name)).values()]
    return [each for each in named if isinstance(each, kind)]


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_every_command_of_a_domain_is_a_row_of_the_page(service: Service[Any]) -> None:
    rows = {id(row) for rules in service.commands.values() for row in rules}
    assert {id(rule) for rule in named_in_domain(service, Rule)} == rows
    for decider in named_in_domain(service, Decider):
        assert decider.decide.__self__ in service.commands.values(), "it decides by no row"


OPERATIONS = FOLDER.parents[1] / "running.md"
METRIC = re.compile(r"`((?:aftersales|http)_\w+)(?:{([\w,]+)})?`")


def test_the_page_of_operations_names_every_metric_and_no_other() -> None:
    there = {
        re.sub(r"_(bucket|sum|count)$", "", name): labels
        for name, labels in there_are().items()
        if name.startswith(("aftersales_", "http_")) and not name.endswith("_created")
    }
    told_of = OPERATIONS.read_text().partition("\n## When something goes wrong\n")[2]
    rows = [row for row in told_of.splitlines() if row.startswith("| ")]
    named = [told for row in rows for told in METRIC.findall(row)]
    assert {name for name, _ in named} == there.keys()
    for name, labels in named:
        assert not labels or {*labels.split(",")} == there[name], name


SOURCES = Path(__file__).parents[1]
LOCKS = SOURCES / "docs" / "locks.md"
TAKES = re.compile(r"pg_(?:try_)?advisory_(?:xact_)?lock")
NAMED = re.compile(
    r'(\w+) = f?"+\s*SELECT pg_(?:try_)?advisory_(?:xact_)?lock'
    r'|pg_(?:try_)?advisory_(?:xact_)?lock\(\$1\)", (\w+)\)'
)


def test_every_advisory_lock_of_the_code_is_on_the_page_of_them() -> None:
    page = LOCKS.read_text()
    rows = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| `")}
    for file in [*SOURCES.glob("s*/*/src/**/*.py"), *SOURCES.glob("deploy/*/src/**/*.py")]:
        code = file.read_text()
        names = [name for pair in NAMED.findall(code) for name in pair if name]
        assert len(names) == len(TAKES.findall(code)), f"{file}: a lock has a name"
        for name in names:
            assert file.name in rows.get(name, ""), f"{LOCKS.name}: {name} of {file.name}"
