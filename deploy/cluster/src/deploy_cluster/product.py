"""A node in, the product on it out, with the servers that are outside of the cluster.

PostgreSQL and Kafka are processes of this machine at the node's address; their data is in memory.
The issuer is a key in `folder`, too.
"""

import json
import os
import shutil
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import yaml
from deploy_checks.api_server import ApiServer
from deploy_checks.render import Resource
from deploy_checks.secrets import OWNER, secrets_of
from deploy_tools import cache
from deploy_tools.host_mode import NAMESPACE, own_certificate
from local_stack import databases, downloads, issuer, topics
from local_stack.databases import SERVICES, Database
from local_stack.kafka import KafkaServer
from local_stack.postgres import PostgresServer
from local_stack.processes import tail

from deploy_cluster.node import ADDRESS, PODS, READY_SECONDS_MAX, WRITTEN, Say, name_services

K8S = Path(__file__).parents[2] / "k8s"
FILES = Path("var/lib/files")
"""Of the node: the volume of k8s/files.yaml."""
NOBODY = 65532
POSTGRES_PORT, KAFKA_PORT, CONTROLLER_PORT = 5432, 9092, 9093
HBA = f"""\
host all all 127.0.0.1/32 scram-sha-256
host all all {PODS} scram-sha-256
"""
LISTENERS = {
    "listeners": f"PLAINTEXT://0.0.0.0:{KAFKA_PORT},CONTROLLER://127.0.0.1:{CONTROLLER_PORT}",
    "advertised.listeners": f"PLAINTEXT://{ADDRESS}:{KAFKA_PORT},CONTROLLER://127.0.0.1:{CONTROLLER_PORT}",
}
DEFINITIONS = ("gateway-api", "envoy-gateway")
GATEWAY_NAMESPACE = "envoy-gateway-system"
OF_THE_GATEWAY = "gateway.envoyproxy.io/owning-gateway-name=aftersales"
PATIENCE = "--timeout=420s"
NOT_HANDED_ON = '"response_code":50'


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What the cluster finds outside of it: servers, databases, an issuer in `folder`."""

    folder: Path
    postgres: PostgresServer
    kafka: KafkaServer
    logs: Mapping[str, Database]
    keys: Mapping[str, Database]

    def token(self, role: str, account: str) -> str:
        return issuer.mint(self.folder, sub=account, roles=[role])


@contextmanager
def outside(folder: Path, say: Say) -> Generator[Outside]:
    """Both servers with empty databases and topics; ended afterwards."""
    programs = downloads.fetch()
    hba = folder / "pg_hba.conf"
    hba.write_text(HBA)
    postgres = PostgresServer(
        folder=folder / WRITTEN / "postgres",
        programs=programs.postgres,
        port=POSTGRES_PORT,
        durable=False,
        besides={"listen_addresses": "*", "hba_file": str(hba)},
    )
    kafka = KafkaServer(
        folder=folder / WRITTEN / "kafka",
        java=programs.java,
        jars=programs.kafka_jars,
        port=KAFKA_PORT,
        controller_port=CONTROLLER_PORT,
        besides=LISTENERS,
        ready_seconds=READY_SECONDS_MAX,
    )
    try:
        postgres.start()
        kafka.start()
        issuer.ensure_key(folder)
        topics.create_topics(kafka.bootstrap)
        logs = databases.create_databases(postgres.url)
        keys = databases.create_key_databases(postgres.url)
        say("PostgreSQL and Kafka are ready")
        yield Outside(folder=folder, postgres=postgres, kafka=kafka, logs=logs, keys=keys)
    finally:
        kafka.kill()
        postgres.kill()


def write_definitions(folder: Path) -> None:
    """The kinds that `install` needs, into a folder. Raises `cache.Absent`."""
    for each in DEFINITIONS:
        shutil.copytree(cache.custom_resources(each), folder / each)


def install(server: ApiServer, there: Outside, root: Path, say: Say) -> str:
    """The gateway's own, then the overlay: until all is migrated, available and programmed. The
    address of the gateway. Raises `StackError`.
    """
    for each in DEFINITIONS:
        server.kubectl("apply", "--server-side", f"--filename={there.folder / each}")
    server.kubectl("apply", f"--filename={K8S / 'envoy-gateway.yaml'}")
    server.kubectl("create", "namespace", NAMESPACE)
    for service in SERVICES:
        own = root / FILES / f"{service}-service"
        own.mkdir(parents=True)
        os.chown(own, NOBODY, NOBODY)
    secrets = there.folder / "secrets.yaml"
    secrets.touch(mode=0o600)
    secrets.write_text(yaml.safe_dump_all(_told(there)))
    server.kubectl("apply", f"--filename={secrets}")
    server.kubectl("apply", "--server-side", "--force-conflicts", f"--kustomize={K8S}")
    name_services(there.folder, server)
    say("the overlay is applied")
    wait = ("wait", f"--namespace={NAMESPACE}", PATIENCE, "--all")
    server.kubectl(*wait, "--for=condition=Complete", "job")
    say("the databases are migrated")
    server.kubectl(*wait, "--for=condition=Available", "deployment")
    say("all of the product is available")
    server.kubectl(*wait, "--for=condition=Programmed", "gateway")
    gateways = ("deployment", f"--namespace={GATEWAY_NAMESPACE}", "--all", PATIENCE)
    server.kubectl("wait", "--for=condition=Available", *gateways)
    say("the gateway is programmed")
    name = "jsonpath={.items[0].spec.clusterIP}"
    return server.kubectl(
        *("get", "service", f"--namespace={GATEWAY_NAMESPACE}"),
        *(f"--selector={OF_THE_GATEWAY}", f"--output={name}"),
    )


def state(server: ApiServer, root: Path) -> str:
    """The pods, what Kubernetes warns of, the last words of those that are not ready, and what the
    gateway could not hand on: for whoever asks why it failed.
    """
    everywhere = ("get", "--all-namespaces")
    pods = json.loads(server.kubectl(*everywhere, "pods", "--output=json"))
    logs = [
        f"{log.parent.name} of {pod['metadata']['name']}:\n{tail(log)}"
        for pod in pods["items"]
        if not _is_well(pod["status"])
        for log in sorted(root.glob(f"var/log/pods/*_{pod['metadata']['uid']}/*/*.log"))
    ]
    warnings = ("events", "--field-selector=type=Warning", "--sort-by=.lastTimestamp")
    shown = [server.kubectl(*everywhere, *what) for what in (("pods",), warnings)]
    return "\n".join([*shown, *logs, *_not_handed_on(root)])


def _not_handed_on(root: Path) -> Iterator[str]:
    """The newest lines of the gateway's own log with an answer that is none."""
    for log in root.glob(f"var/log/pods/{GATEWAY_NAMESPACE}_envoy-{NAMESPACE}-*/envoy/*.log"):
        yield from [line for line in log.read_text().splitlines() if NOT_HANDED_ON in line][-20:]


