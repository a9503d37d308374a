"""What tries the deployment runs by `make deploy-check` alone: its tools are not a stack's. What
needs none of them, as that every route is routed, is asked by `make test`.
"""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
WITHOUT_TOOLS = (HERE / "gateway" / "test_routes.py", HERE / "cluster" / "test_cluster.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents and item.path not in WITHOUT_TOOLS:
            item.add_marker("deploy")
