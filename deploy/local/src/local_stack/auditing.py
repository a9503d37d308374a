"""A running stack in, whether what its services keep follows from their logs out: for tests."""

import os
import subprocess
import sys
from pathlib import Path

from local_stack.services import Stack

PATIENCE_SECONDS = 120.0


def audit(stack: Stack, what: str) -> None:
    """As whoever types `aftersales audit verify`, or `replay`; all is to be equal."""
    program = Path(sys.executable).with_name("aftersales")
    ran = subprocess.run(  # noqa: S603 - our own program
        [program, "audit", what],
        env=os.environ | stack.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
