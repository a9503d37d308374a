"""A run of the node that can be killed: `__main__` does it, and looks at what is left.

python -m deploy_cluster.held FOLDER ROOT BEGAN
"""

import subprocess
import sys


def main(folder: str, *besides: str) -> int:
    """The exit code of the run. The keeper ends it when this process is gone."""
    inside = (sys.executable, "-m", "deploy_cluster.inside", folder, *besides)
    keeper = (sys.executable, "-m", "deploy_cluster.keeper", folder, "--", *inside)
    # In a session of its own: Ctrl-C is for who ends it in order.
    with subprocess.Popen(keeper, stdin=subprocess.PIPE, start_new_session=True) as kept:  # noqa: S603
        return kept.wait()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
