"""The page on how a shop is connected, followed to the letter."""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from local_stack.services import Stack
from shared_cli.welcome import WRITING
from shared_runtime.decider import Role

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/connecting.md"
EACH_ROLE = "\n## 9. One request of each role\n"
SECONDS_MAX = 600
WHERE = "and now in"


def sections() -> tuple[str, str]:
    """The page without the requests of each role, and these, which stand for themselves."""
    before, heading, rest = PAGE.read_text().partition(EACH_ROLE)
    each_role, next_heading, after = rest.partition("\n## ")
    assert heading
    assert next_heading
    return f"{before}\n## {after}", each_role


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
    page, _ = sections()
    told = followed(stack, page)
    assert '"rating":' in told
    assert '"orders":{"accepted":1,' in told
    assert "lamps-and-more" in told


def test_each_role_has_a_request_to_paste_that_works(stack: Stack) -> None:
    _, each_role = sections()
    ask = set(re.findall(r"^as ([A-Z]+) ", each_role, re.MULTILINE))
    assert ask == {*get_args(Role.__value__)}
    told = followed(stack, each_role)
    for done in (
        '"stage":"DELIVERED"',
        '"goodwill":',
        '"by":"SELLER","status":"VISIBLE"',
        '"hold":{"ground":"PERSONAL_DATA"',
        '"rule":"FAKE_TRANSACTION"',
        '"orders":{"accepted":1,',
        '"topic":"review.events"',
    ):
        assert done in told, told


def test_what_the_readme_writes_is_written(stack: Stack) -> None:
    """Where `make run` has them, or where this stack has."""
    readme = (ROOT / "README.md").read_text()
    for name, port in (("review", 8101), ("reputation", 8104)):
        readme = readme.replace(f"http://127.0.0.1:{port}", stack.description.urls[name])
    blocks = blocks_of(readme)
    assert sum(len(re.findall("^post ", each, re.MULTILINE)) > 0 for each in blocks) == 3
    told = pasted(stack, blocks)
    for done in ('"stage":"DELIVERED"', '"by":"BUYER"', '"account_kind":"BUYER"'):
        assert done in told, told


def test_the_readme_and_the_welcome_lead_to_the_requests_of_each_role() -> None:
    readme = (ROOT / "README.md").read_text()
    assert "docs/connecting.md#9-one-request-of-each-role" in readme
    listed = set(re.findall(r"^\| `([A-Z]+)` \|", readme, re.MULTILINE))
    assert listed == {*get_args(Role.__value__)}
    assert f"docs/connecting.md, {EACH_ROLE.split()[1]}" == WRITING
