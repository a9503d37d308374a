"""The first process in the node's namespaces: the node, the product, the trial, one in the other.

python -m deploy_cluster.inside FOLDER ROOT
"""

import signal
import sys
import time
from functools import partial
from pathlib import Path

from deploy_tools.cache import Absent
from local_stack.errors import StackError

from deploy_cluster.node import node
from deploy_cluster.product import install, outside, state
from deploy_cluster.trial import Trial, name_gateway

FAILED = 1
DONE = "done"
"""The file in FOLDER that says so; the node goes on until it is killed."""


def main(folder: Path, root: Path) -> int:
    say = partial(_say, time.monotonic())
    try:
        with node(folder, root, folder / "images.tar", say) as server, outside(folder) as there:
            say("PostgreSQL and Kafka are ready")
            try:
                address = install(server, there, folder / "root", say)
                name_gateway(folder, address)
                Trial(server=server, there=there, say=say).run()
            except StackError:
                say(state(server, folder / "root"))
                raise
            (folder / DONE).touch()
            signal.pause()
    except (StackError, Absent) as why:
        say(f"FAILED: {why}")
    return FAILED


def _say(began: float, line: str) -> None:
    sys.stdout.write(f"{time.monotonic() - began:5.0f} s  {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
