"""The import contracts are asked of every package: none escapes by not being listed."""

import tomllib
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]
SETTINGS: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
CONTRACTS = SETTINGS["tool"]["importlinter"]


def packages(*places: str, part: str = "") -> set[str]:
    """The packages of a part of the workspace, or one of their own packages."""
    found = (
        path.parent.relative_to(path.parents[1 + bool(part)])
        for place in places
        for path in REPOSITORY.glob(f"{place}/src/*/{part}__init__.py")
    )
    return {".".join(path.parts) for path in found}


def contract(container: str) -> dict[str, Any]:
    """The contract of the modules that stand in a package."""
    contracts: list[dict[str, Any]] = CONTRACTS["contracts"]
    (found,) = (each for each in contracts if container in each.get("containers", ()))
    return found


def test_every_package_of_the_workspace_is_looked_at() -> None:
    assert set(CONTRACTS["root_packages"]) == packages("shared/*", "services/*", "deploy/*")


def test_every_service_is_laid_out_alike_and_kept_from_the_command_line() -> None:
    services = packages("services/*")
    assert set(contract("review_service")["containers"]) == services
    (command_line,) = (
        each for each in CONTRACTS["contracts"] if "shared_cli" in each.get("source_modules", ())
    )
    assert set(command_line["forbidden_modules"]) == services


def test_every_module_has_its_place_in_its_package_and_in_an_api() -> None:
    apis = packages("services/*", part="api/")
    assert apis
    for container in {*CONTRACTS["root_packages"], *apis}:
        assert contract(container)["exhaustive"], container
