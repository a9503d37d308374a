"""Nothing in, a broker out that speaks TLS to whoever shows a certificate or knows a password: for
tests of that.
"""

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

PROTOCOLS = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,TLS:SSL,PASSWORD:SASL_SSL"
HASHED = ("SCRAM-SHA-512", "SCRAM-SHA-256")
MODULES = "org.apache.kafka.common.security"
USERNAME, PASSWORD = "review-service", "a password"
BY_PASSWORD = {
    "listener.name.password.sasl.enabled.mechanisms": ",".join((*HASHED, "PLAIN")),
    "listener.name.password.plain.sasl.jaas.config": (
        f'{MODULES}.plain.PlainLoginModule required user_{USERNAME}="{PASSWORD}";'
    ),
    **{
        f"listener.name.password.{each.lower()}.sasl.jaas.config": (
            f"{MODULES}.scram.ScramLoginModule required;"
        )
        for each in HASHED
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SecuredKafka:
    """`address`: for whoever has a certificate of `authority`. `by_password`: for `USERNAME`, whose
    password is `PASSWORD`. `plain`: in the clear, for us.
    """

    address: str
    by_password: str
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
        plain, tls, password, controller = (processes.free_port() for _ in range(4))
        ports = {"PLAINTEXT": plain, "TLS": tls, "PASSWORD": password}
        doors = ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items())
        server = KafkaServer(
            folder=folder / "kafka",
            java=programs.java,
            jars=programs.kafka_jars,
            port=plain,
            controller_port=controller,
            ephemeral=True,
            known=tuple(f"{each}=[name={USERNAME},password={PASSWORD}]" for each in HASHED),
            besides={
                "listeners": f"{doors},CONTROLLER://127.0.0.1:{controller}",
                "advertised.listeners": doors,
                "listener.security.protocol.map": PROTOCOLS,
                "ssl.client.auth": "required",
                "ssl.keystore.type": "PEM",
                "ssl.keystore.location": str(chain),
                "ssl.truststore.type": "PEM",
                "ssl.truststore.location": str(authority.certificate),
                **BY_PASSWORD,
                **(besides or {}),
            },
        )
        server.start()
        try:
            yield SecuredKafka(
                address=f"127.0.0.1:{tls}",
                by_password=f"127.0.0.1:{password}",
                plain=server.bootstrap,
                authority=authority,
            )
        finally:
            server.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
