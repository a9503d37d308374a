"""The import contracts are asked of every package: none escapes by not being listed."""

import tomllib
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]
SETTINGS: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
CONTRACTS = SETTINGS["tool"]["importlinter"]


def packages(*places: str) -> set[str]:
    found = (path for place in places for path in REPOSITORY.glob(f"{place}/src/*/__init__.py"))
    return {path.parent.name for path in found}


def test_every_package_of_the_workspace_is_looked_at() -> None:
    assert set(CONTRACTS["root_packages"]) == packages("shared/*", "services/*", "deploy/local")


def test_every_service_is_laid_out_alike_and_kept_from_the_command_line() -> None:
    services = packages("services/*")
    inside, command_line = CONTRACTS["contracts"][1], CONTRACTS["contracts"][3]
    assert set(inside["containers"]) == services
    assert inside["exhaustive"]
    assert set(command_line["forbidden_modules"]) == services
