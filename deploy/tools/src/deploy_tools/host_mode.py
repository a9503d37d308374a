"""The gateway as it is deployed in, the same as a process of this machine out.

    with host_gateway(folder, services={"review": 18101, …}, jwks=jwks, tls=tls) as gateway:
        httpx.get(f"{gateway.url}/v1/orders/O-1", headers={"Host": gateway.host("review")})

Envoy Gateway's host mode: its own control plane and a real Envoy, without Kubernetes. It is for
tests alone, as its makers say. What differs from what is deployed is in `localised`, whole.

`services`: the port of 127.0.0.1 at which each answers. `jwks`: the issuer's public keys, as JSON.
`besides`: routes that are not deployed.
"""

import fcntl
import re
import ssl
import subprocess
import tempfile
from base64 import b64encode
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPException, HTTPSConnection
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from local_stack.errors import StackError
from local_stack.processes import free_port, start, wait_until

from deploy_tools.cache import ENVOY, ENVOY_GATEWAY, program_at_hand
from deploy_tools.routes import REPOSITORY

K8S = REPOSITORY / "deploy" / "k8s"
PARTS = (K8S / "base" / "gateway", K8S / "components" / "envoy-gateway")
NAMESPACE = "aftersales"
PROXY = "host"
READY_SECONDS_MAX = 180.0
DAY = timedelta(days=1)
NOT_TAKEN = re.compile(
    r"error when reload resources|reason: (?!AddressNotAssigned)\w+\n\s*status: \"False\""
)
"""What the control plane writes of what it cannot take, or not accept; it goes on without. (A
process of this machine gets no address of a load balancer.)
"""

type Resource = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TLS:
    """A certificate and its key, as PEM."""

    certificate: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostGateway:
    """One that runs."""

    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def host(self, service: str) -> str:
        return f"{service}.aftersales.example"


def resources(folder: Path) -> Iterator[Resource]:
    """What a folder of Kustomize lists, as it is written."""
    for name in yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]:
        yield from yaml.safe_load_all((folder / name).read_text())


def localised(each: Resource, *, port: int, jwks: str) -> Resource:
    """What is deployed, as this machine can have it: its addresses, a free port, keys at hand."""
    local = deepcopy(each)
    spec = local["spec"]
    match local["kind"]:
        case "Gateway":
            proxy = {"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": PROXY}
            spec["infrastructure"] = {"parametersRef": proxy}
            [listener] = spec["listeners"]
            listener["port"] = port
        case "HTTPRoute":
            for rule in spec["rules"]:
                for backend in rule.get("backendRefs", ()):
                    del backend["port"]
                    backend |= {"group": "gateway.envoyproxy.io", "kind": "Backend"}
        case "SecurityPolicy" if "jwt" in spec:
            [provider] = spec["jwt"]["providers"]
            del provider["remoteJWKS"]
            provider["localJWKS"] = {"type": "Inline", "inline": jwks}
        case _:
            pass
    if local["kind"] != "GatewayClass":
        local["metadata"]["namespace"] = NAMESPACE
    return local


def backends(services: Mapping[str, int]) -> Iterator[Resource]:
    """The Services of Kubernetes, which host mode does not know."""
    for service, port in services.items():
        yield _resource(
            "gateway.envoyproxy.io/v1alpha1",
            "Backend",
            f"{service}-api",
            spec={"endpoints": [{"ip": {"address": "127.0.0.1", "port": port}}]},
        )


def _resource(api: str, kind: str, name: str, **members: object) -> Resource:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **members}


def _certificate(tls: TLS) -> Resource:
    data = {"tls.crt": tls.certificate, "tls.key": tls.key}
    return _resource(
        "v1",
        "Secret",
        "gateway-tls",
        type="kubernetes.io/tls",
        data={name: b64encode(pem.encode()).decode() for name, pem in data.items()},
    )


def _proxy() -> Resource:
    return _resource(
        "gateway.envoyproxy.io/v1alpha1",
        "EnvoyProxy",
        PROXY,
        spec={"provider": {"type": "Host", "host": {"envoyVersion": ENVOY.version}}},
    )


def _settings(folder: Path) -> Resource:
    """Of the control plane: files in the place of an API server, a process in that of a pod."""
    home = str(folder / "home")
    host = {"configHome": home, "dataHome": home, "stateHome": home, "runtimeDir": f"{folder}/run"}
    return {
        "apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": "EnvoyGateway",
        "gateway": {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller"},
        "provider": {
            "type": "Custom",
            "custom": {
                "resource": {"type": "File", "file": {"paths": [str(folder / "resources")]}},
                "infrastructure": {"type": "Host", "host": host},
            },
        },
        "extensionApis": {"enableBackend": True, "enableEnvoyPatchPolicy": True},
    }


@contextmanager
def host_gateway(
    folder: Path,
    *,
    services: Mapping[str, int],
    jwks: str,
    tls: TLS,
    besides: Sequence[Resource] = (),
) -> Generator[HostGateway]:
    """Starts one in an empty folder and ends it. Raises `Absent`, or `StackError` if it does not
    come up or takes not all of what is deployed.
    """
    control, envoy = program_at_hand(ENVOY_GATEWAY), program_at_hand(ENVOY)
    home = folder / "home"
    binaries = home / "envoy-versions" / ENVOY.version / "bin"
    binaries.mkdir(parents=True)
    (binaries / "envoy").symlink_to(envoy)  # else it is downloaded
    subprocess.run(  # noqa: S603
        [control, "certgen", "--local", "--config-home", home], check=True, capture_output=True
    )
    gateway = HostGateway(port=free_port(), log=folder / "log")
    deployed = [each for part in PARTS for each in resources(part)]
    local = [localised(each, port=gateway.port, jwks=jwks) for each in (*deployed, *besides)]
    (folder / "resources").mkdir()
    _write(
        folder / "resources" / "all.yaml",
        [*local, *backends(services), _certificate(tls), _proxy()],
    )
    _write(folder / "settings.yaml", [_settings(folder)])
    command: list[str | Path] = [control, "server", "--config-path", folder / "settings.yaml"]
    with _alone():
        process = start("the gateway", command, log=gateway.log)
        try:
            wait_until(lambda: _answers(gateway), process, seconds=READY_SECONDS_MAX, ready="up")
            if told := NOT_TAKEN.search(gateway.log.read_text()):
                raise StackError(f"not taken: {told[0]}; see {gateway.log}")
            yield gateway
        finally:
            process.stop()


def own_certificate() -> TLS:
    """Of the hosts of the services, and signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
    names = [x509.DNSName("*.aftersales.example"), x509.IPAddress(IPv4Address("127.0.0.1"))]
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return TLS(certificate=signed.public_bytes(Encoding.PEM).decode(), key=private.decode())


def _write(file: Path, documents: list[Resource]) -> None:
    file.write_text(yaml.safe_dump_all(documents, sort_keys=False))


@contextmanager
def _alone() -> Generator[None]:
    """The control plane's own ports are fixed: there is one at a time on a machine."""
    with (Path(tempfile.gettempdir()) / "aftersales-gateway.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _answers(gateway: HostGateway) -> bool:
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    asked = HTTPSConnection("127.0.0.1", gateway.port, timeout=1, context=anybody)
    try:
        asked.request("GET", "/", headers={"Host": gateway.host("review")})
        return asked.getresponse().status > 0
    except (OSError, HTTPException):
        return False
    finally:
        asked.close()
