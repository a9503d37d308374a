"""A folder in, an API server of Kubernetes with its etcd out: processes of this machine.

    with api_server(folder) as server:
        server.kubectl("apply", "--server-side", "--filename", file)
        server.against(objects)         what it says against them; nothing is kept

There is no node, no controller and no scheduler: what is applied is looked at and kept, and nothing
comes of it. Who calls is known by tokens that this one server knows.
"""

import secrets
import ssl
import subprocess
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException, HTTPSConnection
from pathlib import Path

import yaml
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from deploy_tools.cache import API_SERVER, ETCD, program_at_hand
from local_stack.errors import StackError
from local_stack.processes import Tethered, free_port, start, wait_until

from deploy_checks.render import Resource, tool

LOCALHOST = "127.0.0.1"
READY_SECONDS_MAX = 120.0
SECONDS_MAX = 600.0
ADMIN = "admin"
SERVICES = "10.79.0.0/16"
ISSUER = "https://kubernetes.default.svc.cluster.local"
STRICT_DRY_RUN = ("apply", "--server-side", "--dry-run=server", "--validate=strict")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServer:
    """One that runs, or is about to."""

    folder: Path
    address: str
    port: int

    @property
    def url(self) -> str:
        return f"https://{self.address}:{self.port}"

    @property
    def certificate(self) -> Path:
        """Its own, which it makes, with who vouches for it."""
        return self.folder / "certificates" / "apiserver.crt"

    @property
    def signing_key(self) -> Path:
        """Of the tokens of service accounts."""
        return self.folder / "signing.key"

    @property
    def tokens(self) -> Path:
        return self.folder / "tokens.csv"

    def kubeconfig(self, user: str = ADMIN) -> Path:
        """The file by which one of its users finds it."""
        return self.folder / f"{user.replace(':', '-')}.kubeconfig"

    def tried(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """kubectl as the administrator, whether it succeeds or not. Raises `Absent`."""
        return subprocess.run(  # noqa: S603 - our own commands
            [tool("kubectl"), "--kubeconfig", self.kubeconfig(), *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS_MAX,
        )

    def kubectl(self, *command: str | Path) -> str:
        """What kubectl answers. Raises `StackError` with what it says if it fails, and `Absent`."""
        done = self.tried(*command)
        if done.returncode:
            raise StackError(f"kubectl {' '.join(map(str, command))}: {done.stderr.strip()}")
        return done.stdout

    def against(self, objects: Sequence[Resource]) -> str:
        """Errors and warnings, a line for each; nothing: it would take them all as they are."""
        file = self.folder / "objects.yaml"
        file.write_text(yaml.dump_all(objects, Dumper=yaml.CSafeDumper))
        done = self.tried(*STRICT_DRY_RUN, "--filename", file)
        taken = len(done.stdout.splitlines())
        if not done.stderr and taken != len(objects):
            raise StackError(f"it speaks of {taken} objects of {len(objects)}")
        return done.stderr


@contextmanager
def api_server(
    folder: Path,
    *,
    address: str = LOCALHOST,
    users: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
) -> Generator[ApiServer]:
    """Starts one in an empty folder and ends it. Raises `cache.Absent`, or `StackError` if it does
    not come up.

    `users`: those that there are besides the administrator, with their groups. `options`: of the
    server, besides or in the place of the usual ones.
    """
    etcd, program = program_at_hand(ETCD), program_at_hand(API_SERVER)
    server = ApiServer(folder=folder, address=address, port=free_port())
    _write_signing_key(server.signing_key)
    _write_users(server, {ADMIN: "system:masters", **(users or {})})
    clients, peers = (f"http://{LOCALHOST}:{free_port()}" for _ in range(2))
    store = start("etcd", _etcd(etcd, folder, clients, peers), log=folder / "etcd.log")
    try:
        process = start(
            "the API server",
            [program, *_options(server, clients), *options],
            log=folder / "api-server.log",
        )
        try:
            _wait(server, process)
            yield server
        finally:
            process.kill()  # its data is thrown away
    finally:
        store.kill()


def _etcd(program: Path, folder: Path, clients: str, peers: str) -> list[str | Path]:
    return [
        *(program, f"--data-dir={folder / 'etcd'}", "--unsafe-no-fsync", "--log-level=warn"),
        *(f"--listen-client-urls={clients}", f"--advertise-client-urls={clients}"),
        *(f"--listen-peer-urls={peers}", f"--initial-advertise-peer-urls={peers}"),
        f"--initial-cluster=default={peers}",
    ]


def _options(server: ApiServer, store: str) -> list[str]:
    return [
        f"--etcd-servers={store}",
        f"--bind-address={server.address}",
        f"--advertise-address={server.address}",
        f"--secure-port={server.port}",
        f"--cert-dir={server.certificate.parent}",
        f"--service-cluster-ip-range={SERVICES}",
        f"--service-account-issuer={ISSUER}",
        f"--service-account-key-file={server.signing_key}",
        f"--service-account-signing-key-file={server.signing_key}",
        f"--token-auth-file={server.tokens}",
        "--authorization-mode=Node,RBAC",
        "--allow-privileged=true",  # it is Pod Security's to refuse it, by namespace
        "--endpoint-reconciler-type=none",  # a loopback address is no endpoint
    ]


def _write_signing_key(file: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    file.touch(mode=0o600)
    file.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    )


def _write_users(server: ApiServer, users: Mapping[str, str]) -> None:
    server.tokens.touch(mode=0o600)
    with server.tokens.open("w") as file:
        for user, group in users.items():
            token = secrets.token_hex(32)
            file.write(f'{token},{user},{user},"{group}"\n')
            cluster = {"server": server.url, "certificate-authority": str(server.certificate)}
            config = {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "here", "cluster": cluster}],
                "users": [{"name": user, "user": {"token": token}}],
                "contexts": [{"name": "here", "context": {"cluster": "here", "user": user}}],
                "current-context": "here",
            }
            server.kubeconfig(user).touch(mode=0o600)
            server.kubeconfig(user).write_text(yaml.safe_dump_all([config]))


def _wait(server: ApiServer, process: Tethered) -> None:
    wait_until(lambda: _answers(server), process, seconds=READY_SECONDS_MAX, ready="ready")


def _answers(server: ApiServer) -> bool:
    """Whether it says itself that it is ready: anybody may ask that."""
    if not server.certificate.exists():
        return False
    anybody = ssl.create_default_context(cafile=str(server.certificate))
    asked = HTTPSConnection(server.address, server.port, timeout=2, context=anybody)
    try:
        asked.request("GET", "/readyz")
        return asked.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        asked.close()
