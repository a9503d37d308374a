"""The product on a Kubernetes of one node, on this machine: made, tried, killed, and looked after.

    python -m deploy_cluster

Exit code 0 when all went as it is promised and nothing is left of it; 1 when not; 2 when something
that it needs is not on this machine.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from deploy_tools import cache
from local_stack import downloads
from local_stack.errors import StackError

from deploy_cluster import images, machine, product
from deploy_cluster.inside import ARCHIVE, DONE, tell

TOOLS = (
    *(cache.ETCD, cache.API_SERVER, cache.CONTROLLER_MANAGER, cache.SCHEDULER),
    *(cache.KUBELET, cache.KUBE_PROXY, cache.ENVOY, cache.ENVOY_GATEWAY),
)
PROGRAMS = ("unshare", "setpriv", "ip", "buildah", "mmdebstrap", "kubectl")
KILLED_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")
GONE_SECONDS_MAX = 90.0
LOOK_SECONDS = 0.2
WRONG, ABSENT = 1, 2


def main() -> int:
    began = time.monotonic()
    say = partial(tell, began)
    try:
        _refuse()
        for tool in TOOLS:
            cache.program(tool)
        downloads.fetch(say)
        with _alone():
            return _run(images.root(say), began)
    except (cache.Absent, StackError) as why:
        say(str(why))
        return ABSENT


def _refuse() -> None:
    """Raises `Absent` naming what is missing."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise cache.Absent("a node needs root, and namespaces of Linux")
    if missing := [name for name in PROGRAMS if shutil.which(name) is None]:
        raise cache.Absent(
            f"not on this machine: {', '.join(missing)}; `make deploy-check` brings them"
        )


@contextmanager
def _alone() -> Generator[None]:
    """The names of control groups are fixed: there is one run at a time on a machine."""
    with (downloads.cache_folder() / "cluster.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run(root: Path, began: float) -> int:
    """What is done is done when it is killed: nothing of it may be left then, either. Raises
    `Absent`.
    """
    say = partial(tell, began)
    machine.remove_groups()  # of one whose keeper was killed
    before = machine.seen(root)
    folder = Path(tempfile.mkdtemp(prefix="aftersales-cluster-"))
    folder.chmod(0o711)  # PostgreSQL is another user's
    command = ("deploy_cluster.held", folder, root, str(began))
    # From here on it is the keeper's to remove the folder.
    with subprocess.Popen([*KILLED_WITH_US, sys.executable, "-m", *command]) as held:  # noqa: S603
        try:
            product.write_definitions(folder)  # where they are used, nobody can ask the world
            images.build_all(say)
            if held.poll() is None:
                images.write_archive(folder / ARCHIVE)
            while held.poll() is None and not (folder / DONE).exists():
                time.sleep(LOOK_SECONDS)
        finally:
            done = (folder / DONE).exists()
            held.kill()
    gone = _is_gone(folder)
    left = machine.left_behind(before, machine.seen(root))
    for each in left:
        say(each)
    if not gone:
        say(f"{folder} is still there")
    if left or not gone:
        return WRONG
    say(f"killed, and nothing is left: {', '.join(f'{what}s' for what in before)} as before")
    return 0 if done else WRONG


def _is_gone(folder: Path) -> bool:
    deadline = time.monotonic() + GONE_SECONDS_MAX
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
    return not folder.exists()


if __name__ == "__main__":
    sys.exit(main())