def _is_well(status: Mapping[str, Any]) -> bool:
    """Of a pod: all its containers are ready, or it has done its work."""
    ready = [bool(each["ready"]) for each in status.get("containerStatuses", ())]
    return bool(status["phase"] == "Succeeded" or (ready and all(ready)))


def _told(there: Outside) -> Iterator[Resource]:
    """Secrets by hand (docs/kubernetes.md), the issuer's keys, the gateway's certificate."""
    jwks = issuer.jwks_file(there.folder).read_text()
    tls = own_certificate()
    (there.folder / "gateway.crt").write_text(tls.certificate)
    yield _object("ConfigMap", "jwks", data={"jwks": jwks})
    yield _object(
        "Secret",
        "gateway-tls",
        type="kubernetes.io/tls",
        stringData={"tls.crt": tls.certificate, "tls.key": tls.key},
    )
    for service in SERVICES:
        log, keys = there.logs[service], there.keys[service]
        run = secrets_of(service) | {
            "aftersales_database_url": _from_a_pod(log.app_url),
            "aftersales_keys_url": _from_a_pod(keys.app_url),
            "jwks.json": jwks,
        }
        owners = [_from_a_pod(log.owner_url), _from_a_pod(keys.owner_url)]
        yield _object("Secret", f"{service}-secrets", stringData=run)
        yield _object(
            "Secret", f"{service}-owner", stringData=dict(zip(OWNER, owners, strict=True))
        )


def _object(kind: str, name: str, **members: object) -> Resource:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **members}


def _from_a_pod(url: str) -> str:
    """The address of a database by the name that it has in the cluster."""
    parts = urlsplit(url)
    account = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{account}@postgres:{POSTGRES_PORT}"))
