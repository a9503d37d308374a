"""What a node runs, made outside of it: an archive of images, a Debian to be its root."""

import json
import os
import shutil
import tempfile
from hashlib import sha256
from pathlib import Path

from deploy_tools.cache import ENVOY, ENVOY_GATEWAY, Absent, program, tools_folder
from deploy_tools.images import BUILD, base_image, build, told
from local_stack.databases import SERVICES
from local_stack.downloads import cache_folder

from deploy_cluster.node import PACKAGES, SANDBOX_IMAGE, Say

RECIPE = Path(__file__).parents[2] / "Dockerfile"
NAMES = {service: f"docker.io/aftersales/{service}-service:0.1.0" for service in SERVICES}
NAME = "io.containerd.image.name"
"""The annotation by which containerd knows an image of an archive."""
COMPRESSION = ("--compression-format=zstd", "--compression-level=1")
"""What is read once on this machine need not be small."""
WRITES = ("setpriv", "--pdeathsig", "KILL", "--", "unshare", "--mount", "--")
"""What writes into a folder that is removed when we are gone, and may mount something for it."""


def build_all(say: Say) -> None:
    """The four services' images, and one with all else that runs in pods. Raises `Absent`."""
    base = base_image()
    for service, name in NAMES.items():
        say(f"building the image of {service}-service")
        build(service, name, base)
    _build_besides(base)


def write_archive(file: Path) -> None:
    """What `build_all` has built; it is there when it is whole. Raises `Absent`."""
    unfinished = file.with_suffix(".unfinished")
    push = (*WRITES, "buildah", "push", "--quiet", *COMPRESSION)
    with tempfile.TemporaryDirectory(dir=file.parent) as layout:
        for name in (*NAMES.values(), SANDBOX_IMAGE):
            told(*push, name, f"oci:{layout}:{name}")
        _name(Path(layout) / "index.json")
        told(*WRITES, "tar", "--create", f"--file={unfinished}", f"--directory={layout}", ".")
    unfinished.rename(file)


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
    programs = [program(tool) for tool in (ENVOY, ENVOY_GATEWAY)]
    [envoy, envoy_gateway] = (path.relative_to(tools_folder()) for path in programs)
    told(
        *(*BUILD, "--layers", "-f", RECIPE, "-t", SANDBOX_IMAGE),
        *("--build-arg", f"PYTHON_IMAGE={base}"),
        *("--build-arg", f"ENVOY={envoy}", "--build-arg", f"ENVOY_GATEWAY={envoy_gateway}"),
        tools_folder(),
    )


def _name(index: Path) -> None:
    described = json.loads(index.read_text())
    for each in described["manifests"]:
        annotations = each["annotations"]
        annotations[NAME] = annotations["org.opencontainers.image.ref.name"]
    index.write_text(json.dumps(described))
