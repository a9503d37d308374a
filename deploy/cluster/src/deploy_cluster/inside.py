"""The first process in the node's namespaces: the node, the product, the trial, one in the other.

python -m deploy_cluster.inside FOLDER ROOT BEGAN

BEGAN: the second of the machine's clock that what is told is counted from.
"""

import signal
import sys
import time
from functools import partial
from pathlib import Path

from deploy_tools.cache import Absent
from local_stack.errors import StackError

from deploy_cluster.node import make_surroundings, node
from deploy_cluster.product import install, outside, state
from deploy_cluster.trial import Trial, name_gateway

FAILED = 1
DONE = "done"
"""The file in FOLDER that says so; the node goes on until it is killed."""
ARCHIVE = "images.tar"
"""The file in FOLDER with all images, as soon as they are built."""


def main(folder: Path, root: Path, began: float) -> int:
    say = partial(tell, began)
    try:
        make_surroundings(folder)
        with outside(folder, say) as there, node(folder, root, folder / ARCHIVE, say) as server:
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


def tell(began: float, line: str) -> None:
    """A line, with the seconds since then."""
    sys.stdout.write(f"{time.monotonic() - began:5.0f} s  {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])))
