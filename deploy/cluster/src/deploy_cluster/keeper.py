"""A command in, the same in namespaces of its own out, of which nothing is left when it ends.

    python -m deploy_cluster.keeper FOLDER -- COMMAND …

Network, mounts, processes, names: what is made in them goes with the last process, and that goes
with the first. What is outside of them, the control groups and FOLDER, this program removes. It
ends the command when its own standard input ends: whoever started it is gone, however he went.
"""

import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import FrameType

from deploy_cluster import machine

IN_NAMESPACES = (
    *("setpriv", "--pdeathsig", "KILL", "--"),
    *("unshare", "--net", "--mount", "--uts", "--ipc", "--pid", "--mount-proc"),
    *("--fork", "--kill-child=KILL", "--"),
)
KILLED = 137


def keep(folder: Path, command: Sequence[str]) -> int:
    """The exit code of the command, or that of one that was killed."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _passed_over)
    node = subprocess.Popen([*IN_NAMESPACES, *command], stdin=subprocess.DEVNULL)  # noqa: S603
    try:
        ended = os.pidfd_open(node.pid)
        ready, _, _ = select.select([sys.stdin.fileno(), ended], [], [])
        return node.wait() if ended in ready else KILLED
    finally:
        node.kill()
        node.wait()
        machine.remove_groups()
        machine.until_gone([folder], partial(shutil.rmtree, ignore_errors=True))


def _passed_over(_number: int, _frame: FrameType | None) -> None:
    """They are for who started it, and closes our input. (What is ignored, the command would
    ignore, too.)
    """


if __name__ == "__main__":
    sys.exit(keep(Path(sys.argv[1]), sys.argv[3:]))
