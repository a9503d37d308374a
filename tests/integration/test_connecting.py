"""The page on how a shop is connected, followed to the letter."""

import os
import re
import subprocess
from pathlib import Path

from local_stack.services import Stack

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/connecting.md"
SECONDS_MAX = 120


def test_who_follows_the_page_has_a_shop_connected(stack: Stack) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    script = "\n".join(["set -euo pipefail", *blocks])
    done = subprocess.run(  # noqa: S603 - our own page
        ["bash", "-c", script],  # noqa: S607 - as a reader pastes it
        cwd=ROOT,
        env=os.environ | stack.environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert '"rating":' in done.stdout
    assert '"orders":{"accepted":1,' in done.stdout
    assert "lamps-and-more" in done.stdout
