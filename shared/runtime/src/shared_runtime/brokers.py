"""Where Kafka is and what secures the way there in, what each of its clients is told out.

Certificates are files, and are renewed as files: a connection that is made after that shows the new
one, whatever process makes it and however long that has been running.
"""

import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, override

type Security = Literal["PLAINTEXT", "SSL", "SASL_SSL"]
type Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """PEM files. `authority`: who vouches for the brokers, if not whom the system trusts;
    `certificate` and `key`: who we are.
    """

    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @property
    def written_at(self) -> tuple[int, ...]:
        """Of the files that there are, in nanoseconds: another one when any was written anew."""
        named = (self.authority, self.certificate, self.key)
        return tuple(each.stat().st_mtime_ns for each in named if each is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """By which name and password a broker knows us."""

    mechanism: Mechanism
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Brokers:
    """Kafka with what secures the way to it. `account`: for SASL_SSL."""

    addresses: str
    security: Security = "PLAINTEXT"
    certificates: Certificates = Certificates()
    account: Account | None = None


type Bootstrap = str | Brokers
"""Brokers; or their addresses alone, which is Kafka in the clear."""


class RenewedContext(ssl.SSLContext):
    """Trusts and shows what the files have at each connection. Host names are checked."""

    files: Certificates
    current: ssl.SSLContext
    written_at: tuple[int, ...]

    @classmethod
    def of(cls, files: Certificates) -> Self:
        """Raises OSError (`ssl.SSLError` is one) if a file is not there, or not what is wanted."""
        context = cls(ssl.PROTOCOL_TLS_CLIENT)
        context.files = files
        context.renew()
        return context

    def renew(self) -> None:
        written_at = self.files.written_at
        context = ssl.create_default_context(cafile=self.files.authority)
        # Of an authority of one's own RFC 5280 is wanted to the letter by this alone: without the
        # identifiers that it asks for, a certificate is as well signed, and many have none.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if self.files.certificate is not None:
            context.load_cert_chain(self.files.certificate, self.files.key)
        self.current, self.written_at = context, written_at

    @override
    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        with suppress(OSError):  # half written: they are read again at the next connection
            if self.files.written_at != self.written_at:
                self.renew()
        return self.current.wrap_bio(*args, **kwargs)


def client_of(bootstrap: Bootstrap) -> dict[str, Any]:
    """What every client of aiokafka is told of where Kafka is. Reads the files of certificates:
    raises OSError.
    """
    if isinstance(bootstrap, str):
        return {"bootstrap_servers": bootstrap}
    told: dict[str, Any] = {
        "bootstrap_servers": bootstrap.addresses,
        "security_protocol": bootstrap.security,
    }
    if bootstrap.security != "PLAINTEXT":
        told["ssl_context"] = RenewedContext.of(bootstrap.certificates)
    if (account := bootstrap.account) is not None:
        told |= {
            "sasl_mechanism": account.mechanism,
            "sasl_plain_username": account.username,
            "sasl_plain_password": account.password,
        }
    return told
