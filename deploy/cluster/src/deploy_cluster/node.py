"""A folder in, a Kubernetes of one node out: in the namespaces that this process is the first of.

    make_surroundings(folder)
    with node(folder, root, archive, say) as server:
        server.kubectl("apply", …)

`root` is a Debian with what a node has besides Kubernetes' own programs; what is written over it is
in memory. The control plane runs beside it. What a node would want of a machine that is its own, it
finds in its namespaces, or is shown: nothing of the machine is changed.
"""

import json
import subprocess
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from deploy_checks.api_server import ApiServer, api_server
from deploy_tools.cache import (
    CONTROLLER_MANAGER,
    KUBE_PROXY,
    KUBELET,
    SCHEDULER,
    program,
    tools_folder,
)
from local_stack.processes import Tethered, start, wait_until

from deploy_cluster import machine

PACKAGES = (
    *("containerd", "runc", "containernetworking-plugins"),
    *("iptables", "nftables", "conntrack", "iproute2", "mount", "procps", "dnsmasq-base"),
)
"""Of Debian, in the node's root."""
WRITTEN = "written"
"""Where in `folder` memory is, for what nobody needs afterwards."""
NAME = "node1"
ADDRESS = "192.0.2.10"
"""Where the component `external-servers` looks for servers that are outside of the cluster."""
GATE = "192.0.2.1"
PODS = "10.78.0.0/16"
DOMAIN = "cluster.local"
SANDBOX_IMAGE = "localhost/aftersales-node:check"
READY_SECONDS_MAX = 180.0
IMAGES_SECONDS_MAX = 1800.0
"""Where none was ever built, their dependencies are installed first."""
GROUP = "system:authenticated"
CONTROLLERS, SCHEDULING, PROXY = (
    f"system:{name}" for name in ("kube-controller-manager", "kube-scheduler", "kube-proxy")
)
USERS = {CONTROLLERS: GROUP, SCHEDULING: GROUP, PROXY: GROUP, f"system:node:{NAME}": "system:nodes"}
WANTED_OF_THE_KERNEL = {
    "vm/overcommit_memory": "1",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
}
"""What the kubelet wants to find set for the whole machine: files with that stand in the place."""

CONTAINERD = f"""\
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{SANDBOX_IMAGE}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  tolerate_missing_hugetlb_controller = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
"""
SOCKET = "run/containerd/containerd.sock"
BRIDGE = {
    "cniVersion": "1.0.0",
    "name": "pods",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "cni0",
            "isGateway": True,
            "ipMasq": True,
            "hairpinMode": True,
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": PODS}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        },
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ],
}
KUBELET_SETTINGS: Mapping[str, Any] = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "kind": "KubeletConfiguration",
    "cgroupDriver": "cgroupfs",
    "cgroupRoot": f"/{machine.GROUP}",
    "failCgroupV1": False,
    "containerRuntimeEndpoint": f"unix:///{SOCKET}",
    "clusterDNS": [ADDRESS],
    "clusterDomain": DOMAIN,
    "resolvConf": "",
    "failSwapOn": False,
    # Without CAP_SYS_RESOURCE nobody raises what he was given.
    "oomScoreAdj": 0,
    "maxOpenFiles": 20000,
    "imageGCHighThresholdPercent": 100,
    "evictionHard": {
        "memory.available": "200Mi",
        "nodefs.available": "1%",
        "imagefs.available": "1%",
    },
}
PROXY_SETTINGS: Mapping[str, Any] = {
    "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
    "kind": "KubeProxyConfiguration",
    "mode": "iptables",
    "clusterCIDR": PODS,
    "conntrack": {
        "maxPerCore": 0,
        "min": 0,
        "tcpEstablishedTimeout": "0s",
        "tcpCloseWaitTimeout": "0s",
    },
    "oomScoreAdj": 0,
}

type Say = Callable[[str], None]


@contextmanager
def node(folder: Path, root: Path, archive: Path, say: Say) -> Generator[ApiServer]:
    """One that is ready, with the images of the archive, which may come later. Raises
    `cache.Absent`, `StackError`.
    """
    own = folder / "root"
    _make_root(folder, root, own)
    machine.make_groups()
    (folder / "api").mkdir()
    runs = Processes(folder, own)
    try:
        runs.in_root("containerd", "containerd", "--log-level=warn")
        runs.until("containerd", (own / SOCKET).exists)
        runs.in_root("dns", "dnsmasq", *_dns_options())
        options = ("--endpoint-reconciler-type=lease",)
        with api_server(folder / "api", address=ADDRESS, users=USERS, options=options) as server:
            say("the API server is ready")
            runs.control_plane(server)
            runs.until("containerd", archive.exists, seconds=IMAGES_SECONDS_MAX)
            say("importing the images")
            _chroot(own, "ctr", "--namespace=k8s.io", "images", "import", str(archive))
            runs.kubelet(server)
            runs.until("kubelet", lambda: server.tried("get", f"node/{NAME}").returncode == 0)
            server.kubectl("wait", "--for=condition=Ready", f"node/{NAME}", "--timeout=120s")
            runs.kube_proxy(server)  # it would end when the node gets its addresses
            say("the node is ready")
            yield server
    finally:
        runs.kill()


