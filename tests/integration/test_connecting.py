"""The page on how a shop is connected, followed to the letter."""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from local_stack.services import Stack
from shared_runtime.decider import Role

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/connecting.md"
README = ROOT / "README.md"
SECONDS_MAX = 600
WHERE = "and now in"


def followed(stack: Stack, page: str) -> str:
    """What whoever pastes all of it, from the checkout on, is answered. The folder that it has led
    to is as empty at the end as it was, and none of the checkout's.
    """
    told, _, where = pasted(stack, [*blocks_of(page), f"echo {WHERE}", "pwd", "ls -A"]).rpartition(
        f"{WHERE}\n"
    )
    folder, *left = where.splitlines()
    assert not Path(folder).is_relative_to(ROOT)
    assert left == []
    Path(folder).rmdir()
    return told


def blocks_of(page: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


def pasted(stack: Stack, blocks: Sequence[str]) -> str:
    """What is told when these are pasted into one shell in the checkout."""
    done = subprocess.run(  # noqa: S603 - our own page
        ["bash", "-c", "\n".join(["set -euo pipefail", *blocks])],  # noqa: S607 - as a reader pastes it
        cwd=ROOT,
        env=os.environ | stack.environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def test_who_follows_the_page_has_a_shop_connected(stack: Stack) -> None:
    told = followed(stack, PAGE.read_text())
    assert '"rating":' in told
    assert '"orders":{"accepted":1,' in told
    assert "lamps-and-more" in told


def test_each_role_has_a_request_in_the_readme_that_works(stack: Stack) -> None:
    """Where `make run` has the services, or where this stack has."""
    readme = README.read_text()
    for name, port in (("review", 8101), ("returns", 8103), ("reputation", 8104)):
        readme = readme.replace(f"http://127.0.0.1:{port}", stack.description.urls[name])
    blocks = blocks_of(readme)
    ask = set(re.findall(r"^as ([A-Z]+) ", "\n".join(blocks), re.MULTILINE))
    assert ask == {*get_args(Role.__value__)}
    told = pasted(stack, blocks)
    for done in (
        '"stage":"DELIVERED"',
        '"goodwill":',
        '"by":"SELLER","status":"VISIBLE"',
        '"hold":{"ground":"PERSONAL_DATA"',
        '"rule":"FAKE_TRANSACTION"',
        '"orders":{"accepted":1,',
        '"account_kind":"BUYER"',
        '"topic":"review.events"',
    ):
        assert done in told, told
