"""What a node runs, made outside of it: an archive of images, a Debian to be its root."""

import json
import os
import shutil
import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path

from deploy_tools.cache import ENVOY, ENVOY_GATEWAY, Absent, program
from deploy_tools.images import base_image, build, told
from local_stack.databases import SERVICES
from local_stack.downloads import cache_folder

from deploy_cluster.node import PACKAGES, SANDBOX_IMAGE, Say

TAG = "0.1.0"
NAME = "io.containerd.image.name"
"""The annotation by which containerd knows an image of an archive."""


def write_archive(file: Path, say: Say) -> None:
    """The four services' images, and one with all else that runs in pods. Raises `Absent`."""
    base = base_image()
    names = [f"docker.io/aftersales/{service}-service:{TAG}" for service in SERVICES]
    for service, name in zip(SERVICES, names, strict=True):
        say(f"building the image of {service}-service")
        build(service, name, base)
    _build_besides(base)
    say("writing the images")
    with tempfile.TemporaryDirectory(dir=file.parent) as layout:
        for name in (*names, SANDBOX_IMAGE):
            told(
                "buildah", "push", "--quiet", "--disable-compression", name, f"oci:{layout}:{name}"
            )
        _name(Path(layout) / "index.json")
        told("tar", "--create", f"--file={file}", f"--directory={layout}", ".")


def root(say: Say) -> Path:
    """A folder with a Debian and what a node needs of it; made once for a list of packages. Raises
    `Absent`.
    """
    mark = sha256(" ".join(PACKAGES).encode()).hexdigest()[:12]
    folder = cache_folder() / f"node-{mark}"
    if folder.exists():
        return folder
    if shutil.which("mmdebstrap") is None:
        raise Absent("a node's root is made by mmdebstrap: it is not on this machine")
    say("making a Debian for the node (once)")
    unfinished = folder.with_name(f".{folder.name}-{os.getpid()}")
    try:
        included = f"--include={','.join(PACKAGES)}"
        told("mmdebstrap", "--quiet", "--variant=minbase", included, "trixie", unfinished)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _build_besides(base: str) -> None:
    """Envoy, its control plane, and something that does nothing, for the pods' own namespaces."""
    container = told("buildah", "from", base)
    try:
        for tool in (ENVOY, ENVOY_GATEWAY):
            told(
                "buildah",
                "copy",
                "--quiet",
                "--chmod=755",
                container,
                program(tool),
                f"/usr/local/bin/{tool.name}",
            )
        # A line that is split as a shell does: it is no JSON, as an entry point is.
        told("buildah", "config", "--entrypoint=[]", "--cmd=sleep infinity", container)
        told("buildah", "commit", "--quiet", container, SANDBOX_IMAGE)
    finally:
        subprocess.run(["buildah", "rm", container], check=False, capture_output=True)  # noqa: S603, S607


def _name(index: Path) -> None:
    described = json.loads(index.read_text())
    for each in described["manifests"]:
        annotations = each["annotations"]
        annotations[NAME] = annotations["org.opencontainers.image.ref.name"]
    index.write_text(json.dumps(described))
