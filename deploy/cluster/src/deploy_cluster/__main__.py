"""The product on a Kubernetes of one node, on this machine: made, tried, killed, and looked after.

    python -m deploy_cluster

Exit code 0 when all went as it is promised and nothing is left of it; 1 when not; 2 when something
that it needs is not on this machine.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from deploy_tools import cache
from local_stack import downloads
from local_stack.errors import StackError

from deploy_cluster import images, machine, product
from deploy_cluster.inside import DONE

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
    try:
        _refuse()
        for tool in TOOLS:
            cache.program(tool)
        downloads.fetch(_say)
        root = images.root(_say)
        folder = Path(tempfile.mkdtemp(prefix="aftersales-cluster-"))
        try:
            folder.chmod(0o711)  # PostgreSQL is another user's
            product.write_definitions(folder)  # where it is used, nobody asks the world
            images.write_archive(folder / "images.tar", _say)
            return _run(folder, root)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except (cache.Absent, StackError) as why:
        _say(str(why))
        return ABSENT


def _refuse() -> None:
    """Raises `Absent` naming what is missing."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise cache.Absent("a node needs root, and namespaces of Linux")
    if missing := [name for name in PROGRAMS if shutil.which(name) is None]:
        raise cache.Absent(
            f"not on this machine: {', '.join(missing)}; `make deploy-check` brings them"
        )


def _run(folder: Path, root: Path) -> int:
    """What is done is done when it is killed: nothing of it may be left then, either."""
    machine.remove_groups()  # of one whose keeper was killed
    before = machine.seen(root)
    command = (*KILLED_WITH_US, sys.executable, "-m", "deploy_cluster.held", folder, root)
    with subprocess.Popen(command) as held:  # noqa: S603 - our own program
        try:
            while held.poll() is None and not (folder / DONE).exists():
                time.sleep(LOOK_SECONDS)
        finally:
            done = (folder / DONE).exists()
            held.kill()
    gone = _is_gone(folder)
    left = machine.left_behind(before, machine.seen(root))
    for each in left:
        _say(each)
    if not gone:
        _say(f"{folder} is still there")
    if left or not gone:
        return WRONG
    _say(f"killed, and nothing is left: {', '.join(f'{what}s' for what in before)} as before")
    return 0 if done else WRONG


def _is_gone(folder: Path) -> bool:
    deadline = time.monotonic() + GONE_SECONDS_MAX
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
    return not folder.exists()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
