"""Runs a process of a service as a machine would whose clock is ahead: SECONDS PACKAGE COMMAND."""

import runpy
import sys
from datetime import UTC, datetime, timedelta

from shared_runtime import clock


def main() -> None:
    seconds, package, command = sys.argv[1:]
    ahead = timedelta(seconds=float(seconds))
    clock.system_clock = lambda: datetime.now(UTC) + ahead
    sys.argv[1:] = [command]
    runpy.run_module(package, run_name="__main__", alter_sys=False)


if __name__ == "__main__":
    main()
