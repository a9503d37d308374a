"""Nothing in, a broker that speaks TLS to whoever shows a certificate out: for tests of that."""

import contextlib
import shutil
import tempfile
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

from local_stack import certificates, downloads, processes
from local_stack.certificates import Authority
from local_stack.errors import MissingTools
from local_stack.kafka import KafkaServer

PROTOCOLS = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,TLS:SSL"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecuredKafka:
    """`address`: for whoever has a certificate of `authority`. `plain`: in the clear, for us."""

    address: str
    plain: str
    authority: Authority


@contextlib.contextmanager
def secured_kafka(besides: Mapping[str, str] | None = None) -> Generator[SecuredKafka]:
    """One of its own, gone afterwards. `besides`: more of its properties. Raises `MissingTools`."""
    if downloads.find_java() is None:
        raise MissingTools("a broker with certificates of its own is started with Java")
    programs = downloads.fetch()
    folder = Path(tempfile.mkdtemp(prefix="aftersales-tls-"))
    try:
        authority = certificates.authority(folder)
        certificate, key = authority.issue("broker")
        chain = folder / "broker.pem"
        chain.write_bytes(key.read_bytes() + certificate.read_bytes())
        plain, tls, controller = (processes.free_port() for _ in range(3))
        known = f"PLAINTEXT://127.0.0.1:{plain},TLS://127.0.0.1:{tls}"
        server = KafkaServer(
            folder=folder / "kafka",
            java=programs.java,
            jars=programs.kafka_jars,
            port=plain,
            controller_port=controller,
            ephemeral=True,
            besides={
                "listeners": f"{known},CONTROLLER://127.0.0.1:{controller}",
                "advertised.listeners": known,
                "listener.security.protocol.map": PROTOCOLS,
                "ssl.client.auth": "required",
                "ssl.keystore.type": "PEM",
                "ssl.keystore.location": str(chain),
                "ssl.truststore.type": "PEM",
                "ssl.truststore.location": str(authority.certificate),
                **(besides or {}),
            },
        )
        server.start()
        try:
            address = f"127.0.0.1:{tls}"
            yield SecuredKafka(address=address, plain=server.bootstrap, authority=authority)
        finally:
            server.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
