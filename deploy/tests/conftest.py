"""What tries the deployment runs by `make deploy-check` alone: its tools are not a stack's. That
every route is routed needs none of them: it is asked by `make test`.
"""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
WITHOUT_TOOLS = HERE / "gateway" / "test_routes.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents and item.path != WITHOUT_TOOLS:
            item.add_marker("deploy")