class Processes:
    """Those of a node."""

    def __init__(self, folder: Path, root: Path) -> None:
        self._folder = folder
        self._root = root
        self._running: dict[str, Tethered] = {}

    def in_root(self, name: str, *command: str | Path) -> None:
        """In the node's root, not in the machine's."""
        self.beside(name, "chroot", self._root, *command)

    def beside(self, name: str, *command: str | Path) -> None:
        log = self._folder / f"{name}.log"
        self._running[name] = start(name, command, log=log)

    def until(
        self, name: str, happened: Callable[[], bool], *, seconds: float = READY_SECONDS_MAX
    ) -> None:
        """Waits for it as long as one of them runs."""
        wait_until(happened, self._running[name], seconds=seconds, ready="ready")

    def control_plane(self, server: ApiServer) -> None:
        """It makes pods of what is applied, and gives them to the node."""
        self.beside(
            "controllers",
            *(program(CONTROLLER_MANAGER), f"--kubeconfig={server.kubeconfig(CONTROLLERS)}"),
            f"--service-account-private-key-file={server.signing_key}",
            f"--root-ca-file={server.certificate}",
            *("--use-service-account-credentials", "--leader-elect=false"),
        )
        self.beside(
            "scheduler",
            *(program(SCHEDULER), f"--kubeconfig={server.kubeconfig(SCHEDULING)}"),
            "--leader-elect=false",
        )

    def kubelet(self, server: ApiServer) -> None:
        settings = self._write("kubelet.yaml", KUBELET_SETTINGS)
        self.in_root(
            "kubelet",
            *(program(KUBELET), f"--config={settings}"),
            f"--kubeconfig={server.kubeconfig(f'system:node:{NAME}')}",
            *(f"--hostname-override={NAME}", f"--node-ip={ADDRESS}"),
        )

    def kube_proxy(self, server: ApiServer) -> None:
        """It makes the addresses of Services lead to pods."""
        who = {"clientConnection": {"kubeconfig": str(server.kubeconfig(PROXY))}}
        settings = self._write("kube-proxy.yaml", {**PROXY_SETTINGS, **who})
        self.in_root(
            "kube-proxy", program(KUBE_PROXY), f"--config={settings}", f"--hostname-override={NAME}"
        )

    def kill(self) -> None:
        for each in reversed(self._running.values()):
            each.kill()

    def _write(self, name: str, settings: Mapping[str, Any]) -> Path:
        file = self._folder / name
        file.write_text(yaml.safe_dump_all([dict(settings)]))
        return file


def name_services(folder: Path, server: ApiServer) -> None:
    """The names of all Services that there are, for the node's pods."""
    told = json.loads(server.kubectl("get", "services", "--all-namespaces", "--output=json"))
    (folder / "names" / "services").write_text("".join(f"{each}\n" for each in names_of(told)))


def names_of(services: Mapping[str, Any]) -> list[str]:
    """Lines of a hosts file, from a list of Services."""
    return [
        f"{each['spec']['clusterIP']} "
        f"{each['metadata']['name']}.{each['metadata']['namespace']}.svc.{DOMAIN}"
        for each in services["items"]
        if each["spec"].get("clusterIP", "None") != "None"
    ]


def _dns_options() -> list[str]:
    return [
        *("--keep-in-foreground", "--user=root", "--pid-file=", "--conf-file=/dev/null"),
        *(f"--listen-address={ADDRESS}", "--bind-interfaces", "--no-resolv", "--no-hosts"),
        *("--hostsdir=/etc/names", f"--local=/{DOMAIN}/", "--cache-size=0"),
    ]


def make_surroundings(folder: Path) -> None:
    """Memory to write in; and a link with both its ends here: the node has an address and a way out
    that leads nowhere.
    """
    (folder / WRITTEN).mkdir()
    _run("mount", "-t", "tmpfs", "tmpfs", folder / WRITTEN)
    for command in (
        "link set lo up",
        "link add eth0 type veth peer name gate0",
        f"addr add {ADDRESS}/24 dev eth0",
        f"addr add {GATE}/24 dev gate0",
        "link set eth0 up",
        "link set gate0 up",
        f"route add default via {GATE} dev eth0",
    ):
        _run("ip", *command.split())
    _run("hostname", NAME)
    for setting in ("net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables"):
        path = machine.SYSCTL / setting
        if path.exists():  # both are this network's own
            path.write_text("1")


def _make_root(folder: Path, root: Path, own: Path) -> None:
    """What is written is in memory, and gone at once. Our own files are where they are outside."""
    written = folder / WRITTEN
    over, work = written / "over", written / "work"
    for each in (own, over, work):
        each.mkdir()
    layers = f"lowerdir={root},upperdir={over},workdir={work}"
    _run("mount", "-t", "overlay", "-o", layers, "overlay", own)
    _run("mount", "-t", "proc", "proc", own / "proc")
    for place in ("run", "tmp"):
        _run("mount", "-t", "tmpfs", "tmpfs", own / place)
    for place in ("sys", "dev"):
        _run("mount", "--rbind", f"/{place}", own / place)
    for name in ("containerd", "kubelet"):  # no overlay can lie on an overlay
        (written / name).mkdir()
        _bind(written / name, own / "var" / "lib" / name)
    (folder / "names").mkdir()
    _bind(folder / "names", own / "etc" / "names")
    for ours in (tools_folder(), folder):
        _bind(ours, own / ours.relative_to("/"))
    for setting, value in WANTED_OF_THE_KERNEL.items():
        shown = folder / setting.replace("/", "-")
        shown.write_text(f"{value}\n")
        _run("mount", "--bind", shown, own / "proc" / "sys" / setting)
    (own / "etc" / "containerd").mkdir(exist_ok=True)
    (own / "etc" / "containerd" / "config.toml").write_text(CONTAINERD)
    (own / "etc" / "cni" / "net.d").mkdir(parents=True, exist_ok=True)
    (own / "etc" / "cni" / "net.d" / "10-pods.conflist").write_text(json.dumps(BRIDGE))
    _run("mount", "--make-rshared", own)


def _bind(source: Path, place: Path) -> None:
    place.mkdir(parents=True, exist_ok=True)
    _run("mount", "--bind", source, place)


def _chroot(root: Path, *command: str) -> None:
    _run("chroot", root, *command)


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own commands
