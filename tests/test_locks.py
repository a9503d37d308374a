"""An image has what was tried: its lock is a part of the one that all tests ran with."""

from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


def pinned(path: Path) -> dict[str, str]:
    lines = (line.split(" ")[0] for line in path.read_text().splitlines() if "==" in line)
    return dict(line.split("==") for line in lines)


def test_an_image_has_the_versions_that_were_tried_and_no_tools() -> None:
    everything = pinned(REPOSITORY / "requirements.lock")
    runtime = pinned(REPOSITORY / "deploy" / "images" / "requirements.lock")
    assert runtime.items() <= everything.items(), "make lock"
    assert {"pytest", "ruff", "testcontainers", "uv"}.isdisjoint(runtime)
    assert {"aiokafka", "asyncpg", "fastapi"} <= runtime.keys()
