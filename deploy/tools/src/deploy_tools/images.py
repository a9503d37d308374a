"""The name of a service in, its image out: built by its one recipe, without a daemon.

base = base_image()                              Debian with a Python, or PYTHON_IMAGE
build("review", "localhost/…:check", base)       for buildah to know it by that name
"""

import os
import shutil
import subprocess
from pathlib import Path

from local_stack.downloads import cache_folder

from deploy_tools.cache import Absent
from deploy_tools.routes import REPOSITORY

IMAGES = REPOSITORY / "deploy" / "images"
BUILD_SECONDS_MAX = 900.0
BUILD = ("unshare", "--mount", "--", "buildah", "bud")
"""What a build mounts is its own: one that is killed leaves none of it on the machine."""


def told(*command: str | Path, seconds: float = BUILD_SECONDS_MAX) -> str:
    """What a command says. Raises `Absent` without its program, AssertionError if it fails."""
    if shutil.which(command[0]) is None:
        raise Absent(f"images are built by buildah on a Debian: there is no {command[0]} here")
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds)  # noqa: S603
    assert done.returncode == 0, f"{command[0]}: {done.stderr[-3000:]}"
    return done.stdout.strip()


def base_image() -> str:
    """What images are built on: PYTHON_IMAGE, else one that is made. Raises `Absent`."""
    if os.geteuid() != 0:
        raise Absent("images are built and started by root here")
    if chosen := os.environ.get("PYTHON_IMAGE"):
        return chosen
    if shutil.which("mmdebstrap") is None:
        raise Absent("the base of images is made by mmdebstrap: it is not on this machine")
    return told(IMAGES / "base", cache_folder() / "image")


def build(service: str, name: str, base: str) -> None:
    """Builds what has changed. Raises `Absent`."""
    # How this machine reaches its package index is none of the image's business.
    known = [path for path in ("/etc/pip.conf", "/etc/ssl/certs") if Path(path).exists()]
    told(
        *(*BUILD, "--isolation", "chroot", "--network", "host", "--layers"),
        *("--ignorefile", IMAGES / "Dockerfile.dockerignore"),
        *(f"--volume={path}:{path}:ro" for path in known),
        *("--build-arg", f"PYTHON_IMAGE={base}", "--build-arg", f"SERVICE={service}"),
        *("-f", IMAGES / "Dockerfile", "-t", name, REPOSITORY),
    )
